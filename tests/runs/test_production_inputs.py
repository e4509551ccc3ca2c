"""inputs/production/: each input runs, in two parts, as a job does, and leaves what its page shows."""

from __future__ import annotations

from pathlib import Path

from e3d_lmp.analysis.events import read_events
from e3d_lmp.analysis.maps import read_map
from e3d_lmp.runs.job_folder import state_of
from job_runs import e3d, run_script

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
SMALL = INPUTS / "models/organic-small.safetensors"


def in_two_jobs(name: str, folder: Path, steps: tuple[int, int], *variables: object) -> Path:
    """The folder of a job that ended at the first number of steps, and went on to the second."""
    job = folder / "job"
    for last in steps:
        words = ["job", INPUTS / "production" / name, "-o", job, "--ranks-per-node", 1, "-v", "dir", INPUTS]
        made = e3d(*words, "-v", "steps", last, *variables, folder=folder)
        assert made.returncode == 0, made.stdout + made.stderr
        assert "warning" not in made.stderr
        done = run_script(job)
        assert state_of(job) == ("finished", f"step {last} of {last}"), done.stdout + done.stderr
    return job


def rows(job: Path, pattern: str) -> list[list[float]]:
    """Rows of the files of all parts, the last words of each line as numbers."""
    lines = [line for path in sorted(job.glob(pattern)) for line in path.read_text().splitlines()]
    return [[float(word) for word in line.split()] for line in lines if not line.startswith("#")]


def test_liquid(tmp_path: Path) -> None:
    job = in_two_jobs("in.liquid", tmp_path, (100, 200), "-v", "model", SMALL)
    assert read_map(job / "map.e3d").samples == 10
    means = rows(job, "means.*.txt")
    assert [row[0] for row in means] == [100, 200] and all(0.5 < row[1] < 1.2 for row in means)
    assert len(read_events(job / "bonds.txt")) == 0  # a liquid at rest breaks no bond


def test_pulled_crystal(tmp_path: Path) -> None:
    words = ["-v", "model", SMALL, "-v", "ny", 1, "-v", "nz", 3, "-v", "equilibrate", 5, "-v", "rate", 2.0]
    job = in_two_jobs("in.pull", tmp_path, (100, 300), *words)
    curve = rows(job, "stress.*.txt")
    assert [row[0] for row in curve] == [100, 200, 300]
    strains, stresses = [row[1] for row in curve], [row[2] for row in curve]
    assert strains == sorted(strains) and 0.2 < strains[-1] < 0.3
    assert stresses[-1] > stresses[0] + 5.0  # GPa: a crystal that is pulled along its chains is stiff
    assert (job / "bonds.txt").exists() and read_map(job / "map.200.txt").samples == 20


def test_heat(tmp_path: Path, model_files) -> None:
    model = model_files("lj")
    words = ["-v", "model", model, "-v", "cells", 4, "-v", "equilibrate", 50]
    job = in_two_jobs("in.heat", tmp_path, (1000, 2000), *words)
    assert [row[0] for row in rows(job, "hnemd.*.txt")] == [1000, 2000]
