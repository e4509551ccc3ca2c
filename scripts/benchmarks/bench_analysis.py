"""Speed of the analysis: dumps and edge stores to D-A maps, on one core, beside other readers of tables.

    python scripts/benchmarks/bench_analysis.py inputs/models/organic-small.safetensors

The liquid of inputs/ runs some steps once; its frames, with new step numbers, are repeated until a dump has
the size that was asked for (``--mb``):

- ``model 17``, ``model 9``: all edges of the model, some thousand rows a frame, as %.17g and as %.9g;
- ``bonds 17``: the edges of bonds only, some hundred rows a frame: what the demo dumps.

``e3d`` reads the dump itself, headers and all: to frames (``rows``), to pairs, to maps. The others get the
easiest honest job: a file of the rows alone, no pairing, the names of columns and their types given where
they take them, the blank at the end of LAMMPS's rows as one more column that is not kept. OVITO reads the
dump, headers included, because it knows the format; it too makes no pairs. ``polars, headers`` reads the dump
too, takes headers for rows and throws those away (which frame a row belongs to is lost). What is not
installed is left out, and the last line says what to type. ``pandas`` appears twice, with its default and
with the round-trip converter; e3d, polars and numpy are exact to the last bit always.

Every row is a process of its own on one core, so that its peak memory is its own. Times are CPU times (user
and system) of the best of some repeats, because the machine may be busy; the wall time of the same repeat
stands beside it. Rounds go through all readers in turn, so that a busy machine troubles all of them alike.
The file is in the page cache: the speed of a disk is not measured.

Stores: ``raw h5py`` reads the bare columns in the same blocks as `StoreReader`; its share is what the rest of
the analysis leaves of that speed. Ranks: ``mpirun -np N e3d analyze``, wall time, and CPU time of all ranks,
of rank 0 and of the busiest other one, start and end of the program included, for files of four times
the size. Peak memory: the maps of larger and larger files; it must not grow.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench_pair import ELEMENTS, LIQUID, MB, ROOT, peak_bytes

NAMES = ("tag1", "tag2", "type1", "type2", "dist", "dx", "dy", "dz", "eps")
CUTOFF = "covalent"
STEPS = 20
RUN = """units metal
atom_style atomic
newton on
read_data {liquid}
pair_style e3d
pair_coeff * * {model} {elements}
timestep 0.0005
minimize 0.0 0.05 60 200
reset_timestep 0
velocity all create 300.0 2026 mom yes rot yes
fix md all nve
"""
DUMP = """compute e{k} all e3d/edge/local tag1 tag2 type1 type2 dist dx dy dz eps cutoff {cutoff}
dump d{k} all local 1 {path} c_e{k}[*]
dump_modify d{k} format float {format} {names}
"""
DUMPS = {"model 17": ("model", "%.17g"), "model 9": ("model", "%.9g"), "bonds 17": ("covalent", "%.17g")}
PEERS = {
    "pandas": "pandas",
    "pandas, round trip": "pandas",
    "polars": "polars",
    "polars, headers": "polars",
    "OVITO": "ovito",
    "numpy.loadtxt": "numpy",
}
"""Readers that are not ours, and the module of each."""
WITH_HEADERS = ("polars, headers", "OVITO")
"""Those that read the dump as it is."""


# ---- files


def run_liquid(model: Path, folder: Path) -> dict[str, Path]:
    """One short run; the dump of each of `DUMPS`."""
    paths = {name: folder / f"{name.replace(' ', '.')}.once" for name in DUMPS}
    text = RUN.format(liquid=LIQUID, model=model, elements=" ".join(ELEMENTS))
    names = " ".join(f"colname {k} {name}" for k, name in enumerate(NAMES, 1))
    for k, (name, (cutoff, fmt)) in enumerate(DUMPS.items()):
        text += DUMP.format(k=k, cutoff=cutoff, path=paths[name], format=fmt, names=names)
    (folder / "in.liquid").write_text(f"{text}run {STEPS}\n")
    lmp = shutil.which("lmp", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if lmp is None:
        sys.exit("no program 'lmp' found; type: bash scripts/setup.sh, and use .venv/bin/python")
    words = [lmp, "-in", "in.liquid", "-log", "none", "-screen", "none"]
    subprocess.run(words, cwd=folder, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    return paths


def repeat_frames(once: Path, path: Path, size: float) -> int:
    """Write the frames of a dump again and again, with new step numbers, up to `size` bytes; how many."""
    start = "ITEM: TIMESTEP\n"
    frames = [frame.split("\n", 1)[1] for frame in once.read_text().split(start)[1:]]
    step = 0
    with open(path, "w") as out:
        while out.tell() < size:
            frame = frames[step % len(frames)]
            out.write(f"{start}{step}\n{frame}")
            step += 1
    return step


def rows_alone(dump: Path, path: Path) -> None:
    """The rows of a dump without its headers."""
    with open(dump) as text, open(path, "w") as out:
        out.writelines(line for line in text if line.count(" ") >= len(NAMES) - 1 and line[0] != "I")


# ---- jobs: each returns what is timed


def e3d_job(what: str, path: str) -> Callable[[], Any]:
    """``rows``, ``pairs`` or ``maps`` of a dump or a store."""
    from e3d_lmp.analysis.reducers import MapReducer
    from e3d_lmp.edges.cutoffs import parse_cutoff
    from e3d_lmp.edges.dumps.reader import DumpReader
    from e3d_lmp.edges.frames import EdgeFrame
    from e3d_lmp.edges.pairs import Pairing
    from e3d_lmp.edges.store.reader import StoreReader, is_store

    cutoff = parse_cutoff([CUTOFF])

    def call() -> int:
        reader = StoreReader(path) if is_store(path) else DumpReader(path)
        rows = 0
        pairing = Pairing(tuple(ELEMENTS), cutoff.matrix(tuple(ELEMENTS)))
        maps = MapReducer(cutoff.name)
        for frame in reader:
            rows += frame.i.size
            if what != "rows":
                pairs = pairing.pair(frame) if isinstance(frame, EdgeFrame) else pairing.label(frame)
                if what == "maps":
                    maps.add(pairs)
        maps.result()
        return rows

    return call


def raw_job(path: str) -> Callable[[], int]:
    """The bare columns of a store."""
    import h5py

    from e3d_lmp.edges.store.reader import BLOCK_ROWS

    def call() -> int:
        with h5py.File(path) as file:
            group = file["edges" if "edges" in file else "pairs"]
            count = group["i"].shape[0]
            for first in range(0, count, BLOCK_ROWS):
                for name in group:
                    group[name][first : first + BLOCK_ROWS]
        return count

    return call


def pandas_job(path: str, **options: Any) -> Callable[[], int]:
    import pandas

    kinds = {name: "int64" if name[0] == "t" else "float64" for name in NAMES}
    names = [*NAMES, "blank"]

    def call() -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer versions find float_precision old
            table = pandas.read_csv(
                path, sep=" ", header=None, names=names, usecols=NAMES, dtype=kinds, engine="c", **options
            )
        return len(table)

    return call


def polars_job(path: str) -> Callable[[], int]:
    import polars

    schema = {name: polars.Int64 if name[0] == "t" else polars.Float64 for name in NAMES}
    schema["blank"] = polars.String

    def call() -> int:
        table = polars.read_csv(
            path,
            separator=" ",
            has_header=False,
            schema=schema,
            columns=list(range(len(NAMES))),
            quote_char=None,
        )
        return table.height

    return call


def polars_headers_job(path: str) -> Callable[[], int]:
    """The dump as it is: headers become rows of nothing, which are thrown away."""
    import polars

    schema = {name: polars.Int64 if name[0] == "t" else polars.Float64 for name in NAMES}
    schema["blank"] = polars.String

    def call() -> int:
        table = polars.read_csv(
            path,
            separator=" ",
            has_header=False,
            schema=schema,
            missing_columns="insert",
            quote_char=None,
            comment_prefix="ITEM:",
            ignore_errors=True,
            truncate_ragged_lines=True,
        )
        return table.filter(polars.col("eps").is_not_null()).height

    return call


def ovito_job(path: str) -> Callable[[], int]:
    from ovito.io import import_file

    columns = ["Particle Identifiers.1", "Particle Identifiers.2", "type1", "type2"]
    columns += ["Length", "vec.1", "vec.2", "vec.3", "eps"]

    def call() -> int:
        source = import_file(path, columns=columns).source
        return sum(source.compute(k).particles.bonds["eps"].size for k in range(source.num_frames))

    return call


def loadtxt_job(path: str) -> Callable[[], int]:
    import numpy

    return lambda: len(numpy.loadtxt(path))


JOBS: dict[str, Callable[[str], Callable[[], int]]] = {
    "e3d: rows": lambda path: e3d_job("rows", path),
    "e3d: pairs": lambda path: e3d_job("pairs", path),
    "e3d: maps": lambda path: e3d_job("maps", path),
    "raw h5py": raw_job,
    "pandas": pandas_job,
    "pandas, round trip": lambda path: pandas_job(path, float_precision="round_trip"),
    "polars": polars_job,
    "polars, headers": polars_headers_job,
    "OVITO": ovito_job,
    "numpy.loadtxt": loadtxt_job,
}


def work(job: dict[str, Any]) -> None:
    """One row, in a process of its own: prints JSON."""
    call = JOBS[job["what"]](job["path"])
    best: tuple[float, float] | None = None
    rows = 0
    for _ in range(job["repeat"]):
        wall, cpu = time.perf_counter(), time.process_time()
        rows = call()
        now = (time.process_time() - cpu, time.perf_counter() - wall)
        best = min(best or now, now)
    print(json.dumps({"rows": rows, "cpu": best[0], "wall": best[1], "peak": peak_bytes()}))  # type: ignore[index]


def start(what: str, path: Path, args: argparse.Namespace, repeat: int) -> dict[str, Any]:
    """Measure one row on one core."""
    job = json.dumps({"what": what, "path": str(path), "repeat": repeat})
    one = {name: "1" for name in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "OVITO_THREAD_COUNT")}
    done = subprocess.run(
        [sys.executable, __file__, "--job", job],
        env=os.environ | one,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {args.core}),
    )
    if done.returncode:
        sys.exit(f"{what} of {path} failed:\n{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    return found | {"what": what, "file": path.name, "bytes": path.stat().st_size}


def rounds(jobs: list[tuple[str, Path]], args: argparse.Namespace) -> list[dict[str, Any]]:
    """The best of some rounds of each row; loadtxt, the slowest by far, runs once."""
    best: dict[str, dict[str, Any]] = {}
    for turn in range(args.rounds):
        for what, path in jobs:
            if turn == 0 or what != "numpy.loadtxt":
                row = start(what, path, args, 1 if what == "numpy.loadtxt" else args.repeat)
                best[what] = min(best.get(what, row), row, key=lambda each: each["cpu"])
    return list(best.values())


# ---- tables


def print_rows(title: str, rows: list[dict[str, Any]], size: float, reference: float | None = None) -> None:
    """A table; MB/s are of `size` bytes for every row."""
    print(f"\n{title}\n{'':22s}{'CPU s':>8s}{'wall s':>8s}{'MB/s':>8s}{'Mrows/s':>9s}{'peak MB':>9s}", end="")
    print(f"{'share':>8s}" if reference else "")
    for row in rows:
        speed = row["rows"] / row["cpu"]
        print(
            f"{row['what']:22s}{row['cpu']:8.2f}{row['wall']:8.2f}{size / row['cpu'] / MB:8.0f}"
            f"{speed / MB:9.2f}{row['peak'] / MB:9.0f}" + (f"{speed / reference:8.2f}" if reference else ""),
            flush=True,
        )


RANK = """import os, sys
from e3d_lmp import cli, mpi
code = cli.main(sys.argv[1:])
cpu = mpi.world().gather(sum(os.times()[:2]))
if cpu is not None:
    print("CPU", *cpu)
