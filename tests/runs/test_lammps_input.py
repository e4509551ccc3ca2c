"""LAMMPS inputs, read as LAMMPS does."""

from __future__ import annotations

from pathlib import Path

import pytest

from e3d_lmp.errors import E3DError
from e3d_lmp.runs.lammps_input import command_words, if_branches, read_commands


def test_read_commands_joins_and_skips(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_text('# a comment\n\nrun &\n  5\nprint """a\n\nb"""\n  # another\nrun 1 # tail\nrun 2')
    assert list(read_commands(path)) == ["run   5", 'print """a\n\nb"""', "run 1 # tail", "run 2"]
    path.write_text('print """a\n')
    with pytest.raises(E3DError, match="never closed"):
        list(read_commands(path))
    with pytest.raises(E3DError, match="no such file; expected a LAMMPS input"):
        list(read_commands(tmp_path / "absent"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("run 5 # more", ["run", "5"]),
        ("run 5# more", ["run", "5"]),
        ('print "a # b" file x', ["print", "a # b", "file", "x"]),
        ("print 'a \"b\" c'", ["print", 'a "b" c']),
        ('print """a \'b\' "c" """', ["print", "a 'b' \"c\" "]),
        ('variable a"b equal 1', ["variable", 'a"b', "equal", "1"]),  # a quote inside of a word is a letter
        ('if "" then x', ["if", "", "then", "x"]),
        ("  ", []),
        ("# all of it", []),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    assert command_words(line) == words


def test_branches() -> None:
    assert if_branches(command_words('if "$a > 1" then "run 1" quit')) == [("$a > 1", ["run 1", "quit"])]
    words = command_words("if 1 then a b elif 2 c elif 3 d else e f")
    assert if_branches(words) == [("1", ["a", "b"]), ("2", ["c"]), ("3", ["d"]), ("", ["e", "f"])]


@pytest.mark.parametrize(
    "line", ["if", "if 1", "if 1 then", "if 1 run 2 3", "if 1 then a else", "if 1 then a elif 2"]
)
def test_broken_branches(line: str) -> None:
    with pytest.raises(E3DError, match="expected 'if CONDITION then"):
        if_branches(command_words(line))
