"""What the terms of `e3d_lmp.training.heat_flux` do in silver iodide, ordered and superionic.

    python scripts/heat/ionic.py run out/ionic            # hours on one core; goes on where it was stopped
    python scripts/heat/ionic.py run out/ionic --only 'plain*'       # those steps alone whose file matches
    python scripts/heat/ionic.py report out/ionic -o scripts/heat/ionic.json --page docs/heat_ionic.md \\
        --figures docs/images
    python scripts/heat/ionic.py report scripts/heat/ionic.json --figures pictures      # of the numbers kept

The pair potential of `silver_iodide` has a current that is known exactly. Small Allegro models, alike but for
the terms in the loss and the seed, learn its energies, forces and stresses. Then come their errors, their
currents along trajectories of the exact potential, and conductivities by Green-Kubo and HNEMD of their own
runs. Every step is one file, written whole; the report is of what is there.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from e3d_lmp.files import atomic_path, make_folder, open_lock, remove_lock
from ionic_data import PARAMETERS, label_currents, label_frames
from ionic_uncut import compare_with_uncut
from runs import keep_settings, run_lammps, write_vectorised
from silver_iodide import CUTOFF, ELEMENTS, SilverIodide

Step = Callable[[Path, dict[str, int]], None]

INPUT = "in.ionic"
TEMPERATURES = {"ordered": 300.0, "superionic": 573.0}
FORCES = {"ordered": (0.005, 0.01, 0.02), "superionic": (0.01, 0.02)}
"""Of HNEMD of the exact potential, 1/A."""
OF_MODELS = {"ordered": 0.01, "superionic": 0.02}
"""The force that the models run with."""
DIFFUSION = (200.0, 300.0, 373.0, 423.0, 473.0, 573.0, 673.0)
EXACT = "exact"
TERMS: dict[str, dict[str, float]] = {
    "plain": {},
    "flux-3e-8": {"heat_flux": 3e-8},
    "flux-3e-7": {"heat_flux": 3e-7},
    "flux-3e-6": {"heat_flux": 3e-6},
    "flux-3e-5": {"heat_flux": 3e-5},
    "asymmetry-0.001": {"asymmetry": 0.001},
    "asymmetry-0.01": {"asymmetry": 0.01},
    "asymmetry-0.1": {"asymmetry": 0.1},
    "asymmetry-1": {"asymmetry": 1.0},
    "difference-3e-5": {"difference": 3e-5},
}
"""Coefficients of `HeatFluxModule` for each model, whose name says them."""
FIRST = ("plain", "flux-3e-6", "difference-3e-5")
SECOND = ("flux-3e-7", "asymmetry-0.1", "flux-3e-8", "flux-3e-5", "asymmetry-1", "asymmetry-0.01")
"""Terms by what they tell: a study that is stopped early has more seeds and own runs of these."""
SEEDS = (1, 2, 3)
SIZES = {
    "frames": 30,  # at each of six temperatures
    "apart": 250,  # steps between two of them
    "equilibrate": 5000,  # steps before each run
    "training": 4000,  # steps, of one frame each
    "diffusion": 30000,  # steps at each temperature
    "trajectory": 25000,  # steps of the exact potential
    "equilibrium": 75000,  # steps of each run for Green-Kubo, of the exact potential
    "driven": 50000,  # steps of HNEMD, of the exact potential
    "equilibrium_of_models": 42000,
    "driven_of_models": 25000,
}
MARKS = ("<!-- tables of scripts/heat/ionic.py report -->", "<!-- end of the tables -->")
LOSS = """
metrics:
  - name: per_atom_energy_huber
    field: {_target_: nequip.data.PerAtomModifier, field: total_energy}
    coeff: 5.0
    metric: {_target_: nequip.train.HuberLoss, delta: 0.02}
  - name: forces_huber
    field: forces
    coeff: 1.0
    metric: {_target_: nequip.train.HuberLoss, delta: 0.2}
  - name: stress_huber
    field: stress
    coeff: 50.0
    metric: {_target_: nequip.train.HuberLoss, delta: 0.01}
"""


def train(folder: Path, sizes: dict[str, int], *, term: str, seed: int) -> None:
    """One training run, up to the model for the native engine."""
    from e3d_lmp import cli

    name = f"{term}.{seed}"
    module: dict[str, Any] = {"_target_": "e3d_lmp.training.heat_flux.HeatFluxModule"}
    module |= {"temperature": 450.0, "loss": yaml.safe_load(LOSS)} | TERMS[term]
    config: dict[str, Any] = {"defaults": ["e3d", "_self_"], "tensor": 8, "l_max": 1, "num_layers": 1}
    config |= {"batch": 1, "learning_rate": 0.02, "ema_decay": 0.99, "steps": sizes["training"]}
    config |= {"seed": seed, "training_module": module}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    data = folder / ("data_currents" if "difference" in term else "data")
    if cli.main(["train", str(folder / f"{name}.yaml"), str(data), "-o", str(folder / name)]):
        raise SystemExit(f"training of {name} stopped")


def write_exact(folder: Path, sizes: dict[str, int]) -> None:
    """The exact potential as an edge model."""
    from analytic_models import metadata_of

    metadata = metadata_of(ELEMENTS, (CUTOFF,) * len(ELEMENTS) ** 2)
    write_vectorised(SilverIodide(), metadata, folder / f"{EXACT}.nequip.pt2")


def lammps(folder: Path, target: str, phase: str, **variables: object) -> None:
    """Run LAMMPS in the folder; the variable whose value is `target` names the file that it writes."""
    written = next(key for key, value in variables.items() if value == target)
    words = {"phase": phase, "temperature": TEMPERATURES[phase], "parameters": PARAMETERS, "cells": 3}
    words |= variables | {written: f"{target}.part"}
    run_lammps(folder, INPUT, target.rpartition(".")[0], words)
    (folder / f"{target}.part").rename(folder / target)


def model_file(name: str) -> str:
    """The file of a model, from the folder of the runs."""
    return f"{EXACT}.nequip.pt2" if name == EXACT else f"{name}/model.safetensors"


def of_models(name: str) -> str:
    """What the name of a size ends in: runs of models are shorter, for a term has several seeds."""
    return "" if name == EXACT else "_of_models"


def diffuse(folder: Path, sizes: dict[str, int], *, target: str, phase: str, temperature: float) -> None:
    """How far the ions get at a temperature, by LAMMPS's own styles."""
    words = {"temperature": temperature, "steps": sizes["diffusion"], "equilibrate": sizes["equilibrate"]}
    lammps(folder, target, phase, task="diffusion", current=target, **words)


def trajectory(folder: Path, sizes: dict[str, int], *, target: str, phase: str) -> None:
    """A trajectory of the exact potential, by LAMMPS's own styles."""
    words = {"steps": sizes["trajectory"], "equilibrate": sizes["equilibrate"]}
    lammps(folder, target, phase, task="trajectory", dump=target, **words)


def rerun(folder: Path, sizes: dict[str, int], *, target: str, phase: str, name: str) -> None:
    """The current of a model along the trajectory."""
    words = {"dump": f"{phase}.trajectory.dump", "model": model_file(name)}
    lammps(folder, target, phase, task="rerun", current=target, **words)


def equilibrium(
    folder: Path, sizes: dict[str, int], *, target: str, phase: str, name: str, seed: int
) -> None:
    """The current of a model along its own dynamics, and whether it holds the crystal."""
    words = {"model": model_file(name), "seed": seed, "steps": sizes["equilibrium" + of_models(name)]}
    words |= {"equilibrate": sizes["equilibrate"], "held": target.replace(".equilibrium.", ".held.")}
    lammps(folder, target, phase, task="equilibrium", current=target, **words)


def driven(folder: Path, sizes: dict[str, int], *, target: str, phase: str, name: str, force: float) -> None:
    """HNEMD of a model, and the spectrum."""
    words = {"model": model_file(name), "force": force, "seed": 11}
    words["steps"] = sizes["driven" + of_models(name)]
    words |= {"equilibrate": sizes["equilibrate"], "shc": target.replace(".driven.", ".shc.")}
    lammps(folder, target, phase, task="driven", current=target, **words)


def steps_of(exact_runs: int = 4) -> dict[str, Step]:
    """What makes each file of the folder, in their order: what tells most comes first, seed by seed."""
    steps: dict[str, Step] = {"data/manifest.json": label_frames}
    steps |= {"data_currents/manifest.json": label_currents, f"{EXACT}.nequip.pt2": write_exact}

    def add(file: str, step: Callable[..., None], **words: Any) -> None:
        steps[file] = partial(step, target=file, **words)

    def own_runs(name: str, phase: str, seeds: Sequence[int], forces: Sequence[float]) -> None:
        for seed in seeds:
            add(f"{name}.{phase}.equilibrium.{seed}.txt", equilibrium, phase=phase, name=name, seed=seed)
        for force in forces:
            add(f"{name}.{phase}.driven.{force:g}.txt", driven, phase=phase, name=name, force=force)

    def learn(terms: Sequence[str], seed: int) -> None:
        for term in terms:
            steps[f"{term}.{seed}/test.json"] = partial(train, term=term, seed=seed)
            for phase in TEMPERATURES:
                add(f"{term}.{seed}.{phase}.rerun.txt", rerun, phase=phase, name=f"{term}.{seed}")

    def run_models(terms: Sequence[str], seed: int, phases: Sequence[str] = tuple(TEMPERATURES)) -> None:
        for term in terms:
            for phase in phases:
                own_runs(f"{term}.{seed}", phase, [1], [OF_MODELS[phase]])

    for phase, forces in FORCES.items():
        add(f"{phase}.trajectory.dump", trajectory, phase=phase)
        add(f"{EXACT}.{phase}.rerun.txt", rerun, phase=phase, name=EXACT)
        own_runs(EXACT, phase, [1], forces)
    for phase in TEMPERATURES:
        for kelvin in DIFFUSION:
            add(f"{phase}.diffusion.{kelvin:.0f}.txt", diffuse, phase=phase, temperature=kelvin)
    steps["uncut.json"] = compare_with_uncut
    learn(FIRST, SEEDS[0])
    run_models(FIRST, SEEDS[0])
    learn(SECOND, SEEDS[0])
    for seed in SEEDS[1:]:
        learn(FIRST, seed)
        run_models(FIRST, seed, ["superionic"])
        own_runs(EXACT, "superionic", [seed], [])
    for seed in SEEDS[1:]:
        run_models(FIRST, seed, ["ordered"])
        own_runs(EXACT, "ordered", [seed], [])
    others = [term for term in TERMS if term not in FIRST + SECOND]
    for seed in SEEDS:
        learn(others if seed == SEEDS[0] else [*SECOND, *others], seed)
    for phase in TEMPERATURES:
        own_runs(EXACT, phase, range(len(SEEDS) + 1, exact_runs + 1), [])
    for terms in (SECOND, others):
        for seed in SEEDS:
            run_models(terms, seed)
    return steps


def run(folder: Path, only: str = "*", sizes: dict[str, int] = SIZES) -> None:
    """Every step whose file is not there, one after the other; refuses a folder of other sizes. A step that
    another process is at is left to it.
    """
    make_folder(folder)
    keep_settings(folder / "sizes.json", sizes)
    torch.set_num_threads(1)
    steps = steps_of()
    for number, (file, step) in enumerate(steps.items(), start=1):
        if not fnmatch(file, only) or (folder / file).exists():
            continue
        path = folder / f"{file.replace('/', '.')}.lock"
        lock = open_lock(path)
        if lock is None:
            continue
        try:
            if not (folder / file).exists():
                print(f"{number}/{len(steps)}: {file}", flush=True)
                step(folder, sizes)
        finally:
            remove_lock(lock, path)


def write_report(source: Path, output: Path | None, page: Path | None, figures: Path | None) -> None:
    """Numbers as JSON, as tables (on the terminal, and between the `MARKS` of a page), and pictures: of a
    folder of runs, or of the numbers that an earlier report kept.
    """
    import ionic_page as pages
    from e3d_lmp.figures.style import save_figure

    phases, terms = list(TEMPERATURES), list(TERMS)
    if source.is_dir():
        from ionic_report import report

        result: dict[str, Any] = {"sizes": SIZES, "terms": TERMS} | report(source, terms, phases)
    else:
        result = json.loads(source.read_text())
    if output:
        with atomic_path(output) as partial_file:
            text = json.dumps(result, indent=1, ensure_ascii=False)
            partial_file.write_text(
                re.sub(r"\[[^\[\]{}]*\]", lambda match: " ".join(match[0].split()), text) + "\n"
            )
    tables = pages.tables(result, terms, phases)
    print(tables)
    if page:
        before, _, rest = page.read_text().partition(MARKS[0])
        with atomic_path(page) as partial_page:
            after = rest.partition(MARKS[1])[2]
            partial_page.write_text(f"{before}{MARKS[0]}\n{tables}\n{MARKS[1]}{after}")
    if figures:
        drawn = {
            "spectra": pages.draw_spectra(result, phases),
            "parts": pages.draw_parts(result, [EXACT, *FIRST[:2]], "superionic"),
            "conductivities": pages.draw_conductivities(result["models"], terms),
            "hnemd": pages.draw_hnemd_spectra(result["models"], "ordered"),
        }
        for name, figure in drawn.items():
            save_figure(figure, figures / f"heat_ionic_{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["run", "report"])
    parser.add_argument("folder", type=Path, help="of the runs; report: or the JSON of an earlier one")
    parser.add_argument("--only", default="*", help="run: files that match, as in 'plain.*'")
    parser.add_argument("-o", "--output", type=Path, help="report: write it here as JSON")
    parser.add_argument("--page", type=Path, help="report: put the tables into this page")
    parser.add_argument("--figures", type=Path, help="report: folder for the pictures")
    args = parser.parse_args()
    if args.task == "run":
        run(args.folder, args.only)
    else:
        write_report(args.folder, args.output, args.page, args.figures)


if __name__ == "__main__":
    main()
