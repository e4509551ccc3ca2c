"""Two molecules side by side: turned at random, at a wanted closest contact."""

from __future__ import annotations

import numpy as np
from ase.data import vdw_radii


def closest_contact(numbers: list[np.ndarray], positions: list[np.ndarray]) -> float:
    """Smallest distance between two molecules over the sum of van der Waals radii."""
    radii = [vdw_radii[n] for n in numbers]
    distance = np.linalg.norm(positions[0][:, None] - positions[1][None], axis=-1)
    return float((distance / (radii[0][:, None] + radii[1][None])).min())


def place_pair(
    numbers: list[np.ndarray], positions: list[np.ndarray], contact: float, rng: np.random.Generator
) -> np.ndarray:
    """(N, 3) angstrom: both molecules turned at random, the second moved to the wanted `contact`."""
    turned = [(p - p.mean(axis=0)) @ random_rotation(rng) for p in positions]
    # off the line of centres, so that edges and corners meet too
    aside = np.append(rng.normal(scale=1.0, size=2), 0.0)
    high = 25.0
    low = high
    while low > -10.0 and closest_contact(numbers, [turned[0], turned[1] + aside + [0, 0, low]]) > contact:
        high, low = low, low - 0.25
    for _ in range(25):
        middle = 0.5 * (low + high)
        if closest_contact(numbers, [turned[0], turned[1] + aside + [0, 0, middle]]) > contact:
            high = middle
        else:
            low = middle
    return np.concatenate([turned[0], turned[1] + aside + [0, 0, high]])


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """Uniform random rotation matrix."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q
