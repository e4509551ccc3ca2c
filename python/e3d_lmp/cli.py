"""The ``e3d`` command: a table of sub-commands, each imported only when it is asked for.

``e3d VERB`` is the module ``commands/VERB.py``, which offers ``add_arguments(parser)`` and ``run(args) ->
int`` (the exit code). Nothing heavy is imported here, so ``e3d --help`` answers at once and a broken torch
does not stop ``e3d analyze``.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from e3d_lmp.errors import EXIT_USER_ERROR, E3DError
from e3d_lmp.extras import needs_train
from e3d_lmp.terminal import one_line, plain_output
from e3d_lmp.version import __version__

COMMANDS: dict[str, str] = {
    "export": "make a LAMMPS-ready model file from a nequip checkpoint or package",
    "inspect": "print what a model file says about itself",
    "doctor": "check the installation and say what to do where something is missing",
    "run": "run a LAMMPS input and analyse its bond energies, with no dump in between",
    "job": "write job scripts for a machine; chains that go on by restart files",
    "campaign": "run a matrix of variables times an input, to one report",
    "watch": "write a page that follows a job or a campaign",
    "convert": "turn dumped edge energies into a compact edge store (HDF5)",
    "train": "train a model under the E3D protocol; goes on where it stopped",
    "study": "train and evaluate models of many sizes and make one table of them",
    "evaluate": "make an edge store from structures and a model, with no MD",
    "bde": "break the bonds of molecules: D beside dissociation energies of a model",
    "analyze": "turn edge energies into tables, maps, errors and figures",
    "page": "make a web page that links D-A maps to structures, in one file",
    "map": "show, add, subtract and compare D-A maps",
    "plot": "draw a figure: ridgelines, scaling, grids of maps, bars, parity, reactions",
    "report": "write one HTML page of all that a folder of results holds",
    "events": "count the bonds that formed and broke in a run with fix e3d/bonds",
    "species": "tabulate and draw a run's molecules by formula against time",
    "heat": "thermal conductivity: Green-Kubo, HNEMD, spectrum",
    "data": "make training sets from public data: filters, split, alignment",
    "render": "draw bonds coloured by their energy: pictures and movies (OVITO)",
}
"""Sub-command -> one line of help, in the order in which ``e3d --help`` lists them."""

EXIT_INTERRUPTED = 130


def _main_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
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
    with needs_train(f"'e3d {name}' needs the extra 'train'"):
        module = importlib.import_module(f"e3d_lmp.commands.{name}")
        parser = argparse.ArgumentParser(prog=f"e3d {name}", description=f"e3d {name}: {COMMANDS[name]}.")
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
    with plain_output():
        return _main(list(sys.argv[1:] if argv is None else argv))


def _main(words: list[str]) -> int:
    if not words:
        _main_parser().print_help()
        return 0
    name = _main_parser().parse_args(words[:1]).command
    try:
        return call(name, words[1:])
    except E3DError as error:
        print(f"e3d: error: {one_line(str(error))}", file=sys.stderr)
        return EXIT_USER_ERROR
    except MemoryError as error:
        what = one_line(str(error)) or "none left"
        print(
            f"e3d: error: not enough memory ({what}); use fewer frames or ranks, or, where the file is much "
            "smaller than that, make it again: it is damaged",
            file=sys.stderr,
        )
        return EXIT_USER_ERROR
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: stop quietly; no flush into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("e3d: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
