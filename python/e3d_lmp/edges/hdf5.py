"""HDF5 files, ours and those of others: how they are opened, and what is checked before it is read.

A file may be damaged anywhere, and h5py then raises whatever it likes (`e3d_lmp.files.reading`); sizes that a
file says of itself are not believed before the bytes behind them are there.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence

import h5py
import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.files import input_file

SMALL = 1 << 26
"""Bytes of a data set that are read whatever the file holds of them."""

LAST_ELEMENT = 118

PACKED_AT_MOST = 2000
"""Bytes that a byte in the file may stand for: deflate packs 1,032 into one at most."""

_NO_LOCKS = re.compile(r"unable to lock file, errno = (?!11\b)\d+")
"""HDF5's message where the file system has no locks (Lustre, ZFS); errno 11: another process has the lock."""


def open_hdf5(
    path: str | os.PathLike, expected: str, swmr: bool = False, beside_writer: bool = False
) -> h5py.File:
    """The file, open for reading; without a lock where the file system has none.

    Parameters
    ----------
    expected
        What the file should hold, for the message.
    swmr
        Read beside a writer that allows it.
    beside_writer
        Open it without a lock too where another process has one.

    Raises
    ------
    E3DError
        It is no regular file, or HDF5 cannot open it.
    """
    input_file(path, expected)
    reason = ""
    for locking in (None, False):
        try:
            return h5py.File(path, "r", swmr=swmr, locking=locking)
        except Exception as error:  # of damaged files h5py raises more than OSError
            reason = reason or str(error) or type(error).__name__
            if not (beside_writer or _NO_LOCKS.search(reason)):
                break
    raise E3DError(f"{os.fspath(path)}: expected {expected}, but HDF5 cannot open it ({reason})")


def check_dataset(
    group: h5py.Group, name: str, kinds: str, tail: Sequence[int | None] = (), rows: int | None = None
) -> h5py.Dataset:
    """A data set of the kind and the shape that it should have.

    Parameters
    ----------
    kinds
        Of numpy's dtypes: ``i`` whole numbers (with sign or without), ``f`` floats, ``S`` bytes.
    tail
        Its shape after the first axis; None: any length.
    rows
        Rows that it must have at least.

    Raises
    ------
    ValueError
        There is none, or it is another; the message says which.
    """
    found = group.get(name)
    where = f"'{group.name.rstrip('/')}/{name}'"
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"no data set {where}")
    kind = found.dtype.kind.replace("u", "i").replace("b", "i")
    shape = found.shape
    fits = shape is not None and len(shape) == 1 + len(tail)
    fits = fits and all(want in (None, have) for want, have in zip(tail, shape[1:], strict=True))
    if kind not in kinds or not fits:
        raise ValueError(f"{where} is {found.dtype} of the shape {shape}")
    if rows is not None and shape[0] < rows:
        raise ValueError(f"rows of its frames are missing: {where} has {shape[0]} of {rows}")
    check_size(found, shape[0] if rows is None else rows)
    return found


def read_atomic_numbers(group: h5py.Group, name: str = "atomic_numbers") -> np.ndarray:
    """(N,) int64, the atomic numbers in a data set; `ValueError` where they are none of elements."""
    values = group[name][()]
    numbers = np.asarray(values).reshape(-1)
    if numbers.dtype.kind not in "iuf" or not ((numbers >= 1) & (numbers <= LAST_ELEMENT)).all():
        raise ValueError(f"expected atomic numbers from 1 to {LAST_ELEMENT} in '{group[name].name}'")
    whole = numbers.astype(np.int64)
    if (whole != numbers).any():
        raise ValueError(f"expected whole atomic numbers in '{group[name].name}'")
    return whole


def whole(dataset: h5py.Dataset) -> np.ndarray:
    """All numbers of a data set; `ValueError` where the file has not so many, or they are none."""
    if dataset.shape is None or dataset.dtype.kind not in "iuf":
        raise ValueError(f"expected numbers in '{dataset.name}', got {dataset.dtype} of {dataset.shape}")
    check_size(dataset, dataset.shape[0] if dataset.shape else 1)
    return dataset[()]


def check_size(dataset: h5py.Dataset, rows: int) -> None:
    """Raise `ValueError` where the file holds far fewer bytes than so many rows of a data set need."""
    size = rows * math.prod(dataset.shape[1:]) * dataset.dtype.itemsize
    there = dataset.id.get_storage_size()
    if size > SMALL and size > PACKED_AT_MOST * there:
        raise ValueError(f"'{dataset.name}' should have {size} bytes, the file has {there} of it")
