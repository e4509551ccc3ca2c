"""Novelty of a sample against a reference map: the share of its bonds in bins of (D, A) that the reference,
as a rule the training set, never visited.

A bond lies in the bin (floor(D / w), floor(A / w)) of its pair label. One of unlike elements is in a visited
bin or is not. One of like elements has no order: half of it lies at +A and half at -A, as in the maps, which
are symmetric: so both halves agree, but for an |A| that is a whole number of bins to the last digit. Bonds of
a label that the reference lacks are unvisited. ``fix e3d/map ... reference FILE`` counts the same.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from e3d_lmp.analysis.label_map import LabelMap, label_map
from e3d_lmp.analysis.maps import EnergyMap, read_map
from e3d_lmp.edges.pairs import PairFrame, is_like
from e3d_lmp.errors import E3DError
from e3d_lmp.tables import Column
from e3d_lmp.units import KCAL_MOL_PER_EV

UNVISITED = "unvisited_share"
"""Name of the column of shares in tables."""

NOVELTY = "novelty.csv"
"""File with a row for each frame."""

MODEL_KEYS = ("model_source", "model_sha256")
"""Provenance that says which model edges are of: the checkpoint it was exported from, the model file."""

_NO_MODEL = "unknown"
_SAME_WIDTH = 1e-9
"""Relative: widths in kcal/mol have been multiplied."""


@dataclass(frozen=True)
class Novelty:
    """How much of a sample a reference never visited.

    Attributes
    ----------
    bonds : bonds of each label
    unvisited : bonds of each label in bins that the reference never visited, in halves at +A and -A where
        the elements are like
    """

    bonds: Mapping[str, int]
    unvisited: Mapping[str, float]

    @property
    def share(self) -> float:
        """Share of all bonds; nan without bonds."""
        return _share(sum(self.unvisited.values()), sum(self.bonds.values()))

    def share_of(self, label: str) -> float:
        """Share of the bonds of a label; nan where there are none."""
        return _share(self.unvisited.get(label, 0.0), self.bonds.get(label, 0))


@dataclass(frozen=True)
class ReferenceMap:
    """Which bins a reference has visited.

    Attributes
    ----------
    name : what messages and files call it
    map : the reference, in the unit of its file
    """

    name: str
    map: EnergyMap

    @classmethod
    def read(cls, path: str | os.PathLike) -> ReferenceMap:
        """The reference in an ``e3d-map/1`` file; raises `E3DError` as `read_map` does."""
        return cls(os.fspath(path), read_map(path))

    @property
    def width(self) -> float:
        """Width of the bins, eV."""
        return _width_eV(self.map)

    def check(self, sample: EnergyMap) -> list[str]:
        """What the user must know before a sample is compared with the reference.

        Parameters
        ----------
        sample
            A map with the sample's bins, cutoff and provenance; one without bonds will do.

        Raises
        ------
        E3DError
            Bins, bond cutoff or model differ, so that the same bin is not the same bond.
        """
        mine, other = self.width, _width_eV(sample)
        if not math.isclose(mine, other, rel_tol=_SAME_WIDTH):
            raise E3DError(
                f"the bins of the reference {self.name} are {mine:g} eV wide, not {other:g} eV: give --bin "
                f"{mine:g}, or make the reference again with this width"
            )
        theirs, ours = self.map.cutoff, sample.cutoff
        if theirs != ours:
            raise E3DError(
                f"the bonds of the reference {self.name} are those of --cutoff {theirs}, not of --cutoff "
                f"{ours}: give --cutoff {theirs}, or make the reference again with this cutoff"
            )
        for key in MODEL_KEYS:
            theirs, ours = (one.provenance.get(key, _NO_MODEL) for one in (self.map, sample))
            if _NO_MODEL in (theirs, ours):
                continue
            if theirs != ours:
                raise E3DError(
                    f"the reference {self.name} is of another model ({key} {theirs[:12]}, not {ours[:12]}): "
                    "make it again with the model of these edges (e3d evaluate, then e3d analyze)"
                )
            return []
        return [
            f"the reference {self.name}, or what is compared with it, does not say which model it is of: the "
            "share of unvisited bins means something for one and the same model only"
        ]

    def missing(self, sample: EnergyMap) -> list[str]:
        """What the user must know of bonds of a pair that the reference did not look for."""
        lacking = [label for label in sample.by_count() if label not in self.map.labels]
        if not lacking:
            return []
        return [
            f"the reference {self.name} has no map of {' '.join(lacking)}: all their bonds count as unvisited"
        ]

    def of_map(self, sample: EnergyMap) -> Novelty:
        """How much of a whole sample the reference never visited."""
        return self._of(sample.labels)

    def of_frame(self, frame: PairFrame, labels: Sequence[str] | None = None) -> Novelty:
        """How much of the bonds of one frame the reference never visited; of some labels only, if they are
        given.

        Raises
        ------
        E3DError
            An energy is not finite, or beyond 2^31 bins.
        """
        found = {}
        for k in np.unique(frame.label).tolist():
            name, rows = frame.labels[k], frame.label == k
            if labels is None or name in labels:
                where = f"step {frame.step}, pair {name}"
                found[name] = label_map(frame.D[rows], frame.A[rows], self.width, is_like(name), where)
        return self._of(found)

    def _of(self, sample: Mapping[str, LabelMap]) -> Novelty:
        return Novelty(
            {name: one.count for name, one in sample.items()},
            {name: _unvisited(one, self.map.labels.get(name)) for name, one in sample.items()},
        )


@dataclass
class NoveltyReducer:
    """Share of unvisited bins of every frame, a row for each.

    Parameters
    ----------
    reference
        What the frames are compared with.
    labels
        Pair labels to look at; all by default.
    """

    reference: ReferenceMap
    labels: Sequence[str] | None = None
    _rows: dict[int, tuple[int, str, Novelty]] = field(default_factory=dict)

    def add(self, frame: PairFrame, number: int, name: str = "") -> None:
        """Take in frame `number` of the source, counted from 0; `name` is that of its structure."""
        self._rows[number] = (frame.step, name, self.reference.of_frame(frame, self.labels))

    def merge(self, other: NoveltyReducer) -> None:
        """Take in what another reducer has gathered of other frames of the same source."""
        self._rows.update(other._rows)

    def result(self) -> dict[int, Novelty]:
        """The novelty of each frame by its number, in order."""
        return {number: self._rows[number][2] for number in sorted(self._rows)}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each frame in order, with the columns of `columns`."""
        columns, rows = [column.name for column in self.columns()], []
        for number in sorted(self._rows):
            step, name, one = self._rows[number]
            shares = [one.share_of(label) for label in self._labels()]
            values: list[Any] = [step, sum(one.bonds.values()), one.share, *shares]
            if self._are_named():
                values.insert(1, name)
            rows.append(dict(zip(columns, values, strict=True)))
        return rows

    def columns(self) -> tuple[Column, ...]:
        """Columns of ``novelty.csv``: the step (of a set the number) of the frame, the name of a structure,
        its bonds, their share in unvisited bins, and that of each label."""
        return (
            Column("step", "step"),
            *([Column("name", "structure")] if self._are_named() else []),
            Column("bonds", "bonds"),
            Column(UNVISITED, "unvisited", "", ".4f"),
            *(Column(f"{UNVISITED}_{label}", label, "", ".4f") for label in self._labels()),
        )

    def _are_named(self) -> bool:
        return any(name for _, name, _ in self._rows.values())

    def _labels(self) -> list[str]:
        return sorted({label for _, _, one in self._rows.values() for label in one.bonds})


def _width_eV(one: EnergyMap) -> float:
    return one.width / (KCAL_MOL_PER_EV if one.unit == "kcal/mol" else 1.0)


def _share(unvisited: float, bonds: int) -> float:
    return unvisited / bonds if bonds else math.nan


def _unvisited(one: LabelMap, visited: LabelMap | None) -> float:
    """Weight, in bonds, of the bins that are not among the visited ones."""
    if visited is None or not one.codes.size:
        return float(one.count)
    return float(one.halves[~np.isin(one.codes, visited.codes, assume_unique=True)].sum()) / 2.0
