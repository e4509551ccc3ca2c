"""One time step's directed edges, as every reader and every running simulation hands them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


def join_frames(parts: Sequence[EdgeFrame]) -> EdgeFrame:
    """One frame from the parts of the same step and box that several ranks hold, in their order."""
    names = ("i", "j", "type_i", "type_j", "vec", "eps")
    whole = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
    return EdgeFrame(parts[0].step, parts[0].box, *whole)
