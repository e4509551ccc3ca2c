"""``e3d watch``: a page that follows a job or a campaign."""

from __future__ import annotations

import argparse
from pathlib import Path

from e3d_lmp.errors import E3DError
from e3d_lmp.runs.watch import PAGE, REFRESH, serve, watch, write_watch_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d watch``."""
    parser.add_argument("folder", metavar="DIR", help="folder of e3d job or e3d campaign run")
    parser.add_argument("--once", action="store_true", help=f"write {PAGE} once, and end")
    parser.add_argument(
        "--every",
        type=float,
        default=REFRESH,
        metavar="S",
        help=f"seconds between two pages (default: {REFRESH})",
    )
    parser.add_argument(
        "--serve",
        action="store_true",
        help="answer a browser of this machine, instead of writing the page again and again",
    )
    parser.add_argument("--port", type=int, default=8432, help="of --serve (default: 8432; 0: any free one)")


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d watch`` was asked; returns the exit code."""
    folder = Path(args.folder)
    if args.every <= 0:
        raise E3DError(f"--every: expected seconds above 0, got {args.every:g}")
    if args.once:
        print(f"wrote {write_watch_page(folder)}")
    elif args.serve:
        with serve(folder, args.port, args.every) as server:
            print(f"open http://127.0.0.1:{server.server_address[1]}/ (Ctrl-C ends it)", flush=True)
            server.serve_forever()
    else:
        print(f"open {(folder / PAGE).resolve().as_uri()}; written again every {args.every:g} s", flush=True)
        watch(folder, args.every)
    return 0
