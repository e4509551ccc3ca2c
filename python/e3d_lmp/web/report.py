"""One HTML page with the tables, figures, provenance and warnings of a folder of results.

Of several folders ``[SERIES:]N=DIR`` it makes the page of a scaling series instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from e3d_lmp.analysis.folders import MADE_BY, AnalysisFolder
from e3d_lmp.errors import E3DError
from e3d_lmp.web.report_html import write_page
from e3d_lmp.web.report_sections import FolderReport
from e3d_lmp.web.report_series import series_sections

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
