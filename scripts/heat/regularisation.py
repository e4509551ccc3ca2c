"""What the terms of `e3d_lmp.training.heat_flux` do to errors, to the heat current and to the conductivity.

    python scripts/heat/regularisation.py run out/regularisation       # goes on where it was stopped
    python scripts/heat/regularisation.py result out/regularisation -o scripts/heat/regularisation.json \\
        --figure docs/images/heat_regularisation.png

Lennard-Jones argon at rho* = 0.6, T* = 1.35, energy and force shifted to 0 at 2 sigma, has a current that is
known exactly: each pair owned by halves. Tiny Allegro models, alike but for the terms in the loss, learn its
energies and forces. Then come the errors of each model and A of all pairs on frames held out; its current
along one trajectory of the exact potential, with what Green-Kubo makes of it; its conductivity by HNEMD.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from e3d_lmp.analysis.heat.conversion import METAL, heat_units
from e3d_lmp.files import make_folder
from e3d_lmp.model.decomposition import EdgeModel, sum_over_edges
from runs import keep_settings, print_result, run_lammps, write_vectorised

EPSILON, SIGMA, MASS = 0.0104, 3.40, 39.948  # eV, angstrom, g/mol
CUTOFF, TEMPERATURE = 2.0 * SIGMA, 162.93
CELLS, FRAME_CELLS = 3, 2  # cubes of 4 atoms along each axis, of runs and of frames to learn from
TIMESTEP, EVERY = 0.008, 4  # ps; steps between two samples of the current
LENGTH, BLOCKS = 6.0, 8  # Green-Kubo: longest correlation time, ps; parts of the trajectory
FORCE = 0.06  # of HNEMD, 1/angstrom
EXACT = "exact"
INPUT = "in.regularisation"
TERMS: dict[str, dict[str, float]] = {
    "plain": {},
    "flux-3e-6": {"heat_flux": 3e-6},
    "flux-3e-5": {"heat_flux": 3e-5},
    "flux-3e-4": {"heat_flux": 3e-4},
    "asymmetry-10": {"asymmetry": 10.0},
}
"""Coefficients of `HeatFluxModule` for each model, whose name says them."""
SIZES = {
    "frames": 160,  # at each of three temperatures
    "apart": 500,  # steps between two of them
    "training": 2000,  # steps, of one frame each
    "samples": 8000,  # of the current, along the trajectory
    "driven": 20000,  # steps of HNEMD
    "exact_driven": 40000,  # the same, of the exact potential
    "equilibrate": 2000,  # steps before each run
}

RECIPE = {"elements": ["Ar"], "r_max": CUTOFF, "seed": 1, "fractions": {"val": 0.1, "test": 0.25}}
SOURCE = {"file": "frames.extxyz", "layout": "extxyz", "level": "Lennard-Jones", "energies": "cohesive"}


class ShiftedLennardJones(EdgeModel):
    """phi(r) - phi(R) - (r - R) phi'(R), half of it on each of the two edges; one element."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shifts", torch.zeros(1, 1, dtype=torch.float64))
        self.epsilon, self.sigma, self.cutoff = EPSILON, SIGMA, CUTOFF
        s = (SIGMA / CUTOFF) ** 6
        self.at_cutoff = 4.0 * EPSILON * (s * s - s)
        self.slope = -24.0 * EPSILON * (2.0 * s * s - s) / CUTOFF

    def forward(
        self, edge_vectors: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies of the atoms and of the edges (see `EdgeModel`)."""
        r = edge_vectors.square().sum(1).sqrt()
        s = (self.sigma / r) ** 6
        pair = 4.0 * self.epsilon * (s * s - s) - self.at_cutoff - (r - self.cutoff) * self.slope
        edge_energy = torch.where(r < self.cutoff, 0.5 * pair, torch.zeros_like(r)).unsqueeze(1)
        return sum_over_edges(edge_energy, edge_index, atom_types, self.shifts), edge_energy


def lammps(folder: Path, script: str, target: str, written: str, **variables: object) -> None:
    """Run LAMMPS in the folder; the variable `written` names the file that becomes `target` at the end."""
    common = {written: f"{target}.part", "temperature": TEMPERATURE, "timestep": TIMESTEP, "cells": CELLS}
    run_lammps(folder, script, Path(target).stem, common | variables)
    (folder / f"{target}.part").rename(folder / target)


def label_frames(folder: Path, sizes: dict[str, int]) -> None:
    """Frames of three temperatures as prepared data; a stretch of ten is on one side of the split."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import read, write

    from e3d_lmp.training.data.prepare import prepare
    from e3d_lmp.training.data.recipe import parse_recipe

    frames = []
    for temperature in (0.8 * TEMPERATURE, TEMPERATURE, 1.25 * TEMPERATURE):
        words = {"task": "frames", "temperature": temperature, "cells": FRAME_CELLS} | sizes
        lammps(folder, INPUT, "frames.dump", "dump", **words)
        energies = np.loadtxt(folder / "energy.txt")[:, 1]
        dumped = read(folder / "frames.dump", index=":", format="lammps-dump-text")
        for number, (atoms, energy) in enumerate(zip(dumped, energies, strict=True)):
            atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=atoms.get_forces())
            atoms.info = {"parent": f"{temperature:.0f} K, {number // 10}"}
            frames.append(atoms)
    write(folder / "frames.extxyz", frames)
    prepare(parse_recipe(RECIPE | {"sources": [SOURCE]}, folder), folder / "data")


