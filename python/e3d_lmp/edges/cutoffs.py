"""Bond cutoffs: one grammar for the command line, the Python functions and the LAMMPS commands.

============  ==========================================================================================
words         largest distance of a bonded pair
============  ==========================================================================================
``model``     no limit beyond the model's own: every edge counts
``covalent``  1.3 times the sum of the covalent radii (Cordero et al., Dalton Trans. 2008, 2832, table 2)
``paper``     2.2 angstrom for every pair (it counts 1,3 contacts, such as C...H 2.17 angstrom in ethane)
number        that many angstrom for every pair
``file F``    lines ``El1 El2 R`` of file F, R in angstrom; other pairs are never bonded; ``#``: comment
============  ==========================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_text
from e3d_lmp.parsing import real_number, shortened

COVALENT_FACTOR = 1.3
"""Margin of the ``covalent`` cutoff on the sum of two covalent radii."""

PAPER_CUTOFF = 2.2
"""The ``paper`` cutoff of every pair, angstrom."""

GRAMMAR = "'model', 'covalent', 'paper', a number in angstrom, or 'file F'"


@cache
def covalent_radii() -> dict[str, float]:
    """Covalent radius of each element from H to Cm, angstrom (Cordero et al. 2008, the shipped table)."""
    text = resources.files("e3d_lmp").joinpath("data/covalent_radii.txt").read_text(encoding="ascii")
    rows = (line.split("#")[0].split() for line in text.splitlines())
    return {row[0]: float(row[1]) for row in rows if row}


def check_elements(elements: Sequence[str]) -> tuple[str, ...]:
    """The same symbols as a tuple; raises `E3DError` if there are none or one is no chemical element."""
    advice = "name the element of each LAMMPS type in order, e.g. --types C H N O"
    if not elements:
        raise E3DError(f"--types: no element given; {advice}")
    unknown = unknown_elements(elements)
    if unknown:
        raise E3DError(f"--types: '{unknown[0]}' is not a chemical element from H to Cm; {advice}")
    return tuple(elements)


def unknown_elements(symbols: Sequence[str]) -> list[str]:
    """Those of the words that are not the symbol of an element from H to Cm."""
    return [symbol for symbol in symbols if symbol not in covalent_radii()]


@dataclass(frozen=True)
class BondCutoff:
    """A bond cutoff as the user named it.

    Attributes
    ----------
    name
        The words of the grammar, e.g. ``covalent``, ``2.2`` or ``file bonds.txt``.
    table
        Largest distance of each unordered pair of elements, angstrom; only ``file F`` fills it.
    """

    name: str
    table: dict[frozenset[str], float] = field(default_factory=dict)

    def distance(self, first: str, second: str) -> float:
        """Largest bonded distance of two elements, angstrom; infinite for ``model``, 0 for a pair not in
        ``file F``.

        Raises
        ------
        E3DError
            If ``covalent`` knows no radius of an element.
        """
        if self.name == "model":
            return math.inf
        if self.name == "covalent":
            check_elements([first, second])
            radii = covalent_radii()
            return COVALENT_FACTOR * (radii[first] + radii[second])
        if self.name == "paper":
            return PAPER_CUTOFF
        if self.name.startswith("file "):
            return self.table.get(frozenset((first, second)), 0.0)
        return float(self.name)

    def matrix(self, elements: Sequence[str]) -> np.ndarray:
        """Largest bonded distances, (n, n) float64, angstrom, symmetric, of n elements (one per LAMMPS
        type)."""
        return np.array([[self.distance(a, b) for b in elements] for a in elements], dtype=np.float64)


def parse_cutoff(words: str | float | Sequence[str]) -> BondCutoff:
    """The bond cutoff that the words name.

    Parameters
    ----------
    words
        ``"covalent"``, ``2.5``, ``"file bonds.txt"`` or the words one by one, ``["file", "bonds.txt"]``.

    Raises
    ------
    E3DError
        If the words do not fit the grammar, or the file is missing or malformed.
    """
    if isinstance(words, (int, float)):
        words = [repr(float(words))]
    parts = words.split(maxsplit=1) if isinstance(words, str) else list(words)
    if len(parts) == 2 and parts[0] == "file":
        return BondCutoff(f"file {parts[1]}", _read_table(Path(parts[1])))
    if len(parts) == 1 and parts[0] in ("model", "covalent", "paper"):
        return BondCutoff(parts[0])
    if len(parts) == 1:
        try:
            value = float(parts[0])
        except ValueError:
            value = math.nan
        if math.isfinite(value) and value > 0.0:
            return BondCutoff(repr(value))
    raise E3DError(f"cutoff '{' '.join(parts)}': expected {GRAMMAR}")


def _read_table(path: Path) -> dict[frozenset[str], float]:
    lines = read_text(path, "a cutoff file, a text of lines 'El1 El2 R'").splitlines()
    table: dict[frozenset[str], float] = {}
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        where = f"cutoff file {path}, line {number}"
        try:
            first, second, text = words
            radius = real_number(text)
        except ValueError:
            raise E3DError(f"{where}: expected 'El1 El2 R', got '{shortened(line.strip())}'") from None
        unknown = unknown_elements([first, second])
        if unknown:
            raise E3DError(
                f"{where}: '{unknown[0]}' is not a chemical element from H to Cm; expected 'El1 El2 R'"
            )
        if not (math.isfinite(radius) and radius > 0.0):
            raise E3DError(f"{where}: the distance must be a finite number of angstrom > 0, got {text}")
        pair = frozenset((first, second))
        if table.setdefault(pair, radius) != radius:
            raise E3DError(
                f"{where}: {first} {second} was {table[pair]} on an earlier line; keep one of the two"
            )
    if not table:
        raise E3DError(f"cutoff file {path}: no line 'El1 El2 R' in it")
    return table
