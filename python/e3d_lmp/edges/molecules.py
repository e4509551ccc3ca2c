"""Molecules: atoms that bonds connect."""

from __future__ import annotations

import numpy as np


def molecule_of_atoms(n_atoms: int, bonds: np.ndarray) -> np.ndarray:
    """(n_atoms,) int, number of the molecule of each atom, from 0 without gaps.

    Parameters
    ----------
    n_atoms
        Atoms without a bond are molecules of their own.
    bonds
        (B, 2) int, the two atoms of each bond, counted from 0; in one direction or both.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(bonds)), (bonds[:, 0], bonds[:, 1])), shape=(n_atoms, n_atoms))
    return connected_components(graph, directed=False)[1]
