"""``e3d report``: one HTML page of all that a folder of results, or a scaling series of folders, holds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from e3d_lmp.analysis.folders import AnalysisFolder, is_series_word, parse_series
from e3d_lmp.errors import E3DError
from e3d_lmp.terminal import printable
from e3d_lmp.web.report import DEFAULT_NAME, write_report, write_series_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d report``."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="DIR|[SERIES:]N=DIR",
        help="a folder of 'e3d analyze' or 'e3d run'; or a scaling series, e.g. 920=out/n920 3000=out/n3000",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=f"page to write (default: {DEFAULT_NAME} in the folder; of a series, here)",
    )
    parser.add_argument("--title", metavar="TEXT", help="heading of the page")


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d report`` was asked; returns the exit code."""
    is_series = all(map(is_series_word, args.sources))
    if not is_series and len(args.sources) > 1:
        raise E3DError(
            f"several folders ({' '.join(args.sources)}): report one at a time, or say the number of "
            f"training structures of each, e.g. {_example(args.sources)}"
        )
    path = Path(args.output) if args.output else _default_path(args.sources, is_series)
    if path.suffix not in (".html", ".htm"):
        raise E3DError(f"{path}: a report is written to a file that ends in .html")
    if is_series:
        warnings = write_series_report(parse_series(args.sources), path, args.title)
    else:
        warnings = write_report(AnalysisFolder(Path(args.sources[0])), path, args.title)
    for text in warnings:
        print(f"e3d: warning: {printable(text)}", file=sys.stderr)
    print(f"wrote {path}")
    return 0


def _default_path(sources: Sequence[str], is_series: bool) -> Path:
    return Path(DEFAULT_NAME) if is_series else Path(sources[0]) / DEFAULT_NAME


def _example(sources: Sequence[str]) -> str:
    return " ".join(f"{n}={word.split('=')[-1]}" for n, word in zip((920, 3000), sources, strict=False))
