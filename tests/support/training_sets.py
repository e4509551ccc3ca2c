"""Small files in the layouts of public data sets, and a training set made of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from ase import Atoms
from ase.build import molecule as ase_molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers

from e3d_lmp.edges.isolated_atoms import SPICE_LEVEL, isolated_atom_energies
from e3d_lmp.training.data.contacts import make_contacts
from e3d_lmp.training.data.prepare import prepare
from e3d_lmp.training.data.recipe import parse_recipe
from e3d_lmp.training.data.records import Wanted

BOHR, HARTREE = 0.529177210903, 27.211386245988  # CODATA 2018, angstrom and eV
CONSTANTS_RTOL = 1e-7
"""CODATA 2014 (which ase uses) and 2018 differ by less than this."""

ORGANIC = ["CH4", "C2H6", "C2H4", "C2H2", "CH3OH", "H2O", "NH3", "CH3CN", "HCN", "H2CO", "CO2", "CH3CHO"]


HCNO = ("H", "C", "N", "O")


def wanted(elements: Sequence[str] = HCNO, level: str | None = SPICE_LEVEL, **options: Any) -> Wanted:
    """What a reader is asked for; level None: cohesive energies."""
    atoms = None if level is None else isolated_atom_energies(level)
    return Wanted({atomic_numbers[element] for element in elements}, atoms, **options)


def write_spice(path: Path, names: list[str], frames: int = 4, seed: int = 1, **extra: str) -> None:
    """A small file in the SPICE layout: bohr, hartree, hartree/bohr; energies below the free atoms'."""
    rng = np.random.default_rng(seed)
    atoms = isolated_atom_energies()
    with h5py.File(path, "w") as file:
        for count, name in enumerate(names):
            template = ase_molecule(name)
            numbers = template.numbers
            moved = template.positions + rng.normal(scale=0.03, size=(frames, len(numbers), 3))
            total = sum(atoms[int(z)] for z in numbers) - 4.0 * len(numbers) + 0.1 * rng.normal(size=frames)
            group = file.create_group(f"mol_{count:02d}")
            group["atomic_numbers"] = numbers.astype(np.int16)
            group["conformations"] = (moved / BOHR).astype(np.float64)
            group["dft_total_energy"] = total / HARTREE
            group["dft_total_gradient"] = rng.normal(scale=0.5, size=moved.shape) * BOHR / HARTREE
            group["smiles"] = np.array([name.encode()])
            group["subset"] = np.array([extra.get("subset", "small").encode()])
            for field, units in (
                ("conformations", "bohr"),
                ("dft_total_energy", "hartree"),
                ("dft_total_gradient", "hartree/bohr"),
            ):
                group[field].attrs["units"] = units


STRESS = np.array([0.01, 0.02, 0.03, 0.004, 0.005, 0.006])


def labelled(atoms: Atoms, energy: float, **info: Any) -> Atoms:
    """Atoms with an energy and forces, a stress where they are periodic, and `info`."""
    forces = 0.01 * np.arange(3.0 * len(atoms)).reshape(-1, 3)
    stress = {"stress": STRESS} if atoms.pbc.any() else {}
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, **stress)
    atoms.info |= info
    return atoms


RECIPE = {
    "elements": ["H", "C", "N", "O"],
    "r_max": 4.0,
    "seed": 11,
    "fractions": {"val": 0.2, "test": 0.2},
    "sources": [
        {
            "file": "a.hdf5",
            "layout": "spice",
            "level": SPICE_LEVEL,
            "frames": {
                "small": {"train": 3, "val": 2, "test": 4},
                "one": {"train": 2, "val": 1, "test": 1, "split": "frames"},
            },
        }
    ],
}


def small_training_set(folder: Path) -> None:
    """Make folder/data from twelve molecules (folder/a.hdf5) and a subset of one molecule, and contacts."""
    write_spice(folder / "a.hdf5", ORGANIC)
    write_spice(folder / "b.hdf5", ["CH3CH2OH"], subset="one")
    with h5py.File(folder / "a.hdf5", "a") as file, h5py.File(folder / "b.hdf5") as other:
        other.copy("mol_00", file, "zz")
    prepare(parse_recipe(RECIPE, folder), folder / "data")
    make_contacts(folder / "data", "train", count=6, closest=0.5, energy_of=repulsion)


def repulsion(atomic_numbers: np.ndarray, positions: np.ndarray) -> tuple[float, np.ndarray]:
    """100 eV exp(-3 r) between all atoms: stands in for a quantum-chemical program."""
    vectors = positions[:, None] - positions[None]
    distance = np.linalg.norm(vectors, axis=-1) + np.diag(np.full(len(positions), np.inf))
    terms = 100.0 * np.exp(-3.0 * distance)
    forces = (3.0 * terms / distance)[:, :, None] * vectors
    return 0.5 * float(terms.sum()), forces.sum(axis=1)


def write_ani(
    path: Path,
    groups: Sequence[tuple[str, Atoms, np.ndarray, np.ndarray]],
    forces: Sequence[str] = (),
    level: str = "wB97x/6-31G(d)",
    **fields: np.ndarray,
) -> None:
    """A small file in the ANI layout: angstrom, hartree, hartree/bohr, and no word of units.

    Parameters
    ----------
    groups : name, atoms, positions (F, N, 3) in angstrom and cohesive energies (F,) in eV
    forces : names of the groups that have forces, which are 0.1 eV/angstrom times the positions
    fields : further fields of each group
    """
    atoms = isolated_atom_energies(level)
    with h5py.File(path, "w") as file:
        for name, template, positions, cohesive in groups:
            group = file.create_group(name)
            total = cohesive + sum(atoms[int(z)] for z in template.numbers)
            group["coordinates"], group["energies"] = positions, total / HARTREE
            group["species"] = np.array(template.get_chemical_symbols(), dtype="S1")
            if name in forces:
                group["forces"] = 0.1 * positions * BOHR / HARTREE
            for field, values in fields.items():
                group[field] = values


def stretched(name: str, carbon: int, lengths: Sequence[float]) -> tuple[Atoms, np.ndarray]:
    """A molecule of ASE whose bond of the carbons `carbon` and `carbon` + 1 has these lengths, angstrom."""
    atoms = ase_molecule(name)
    carbons = [k for k, z in enumerate(atoms.numbers) if z == 6]
    carbons.sort(key=lambda k: atoms.positions[k] @ np.array([0.3, 1.0, 0.1]))
    one, other = carbons[carbon], carbons[carbon + 1]
    axis = atoms.positions[other] - atoms.positions[one]
    rest = np.linalg.norm(axis)
    axis = axis / rest
    beyond = (atoms.positions - 0.5 * (atoms.positions[one] + atoms.positions[other])) @ axis > 0
    frames = [atoms.positions + (length - rest) * axis * beyond[:, None] for length in lengths]
    return atoms, np.array(frames)
