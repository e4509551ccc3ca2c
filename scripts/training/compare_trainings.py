"""Short trainings of a small model that differ in one thing: what it does to errors, to CPU time and to D.

    python compare_trainings.py DATA FOLDER locality -o compare_locality.json --figure training_locality.png
    python compare_trainings.py DATA FOLDER speed -o compare_speed.json

DATA is a folder of ``e3d data prepare``. Every training is an ``e3d train`` in a folder of its own, which is
gone on with if it is there, and so is ``e3d bde`` of its model; rows that are done are written at any time.
``locality`` is a series of strengths of that term of the loss; ``speed`` compares layers, batches and
optimisers at about equal CPU time, for which the steps were chosen (SOAP: ``pip install pytorch_optimizer``).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from e3d_lmp.edges.cutoffs import covalent_radii
from e3d_lmp.edges.evaluator import EdgeEvaluator
from e3d_lmp.files import read_json, write_json
from e3d_lmp.training.held_out_errors import edges_of, read_frames
from e3d_lmp.training.locality import END
from e3d_lmp.training.paths import CHECKPOINT
from e3d_lmp.training.run_config import read_data

TENSOR = 8
MOLECULES = (
    "CCO CCC CCCC CC(C)C CC=O CC(C)=O CN CCN CNC CO COC CC(=O)O CC(N)=O C=CC CC#N CC#C C=O NO OO NN CS CSC "
    "CF CCl CCF CCCl c1ccccc1 Cc1ccccc1 Oc1ccccc1 Nc1ccccc1 c1ccncc1 FCCO NCCO OCCO OCC=O NC=O"
).split()
"""Whose bonds are broken with the fragments as they are; 36 molecules."""
LEAST = 5
"""Bonds that a type must have for a correlation within it."""


@dataclass(frozen=True)
class Variant:
    """A training: its steps, and what its configuration says."""

    steps: int
    words: tuple[str, ...] = ()


SOAP = (
    "training_module.optimizer._target_=pytorch_optimizer.SOAP",
    "+training_module.optimizer.weight_decay=0.0",
)
GROUPS = {
    "locality": {f"{value:g}": Variant(2000, (f"locality={value}",)) for value in (0.0, 0.3, 3.0, 0.03)},
    "speed": {
        "edge": Variant(800, ("layers=edge",)),
        "centre": Variant(1600),
        "centre, 20 frames": Variant(700, ("batch=20",)),
        "centre, SOAP": Variant(1350, SOAP),
    },
}


def train(variant: Variant, seed: int, data: Path, run: Path) -> float | None:
    """Train, or go on; CPU seconds of the training, with its start and its end. None where it was stopped
    before: what was done until then nobody has counted."""
    known = run / "cpu.json"
    if known.exists():
        return read_json(known)["seconds"]
    begun = (run / CHECKPOINT).exists()
    words = [f"tensor={TENSOR}", f"seed={seed}", "val_every=500", *variant.words]
    command = [sys.executable, "-m", "e3d_lmp", "train", "tensor32", str(data), "-o", str(run)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, "--steps", str(variant.steps), "--set", *words], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = None if begun else after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    write_json(known, {"seconds": seconds})
    return seconds


def energy_beyond_bonds(model: Path, data: Path) -> dict[str, float]:
    """Of all held-out frames: the share of E_coh on pairs beyond `END`, and the root mean square of their
    eps, eV."""
    evaluator = EdgeEvaluator(model, "cpu")
    radii = np.array([covalent_radii()[name] for name in read_data(data).elements])
    far, whole = [], 0.0
    for frame in read_frames(data / "test.lmdb"):
        types = frame["atom_types"].reshape(-1).numpy()
        edges = edges_of(frame)
        eps = evaluator.evaluate(edges, types).edge_energy
        x = np.linalg.norm(edges.vec, axis=1) / (radii[types[edges.i]] + radii[types[edges.j]])
        far.append(eps[x > END])
        whole += float(eps.sum())
    all_far = np.concatenate(far)
    return {"far_share": float(all_far.sum()) / whole, "far_rms_eV": float(np.sqrt((all_far**2).mean()))}


def within_types(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Spearman correlation of -D with the model's own BDE of frozen fragments: of all bonds, and within types
    (mean over types of at least `LEAST` bonds, by their number)."""
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if row["BDE_frozen_eV"] is not None:
            pairs[row["type"]].append((-row["D_eV"], row["BDE_frozen_eV"]))
    every = np.array([pair for some in pairs.values() for pair in some])
    types = {
        kind: float(spearmanr(*np.array(some).T).statistic)
        for kind, some in pairs.items()
        if len(some) >= LEAST
    }
    weights = [len(pairs[kind]) for kind in types]
    return {
        "bonds": len(every),
        "spearman": float(spearmanr(*every.T).statistic),
        "spearman_within": float(np.average(list(types.values()), weights=weights)),
        "spearman_of_types": types,
    }


