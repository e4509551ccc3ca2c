"""Reader of records of ``fix e3d/record`` (`e3d_lmp.edges.records.shards` has their format)."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.edges.cutoffs import unknown_elements
from e3d_lmp.edges.frames import BondFrame, Box, EdgeFrame
from e3d_lmp.edges.records.shards import EDGES, FORMAT, ROWS, index_files, read_piece, whole_frames
from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_object, starts_with
from e3d_lmp.units import ev_per_unit

EXPECTED = f"a record of fix e3d/record ({FORMAT})"
_KEYS = ("format", "rows", "elements", "units", "cutoff", "fraction")
_PROVENANCE = ("cutoff", "group", "model", "model_source", "lammps")


def is_record(path: str | os.PathLike) -> bool:
    """Whether a file is the ``BASE.json`` of a record, of any version, by its first bytes."""
    return starts_with(path, b'{\n "format": "e3d-record/')


class RecordReader:
    """The frames of a record, read when they are asked for: `EdgeFrame`, or `BondFrame` where it holds bonds.

    ``len(record)``, ``record[k]``, ``record[a:b:c]`` and iteration are those of `StoreReader`. A record that
    is still being written, or whose writer was killed, is read up to its last whole frame.

    Parameters
    ----------
    path
        ``BASE.json``.
    every
        Take one frame out of so many, starting with the first.
    share
        (rank, ranks): iterate over the frames whose turn is that of this rank.

    Attributes
    ----------
    kind : ``edges`` or ``bonds``
    elements : tuple of str, chemical symbol of each type; empty where one of them has none
    provenance : dict of str
    fraction : part of all pairs of atoms that was recorded
    files : the shards
    bytes_total, bytes_read : of the rows of all frames, and of those that were read
    after : int or None; iteration passes over the frames up to this step
    passed : how many frames they are, whatever `every` is
    repeated, truncated : frames that a restarted run has made again, and frames that are not whole

    Raises
    ------
    E3DError
        No such file, or it is damaged, or of a newer version of the format.
    """

    def __init__(self, path: str | os.PathLike, every: int = 1, share: tuple[int, int] = (0, 1)):
        if every < 1:
            raise E3DError(f"--every {every}: expected a whole number of at least 1")
        self.path = Path(path)
        self.every = every
        self.share = share
        self.after: int | None = None
        self.on_wait: Callable[[], None] | None = None
        about = read_object(self.path, EXPECTED, "record again", _KEYS)
        if about["format"] != FORMAT:
            raise E3DError(f"{path}: '{about['format']}'; this version of e3d reads {FORMAT} only")
        self.kind = str(about["rows"])
        elements = about["elements"]
        fraction = about["fraction"]
        if self.kind not in ROWS or not isinstance(elements, list) or not isinstance(fraction, (int, float)):
            raise E3DError(f"{path}: damaged: rows '{self.kind}', elements {elements}, fraction {fraction}")
        known = all(isinstance(each, str) and each for each in elements) and not unknown_elements(elements)
        self.elements = tuple(elements) if known else ()
        self.fraction = float(fraction)
        self._ev = ev_per_unit(str(about["units"]), str(path))
        self.provenance = {key: str(about[key]) for key in _PROVENANCE if key in about}
        if self.fraction < 1.0:
            self.provenance["fraction"] = str(self.fraction)

        base = self.path.with_suffix("")
        frames = whole_frames(base, self.kind)
        self._table, self._pieces = frames.table, frames.pieces
        self.files = [rows for *_, rows in index_files(base, self.kind)]
        self.repeated, self.truncated = frames.repeated, frames.partial
        self._range = range(0, len(self._pieces), every)
        row = ROWS[self.kind].itemsize
        self.bytes_total = row * sum(p.end - p.first for k in self._range for p in self._pieces[k])
        self.bytes_read = 0

    def __len__(self) -> int:
        return len(self._range)

    def __getitem__(self, key: int | slice) -> Any:
        if isinstance(key, slice):
            part = copy.copy(self)
            part._range = self._range[key]
            return part
        try:
            return self._read(self._range[key])
        except IndexError:
            raise IndexError(f"frame {key} of {len(self)} in {self.path}") from None

    def __iter__(self) -> Iterator[EdgeFrame | BondFrame]:
        self.bytes_read = 0
        rank, ranks = self.share
        wanted = [k for k in self._range if self.after is None or self._table["step"][k] > self.after]
        for k in wanted[rank::ranks]:
            yield self._read(k)

    @property
    def steps(self) -> np.ndarray:
        """(F,) int64 time steps."""
        return self._table["step"][np.asarray(self._range, dtype=np.int64)]

    @property
    def passed(self) -> int:
        return 0 if self.after is None else int((self._table["step"] <= self.after).sum())

    def remarks(self) -> list[str]:
        """What the user must know about frames that were left out, and rows that never were there."""
        remarks = []
        if self.truncated:
            remarks.append(f"{self.truncated} frames left out that not all writers of {self.path} have")
        if self.repeated:
            remarks.append(f"{self.repeated} frames left out that a restarted run has made again")
        if self.fraction < 1.0:
            remarks.append(
                f"{self.path} has a fraction {self.fraction:g} of all pairs of atoms: counts and sums of "
                "energies are those of this sample, and atoms lack bonds"
            )
        return remarks

    def _read(self, k: int) -> EdgeFrame | BondFrame:
        """Frame k of all that are whole."""
        parts = [read_piece(piece, self.kind) for piece in self._pieces[k]]
        rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self.bytes_read += rows.nbytes
        entry = self._table[k]
        box = Box(entry["cell"].copy(), entry["origin"].copy(), entry["pbc"].astype(bool))
        columns = [np.ascontiguousarray(rows[name]) for name in (rows.dtype.names or ())]
        if self._ev != 1.0:
            for energies in columns[5:]:
                energies *= self._ev
        frame = EdgeFrame if self.kind == EDGES else BondFrame
        return frame(int(entry["step"]), box, *columns)
