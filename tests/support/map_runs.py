"""Maps of ``fix e3d/map`` and the package's own of the same edges; runs of Cu and Ag with Morse bonds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from e3d_lmp.analysis.edge_analysis import EdgeAnalysis
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.dumps.reader import DumpReader
from e3d_lmp.edges.frames import EdgeFrame
from e3d_lmp.edges.sources import model_types
from edge_frames import take
from gas_runs import ELEMENTS as METALS
from gas_runs import gas
from gas_runs import script_of as metal_script
from lammps_runs import Run, run_lammps, write_data
from systems import ELEMENTS
from tolerances import close

MOMENTS = 1e-12
"""Relative to the sum of magnitudes; the same numbers added in another order."""
SUMS = ("sum_D", "sum_D2", "sum_A", "sum_A2", "sum_absA")
NVE = "timestep 0.0002\nfix md all nve\n"
LABELS = ("C-C", "C-O", "C-H", "O-O", "O-H", "H-H")
"""Of `systems.ELEMENTS`, in the order of the rows."""

Keep = Callable[[EdgeFrame], np.ndarray]


def from_dump(
    dump: Path,
    model: Path,
    steps: Iterable[int],
    cutoff: str = "covalent",
    width: float = 0.1,
    labels: list[str] | None = None,
    keep: Keep | None = None,
) -> EnergyMap:
    """The package's own map of the edges of some steps; `keep` chooses edges."""
    analysis = EdgeAnalysis(ELEMENTS, parse_cutoff(cutoff), width, labels, model_types(model, ELEMENTS)[1])
    wanted = set(steps)
    for frame in DumpReader(dump):
        if frame.step in wanted:
            wanted.remove(frame.step)
            analysis.add(take(frame, keep(frame)) if keep else frame)
    assert not wanted, f"steps {wanted} are not in the dump"
    return analysis.result()


def check_same(got: EnergyMap, want: EnergyMap) -> None:
    """Bin for bin, and moments to rounding."""
    assert (got.width, got.cutoff, got.samples, got.steps) == (
        want.width,
        want.cutoff,
        want.samples,
        want.steps,
    )
    assert set(got.labels) == set(want.labels)
    for label, one in want.labels.items():
        mine = got.labels[label]
        assert mine.count == one.count, label
        np.testing.assert_array_equal(mine.codes, one.codes, err_msg=label)
        np.testing.assert_array_equal(mine.halves, one.halves, err_msg=label)
        size = max(one.sum_absA, abs(one.sum_D), one.sum_A2, one.sum_D2)
        for name in SUMS:
            if one.count:
                close(f"{label} {name}", getattr(mine, name), getattr(one, name), MOMENTS * size)


def check_no_leftovers(folder: Path) -> None:
    """No temporary file was left."""
    assert not [path.name for path in folder.rglob(".*")]


def metal_run(folder: Path, model: Path, body: str, ranks: int = 1, data: str = "read_data data.lmp") -> Run:
    """Cu and Ag."""
    write_data(folder / "data.lmp", gas(), METALS)
    return run_lammps(metal_script(model, body, data=data), folder, ranks)


def printed(name: str, rows: int, file: str, columns: int = 6) -> str:
    """A print command that writes the array of fix `name` as JSON."""
    lines = [
        "[" + ", ".join(f"$(f_{name}[{row + 1}][{k + 1}]:%.17g)" for k in range(columns)) + "]"
        for row in range(rows)
    ]
    table = ", &\n".join(lines)
    return f'print """[{table}]""" file {file} screen no\n'
