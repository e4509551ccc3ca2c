"""Every bond of a molecule, against models whose dissociation energies are known and against ASE by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.optimize import BFGS

from analytic_models import MORSE_CHO_SHORT
from e3d_lmp.analysis.bonds.orders import rdkit_orders
from e3d_lmp.analysis.dissociation.breaking import BondChoice, break_bonds, parse_bonds
from e3d_lmp.analysis.dissociation.relaxing import TEMPERATURE, Settings
from e3d_lmp.analysis.dissociation.smiles import structure_of
from e3d_lmp.edges.calculator import E3DCalculator
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError
from lammps_runs import ROOT

PLACE = {symbol: k for k, symbol in enumerate(MORSE_CHO_SHORT.elements)}


def structure(atoms: Atoms, name: str = "molecule") -> Structure:
    cell = np.asarray(atoms.cell).reshape(3, 3)
    return Structure(name, atoms.numbers.astype(np.int64), atoms.positions.copy(), cell, atoms.pbc, math.nan)


def morse(label: str) -> tuple[float, float, float, float]:
    """Depth, width and length of a pair of the model, and the share of the edge from its first atom."""
    first, second = label.split(" ")[0].split("-")
    i, j = sorted((PLACE[first], PLACE[second]))
    share = MORSE_CHO_SHORT.shares.get((i, j), 0.5)
    own = share if PLACE[first] == i else 1.0 - share
    return (*MORSE_CHO_SHORT.by_pair[i, j][:3], own)


@pytest.fixture
def pairs(short_morse_cho: Path) -> E3DCalculator:
    return E3DCalculator(short_morse_cho)


@pytest.mark.parametrize("name", ["CH4", "CH3CH2OH", "CH3OH", "C2H6", "H2O", "H2"])
def test_a_pair_model_gives_its_own_depths(pairs: E3DCalculator, name: str) -> None:
    """Only bonds have energy in this model, so a relaxed molecule has all of them at their minimum, and so
    have its fragments: every energy of a bond is the depth of its Morse well."""
    found = break_bonds(structure(molecule(name)), pairs, Settings(fmax=1e-4), rdkit_orders)
    assert not found["remark"] and found["rows"]
    for row in found["rows"]:
        depth, _, length, share = morse(row["type"])
        assert row["length"] == pytest.approx(length, abs=1e-4)
        assert row["D"] == pytest.approx(-depth, abs=1e-6)
        assert row["A"] == pytest.approx(-depth * (2.0 * share - 1.0), abs=1e-6)
        if not row["same_as"]:
            assert row["bde_frozen"] == pytest.approx(depth, abs=1e-6)
            assert row["bde_relaxed"] == pytest.approx(depth, abs=1e-6)
            assert math.isnan(row["enthalpy"])
    depths = [morse(row["type"])[0] for row in found["rows"]]
    assert found["energy"] == pytest.approx(-sum(depths), abs=1e-6)


def test_the_first_atom_of_a_row_is_that_of_its_label(pairs: E3DCalculator) -> None:
    atoms = molecule("CH3OH")[[4, 1, 0, 2, 3, 5]]  # hydrogens and oxygen before carbon
    symbols = atoms.get_chemical_symbols()
    for row in break_bonds(structure(atoms), pairs, Settings(), rdkit_orders)["rows"]:
        label = row["type"].split(" ")[0]
        assert f"{symbols[row['i']]}-{symbols[row['j']]}" == label
        if row["side_i"]:
            assert row["frozen_i"] + row["frozen_j"] - row["bde_frozen"] < 0.0
            assert row["side_j"] == {"C-H": "H", "O-H": "H", "C-O": "HO"}[label]


def test_without_relaxation_energies_are_those_of_the_geometry(pairs: E3DCalculator) -> None:
    atoms = molecule("CH4")
    atoms.positions[1] *= 1.1
    rows = break_bonds(structure(atoms), pairs, Settings(relax=False), rdkit_orders)["rows"]
    a, b, c, _ = morse("C-H")
    e = math.exp(-b * (atoms.get_distance(0, 1) - c))
    assert rows[0]["D"] == pytest.approx(a * (e * e - 2.0 * e), abs=1e-9)
    assert rows[0]["bde_frozen"] == pytest.approx(-rows[0]["D"], abs=1e-9)
    assert math.isnan(rows[0]["bde_relaxed"])


def test_enthalpy_of_a_diatomic_molecule(pairs: E3DCalculator) -> None:
    """a + 3/2 kT - hw/2 - hw/(exp(hw/kT) - 1), with w = b sqrt(2 a / m) of a Morse well."""
    found = break_bonds(structure(molecule("H2")), pairs, Settings(fmax=1e-6, enthalpy=True), rdkit_orders)
    a, b, _, _ = morse("H-H")
    mass = 0.5 * Atoms("H").get_masses()[0]
    quantum = units._hbar * 1e10 / math.sqrt(units._e * units._amu) * b * math.sqrt(2.0 * a / mass)
    kT = units.kB * TEMPERATURE
    thermal = quantum / (math.exp(quantum / kT) - 1.0)
    assert found["rows"][0]["enthalpy"] == pytest.approx(a + 1.5 * kT - 0.5 * quantum - thermal, abs=2e-4)


def test_equals_ase_by_hand(tmp_path: Path) -> None:
    """nequip's own calculator on the package, its BFGS on molecule and fragments."""
    from nequip.model.saved_models.package import ModelFromPackage

    from systems import nequip_calculator

    package = ROOT / "inputs/models/organic-small.nequip.zip"
    reference: Any = nequip_calculator(
        ModelFromPackage(str(package), compile_mode="eager")["sole_model"].eval()
    )
    atoms = molecule("CH3OH")
    ours = break_bonds(
        structure(atoms),
        E3DCalculator(ROOT / "inputs/models/organic-small.safetensors"),
        Settings(),
        rdkit_orders,
    )
    atoms.calc = reference
    assert BFGS(atoms, logfile=None, maxstep=0.1).run(fmax=0.01, steps=500)
    whole = atoms.get_potential_energy()
    assert ours["energy"] == pytest.approx(whole, abs=1e-3)
    (row,) = [row for row in ours["rows"] if row["type"] == "C-O 1"]
    hydroxyl = np.flatnonzero(atoms.get_all_distances()[row["j"]] < 1.2).tolist()
    total_frozen = total_relaxed = 0.0
    for side in (hydroxyl, [k for k in range(6) if k not in hydroxyl]):
        part = atoms[side]
        part.calc = reference
        total_frozen += part.get_potential_energy()
        assert BFGS(part, logfile=None, maxstep=0.1).run(fmax=0.01, steps=500)
        total_relaxed += part.get_potential_energy()
    assert {row["side_i"], row["side_j"]} == {"CH3", "HO"}
    assert row["bde_frozen"] == pytest.approx(total_frozen - whole, abs=3e-3)
    assert row["bde_relaxed"] == pytest.approx(total_relaxed - whole, abs=3e-3)
    assert row["bde_frozen"] > row["bde_relaxed"] + 0.05


