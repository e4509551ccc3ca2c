"""The one exception that stands for a mistake the user can mend."""

from __future__ import annotations

EXIT_USER_ERROR = 2
"""Exit code of the command line after an `E3DError`."""


class E3DError(Exception):
    """A problem with the input, said in full.

    The message names what was expected, what came, and what to type next. The command line prints it as one
    line and exits with code 2; any other exception is a bug of this package and keeps its traceback.
    """
