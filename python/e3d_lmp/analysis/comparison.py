"""How two D-A maps differ, pair label by pair label."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from e3d_lmp.analysis.entropy import jensen_shannon_distance
from e3d_lmp.analysis.label_map import LabelMap
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.edges.pairs import is_like


@dataclass(frozen=True)
class LabelComparison:
    """Two maps of one pair label, a and b; nan where a number needs pairs in both and one has none.

    Attributes
    ----------
    label                  pair label
    count_a, count_b       number of pairs
    shift_D, shift_absA    mean of D, and of |A|, in b less that in a, in the maps' unit of energy
    entropy_a, entropy_b   H_2D, nats
    shift_H                entropy of b less that of a, nats
    distance               Jensen-Shannon distance of the two histograms, 0 to 1 (base 2)
    noise                  distance to expect of two independent samples of one distribution, of this size
    """

    label: str
    count_a: int
    count_b: int
    shift_D: float
    shift_absA: float
    entropy_a: float
    entropy_b: float
    shift_H: float
    distance: float
    noise: float


def compare_labels(label: str, a: LabelMap, b: LabelMap) -> LabelComparison:
    """Compare the maps of one label.

    The noise is ``sqrt((K - 1) (1/n_a + 1/n_b) / (8 ln 2))`` for n_a and n_b pairs in K bins: to second order
    the divergence is ``sum (p - q)^2 / (8 m ln 2)``, here with its mean over samples of m. It holds for pairs
    that are independent and many per bin; time steps close to each other are not independent, so that the
    noise of a simulation is larger. For like elements, whose halves at +A and -A are one pair, K is half the
    bins.
    """
    codes = np.union1d(a.codes, b.codes)
    p, q = weights_on(codes, a), weights_on(codes, b)
    if not (a.count and b.count):
        shifts = [math.nan] * 3
        noise = math.nan
    else:
        shifts = [b.mean_D - a.mean_D, b.mean_absA - a.mean_absA, b.entropy_nats - a.entropy_nats]
        n_bins = codes.size / 2.0 if is_like(label) else codes.size
        spread = max(n_bins - 1.0, 0.0) * (1.0 / a.count + 1.0 / b.count)
        noise = min(math.sqrt(spread / (8.0 * math.log(2.0))), 1.0)
    return LabelComparison(
        label,
        a.count,
        b.count,
        shift_D=shifts[0],
        shift_absA=shifts[1],
        entropy_a=a.entropy_nats,
        entropy_b=b.entropy_nats,
        shift_H=shifts[2],
        distance=jensen_shannon_distance(p, q),
        noise=noise,
    )


def weights_on(codes: np.ndarray, one: LabelMap) -> np.ndarray:
    """(K,) int64, weight in halves of a pair of each bin of `codes` (ascending, with all of the map)."""
    weights = np.zeros(codes.size, dtype=np.int64)
    weights[np.searchsorted(codes, one.codes)] = one.halves
    return weights


def compare_maps(a: EnergyMap, b: EnergyMap) -> list[LabelComparison]:
    """Compare each label that occurs in one of two maps, the most pairs in both together first.

    Raises
    ------
    E3DError
        If bin widths, units or bond cutoffs differ.
    """
    a.check_comparable(b, "compared")
    empty = LabelMap()
    rows = [
        compare_labels(name, a.labels.get(name, empty), b.labels.get(name, empty))
        for name in {**a.labels, **b.labels}
    ]
    found = [row for row in rows if row.count_a or row.count_b]
    return sorted(found, key=lambda row: (-row.count_a - row.count_b, row.label))
