"""The text of one LAMMPS dump file: headers, and blocks of rows as exact numbers.

Read are ``dump local`` files of directed edges or of bonds and ``dump custom`` files of atoms; plain, or
compressed (.gz, and .zst with the zstandard module). A file may still be growing: `DumpFile` then asks its
`wait` what to do at the present end.

`e3d_lmp.edges.dumps.rows` makes numbers of the rows.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.edges.dumps.rows import DONE, END, HEADER, ID, NUMBER, REAL, SYMBOL, TYPE, WORD, RowReader
from e3d_lmp.edges.frames import AtomRows, BondFrame, Box, EdgeFrame
from e3d_lmp.errors import E3DError
from e3d_lmp.units import ev_per_unit

ENDS = ("tag1", "tag2", "type1", "type2", "dx", "dy", "dz")
EDGE_COLUMNS = (*ENDS, "eps")
BOND_COLUMNS = (*ENDS, "e12", "e21")
ATOM_COLUMNS = ("id", "type")
"""Columns that every frame must have; any other is ignored."""

LOCAL = "local"
ATOMS = "atoms"
"""What a file is expected to be a dump of."""

BLOCK_BYTES = 1 << 18
"""Text read at a time."""

_COLUMNS_HINT = (
    "dump them with 'compute E all e3d/edge/local tag1 tag2 type1 type2 dist dx dy dz eps' (or "
    "e3d/pair/local with e12 e21) and 'dump_modify ID colname 1 tag1 colname 2 tag2 ...', or name the dump's "
    "columns in order with --columns"
)
_ATOMS_HINT = "dump them with 'dump ID all custom N FILE id type x y z'"


@dataclass(frozen=True)
class Header:
    """What stands above the rows of a frame.

    Attributes
    ----------
    kind : ``edges``, ``bonds`` or ``atoms``, from the columns
    """

    step: int
    rows: int
    box: Box
    columns: tuple[str, ...]
    kind: str


class Truncated(Exception):
    """The file ends, or its next frame starts, before this frame is complete."""


class _Inflating:
    """Plain text of a compressed file; a file that ends too early is read as far as it goes.

    Parameters
    ----------
    raw : the file as it lies on disk
    new : makes a decompressor (of `zlib` or `zstandard`) for the next member of the file
    """

    def __init__(self, raw: Any, new: Callable[[], Any]):
        self._raw, self._new = raw, new
        self._member = new()

    def read(self, size: int) -> bytes:
        """About `size` bytes, b'' at the present end of the file."""
        parts: list[bytes] = []
        have = 0
        while have < size:
            packed = self._raw.read(size >> 3)
            if not packed:
                break
            while packed:
                if self._member.eof:
                    packed = packed.lstrip(b"\0")  # padding behind the last member
                    if not packed:
                        break
                    self._member = self._new()
                parts.append(self._member.decompress(packed))
                have += len(parts[-1])
                packed = self._member.unused_data
        return b"".join(parts)


def is_compressed(path: Path) -> bool:
    """Whether a file is read from its beginning only."""
    return path.suffix in (".gz", ".zst")


def _open(path: Path) -> tuple[Any, Any]:
    """The file as it lies on disk, and the stream of its plain text."""
    try:
        raw = open(path, "rb")
    except OSError as error:
        raise E3DError(f"{path}: {error.strerror}") from None
    if path.suffix == ".gz":
        return raw, _Inflating(raw, lambda: zlib.decompressobj(wbits=31))
    if path.suffix == ".zst":
        try:
            import zstandard
        except ImportError:
            raw.close()
            raise E3DError(
                f"{path}: reading .zst needs the zstandard module; "
                f"type 'pip install zstandard', or 'zstd -d {path}'"
            ) from None
        return raw, _Inflating(raw, lambda: zstandard.ZstdDecompressor().decompressobj())
    return raw, raw


class DumpFile:
    """One file, read header by header and block by block.

    Parameters
    ----------
    path : the file
    columns : names of the columns in order, instead of those in the file
    of : ``local`` or ``atoms``
    wait : called with this object at the present end of the file; True if there is more to read by now
    units : LAMMPS units of the energies, ``metal`` or ``real``; None: as the file says, else metal

    Attributes
    ----------
    frames : headers met so far
    between_frames : whether the last thing read is a whole frame
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[str] | None = None,
        of: str = LOCAL,
        wait: Callable[[DumpFile], bool] | None = None,
        units: str | None = None,
    ):
        self.path = path
        self.frames = 0
        self.between_frames = True
        self._of = of
        self._wait = wait
        self._units = units
        self._ev = ev_per_unit(units or "metal", "--units")
        self._columns = tuple(columns) if columns else None
        self._raw, self._stream = _open(path)
        self._start = 0
        self._text = b""
        self._at = 0
        self._ended = False
        self._header: Header | None = None
        self._reader: tuple[tuple[str, ...], RowReader] | None = None
        self._box_of: tuple[list[str], Box] | None = None
        self._columns_of: dict[str, tuple[tuple[str, ...], str]] = {}

    def close(self) -> None:
        self._raw.close()

    def start_at(self, start: int, frames: int, units: str | None) -> None:
        """Begin with the header at a byte of a plain file that stands behind `frames` frames.

        Parameters
        ----------
        units
            What the file says about its units before; None: nothing.
        """
        self._raw.seek(start)
        self._start, self.frames = start, frames
        if units is not None:
            self._set_units(units)

    @property
    def bytes_read(self) -> int:
        return self._raw.tell() - self._start

    def next_header(self) -> Header | None:
        """Header of the next frame, None at the end of the file."""
        self.between_frames = True
        line = self._line()
        while line is not None and not line.strip():
            line = self._line()
        if line is None:
            return None
        if self._header is not None and not line.lstrip().startswith("ITEM:"):
            raise E3DError(
                f"{self.path}, frame {self.frames}: more rows than the {self._header.rows} its header says; "
                "the file is damaged, dump it again"
            )
        self.between_frames = False
        self.frames += 1
        step = rows = box = None
        while True:
            item = line.strip()
            if item == "ITEM: TIMESTEP":
                step = self._int(item)
            elif item == "ITEM: UNITS":
                self._set_units(self._need_line().strip())
            elif item == "ITEM: TIME":
                self._need_line()
            elif item.startswith("ITEM: NUMBER OF "):
                if item.endswith(" ATOMS") != (self._of == ATOMS):
                    got, expected = (
                        "a dump of atoms",
                        "a 'dump local' of compute e3d/edge/local or e3d/pair/local",
                    )
                    if self._of == ATOMS:
                        got, expected = "not a dump of atoms", "a 'dump custom' with id type x y z"
                    raise E3DError(f"{self.path}: this is {got}; expected {expected}")
                rows = self._int(item)
            elif item.startswith("ITEM: BOX BOUNDS"):
                box = self._box(item)
            elif item.startswith("ITEM: ") and step is not None and rows is not None and box is not None:
                columns, kind = self._name_columns(item)
                self._header = Header(step, rows, box, columns, kind)
                return self._header
            else:
                raise E3DError(
                    f"{self.path}, frame {self.frames}: expected the header of a LAMMPS 'dump local' "
                    f"(ITEM: TIMESTEP ...), got '{item[:60]}'"
                )
            line = self._need_line()

    def read_rows(self, header: Header) -> EdgeFrame | BondFrame:
        """The edges or pairs of the frame whose header was read last, energies in eV."""
        energies = EDGE_COLUMNS[7:] if header.kind == "edges" else BOND_COLUMNS[7:]
        arrays = self._read(header, (*_END_SLOTS, *(((name,), REAL) for name in energies)), NUMBER)
        if self._ev != 1.0:
            for values in arrays[len(_END_SLOTS) :]:
                values *= self._ev
        frame = EdgeFrame if header.kind == "edges" else BondFrame
        return frame(header.step, header.box, *arrays)

    def read_atoms(self, header: Header) -> AtomRows:
        """The atoms of the frame whose header was read last, in the order of their ids."""
        names = [name for name in header.columns if name in _ATOM_KINDS]
        arrays = self._read(header, tuple(((name,), _ATOM_KINDS[name]) for name in names), WORD)
        rows = dict(zip(names, arrays, strict=True))
        order = np.argsort(rows["id"])
        if (np.diff(rows["id"][order]) == 0).any():
            raise E3DError(f"{self._where(header)}: atom ids occur more than once; expected each in one row")
        if "element" in rows:
            element = np.char.decode(rows["element"], "ascii", "replace")
        else:
            element = np.full(rows["id"].size, "", dtype="U2")
        position = _positions(rows, header.box)
        return AtomRows(
            id=rows["id"][order],
            type=rows["type"][order],
            element=element[order],
            position=None if position is None else position[order],
        )

    def skip_rows(self, header: Header) -> None:
        """Pass over the frame whose header was read last without reading its numbers."""
        self._take(header, RowReader((), (), WORD))

    def _where(self, header: Header) -> str:
        return f"{self.path}, frame {self.frames} (step {header.step})"

    def _read(
        self, header: Header, slots: tuple[tuple[tuple[str, ...], int], ...], other: int
    ) -> list[np.ndarray]:
        """The rows of a frame: an array for each slot of a `RowReader`."""
        if self._reader is None or self._reader[0] != header.columns:
            self._reader = (header.columns, RowReader(header.columns, slots, other))
        reader = self._reader[1]
        try:
            arrays = reader.room(max(header.rows, 0))
        except (MemoryError, ValueError, OverflowError):
            raise E3DError(
                f"{self.path}, frame {self.frames}: no memory for the {header.rows} rows its header says; is "
                "the file damaged?"
            ) from None
        self._take(header, reader)
        return arrays

    def _take(self, header: Header, reader: RowReader) -> None:
        """Hand the rows of a frame to a reader; raises `Truncated` if some are missing."""
        done = 0
        while done < header.rows:
            rows, self._at = reader.read(self._text, self._at, done, header.rows - done)
            done += rows
            if reader.stop == DONE:
                return
            if reader.stop == END and self._fill():
                continue
            if reader.stop == END:
                self._at = len(self._text)
                raise Truncated
            if reader.stop == HEADER:
                raise Truncated
            raise reader.problem(self._text, self._at, self._where(header))

    def has_grown(self) -> bool:
        """Whether the file has more bytes than were read."""
        return self.path.stat().st_size > self._raw.tell()

    def _fill(self) -> bool:
        """Read on; False at the end of the file."""
        if self._ended:
            return False
        try:
            more = self._stream.read(BLOCK_BYTES)
            while not more and self._wait is not None and self._wait(self):
                more = self._stream.read(BLOCK_BYTES)
        except OSError as error:
            raise E3DError(f"{self.path}: cannot be read ({error})") from None
        except Exception as error:
            if type(error).__module__.split(".")[0] not in ("zlib", "zstandard"):
                raise
            raise E3DError(
                f"{self.path}: the compressed data are damaged ({error}), or is it really a "
                f"{self.path.suffix} file?"
            ) from None
        self._ended = not more
        self._text = self._text[self._at :] + more
        self._at = 0
        return bool(more)

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
                    raise Truncated
                return None

    def _need_line(self) -> str:
        line = self._line()
        if line is None:
            raise Truncated
        return line

    def _int(self, item: str) -> int:
        text = self._need_line().strip()
        if not text.lstrip("-").isdecimal():
            raise E3DError(
                f"{self.path}, frame {self.frames}: expected a whole number after '{item}', got '{text}'"
            )
        return int(text)

    def _set_units(self, units: str) -> None:
        """Take over what the file says about its units, once at its beginning."""
        self._ev = ev_per_unit(units, str(self.path))
        if self._units not in (None, units):
            raise E3DError(f"{self.path}: the dump says units {units}, not {self._units}; leave --units out")

    def _box(self, item: str) -> Box:
        """The box of a header, the last one where its text is the same."""
        lines = [self._need_line() for _ in range(3)]
        text = [item, *lines]
        if self._box_of is None or self._box_of[0] != text:
            self._box_of = (text, self._parse_box(item.split()[3:], lines))
        return self._box_of[1]

    def _parse_box(self, words: list[str], lines: list[str]) -> Box:
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

    def _name_columns(self, item: str) -> tuple[tuple[str, ...], str]:
        """Names of the columns, and the kind of the frame that they make."""
        if item not in self._columns_of:
            self._columns_of[item] = self._check_columns(item.split()[2:])
        return self._columns_of[item]

    def _check_columns(self, found: list[str]) -> tuple[tuple[str, ...], str]:
        where = f"{self.path}, frame {self.frames}"
        names = tuple(found)
        if self._columns is not None:
            if len(self._columns) != len(found):
                raise E3DError(
                    f"{where}: --columns names {len(self._columns)} columns, "
                    f"the dump has {len(found)}: {' '.join(found)}"
                )
            names = self._columns
        kind = "edges"
        if self._of == ATOMS:
            kind = "atoms"
        elif "eps" not in names and {"e12", "e21"} & set(names):
            kind = "bonds"
        required = {"edges": EDGE_COLUMNS, "bonds": BOND_COLUMNS, "atoms": ATOM_COLUMNS}[kind]
        missing = [name for name in required if name not in names]
        if missing:
            hint = _ATOMS_HINT if kind == "atoms" else _COLUMNS_HINT
            raise E3DError(f"{where}: no column {', '.join(missing)} among '{' '.join(names)}'; {hint}")
        twice = [name for name in required if names.count(name) > 1]
        if twice:
            raise E3DError(f"{where}: column {', '.join(twice)} occurs more than once in '{' '.join(names)}'")
        return names, kind


_COORDINATES = (("x", "y", "z"), ("xu", "yu", "zu"), ("xs", "ys", "zs"), ("xsu", "ysu", "zsu"))
_ATOM_KINDS = {
    "id": ID,
    "type": TYPE,
    "element": SYMBOL,
    **{name: REAL for names in _COORDINATES for name in names},
}
_END_SLOTS = (
    (("tag1",), ID),
    (("tag2",), ID),
    (("type1",), TYPE),
    (("type2",), TYPE),
    (("dx", "dy", "dz"), REAL),
)


def _positions(rows: dict[str, np.ndarray], box: Box) -> np.ndarray | None:
    """(N, 3) angstrom, from whichever coordinates a dump of atoms has; None if it has none."""
    for names in _COORDINATES:
        if all(name in rows for name in names):
            position = np.stack([rows[name] for name in names], axis=1)
            return position @ box.cell + box.origin if "s" in names[0] else position
    return None
