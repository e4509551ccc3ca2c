"""The ``e3d`` command: a table of sub-commands, each imported only when it is asked for.

A sub-command's module offers ``add_arguments(parser)`` and ``run(args) -> int`` (the exit code). Nothing
heavy is imported here, so ``e3d --help`` answers at once and a broken torch does not stop ``e3d analyze``.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from e3d_lmp import __version__
from e3d_lmp.errors import E3DError

COMMANDS: dict[str, tuple[str, str]] = {
    "export": ("e3d_lmp.export", "make a LAMMPS-ready model file from a nequip checkpoint or package"),
    "inspect": ("e3d_lmp.contract", "print what a model file says about itself"),
    "doctor": ("e3d_lmp.doctor", "check the installation and say what to do where something is missing"),
    "run": ("e3d_lmp.simulate", "run a LAMMPS input and analyse its bond energies, with no dump in between"),
    "job": ("e3d_lmp.commands.job", "write job scripts for a machine; chains that go on by restart files"),
    "campaign": ("e3d_lmp.commands.campaign", "run a matrix of variables times an input, to one report"),
    "watch": ("e3d_lmp.commands.watch", "write a page that follows a job or a campaign"),
    "convert": ("e3d_lmp.convert", "turn dumped edge energies into a compact edge store (HDF5)"),
    "train": ("e3d_lmp.training.train", "train a model under the E3D protocol; goes on where it stopped"),
    "study": ("e3d_lmp.study.command", "train and evaluate models of many sizes and make one table of them"),
    "evaluate": ("e3d_lmp.evaluate", "make an edge store from structures and a model, with no MD"),
    "analyze": ("e3d_lmp.analyze", "turn edge energies into tables, maps, errors and figures"),
    "page": ("e3d_lmp.page", "make a web page that links D-A maps to structures, in one file"),
    "map": ("e3d_lmp.map_files", "show, add, subtract and compare D-A maps"),
    "plot": ("e3d_lmp.plot", "draw a figure: ridgelines, scaling, grids of maps, bars, parity, reactions"),
    "report": ("e3d_lmp.report", "write one HTML page of all that a folder of results holds"),
    "events": ("e3d_lmp.events", "count the bonds that formed and broke in a run with fix e3d/bonds"),
    "species": ("e3d_lmp.species", "tabulate and draw a run's molecules by formula against time"),
    "heat": ("e3d_lmp.heat.command", "thermal conductivity: Green-Kubo, HNEMD, spectrum"),
    "data": ("e3d_lmp.data.command", "make training sets from public data: filters, split, alignment"),
    "render": ("e3d_lmp.render", "draw bonds coloured by their energy: pictures and movies (OVITO)"),
}
"""Sub-command -> (module, one line of help), in the order in which ``e3d --help`` lists them."""

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


def _main_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog="e3d",
        description="Bond energies from a machine-learned potential (E3D), with LAMMPS.",
        epilog="commands:\n" + "\n".join(lines) + "\n\n'e3d COMMAND --help' explains one command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"e3d-lmp {__version__}")
    parser.add_argument("command", metavar="COMMAND", choices=list(COMMANDS), help="see the list below")
    return parser


def call(name: str, words: Sequence[str]) -> int:
    """Run one sub-command in this process; raises `E3DError` where ``e3d`` would print it."""
    module = importlib.import_module(COMMANDS[name][0])
    parser = argparse.ArgumentParser(prog=f"e3d {name}", description=f"e3d {name}: {COMMANDS[name][1]}.")
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(words)) or 0)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command and return its exit code.

    Parameters
    ----------
    argv
        Words after ``e3d``; those of the process by default.

    Returns
    -------
    int
        The sub-command's own code; 2 after an `E3DError`, whose message goes to standard error as one line;
        130 when interrupted from the keyboard.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        _main_parser().print_help()
        return 0
    name = _main_parser().parse_args(words[:1]).command
    try:
        return call(name, words[1:])
    except E3DError as error:
        print("e3d: error: " + " ".join(str(error).split()), file=sys.stderr)
        return EXIT_USER_ERROR
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: stop quietly; no flush into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("e3d: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
