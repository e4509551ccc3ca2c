"""Random Allegro models and the shipped one in LAMMPS against nequip's ASE calculator: edges first, then what
the model makes of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms

from e3d_lmp.model.decomposition import as_double
from e3d_lmp.model.engine import instruction_sets
from e3d_lmp.model.export import load_model
from edge_checks import check_against_nequip
from lammps_runs import ROOT, forces_of, run_lammps, script_of, write_data
from random_models import random_allegro
from systems import ELEMENTS, SYSTEMS, cluster, molecules
from tolerances import LADDER, close

SHIPPED = ROOT / "inputs/models/organic-small.nequip.zip"
NATIVE_AND_TORCH = [("safetensors", "float64"), ("safetensors", "float32"), ("pth", "float64")]
"""Endings of model files, and their precision."""


@pytest.mark.parametrize(
    ("variant", "ending", "dtype", "system"),
    [
        ("plain", "safetensors", "float32", "box"),
        ("plain", "pth", "float32", "box"),
        ("scaled", "safetensors", "float64", "triclinic"),
        ("zbl", "safetensors", "float32", "thin"),
        ("cutoffs", "safetensors", "float64", "box"),
        ("reversed", "safetensors", "float32", "triclinic"),
        ("spline", "safetensors", "float64", "box"),
        ("spline", "safetensors", "float32", "thin"),
        ("everything", "safetensors", "float64", "triclinic"),
        ("everything", "safetensors", "float32", "triclinic"),
        ("everything", "safetensors", "float64", "thin"),
        ("everything", "pt2", "float64", "triclinic"),
        ("everything", "pt2", "float32", "triclinic"),
        ("everything", "pth", "float64", "thin"),
    ],
)
def test_equals_nequip(
    variant: str, ending: str, dtype: str, system: str, tmp_path: Path, model_files
) -> None:
    """All engines, both precisions, every normalisation, directed cutoffs, several images of a pair."""
    atoms = SYSTEMS[system]()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    run = run_lammps(script_of(model_files(f"allegro-{variant}", ending, dtype), ELEMENTS), tmp_path)
    check_against_nequip(run, random_allegro(variant, dtype), dtype, atoms)


@pytest.fixture(scope="module")
def shipped() -> torch.nn.Module:
    """The shipped model as nequip loads it, float32."""
    return load_model(SHIPPED)


@pytest.mark.parametrize(
    ("ending", "dtype"),
    [("safetensors", "float32"), ("safetensors", "float64"), ("pt2", "float32"), ("pth", "float32")],
)
def test_shipped_model_equals_nequip(
    ending: str, dtype: str, shipped: torch.nn.Module, tmp_path: Path, model_files
) -> None:
    """Its weights in the file's precision and in double, a file compiled for this machine, a portable one."""
    model, options, file = shipped, "", SHIPPED.with_name("organic-small.safetensors")
    if ending != "safetensors":
        file = model_files("organic-small", ending, "float32")
    if dtype == "float64":
        model, options = as_double(shipped), "precision double"
    atoms, elements = molecules(), tuple(shipped.type_names)[::-1]
    assert set(atoms.get_chemical_symbols()) == set(elements)
    write_data(tmp_path / "data.lmp", atoms, elements)
    run = run_lammps(script_of(file, elements, pair_options=options), tmp_path, ranks=2)
    check_against_nequip(run, model, dtype, atoms, elements)


@pytest.mark.parametrize(("of_file", "asked", "dtype"), [
    ("float32", "double", "float64"), ("float64", "single", "float32"), ("float64", "auto", "float64"),
])  # fmt: skip
def test_precision(of_file: str, asked: str, dtype: str, tmp_path: Path, model_files) -> None:
    """The arithmetic that was asked for, with the weights of the file; the first line says which it is."""
    atoms = SYSTEMS["box"]()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    model = model_files("allegro-scaled", "safetensors", of_file)
    run = run_lammps(script_of(model, ELEMENTS, pair_options=f"precision {asked}"), tmp_path)
    assert f"| native {dtype} | device cpu" in run.output
    if of_file == "float32":
        check_against_nequip(run, as_double(random_allegro("scaled", of_file)), dtype, atoms)
    else:
        check_against_nequip(run, random_allegro("scaled", of_file), dtype, atoms)


@pytest.mark.parametrize("instruction_set", instruction_sets())
def test_instruction_sets(instruction_set: str, tmp_path: Path, model_files) -> None:
    """Every one that runs here, asked for as users may; both precisions."""
    atoms = SYSTEMS["triclinic"]()
    for dtype in LADDER:
        folder = tmp_path / dtype
        folder.mkdir()
        write_data(folder / "data.lmp", atoms, ELEMENTS)
        script = script_of(model_files("allegro-everything", "safetensors", dtype), ELEMENTS)
        run = run_lammps(script, folder, environment={"E3D_ENGINE_ISA": instruction_set})
        assert f"device cpu {instruction_set}," in run.output
        check_against_nequip(run, random_allegro("everything", dtype), dtype, atoms)