def write_exact(folder: Path, sizes: dict[str, int], end: str = "pt2") -> None:
    """The exact potential as an edge model."""
    from analytic_models import metadata_of

    write_vectorised(ShiftedLennardJones(), metadata_of(("Ar",), (CUTOFF,)), folder / f"{EXACT}.nequip.{end}")


def run_trajectory(folder: Path, sizes: dict[str, int]) -> None:
    """The trajectory, with the current that LAMMPS itself counts."""
    words = {"current": "lammps.current.txt", "every": EVERY} | sizes
    lammps(folder, INPUT, "trajectory.dump", "dump", task="trajectory", **words)


def train(name: str, folder: Path, sizes: dict[str, int]) -> None:
    """Training and export of a model."""
    from e3d_lmp import cli
    from e3d_lmp.model.export import export_model

    module: dict[str, Any] = {"_target_": "e3d_lmp.training.heat_flux.HeatFluxModule"}
    module |= {"temperature": TEMPERATURE, "heat_flux": 0.0, "asymmetry": 0.0} | TERMS[name]
    config: dict[str, Any] = {"defaults": ["e3d", "_self_"], "tensor": 4, "l_max": 1, "num_layers": 1}
    config |= {"batch": 1, "learning_rate": 0.01, "steps": sizes["training"], "training_module": module}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    if cli.main(["train", str(folder / f"{name}.yaml"), str(folder / "data"), "-o", str(folder / name)]):
        raise SystemExit(f"training of {name} stopped")
    export_model(folder / name / "model.nequip.zip", folder / f"{name}.nequip.pt2")


def rerun(name: str, folder: Path, sizes: dict[str, int], end: str = "pt2") -> None:
    """A model's current along the trajectory."""
    words = {"task": "rerun", "model": f"{name}.nequip.{end}", "every": EVERY}
    lammps(folder, INPUT, f"{name}.current.txt", "current", **words)


def drive(name: str, folder: Path, sizes: dict[str, int]) -> None:
    """HNEMD of a model."""
    words = {"model": f"{name}.nequip.pt2", "force": FORCE, "seed": 11, "equilibrate": sizes["equilibrate"]}
    words["steps"] = sizes["exact_driven" if name == EXACT else "driven"]
    lammps(folder, "in.hnemd", f"{name}.hnemd.txt", "current", **words)


