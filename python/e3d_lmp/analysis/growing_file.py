"""Text files that a running simulation appends to, line by line.

The first line is the name of the format. A last line without its newline is one that was being written when
the simulation, or the disk, stopped: readers leave it out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_text


def read_appended(path: str | os.PathLike, wanted: str, writer: str) -> tuple[list[str], bool]:
    """The lines of such a file, and whether a cut-off last line was left out.

    Parameters
    ----------
    wanted
        The format with its version, ``e3d-bonds/1``.
    writer
        What writes such files; for messages.

    Raises
    ------
    E3DError
        If the file is missing, empty, of another format, or of another version of the format.
    """
    text = read_text(path, f"a file of {writer} ({wanted})")
    lines = text.split("\n")
    found = lines[0].strip()[:40] or "nothing"
    if found != wanted:
        family = wanted.split("/")[0] + "/"
        advice = f"; this version of e3d reads {wanted} only" if found.startswith(family) else ""
        raise E3DError(f"{path}: expected the format {wanted} of {writer}, got '{found}'{advice}")
    return lines[:-1], bool(lines[-1])


def numbered_words(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Number, from 2, and words of each line after the first; blank lines are left out."""
    for number, line in enumerate(lines[1:], 2):
        words = line.split()
        if words:
            yield number, words


def check_step(step: int, before: int | None) -> None:
    """Raise `ValueError` if a row's time step lies before that of the row above it."""
    if before is not None and step < before:
        raise ValueError(f"step {step} after step {before}; are these two runs in one file?")