def row_of(group: str, name: str, seed: int, data: Path, folder: Path) -> dict[str, Any]:
    """Train and look at the model."""
    variant = GROUPS[group][name]
    run = folder / f"{group}_{name.replace(', ', '_').replace(' ', '_')}_s{seed}"
    seconds = train(variant, seed, data, run)
    errors = read_json(run / "test.json")["subsets"]["all"]
    row = {"variant": name, "seed": seed, "steps": variant.steps}
    row |= {key: errors[key] for key in ("energy_mae", "forces_mae")}
    if group != "locality":
        return row | {"cpu_seconds": seconds}
    bde = run / "bde"
    if not (bde / "bde.json").exists():
        command = [sys.executable, "-m", "e3d_lmp", "bde", str(run / "model.safetensors"), "-o", str(bde)]
        command += ["--no-relax", "--jobs", "1", "--smiles", *MOLECULES]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found = read_json(bde / "bde.json")
    delta = {table: values["mean_over_types"] for table, values in found["delta_bde"].items()}
    return (
        row
        | energy_beyond_bonds(run / "model.safetensors", data)
        | {"delta_bde": delta}
        | within_types(found["rows"])
    )


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Four panels against the strength; a dot for each seed, a line through their means."""
    from e3d_lmp.figures.style import new_figure, save_figure

    panels: dict[str, dict[str, Any]] = {
        "held-out error over that without": {
            "energy per atom": lambda row: row["energy_mae"],
            "force": lambda row: row["forces_mae"],
        },
        "share of E_coh beyond bonds": {"": lambda row: row["far_share"]},
        "Δ_BDE, eV": {
            table: (lambda row, table=table: row["delta_bde"][table]) for table in rows[0]["delta_bde"]
        },
        "Spearman of −D with BDE": {
            "all bonds": lambda row: row["spearman"],
            "within types": lambda row: row["spearman_within"],
        },
    }
    strengths = sorted({float(row["variant"]) for row in rows})
    place = {strength: k for k, strength in enumerate(strengths)}
    figure = new_figure(13.0, 3.0)
    axes = figure.subplots(1, 4)
    for axis, (title, curves) in zip(axes, panels.items(), strict=True):
        for label, value in curves.items():
            points = [(place[float(row["variant"])], value(row)) for row in rows]
            base = np.mean([y for x, y in points if x == 0]) if "over" in title else 1.0
            means = [np.mean([y for x, y in points if x == k]) / base for k in range(len(strengths))]
            (line,) = axis.plot(range(len(strengths)), means, label=label)
            axis.plot(
                [x for x, _ in points], [y / base for _, y in points], "o", color=line.get_color(), ms=3
            )
        axis.set_xticks(range(len(strengths)), [f"{strength:g}" for strength in strengths])
        axis.set(title=title, xlabel="locality, 1/eV²")
        if len(curves) > 1:
            axis.legend(fontsize=8)
    save_figure(figure, path)


def main() -> None:
    """Train what is missing, write the rows, draw them."""
    parser = argparse.ArgumentParser(description="short trainings that differ in one thing")
    parser.add_argument("data", type=Path, help="folder of e3d data prepare")
    parser.add_argument("folder", type=Path, help="of the trainings")
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("-o", "--output", type=Path, required=True, help="write the rows here as JSON")
    parser.add_argument("--figure", type=Path, help="of locality: draw the rows here")
    args = parser.parse_args()
    rows = []
    for seed in args.seeds:
        for name in GROUPS[args.group]:
            rows.append(row_of(args.group, name, seed, args.data, args.folder))
            print(json.dumps(rows[-1]), flush=True)
            write_json(args.output, rows)
    if args.figure:
        draw(rows, args.figure)


if __name__ == "__main__":
    main()
