"""Edge stores, HDF5 files of the format ``e3d-edges/1``: what lies where, and the reader.

Columns are flat, and the rows of frame k are ``first:end = edge_offset[k]``:

==========================  =================  ===========================================================
/                           attributes         format ``e3d-edges/1``; kind ``edges`` or ``pairs``; elements,
                                               symbol of each type, blanks between, '' where not known
/provenance                 attributes         where the frames come from, one line of text per key
/frames/state               (2,) int64         number of whole frames; 1 if the writer finished, else 0
/frames/step                (F,) int64         time step, or number of the structure
/frames/edge_offset         (F, 2) int64       first row and end in /edges (or /pairs)
/frames/atom_offset         (F, 2) int64       first row and end in /atoms; equal where the atoms are
/frames/cell                (F, 3, 3) float64  angstrom, cell vectors in rows
/frames/origin, pbc         (F, 3)             float64, angstrom; uint8, 1 where periodic
/frames/NAME                (F,)               more numbers or names, one per frame (`FRAME_COLUMNS`)
/edges/i, j                 (E,)               int32 or int64, atom ids of centre and neighbour
/edges/vec, eps             (E, 3), (E,)       r_j - r_i, angstrom; eV; float64, or float32 if asked for
/pairs/i, j, vec, e12, e21  as above           instead of /edges: each pair once, with both energies
/atoms/id, type, element    (N,)               in the order of ids; type from 1; '' where not known
/atoms/position, force      (N, 3) float64     angstrom, eV/angstrom; where known
/atoms/reference_force      (N, 3) float64     eV/angstrom, as the source has it; nan where it has none
==========================  =================  ===========================================================

Rows beyond the whole frames are what a killed writer left; they are no part of the store.
`e3d_lmp.edges.store.writer` writes such files.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from e3d_lmp.edges.cutoffs import unknown_elements
from e3d_lmp.edges.frames import AtomRows, BondFrame, Box, EdgeFrame
from e3d_lmp.edges.hdf5 import open_hdf5
from e3d_lmp.edges.store.checks import check_atoms, check_boxes, check_layout, check_rows
from e3d_lmp.edges.store.superblock import is_marked
from e3d_lmp.errors import E3DError
from e3d_lmp.files import input_file, reading, starts_with

FORMAT = "e3d-edges/1"
EDGES = "edges"
PAIRS = "pairs"
ROW_COLUMNS = {EDGES: ("i", "j", "vec", "eps"), PAIRS: ("i", "j", "vec", "e12", "e21")}
"""Columns of each kind of store."""

FRAME_COLUMNS: dict[str, Any] = {
    "energy": np.float64,  # eV, of the model: all edges and mu of all atoms
    "reference_energy": np.float64,  # eV, as the source has it
    "source": np.int64,  # number of the structure in the source, counted from 0
    "name": "S128",  # of the structure
    "beyond": np.int64,  # pairs whose second edge is beyond its directed cutoff
    "unpaired": np.int64,  # edges left out because their partner is absent
}
"""Further columns that /frames may have."""

PARTIAL = ".partial"
"""Ending of a store that its writer has not finished."""

BLOCK_ROWS = 1 << 19
"""Rows read at a time when frames are taken in order."""

BLOCK_ATOMS, BLOCK_FRAMES = 1 << 17, 1 << 14
"""Atoms and frames read at a time at most (one frame at least) when only atoms are wanted."""


def is_store(path: str | os.PathLike) -> bool:
    """Whether a file is HDF5, by its first bytes."""
    return starts_with(path, b"\x89HDF\r\n\x1a\n")


class StoreReader:
    """The frames of an edge store, read when they are asked for.

    ``len(store)``, ``store[k]`` and iteration give `EdgeFrame`, or `BondFrame` where the file holds pairs, as
    `DumpReader` does. ``store[a:b:c]`` is a part of the store with the same methods. An unfinished file, even
    one that is being written, is read up to its last whole frame.

    Parameters
    ----------
    path
        The file.
    every
        Take one frame out of so many, starting with the first.

    Attributes
    ----------
    kind : ``edges`` or ``pairs``
    elements : tuple of str, chemical symbol of each type; empty where not known
    provenance : dict of str
    every : as given
    is_complete : whether the writer finished
    files, bytes_total, bytes_read, repeated, truncated
        As those of `e3d_lmp.edges.dumps.reader.DumpReader`.

    Raises
    ------
    E3DError
        No such file, or it is damaged, of another format, or of a newer version of the format.
    """

    def __init__(self, path: str | os.PathLike, every: int = 1):
        if every < 1:
            raise E3DError(f"--every {every}: expected a whole number of at least 1")
        self.path = Path(path)
        self.every = every
        self._file = _open(self.path)
        try:
            with self._reading():
                self.kind = _check_format(self.path, self._file)
                self._load()
        except BaseException:
            self._file.close()
            raise
        self._range = range(0, self._frames, every)
        self.files = [self.path]
        self.bytes_total = int(self._file.id.get_filesize())  # the name may be another by now
        self.bytes_read = 0
        self.repeated = self.truncated = 0

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> StoreReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._range)

    def __getitem__(self, key: int | slice) -> Any:
        if isinstance(key, slice):
            part = copy.copy(self)
            part._range = self._range[key]
            return part
        number = self._number(key)
        return next(self._frames_of(range(number, number + 1)))

    def __iter__(self) -> Iterator[EdgeFrame | BondFrame]:
        self.bytes_read = 0
        for block in self._blocks():
            yield from self._frames_of(block)
            self.bytes_read = self.bytes_total * block[-1] // max(self._frames, 1)
        self.bytes_read = self.bytes_total

    def atom_rows(self, k: int) -> tuple[int, int]:
        """First row and end of frame k in /atoms; equal for frames with the same atoms."""
        first, end = self._atom_offset[self._number(k)]
        return int(first), int(end)

    def atoms(self, k: int) -> AtomRows:
        """The atoms of frame k, in the order of their ids."""
        return self._read_atoms(*self.atom_rows(k))

    def iter_atoms(self) -> Iterator[AtomRows]:
        """The atoms of every frame, in order; many frames are read at once, which is much faster than `atoms`
        of one after the other where frames are small.
        """
        offset = self._atom_offset[np.asarray(self._range, dtype=np.int64)]
        at = 0
        while at < len(offset):
            part = offset[at : at + BLOCK_FRAMES]
            lows, highs = np.minimum.accumulate(part[:, 0]), np.maximum.accumulate(part[:, 1])
            count = max(1, int(np.searchsorted(highs - lows, BLOCK_ATOMS, side="right")))
            low = int(lows[count - 1])
            block = self._read_atoms(low, int(highs[count - 1]))
            for first, end in (part[:count] - low).tolist():
                whole = (getattr(block, column.name) for column in fields(AtomRows))
                rows: list[Any] = [None if column is None else column[first:end] for column in whole]
                yield AtomRows(*rows)
            at += count

    def _read_atoms(self, first: int, end: int) -> AtomRows:
        """Rows of /atoms."""
        with self._reading():
            group = self._file["atoms"]
            rows = AtomRows(
                id=group["id"][first:end].astype(np.int64),
                type=group["type"][first:end].astype(np.int32),
                element=group["element"][first:end].astype(str),
                position=group["position"][first:end] if "position" in group else None,
                force=group["force"][first:end] if "force" in group else None,
                reference_force=group["reference_force"][first:end] if "reference_force" in group else None,
            )
            for name in ("position", "force"):
                values = getattr(rows, name)
                if values is not None and not np.isfinite(values).all():
                    raise ValueError(f"'/atoms/{name}' that is not finite")
            check_atoms(rows.id, rows.type, self._boundaries(first, end))
            strange = set(np.unique(rows.element).tolist()) - {""}
            if unknown_elements(sorted(strange)):
                raise ValueError(f"'{unknown_elements(sorted(strange))[0]}' is no chemical element")
        return rows

    def has(self, name: str) -> bool:
        """Whether /frames has this column."""
        with self._reading():
            return name in self._file["frames"]

    def values(self, name: str) -> np.ndarray:
        """(F,) one number or str per frame: ``step`` or one of `FRAME_COLUMNS`; `E3DError` if not there."""
        if not self.has(name):
            there = ", ".join(sorted(set(self._file["frames"]) & {"step", *FRAME_COLUMNS}))
            raise E3DError(f"{self.path}: no column '{name}' of frames; expected one of: {there}")
        with self._reading():
            whole = self._file["frames"][name][: self._frames]
            picked = whole[np.asarray(self._range, dtype=np.int64)]
            return np.char.decode(picked, "utf-8") if picked.dtype.kind == "S" else picked

    def remarks(self) -> list[str]:
        """What the user must know about a store that its writer has not finished, or that lacks edges."""
        remarks = []
        if not self.is_complete:
            remarks.append(f"{self.path} is not finished: only the {self._frames} frames that it has so far")
        unpaired = int(self.values("unpaired").sum()) if self.has("unpaired") else 0
        if unpaired:
            remarks.append(f"{unpaired} edges without a partner were left out when {self.path} was made")
        return remarks

    @property
    def steps(self) -> np.ndarray:
        """(F,) int64 time steps."""
        return self._step[np.asarray(self._range, dtype=np.int64)]

    @property
    def row_counts(self) -> np.ndarray:
        """(F,) int64 number of edges, or pairs, of each frame."""
        offset = self._edge_offset[np.asarray(self._range, dtype=np.int64)]
        return offset[:, 1] - offset[:, 0]

    def _number(self, key: int) -> int:
        try:
            return self._range[key]
        except IndexError:
            raise IndexError(f"frame {key} of {len(self)} in {self.path}") from None

    def _load(self) -> None:
        """Take the tables of frames into memory; raise if they do not fit together."""
        more = {name: np.dtype(kind).kind for name, kind in FRAME_COLUMNS.items()}
        self._frames, self.is_complete = check_layout(self._file, self.kind, ROW_COLUMNS[self.kind], more)
        frames = self._file["frames"]
        self._step = frames["step"][: self._frames].astype(np.int64)
        self._edge_offset = frames["edge_offset"][: self._frames].astype(np.int64)
        self._atom_offset = frames["atom_offset"][: self._frames].astype(np.int64)
        self._atom_ends = np.unique(self._atom_offset)
        self.elements = tuple(str(self._file.attrs["elements"]).split())
        strange = unknown_elements(self.elements)
        if strange:
            raise ValueError(f"'{strange[0]}' is no chemical element")
        self.provenance = {k: str(v) for k, v in self._file["provenance"].attrs.items()}

    def _boundaries(self, first: int, end: int) -> np.ndarray:
        """Where the atoms of frames begin and end among rows of /atoms, counted from `first`."""
        low, high = np.searchsorted(self._atom_ends, [first, end + 1])
        return self._atom_ends[low:high] - first

    def _reading(self) -> contextlib.AbstractContextManager[None]:
        return reading(self.path, "edge store", "make it again")

    def _blocks(self) -> Iterator[range]:
        """Runs of frames that are read together."""
        numbers = self._range
        if numbers.step != 1:
            yield from (range(k, k + 1) for k in numbers)
            return
        at = numbers.start
        while at < numbers.stop:
            limit = self._edge_offset[at, 0] + BLOCK_ROWS
            end = int(np.searchsorted(self._edge_offset[at : numbers.stop, 1], limit, side="right")) + at
            yield range(at, max(end, at + 1))
            at = max(end, at + 1)

    def _frames_of(self, block: range) -> Iterator[Any]:
        """The frames of a run of numbers, with one reading for all of them."""
        at = slice(block.start, block.stop)
        with self._reading():
            table = {name: self._file["frames"][name][at] for name in ("cell", "origin", "pbc")}
            edges, atoms = self._edge_offset[at], self._atom_offset[at]
            first, first_atom = int(edges[:, 0].min()), int(atoms[:, 0].min())
            group = self._file[self.kind]
            columns = [group[name][first : int(edges[:, 1].max())] for name in ROW_COLUMNS[self.kind]]
            ids = self._file["atoms"]["id"][first_atom : int(atoms[:, 1].max())].astype(np.int64)
            types = self._file["atoms"]["type"][first_atom : int(atoms[:, 1].max())].astype(np.int32)
            check_boxes(**table)
            check_rows(dict(zip(ROW_COLUMNS[self.kind], columns, strict=True)))
            check_atoms(ids, types, self._boundaries(first_atom, first_atom + ids.size))
        kinds = (np.int64, np.int64, *[np.float64] * (len(columns) - 2))
        columns = [column.astype(kind, copy=False) for column, kind in zip(columns, kinds, strict=True)]
        frame = EdgeFrame if self.kind == EDGES else BondFrame
        # Atoms that all frames share are looked up once for all of them.
        shared: list[np.ndarray] | None = None
        if len(block) > 1 and np.array_equal(atoms, np.broadcast_to(atoms[0], atoms.shape)):
            where = f"steps {self._step[block[0]]} to {self._step[block[-1]]}"
            shared = [self._types(ids, types, end, where) for end in columns[:2]]
        for k in range(len(block)):
            step = int(self._step[block[k]])
            rows = slice(int(edges[k, 0]) - first, int(edges[k, 1]) - first)
            i, j, *numbers = (column[rows] for column in columns)
            if shared is not None:
                type_i, type_j = (end[rows] for end in shared)
            else:
                own = slice(int(atoms[k, 0]) - first_atom, int(atoms[k, 1]) - first_atom)
                type_i, type_j = (self._types(ids[own], types[own], end, f"step {step}") for end in (i, j))
            box = Box(table["cell"][k], table["origin"][k], table["pbc"][k].astype(bool))
            yield frame(step, box, i, j, type_i, type_j, *numbers)

    def _types(self, ids: np.ndarray, types: np.ndarray, wanted: np.ndarray, where: str) -> np.ndarray:
        """Types of the atoms with the wanted ids."""
        if ids.size and ids[0] == 1 and ids[-1] == ids.size:
            at = wanted - 1
            known = not wanted.size or (wanted.min() >= 1 and wanted.max() <= ids.size)
        else:
            at = np.searchsorted(ids, wanted)
            known = not wanted.size or (at.max() < ids.size and np.array_equal(ids[at], wanted))
        if not known:
            raise E3DError(f"{self.path}, {where}: an edge of an atom that is not among the atoms")
        return types[at]


def _open(path: Path) -> h5py.File:
    """The file, whether it is whole, unfinished, or being written."""
    expected = f"expected an edge store ({FORMAT})"
    if not path.exists():
        partial = path.with_name(path.name + PARTIAL)
        if partial.is_file():
            raise E3DError(
                f"{path}: not finished yet; give the command that makes it again to go on, "
                f"or read {partial} up to its last whole frame"
            )
        raise E3DError(f"{path}: no such file; {expected}, as 'e3d convert' and 'e3d evaluate' make it")
    input_file(path, f"an edge store ({FORMAT})")
    # Not finished: a reader beside a writer (SWMR), which may be in this process.
    return open_hdf5(path, f"an edge store ({FORMAT})", swmr=is_marked(path), beside_writer=True)


def _check_format(path: Path, file: h5py.File) -> str:
    """The kind of the store; raises if the file is none that this version reads."""
    found = str(file.attrs.get("format", ""))
    if found != FORMAT:
        if found.startswith(FORMAT.split("/")[0] + "/"):
            raise E3DError(f"{path}: an edge store '{found}'; this version of e3d reads {FORMAT} only")
        raise E3DError(
            f"{path}: an HDF5 file without the attribute 'format = {FORMAT}': not an edge store; "
            "'e3d evaluate MODEL FILE -o edges.h5' makes one of structures"
        )
    kind = str(file.attrs.get("kind", ""))
    missing = [name for name in ("frames", "atoms", "provenance", kind) if name not in file]
    if kind not in ROW_COLUMNS or missing:
        gone = ", ".join(missing) or "nothing"
        raise E3DError(f"{path}: damaged edge store (kind '{kind}', missing: {gone}); make it again")
    return kind
