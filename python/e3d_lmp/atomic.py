"""Files that appear whole or not at all, and the folders for them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from e3d_lmp.errors import E3DError


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """A name to write to that becomes `path` when the block ends well, and is deleted when it does not.

    The name has the ending of `path` and lies in the same folder, so that the renaming cannot be interrupted.

    Raises
    ------
    E3DError
        If the file cannot be written.
    """
    target = Path(path)
    partial = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield partial
        os.replace(partial, target)
    except OSError as error:
        raise E3DError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing; raises `E3DError` if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise E3DError(f"cannot make the folder {folder}: {error.strerror}") from None
