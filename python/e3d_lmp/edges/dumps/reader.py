"""Readers of what LAMMPS writes with ``dump``: edge energies (``dump local``) and atoms (``dump custom``).

Expected is the text of a ``dump local`` of ``compute e3d/edge/local tag1 tag2 type1 type2 dist dx dy dz
eps``, or of ``compute e3d/pair/local`` with ``e12 e21`` instead of ``eps``, plain or compressed, in one file,
one per step, or one per rank (``dump local/gz`` with ``%`` in its name: plain files of ranks lack headers).
Frames are read one at a time, so memory is bounded by the largest frame, never
by the file. `e3d_lmp.edges.dumps.text` knows the text itself.
"""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.edges.dumps.text import ATOMS, EXPECTED, LOCAL, DumpFile, Header, Truncated
from e3d_lmp.edges.frames import AtomRows, atom_of_two_types, join_frames
from e3d_lmp.errors import E3DError
from e3d_lmp.files import input_file

POLL = 0.2
"""Seconds between two looks at a file that is still being written."""


def expand_paths(patterns: str | os.PathLike | Sequence[str | os.PathLike]) -> list[Path]:
    """Files that the names and glob patterns mean, in their order; raises `E3DError` if one means none."""
    if isinstance(patterns, (str, os.PathLike)):
        patterns = [patterns]
    paths: list[Path] = []
    for pattern in patterns:
        if os.path.exists(pattern):
            paths.append(input_file(pattern, EXPECTED))
            continue
        found = sorted(name for name in glob.glob(os.fspath(pattern)) if os.path.isfile(name))
        if not found:
            raise E3DError(f"{os.fspath(pattern)}: no such file; expected {EXPECTED}")
        paths += map(Path, found)
    if not paths:
        raise E3DError("no dump file given")
    return list(dict.fromkeys(paths))


