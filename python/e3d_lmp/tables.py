"""Tables of numbers: aligned text for a terminal, .csv and .json files."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, write_json

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name     key of the column in rows and files
    head     what stands above it in text
    unit     second line of the head
    format   format of its cells in text, e.g. ``.4f``; the first column is aligned to the left
    """

    name: str
    head: str
    unit: str = ""
    format: str = ""


def name_ending(unit: str) -> str:
    """A unit as the end of a column's name: ``eV``, ``kcal_mol``."""
    return unit.replace("/", "_")


def format_table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """A table as aligned text for a terminal; ``-`` stands for nan."""
    body = [[_cell(row[column.name], column.format) for column in columns] for row in rows]
    lines = [[column.head for column in columns], [column.unit for column in columns], *body]
    if not any(lines[1]):
        del lines[1]
    widths = [max(len(line[k]) for line in lines) for k in range(len(columns))]
    text = []
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def csv_rows(text: str, where: str, expected: str) -> list[tuple[int, list[str]]]:
    """Cells of each row of comma-separated values, without blanks around them, and the number of the line on
    which it ends; lines that are empty or begin with ``#`` are left out.

    Parameters
    ----------
    where, expected
        The file, and what it should hold, for the message.

    Raises
    ------
    E3DError
        The text is no such table.
    """
    number = 0

    def lines() -> Iterator[str]:
        nonlocal number
        for number, line in enumerate(text.splitlines(), 1):  # noqa: B007
            if line.strip() and not line.startswith("#"):
                yield line

    try:
        return [(number, [cell.strip() for cell in cells]) for cells in csv.reader(lines())]
    except csv.Error as error:
        raise E3DError(f"{where}, line {number}: {error}; expected {expected}") from None


def write_csv(columns: Sequence[Column], rows: Sequence[Row], path: str | os.PathLike) -> None:
    """Write a table as comma-separated values with a line of names, whole or not at all; nan is empty."""
    with atomic_path(path) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.name for column in columns])
        writer.writerows(
            ["" if _is_nan(row[column.name]) else row[column.name] for column in columns] for row in rows
        )


def write_json_rows(about: Row, key: str, rows: Sequence[Row], path: str | os.PathLike) -> None:
    """Write `about` and, under `key`, the rows of a table as JSON, whole or not at all; nan is null."""
    whole = dict(about)
    whole[key] = without_nan(rows)
    write_json(path, whole, indent=2)


def write_table(
    about: Row, key: str, columns: Sequence[Column], rows: Sequence[Row], path: str | os.PathLike
) -> None:
    """Write a table in the format of the file's ending, .csv or .json; `E3DError` for another ending."""
    ending = Path(path).suffix
    if ending == ".csv":
        write_csv(columns, rows, path)
    elif ending == ".json":
        write_json_rows(about, key, rows, path)
    else:
        raise E3DError(f"{path}: a table is written to a file that ends in .csv or .json, not '{ending}'")


def without_nan(value: Any) -> Any:
    """The same with None for nan, which JSON has not, in lists and dictionaries too; arrays as lists."""
    if hasattr(value, "tolist"):  # numpy's, without an import of it
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if _is_nan(value) else value


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _cell(value: Any, text_format: str) -> str:
    return "-" if _is_nan(value) else format(value, text_format)
