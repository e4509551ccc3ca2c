"""Reader of the edge and bond energies that LAMMPS writes with ``dump local``.

Expected is the text of a ``dump local`` of ``compute e3d/edge/local tag1 tag2 type1 type2 dist dx dy dz
eps`` or of ``compute e3d/pair/local tag1 tag2 type1 type2 dist dx dy dz e12 e21``; the columns tell which. It
is plain or compressed (.gz, and .zst with the zstandard module), in one file, one per rank, or one per step.
Frames are read one at a time, so memory is bounded by the largest frame, never by the file.
"""

from __future__ import annotations

import glob
import gzip
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.frames import BondFrame, Box, EdgeFrame, join_frames
from e3d_lmp.tokens import exact_ids, tokenise, whole_numbers

ATOM_COLUMNS = ("tag1", "tag2", "type1", "type2", "dx", "dy", "dz")
EDGE_COLUMNS = (*ATOM_COLUMNS, "eps")
BOND_COLUMNS = (*ATOM_COLUMNS, "e12", "e21")
"""Columns that every frame of edges, or of bonds, must have; any other is ignored."""

BLOCK_BYTES = 1 << 20
"""Text read and tokenised at a time."""

_COLUMNS_HINT = (
    "dump them with 'compute E all e3d/edge/local tag1 tag2 type1 type2 dist dx dy dz eps' (or "
    "e3d/pair/local with e12 e21) and 'dump_modify ID colname 1 tag1 colname 2 tag2 ...', or name the dump's "
    "columns in order with --columns"
)


@dataclass(frozen=True)
class _Header:
    step: int
    rows: int
    box: Box
    columns: tuple[str, ...]


def _required(columns: Sequence[str]) -> tuple[str, ...]:
    """Columns that a frame with these ones must have: those of bonds where e12 or e21 is among them."""
    return BOND_COLUMNS if {"e12", "e21"} & set(columns) and "eps" not in columns else EDGE_COLUMNS


class _Truncated(Exception):
    """The file ends, or its next frame starts, before this frame is complete."""


def expand_paths(patterns: str | os.PathLike | Sequence[str | os.PathLike]) -> list[Path]:
    """Files that the names and glob patterns mean, in their order; raises `E3DError` if one means none."""
    if isinstance(patterns, (str, os.PathLike)):
        patterns = [patterns]
    paths: list[Path] = []
    for pattern in patterns:
        if Path(pattern).is_file():
            paths.append(Path(pattern))
            continue
        found = sorted(name for name in glob.glob(os.fspath(pattern)) if os.path.isfile(name))
        if not found:
            raise E3DError(f"{os.fspath(pattern)}: no such file; expected the text of a LAMMPS 'dump local'")
        paths += map(Path, found)
    if not paths:
        raise E3DError("no dump file given")
    return list(dict.fromkeys(paths))


def _open(path: Path) -> tuple[IO[bytes], IO[bytes]]:
    """The file as it lies on disk, and the stream of its plain text."""
    try:
        raw = open(path, "rb")
    except OSError as error:
        raise E3DError(f"{path}: {error.strerror}") from None
    if path.suffix == ".gz":
        return raw, cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if path.suffix == ".zst":
        try:
            import zstandard
        except ImportError:
            raw.close()
            raise E3DError(
                f"{path}: reading .zst needs the zstandard module; "
                f"type 'pip install zstandard', or 'zstd -d {path}'"
            ) from None
        return raw, zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    return raw, raw


