"""From ``dump local`` text to an edge store, in one pass, also while the run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from e3d_lmp.edges.dumps.reader import AtomReader, DumpReader
from e3d_lmp.edges.frames import AtomRows, BondFrame, EdgeFrame
from e3d_lmp.edges.pairs import Pairing
from e3d_lmp.edges.store.writer import StoreWriter
from e3d_lmp.errors import E3DError


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
    reader: DumpReader,
    store: StoreWriter,
    atoms: AtomReader | None = None,
    pairing: Pairing | None = None,
    limit: int | None = None,
    progress: Callable[[], None] | None = None,
) -> int:
    """Append the frames of a dump to a store, after those that it has; the number of edges left out unpaired.

    Parameters
    ----------
    reader
        Frames of edges or pairs. Its `after` and `on_wait` are set here.
    store
        With the frame columns ``beyond`` and ``unpaired`` where `pairing` is given.
    atoms
        Atoms of the same steps.
    pairing
        Keep pairs instead of edges.
    limit
        Stop when the store has so many frames.
    progress
        Called after each frame and while waiting.

    Raises
    ------
    E3DError
        As the readers, the pairing and the store do; or the store was begun with another dump.
    """
    before = 0
    if store.resumed is not None and len(store.resumed):
        before = len(store.resumed)
        reader.after = int(store.resumed.steps[-1])
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
    if limit is not None and store.frames >= limit:
        return 0
    for frame in reader:
        if before:
            _check_same(reader, before, store)
        values: dict[str, int] = {}
        rows: EdgeFrame | BondFrame = frame
        if pairing is not None:
            if not isinstance(frame, EdgeFrame):
                raise E3DError(f"{reader.files[0]}: these are pairs already; leave --pairs out")
            rows, values["beyond"], values["unpaired"] = pairing.bonds(frame)
            unpaired += values["unpaired"]
        own = None
        if positions is not None:
            own = positions.at(frame.step)
            if own is None:
                break
            if own.position is None:
                raise E3DError(f"{positions.reader.files[0]}: no columns x y z; dump them, or drop --atoms")
        store.append(rows, own, **values)
        progress()
        if limit is not None and store.frames >= limit:
            break
    else:
        if before:
            _check_same(reader, before, store)
    return unpaired


def _check_same(reader: DumpReader, before: int, store: StoreWriter) -> None:
    """Raise unless the frames passed over are as many as those that the store was begun with."""
    expected = (before - 1) * reader.every + 1
    if reader.passed != expected:
        raise E3DError(
            f"{reader.files[0]}: {reader.passed} frames up to step {reader.after}, but {store.path} was "
            f"begun with a dump that has {expected}; is this another run? Choose another name, or "
            "add --overwrite"
        )
