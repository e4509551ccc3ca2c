"""Reducers: numbers gathered over many frames in constant memory.

A reducer has ``add(frame)``, ``merge(other)`` and ``result()``. Parts that were added to two reducers and
merged give what one reducer of the whole gives, exactly for counts, so that parallel work is a merge and
nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, Protocol

import numpy as np

from e3d_lmp.analysis.bonds.energies import BondEnergies, bond_energies
from e3d_lmp.analysis.bonds.types import BondTyping
from e3d_lmp.analysis.label_map import BIN_LIMIT, LabelMap, label_map
from e3d_lmp.analysis.maps import DEFAULT_BIN, EnergyMap
from e3d_lmp.edges.pairs import PairFrame, is_like
from e3d_lmp.errors import E3DError


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
        Bond cutoff of the pairs in the words of `e3d_lmp.edges.cutoffs`; only noted in the map.
    width
        Width of the bins in D and A, eV.
    labels
        Labels to look at; all by default.
    waiting
        Pairs and bins that may wait to be added up; where there are many reducers, less.
    """

    def __init__(
        self,
        cutoff: str = "model",
        width: float = DEFAULT_BIN,
        labels: Sequence[str] | None = None,
        waiting: int | None = None,
    ):
        if not (np.isfinite(width) and width > 0.0):
            raise E3DError(f"bin width {width}: expected a positive number of eV")
        self._only = tuple(labels) if labels else None
        self._sum = EnergyMap(float(width), cutoff)
        self._samples = 0
        self._steps: tuple[int, int] | None = None
        self._labels: tuple[str, ...] = ()
        self._most_pairs = _WAITING_PAIRS if waiting is None else waiting
        self._most_bins = _PENDING_BINS if waiting is None else waiting
        self._waiting = 0
        self._label = np.empty(self._most_pairs, dtype=np.int32)
        self._D, self._A = np.empty(self._most_pairs), np.empty(self._most_pairs)
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
        if frame.labels != self._labels or self._waiting + count > self._most_pairs:
            self._sort_waiting()
        self._labels = frame.labels
        # A large frame is a batch of its own, and so is one whose energies may be out of range.
        if count > self._most_pairs or not self._is_harmless(frame):
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
        if self._pending_bins > self._most_bins:
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


MOST_BLOCKS = 64
"""Blocks of frames at most; from there on two neighbours become one."""

_PENDING_IN_BLOCK = 1 << 14


class BlockReducer:
    """D-A maps of blocks of frames that follow each other, for intervals by resampling the blocks.

    Blocks are as long as it takes for `MOST_BLOCKS` to hold all frames, a power of two. They depend on the
    numbers of the frames alone, so that any split of the work makes the same ones.
    """

    def __init__(
        self, cutoff: str = "model", width: float = DEFAULT_BIN, labels: Sequence[str] | None = None
    ):
        self._settings = (cutoff, width, labels)
        self._blocks: dict[int, MapReducer] = {}
        self._level = 0

    def add(self, frame: PairFrame, number: int) -> None:
        """Take in the pairs of frame `number` of the source, counted from 0."""
        while number >> self._level >= MOST_BLOCKS:
            self._coarsen(self._level + 1)
        self._block(number >> self._level).add(frame)

    def merge(self, other: BlockReducer) -> None:
        """Take in what another reducer has gathered of other frames of the same source."""
        level = max(self._level, other._level)
        self._coarsen(level)
        for block, part in other._blocks.items():
            self._block(block >> (level - other._level)).merge(part)

    def result(self) -> list[EnergyMap]:
        """The map of each block that has frames, in their order."""
        return [self._blocks[block].result() for block in sorted(self._blocks)]

    def whole(self) -> EnergyMap:
        """The map of all frames."""
        return reduce(EnergyMap.merge, self.result(), MapReducer(*self._settings).result())

    def _block(self, block: int) -> MapReducer:
        if block not in self._blocks:
            self._blocks[block] = MapReducer(*self._settings, _PENDING_IN_BLOCK)
        return self._blocks[block]

    def _coarsen(self, level: int) -> None:
        shift = level - self._level
        if shift:
            old, self._blocks, self._level = self._blocks, {}, level
            for block in sorted(old):
                self._block(block >> shift).merge(old[block])


