"""Cost of heat transport beside the bare run: e3d/heat, e3d/hnemd and e3d/shc at every step.

    python scripts/benchmarks/bench_heat.py inputs/models/organic-small.safetensors

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
from typing import Any

from alternating import begin, close, costs, main_of, sections, time_blocks

LAGS = 250
VARIANTS = {
    "bare": "",
    "heat": "compute h all e3d/heat\nfix v all ave/time 1 1 1 c_h[1] c_h[2] c_h[3]\n"
    "fix a all ave/time 1 1 1 c_h[1] c_h[4] mode vector\n",
    "hnemd": "fix d all e3d/hnemd 1e-12 0 0\n",
    "shc": f"fix s all e3d/shc 1 {LAGS} 1000000 1 0 0 file {{folder}}/shc.txt\n",
}


def run_row(job: dict[str, Any]) -> dict[str, Any]:
    """One system on the ranks of this process: seconds of each variant. On every rank."""
    from mpi4py import MPI  # noqa: F401  (before lammps)

    runs = begin(job, VARIANTS)
    if not job["no_fill"]:  # correlations begin when the ring is full
        runs["shc"].command(f"run {LAGS} pre no post no")
    row: dict[str, Any] = {"seconds": time_blocks(job, runs)}
    row["sections"] = {name: sections(log) for name, log in close(job, runs).items()}
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: cost of each variant."""
    names = [name for name in VARIANTS if name != "bare"]
    head = "| atoms | ranks | bare ms/step |" + "".join(f" {name}: CPU | timers |" for name in names)
    lines = [head + " shc kB per atom |", "|--:" * (4 + 2 * len(names)) + "|"]
    for row in rows:
        cells = [row["atoms"], row["ranks"], f"{1e3 * row['seconds']['bare']:.1f}"]
        for name in names:
            cpu, timers = costs(row, name)
            cells += [f"{cpu:+.1f} %", f"{timers:.2f} %"]
        lines.append("| " + " | ".join(map(str, [*cells, f"{7 * 4 * LAGS / 1e3:.1f}"])) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-fill", action="store_true", help="do not fill the ring of e3d/shc before")
    main_of(__file__, parser, run_row, table, [213])


if __name__ == "__main__":
    main()
