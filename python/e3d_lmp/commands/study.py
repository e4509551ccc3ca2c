"""``e3d study``: many models, one table."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.extras import require_train
from e3d_lmp.tables import Column, format_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d study``."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    scaling = kinds.add_parser(
        "scaling",
        help="models of several sizes and numbers of training structures",
        description="Train a model for each number of training structures, size and seed, evaluate each on "
        "held-out molecules and on reactions, and make one table of them. May be stopped at any time and "
        "goes on where it stopped; several may work on one study at once. See docs/train.md.",
    )
    _add_options(scaling, "t32_n920_s1 or 't64_*'")
    extrapolation = kinds.add_parser(
        "extrapolation",
        help="models of the members of a family of molecules, each asked for all members",
        description="Train a model for each member of a family of molecules of growing size and seed, ask "
        "each for the energies and forces of all members, and compare: errors, shifts of energies, energies "
        "between molecules, D-A maps, SOAP vectors. May be stopped at any time and goes on where it stopped; "
        "several may work on one study at once. See docs/polymer.md.",
    )
    _add_options(extrapolation, "C4H10_s1 or '*_s2'")


def _add_options(one: argparse.ArgumentParser, example: str) -> None:
    one.add_argument("config", type=Path, metavar="CONFIG", help="study configuration (.yaml)")
    one.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the study")
    one.add_argument("--only", nargs="+", metavar="ROW", help=f"only these rows, e.g. {example}")
    one.add_argument("--status", action="store_true", help="say how far each row is, and do nothing")
    one.add_argument("--table", action="store_true", help="only write table, figures and pages anew")
    one.add_argument(
        "--redo", action="store_true", help="remove and compute again the rows whose inputs have changed"
    )
    one.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="to train on (default: cpu)")
    one.add_argument("--devices", type=int, default=1, metavar="K", help="GPUs for one model (default 1)")


@dataclass(frozen=True)
class _Kind:
    """What a kind of study does: its plan, its rows, its table."""

    plan: Any
    compute_row: Callable[..., dict[str, Any]]
    table: Callable[..., Any]


def _kind(args: argparse.Namespace) -> _Kind:
    if args.kind == "extrapolation":
        from e3d_lmp.study.extrapolation import plan as members
        from e3d_lmp.study.extrapolation import row as member_row
        from e3d_lmp.study.extrapolation.table import ExtrapolationTable

        plan = members.read_plan(args.config, args.output)
        return _Kind(plan, member_row.compute_row, ExtrapolationTable)
    from e3d_lmp.study.plan import read_plan
    from e3d_lmp.study.row import compute_row
    from e3d_lmp.study.table import StudyTable

    return _Kind(read_plan(args.config), compute_row, StudyTable)


def run(args: argparse.Namespace) -> int:
    """``e3d study KIND``: train and evaluate the missing models of a plan, then write the table."""
    from e3d_lmp.training.run import Interrupted

    kind = _kind(args)
    plan = kind.plan
    rows = _chosen(plan.rows, args.only)
    if args.status:
        print(_status(plan, args.output))
        return 0
    if not args.table:
        _check_inputs(plan, rows, args.output, args.redo)
        try:
            waiting = _compute(kind, rows, args)
        except Interrupted as stop:
            print(f"e3d: stopped; the same command goes on in {args.output}", file=sys.stderr)
            return stop.exit_code
        if waiting:
            print(f"computed by other processes: {', '.join(waiting)}", file=sys.stderr)
    table = kind.table(plan, args.output)
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


def _compute(kind: _Kind, rows: list[Any], args: argparse.Namespace) -> list[str]:
    """All rows that are not done; returns the names of those that other processes compute."""
    from e3d_lmp.files import locked

    require_train("'e3d study' needs the extra 'train'")
    from e3d_lmp.study.row import read_row, row_folder

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
            kind.compute_row(kind.plan, row, args.output, args.device, args.devices)
        kind.table(kind.plan, args.output).write()
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
