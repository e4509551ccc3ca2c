"""What the terms of `e3d_lmp.training.heat_flux` do in silver iodide, ordered and superionic.

    python scripts/heat/ionic.py run out/ionic            # hours on one core; goes on where it was stopped
    python scripts/heat/ionic.py run out/ionic --only 'plain*'       # those steps alone whose file matches
    python scripts/heat/ionic.py report out/ionic -o scripts/heat/ionic.json --figures docs/images

The pair potential of `silver_iodide` has a current that is known exactly. Small Allegro models, alike but for
the terms in the loss and the seed, learn its energies, forces and stresses. Then come their errors, their
currents along trajectories of the exact potential, and conductivities by Green-Kubo and HNEMD of their own
runs. Every step is one file, written whole; the report is of what is there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from e3d_lmp.files import make_folder
from ionic_data import label_currents, label_frames
from runs import keep_settings

EXACT = "exact"
TERMS: dict[str, dict[str, float]] = {
    "plain": {},
    "flux-1e-7": {"heat_flux": 1e-7},
    "flux-1e-6": {"heat_flux": 1e-6},
    "flux-1e-5": {"heat_flux": 1e-5},
    "flux-1e-4": {"heat_flux": 1e-4},
    "asymmetry-0.01": {"asymmetry": 0.01},
    "asymmetry-0.1": {"asymmetry": 0.1},
    "asymmetry-1": {"asymmetry": 1.0},
    "asymmetry-10": {"asymmetry": 10.0},
    "difference-1e-5": {"difference": 1e-5},
    "difference-1e-4": {"difference": 1e-4},
}
"""Coefficients of `HeatFluxModule` for each model, whose name says them."""
SEEDS = (1, 2, 3)
SIZES = {
    "frames": 30,  # at each of six temperatures
    "apart": 250,  # steps between two of them
    "equilibrate": 5000,  # steps before each run
    "training": 1000,  # steps, of one frame each
}
LOSS = """
metrics:
  - name: per_atom_energy_huber
    field: {_target_: nequip.data.PerAtomModifier, field: total_energy}
    coeff: 40.0
    metric: {_target_: nequip.train.HuberLoss, delta: 0.02}
  - name: forces_huber
    field: forces
    coeff: 1.0
    metric: {_target_: nequip.train.HuberLoss, delta: 0.2}
  - name: stress_huber
    field: stress
    coeff: 500.0
    metric: {_target_: nequip.train.HuberLoss, delta: 0.01}
"""


def train(term: str, seed: int, folder: Path, sizes: dict[str, int]) -> None:
    """One training run, up to the model for the native engine."""
    from e3d_lmp import cli

    name = f"{term}.{seed}"
    module: dict[str, Any] = {"_target_": "e3d_lmp.training.heat_flux.HeatFluxModule"}
    module |= {"temperature": 450.0, "loss": yaml.safe_load(LOSS)} | TERMS[term]
    config: dict[str, Any] = {"defaults": ["e3d", "_self_"], "tensor": 8, "l_max": 1, "num_layers": 1}
    config |= {"batch": 1, "learning_rate": 0.01, "ema_decay": 0.99, "steps": sizes["training"]}
    config |= {"seed": seed, "training_module": module}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    data = folder / ("data_currents" if "difference" in term else "data")
    if cli.main(["train", str(folder / f"{name}.yaml"), str(data), "-o", str(folder / name)]):
        raise SystemExit(f"training of {name} stopped")


def steps_of(folder: Path) -> dict[str, Callable[[Path, dict[str, int]], None]]:
    """What makes each file of the folder, in their order."""
    steps: dict[str, Callable[[Path, dict[str, int]], None]] = {"data/manifest.json": label_frames}
    steps["data_currents/manifest.json"] = label_currents
    for seed in SEEDS:
        for term in TERMS:
            steps[f"{term}.{seed}/test.json"] = partial(train, term, seed)
    return steps


def run(folder: Path, only: str = "*", sizes: dict[str, int] = SIZES) -> None:
    """Every step whose file is not there, one after the other; refuses a folder of other sizes."""
    make_folder(folder)
    keep_settings(folder / "sizes.json", sizes)
    torch.set_num_threads(1)
    steps = steps_of(folder)
    for number, (file, step) in enumerate(steps.items(), start=1):
        if fnmatch(file, only) and not (folder / file).exists():
            print(f"{number}/{len(steps)}: {file}", flush=True)
            step(folder, sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["run", "report"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="*", help="run: files that match, as in 'plain.*'")
    args = parser.parse_args()
    run(args.folder, args.only)


if __name__ == "__main__":
    main()
