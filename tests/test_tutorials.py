"""The tutorials of docs/tutorials do what they say: their blocks are run in turn, and outputs are compared.

``bash`` blocks are run by bash and ``python`` blocks by Python, each in the folder where the one before it
ended; a ``lammps`` block whose first line is ``# NAME`` is a file of that name. A ``text`` block is what the
block before it has printed. There ``...`` in a line stands for any words, and alone for any lines;
words must be equal, and numbers within `RELATIVE`, or by 2 of the last digit that the page shows.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.md"))
RELATIVE = 0.02
"""Largest difference of a number: on another processor runs drift apart, from the rounding of float32 on."""

SECONDS = 600
NUMBER = re.compile(r"[+-]?\d+\.?\d*(?:[eE][+-]?\d+)?")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page: its language, its text, the number of its first line."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return [Block(t.info.strip(), t.content, t.map[0] + 1) for t in tokens if t.type == "fence" and t.map]


def is_close(shown: str, got: str) -> bool:
    """Whether two words are equal, or numbers that differ no more than the page allows."""
    if not (NUMBER.fullmatch(shown) and NUMBER.fullmatch(got)):
        return shown == got
    mantissa, _, exponent = shown.lower().partition("e")
    last_digit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    difference = abs(float(shown) - float(got))
    return difference <= max(RELATIVE * abs(float(shown)), 2.0 * last_digit if "." in shown else 0.0)


def words(line: str) -> list[str]:
    """The words of a line, numbers apart from what they are glued to."""
    return re.findall(rf"{NUMBER.pattern}|[^\s\d]+", line)


def words_fit(shown: list[str], got: list[str]) -> bool:
    """Whether words of the page are those that were printed; ``...`` stands for any."""
    if not shown:
        return not got
    if shown[0] == "...":
        return any(words_fit(shown[1:], got[k:]) for k in range(len(got) + 1))
    return bool(got) and is_close(shown[0], got[0]) and words_fit(shown[1:], got[1:])


def line_fits(shown: str, got: str) -> bool:
    """Whether a line of the page is what was printed."""
    return words_fit(words(shown), words(got))


def first_misfit(shown: list[str], got: list[str]) -> str:
    """The first line of the page that the output does not have where it should; empty if all are there."""
    at, anywhere = 0, False
    for line in shown:
        if line.strip() == "...":
            anywhere = True
            continue
        found = next((k for k in range(at, len(got)) if line_fits(line, got[k])), None)
        if found is None or (found != at and not anywhere):
            return line
        at, anywhere = found + 1, False
    return "" if anywhere or at == len(got) else f"(nothing more, but there is: {got[at]})"


def run(block: Block, folder: Path, state: Path) -> str:
    """Run one block in a folder; what it printed. The folder where it ends goes into the file `state`."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "Agg",
    }
    if block.language == "python":
        command = [sys.executable, "-c", block.text]
    else:
        command = ["bash", "-euo", "pipefail", "-c", f"{block.text}\npwd > '{state}'"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"line {block.line}:\n{block.text}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_tutorial(page: Path, tmp_path: Path) -> None:
    (tmp_path / "inputs").symlink_to(ROOT / "inputs")
    folder, state, printed = tmp_path, tmp_path / "folder", None
    compared = 0
    for block in blocks(page):
        if block.language in ("bash", "python"):
            printed = run(block, folder, state)
            folder = Path(state.read_text().strip())
        elif block.language == "lammps":
            name = re.match(r"# (\S+)\n", block.text)
            assert name, f"{page.name}, line {block.line}: an input begins with '# NAME', its file"
            (folder / name[1]).write_text(block.text)
        elif block.language == "text":
            assert printed is not None, f"{page.name}, line {block.line}: no block before it"
            misfit = first_misfit(block.text.splitlines(), printed.splitlines())
            assert not misfit, f"{page.name}, line {block.line}: not found: {misfit}\nprinted was:\n{printed}"
            printed = None
            compared += 1
        else:
            assert block.language == "console", (
                f"{page.name}, line {block.line}: '{block.language}' is not run"
            )
    assert compared >= 5


def test_there_are_tutorials() -> None:
    assert {page.stem for page in TUTORIALS} >= {"bond_energies", "breaking_bonds"}


@pytest.mark.parametrize(
    ("shown", "got", "fits"),
    [
        ("a 1.00 b", "a 1.015 b", True),
        ("a 1.00 b", "a 1.05 b", False),
        ("a 0.01 b", "a 0.03 b", True),
        ("n 12", "n 13", False),
        ("step 1930", "step 1940", True),
        ("a 1 ...", "a 1 and more 3.5", True),
        ("a 1 ...", "b 1 and more", False),
        ("a ... 11 z", "a 5 -3.5 11 z", True),
        ("a ... 11 z", "a 5 -3.5 12 z", False),
        ("C-C 2", "C-C 2 3", False),
        ("x -0.59 y", "x 0.59 y", False),
    ],
)
def test_comparison_of_lines(shown: str, got: str, fits: bool) -> None:
    assert line_fits(shown, got) is fits


def test_comparison_of_outputs() -> None:
    got = ["head", "a 1", "b 2", "tail"]
    assert not first_misfit(["head", "...", "b 2", "tail"], got)
    assert not first_misfit(["head", "a 1", "..."], got)
    assert first_misfit(["head", "b 2", "..."], got) == "b 2"
    assert first_misfit(["head", "a 1", "b 2"], got).startswith("(nothing more")
    assert first_misfit(["...", "c"], got) == "c"