class _DumpFile:
    """One file, read header by header and block by block."""

    def __init__(self, path: Path, columns: Sequence[str] | None):
        self.path = path
        self.frames = 0
        self._columns = tuple(columns) if columns else None
        self._raw, self._stream = _open(path)
        self._text = b""
        self._at = 0
        self._ended = False

    def close(self) -> None:
        self._stream.close()
        self._raw.close()

    @property
    def bytes_read(self) -> int:
        return self._raw.tell()

    def next_header(self) -> _Header | None:
        """Header of the next frame, None at the end of the file."""
        line = self._line()
        while line is not None and not line.strip():
            line = self._line()
        if line is None:
            return None
        self.frames += 1
        step = rows = box = None
        while True:
            item = line.strip()
            if item == "ITEM: TIMESTEP":
                step = self._int(item)
            elif item in ("ITEM: UNITS", "ITEM: TIME"):
                self._need_line()
            elif item.startswith("ITEM: NUMBER OF "):
                if item.endswith(" ATOMS"):
                    raise E3DError(
                        f"{self.path}: this is a dump of atoms; "
                        "expected a 'dump local' of compute e3d/edge/local or e3d/pair/local"
                    )
                rows = self._int(item)
            elif item.startswith("ITEM: BOX BOUNDS"):
                box = self._box(item.split()[3:])
            elif item.startswith("ITEM: ") and step is not None and rows is not None and box is not None:
                return _Header(step, rows, box, self._name_columns(item.split()[2:]))
            else:
                raise E3DError(
                    f"{self.path}, frame {self.frames}: expected the header of a LAMMPS 'dump local' "
                    f"(ITEM: TIMESTEP ...), got '{item[:60]}'"
                )
            line = self._need_line()

    def read_rows(self, header: _Header) -> EdgeFrame | BondFrame:
        """The edges or bonds of the frame whose header was read last."""
        required = _required(header.columns)
        at = [header.columns.index(name) for name in required]
        where = f"{self.path}, frame {self.frames} (step {header.step})"
        parts: list[list[np.ndarray]] = [[] for _ in range(len(required) - 2)]
        for text, count in self._blocks(header.rows) if header.rows else [(b"", 0)]:
            table = tokenise(text, len(header.columns), count, where)
            ids = [exact_ids(table[k], text, k, where) for k in at[:2]]
            types = [whole_numbers(table[k], header.columns[k], where).astype(np.int32) for k in at[2:4]]
            values = [np.ascontiguousarray(table[at[4:7]].T), *(table[k].copy() for k in at[7:])]
            for part, block in zip(parts, ids + types + values, strict=True):
                part.append(block)
        whole = [part[0] if len(part) == 1 else np.concatenate(part) for part in parts]
        kind = EdgeFrame if required == EDGE_COLUMNS else BondFrame
        return kind(header.step, header.box, *whole)

    def skip_rows(self, header: _Header) -> None:
        """Pass over the frame whose header was read last without reading its numbers."""
        for _ in self._blocks(header.rows):
            pass

    def _blocks(self, rows: int) -> Iterator[tuple[bytes, int]]:
        """Text of whole rows, some megabytes at a time, and how many rows each text holds."""
        left = rows
        while left:
            end = self._text.find(b"ITEM:", self._at)
            cut = self._text.rfind(b"\n", self._at, end if end >= 0 else len(self._text)) + 1
            if cut <= self._at:
                if end >= 0 or not self._fill():
                    self._at = end if end >= 0 else len(self._text)
                    raise _Truncated
                continue
            count = self._text.count(b"\n", self._at, cut)
            if count > left:
                raise E3DError(
                    f"{self.path}, frame {self.frames}: more rows than the {rows} its header says; "
                    "the file is damaged, dump it again"
                )
            text = self._text[self._at : cut]
            self._at = cut
            left -= count
            yield text, count

    def _fill(self) -> bool:
        """Read on; False at the end of the file."""
        if self._ended:
            return False
        try:
            more = self._read()
        except (OSError, ValueError) as error:
            raise E3DError(
                f"{self.path}: cannot be read ({error}); is it really a {self.path.suffix} file?"
            ) from None
        except Exception as error:
            if type(error).__module__.split(".")[0] not in ("zlib", "zstandard"):
                raise
            raise E3DError(f"{self.path}: the compressed data are damaged ({error})") from None
        self._ended = not more
        self._text = self._text[self._at :] + more
        self._at = 0
        return bool(more)

    def _read(self) -> bytes:
        """About `BLOCK_BYTES` of text; less only at the end."""
        if not isinstance(self._stream, gzip.GzipFile):
            return self._stream.read(BLOCK_BYTES)
        # A cut-off gzip stream raises EOFError: read in pieces so that what comes before it is not lost.
        parts: list[bytes] = []
        try:
            while sum(map(len, parts)) < BLOCK_BYTES and (part := self._stream.read1(BLOCK_BYTES)):
                parts.append(part)
        except EOFError:
            pass
        return b"".join(parts)

    def _line(self) -> str | None:
        """The next line without its end, None at the end of the file."""
        while True:
            end = self._text.find(b"\n", self._at)
            if end >= 0:
                line = self._text[self._at : end]
                self._at = end + 1
                return line.decode("ascii", "replace")
            if len(self._text) - self._at > BLOCK_BYTES:
                raise E3DError(f"{self.path}: not a LAMMPS text dump; expected a first line 'ITEM: TIMESTEP'")
            if not self._fill():
                if self._at < len(self._text):
                    raise _Truncated
                return None

    def _need_line(self) -> str:
        line = self._line()
        if line is None:
            raise _Truncated
        return line

    def _int(self, item: str) -> int:
        text = self._need_line().strip()
        if not text.lstrip("-").isdecimal():
            raise E3DError(
                f"{self.path}, frame {self.frames}: expected a whole number after '{item}', got '{text}'"
            )
        return int(text)

    def _box(self, words: list[str]) -> Box:
        lines = [self._need_line() for _ in range(3)]
        try:
            pbc = np.array([word == "pp" for word in words[-3:]])
            rows = np.array([[float(word) for word in line.split()] for line in lines])
            if words[:2] == ["abc", "origin"]:
                return Box(rows[:, :3].copy(), rows[:, 3].copy(), pbc)
            low, high = rows[:, 0].copy(), rows[:, 1].copy()
            xy, xz, yz = rows[:, 2] if words[0] == "xy" else np.zeros(3)
            low[0] -= min(0.0, xy, xz, xy + xz)  # the dump has the bounding box of a triclinic cell
            high[0] -= max(0.0, xy, xz, xy + xz)
            low[1] -= min(0.0, yz)
            high[1] -= max(0.0, yz)
        except (ValueError, IndexError):
            raise E3DError(
                f"{self.path}, frame {self.frames}: cannot understand the box '{' '.join(words)}' / {lines}"
            ) from None
        cell = np.diag(high - low)
        cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
        return Box(cell, low, pbc)

    def _name_columns(self, found: list[str]) -> tuple[str, ...]:
        where = f"{self.path}, frame {self.frames}"
        names = tuple(found)
        if self._columns is not None:
            if len(self._columns) != len(found):
                raise E3DError(
                    f"{where}: --columns names {len(self._columns)} columns, "
                    f"the dump has {len(found)}: {' '.join(found)}"
                )
            names = self._columns
        required = _required(names)
        missing = [name for name in required if name not in names]
        if missing:
            raise E3DError(
                f"{where}: no column {', '.join(missing)} among '{' '.join(names)}'; {_COLUMNS_HINT}"
            )
        twice = [name for name in required if names.count(name) > 1]
        if twice:
            raise E3DError(f"{where}: column {', '.join(twice)} occurs more than once in '{' '.join(names)}'")
        return names


