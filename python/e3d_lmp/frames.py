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
    i, j              (P,) int64, ids of the pair's first and second atom, as `e3d_lmp.pairs` says
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
