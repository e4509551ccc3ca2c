"""A frame to be labelled, what a label is, and the plan: frames in an order whose beginnings are balanced."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

PLAN_FORMAT = "e3d-label-plan/1"


@dataclass(frozen=True)
class Frame:
    """A geometry, and what may be expected of its electrons.

    Attributes
    ----------
    group : kind of frame; the labels' subset
    name : of the molecule, bond, path or pair, and which frame of it
    smiles : with hydrogens left out; of a path ``A>>B``, of a dimer ``A.B``
    symbols : of the N atoms
    positions : (N, 3) float64, angstrom
    multiplicities : 2S + 1; of several the lowest in energy is the label
    uncoupled : pairs of electrons that a broken-symmetry solution may uncouple
    fragment : atoms on one side of the bond that is pulled apart
    fragment_multiplicities : of this side and the other, each a guess to begin with
    """

    group: str
    name: str
    smiles: str
    symbols: tuple[str, ...]
    positions: np.ndarray
    multiplicities: tuple[int, ...] = (1,)
    uncoupled: int = 0
    fragment: tuple[int, ...] = ()
    fragment_multiplicities: tuple[tuple[int, int], ...] = ()

    @property
    def key(self) -> str:
        """16 hexadecimal digits of what the label depends on; the name of its file."""
        text = json.dumps(
            [
                self.symbols,
                np.round(self.positions, 6).tolist(),
                self.multiplicities,
                self.uncoupled,
                self.fragment,
                self.fragment_multiplicities,
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; positions to 1e-6 angstrom, so that the key is that of what is written."""
        return {**asdict(self), "positions": np.round(self.positions, 6).tolist()}


class Dropped(Exception):
    """Why a frame has no label, in a few words that are counted."""


@dataclass(frozen=True)
class Label:
    """What the calculation of a frame gives.

    Attributes
    ----------
    energy : hartree, total
    gradient : (N, 3) float64, hartree/bohr
    multiplicity : 2S + 1 of the solution
    spin_square : <S²>
    method : as RKS, UKS
    seconds : of one core
    """

    energy: float
    gradient: np.ndarray
    multiplicity: int
    spin_square: float
    method: str
    seconds: float


@dataclass(frozen=True)
class Labeller:
    """How frames are labelled.

    Attributes
    ----------
    label : gives the label of a frame, or raises `Dropped`
    name : of the level in the names of subsets, as DFT
    settings : what is the same for every label, for the file of the labels
    made_with : versions of what computes them
    many : the same for frames of one number of atoms at once, where that is faster; a label or a reason each
    """

    label: Callable[[Frame], Label]
    name: str
    settings: Mapping[str, Any]
    made_with: Mapping[str, str]
    many: Callable[[Sequence[Frame]], list[Label | Dropped]] | None = None


def frame_of(row: dict[str, Any]) -> Frame:
    """The frame that `Frame.as_dict` wrote."""
    return Frame(
        **{
            **row,
            "symbols": tuple(row["symbols"]),
            "positions": np.array(row["positions"], dtype=np.float64).reshape(-1, 3),
            "multiplicities": tuple(row["multiplicities"]),
            "fragment": tuple(row["fragment"]),
            "fragment_multiplicities": tuple(tuple(pair) for pair in row["fragment_multiplicities"]),
        }
    )


def round_robin(rows: Sequence[Iterable[Any]]) -> Iterator[Any]:
    """The first of each row, the second of each row, and so on; short rows are skipped when they end."""
    missing = object()
    for turn in zip_longest(*rows, fillvalue=missing):
        yield from (item for item in turn if item is not missing)


def read_plan(path: Path) -> list[Frame]:
    """The frames of a plan, in its order."""
    text = json.loads(path.read_text(encoding="utf-8"))
    if text.get("format") != PLAN_FORMAT:
        raise ValueError(f"expected a plan of format {PLAN_FORMAT} at '{path}', got {text.get('format')!r}")
    return [frame_of(row) for row in text["frames"]]


def plan_text(frames: Sequence[Frame]) -> str:
    """What `read_plan` reads, a frame in a line."""
    rows = ",\n".join(json.dumps(frame.as_dict()) for frame in frames)
    return f'{{"format": "{PLAN_FORMAT}", "frames": [\n{rows}\n]}}\n'
