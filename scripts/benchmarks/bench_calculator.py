"""Cost of a model from Python: ASE calculators beside each other, and ``e3d evaluate``.

    python scripts/benchmarks/bench_calculator.py inputs/models/organic-small.nequip.zip
    python scripts/benchmarks/bench_calculator.py PACKAGE --structures molecules.h5 --limit 5000

Steps of ASE's dynamics on the liquid of inputs/, replicated: energy, forces and stress of each. Rows:

- ``E3DCalculator``: of the package as .safetensors in float32 and in float64, and as .nequip.pt2;
- ``nequip``: nequip's own calculator, on what ``nequip-compile --target ase --mode aotinductor`` makes of the
  package, and on the uncompiled model.

With ``--structures``, ``e3d evaluate FILE -o STORE`` as a whole, process and HDF5 included, by the engine and
by torch. Calculators take turns, step by step, so that a busy machine troubles all alike; the shortest step
counts, and of e3d evaluate the shortest of its runs. All have --threads threads. Energies are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bench_pair import ELEMENTS, LIQUID, LIQUID_ATOMS, replication

BIN = Path(sys.executable).parent
OURS = ("engine, float32", "engine, float64", "pt2")
PEER = "nequip, compiled"
RELATIVE_ENERGY = 1e-5


def make_files(package: Path, folder: Path, structures: Path | None) -> dict[str, Path]:
    """The package in every form."""
    files = {name: folder / f"model.{name}" for name in ("safetensors", "nequip.pt2", "ase.nequip.pt2")}
    commands = [[BIN / "e3d", "export", package, files[name]] for name in ("safetensors", "nequip.pt2")]
    if structures is None:
        nequip = [BIN / "nequip-compile", package, files["ase.nequip.pt2"], "--device", "cpu"]
        commands.append([*nequip, "--mode", "aotinductor", "--target", "ase"])
    for command in commands:
        print("  " + " ".join(map(str, command)), file=sys.stderr, flush=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return files


def calculators(package: Path, files: dict[str, Path], threads: int) -> dict[str, Any]:
    """Each by the name of its row."""
    import torch
    from nequip.integrations.ase import NequIPCalculator

    from e3d_lmp import E3DCalculator

    torch.set_num_threads(threads)
    return {
        "engine, float32": E3DCalculator(files["safetensors"], threads=threads),
        "engine, float64": E3DCalculator(files["safetensors"], precision="float64", threads=threads),
        "pt2": E3DCalculator(files["nequip.pt2"], threads=threads),
        PEER: NequIPCalculator.from_compiled_model(str(files["ase.nequip.pt2"]), device="cpu"),
        "nequip, uncompiled": NequIPCalculator._from_saved_model(str(package), device="cpu"),
    }


def bench_calculators(args: argparse.Namespace, files: dict[str, Path]) -> list[dict[str, Any]]:
    """Seconds of the shortest step of each, at each size."""
    from ase.data import atomic_numbers
    from ase.io import read

    everyone = calculators(args.model, files, args.threads)
    numbers = {k: atomic_numbers[element] for k, element in enumerate(ELEMENTS, 1)}
    rows = []
    for wanted in args.atoms:
        copies = replication(wanted)
        atoms = read(LIQUID, format="lammps-data", atom_style="atomic", Z_of_type=numbers) * copies
        rng = np.random.default_rng(1)
        seconds: dict[str, list[float]] = {name: [] for name in everyone}
        for step in range(args.repeat + 1):
            atoms.positions += rng.normal(0.0, 0.01, atoms.positions.shape)  # as in dynamics: lists are kept
            energies = {}
            for name, calc in everyone.items():
                start = time.perf_counter()
                calc.calculate(atoms, ["energy", "forces", "stress"])
                if step:
                    seconds[name].append(time.perf_counter() - start)
                energies[name] = calc.results["energy"]
            if np.ptp(list(energies.values())) > RELATIVE_ENERGY * abs(energies[PEER]):
                raise RuntimeError(f"the energies differ: {energies}")
        edges = len(everyone[OURS[0]].results["edges"].i)
        for name, times in seconds.items():
            rows.append({"row": name, "atoms": len(atoms), "edges": edges, "seconds": min(times)})
            print(f"  {rows[-1]}", file=sys.stderr, flush=True)
    return rows


def bench_evaluate(args: argparse.Namespace, files: dict[str, Path]) -> list[dict[str, Any]]:
    """Seconds of the shortest ``e3d evaluate`` by the engine and by torch, which take turns."""
    kinds = {"engine": files["safetensors"], "pt2": files["nequip.pt2"]}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    store = files["safetensors"].with_name("edges.h5")
    environment = os.environ | {"OMP_NUM_THREADS": str(args.threads)}
    for _ in range(args.repeat):
        for name, file in kinds.items():
            command = [
                BIN / "e3d",
                "evaluate",
                file,
                args.structures,
                "-o",
                store,
                "--overwrite",
                "--skip-unknown",
            ]
            command += ["--forces", "--limit", str(args.limit)]
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=environment)
            seconds[name].append(time.perf_counter() - start)
    return [{"row": name, "structures": args.limit, "seconds": min(times)} for name, times in seconds.items()]


def table(rows: list[dict[str, Any]], peer: str, size: str, per: str) -> str:
    """Markdown: time per edge or structure, and the ratio to the peer of the same size."""
    lines = [f"| {size} | row | {per} | over {peer} |", "|---|---|---|---|"]
    for row in rows:
        other = next(one for one in rows if one["row"] == peer and one[size] == row[size])
        each = 1e6 * row["seconds"] / row.get("edges", row[size])
        lines.append(
            f"| {row[size]:,} | {row['row']} | {each:.2f} | {other['seconds'] / row['seconds']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="nequip package")
    parser.add_argument(
        "--structures", type=Path, metavar="FILE", help="time e3d evaluate on this file instead"
    )
    parser.add_argument("--limit", type=int, default=2000, metavar="N", help="of its structures the first N")
    parser.add_argument("--atoms", type=int, nargs="+", default=[LIQUID_ATOMS, 16 * LIQUID_ATOMS])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--output", type=Path, help="write the rows here as JSON")
    args = parser.parse_args()
    bench: Callable[..., list[dict[str, Any]]] = bench_evaluate if args.structures else bench_calculators
    with tempfile.TemporaryDirectory() as folder:
        rows = bench(args, make_files(args.model, Path(folder), args.structures))
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(rows, indent=2) + "\n")
    if args.structures:
        print(table(rows, "pt2", "structures", "µs/structure"))
    else:
        print(table(rows, PEER, "atoms", "µs/edge"))


if __name__ == "__main__":
    main()
