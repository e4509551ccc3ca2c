"""LAMMPS inputs as LAMMPS reads them: commands, their words, the branches of an ``if``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_text

# A quote counts at the start of a word only; three of them may hold others, and lines.
_WORD = re.compile(r'"""(?P<long>.*?)"""|"(?P<double>[^"]*)"|\'(?P<single>[^\']*)\'|(?P<bare>\S+)', re.DOTALL)


def read_commands(path: str | Path) -> Iterator[str]:
    """The commands of a LAMMPS input, continuation lines joined, comments and empty lines left out.

    Raises
    ------
    E3DError
        The file cannot be read, or a triple quote is never closed.
    """
    lines = read_text(path, "a LAMMPS input").splitlines()
    command = ""
    for line in lines:
        command += line
        if command.count('"""') % 2:
            command += "\n"
        elif command.rstrip().endswith("&"):
            command = command.rstrip()[:-1]
        else:
            if command.split("#", 1)[0].strip():
                yield command
            command = ""
    if command.count('"""') % 2:
        raise E3DError(f"input '{path}': a triple quote is never closed")
    if command.split("#", 1)[0].strip():
        yield command


def command_words(command: str) -> list[str]:
    """Words of a command without their quotes and its comment, as LAMMPS splits them."""
    words = []
    for match in _WORD.finditer(command):
        bare = match["bare"]
        if bare is None:
            words.append(next(text for text in match.groups() if text is not None))
            continue
        kept = bare.split("#", 1)[0]
        if kept:
            words.append(kept)
        if kept != bare:
            break
    return words


def if_branches(words: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Condition and commands of each branch of an ``if``, in order; an empty condition is that of ``else``.

    Parameters
    ----------
    words
        All words of the command: ``if COND then COMMAND... elif COND COMMAND... else COMMAND...``.

    Raises
    ------
    E3DError
        They are no such command.
    """
    branches: list[tuple[str, list[str]]] = []
    if len(words) > 3 and words[2] == "then":
        branches.append((words[1], []))
        at = 3
        while at < len(words):
            if words[at] == "elif" and at + 1 < len(words):
                branches.append((words[at + 1], []))
                at += 2
            elif words[at] == "else":
                branches.append(("", []))
                at += 1
            else:
                branches[-1][1].append(words[at])
                at += 1
    if not branches or not all(commands for _, commands in branches):
        raise E3DError(
            f"'{' '.join(words)}': expected 'if CONDITION then \"COMMAND\" ... else \"COMMAND\"', with at "
            "least one command each"
        )
    return branches
