"""MACE as a peer of a study of extrapolation: the same frames, one model for each member, judged on all.

    python -m venv mace && mace/bin/pip install mace-torch
    PYTHONPATH=python mace/bin/python scripts/polymer/mace_peer.py STUDY.yaml OUT [--epochs 20]

needs an environment of its own, because mace-torch asks for exactly e3nn 0.4.4 and nequip for a newer one;
of this package it needs the Python files alone. Cutoff, frames of training (with the molecules apart, if the
study asks for them) and held-out frames are the study's; the loss is MACE's own. It goes on where it was
stopped and writes ``OUT/mace.json``, matrices of train x test as in ``extrapolation.json`` with null for
what is not trained yet, and pictures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms

from e3d_lmp.figures import save_figure
from e3d_lmp.figures.extrapolation import plot_matrices, plot_shift
from e3d_lmp.files import write_json
from e3d_lmp.study.extrapolation.errors import Judgement, error_matrices
from e3d_lmp.study.extrapolation.family import VALIDATION, elements_of
from e3d_lmp.study.extrapolation.molecules import MolecularFrame
from e3d_lmp.study.extrapolation.plan import ExtrapolationPlan, read_plan
from e3d_lmp.tables import without_nan

MODEL = {"num_channels": 8, "max_L": 0, "max_ell": 2, "correlation": 2, "num_interactions": 2}
"""Small, as the study's Allegro is; two interactions see twice the cutoff."""

EMPTY = 20.0
"""angstrom, between the molecules of a frame without a cell and their images; more than twice any cutoff."""


def atoms_of(frame: MolecularFrame) -> Atoms:
    """A frame for MACE with its labels: cohesive energy, eV, and forces, eV/angstrom."""
    atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True)
    if not frame.is_periodic:
        # MACE's search for neighbours takes minutes for long frames without a cell: one that no edge crosses
        atoms.set_cell(np.ptp(frame.positions, axis=0) + EMPTY)
    atoms.info["REF_energy"] = frame.energy
    atoms.arrays["REF_forces"] = frame.forces
    return atoms


def train(plan: ExtrapolationPlan, member: str, folder: Path, epochs: int, batch: int) -> Path:
    """The model of a member, trained unless it is there."""
    model = folder / "peer.model"
    if model.exists():
        return model
    folder.mkdir(parents=True, exist_ok=True)
    frames = plan.learnt(member)
    order = np.random.default_rng(1).permutation(len(frames))
    validation = max(1, round(VALIDATION * len(frames)))
    for name, chosen in (("valid", order[:validation]), ("train", order[validation:])):
        ase.io.write(folder / f"{name}.xyz", [atoms_of(frames[k]) for k in chosen], format="extxyz")
    words: dict[str, Any] = {
        "name": "peer", "work_dir": folder, "train_file": folder / "train.xyz",
        "valid_file": folder / "valid.xyz", "E0s": "{1: 0.0, 6: 0.0}", "energy_key": "REF_energy",
        "forces_key": "REF_forces", "r_max": plan.r_max, "batch_size": batch, "valid_batch_size": batch,
        "max_num_epochs": epochs, "default_dtype": "float32", "device": "cpu", "seed": 1, "ema_decay": 0.99,
        "plot": False, "model": "ScaleShiftMACE", **MODEL,
    }  # fmt: skip
    command = [sys.executable, "-m", "mace.cli.run_train", "--ema", "--restart_latest"]
    command += [f"--{key}={value}" for key, value in words.items()]
    with open(folder / "train.log", "w") as log:
        subprocess.run(command, check=True, stdout=log, stderr=subprocess.STDOUT)
    if not model.exists():
        raise SystemExit(f"{folder}: MACE left no {model.name}; its log is train.log there")
    return model


def judge(model: Path, frames: Sequence[MolecularFrame]) -> dict[str, Any]:
    """Energies of a model on frames beside their labels, eV, and its mean error of force components."""
    from mace.calculators import MACECalculator

    calculator = MACECalculator(model_paths=[str(model)], device="cpu", default_dtype="float32")
    energies, errors = [], []
    for frame in frames:
        atoms = atoms_of(frame)
        atoms.calc = calculator
        energies.append(float(atoms.get_potential_energy()))
        errors.append(np.abs(atoms.get_forces() - frame.forces).mean())
    return {
        "atoms": [len(frame.numbers) for frame in frames],
        "energy": energies,
        "reference": [frame.energy for frame in frames],
        "force_error": float(np.mean(errors)),
    }


def judgement_of(own: dict[str, Any]) -> Judgement:
    """What `judge` found, as arrays."""
    energy, reference, atoms = (np.array(own[key]) for key in ("energy", "reference", "atoms"))
    return Judgement(atoms, energy, reference, own["force_error"])


def main() -> None:
    """Train and judge what is missing, and write the matrices."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="configuration of e3d study extrapolation")
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=20, help="of each training (default 20)")
    parser.add_argument("--batch", type=int, default=4, help="frames in a step (default 4)")
    parser.add_argument("--only", nargs="*", metavar="MEMBER", help="members to train (default: all)")
    args = parser.parse_args()
    plan = read_plan(args.study, args.out)
    frames = plan.frames()
    members = [one.name for one in plan.members]
    if elements_of(frames) != ["H", "C"]:
        raise SystemExit(f"expected molecules of carbon and hydrogen, got {' '.join(elements_of(frames))}")
    for member in args.only or members:
        done = args.out / member / "asked.json"
        if not done.exists():
            begin = time.monotonic()
            model = train(plan, member, args.out / member, args.epochs, args.batch)
            minutes = (time.monotonic() - begin) / 60.0
            asked = {name: judge(model, own.held_out) for name, own in frames.items()}
            write_json(done, {"minutes": minutes, "epochs": args.epochs, "asked": asked})
            print(f"{member}: {minutes:.1f} minutes", flush=True)
    found = {m: json.loads(p.read_text()) for m in members if (p := args.out / m / "asked.json").exists()}
    if len(found) < 2:
        return
    judged = {
        (one, other): [judgement_of(own)]
        for one, rows in found.items()
        for other, own in rows["asked"].items()
    }
    matrices = error_matrices(judged, {name: frames[name].composition for name in members}, plan.excluded)
    line = matrices.line
    about = {
        "model": {**MODEL, "r_max": plan.r_max},
        "epochs": args.epochs,
        "members": members,
        "energy_eV_per_atom": without_nan(matrices.energy),
        "force_eV_per_A": without_nan(matrices.force),
        "shift_eV_per_atom": without_nan(matrices.shift),
        "corrected_eV_per_atom": without_nan(matrices.corrected),
        "line": vars(line),
        "beyond": {
            one.name: {
                name: {
                    "energy_eV_per_atom": judged[name, one.name][0].energy_error,
                    "force_eV_per_A": judged[name, one.name][0].force_error,
                }
                for name in found
            }
            for one in plan.beyond
        },
    }  # fmt: skip
    save_figure(
        plot_matrices(
            members,
            {
                "energy": (1e3 * matrices.energy, "MAE (meV per atom)"),
                "force": (1e3 * matrices.force, "MAE (meV/Å)"),
                "energy, shift taken off": (1e3 * matrices.corrected, "MAE (meV per atom)"),
            },
        ),
        args.out / "mace.png",
    )
    fitted = [name not in plan.excluded for name in members]
    shift = plot_shift(
        members, matrices.differences, matrices.shift, fitted, line.slope, line.intercept, line.pearson
    )
    save_figure(shift, args.out / "mace_shift.png")
    write_json(args.out / "mace.json", about)


if __name__ == "__main__":
    main()
