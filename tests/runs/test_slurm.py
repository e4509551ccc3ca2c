"""Jobs, chains and campaigns through a real Slurm: two nodes of one core on this host (slurm_cluster.py).

PBS has no server that can be installed from the registries: its scripts are compared with golden ones
(test_job.py), and were never submitted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.analysis.maps import read_map
from e3d_lmp.runs.campaign import open_plan
from e3d_lmp.runs.campaign_run import cancel_members
from e3d_lmp.runs.job_folder import read_about, state_of
from job_runs import SLOW, e3d, final_state, last_step, run_script, wait_for, write_input
from slurm_cluster import Slurm, running_slurm, why_not

if reason := why_not():
    pytest.skip(reason, allow_module_level=True)

SHAPE = ("--machine", "slurm", "--ranks-per-node", 1)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with running_slurm(tmp_path_factory.mktemp("slurm") / "cluster") as cluster:
        yield cluster


@pytest.fixture
def here(tmp_path: Path, model_files) -> Path:
    """A folder with an input."""
    write_input(tmp_path, model_files("morse-cho"), SLOW)
    return tmp_path


def test_a_chain_through_sbatch(slurm: Slurm, here: Path) -> None:
    """Jobs of some seconds each; LAMMPS ends in time, the next job goes on, the last ones find nothing to
    do.
    """
    limit = ("--hours", f"{26 / 3600:.6f}", "--margin", f"{8 / 60:.6f}", "--chain", 8, "-v", "steps", 600)
    words = ("job", here / "in.hot", "-o", here / "chain", *SHAPE, *limit, "--submit")
    done = e3d(*words, folder=here, **slurm.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("submitted job") == 8 and ", after " in done.stdout
    about = read_about(here / "chain")
    assert about is not None and len(about["submitted"]) == 8
    refused = e3d(*words, folder=here, **slurm.environment)
    assert refused.returncode == 2 and "a chain is under way there (jobs " in refused.stderr
    wait_for(lambda: not slurm.call("squeue", "-h"), "the end of the chain")
    said = "".join(path.read_text() for path in sorted((here / "chain").glob("job.*.txt")))
    assert state_of(here / "chain") == ("finished", "step 600 of 600"), said + slurm.logs()
    assert said.count("the time limit was reached") >= 1 and said.count("Slurm job") >= 2
    assert said.count("finished: step 600 of 600") >= 1

    alone = here / "alone"
    assert (
        e3d(
            "job", here / "in.hot", "-o", alone, "--ranks-per-node", 1, "-v", "steps", 600, folder=here
        ).returncode
        == 0
    )
    assert run_script(alone).returncode == 0
    assert read_map(here / "chain" / "map.e3d").samples == read_map(alone / "map.e3d").samples
    assert len(final_state(here / "chain")) == len(final_state(alone))


CAMPAIGN = """\
input: in.hot
variables:
  seed: [1, 2, 3, 4]
  steps: 300
machine: slurm
ranks_per_node: 1
hours: 0.2
at_once: 2
"""


def test_a_campaign_through_sbatch_with_a_controller_that_dies(slurm: Slurm, here: Path) -> None:
    """Four members in two jobs of the queue; one is cancelled while it runs; the controller is killed and
    started again.
    """
    file, folder = here / "campaign.yaml", here / "c"
    file.write_text(CAMPAIGN)
    command = [sys.executable, "-m", "e3d_lmp", "campaign", "run", str(file), "-o", str(folder)]
    with open(here / "out", "w") as out:
        process = subprocess.Popen(
            command, cwd=here, env=environment(slurm), stdout=out, stderr=out, start_new_session=True
        )
    try:
        members = [folder / "members" / f"seed={seed}" for seed in (1, 2, 3, 4)]
        wait_for(lambda: last_step(members[1]) >= 50 or process.poll() is not None, "the second member")
        assert len(slurm.call("squeue", "-h").splitlines()) == 2, (here / "out").read_text() + slurm.logs()
        assert cancel_members(open_plan(folder), ["seed=2"]) == ["seed=2: cancelled, and ends"]
        wait_for(lambda: "seed=2: cancelled" in (here / "out").read_text(), "the end of the second member")
        slurm.kill_controller()
        time.sleep(5)
        slurm.start_controller()
        assert process.wait(180) == 0, (here / "out").read_text() + slurm.logs()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
    said = (here / "out").read_text()
    assert "4 members: 1 cancelled, 3 finished" in said, said
    assert [state_of(one)[0] for one in members] == ["finished", "cancelled", "finished", "finished"]
    wait_for(lambda: not slurm.call("squeue", "-h"), "an empty queue")
    for one in (members[0], *members[2:]):
        assert read_map(one / "map.e3d").samples == 7
    assert (members[1] / "job.1.log").exists() and last_step(members[1]) < 300
    report = e3d("campaign", "report", folder, folder=here)
    assert report.returncode == 0 and (folder / "report.html").exists(), report.stderr


def test_members_side_by_side_in_one_job(slurm: Slurm, here: Path) -> None:
    """Two members share an allocation of two nodes; each has one of them for itself."""
    file, folder = here / "campaign.yaml", here / "c"
    text = CAMPAIGN.replace("seed: [1, 2, 3, 4]", "seed: [1, 2]").replace(
        "at_once: 2", "at_once: 1\nmembers_per_job: 2"
    )
    file.write_text(text.replace("steps: 300", "steps: 100"))
    done = e3d("campaign", "run", file, "-o", folder, folder=here, **environment(slurm))
    assert done.returncode == 0 and "2 members: 2 finished" in done.stdout, (
        done.stdout + done.stderr + slurm.logs()
    )
    plan = open_plan(folder)
    screens = [(plan.path(name) / "campaign.out").read_text() for name in plan.members]
    numbers = {text.split("Slurm job ")[1].split()[0] for text in screens}
    assert len(numbers) == 1, f"one job of the queue for both: {screens}"
    states = [final_state(plan.path(name)) for name in plan.members]
    assert not np.array_equal(*states)


def test_a_queue_that_is_not_there_ends_the_campaign(slurm: Slurm, here: Path) -> None:
    """What sbatch says reaches the user; nothing waits for ever for jobs that cannot be."""
    file, folder = here / "campaign.yaml", here / "c"
    file.write_text(CAMPAIGN.replace("seed: [1, 2, 3, 4]", "seed: [1, 2]") + "queue: nosuch\n")
    done = e3d("campaign", "run", file, "-o", folder, folder=here, **environment(slurm))
    assert done.returncode == 2 and "the scheduler takes no job" in done.stderr, done.stdout + done.stderr
    assert "invalid partition specified: nosuch" in done.stderr
    assert [state_of(folder / "members" / f"seed={seed}")[0] for seed in (1, 2)] == ["waiting", "waiting"]


def environment(slurm: Slurm) -> dict[str, str]:
    return {**os.environ, **slurm.environment}
