"""D or |A| of bonds as colours and widths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from e3d_lmp.errors import E3DError

QUANTITIES = ("D", "|A|")
"""What bonds can be coloured by, eV."""

MAPS = {"D": ("viridis", 0.0, 1.0), "|A|": ("magma_r", 0.12, 0.92)}
"""Colour map of each quantity and the part of it that is used. Both are perceptually uniform and told apart
by colour-blind readers; dark is a strong bond, or a very uneven one."""

CAPTIONS = {"D": "D (eV)", "|A|": "|A| (eV)"}

ROWS = 256

THIN = 0.35
"""Width of the thinnest bond over that of the thickest, where width shows a quantity."""


def bond_values(quantity: str, D: np.ndarray, A: np.ndarray) -> np.ndarray:
    """(P,) eV, the quantity of each pair."""
    if quantity not in QUANTITIES:
        raise E3DError(f"colour by '{quantity}': expected one of: {', '.join(QUANTITIES)}")
    return np.asarray(D) if quantity == "D" else np.abs(A)


def widths(quantity: str, D: np.ndarray, A: np.ndarray, low: float, high: float, widest: float) -> np.ndarray:
    """(P,) angstrom, from `THIN` times the widest to the widest, strong or very uneven bonds the widest."""
    values = bond_values(quantity, D, A)
    share = np.clip((values - low) / max(high - low, 1e-12), 0.0, 1.0)
    share = 1.0 - share if quantity == "D" else share
    return widest * (THIN + (1.0 - THIN) * share)


@cache
def table(quantity: str) -> np.ndarray:
    """(`ROWS`, 3) float64 red, green and blue from 0 to 1, from the lowest value to the highest."""
    from matplotlib import colormaps

    name, first, last = MAPS[quantity]
    return colormaps[name](np.linspace(first, last, ROWS))[:, :3].copy()


@dataclass(frozen=True)
class ColourScale:
    """Colours of a quantity between two values.

    Attributes
    ----------
    quantity    ``D`` or ``|A|``
    low, high   eV, the values of the first and the last colour; values beyond have these colours
    """

    quantity: str
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.quantity not in QUANTITIES:
            raise E3DError(f"colour by '{self.quantity}': expected one of: {', '.join(QUANTITIES)}")
        if not self.low < self.high:
            raise E3DError(f"colour range {self.low:g} to {self.high:g} eV: expected LOW < HIGH")

    def colours(self, values: np.ndarray) -> np.ndarray:
        """(P, 3) float64 red, green and blue from 0 to 1, by linear interpolation in `table`."""
        share = np.clip((np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low), 0.0, 1.0)
        rows = table(self.quantity)
        return np.stack([np.interp(share, np.linspace(0.0, 1.0, ROWS), rows[:, k]) for k in range(3)], axis=1)


def fitted_scale(quantity: str, values: Iterable[np.ndarray]) -> ColourScale:
    """A scale with round ends that holds all but the outermost half percent of the values at either end."""
    found = [np.asarray(each) for each in values]
    whole = np.concatenate(found) if found else np.zeros(0)
    if not whole.size:
        return ColourScale(quantity, *((-9.0, 0.0) if quantity == "D" else (0.0, 2.0)))
    low, high = np.quantile(whole, [0.005, 0.995])
    low = min(low, 0.0) if quantity == "D" else 0.0
    unit = tick_distance(max(high - low, 0.1))
    low, high = np.floor(low / unit) * unit, np.ceil(high / unit) * unit
    return ColourScale(quantity, round(float(low), 9), round(float(max(high, low + unit)), 9))


def tick_distance(span: float) -> float:
    """Distance of the marks of a colour bar: 1, 2 or 5 times a power of ten, so that there are 4 to 10."""
    power = 10.0 ** np.floor(np.log10(span / 4.0))
    return float(max(step * power for step in (1.0, 2.0, 5.0) if step * power <= span / 4.0))
