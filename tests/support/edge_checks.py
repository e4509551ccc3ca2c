"""Comparison of dumped edges."""

from __future__ import annotations

import numpy as np

from lammps_runs import Frame
from tolerances import Ladder, close

GEOMETRY = ("tag1", "tag2", "type1", "type2")


def check_edges(got: Frame, want: Frame, ladder: Ladder) -> None:
    """The same directed edges, then the same energies on them."""
    assert len(got) == len(want) > 0, f"{len(got)} edges, expected {len(want)}"
    for name in GEOMETRY:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)
    for name in ("dx", "dy", "dz", "dist"):
        close(name, got[name], want[name], ladder.geometry)
    close("eps", got["eps"], want["eps"], ladder.edge_energy)
