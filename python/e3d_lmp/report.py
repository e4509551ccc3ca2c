"""``e3d report``: one HTML page with the tables, figures, provenance and warnings of a folder of results.

Of several folders ``[SERIES:]N=DIR`` it makes the page of a scaling series instead.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from e3d_lmp.errors import E3DError
from e3d_lmp.folders import MADE_BY, AnalysisFolder, is_series_word, parse_series
from e3d_lmp.html_page import write_page
from e3d_lmp.report_sections import FolderReport
from e3d_lmp.report_series import series_sections

DEFAULT_NAME = "report.html"


def write_report(folder: AnalysisFolder, path: Path, title: str | None = None) -> list[str]:
    """Write the page of one folder, whole or not at all; returns its warnings.

    Raises
    ------
    E3DError
        If there is no such folder, nothing in it that a report shows, or a file is damaged.
    """
    if not folder.path.is_dir():
        raise E3DError(f"{folder.path}: no such folder; expected one that 'e3d analyze' or 'e3d run' wrote")
    if not any(map(folder.has, [*MADE_BY, "insitu.e3d"])):
        raise E3DError(
            f"{folder.path}: nothing to report there; type: e3d analyze SOURCE -o {folder.path}, or name the "
            "folder that it wrote"
        )
    page = FolderReport(folder)
    sections = page.sections()
    warnings = [*page.check(), *page.warnings]
    name = title or f"Bond energies: {folder.path.resolve().name}"
    write_page(path, name, f"{page.summary} · {_today()}", sections, warnings)
    return warnings


def write_series_report(
    series: Mapping[str, Mapping[int, AnalysisFolder]], path: Path, title: str | None = None
) -> list[str]:
    """Write the page of a scaling series, whole or not at all; returns its warnings.

    Raises
    ------
    E3DError
        As `write_report`.
    """
    sections, warnings = series_sections(series)
    models = sum(map(len, series.values()))
    counts = sorted({n for one in series.values() for n in one})
    summary = f"{models} models of {counts[0]:,} to {counts[-1]:,} training structures · {_today()}"
    write_page(path, title or "Bond energies against training structures", summary, sections, warnings)
    return warnings


def _today() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d")


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
    print(f"wrote {path}, with {len(warnings)} warnings" if warnings else f"wrote {path}")
    return 0


def _default_path(sources: Sequence[str], is_series: bool) -> Path:
    return Path(DEFAULT_NAME) if is_series else Path(sources[0]) / DEFAULT_NAME


def _example(sources: Sequence[str]) -> str:
    return " ".join(f"{n}={word.split('=')[-1]}" for n, word in zip((920, 3000), sources, strict=False))
