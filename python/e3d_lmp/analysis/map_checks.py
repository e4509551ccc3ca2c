"""Whether the sums and the bins of a D-A map can be those of one sample.

A bin [k w, (k + 1) w) says where each of its pairs lies, so that the bins bound every sum of the map from
both sides. A sum beyond its bounds, such as one with a wrong sign, is no sample's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from e3d_lmp.analysis.label_map import LabelMap

ROUNDING = 1e-6
"""Share of the sum of all sizes by which a sum may be beyond its bounds, because sums are rounded."""


def check_bins(one: LabelMap, like: bool) -> None:
    """Raise `ValueError` unless the weights of the bins are those of whole pairs.

    A pair of unlike elements has two halves in one bin; a pair of like elements one in bin a and one in bin
    -a - 1 (or -a, where |A| is a whole number of bins), in the same row of D.
    """
    if not like:
        if np.any(one.halves % 2):
            raise ValueError("half a pair of unlike elements in a bin")
        return
    k_d, k_a, _ = one.bins
    if not k_d.size:
        return
    # Of each row from the outermost bin inwards, ... -3 2 -2 1 -1 0: what is left over after one bin has to
    # be met by the next one.
    level = np.where(k_a >= 0, 2 * k_a, -2 * k_a - 1)
    order = np.lexsort((-level, k_d))
    level, halves = level[order], one.halves[order]
    is_last = np.append(np.diff(k_d[order]) != 0, True)
    left = np.cumsum(np.where(level % 2, halves, -halves))
    ends = np.flatnonzero(is_last)
    left -= np.repeat(np.concatenate([[0], left[ends[:-1]]]), np.diff(np.concatenate([[-1], ends])))
    total = np.add.reduceat(halves, np.concatenate([[0], ends[:-1] + 1]))
    next_level = np.where(is_last, -1, np.append(level[1:], -1))
    is_wrong = np.where(level % 2, left < 0, left > 0) | ((next_level != level - 1) & (left != 0))
    if np.any(is_wrong) or np.any(total % 2):
        raise ValueError("bins at +A and at -A of like elements that are not those of the same pairs")


def check_sums(one: LabelMap, like: bool, width: float) -> None:
    """Raise `ValueError` unless each sum lies within what the bins allow."""
    if not one.count and any((one.sum_D, one.sum_D2, one.sum_A, one.sum_A2, one.sum_absA)):
        raise ValueError("sums without a pair")
    for name, (least, most, size) in _bounds(one, like, width).items():
        value, slack = getattr(one, name), ROUNDING * size
        if not least - slack <= value <= most + slack:
            raise ValueError(
                f"{name} is {value:g}, but its bins allow {least:g} to {most:g}: is a sign or a digit wrong?"
            )


def within_bounds(one: LabelMap, like: bool, width: float, rounding: float) -> LabelMap:
    """The same map, its sums moved into what the bins allow.

    Parameters
    ----------
    rounding
        Size of the numbers of which one was taken off the other, for each sum at most; a sum that is farther
        off than their rounding raises `ValueError`.
    """
    sums = {}
    for name, (least, most, size) in _bounds(one, like, width).items():
        value, slack = getattr(one, name), ROUNDING * (size + rounding)
        if not least - slack <= value <= most + slack:
            raise ValueError(
                f"{name} would be {value:g}, but the bins that are left allow {least:g} to {most:g}"
            )
        sums[name] = min(max(value, least), most)
    return replace(one, **sums)


def _bounds(one: LabelMap, like: bool, width: float) -> dict[str, tuple[float, float, float]]:
    """Smallest and largest value of each sum that the bins allow, and the sum of sizes, for its rounding."""
    k_d, k_a, weight = one.bins
    ends = {}
    for name, k in (("D", k_d), ("A", k_a)):
        low, high = k * width, (k + 1) * width
        small, large = np.abs(low), np.abs(high)
        near, far = np.where(k == -1, 0.0, np.minimum(small, large)), np.maximum(small, large)
        ends[f"sum_{name}"] = low, high
        ends[f"sum_{name}2"] = near * near, far * far
        ends[f"sum_abs{name}"] = near, far
    del ends["sum_absD"]
    if like:
        ends["sum_A"] = np.zeros(k_a.size), np.zeros(k_a.size)
    return {
        name: (float(weight @ low), float(weight @ high), float(weight @ np.maximum(abs(low), abs(high))))
        for name, (low, high) in ends.items()
    }
