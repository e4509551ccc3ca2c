"""Bonds of some types with normal distributions of D, and references for most of these types."""

from __future__ import annotations

import numpy as np

from e3d_lmp.analysis.bonds.references import ReferenceEnergy

TYPES = ("C-C 1", "C-N 2", "C-H 1", "O-O", "N-N 3")
REFERENCES = {
    "C-C 1": ReferenceEnergy(3.6),
    "C-N 2": ReferenceEnergy(6.4),
    "C-H 1": ReferenceEnergy(4.3),
    "N-N 3": ReferenceEnergy(9.8),
}


def some_bonds(n: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Types 0 to 3 (none of type 4), one commoner than the others, one without a reference."""
    rng = np.random.default_rng(seed)
    index = rng.choice(4, n, p=[0.2, 0.1, 0.6, 0.1])
    return index, np.array([-3.8, -6.1, -4.35, -1.5])[index] + rng.normal(0, 0.2, n)
