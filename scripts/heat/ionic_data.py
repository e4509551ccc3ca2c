"""Frames of silver iodide to learn from: dynamics of LAMMPS's own styles in both phases, as prepared data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from matscipy.neighbours import neighbour_list

from e3d_lmp.files import atomic_path
from runs import ROOT, run_lammps
from silver_iodide import CUTOFF, ELEMENTS, SELF_ENERGY, SilverIodide

PARAMETERS = ROOT / "inputs" / "heat" / "AgI.vashishta"
PHASES = {"ordered": (200.0, 300.0, 400.0), "superionic": (473.0, 573.0, 673.0)}
"""K of the frames of each phase."""
CELLS = {"ordered": 2, "superionic": 3}
BAR = 6.2415091e-7
"""eV/A^3."""
FRAMES = "frames.extxyz"
RECIPE = {
    "elements": list(ELEMENTS),
    "r_max": CUTOFF,
    "seed": 1,
    "fractions": {"val": 0.1, "test": 0.25},
}
SOURCE = {"layout": "extxyz", "level": "Shimojo-Kobayashi, cut at 6 A", "energies": "cohesive"}


def label_frames(folder: Path, sizes: dict[str, int]) -> None:
    """``frames.extxyz``, of all temperatures, and ``data/``; stretches of five stay together in the split."""
    from ase.io import write

    frames = []
    for phase, temperatures in PHASES.items():
        for temperature in temperatures:
            words = {"task": "frames", "phase": phase, "cells": CELLS[phase], "temperature": temperature}
            words |= {"parameters": PARAMETERS, "apart": sizes["apart"], "equilibrate": sizes["equilibrate"]}
            words |= {"steps": sizes["apart"] * (sizes["frames"] - 1), "current": "frames.txt"}
            run_lammps(folder, "in.ionic", f"frames.{phase}.{temperature:.0f}", words)
            frames += labelled(folder, f"{phase}, {temperature:.0f} K")
    with atomic_path(folder / FRAMES) as partial:
        write(partial, frames, format="extxyz")
    prepare_frames(folder, FRAMES, "data")


def label_currents(folder: Path, sizes: dict[str, int]) -> None:
    """``data_currents/``: the frames of ``data/`` with their velocities and exact currents."""
    from ase.io import read, write

    frames = read(folder / FRAMES, index=":")
    for atoms in frames:
        atoms.info["heat_current"] = exact_current(atoms, atoms.arrays["velocities"])
    with atomic_path(folder / "currents.extxyz") as partial:
        write(partial, frames, format="extxyz")
    prepare_frames(folder, "currents.extxyz", "data_currents")


def exact_current(atoms: Atoms, velocities: np.ndarray) -> np.ndarray:
    """(3,) eV A/ps: J of the pair potential without its kinetic part."""
    from e3d_lmp.model.decomposition import EdgeModelWithForces

    i, j, vectors = neighbour_list("ijD", atoms=atoms, cutoff=CUTOFF)
    types = torch.tensor([ELEMENTS.index(symbol) for symbol in atoms.symbols])
    model = EdgeModelWithForces(SilverIodide())
    edges = torch.tensor(np.stack([i, j])).long()
    energy, _, g = (x.numpy() for x in model(torch.tensor(vectors), edges, types))
    return energy[:, 0] @ velocities - (g * velocities[j]).sum(axis=1) @ vectors


def prepare_frames(folder: Path, frames: str, name: str) -> None:
    """A file of frames as prepared data."""
    from e3d_lmp.training.data.prepare import prepare
    from e3d_lmp.training.data.recipe import parse_recipe

    prepare(parse_recipe(RECIPE | {"sources": [SOURCE | {"file": frames}]}, folder), folder / name)


def labelled(folder: Path, origin: str) -> list[Any]:
    """The frames that LAMMPS has just written: cohesive energies, forces, stresses, velocities (A/ps)."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import read
    from ase.units import fs

    table = np.loadtxt(folder / "frames.txt")[:, 1:]
    frames = []
    for number, (atoms, row) in enumerate(
        zip(read(folder / "frames.dump", index=":", format="lammps-dump-text"), table, strict=True)
    ):
        stress = -BAR * row[[1, 2, 3, 6, 5, 4]]
        energy = row[0] - SELF_ENERGY * len(atoms)
        velocities = atoms.get_velocities() * 1000.0 * fs
        del atoms.arrays["momenta"]
        atoms.arrays["velocities"] = velocities
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=atoms.get_forces(), stress=stress)
        atoms.info = {"parent": f"{origin}, {number // 5}", "subset": origin.split(",")[0]}
        frames.append(atoms)
    return frames
