"""The compiled library ``libe3d_edges.so`` (edge_kernel/): its functions, and the structs that they take.

`dumps.rows` and `pairs` are its only callers. There is no second way in Python for a library that is missing:
the package is installed with it, and two ways would have to agree to the last bit for ever.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Sequence
from ctypes import c_double, c_int32, c_int64, c_void_p
from typing import Any

import numpy as np

from e3d_lmp import plugin
from e3d_lmp.errors import E3DError

LIBRARY = "libe3d_edges.so"
VERSION = 1
"""``e3d_kernel_version`` of edge_kernel/edge_kernel.h, whose structs those below repeat."""


_ALIGNMENT = 64


class Columns(ctypes.Structure):
    """``e3d_columns``: what the columns of a text hold, and where they are written."""

    _fields_ = (("count", c_int32), ("kind", c_void_p), ("target", c_void_p), ("stride", c_void_p))


class RowReport(ctypes.Structure):
    """``e3d_row_report``: how far reading got."""

    _fields_ = (
        ("rows", c_int64),
        ("used", c_int64),
        ("stop", c_int32),
        ("column", c_int32),
    )


class Edges(ctypes.Structure):
    """``e3d_edges``: the directed edges of a frame."""

    _fields_ = (
        ("count", c_int64),
        *((name, c_void_p) for name in ("i", "j", "type_i", "type_j", "vec", "eps", "eps_back")),
    )


class PairRules(ctypes.Structure):
    """``e3d_pair_rules``: labels and cutoffs by type."""

    _fields_ = (
        ("n_types", c_int32),
        *((name, c_void_p) for name in ("rank", "label", "bond", "model")),
        ("tolerance", c_double),
    )


class Pairs(ctypes.Structure):
    """``e3d_pairs``: where pairs are written."""

    _fields_ = (
        ("capacity", c_int64),
        *(
            (name, c_void_p)
            for name in ("label", "i", "j", "type_i", "type_j", "vec", "e12", "e21", "D", "A")
        ),
    )


class PairReport(ctypes.Structure):
    """``e3d_pair_report``: how many pairs there are, and what is wrong."""

    _fields_ = (
        *((name, c_int64) for name in ("pairs", "beyond", "unpaired", "bad_count", "bad_i", "bad_j")),
        ("bad_distance", c_double),
        ("error", c_int32),
        ("low_type", c_int32),
        ("high_type", c_int32),
    )


@functools.cache
def library() -> Any:
    """The library, loaded once; `E3DError` if it is missing or of another version of the package."""
    path = os.path.join(plugin.path(), LIBRARY)
    advice = "install the package again: bash scripts/setup.sh, or pip install . in the e3d-lmp sources"
    try:
        found = ctypes.CDLL(path)
    except OSError as error:
        raise E3DError(f"the compiled part of e3d-lmp cannot be loaded ({error}); {advice}") from None
    if found.e3d_kernel_get_version() != VERSION:
        raise E3DError(f"{path}: expected version {VERSION}, got {found.e3d_kernel_get_version()}; {advice}")
    pointer = ctypes.POINTER
    found.e3d_read_rows.restype = found.e3d_pair_edges.restype = None
    found.e3d_read_rows.argtypes = (
        c_void_p,
        c_int64,
        c_int64,
        c_int64,
        pointer(Columns),
        pointer(RowReport),
    )
    found.e3d_pair_edges.argtypes = (pointer(Edges), pointer(PairRules), pointer(Pairs), pointer(PairReport))
    return found


def address(array: np.ndarray | None) -> int | None:
    """Where the numbers of an array lie; None for none."""
    return None if array is None else array.__array_interface__["data"][0]


def room(rows: int, columns: Sequence[tuple[np.dtype, int]]) -> tuple[list[np.ndarray], list[int]]:
    """Uninitialised arrays in one block of memory, and the offset of each in bytes.

    Parameters
    ----------
    rows
        Length of the arrays.
    columns
        Type and width of each: 0 for (rows,), else (rows, width).
    """
    offsets, end = [], 0
    for dtype, width in columns:
        offsets.append(end)
        end += -(-rows * dtype.itemsize * (width or 1) // _ALIGNMENT) * _ALIGNMENT
    memory = np.empty(end, dtype=np.uint8)
    arrays = [
        np.ndarray((rows, width) if width else rows, dtype, memory, offset)
        for (dtype, width), offset in zip(columns, offsets, strict=True)
    ]
    first = memory.__array_interface__["data"][0]
    return arrays, [first + offset for offset in offsets]
