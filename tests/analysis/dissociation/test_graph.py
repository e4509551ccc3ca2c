"""Molecules as graphs."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import molecule

from e3d_lmp.analysis.bonds.orders import bond_orders, bonded_pairs
from e3d_lmp.analysis.dissociation.graph import cut, equivalent_bonds, molecule_key


def bonds_of(name: str) -> tuple[list[str], np.ndarray]:
    atoms = molecule(name)
    symbols = atoms.get_chemical_symbols()
    return symbols, bonded_pairs(symbols, atoms.positions)


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("CH4", 1),
        ("C2H6", 2),  # C-C, C-H
        ("CH3CH2OH", 5),  # C-C, C-O, O-H, and two kinds of C-H
        ("C6H6", 2),
        ("C3H8", 3),
        ("isobutane", 3),
        ("CH3CHO", 4),
        ("CH3COOH", 5),  # C-C, C=O, C-O, O-H, C-H
    ],
)
def test_bonds_that_a_symmetry_exchanges_are_one(name: str, classes: int) -> None:
    symbols, bonds = bonds_of(name)
    first = equivalent_bonds(symbols, bonds, bond_orders(symbols, bonds))
    assert len(set(first.tolist())) == classes
    assert all(first[k] <= k and first[first[k]] == first[k] for k in range(len(bonds)))


def test_a_key_does_not_depend_on_the_order_of_atoms() -> None:
    rng = np.random.default_rng(1)
    for name in ("CH3CH2OH", "C6H6"):
        symbols, bonds = bonds_of(name)
        order = rng.permutation(len(symbols))
        place = np.argsort(order)
        assert molecule_key([symbols[k] for k in order], place[bonds]) == molecule_key(symbols, bonds)


def test_isomers_have_different_keys() -> None:
    names = ("CH3CH2OH", "CH3OCH3", "isobutane", "trans-butane", "C2H6", "C2H4")
    assert len({molecule_key(*bonds_of(name)) for name in names}) == len(names)


def test_cutting_a_bond_leaves_two_sides_or_a_ring() -> None:
    symbols, bonds = bonds_of("CH3CH2OH")
    for k, (i, j) in enumerate(bonds.tolist()):
        sides = cut(len(symbols), bonds, k)
        assert sides is not None and i in sides.first and j in sides.second
        assert sorted([*sides.first, *sides.second]) == list(range(len(symbols)))
    symbols, bonds = bonds_of("C6H6")
    rings = [cut(len(symbols), bonds, k) is None for k in range(len(bonds))]
    assert sum(rings) == 6
