"""``e3d convert``: from ``dump local`` text to an edge store, in one pass, also while the run goes on."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from e3d_lmp.analyze import add_units_argument, model_types
from e3d_lmp.cutoffs import check_elements
from e3d_lmp.dumps import AtomReader, DumpReader
from e3d_lmp.errors import E3DError
from e3d_lmp.frames import AtomRows, BondFrame, EdgeFrame
from e3d_lmp.pairs import Pairing, unpaired_remarks
from e3d_lmp.store_writer import StoreWriter

DEFAULT_FOLLOW = 60.0
"""Seconds without growth after which ``--follow`` takes a run for finished."""


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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d convert``."""
    parser.add_argument(
        "dumps",
        nargs="+",
        metavar="DUMP",
        help="'dump local' text of compute e3d/edge/local or e3d/pair/local, plain, .gz or .zst; one file, "
        "one per rank, or one per step",
    )
    parser.add_argument("-o", "--output", required=True, metavar="STORE", help="file to write, e.g. edges.h5")
    parser.add_argument("--types", nargs="+", metavar="El", help="element of each LAMMPS type, e.g. C H N O")
    parser.add_argument(
        "--atoms",
        nargs="+",
        metavar="DUMP",
        help="'dump custom' text with id type x y z [element] of the same steps: keep the positions too",
    )
    parser.add_argument(
        "--pairs", action="store_true", help="keep each pair once with both energies; needs --types"
    )
    parser.add_argument(
        "--model",
        metavar="FILE",
        help="with --pairs: model file of the run; needed only if its cutoffs differ for the two directions",
    )
    parser.add_argument(
        "--skip-unpaired",
        action="store_true",
        help="with --pairs: leave out and count edges whose partner is missing",
    )
    add_units_argument(parser)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="keep each N-th frame (default 1)")
    parser.add_argument("--frames", type=int, metavar="N", help="stop when the store has N frames")
    parser.add_argument(
        "--follow",
        nargs="?",
        type=float,
        const=DEFAULT_FOLLOW,
        metavar="SECONDS",
        help="keep up with a run that still writes, until nothing has come for SECONDS "
        f"(default {DEFAULT_FOLLOW:g}) or --frames are there",
    )
    parser.add_argument("--allow-truncated", action="store_true", help="leave out frames that are cut off")
    parser.add_argument(
        "--columns",
        nargs="+",
        metavar="NAME",
        help="names of the dump's columns in order, for dumps that call them c_ID[1] c_ID[2] ...",
    )
    add_store_arguments(parser)


def add_store_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of every command that writes a store."""
    parser.add_argument(
        "--single", action="store_true", help="keep vectors and energies in float32 (default: float64, exact)"
    )
    parser.add_argument(
        "--long-ids", action="store_true", help="keep ids in 64 bits even if the first frame does not need it"
    )
    parser.add_argument("--overwrite", action="store_true", help="start afresh, whatever STORE is")


def run(args: argparse.Namespace) -> int:
    """``e3d convert``: write the store, or go on with one that was begun."""
    from tqdm import tqdm

    elements = check_elements(args.types) if args.types else ()
    pairing = _pairing(args, elements)
    if args.frames is not None and args.frames < 1:
        raise E3DError(f"--frames {args.frames}: expected a whole number of at least 1")
    reader = DumpReader(
        args.dumps, args.columns, args.every, args.allow_truncated, follow=args.follow, units=args.units
    )
    atoms = AtomReader(args.atoms, None, 1, args.allow_truncated, follow=args.follow) if args.atoms else None
    request = {
        "command": "convert",
        "dumps": _absolute(args.dumps),
        "atoms": _absolute(args.atoms or []),
        "types": elements,
        "pairs": args.pairs,
        "every": args.every,
        "single": args.single,
    }
    bar = tqdm(unit="B", unit_scale=True, desc="e3d convert", disable=None, leave=False)
    with (
        bar,
        StoreWriter(
            args.output,
            request=request,
            elements=elements,
            provenance={"dumps": " ".join(map(str, reader.files)), "every": str(args.every)},
            frame_columns=("beyond", "unpaired") if args.pairs else (),
            atom_columns=("position",) if atoms is not None else (),
            single=args.single,
            long_ids=args.long_ids,
            overwrite=args.overwrite,
        ) as store,
    ):
        before = store.frames
        if before:
            print(f"e3d: {before} frames are in {args.output} already; going on after them", file=sys.stderr)

        def progress() -> None:
            bar.total = reader.bytes_total
            bar.update(reader.bytes_read - bar.n)

        unpaired = convert(reader, store, atoms, pairing, args.frames, progress)
    for text in reader.remarks() + unpaired_remarks(unpaired):
        print(f"e3d: warning: {text}", file=sys.stderr)
    print(summary(store, before))
    return 0


def summary(store: StoreWriter, before: int) -> str:
    """One line about a finished store."""
    size = store.path.stat().st_size
    rows = f"{size / store.rows:.1f} bytes each" if store.rows else "none"
    new = f", {store.frames - before} of them new" if before else ""
    return (
        f"{store.path}: {store.frames} frames{new}, {store.rows} {store.kind} ({rows}), {size / 1e6:.1f} MB"
    )


def _pairing(args: argparse.Namespace, elements: Sequence[str]) -> Pairing | None:
    if not args.pairs:
        if args.model or args.skip_unpaired:
            raise E3DError("--model and --skip-unpaired are for --pairs; add it, or leave them out")
        return None
    if not elements:
        raise E3DError("--pairs needs the element of every LAMMPS type: add --types, e.g. --types C H N O")
    cutoffs = None
    if args.model:
        _, cutoffs = model_types(args.model, elements)
    return Pairing(tuple(elements), None, cutoffs, args.skip_unpaired)


def _absolute(paths: Sequence[Any]) -> list[str]:
    return [os.path.abspath(path) for path in paths]
