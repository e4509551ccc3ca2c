"""Writer of edge stores (`e3d_lmp.edges.store.reader`), frame by frame, that may be killed at any moment.

Columns are written first, then the tables of frames, then the number of whole frames; HDF5's mode for a
single writer and many readers (SWMR) keeps the file readable between any two of its writes. A killed writer
therefore leaves a file that holds every frame up to the last commit, and the next writer goes on from there.
Until it is finished the file has the ending ``.partial``; then it is renamed.

Columns are written in whole compressed chunks: a chunk that grows after it was written would leave its old
place in the file unused. Only a commit because of time (`COMMIT_SECONDS`) or the end writes a part of one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from e3d_lmp.edges.frames import AtomRows, BondFrame, EdgeFrame, KnownAtoms
from e3d_lmp.edges.store.column import GrowingColumn
from e3d_lmp.edges.store.reader import EDGES, FORMAT, FRAME_COLUMNS, PAIRS, PARTIAL, ROW_COLUMNS, StoreReader
from e3d_lmp.edges.store.superblock import revive
from e3d_lmp.errors import E3DError
from e3d_lmp.files import LOCK, open_lock, plain_text, relative_path, remove_lock
from e3d_lmp.version import __version__

CHUNK_ROWS = 1 << 15
COMMIT_ROWS = 8 * CHUNK_ROWS
COMMIT_SECONDS = 30.0
"""A frame is safe at the latest after so many rows, or so many seconds, whichever comes first."""

_FRAME_CHUNK = 1024
_VERSIONS = ("v110", "v110")
_COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
_FRAME_TABLE: dict[str, tuple[int, ...]] = {
    "step": (),
    "edge_offset": (2,),
    "atom_offset": (2,),
    "cell": (3, 3),
    "origin": (3,),
    "pbc": (3,),
}
_REAL = {"cell": np.float64, "origin": np.float64, "pbc": np.uint8}


class StoreWriter:
    """Appends frames to an edge store; as a context manager it finishes the file when the block ends well.

    The first frame, `EdgeFrame` or `BondFrame`, decides what the store holds. Where an unfinished or finished
    file is there already and was asked for with the same `request`, writing goes on after its last whole
    frame.

    Parameters
    ----------
    path
        The file.
    request
        What the file is made from, and how; decides whether an existing file is the same one.
    elements
        Chemical symbol of each type; empty where not known.
    provenance
        More about where the frames come from, one line of text per key.
    frame_columns
        Names of `FRAME_COLUMNS` that every frame has.
    atom_columns
        ``position``, ``force``, ``reference_force``: which of them every frame's atoms have.
    single
        Keep vectors and energies in float32; else float64.
    long_ids
        Keep atom ids in int64 from the start, for ids that will exceed 2^31 - 1 only later.
    overwrite
        Start afresh, whatever is there.

    Attributes
    ----------
    frames : frames in the store, those included that are not safe yet
    rows : edges, or pairs, likewise
    resumed : StoreReader of what was there before, until the first `append`; None where nothing was

    Raises
    ------
    E3DError
        The file is something else, belongs to another request, is in use, or cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        request: Mapping[str, Any],
        elements: Sequence[str] = (),
        provenance: Mapping[str, str] | None = None,
        frame_columns: Sequence[str] = (),
        atom_columns: Sequence[str] = (),
        single: bool = False,
        long_ids: bool = False,
        overwrite: bool = False,
    ):
        self.path = Path(path)
        self.partial = self.path.with_name(self.path.name + PARTIAL)
        self.kind = EDGES
        self.elements = tuple(elements)
        self._frame_columns, self._atom_columns = tuple(frame_columns), tuple(atom_columns)
        self._single, self._long_ids = single, long_ids
        asked = _one_line(request, self.path.parent)
        about = {**(provenance or {}), "e3d": __version__, "request": asked}
        self._provenance = {key: plain_text(" ".join(str(value).split())) for key, value in about.items()}
        self._file: h5py.File | None = None
        self._rows: dict[str, GrowingColumn] = {}
        self._atoms: dict[str, GrowingColumn] = {}
        self._table: dict[str, GrowingColumn] = {}
        self._known = KnownAtoms(self.elements)
        self._block = (0, 0)
        self.frames = 0
        self.rows = 0
        self.resumed: StoreReader | None = None
        self._lock: int | None = _lock(self.path)
        try:
            self._take_over(overwrite)
        except BaseException:
            self._unlock()
            raise
        self._committed = time.monotonic()

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.close()

    def append(self, frame: EdgeFrame | BondFrame, atoms: AtomRows | None = None, **values: Any) -> None:
        """Add a frame.

        Parameters
        ----------
        frame
            Its edges or pairs.
        atoms
            Its atoms. None: those that have an edge in this frame or had one in an earlier one.
        values
            One value for each of `frame_columns`.
        """
        if sorted(values) != sorted(self._frame_columns):
            raise ValueError(f"expected values of {self._frame_columns}, got {tuple(values)}")
        with self._disk():
            if self._file is None:
                self._start(frame)
            if (self.kind == EDGES) != isinstance(frame, EdgeFrame):
                raise E3DError(
                    f"step {frame.step}: {'edges' if self.kind == PAIRS else 'pairs'} after frames of "
                    f"{self.kind}; a store holds frames of one kind"
                )
            self._add_atoms(self._known.of(frame) if atoms is None else atoms)
            for name, column in self._rows.items():
                column.add(getattr(frame, name), frame.step)
            begin, self.rows = self.rows, self.rows + frame.i.size
            row = {
                "step": frame.step,
                "edge_offset": (begin, self.rows),
                "atom_offset": self._block,
                "cell": frame.box.cell,
                "origin": frame.box.origin,
                "pbc": frame.box.pbc,
                **values,
            }
            for name, column in self._table.items():
                value = row[name]
                column.add(np.asarray([_tail(value) if name == "name" else value], dtype=column.dtype))
            self.frames += 1
            if self._rows["i"].pending >= COMMIT_ROWS:
                self._commit(everything=False)
            self.tick()

    def tick(self) -> None:
        """Make frames safe if that was last done `COMMIT_SECONDS` ago; to be called while waiting."""
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Make all frames safe now."""
        if self._file is not None:
            with self._disk():
                self._commit(everything=True)
        self._committed = time.monotonic()

    def close(self) -> None:
        """Make all frames safe and leave the file unfinished."""
        try:
            self.flush()
        finally:
            self._release()

    def finish(self) -> None:
        """Make all frames safe, mark the file finished, and give it its name."""
        try:
            with self._disk():
                if self._file is None and self.resumed is None:
                    self._start(None)
                self.flush()
                if self.resumed is None or not self.resumed.is_complete:
                    self._finish()
        finally:
            self._release()

    def summary(self, before: int = 0) -> str:
        """One line about a finished store that had `before` frames when it was opened."""
        size = self.path.stat().st_size
        rows = f"{size / self.rows:.1f} bytes each" if self.rows else "none"
        new = f", {self.frames - before} of them new" if before else ""
        return (
            f"{self.path}: {self.frames} frames{new}, {self.rows} {self.kind} ({rows}), {size / 1e6:.1f} MB"
        )

    def _finish(self) -> None:
        if self._file is None:  # nothing new
            self._reopen()
        assert self._file is not None
        self._file["frames/state"][1] = 1
        columns = [*self._rows.values(), *self._atoms.values(), *self._table.values()]
        # What a killed writer left beyond its last whole frame and nobody wrote over.
        over = {column.name: column.end for column in columns if column.is_longer}
        self._file.close()
        self._file = None
        if over:
            with h5py.File(self.partial, "r+", libver=_VERSIONS, locking=False) as file:
                for name, end in over.items():
                    file[name].resize(end, axis=0)
        os.replace(self.partial, self.path)

    def _take_over(self, overwrite: bool) -> None:
        """See what is there; raises if it is not ours to go on with."""
        for path in (self.partial, self.path):
            if overwrite or not path.exists():
                continue
            if path == self.partial:
                revive(path)
            try:
                reader = StoreReader(path)
            except E3DError as error:
                raise E3DError(f"{error}; {_ways_out(path)}") from None
            theirs = _of_today(reader.provenance.get("request", ""), path.parent)
            if theirs != self._provenance["request"]:
                reader.close()
                raise E3DError(
                    f"{path} was made by another request ({theirs}; now: {self._provenance['request']}); "
                    f"{_ways_out(path)}"
                )
            self.resumed = reader
            self.kind = reader.kind
            self.frames, self.rows = len(reader), int(reader.row_counts.sum())
            return

    def _start(self, frame: EdgeFrame | BondFrame | None) -> None:
        """Open the file for appending: what is there, or a new one with the columns that `frame` needs."""
        if self.resumed is None:
            self.kind = EDGES if frame is None or isinstance(frame, EdgeFrame) else PAIRS
            top = max(int(frame.i.max()), int(frame.j.max())) if frame is not None and frame.i.size else 0
            fresh = self.partial.with_name(f".{self.partial.name}.new")
            self._create(fresh, np.dtype(np.int64 if self._long_ids or top >= 2**31 else np.int32))
            os.replace(fresh, self.partial)
        self._reopen()

    def _reopen(self) -> None:
        atoms, rows, last = 0, self.rows, None
        if self.resumed is not None:
            if self.frames:
                first, atoms = (int(row) for row in self.resumed.atom_rows(-1))
                self._block = (first, atoms)
                last = self.resumed.atoms(-1)
            self.resumed.close()
            self.resumed = None
            if not self.partial.exists():
                os.replace(self.path, self.partial)
        if last is not None:
            self._known.seed(last)
        self._file = _open(self.partial)
        frames = [(name, data) for name, data in self._file["frames"].items() if name != "state"]
        self._rows = {n: GrowingColumn(self._file[self.kind][n], rows) for n in ROW_COLUMNS[self.kind]}
        self._atoms = {n: GrowingColumn(d, atoms) for n, d in self._file["atoms"].items()}
        self._table = {n: GrowingColumn(d, self.frames) for n, d in frames}
        self._file["frames/state"][1] = 0

    def _create(self, path: Path, id_type: np.dtype) -> None:
        real = np.dtype(np.float32 if self._single else np.float64)
        with h5py.File(path, "w", libver=_VERSIONS, locking=False) as file:
            file.attrs.update(format=FORMAT, kind=self.kind, elements=" ".join(self.elements))
            file.create_group("provenance").attrs.update(self._provenance)

            def column(name: str, dtype: Any, shape: tuple[int, ...] = (), packed: bool = True) -> None:
                rows = CHUNK_ROWS if packed else _FRAME_CHUNK
                options = _COMPRESSION if packed else {}
                file.create_dataset(
                    name, (0, *shape), dtype, chunks=(rows, *shape), maxshape=(None, *shape), **options
                )

            for name in ROW_COLUMNS[self.kind]:
                kind = id_type if name in ("i", "j") else real
                column(f"{self.kind}/{name}", kind, (3,) if name == "vec" else ())
            column("atoms/id", id_type)
            column("atoms/type", np.int32)
            column("atoms/element", "S2")
            for name in self._atom_columns:
                column(f"atoms/{name}", np.float64, (3,))
            # Not compressed: a table of frames grows at every commit, and stays in its place this way.
            for name, shape in _FRAME_TABLE.items():
                column(f"frames/{name}", _REAL.get(name, np.int64), shape, packed=False)
            for name in self._frame_columns:
                column(f"frames/{name}", FRAME_COLUMNS[name], packed=False)
            file.create_dataset("frames/state", data=np.zeros(2, dtype=np.int64))
            units = {"vec": "angstrom", "eps": "eV", "e12": "eV", "e21": "eV"}
            for name, unit in units.items():
                if name in file[self.kind]:
                    file[self.kind][name].attrs["units"] = unit

    def _add_atoms(self, atoms: AtomRows) -> None:
        """Put the atoms behind the others, unless they are those of the frame before."""
        if self._known.is_current(atoms) and not self._atom_columns:
            return
        self._known.current = atoms
        first = self._atoms["id"].end + self._atoms["id"].pending
        for name, column in self._atoms.items():
            values = getattr(atoms, name)
            if name == "element":
                values = self._symbols(atoms)
            if values is None:
                raise ValueError(f"atoms without {name} in a store that has it")
            column.add(values)
        self._block = (first, first + atoms.id.size)

    def _symbols(self, atoms: AtomRows) -> np.ndarray:
        """(N,) S2; the element of the type where the atom has none of its own."""
        own = np.asarray(atoms.element).astype("S2")
        if self.elements and not own.all():
            if atoms.type.size and atoms.type.max() > len(self.elements):
                raise E3DError(
                    f"atoms of type {atoms.type.max()}, but --types names {len(self.elements)} "
                    f"({' '.join(self.elements)}); name the element of every type, in order"
                )
            own = np.where(own == b"", np.array(self.elements, dtype="S2")[atoms.type - 1], own)
        return own

    def _commit(self, everything: bool) -> None:
        """Write what is pending (whole chunks of it, or all), then the frames that are whole by that."""
        assert self._file is not None
        for column in (*self._rows.values(), *self._atoms.values()):
            column.write(everything)
        whole = min(
            self._table["edge_offset"].count_up_to(self._rows["i"].end),
            self._table["atom_offset"].count_up_to(self._atoms["id"].end),
        )
        if whole:
            self._file.flush()
            for column in self._table.values():
                column.write_first(whole)
            self._file.flush()
            self._file["frames/state"][0] = self._table["step"].end
            self._file.flush()
        self._committed = time.monotonic()

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        """Failures of the disk as an `E3DError` that names the file."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            self._abandon()
            raise E3DError(
                f"cannot write {self.partial}: {str(error).splitlines()[0]}; is the disk full? Make room, "
                "and give the same command again to go on"
            ) from error

    def _abandon(self) -> None:
        """Leave the file as it is on the disk. HDF5 goes on in memory, because it crashes where it cannot
        write what it still holds."""
        if self._file is not None:
            nowhere = os.memfd_create("e3d-store")
            os.dup2(nowhere, self._file.id.get_vfd_handle())
            os.close(nowhere)
            with contextlib.suppress(OSError, RuntimeError):
                self._file.close()
            self._file = None

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self.resumed is not None:
            self.resumed.close()
            self.resumed = None
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            remove_lock(self._lock, _lock_path(self.path))
            self._lock = None


