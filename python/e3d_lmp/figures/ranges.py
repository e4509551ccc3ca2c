"""Which bins an axis shows: those of nearly all pairs, and never more than a picture can hold.

Data may lie anywhere: one outlying energy among few pairs would stretch an axis over millions of bins, each
of which takes memory in a grid. What is left outside is counted, and said in the picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_BINS = 600
"""Bins of an axis at most."""

_TAILS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25)

Histogram = tuple[np.ndarray, np.ndarray]
"""Numbers of bins (K,) int64, in any order, and their weights (K,)."""


def shown_bins(parts: Sequence[Histogram], shown: float, most: int = MOST_BINS) -> tuple[int, int, int]:
    """First bin, end, and how many bins make one of the picture, for an axis of several histograms.

    Parameters
    ----------
    parts
        Histograms that share the axis.
    shown
        Share of each that the axis must hold; where that takes more than `most` bins, the axis holds less of
        all of them together, down to their middle half, and after that wider bins.
    """
    tail = (1.0 - shown) / 2.0
    ends = np.array([_ends(*part, tail) for part in parts])
    low, high = int(ends[:, 0].min()), int(ends[:, 1].max())
    if high - low <= most:
        return low, high, 1
    pooled = np.concatenate([k for k, _ in parts]), np.concatenate([weight for _, weight in parts])
    for wider in (tail, *(each for each in _TAILS if each > tail)):
        low, high = _ends(*pooled, wider)
        if high - low <= most:
            return low, high, 1
    return low, high, -(-(high - low) // most)


def _ends(k: np.ndarray, weight: np.ndarray, tail: float) -> tuple[int, int]:
    """First bin and end of all but `tail` of the weight at either end."""
    order = np.argsort(k, kind="stable")
    share = np.cumsum(weight[order], dtype=np.float64)
    share /= share[-1]
    low, high = np.searchsorted(share, [tail, 1.0 - tail])
    last = len(k) - 1
    return int(k[order][min(low, last)]), int(k[order][min(high, last)]) + 1
