"""``e3d evaluate``: edge energies of structures, from a model file and nothing else."""

from __future__ import annotations

import argparse
import sys

from e3d_lmp.commands.arguments import add_store_arguments
from e3d_lmp.edges import ani
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.evaluate import fill_store, open_store
from e3d_lmp.edges.evaluator import BATCH, EdgeEvaluator
from e3d_lmp.edges.structures import NAME_KEYS, PARTS, SPICE_ENERGY, TRANSITION1X_ENERGY, Structures
from e3d_lmp.errors import E3DError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d evaluate``."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="model file of e3d export; or a nequip package or checkpoint, which is first exported",
    )
    parser.add_argument(
        "structures",
        nargs="+",
        metavar="STRUCTURES",
        help="file that ASE reads, or HDF5 in the SPICE, Transition1x or ANI layout",
    )
    parser.add_argument("-o", "--output", required=True, metavar="STORE", help="file to write, e.g. edges.h5")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="only the first N structures (of those of --every)"
    )
    parser.add_argument(
        "--every",
        type=int,
        default=1,
        metavar="N",
        help="each N-th structure (default 1), of Transition1x files each N-th reaction",
    )
    parser.add_argument(
        "--cutoff",
        nargs="+",
        default=["model"],
        metavar="C",
        help="edges to keep: model (default, all), covalent, paper (2.2 angstrom), a number of angstrom, "
        "'file F'",
    )
    parser.add_argument(
        "--device", default="auto", help=".pt2 and .pth: auto (default), cpu, cuda, cuda:K, xpu"
    )
    parser.add_argument(
        "--batch",
        type=int,
        metavar="N",
        help=f"atoms at a time (default {BATCH['native']}; of .pt2 and .pth {BATCH['cpu']} on a CPU, "
        f"{BATCH['cuda']} on a GPU)",
    )
    parser.add_argument(
        "--forces",
        action="store_true",
        help="keep the forces on the atoms too, the model's and, where there are any, those of STRUCTURES",
    )
    parser.add_argument(
        "--skip-unknown", action="store_true", help="leave out and count structures with unknown elements"
    )
    parser.add_argument(
        "--energy",
        metavar="FIELD",
        help="HDF5: energy to note as reference_energy "
        f"(default: {SPICE_ENERGY} in SPICE, {TRANSITION1X_ENERGY} in Transition1x, {ani.ENERGY} in ANI)",
    )
    parser.add_argument(
        "--name",
        metavar="KEY",
        help="files that ASE reads: key of a frame's info (in extxyz its comment line) that names it, e.g. "
        f"REACTION/product (default: {' or '.join(NAME_KEYS)}, where there is one; else file and number)",
    )
    parser.add_argument(
        "--part",
        default="data",
        choices=PARTS,
        help="Transition1x: part of the file (default data: all)",
    )
    parser.add_argument(
        "--path-images",
        action="store_true",
        help="Transition1x: the images of each path instead of reactant, transition state and product",
    )
    add_store_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """``e3d evaluate``: write the store, or go on with one that was begun."""
    if args.limit is not None and args.limit < 1:
        raise E3DError(f"--limit {args.limit}: expected a whole number of at least 1")
    if args.every < 1:
        raise E3DError(f"--every {args.every}: expected a whole number of at least 1")
    structures = Structures(
        args.structures,
        args.energy,
        args.part,
        args.path_images,
        args.forces,
        NAME_KEYS if args.name is None else (args.name,),
        must_be_named=args.name is not None,
    )
    cutoff = parse_cutoff(args.cutoff)
    evaluator = EdgeEvaluator(args.model, args.device, args.batch)
    taken = {"cutoff": cutoff, "forces": args.forces, "every": args.every}
    kept = {"single": args.single, "long_ids": args.long_ids, "overwrite": args.overwrite}
    with open_store(args.output, evaluator, structures, **taken, **kept) as store:
        before = store.frames
        if before:
            print(f"e3d: {before} frames are in {args.output} already; going on after them", file=sys.stderr)
        skipped = fill_store(
            store, evaluator, structures, **taken, limit=args.limit, skip_unknown=args.skip_unknown
        )
    if skipped:
        print(f"e3d: warning: {skipped} structures with unknown elements left out", file=sys.stderr)
    print(store.summary(before))
    return 0
