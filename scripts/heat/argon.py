"""Thermal conductivity of Lennard-Jones argon: Green-Kubo and HNEMD through an edge model, and LAMMPS's own.

    python scripts/heat/argon.py models out/argon    # liquid.nequip.pt2, solid.nequip.pt2, and no run
    python scripts/heat/argon.py run out/argon       # hours on one core; goes on where it was stopped
    python scripts/heat/argon.py result out/argon -o scripts/heat/argon.json

Liquid at rho* = 0.6, T* = 1.35 (256 atoms, cutoff 2.5 sigma) and the solid of LAMMPS's own example for
``compute heat/flux`` (70 K, 256 atoms). Every run is one file, written whole: a second start skips what is
there.
"""

from __future__ import annotations

import argparse
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from runs import print_result, run_lammps, write_vectorised

EPSILON, SIGMA, MASS = 0.0104, 3.40, 39.948
"""eV, angstrom, g/mol."""
FORCES = {"liquid": (0.015, 0.03, 0.06), "solid": (0.005, 0.01)}
"""1/angstrom; times sigma: 0.051, 0.102, 0.204 and 0.017, 0.034."""
SOLID = {"constant": 5.376, "temperature": 70.0, "timestep": 0.004, "cutoff": 13.0}


def jobs(seeds: int) -> list[tuple[str, str, dict[str, object]]]:
    """(name of the file, input, variables) of every run, the quick and decisive ones first."""
    rows: list[tuple[str, str, dict[str, object]]] = []
    solid: dict[str, object] = {**SOLID, "steps": 200000}
    for seed in range(1, seeds + 1):
        rows.append((f"liquid.lammps.{seed}", "in.green_kubo", {"style": "lj", "seed": seed}))
    for seed in range(1, seeds + 1):
        native = solid | {"style": "lj", "seed": seed, "every": 5}
        rows.append((f"solid.lammps.{seed}", "in.green_kubo", native))
    for seed in range(1, seeds // 2 + 1):
        for phase in FORCES:
            base = solid if phase == "solid" else {}
            model = {"model": f"{phase}.nequip.pt2"}
            for force in FORCES[phase]:
                words = base | model | {"seed": 100 + seed, "force": force}
                rows.append((f"{phase}.hnemd.{force}.{seed}", "in.hnemd", words))
            words = base | model | {"seed": seed}
            rows.append((f"{phase}.e3d.{seed}", "in.green_kubo", words | ({"every": 5} if base else {})))
    return rows


def write_models(folder: Path) -> None:
    """The models of both phases, which differ in their cutoff, unless they are there."""
    from analytic_models import PairPotential

    folder.mkdir(parents=True, exist_ok=True)
    for phase, cutoff in (("liquid", 8.5), ("solid", SOLID["cutoff"])):
        potential = PairPotential("lj", ("Ar",), {(0, 0): (EPSILON, SIGMA, 0.0, cutoff)}, {})
        write_vectorised(*potential.model(), folder / f"{phase}.nequip.pt2")


def run(folder: Path, seeds: int, only: str) -> None:
    """Every run that has no file yet and whose name matches, one after the other on one core."""
    write_models(folder)
    for name, script, words in jobs(seeds):
        target = folder / f"{name}.txt"
        if target.exists() or not fnmatch(name, only):
            continue
        run_lammps(folder, script, name, words | {"current": f"partial.{name}"})
        (folder / f"partial.{name}").rename(target)


def result(folder: Path) -> dict[str, Any]:
    """Conductivities of all runs that have ended, W/m/K and (liquid) reduced, with standard errors."""
    from e3d_lmp.analysis.heat.conversion import METAL, reduced_time
    from e3d_lmp.analysis.heat.current import read_current
    from e3d_lmp.analysis.heat.green_kubo import green_kubo
    from e3d_lmp.analysis.heat.hnemd import group_by_force, hnemd
    from e3d_lmp.units import BOLTZMANN

    reduced = BOLTZMANN / (SIGMA * 1e-10 * reduced_time(EPSILON, SIGMA, MASS) * 1e-12)
    rows: dict[str, Any] = {}

    def add(name: str, kappa: float, error: float, **more: Any) -> None:
        numbers = {"W_per_m_K": round(kappa, 5), "error": round(error, 5)}
        if name.startswith("liquid"):
            numbers |= {"reduced": round(kappa / reduced, 4), "reduced_error": round(error / reduced, 4)}
        rows[name] = numbers | more

    for phase, timestep, length in (("liquid", 0.008, 12.0), ("solid", SOLID["timestep"], 40.0)):
        for side in ("lammps", "e3d"):
            files = sorted(folder.glob(f"{phase}.{side}.*.txt"))
            if not files:
                continue
            runs = [read_current(path) for path in files]
            one = green_kubo(runs, METAL, timestep, length)
            plateau = [round(x, 3) for x in one.plateau]
            more = {"plateau_ps": plateau, "settled": one.settled, "temperature": round(one.temperature, 2)}
            add(f"{phase} green-kubo {side}", one.conductivity, one.error, runs=len(runs), **more)
        words = {
            f"{force}": [read_current(p) for p in sorted(folder.glob(f"{phase}.hnemd.{force}.*.txt"))]
            for force in FORCES[phase]
        }
        words = {word: runs for word, runs in words.items() if runs}
        if not words:
            continue
        driven = hnemd(group_by_force(words, METAL, timestep))
        for group, linear in zip(driven.groups, driven.linear, strict=True):
            more = {
                "linear": bool(linear),
                "drift": round(group.drift, 2),
                "temperature": round(group.temperature, 2),
            }
            name = f"{phase} hnemd e3d |F| = {group.force:g}"
            add(name, group.conductivity, group.error, runs=len(group.running), **more)
        add(f"{phase} hnemd e3d", driven.conductivity, driven.error)
    return {
        "format": "e3d-argon/1",
        "literature": {"liquid reduced": 3.4, "solid W_per_m_K": 0.29},
        "results": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["models", "run", "result"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--only", default="*", help="run: those whose names match, as in 'solid.*'")
    parser.add_argument("-o", "--output", type=Path, help="result: write it here as JSON")
    args = parser.parse_args()
    if args.task == "models":
        write_models(args.folder)
    elif args.task == "run":
        run(args.folder, args.seeds, args.only)
    else:
        print_result(result(args.folder), args.output)


if __name__ == "__main__":
    main()
