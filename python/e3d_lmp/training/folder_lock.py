"""A folder that one process at a time works in; when that process ends, by whatever, the folder is free."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from e3d_lmp.atomic import make_folder

LOCK = ".lock"


@contextlib.contextmanager
def locked(folder: Path, patience: float = 0.0) -> Iterator[int | None]:
    """The file descriptor of the lock, or None if another process still has it after `patience` seconds.

    A child process that inherits the descriptor holds the lock as long as it lives.
    """
    make_folder(folder)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield descriptor if _acquire(descriptor, patience) else None
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, patience: float) -> bool:
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > end:
                return False
        time.sleep(0.1)


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
