"""The bonds that formed and broke in a run, from the file of fix e3d/bonds.

The file format
---------------
Text, appended to while the simulation runs::

    e3d-bonds/1
    criterion energy                 energy: thresholds are of D; distance: of r
    cutoff covalent                  bond cutoff, the rest of the line
    units metal                      units of LAMMPS: D and A in eV (metal) or kcal/mol (real), r in angstrom
    form C-H -2.5                    a bond of this label forms where D < -2.5 (distance: r < 1.3) ...
    break C-H -0.8                   ... breaks where D > -0.8 (distance: r > 1.7) or the pair leaves the list
    columns step id1 id2 type1 type2 label D A r event
    1200 17 18 1 2 C-H -0.7312 0.1201 1.93 broken
    ...

Header lines are a key and the rest of the line; keys that are not listed here are kept as they are. One row
per event: time step, ids and LAMMPS types of the label's first and second atom, pair label, D and A at that
step, distance, and ``formed`` or ``broken``. D, A and r are nan where the pair has left the list; the label
is ``NULL`` where a type has no element. Steps never descend. The bonds of the first sample are no
events. A last line without newline was cut off while it was written and does not count.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from e3d_lmp.analysis.growing_file import check_step, numbered_words, read_appended
from e3d_lmp.edges.pairs import is_label
from e3d_lmp.errors import E3DError
from e3d_lmp.parsing import real_number, shortened, whole_number
from e3d_lmp.tables import Column, name_ending

FORMAT = "e3d-bonds/1"
_KINDS: dict[str, type] = {
    "step": np.int64,
    "id1": np.int64,
    "id2": np.int64,
    "type1": np.int32,
    "type2": np.int32,
    "label": np.str_,
    "D": np.float64,
    "A": np.float64,
    "r": np.float64,
    "event": np.str_,
}
COLUMNS = tuple(_KINDS)
ENERGY_UNITS = {"metal": "eV", "real": "kcal/mol"}
"""Unit of energy of each ``units`` of LAMMPS that the plugin runs in."""

CRITERIA = ("energy", "distance")
"""What decides whether a bond is there."""

_KEYS = ("criterion", "cutoff", "units")


@dataclass(frozen=True)
class Events:
    """The bonds that formed and broke.

    Attributes
    ----------
    step               (N,) int64, time step, never descending
    id1, id2           (N,) int64, ids of the label's first and second atom
    type1, type2       (N,) int32, their LAMMPS types, from 1
    label              (N,) str, pair label
    D, A               (N,) float64, `unit`; nan where the pair had left the list
    r                  (N,) float64, angstrom; nan likewise
    event              (N,) str, ``formed`` or ``broken``
    criterion          ``energy`` or ``distance``
    cutoff             bond cutoff, in the words of `e3d_lmp.edges.cutoffs`
    units              ``metal`` or ``real``
    form, break_off    thresholds of each label: D in `unit`, or r in angstrom
    about              header lines of other keys
    is_cut_off         whether a last line that was cut off is left out
    """

    step: np.ndarray
    id1: np.ndarray
    id2: np.ndarray
    type1: np.ndarray
    type2: np.ndarray
    label: np.ndarray
    D: np.ndarray
    A: np.ndarray
    r: np.ndarray
    event: np.ndarray
    criterion: str
    cutoff: str
    units: str
    form: dict[str, float] = field(default_factory=dict)
    break_off: dict[str, float] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    is_cut_off: bool = False

    def __len__(self) -> int:
        return len(self.step)

    @property
    def unit(self) -> str:
        """Unit of D and A."""
        return ENERGY_UNITS[self.units]

    def by_count(self) -> list[str]:
        """Labels with events, the most first."""
        names, counts = np.unique(self.label, return_counts=True)
        return sorted(map(str, names), key=lambda name: (-counts[names == name][0], name))

    def net(self, label: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps (K,) of a label's events, ascending, and bonds formed less bonds broken up to each (K,)."""
        rows = self.label == label
        steps, at = np.unique(self.step[rows], return_inverse=True)
        change = np.where(self.event[rows] == "formed", 1, -1)
        return steps, np.cumsum(np.bincount(at, change, steps.size)).astype(np.int64)


