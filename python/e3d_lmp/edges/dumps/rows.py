"""Numbers in the rows of a LAMMPS text dump, exact to the last bit; a compiled kernel reads them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from e3d_lmp.edges import kernel
from e3d_lmp.errors import E3DError
from e3d_lmp.parsing import shortened

WORD, NUMBER, ID, TYPE, REAL, SYMBOL = range(6)
"""Kinds of columns: any word and any finite number, which are not kept; int64 ids, int32 types, float64
numbers, and symbols of at most 8 bytes (S8). ``e3d_column_*`` of edge_kernel.h."""

DTYPES: dict[int, np.dtype] = {
    ID: np.dtype(np.int64),
    TYPE: np.dtype(np.int32),
    REAL: np.dtype(np.float64),
    SYMBOL: np.dtype("S8"),
}

DONE, END, HEADER, ROW, NOT_WHOLE, LOST_DIGITS = range(6)
"""Why reading stopped, ``e3d_stop_*``: all rows are read; the text ends; another frame's header; a bad row;
an id or type that is no whole number; an id that lost digits."""

_LARGEST = {ID: "2^53", TYPE: "2^31 - 1"}


class RowReader:
    """Reads rows of text into arrays.

    Parameters
    ----------
    names
        Names of all columns.
    slots
        The columns that are kept, and their kind: each slot is one array, (rows,) of one column, or (rows, K)
        of K of them.
    other
        Kind of all other columns, `WORD` or `NUMBER`.

    Attributes
    ----------
    stop : why the last `read` stopped
    """

    def __init__(self, names: Sequence[str], slots: Sequence[tuple[tuple[str, ...], int]], other: int):
        count = len(names)
        self._names = names
        self._kind = (ctypes.c_int32 * count)(*[other] * count)
        self._target = (ctypes.c_void_p * count)()
        self._stride = (ctypes.c_int64 * count)()
        tables = (self._kind, self._target, self._stride)
        self._columns = kernel.Columns(count, *(ctypes.addressof(table) for table in tables))
        self._report = kernel.RowReport()
        self._shapes = [(DTYPES[kind], len(own) if len(own) > 1 else 0) for own, kind in slots]
        self._places: list[tuple[int, int, int]] = []  # column, its slot, bytes from the slot's beginning
        for slot, (own, kind) in enumerate(slots):
            size = DTYPES[kind].itemsize
            for k, name in enumerate(own):
                column = names.index(name)
                self._kind[column], self._stride[column] = kind, size * len(own)
                self._places.append((column, slot, size * k))
        self.stop = DONE

    def room(self, rows: int) -> list[np.ndarray]:
        """New arrays of the slots, which `read` fills; the caller keeps them alive until then."""
        arrays, addresses = kernel.room(rows, self._shapes)
        for column, slot, offset in self._places:
            self._target[column] = addresses[slot] + offset
        return arrays

    def read(self, text: bytes, at: int, first: int, rows: int) -> tuple[int, int]:
        """Read up to `rows` rows from place `at` of the text on.

        Parameters
        ----------
        first
            Row of the targets that takes the first of them.

        Returns
        -------
        rows
            Whole rows read.
        at
            Where the text goes on: behind the last of them; at the header or the row that `stop` speaks of.
        """
        start = ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p).value or 0
        kernel.library().e3d_read_rows(start + at, len(text) - at, first, rows, self._columns, self._report)
        self.stop = self._report.stop
        return self._report.rows, at + self._report.used

    def problem(self, text: bytes, at: int, where: str) -> E3DError:
        """What is wrong with the row at this place, after `read` stopped there."""
        row = text[at : text.find(b"\n", at)]
        found: Any = self._report
        word = ""
        if self.stop in (NOT_WHOLE, LOST_DIGITS):
            word = shortened(row.split()[found.column].decode("ascii", "replace"))
        if self.stop == NOT_WHOLE:
            largest = _LARGEST[self._kind[found.column]]
            name = self._names[found.column]
            return E3DError(f"{where}: column {name} must hold whole numbers from 1 to {largest}, got {word}")
        if self.stop == LOST_DIGITS:
            return E3DError(
                f"{where}: atom id {word} has lost digits; add 'dump_modify ID format float %.17g' "
                "after the dump command and run again (by default LAMMPS prints no more than 6 digits)"
            )
        what = "words" if {SYMBOL, WORD} & set(self._kind) else "finite numbers"
        line = row.decode("ascii", "replace")
        shown = line if len(line) <= 500 else line[:500] + " ..."
        return E3DError(f"{where}: expected {len(self._names)} {what} in a row, got '{shown}'")
