"""Numbers in the rows of a LAMMPS text dump, exact to the last bit; a compiled kernel reads them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from e3d_lmp import kernel
from e3d_lmp.errors import E3DError

WORD, NUMBER, ID, TYPE, REAL, SYMBOL = range(6)
"""Kinds of columns: any word and any finite number, which are not kept; int64 ids, int32 types, float64
numbers, and symbols of at most 8 bytes (S8). ``e3d_column_*`` of edge_kernel.h."""

DTYPES = {ID: np.dtype(np.int64), TYPE: np.dtype(np.int32), REAL: np.dtype(np.float64), SYMBOL: np.dtype("S8")}

DONE, END, HEADER, ROW, NOT_WHOLE, LOST_DIGITS = range(6)
"""Why reading stopped, ``e3d_stop_*``: all rows are read; the text ends; another frame's header; a bad row; an
id or type that is no whole number; an id that lost digits."""

_LARGEST = {ID: "2^53", TYPE: "2^31 - 1"}


class RowReader:
    """Reads rows of text into arrays.

    Parameters
    ----------
    names
        Names of the columns, for messages.
    kinds
        What each column holds.
    targets
        An array (rows,) of `DTYPES` for each column, None where nothing is kept.

    Attributes
    ----------
    stop : why the last `read` stopped
    """

    def __init__(self, names: Sequence[str], kinds: Sequence[int], targets: Sequence[np.ndarray | None]):
        count = len(names)
        for kind, target in zip(kinds, targets, strict=True):
            assert target is None or target.dtype == DTYPES[kind]
        self._names, self._kinds = names, kinds
        self._targets = targets  # kept alive
        self._kind = (ctypes.c_int32 * count)(*kinds)
        self._target = (ctypes.c_void_p * count)(*map(kernel.address, targets))
        self._stride = (ctypes.c_int64 * count)(*(0 if t is None else t.strides[0] for t in targets))
        self._columns = kernel.Columns(
            count,
            ctypes.addressof(self._kind),
            ctypes.addressof(self._target),
            ctypes.addressof(self._stride),
        )
        self._report = kernel.RowReport()
        self.stop = DONE

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
        if self.stop == NOT_WHOLE:
            largest = _LARGEST[self._kinds[found.column]]
            name = self._names[found.column]
            return E3DError(
                f"{where}: column {name} must hold whole numbers from 1 to {largest}, got {found.value:.17g}"
            )
        if self.stop == LOST_DIGITS:
            word = row.split()[found.column].decode()
            return E3DError(
                f"{where}: atom id {word} has lost digits; add 'dump_modify ID format float %.17g' "
                "after the dump command and run again (by default LAMMPS prints no more than 6 digits)"
            )
        what = "words" if SYMBOL in self._kinds or WORD in self._kinds else "finite numbers"
        line = row.decode("ascii", "replace")
        shown = line if len(line) <= 500 else line[:500] + " ..."
        return E3DError(f"{where}: expected {len(self._names)} {what} in a row, got '{shown}'")
