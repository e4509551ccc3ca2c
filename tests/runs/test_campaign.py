"""Campaigns: what a file means, what a changed one makes of those that ran, and real ones that are killed on
the way.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.analysis.maps import read_map
from e3d_lmp.cli import main
from e3d_lmp.errors import E3DError
from e3d_lmp.files import is_locked
from e3d_lmp.runs import campaign_run, workers
from e3d_lmp.runs.campaign import make_plan, open_plan, read_campaign, write_members
from job_runs import (
    INPUT,
    UNHURRIED,
    e3d,
    final_state,
    kill_when,
    last_step,
    run_script,
    wait_for,
    write_input,
)

CAMPAIGN = """\
input: in.hot
variables:
  temp: [300, 600]
  seed: [1, 2]
  steps: 300
replicas: [seed]
ranks_per_node: 1
at_once: 2
"""


@pytest.fixture
def file(tmp_path: Path, model_files, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign file beside its input."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    write_input(tmp_path, model_files("morse-cho"))
    path = tmp_path / "campaign.yaml"
    path.write_text(CAMPAIGN)
    return path


# ---- what a file means


def test_members_and_conditions(file: Path, tmp_path: Path) -> None:
    plan = make_plan(read_campaign(file), tmp_path / "c")
    names = ["temp=300_seed=1", "temp=300_seed=2", "temp=600_seed=1", "temp=600_seed=2"]
    assert list(plan.members) == names
    assert plan.members[names[3]] == {"temp": "600", "seed": "2", "steps": "300"}
    assert plan.conditions() == {"temp=300": names[:2], "temp=600": names[2:]}
    assert open_plan(tmp_path / "c").members == plan.members


WRONG = [
    ("input: in.hot", "input: in.cold", "in.cold"),
    ("input: in.hot\n", "", "expected 'input: FILE'"),
    ("at_once: 2", "at_onec: 2", "no key 'at_onec' is known; known are input, machine"),
    ("at_once: 2", "at_once: 0", "'at_once': expected a whole number, got 0"),
    ("temp: [300, 600]", "temp: [300, 300]", "variables, 'temp': a value stands there twice"),
    ("temp: [300, 600]", "temp: []", "variables, 'temp': expected a value or a list of values"),
    ("temp: [300, 600]", "temp: {a: 1}", "variables, 'temp': expected a value or a list of values"),
    ("replicas: [seed]", "replicas: [sed]", "replicas: 'sed' is none of the variables"),
    ("ranks_per_node: 1", "ranks_per_node: 4096", "4096 ranks x 1 threads are 4096"),
    ("ranks_per_node: 1", "machine: arora", "did you mean 'aurora'"),
    ("ranks_per_node: 1", "machine: aurora", "takes no job without --account and --queue and --filesystems"),
    (
        "ranks_per_node: 1",
        "members_per_job: 2",
        "members_per_job: how a launch line of mpirun names its nodes",
    ),
    ("ranks_per_node: 1", "hours: -1", "expected hours above 0"),
    ("ranks_per_node: 1", "kokkos: maybe", "'kokkos': expected true or false"),
    ("variables:", "variables", "not YAML|expected"),
]


@pytest.mark.parametrize(
    "old, new, message", WRONG, ids=[new.strip() or old.strip() for old, new, _ in WRONG]
)
def test_one_clear_error(old: str, new: str, message: str, file: Path) -> None:
    file.write_text(CAMPAIGN.replace(old, new))
    with pytest.raises(E3DError) as caught:
        read_campaign(file)
    assert any(part in str(caught.value) for part in message.split("|")), caught.value


def test_an_input_that_cannot_go_on_is_refused(file: Path) -> None:
    path = file.parent / "in.hot"
    path.write_text(path.read_text().replace("run           ${steps} upto", "run 100"))
    with pytest.raises(E3DError, match=r"cannot go on from a restart file: it has no 'run \$\{steps\} upto'"):
        read_campaign(file)


def test_a_changed_file_is_compared_with_what_is_there(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    make_plan(read_campaign(file), folder)
    file.write_text(CAMPAIGN.replace("seed: [1, 2]", "seed: [2, 3]").replace("at_once: 2", "at_once: 1"))
    plan = make_plan(read_campaign(file), folder)
    text = "\n".join(plan.said)
    assert "2 new members: temp=300_seed=3, temp=600_seed=3" in text and "at_once: 2 -> 1" in text
    assert (
        plan.dropped == ["temp=300_seed=1", "temp=600_seed=1"]
        and "2 members are no longer in the file" in text
    )
    file.write_text(CAMPAIGN)
    plan = make_plan(read_campaign(file), folder)
    assert len(plan.members) == 6 and plan.dropped == ["temp=300_seed=3", "temp=600_seed=3"]
    file.write_text(CAMPAIGN.replace("steps: 300", "steps: 400"))
    plan = make_plan(read_campaign(file), folder)
    assert any("steps 300 -> 400" in text for text in plan.said) and len(plan.members) == 6


def test_a_variable_that_becomes_a_list_keeps_its_member(file: Path, tmp_path: Path) -> None:
    file.write_text(CAMPAIGN.replace("temp: [300, 600]", "temp: 300"))
    assert list(make_plan(read_campaign(file), tmp_path / "c").members) == ["seed=1", "seed=2"]
    file.write_text(CAMPAIGN)
    plan = make_plan(read_campaign(file), tmp_path / "c")
    assert (
        list(plan.members) == ["seed=1", "seed=2", "temp=600_seed=1", "temp=600_seed=2"] and not plan.dropped
    )


def test_other_variables_under_the_same_name_are_refused(file: Path, tmp_path: Path) -> None:
    make_plan(read_campaign(file), tmp_path / "c")
    file.write_text(CAMPAIGN.replace("steps: 300", "steps: 300\n  data: other.data"))
    (tmp_path / "other.data").write_text((tmp_path / "data.lmp").read_text())
    with pytest.raises(E3DError, match=r"data was not given, and is other\.data\. Give another -o"):
        make_plan(read_campaign(file), tmp_path / "c")


def test_a_changed_input_is_refused(file: Path, tmp_path: Path) -> None:
    make_plan(read_campaign(file), tmp_path / "c")
    path = tmp_path / "in.hot"
    path.write_text(path.read_text() + "print 'another'\n")
    with pytest.raises(E3DError, match="another text of its input"):
        make_plan(read_campaign(file), tmp_path / "c")
    assert make_plan(read_campaign(file), tmp_path / "c", again=True).said


def test_only_members_that_have_not_ended_are_written(file: Path, tmp_path: Path) -> None:
    campaign = read_campaign(file)
    plan = make_plan(campaign, tmp_path / "c")
    names = write_members(campaign, plan, "lmp", False)
    assert len(names) == 4
    for name, mark in zip(names, ("finished", "failed", "cancelled"), strict=False):
        (plan.path(name) / mark).write_text("so\n")
    assert write_members(campaign, plan, "lmp", False) == names[3:]
    assert write_members(campaign, plan, "lmp", False, again=names[1:2]) == [names[1], names[3]]
    assert not (plan.path(names[1]) / "failed").exists()
    file.write_text(CAMPAIGN.replace("steps: 300", "steps: 400"))
    campaign = read_campaign(file)
    plan = make_plan(campaign, tmp_path / "c")
    assert names[0] in write_members(campaign, plan, "lmp", False), "more steps"


def test_a_damaged_campaign_is_said(file: Path, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    with pytest.raises(E3DError, match="no campaign there; type: e3d campaign run"):
        open_plan(tmp_path / "c")
    (tmp_path / "c" / "campaign.json").write_text('{"format": "e3d-campaign/9"}')
    with pytest.raises(E3DError, match="expected the format e3d-campaign/1"):
        open_plan(tmp_path / "c")


# ---- real campaigns


def campaign_command(file: Path, folder: Path) -> list[str]:
    return [sys.executable, "-m", "e3d_lmp", "campaign", "run", str(file), "-o", str(folder)]


def states(folder: Path) -> dict[str, str]:
    plan = open_plan(folder)
    return {name: campaign_run.state_of(plan.path(name))[0] for name in plan.members}


@pytest.mark.slow
def test_eight_members_killed_twice_lose_nothing(file: Path, tmp_path: Path, model_files) -> None:
    """Once with all that runs, once alone, so that its members go on by themselves."""
    folder = tmp_path / "c"
    folder.mkdir()
    write_input(tmp_path, model_files("morse-cho"), UNHURRIED)
    file.write_text(CAMPAIGN.replace("seed: [1, 2]", "seed: [1, 2, 3, 4]"))
    first, fifth = (folder / "members" / f"temp={temp}_seed=1" for temp in (300, 600))
    code = kill_when(campaign_command(file, folder), folder, lambda: last_step(first) >= 150)
    assert code == -signal.SIGKILL and states(folder)["temp=300_seed=1"] == "stopped"

    with subprocess.Popen(
        campaign_command(file, folder), stdout=subprocess.DEVNULL, start_new_session=True
    ) as process:
        wait_for(lambda: last_step(fifth) >= 50 or process.poll() is not None, "the fifth member")
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert "running" in states(folder).values(), "members outlive the campaign that started them"
    assert list(states(folder).values()).count("finished") < 8

    done = e3d("campaign", "run", file, "-o", folder, folder=tmp_path)
    assert done.returncode == 0 and "8 members: 8 finished" in done.stdout, done.stdout + done.stderr
    assert (first / "part").read_text().strip() == "2", "the first member went on from a restart file"

    # Members that were killed and that were not end as one that runs alone.
    alone = tmp_path / "alone"
    words = ("-v", "temp", 300, "-v", "seed", 1, "-v", "steps", 300, "--ranks-per-node", 1)
    assert e3d("job", tmp_path / "in.hot", "-o", alone, *words, folder=tmp_path).returncode == 0
    assert run_script(alone).returncode == 0
    assert np.abs(final_state(first) - final_state(alone)).max() < 1e-6
    assert (first / "species.txt").read_text() == (alone / "species.txt").read_text()

    report = e3d("campaign", "report", folder, folder=tmp_path)
    assert report.returncode == 0, report.stderr
    merged = read_map(folder / "merged" / "temp=300" / "map.e3d")
    parts = [read_map(path) for path in sorted(folder.glob("members/temp=300_*/map.e3d"))]
    assert len(parts) == 4 and merged.samples == sum(one.samples for one in parts) == 4 * 7
    for name, label in merged.labels.items():
        assert label.count == sum(one.labels[name].count for one in parts)
    page = (folder / "report.html").read_text()
    assert all(
        word in page for word in ("8 members: 8 finished", "temp=600", "O-H", "Bonds formed and broken", "± ")
    )
    rows = (folder / "merged" / "temp=600" / "events.csv").read_text().splitlines()
    assert (
        rows[0].startswith("member,pair,formed,broken") and len({row.split(",")[0] for row in rows[1:]}) == 4
    )


def test_a_member_that_fails_at_once_is_named_and_run_again(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    path = tmp_path / "in.hot"
    sound = path.read_text()
    path.write_text(
        sound.replace("thermo        50", 'if "${temp} == 600" then "fix x all nosuch"\nthermo        50')
    )
    file.write_text(CAMPAIGN.replace("seed: [1, 2]", "seed: 1").replace("steps: 300", "steps: 100"))
    done = e3d("campaign", "run", file, "-o", folder, folder=tmp_path)
    assert done.returncode == 1 and "temp=300: finished" in done.stdout
    assert "temp=600: job 1: ERROR" in done.stderr and "nosuch" in done.stderr
    status = e3d("campaign", "status", folder, folder=tmp_path)
    assert "failed" in status.stdout and "nosuch" in status.stdout and "1 failed, 1 finished" in status.stdout
    again = e3d("campaign", "run", file, "-o", folder, folder=tmp_path)
    assert "2 members, 0 to run" in again.stdout and again.returncode == 1, "not by itself"
    path.write_text(sound)
    unsaid = e3d("campaign", "run", file, "-o", folder, folder=tmp_path)
    assert unsaid.returncode == 2 and "another text of its input" in unsaid.stderr
    mended = e3d("campaign", "run", file, "-o", folder, "--again", "temp=600", folder=tmp_path)
    assert mended.returncode == 0 and "2 members: 2 finished" in mended.stdout, mended.stdout + mended.stderr
    wrong = e3d("campaign", "run", file, "-o", folder, "--again", "temp=700", folder=tmp_path)
    assert wrong.returncode == 2 and "no member 'temp=700'; there are temp=300, temp=600" in wrong.stderr


def test_cancelled_and_interrupted(file: Path, tmp_path: Path) -> None:
    """One member is cancelled while it runs; SIGTERM ends the campaign within seconds; run again, it goes
    on.
    """
    folder = tmp_path / "c"
    file.write_text(CAMPAIGN.replace("seed: [1, 2]", "seed: 1").replace("steps: 300", "steps: 100000"))
    members = folder / "members"
    with subprocess.Popen(
        campaign_command(file, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            wait_for(lambda: min(last_step(members / f"temp={t}") for t in (300, 600)) >= 100, "both members")
            second = e3d("campaign", "run", file, "-o", folder, folder=tmp_path)
            assert second.returncode == 2 and "a campaign is being run there" in second.stderr
            done = e3d("campaign", "cancel", folder, "temp=600", folder=tmp_path)
            assert "temp=600: cancelled, and ends" in done.stdout
            wait_for(
                lambda: states(folder)["temp=600"] == "cancelled" and not is_locked(members / "temp=600"),
                "its end",
            )
            assert states(folder)["temp=300"] == "running"
            process.terminate()
            out, error = process.communicate(timeout=60)
            assert process.returncode == 130 and "goes on from the newest restart files" in error, out + error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    wait_for(lambda: not is_locked(members / "temp=300"), "the end of the members")
    assert states(folder) == {"temp=300": "stopped", "temp=600": "cancelled"}
    steps = last_step(members / "temp=300") + 100
    file.write_text(file.read_text().replace("steps: 100000", f"steps: {steps}"))
    done = e3d("campaign", "run", file, "-o", folder, folder=tmp_path)
    assert done.returncode == 0 and "1 cancelled, 1 finished" in done.stdout, done.stdout + done.stderr


def test_without_parsl_members_run_one_after_the_other(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workers, "has_parsl", lambda: False)
    monkeypatch.setattr(campaign_run, "POLL", 0.2)
    file.write_text(CAMPAIGN.replace("seed: [1, 2]", "seed: 1").replace("steps: 300", "steps: 100"))
    assert main(["campaign", "run", str(file), "-o", str(tmp_path / "c")]) == 0
    out = capsys.readouterr().out
    assert "Parsl is not installed: members run one after the other" in out and "2 members: 2 finished" in out
    file.write_text(CAMPAIGN + "machine: slurm\n")
    assert main(["campaign", "run", str(file), "-o", str(tmp_path / "d")]) == 2
    assert "members on slurm need Parsl; type: pip install 'e3d-lmp[campaign]'" in capsys.readouterr().err


def test_jobs_without_progress_end_a_member(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(campaign_run, "POLL", 0.2)
    file.write_text(CAMPAIGN.replace("seed: [1, 2]", "seed: 1") + "lmp: /no/such/lmp\nkokkos: false\n")
    assert main(["campaign", "run", str(file), "-o", str(tmp_path / "c")]) == 1
    out = capsys.readouterr().out
    assert "failed: 3 jobs without progress" in out and "2 failed" in out
    assert (tmp_path / "c" / "members" / "temp=300" / "failed").exists()


def test_damaged_results_are_said_and_do_no_harm(file: Path, tmp_path: Path) -> None:
    campaign = read_campaign(file)
    plan = make_plan(campaign, tmp_path / "c")
    for name in write_members(campaign, plan, "lmp", False):
        (plan.path(name) / "map.e3d").write_text("e3d-map/1\nbin 0.1\n")
    done = e3d("campaign", "report", tmp_path / "c", folder=tmp_path)
    assert done.returncode == 0 and "with 4 warnings" in done.stdout, done.stdout + done.stderr
    assert json.loads((tmp_path / "c" / "campaign.json").read_text())["members"]
    assert INPUT.count("${checkpoint}") == 2
