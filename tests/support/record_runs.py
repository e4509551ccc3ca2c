"""Records of ``fix e3d/record``: read by numpy alone, and written by it, without LAMMPS."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.edges.frames import BondFrame, EdgeFrame

NAME = re.compile(r"(.+)\.p(\d+)\.w(\d+)of(\d+)\.s(\d+)\.frames\.npy")
ENDS = [("i", "<i8"), ("j", "<i8"), ("type_i", "<i4"), ("type_j", "<i4"), ("vec", "<f8", (3,))]
ROWS = {"edges": [*ENDS, ("eps", "<f8")], "bonds": [*ENDS, ("e12", "<f8"), ("e21", "<f8")]}
FRAME = [
    ("step", "<i8"),
    ("first", "<i8"),
    ("end", "<i8"),
    ("cell", "<f8", (3, 3)),
    ("origin", "<f8", (3,)),
    ("pbc", "<i8", (3,)),
]


def shards(base: Path) -> list[tuple[int, int, int, int, Path]]:
    """(part, writer, writers, shard, index file), in this order."""
    found = []
    for path in base.parent.iterdir():
        match = NAME.fullmatch(path.name)
        if match and match[1] == base.name:
            found.append((*(int(word) for word in match.groups()[1:]), path))
    return sorted(found)


def rows_by_step(base: Path, kind: str = "edges") -> dict[int, np.ndarray]:
    """Rows of each step with numpy alone, in the order of files; each row of a shard belongs to one frame."""
    steps: dict[int, list[np.ndarray]] = {}
    for *_, path in shards(base):
        index = np.load(path, allow_pickle=False)
        rows = np.load(path.with_name(path.name.replace("frames", kind)), allow_pickle=False)
        assert np.array_equal(index["first"], [0, *index["end"][:-1]][: len(index)])
        assert index["end"][-1] == len(rows)
        for frame in index:
            steps.setdefault(int(frame["step"]), []).append(rows[frame["first"] : frame["end"]])
    return {step: np.concatenate(parts) for step, parts in sorted(steps.items())}


def write_record(
    path: Path,
    parts: Sequence[Sequence[EdgeFrame | BondFrame]],
    writers: int = 1,
    per_shard: int = 2,
    **about: Any,
) -> Path:
    """A record as the fix writes it, the rows of each frame dealt out to writers; returns ``BASE.json``."""
    base = path.with_suffix("")
    kind = "edges" if isinstance(parts[0][0], EdgeFrame) else "bonds"
    names = [name for name, *_ in ROWS[kind]]
    for part, frames in enumerate(parts, 1):
        for writer in range(writers):
            for shard, first in enumerate(range(0, len(frames), per_shard), 1):
                stem = f"{base}.p{part}.w{writer + 1:04d}of{writers:04d}.s{shard:04d}"
                index, rows, end = [], [], 0
                for frame in frames[first : first + per_shard]:
                    columns = [getattr(frame, name) for name in names]
                    size = len(columns[0])
                    own = slice(size * writer // writers, size * (writer + 1) // writers)
                    table = np.zeros(own.stop - own.start, dtype=ROWS[kind])
                    for name, column in zip(names, columns, strict=True):
                        table[name] = column[own]
                    rows.append(table)
                    box = frame.box
                    index.append((frame.step, end, end + len(table), box.cell, box.origin, box.pbc))
                    end += len(table)
                np.save(f"{stem}.{kind}.npy", np.concatenate(rows))
                np.save(f"{stem}.frames.npy", np.array(index, dtype=FRAME))
    text = {
        "format": "e3d-record/1",
        "rows": kind,
        "cutoff": "model",
        "group": "all",
        "units": "metal",
        "elements": ["C", "H", "N", "O"],
        "fraction": 1.0,
        **about,
    }
    path.write_text(json.dumps(text, indent=1) + "\n")
    return path


def is_sampled(i: np.ndarray, j: np.ndarray, fraction: float) -> np.ndarray:
    """Which pairs of ids a fraction holds, as docs/fix_e3d_record.md says."""

    def mixed(x: np.ndarray) -> np.ndarray:
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))

    with np.errstate(over="ignore"):
        low, high = np.minimum(i, j).astype(np.uint64), np.maximum(i, j).astype(np.uint64)
        return mixed(mixed(low) + high) < np.uint64(int(fraction * 2.0**64))