sys.exit(code)
"""
"""``e3d`` on one rank; rank 0 prints the CPU time, s, of every rank."""


def analyze_ranks(dump: Path, folder: Path, args: argparse.Namespace) -> list[tuple[int, float, list[float]]]:
    """Ranks, wall time of ``e3d analyze`` and CPU time of each rank, s, each the best of repeats."""
    mpirun = shutil.which(
        "mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    words = [sys.executable, "-c", RANK, "analyze", str(dump), "--types", *ELEMENTS]
    found = []
    for ranks in args.ranks:
        if mpirun is None and ranks > 1:
            continue
        walls, cpus = [], []
        for _ in range(args.repeat):
            begin = time.perf_counter()
            done = subprocess.run(
                [*([mpirun, "-np", str(ranks)] if mpirun else []), *words, "-o", str(folder / f"r{ranks}")],
                check=True,
                capture_output=True,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
            walls.append(time.perf_counter() - begin)
            cpus.append([float(word) for word in done.stdout.rpartition("CPU")[2].split()])
        found.append((ranks, min(walls), [min(one) for one in zip(*cpus, strict=True)]))
    return found


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All tables; returns what was measured."""
    every: dict[str, Any] = {}
    once = run_liquid(args.model, folder)
    peers = [name for name, module in PEERS.items() if importlib.util.find_spec(module)]
    for name, path in once.items():
        dump, bare = folder / path.stem, folder / f"{path.stem}.rows"
        frames = repeat_frames(path, dump, args.mb * MB)
        rows_alone(dump, bare)
        size = dump.stat().st_size
        whats = ("e3d: rows", "e3d: pairs", "e3d: maps", *peers)
        jobs = [(what, bare if what in PEERS and what not in WITH_HEADERS else dump) for what in whats]
        rows = rounds(jobs, args)
        assert len({row["rows"] for row in rows}) == 1, f"readers disagree about the rows of {dump}"
        title = f"dump '{name}': {size / MB:.0f} MB, {rows[0]['rows'] / frames:.0f} rows a frame"
        print_rows(title, rows, size)
        every[name] = rows
        bare.unlink()

        store = folder / f"{path.stem}.h5"
        words = [
            sys.executable,
            "-m",
            "e3d_lmp",
            "convert",
            str(dump),
            "-o",
            str(store),
            "--types",
            *ELEMENTS,
        ]
        subprocess.run(words, check=True, capture_output=True)
        rows = rounds([(what, store) for what in ("raw h5py", "e3d: rows", "e3d: maps")], args)
        title = f"edge store of '{name}': {store.stat().st_size / MB:.0f} MB; share of the rows/s of raw h5py"
        print_rows(title, rows, store.stat().st_size, rows[0]["rows"] / rows[0]["cpu"])
        every[f"{name}, store"] = rows
        store.unlink()

    first, path = next(iter(once.values())), folder / "size"
    print("\npeak memory of dump to maps")
    every["memory"] = []
    for factor in (0.25, 1.0, 4.0):
        repeat_frames(first, path, factor * args.mb * MB)
        row = start("e3d: maps", path, args, 1)
        every["memory"].append(row)
        print(f"{row['bytes'] / MB:8.0f} MB of text{row['peak'] / MB:8.1f} MB")

    for name in (next(iter(once)), list(once)[-1]):
        repeat_frames(once[name], path, 4.0 * args.mb * MB)
        ranks = analyze_ranks(path, folder, args)
        print(f"\nmpirun -np N e3d analyze of {path.stat().st_size / MB:.0f} MB of '{name}'")
        for n, wall, cpu in ranks:
            print(
                f"{n:4d} ranks: wall {wall:.2f} s ({ranks[0][1] / wall:.2f}x), CPU {sum(cpu):.2f} s, "
                f"of rank 0 {cpu[0]:.2f} s, of the busiest other {max(cpu[1:], default=0.0):.2f} s",
                flush=True,
            )
        every[f"{name}, ranks"] = ranks
    missing = sorted({module for module in PEERS.values() if not importlib.util.find_spec(module)})
    if missing:
        print(f"\nnot measured: {', '.join(missing)}; type: pip install {' '.join(missing)}")
    return every


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, nargs="?", help="model file of the run")
    parser.add_argument("--mb", type=float, default=100.0, help="size of each dump, MB (default 100)")
    parser.add_argument("--repeat", type=int, default=3, help="repeats of a row in its process (default 3)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds through all rows (default 3)")
    parser.add_argument("--core", type=int, default=0, help="core to run on (default 0)")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2], help="ranks of the MPI rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there too")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job:
        work(json.loads(args.job))
        return
    if args.model is None:
        args.model = ROOT / "inputs/models/organic-small.safetensors"
    args.model = args.model.resolve()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(args, Path(folder))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