@dataclass
class DumpReader:
    """Frames of one or several dump files, in order of time.

    Files whose first frames have the same step are taken as the parts that the ranks of one run wrote
    (``dump ... file.%``): their frames are joined step by step. Other files follow each other by their
    first step. A frame whose step is not beyond the last one read (a restarted run, say) is left out and
    counted in `repeated`.

    Parameters
    ----------
    paths
        Names or glob patterns.
    columns
        Names of the dump's columns in order, for dumps whose own names are ``c_ID[1] c_ID[2] ...``.
    every
        Read one frame out of so many, starting with the first.
    allow_truncated
        Leave out a frame that is cut off (counted in `truncated`) instead of raising.

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
    files: list[Path] = field(init=False)
    bytes_total: int = field(init=False)
    bytes_read: int = field(init=False, default=0)
    repeated: int = field(init=False, default=0)
    truncated: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.every < 1:
            raise E3DError(f"--every {self.every}: expected a whole number of at least 1")
        self.files = expand_paths(self.paths)
        self.bytes_total = sum(path.stat().st_size for path in self.files)

    def __iter__(self) -> Iterator[EdgeFrame | BondFrame]:
        self.bytes_read = self.repeated = self.truncated = 0
        last: int | None = None
        seen = 0
        for group in self._groups():
            done = self.bytes_read
            files = [_DumpFile(path, self.columns) for path in group]
            try:
                while True:
                    headers = self._headers(files)
                    if headers is None:
                        break
                    repeated = last is not None and headers[0].step <= last
                    wanted = not repeated and seen % self.every == 0
                    parts = self._rows(files, headers, wanted)
                    self.bytes_read = done + sum(file.bytes_read for file in files)
                    self.repeated += repeated
                    if parts is None or repeated:
                        continue
                    last = headers[0].step
                    seen += 1
                    if wanted:
                        yield parts[0] if len(parts) == 1 else join_frames(parts)
            finally:
                for file in files:
                    file.close()
            self.bytes_read = done + sum(path.stat().st_size for path in group)
        if seen == 0 and self.truncated == 0:
            raise E3DError(f"{self.files[0]}: the dump is empty; did the run reach its first dump step?")

    def _groups(self) -> list[list[Path]]:
        """Files by their first step."""
        if len(self.files) == 1:
            return [self.files]
        groups: dict[int, list[Path]] = {}
        for path in self.files:
            file = _DumpFile(path, self.columns)
            try:
                header = file.next_header()
            except _Truncated:
                header = None
            finally:
                file.close()
            if header is not None:
                groups.setdefault(header.step, []).append(path)
            elif self.allow_truncated:
                self.truncated += 1
            else:
                raise E3DError(f"{path}: holds no complete frame; add --allow-truncated to leave it out")
        return [groups[step] for step in sorted(groups)]

    def _cut_off(self, file: _DumpFile) -> None:
        """Count a frame that is not complete, or raise."""
        if not self.allow_truncated:
            raise E3DError(
                f"{file.path}: frame {file.frames} is cut off; add --allow-truncated to leave it out, "
                "or dump it again"
            )
        self.truncated += 1

    def _headers(self, files: list[_DumpFile]) -> list[_Header] | None:
        """The next header of each file, None when there is no further frame that all of them have."""
        headers: list[_Header] = []
        ended: list[_DumpFile] = []
        for file in files:
            try:
                header = file.next_header()
            except _Truncated:
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

    def _rows(self, files: list[_DumpFile], headers: list[_Header], wanted: bool) -> list[Any] | None:
        """The rows of one frame from each file; None if one was cut off."""
        parts: list[Any] = []
        whole = True
        for file, header in zip(files, headers, strict=True):
            try:
                if wanted:
                    parts.append(file.read_rows(header))
                else:
                    file.skip_rows(header)
            except _Truncated:
                self._cut_off(file)
                whole = False
        return parts if whole else None
