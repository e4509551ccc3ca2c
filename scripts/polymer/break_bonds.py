"""Does a model that saw ethane to butane break the bonds of longer alkanes at the right energy?

    python scripts/polymer/break_bonds.py DATA OUT [--steps 20000] [--seeds 1]

DATA is the folder of the public Alkane-Dataset (Hu, Johannesen, Graham, Goodpaster 2023): ANI layout,
wB97x/6-31G(d), energies alone, a C-C bond breaking in each file. A small Allegro learns the energies of the
files of `TRAINED_ON` (no forces: force_weight 0), and gives those of all longer alkanes. OUT gets
``break_bonds.json`` and ``break_bonds.png``; trainings go on where they stopped. No model and no frame of
this set is kept in the repository: it states no licence.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.edges.evaluate import evaluate_structures
from e3d_lmp.edges.evaluator import EdgeEvaluator
from e3d_lmp.edges.isolated_atoms import cohesive_energy, isolated_atom_energies
from e3d_lmp.edges.structures import Structures
from e3d_lmp.figures.extrapolation import plot_dissociation
from e3d_lmp.figures.style import save_figure
from e3d_lmp.files import write_json
from e3d_lmp.study.extrapolation.breaking import BreakingBond, breaking_bond
from e3d_lmp.training.data.prepare import prepare
from e3d_lmp.training.data.recipe import parse_recipe
from e3d_lmp.training.finish import package_and_export
from e3d_lmp.training.run import train
from e3d_lmp.training.run_config import Options, PreparedData, compose, read_data

LEVEL = "wB97x/6-31G(d)"
TRAINED_ON = ("C2H6", "C3H8", "C4H10_12", "C4H10_23")
ASKED_FOR = ("C4H10_12", "C4H10_23", "C6H14_12", "C6H14_23", "C6H14_34",
             "C8H18_12", "C8H18_23", "C8H18_34", "C8H18_45")  # fmt: skip
DRAWN = "C8H18"
VALUES = {"tensor": 8, "l_max": 2, "num_layers": 2, "batch": 16, "learning_rate": 0.004, "force_weight": 0.0,
          "energy_weight": 1.0, "val_every": 2000}  # fmt: skip
R_MAX = 5.0


def recipe(data: Path) -> dict[str, Any]:
    """Nine tenths of the frames of each file to train with. Frames are split, not molecules: all that is
    reported is of molecules that are not there at all, butane apart, and that is said."""
    share = {"train": 1800, "val": 100, "test": 100, "split": "frames"}
    files = [f"{name}_DFT_aseMD.h5" for name in TRAINED_ON]
    return {
        "elements": ["H", "C"],
        "r_max": R_MAX,
        "seed": 1,
        "fractions": {"val": 0.05, "test": 0.05},
        "sources": [
            {"file": str(data / file), "layout": "ani", "level": LEVEL, "forces": "none", "charges": "any",
             "frames": {"*": share}}
            for file in files
        ],
    }  # fmt: skip


def trained(data: PreparedData, run: Path, seed: int, steps: int) -> Path:
    """A model file; the training goes on where it stopped."""
    config = compose("e3d", data, run, Options(steps=steps, values={**VALUES, "seed": seed}))
    train(config, run)
    return package_and_export(run, data, "model").model


def broken(path: Path, models: dict[int, Path]) -> tuple[BreakingBond, dict[int, np.ndarray]]:
    """The frames of a file, and the energies of each model, eV."""
    structures = list(Structures([path]).since())
    atoms = isolated_atom_energies(LEVEL)
    numbers = structures[0].numbers
    energy = cohesive_energy(np.array([one.energy for one in structures]), numbers, atoms)
    bond = breaking_bond(numbers, np.array([one.positions for one in structures]), energy)
    found = {}
    for seed, model in models.items():
        answers = evaluate_structures(EdgeEvaluator(model), enumerate(structures))
        found[seed] = np.array([one.energy for one in answers])
    return bond, found


def main() -> None:
    """Prepare, train, judge, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=20000, help="of each training (default 20000)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    args = parser.parse_args()
    folder = args.out / "data"
    if not (folder / "manifest.json").exists():
        prepare(parse_recipe(recipe(args.data), args.data), folder)
    data = read_data(folder)
    models = {seed: trained(data, args.out / f"seed_{seed}", seed, args.steps) for seed in args.seeds}
    rows, curves = [], {}
    for name in ASKED_FOR:
        bond, found = broken(args.data / f"{name}_DFT_aseMD.h5", models)
        formula = name.partition("_")[0]
        errors = {seed: energy - bond.energy for seed, energy in found.items()}
        rows.append(
            {
                "molecule": formula,
                "bond": bond.bond,
                "frames": len(bond.energy),
                "trained_on": name in TRAINED_ON,
                "D_label_eV": bond.dissociation(bond.energy),
                "D_models_eV": [bond.dissociation(energy) for energy in found.values()],
                "mae_meV_per_atom": [
                    1000 * float(np.abs(one).mean()) / _atoms(formula) for one in errors.values()
                ],
                "mean_error_meV_per_atom": [
                    1000 * float(one.mean()) / _atoms(formula) for one in errors.values()
                ],
            }
        )
        if formula == DRAWN:
            curves[f"{formula} {bond.bond}"] = {
                "label": bond.curve(bond.energy),
                **{f"model, seed {seed}": bond.curve(energy) for seed, energy in found.items()},
            }
    about = {
        "level": LEVEL,
        "trained_on": list(TRAINED_ON),
        "frames": data.frames,
        "steps": args.steps,
        "seeds": args.seeds,
        "r_max_A": R_MAX,
        "training": VALUES,
    }
    write_json(args.out / "break_bonds.json", {**about, "bonds": rows})
    save_figure(plot_dissociation(curves), args.out / "break_bonds.png")
    print(json.dumps(rows, indent=1))


def _atoms(formula: str) -> int:
    """Atoms of C8H18."""
    carbons, _, hydrogens = formula.removeprefix("C").partition("H")
    return int(carbons) + int(hydrogens)


if __name__ == "__main__":
    main()