@dataclass
class DumpReader:
    """Frames (`EdgeFrame`, or `BondFrame`) of one or several dump files, in order of time.

    Files whose first frames have the same step are taken as the parts that the ranks of one run wrote
    (``dump ... local/gz N file.%.gz``): their frames are joined step by step. Other files follow each other
    by their first step. A frame whose step is not beyond the last one read (a restarted run, say) is left out
    and counted in `repeated`.

    Parameters
    ----------
    paths
        Names or glob patterns.
    columns
        Names of the dump's columns in order, for dumps whose own names are ``c_ID[1] c_ID[2] ...``.
    every
        Read one frame out of so many, starting with the first.
    share
        (rank, ranks): of the frames that `every` leaves, read those whose turn is that of this rank, and pass
        over the text of the others.
    allow_truncated
        Leave out a frame that is cut off (counted in `truncated`) instead of raising.
    after
        Pass over the frames up to this step (counted in `passed`), which an earlier reading has dealt with.
    follow
        Keep up with files that are still being written, and new ones of the same patterns, until nothing has
        come for so many seconds. A file is left for good when a later one has appeared. None: read what is
        there.
    on_wait
        Called again and again while waiting for more.
    units
        LAMMPS units of the run, ``metal`` or ``real``; None: what the dump says (``dump_modify units yes``),
        else metal. Frames are in eV always.

    Attributes
    ----------
    number
        That of the last frame among all that `every` leaves, counted from 0.

    Raises
    ------
    E3DError
        While iterating: missing or empty file, columns missing, a cut-off frame, damaged rows, rounded atom
        ids, rank files that do not belong together.
    """

    paths: str | os.PathLike | Sequence[str | os.PathLike]
    columns: Sequence[str] | None = None
    every: int = 1
    allow_truncated: bool = False
    after: int | None = None
    follow: float | None = None
    on_wait: Callable[[], None] | None = None
    units: str | None = None
    share: tuple[int, int] = (0, 1)
    files: list[Path] = field(init=False)
    bytes_total: int = field(init=False)
    bytes_read: int = field(init=False, default=0)
    repeated: int = field(init=False, default=0)
    truncated: int = field(init=False, default=0)
    passed: int = field(init=False, default=0)
    number: int = field(init=False, default=-1)
    _quiet: bool = field(init=False, default=False, repr=False)
    _is_last_group: bool = field(init=False, default=True, repr=False)
    _taken: list[Path] = field(init=False, default_factory=list, repr=False)

    of = LOCAL

    def __post_init__(self) -> None:
        if self.every < 1:
            raise E3DError(f"--every {self.every}: expected a whole number of at least 1")
        if self.follow is not None and not self.follow > 0.0:
            raise E3DError(f"--follow {self.follow}: expected a positive number of seconds")
        self.files = expand_paths(self.paths)
        self.bytes_total = sum(path.stat().st_size for path in self.files)

    def __iter__(self) -> Iterator[Any]:
        self.bytes_read = self.repeated = self.truncated = self.passed = 0
        self._quiet = False
        last: int | None = None
        seen = 0
        for group in self._all_groups():
            done = self.bytes_read
            files = self._open_group(group)
            try:
                while (headers := self._headers(files)) is not None:
                    step = headers[0].step
                    repeated = last is not None and step <= last
                    old = self.after is not None and step <= self.after
                    turn, off = divmod(seen, self.every)
                    mine = off == 0 and turn % self.share[1] == self.share[0]
                    wanted = not repeated and not old and mine
                    parts = self._rows(files, headers, wanted)
                    self.bytes_read = done + sum(file.bytes_read for file in files)
                    self.repeated += repeated
                    if parts is None or repeated:
                        continue
                    last = step
                    seen += 1
                    self.passed += old
                    if wanted:
                        self.number = turn
                        yield self._join(step, parts)
            finally:
                for file in files:
                    file.close()
            self.bytes_read = done + sum(path.stat().st_size for path in group)
        if seen == 0 and self.truncated == 0:
            raise E3DError(f"{self.files[0]}: the dump is empty; did the run reach its first dump step?")

    def remarks(self) -> list[str]:
        """What the user must know about frames of the last reading that were left out."""
        remarks = []
        if self.truncated:
            remarks.append(f"{self.truncated} cut-off frames left out")
        if self.repeated:
            remarks.append(
                f"{self.repeated} frames left out whose step is not beyond that of the frame before them"
            )
        return remarks

    def _file(self, path: Path, wait: Callable[[DumpFile], bool] | None = None) -> DumpFile:
        return DumpFile(path, self.columns, self.of, wait, self.units)

    def _open_group(self, group: Sequence[Path]) -> list[DumpFile]:
        return [self._file(path, self._wait if self.follow else None) for path in group]

    def _join(self, step: int, parts: list[Any]) -> Any:
        """One frame from what the files of one group hold of it."""
        frame = parts[0] if len(parts) == 1 else join_frames(parts)
        atom = atom_of_two_types(frame)
        if atom is not None:
            raise E3DError(
                f"{self.files[0]}, step {step}: atom {atom} has two types; the file is damaged, or its ids "
                "have lost digits: dump it again, with 'dump_modify ID format float %.17g'"
            )
        return frame

    def _read(self, file: DumpFile, header: Header) -> Any:
        return file.read_rows(header)

    def _all_groups(self) -> Iterator[list[Path]]:
        """The groups of files that are there, then those that come while the run goes on."""
        if self.follow is None:
            yield from self._groups(self.files)
            return
        self._taken = []
        steps: set[int | None] = set()
        parts = 0
        while not self._quiet:
            fresh = self._groups(self._new_files())
            groups = []
            for group in fresh:
                step = self._first_step(group[0])
                if step in steps:
                    raise E3DError(
                        f"{group[0]}: appeared after the other files of step {step} had been read; start "
                        "again, with --follow once all files of the run are there"
                    )
                parts = parts or len(group)
                # A file of each rank, or the step is still being written.
                if len(group) < parts:
                    break
                groups.append(group)
                steps.add(step)
                self._taken += group
            self.files = list(dict.fromkeys([*self.files, *self._taken]))
            for k, group in enumerate(groups):
                self._is_last_group = k == len(groups) - 1
                yield group
            if not groups:
                self._quiet = not self._await_files(sum(map(len, fresh)))

    def _first_step(self, path: Path) -> int | None:
        file = self._file(path)
        try:
            header = file.next_header()
        except Truncated:
            header = None
        finally:
            file.close()
        return header.step if header is not None else None

    def _groups(self, paths: Sequence[Path]) -> list[list[Path]]:
        """Files by their first step."""
        if self.follow is None and len(paths) == 1:
            return [list(paths)]
        groups: dict[int, list[Path]] = {}
        for path in paths:
            step = self._first_step(path)
            if step is not None:
                groups.setdefault(step, []).append(path)
            elif self.follow is not None:
                continue
            elif self.allow_truncated:
                self.truncated += 1
            else:
                raise E3DError(f"{path}: holds no complete frame; add --allow-truncated to leave it out")
        return [groups[step] for step in sorted(groups)]

    def _new_files(self) -> list[Path]:
        known = set(self._taken)
        return [path for path in expand_paths(self.paths) if path not in known]

    def _await_files(self, known: int) -> bool:
        return self._pause(lambda: self._count_new() > known)

    def _count_new(self) -> int:
        return sum(map(len, self._groups(self._new_files())))

    def _pause(self, has_more: Callable[[], bool]) -> bool:
        """Wait until `has_more`, at most for as long as `follow` says; whether it has."""
        end = time.monotonic() + (self.follow or 0.0)
        while not has_more():
            if time.monotonic() >= end:
                return False
            if self.on_wait is not None:
                self.on_wait()
            time.sleep(POLL)
        return True

    def _wait(self, file: DumpFile) -> bool:
        """At the present end of a file: wait for more of it; False if no more of it will come."""
        if self._quiet or (file.between_frames and not self._is_last_group):
            return False
        grown = self._pause(lambda: file.has_grown() or (file.between_frames and self._count_new() > 0))
        self._quiet = not grown
        self.bytes_total = sum(path.stat().st_size for path in self.files)
        return grown and file.has_grown()

    def _cut_off(self, file: DumpFile) -> None:
        """Count a frame that is not complete, or raise."""
        if not self.allow_truncated:
            raise E3DError(
                f"{file.path}: frame {file.frames} is cut off; add --allow-truncated to leave it out, "
                "or dump it again"
            )
        self.truncated += 1

    def _headers(self, files: list[DumpFile]) -> list[Header] | None:
        """The next header of each file, None when there is no further frame that all of them have."""
        headers: list[Header] = []
        ended: list[DumpFile] = []
        for file in files:
            try:
                header = file.next_header()
            except Truncated:
                self._cut_off(file)
                return None
            if header is None:
                ended.append(file)
            else:
                headers.append(header)
        if not headers:
            return None
        if ended:
            ended[0].frames += 1
            self._cut_off(ended[0])
            return None
        for file, header in zip(files[1:], headers[1:], strict=True):
            same_box = np.array_equal(header.box.cell, headers[0].box.cell)
            if header.step != headers[0].step or not same_box:
                what = f"steps {headers[0].step} and {header.step}" if same_box else "different boxes"
                raise E3DError(
                    f"{files[0].path} and {file.path} start at the same step, but frame {file.frames} has "
                    f"{what}: they are not the parts of one run; analyse each run by itself"
                )
        return headers

    def _rows(self, files: list[DumpFile], headers: list[Header], wanted: bool) -> list[Any] | None:
        """The rows of one frame from each file; None if one was cut off."""
        parts: list[Any] = []
        whole = True
        for file, header in zip(files, headers, strict=True):
            try:
                if wanted:
                    parts.append(self._read(file, header))
                else:
                    file.skip_rows(header)
            except Truncated:
                self._cut_off(file)
                whole = False
        return parts if whole else None


class AtomReader(DumpReader):
    """Atoms of one or several ``dump custom`` files: pairs of a step and its `AtomRows`, in order of time.

    Parameters and errors are those of `DumpReader`.
    """

    of = ATOMS

    def _read(self, file: DumpFile, header: Header) -> Any:
        return file.read_atoms(header)

    def _join(self, step: int, parts: list[AtomRows]) -> tuple[int, AtomRows]:
        if len(parts) == 1:
            return step, parts[0]
        ids = np.concatenate([part.id for part in parts])
        order = np.argsort(ids)
        if (np.diff(ids[order]) == 0).any():
            raise E3DError(f"{self.files[0]}, step {step}: atom ids occur more than once in the files")
        types = np.concatenate([part.type for part in parts])[order]
        elements = np.concatenate([part.element for part in parts])[order]
        found = [part.position for part in parts if part.position is not None]
        position = np.concatenate(found)[order] if len(found) == len(parts) else None
        return step, AtomRows(ids[order], types, elements, position)
