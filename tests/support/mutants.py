"""Damaged copies of a file, and a reader that is given them one after the other in a process of its own.

The rule for every file format: a reader gives the right result or one line of error; never a traceback, a
crash, a hang, or more memory than it was allowed.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from e3d_lmp.errors import E3DError
from e3d_lmp.terminal import printable

SECONDS = 20
"""Longer than that for one mutant of some kB is a hang, also on a busy machine."""
MEMORY = 1 << 30
"""bytes of address space beyond what the process had before."""

NUMBERS = [
    *("nan", "-nan", "inf", "-1", "0", "1", "-0.0", "1e300", "-1e300", "1e-320", "1e18", "1e19", "0x10"),
    *("--5", "+5", ".5", "5.", "1_000", "10000000000", "2147483648", "9223372036854775807"),
    *("9223372036854775808", "-9223372036854775809", "9" * 5000),
]
WORDS = ("$x$", "\x1b[31m", "Xx", "é", "\0", "C-", "-", "{", "}", "[", "]", '"', ":", "#", "\n", "\r\n", "\t")


def mutant(data: bytes, rng: random.Random) -> bytes:
    """`data` with one to three things wrong: bytes, lengths, numbers, words, lines."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not out:
            break
        kind = rng.randrange(9)
        at = rng.randrange(len(out))
        end = min(len(out), at + rng.choice((1, 4, 16, 64, 1024)))
        if kind == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[at:end] = rng.randbytes(end - at)
        elif kind == 2:
            out[at:end] = bytes(end - at)
        elif kind == 3:
            del out[at:end]
        elif kind == 4:
            out[at:at] = out[at:end]
        elif kind == 5:
            del out[at:]
        elif kind == 6:
            _replace_word(out, at, rng)
        elif kind == 7:
            out[at:at] = rng.choice(WORDS).encode()
        else:
            _swap_lines(out, rng)
    return bytes(out)


def _replace_word(out: bytearray, at: int, rng: random.Random) -> None:
    """Another number for the word there."""
    ends = b" \n\t,:[]{}\"'"
    first = last = at
    while first > 0 and out[first - 1] not in ends and at - first < 40:
        first -= 1
    while last < len(out) and out[last] not in ends and last - at < 40:
        last += 1
    out[first:last] = rng.choice(NUMBERS).encode()


def _swap_lines(out: bytearray, rng: random.Random) -> None:
    lines = bytes(out).split(b"\n")
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    out[:] = b"\n".join(lines)


@dataclass
class Hunt:
    """What became of the mutants.

    Attributes
    ----------
    read, refused   how many were read, and how many refused with one line
    faults          what broke the rule: seed and what was seen
    """

    read: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)


def hunt(read: Callable[[Path], None], original: Path, count: int, seed: int = 0) -> Hunt:
    """Give `count` mutants of the file `original` to `read`, which raises `AssertionError` for nonsense.

    A mutant has the name of the original and is alone in its folder with copies of the files beside it. Each
    is made from its own seed; `mutant_of` makes it again.
    """
    result, done = Hunt(), 0
    while done < count:
        out, answers = os.pipe()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                os.close(out)
                _read_mutants(read, original, range(seed + done, seed + count), answers)
            os._exit(0)
        os.close(answers)
        with os.fdopen(out) as lines:
            for line in lines:
                number, kind, text = json.loads(line)
                done = number - seed + 1
                if kind == "fault":
                    result.faults.append(f"seed {number}: {text}")
                else:
                    setattr(result, kind, getattr(result, kind) + 1)
        status = os.waitpid(child, 0)[1]
        if done < count:  # it died of the one that it did not report
            result.faults.append(f"seed {seed + done}: the process died, status {status}")
            done += 1
    return result


def mutant_of(original: Path, number: int) -> bytes:
    """The mutant of this seed."""
    return mutant(original.read_bytes(), random.Random(number))


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    def too_long(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    signal.signal(signal.SIGALRM, too_long)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    yield


def _read_mutants(read: Callable[[Path], None], original: Path, numbers: range, answers: int) -> None:
    """In the child: read each and say what happened."""
    faulthandler.disable()
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    sys.stdout = sys.stderr = open(os.devnull, "w")
    with _bounded(), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in original.parent.iterdir():
            if file.is_file() and file != original:
                (folder / file.name).symlink_to(file)
        path = folder / original.name
        for number in numbers:
            path.write_bytes(mutant_of(original, number))
            signal.alarm(SECONDS)
            signal.setitimer(signal.ITIMER_PROF, 2.0 * SECONDS)  # ends what no exception of Python can
            kind, text = "read", ""
            try:
                read(path)
            except E3DError as error:
                kind, text = "refused", printable(str(error)).strip()  # as the command line prints it
                if "\n" in text or any(ord(letter) < 32 and letter != "\t" for letter in text):
                    kind, text = "fault", f"not one line: {text!r}"
            except BaseException:
                kind, text = "fault", " | ".join(traceback.format_exc().strip().splitlines()[-4:])
            signal.alarm(0)
            signal.setitimer(signal.ITIMER_PROF, 0.0)
            os.write(answers, (json.dumps([number, kind, text[:1000]]) + "\n").encode())
