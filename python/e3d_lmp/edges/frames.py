"""One time step's directed edges or bonds, as readers and running simulations hand them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np


@dataclass(frozen=True)
class Box:
    """Simulation box of one frame.

    Attributes
    ----------
    cell     (3, 3) float64, angstrom, one cell vector per row
    origin   (3,) float64, angstrom
    pbc      (3,) bool
    """

    cell: np.ndarray
    origin: np.ndarray
    pbc: np.ndarray


@dataclass(frozen=True)
class EdgeFrame:
    """The directed edges of one time step.

    Attributes
    ----------
    step              time step
    box               simulation box
    i, j              (E,) int64, ids of the centre and the neighbour
    type_i, type_j    (E,) int32, their LAMMPS types, from 1
    vec               (E, 3) float64, angstrom, r_j - r_i, image included
    eps               (E,) float64, eV, energy of the directed edge i -> j
    """

    step: int
    box: Box
    i: np.ndarray
    j: np.ndarray
    type_i: np.ndarray
    type_j: np.ndarray
    vec: np.ndarray
    eps: np.ndarray


@dataclass(frozen=True)
class BondFrame:
    """The pairs of one time step, each with both of its edge energies, as compute e3d/pair/local gives them.

    Attributes
    ----------
    step              time step
    box               simulation box
    i, j              (P,) int64, ids of the pair's first and second atom, as `e3d_lmp.edges.pairs` says
    type_i, type_j    (P,) int32, their LAMMPS types, from 1
    vec               (P, 3) float64, angstrom, r_j - r_i, image included
    e12, e21          (P,) float64, eV, energies of the edges i -> j and j -> i
    """

    step: int
    box: Box
    i: np.ndarray
    j: np.ndarray
    type_i: np.ndarray
    type_j: np.ndarray
    vec: np.ndarray
    e12: np.ndarray
    e21: np.ndarray

    @property
    def D(self) -> np.ndarray:
        """(P,) float64, eV, bond energies e12 + e21."""
        return self.e12 + self.e21

    @property
    def A(self) -> np.ndarray:
        """(P,) float64, eV, asymmetries e12 - e21."""
        return self.e12 - self.e21


@dataclass(frozen=True)
class AtomRows:
    """Atoms of one frame.

    Attributes
    ----------
    id          (N,) int64
    type        (N,) int32, LAMMPS types, from 1
    element     (N,) str, chemical symbols, '' where unknown
    position    (N, 3) float64, angstrom; None where not known
    force       (N, 3) float64, eV/angstrom, of the model; None where not known
    reference_force
                (N, 3) float64, eV/angstrom, as the source has it; None where not known
    """

    id: np.ndarray
    type: np.ndarray
    element: np.ndarray
    position: np.ndarray | None = None
    force: np.ndarray | None = None
    reference_force: np.ndarray | None = None


Frame = TypeVar("Frame", EdgeFrame, BondFrame)


def join_frames(parts: Sequence[Frame]) -> Frame:
    """One frame from the parts of the same step and box that several ranks hold, in their order."""
    first = parts[0]
    names = [each.name for each in fields(first)][2:]
    whole = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
    return type(first)(first.step, first.box, *whole)


def atom_of_two_types(frame: EdgeFrame | BondFrame) -> int | None:
    """Id of an atom whose type is not the same at all ends of edges; None where there is none."""
    if not frame.i.size:
        return None
    low = min(int(frame.i.min()), int(frame.j.min()))
    span = max(int(frame.i.max()), int(frame.j.max())) - low + 1
    places = frame.i - low, frame.j - low
    if span > _SPARSE * frame.i.size:
        _, both = np.unique(np.concatenate(places), return_inverse=True)
        places, span = (both[: frame.i.size], both[frame.i.size :]), both.size
    type_of = np.empty(span, dtype=np.int32)
    for place, types in zip(places, (frame.type_i, frame.type_j), strict=True):
        type_of[place] = types
    for place, ids, types in zip(places, (frame.i, frame.j), (frame.type_i, frame.type_j), strict=True):
        wrong = type_of[place] != types
        if wrong.any():
            return int(ids[wrong.argmax()])
    return None


_SPARSE = 16
"""Ids from the lowest to the highest, for each edge, from which on most of them are no atom's."""


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
