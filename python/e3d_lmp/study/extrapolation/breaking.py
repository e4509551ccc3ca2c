"""Molecules of which one bond breaks in some frames: which bond, its curve, its dissociation energy.

Frames of molecular dynamics are warm, so that a curve is drawn through the coolest of each bond length: the
tenth of the frames that the labels place lowest. A model is judged by the same frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.split import BOND

WELL = 1.8
"""angstrom; shorter bonds are whole"""
APART = (4.5, 5.2)
"""angstrom; bonds between these are broken"""
COOLEST = 0.1
"""Share of the frames of a bond length that its energy is the mean of."""
STEP = 0.15
"""angstrom, between two points of a curve"""


@dataclass(frozen=True)
class BreakingBond:
    """Frames of one molecule, of which one bond between heavy atoms breaks.

    Attributes
    ----------
    bond : as ``2-3``: heavy atoms on the smaller side of it, and one more; of a chain the positions of both
    length : (F,) angstrom
    energy : (F,) eV, labels
    """

    bond: str
    length: np.ndarray
    energy: np.ndarray

    def dissociation(self, energy: np.ndarray) -> float:
        """Energy of the broken bond less that of the whole one, eV, of the coolest frames of either.

        Parameters
        ----------
        energy : (F,) eV, of the labels or of a model

        Raises
        ------
        E3DError
            No frame has the bond whole, or none has it broken.
        """
        whole = self._coolest(self.length < WELL)
        broken = self._coolest((self.length >= APART[0]) & (self.length < APART[1]))
        if not whole.size or not broken.size:
            raise E3DError(
                f"expected frames with the bond {self.bond} below {WELL} angstrom and between {APART[0]} and "
                f"{APART[1]}, got {whole.size} and {broken.size}; take frames in which it breaks"
            )
        return float(energy[broken].mean() - energy[whole].mean())

    def curve(self, energy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bond length, angstrom, and energy above the lowest point, eV, of the coolest frames.

        Parameters
        ----------
        energy : (F,) eV, of the labels or of a model
        """
        bins = np.floor(self.length / STEP).astype(int)
        chosen = [self._coolest(bins == k) for k in np.unique(bins)]
        heights = np.array([energy[one].mean() for one in chosen])
        return np.array([self.length[one].mean() for one in chosen]), heights - heights.min()

    def _coolest(self, mask: np.ndarray) -> np.ndarray:
        frames = np.flatnonzero(mask)
        size = -(-len(frames) // round(1 / COOLEST))
        return frames[np.argsort(self.energy[frames], kind="stable")[:size]]


def breaking_bond(numbers: np.ndarray, positions: np.ndarray, energy: np.ndarray) -> BreakingBond:
    """The bond between heavy atoms that is stretched most in some frame.

    Parameters
    ----------
    numbers : (N,) atomic numbers
    positions : (F, N, 3) angstrom
    energy : (F,) eV; the bonds are those of the lowest frame

    Raises
    ------
    E3DError
        There is no bond between heavy atoms, or the bond is part of a ring.
    """
    lowest = positions[int(np.argmin(energy))]
    radii = covalent_radii[numbers]
    distance = np.linalg.norm(lowest[:, None] - lowest[None], axis=-1)
    bonded = (distance < BOND * (radii[:, None] + radii[None])) & ~np.eye(len(numbers), dtype=bool)
    heavy = numbers != 1
    i, j = np.nonzero(np.triu(bonded) & heavy[:, None] & heavy[None])
    if not i.size:
        raise E3DError("expected a molecule with a bond between heavy atoms, got one without")
    lengths = np.linalg.norm(positions[:, j] - positions[:, i], axis=-1)
    widest = int(np.argmax(lengths.max(axis=0)))
    bonded[i[widest], j[widest]] = bonded[j[widest], i[widest]] = False
    parts, part = connected_components(coo_array(bonded), directed=False)
    if parts < 2:
        raise E3DError("expected a bond that takes a molecule apart, got one of a ring")
    side = min(int((heavy & (part == part[end[widest]])).sum()) for end in (i, j))
    return BreakingBond(f"{side}-{side + 1}", lengths[:, widest], np.asarray(energy, dtype=np.float64))
