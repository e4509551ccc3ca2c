"""Command lines of the scripts that plan frames, label them and collect the labels."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from label_frames import Labeller
from label_run import planned, run
from label_store import print_status, write_store

from e3d_lmp.errors import E3DError


def commands_of(
    text: str, own: Mapping[str, str]
) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """A parser, and its commands by name: those of a script, ``run``, ``status`` and ``collect``, each of
    which takes the folder of plan and labels.

    Parameters
    ----------
    text : of the help
    own : help of the script's own commands by name
    """
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    shared = {
        "run": "label them",
        "status": "how far it is",
        "collect": "what is labelled as one file in the SPICE layout",
    }
    commands = {name: verbs.add_parser(name, help=words) for name, words in {**own, **shared}.items()}
    for one in commands.values():
        one.add_argument("out", type=Path, help="folder of the plan and the labels")
    commands["collect"].add_argument("-o", "--output", type=Path, required=True)
    commands["collect"].add_argument(
        "--number",
        type=int,
        default=1,
        help="from 2 on it ends the names of the subsets (AIMNet2 isomers 2): a recipe that has the file "
        "beside an earlier one then splits the molecules of that one as before",
    )
    return parser, commands


def do(
    args: argparse.Namespace,
    own: Mapping[str, Callable[[], None]],
    labeller: Callable[[], Labeller],
    jobs: int = 1,
) -> int:
    """Do what was asked; returns the exit code.

    Parameters
    ----------
    own : what the script's own commands do
    labeller : made only where it is needed
    jobs : frames that ``run`` labels at a time
    """

    def run_it() -> None:
        counts = run(args.out, labeller(), jobs)
        print(f"labelled: {counts.pop('', 0)}; dropped: {dict(counts) or 0}")

    shared = {
        "run": run_it,
        "status": lambda: print_status(args.out, planned(args.out)),
        "collect": lambda: write_store(args.out, planned(args.out), labeller(), args.output, args.number),
    }
    return exit_code({**shared, **own}[args.verb])


def exit_code(action: Callable[[], None]) -> int:
    """0 when an action is done; 2 when it raised `E3DError`, which is printed in a line."""
    try:
        action()
    except E3DError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        return 2
    return 0
