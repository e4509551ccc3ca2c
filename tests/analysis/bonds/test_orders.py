"""Bonds, bond orders and bond types of known molecules."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from e3d_lmp.analysis.bonds.orders import (
    bond_orders,
    bond_type,
    bond_types,
    bonded_pairs,
    gaff_orders,
    rdkit_orders,
)
from e3d_lmp.errors import E3DError

PERCEPTIONS = {"rdkit": rdkit_orders, "gaff": gaff_orders}

KNOWN = {
    "C6H6": {"C-C 1.5": 6, "C-H 1": 6},
    "C5H5N": {"C-C 1.5": 4, "C-N 1.5": 2, "C-H 1": 5},
    "C4H4O": {"C-C 1.5": 3, "C-O 1.5": 2, "C-H 1": 4},
    "C4H4S": {"C-C 1.5": 3, "C-S 1.5": 2, "C-H 1": 4},
    "CH3CN": {"C-C 1": 1, "C-N 3": 1, "C-H 1": 3},
    "N2": {"N-N 3": 1},
    "CH3NO2": {"C-N 1": 1, "N-O 1.5": 2, "C-H 1": 3},
    "CH3CONH2": {"C-C 1": 1, "C-N 1": 1, "C-O 2": 1, "C-H 1": 3, "N-H 1": 2},
    "butadiene": {"C-C 1": 1, "C-C 2": 2, "C-H 1": 6},
    "HCOOH": {"C-O 1": 1, "C-O 2": 1, "C-H 1": 1, "O-H 1": 1},
    "CO2": {"C-O 2": 2},
    "CS2": {"C-S 2": 2},
    "SO2": {"O-S 1.5": 2},
    "H2O": {"O-H 1": 2},
}
"""Types by both perceptions."""

DIFFERENT = {
    "CO": ({"C-O 3": 1}, {"C-O": 1}),
    "N2O": ({"N-N 2.5": 1, "N-O 1.5": 1}, {"N-N 3": 1, "N-O 1.5": 1}),
    "O3": ({"O-O 1.5": 2}, {"O-O": 2}),
    "NO2": ({"N-O": 2}, {"N-O 1.5": 2}),
    "CN": ({"C-N": 1}, {"C-N 3": 1}),
    "P2": ({"P-P": 1}, {"P-P 3": 1}),
}
"""Types by RDKit and by GAFF. antechamber has none for CO and ozone; RDKit none for P2 and the radicals."""


def need(name: str) -> None:
    if name == "rdkit":
        pytest.importorskip("rdkit", reason="no RDKit; type: pip install 'e3d-lmp[bonds]'")
    elif not (
        os.access(Path(sys.executable).with_name("bondtype"), os.X_OK) or shutil.which("bondtype") is not None
    ):
        pytest.skip("no antechamber; type: pip install 'e3d-lmp[gaff]'")


def types_of(atoms, perceive) -> Counter:
    elements = atoms.get_chemical_symbols()
    bonds = bonded_pairs(elements, atoms.positions)
    return Counter(bond_types(elements, bonds, bond_orders(elements, bonds, perceive)))


@pytest.mark.parametrize("name", list(KNOWN))
@pytest.mark.parametrize("perception", list(PERCEPTIONS))
def test_known_molecules(name, perception):
    need(perception)
    assert types_of(molecule(name), PERCEPTIONS[perception]) == KNOWN[name]


@pytest.mark.parametrize("name", list(DIFFERENT))
@pytest.mark.parametrize("perception", list(PERCEPTIONS))
def test_molecules_on_which_both_differ(name, perception):
    need(perception)
    want = DIFFERENT[name][list(PERCEPTIONS).index(perception)]
    assert types_of(molecule(name), PERCEPTIONS[perception]) == want


def test_azide():
    """CH3-N=N=N: 1, 1.5 and 2.5 from its two resonance structures."""
    need("rdkit")
    bonds = np.array([[0, 1], [1, 2], [2, 3], [0, 4], [0, 5], [0, 6]])
    assert rdkit_orders(list("CNNNHHH"), bonds).tolist() == [1, 1.5, 2.5, 1, 1, 1]


@pytest.mark.parametrize("seed", range(4))
def test_nitro_groups_and_nitrates(seed):
    """1,4-dinitrobenzene and CH3-O-NO2, in any order of atoms."""
    need("rdkit")
    ring = [(k, (k + 1) % 6) for k in range(6)]
    nitro = [(0, 6), (6, 7), (6, 8), (3, 9), (9, 10), (9, 11)]
    hydrogen = [(1, 12), (2, 13), (4, 14), (5, 15)]
    benzene = list("CCCCCCNOONOOHHHH"), ring + nitro + hydrogen
    nitrate = list("COHHHNOO"), [(0, 1), (0, 2), (0, 3), (0, 4), (1, 5), (5, 6), (5, 7)]
    want = [
        {"C-C 1.5": 6, "C-N 1": 2, "N-O 1.5": 4, "C-H 1": 4},
        {"C-O 1": 1, "C-H 1": 3, "N-O 1": 1, "N-O 1.5": 2},
    ]
    for (elements, bonds), types in zip((benzene, nitrate), want, strict=True):
        order = np.random.default_rng(seed).permutation(len(elements))
        mixed = [elements[k] for k in order]
        pairs = np.argsort(order)[np.array(bonds)]
        assert Counter(bond_types(mixed, pairs, bond_orders(mixed, pairs))) == types


def test_diazomethane():
    """RDKit has no resonance structures for it; the Lewis structure remains."""
    need("rdkit")
    assert rdkit_orders(list("CNNHH"), np.array([[0, 1], [1, 2], [0, 3], [0, 4]])).tolist() == [2, 2, 1, 1]


def test_charge():
    """Acetate is no neutral molecule with closed shells, and as an anion both C-O bonds are alike."""
    need("rdkit")
    elements, bonds = list("CCOOHHH"), np.array([[0, 1], [1, 2], [1, 3], [0, 4], [0, 5], [0, 6]])
    assert bond_orders(elements, bonds, charge=-1).tolist() == [1, 1.5, 1.5, 1, 1, 1]
    assert np.isnan(bond_orders(elements, bonds)[:3]).all()


def test_radicals_keep_their_bonds_to_hydrogen():
    need("rdkit")
    assert types_of(molecule("CH3"), None) == {"C-H 1": 3}
    assert types_of(molecule("CH3CH2O"), None) == {"C-C": 1, "C-O": 1, "C-H 1": 5}


def test_a_box_of_molecules():
    """Wrapped through the faces of a cell, atoms in a random order, one atom alone: the types of each."""
    need("rdkit")
    rng = np.random.default_rng(1)
    names = ["CH3CN", "C6H6", "CH3CN", "H2O", "C5H5N", "Ar"]
    atoms = molecule(names[0])
    cell = np.array([[30.0, 0, 0], [4.0, 12.0, 0], [-3.0, 2.0, 11.0]])
    for k, name in enumerate(names[1:], 1):
        one = Atoms("Ar") if name == "Ar" else molecule(name)
        one.positions += k * cell[0] / 6.0
        atoms += one
    atoms.set_cell(cell)
    atoms.pbc = True
    atoms.positions += rng.random(3) @ cell
    atoms.wrap()
    atoms = atoms[rng.permutation(len(atoms))]
    elements = atoms.get_chemical_symbols()
    bonds = bonded_pairs(elements, atoms.positions, cell=cell)
    got = Counter(bond_types(elements, bonds, bond_orders(elements, bonds)))
    want = sum((Counter(KNOWN[name]) for name in names if name != "Ar"), Counter())
    assert got == want
    # without the cell, bonds through its faces are lost
    assert len(bonded_pairs(elements, atoms.positions)) < len(bonds)


def test_equal_molecules_are_perceived_once():
    calls = []

    def perceive(elements, bonds, charge):
        calls.append((tuple(elements), bonds.tolist(), charge))
        return np.arange(1.0, len(bonds) + 1)

    elements = ["O", "H", "H", "C", "O"] * 3
    bonds = [(5 * k + i, 5 * k + j) for k in range(3) for i, j in [(0, 1), (0, 2), (3, 4)]]
    shuffled = np.random.default_rng(2).permutation(9)
    orders = bond_orders(elements, np.array(bonds)[np.sort(shuffled)], perceive, charge=2)
    assert orders.tolist() == [1, 2, 1] * 3
    assert calls == [(("O", "H", "H"), [[0, 1], [0, 2]], 2), (("C", "O"), [[0, 1]], 2)]


def test_orders_follow_the_order_of_bonds():
    need("rdkit")
    atoms = molecule("CH3CONH2")
    elements = atoms.get_chemical_symbols()
    bonds = bonded_pairs(elements, atoms.positions)
    shuffled = np.random.default_rng(3).permutation(len(bonds))
    plain = bond_types(elements, bonds, bond_orders(elements, bonds))
    mixed = bonds[shuffled][:, ::-1]
    assert bond_types(elements, mixed, bond_orders(elements, mixed)) == [plain[k] for k in shuffled]


def test_names_of_types():
    assert bond_type("N-C", 2.0) == "C-N 2"
    assert bond_type("H-C", 1.0) == "C-H 1"
    assert bond_type("C-C", 1.5) == "C-C 1.5"
    assert bond_type("C-O", math.nan) == "C-O"


def test_cutoff_decides_what_is_bonded():
    """In ethane the paper's 2.2 angstrom count the 1,3 contacts C...H and some H...H too."""
    atoms = molecule("C2H6")
    elements = atoms.get_chemical_symbols()
    assert len(bonded_pairs(elements, atoms.positions)) == 7
    paper = bonded_pairs(elements, atoms.positions, "paper")
    distance = np.linalg.norm(atoms.positions[paper[:, 0]] - atoms.positions[paper[:, 1]], axis=1)
    assert distance.max() < 2.2 and len(paper) == 7 + 6 + 6
    with pytest.raises(E3DError, match="not 'model'"):
        bonded_pairs(elements, atoms.positions, "model")


