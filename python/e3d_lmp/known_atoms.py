"""The atoms of a stream of edge frames, where nothing but the edges tells of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from e3d_lmp.frames import AtomRows, BondFrame, EdgeFrame


class KnownAtoms:
    """Types of the atoms that have had an edge so far."""

    def __init__(self, elements: Sequence[str]):
        self._elements = elements
        self.current: AtomRows | None = None

    def seed(self, atoms: AtomRows) -> None:
        """Start with these atoms, the last ones of the file."""
        self.current = atoms

    def is_current(self, atoms: AtomRows) -> bool:
        """Whether these are the atoms of the frame before."""
        now = self.current
        return now is atoms or (
            now is not None
            and np.array_equal(now.id, atoms.id)
            and np.array_equal(now.type, atoms.type)
            and (np.array_equal(now.element, atoms.element) or not np.any(np.asarray(atoms.element) != ""))
        )

    def of(self, frame: EdgeFrame | BondFrame) -> AtomRows:
        """The atoms of a frame, from the ends of its edges, and those known from earlier frames."""
        now = self.current
        ids, types = np.concatenate([frame.i, frame.j]), np.concatenate([frame.type_i, frame.type_j])
        if now is not None and now.id.size:
            at = np.minimum(np.searchsorted(now.id, ids), now.id.size - 1)
            if np.array_equal(now.id[at], ids) and np.array_equal(now.type[at], types):
                return now
            ids, types = np.concatenate([ids, now.id]), np.concatenate([types, now.type])
        unique, first = np.unique(ids, return_index=True)
        return AtomRows(unique, types[first], np.full(unique.size, "", dtype="U2"))
