"""What reaches a terminal: text alone, whatever files and their names hold.

Characters that move the cursor, clear the screen, rename the window or turn the direction of writing would
let a file speak for this program. `plain_output` stands around every sub-command, so that none has to think
of it.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Any

LONGEST_LINE = 2000
"""Characters of an error message; a longer one (a damaged file quoted in it) loses its middle."""

# Controls but tab and newline, line separators, marks of writing direction, and halves of characters, which
# are bytes of file names that are no UTF-8.
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""The same text with characters that would steer a terminal written out, ``\x1b``."""
    return _ODD.sub(_written_out, text)


def one_line(text: str) -> str:
    """A message on one line, its middle left out where it is very long."""
    line = " ".join(text.split())
    if len(line) <= LONGEST_LINE:
        return line
    half = LONGEST_LINE // 2
    return f"{line[:half]} ... {line[-half:]}"


@contextlib.contextmanager
def plain_output() -> Iterator[None]:
    """A block whose standard output and error are `PlainStream`."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (each and PlainStream(each) for each in streams)  # None: there is no terminal
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams


class PlainStream:
    """A text stream that writes `printable` text, and what its encoding lacks as ``\\u03b5``.

    A carriage return at the beginning of a write is let through: progress bars write over their line so.
    """

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> int:
        first = "\r" if text.startswith("\r") else ""
        plain = first + printable(text.removeprefix(first))
        encoding = getattr(self._stream, "encoding", None)
        if encoding:
            plain = plain.encode(encoding, "backslashreplace").decode(encoding)
        self._stream.write(plain)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
