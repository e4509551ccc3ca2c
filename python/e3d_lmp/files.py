"""Files of every kind: whole or absent, one writer at a time, known by their hash."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
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


def input_file(path: str | os.PathLike, expected: str) -> Path:
    """The path of a file that is there to be read, and can be read from its beginning as often as needed.

    Parameters
    ----------
    expected
        What the file should hold, for the message.

    Raises
    ------
    E3DError
        There is none, or it is a folder, a pipe (which would be waited for, or gives its bytes only once) or
        a device (which may never end).
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        missing = isinstance(error, FileNotFoundError)
        reason = "no such file" if missing else getattr(error, "strerror", None) or str(error)
        raise E3DError(f"{os.fspath(path)}: {reason}; expected {expected}") from None
    if stat.S_ISREG(mode):
        return Path(path)
    kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
    advice = ""
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        kind = "a pipe, which cannot be read twice"
        advice = "; write it to a file first, e.g. zcat x.gz > x (dumps in .gz and .zst are read as they are)"
    raise E3DError(f"{os.fspath(path)}: {kind}; expected {expected}{advice}")


def starts_with(path: str | os.PathLike, mark: bytes) -> bool:
    """Whether a path is a regular file that begins with these bytes; nothing is waited for."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            return file.read(len(mark)) == mark
    except (OSError, ValueError):
        return False


def read_text(path: str | os.PathLike, expected: str) -> str:
    """The text of a file in UTF-8, its line ends as they are, without a spreadsheet's mark before it.

    Parameters
    ----------
    expected
        What the file should hold, for the message.

    Raises
    ------
    E3DError
        As `input_file`; or the file cannot be read, or is no text.
    """
    input_file(path, expected)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        reason = f"not a text file (byte {error.start})"
    except OSError as error:
        reason = error.strerror or str(error)
    raise E3DError(f"{os.fspath(path)}: {reason}; expected {expected}")


@contextlib.contextmanager
def reading(path: str | os.PathLike, what: str, advice: str) -> Iterator[None]:
    """A block that reads: all that is raised of a damaged file, by whatever library, becomes one `E3DError`.

    Parameters
    ----------
    what
        What the file is, for the message ``PATH: damaged WHAT (...); ADVICE``.
    """
    try:
        yield
    except E3DError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or "no reason given"
        raise E3DError(
            f"{os.fspath(path)}: damaged {what} ({type(error).__name__}: {reason}); {advice}"
        ) from None


def read_json(path: str | os.PathLike) -> Any:
    """The value in a JSON file.

    Raises
    ------
    OSError, ValueError
        The file cannot be read, or is no JSON: the caller knows which command makes it again.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("not a regular file")
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except RecursionError:
        raise ValueError("brackets nested too deep") from None


def read_yaml(path: str | os.PathLike, expected: str) -> Any:
    """The value in a YAML file, made of plain types; `E3DError` where it cannot be read."""
    return parse_yaml(read_text(path, expected), os.fspath(path), expected)


def parse_yaml(text: str, where: str, expected: str) -> Any:
    """The value of a text in YAML, made of plain types; `E3DError` of one line where it is none."""
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        mark, reason = getattr(error, "problem_mark", None), " ".join(str(error).split())
        if mark is not None:
            reason = f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', '')}"
        elif isinstance(error, RecursionError):
            reason = "brackets nested too deep"
        raise E3DError(f"{where}: not YAML ({reason}); expected {expected}") from None


def read_if_there(path: str | os.PathLike, format: str, writer: str) -> dict[str, Any] | None:
    """The dictionary in a JSON file whose key ``format`` is this one; None where there is no file.

    Raises
    ------
    E3DError
        It is damaged or of another format; `writer` is the command that makes such files.
    """
    try:
        tree = read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise E3DError(f"{os.fspath(path)}: {error}; expected what '{writer}' wrote") from None
    if not isinstance(tree, dict) or tree.get("format") != format:
        raise E3DError(f"{os.fspath(path)}: expected the format {format} of '{writer}'")
    return tree


def read_object(path: str | os.PathLike, what: str, advice: str, keys: Sequence[str] = ()) -> dict[str, Any]:
    """The dictionary in a JSON file, with `keys` in it.

    Raises
    ------
    E3DError
        The file is missing or damaged; the message has `what` it should be and the `advice`.
    """
    input_file(path, f"{what}; {advice}")
    with reading(path, what, advice):
        whole = read_json(path)
        if not isinstance(whole, dict):
            raise ValueError("no dictionary in it")
        missing = [key for key in keys if key not in whole]
        if missing:
            raise ValueError(f"no '{missing[0]}' in it")
        return whole


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing; raises `E3DError` if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise E3DError(f"cannot make the folder {folder}: {error.strerror}") from None


@contextlib.contextmanager
def locked(folder: Path, timeout: float = 0.0) -> Iterator[int | None]:
    """Lock a folder, which is made if it is not there, for one process at a time.

    Yields the file descriptor of the lock, or None if another process still has it after `timeout` seconds.
    When the process ends, by whatever, the folder is free; a child process that inherits the descriptor holds
    the lock as long as it lives.
    """
    make_folder(folder)
    descriptor = open_lock(folder / LOCK, timeout)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def open_lock(path: Path, timeout: float = 0.0) -> int | None:
    """The file descriptor of an exclusive lock, or None if another process still has it after `timeout`
    seconds; `os.close` or `remove_lock` releases it.

    A file system without locks locks nothing.

    Raises
    ------
    OSError
        The file cannot be made.
    """
    end = time.monotonic() + timeout
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


def relative_path(path: str | os.PathLike, folder: str | os.PathLike) -> str:
    """A path as seen from a folder, so that both may be moved together."""
    return Path(os.path.relpath(path, folder)).as_posix()


MOST_NAMES = 400
"""Characters of a list of files that is repeated in files made from them."""


def some_names(names: str, where: str) -> str:
    """A list of files, or its beginning where it is long; `where` says where the rest is."""
    if len(names) <= MOST_NAMES:
        return names
    return f"{names[:MOST_NAMES].rsplit(' ', 1)[0]} ... ({len(names)} characters; all are in {where})"


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
