"""Cost of in-situ bond energies beside the bare run: fix e3d/map and compute e3d/pair/local at every step.

    python scripts/benchmarks/bench_maps.py inputs/models/organic-small.safetensors

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
rank 0, which holds all bins; `table_bytes` follows lammps_plugin/bonds/energy_map.h.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from alternating import begin, close, costs, main_of, sections, time_blocks

VARIANTS = {
    "bare": "",
    "map": "fix m all e3d/map 1 {steps} {steps} file {folder}/map.e3d ave running\n",
    "pairs": "compute p all e3d/pair/local D A\ncompute r all reduce ave c_p[1] c_p[2] inputs local\n"
    "fix t all ave/time 1 1 1 c_r[1] c_r[2]\n",
}
SLOT_BYTES = 16
SMALLEST_TABLE = 64


def table_bytes(bins: int) -> int:
    """Bytes of the table of one label: a power of two of slots, at most half of them full."""
    slots = SMALLEST_TABLE if bins else 0
    while slots < 2 * bins:
        slots *= 2
    return slots * SLOT_BYTES


def run_row(job: dict[str, Any]) -> dict[str, Any]:
    """One system on the ranks of this process: seconds of each variant, bytes, bins. On every rank."""
    from mpi4py import MPI

    from e3d_lmp.analysis.maps import read_map

    runs = begin(job, VARIANTS, steps=job["steps"])
    row: dict[str, Any] = {"seconds": time_blocks(job, runs)}
    row["ghosts"] = MPI.COMM_WORLD.allreduce(runs["map"].extract_setting("nghost"))
    logs = close(job, runs)
    row["sections"] = {name: sections(log) for name, log in logs.items()}
    # of the last block, each step of which pairs edges
    sent = re.findall(r"^(\d+) evaluations.*\n(\d+) bytes sent", logs["pairs"], re.MULTILINE)
    row["bytes"] = int(sent[-1][1]) / (int(sent[-1][0]) * row["ghosts"])
    result = read_map(Path(job["folder"]) / "map.e3d")
    row["bonds"] = sum(one.count for one in result.labels.values()) / result.samples
    row["samples"] = result.samples
    row["bins"] = sum(one.codes.size for one in result.labels.values())
    row["map_bytes"] = sum(table_bytes(one.codes.size) for one in result.labels.values())
    return row


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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    main_of(__file__, parser, run_row, table, [213, 1704])


if __name__ == "__main__":
    main()
