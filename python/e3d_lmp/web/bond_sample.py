"""A few bonds of every bin of a D-A map, drawn evenly over all that live there.

Every bond gets a number that depends on its time step and its place among the step's pairs only, and looks
random; each bin keeps the bonds with the lowest numbers (a bottom-k sample: each bond of a bin is kept with
the same probability). The choice is therefore the same however often it is made, and memory grows with
the number of bins, not of bonds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from e3d_lmp.analysis.label_map import bin_codes
from e3d_lmp.edges.pairs import PairFrame, is_like

_PENDING = 1 << 17
"""Bonds that may wait to be sorted out."""


@dataclass(frozen=True)
class SampledBonds:
    """Bonds chosen from the bins of a map.

    Attributes
    ----------
    frame     (K,) int64, number of the frame, as it was given to `BondSample.add`
    label     (K,) int64, index into the frame's labels
    code      (K,) int64, bin of D and A as `bin_codes` numbers it; abs(A) of like elements
    priority  (K,) uint64, the random number by which bonds are chosen
    rank      (K,) int64, 0 for the lowest number of a bin, 1 for the next, ...
    i, j      (K,) int64, ids of the first and second atom
    vec       (K, 3) float64, angstrom, r_j - r_i, image included
    e12, e21  (K,) float64, eV
    """

    frame: np.ndarray
    label: np.ndarray
    code: np.ndarray
    priority: np.ndarray
    rank: np.ndarray
    i: np.ndarray
    j: np.ndarray
    vec: np.ndarray
    e12: np.ndarray
    e21: np.ndarray

    def __len__(self) -> int:
        return self.frame.size

    def take(self, rows: np.ndarray) -> SampledBonds:
        """Some of the bonds, in the order given."""
        return SampledBonds(*(getattr(self, each.name)[rows] for each in fields(self)))

    @classmethod
    def join(cls, parts: list[SampledBonds]) -> SampledBonds:
        """The bonds of several samples, one after the other."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))


class BondSample:
    """The `per_bin` bonds of lowest random number of each bin of each pair label.

    Parameters
    ----------
    per_bin
        Bonds to keep in each bin.
    width
        Width of the bins in D and A, eV.
    """

    def __init__(self, per_bin: int, width: float):
        self._per_bin = per_bin
        self._width = width
        self._parts: list[SampledBonds] = []
        self._waiting = 0

    def add(self, frame: PairFrame, number: int) -> None:
        """Take in the pairs of one time step; `number` is how the caller finds the frame again."""
        like = np.array([is_like(name) for name in frame.labels])[frame.label]
        a = np.where(like, np.abs(frame.A), frame.A)
        code = bin_codes(np.floor(frame.D / self._width), np.floor(a / self._width))
        rows = np.arange(frame.i.size)
        part = SampledBonds(
            frame=np.full(rows.size, number, dtype=np.int64),
            label=frame.label.astype(np.int64),
            code=code,
            priority=_priorities(frame.step, rows.size),
            rank=np.zeros(rows.size, dtype=np.int64),
            **{name: getattr(frame, name) for name in ("i", "j", "vec", "e12", "e21")},
        )
        self._parts.append(self._lowest(part))
        self._waiting += len(self._parts[-1])
        if self._waiting > _PENDING:
            self._parts = [self.result()]
            self._waiting = 0

    def result(self) -> SampledBonds:
        """The bonds kept so far, ordered by label, bin and rank. At least one frame must have been added."""
        return self._lowest(SampledBonds.join(self._parts))

    def _lowest(self, bonds: SampledBonds) -> SampledBonds:
        order = np.lexsort((bonds.priority, bonds.code, bonds.label))
        label, code = bonds.label[order], bonds.code[order]
        is_first = np.ones(order.size, dtype=bool)
        is_first[1:] = (label[1:] != label[:-1]) | (code[1:] != code[:-1])
        start = np.flatnonzero(is_first)
        rank = np.arange(order.size) - np.repeat(start, np.diff(np.append(start, order.size)))
        kept = bonds.take(order[rank < self._per_bin])
        kept.rank[:] = rank[rank < self._per_bin]
        return kept


def bonds_per_bin(bonds: SampledBonds) -> Mapping[tuple[int, int], int]:
    """Number of sampled bonds of each (label, code)."""
    keys, counts = np.unique(np.column_stack([bonds.label, bonds.code]), axis=0, return_counts=True)
    return {(int(label), int(code)): int(n) for (label, code), n in zip(keys, counts, strict=True)}


def _priorities(step: int, n: int) -> np.ndarray:
    """(n,) uint64 that look random: splitmix64 of step and row (Steele, Lea and Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        x = (np.uint64(step & (2**32 - 1)) << np.uint64(32)) + np.arange(n, dtype=np.uint64)
        x = x * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
