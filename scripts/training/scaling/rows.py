"""Rows of studies on a command line, each folder followed by the words that stand for it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from e3d_lmp.errors import E3DError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from label_commands import exit_code


def do_with_rows(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    action: Callable[[argparse.Namespace, Mapping[str, Path]], None],
) -> int:
    """Do what a script does with folders of rows by their words; returns the exit code."""
    parser.add_argument("rows", nargs="+", metavar="ROW WORDS", help="folder of a row, and its name here")
    args = parser.parse_args(argv)
    return exit_code(lambda: action(args, named(args.rows)))


def named(words: Sequence[str]) -> dict[str, Path]:
    """Folders by the words behind them.

    Raises
    ------
    E3DError
        A folder has no words, or is not there, or two have the same.
    """
    if len(words) % 2:
        raise E3DError(f"expected folders of rows, each with its name behind it, got {len(words)} words")
    rows = {name: Path(folder) for folder, name in zip(words[::2], words[1::2], strict=True)}
    if 2 * len(rows) < len(words):
        raise E3DError("expected a name of its own for each row, got one twice")
    for folder in rows.values():
        if not folder.is_dir():
            raise E3DError(f"expected the folder of a row of e3d study at '{folder}', found none")
    return rows
