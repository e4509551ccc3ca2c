"""How many molecules of each formula a run has, from the species file of fix e3d/bonds.

The file format
---------------
Text, appended to while the simulation runs::

    e3d-species/1
    columns step molecules species formulas...
    0 15 2 C2H6O:12 H2O:3
    ...

Written with the keyword ``species F``, one row per sample: time step, number of molecules (single atoms
included), number of different formulas, and each formula with its number of molecules, the commonest first.
Formulas are in Hill order: C, then H, then the other elements by the alphabet; without C all by the alphabet.
A last line without newline was cut off while it was written and does not count.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from e3d_lmp.analysis.growing_file import check_step, numbered_words, read_appended
from e3d_lmp.edges.cutoffs import unknown_elements
from e3d_lmp.errors import E3DError
from e3d_lmp.parsing import shortened, whole_number
from e3d_lmp.tables import Column

FORMAT = "e3d-species/1"
COLUMNS = ("step", "molecules", "species", "formulas...")
MOST_MOLECULES = 2**53
"""Molecules of a formula that a file may have."""

MOST_CELLS = 50_000_000
"""Cells of a table of all formulas at every sample."""

_ELEMENT = re.compile(r"([A-Z][a-z]?)([1-9][0-9]*)?")

DEFAULT_SHOWN = 8
"""Formulas in the table on the screen and in the picture."""


class FormulaCounts(Mapping[str, np.ndarray]):
    """Formula -> (S,) int64, number of its molecules in each sample; in the order in which they first occur.

    Most formulas of a reacting run are there in few samples: kept are only those, and an array of all samples
    is made when it is asked for.
    """

    def __init__(self, samples: int):
        self._samples = samples
        self._counts: dict[str, dict[int, int]] = {}

    def put(self, formula: str, sample: int, molecules: int) -> None:
        """Say how many molecules of a formula a sample has."""
        self._counts.setdefault(formula, {})[sample] = molecules

    def __getitem__(self, formula: str) -> np.ndarray:
        counts = np.zeros(self._samples, dtype=np.int64)
        known = self._counts[formula]
        counts[list(known)] = list(known.values())
        return counts

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def by_size(self) -> list[str]:
        """The formula with the most molecules in any one sample first; of equal ones that with the higher
        mean, then by name."""

        def key(formula: str) -> tuple[int, int, str]:
            counts = self._counts[formula].values()
            return -max(counts), -sum(counts), formula

        return sorted(self._counts, key=key)


@dataclass(frozen=True)
class Species:
    """Molecules by formula against time.

    Attributes
    ----------
    step         (S,) int64, time step of each sample, never descending
    molecules    (S,) int64, number of molecules
    species      (S,) int64, number of different formulas
    formulas     formula -> (S,) int64, number of its molecules; in the order in which they first occur
    is_cut_off   whether a last line that was cut off is left out
    """

    step: np.ndarray
    molecules: np.ndarray
    species: np.ndarray
    formulas: FormulaCounts
    is_cut_off: bool = False

    def commonest(self, n: int | None = None) -> list[str]:
        """The n formulas (all by default) with the most molecules at any one sample, the most first; of equal
        ones that with the higher mean, then by name."""
        return self.formulas.by_size()[:n]


def read_species(path: str | os.PathLike) -> Species:
    """The molecules in a species file of fix e3d/bonds.

    Raises
    ------
    E3DError
        If the file is missing, of another format or version, or holds a line that is none of the format or
        whose numbers do not add up; the message has the line's number.
    """
    lines, is_cut_off = read_appended(path, FORMAT, "fix e3d/bonds ... species")
    rows: list[tuple[int, int, int]] = []
    counts: list[dict[str, int]] = []
    has_columns = False
    number = 1
    try:
        for number, words in numbered_words(lines):  # noqa: B007, the message has it
            if has_columns:
                if len(words) < 3:
                    raise ValueError("expected a step and the numbers of molecules and of formulas")
                step, molecules, species = (whole_number(word) for word in words[:3])
                check_step(step, rows[-1][0] if rows else None)
                found = _read_formulas(words[3:])
                if sum(found.values()) != molecules or len(found) != species:
                    raise ValueError(
                        f"{molecules} molecules of {species} species, but its formulas are {len(found)} with "
                        f"{sum(found.values())} molecules"
                    )
                rows.append((step, molecules, species))
                counts.append(found)
            elif tuple(words) == ("columns", *COLUMNS):
                has_columns = True
            else:
                raise ValueError(f"expected 'columns {' '.join(COLUMNS)}'")
        if not has_columns:
            raise ValueError("the header ends without its line 'columns'")
    except ValueError as error:
        raise E3DError(f"{path}, line {number}: not a line of {FORMAT}: {error}") from None
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    formulas = FormulaCounts(len(counts))
    for k, found in enumerate(counts):
        for formula, n in found.items():
            formulas.put(formula, k, n)
    return Species(table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy(), formulas, is_cut_off)


def _read_formulas(words: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        formula, colon, count = word.partition(":")
        if not colon or not _is_formula(formula) or formula in found:
            raise ValueError(
                f"'{shortened(word)}' is no formula with its number of molecules, or the second one of it"
            )
        found[formula] = whole_number(count, 1, MOST_MOLECULES)
    return found


def _is_formula(text: str) -> bool:
    """Whether a text is a formula of chemical elements, each once."""
    parts = _ELEMENT.findall(text)
    symbols = [symbol for symbol, _ in parts]
    is_whole = "".join(symbol + number for symbol, number in parts) == text
    return bool(symbols) and is_whole and len(set(symbols)) == len(symbols) and not unknown_elements(symbols)


SUMMARY = (
    Column("formula", "formula"),
    Column("first", "first"),
    Column("last", "last"),
    Column("mean", "mean", "", ".2f"),
    Column("most", "most"),
    Column("first_step", "first seen"),
    Column("last_step", "last seen"),
)
"""Columns of the table of ``e3d species``."""


def species_table(species: Species, n: int | None = None) -> list[dict[str, Any]]:
    """One row per formula, the commonest n first, with the columns of `SUMMARY`: molecules in the first and
    the last sample, their mean and largest number, and the first and last step at which there was one."""
    rows = []
    for formula in species.commonest(n):
        count = species.formulas[formula]
        seen = species.step[count > 0]
        ends = (int(count[0]), int(count[-1]), float(count.mean()), int(count.max()))
        values = (formula, *ends, int(seen[0]), int(seen[-1]))
        rows.append(dict(zip([column.name for column in SUMMARY], values, strict=True)))
    return rows


def species_series(species: Species) -> tuple[tuple[Column, ...], list[dict[str, Any]]]:
    """Columns and rows of all numbers against time: step, molecules, species, and each formula."""
    names = species.commonest()
    cells = len(species.step) * len(names)
    if cells > MOST_CELLS:
        raise E3DError(
            f"a table of {len(species.step)} samples and {len(names)} formulas has {cells:.2g} cells, more "
            f"than {MOST_CELLS:.0e}; read the lines of the file, which have the formulas of one sample each"
        )
    arrays = [species.step, species.molecules, species.species, *(species.formulas[name] for name in names)]
    columns = tuple(Column(name, name) for name in (*COLUMNS[:3], *names))
    keys = [column.name for column in columns]
    return columns, [dict(zip(keys, map(int, row), strict=True)) for row in zip(*arrays, strict=True)]