def run(folder: Path, sizes: dict[str, int] = SIZES) -> None:
    """Every step whose file is not there, one after the other; refuses a folder of other sizes."""
    make_folder(folder)
    keep_settings(folder / "sizes.json", sizes)
    torch.set_num_threads(1)
    steps: dict[str, Callable[[Path, dict[str, int]], None]] = {"data/manifest.json": label_frames}
    steps |= {f"{EXACT}.nequip.pt2": write_exact, "trajectory.dump": run_trajectory}
    for name in (EXACT, *TERMS):
        if name in TERMS:
            steps[f"{name}.nequip.pt2"] = partial(train, name)
        steps[f"{name}.current.txt"] = partial(rerun, name)
    steps |= {f"{name}.hnemd.txt": partial(drive, name) for name in (EXACT, *TERMS)}
    for number, (file, step) in enumerate(steps.items(), start=1):
        if not (folder / file).exists():
            print(f"{number}/{len(steps)}: {file}", flush=True)
            step(folder, sizes)


def edges_of(frame: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Edge vectors, edge index and types of a frame."""
    (i, j), shift = frame["edge_index"], frame["edge_cell_shift"]
    vectors = frame["pos"][j] - frame["pos"][i] + shift @ frame["cell"].reshape(3, 3)
    return vectors.double(), frame["edge_index"], frame["atom_types"].reshape(-1)


def on_frames(edge_model: EdgeModel, data: Path) -> tuple[np.ndarray, float]:
    """|A| of all pairs of the frames held out, eV, and the mean of |J|^2 per atom without its kinetic part.

    The mean over velocities at zero momentum is that over the tensors M_j of J = sum_j M_j v_j.
    """
    from e3d_lmp.model.decomposition import EdgeModelWithForces
    from e3d_lmp.training.heat_flux import asymmetries
    from e3d_lmp.training.held_out_errors import read_frames
    from e3d_lmp.units import LAMMPS_EV_PER_AMU

    model = EdgeModelWithForces(edge_model)
    sizes, powers = [], []
    for frame in read_frames(data / "test.lmdb"):
        vectors, index, types = edges_of(frame)
        energy, eps, g = model(vectors, index, types)
        sizes.append(asymmetries(frame | {"edge_energy": eps}, torch.ones(1, 1)).abs())
        own = energy.reshape(-1, 1, 1) * torch.eye(3, dtype=torch.float64)
        tensors = own.index_add(0, index[1], -vectors.unsqueeze(2) * g.unsqueeze(1))
        powers.append(float((tensors - tensors.mean(0)).square().sum()) / len(types))
    speed = METAL.boltzmann * TEMPERATURE / (LAMMPS_EV_PER_AMU * MASS)
    return torch.cat(sizes).numpy(), speed * float(np.mean(powers))


def result(folder: Path) -> dict[str, Any]:
    """Numbers of all that is done: J in eV angstrom/ps by root of the atoms, kappa in k_B/(sigma tau)."""
    from e3d_lmp.analysis.heat.current import read_current
    from e3d_lmp.analysis.heat.green_kubo import green_kubo
    from e3d_lmp.analysis.heat.hnemd import driven_runs
    from e3d_lmp.model.decomposition import decompose
    from e3d_lmp.model.export import load_model

    reduced = heat_units("lj", (EPSILON, SIGMA, MASS)).watt
    settings = {"sizes": json.loads((folder / "sizes.json").read_text()), "terms": TERMS}
    done = [name for name in (EXACT, *TERMS) if (folder / f"{name}.current.txt").exists()]
    currents = {name: read_current(folder / f"{name}.current.txt") for name in done}
    exact = green_kubo([currents[EXACT]], METAL, TIMESTEP, LENGTH, blocks=BLOCKS)
    plateau = (exact.time >= exact.plateau[0]) & (exact.time <= exact.plateau[1])

    def rms(vectors: np.ndarray) -> float:
        return float(np.sqrt((vectors**2).sum(axis=1).mean() / (4 * CELLS**3)))

    def of_blocks(name: str) -> np.ndarray:
        one = green_kubo([currents[name]], METAL, TIMESTEP, LENGTH, blocks=BLOCKS)
        return one.integral[:, plateau].mean(axis=1) / reduced

    rows: dict[str, dict[str, float]] = {}
    for name, current in currents.items():
        row: dict[str, Any] = {}
        edge_model: EdgeModel = ShiftedLennardJones()
        if name in TERMS:
            row = dict(json.loads((folder / name / "test.json").read_text())["subsets"]["all"])
            edge_model = decompose(load_model(folder / name / "model.nequip.zip")).edge_model
        sizes, power = on_frames(edge_model, folder / "data")
        row |= {"A_mean_abs_meV": 1000 * sizes.mean(), "A_rms_meV": 1000 * np.sqrt((sizes**2).mean())}
        row |= {"J_potential_rms": power**0.5, "J_rms": rms(current.current)}
        row["J_minus_exact_rms"] = rms(current.current - currents[EXACT].current)
        both = {"green_kubo": of_blocks(name), "green_kubo_minus_exact": of_blocks(name) - of_blocks(EXACT)}
        for key, values in both.items():
            row |= {key: values.mean(), f"{key}_error": values.std(ddof=1) / np.sqrt(len(values))}
        if (file := folder / f"{name}.hnemd.txt").exists():
            driven = driven_runs(np.array([FORCE, 0.0, 0.0]), [read_current(file)], METAL, TIMESTEP)
            row |= {"hnemd": driven.conductivity / reduced, "hnemd_error": driven.error / reduced}
            row |= {"hnemd_temperature": driven.temperature, "hnemd_drift": driven.drift}
        rows[name] = {key: float(f"{value:.5g}") for key, value in row.items()}
    about = {"plateau_ps": [round(t, 3) for t in exact.plateau], "settled": exact.settled}
    return {"format": "e3d-regularisation/1"} | settings | about | {"results": rows}


def table(rows: dict[str, dict[str, float]]) -> str:
    """The numbers, a row for each."""
    keys = rows[next(iter(TERMS))]
    lines = [f"{key:30}" + "".join(f"{row.get(key, np.nan):13.5g}" for row in rows.values()) for key in keys]
    return "\n".join([" " * 30 + "".join(f"{name:>13}" for name in rows), *lines])


def draw(folder: Path, rows: dict[str, dict[str, float]], path: Path) -> None:
    """Spectrum of J along the trajectory, and the conductivities."""
    from scipy.signal import welch

    from e3d_lmp.analysis.heat.current import read_current
    from e3d_lmp.figures.style import colours, new_figure, open_axes, save_figure

    figure = new_figure(7.0, 3.2)
    left, right = figure.subplots(1, 2)
    for place, (name, colour) in enumerate(zip(rows, colours(len(rows)), strict=True)):
        current = read_current(folder / f"{name}.current.txt").current
        frequency, power = welch(current, 1.0 / (EVERY * TIMESTEP), nperseg=512, axis=0)
        left.semilogy(frequency, power.sum(axis=1) / (4 * CELLS**3), color=colour, label=name)
        for x, key, marker in ((place - 0.1, "hnemd", "o"), (place + 0.1, "green_kubo", "s")):
            if key in rows[name]:
                right.errorbar(x, rows[name][key], rows[name][f"{key}_error"], color=colour, marker=marker)
    left.set(xlabel="frequency (THz)", ylabel="power of J per atom (eV² Å²/ps² / THz)")
    left.legend(loc="lower left", fontsize="x-small", frameon=False)
    right.set_xticks(range(len(rows)), list(rows), rotation=30, ha="right")
    right.set_title("κ*: circles HNEMD, squares Green–Kubo", fontsize="medium")
    open_axes([left, right])
    save_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["run", "result"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="result: write it here as JSON")
    parser.add_argument("--figure", type=Path, help="result: draw it here")
    args = parser.parse_args()
    if args.task == "run":
        run(args.folder)
        return
    results = result(args.folder)
    print_result(results, args.output)
    print(table(results["results"]))
    if args.figure:
        draw(args.folder, results["results"], args.figure)


if __name__ == "__main__":
    main()
