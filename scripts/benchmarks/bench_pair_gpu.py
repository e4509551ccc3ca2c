"""Cost of pair_style e3d on a GPU beside the stock graphs of the same model: time, memory, largest system.

    python scripts/benchmarks/bench_pair_gpu.py inputs/models/organic-small.nequip.zip \
        --output out/gpu/bench.json
    python scripts/benchmarks/bench_pair_gpu.py --table out/gpu/bench.json

By the clock, the best of some evaluations, on one GPU, and on one rank where nothing else is said. Every row
is a process of its own:

- ``e3d``: a step of pair_style e3d inside LAMMPS, with edge list, copies and sums on the processor;
- ``e3d, N ranks``: the same on N ranks that share the GPU, and among them what the processor does;
- ``e3d, no graphs``: the same with ``E3D_CUDA_GRAPHS=0``;
- ``e3d gather``: the contraction by another kernel of `model.contraction`, maybe a better one on a GPU;
- ``stock``: nequip's target ``pair_allegro`` by AOTInductor, called whole with its inputs on the GPU, in its
  favour;
- ``stock Triton``: the same with nequip-allegro's own kernel (``--modifiers enable_TritonContracter``).

Sizes double until a row runs out of memory or of time; what ran last is the largest system. Rows that the
output holds already are not measured again, so that the benchmark can be run in several calls. Memory is what
the whole GPU has in use, so nothing else should run there. Written and tried without a GPU
(``--device cpu``).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from bench_pair import LIQUID, LIQUID_ATOMS, MB, OUT_OF_MEMORY, replication, run_lammps, run_stock

ENGINES = ("e3d", "e3d, 4 ranks", "e3d, 16 ranks", "e3d, no graphs", "e3d gather", "stock", "stock Triton")
FILES = {"e3d, no graphs": "e3d", "e3d, 4 ranks": "e3d", "e3d, 16 ranks": "e3d"}
"""Engines that use the file of another."""
TOO_SLOW = "out of time"

GATHER = """
import sys
from e3d_lmp import cli
from e3d_lmp.model import export
from e3d_lmp.model.contraction import contract_centres
export._contract = lambda model, operators: contract_centres(model, padded=False)
sys.exit(cli.main(sys.argv[1:]))
"""


def memory_in_use(device: str) -> int:
    """Bytes in use on the GPU, by everybody; 0 on a CPU."""
    if device == "cpu":
        return 0
    import torch

    free, total = torch.cuda.mem_get_info()
    return total - free


def work(job: dict[str, Any]) -> None:
    """The body of a row's process."""
    import torch

    before = memory_in_use(job["device"])
    try:
        row = run_stock(job) if job["engine"].startswith("stock") else run_lammps(job)
    except Exception as error:  # torch, AOTInductor and LAMMPS each raise their own
        text = str(error).lower()
        if not isinstance(error, MemoryError) and not any(w in text for w in ("memory", "alloc", "api call")):
            raise
        row = {"failed": OUT_OF_MEMORY, "message": str(error)[:300]}
    else:
        if not row:  # not the first rank
            return
        row["gpu"] = memory_in_use(job["device"]) - before
    row["torch"] = torch.__version__
    print("RESULT " + json.dumps(row), flush=True)


