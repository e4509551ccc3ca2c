"""What chunks go through on a GPU, rehearsed on a CPU: rounded shapes, several under way, recorded work.

``E3D_REHEARSE_GPU=1`` takes that path with plain memory and a second call in place of a replay.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from lammps_runs import Run, forces_of, run_lammps, script_of, virial_of, write_data
from systems import ELEMENTS, SYSTEMS
from test_plugin_allegro import check_edges
from test_plugin_memory import run_within
from tolerances import LADDER, close

MOVING = "fix md all nve\ntimestep 0.0005\nrun 5"
"""Steps enough for shapes to come back, so that they are recorded and replayed."""


def check_same(got: Run, want: Run) -> None:
    """Edges, energies, forces and virials of the last step, to rounding in float64."""
    ladder = LADDER["float64"]
    check_edges(got.edges(), want.edges(), ladder)
    close("energy", got.json()["pe"], want.json()["pe"], ladder.total_energy)
    last = got.dump("atoms.dump")[-1], want.dump("atoms.dump")[-1]
    close("atomic energies", last[0]["c_pea"], last[1]["c_pea"], ladder.atomic_energy)
    close("forces", forces_of(last[0]), forces_of(last[1]), ladder.force)
    close("virial", virial_of(got.json()), virial_of(want.json()), ladder.virial)


@pytest.mark.parametrize(
    ("model", "ending", "system", "ranks", "options"),
    [
        ("allegro-everything", "pt2", "box", 1, "chunk 7"),
        ("allegro-everything", "pt2", "triclinic", 2, "chunk auto"),
        ("allegro-everything", "pth", "box", 1, "chunk 1"),
    ],
)
@pytest.mark.parametrize("recording", [True, False])
def test_rehearsal_changes_nothing(
    model: str,
    ending: str,
    system: str,
    ranks: int,
    options: str,
    recording: bool,
    tmp_path: Path,
    model_files,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same run with and without, over some steps: stale buffers would show."""
    if not recording and ending == "pth":
        pytest.skip("a TorchScript model is never recorded")
    atoms = SYSTEMS[system]()
    atoms.arrays["velocities"] = 5.0 * np.random.default_rng(3).normal(size=(len(atoms), 3))
    runs = []
    for name in ("plain", "rehearsed"):
        (tmp_path / name).mkdir()
        write_data(tmp_path / name / "data.lmp", atoms, ELEMENTS, velocities=True)
        script = script_of(model_files(model, ending, "float64"), ELEMENTS, pair_options=options, tail=MOVING)
        runs.append(run_lammps(script, tmp_path / name, ranks=ranks))
        monkeypatch.setenv("E3D_REHEARSE_GPU", "1")
        monkeypatch.setenv("E3D_CUDA_GRAPHS", str(int(recording)))
    check_same(runs[1], runs[0])


def test_committee_shares_the_buffers(tmp_path: Path, model_files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models take turns in the same lanes."""
    atoms = SYSTEMS["box"]()
    models = " ".join(str(model_files(f"allegro-{name}", "pt2", "float64")) for name in ("plain", "plain"))
    pair = f"pair_style e3d chunk 7 committee 2\npair_coeff * * {models} {' '.join(ELEMENTS)}"
    runs = []
    for name in ("plain", "rehearsed"):
        (tmp_path / name).mkdir()
        write_data(tmp_path / name / "data.lmp", atoms, ELEMENTS)
        runs.append(run_lammps(script_of(Path(), ELEMENTS, pair=pair, tail=MOVING), tmp_path / name))
        monkeypatch.setenv("E3D_REHEARSE_GPU", "1")
    check_same(runs[1], runs[0])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_chunks_shrink_with_others_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk that fails is halved after the ones before it are finished."""
    output, want = run_within(None, tmp_path / "free")
    monkeypatch.setenv("E3D_REHEARSE_GPU", "1")
    try:
        output, got = run_within(1000, tmp_path / "limited")
    except subprocess.TimeoutExpired:  # a machine that is busy beyond measure
        pytest.skip("too slow here")
    assert "probably for want of memory; going on with 'chunk" in output
    close("energy", got, want, 1e-3)
