"""``e3d campaign``: many runs of one input, on this machine or a cluster, to one report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from e3d_lmp.commands.job import choose_kokkos, choose_lmp, choose_setup
from e3d_lmp.errors import E3DError
from e3d_lmp.files import locked
from e3d_lmp.runs.campaign import make_plan, open_plan, read_campaign, write_members
from e3d_lmp.runs.campaign_results import (
    REPORT,
    STATUS,
    members_of,
    merge_found,
    status_rows,
    summary,
    write_campaign_report,
)
from e3d_lmp.runs.campaign_run import CampaignStopped, Runner, cancel_members, check_names
from e3d_lmp.runs.watch import PAGE, write_watch_page
from e3d_lmp.runs.workers import open_workers
from e3d_lmp.tables import format_table

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d campaign``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    run_parser = actions.add_parser(
        "run", help="run all members that have not ended; goes on where it was stopped"
    )
    run_parser.add_argument("file", metavar="FILE", help="campaign file (YAML; docs/production.md)")
    run_parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of the campaign")
    run_parser.add_argument(
        "--again",
        nargs="*",
        metavar="MEMBER",
        help="run members that failed or were cancelled again (those named, or all), and go on with a "
        "changed input",
    )
    run_parser.add_argument("--dry-run", action="store_true", help="write the members' folders, run nothing")
    for name, text in (
        ("status", "print a table of the members, and write a page"),
        ("report", "write one page: maps, entropies, events and molecules side by side"),
        ("cancel", "stop members, or all of them; what they have found stays"),
    ):
        one = actions.add_parser(name, help=text)
        one.add_argument("folder", metavar="DIR", help="folder of the campaign")
        if name == "cancel":
            one.add_argument("members", nargs="*", metavar="MEMBER", help="members to stop (default: all)")
        if name == "report":
            one.add_argument(
                "-o", "--output", metavar="FILE", help=f"page to write (default: {REPORT} in DIR)"
            )
            one.add_argument("--title", metavar="TEXT", help="heading of the page")


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d campaign`` was asked; returns the exit code."""
    if args.action == "run":
        return _run(args)
    plan = open_plan(Path(args.folder))
    if args.action == "cancel":
        for text in cancel_members(plan, args.members):
            print(text)
    elif args.action == "status":
        members = members_of(plan)
        print(format_table(STATUS, status_rows(members)))
        print(summary(members))
        merge_found(plan, members)
        print(f"wrote {write_watch_page(plan.folder)}")
    else:
        path = Path(args.output) if args.output else plan.folder / REPORT
        if path.suffix not in (".html", ".htm"):
            raise E3DError(f"{path}: a report is written to a file that ends in .html")
        warnings = write_campaign_report(plan, path, args.title)
        print(f"wrote {path}" + (f", with {len(warnings)} warnings" if warnings else ""))
    return 0


def _run(args: argparse.Namespace) -> int:
    campaign, folder = read_campaign(Path(args.file)), Path(args.output).resolve()
    lmp = choose_lmp(campaign.lmp)
    kokkos = choose_kokkos(campaign.kokkos, lmp, campaign.gpus or 0)
    campaign = campaign.with_setup(choose_setup(lmp))
    with locked(folder) as lock:
        if lock is None:
            raise E3DError(f"{folder}: a campaign is being run there; wait for it, or stop that process")
        plan = make_plan(campaign, folder, args.again is not None)
        for text in plan.said:
            print(text)
        check_names(plan, args.again or ())
        again = args.again or (list(plan.members) if args.again is not None else ())
        names = write_members(campaign, plan, lmp, kokkos, again, args.again is not None)
        print(f"{len(plan.members)} members, {len(names)} to run, up to {campaign.at_once} jobs at a time")
        if names and not args.dry_run:
            job = campaign.job(names[0], plan.members[names[0]], folder, lmp, kokkos)
            try:
                with open_workers(campaign, job, folder) as workers:
                    Runner(plan, workers, refresh=lambda: _refresh(plan.folder)).run(names)
            except CampaignStopped:
                print(
                    "e3d: interrupted; the same command goes on from the newest restart files",
                    file=sys.stderr,
                )
                return EXIT_INTERRUPTED
    members = members_of(plan)
    merge_found(plan, members)
    write_watch_page(folder)
    print(summary(members) + f"; type: e3d campaign report {args.output}")
    failed = [one for one in members if one.state == "failed"]
    for one in failed:
        print(f"{one.name}: {one.text}", file=sys.stderr)
    return EXIT_FAILED if failed else 0


def _refresh(folder: Path) -> None:
    """The page of the campaign again; a file that is being written is no reason to stop the campaign."""
    try:
        write_watch_page(folder)
    except (E3DError, OSError) as error:
        print(f"e3d: warning: {folder / PAGE}: {error}", file=sys.stderr)