def run_row(job: dict[str, Any], seconds: float) -> dict[str, Any]:
    """One row in a process of its own, for at most so many seconds."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if job["engine"] == "e3d, no graphs":
        environment["E3D_CUDA_GRAPHS"] = "0"
    command = [sys.executable, __file__, "row", json.dumps(job)]
    if ranks := [word for word in job["engine"].split() if word.isdecimal()]:
        command = [str(Path(sys.executable).parent / "mpirun"), "-np", ranks[0], *command]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return {"failed": TOO_SLOW}
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    text = done.stdout[-1000:] + done.stderr[-2000:]
    if "out of memory" in text.lower() or done.returncode in (-6, -9):
        return {"failed": OUT_OF_MEMORY, "message": text[-300:]}
    return {"failed": f"error {done.returncode}", "message": text[-1500:]}


def compile_models(package: Path, folder: Path, device: str) -> dict[str, Path]:
    """The file of each engine that could be made; those that could not are named on standard error."""
    folder.mkdir(parents=True, exist_ok=True)
    name = package.name.removesuffix(".zip").removesuffix(".ckpt").removesuffix(".nequip")
    stock = [
        *(Path(sys.executable).parent / "nequip-compile", package, "{path}"),
        *("--mode", "aotinductor", "--device", device, "--target", "pair_allegro"),
    ]
    commands: dict[str, list[Any]] = {
        "e3d": [sys.executable, "-m", "e3d_lmp", "export", package, "{path}", "--device", device],
        "e3d gather": [sys.executable, "-c", GATHER, "export", package, "{path}", "--device", device],
        "stock": stock,
        "stock Triton": [*stock, "--modifiers", "enable_TritonContracter"],
    }
    if device == "cpu":  # tried without a GPU: the kernel needs one
        del commands["stock Triton"], commands["e3d gather"]

    def make(engine: str) -> tuple[str, Path | None]:
        path = folder / f"{name}-{engine.replace(' ', '-')}-{device}.nequip.pt2"
        if not path.exists():
            command = [str(word).replace("{path}", str(path)) for word in commands[engine]]
            begin = time.monotonic()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            print(f"  made {path.name} in {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
            if done.returncode != 0 or not path.exists():
                (folder / f"{path.name}.log").write_text(done.stdout + done.stderr)
                print(f"  {engine}: failed: {done.stderr[-1500:]}", file=sys.stderr, flush=True)
                return engine, None
        return engine, path

    with ThreadPoolExecutor(max_workers=4) as pool:
        return {engine: path for engine, path in pool.map(make, commands) if path is not None}


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows; sizes in the outer loop, so that a benchmark that is cut off has compared what it has."""
    from e3d_lmp.model.contract import read_metadata

    rows: list[dict[str, Any]] = json.loads(args.output.read_text()) if args.output.is_file() else []
    files = compile_models(args.package, args.work, args.device)
    if "e3d" not in files:
        sys.exit("there is no model to measure")
    metadata = read_metadata(files["e3d"])
    common = {
        "r_max": metadata.r_max,
        "cutoffs": list(metadata.cutoffs),
        "type_names": list(metadata.type_elements),
        "repeat": args.repeat,
        "device": args.device,
        "data": str(LIQUID),
    }
    ended = {row["engine"] for row in rows if "failed" in row}
    atoms = args.smallest
    while atoms <= args.largest and len(ended) < len(ENGINES):
        copies = replication(atoms)
        actual = int(np.prod(copies)) * LIQUID_ATOMS
        for engine in ENGINES:
            path = files.get(FILES.get(engine, engine))
            known = any(row["engine"] == engine and row["atoms"] == actual for row in rows)
            if engine in ended or path is None or known:
                continue
            chunk = "auto" if engine.startswith("e3d") else "all"
            place = {"engine": engine, "chunk": chunk, "atoms": actual}
            row = place | run_row(common | place | {"copies": copies, "model": str(path)}, args.row_seconds)
            if "clock" in row:
                row["us_per_edge"] = row["clock"] / row["edges"] * 1e6
            else:
                ended.add(engine)
            print(f"  {row}", file=sys.stderr, flush=True)
            rows.append(row)
            write(args.output, rows)
        atoms *= 2
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """The rows so far, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(rows, indent=2) + "\n")
    os.replace(temporary, path)


def check(rows: list[dict[str, Any]]) -> list[str]:
    """What is wrong: other edges, or energies that differ by more than single precision allows."""
    problems = []
    for atoms in sorted({row["atoms"] for row in rows}):
        same = [row for row in rows if row["atoms"] == atoms and "energy" in row]
        if len({row["edges"] for row in same}) > 1:
            problems.append(f"{atoms} atoms: numbers of edges differ")
        spread = float(np.ptp([row["energy"] for row in same])) / atoms if same else 0.0
        if spread > 1e-5:
            problems.append(f"{atoms} atoms: energies differ by {spread:.1e} eV per atom")
    return problems


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a line for each row, then the largest system of each engine."""
    lines = [
        "| atoms | edges | engine | ns/edge | atom-steps/s | over stock | over stock Triton | GPU MB |",
        "|--:|--:|:--|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        head = f"| {row['atoms']} | {row.get('edges', '')} | {row['engine']} "
        if "clock" not in row:
            lines.append(head + f"| {row['failed']} | | | | |")
            continue
        ratios = []
        for engine in ("stock", "stock Triton"):
            peer = [r for r in rows if (r["engine"], r["atoms"]) == (engine, row["atoms"]) and "clock" in r]
            ratios.append(f"{peer[0]['clock'] / row['clock']:.2f}" if peer else "")
        lines.append(
            head
            + f"| {1e3 * row['us_per_edge']:.1f} | {row['atoms'] / row['clock']:.0f} | {' | '.join(ratios)} "
            f"| {row['gpu'] / MB:.0f} |"
        )
    lines += ["", "| engine | largest system that ran | why no larger |", "|:--|--:|:--|"]
    for engine in dict.fromkeys(row["engine"] for row in rows):
        own = [row for row in rows if row["engine"] == engine]
        largest = max((row["atoms"] for row in own if "clock" in row), default=0)
        reason = next((row["failed"] for row in own if "failed" in row), "not tried")
        lines.append(f"| {engine} | {largest} | {reason} |")
    return "\n".join([*lines, *check(rows)])


def main() -> None:
    """Measure, check, print the table; the JSON is written row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path, nargs="?", help="checkpoint or .nequip.zip of an Allegro model")
    parser.add_argument(
        "--table", type=Path, metavar="JSON", help="only print the table of a finished benchmark"
    )
    parser.add_argument("--smallest", type=int, default=213, metavar="N", help="atoms of the first row (213)")
    parser.add_argument("--largest", type=int, default=4_000_000, metavar="N", help="atoms of the last row")
    parser.add_argument("--repeat", type=int, default=5, help="timed evaluations per row; the best counts")
    parser.add_argument("--row-seconds", type=float, default=60.0, metavar="S", help="time limit of a row")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try this script")
    parser.add_argument("--work", type=Path, default=Path("build/gpu-bench"), help="folder of the models")
    parser.add_argument("--output", type=Path, default=Path("out/gpu/bench.json"), help="JSON file to write")
    args = parser.parse_args()
    if args.table:
        print(table(json.loads(args.table.read_text())))
        return
    if args.package is None or not args.package.is_file():
        parser.error(
            "give a checkpoint or package of an Allegro model, e.g. inputs/models/organic-small.nequip.zip"
        )
    args.package, args.work = args.package.resolve(), args.work.resolve()
    print(table(measure(args)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["row"] and len(sys.argv) == 3:  # a row's own process, started by run_row()
        work(json.loads(sys.argv[2]))
    else:
        main()
