"""Reducers: numbers gathered over many frames in constant memory.

A reducer has ``add(frame)``, ``merge(other)`` and ``result()``. Parts that were added to two reducers and
merged give what one reducer of the whole gives, exactly for counts, so that parallel work is a merge and
nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.maps import BIN_LIMIT, DEFAULT_BIN, EnergyMap, LabelMap, label_map
from e3d_lmp.pairs import PairFrame, is_like


class Reducer(Protocol):
    """What every reducer offers."""

    def add(self, frame: PairFrame) -> None:
        """Take in the pairs of one time step."""

    def merge(self, other: Any) -> None:
        """Take in what another reducer of the same settings has gathered."""

    def result(self) -> Any:
        """What has been gathered so far; the reducer may go on afterwards."""


_WAITING_PAIRS = 1 << 15
"""Pairs of small frames that wait to be sorted into bins together."""

_PENDING_BINS = 1 << 18
"""Bins of such batches that wait to be added up."""


class MapReducer:
    """D-A maps of all pair labels.

    Parameters
    ----------
    cutoff
        Bond cutoff of the pairs in the words of `e3d_lmp.cutoffs`; only noted in the map.
    width
        Width of the bins in D and A, eV.
    labels
        Labels to look at; all by default.
    """

    def __init__(
        self, cutoff: str = "model", width: float = DEFAULT_BIN, labels: Sequence[str] | None = None
    ):
        if not (np.isfinite(width) and width > 0.0):
            raise E3DError(f"bin width {width}: expected a positive number of eV")
        self._only = tuple(labels) if labels else None
        self._sum = EnergyMap(float(width), cutoff)
        self._samples = 0
        self._steps: tuple[int, int] | None = None
        self._labels: tuple[str, ...] = ()
        self._waiting = 0
        self._label = np.empty(_WAITING_PAIRS, dtype=np.int32)
        self._D, self._A = np.empty(_WAITING_PAIRS), np.empty(_WAITING_PAIRS)
        self._pending: dict[str, list[LabelMap]] = {}
        self._pending_bins = 0

    def add(self, frame: PairFrame) -> None:
        """Take in the pairs of one time step.

        Raises
        ------
        E3DError
            If an energy is not finite, or beyond 2^31 bins.
        """
        count = frame.D.size
        if frame.labels != self._labels or self._waiting + count > _WAITING_PAIRS:
            self._sort_waiting()
        self._labels = frame.labels
        # A large frame is a batch of its own, and so is one whose energies may be out of range.
        if count > _WAITING_PAIRS or not self._is_harmless(frame):
            self._sort(frame.labels, frame.label, frame.D, frame.A, f"step {frame.step}, pair ")
        else:
            at = slice(self._waiting, self._waiting + count)
            self._label[at], self._D[at], self._A[at] = frame.label, frame.D, frame.A
            self._waiting += count
        first, last = self._steps or (frame.step, frame.step)
        self._steps = (min(first, frame.step), max(last, frame.step))
        self._samples += 1

    def _is_harmless(self, frame: PairFrame) -> bool:
        """Whether the energies of a frame are finite and far from the last bin."""
        limit = self._sum.width * (BIN_LIMIT // 2)
        return frame.D @ frame.D < limit * limit and frame.A @ frame.A < limit * limit

    def _sort_waiting(self) -> None:
        """Sort the pairs that wait into bins."""
        at = slice(0, self._waiting)
        self._sort(self._labels, self._label[at], self._D[at], self._A[at], "pair ")
        self._waiting = 0

    def _sort(
        self, labels: tuple[str, ...], label: np.ndarray, D: np.ndarray, A: np.ndarray, where: str
    ) -> None:
        """Sort pairs into the bins of their labels."""
        label = label.astype(np.int16)  # radix sort
        order = np.argsort(label, kind="stable")
        ends = np.searchsorted(label[order], np.arange(len(labels) + 1))
        for k, name in enumerate(labels):
            if self._only is not None and name not in self._only:
                continue
            rows = order[ends[k] : ends[k + 1]]
            one = label_map(D[rows], A[rows], self._sum.width, is_like(name), where + name)
            self._pending.setdefault(name, []).append(one)
            self._pending_bins += one.codes.size + 1
        if self._pending_bins > _PENDING_BINS:
            self._add_up()

    def merge(self, other: MapReducer) -> None:
        """Take in what another reducer of the same bins and cutoff has gathered."""
        self._sum = self.result().merge(other.result())
        self._samples, self._steps = self._sum.samples, self._sum.steps

    def result(self) -> EnergyMap:
        """The maps of all frames so far."""
        self._sort_waiting()
        self._add_up()
        return self._sum

    def _add_up(self) -> None:
        labels = dict(self._sum.labels)
        for name, parts in self._pending.items():
            labels[name] = labels.get(name, LabelMap()).merge(*parts)
        self._sum = replace(self._sum, samples=self._samples, steps=self._steps, labels=labels)
        self._pending = {}
        self._pending_bins = 0
