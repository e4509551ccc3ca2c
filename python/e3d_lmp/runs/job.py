"""Job scripts: an input, a machine and a time limit become a script that runs, stops in time, and goes on
where it stopped. `job_folder` says what is in its folder.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.runs.machines import Machine
from e3d_lmp.runs.restartable import CHECKPOINT, JobInput, absolute_paths, check_files
from e3d_lmp.templates import fill
from e3d_lmp.version import __version__

SCRIPT, WRAPPER = "job.sh", "job.in"
_POLL = 5  # s between two looks for the file `cancelled`


@dataclass(frozen=True)
class Shape:
    """Nodes of a job, MPI ranks and GPUs of a node, threads of a rank."""

    nodes: int
    ranks_per_node: int
    threads: int
    gpus: int

    @property
    def ranks(self) -> int:
        """MPI ranks of the job."""
        return self.nodes * self.ranks_per_node


@dataclass(frozen=True)
class Job:
    """All that a job script is made from.

    Attributes
    ----------
    job_input     the input
    machine       where it runs
    shape         on how many nodes, ranks, threads, GPUs
    hours         time limit of a job
    folder        where it runs; absolute
    lmp           the LAMMPS program there
    kokkos        whether LAMMPS gets ``-k on ... -sf kk``
    chain         number of jobs that follow each other
    variables     ``-v`` of LAMMPS, by name
    name          of the job, for the scheduler
    account, queue, filesystems   as the site calls them; empty: not said
    margin        minutes of a job that LAMMPS leaves for starting and ending; None: 2 % of it, from 1 to 10
    setup         lines for the script before LAMMPS starts (modules, variables)
    shares        whether it runs on some nodes of an allocation, which E3D_HOSTS then names
    """

    job_input: JobInput
    machine: Machine
    shape: Shape
    hours: float
    folder: Path
    lmp: str
    kokkos: bool = False
    chain: int = 1
    variables: Mapping[str, str] = field(default_factory=dict)
    name: str = "e3d"
    account: str = ""
    queue: str = ""
    filesystems: str = ""
    margin: float | None = None
    setup: tuple[str, ...] = ()
    shares: bool = False

    @property
    def limit(self) -> int:
        """Seconds of a job."""
        return round(3600 * self.hours)

    @property
    def seconds(self) -> int:
        """Seconds of them that LAMMPS may take."""
        margin = (
            min(max(0.02 * self.limit, 60), 600, self.limit / 4) if self.margin is None else 60 * self.margin
        )
        return max(1, round(self.limit - margin))


def shape_for(
    machine: Machine,
    nodes: int,
    ranks_per_node: int | None = None,
    threads: int | None = None,
    gpus: int | None = None,
) -> Shape:
    """The shape of a job; what is not given is what the machine is made for: all GPUs with a rank each, or
    all cores.

    Raises
    ------
    E3DError
        The node has not as many cores or GPUs; names what there is.
    """
    threads = 1 if threads is None else threads
    gpus = (machine.gpus or 0) if gpus is None else gpus
    for name, value, least in (("--nodes", nodes, 1), ("--threads", threads, 1), ("--gpus", gpus, 0)):
        if value < least:
            raise E3DError(f"{name}: expected a whole number from {least}, got {value}")
    if machine.gpus is not None and gpus > machine.gpus:
        raise E3DError(
            f"--gpus {gpus}: a node of {machine.name} has {machine.gpus} GPUs{machine.page('gpus')}"
        )
    devices = gpus * machine.tiles
    if ranks_per_node is None:
        cores = machine.usable_cores
        if not gpus and cores is None:
            raise E3DError(
                f"--ranks-per-node is not given, and how many cores a node of {machine.name} has is not known"
            )
        ranks_per_node = devices if gpus else max(1, (cores or 1) // threads)
    if ranks_per_node < 1:
        raise E3DError(f"--ranks-per-node: expected a whole number from 1, got {ranks_per_node}")
    if machine.scheduler == "none" and nodes > 1:
        raise E3DError(
            f"--nodes {nodes}: {machine.name} runs on this machine alone; leave it out, or name a --machine"
        )
    _check_cores(machine, ranks_per_node, threads)
    if gpus and machine.visible_gpus is not None and ranks_per_node > devices:
        raise E3DError(
            f"{ranks_per_node} ranks per node for {gpus} GPUs: {machine.name} gives each rank a "
            f"{'tile' if machine.tiles > 1 else 'GPU'} to itself, and there are {devices}; type "
            f"--ranks-per-node {devices}"
        )
    if gpus and machine.binding and threads > machine.binding.cores:
        raise E3DError(
            f"--threads {threads}: the ranks are bound to {machine.binding.cores} cores "
            f"each{machine.page('binding')}"
        )
    return Shape(nodes, ranks_per_node, threads, gpus)


def _check_cores(machine: Machine, ranks_per_node: int, threads: int) -> None:
    cores, wanted = machine.usable_cores, ranks_per_node * threads
    if cores is None or wanted <= cores:
        return
    kept = (
        f" ({machine.reserved_cores} of {machine.cores} are kept for the system)"
        if machine.reserved_cores
        else ""
    )
    raise E3DError(
        f"{ranks_per_node} ranks x {threads} threads are {wanted}, and a node of {machine.name} has {cores} "
        f"cores for jobs{kept}{machine.page('cores')}; type --ranks-per-node {max(1, cores // threads)}"
    )


def check_needs(machine: Machine, given: Mapping[str, Any]) -> None:
    """Raise `E3DError` that names every option without which the site refuses a job and that is not
    `given`.
    """
    lacking = [f"--{name.replace('_', '-')}" for name in machine.needs if not given.get(name)]
    if lacking:
        raise E3DError(f"{machine.title} takes no job without {' and '.join(lacking)}{machine.page('needs')}")


def queue_warning(machine: Machine, queue: str, nodes: int, hours: float) -> str:
    """What speaks against this shape in this queue by the site's published limits, in words; empty: nothing
    known.
    """
    limits = machine.queues.get(queue)
    if limits is None or any(one.least <= nodes <= one.most and hours <= one.hours for one in limits):
        return ""
    takes = ", ".join(f"{one.least} to {one.most} nodes for {one.hours:g} h" for one in limits)
    return (
        f"queue {queue} of {machine.name} takes {takes} (as of {machine.checked}{machine.page('queues')}), "
        f"not {nodes} nodes for {hours:g} h"
    )


def places(job: Job) -> dict[str, str]:
    """What stands for the names in braces of a machine's launch line (`machines.PLACES`)."""
    machine, shape = job.machine, job.shape
    cores = machine.usable_cores
    own = max(shape.threads, cores // shape.ranks_per_node) if cores else shape.threads
    return {
        "nodes": str(shape.nodes),
        "ranks": str(shape.ranks),
        "ranks_per_node": str(shape.ranks_per_node),
        "threads": str(shape.threads),
        "cpus": str(shape.ranks_per_node * shape.threads),
        "cores_per_rank": str(own),
        "cpus_per_rank": str(own * machine.hardware_threads),
        "gpus": str(shape.gpus),
        "binding": machine.binding.text(shape.ranks_per_node) if machine.binding else "",
    }


def render_script(job: Job) -> str:
    """The job script, ``job.sh``."""
    machine, filled = job.machine, places(job)
    launch = (machine.launch_gpu if job.shape.gpus else machine.launch_cpu).format_map(filled)
    if job.shares:
        program, _, rest = launch.partition(" ")
        launch = f"{program} ${{E3D_HOSTS:+{machine.hosts.format(hosts='$E3D_HOSTS')}}} {rest}"
    environment = [f"module load {name}" for name in machine.modules]
    environment += [f"export {name}={shlex.quote(value)}" for name, value in machine.environment.items()]
    environment += [f"export OMP_NUM_THREADS={job.shape.threads}", *job.setup]
    options = [*_kokkos_options(job)]
    for name, value in job.variables.items():
        options += ["-v", name, shlex.quote(value)]
    text = resources.files("e3d_lmp").joinpath("runs").joinpath("job.sh").read_text(encoding="utf-8")
    values = {
        "shell": "#!/bin/bash" if machine.scheduler == "none" else "#!/bin/bash -l",
        "head": _head(job, filled),
        "title": machine.title,
        "version": __version__,
        "folder": shlex.quote(str(job.folder)),
        "environment": environment,
        "lmp": shlex.quote(job.lmp),
        "limit": job.limit,
        "seconds": job.seconds,
        "launch": launch,
        "options": " ".join(options),
        "poll": _POLL if machine.scheduler != "none" else 1,
    }
    return fill(text, values)


def _head(job: Job, filled: Mapping[str, str]) -> list[str]:
    """The scheduler's lines at the top of the script."""
    machine, gpus = job.machine, job.shape.gpus
    more = [*machine.directives, *(machine.directives_gpu if gpus else ())]
    time = f"{job.limit // 3600:02d}:{job.limit // 60 % 60:02d}:{job.limit % 60:02d}"
    if machine.scheduler == "slurm":
        lines = [f"--job-name={job.name}", f"--nodes={job.shape.nodes}"]
        lines += [f"--ntasks-per-node={job.shape.ranks_per_node}", f"--time={time}"]
        lines += [f"--account={job.account}"] if job.account else []
        lines += [f"{machine.queue_option}={job.queue}"] if job.queue else []
        lines += [f"--output={job.folder}/job.%j.txt"]
        return [f"#SBATCH {line}" for line in (*lines, *(one.format_map(filled) for one in more))]
    if machine.scheduler == "pbs":
        select = machine.select_gpu if gpus and machine.select_gpu is not None else machine.select
        lines = [
            f"-N {job.name}",
            f"-l select={job.shape.nodes}{select.format_map(filled)}",
            f"-l walltime={time}",
        ]
        lines += [f"-A {job.account}"] if job.account else []
        lines += [f"-q {job.queue}"] if job.queue else []
        lines += [f"-l filesystems={job.filesystems}"] if job.filesystems else []
        lines += ["-j oe", f"-o {job.folder}/"]
        return [f"#PBS {line}" for line in (*lines, *(one.format_map(filled) for one in more))]
    return []


def _kokkos_options(job: Job) -> list[str]:
    """LAMMPS options; pair_style e3d needs newton on, and a half list is what LAMMPS's own styles are then
    best at.
    """
    if not job.kokkos:
        return []
    gpus = job.machine.visible_gpus if job.machine.visible_gpus is not None else job.shape.gpus
    devices = ["g", str(gpus)] if job.shape.gpus else []
    words = ["-k", "on", *devices, "t", str(job.shape.threads), "-sf", "kk"]
    return [*words, "-pk", "kokkos", "newton", "on", "neigh", "half"]


def render_wrapper(job: Job) -> str:
    """What LAMMPS reads, ``job.in``."""
    one = job.job_input
    lines = [
        f"# Written by 'e3d job' of e3d-lmp {__version__}.",
        "timer       timeout ${e3d_seconds} every 10",
        f"include     {one.path.name}",
    ]
    if one.is_restartable and one.changes is None:
        lines.append(f"write_restart {CHECKPOINT}.end")
    of = " of ${steps}" if one.has_steps else ""
    ended = "step $(step)" + of
    done = '"$(step) >= ${steps}"' if one.has_steps else '"$(timeremain) > 0"'
    lines += [
        f"if {done} then &",
        f"  \"print '{ended}' file finished\" &",
        'elif "$(timeremain) > 0" &',
        f"  \"print 'the input ended by itself at {ended}' file finished\" &",
        f"else \"print '{ended}' file stopped\"",
    ]
    return "\n".join(lines) + "\n"


def with_paths(job_input: JobInput, variables: Mapping[str, str], here: Path) -> dict[str, str]:
    """The variables of a job: those given and those defaults that name files seen from `here`, as absolute
    paths.

    Raises
    ------
    E3DError
        A variable that the job sets itself is given, or the job would not find a file of the input.
    """
    for name in variables:
        if not re.fullmatch(r"\w+", name):
            raise E3DError(
                f"-v {name}: expected a name of letters, digits and underscores, e.g. -v steps 1000"
            )
        if name in ("part", "restart", "checkpoint", "e3d_seconds"):
            raise E3DError(f"-v {name}: the job sets this variable itself")
    values = {**absolute_paths(job_input.variables, here), **variables, **absolute_paths(variables, here)}
    check_files(job_input, {**job_input.variables, **values})
    return values


def parse_hours(text: str) -> float:
    """Hours from ``6``, ``0.5`` or ``1:30``; raises `E3DError`."""
    try:
        hours, _, minutes = text.partition(":")
        value = float(hours) + (float(minutes) / 60 if minutes else 0.0)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e5:
        raise E3DError(f"--hours {text}: expected hours above 0, as 6, 0.5 or 1:30")
    return value


def job_name(path: Path) -> str:
    """A name that every scheduler takes: at most 15 letters, digits and ``-_``, the first one a letter."""
    stem = re.sub(r"^in\.|\.(in|lmp)$", "", path.name)
    return re.sub(r"^[^A-Za-z]+", "", re.sub(r"[^\w-]", "-", stem))[:15] or "e3d"
