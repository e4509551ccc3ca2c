"""Analytic edge models through export, plugin and dump, against LAMMPS's own pair styles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from analytic_models import LENNARD_JONES, MORSE, TERSOFF_SI, TERSOFF_SIC, PairPotential, TersoffPotential
from lammps_runs import Run, forces_of, run_lammps, script_of, virial_of, write_data
from systems import rattled, silicon
from tolerances import FLOAT32, REFERENCE_STYLE, close

PAIRS = {"lj": LENNARD_JONES, "morse": MORSE}
TERSOFFS = {"tersoff-si": TERSOFF_SI, "tersoff-sic": TERSOFF_SIC}


def _mixed_crystal(elements: tuple[str, ...], lattice: float) -> Atoms:
    atoms = bulk(elements[0], "fcc", a=lattice, cubic=True).repeat(3)
    numbers = np.random.default_rng(5).integers(len(elements), size=len(atoms))
    atoms.set_chemical_symbols([elements[k] for k in numbers])
    return rattled(atoms, 0.15)


def silicon_carbide() -> Atoms:
    """64 atoms, some Si and C exchanged, so that every triple of elements occurs."""
    atoms = bulk("SiC", "zincblende", a=4.36, cubic=True).repeat(2)
    symbols = atoms.get_chemical_symbols()
    for k in (0, 7, 18, 33, 50):
        symbols[k] = "C" if symbols[k] == "Si" else "Si"
    atoms.set_chemical_symbols(symbols)
    return rattled(atoms, 0.12)


def _both(
    tmp_path: Path, atoms: Atoms, elements: tuple[str, ...], model: Path, reference: str
) -> tuple[Run, Run]:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        write_data(tmp_path / name / "data.lmp", atoms, elements)
    ours = run_lammps(script_of(model, elements), tmp_path / "ours")
    theirs = run_lammps(
        script_of(model, elements, pair=reference, edges=False).replace(
            "compute centroid all centroid/stress/atom NULL virial",
            "compute centroid all stress/atom NULL virial",
        ),
        tmp_path / "theirs",
    )
    return ours, theirs


def _half_bonds(ours: Run, n_atoms: int) -> np.ndarray:
    """1/2 sum_j D_ij of every atom, from the dumped directed edges."""
    edges = ours.edges()
    out = np.zeros(n_atoms)
    np.add.at(out, edges["tag1"].astype(int) - 1, 0.5 * edges["eps"])
    np.add.at(out, edges["tag2"].astype(int) - 1, 0.5 * edges["eps"])
    return out


def _check(ours: Run, theirs: Run, n_atoms: int, energy: float, force: float, virial: float) -> None:
    got, want = ours.dump("atoms.dump")[-1], theirs.dump("atoms.dump")[-1]
    close("forces", forces_of(got), forces_of(want), force)
    close("energy", ours.json()["pe"], theirs.json()["pe"], energy * n_atoms)
    close("virial", virial_of(ours.json()), virial_of(theirs.json()), virial)
    assert np.abs(forces_of(want)).max() > 1e-3, "nothing moves: the comparison is empty"


@pytest.mark.parametrize(("name", "ending"), [("tersoff-si", "pth"), ("tersoff-sic", "pt2")])
def test_tersoff_equals_pair_tersoff(name: str, ending: str, tmp_path: Path, model_files) -> None:
    """Energy, forces and virial; and pe/atom, which LAMMPS splits as half of every pair's D."""
    potential: TersoffPotential = TERSOFFS[name]
    atoms = silicon() if name == "tersoff-si" else silicon_carbide()
    file = tmp_path / "potential.tersoff"
    file.write_text(potential.potential_file())
    reference = f"pair_style tersoff\npair_coeff * * {file} {' '.join(potential.elements)}"
    ours, theirs = _both(tmp_path, atoms, potential.elements, model_files(name, ending), reference)
    _check(
        ours, theirs, len(atoms), REFERENCE_STYLE.atomic_energy, REFERENCE_STYLE.force, REFERENCE_STYLE.virial
    )

    theirs_atoms = theirs.dump("atoms.dump")[-1]
    close("pe/atom", _half_bonds(ours, len(atoms)), theirs_atoms["c_pea"], REFERENCE_STYLE.atomic_energy)
    own = ours.dump("atoms.dump")[-1]["c_pea"]
    sums = np.zeros(len(atoms))
    np.add.at(sums, ours.edges()["tag1"].astype(int) - 1, ours.edges()["eps"])
    close("sum of eps", sums, own, REFERENCE_STYLE.atomic_energy)
    assert np.abs(own - theirs_atoms["c_pea"]).max() > 1e-3, "eps is not supposed to be shared evenly here"


@pytest.mark.parametrize("name", ["lj", "morse"])
def test_pair_potential_equals_its_lammps_style(name: str, tmp_path: Path, model_files) -> None:
    """Two elements with a cutoff for each pair of them."""
    potential: PairPotential = PAIRS[name]
    atoms = _mixed_crystal(potential.elements, {"lj": 5.5, "morse": 3.9}[name])
    ours, theirs = _both(
        tmp_path, atoms, potential.elements, model_files(name, "pth"), potential.lammps_lines()
    )
    _check(
        ours, theirs, len(atoms), REFERENCE_STYLE.atomic_energy, REFERENCE_STYLE.force, REFERENCE_STYLE.virial
    )
    close(
        "pe/atom",
        _half_bonds(ours, len(atoms)),
        theirs.dump("atoms.dump")[-1]["c_pea"],
        REFERENCE_STYLE.atomic_energy,
    )


def test_float32_pair_potential_has_float32_errors(tmp_path: Path, model_files) -> None:
    """A float32 model passes through the same path with its own tolerance."""
    atoms = _mixed_crystal(LENNARD_JONES.elements, 5.5)
    ours, theirs = _both(
        tmp_path,
        atoms,
        LENNARD_JONES.elements,
        model_files("lj", "pth", "float32"),
        LENNARD_JONES.lammps_lines(),
    )
    _check(ours, theirs, len(atoms), FLOAT32.atomic_energy, FLOAT32.force, FLOAT32.virial)


def test_uneven_bond_is_seen(tmp_path: Path, model_files) -> None:
    """A Cu-Ag bond of the Morse model gives 0.7 of its energy to Cu: A / D = 0.4, whichever way it points."""
    atoms = Atoms("CuAg", positions=[[5.0, 5.0, 5.0], [7.1, 6.2, 5.9]], cell=[20.0, 20.0, 20.0], pbc=True)
    write_data(tmp_path / "data.lmp", atoms, MORSE.elements)
    run = run_lammps(script_of(model_files("morse"), MORSE.elements), tmp_path)
    edges = run.edges()
    assert [tuple(row) for row in zip(edges["tag1"], edges["tag2"], strict=True)] == [(1, 2), (2, 1)]
    close("A / D", (edges["eps"][0] - edges["eps"][1]) / edges["eps"].sum(), 0.4, REFERENCE_STYLE.edge_energy)
    close("dx", edges["dx"], [2.1, -2.1], REFERENCE_STYLE.geometry)
