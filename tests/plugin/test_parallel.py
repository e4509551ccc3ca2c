"""The same edges and energies for any number of ranks, decomposition, chunk, atom order and box."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from edge_checks import check_edges
from lammps_runs import Frame, forces_of, run_lammps, script_of, write_data
from random_models import random_allegro
from systems import ELEMENTS, SYSTEMS, cluster, nequip_calculator, reference_edges
from tolerances import LADDER, close

LADDER64 = LADDER["float64"]


@cache
def _known(system: str) -> tuple[Atoms, Frame]:
    atoms = SYSTEMS[system]() if system in SYSTEMS else cluster()
    return atoms, reference_edges(random_allegro("everything", "float64"), atoms)


@cache
def _totals(system: str) -> tuple[float, np.ndarray]:
    """Energy and forces by nequip."""
    atoms = _known(system)[0].copy()
    atoms.calc = nequip_calculator(random_allegro("everything", "float64"))
    return atoms.get_potential_energy(), atoms.get_forces()


TILED = "comm_style tiled"
CASES = [
    # system, ranks, before read_data, pair options, shuffled
    ("box", 1, "", "chunk 1", True),
    ("box", 1, "", "chunk 7", False),
    ("box", 2, "", "chunk 64", True),
    ("box", 2, TILED, "chunk 100000", False),
    ("box", 3, TILED, "chunk auto", True),
    ("box", 4, "processors 2 2 1", "chunk 7", False),
    ("triclinic", 2, "", "chunk 7", True),
    ("triclinic", 3, "", "", False),
    ("triclinic", 4, "processors 1 2 2", "", True),
    ("thin", 1, "", "chunk 1", True),
    ("thin", 2, "", "", True),
    ("thin", 3, "", "chunk 7", False),  # LAMMPS itself has no tiled communication in boxes this thin
    ("thin", 4, "processors 2 2 1", "", False),
    ("cluster", 4, "processors 4 1 1", "", False),
    ("cluster", 3, "processors 1 1 3", "chunk 7", True),
]


@pytest.mark.parametrize(("system", "ranks", "before", "options", "shuffled"), CASES)
def test_same_edges(
    system: str, ranks: int, before: str, options: str, shuffled: bool, tmp_path: Path, model_files
) -> None:
    """Against the eager model on ASE's neighbour list. The cluster leaves ranks without atoms."""
    atoms, edges = _known(system)
    seed = 11
    order = np.random.default_rng(seed).permutation(len(atoms)) if shuffled else None
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, order)
    script = script_of(
        model_files("allegro-everything", "pth", "float64"),
        ELEMENTS,
        boundary="f f f" if system == "cluster" else "p p p",
        setup=before,
        pair_options=options,
        tail=("balance 1.0 rcb\n" if before == TILED else "") + "run 0",
    )
    run = run_lammps(script, tmp_path, ranks)
    check_edges(run.edges(), edges, LADDER64)
    energy, forces = _totals(system)
    close("energy", run.json()["pe"], energy, LADDER64.total_energy)
    close("forces", forces_of(run.dump("atoms.dump")[-1]), forces, LADDER64.force)


def test_same_trajectory_on_any_number_of_ranks(tmp_path: Path, model_files) -> None:
    """Atoms migrate between ranks and lists are rebuilt: 30 steps of hot NVE end in the same place."""
    atoms, _ = _known("triclinic")
    ends = []
    for ranks, options in ((1, ""), (3, "chunk 7")):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        write_data(folder / "data.lmp", atoms, ELEMENTS, velocities=True)
        tail = "timestep 0.0002\nfix md all nve\nrun 30"
        script = script_of(
            model_files("allegro-everything", "pth", "float64"), ELEMENTS, pair_options=options, tail=tail
        )
        ends.append(run_lammps(script, folder, ranks))
    check_edges(ends[1].edges(), ends[0].edges(), LADDER64)
    assert ends[0].edges().step == 30


@pytest.mark.parametrize("ranks", [2, 4])
def test_float32_file_on_several_ranks(ranks: int, tmp_path: Path, model_files) -> None:
    """The compiled float32 file: rounding differs with the chunk, within its own tolerance."""
    atoms = SYSTEMS["triclinic"]()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    model = model_files("allegro-everything", "pt2", "float32")
    run = run_lammps(script_of(model, ELEMENTS, pair_options="chunk 7"), tmp_path, ranks)
    check_edges(
        run.edges(), reference_edges(random_allegro("everything", "float32"), atoms), LADDER["float32"]
    )
