"""A folder that one process at a time works in; the system frees it when the process ends, however it does."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from e3d_lmp.atomic import make_folder

LOCK = ".lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[int | None]:
    """The file descriptor of the lock, or None if another process has it.

    A child process that inherits the descriptor holds the lock as long as it lives.
    """
    make_folder(folder)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Whether some process is at work there."""
    path = folder / LOCK
    if not path.exists():
        return False
    with open(path) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
