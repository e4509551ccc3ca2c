"""``e3d events``: the bonds that formed and broke in a run, from the file of fix e3d/bonds."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from e3d_lmp.analysis.events import event_columns, event_table, read_events
from e3d_lmp.tables import format_table, write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d events``."""
    parser.add_argument("file", metavar="FILE", help="event file of fix e3d/bonds (e3d-bonds/1)")
    parser.add_argument(
        "-o",
        "--output",
        nargs="+",
        default=[],
        metavar="OUT",
        help="files to write, by ending: .csv or .json the table of pairs; .png, .pdf or .svg a picture of "
        "bonds formed less bonds broken against time",
    )


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d events`` was asked; returns the exit code."""
    from e3d_lmp.figures import PICTURES, plot_events, save_figure

    events = read_events(args.file)
    columns, rows = event_columns(events.unit), event_table(events)
    print(f"{len(events)} events, criterion {events.criterion}, bond cutoff {events.cutoff}")
    print(format_table(columns, rows))
    if events.is_cut_off:
        print("e3d: warning: the last line is cut off and left out", file=sys.stderr)
    about = {"format": "e3d-event-table/1", "criterion": events.criterion, "cutoff": events.cutoff}
    about |= {"units": events.units, "events": str(args.file)}
    for path in args.output:
        if Path(path).suffix in PICTURES:
            save_figure(plot_events(events), path)
        else:
            write_table(about, "pairs", columns, rows, path)
        print(f"wrote {path}")
    return 0
