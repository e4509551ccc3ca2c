"""Edges per second of fix e3d/record and of dump local, on the same steps of the same run.

    python scripts/benchmarks/bench_record.py inputs/models/organic-small.safetensors

The liquid of inputs/, relaxed and replicated, runs with both: all edges of the model, at every step, into
memory-backed files. Seconds of the fix are its own count, those of the dump are LAMMPS's "Output", all that
is done there; of each the best block counts, and the slowest rank. Each rank of the fix writes its own files
(``writers``), the dump has one file, as LAMMPS's local data in text have. Beside them stands what the memory
behind the files takes from a plain loop of writes of the same size, of all ranks at once: the fix cannot be
faster.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

from alternating import begin, close, main_of

MEMORY = "/dev/shm"
BLOCK = 4096 * 56
"""Bytes of one write of the fix."""

COLUMNS = ("tag1", "tag2", "type1", "type2", "dist", "dx", "dy", "dz", "eps")
BOTH = f"""compute edges all e3d/edge/local {" ".join(COLUMNS)}
dump edges all local 1 {{folder}}/edges.dump c_edges[*]
dump_modify edges format float %.17g
fix r all e3d/record 1 {{folder}}/record writers {{writers}}
"""


def run_row(job: dict[str, Any]) -> dict[str, Any]:
    """One system on the ranks of this process: seconds of a frame by each, edges, bytes. On every rank."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    lmp = begin(job, {"both": BOTH}, writers=world.Get_size())["both"]

    def count(which: int) -> float:
        return lmp.extract_fix("r", 0, 1, which)

    record = []
    for _ in range(job["repeat"]):
        before = count(3)
        lmp.command(f"run {job['steps']} pre no")
        record.append((count(3) - before) / job["steps"])
    frames, edges, written = (count(k) for k in range(3))
    disk = min(
        world.allreduce(seconds_of_disk(job, written / frames / world.Get_size()), MPI.MAX) for _ in range(9)
    )
    log = close(job, {"both": lmp})["both"]
    output = [
        float(text) for text in re.findall(r"^Output +\|[^|]+\|[^|]+\| +([\d.e+-]+)", log, re.MULTILINE)
    ]
    return {
        "edges": edges / frames,
        "bytes": written / frames,
        "record_seconds": min(record),
        "dump_seconds": min(output) / job["steps"],
        "disk_seconds": disk,
    }


def seconds_of_disk(job: dict[str, Any], size: float) -> float:
    """Seconds to write so many bytes to a new file in the same folder."""
    path = Path(job["folder"]) / f"plain.{os.getpid()}"
    data = os.urandom(BLOCK)
    start = time.perf_counter()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    for _ in range(max(1, int(size / BLOCK))):
        os.write(file, data)
    seconds = time.perf_counter() - start
    os.close(file)
    path.unlink()
    return seconds


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: both, their ratio, and the memory behind the files."""
    lines = [
        "| atoms | ranks | edges | fix e3d/record ms | GB/s per rank | plain writes GB/s per rank "
        "| dump local ms | record / dump, edges per second |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        own = row["bytes"] / 1e9 / row["ranks"]
        cells = [
            f"{row['atoms']:,}",
            row["ranks"],
            f"{row['edges']:,.0f}",
            f"{1e3 * row['record_seconds']:.1f}",
            f"{own / row['record_seconds']:.2f}",
            f"{own / row['disk_seconds']:.2f}",
            f"{1e3 * row['dump_seconds']:.0f}",
            f"{row['dump_seconds'] / row['record_seconds']:.0f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    tempfile.tempdir = MEMORY
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    main_of(__file__, parser, run_row, table, [1704, 13632])


if __name__ == "__main__":
    main()
