"""What a campaign has found so far: maps and events of members, replicas put together, a table, and a
report.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.analysis.events import FORMAT as EVENTS
from e3d_lmp.analysis.events import Events, event_columns, event_table, read_events
from e3d_lmp.analysis.maps import FORMAT as MAP
from e3d_lmp.analysis.maps import EnergyMap, read_map, write_map
from e3d_lmp.analysis.species import FORMAT as SPECIES
from e3d_lmp.analysis.species import Species, read_species
from e3d_lmp.errors import E3DError
from e3d_lmp.figures import plot_map_grid
from e3d_lmp.files import make_folder
from e3d_lmp.runs.campaign import MERGED, Plan
from e3d_lmp.runs.job_folder import job_logs, state_of
from e3d_lmp.runs.progress import last_line, progress_of
from e3d_lmp.tables import Column, Row, write_csv
from e3d_lmp.web.report_html import Section, Table, picture, write_page
from e3d_lmp.web.report_sections import number, rows_table

REPORT = "report.html"
_FORMULAS = 8  # in the table of molecules
_COLUMNS = 8  # of the grid of maps


@dataclass(frozen=True)
class Found:
    """What a run has written so far.

    Attributes
    ----------
    map       its D-A map: a running one, or all maps of parts of the run added up; None: none yet
    events    bonds that formed and broke
    species   molecules against time
    damaged   files that could not be read, in words
    """

    map: EnergyMap | None = None
    events: Events | None = None
    species: Species | None = None
    damaged: list[str] = field(default_factory=list)


def found_in(folder: Path) -> Found:
    """Maps, events and species in a job's folder, whatever the names of the files."""
    values: dict[str, Any] = {}
    damaged: list[str] = []
    maps: dict[Path, EnergyMap] = {}
    readers: dict[str, Any] = {MAP: read_map, EVENTS: read_events, SPECIES: read_species}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        kind = _first_line(path)
        if kind not in readers:
            continue
        try:
            one = readers[kind](path)
        except E3DError as error:
            damaged.append(str(error))
            continue
        if kind == MAP:
            maps[path] = one
        else:
            values["events" if kind == EVENTS else "species"] = one
    return Found(_whole_run(maps), **values, damaged=damaged)


def _first_line(path: Path) -> str:
    if not path.is_file():
        return ""
    with open(path, "rb") as stream:
        return stream.readline(40).decode("utf-8", "replace").strip()


def _whole_run(maps: Mapping[Path, EnergyMap]) -> EnergyMap | None:
    """One map of the run: the fullest one with ``ave running``, else the sum of those of its parts."""
    running = [one for one in maps.values() if one.provenance.get("sampling", "").endswith("running")]
    if running:
        return max(running, key=lambda one: one.samples)
    return _added(list(maps.values()))


def _added(maps: Sequence[EnergyMap]) -> EnergyMap | None:
    whole = maps[0] if maps else None
    for other in maps[1:]:
        assert whole is not None
        whole = whole.merge(other)
    return whole


@dataclass(frozen=True)
class Member:
    """State of a member: `state_of`, a line about it, its step, the last one it is to reach (None: not
    known), jobs
    so far, and what it has found."""

    name: str
    state: str
    text: str
    step: int
    steps: int | None
    jobs: int
    found: Found


def members_of(plan: Plan) -> list[Member]:
    """State and findings of all members."""
    members = []
    for name, variables in plan.members.items():
        folder = plan.path(name)
        state, text = state_of(folder)
        if state == "failed":
            text = text or last_line(folder)
        steps = variables.get("steps", "")
        members.append(
            Member(
                name,
                state if name not in plan.dropped else f"{state}, dropped",
                text,
                progress_of(folder).step,
                int(steps) if steps.isdigit() else None,
                len(job_logs(folder)),
                found_in(folder),
            )
        )
    return members


