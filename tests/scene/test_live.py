"""`LiveScene`: the bonds of each sampled step of a LAMMPS that runs in this process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lammps_runs import plugin_environment

pytest.importorskip(
    "ovito", reason="OVITO cannot be imported; type: pip install 'e3d-lmp[ovito]'", exc_type=ImportError
)

from e3d_lmp.errors import E3DError
from e3d_lmp.scene.live import LiveScene

INPUT = """
units metal
atom_style atomic
boundary p p p
lattice fcc 5.6
region all prism 0 2 0 2 0 2 0.3 0 0.2
create_box 1 all
create_atoms 1 region all
pair_style e3d
pair_coeff * * {model} Ar
mass 1 39.95
timestep 0.002
velocity all create 300 4711
fix md all nve
dump atoms all custom 5 atoms.dump id type x y z
dump_modify atoms format float %.17g
compute edges all e3d/edge/local tag1 tag2 type1 type2 dist dx dy dz eps cutoff 4.5
dump edges all local 5 edges.dump c_edges[1] c_edges[2] c_edges[3] c_edges[4] c_edges[5] &
     c_edges[6] c_edges[7] c_edges[8] c_edges[9]
dump_modify edges format float %.17g colname 1 tag1 colname 2 tag2 colname 3 type1 colname 4 type2 &
     colname 5 dist colname 6 dx colname 7 dy colname 8 dz colname 9 eps
run 10
"""

SCRIPT = """
import numpy as np
from ovito.io import import_file
from e3d_lmp.scene.live import LiveScene
from e3d_lmp.scene.pictures import has_vulkan, Look
from e3d_lmp.scene.reader import E3DReader
from e3d_lmp.runs.simulate import Simulation

seen = []

def look(scene):
    data = scene.compute()
    bonds = data.particles.bonds
    assert data.attributes["Timestep"] == scene.step
    columns = [np.array(bonds[name]) for name in ("Length", "D", "A")]
    seen.append((scene.step, *columns, len(bonds["Color"])))

with Simulation("in.live", every=5, cutoff="4.5", screen=False) as simulation:
    scene = LiveScene(simulation, "4.5", on_step=look)
    try:
        scene.compute()
        raise SystemExit("a scene before the first step")
    except Exception as error:
        assert "no step yet" in str(error), error
    simulation.run(scene)
    if has_vulkan():
        image = scene.picture(look=Look(size=(160, 120)))
        assert (image.width(), image.height()) == (160, 120)
        assert scene.bonds.low == scene.bonds.high == 0.0

# The same run once more, with the dumps that the simulation leaves out.
import subprocess, sys
from pathlib import Path
subprocess.run([str(Path(sys.prefix) / "bin" / "lmp"), "-in", "in.live", "-screen", "none"], check=True)
pipeline = import_file("edges.dump", input_format=E3DReader, atoms="atoms.dump", types="Ar", cutoff="4.5")
assert [step for step, *_ in seen] == [0, 5, 10], seen
for k, (step, length, D, A, coloured) in enumerate(seen):
    bonds = pipeline.compute(k).particles.bonds
    assert bonds.count == len(D) == coloured > 100
    assert np.allclose(bonds["Length"], length, atol=1e-12)
    assert np.array_equal(np.asarray(bonds["D"]), D) and np.array_equal(np.asarray(bonds["A"]), A)
print("the same")
"""


def test_live_scene_equals_the_dumps_of_the_run(tmp_path: Path, model_files: Callable[..., Path]) -> None:
    """In a process of its own: LAMMPS would start MPI in this one."""
    import os

    (tmp_path / "in.live").write_text(INPUT.format(model=model_files("lj")))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | plugin_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0 and "the same" in done.stdout, done.stderr[-3000:]


def test_several_ranks_are_refused() -> None:
    class Ranks:
        def Get_size(self) -> int:
            return 2

    class Two:
        communicator = Ranks()

    with pytest.raises(E3DError, match="run without mpirun"):
        LiveScene(Two())  # type: ignore[arg-type]
