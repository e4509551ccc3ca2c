"""The native engine alone, through its C interface: microseconds per edge by instruction set, precision and
threads, a profile by section, and how far it is from the arithmetic it cannot do without.

    python scripts/benchmarks/bench_engine.py [--atoms 213 3834] [--threads 1 2] [--repeat 9] [--no-graph]

The liquid of inputs/ is replicated; all rows see the same edges. Rows take turns, so that a busy machine
troubles all of them alike, and each is the best of its repeats (CPU time for one thread, the clock for more).
Peers in the same run: the compiled graph with our operators (``.nequip.pt2``, called with chunks of 1,000
edges as the pair style calls it), and the floor, which is the count of operations over the speed of a matrix
product (numpy's BLAS, one thread).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import read
from bench_pair import LIQUID, ROOT, replication
from matscipy.neighbours import neighbour_list

from e3d_lmp.model.engine import EngineModel, Evaluator, instruction_sets

CHUNK_EDGES = 1000


@dataclass
class Edges:
    """The liquid's edges, sorted by centre."""

    atoms: int
    first: np.ndarray
    types: np.ndarray
    neighbour: np.ndarray
    neighbour_types: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of_liquid(cls, atoms: int, type_names: tuple[str, ...], cutoff: float) -> Edges:
        structure = read(LIQUID, format="lammps-data", atom_style="atomic").repeat(replication(atoms))
        centre, neighbour, vectors = neighbour_list("ijD", structure, cutoff)
        order = np.argsort(centre, kind="stable")
        types = np.array([type_names.index(symbol) for symbol in structure.get_chemical_symbols()])
        first = np.searchsorted(centre[order], np.arange(len(structure) + 1))
        neighbour = neighbour[order].astype(np.int64)
        return cls(len(structure), first, types, neighbour, types[neighbour], vectors[order])


@dataclass
class Row:
    """One way to evaluate, and its best times so far."""

    name: str
    call: Callable[[], float]
    threads: int = 1
    energy: float = 0.0
    cpu: float = field(default=float("inf"))
    clock: float = field(default=float("inf"))

    def take_turn(self) -> None:
        cpu, clock = time.process_time(), time.perf_counter()
        self.energy = self.call()
        self.cpu = min(self.cpu, time.process_time() - cpu)
        self.clock = min(self.clock, time.perf_counter() - clock)

    @property
    def seconds(self) -> float:
        return self.cpu if self.threads == 1 else self.clock


def engine_row(
    path: Path, edges: Edges, instruction_set: str, precision: str, threads: int
) -> tuple[Row, Evaluator]:
    """A row of the engine."""
    evaluator = Evaluator(EngineModel(path, precision, instruction_set), threads)

    def call() -> float:
        out = evaluator.evaluate(edges.first, edges.types, edges.neighbour_types, edges.vectors)
        return float(out.energy.sum())

    return Row(f"{instruction_set} {precision}", call, threads), evaluator


def graph_row(path: Path, edges: Edges, n_types: int, r_max: float) -> Row:
    """A row of the compiled graph: its chunks are laid out beforehand, only the calls are timed."""
    import torch

    from e3d_lmp.model.file import open_model_file

    torch.set_num_threads(1)
    model = open_model_file(path, "cpu")
    calls, begin = [], 0
    pad = np.array([[1.5 * r_max, 0.0, 0.0]])
    while begin < edges.atoms:
        end = int(np.searchsorted(edges.first, edges.first[begin] + CHUNK_EDGES, "right")) - 1
        end = min(max(end, begin + 1), edges.atoms)
        part = slice(edges.first[begin], edges.first[end])
        n = end - begin
        centre = np.repeat(np.arange(n), np.diff(edges.first[begin : end + 1]))
        index = np.stack(
            [np.append(centre, [n, n]), np.append(n + 1 + edges.neighbour_types[part], [n + 1, n + 1])]
        )
        slots = np.concatenate([edges.types[begin:end], [0], np.arange(n_types)])
        vectors = np.concatenate([edges.vectors[part], pad, -pad])
        calls.append((n, [torch.as_tensor(a) for a in (vectors, index, slots)]))
        begin = end

    def call() -> float:
        return sum(float(model(*inputs)[0][:n].sum()) for n, inputs in calls)

    return Row("compiled graph, float32", call)


def kiloflops(model: EngineModel) -> float:
    """Operations of one edge, forward and backward, without those once per centre and without activations."""
    meta = model.metadata
    layers, channels = int(meta["num_layers"]), int(meta["num_tensor_features"])
    hidden, readout = int(meta["layers.0.latent.width"]), int(meta["readout.width"])
    irreps = int(meta["l_max"]) + 1
    components = irreps * irreps
    forward = layers * channels * hidden + hidden**2 * layers * (layers - 1) // 2 + readout * hidden * layers
    forward += (layers - 1) * components * hidden + layers * channels * (components + irreps)
    forward += components * channels
    columns = layers * hidden + readout + 2 * irreps * channels
    return (2 * 2 * forward + 20 * columns) / 1e3  # a multiply-add is two, back as much as forward


