"""Numbers in the rows of a LAMMPS text dump.

Numbers are tokenised by `scipy.io.mmread`, whose parser is exact and the fastest that our dependencies bring:
each block of rows is handed over as a Matrix Market array.
"""

from __future__ import annotations

import io

import numpy as np
import scipy.io

from e3d_lmp.errors import E3DError

MAX_EXACT_ID = 2**53
"""Atom ids pass through LAMMPS computes as doubles, which are exact up to here."""

_NUMBER_BYTES = b"0123456789+-.eE \t\r\n"
_ONE_PER_LINE = bytes.maketrans(b" \t\r", b"\n\n\n")


def tokenise(text: bytes, columns: int, rows: int, where: str) -> np.ndarray:
    """(columns, rows) float64 of the numbers in the text of whole rows."""
    if rows == 0:
        return np.zeros((columns, 0))
    stray = text.translate(None, _NUMBER_BYTES)
    if not stray:
        size = f"%%MatrixMarket matrix array real general\n{columns} {rows}\n".encode()
        try:
            return scipy.io.mmread(io.BytesIO(size + text.translate(_ONE_PER_LINE)))
        except ValueError:
            pass
    for line in text.splitlines():
        words = line.split()
        try:
            if len(words) == columns and np.isfinite([float(word) for word in words]).all():
                continue
        except ValueError:
            pass
        raise E3DError(
            f"{where}: expected {columns} finite numbers in a row, got '{line.decode('ascii', 'replace')}'"
        )
    raise E3DError(
        f"{where}: rows that are not {columns} plain numbers; write the dump with format float %.17g"
    )


def whole_numbers(values: np.ndarray, name: str, where: str) -> np.ndarray:
    """The same (rows,) numbers as int64; `E3DError` if one is none from 1 to `MAX_EXACT_ID`."""
    ints = values.astype(np.int64)
    if not np.array_equal(ints, values) or (ints.size and not 1 <= ints.min() <= ints.max() <= MAX_EXACT_ID):
        bad = values[(ints != values) | (values < 1) | (values > MAX_EXACT_ID)][0]
        raise E3DError(f"{where}: column {name} must hold whole numbers from 1 to 2^53, got {bad:.17g}")
    return ints


def exact_ids(values: np.ndarray, text: bytes, column: int, where: str) -> np.ndarray:
    """(rows,) int64 atom ids; refuses ids that lost digits in print, such as 1.23457e+06 for 1234567."""
    ids = whole_numbers(values, "tag1 or tag2", where)
    # A format of p digits prints every id of more than p digits in scientific notation: the largest id tells.
    if b"+" in text and ids.size:
        word = text.splitlines()[int(ids.argmax())].split()[column].lower()
        mantissa, _, exponent = word.partition(b"e")
        if exponent and sum(digit in b"0123456789" for digit in mantissa) <= int(exponent):
            raise E3DError(
                f"{where}: atom id {word.decode()} has lost digits; add 'dump_modify ID format float %.17g' "
                "after the dump command and run again (by default LAMMPS prints no more than 6 digits)"
            )
    return ids
