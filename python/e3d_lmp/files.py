"""Files of every kind: whole or absent, one writer at a time, known by their hash."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError

LOCK = ".lock"
"""File of a folder by which `locked` locks it."""


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """A name to write to that becomes `path` when the block ends well, and is deleted when it does not.

    The name has the ending of `path` and lies in the same folder, so that the renaming cannot be interrupted.
    The file is there, empty, when the block begins: it is new, and no link that somebody else has put there.

    Raises
    ------
    E3DError
        If the file cannot be written.
    """
    target = Path(path)
    partial = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
        try:
            yield partial
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise E3DError(f"cannot write {target}: {error.strerror or error}") from None


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all; raises `E3DError` if it cannot be written."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value: Any, indent: int | None = 1) -> None:
    """Write a value as JSON, whole or not at all; raises `E3DError` if it cannot be written."""
    write_text(path, json.dumps(value, indent=indent) + "\n")


def read_json(path: str | os.PathLike) -> Any:
    """The value in a JSON file.

    Raises
    ------
    OSError, ValueError
        The file cannot be read, or is no JSON: the caller knows which command makes it again.
    """
    return json.loads(Path(path).read_text(encoding="utf-8"))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing; raises `E3DError` if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise E3DError(f"cannot make the folder {folder}: {error.strerror}") from None


@contextlib.contextmanager
def locked(folder: Path, patience: float = 0.0) -> Iterator[int | None]:
    """Lock a folder, which is made if it is not there, for one process at a time.

    Yields the file descriptor of the lock, or None if another process still has it after `patience` seconds.
    When the process ends, by whatever, the folder is free; a child process that inherits the descriptor holds
    the lock as long as it lives.
    """
    make_folder(folder)
    descriptor = open_lock(folder / LOCK, patience)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def open_lock(path: Path, patience: float = 0.0) -> int | None:
    """The file descriptor of an exclusive lock, or None if another process still has it after `patience`
    seconds; `os.close` or `remove_lock` releases it.

    A file system without locks locks nothing.

    Raises
    ------
    OSError
        The file cannot be made.
    """
    end = time.monotonic() + patience
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            if time.monotonic() > end:
                return None
            time.sleep(0.1)
            continue
        except OSError:
            return descriptor
        if _is_file(descriptor, path):
            return descriptor
        os.close(descriptor)  # of a file that its last owner has removed meanwhile: it keeps nobody out


def remove_lock(descriptor: int, path: Path) -> None:
    """Release a lock of `open_lock` and remove its file; whoever has opened the file before opens it anew."""
    path.unlink(missing_ok=True)
    os.close(descriptor)


def _is_file(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def is_locked(folder: Path) -> bool:
    """Whether some process is at work in a folder."""
    path = folder / LOCK
    if not path.exists():
        return False
    with open(path) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content, read in parts.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def plain_text(text: str) -> str:
    r"""The same text with the bytes of file names that are not UTF-8 written as ``\xff``.

    Python keeps such bytes as lone surrogates (`os.fsdecode`), which neither UTF-8 nor HDF5 can hold.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
