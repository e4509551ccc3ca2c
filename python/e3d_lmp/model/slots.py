"""The slots of one call of a model: where centres, padding and neighbours stand among its atoms.

A neighbour matters to a strictly local model only through its type, so a call of n centres has n + 1 +
n_types slots: the centres, one for edges that only fill up a call, and one for the neighbours of each type.
The pair style does the same in C++ (``edge_list``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
