"""Reference bond energies to compare -D with.

They are enthalpies at 298 K of average bonds. A bond energy D of a model that was trained on electronic
energies has neither zero-point nor thermal parts: for dihydrogen the electronic well depth is 4.75 eV and the
enthalpy 4.52 eV, so expect -D above the reference by 0.1 to 0.3 eV for bonds to hydrogen and by less for
others. An average bond energy is moreover an average over molecules; the columns ``low`` and ``high`` say how
far tables differ about it.

Two more tables are electronic: they have no such parts (`TABLES`, `reference_tables`). Each is named
wherever a number is compared with it.

The shipped table is ``data/reference_bond_energies.csv``, which describes its columns and sources; single
bonds that it lacks come from ``data/bond_energies.txt``, the table of ``fix e3d/bonds``. A file of one's own
has the columns ``pair``,
``order`` and ``kJ_per_mol`` and, if wanted, ``low``, ``high``, ``kind``, ``source``, ``checked`` and
``note``; its rows replace shipped ones of the same type.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from e3d_lmp.analysis.bonds.orders import bond_type
from e3d_lmp.edges.cutoffs import unknown_elements
from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_text, reading
from e3d_lmp.parsing import real_number
from e3d_lmp.tables import csv_rows
from e3d_lmp.units import KJ_PER_MOL

TABLES = {
    "enthalpies": "reference_bond_energies.csv",
    "dissociation": "electronic_bond_energies.csv",
    "level": "level_bond_energies.csv",
}
"""Shipped tables by name: average enthalpies at 298 K, the default; electronic dissociation energies of one
bond each; the training level's own bond energies, a least-squares fit of E_coh."""

NEEDED = ("pair", "order", "kJ_per_mol")
OPTIONAL = ("low", "high", "kind", "source", "checked", "note")
EXPECTED = f"reference energies, a .csv file with the columns {', '.join(NEEDED)}"


@dataclass(frozen=True)
class ReferenceEnergy:
    """The reference energy of one bond type.

    Attributes
    ----------
    energy      eV, > 0
    low, high   eV, what tables give; nan where nothing is known
    kind        ``average``, ``dissociation`` or ``derived``, or what the user's file says
    source      where the number stands
    checked     ``copy``, ``computed`` or ``no``: whether it was looked up, see the table
    note        a remark
    """

    energy: float
    low: float = math.nan
    high: float = math.nan
    kind: str = ""
    source: str = ""
    checked: str = ""
    note: str = ""


def reference_energies(files: Sequence[str | os.PathLike] = ()) -> dict[str, ReferenceEnergy]:
    """Reference energy of each bond type (``C-N 2``): the shipped table, and rows of `files` over it, in
    order.

    Raises
    ------
    E3DError
        If a file is missing or malformed.
    """
    data = resources.files("e3d_lmp").joinpath("data")
    table = _single_bonds(data.joinpath("bond_energies.txt").read_text(encoding="ascii"))
    table |= _shipped("enthalpies")
    for file in files:
        with reading(file, "file", f"expected {EXPECTED}"):
            table |= _parse(read_text(file, EXPECTED), str(file))
    return table


def reference_tables() -> dict[str, dict[str, ReferenceEnergy]]:
    """Reference energy of each bond type in each shipped table (`TABLES`)."""
    return {name: reference_energies() if name == "enthalpies" else _shipped(name) for name in TABLES}


def _shipped(table: str) -> dict[str, ReferenceEnergy]:
    name = TABLES[table]
    text = resources.files("e3d_lmp").joinpath("data").joinpath(name).read_text(encoding="ascii")
    return _parse(text, name)


def _single_bonds(text: str) -> dict[str, ReferenceEnergy]:
    rows = (line.split() for line in text.splitlines() if not line.startswith("#"))
    source = "data/bond_energies.txt"
    return {
        bond_type(pair, 1.0): ReferenceEnergy(
            float(energy) * KJ_PER_MOL, kind="average", source=source, checked="no"
        )
        for pair, energy in rows
    }


def _parse(text: str, where: str) -> dict[str, ReferenceEnergy]:
    (_, columns), *rows = csv_rows(text, where, EXPECTED) or [(0, [])]
    unknown = set(columns) - set(NEEDED) - set(OPTIONAL)
    if not set(NEEDED) <= set(columns) or unknown:
        raise E3DError(
            f"reference energies {where}: expected a first line with the columns {', '.join(NEEDED)} "
            f"and, if wanted, {', '.join(OPTIONAL)}, got '{','.join(columns)}'"
        )
    table: dict[str, ReferenceEnergy] = {}
    for number, cells in rows:
        place = f"reference energies {where}, line {number}"
        if len(cells) != len(columns):
            raise E3DError(f"{place}: expected {len(columns)} cells ({','.join(columns)}), got {len(cells)}")
        row = dict(zip(columns, cells, strict=True))
        name, entry = _entry(row, place)
        if name in table:
            raise E3DError(f"{place}: {name} was there on an earlier line; keep one of the two")
        table[name] = entry
    if not table:
        raise E3DError(f"reference energies {where}: no row in it")
    return table


def _entry(row: dict[str, str], place: str) -> tuple[str, ReferenceEnergy]:
    pair = row["pair"].split("-")
    if len(pair) != 2:
        raise E3DError(f"{place}: expected a pair of elements such as C-N, got '{row['pair']}'")
    unknown = unknown_elements(pair)
    if unknown:
        raise E3DError(f"{place}: '{unknown[0]}' is not a chemical element from H to Cm")
    energy = _positive(row["kJ_per_mol"], "an energy in kJ/mol", place) * KJ_PER_MOL
    low, high = (
        _positive(row[key], "an energy in kJ/mol", place) * KJ_PER_MOL if row.get(key) else math.nan
        for key in ("low", "high")
    )
    if energy < low or energy > high:
        raise E3DError(f"{place}: the energy is not between low and high: '{row}'")
    words = {key: row.get(key, "") for key in ("kind", "source", "checked", "note")}
    name = bond_type("-".join(pair), _positive(row["order"], "a bond order", place))
    return name, ReferenceEnergy(energy, low, high, **words)


def _positive(text: str, what: str, place: str) -> float:
    try:
        value = real_number(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0.0):
        raise E3DError(f"{place}: expected {what} > 0, got '{text}'")
    return value
