"""Jobs of `e3d job` for the tests: an input that can go on from a restart file, and jobs that are killed on
the way.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import molecule

from e3d_lmp.files import is_locked
from e3d_lmp.runs.progress import progress_of
from lammps_runs import read_dump, write_data

ELEMENTS = ("C", "H", "O")

INPUT = """\
# Methanol and water with Morse bonds: maps, bond events and species while it runs.
variable part       index 1
variable restart    index none
variable checkpoint index restart
variable steps      index 600
variable data       index data.lmp
variable model      index model.nequip.pth
variable temp       index 300
variable seed       index 7
units         metal
newton        on
if "${part} == 1" then "read_data ${data}" else "read_restart ${restart}"
pair_style    e3d
pair_coeff    * * ${model} C H O
neighbor      0.3 bin
neigh_modify  every 1 delay 0 check yes
timestep      0.00025
fix           md all nvt temp ${temp} ${temp} 0.05
fix           map all e3d/map 10 1 50 file map.e3d ave running cutoff 2.0
fix           books all e3d/bonds 10 file bonds.txt species species.txt cutoff 2.0
thermo        50
thermo_modify flush yes
if "${part} == 1" then "velocity all create ${temp} ${seed} mom yes rot yes dist gaussian"
restart       100 ${checkpoint}.a ${checkpoint}.b
run           ${steps} upto
write_dump    all custom final.dump id type x y z vx vy vz modify sort id format float %.17g
"""
"""LAMMPS input that offers what `e3d job` asks of a restartable one."""


def with_pauses(seconds: float) -> str:
    """`INPUT`, which rests every 50 steps: a bound of its speed on a machine however fast."""
    return INPUT.replace("${steps} upto", f'${{steps}} upto every 50 "shell sleep {seconds}"')


UNHURRIED = with_pauses(0.25)
"""For runs that are killed on the way: 0.25 s between what one thermo line says and the next one."""

SLOW = with_pauses(2).replace("restart       100", "restart       50")
"""For jobs with a time limit: at least 0.04 s a step."""


def write_input(folder: Path, model: Path, text: str = INPUT, every: int = 2) -> Path:
    """The input and its data file in `folder`, with the model's path filled in; returns the input's path."""
    folder.mkdir(parents=True, exist_ok=True)
    cell = 4.5 * every
    atoms = Atoms(cell=[cell] * 3, pbc=True)
    for k, at in enumerate(np.ndindex(every, every, every)):
        one = molecule("CH3OH" if k % 2 else "H2O")
        one.rotate(37.0 * k, (1.0, 0.3 * k, 0.2))
        one.translate(4.5 * (np.array(at) + 0.5) - one.positions.mean(axis=0))
        atoms += one
    atoms.wrap()
    write_data(folder / "data.lmp", atoms, ELEMENTS)
    path = folder / "in.hot"
    path.write_text(
        text.replace("index data.lmp", f"index {folder / 'data.lmp'}").replace("model.nequip.pth", str(model))
    )
    return path


def e3d(*words: object, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """``e3d WORDS`` in a process of its own, in `folder`."""
    return _finished([sys.executable, "-m", "e3d_lmp", *map(str, words)], folder, environment)


def run_script(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """``bash job.sh``, to its end."""
    return _finished(["bash", "job.sh"], folder, environment)


def _finished(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def kill_when(
    command: Sequence[str],
    folder: Path,
    when: Callable[[], bool],
    timeout: float = 120.0,
    poll: float = 0.02,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Start a command and end it and all its children with SIGKILL as soon as `when()`, which is asked every
    `poll` seconds; returns its exit code.
    """
    with subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | (environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + timeout
        while not when() and process.poll() is None:
            assert time.monotonic() < end, f"{command} came not so far within {timeout} s"
            time.sleep(poll)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
    wait_for(lambda: not is_busy(folder), "the lock to be free")
    return code


def is_busy(folder: Path) -> bool:
    """Whether a process holds a lock anywhere below `folder`."""
    return any(is_locked(path.parent) for path in folder.rglob(".lock"))


def wait_for(what: Callable[[], object], name: str, timeout: float = 120.0) -> None:
    """Wait until `what()` is true."""
    end = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < end, f"waited {timeout} s for {name}"
        time.sleep(0.1)


def last_step(folder: Path) -> int:
    """Step that a job has come to; -1 before the first."""
    return progress_of(folder).step


def final_state(folder: Path) -> np.ndarray:
    """(N, 6) positions and velocities of the last step, by id."""
    frame = read_dump(folder / "final.dump")[-1]
    return np.stack([frame[name] for name in ("x", "y", "z", "vx", "vy", "vz")], axis=1)