class OffsetReducer:
    """Histograms of D and A with bins `OFFSETS` times finer, for the spread of H_2D over bin offsets."""

    OFFSETS = 5

    def __init__(self, width: float = DEFAULT_BIN, labels: Sequence[str] | None = None):
        self.width = width / self.OFFSETS
        self._only = tuple(labels) if labels else None
        self._sum: dict[str, LabelMap] = {}
        self._pending: list[tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]] = []
        self._waiting = 0

    def add(self, frame: PairFrame) -> None:
        """Take in the pairs of one time step."""
        self._pending.append((frame.labels, frame.label, frame.D, frame.A))
        self._waiting += frame.D.size
        if self._waiting > _PENDING_BINS:
            self._add_up()

    def merge(self, other: OffsetReducer) -> None:
        """Take in what another reducer of the same bins has gathered."""
        self._add_up()
        for name, one in other.result().items():
            self._sum[name] = self._sum.get(name, LabelMap()).merge(one)

    def result(self) -> dict[str, LabelMap]:
        """The histogram of each label."""
        self._add_up()
        return dict(self._sum)

    def _add_up(self) -> None:
        pending, self._pending, self._waiting = self._pending, [], 0
        for labels in dict.fromkeys(part[0] for part in pending):
            mine = [part for part in pending if part[0] == labels]
            label, D, A = (np.concatenate([part[k] for part in mine]) for k in (1, 2, 3))
            for k in np.unique(label).tolist():
                name = labels[k]
                if self._only is None or name in self._only:
                    rows = label == k
                    one = label_map(D[rows], A[rows], self.width, is_like(name), f"pair {name}")
                    self._sum[name] = self._sum.get(name, LabelMap()).merge(one)


class BondReducer:
    """D of all pairs by bond type, as `typing` gives it; frames of different types of bonds may follow."""

    def __init__(self, typing: BondTyping, labels: Sequence[str] | None = None):
        self.typing = typing
        self._only = tuple(labels) if labels else None
        self._sum = bond_energies((), np.zeros(0, dtype=np.int64), np.zeros(0))
        self._pending: list[tuple[np.ndarray, np.ndarray]] = []
        self._waiting = 0

    def add(self, frame: PairFrame, bare: bool = False) -> None:
        """Take in the pairs of one time step; `bare`: those of a transition state."""
        types, D = self.typing.types(frame, bare), frame.D
        if self._only is not None:
            wanted = np.array([name in self._only for name in frame.labels])[frame.label]
            types, D = types[wanted], D[wanted]
        self._pending.append((types, D))
        self._waiting += D.size
        if self._waiting > _PENDING_BINS:
            self._add_up()

    def merge(self, other: BondReducer) -> None:
        """Take in what another reducer has gathered."""
        self._add_up()
        theirs = other.result()
        names = tuple(dict.fromkeys((*self._sum.types, *theirs.types)))
        self._sum = self._sum.aligned(names).merge(theirs.aligned(names))

    def result(self) -> BondEnergies:
        """D by type, types in alphabetical order, those without bonds left out."""
        self._add_up()
        found = sorted(name for name, n in zip(self._sum.types, self._sum.count, strict=True) if n)
        return self._sum.aligned(found)

    def _add_up(self) -> None:
        if self._pending:
            types, D = (np.concatenate([part[k] for part in self._pending]) for k in (0, 1))
            self._pending, self._waiting = [], 0
            names = tuple(self.typing.names)
            new = bond_energies(names, types, D)
            every = tuple(dict.fromkeys((*self._sum.types, *names)))
            self._sum = self._sum.aligned(every).merge(new.aligned(every))
