"""One time step's directed edges, as every reader and every running simulation hands them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

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

    def edges(self) -> EdgeFrame:
        """Itself; `PairRows` have the same method."""
        return self


@dataclass(frozen=True)
class PairRows:
    """The pairs of one time step as they lie in a file, each with both of its energies.

    Attributes
    ----------
    step              time step
    box               simulation box
    i, j              (P,) int64, ids of the pair's first and second atom
    type_i, type_j    (P,) int32, their LAMMPS types, from 1
    vec               (P, 3) float64, angstrom, r_j - r_i, image included
    e12, e21          (P,) float64, eV, energies of the edges first -> second and second -> first
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

    def edges(self) -> EdgeFrame:
        """Both directed edges of every pair: all first -> second, then all second -> first."""
        return EdgeFrame(
            self.step,
            self.box,
            np.concatenate([self.i, self.j]),
            np.concatenate([self.j, self.i]),
            np.concatenate([self.type_i, self.type_j]),
            np.concatenate([self.type_j, self.type_i]),
            np.concatenate([self.vec, -self.vec]),
            np.concatenate([self.e12, self.e21]),
        )


@dataclass(frozen=True)
class AtomRows:
    """Atoms of one frame.

    Attributes
    ----------
    id          (N,) int64
    type        (N,) int32, LAMMPS types, from 1
    element     (N,) str, chemical symbols, '' where unknown
    position    (N, 3) float64, angstrom; None where not known
    force       (N, 3) float64, eV/angstrom; None where not known
    """

    id: np.ndarray
    type: np.ndarray
    element: np.ndarray
    position: np.ndarray | None = None
    force: np.ndarray | None = None


def join_frames(parts: Sequence[EdgeFrame | PairRows]) -> EdgeFrame | PairRows:
    """One frame from the parts of the same kind, step and box that several ranks hold, in their order."""
    first = parts[0]
    names = [item.name for item in fields(first) if item.name not in ("step", "box")]
    whole = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
    return type(first)(first.step, first.box, *whole)
