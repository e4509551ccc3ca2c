"""What files hold does not steer the terminal."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from e3d_lmp import cli
from e3d_lmp.terminal import LONGEST_LINE, PlainStream, one_line, printable

CLEAR = "\x1b[2J\x1b]0;owned\x07"


def test_what_steers_is_written_out() -> None:
    assert printable("D = ε₁₂\t−1 eV\n") == "D = ε₁₂\t−1 eV\n"
    assert printable(CLEAR) == r"\x1b[2J\x1b]0;owned\x07"
    assert printable("\x9b2J \x7f \r \u202e \u2028 \udcff") == r"\x9b2J \x7f \x0d \u202e \u2028 \udcff"


def test_a_message_is_one_line_of_a_bounded_length() -> None:
    assert one_line(" a\n\n b ") == "a b"
    long = one_line("x" * 10**6 + "end")
    assert len(long) < LONGEST_LINE + 10 and long.endswith("end") and " ... " in long


def test_a_stream_that_knows_few_characters() -> None:
    raw = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    print("ε \r\x1b[1m", file=PlainStream(raw))  # type: ignore[call-overload]
    assert raw.buffer.getvalue() == b"\\u03b5 \\x0d\\x1b[1m\n"  # type: ignore[attr-defined]
    assert not PlainStream(raw).isatty() and PlainStream(raw).encoding == "ascii"


def test_a_progress_bar_still_goes_back() -> None:
    raw = io.StringIO()
    PlainStream(raw).write("\r 50%\r")
    assert raw.getvalue() == "\r 50%\\x0d"


EVENTS = f"""e3d-bonds/1
criterion energy
cutoff {CLEAR}
units metal
columns step id1 id2 type1 type2 label D A r event
10 7 9 1 2 C-H{CLEAR} -8.25 1.5 1.9 broken
"""
MAP = f"e3d-map/1\nbin 0.1\ncutoff covalent\nsamples 0\nprovenance {CLEAR} {CLEAR}\nend\n"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("bonds.txt", EVENTS, ["events"]),
        ("bonds.txt", EVENTS.replace("broken", CLEAR), ["events"]),
        ("a.e3d", MAP, ["map", "show"]),
        ("a.e3d", MAP.replace("samples 0", f"samples {CLEAR}"), ["map", "show"]),
        (f"{CLEAR}.dump".replace("/", ""), f"ITEM: TIMESTEP\n{CLEAR}\n", ["species"]),
        ("edges.dump", f"ITEM: TIMESTEP\n{CLEAR}\n", ["analyze", "--types", "C", "-o", "out"]),
    ],
)
def test_no_escape_sequence_reaches_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, words: list[str]
) -> None:
    path = tmp_path / name
    path.write_text(text)
    cli.main([words[0], *words[1:2], str(path)] if words[0] == "map" else [words[0], str(path), *words[1:]])
    printed = capsys.readouterr()
    assert "\\x1b" in printed.out + printed.err
    assert printable(printed.out + printed.err) == printed.out + printed.err


def test_a_process_with_a_terminal_without_unicode(tmp_path: Path) -> None:
    """Also a file name of bytes that are no text."""
    path = Path(str(tmp_path).encode().decode() + "/\udcff\u03b5.txt")
    done = subprocess.run(
        [sys.executable, "-m", "e3d_lmp", "species", str(path)],
        env={"PYTHONIOENCODING": "ascii", "PATH": "", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2 and done.stderr.startswith(b"e3d: error: "), done.stderr
    assert b"Traceback" not in done.stderr and done.stderr.count(b"\n") == 1
