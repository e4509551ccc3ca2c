"""Where the members of a campaign run: side by side through Parsl, or one after the other on this machine.

Parsl (https://parsl-project.org) brings the scheduler's part: it keeps jobs in the queue of Slurm or PBS Pro
as long as there are members for them, and hands members to the nodes of the jobs that run. A member is then
its job script, as it would be by hand.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from e3d_lmp.errors import E3DError
from e3d_lmp.runs.campaign import Campaign
from e3d_lmp.runs.job import SCRIPT, Job, places

SCREEN = "campaign.out"
"""What the job scripts of a member say, in its folder; each job adds to it."""


class Workers(Protocol):
    """What runs members.

    Attributes
    ----------
    room   members that it takes at a time
    """

    room: int

    def submit(self, folder: Path) -> Future[Any]:
        """Run a member's script; the result does not say how it ended, the files in its folder do."""


def refusal(problem: BaseException | None) -> str:
    """What the scheduler said when it took no job at all, from the exception of a member; else empty."""
    if type(problem).__name__ != "BadStateException":  # of Parsl, which is not always there
        return ""
    return " ".join(str(problem).split())


def has_parsl() -> bool:
    """Whether Parsl is installed."""
    return importlib.util.find_spec("parsl") is not None


@contextlib.contextmanager
def open_workers(campaign: Campaign, job: Job, folder: Path) -> Iterator[Workers]:
    """Workers for a campaign's members.

    Parameters
    ----------
    job
        Any member's job: they all have the same shape.
    folder
        Of the campaign; Parsl's own files go to ``parsl/`` in it.

    Raises
    ------
    E3DError
        Members are to run on a cluster, and Parsl is not installed.
    """
    if has_parsl():
        with _parsl(campaign, job, folder) as workers:
            yield workers
    elif campaign.machine.scheduler == "none":
        print(
            "Parsl is not installed: members run one after the other (pip install 'e3d-lmp[campaign]' for "
            "several)"
        )
        with ThreadPoolExecutor(1) as pool:
            yield SerialWorkers(pool)
    else:
        raise E3DError(
            f"members on {campaign.machine.name} need Parsl; type: pip install 'e3d-lmp[campaign]', or "
            "submit each of them with e3d job"
        )


class SerialWorkers:
    """One member after the other, on this machine."""

    room = 1

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def submit(self, folder: Path) -> Future[Any]:
        """Run a member's script."""
        return self._pool.submit(_run_here, folder)


def _run_here(folder: Path) -> int:
    with open(folder / SCREEN, "ab") as screen:
        return subprocess.run(
            ["bash", SCRIPT], cwd=folder, stdout=screen, stderr=screen, check=False
        ).returncode


@contextlib.contextmanager
def _parsl(campaign: Campaign, job: Job, folder: Path) -> Iterator[Workers]:
    import parsl
    from parsl.app.app import bash_app

    from e3d_lmp.runs.shell_task import shell

    is_local = campaign.machine.scheduler == "none"
    config = parsl.Config(
        executors=[_local(campaign) if is_local else _cluster(campaign, job)],
        run_dir=str(folder / "parsl"),
        usage_tracking=0,
        retries=0,
    )
    with parsl.DataFlowKernel(config=config) as kernel:
        app = bash_app(shell, data_flow_kernel=kernel)
        resources = {} if is_local else {"parsl_resource_specification": _share(job)}

        class ParslWorkers:
            """Members as Parsl's tasks."""

            room = campaign.at_once * (1 if is_local else campaign.members_per_job)

            def submit(self, folder: Path) -> Future[Any]:
                return app(_command(folder), **resources)

        yield ParslWorkers()


def _command(folder: Path) -> str:
    """The command of a member; where members share an allocation, with the nodes that Parsl has chosen."""
    hosts = r"sed -n 's/.* --*\(nodelist\|hosts\) \([^ ]*\).*/\2/p'" + ' <<<"${PARSL_MPI_PREFIX:-}"'
    return f"cd {shlex.quote(str(folder))} && E3D_HOSTS=$({hosts}) bash {SCRIPT} >>{SCREEN} 2>&1; true"


def _share(job: Job) -> dict[str, int]:
    """What a member takes of an allocation, in Parsl's words."""
    return {
        "num_nodes": job.shape.nodes,
        "ranks_per_node": job.shape.ranks_per_node,
        "num_ranks": job.shape.ranks,
    }


def _local(campaign: Campaign) -> Any:
    from parsl.executors import ThreadPoolExecutor as ParslThreads

    return ParslThreads(label="here", max_threads=campaign.at_once)


def _cluster(campaign: Campaign, job: Job) -> Any:
    """Jobs in a queue, each with room for `members_per_job` members."""
    from parsl.executors import MPIExecutor
    from parsl.launchers import SimpleLauncher
    from parsl.providers import PBSProProvider, SlurmProvider

    machine, filled = campaign.machine, places(job)
    more = [*machine.directives, *(machine.directives_gpu if job.shape.gpus else ())]
    time = f"{job.limit // 3600:02d}:{job.limit // 60 % 60:02d}:{job.limit % 60:02d}"
    common: dict[str, Any] = {
        "nodes_per_block": job.shape.nodes * campaign.members_per_job,
        "init_blocks": 0,
        "min_blocks": 0,
        "max_blocks": campaign.at_once,
        "walltime": time,
        "launcher": SimpleLauncher(),
        # This Python, and when the allocation ends: job scripts stop in time.
        "worker_init": f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH\n"
        f"export E3D_END=$(($(date +%s) + {job.limit}))",
    }
    if machine.scheduler == "slurm":
        # A member is alone on its nodes. Without this its srun would wait for ever for a step that has ended
        # while the controller was away.
        common["worker_init"] += "\nexport SLURM_OVERLAP=1"
        where: dict[str, Any] = {
            "qos" if machine.queue_option == "--qos" else "partition": campaign.queue or None
        }
        provider: Any = SlurmProvider(
            account=campaign.account or None,
            exclusive=False,
            scheduler_options="\n".join(f"#SBATCH {line.format_map(filled)}" for line in more),
            cmd_timeout=60,
            **where,
            **common,
        )
    else:
        select = machine.select_gpu if job.shape.gpus and machine.select_gpu is not None else machine.select
        if campaign.filesystems:
            more.append(f"-l filesystems={campaign.filesystems}")
        provider = PBSProProvider(
            account=campaign.account or None,
            queue=campaign.queue or None,
            select_options=select.format_map(filled).lstrip(":"),
            scheduler_options="\n".join(f"#PBS {line.format_map(filled)}" for line in more),
            cpus_per_node=(machine.cores or job.shape.ranks_per_node * job.shape.threads)
            * machine.hardware_threads,
            cmd_timeout=60,
            **common,
        )
    executor = MPIExecutor(
        label=machine.scheduler,
        provider=provider,
        max_workers_per_block=campaign.members_per_job,
        mpi_launcher="srun" if machine.scheduler == "slurm" else "mpiexec",
        # A node that has been busy for most of its time takes no new member.
        drain_period=max(30, round(0.8 * job.limit)),
        heartbeat_period=15,
        heartbeat_threshold=60,
    )
    # Beside this Python: its environment need not be activated. (MPIExecutor's own argument takes no list.)
    executor.interchange_launch_cmd = [sys.executable, str(Path(sys.executable).parent / "interchange.py")]
    return executor
