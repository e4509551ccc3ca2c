"""The folder of a job: what is in it, whether it may go on, and how it stands.

========================  ====================================================================================
``job.sh``                the script, for the scheduler or for ``bash``, the same for each job of a chain
``job.in``                what LAMMPS reads: the time limit, the input, and a line about how it ended
``job.json``              what the folder was made from (`FORMAT`), and the numbers of submitted jobs
the input                 a copy, so that later changes do not reach a chain that is under way
``job.K.log``, ``.out``   LAMMPS's log and screen of the K-th job
``restart.a``, ``.b``     restart files, written in turn
``restart.end``           the one that was written when LAMMPS ended in time
``restart.start``         the one that the present part went on from
``part``                  number of the present part: 1 began, each later one went on from a restart file
``finished``, ``failed``  how it ended, in words; ``cancelled``, ``stop`` to end it
========================  ====================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, is_locked, make_folder, read_if_there, sha256_of, write_json
from e3d_lmp.runs.job import SCRIPT, WRAPPER, Job, render_script, render_wrapper
from e3d_lmp.runs.restartable import CHECKPOINT

FORMAT = "e3d-job/1"
ABOUT = "job.json"
MARKS = ("finished", "failed", "cancelled")


def about(job: Job) -> dict[str, Any]:
    """What a folder is made from, for ``job.json``."""
    shape = job.shape
    return {
        "format": FORMAT,
        "input": job.job_input.path.name,
        "input_sha256": sha256_of(job.job_input.path),
        "variables": dict(job.variables),
        "machine": job.machine.name,
        "scheduler": job.machine.scheduler,
        "nodes": shape.nodes,
        "ranks_per_node": shape.ranks_per_node,
        "threads": shape.threads,
        "gpus": shape.gpus,
        "hours": job.hours,
        "chain": job.chain,
        "submitted": [],
    }


def read_about(folder: Path) -> dict[str, Any] | None:
    """``job.json`` of a folder; None if there is none. Raises `E3DError` for one that is damaged or of
    another format.
    """
    return read_if_there(folder / ABOUT, FORMAT, "e3d job")


def write_about(folder: Path, tree: Mapping[str, Any]) -> None:
    """Write ``job.json``, whole or not at all."""
    write_json(folder / ABOUT, tree)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What two ``job.json`` differ in that makes two chains of them, in words; another `steps` makes none."""
    found = []
    if old["input_sha256"] != new["input_sha256"]:
        found.append(f"the input {new['input']} has other text than the {old['input']} that ran there")
    before, now = ({k: v for k, v in one["variables"].items() if k != "steps"} for one in (old, new))
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            found.append(
                f"-v {name} is {now.get(name, 'not given')}, and was {before.get(name, 'not given')}"
            )
    return found


def write_job(job: Job, again: bool = False) -> list[str]:
    """Write a job's folder, or bring one of the same chain up to date.

    Parameters
    ----------
    again
        Go on after a failure or a cancellation, also with a changed input or other variables.

    Returns
    -------
    list of str
        What is worth saying about what was there.

    Raises
    ------
    E3DError
        The folder holds another chain, or one that failed, was cancelled, or is finished.
    """
    folder, new, said = job.folder, about(job), []
    old = read_about(folder)
    if old is not None:
        changed = differences(old, new)
        if changed and not again:
            raise E3DError(
                f"{folder} holds another chain: {'; '.join(changed)}. Two chains need two folders: give "
                "another -o (or --again, to let this one go on with the change)"
            )
        new["submitted"] = old["submitted"]
        said += [f"goes on with a change: {one}" for one in changed]
        said += _clear_marks(folder, old["variables"].get("steps") != new["variables"].get("steps"), again)
    elif folder.is_dir() and any(
        (folder / name).exists() for name in (SCRIPT, f"{CHECKPOINT}.a", f"{CHECKPOINT}.start")
    ):
        raise E3DError(f"{folder} holds files of another job, but no {ABOUT}; give another -o")
    if job.job_input.path.name in (SCRIPT, WRAPPER, ABOUT):
        raise E3DError(f"an input cannot be called {job.job_input.path.name} in a job; give it another name")
    make_folder(folder)
    text = job.job_input.path.read_bytes()
    for name, content in ((job.job_input.path.name, text), (WRAPPER, render_wrapper(job).encode())):
        with atomic_path(folder / name) as partial:
            partial.write_bytes(content)
    with atomic_path(folder / SCRIPT) as partial:
        partial.write_text(render_script(job), encoding="utf-8")
        partial.chmod(0o755)
    write_about(folder, new)
    return said


def _clear_marks(folder: Path, more_steps: bool, again: bool) -> list[str]:
    """Remove the marks of an ended chain where it is to go on; raises `E3DError` where it is not."""
    said = []
    for name in MARKS:
        mark = folder / name
        if not mark.exists():
            continue
        text = mark.read_text(encoding="utf-8").strip()
        if name == "finished" and not more_steps:
            raise E3DError(f"{folder}: finished: {text}; for more steps type -v steps N")
        if name != "finished" and not again:
            raise E3DError(f"{folder}: {name}: {text}; to go on all the same, add --again")
        said.append(f"was {name}: {text}")
        mark.unlink()
    return said


def state_of(folder: Path) -> tuple[str, str]:
    """State of a job's folder and a line about it: finished, failed, cancelled, running, stopped or
    waiting.
    """
    for name in MARKS:
        if (folder / name).exists():
            return name, (folder / name).read_text(encoding="utf-8").strip()
    if is_locked(folder):
        return "running", ""
    return ("stopped", "") if job_logs(folder) else ("waiting", "")


def job_logs(folder: Path) -> list[Path]:
    """LAMMPS logs of the jobs so far, in their order."""
    found = [
        (int(m.group(1)), path)
        for path in folder.glob("job.*.log")
        if (m := re.match(r"job\.(\d+)\.log", path.name))
    ]
    return [path for _, path in sorted(found)]
