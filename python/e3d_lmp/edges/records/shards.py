"""Files of a record of ``fix e3d/record``, format ``e3d-record/1``: what lies where, what is whole.

A record is ``BASE.json`` and its shards, arrays in numpy's own format, of which numpy alone reads every one:

====================================  ======================================================================
BASE.json                             what the record is of: rows (``edges`` or ``bonds``), elements of the
                                      types, cutoff, fraction, units, model
BASE.pP.wWofN.sS.edges.npy            rows `EDGE` of many frames; .bonds.npy: rows `BOND`
BASE.pP.wWofN.sS.frames.npy           rows `FRAME`: step, rows and box of each frame in the shard
====================================  ======================================================================

P counts the parts: a run, and each of its restarts. N of its ranks wrote, each its own shards S. A frame is
whole where all N writers of a part have it. A writer says so in .frames.npy, after it has written the rows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from e3d_lmp.files import reading

FORMAT = "e3d-record/1"
EDGES, BONDS = "edges", "bonds"

_ENDS = [("i", "<i8"), ("j", "<i8"), ("type_i", "<i4"), ("type_j", "<i4"), ("vec", "<f8", (3,))]
EDGE = np.dtype([*_ENDS, ("eps", "<f8")])
BOND = np.dtype([*_ENDS, ("e12", "<f8"), ("e21", "<f8")])
"""Rows: ids and LAMMPS types of both atoms; r_j - r_i, angstrom; energies in LAMMPS's units."""

ROWS = {EDGES: EDGE, BONDS: BOND}
FRAME = np.dtype(
    [
        ("step", "<i8"),
        ("first", "<i8"),
        ("end", "<i8"),
        ("cell", "<f8", (3, 3)),
        ("origin", "<f8", (3,)),
        ("pbc", "<i8", (3,)),
    ]
)
"""A frame: rows ``first:end`` of the shard; cell vectors in rows, origin, angstrom; 1 where periodic."""

ADVICE = "copy the record again, or remove this shard"


@dataclass(frozen=True)
class Piece:
    """What one writer has of a frame: rows ``first:end`` of a file."""

    path: Path
    first: int
    end: int


@dataclass(frozen=True)
class Frames:
    """The whole frames of a record, in order of time.

    Attributes
    ----------
    table     (F,) `FRAME`, of the first writer
    pieces    those of each frame, in the order of writers
    partial   steps that not all writers have
    repeated  frames that a later part has made again
    """

    table: np.ndarray
    pieces: list[list[Piece]]
    partial: int
    repeated: int


def index_files(base: Path, kind: str) -> list[tuple[int, int, int, int, Path, Path]]:
    """(part, writer, writers, shard, frames, rows) of all shards of a record, in this order. One that is just
    being made, or whose writer was killed then, is left out."""
    pattern = re.compile(re.escape(base.name) + r"\.p(\d+)\.w(\d+)of(\d+)\.s(\d+)\.frames\.npy")
    found = []
    for path in base.parent.iterdir():
        match = pattern.fullmatch(path.name)
        if match:
            numbers = [int(word) for word in match.groups()]
            rows = path.with_name(path.name.removesuffix("frames.npy") + f"{kind}.npy")
            if not _is_bare(path, rows):
                found.append((*numbers, path, rows))
    return sorted(found)  # type: ignore[arg-type]


def _is_bare(index: Path, rows: Path) -> bool:
    """Whether there is no header in the index, and no row yet."""
    try:
        if index.stat().st_size > 0:
            return False
        with open(rows, "rb") as file:
            if file.read(1):
                file.seek(0)
                np.lib.format.read_magic(file)
                shape, *_ = np.lib.format.read_array_header_1_0(file)
                return shape[0] == 0
    except FileNotFoundError:  # a restarted run has just removed it
        pass
    except ValueError:
        return False
    return True


def read_index(path: Path) -> np.ndarray:
    """(F,) `FRAME` of one shard; `E3DError` where it is damaged."""
    with reading(path, "index of a record", ADVICE):
        table = np.load(path, allow_pickle=False)
        if table.dtype != FRAME or table.ndim != 1:
            raise ValueError(f"rows of {table.dtype} instead of {FRAME}")
        if (np.diff(table["step"]) <= 0).any():
            raise ValueError("steps that do not increase")
        if (table["first"] < 0).any() or (table["end"] < table["first"]).any():
            raise ValueError("a frame that ends before its first row")
        if not (np.isfinite(table["cell"]).all() and np.isfinite(table["origin"]).all()):
            raise ValueError("a box that is not finite")
    return table


def whole_frames(base: Path, kind: str) -> Frames:
    """The frames that all writers of their part have; of a step in several parts, that of the last one."""
    parts: dict[int, dict[int, dict[int, tuple[Piece, np.ndarray]]]] = defaultdict(lambda: defaultdict(dict))
    writers: dict[int, int] = {}
    for part, writer, of, _, path, rows in index_files(base, kind):
        writers[part] = of
        for entry in read_index(path):
            piece = Piece(rows, int(entry["first"]), int(entry["end"]))
            parts[part][int(entry["step"])][writer] = piece, entry
    pieces: list[list[Piece]] = []
    table: list[np.ndarray] = []
    partial = repeated = 0
    behind: int | None = None
    for part in sorted(parts, reverse=True):
        steps = sorted(step for step, found in parts[part].items() if len(found) == writers[part])
        partial += len(parts[part]) - len(steps)
        kept = [step for step in steps if behind is None or step < behind]
        repeated += len(steps) - len(kept)
        found = [[parts[part][step][writer] for writer in sorted(parts[part][step])] for step in kept]
        pieces[:0] = [[piece for piece, _ in frame] for frame in found]
        table[:0] = [frame[0][1] for frame in found]
        behind = min([*steps, *([] if behind is None else [behind])], default=None)
    return Frames(np.array(table, dtype=FRAME), pieces, partial, repeated)


def read_piece(piece: Piece, kind: str) -> np.ndarray:
    """Rows of one writer, `EDGE` or `BOND`; `E3DError` where they are not there or cannot be."""
    with reading(piece.path, "record", ADVICE):
        rows = np.load(piece.path, mmap_mode="r", allow_pickle=False)
        if rows.dtype != ROWS[kind] or rows.ndim != 1:
            raise ValueError(f"rows of {rows.dtype} instead of {ROWS[kind]}")
        offset = rows.offset
        if rows.shape[0] < piece.end:
            raise ValueError(f"{rows.shape[0]} rows, and its index has {piece.end}")
        # not through the map: a file that is cut off behind our back is an error then, and no signal
        count = piece.end - piece.first
        with open(piece.path, "rb") as file:
            file.seek(offset + piece.first * rows.dtype.itemsize)
            part = np.fromfile(file, rows.dtype, count)
        if part.size < count:
            raise ValueError("cut off")
        if part.size and (min(part["i"].min(), part["j"].min()) < 1 or part["type_i"].min() < 1):
            raise ValueError("rows without atoms: did the machine go down while it was written?")
        energies = [name for name in ("eps", "e12", "e21") if name in (part.dtype.names or ())]
        if not all(np.isfinite(part[name]).all() for name in ("vec", *energies)):
            raise ValueError("a number that is not finite")
    return part
