"""Histogram and moments of D and A of one pair label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from e3d_lmp.analysis.entropy import bits, shannon_nats
from e3d_lmp.errors import E3DError

BIN_LIMIT = 2**31
"""Bins are numbered from -2^31 to 2^31 - 1."""

_SHIFT = np.int64(32)
_LOW = np.int64(0xFFFFFFFF)


def bin_codes(d: np.ndarray, a: np.ndarray) -> np.ndarray:
    """(K,) int64, one number per bin (d, a), ascending first by d, then by a."""
    return (np.asarray(d, dtype=np.int64) << _SHIFT) + (np.asarray(a, dtype=np.int64) + BIN_LIMIT)


def split_codes(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bins (d, a), (K,) int64 each, of `bin_codes`."""
    return codes >> _SHIFT, (codes & _LOW) - BIN_LIMIT


@dataclass(frozen=True)
class LabelMap:
    """Histogram and moments of one pair label.

    Attributes
    ----------
    count     number of pairs
    sum_D, sum_D2, sum_A, sum_A2, sum_absA
              sums over pairs, eV and eV^2; sum_A is 0 for like elements
    codes     (K,) int64, non-empty bins as `bin_codes` numbers them, ascending
    halves    (K,) int64, weight of each bin in halves of a pair, so that counts stay whole numbers
    """

    count: int = 0
    sum_D: float = 0.0
    sum_D2: float = 0.0
    sum_A: float = 0.0
    sum_A2: float = 0.0
    sum_absA: float = 0.0
    codes: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    halves: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def bins(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bin of D (K,) int64, bin of A (K,) int64 and weight (K,) float64 in pairs."""
        return (*split_codes(self.codes), self.halves / 2.0)

    @property
    def mean_D(self) -> float:
        """Mean of D, eV; 0 for an empty label."""
        return self.sum_D / self.count if self.count else 0.0

    @property
    def std_D(self) -> float:
        """Population standard deviation of D, eV; 0 for an empty label."""
        return _std(self.count, self.sum_D, self.sum_D2)

    @property
    def mean_A(self) -> float:
        """Mean of A, eV; 0 for like elements and for an empty label."""
        return self.sum_A / self.count if self.count else 0.0

    @property
    def std_A(self) -> float:
        """Population standard deviation of A, eV; 0 for an empty label."""
        return _std(self.count, self.sum_A, self.sum_A2)

    @property
    def mean_absA(self) -> float:
        """Mean of |A|, eV; 0 for an empty label."""
        return self.sum_absA / self.count if self.count else 0.0

    @property
    def entropy_nats(self) -> float:
        """H_2D = -sum p ln p over the bins, nats."""
        return shannon_nats(self.halves)

    @property
    def entropy_bits(self) -> float:
        """H_2D in bits."""
        return bits(self.entropy_nats)

    def merge(self, *others: LabelMap) -> LabelMap:
        """The map of all samples together; counts and bins add exactly."""
        parts = (self, *others)
        codes, halves = _add_bins(parts)
        return LabelMap(
            sum(one.count for one in parts),
            math.fsum(one.sum_D for one in parts),
            math.fsum(one.sum_D2 for one in parts),
            math.fsum(one.sum_A for one in parts),
            math.fsum(one.sum_A2 for one in parts),
            math.fsum(one.sum_absA for one in parts),
            codes,
            halves,
        )

    def subtract(self, part: LabelMap, where: str) -> LabelMap:
        """The map of the samples that are not in `part`; counts and bins are exact, sums to rounding.

        Raises
        ------
        E3DError
            If a bin, or the number of pairs, of `part` holds more than this map; `where` is in the message.
        """
        codes, halves = _add_bins([self, replace(part, halves=-part.halves)])
        if np.any(halves < 0):
            k_d, k_a = (int(k[halves < 0][0]) for k in split_codes(codes))
            raise E3DError(
                f"{where}: bin {k_d} {k_a} of the map to subtract holds more pairs than the same bin of the "
                "other; only a part that was added before can be subtracted"
            )
        if part.count == self.count:
            return LabelMap()
        return LabelMap(
            self.count - part.count,
            self.sum_D - part.sum_D,
            self.sum_D2 - part.sum_D2,
            self.sum_A - part.sum_A,
            self.sum_A2 - part.sum_A2,
            self.sum_absA - part.sum_absA,
            codes[halves > 0],
            halves[halves > 0],
        )


def label_map(D: np.ndarray, A: np.ndarray, width: float, like: bool, where: str) -> LabelMap:
    """Map of the pairs of one label.

    Parameters
    ----------
    D, A
        (P,) float64, eV.
    width
        Width of the bins, eV.
    like
        Whether the pair is of two like elements, which enter with half weight at +A and at -A.
    where
        What an error message calls these pairs.

    Raises
    ------
    E3DError
        If an energy is not finite, or beyond 2^31 bins.
    """
    if D.size == 0:
        return LabelMap()
    k_d, k_a = np.floor(D / width), np.floor(A / width)
    size = np.maximum(np.abs(k_d).max(), np.abs(k_a).max())
    if not size < BIN_LIMIT - 1:  # so that nan is caught too
        raise E3DError(
            f"{where}: an energy that is not finite, or too large for bins of {width} eV; "
            "has the simulation blown up, or is the dump damaged?"
        )
    if like:
        k_d, k_a = np.concatenate([k_d, k_d]), np.concatenate([k_a, np.floor(-A / width)])
    k_d, k_a = k_d.astype(np.int64), k_a.astype(np.int64)
    codes, halves = np.unique(bin_codes(k_d, k_a), return_counts=True)
    return LabelMap(
        count=D.size,
        sum_D=float(D.sum()),
        sum_D2=float(D @ D),
        sum_A=0.0 if like else float(A.sum()),
        sum_A2=float(A @ A),
        sum_absA=float(np.abs(A).sum()),
        codes=codes,
        halves=halves * (1 if like else 2),
    )


def _std(count: int, total: float, total_of_squares: float) -> float:
    if count == 0:
        return 0.0
    mean = total / count
    return math.sqrt(max(0.0, total_of_squares / count - mean * mean))


def _add_bins(parts: Sequence[LabelMap]) -> tuple[np.ndarray, np.ndarray]:
    """Ascending different codes of several sparse histograms, and the sum of the weights of each."""
    codes = np.concatenate([one.codes for one in parts])
    halves = np.concatenate([one.halves for one in parts])
    if codes.size == 0:
        return codes, halves
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    start = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    return codes[start], np.add.reduceat(halves[order], start)
