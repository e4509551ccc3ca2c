"""Schedulers: jobs of a folder handed to Slurm, PBS or this machine, and asked after."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from e3d_lmp.errors import E3DError
from e3d_lmp.files import is_locked
from e3d_lmp.runs.job import SCRIPT
from e3d_lmp.runs.job_folder import MARKS, read_about, write_about

_SUBMIT = {"slurm": "sbatch", "pbs": "qsub"}
_CANCEL = {"slurm": "scancel", "pbs": "qdel"}


def live_jobs(folder: Path) -> list[str]:
    """Numbers of the folder's submitted jobs that wait or run.

    Raises
    ------
    E3DError
        The scheduler does not answer: better not to submit a second chain then.
    """
    about = read_about(folder)
    if about is None or not about["submitted"] or about["scheduler"] not in _SUBMIT:
        return []
    return [one for one in about["submitted"] if _is_live(about["scheduler"], one)]


def _is_live(scheduler: str, number: str) -> bool:
    if scheduler == "slurm":
        done = _call(["squeue", "--noheader", f"--jobs={number}", "--format=%T"])
        if done.returncode and "Invalid job id" not in done.stderr:
            raise E3DError(f"squeue does not answer: {done.stderr.strip()}")
        return bool(done.stdout.strip()) and done.stdout.split()[0] in (
            "PENDING",
            "RUNNING",
            "CONFIGURING",
            "SUSPENDED",
        )
    done = _call(["qstat", number])
    if done.returncode and not any(text in done.stderr for text in ("Unknown Job", "has finished")):
        raise E3DError(f"qstat does not answer: {done.stderr.strip()}")
    return done.returncode == 0


def submit_chain(folder: Path, chain: int, say: Callable[[str], None] = print) -> list[str]:
    """Submit `chain` jobs of a folder, each after the one before has ended; returns their numbers.

    Raises
    ------
    E3DError
        Jobs of this folder wait or run already, or the scheduler refuses.
    """
    about = read_about(folder)
    if about is None:
        raise E3DError(f"{folder}: no job was written there")
    alive = live_jobs(folder)
    if alive:
        cancel = _CANCEL[about["scheduler"]]
        raise E3DError(
            f"{folder}: {len(alive)} jobs of this chain wait or run ({' '.join(alive)}); two chains in one "
            f"folder would write the same files. Wait, or type: {cancel} {' '.join(alive)}"
        )
    numbers: list[str] = []
    for _ in range(chain):
        numbers.append(_submit(about["scheduler"], folder, numbers[-1:]))
        about["submitted"] = [*about["submitted"], numbers[-1]]
        write_about(folder, about)
        say(f"submitted job {numbers[-1]}" + (f", after {numbers[-2]}" if len(numbers) > 1 else ""))
    return numbers


def _submit(scheduler: str, folder: Path, after: Sequence[str]) -> str:
    if scheduler == "slurm":
        words = ["sbatch", "--parsable", *(f"--dependency=afterany:{number}" for number in after)]
    else:
        words = ["qsub", *(word for number in after for word in ("-W", f"depend=afterany:{number}"))]
    done = _call([*words, SCRIPT], folder)
    if done.returncode:
        raise E3DError(f"{words[0]} refuses the job: {' '.join((done.stderr or done.stdout).split())}")
    return done.stdout.strip().split(";")[0].split()[-1]


def _call(words: Sequence[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    if shutil.which(words[0]) is None:
        raise E3DError(
            f"no '{words[0]}' here: submit from a login node of the machine, or leave out --submit"
        )
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def run_chain(folder: Path, chain: int) -> int:
    """Run up to `chain` jobs of a folder one after the other on this machine; returns the last exit code."""
    if is_locked(folder):
        raise E3DError(f"{folder}: another job is at work there; wait for it, or give another -o")
    code = 0
    for _ in range(chain):
        code = subprocess.run(["bash", SCRIPT], cwd=folder, check=False).returncode
        if any((folder / name).exists() for name in MARKS):
            break
    return code