def product_speed(dtype: str) -> float:
    """GFLOP/s of a matrix product of numpy's BLAS on one thread."""
    a = np.random.default_rng(1).normal(size=(768, 768)).astype(dtype)
    row = Row("product", lambda: float((a @ a)[0, 0]))
    for _ in range(9):
        row.take_turn()
    return 2.0 * len(a) ** 3 / row.cpu / 1e9


def make_files(package: Path, folder: Path, graph: bool) -> tuple[Path, Path | None]:
    """The engine's file and the compiled graph of a package."""
    from e3d_lmp.model.export import export_model

    weights = folder / "model.safetensors"
    export_model(package, weights)
    compiled = package.with_name(package.name.removesuffix(".zip") + ".pt2")
    if not graph:
        return weights, None
    if not compiled.exists():
        compiled = folder / "model.nequip.pt2"
        print("compiling the graph", file=sys.stderr, flush=True)
        export_model(package, compiled)
    return weights, compiled


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--package", type=Path, default=ROOT / "inputs/models/organic-small.nequip.zip")
    parser.add_argument("--atoms", type=int, nargs="+", default=[213, 3834])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--no-graph", action="store_true", help="leave the compiled graph out")
    args = parser.parse_args()
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    if not one_thread.items() <= os.environ.items():  # BLAS reads them when it is loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | one_thread)
    with tempfile.TemporaryDirectory() as folder:
        weights, compiled = make_files(args.package, Path(folder), not args.no_graph)
        model = EngineModel(weights)
        work = kiloflops(model)
        speed = {dtype: product_speed(dtype) for dtype in ("float32", "float64")}
        floor = {dtype: work / speed[dtype] for dtype in speed}  # kFLOP over GFLOP/s: microseconds
        print(
            f"{work:.0f} kFLOP per edge; a matrix product: {speed['float32']:.0f} GFLOP/s in float32, ",
            end="",
        )
        print(
            f"{speed['float64']:.0f} in float64; floor {floor['float32']:.2f} and {floor['float64']:.2f} us\n"
        )
        for atoms in args.atoms:
            measure(args, weights, compiled, model, atoms, floor)


def measure(
    args: argparse.Namespace,
    weights: Path,
    compiled: Path | None,
    model: EngineModel,
    atoms: int,
    floor: dict[str, float],
) -> None:
    """The table and the profile of one size."""
    edges = Edges.of_liquid(atoms, model.type_names, model.r_max)
    count = len(edges.vectors)
    rows: list[Row] = []
    timed: Any = None
    for precision in ("float32", "float64"):
        for instruction_set in instruction_sets():
            for threads in args.threads:
                if threads > 1 and instruction_set != instruction_sets()[0]:
                    continue
                row, evaluator = engine_row(weights, edges, instruction_set, precision, threads)
                timed = timed or evaluator
                rows.append(row)
    if compiled is not None:
        rows.append(graph_row(compiled, edges, len(model.type_names), model.r_max))
    for turn in range(args.repeat + 1):
        for row in rows:
            row.take_turn()
            if turn == 0:
                row.cpu = row.clock = float("inf")  # warms up
    best = rows[0].seconds
    graph = rows[-1].seconds if compiled is not None else None
    print(f"{edges.atoms} atoms, {count} edges\n")
    print(
        "| | threads | us per edge | of the first row | of the graph | of the floor |\n"
        "|:--|--:|--:|--:|--:|--:|"
    )
    for row in rows:
        micro = row.seconds / count * 1e6
        dtype = "float64" if "float64" in row.name else "float32"
        share = f"{row.seconds / graph:.2f}" if graph else ""
        print(
            f"| {row.name} | {row.threads} | {micro:.3f} | {row.seconds / best:.2f} | {share} "
            f"| {micro * row.threads / floor[dtype]:.2f} |"
        )
    spread = max(abs(row.energy - rows[0].energy) for row in rows) / edges.atoms
    assert spread < 1e-5, f"energies differ by {spread:.1e} eV per atom"
    print("\n" + profile(edges, timed, args.repeat))


def profile(edges: Edges, evaluator: Evaluator, repeat: int) -> str:
    """Share of each section in the first row: the best of each over repeats."""
    evaluator.take_cycles()
    best: dict[str, int] = {}
    for _ in range(repeat):
        evaluator.evaluate(edges.first, edges.types, edges.neighbour_types, edges.vectors)
        for name, cycles in evaluator.take_cycles().items():
            best[name] = min(cycles, best.get(name, cycles))
    total = sum(best.values()) or 1
    parts = ", ".join(f"{name} {100 * cycles / total:.0f} %" for name, cycles in best.items())
    return f"sections of the first row: {parts}\n"


if __name__ == "__main__":
    main()