@pytest.mark.parametrize(("ending", "dtype"), NATIVE_AND_TORCH)
def test_open_cluster_equals_nequip(ending: str, dtype: str, tmp_path: Path, model_files) -> None:
    """No periodic direction."""
    atoms = cluster()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    model = model_files("allegro-everything", ending, dtype)
    run = run_lammps(script_of(model, ELEMENTS, boundary="f f f"), tmp_path)
    check_against_nequip(run, random_allegro("everything", dtype), dtype, atoms)


def test_directed_cutoffs_leave_reverse_edges_out(tmp_path: Path, model_files) -> None:
    """C reaches H up to 3.1, H reaches C only up to 2.6: some edges legally have no reverse."""
    atoms = SYSTEMS["box"]()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    model = model_files("allegro-everything", "safetensors", "float64")
    run = run_lammps(script_of(model, ELEMENTS), tmp_path)
    edges = run.edges()
    one_way = (edges["dist"] > 2.6) & (edges["dist"] < 3.1)
    carbon, hydrogen = ELEMENTS.index("C") + 1, ELEMENTS.index("H") + 1
    there = one_way & (edges["type1"] == carbon) & (edges["type2"] == hydrogen)
    back = one_way & (edges["type1"] == hydrogen) & (edges["type2"] == carbon)
    assert there.sum() > 10 and back.sum() == 0
    assert np.abs(edges["eps"][there]).max() > 1e-6


@pytest.mark.parametrize(("ending", "dtype"), NATIVE_AND_TORCH)
@pytest.mark.parametrize(("n_atoms", "boundary"), [(1, "f f f"), (1, "p p p"), (2, "f f f")])
def test_atoms_without_neighbours(
    n_atoms: int, boundary: str, ending: str, dtype: str, tmp_path: Path, model_files
) -> None:
    """One atom, or two far apart, have the energy mu and no force."""
    atoms = Atoms(["C", "O"][:n_atoms], positions=[[3.0, 3.0, 3.0], [15.0, 14.0, 13.0]][:n_atoms])
    atoms.cell = [20.0, 20.0, 20.0]
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    model = model_files("allegro-everything", ending, dtype)
    run = run_lammps(script_of(model, ELEMENTS, boundary=boundary), tmp_path)
    final = run.dump("atoms.dump")[-1]
    mu = [-1027.5, -2041.3][:n_atoms]
    close("mu", final["c_pea"], mu, LADDER[dtype].atomic_energy)
    close("energy", run.json()["pe"], sum(mu), LADDER[dtype].total_energy)
    close("forces", forces_of(final), np.zeros((n_atoms, 3)), 0.0)
    assert len(run.dump("edges.dump")[-1]["eps"]) == 0


def test_a_box_without_atoms(tmp_path: Path, model_files) -> None:
    """On two ranks, with steps: nothing to do is no error."""
    write_data(tmp_path / "data.lmp", Atoms("C", positions=[[3.0, 3.0, 3.0]], cell=[9.0, 9.0, 9.0]), ELEMENTS)
    model = model_files("allegro-everything", "safetensors", "float64")
    tail = "delete_atoms group all\nfix md all nve\nrun 2"
    run = run_lammps(script_of(model, ELEMENTS, tail=tail), tmp_path, ranks=2)
    assert run.json()["pe"] == 0.0


@pytest.mark.parametrize(("ending", "dtype"), NATIVE_AND_TORCH)
@pytest.mark.parametrize("options", ["chunk 1", "chunk auto"])
def test_a_single_edge(options: str, ending: str, dtype: str, tmp_path: Path, model_files) -> None:
    """C sees H at 2.9 but H not C, and O sees nobody: the edges that fill up a chunk count for nothing.

    The skin of the neighbour list is too thin to make up for a list with H's cutoff.
    """
    atoms = Atoms("HOC", positions=[[3.0, 3.0, 3.0], [15.0, 14.0, 13.0], [3.4, 5.8, 3.6]])
    atoms.cell = [20.0, 20.0, 20.0]
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    model = model_files("allegro-everything", ending, dtype)
    script = script_of(model, ELEMENTS, boundary="f f f", pair_options=options, skin=0.1)
    run = run_lammps(script, tmp_path)
    assert len(run.edges()) == 1
    check_against_nequip(run, random_allegro("everything", dtype), dtype, atoms)
