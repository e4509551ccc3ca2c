"""``e3d convert``: from ``dump local`` text, also while the run goes on, or a record, to an edge store.

Under an MPI launcher the ranks read and pair the frames of a record, and rank 0 writes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from e3d_lmp.commands.arguments import add_store_arguments, add_units_argument
from e3d_lmp.edges.convert import convert
from e3d_lmp.edges.cutoffs import check_elements
from e3d_lmp.edges.dumps.reader import AtomReader, DumpReader
from e3d_lmp.edges.pairs import Pairing, unpaired_remarks
from e3d_lmp.edges.records.reader import RecordReader, is_record
from e3d_lmp.edges.sources import model_types
from e3d_lmp.edges.store.writer import StoreWriter
from e3d_lmp.errors import E3DError
from e3d_lmp.files import relative_path
from e3d_lmp.mpi import on_every_rank, raise_on_all_ranks

DEFAULT_FOLLOW = 60.0
"""Seconds without growth after which ``--follow`` takes a run for finished."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d convert``."""
    parser.add_argument(
        "dumps",
        nargs="+",
        metavar="DUMP",
        help="'dump local' text of compute e3d/edge/local or e3d/pair/local, plain, .gz or .zst; one file, "
        "one per rank, or one per step; or the .json of a record of fix e3d/record",
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


def run(args: argparse.Namespace) -> int:
    """``e3d convert``: write the store, or go on with one that was begun."""
    return on_every_rank(lambda communicator: _convert(args, communicator))


def _convert(args: argparse.Namespace, communicator: Any) -> int:
    from tqdm import tqdm

    is_writer = communicator.Get_rank() == 0
    with raise_on_all_ranks(communicator):
        if args.frames is not None and args.frames < 1:
            raise E3DError(f"--frames {args.frames}: expected a whole number of at least 1")
        reader = _reader(args, communicator)
        elements = check_elements(args.types) if args.types else ()
        if isinstance(reader, RecordReader):
            if elements and reader.elements and elements != reader.elements:
                said = " ".join(reader.elements)
                raise E3DError(f"{reader.path}: the elements of its types are {said}; leave --types out")
            elements = elements or reader.elements
        pairing = _pairing(args, elements)
    with contextlib.ExitStack() as stack:
        atoms, store = None, None
        with raise_on_all_ranks(communicator):
            if is_writer:
                if args.atoms:
                    atoms = AtomReader(args.atoms, None, 1, args.allow_truncated, follow=args.follow)
                store = stack.enter_context(_writer(args, reader, elements))
        before = store.frames if store is not None else 0
        if before:
            print(f"e3d: {before} frames are in {args.output} already; going on after them", file=sys.stderr)
        bar = tqdm(
            unit="B", unit_scale=True, desc="e3d convert", disable=None if is_writer else True, leave=False
        )
        stack.enter_context(bar)

        def progress() -> None:
            bar.total = reader.bytes_total
            bar.update(reader.bytes_read * communicator.Get_size() - bar.n)

        with raise_on_all_ranks(communicator):
            unpaired = convert(reader, store, atoms, pairing, args.frames, progress, communicator)
    if store is not None:
        for text in reader.remarks() + unpaired_remarks(unpaired):
            print(f"e3d: warning: {text}", file=sys.stderr)
        print(store.summary(before))
    return 0


def _reader(args: argparse.Namespace, communicator: Any) -> DumpReader | RecordReader:
    rank, ranks = communicator.Get_rank(), communicator.Get_size()
    if not any(map(is_record, args.dumps)):
        if ranks > 1:
            raise E3DError("e3d convert reads dumps with one process; only records are read by several")
        return DumpReader(
            args.dumps, args.columns, args.every, args.allow_truncated, follow=args.follow, units=args.units
        )
    if len(args.dumps) > 1:
        raise E3DError(f"expected dumps or one record, got {len(args.dumps)} files, records among them")
    for option in ("columns", "units", "follow", "allow_truncated"):
        if getattr(args, option):
            raise E3DError(f"{args.dumps[0]} is a record: leave --{option.replace('_', '-')} out")
    return RecordReader(args.dumps[0], args.every, (rank, ranks))


def _writer(
    args: argparse.Namespace, reader: DumpReader | RecordReader, elements: Sequence[str]
) -> StoreWriter:
    folder = Path(args.output).parent
    provenance = {
        "dumps": " ".join(relative_path(path, folder) for path in reader.files),
        "every": str(args.every),
    }
    if isinstance(reader, RecordReader):
        record = relative_path(reader.path, folder)
        provenance = {**reader.provenance, "record": record, "every": str(args.every)}
    return StoreWriter(
        args.output,
        request={
            "command": "convert",
            "dumps": _absolute(args.dumps),
            "atoms": _absolute(args.atoms or []),
            "types": elements,
            "pairs": args.pairs,
            "every": args.every,
            "single": args.single,
        },
        elements=elements,
        provenance=provenance,
        frame_columns=("beyond", "unpaired") if args.pairs else (),
        atom_columns=("position",) if args.atoms else (),
        single=args.single,
        long_ids=args.long_ids,
        overwrite=args.overwrite,
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
