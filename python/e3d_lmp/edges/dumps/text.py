"""The text of one LAMMPS dump file: headers, and blocks of rows as exact numbers.

Read are ``dump local`` files of directed edges or of bonds and ``dump custom`` files of atoms; plain, or
compressed (.gz, and .zst with the zstandard module). A file may still be growing: `DumpFile` then asks its
`wait` what to do at the present end.

`e3d_lmp.edges.dumps.rows` makes numbers of the rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from e3d_lmp.edges.cutoffs import unknown_elements
from e3d_lmp.edges.dumps.rows import DONE, END, HEADER, ID, NUMBER, REAL, SYMBOL, TYPE, WORD, RowReader
from e3d_lmp.edges.dumps.streams import is_compressed, open_stream
from e3d_lmp.edges.frames import AtomRows, BondFrame, Box, EdgeFrame
from e3d_lmp.errors import E3DError
from e3d_lmp.parsing import LARGEST, real_number, shortened, whole_number
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

LONGEST_ROW = 1 << 20
"""Bytes of a row at most: without a limit, a file without line ends is read again and again in search of
one."""

MOST_ROWS = 2**53

LONGEST_EDGE = 1e6
"""angstrom, of each component."""

EXPECTED = "the text of a LAMMPS 'dump local'"

NO_HEADERS = (
    "LAMMPS writes the headers of 'dump local' into the first file only where the name has a %, or with "
    "nfile or fileper, so that such files cannot be read; dump into one file (no %), or use 'dump ID all "
    "local/gz N edges.%.dump.gz ...', whose files all have headers"
)

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
        self._said_units: str | None = None
        self._is_zeros = False
        self._raw, self._stream = open_stream(path, EXPECTED)
        self._text = b""
        self._at = 0
        self._ended = False
        self._header: Header | None = None
        self._reader: tuple[tuple[str, ...], RowReader] | None = None
        self._box_of: tuple[list[str], Box] | None = None
        self._columns_of: dict[str, tuple[tuple[str, ...], str]] = {}

    def close(self) -> None:
        self._raw.close()

    @property
    def bytes_read(self) -> int:
        return self._raw.tell()

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
        if self.frames == 1:
            self._check_first_line(line)
        step = rows = box = None
        seen: set[str] = set()
        while True:
            item = line.strip()
            start = next((start for start in _ONCE if item.startswith(start)), "")
            if start in seen:
                raise E3DError(f"{self.path}, frame {self.frames}: a second '{item}' in its header")
            if start:
                seen.add(start)
            if item == "ITEM: TIMESTEP":
                step = self._int(item, -LARGEST, LARGEST)
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
                rows = self._int(item, 0, MOST_ROWS)
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
        vec = arrays[4]
        if vec.size and not max(vec.max(), -vec.min()) < LONGEST_EDGE:
            raise E3DError(
                f"{self._where(header)}: an edge of {max(vec.max(), -vec.min()):.3g} angstrom; the file is "
                "damaged, dump it again"
            )
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
            strange = unknown_elements(np.unique(element).tolist())
            if strange:
                raise E3DError(
                    f"{self._where(header)}: '{strange[0]}' is not a chemical element from H to Cm; say the "
                    "element of each type with 'dump_modify ID element C H ...'"
                )
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
            arrays = reader.room(header.rows)
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
            if reader.stop == END and len(self._text) - self._at > LONGEST_ROW:
                raise E3DError(
                    f"{self._where(header)}: {LONGEST_ROW >> 20} MB without a line end; the file is damaged, "
                    "dump it again"
                )
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
        if not is_compressed(self.path):
            more = self._without_zeros(more)
        self._ended = not more
        self._text = self._text[self._at :] + more
        self._at = 0
        return bool(more)

    def _without_zeros(self, block: bytes) -> bytes:
        """A block of a plain file without the zeros that a power cut leaves at its end."""
        while block:
            text = block.rstrip(b"\0")
            if text and self._is_zeros:
                raise E3DError(f"{self.path}, frame {self.frames}: zeros in its middle; the file is damaged")
            self._is_zeros = len(text) < len(block)
            if text:
                return text
            block = self._stream.read(BLOCK_BYTES)
        return b""

    def _check_first_line(self, line: str) -> None:
        """Raise where the files of a run have their headers in the first of them only."""
        if self._of != LOCAL or is_compressed(self.path):
            return
        if not line.lstrip().startswith("ITEM:") and _is_row(line):
            raise E3DError(f"{self.path}: rows without a header; {NO_HEADERS}")
        for match in re.finditer(r"(?<![0-9])0(?![0-9])", self.path.name):
            name = self.path.name
            second = self.path.with_name(f"{name[: match.start()]}1{name[match.end() :]}")
            if second.is_file() and not is_compressed(second):
                with open(second, "rb") as file:
                    head = file.read(LONGEST_ROW >> 4).split(b"\n")[0].decode("ascii", "replace")
                if _is_row(head):
                    raise E3DError(f"{self.path}: {second.name} has rows without a header; {NO_HEADERS}")

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

    def _int(self, item: str, low: int, high: int) -> int:
        try:
            return whole_number(self._need_line().strip(), low, high)
        except ValueError as error:
            raise E3DError(f"{self.path}, frame {self.frames}: after '{item}': {error}") from None

    def _set_units(self, units: str) -> None:
        """Take over what the file says about its units, once at its beginning."""
        self._ev = ev_per_unit(shortened(units), str(self.path))
        if self._said_units not in (None, units):
            raise E3DError(f"{self.path}, frame {self.frames}: units {units} after units {self._said_units}")
        self._said_units = units
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
            if len(words) < 3 or not all(_BOUNDARY.fullmatch(word) for word in words[-3:]):
                raise ValueError
            pbc = np.array([word == "pp" for word in words[-3:]])
            rows = np.array([[real_number(word) for word in line.split()] for line in lines])
            if words[:2] == ["abc", "origin"]:
                if abs(np.linalg.det(rows[:, :3])) == 0.0:
                    raise ValueError
                return Box(rows[:, :3].copy(), rows[:, 3].copy(), pbc)
            low, high = rows[:, 0].copy(), rows[:, 1].copy()
            xy, xz, yz = rows[:, 2] if words[0] == "xy" else np.zeros(3)
            low[0] -= min(0.0, xy, xz, xy + xz)  # the dump has the bounding box of a triclinic cell
            high[0] -= max(0.0, xy, xz, xy + xz)
            low[1] -= min(0.0, yz)
            high[1] -= max(0.0, yz)
            if not (high > low).all():
                raise ValueError
        except (ValueError, IndexError):
            raise E3DError(
                f"{self.path}, frame {self.frames}: no box is '{shortened(' '.join(words))}' / "
                f"{' / '.join(shortened(line.strip()) for line in lines)}; expected finite bounds"
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


_ONCE = ("ITEM: TIMESTEP", "ITEM: NUMBER OF ", "ITEM: BOX BOUNDS")
_BOUNDARY = re.compile("[pfsm]{2}")
_NUMBER = re.compile(r"[-+.0-9eE]+")
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


def _is_row(line: str) -> bool:
    """Whether a line is a row of numbers."""
    words = line.split()
    return len(words) > 1 and all(_NUMBER.fullmatch(word) for word in words)


def _positions(rows: dict[str, np.ndarray], box: Box) -> np.ndarray | None:
    """(N, 3) angstrom, from whichever coordinates a dump of atoms has; None if it has none."""
    for names in _COORDINATES:
        if all(name in rows for name in names):
            position = np.stack([rows[name] for name in names], axis=1)
            return position @ box.cell + box.origin if "s" in names[0] else position
    return None