def _ways_out(path: Path) -> str:
    return f"remove {path}, choose another name, or add --overwrite"


_PATHS = ("structures", "dumps", "atoms")
"""Keys of a request that are lists of files."""


def _one_line(request: Mapping[str, Any], folder: Path) -> str:
    """A request as text; of lists of files, which the provenance names, a hash of the names as seen from the
    store's folder."""
    told = dict(request)
    for key in _PATHS:
        if isinstance(told.get(key), list):
            names = [relative_path(name, folder) for name in told[key]]
            digest = hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()
            told[key] = f"{len(names)} files {digest[:16]}"
    return json.dumps(told, sort_keys=True, default=str)


def _of_today(request: str, folder: Path) -> str:
    """The request of a store, which may be of a version that repeated all names in it."""
    try:
        told = json.loads(request)
    except ValueError:
        return request
    return _one_line(told, folder) if isinstance(told, dict) else request


def _tail(name: str) -> bytes:
    """A name as the table of frames holds it: the end of it, where it is too long."""
    room = int(FRAME_COLUMNS["name"][1:])
    data = plain_text(name).encode()
    return data if len(data) <= room else data[-room:].decode(errors="ignore").encode()


def _open(path: Path) -> h5py.File:
    """The file for a writer beside readers from the first moment on, which h5py.File cannot do."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    # HDF5's own locks would let a reader stop the writer; `_lock` keeps other writers away.
    access.set_file_locking(False, True)
    return h5py.File(h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDWR | h5py.h5f.ACC_SWMR_WRITE, access))


def _lock_path(path: Path) -> Path:
    return path.with_name(f".{path.name}{LOCK}")


def _lock(path: Path) -> int:
    """A lock (`open_lock`) on a file beside `path`, which no other writer can have."""
    try:
        descriptor = open_lock(_lock_path(path))
    except OSError as error:
        raise E3DError(f"cannot write {path}: {error.strerror}") from None
    if descriptor is None:
        raise E3DError(f"{path} is being written by another process; wait for it, or stop it")
    return descriptor
