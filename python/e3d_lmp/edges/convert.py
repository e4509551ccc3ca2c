"""From ``dump local`` text, or a record, to an edge store, in one pass, also while the run goes on.

Under an MPI launcher the ranks read and pair the frames of a record, in turn, and rank 0 writes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from e3d_lmp.edges.dumps.reader import AtomReader, DumpReader
from e3d_lmp.edges.frames import AtomRows, BondFrame, EdgeFrame
from e3d_lmp.edges.pairs import Pairing
from e3d_lmp.edges.records.reader import RecordReader
from e3d_lmp.edges.store.writer import StoreWriter
from e3d_lmp.errors import E3DError
from e3d_lmp.mpi import SerialComm, in_turn


class _AtomsOfSteps:
    """Atoms of one step after the other."""

    def __init__(self, reader: AtomReader):
        self.reader = reader
        self._frames: Iterator[tuple[int, AtomRows]] = iter(reader)

    def at(self, step: int) -> AtomRows | None:
        """The atoms of a step beyond the last one asked for; None where their frame is cut off."""
        for found, atoms in self._frames:
            if found == step:
                return atoms
            if found > step:
                break
        else:
            if self.reader.truncated:
                return None
        raise E3DError(
            f"{self.reader.files[0]}: no frame of step {step}, which the edges have; dump atoms and edges at "
            "the same steps"
        )


def convert(
    reader: DumpReader | RecordReader,
    store: StoreWriter | None,
    atoms: AtomReader | None = None,
    pairing: Pairing | None = None,
    limit: int | None = None,
    progress: Callable[[], None] | None = None,
    communicator: Any = None,
) -> int:
    """Append frames to a store, after those that it has; returns the number of edges left out unpaired.

    Parameters
    ----------
    reader
        Frames of edges or pairs. Its `after` and `on_wait` are set here. Its `share` is that of this rank.
    store
        None on all ranks but the first. With the frame columns ``beyond`` and ``unpaired`` where `pairing` is
        given.
    atoms
        Atoms of the same steps.
    pairing
        Keep pairs instead of edges.
    limit
        Stop when the store has so many frames.
    progress
        Called after each frame and while waiting.
    communicator
        of mpi4py, whose ranks all call this; `SerialComm` by default.

    Raises
    ------
    E3DError
        On rank 0, as the readers, the pairing and the store do; or the store was begun with another dump.
    """
    communicator = communicator or SerialComm()
    if store is None:
        reader.after = communicator.bcast(None)
        for _ in in_turn(_rows_of(reader, pairing), communicator):
            pass
        return 0
    before = 0
    if store.resumed is not None and len(store.resumed):
        before = len(store.resumed)
        reader.after = int(store.resumed.steps[-1])
    communicator.bcast(reader.after)
    progress = progress or (lambda: None)

    def wait() -> None:
        store.tick()
        progress()

    reader.on_wait = wait
    positions = None
    if atoms is not None:
        atoms.after, atoms.on_wait = reader.after, wait
        positions = _AtomsOfSteps(atoms)
    unpaired = 0
    with contextlib.closing(in_turn(_rows_of(reader, pairing), communicator)) as frames:
        if limit is not None and store.frames >= limit:
            return 0
        for rows, values in frames:
            if before:
                _check_same(reader, before, store)
            unpaired += values.get("unpaired", 0)
            own = None
            if positions is not None:
                own = positions.at(rows.step)
                if own is None:
                    break
                if own.position is None:
                    raise E3DError(
                        f"{positions.reader.files[0]}: no columns x y z; dump them, or drop --atoms"
                    )
            store.append(rows, own, **values)
            progress()
            if limit is not None and store.frames >= limit:
                break
        else:
            if before:
                _check_same(reader, before, store)
    return unpaired


def _rows_of(
    reader: DumpReader | RecordReader, pairing: Pairing | None
) -> Iterator[tuple[EdgeFrame | BondFrame, dict[str, int]]]:
    """The rows of each frame of this rank as they are kept, and the frame's numbers."""
    for frame in reader:
        if pairing is None:
            yield frame, {}
            continue
        if not isinstance(frame, EdgeFrame):
            raise E3DError(f"{reader.files[0]}: these are pairs already; leave --pairs out")
        rows, beyond, unpaired = pairing.bonds(frame)
        yield rows, {"beyond": beyond, "unpaired": unpaired}


def _check_same(reader: DumpReader | RecordReader, before: int, store: StoreWriter) -> None:
    """Raise unless the frames passed over are as many as those that the store was begun with."""
    expected = (before - 1) * reader.every + 1
    if reader.passed != expected:
        raise E3DError(
            f"{reader.files[0]}: {reader.passed} frames up to step {reader.after}, but {store.path} was "
            f"begun with one that has {expected}; is this another run? Choose another name, or "
            "add --overwrite"
        )
