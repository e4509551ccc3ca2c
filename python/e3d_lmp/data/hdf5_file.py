"""HDF5 files of training data: opened and read within one boundary for what h5py raises."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import h5py

from e3d_lmp.errors import E3DError


@contextlib.contextmanager
def open_hdf5(path: str | Path, layout: str) -> Iterator[h5py.File]:
    """The file, open for reading.

    Parameters
    ----------
    layout : name of the layout, for the message

    Raises
    ------
    E3DError
        The file cannot be opened, or what is read of it while it is open is damaged.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise E3DError(
            f"expected an HDF5 file in the {layout} layout at '{path}', got: {error}; check the path"
        ) from error
    with file:
        try:
            yield file
        except E3DError:
            raise
        except Exception as error:  # h5py raises whatever it likes on damaged files
            raise E3DError(
                f"expected the {layout} layout in '{path}', got {type(error).__name__}: {error}; the file is "
                "damaged, or not in this layout"
            ) from error
