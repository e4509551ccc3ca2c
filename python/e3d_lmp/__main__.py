"""``python -m e3d_lmp`` is the ``e3d`` command."""

from __future__ import annotations

import sys

from e3d_lmp.cli import main

if __name__ == "__main__":
    sys.exit(main())
