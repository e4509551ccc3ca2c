"""Energies of isolated atoms."""

from __future__ import annotations

import numpy as np
import pytest
from ase.data import chemical_symbols

from e3d_lmp.edges.isolated_atoms import (
    PBE_LEVEL,
    SPICE_LEVEL,
    cohesive_energy,
    isolated_atom_energies,
    isolated_atoms_sha256,
)
from e3d_lmp.errors import E3DError


def test_isolated_atoms() -> None:
    atoms = isolated_atom_energies()
    got = cohesive_energy(np.array([-1104.0, -1105.0]), np.array([6, 1, 1, 1, 1]), atoms)
    np.testing.assert_allclose(
        got, np.array([-1104.0, -1105.0]) + 1030.5671648271828 + 4 * 13.571964772646918
    )
    with pytest.raises(E3DError, match="none for Si Au"):
        cohesive_energy(0.0, np.array([1, 14, 79]), atoms)
    with pytest.raises(E3DError, match="got 'HF/STO-3G'"):
        isolated_atom_energies("HF/STO-3G")


def test_a_table_for_each_level() -> None:
    assert isolated_atom_energies(PBE_LEVEL)[79] == -0.28801193
    assert isolated_atom_energies("wB97x/6-31G(d)")[1] == -13.62222753701504
    # a table that changes is another table: what was trained on it must say so
    assert (
        isolated_atoms_sha256(SPICE_LEVEL)
        == "588b39b82fdd7e1edeb2057fc398c5d82103d8c7944a8b75303d5412413a1d83"
    )
    assert (
        isolated_atoms_sha256("wB97x/6-31G(d)")
        == "487a863a4d053cc8bc01d37eaaa0932e9c5be7b11c95f25c0690373f27733986"
    )
    assert (
        isolated_atoms_sha256(PBE_LEVEL) == "23c83388211c1dbff61c6571d0d280cd16cbe466b9ce1f9b17c7fff54a1788c7"
    )
    known = isolated_atom_energies(PBE_LEVEL)
    missing = [chemical_symbols[z] for z in range(1, 95) if z not in known]
    assert missing == ["Er", "W", "Po", "At", "Rn", "Fr", "Ra"]