def test_which_bonds_are_broken(pairs: E3DCalculator) -> None:
    """Rings (named or not) and double bonds are said and not broken; bonds that are alike are broken once."""
    settings = Settings(relax=False)
    rows = break_bonds(structure(molecule("C6H6")), pairs, settings, rdkit_orders)["rows"]
    assert {row["why"] for row in rows if row["type"] == "C-C 1.5"} == {"order 1.5"}
    hydrogens = [row for row in rows if row["type"] == "C-H 1"]
    assert [bool(row["side_i"]) for row in hydrogens] == [True, *[False] * 5]
    assert {row["same_as"] for row in hydrogens[1:]} == {f"{hydrogens[0]['i']}-{hydrogens[0]['j']}"}
    rows = break_bonds(structure(molecule("C3H6_D3h")), pairs, settings, rdkit_orders)["rows"]
    assert {row["why"] for row in rows if row["type"] == "C-C 1"} == {"ring"}
    named = break_bonds(structure(molecule("C3H6_D3h")), pairs, settings, rdkit_orders, parse_bonds(["C-C"]))
    assert [(row["why"], row["side_i"]) for row in named["rows"]] == [
        ("ring", "")
    ] * 3  # nor when it is named
    rows = break_bonds(structure(molecule("H2CO")), pairs, settings, rdkit_orders)["rows"]
    assert [row["why"] for row in rows if row["type"] == "C-O 2"] == ["order 2"]
    rows = break_bonds(structure(molecule("H2CO")), pairs, settings, None)["rows"]
    assert all("RDKit" in row["why"] for row in rows)


def test_bonds_that_are_named_are_broken_whatever_their_order(pairs: E3DCalculator) -> None:
    formaldehyde = structure(molecule("H2CO"))
    for words in (["O-C"], ["C-O 2"], ["1-0"]):
        rows = break_bonds(formaldehyde, pairs, Settings(relax=False), rdkit_orders, parse_bonds(words))[
            "rows"
        ]
        assert [row["type"] for row in rows] == ["C-O 2"] and rows[0]["side_i"] == "CH2"
    assert parse_bonds([]).is_all and parse_bonds(["C-H", "3-1"]) == BondChoice(
        frozenset({"C-H"}), frozenset({(1, 3)})
    )


@pytest.mark.parametrize("word", ["CH", "C-Xx", "3-3", "C-C x", "1-2-3", ""])
def test_words_that_name_no_bond(word: str) -> None:
    with pytest.raises(E3DError, match="expected a pair of elements"):
        parse_bonds([word])


