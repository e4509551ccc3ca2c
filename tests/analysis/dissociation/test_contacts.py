"""Molecules in contact, against a pair potential."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ase import Atoms

from analytic_models import LENNARD_JONES
from e3d_lmp.analysis.dissociation.contacts import contact_energy
from e3d_lmp.analysis.dissociation.relaxing import Settings
from e3d_lmp.edges.calculator import E3DCalculator
from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError


def pair(symbols: str, distance: float) -> Structure:
    atoms = Atoms(symbols, [(0.0, 0.0, 0.3 * k + distance * k) for k in range(2)])
    atoms.positions[1, 2] = distance
    return Structure("pair", atoms.numbers, atoms.positions, np.zeros((3, 3)), np.zeros(3, bool), math.nan)


@pytest.mark.parametrize(("symbols", "types"), [("Ar2", (0, 0)), ("ArKr", (0, 1)), ("Kr2", (1, 1))])
def test_two_atoms_of_a_noble_gas(model_files, symbols: str, types: tuple[int, int]) -> None:
    epsilon, sigma = LENNARD_JONES.by_pair[types][:2]
    distance = 1.3 * sigma
    calculator = E3DCalculator(model_files("lj"))
    found = contact_energy(pair(symbols, distance), calculator, Settings(fmax=1e-5))
    (row,) = found["rows"]
    s = (sigma / distance) ** 6
    assert row["E_contact"] == pytest.approx(4.0 * epsilon * (s * s - s), abs=1e-9)
    assert row["D"] == pytest.approx(row["E_contact"], abs=1e-9)
    assert row["E_bound"] == pytest.approx(-epsilon, abs=1e-6)
    assert row["distance"] == pytest.approx(distance) and not row["remark"]
    assert row["type"] == " + ".join(Atoms(symbols).get_chemical_symbols())


def test_one_molecule_or_three_are_no_dimer(model_files) -> None:
    calculator = E3DCalculator(model_files("lj"))
    for count in (1, 3):
        many = Structure(
            "x",
            np.full(count, 18),
            np.arange(3.0 * count).reshape(count, 3) * 4.0,
            np.zeros((3, 3)),
            np.zeros(3, bool),
            math.nan,
        )
        with pytest.raises(E3DError, match=rf"{count} molecules .* expected two"):
            contact_energy(many, calculator, Settings())
