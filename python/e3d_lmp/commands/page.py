"""``e3d page``: one HTML file that links a D-A map to structures, for a browser and without any network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from e3d_lmp.commands.arguments import add_map_arguments
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.store.reader import StoreReader, is_store
from e3d_lmp.errors import E3DError
from e3d_lmp.web.page import MEGABYTES, PER_BIN, RADIUS, STRUCTURES, PageOptions, write_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d page``."""
    parser.add_argument(
        "store", metavar="FILE", help="edge store with positions, of 'e3d evaluate' or 'e3d convert --atoms'"
    )
    parser.add_argument("-o", "--output", required=True, metavar="PAGE.html", help="file to write")
    parser.add_argument("--title", help="title of the page (default: name of the store)")
    add_map_arguments(parser)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="use each N-th frame (default 1)")
    parser.add_argument(
        "--per-bin",
        type=int,
        default=PER_BIN,
        metavar="N",
        help=f"bonds of each bin that come with their structure (default {PER_BIN})",
    )
    parser.add_argument(
        "--structures",
        type=int,
        default=STRUCTURES,
        metavar="N",
        help=f"at most so many (default {STRUCTURES})",
    )
    parser.add_argument(
        "--size",
        type=float,
        default=MEGABYTES,
        metavar="MB",
        help=f"at most so many MB of bonds and structures (default {MEGABYTES:g}); scripts take 0.6 MB more",
    )
    parser.add_argument(
        "--radius",
        type=float,
        default=RADIUS,
        metavar="R",
        help=f"angstrom shown around a bond of a periodic or large structure (default {RADIUS:g})",
    )
    parser.add_argument(
        "--model", metavar="FILE", help="model file; needed only if its cutoffs differ for the two directions"
    )
    parser.add_argument(
        "--skip-unpaired", action="store_true", help="leave out and count edges whose partner is missing"
    )


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d page`` was asked; returns the exit code."""
    if Path(args.output).suffix.lower() not in (".html", ".htm"):
        raise E3DError(f"{args.output}: a page is written to a file that ends in .html")
    if Path(args.store).is_file() and not is_store(args.store):
        raise E3DError(
            f"{args.store}: not an edge store; make one with "
            "'e3d convert EDGES.dump -o STORE.h5 --atoms ATOMS.dump', or with 'e3d evaluate'"
        )
    options = PageOptions(
        cutoff=parse_cutoff(args.cutoff),
        width=args.bin,
        labels=args.pairs,
        per_bin=args.per_bin,
        structures=args.structures,
        megabytes=args.size,
        radius=args.radius,
        model=args.model,
        skip_unpaired=args.skip_unpaired,
    )
    with StoreReader(args.store, args.every) as store:
        data = write_page(store, options, args.output, args.title)
    print(data["about"])
    for name, text in data["provenance"]:
        if name == "unpaired":
            print(f"e3d: warning: {text}", file=sys.stderr)
    print(f"wrote {args.output} ({Path(args.output).stat().st_size / 1e6:.1f} MB); open it in a browser")
    return 0
