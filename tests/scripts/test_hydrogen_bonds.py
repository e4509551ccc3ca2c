"""scripts/training/hydrogen_bonds.py: which protons move, and where to."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from ase import Atoms

pytest.importorskip("rdkit")

from lammps_runs import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "training"))

import hydrogen_bonds


def test_protons_on_their_way() -> None:
    """Two HF side by side: both protons, or the nearer one, move towards the middle of the fluorines."""
    atoms = Atoms("FHFH", [[0, 0, 0], [0.9, 0.5, 0], [2.4, 0, 0], [1.5, -0.49, 0]])
    assert hydrogen_bonds.hydrogen_bonds(atoms, 2) == [(2, 3, 0), (0, 1, 2)]
    rng = np.random.default_rng(2)
    for most, moved in ((1, [3]), (3, [1, 3])):
        made = hydrogen_bonds.on_their_way(atoms, 2, most, rng)
        assert made is not None
        shift = made.positions[2] - atoms.positions[2]
        assert -0.45 <= shift[0] <= 0.0
        middle = made.positions[[0, 2]].mean(axis=0)
        rigid = atoms.positions + np.array([[0.0], [0.0], [1.0], [1.0]]) * shift
        shares = np.linalg.norm(made.positions - rigid, axis=1) / np.linalg.norm(middle - rigid, axis=1)
        assert np.flatnonzero(shares > 1e-9).tolist() == moved
        assert 0.3 <= shares[3] <= 1.0 and np.ptp(shares[moved]) < 1e-9
    atoms.positions[2:, 0] += 3.0
    assert hydrogen_bonds.on_their_way(atoms, 2, 3, rng) is None