def test_no_bonds_at_all():
    assert bonded_pairs(["H", "H"], np.array([[0.0, 0, 0], [5.0, 0, 0]])).shape == (0, 2)
    assert bond_orders(["H", "H"], np.zeros((0, 2))).shape == (0,)
    assert bond_orders([], np.zeros((0, 2))).shape == (0,)


@pytest.mark.parametrize(
    ("bonds", "kind"),
    [
        ([[0, 2]], "from 0 to 1"),
        ([[-1, 0]], "from 0 to 1"),
        ([[1, 1]], "different"),
        ([[0, 1], [1, 0]], "once"),
    ],
)
def test_bad_bonds(bonds, kind):
    with pytest.raises(E3DError, match=kind):
        bond_orders(["C", "O"], np.array(bonds))


def test_unknown_elements():
    with pytest.raises(E3DError, match="'X' is not a chemical element"):
        bonded_pairs(["C", "X"], np.zeros((2, 3)))
    with pytest.raises(E3DError, match="'Q' is not a chemical element"):
        bond_orders(["Q", "C"], np.array([[0, 1]]))


def test_missing_programs_say_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(E3DError, match=r"pip install 'e3d-lmp\[bonds\]'"):
        rdkit_orders(["C", "O"], np.array([[0, 1]]))
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(E3DError, match=r"pip install 'e3d-lmp\[gaff\]'"):
        gaff_orders(["C", "O"], np.array([[0, 1]]))
