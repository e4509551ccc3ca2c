"""Energies of isolated atoms."""

from __future__ import annotations

import numpy as np
import pytest

from e3d_lmp.data.isolated_atoms import cohesive_energy, isolated_atom_energies
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
