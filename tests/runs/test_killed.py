"""``e3d run`` and ``e3d analyze`` killed at any moment: files are whole or absent, both can be done again."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from e3d_lmp.analysis.events import read_events
from e3d_lmp.analysis.maps import read_map
from e3d_lmp.analysis.species import read_species
from job_runs import kill_when
from lammps_runs import BIN, plugin_environment
from simulated_runs import CUTOFF, e3d_in, run_in

E3D = (sys.executable, "-m", "e3d_lmp")
BONDS = ("--bonds", "5", "--species", "--form", "-0.0099", "--break", "Ar-Ar", "-0.009")
TEXTS = ("pairs.csv", "pairs.json", "map.e3d", "bonds.csv", "bonds.json")


@pytest.mark.parametrize("ranks", [1, 2])
def test_killed_run(ranks: int, run_folder: Path) -> None:
    """While LAMMPS runs: what its fixes have written can be read, and a second run is as a first one."""
    words = ["run", "in.lj", "-v", "model", "lj.nequip.pth", "--every", "5", "--cutoff", CUTOFF, "--quiet"]
    words += ["--map", "5", "1", "5", *BONDS]
    insitu = run_folder / "r/insitu.e3d"
    mpi = [str(BIN / "mpirun"), "-np", str(ranks)] if ranks > 1 else []
    command = [*mpi, *E3D, *words, "-o", "r", "-v", "steps", "1000000"]
    steps = lambda: insitu.exists() and read_map(insitu).samples > 20  # noqa: E731
    assert kill_when(command, run_folder, steps, poll=0.002, environment=plugin_environment()) != 0
    assert read_map(insitu).samples > 20
    assert len(read_events(run_folder / "r/bonds.txt")) > 0
    assert read_species(run_folder / "r/species.txt").step[0] == 0
    assert not any((run_folder / "r" / name).exists() for name in TEXTS)

    for folder in ("r", "undisturbed"):
        done = e3d_in(run_folder, *words, "-o", folder, ranks=ranks)
        assert done.returncode == 0, done.stdout + done.stderr
    for name in (*TEXTS, "insitu.e3d", "bonds.txt", "species.txt"):
        one, other = ((run_folder / folder / name).read_text() for folder in ("r", "undisturbed"))
        assert one == other, name
    left = {path.name for path in (run_folder / "r").iterdir() if path.name.startswith(".")}
    assert all(name.startswith((".insitu.e3d.", ".bonds.txt.", ".species.txt.")) for name in left), left


def test_killed_analysis(run_folder: Path) -> None:
    """At the first of its files, and at moments before and after it."""
    done = run_in(run_folder, str(BIN / "lmp"), "-in", "in.lj", "-v", "model", "lj.nequip.pth")
    assert done.returncode == 0, done.stdout + done.stderr
    words = ("analyze", "edges.dump", "--types", "Ar", "--cutoff", CUTOFF)
    assert e3d_in(run_folder, *words, "-o", "whole").returncode == 0
    whole = {name: (run_folder / "whole" / name).read_text() for name in TEXTS}
    cut = run_folder / "cut"

    def files() -> list[str]:
        return [name for name in TEXTS if (cut / name).exists()]

    found = []
    for delay in (0.0, 0.001, 0.003, 0.01):
        for name in files():
            (cut / name).unlink()
        first: list[float] = []

        def now(delay: float = delay, first: list[float] = first) -> bool:
            if not first and (files() or list(cut.glob(".*"))):
                first.append(time.monotonic())
            return bool(first) and time.monotonic() - first[0] >= delay

        kill_when([*E3D, *words, "-o", "cut"], run_folder, now, poll=0.0005)
        found.append(len(files()))
        for name in files():
            assert (cut / name).read_text() == whole[name], name
    assert min(found) < len(TEXTS), "no kill came before the last file"
    assert e3d_in(run_folder, *words, "-o", "cut").returncode == 0
    assert {name: (cut / name).read_text() for name in TEXTS} == whole
