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
from e3d_lmp.maps import DEFAULT_BIN, EnergyMap, LabelMap, label_map
from e3d_lmp.pairs import PairFrame, is_like


class Reducer(Protocol):
    """What every reducer offers."""

    def add(self, frame: PairFrame) -> None:
        """Take in the pairs of one time step."""

    def merge(self, other: Any) -> None:
        """Take in what another reducer of the same settings has gathered."""

    def result(self) -> Any:
        """What has been gathered so far; the reducer may go on afterwards."""


_PENDING_BINS = 1 << 18
"""Bins of single frames that wait to be added up."""


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
        self._pending: dict[str, list[LabelMap]] = {}
        self._waiting = 0

    def add(self, frame: PairFrame) -> None:
        """Take in the pairs of one time step.

        Raises
        ------
        E3DError
            If an energy is not finite, or beyond 2^31 bins.
        """
        order = np.argsort(frame.label, kind="stable")
        ends = np.searchsorted(frame.label[order], np.arange(len(frame.labels) + 1))
        for k, name in enumerate(frame.labels):
            if self._only is not None and name not in self._only:
                continue
            rows = order[ends[k] : ends[k + 1]]
            where = f"step {frame.step}, pair {name}"
            one = label_map(frame.D[rows], frame.A[rows], self._sum.width, is_like(name), where)
            self._pending.setdefault(name, []).append(one)
            self._waiting += one.codes.size + 1
        first, last = self._sum.steps or (frame.step, frame.step)
        steps = (min(first, frame.step), max(last, frame.step))
        self._sum = replace(self._sum, samples=self._sum.samples + 1, steps=steps)
        if self._waiting > _PENDING_BINS:
            self._add_up()

    def merge(self, other: MapReducer) -> None:
        """Take in what another reducer of the same bins and cutoff has gathered."""
        self._add_up()
        self._sum = self._sum.merge(other.result())

    def result(self) -> EnergyMap:
        """The maps of all frames so far."""
        self._add_up()
        return self._sum

    def _add_up(self) -> None:
        labels = dict(self._sum.labels)
        for name, parts in self._pending.items():
            labels[name] = labels.get(name, LabelMap()).merge(*parts)
        self._sum = replace(self._sum, labels=labels)
        self._pending = {}
        self._waiting = 0
