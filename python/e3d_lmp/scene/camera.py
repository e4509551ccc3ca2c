"""A view that holds all atoms of the frames shown."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from e3d_lmp.edges.molecules import molecule_of_atoms
from e3d_lmp.errors import E3DError

BORDER = 0.04
"""Share of the picture's width and height that stays empty at each side."""


@dataclass(frozen=True)
class View:
    """Where the camera looks from, and how.

    Attributes
    ----------
    direction   of the camera's look
    fov         degrees, vertical angle of a perspective view
    zoom        how much larger than what fits into the picture
    ortho       parallel instead of perspective projection
    """

    direction: tuple[float, float, float] = (-1.0, 0.45, -0.3)
    fov: float = 30.0
    zoom: float = 1.0
    ortho: bool = False

    def __post_init__(self) -> None:
        if not np.isfinite(self.direction).all() or not np.linalg.norm(self.direction) > 0.0:
            raise E3DError(f"view {self.direction}: expected three numbers that are not all 0, e.g. 0 0 -1")
        if not 1.0 <= self.fov <= 150.0:
            raise E3DError(f"field of view {self.fov:g}: expected 1 to 150 degrees")
        if not (math.isfinite(self.zoom) and self.zoom > 0.0):
            raise E3DError(f"zoom {self.zoom:g}: expected a positive number; 1 fits everything in")

    def axes(self) -> np.ndarray:
        """(3, 3) float64, unit vectors in rows: to the right, upwards, away from the camera."""
        away = np.asarray(self.direction, dtype=np.float64) / np.linalg.norm(self.direction)
        up = np.array([0.0, 0.0, 1.0]) if abs(away[2]) < 0.99 else np.array([0.0, 1.0, 0.0])
        right = np.cross(away, up)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(right, away), away])

    def placed(
        self, points: np.ndarray, aspect: float, bottom: float = 0.0, radius: float = 0.5
    ) -> tuple[np.ndarray, float]:
        """Position of the camera, angstrom, and OVITO's ``fov``, so that all points are seen.

        In a perspective the nearest such position is the one where points touch either the left and the right
        or the upper and the lower side of the view's pyramid, which is linear in the position.

        Parameters
        ----------
        points
            (n, 3) angstrom.
        aspect
            Width of the picture over its height.
        bottom
            Share of the picture's height that stays empty below, for a text.
        radius
            Of what stands at each point, angstrom.
        """
        x, y, z = (points @ self.axes().T).T
        inside = 1.0 - 2.0 * BORDER
        slope = 1.0 if self.ortho else math.tan(math.radians(self.fov) / 2.0)
        # Slopes of the left and right, the lower and upper side.
        sides = [
            (x, np.array([inside, inside]) * aspect * slope),
            (y, np.array([inside - 2.0 * bottom, inside]) * slope),
        ]
        if self.ortho:
            fov = max((np.ptp(each) + 2.0 * radius) / side.sum() for each, side in sides)
            middle = [0.5 * (each.min() + each.max()) - 0.5 * fov * (s[1] - s[0]) for each, s in sides]
            return np.array([*middle, z.min() - radius - 10.0]) @ self.axes(), float(fov / self.zoom)
        limits = []
        for each, (low, high) in sides:
            lowest = (each + low * z).min() - radius * math.hypot(1.0, low)
            highest = (each - high * z).max() + radius * math.hypot(1.0, high)
            limits.append((lowest, low, highest, high))
        depth = min((lowest - highest) / (low + high) for lowest, low, highest, high in limits)
        at = [0.5 * (lowest - low * depth + highest + high * depth) for lowest, low, highest, high in limits]
        return np.array([*at, depth]) @ self.axes(), 2.0 * math.atan(slope / self.zoom)


def drawn_points(data: Any, with_cell: bool) -> np.ndarray:
    """(n, 3) angstrom, all that OVITO draws of a frame: corners of the cell, atoms, images that complete
    molecules.

    Parameters
    ----------
    data
        OVITO's DataCollection with bonds, or without.
    with_cell
        Whether the cell is drawn.
    """
    parts = []
    cell = data.cell
    if with_cell and cell is not None:
        corners = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
        parts.append(corners @ np.asarray(cell)[:, :3].T + np.asarray(cell)[:, 3])
    if data.particles is not None and data.particles.count:
        positions = np.asarray(data.particles.positions)
        parts.append(positions)
        bonds = data.particles.bonds
        if cell is not None and bonds is not None and bonds.count and bonds.pbc_vectors is not None:
            parts.append(_images(positions, bonds, np.asarray(cell)[:, :3]))
    return np.concatenate(parts) if parts else np.zeros((1, 3))


def _images(positions: np.ndarray, bonds: Any, vectors: np.ndarray) -> np.ndarray:
    """Positions of the atoms that make molecules whole beyond each side of the cell that cuts them; of
    networks without end the neighbours only."""
    a, b = np.asarray(bonds.topology).T
    shift = np.asarray(bonds.pbc_vectors)
    n = len(positions)
    molecule = molecule_of_atoms(n, np.stack([a, b], axis=1))
    image = np.zeros((n, 3), dtype=np.int64)
    known = np.zeros(n, dtype=bool)
    known[np.unique(molecule, return_index=True)[1]] = True
    while True:
        forth, back = known[a] & ~known[b], known[b] & ~known[a]
        if not (forth.any() or back.any()):
            break
        image[b[forth]] = image[a[forth]] + shift[forth]
        image[a[back]] = image[b[back]] - shift[back]
        known[b[forth]] = known[a[back]] = True
    endless = np.zeros(n, dtype=bool)
    endless[molecule[a[(image[b] != image[a] + shift).any(axis=1)]]] = True

    parts = [positions[b] + shift @ vectors.T, positions[a] - shift @ vectors.T]
    whole = np.flatnonzero(~endless[molecule])
    homes = np.unique(np.column_stack([molecule[whole], image[whole]]), axis=0)
    rows_of = np.argsort(molecule, kind="stable")
    start = np.searchsorted(molecule[rows_of], np.arange(n + 1))
    for which, *home in homes:
        atoms = rows_of[start[which] : start[which + 1]]
        parts.append(positions[atoms] + (image[atoms] - home) @ vectors.T)
    return np.concatenate(parts)
