"""``e3d study``: many models, one table."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.extras import require_train
from e3d_lmp.tables import Column, format_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d study``."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    one = kinds.add_parser(
        "scaling",
        help="models of several sizes and numbers of training structures",
        description="Train a model for each number of training structures, size and seed, evaluate each on "
        "held-out molecules and on reactions, and make one table of them. May be stopped at any time and "
        "goes on where it stopped; several may work on one study at once. See docs/train.md.",
    )
    one.add_argument("config", type=Path, metavar="CONFIG", help="study configuration (.yaml)")
    one.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the study")
    one.add_argument("--only", nargs="+", metavar="ROW", help="only these rows, e.g. t32_n920_s1 or 't64_*'")
    one.add_argument("--status", action="store_true", help="say how far each row is, and do nothing")
    one.add_argument("--table", action="store_true", help="only write table, figures and pages anew")
    one.add_argument(
        "--redo", action="store_true", help="remove and compute again the rows whose inputs have changed"
    )
    one.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="to train on (default: cpu)")
    one.add_argument("--devices", type=int, default=1, metavar="K", help="GPUs for one model (default 1)")


def run(args: argparse.Namespace) -> int:
    """``e3d study scaling``: train and evaluate the missing models of a plan, then write the table."""
    from e3d_lmp.study.plan import read_plan
    from e3d_lmp.study.table import StudyTable
    from e3d_lmp.training.run import Interrupted

    plan = read_plan(args.config)
    rows = _chosen(plan.rows, args.only)
    if args.status:
        print(_status(plan, args.output))
        return 0
    if not args.table:
        _check_inputs(plan, rows, args.output, args.redo)
        try:
            waiting = _compute(plan, rows, args)
        except Interrupted as stop:
            print(f"e3d: stopped; the same command goes on in {args.output}", file=sys.stderr)
            return stop.exit_code
        if waiting:
            print(f"computed by other processes: {', '.join(waiting)}", file=sys.stderr)
    table = StudyTable(plan, args.output)
    if table.stale:
        print(f"left out, of other inputs: {', '.join(table.stale)}", file=sys.stderr)
    if not table.done:
        raise E3DError(f"{args.output}: no row of the study is done there")
    paths = table.write()
    if args.table or not table.is_drawn():
        paths += table.draw()
    print(table.text())
    print(f"{len(table.done)} of {len(plan.rows)} rows; wrote {', '.join(map(str, paths))}")
    return 0


def _chosen(rows: Any, only: list[str] | None) -> list[Any]:
    if only is None:
        return list(rows)
    chosen = [row for row in rows if any(fnmatch.fnmatchcase(row.name, one) for one in only)]
    if not chosen:
        names = ", ".join(row.name for row in rows)
        raise E3DError(f"--only {' '.join(only)}: no such row; there are {names}")
    return chosen


def _check_inputs(plan: Any, rows: list[Any], study: Path, redo: bool) -> None:
    """Refuse, or with `redo` clear, rows that were begun with other inputs."""
    from e3d_lmp.files import locked
    from e3d_lmp.study.row import changed_inputs, clear, row_folder

    for row in rows:
        folder = row_folder(study, row)
        changed = changed_inputs(folder, plan.inputs(row))
        if not changed:
            continue
        if not redo:
            raise E3DError(
                f"the row {row.name} in {study} was computed from other inputs ({'; '.join(changed[:3])}); "
                "choose another folder with -o, or add --redo to remove such rows and compute them again"
            )
        with locked(folder) as descriptor:
            if descriptor is None:
                raise E3DError(f"{folder}: another process is at work there; stop it first")
            clear(folder, changed)


def _compute(plan: Any, rows: list[Any], args: argparse.Namespace) -> list[str]:
    """All rows that are not done; returns the names of those that other processes compute."""
    from e3d_lmp.files import locked

    require_train("'e3d study' needs the extra 'train'")
    from e3d_lmp.study.row import compute_row, read_row, row_folder
    from e3d_lmp.study.table import StudyTable

    waiting = []
    for k, row in enumerate(rows, 1):
        folder = row_folder(args.output, row)
        if read_row(folder) is not None:
            continue
        with locked(folder) as descriptor:
            if descriptor is None:
                waiting.append(row.name)
                continue
            if read_row(folder) is not None:  # done by another process meanwhile
                continue
            print(f"row {k} of {len(rows)}: {row.name}", file=sys.stderr, flush=True)
            compute_row(plan, row, args.output, args.device, args.devices)
        StudyTable(plan, args.output).write()
    return waiting


def _status(plan: Any, study: Path) -> str:
    """How far each row is, as a table."""
    from e3d_lmp.files import is_locked
    from e3d_lmp.study.row import changed_inputs, read_row, row_folder
    from e3d_lmp.training.run import describe, read_progress

    lines = []
    for row in plan.rows:
        folder = row_folder(study, row)
        progress = read_progress(folder / "train")
        if read_row(folder) is not None:
            state = "done"
        elif is_locked(folder):
            state = "running"
        else:
            state = "stopped" if progress else "not begun"
        if changed_inputs(folder, plan.inputs(row)):
            state += ", of other inputs"
        lines.append({"row": row.name, "state": state, "training": describe(progress) if progress else ""})
    columns = [Column("row", "row"), Column("state", "state"), Column("training", "training")]
    return format_table(columns, lines)
