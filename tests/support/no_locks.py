"""Processes in which no file can be locked, as on Lustre or ZFS."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SOURCE = """#include <errno.h>
int flock(int descriptor, int operation) { errno = ENOLCK; return -1; }
"""


def environment_without_locks(folder: Path) -> dict[str, str]:
    """The environment of such a process; makes a library in the folder."""
    (folder / "nolocks.c").write_text(SOURCE)
    library = folder / "nolocks.so"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-shared", "-fPIC", folder / "nolocks.c", "-o", library], check=True)
    return os.environ | {"LD_PRELOAD": str(library)}
