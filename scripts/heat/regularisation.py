"""What the terms of `e3d_lmp.training.heat_flux` do to errors, to the heat current and to the conductivity.

    python scripts/heat/regularisation.py run out/regularisation       # goes on where it was stopped
    python scripts/heat/regularisation.py result out/regularisation -o scripts/heat/regularisation.json \\
        --figure docs/images/heat_regularisation.png

A pair potential has a current that is known exactly: Lennard-Jones argon at rho* = 0.6, T* = 1.35, its energy
and force shifted to 0 at 2 sigma (``lj/smooth/linear``), each pair owned by halves. Tiny Allegro models learn
its energies and forces, each alike but for the terms in the loss. Every model is then asked for

- its errors on frames held out, and A of all pairs there;
- its current J along one trajectory of the exact potential (``rerun``): the conductivity by Green-Kubo and
  what it differs from the exact current's, along the same atoms;
- its conductivity by HNEMD in a run of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from analytic_models import metadata_of  # noqa: E402
from e3d_lmp.atomic import atomic_path, make_folder  # noqa: E402
from e3d_lmp.decomposition import EdgeModel, sum_over_edges  # noqa: E402
from e3d_lmp.errors import E3DError  # noqa: E402
from e3d_lmp.heat.conversion import BOLTZMANN, METAL, reduced_time  # noqa: E402

EPSILON, SIGMA, MASS = 0.0104, 3.40, 39.948
"""eV, angstrom, g/mol."""
CUTOFF = 2.0 * SIGMA
TEMPERATURE = 162.93
TIMESTEP, EVERY = 0.008, 4
"""ps; steps between two samples of the current."""
FORCE = 0.06
"""1/angstrom, of HNEMD."""
LENGTH, BLOCKS = 6.0, 8
"""Longest correlation time, ps, and pieces of the trajectory, for Green-Kubo."""
EXACT = "exact"
ATOMS = 108
TERMS: dict[str, dict[str, float]] = {
    "plain": {},
    "flux": {"heat_flux": 3e-5},
    "strong-flux": {"heat_flux": 3e-4},
    "asymmetry": {"asymmetry": 10.0},
}
"""Coefficients of `HeatFluxModule` for each model."""


@dataclass(frozen=True)
class Sizes:
    """How much is computed.

    Attributes
    ----------
    frames      labelled frames at each of the three temperatures, `apart` steps from each other
    training    steps of one frame each
    samples     of the current, along the trajectory
    driven      steps of HNEMD; of the exact potential `exact_driven`
    equilibrate steps before each run
    """

    frames: int = 80
    apart: int = 500
    training: int = 5000
    samples: int = 10000
    driven: int = 20000
    exact_driven: int = 40000
    equilibrate: int = 2500


class ShiftedLennardJones(EdgeModel):
    """phi(r) - phi(R) - (r - R) phi'(R), half of it on each of the two edges; one element."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shifts", torch.zeros(1, 1, dtype=torch.float64))
        s = (SIGMA / CUTOFF) ** 6
        self.at_cutoff = 4.0 * EPSILON * (s * s - s)
        self.slope = -24.0 * EPSILON * (2.0 * s * s - s) / CUTOFF

    def forward(
        self, edge_vectors: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies of the atoms and of the edges (see `EdgeModel`)."""
        r = edge_vectors.square().sum(1).sqrt()
        s = (SIGMA / r) ** 6
        pair = 4.0 * EPSILON * (s * s - s) - self.at_cutoff - (r - CUTOFF) * self.slope
        edge_energy = torch.where(r < CUTOFF, 0.5 * pair, torch.zeros_like(r)).unsqueeze(1)
        return sum_over_edges(edge_energy, edge_index, atom_types, self.shifts), edge_energy


BOX = f"""units metal
atom_style atomic
newton on
lattice fcc 6.39907
region box block 0 3 0 3 0 3
create_box 1 box
create_atoms 1 box
mass 1 {MASS}
neighbor 0.7 bin
neigh_modify every 1 delay 5 check yes
timestep {TIMESTEP}
thermo 100000
"""
LENNARD_JONES = f"pair_style lj/smooth/linear {CUTOFF}\npair_coeff 1 1 {EPSILON} {SIGMA}\n"
HOT = """velocity all create $(2.0*{T}) 7 mom yes rot no dist gaussian
fix hot all nvt temp {T} {T} 0.8
run {equilibrate}
reset_timestep 0
"""
FRAMES = """dump out all custom {apart} {dump} id element x y z fx fy fz
dump_modify out element Ar sort id format float %.12g
fix energy all ave/time {apart} 1 {apart} c_thermo_pe file {energy} format " %.12g"
run $({apart}*({frames}-1))
"""
CURRENT = f"""variable volume equal vol
fix current all ave/time {EVERY} 1 {EVERY} c_heat[1] c_heat[2] c_heat[3] c_thermo_temp v_volume &
  file {{current}} format " %.8g"
"""
TRAJECTORY = f"""unfix hot
velocity all zero linear
velocity all scale {TEMPERATURE}
compute ke all ke/atom
compute pe all pe/atom
compute stress all stress/atom NULL virial
compute heat all heat/flux ke pe stress
{CURRENT}
dump out all custom {EVERY} {{dump}} id type x y z vx vy vz
dump_modify out sort id format float %.10g
fix md all nve
run $({EVERY}*({{samples}}-1))
"""
RERUN = f"""pair_style e3d
pair_coeff * * {{model}} Ar
compute heat all e3d/heat
{CURRENT}
rerun {{dump}} dump x y z vx vy vz
"""


def lammps(folder: Path, name: str, *arguments: str, text: str = "") -> None:
    """Run LAMMPS in the folder, on its own input or on `text`."""
    if text:
        (folder / f"{name}.in").write_text(text)
        arguments = ("-in", f"{name}.in")
    command = [str(Path(sys.executable).parent / "lmp"), *arguments, "-log", f"{name}.log", "-screen", "none"]
    subprocess.run(command, cwd=folder, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def e3d(*words: object) -> None:
    """A command of this package."""
    from e3d_lmp import cli

    if cli.main([str(word) for word in words]):
        raise SystemExit(f"e3d {words[0]} failed")


def label_frames(folder: Path, target: Path, sizes: Sizes) -> None:
    """Frames of three temperatures as prepared data; a stretch of ten is on one side of the split."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import read, write

    frames = []
    for temperature in (0.8 * TEMPERATURE, TEMPERATURE, 1.25 * TEMPERATURE):
        words = asdict(sizes) | {"T": temperature, "dump": "frames.dump", "energy": "energy.txt"}
        lammps(folder, "frames", text=(BOX + LENNARD_JONES + HOT + FRAMES).format(**words))
        energies = np.loadtxt(folder / "energy.txt")[:, 1]
        dumped = read(folder / "frames.dump", index=":", format="lammps-dump-text")
        for number, (atoms, energy) in enumerate(zip(dumped, energies, strict=True)):
            atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=atoms.get_forces())
            atoms.info = {"parent": f"{temperature:.0f} K, {number // 10}"}
            frames.append(atoms)
    write(folder / "frames.extxyz", frames)
    recipe = {
        "elements": ["Ar"],
        "r_max": CUTOFF,
        "seed": 1,
        "fractions": {"val": 0.1, "test": 0.25},
        "sources": [
            {"file": "frames.extxyz", "layout": "extxyz", "level": "Lennard-Jones", "energies": "cohesive"}
        ],
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    e3d("data", "prepare", folder / "recipe.yaml", "-o", target.parent)


def write_exact(folder: Path, target: Path, sizes: Sizes) -> None:
    from e3d_lmp.export import write_edge_model

    write_edge_model(ShiftedLennardJones(), metadata_of(("Ar",), (CUTOFF,)), target)


def run_trajectory(folder: Path, target: Path, sizes: Sizes) -> None:
    """The trajectory, with the current that LAMMPS itself counts."""
    words = asdict(sizes) | {"T": TEMPERATURE, "dump": f"{target.name}.part", "current": "lammps.current.txt"}
    lammps(folder, "trajectory", text=(BOX + LENNARD_JONES + HOT + TRAJECTORY).format(**words))
    (folder / f"{target.name}.part").rename(target)


def train(name: str) -> Callable[[Path, Path, Sizes], None]:
    """Training and export of a model."""

    def step(folder: Path, target: Path, sizes: Sizes) -> None:
        terms = {"heat_flux": 0.0, "asymmetry": 0.0} | TERMS[name]
        module = "e3d_lmp.training.heat_flux.HeatFluxModule"
        config = {"defaults": ["e3d", "_self_"], "tensor": 4, "l_max": 1, "num_layers": 1, "batch": 1}
        config |= {"learning_rate": 0.01, "energy_weight": 40.0, "steps": sizes.training}
        config["training_module"] = {"_target_": module, "temperature": TEMPERATURE} | terms
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        run = folder / path.stem
        e3d("train", path, folder / "data", "-o", run)
        e3d("export", run / "model.nequip.zip", target)

    return step


def rerun(name: str) -> Callable[[Path, Path, Sizes], None]:
    """A model's current along the trajectory."""

    def step(folder: Path, target: Path, sizes: Sizes) -> None:
        words = {"model": f"{name}.nequip.pt2", "dump": "trajectory.dump", "current": f"{target.name}.part"}
        lammps(folder, target.stem, text=(BOX + RERUN).format(**words))
        (folder / f"{target.name}.part").rename(target)

    return step


def drive(name: str) -> Callable[[Path, Path, Sizes], None]:
    """HNEMD of a model."""

    def step(folder: Path, target: Path, sizes: Sizes) -> None:
        words = {"model": f"{name}.nequip.pt2", "force": FORCE, "temperature": TEMPERATURE, "seed": 11}
        words |= {"equilibrate": sizes.equilibrate, "current": f"{target.name}.part", "timestep": TIMESTEP}
        words["steps"] = sizes.exact_driven if name == EXACT else sizes.driven
        variables = [word for key, value in words.items() for word in ("-v", key, str(value))]
        lammps(folder, target.stem, "-in", str(ROOT / "inputs" / "heat" / "in.hnemd"), *variables)
        (folder / f"{target.name}.part").rename(target)

    return step


def steps() -> dict[str, Callable[[Path, Path, Sizes], None]]:
    """What makes each file, in order."""
    made: dict[str, Callable[[Path, Path, Sizes], None]] = {
        "data/manifest.json": label_frames,
        f"{EXACT}.nequip.pt2": write_exact,
        "trajectory.dump": run_trajectory,
    }
    made |= {f"{name}.nequip.pt2": train(name) for name in TERMS}
    made |= {f"{name}.current.txt": rerun(name) for name in (EXACT, *TERMS)}
    return made | {f"{name}.hnemd.txt": drive(name) for name in (EXACT, *TERMS)}


def run(folder: Path, sizes: Sizes) -> None:
    """Every step whose file is not there, one after the other on one core.

    Raises
    ------
    E3DError
        The folder was begun with other sizes.
    """
    make_folder(folder)
    wanted = json.dumps({"sizes": asdict(sizes), "terms": TERMS}) + "\n"
    settings = folder / "settings.json"
    if settings.exists() and settings.read_text() != wanted:
        raise E3DError(f"{folder} was begun with {settings.read_text().strip()}; take another folder")
    settings.write_text(wanted)
    torch.set_num_threads(1)
    made = steps()
    for number, (name, step) in enumerate(made.items(), start=1):
        if not (folder / name).exists():
            start = time.monotonic()
            step(folder, folder / name, sizes)
            print(f"{number}/{len(made)} {name}: {time.monotonic() - start:.0f} s", flush=True)


def on_frames(edge_model: EdgeModel, data: Path) -> tuple[np.ndarray, np.ndarray]:
    """|A| of all pairs of the frames held out, eV, and J of thermal velocities without its kinetic part."""
    from e3d_lmp.decomposition import EdgeModelWithForces
    from e3d_lmp.training.evaluate import read_frames
    from e3d_lmp.training.heat_flux import asymmetries, thermal_velocities

    torch.manual_seed(1)
    model = EdgeModelWithForces(edge_model)
    sizes, currents = [], []
    for frame in read_frames(data / "test.lmdb"):
        (i, j), shift = frame["edge_index"], frame["edge_cell_shift"]
        vectors = (frame["pos"][j] - frame["pos"][i] + shift @ frame["cell"].reshape(3, 3)).double()
        energy, eps, g = model(vectors, frame["edge_index"], frame["atom_types"].reshape(-1))
        sizes.append(asymmetries(frame | {"edge_energy": eps}, torch.ones(1, 1)).detach().abs())
        v = thermal_velocities(torch.full((len(frame["pos"]),), MASS, dtype=torch.float64), TEMPERATURE)
        currents.append((energy * v).sum(0) - (vectors * (g * v[j]).sum(1, keepdim=True)).sum(0))
    return torch.cat(sizes).numpy(), torch.stack(currents).detach().numpy()


def result(folder: Path) -> dict[str, Any]:
    """Numbers of all models: J in eV angstrom/ps over the root of the atoms; kappa in k_B/(sigma tau)."""
    from e3d_lmp.decomposition import decompose
    from e3d_lmp.heat.current import read_current
    from e3d_lmp.heat.green_kubo import green_kubo
    from e3d_lmp.heat.hnemd import driven_runs
    from e3d_lmp.training.evaluate import load_model

    reduced = BOLTZMANN / (SIGMA * 1e-10 * reduced_time(EPSILON, SIGMA, MASS) * 1e-12)
    settings = json.loads((folder / "settings.json").read_text())
    currents = {name: read_current(folder / f"{name}.current.txt") for name in (EXACT, *TERMS)}
    exact = green_kubo([currents[EXACT]], METAL, TIMESTEP, LENGTH, blocks=BLOCKS)
    plateau = (exact.time >= exact.plateau[0]) & (exact.time <= exact.plateau[1])

    def rms(vectors: np.ndarray) -> float:
        return float(np.sqrt((vectors**2).sum(axis=1).mean() / ATOMS))

    def of_blocks(name: str) -> np.ndarray:
        one = green_kubo([currents[name]], METAL, TIMESTEP, LENGTH, blocks=BLOCKS)
        return one.integral[:, plateau].mean(axis=1) / reduced

    rows: dict[str, dict[str, Any]] = {}
    for name, current in currents.items():
        row: dict[str, Any] = {}
        edge_model: EdgeModel = ShiftedLennardJones()
        if name in TERMS:
            row = dict(json.loads((folder / name / "test.json").read_text())["subsets"]["all"])
            edge_model = decompose(load_model(folder / name / "model.nequip.zip")).edge_model
        sizes, thermal = on_frames(edge_model, folder / "data")
        row |= {
            "A_mean_abs_meV": 1000.0 * sizes.mean(),
            "A_rms_meV": 1000.0 * rms(ATOMS**0.5 * sizes[:, None]),
        }
        row |= {"J_rms": rms(current.current), "J_potential_rms": rms(thermal)}
        row["J_minus_exact_rms"] = rms(current.current - currents[EXACT].current)
        for key, values in (
            ("green_kubo", of_blocks(name)),
            ("green_kubo_minus_exact", of_blocks(name) - of_blocks(EXACT)),
        ):
            row |= {key: values.mean(), f"{key}_error": values.std(ddof=1) / np.sqrt(len(values))}
        files = [read_current(folder / f"{name}.hnemd.txt")]
        driven = driven_runs(np.array([FORCE, 0.0, 0.0]), files, METAL, TIMESTEP)
        row |= {"hnemd": driven.conductivity / reduced, "hnemd_error": driven.error / reduced}
        row |= {"hnemd_temperature": driven.temperature, "hnemd_drift": driven.drift}
        rows[name] = {key: float(f"{value:.5g}") for key, value in row.items()}
    about = {"plateau_ps": [round(t, 3) for t in exact.plateau], "settled": exact.settled}
    return {"format": "e3d-regularisation/1"} | settings | about | {"results": rows}


def table(results: dict[str, Any]) -> str:
    """The numbers, a row for each."""
    rows = results["results"]
    lines = [" " * 30 + "".join(f"{name:>13}" for name in rows)]
    for key in rows[next(iter(TERMS))]:
        lines.append(f"{key:30}" + "".join(f"{row.get(key, float('nan')):13.5g}" for row in rows.values()))
    return "\n".join(lines)


def draw(folder: Path, results: dict[str, Any], path: Path) -> None:
    """Spectrum of J along the trajectory, and the conductivities."""
    from scipy.signal import welch

    from e3d_lmp.figures.style import colours, new_figure, open_axes, save_figure
    from e3d_lmp.heat.current import read_current

    figure = new_figure(7.0, 3.2)
    left, right = figure.subplots(1, 2)
    rows = results["results"]
    for place, (name, colour) in enumerate(zip(rows, colours(len(rows)), strict=True)):
        current = read_current(folder / f"{name}.current.txt").current
        frequency, power = welch(current, 1.0 / (EVERY * TIMESTEP), nperseg=512, axis=0)
        left.semilogy(frequency, power.sum(axis=1) / ATOMS, color=colour, label=name)
        for shift, key, marker in ((-0.1, "hnemd", "o"), (0.1, "green_kubo", "s")):
            value, error = rows[name][key], rows[name][f"{key}_error"]
            label = {"hnemd": "HNEMD", "green_kubo": "Green-Kubo"}[key] if place == 0 else None
            right.errorbar(place + shift, value, error, color=colour, marker=marker, label=label, capsize=2)
    left.set_xlabel("frequency (THz)")
    left.set_ylabel("power of J per atom (eV² Å²/ps² / THz)")
    left.legend()
    right.set_xticks(range(len(rows)), list(rows), rotation=20)
    right.set_ylabel("κ* (k_B/(σ τ))")
    right.legend()
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
        run(args.folder, Sizes())
        return
    results = result(args.folder)
    print(table(results))
    if args.output:
        with atomic_path(args.output) as partial:
            partial.write_text(json.dumps(results, indent=2) + "\n")
    if args.figure:
        draw(args.folder, results, args.figure)


if __name__ == "__main__":
    main()
