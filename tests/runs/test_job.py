"""Job scripts without running them: golden scripts of every machine, shapes that cannot be, inputs that
cannot go on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
from make_jobs import HERE, JOBS, golden_script

from e3d_lmp.cli import main
from e3d_lmp.errors import E3DError
from e3d_lmp.runs.job import job_name, parse_hours, queue_warning, shape_for
from e3d_lmp.runs.machines import find_machine, load_machines
from e3d_lmp.runs.restartable import read_input

LIQUID = HERE / "in.liquid"
INPUT = LIQUID.read_text()


def job(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, output and errors of ``e3d job``."""
    code = main(["job", *map(str, words)])
    return code, *capsys.readouterr()


@pytest.fixture(autouse=True)
def no_machines_of_my_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.mark.parametrize("name", JOBS)
def test_golden_script(name: str) -> None:
    """Whoever changes a line on purpose types: python tests/golden/make_jobs.py."""
    assert golden_script(name) == (HERE / f"{name}.sh").read_text()


def test_every_machine_has_a_golden_script() -> None:
    assert {machine for machine, _, _ in JOBS.values()} == set(load_machines())
    assert {path.stem for path in HERE.glob("*.sh")} == set(JOBS)


@pytest.mark.parametrize("name", JOBS)
def test_golden_script_is_bash(name: str) -> None:
    done = subprocess.run(["bash", "-n", HERE / f"{name}.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr


SHAPES = [
    (
        "aurora",
        {"nodes": 1, "gpus": 0, "ranks_per_node": 104},
        "104 ranks x 1 threads are 104.*has 102 cores.*2 of 104 are kept",
    ),
    ("aurora", {"nodes": 1, "gpus": 7}, "--gpus 7: a node of aurora has 6 GPUs .see https"),
    (
        "aurora",
        {"nodes": 1, "ranks_per_node": 24},
        "24 ranks per node for 6 GPUs.*a tile to itself, and there are 12",
    ),
    ("aurora", {"nodes": 1, "threads": 9}, "12 ranks x 9 threads|bound to 8 cores"),
    (
        "aurora",
        {"nodes": 1, "ranks_per_node": 6, "threads": 9},
        "--threads 9: the ranks are bound to 8 cores",
    ),
    (
        "frontier",
        {"nodes": 1, "gpus": 0, "ranks_per_node": 8, "threads": 8},
        "8 ranks x 8 threads are 64.*has 56 cores",
    ),
    (
        "polaris",
        {"nodes": 1, "ranks_per_node": 8},
        "a GPU to itself, and there are 4; type --ranks-per-node 4",
    ),
    ("lumi", {"nodes": 1, "threads": 7}, "bound to 6 cores"),
    ("slurm", {"nodes": 1}, "--ranks-per-node is not given"),
    ("slurm", {"nodes": 1, "ranks_per_node": 0}, "--ranks-per-node: expected a whole number from 1"),
    ("mpirun", {"nodes": 2}, "--nodes 2: mpirun runs on this machine alone"),
    ("mpirun", {"nodes": 1, "ranks_per_node": 4096}, "4096 ranks x 1 threads are 4096"),
    ("mpirun", {"nodes": 0}, "--nodes: expected a whole number from 1, got 0"),
    ("mpirun", {"nodes": 1, "threads": 0}, "--threads: expected a whole number from 1, got 0"),
    ("aurora", {"nodes": 1, "gpus": -1}, "--gpus: expected a whole number from 0"),
]


@pytest.mark.parametrize("name, shape, message", SHAPES, ids=[f"{name} {shape}" for name, shape, _ in SHAPES])
def test_shapes_that_cannot_be(name: str, shape: dict[str, int], message: str) -> None:
    with pytest.raises(E3DError, match=message):
        shape_for(find_machine(name), **shape)


def test_shapes_that_a_machine_is_made_for() -> None:
    assert shape_for(find_machine("aurora"), 3).ranks == 36
    assert shape_for(find_machine("aurora"), 1, gpus=0, threads=2).ranks_per_node == 51
    assert shape_for(find_machine("frontier"), 2).ranks == 16
    assert shape_for(find_machine("mpirun"), 1).ranks == len(os.sched_getaffinity(0))


def test_what_a_site_refuses_jobs_without_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = job(capsys, LIQUID, "--machine", "aurora", "--dry-run")
    assert (
        code == 2
        and "takes no job without --account and --queue and --filesystems" in error
        and "https" in error
    )
    code, _, error = job(capsys, LIQUID, "--machine", "frontier", "--dry-run")
    assert code == 2 and "takes no job without --account" in error
    code, _, error = job(capsys, LIQUID, "--machine", "slurm", "--dry-run")
    assert code == 2 and "takes no job without --ranks-per-node" in error


def test_a_queue_that_takes_no_such_job_is_warned_of(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ("-A", "p", "-q", "prod", "--filesystems", "home", "--lmp", "/no/lmp", "--no-kokkos")
    code, out, error = job(
        capsys, LIQUID, "--machine", "aurora", "--nodes", 128, "--hours", 6, *words, "--dry-run"
    )
    assert code == 0 and "#PBS -l select=128" in out
    assert (
        "queue prod of aurora takes 256 to 1024 nodes for 12 h" in error and "not 128 nodes for 6 h" in error
    )
    assert queue_warning(find_machine("aurora"), "prod", 1500, 18) == ""
    assert "not 1500 nodes for 20 h" in queue_warning(find_machine("aurora"), "prod", 1500, 20)
    assert queue_warning(find_machine("aurora"), "unheard-of", 1, 1000) == ""


def test_wrong_machine(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = job(capsys, LIQUID, "--machine", "auroa")
    assert code == 2 and "did you mean 'aurora'" in error


def test_dry_run_writes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, error = job(capsys, LIQUID, "--dry-run", "--lmp", "/no/lmp", "-v", "temp", 300)
    assert code == 0 and out.startswith("#!/bin/bash") and "timer       timeout ${e3d_seconds}" in out
    assert "cannot be asked here whether it has KOKKOS" in error
    assert list(tmp_path.iterdir()) == []


LINES = [
    ("variable part       index 1\n", "no 'variable part index 1'"),
    ("variable checkpoint index restart\n", "no 'variable checkpoint index restart'"),
    ("read_restart ${restart}", "no 'read_restart ${restart}'"),
    (
        "restart         5000 ${checkpoint}.a ${checkpoint}.b\n",
        "no 'restart 5000 ${checkpoint}.a ${checkpoint}.b'",
    ),
    ("run             ${steps} upto\n", "no 'run ${steps} upto'"),
]


@pytest.mark.parametrize("line, message", LINES, ids=[line.split()[0] + line.split()[1] for line, _ in LINES])
def test_an_input_that_cannot_go_on(
    line: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "in.liquid"
    path.write_text(INPUT.replace(line, "print 'instead'\n" if line.endswith("\n") else "print instead"))
    code, _, error = job(capsys, path, "--chain", 2)
    assert code == 2 and message in error and "cannot go on from a restart file" in error
    code, _, error = job(capsys, path, "--no-kokkos")
    assert code == 0 and "it has to end within one job" in error


def test_restart_before_a_beginning_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.liquid"
    lines = INPUT.splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith("restart "))
    lines.insert(at - 1, lines.pop(at))
    path.write_text("\n".join(lines))
    with pytest.raises(E3DError, match=r"'velocity all create' stands after 'restart'"):
        read_input(path)


@pytest.mark.parametrize("command", ["clear", "quit", 'if "${temp} > 1" then "quit 1"'])
def test_clear_and_quit_are_refused(command: str, tmp_path: Path) -> None:
    path = tmp_path / "in.liquid"
    path.write_text(INPUT + command + "\n")
    with pytest.raises(E3DError, match="a job cannot tell how a run ends after clear or quit"):
        read_input(path)


def test_what_changes_the_state_after_the_run_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state after `unfix` is not that of the run: no last restart file is written then."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "in.liquid"
    path.write_text(INPUT + "unfix md  # done\n")
    code, out, error = job(capsys, path, "--no-kokkos", "--dry-run")
    assert code == 0 and "'unfix md' follows the last run" in error and "write_restart" not in out
    path.write_text(INPUT + "print done\n")
    assert "write_restart restart.end" in job(capsys, path, "--no-kokkos", "--dry-run")[1]


def test_files_are_named_from_the_jobs_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables that name files here become absolute; a file that the job would not find is an error now, not
    in the queue.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for name in ("liquid.data", "models/a.model", "models/b.model"):
        (tmp_path / name).write_text("")
    text = INPUT.replace(
        "units ", "variable dir index models\nvariable model index ${dir}/a.model\nunits ", 1
    )
    text = text.replace("pair_coeff      1 1 1.0 1.0", "pair_coeff * * ${model} C")
    path = tmp_path / "in.liquid"
    path.write_text(text)
    code, out, _ = job(capsys, path, "--no-kokkos", "--dry-run")
    assert code == 0 and f"-v dir {tmp_path}/models" in out
    code, out, _ = job(capsys, path, "--no-kokkos", "--dry-run", "-v", "model", "models/b.model")
    assert code == 0 and f"-v model {tmp_path}/models/b.model" in out
    code, _, error = job(capsys, path, "--no-kokkos", "-v", "model", "models/c.model")
    assert code == 2 and "models/c.model" in error and "would not find" in error
    code, _, error = job(capsys, path, "--no-kokkos", "-v", "model", f"{tmp_path}/c.model")
    assert code == 2 and "no file" in error
    path.write_text(text + "read_data liquid.data\n")
    code, _, error = job(capsys, path, "--no-kokkos")
    assert code == 2 and "'liquid.data'" in error and "variable data index liquid.data" in error


@pytest.mark.parametrize("name", ["part", "restart", "checkpoint", "bad-name"])
def test_variables_of_the_job_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = job(capsys, LIQUID, "-v", name, "1", "--dry-run", "--no-kokkos")
    assert code == 2 and f"-v {name}: " in error


def test_submitting_without_a_scheduler_here(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nonexistent")
    words = ("--machine", "pbs", "--ranks-per-node", 2, "--lmp", "/no/lmp", "--no-kokkos")
    code, _, error = job(capsys, LIQUID, *words, "--submit")
    assert code == 2 and "no 'qsub' here: submit from a login node" in error


def test_a_folder_of_something_else_is_left_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "liquid").mkdir()
    (tmp_path / "liquid" / "restart.a").write_text("precious")
    code, _, error = job(capsys, LIQUID, "--no-kokkos")
    assert code == 2 and "holds files of another job" in error
    assert (tmp_path / "liquid" / "restart.a").read_text() == "precious"
    (tmp_path / "liquid" / "job.json").write_text("{")
    code, _, error = job(capsys, LIQUID, "--no-kokkos")
    assert code == 2 and "job.json" in error


def test_hours_and_names() -> None:
    assert (parse_hours("6"), parse_hours("0.5"), parse_hours("1:30")) == (6.0, 0.5, 1.5)
    for text in ("", "0", "-1", "a", "1:x", "nan"):
        with pytest.raises(E3DError, match="--hours"):
            parse_hours(text)
    assert [job_name(Path(name)) for name in ("in.e3d", "a b.in", "in.123", "liquid.lmp")] == [
        "e3d",
        "a-b",
        "e3d",
        "liquid",
    ]
