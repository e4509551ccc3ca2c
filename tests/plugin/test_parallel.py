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
    # system, ranks, before read_data, pair options, shuffled, ending of the model
    ("box", 1, "", "chunk 1", True, "safetensors"),
    ("box", 1, "", "chunk 7", False, "pth"),
    ("box", 2, "", "chunk 64", True, "safetensors"),
    ("box", 2, TILED, "chunk 100000", False, "safetensors"),
    ("box", 3, TILED, "chunk auto", True, "safetensors"),
    ("box", 4, "processors 2 2 1", "chunk 7", False, "safetensors"),
    ("triclinic", 2, "", "chunk 7", True, "pt2"),
    ("triclinic", 3, "", "", False, "safetensors"),
    ("triclinic", 4, "processors 1 2 2", "", True, "safetensors"),
    ("thin", 1, "", "chunk 1", True, "safetensors"),
    ("thin", 2, "", "", True, "safetensors"),
    (
        "thin",
        3,
        "",
        "chunk 7",
        False,
        "safetensors",
    ),  # LAMMPS itself has no tiled communication in such boxes
    ("thin", 4, "processors 2 2 1", "", False, "pth"),
    ("cluster", 4, "processors 4 1 1", "", False, "safetensors"),
    ("cluster", 3, "processors 1 1 3", "chunk 7", True, "safetensors"),
    ("cluster", 4, "processors 2 2 1", "chunk 7", True, "pt2"),
]


@pytest.mark.parametrize(("system", "ranks", "before", "options", "shuffled", "ending"), CASES)
def test_same_edges(
    system: str,
    ranks: int,
    before: str,
    options: str,
    shuffled: bool,
    ending: str,
    tmp_path: Path,
    model_files,
) -> None:
    """Against the eager model on ASE's neighbour list. The cluster leaves ranks without atoms."""
    atoms, edges = _known(system)
    seed = 11
    order = np.random.default_rng(seed).permutation(len(atoms)) if shuffled else None
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, order)
    script = script_of(
        model_files("allegro-everything", ending, "float64"),
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


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("system", ["box", "triclinic", "thin"])
def test_same_bits_however_it_is_run(system: str, dtype: str, tmp_path: Path, model_files) -> None:
    """The native engine: vectors, eps and U to the last bit, on ranks and threads, in chunks, in any order of
    atoms. An atom's edges come to the model in the order of their neighbours' ids, and images by distance.
    """
    atoms, found = SYSTEMS[system](), []
    # in a triclinic box `balance` converts positions there and back, which costs them their last bits
    tiled = TILED if system == "box" else ""
    for ranks, threads, before, options, shuffled in (
        (1, 1, "", "", False),
        (1, 3, "", "chunk 7", True),
        (2, 1, "", "chunk 1", True),
        (3, 2, tiled, "", False),
        (4, 1, "processors 2 2 1", "chunk 3", True),
    ):
        folder = tmp_path / f"{ranks}-{threads}"
        folder.mkdir()
        order = np.random.default_rng(7).permutation(len(atoms)) if shuffled else None
        write_data(folder / "data.lmp", atoms, ELEMENTS, order)
        model = model_files("allegro-everything", "safetensors", dtype)
        tail = ("balance 1.0 rcb\n" if before == TILED else "") + "run 0"
        script = script_of(model, ELEMENTS, setup=before, pair_options=options, tail=tail)
        run = run_lammps(script, folder, ranks, environment={"OMP_NUM_THREADS": str(threads)})
        assert f"{threads} thread" in run.output
        found.append((run.edges(), run.dump("atoms.dump")[-1]))
    edges, per_atom = found[0]
    assert len(edges) > 150
    for other, other_atoms in found[1:]:
        for name in ("tag1", "tag2", "dx", "dy", "dz", "dist", "eps"):
            np.testing.assert_array_equal(other[name], edges[name], err_msg=name)
        np.testing.assert_array_equal(other_atoms["c_pea"], per_atom["c_pea"])
        # summed over centres in another order, which is all that differs
        close(
            "forces", forces_of(other_atoms), forces_of(per_atom), 1e-12 * np.abs(forces_of(per_atom)).max()
        )


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_same_trajectory_on_any_number_of_ranks(ending: str, tmp_path: Path, model_files) -> None:
    """Atoms migrate between ranks and lists are rebuilt: 30 steps of hot NVE end in the same place."""
    atoms, _ = _known("triclinic")
    ends = []
    for ranks, options in ((1, ""), (3, "chunk 7")):
        folder = tmp_path / str(ranks)
        folder.mkdir()
        write_data(folder / "data.lmp", atoms, ELEMENTS, velocities=True)
        tail = "timestep 0.0002\nfix md all nve\nrun 30"
        model = model_files("allegro-everything", ending, "float64")
        script = script_of(model, ELEMENTS, pair_options=options, tail=tail)
        ends.append(run_lammps(script, folder, ranks))
    check_edges(ends[1].edges(), ends[0].edges(), LADDER64)
    assert ends[0].edges().step == 30


@pytest.mark.parametrize(("ending", "ranks"), [("safetensors", 2), ("pt2", 4)])
def test_float32_file_on_several_ranks(ending: str, ranks: int, tmp_path: Path, model_files) -> None:
    """Float32 files; the rounding of a compiled one differs with the chunk, within its own tolerance."""
    atoms = SYSTEMS["triclinic"]()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    model = model_files("allegro-everything", ending, "float32")
    run = run_lammps(script_of(model, ELEMENTS, pair_options="chunk 7"), tmp_path, ranks)
    check_edges(
        run.edges(), reference_edges(random_allegro("everything", "float32"), atoms), LADDER["float32"]
    )