@pytest.mark.parametrize("name", ["CH3", "CH2_s3B1d", "CH3O", "OH"])
def test_a_radical_is_said_to_be_one(pairs: E3DCalculator, name: str) -> None:
    found = break_bonds(structure(molecule(name)), pairs, Settings(relax=False), rdkit_orders)
    assert "no closed-shell structure" in found["remark"]
    assert {row["why"] for row in found["rows"]} == {"no closed-shell structure"}
    assert not any(row["side_i"] for row in found["rows"])
    found = break_bonds(
        structure(molecule(name)), pairs, Settings(relax=False), rdkit_orders, parse_bonds(["1-0"])
    )
    assert [bool(row["side_i"]) for row in found["rows"]] == [True] and found["remark"]


def test_several_molecules_are_not_broken(pairs: E3DCalculator) -> None:
    two = molecule("H2O")
    other = molecule("CH4")
    other.positions += 6.0
    found = break_bonds(structure(two + other), pairs, Settings(relax=False), rdkit_orders)
    assert len(found["rows"]) == 6 and {row["why"] for row in found["rows"]} == {"several molecules"}
    assert found["rows"][0]["D"] < 0.0


def test_a_molecule_that_falls_apart_is_flagged(model_files) -> None:
    """Two argon atoms closer than they want to be, and a bond cutoff that they leave."""
    settings = Settings(cutoff=parse_cutoff("3.3"))
    atoms = Atoms("Ar2", [(0.0, 0.0, 0.0), (0.0, 0.0, 3.2)])
    found = break_bonds(structure(atoms), E3DCalculator(model_files("lj")), settings, None)
    assert "molecule: fell apart" in found["remark"]
    assert [row["why"] for row in found["rows"]] == ["the molecule changed"]
    assert math.isnan(found["energy"]) and found["rows"][0]["length"] == pytest.approx(3.2)


def test_a_relaxation_that_does_not_end_is_flagged(pairs: E3DCalculator) -> None:
    atoms = molecule("CH4")
    atoms.positions[1] *= 1.1
    found = break_bonds(structure(atoms), pairs, Settings(steps=1), rdkit_orders)
    assert "not relaxed to 0.01 eV/angstrom in 1 steps" in found["remark"]


def test_a_fragment_without_an_energy_costs_its_bonds_alone(
    pairs: E3DCalculator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a radical collapses in relaxation; the other bonds of the molecule keep their energies."""
    calculate = E3DCalculator.calculate

    def broken(self: E3DCalculator, atoms: Atoms, *more: Any) -> None:
        if atoms.get_chemical_formula() == "CH3":
            raise E3DError("atom 2: another atom is at the same place")
        calculate(self, atoms, *more)

    monkeypatch.setattr(E3DCalculator, "calculate", broken)
    settings = Settings(relax=False)
    rows = break_bonds(structure(molecule("CH3OH")), pairs, settings, rdkit_orders)["rows"]
    for row in rows:
        if row["side_i"]:
            lost = row["type"] == "C-O 1"
            assert math.isnan(row["bde_frozen"]) == lost == ("CH3: atom 2" in row["remark"])
    assert [row["type"] for row in rows if row["remark"]] == ["C-O 1"]


def test_what_is_no_molecule(pairs: E3DCalculator) -> None:
    atoms = molecule("CH4")
    for change, message in (
        ({"pbc": True, "cell": (9, 9, 9)}, "periodic"),
        ({"positions": np.full((5, 3), np.nan)}, "not finite"),
    ):
        wrong = atoms.copy()
        for key, value in change.items():
            setattr(wrong, key, value)
        with pytest.raises(E3DError, match=message):
            break_bonds(structure(wrong), pairs, Settings(), rdkit_orders)
    with pytest.raises(E3DError, match="no atoms"):
        break_bonds(structure(Atoms()), pairs, Settings(), rdkit_orders)
    with pytest.raises(E3DError, match="not N"):
        break_bonds(structure(molecule("NH3")), pairs, Settings(), rdkit_orders)
    assert break_bonds(structure(Atoms("C")), pairs, Settings(), rdkit_orders)["rows"] == []


def test_structures_from_smiles(pairs: E3DCalculator) -> None:
    found = break_bonds(structure_of("CCO", "ethanol"), pairs, Settings(), rdkit_orders)
    assert found["formula"] == "C2H6O" and len(found["rows"]) == 8
    for smiles, message in (
        ("O.O", "several molecules"),
        ("C1CC", "cannot read"),
        ("[NH4+]", "charge is +1".replace("+", r"\+")),
    ):
        with pytest.raises(E3DError, match=message):
            structure_of(smiles)
    assert np.array_equal(structure_of("CCO").positions, structure_of("CCO").positions)


def test_smiles_without_rdkit(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(E3DError, match="need RDKit"):
        structure_of("C")