STATUS = (
    Column("member", "member"),
    Column("state", "state"),
    Column("step", "step"),
    Column("of", "of"),
    Column("jobs", "jobs"),
    Column("pairs", "pairs"),
    Column("events", "events"),
    Column("about", "about"),
)


def status_rows(members: Sequence[Member]) -> list[Row]:
    """Rows of the table of ``e3d campaign status``, with the columns `STATUS`."""
    rows: list[Row] = []
    for one in members:
        pairs = sum(label.count for label in one.found.map.labels.values()) if one.found.map else 0
        values = (one.name, one.state, max(one.step, 0), one.steps or math.nan, one.jobs, pairs)
        events = len(one.found.events) if one.found.events is not None else math.nan
        rows.append(dict(zip((c.name for c in STATUS), (*values, events, one.text or ""), strict=True)))
    return rows


def summary(members: Sequence[Member]) -> str:
    """``8 members: 5 finished, 2 running, 1 failed``."""
    states: dict[str, int] = {}
    for one in members:
        states[one.state] = states.get(one.state, 0) + 1
    return f"{len(members)} members: " + ", ".join(f"{n} {state}" for state, n in sorted(states.items()))


def merge_found(plan: Plan, members: Sequence[Member]) -> tuple[dict[str, EnergyMap], list[str]]:
    """Put the maps of all replicas together and write them, with a table of their events, to ``merged/``.

    Returns
    -------
    dict of str to EnergyMap
        By condition (`Plan.conditions`), and what could not be put together, in words.
    """
    by_name = {one.name: one for one in members}
    merged: dict[str, EnergyMap] = {}
    problems = [text for one in members for text in one.found.damaged]
    for condition, names in plan.conditions().items():
        found = [by_name[name] for name in names if name in by_name]
        folder = plan.folder / MERGED / (condition or "all")
        try:
            whole = _added([one.found.map for one in found if one.found.map is not None])
        except E3DError as error:
            problems.append(f"{condition}: {error}")
            continue
        events = [(one.name, one.found.events) for one in found if one.found.events is not None]
        if whole is None and not events:
            continue
        make_folder(folder)
        if whole is not None:
            merged[condition or "all"] = whole
            write_map(whole, folder / "map.e3d")
        if events:
            columns = (Column("member", "member"), *event_columns(events[0][1].unit))
            rows = [{"member": name, **row} for name, one in events for row in event_table(one)]
            write_csv(columns, rows, folder / "events.csv")
    return merged, problems


def write_campaign_report(plan: Plan, path: Path, title: str | None = None) -> list[str]:
    """Write the page of a campaign: members, and maps, entropies, events and molecules of all conditions side
    by side.

    Returns
    -------
    list of str
        Its warnings.
    """
    members = members_of(plan)
    sections, warnings = campaign_sections(plan, members)
    name = title or f"Campaign {plan.folder.resolve().name}"
    today = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    write_page(path, name, f"{summary(members)} · {today}", sections, warnings)
    return warnings


def campaign_sections(plan: Plan, members: Sequence[Member]) -> tuple[list[Section], list[str]]:
    """Sections of the pages of a campaign, and warnings; what replicas have found is put together and
    written.
    """
    merged, warnings = merge_found(plan, members)
    sections = [_members(members), _maps(merged), _entropies(plan, members, merged)]
    sections += [_events(plan, members), _molecules(plan, members)]
    warnings += [f"{one.name} failed: {one.text}" for one in members if one.state.startswith("failed")]
    return sections, warnings


def _members(members: Sequence[Member]) -> Section:
    table = rows_table(
        STATUS,
        [{**row, "of": _count(row["of"]), "events": _count(row["events"])} for row in status_rows(members)],
    )
    return Section("members", "Members", tables=[table])


def _count(value: float) -> str:
    return "–" if math.isnan(value) else f"{int(value):,}"


