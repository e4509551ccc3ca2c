"""Molecules of bonds, against the connected components of networkx."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

from e3d_lmp.edges.molecules import molecule_of_atoms


@pytest.mark.parametrize("n_bonds", [0, 1, 12, 60])
@pytest.mark.parametrize("both", [False, True])
def test_molecules_are_connected_components(n_bonds: int, both: bool) -> None:
    n_atoms = 40
    bonds = np.random.default_rng(n_bonds).integers(0, n_atoms, (n_bonds, 2))
    graph = networkx.Graph(bonds.tolist())
    graph.add_nodes_from(range(n_atoms))
    found = molecule_of_atoms(n_atoms, np.concatenate([bonds, bonds[:, ::-1]]) if both else bonds)
    assert sorted(set(found.tolist())) == list(range(found.max() + 1))
    ours = {frozenset(np.flatnonzero(found == k).tolist()) for k in set(found.tolist())}
    assert ours == {frozenset(part) for part in networkx.connected_components(graph)}
