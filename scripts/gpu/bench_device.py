"""Time of a step of ``pair_style e3d/kk`` on one device, for boxes that double until memory or time ends.

    python3 scripts/gpu/bench_device.py CASES --work FOLDER --output bench.json -- lmp -k on g 1 -sf kk ...

The liquid of inputs/ with the shipped model in float32, NVE: LAMMPS's own loop time, neighbour lists,
integration and everything else included, best of three blocks. The first row is the host engine of the same
``lmp`` on one core. Needs Python alone. Rows that the output holds are not measured again; those that failed
are.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

LIQUID_ATOMS, STEPS, BLOCKS = 213, 10, 3
INPUT = (
    """units metal
atom_style atomic
newton on
read_data {data}
replicate {copies}
{before}
pair_style e3d precision single
pair_coeff * * {model} C H N O
{after}
neighbor 1.0 bin
velocity all create 300 2026 loop geom
fix nve all nve
timestep 0.00025
thermo 1000000
run {steps}
"""
    + BLOCKS * "run {steps} pre no\n"
)


def boxes() -> list[tuple[int, int, int]]:
    """Copies of the liquid, twice as many each time."""
    sides, out = [1, 1, 1], []
    for k in range(21):
        out.append((sides[0], sides[1], sides[2]))
        sides[k % 3] *= 2
    return out


def run(job: dict[str, Any], args: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """One row, in so many seconds; ``failed`` holds the last line of a run that ended with an error."""
    args.work.mkdir(parents=True, exist_ok=True)
    atoms = LIQUID_ATOMS * job["copies"][0] * job["copies"][1] * job["copies"][2]
    on_device = job["engine"] == "device"
    paths = {
        key: os.path.abspath(args.cases / name)
        for key, name in (("data", "liquid.data"), ("model", "organic-small.safetensors"))
    }
    words = {"before": "" if on_device else "suffix off", "after": "" if on_device else "suffix on"}
    script = args.work / "in.bench"
    script.write_text(INPUT.format(copies=" ".join(map(str, job["copies"])), steps=STEPS, **paths, **words))
    try:
        done = subprocess.run(
            [*args.lmp, "-in", script.name, "-log", "log.bench"],
            cwd=args.work,
            capture_output=True,
            text=True,
            timeout=max(10.0, seconds),
            check=False,
        )
    except subprocess.TimeoutExpired:
        return job | {"atoms": atoms, "failed": "out of time"}
    loops = [float(text) for text in re.findall(r"Loop time of ([\d.e+-]+) on", done.stdout)]
    if done.returncode != 0 or len(loops) != BLOCKS + 1:
        lines = (done.stdout + done.stderr).strip().splitlines()
        return job | {
            "atoms": atoms,
            "failed": next((x for x in lines if "ERROR" in x or "error" in x), lines[-1:]),
        }
    row = job | {"atoms": atoms, "ms": 1e3 * min(loops[1:]) / STEPS}
    edges = re.search(r"([\d.]+) edges per atom", done.stdout)
    return row | ({"edges_per_atom": float(edges[1])} if edges else {})


def kept_rows(output: Path) -> list[dict[str, Any]]:
    """What was measured before. Rows that failed, for want of time as a rule, are left out."""
    rows = json.loads(output.read_text()) if output.is_file() else []
    return [row for row in rows if "failed" not in row]


def write(path: Path, text: str) -> None:
    """Whole or not at all: the time limit may come at any moment."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = ["| atoms | engine | ms/step | µs per atom and step | atom-steps/s |", "|--:|:--|--:|--:|--:|"]
    for row in rows:
        head = f"| {row.get('atoms', '')} | {row['engine']} "
        if "failed" in row:
            lines.append(head + f"| {row['failed']} | | |")
            continue
        per_atom = 1e3 * row["ms"] / row["atoms"]
        lines.append(head + f"| {row['ms']:.2f} | {per_atom:.3f} | {1e6 / per_atom:.3g} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what the output lacks, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", type=Path, help="folder of make_cases.py")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=180.0, help="all rows end by then")
    parser.add_argument("lmp", nargs="+", help="-- and how LAMMPS starts on the device")
    args = parser.parse_args()
    rows = kept_rows(args.output)
    end = time.monotonic() + args.seconds
    jobs = [{"engine": "host, one core", "copies": (1, 1, 1)}] + [
        {"engine": "device", "copies": copies} for copies in boxes()
    ]
    for job in jobs:
        if any((row["engine"], tuple(row["copies"])) == (job["engine"], job["copies"]) for row in rows):
            continue
        if time.monotonic() > end or (rows and rows[-1].get("failed")):
            break
        rows.append(run(job, args, end - time.monotonic()))
        print(f"  {rows[-1]}", flush=True)
        write(args.output, json.dumps(rows, indent=1) + "\n")
    print(table(rows))
    write(args.output.with_suffix(".md"), table(rows) + "\n")


if __name__ == "__main__":
    main()
