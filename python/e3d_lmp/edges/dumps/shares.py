"""Which bytes of plain dump files each rank of an MPI run reads: whole frames, found without reading numbers.

Each rank looks for the headers in its part of the bytes, one I after the other (`memchr`), which rows of
numbers do not have. What the ranks find together says where the first frame of each share starts, and which
number it has. Where the text is not as plain as LAMMPS writes it, there are no shares: every rank then passes
over the frames of the others (`DumpReader.share`), which is slower but reads whatever one process reads.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.edges.dumps.text import is_compressed

BLOCK_BYTES = 1 << 20
"""Text looked through at a time."""

_START = b"ITEM: TIMESTEP"
_HEADER = (_START, b"ITEM: NUMBER OF ", b"ITEM: BOX BOUNDS", b"ITEM: ")
_BEFORE = (b"ITEM: UNITS", b"ITEM: TIME")
"""How the four lines of a header begin, in their order, and what may come before it."""


@dataclass(frozen=True)
class Part:
    """Frames of one file that one rank reads, one after the other.

    Attributes
    ----------
    start    byte from which to read
    before   frames of the file before it
    end      frames of the file up to the last one of this part; None: read to the end of the file
    size     bytes, about
    units    what the file says about its units before `start`; None: nothing
    """

    start: int
    before: int
    end: int | None
    size: int
    units: str | None


@dataclass(frozen=True)
class ByteShare:
    """All that one rank reads.

    Attributes
    ----------
    parts   of each file, in the order of time
    seen    frames before them that are not repeated
    last    largest step of those; None where there are none
    """

    parts: dict[Path, Part]
    seen: int
    last: int | None


@dataclass
class Census:
    """The frames that start in a range of bytes of one file.

    Attributes
    ----------
    file        number of the file
    size        bytes of the range
    first       byte at which the first of them starts; -1: none does
    steps       their steps; not sent to other ranks
    count, top  how many, and the largest step
    units       the last word about units in the range and behind it, up to the next frame
    is_plain    whether each has the header that LAMMPS writes and, if lines are counted, as many as it says
    is_whole    whether the last of them has
    """

    file: int
    size: int
    first: int = -1
    steps: array = field(default_factory=lambda: array("q"))
    count: int = 0
    top: int | None = None
    units: str | None = None
    is_plain: bool = True
    is_whole: bool = True

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "steps": array("q")}


def take_census(path: Path, file: int, start: int, end: int, counts_lines: bool = False) -> Census:
    """Look for the frames that start in the bytes from `start` to `end` of a plain dump.

    Parameters
    ----------
    file
        Number of the file, for `Census.file`.
    counts_lines
        Whether to compare the lines of each frame with its header.
    """
    found = Census(file, end - start)
    try:
        with open(path, "rb") as raw:
            _look_through(_items(raw, start, counts_lines), end, counts_lines, found)
    except (OSError, ValueError, OverflowError):
        found.is_plain = False  # reading says what is wrong
    found.count, found.top = len(found.steps), max(found.steps, default=None)
    return found


def _look_through(
    items: Iterator[tuple[int, bytes, bytes, int]], end: int, counts_lines: bool, found: Census
) -> None:
    stage = rows = -1
    for at, item, value, lines in items:
        if stage == 3:
            found.is_whole = not counts_lines or lines == rows + 1
            stage = 4
        is_between = stage in (-1, 4)
        if item == _START:
            found.is_plain &= is_between and found.is_whole
            if at >= end:
                return
            if not found.steps:
                found.first = at
            found.steps.append(int(value or b"0"))  # the file may end here
            stage, found.is_whole = 0, False
        elif item in _BEFORE:
            found.is_plain &= is_between
            if item == _BEFORE[0]:
                found.units = value.decode("ascii", "replace").strip()
        elif not item:
            return
        elif stage >= 0:
            stage += 1
            found.is_plain &= stage < 4 and item.startswith(_HEADER[min(stage, 3)])
            if stage == 1:
                rows = int(value or b"0")
        if not found.is_plain:
            return


def _items(raw: Any, start: int, counts_lines: bool) -> Iterator[tuple[int, bytes, bytes, int]]:
    """Each line from byte `start` on that begins with "ITEM:".

    Yields
    ------
    at      byte at which it starts
    item    the line, b"" for the end of the file
    value   the line after it, or what there is of it
    lines   line ends since the item before, if they are counted
    """
    base = max(start - 1, 0)  # a byte more, to see whether a line starts at `start`
    raw.seek(base)
    text = raw.read(BLOCK_BYTES)
    at = counted = start - base
    lines = 0
    while True:
        at = text.find(b"I", at)
        if at < 0:
            more = raw.read(BLOCK_BYTES)
            lines += _line_ends(text, counted, len(text)) if counts_lines else 0
            if not more:
                yield base + len(text), b"", b"", lines
                return
            base += len(text) - 1
            text = text[-1:] + more
            at = counted = 1
            continue
        if base + at > 0 and text[at - 1] != 10:
            at += 1
            continue
        first = text.find(b"\n", at)
        second = text.find(b"\n", first + 1) if first >= 0 else -1
        if second < 0:
            more = raw.read(BLOCK_BYTES)
            if more:
                text += more
                continue
            if first < 0:
                at = len(text)  # cut off within the line
                continue
            second = len(text)  # no rows, or cut off
        if text.startswith(b"ITEM:", at):
            lines += _line_ends(text, counted, at) if counts_lines else 0
            yield base + at, text[at:first].strip(), text[first + 1 : second], lines
            lines, counted = 0, at
        at = first + 1


def _line_ends(text: bytes, first: int, end: int) -> int:
    return int(np.count_nonzero(np.frombuffer(text, np.uint8)[first:end] == 10))


def share_bytes(
    groups: Sequence[Sequence[Path]] | None, allow_truncated: bool, communicator: Any
) -> ByteShare | None:
    """What this rank reads of the files, about as many bytes as any other; called by all ranks together.

    Parameters
    ----------
    groups
        On rank 0: the files in their order, as `DumpReader.groups` gives them; None where there are none.
    allow_truncated
        Whether frames that are cut off do not count.

    Returns
    -------
    ByteShare
        None on all ranks if the frames cannot be told apart in this way: compressed files, several files of
        the same step, headers as LAMMPS does not write them, frames that are cut off before others.
    """
    rank, ranks = communicator.Get_rank(), communicator.Get_size()
    files = communicator.bcast(_plain_files(groups) if rank == 0 else None, root=0)
    if files is None:
        return None
    mine = [
        take_census(path, k, start, end, allow_truncated)
        for k, (path, start, end) in enumerate(byte_ranges(files, rank, ranks))
        if start < end
    ]
    every: list[list[Census]] = communicator.allgather(mine)
    share = plan_share(files, every, rank)
    if share is None:
        return None
    new = 0
    last = share.last
    for step in (step for census in mine for step in census.steps):
        if last is None or step > last:
            new, last = new + 1, step
    seen = sum(communicator.allgather(new)[:rank])
    return ByteShare(share.parts, seen, share.last)


def _plain_files(groups: Sequence[Sequence[Path]] | None) -> list[tuple[Path, int]] | None:
    """The files and their sizes in bytes; None if there are others among them."""
    if not groups or any(len(group) != 1 or is_compressed(group[0]) for group in groups):
        return None
    try:
        return [(group[0], os.stat(group[0]).st_size) for group in groups]
    except OSError:
        return None


def byte_ranges(files: Sequence[tuple[Path, int]], rank: int, ranks: int) -> list[tuple[Path, int, int]]:
    """The bytes of each file, of a size in bytes, that are those of one rank: first, and behind the last."""
    total = sum(size for _, size in files)
    low, high = total * rank // ranks, total * (rank + 1) // ranks
    ranges, base = [], 0
    for path, size in files:
        ranges.append((path, min(max(low - base, 0), size), min(max(high - base, 0), size)))
        base += size
    return ranges


def plan_share(
    files: Sequence[tuple[Path, int]], every: Sequence[Sequence[Census]], rank: int
) -> ByteShare | None:
    """What a rank reads, from what all of them found; `seen` is not known yet. None as in `share_bytes`."""
    counts, before = [0] * len(files), [0] * len(files)
    units: list[str | None] = [None] * len(files)
    last = len(files) - 1
    for census in (census for one in every for census in one):
        if not census.is_plain or (census.count and not census.is_whole and census.file != last):
            return None
        counts[census.file] += census.count
    if not all(counts):
        return None
    earlier = [census for one in every[:rank] for census in one]
    for census in earlier:
        before[census.file] += census.count
        units[census.file] = units[census.file] if census.units is None else census.units
    parts = {}
    for census in every[rank]:
        path, ahead = files[census.file][0], before[census.file]
        if census.count:
            end = ahead + census.count
            parts[path] = Part(
                start=census.first if ahead else 0,
                before=ahead,
                end=end if end < counts[census.file] else None,
                size=census.size,
                units=units[census.file] if ahead else None,
            )
    tops = [census.top for census in earlier if census.top is not None]
    return ByteShare(parts, 0, max(tops, default=None))