def _maps(merged: Mapping[str, EnergyMap]) -> Section:
    section = Section("maps", "D–A maps")
    if merged:
        shown = list(merged.items())[:_COLUMNS]
        caption = "A row for each pair, a column for each condition on the same axes; H is H_2D."
        if len(merged) > len(shown):
            section.notes.append(
                f"The first {len(shown)} of {len(merged)} conditions; merged/ has the maps of all."
            )
        section.pictures.append(picture(plot_map_grid(shown), caption, "Grid of D–A maps", "png"))
    return section


def _entropies(plan: Plan, members: Sequence[Member], merged: Mapping[str, EnergyMap]) -> Section:
    section = Section("entropies", "Entropies")
    if not merged:
        return section
    by_name = {one.name: one.found.map for one in members}
    total: dict[str, int] = {}
    for one in merged.values():
        for label in one.by_count():
            total[label] = total.get(label, 0) + one.labels[label].count
    rows = []
    for label in sorted(total, key=lambda name: (-total[name], name)):
        cells = [label]
        for condition, names in plan.conditions().items():
            whole = merged.get(condition or "all")
            cells.append(_entropy_cell(label, whole, [by_name[name] for name in names]))
        rows.append(cells)
    heads = [("pair", ""), *((condition or "all", "nats") for condition in plan.conditions())]
    section.tables.append(
        Table(heads, rows, "Plug-in H_2D of all replicas; ± standard deviation over single ones.")
    )
    return section


def _entropy_cell(label: str, whole: EnergyMap | None, single: Sequence[EnergyMap | None]) -> str:
    if whole is None or label not in whole.labels or not whole.labels[label].count:
        return "–"
    values = [one.labels[label].entropy_nats for one in single if one is not None and label in one.labels]
    spread = f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    return number(whole.labels[label].entropy_nats) + spread


def _events(plan: Plan, members: Sequence[Member]) -> Section:
    section = Section("events", "Bonds formed and broken")
    rows: list[dict[str, Any]] = []
    by_name = {one.name: one.found.events for one in members}
    for condition, names in plan.conditions().items():
        known = [one for one in (by_name[name] for name in names) if one is not None]
        labels = sorted({label for one in known for label in one.by_count()})
        for label in labels:
            formed = [int(np.sum((one.label == label) & (one.event == "formed"))) for one in known]
            broken = [int(np.sum((one.label == label) & (one.event == "broken"))) for one in known]
            rows.append(
                {
                    "condition": condition or "all",
                    "pair": label,
                    "members": len(known),
                    "formed": float(np.mean(formed)),
                    "broken": float(np.mean(broken)),
                    "spread": float(np.std(np.subtract(formed, broken), ddof=1))
                    if len(known) > 1
                    else math.nan,
                }
            )
    if rows:
        columns = (
            Column("condition", "condition"),
            Column("pair", "pair"),
            Column("members", "members"),
            Column("formed", "formed", "per member", ".1f"),
            Column("broken", "broken", "per member", ".1f"),
            Column("spread", "σ of the change", "over members", ".1f"),
        )
        section.tables.append(rows_table(columns, rows))
    return section


def _molecules(plan: Plan, members: Sequence[Member]) -> Section:
    section = Section("molecules", "Molecules at the end")
    by_name = {one.name: one.found.species for one in members}
    last: dict[str, dict[str, float]] = {}
    for condition, names in plan.conditions().items():
        known = [one for one in (by_name[name] for name in names) if one is not None and one.step.size]
        for one in known:
            for formula, counts in one.formulas.items():
                here = last.setdefault(formula, {})
                here[condition] = here.get(condition, 0.0) + counts[-1] / len(known)
    order = sorted(last, key=lambda formula: (-sum(last[formula].values()), formula))[:_FORMULAS]
    if order:
        heads = [("formula", ""), *((condition or "all", "per member") for condition in plan.conditions())]
        rows = [
            [f, *(f"{last[f].get(condition, 0.0):.1f}" for condition in plan.conditions())] for f in order
        ]
        section.tables.append(Table(heads, rows, "In the last sample, the mean over replicas."))
    return section
