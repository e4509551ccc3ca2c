"""A short run of argon with a two-body model, for tests of ``e3d run``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from ase import Atoms

from lammps_runs import BIN, plugin_environment, write_data

CUTOFF = "4.5"
INPUT = """
variable steps index 20
variable model index none
units metal
atom_style atomic
boundary p p p
read_data data.lmp
pair_style e3d
pair_coeff * * ${model} Ar
mass 1 39.95
timestep 0.002
velocity all create 30 4711
minimize 0 0 2 4
reset_timestep 0
fix md all nve
compute edges all e3d/edge/local tag1 tag2 type1 type2 dist dx dy dz eps &
        cutoff 4.5
dump edges all local 5 edges.dump c_edges[1] c_edges[2] c_edges[3] c_edges[4] c_edges[5] &
     c_edges[6] c_edges[7] c_edges[8] c_edges[9]
dump_modify edges format float %.17g colname 1 tag1 colname 2 tag2 colname 3 type1 colname 4 type2 &
     colname 5 dist colname 6 dx colname 7 dy colname 8 dz colname 9 eps
run ${steps} # the run
run 10
"""
STEPS = [0, 5, 10, 15, 20, 25, 30]


def write_run(folder: Path, model: Path) -> Path:
    """Write an input and its data into a folder, beside a two-body model."""
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * 3.9
    atoms = Atoms("Ar27", positions=grid + rng.uniform(-0.1, 0.1, grid.shape), cell=[11.7] * 3, pbc=True)
    write_data(folder / "data.lmp", atoms, ["Ar"])
    (folder / "in.lj").write_text(INPUT)
    (folder / "lj.nequip.pth").symlink_to(model)
    return folder


def run_in(
    folder: Path, *command: str, ranks: int = 1, timeout: int = 300
) -> subprocess.CompletedProcess[str]:
    """A command in a folder, on some ranks."""
    start = [str(BIN / "mpirun"), "-np", str(ranks)] if ranks > 1 else []
    return subprocess.run(
        [*start, *command],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | plugin_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def e3d_in(folder: Path, *words: str, ranks: int = 1) -> subprocess.CompletedProcess[str]:
    """An ``e3d`` command, likewise."""
    return run_in(folder, sys.executable, "-m", "e3d_lmp", *words, ranks=ranks)
