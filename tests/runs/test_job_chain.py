"""Chains of jobs, really run: killed in the middle, cut off, at their time limit, two at once. The run that
went on ends
where the run that was never stopped does, as far as LAMMPS's restart files allow: atoms may be in another
order afterwards,
which changes sums in the last digit.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bond_runs import read_events, read_species, same_events
from e3d_lmp.analysis.maps import EnergyMap, read_map
from e3d_lmp.runs.restartable import read_input
from job_runs import (
    INPUT,
    SLOW,
    UNHURRIED,
    e3d,
    final_state,
    kill_when,
    last_step,
    run_script,
    wait_for,
    write_input,
)

RANKS = ("--ranks-per-node", "2")
DRIFT = 1e-6
"""Largest difference of positions (angstrom) and velocities (angstrom/ps) after 600 steps: 1e-15 that has
grown.
"""


def written(folder: Path, input_file: Path, *words: object) -> Path:
    """A job of `input_file` in `folder`, written by the command."""
    done = e3d("job", input_file, "-o", folder, *RANKS, *words, folder=input_file.parent)
    assert done.returncode == 0, done.stderr
    return folder


def same_maps(got: EnergyMap, want: EnergyMap) -> None:
    assert (got.samples, got.steps) == (want.samples, want.steps)
    assert set(got.labels) == set(want.labels)
    for name, label in want.labels.items():
        assert got.labels[name].count == label.count
        assert np.array_equal(got.labels[name].codes, label.codes)
        assert np.array_equal(got.labels[name].halves, label.halves)
        assert got.labels[name].sum_D == pytest.approx(label.sum_D, abs=1e-5)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, model_files) -> Path:
    """The folder of a job that ran through; the input is beside it."""
    here = tmp_path_factory.mktemp("whole")
    folder = written(here / "whole", write_input(here, model_files("morse-cho"), UNHURRIED))
    done = run_script(folder)
    assert done.returncode == 0 and "finished: step 600 of 600" in done.stdout, done.stdout + done.stderr
    return folder


def check_same_end(folder: Path, whole: Path) -> None:
    """`folder` ended as `whole` did: atoms, map, bond events, species."""
    assert np.abs(final_state(folder) - final_state(whole)).max() < DRIFT
    same_maps(read_map(folder / "map.e3d"), read_map(whole / "map.e3d"))
    events = [read_events(one / "bonds.txt")[1] for one in (folder, whole)]
    assert len(events[1]) > 20, "a run without events shows nothing"
    same_events(*events, 1e-4)
    assert read_species(folder / "species.txt") == read_species(whole / "species.txt")


def test_killed_twice_ends_as_if_never_killed(tmp_path: Path, whole: Path) -> None:
    folder = written(tmp_path / "killed", whole.parent / "in.hot")
    for part, until in ((1, 250), (2, 450)):
        code = kill_when(["bash", "job.sh"], folder, lambda until=until: last_step(folder) >= until)
        assert code == -9, "the run ended before it was killed"
        assert not (folder / "finished").exists()
        assert (folder / "part").exists() == (part > 1)
    done = run_script(folder)
    assert "job 3, part 3" in done.stdout and "finished: step 600 of 600" in done.stdout
    check_same_end(folder, whole)
    again = run_script(folder)
    assert again.returncode == 0 and "finished" in again.stdout and "job 4" not in again.stdout


def test_a_cut_off_restart_file_is_passed_over(tmp_path: Path, whole: Path) -> None:
    folder = written(tmp_path / "cut", whole.parent / "in.hot")
    kill_when(["bash", "job.sh"], folder, lambda: last_step(folder) >= 350)
    files = sorted((folder / "restart.a", folder / "restart.b"), key=lambda path: path.stat().st_mtime)
    size = files[1].stat().st_size
    with open(files[1], "r+b") as stream:
        stream.truncate(size // 2)
    done = run_script(folder)
    assert "part 2" in done.stdout and "finished: step 600 of 600" in done.stdout
    words = [line.split() for line in (folder / "job.2.log").read_text().splitlines()]
    thermo = next(k for k, line in enumerate(words) if line[:1] == ["Step"])
    assert words[thermo + 1][0] in ("200", "300", "400"), "the run went on from the older file"
    check_same_end(folder, whole)


def test_both_restart_files_cut_off_begins_anew(tmp_path: Path, whole: Path) -> None:
    folder = written(tmp_path / "both", whole.parent / "in.hot")
    kill_when(["bash", "job.sh"], folder, lambda: last_step(folder) >= 250)
    for name in ("restart.a", "restart.b"):
        with open(folder / name, "r+b") as stream:
            stream.truncate(1000)
    done = run_script(folder)
    assert "job 2, part 1" in done.stdout and "finished" in done.stdout
    check_same_end(folder, whole)


def test_the_time_limit_ends_each_job_and_the_chain_says_when_it_is_done(
    tmp_path: Path, whole: Path, model_files
) -> None:
    """Each job gets about 20 s: LAMMPS stops by itself, writes a last restart file, and nothing is made
    twice.
    """
    folder = tmp_path / "chain"
    here = tmp_path / "slow"
    write_input(here, model_files("morse-cho"), SLOW)
    limit = ("--hours", f"{26 / 3600:.6f}", "--margin", f"{6 / 60:.6f}")
    words = (*limit, "--chain", "30", "--submit", *RANKS)
    done = e3d("job", here / "in.hot", "-o", folder, *words, folder=here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the time limit was reached: step" in done.stdout and "finished: step 600 of 600" in done.stdout
    jobs = done.stdout.count("e3d job: job ")
    assert 1 < jobs < 30
    check_same_end(folder, whole)
    ends = [
        int(line.split("step ")[1].split()[0])
        for line in done.stdout.splitlines()
        if "limit was reached" in line
    ]
    assert ends == sorted(set(ends)), "a job that made no progress"


def test_a_job_too_short_for_its_first_restart_file_says_so(tmp_path: Path, model_files) -> None:
    text = INPUT.replace("restart       100 ", "restart       100000 ")
    input_file = write_input(tmp_path, model_files("morse-cho"), text)
    limit = ("--hours", f"{8 / 3600:.6f}", "--margin", f"{4 / 60:.6f}", "-v", "steps", 100000)
    folder = written(tmp_path / "short", input_file, "--chain", 3, *limit)
    done = run_script(folder)
    assert done.returncode == 1
    assert "wrote no restart file within its 8 s" in done.stdout
    again = run_script(folder)
    assert (
        again.returncode == 1
        and "wrote no restart file" in again.stdout
        and not (folder / "job.2.log").exists()
    )


def test_an_error_of_lammps_ends_the_chain_with_its_words(tmp_path: Path, model_files) -> None:
    text = INPUT.replace("run           ${steps}", "fix bad all nosuch/fix\nrun           ${steps}")
    input_file = write_input(tmp_path, model_files("morse-cho"), text)
    done = e3d("job", input_file, "-o", "bad", "--chain", 4, "--submit", *RANKS, folder=tmp_path)
    assert done.returncode == 1
    assert "failed: job 1: ERROR" in done.stdout and "nosuch/fix" in done.stdout
    assert not (tmp_path / "bad" / "job.2.log").exists(), "the same error twice"
    refused = e3d("job", input_file, "-o", "bad", "--submit", *RANKS, folder=tmp_path)
    assert refused.returncode == 2 and "--again" in refused.stderr
    write_input(tmp_path, model_files("morse-cho"))
    mended = e3d("job", input_file, "-o", "bad", "--submit", "--again", *RANKS, folder=tmp_path)
    assert mended.returncode == 0 and "finished: step 600" in mended.stdout, mended.stdout + mended.stderr
    assert "other text" in mended.stdout


def test_two_chains_in_one_folder_are_refused(tmp_path: Path, whole: Path) -> None:
    here = whole.parent
    folder = written(tmp_path / "one", here / "in.hot", "-v", "steps", 100000)
    with subprocess.Popen(
        ["bash", "job.sh"], cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            wait_for(lambda: last_step(folder) >= 50, "the first steps")
            second = run_script(folder)
            assert second.returncode == 75 and "another job is at work" in second.stdout
            refused = e3d(
                "job", here / "in.hot", "-o", folder, "-v", "steps", 100000, *RANKS, "--submit", folder=here
            )
            assert refused.returncode == 2 and "two chains in one folder" in refused.stderr
            other = e3d("job", here / "in.hot", "-o", folder, "-v", "temp", 300, *RANKS, folder=here)
            assert other.returncode == 2 and "temp is 300" in other.stderr and "another -o" in other.stderr
            (folder / "cancelled").write_text("by a test\n")
            assert process.wait(60) == 1
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
    assert not (folder / "finished").exists()
    stopped = run_script(folder)
    assert stopped.returncode == 1 and "cancelled: by a test" in stopped.stdout


def test_more_steps_go_on_where_it_ended(tmp_path: Path, whole: Path) -> None:
    here = whole.parent
    folder = written(tmp_path / "more", here / "in.hot", "-v", "steps", 300)
    assert "finished: step 300 of 300" in run_script(folder).stdout
    done = e3d("job", here / "in.hot", "-o", folder, *RANKS, folder=here)
    assert done.returncode == 0 and "was finished: step 300 of 300" in done.stdout, done.stderr
    done = run_script(folder)
    assert "part 2" in done.stdout and "finished: step 600 of 600" in done.stdout
    check_same_end(folder, whole)


def test_a_halted_run_is_finished_and_says_where(tmp_path: Path, model_files) -> None:
    halt = "variable broken equal f_books[2]\nfix stop all halt 10 v_broken > 5 error continue\nrestart "
    input_file = write_input(tmp_path, model_files("morse-cho"), INPUT.replace("restart       ", halt))
    folder = written(tmp_path / "halted", input_file)
    done = run_script(folder)
    assert "finished: the input ended by itself at step" in done.stdout and "of 600" in done.stdout
    assert read_input(input_file).is_restartable
