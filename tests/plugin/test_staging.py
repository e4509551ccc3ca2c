"""What chunks go through on a GPU, rehearsed on a CPU: rounded shapes, several under way, recorded work.

``E3D_REHEARSE_GPU=1`` takes that path with plain memory and a second call in place of a replay.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_checks import check_edges
from lammps_runs import Run, forces_of, run_lammps, script_of, virial_of, write_data
from limited_memory import run_freely, run_within
from systems import ELEMENTS, SYSTEMS
from tolerances import LADDER, close

MODEL = "allegro-everything"
MOVING = "fix md all nve\ntimestep 0.0005\nrun 5"
"""Steps enough for shapes to come back, so that they are recorded and replayed."""


DEADLOCK = 1800
"""Seconds after which a run counts as a deadlock, however busy the machine is; an idle one takes about 20."""


def check_same(got: Run, want: Run) -> None:
    """Edges, energies, forces and virials of the last step, to rounding in float64."""
    ladder = LADDER["float64"]
    check_edges(got.edges(), want.edges(), ladder)
    close("energy", got.json()["pe"], want.json()["pe"], ladder.total_energy)
    last = got.dump("atoms.dump")[-1], want.dump("atoms.dump")[-1]
    close("atomic energies", last[0]["c_pea"], last[1]["c_pea"], ladder.atomic_energy)
    close("forces", forces_of(last[0]), forces_of(last[1]), ladder.force)
    close("virial", virial_of(got.json()), virial_of(want.json()), ladder.virial)


def _run(system: str, model: Path, folder: Path, options: str = "", ranks: int = 1, pair: str = "") -> Run:
    """A few steps of a system whose atoms move fast: stale buffers would show."""
    atoms = SYSTEMS[system]()
    atoms.arrays["velocities"] = 5.0 * np.random.default_rng(3).normal(size=(len(atoms), 3))
    folder.mkdir(parents=True)
    write_data(folder / "data.lmp", atoms, ELEMENTS, velocities=True)
    script = script_of(model, ELEMENTS, pair_options=options, pair=pair or None, tail=MOVING)
    return run_lammps(script, folder, ranks=ranks)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, model_files) -> Callable[[str], Run]:
    """The run of a system by the usual way, on one rank, made on first use."""

    @functools.cache
    def run(system: str) -> Run:
        return _run(system, model_files(MODEL, "pt2", "float64"), tmp_path_factory.mktemp("plain") / system)

    return run


@contextlib.contextmanager
def rehearsal(recording: bool = True) -> Iterator[None]:
    """What starts within it runs the code of a GPU, on the CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("E3D_REHEARSE_GPU", "1")
        patch.setenv("E3D_CUDA_GRAPHS", str(int(recording)))
        yield


@pytest.mark.parametrize(
    ("ending", "system", "ranks", "options"),
    [
        ("pt2", "box", 1, "chunk 7"),
        ("pt2", "triclinic", 2, "chunk auto"),
        ("pth", "box", 1, "chunk 1"),  # a TorchScript model is never recorded
    ],
)
def test_rehearsal_changes_nothing(
    ending: str, system: str, ranks: int, options: str, tmp_path: Path, model_files, plain
) -> None:
    model = model_files(MODEL, ending, "float64")
    with rehearsal():
        got = _run(system, model, tmp_path / "run", options, ranks)
    check_same(got, plain(system))


def test_rehearsal_without_recordings(tmp_path: Path, model_files, plain) -> None:
    model = model_files(MODEL, "pt2", "float64")
    with rehearsal(recording=False):
        got = _run("box", model, tmp_path / "run", "chunk 7")
    check_same(got, plain("box"))


def test_committee_shares_the_buffers(tmp_path: Path, model_files, plain) -> None:
    """Two models take turns in the same lanes."""
    model = model_files(MODEL, "pt2", "float64")
    pair = f"pair_style e3d chunk 7 committee 2\npair_coeff * * {model} {model} {' '.join(ELEMENTS)}"
    with rehearsal():
        got = _run("box", model, tmp_path / "run", pair=pair)
    check_same(got, plain("box"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_chunks_shrink_with_others_under_way(tmp_path: Path, organic_of_torch: Path) -> None:
    """A chunk that fails is halved after the ones before it are finished."""
    _, want = run_freely(organic_of_torch)
    with rehearsal():
        output, got = run_within(organic_of_torch, 1000, tmp_path / "limited", timeout=DEADLOCK)
    assert "probably for want of memory; going on with 'chunk" in output
    close("energy", got, want, 1e-3)