def read_events(path: str | os.PathLike) -> Events:
    """The events in a file of fix e3d/bonds.

    Raises
    ------
    E3DError
        If the file is missing, of another format or version, has no whole header, or holds a line that is
        none of the format; the message has the line's number.
    """
    lines, is_cut_off = read_appended(path, FORMAT, "fix e3d/bonds")
    about: dict[str, str] = {}
    thresholds: dict[str, dict[str, float]] = {"form": {}, "break": {}}
    rows: list[tuple] = []
    has_columns = False
    last: int | None = None
    number = 1
    try:
        for number, words in numbered_words(lines):  # noqa: B007, the message has it
            if has_columns:
                row = _read_row(words)
                check_step(row[0], last)
                last = row[0]
                rows.append(row)
            elif words[0] == "columns":
                if tuple(words[1:]) != COLUMNS:
                    raise ValueError(f"expected the columns {' '.join(COLUMNS)}")
                has_columns = True
            elif words[0] in thresholds:
                _add_threshold(thresholds[words[0]], words)
            elif words[0] in about:
                raise ValueError(f"'{words[0]}' occurs twice")
            else:
                about[words[0]] = " ".join(words[1:])
        if not has_columns:
            raise ValueError("the header ends without its line 'columns'")
        missing = [key for key in _KEYS if not about.get(key)]
        if missing:
            raise ValueError(f"the header has no line '{missing[0]}'")
        for key, known_words in (("units", tuple(ENERGY_UNITS)), ("criterion", CRITERIA)):
            if about[key] not in known_words:
                raise ValueError(f"{key} {shortened(about[key])}: expected {' or '.join(known_words)}")
        _check_thresholds(thresholds)
        _check_types(rows)
    except ValueError as error:
        raise E3DError(f"{path}, line {number}: not a line of {FORMAT}: {error}") from None
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    arrays: dict[str, Any] = {
        name: np.array(column, dtype=_KINDS[name]) for name, column in zip(COLUMNS, columns, strict=True)
    }
    known: dict[str, Any] = {key: about.pop(key) for key in _KEYS}
    return Events(
        **arrays,
        **known,
        form=thresholds["form"],
        break_off=thresholds["break"],
        about=about,
        is_cut_off=is_cut_off,
    )


def _read_row(words: list[str]) -> tuple:
    if len(words) != len(COLUMNS):
        raise ValueError(f"{len(words)} words instead of {len(COLUMNS)}")
    if words[9] not in ("formed", "broken"):
        raise ValueError(f"the event is formed or broken, not '{shortened(words[9])}'")
    if words[5] != "NULL" and not is_label(words[5]):
        raise ValueError(f"'{shortened(words[5])}' is no pair of elements such as C-H")
    ids = [whole_number(word, 1) for word in words[1:3]]
    types = [whole_number(word, 1, 2**31 - 1) for word in words[3:5]]
    numbers = [real_number(word, may_be_nan=True) for word in words[6:9]]
    known = [not math.isnan(value) for value in numbers]
    if any(known) != all(known) or numbers[2] <= 0.0:
        raise ValueError(f"D, A and r of {' '.join(words[6:9])}; expected three numbers, or nan, r above 0")
    if not any(known) and words[9] == "formed":
        raise ValueError("a bond that formed, without its D, A and r")
    return (whole_number(words[0]), *ids, *types, words[5], *numbers, words[9])


def _add_threshold(known: dict[str, float], words: list[str]) -> None:
    if len(words) != 3 or not is_label(words[1]) or words[1] in known:
        raise ValueError(f"expected '{words[0]} C-H -1.0', each pair once")
    known[words[1]] = real_number(words[2])


def _check_thresholds(thresholds: dict[str, dict[str, float]]) -> None:
    """Raise `ValueError` where a bond would form and break at once."""
    form, break_off = thresholds["form"], thresholds["break"]
    for label in {**form, **break_off}:
        if label not in form or label not in break_off or form[label] > break_off[label]:
            raise ValueError(f"form and break of {label}: expected both, form not above break")


def _check_types(rows: list[tuple]) -> None:
    """Raise `ValueError` where an atom has two types at one step."""
    found: dict[int, int] = {}
    step: int | None = None
    for row in rows:
        if row[0] != step:
            step, found = row[0], {}
        for atom, kind in ((row[1], row[3]), (row[2], row[4])):
            if found.setdefault(atom, kind) != kind:
                raise ValueError(f"atom {atom} is of type {found[atom]} and of type {kind} at step {step}")


def event_columns(unit: str = "eV") -> tuple[Column, ...]:
    """Columns of the table of ``e3d events``."""
    ending = name_ending(unit)
    return (
        Column("pair", "pair"),
        Column("formed", "formed"),
        Column("broken", "broken"),
        Column("atom_pairs", "atom pairs"),
        Column("first_step", "first step"),
        Column("last_step", "last step"),
        Column(f"mean_D_formed_{ending}", "mean D formed", unit, ".4f"),
        Column(f"mean_D_broken_{ending}", "mean D broken", unit, ".4f"),
    )


def event_table(events: Events) -> list[dict[str, Any]]:
    """One row per pair label, the most events first, with the columns of `event_columns`.

    ``atom_pairs`` is the number of different pairs of atoms; the means leave out pairs that had left the
    list, and are nan without any other.
    """
    names = [column.name for column in event_columns(events.unit)]
    rows = []
    for label in events.by_count():
        here = events.label == label
        formed = here & (events.event == "formed")
        broken = here & (events.event == "broken")
        pairs = np.unique(np.stack([events.id1[here], events.id2[here]]), axis=1).shape[1]
        steps = events.step[here]
        values = (label, int(formed.sum()), int(broken.sum()), pairs, int(steps[0]), int(steps[-1]))
        means = (_mean(events.D[formed]), _mean(events.D[broken]))
        rows.append(dict(zip(names, (*values, *means), strict=True)))
    return rows


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan
