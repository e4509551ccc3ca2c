"""A page that follows a job or a campaign by its files: nothing has to run beside it but what writes the page
again.
"""

from __future__ import annotations

import base64
import html
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from e3d_lmp.analysis.events import event_columns, event_table
from e3d_lmp.analysis.species import SUMMARY, species_table
from e3d_lmp.errors import E3DError
from e3d_lmp.figures import plot_events, plot_map_grid, plot_species
from e3d_lmp.figures.history import plot_lines
from e3d_lmp.files import read_json, write_json
from e3d_lmp.runs import campaign
from e3d_lmp.runs.campaign_results import campaign_sections, found_in, members_of, summary
from e3d_lmp.runs.job_folder import job_logs, read_about, state_of
from e3d_lmp.runs.progress import progress_of, read_thermo
from e3d_lmp.web.report_html import Picture, Section, Table, picture, write_page
from e3d_lmp.web.report_sections import number, rows_table

PAGE = "watch.html"
HISTORY = "watch.json"
"""H_2D of each pair at the steps at which the page was written: maps keep no history."""

REFRESH = 20
"""Seconds after which an open page is read again."""

_FORMULAS = 8
_COLUMNS = 8
_LARGEST = 4_000_000  # bytes of a picture that is taken into the page


def write_watch_page(folder: Path, path: Path | None = None) -> Path:
    """Write the page of a job's or a campaign's folder, whole or not at all; returns its path.

    Raises
    ------
    E3DError
        The folder is that of no job and no campaign, or the page cannot be written.
    """
    path = path or folder / PAGE
    if campaign.read_about(folder) is not None:
        plan = campaign.open_plan(folder)
        members = members_of(plan)
        sections, warnings = campaign_sections(plan, members)
        text = summary(members)
    elif read_about(folder) is not None:
        sections, warnings = _job_sections(folder)
        text = _job_summary(folder)
    else:
        raise E3DError(
            f"{folder}: no job and no campaign there; give the folder of e3d job or e3d campaign run"
        )
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    write_page(path, f"{folder.resolve().name}", f"{text} · {now}", sections, warnings, REFRESH)
    return path


def _job_summary(folder: Path) -> str:
    state, text = state_of(folder)
    about = read_about(folder)
    assert about is not None
    steps = about["variables"].get("steps")
    step = max(progress_of(folder).step, 0)
    return f"{state}{': ' + text if text else ''} · step {step:,}{f' of {int(steps):,}' if steps else ''}"


def _job_sections(folder: Path) -> tuple[list[Section], list[str]]:
    found = found_in(folder)
    sections = [_jobs(folder), _thermo(folder), _entropies(folder, found.map)]
    maps, events, molecules = (
        Section("maps", "D–A maps"),
        Section("events", "Bonds"),
        Section("molecules", "Molecules"),
    )
    if found.map is not None and found.map.by_count():
        figure = plot_map_grid([("this run", found.map)], found.map.by_count()[:_COLUMNS])
        maps.pictures.append(picture(figure, "The commonest pairs so far.", "D–A maps", "png"))
    if found.events is not None and len(found.events):
        caption = "Bonds formed less bonds broken since the first sample."
        events.pictures.append(picture(plot_events(found.events), caption, "Bond events"))
        events.tables.append(rows_table(event_columns(found.events.unit), event_table(found.events)))
    if found.species is not None and found.species.formulas:
        molecules.pictures.append(
            picture(plot_species(found.species), "Molecules.", "Molecules against time")
        )
        molecules.tables.append(rows_table(SUMMARY, species_table(found.species, _FORMULAS)))
    return [*sections, events, molecules, maps, _newest_picture(folder)], found.damaged


def _jobs(folder: Path) -> Section:
    rows = []
    for path in job_logs(folder):
        steps = read_thermo([path]).steps
        ended = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
        first, last = (f"{int(steps[0]):,}", f"{int(steps[-1]):,}") if steps.size else ("–", "–")
        rows.append([path.stem.split(".")[1], first, last, ended])
    section = Section("jobs", "Jobs")
    if rows:
        heads = [("job", ""), ("first step", ""), ("last step", ""), ("last output", "")]
        section.tables.append(Table(heads, rows))
    return section


def _thermo(folder: Path) -> Section:
    section = Section("thermo", "Thermo output")
    thermo = read_thermo(job_logs(folder))
    lines = {name: values for name, values in thermo.columns.items() if name != "Step"}
    if thermo.steps.size > 1:
        section.pictures.append(
            picture(plot_lines(thermo.steps, lines), "LAMMPS's own output.", "Thermo output")
        )
    if thermo.steps.size:
        last = [f"{values[-1]:.6g}" for values in lines.values()]
        heads = [(name, "") for name in ("Step", *lines)]
        section.tables.append(Table(heads, [[f"{int(thermo.steps[-1])}", *last]], "The last line."))
    return section


def _entropies(folder: Path, found: Any) -> Section:
    """H_2D of each pair now, and against the step as far as this page has seen it."""
    section = Section("entropies", "Entropies")
    if found is None or found.steps is None:
        return section
    now = {name: found.labels[name].entropy_nats for name in found.by_count()}
    history = _remembered(folder, found.steps[1], now)
    if len(history) > 1:
        steps = sorted(history)
        names = list(now)[:_COLUMNS]
        lines = {name: [history[step].get(name, float("nan")) for step in steps] for name in names}
        caption = "H_2D of the map (nats) at each step at which this page was written."
        section.pictures.append(picture(plot_lines(steps, lines), caption, "Entropies against time"))
    rows = [
        [name, f"{found.labels[name].count:,}", number(found.labels[name].mean_D, ".3f"), number(h)]
        for name, h in now.items()
    ]
    heads = [("pair", ""), ("pairs counted", ""), ("mean D", found.unit), ("H_2D", "nats")]
    section.tables.append(Table(heads, rows, f"Steps {found.steps[0]:,} to {found.steps[1]:,}."))
    return section


def _remembered(folder: Path, step: int, now: Mapping[str, float]) -> dict[int, dict[str, float]]:
    """What `HISTORY` holds, with this step; steps beyond it are of a run that was killed after them."""
    path = folder / HISTORY
    try:
        kept = {int(key): value for key, value in read_json(path).items()}
    except (OSError, ValueError, AttributeError):
        kept = {}
    kept = {key: value for key, value in kept.items() if key < step} | {step: dict(now)}
    write_json(path, kept, indent=None)
    return kept


def _newest_picture(folder: Path) -> Section:
    section = Section("picture", "Newest picture")
    found = [path for path in folder.rglob("*.png") if path.is_file() and path.stat().st_size < _LARGEST]
    if found:
        path = max(found, key=lambda one: one.stat().st_mtime)
        content = base64.b64encode(path.read_bytes()).decode("ascii")
        name = str(path.relative_to(folder))
        section.pictures.append(Picture(f"data:image/png;base64,{content}", name, name))
    return section


def watch(folder: Path, every: float, say: Callable[[str], None] = print) -> None:
    """Write the page again every so many seconds until the run has ended."""
    while True:
        path = write_watch_page(folder)
        if not is_under_way(folder):
            say(f"wrote {path}: nothing runs there any more")
            return
        time.sleep(every)


def is_under_way(folder: Path) -> bool:
    """Whether a job of the folder, or a member of the campaign, is at work."""
    if campaign.read_about(folder) is not None:
        plan = campaign.open_plan(folder)
        return any(state_of(plan.path(name))[0] == "running" for name in plan.members)
    return state_of(folder)[0] == "running"


def serve(folder: Path, port: int, every: float) -> ThreadingHTTPServer:
    """A server on the loopback interface that writes the page when it is asked for and has one older than
    `every` s.

    Raises
    ------
    E3DError
        The port is taken, or the folder is that of no run.
    """
    write_watch_page(folder)
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, folder, every))
    except OSError as error:
        raise E3DError(
            f"port {port}: {error.strerror}; type another --port, or --port 0 for any free one"
        ) from None


class _Handler(BaseHTTPRequestHandler):
    """Answers with the page, and with nothing else of the disk."""

    def __init__(self, folder: Path, every: float, *args: Any, **kwargs: Any) -> None:
        self.folder, self.every = folder, every
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        if self.path.split("?")[0] not in ("/", f"/{PAGE}"):
            self.send_error(404)
            return
        path = self.folder / PAGE
        status, content = 200, b""
        try:
            if not path.exists() or time.time() - path.stat().st_mtime > self.every:
                write_watch_page(self.folder)
            content = path.read_bytes()
        except (E3DError, OSError) as error:
            status, content = 500, f"<p>{html.escape(str(error))}</p>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """No line for each request."""
