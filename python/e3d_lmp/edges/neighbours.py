"""Directed edges of structures: neighbour lists, of which one may serve several steps of a run.

Pairs of atoms are found by matscipy. The edges of a centre are then put into the order of their neighbours
and images, so that it does not matter which list they were taken from: one that is kept gives the same bits
as a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError


@dataclass(frozen=True)
class EdgeList:
    """Directed edges of one or several structures, ordered by centre, neighbour and image.

    Attributes
    ----------
    i, j    (E,) int64, centre and neighbour, counted from 0
    vec     (E, 3) float64, angstrom, r_j - r_i, image included
    """

    i: np.ndarray
    j: np.ndarray
    vec: np.ndarray

    def first(self, n_atoms: int) -> np.ndarray:
        """(n_atoms + 1,) int64: edges of atom a are first[a] to first[a + 1] - 1."""
        first = np.zeros(n_atoms + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.i, minlength=n_atoms), out=first[1:])
        return first


def edges_of(structures: Sequence[Structure], types: np.ndarray, cutoffs: np.ndarray) -> EdgeList:
    """The edges of several structures, whose atoms are counted one structure after the other.

    Parameters
    ----------
    types
        (N,) model types of all their atoms.
    cutoffs
        (types, types) angstrom, row: type of the centre.

    Raises
    ------
    E3DError
        Positions that are not finite; a periodic direction without a cell vector.
    """
    reach, begin = float(cutoffs.max()), 0
    found = []
    for structure in structures:
        pairs = _pairs(structure.positions, structure.cell, structure.pbc, reach, structure.name)
        found.append(_Pairs(pairs.i + begin, pairs.j + begin, pairs.image))
        begin += len(structure.numbers)
    if not found:
        return EdgeList(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3)))
    i = np.concatenate([pairs.i for pairs in found])
    j = np.concatenate([pairs.j for pairs in found])
    positions = np.concatenate([structure.positions for structure in structures])
    image = None
    if any(pairs.image is not None for pairs in found):
        image = np.concatenate(
            [np.zeros((pairs.i.size, 3)) if pairs.image is None else pairs.image for pairs in found]
        )
    order = _order(i, j, image, begin)
    i, j = i.take(order), j.take(order)
    vec = positions.take(j, axis=0) - positions.take(i, axis=0)
    if image is not None:
        shifts = [
            np.zeros((pairs.i.size, 3)) if pairs.image is None else pairs.image @ structure.cell
            for pairs, structure in zip(found, structures, strict=True)
        ]
        vec += np.concatenate(shifts).take(order, axis=0)
    return within(EdgeList(i, j, vec), types, cutoffs)


class NeighbourList:
    """The edges of one structure whose atoms move.

    Parameters
    ----------
    cutoffs
        (types, types) angstrom, row: type of the centre.
    skin
        Angstrom. The list is made this much longer, and kept until an edge could be missing in it: until an
        atom has moved by half of that. A strain of the cell counts only as far as it shortens distances. 0: a
        new list at every call.

    Attributes
    ----------
    built : int, lists made so far
    """

    def __init__(self, cutoffs: np.ndarray, skin: float = 0.0):
        if not (np.isfinite(skin) and skin >= 0.0):
            raise E3DError(f"expected a skin of at least 0 angstrom, got {skin}")
        self.cutoffs, self.skin = cutoffs, float(skin)
        self.built = 0
        self._kept: _Kept | None = None

    def edges(self, structure: Structure, types: np.ndarray) -> EdgeList:
        """Its edges within the cutoffs; `types`, (N,), and `E3DError` as `edges_of` says."""
        reach = float(self.cutoffs.max())
        if self._kept is None or not self._kept.holds_all(structure, reach, reach + self.skin):
            self._kept = _Kept.of(structure, reach + self.skin)
            self.built += 1
        return within(self._kept.edges(structure), types, self.cutoffs)


@dataclass(frozen=True)
class _Kept:
    """Pairs in order, and the structure that they were found in."""

    i: np.ndarray
    j: np.ndarray
    image: np.ndarray | None
    structure: Structure

    @classmethod
    def of(cls, structure: Structure, reach: float) -> _Kept:
        pairs = _pairs(structure.positions, structure.cell, structure.pbc, reach, structure.name)
        order = _order(pairs.i, pairs.j, pairs.image, len(structure.positions))
        image = None if pairs.image is None else pairs.image[order]
        own = Structure(
            structure.name,
            structure.numbers,
            structure.positions.copy(),
            structure.cell.copy(),
            structure.pbc.copy(),
            structure.energy,
        )
        return cls(pairs.i[order], pairs.j[order], image, own)

    def holds_all(self, now: Structure, reach: float, reach_then: float) -> bool:
        """Whether all pairs within `reach` now were within `reach_then` when these were found.

        With x = x_then F + u, F = cell_then^-1 cell, a pair is at r_then = (r - du) F^-1, so that
        |r_then| <= |F^-1| (|r| + 2 max |u|) in the spectral norm.
        """
        then = self.structure
        if now.positions.shape != then.positions.shape or not np.array_equal(now.pbc, then.pbc):
            return False
        back, moved = 1.0, now.positions - then.positions
        if now.pbc.any() and not np.array_equal(now.cell, then.cell):
            if not now.pbc.all() or abs(np.linalg.det(now.cell)) < 1e-9:
                return False
            strain = np.linalg.solve(then.cell, now.cell)
            back = 1.0 / float(np.linalg.svd(strain, compute_uv=False).min())
            moved = now.positions - then.positions @ strain
        if not moved.size:
            return True
        farthest = float(np.sqrt(np.einsum("ij,ij->i", moved, moved).max()))
        return back * (reach + 2.0 * farthest) <= reach_then  # False for nan: the new list will say so

    def edges(self, now: Structure) -> EdgeList:
        vec = now.positions.take(self.j, axis=0) - now.positions.take(self.i, axis=0)
        if self.image is not None:
            vec += self.image @ now.cell
        return EdgeList(self.i, self.j, vec)


@dataclass(frozen=True)
class _Pairs:
    """(E,) int64 centres and neighbours, and (E, 3) float64 the cells between them; None: no image."""

    i: np.ndarray
    j: np.ndarray
    image: np.ndarray | None


def _pairs(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, reach: float, name: str) -> _Pairs:
    """All pairs closer than `reach`, ordered by centre."""
    from ase.geometry import complete_cell
    from matscipy.neighbours import neighbour_list

    if not np.isfinite(positions).all():
        raise E3DError(f"{name}: positions that are not finite; mend them")
    if len(positions) == 0:
        return _Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), None)
    if pbc.any():
        if not (np.isfinite(cell).all() and np.linalg.norm(cell[pbc], axis=1).all()):
            raise E3DError(f"{name}: periodic, but without a cell vector; give it one")
        i, j, image = neighbour_list(
            "ijS", positions=positions, cutoff=reach, cell=complete_cell(cell), pbc=pbc
        )
        return _Pairs(i.astype(np.int64), j.astype(np.int64), image.astype(np.float64))
    low, high = positions.min(axis=0) - 1.0, positions.max(axis=0) + 1.0
    i, j = neighbour_list(
        "ij", positions=positions, cutoff=reach, cell=np.diag(high - low), cell_origin=low, pbc=pbc
    )
    return _Pairs(i.astype(np.int64), j.astype(np.int64), None)


def _order(i: np.ndarray, j: np.ndarray, image: np.ndarray | None, n_atoms: int) -> np.ndarray:
    """The order by centre, neighbour and image: as one whole number where that is not too long."""
    pair = i * n_atoms + j
    if image is None or not len(image):
        return np.argsort(pair)
    from_0 = image.astype(np.int64) - image.min(axis=0).astype(np.int64)
    width = from_0.max(axis=0) + 1
    if float(n_atoms) ** 2 * float(width.astype(np.float64).prod()) >= 2.0**63:
        return np.lexsort([image[:, 2], image[:, 1], image[:, 0], pair])
    return np.argsort(((pair * width[0] + from_0[:, 0]) * width[1] + from_0[:, 1]) * width[2] + from_0[:, 2])


def within(edges: EdgeList, types: np.ndarray, cutoffs: np.ndarray) -> EdgeList:
    """Those closer than the cutoff of their types; arguments as those of `edges_of`."""
    limit = cutoffs.max()
    if (cutoffs < limit).any():
        limit = cutoffs[types[edges.i], types[edges.j]]
    is_near = np.einsum("ij,ij->i", edges.vec, edges.vec) < np.square(limit)
    if is_near.all():
        return edges
    near = np.flatnonzero(is_near)
    return EdgeList(edges.i.take(near), edges.j.take(near), edges.vec.take(near, axis=0))
