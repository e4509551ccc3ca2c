"""The slots of one call of a model: where centres, padding and neighbours stand among its atoms.

A neighbour matters to a strictly local model only through its type, so a call of n centres has n + 1 +
n_types slots: the centres, one for edges that only fill up a call, and one for the neighbours of each type.
Its twin in C++ is ``exact_shape`` of ``lammps_plugin/model/padded_shape`` with ``fill_chunk`` of
``lammps_plugin/edges/edge_list``; a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e3d_lmp.model.contract import PADDING_LENGTH

FEWEST_EDGES = 2
"""Edges that an exported graph needs at least."""


@dataclass(frozen=True)
class SlotLayout:
    """The slots of a call of `n_centres` centres, for a model of `n_types` types.

    A centre's slot is its number in the call.
    """

    n_centres: int
    n_types: int

    @property
    def padding(self) -> int:
        """Slot on which padding edges are centred."""
        return self.n_centres

    @property
    def first_neighbour(self) -> int:
        """Slot of the neighbours of type 0; that of type t is `first_neighbour` + t."""
        return self.n_centres + 1

    def types(self, of_centres: np.ndarray, of_padding: int = 0) -> np.ndarray:
        """(n_centres + 1 + n_types,) int64, model type of each slot, from (n_centres,) types."""
        return np.concatenate([of_centres, [of_padding], np.arange(self.n_types)]).astype(np.int64)


def call_inputs(
    centre: np.ndarray,
    neighbour_type: np.ndarray,
    vectors: np.ndarray,
    types: np.ndarray,
    n_types: int,
    r_max: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three inputs of one call in the order of the contract, with padding edges where there are too few.

    Parameters
    ----------
    centre
        (E,) int64, number of each edge's centre in this call, in ascending order.
    neighbour_type
        (E,) int64, model type of the neighbour.
    vectors
        (E, 3) float64, angstrom, r_ij.
    types
        (n,) int64, model type of each centre.
    n_types, r_max
        Of the model: number of types; longest cutoff, angstrom.

    Returns
    -------
    edge_vectors, edge_index, atom_types
        (E', 3) float64, (2, E') int64 and (n + 1 + n_types,) int64, with E' = E, but at least `FEWEST_EDGES`.
    """
    slots = SlotLayout(len(types), n_types)
    n_edges = len(centre)
    n_padded = max(n_edges, FEWEST_EDGES)
    index = np.empty((2, n_padded), dtype=np.int64)
    index[:, :n_edges] = centre, slots.first_neighbour + neighbour_type
    index[:, n_edges:] = [[slots.padding], [slots.first_neighbour]]
    padded = np.zeros((n_padded, 3))
    padded[:n_edges] = vectors
    padded[n_edges:, 0] = PADDING_LENGTH * r_max
    return padded, index, slots.types(types)
