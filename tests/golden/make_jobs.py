"""Writes the golden job scripts, jobs/*.sh: python tests/golden/make_jobs.py. Read the difference before you
commit it: each
line of a script is one that a supercomputer sees.
"""

from __future__ import annotations

from pathlib import Path

from e3d_lmp.runs.job import Job, render_script, shape_for
from e3d_lmp.runs.machines import find_machine
from e3d_lmp.runs.restartable import read_input
from e3d_lmp.version import __version__

HERE = Path(__file__).parent / "jobs"
SITE = {
    "account": "project",
    "filesystems": "home:flare",
    "lmp": "/home/me/lammps/build/lmp",
    "name": "liquid",
}
JOBS = {
    "aurora": ("aurora", {"nodes": 256}, {"queue": "prod", "hours": 6, "chain": 4, "kokkos": True}),
    "aurora_cpu": ("aurora", {"nodes": 2, "gpus": 0, "threads": 2}, {"queue": "debug", "hours": 0.5}),
    "aurora_half": (
        "aurora",
        {"nodes": 2, "gpus": 3, "threads": 8},
        {"queue": "debug", "hours": 1, "kokkos": True},
    ),
    "polaris": ("polaris", {"nodes": 64}, {"queue": "prod", "hours": 6, "kokkos": True}),
    "polaris_cpu": ("polaris", {"nodes": 10, "gpus": 0}, {"queue": "prod", "hours": 3}),
    "frontier": ("frontier", {"nodes": 184}, {"queue": "batch", "hours": 12, "kokkos": True}),
    "frontier_cpu": ("frontier", {"nodes": 8, "gpus": 0, "threads": 7}, {"queue": "batch", "hours": 2}),
    "perlmutter": ("perlmutter", {"nodes": 16}, {"queue": "regular", "hours": 6, "kokkos": True}),
    "lumi": ("lumi", {"nodes": 32, "threads": 6}, {"queue": "standard-g", "hours": 48, "kokkos": True}),
    "slurm": ("slurm", {"nodes": 4, "ranks_per_node": 32}, {"queue": "main", "hours": 24}),
    "slurm_gpu": (
        "slurm",
        {"nodes": 4, "ranks_per_node": 8, "gpus": 8},
        {"queue": "gpu", "hours": 1.5, "kokkos": True},
    ),
    "pbs": ("pbs", {"nodes": 4, "ranks_per_node": 32, "threads": 2}, {"queue": "main", "hours": 24}),
    "pbs_gpu": ("pbs", {"nodes": 2, "ranks_per_node": 4, "gpus": 4}, {"queue": "gpu", "hours": 1}),
    "mpirun": ("mpirun", {"nodes": 1, "ranks_per_node": 2}, {"hours": 1, "account": "", "filesystems": ""}),
}
"""Name of the script: machine, shape, and the rest of `Job`."""


def golden_script(name: str) -> str:
    """A job script of `JOBS`, without the version of this package."""
    machine_name, shape, rest = JOBS[name]
    machine = find_machine(machine_name)
    if machine.scheduler != "pbs" or not machine.needs or "filesystems" not in machine.needs:
        rest = {"filesystems": "", **rest}
    job = Job(
        job_input=read_input(HERE / "in.liquid"),
        machine=machine,
        shape=shape_for(machine, **shape),
        folder=Path("/scratch/me/liquid"),
        variables={"temp": "350", "steps": "2000000"},
        **{**SITE, **rest},
    )
    return render_script(job).replace(f"e3d-lmp {__version__}", "e3d-lmp VERSION")


if __name__ == "__main__":
    for name in JOBS:
        (HERE / f"{name}.sh").write_text(golden_script(name))
