"""Reader of extended XYZ files (``.xyz``, ``.extxyz``, also ``.gz``), through ASE.

Energies in eV, forces in eV/angstrom, stress in eV/angstrom^3, as ASE has them. Of the comment line are read,
where they are there: `subset`, `smiles`, `charge` (or `total_charge`), and the name of the material that the
frame comes from (`PARENTS`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.edges.isolated_atoms import cohesive_energy
from e3d_lmp.edges.structures import decompressed
from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.records import Molecule, Wanted
from e3d_lmp.training.data.screening import screened
from e3d_lmp.training.data.smiles import formal_charge
from e3d_lmp.training.data.split import crystal_key, molecule_key

PARENTS = ("parent", "parent_id", "prototype", "material_id", "mp_id")
"""Words of the comment line that say where a frame comes from; frames of one parent stay on one side of a
split."""


def read_extxyz(path: str | Path, wanted: Wanted) -> Iterator[Molecule]:
    """Yield the frames of a file with their cohesive energies and forces, each as a molecule of one frame.

    The keys are the parent, where the comment line has one, and the bond graph of a molecule; that of a
    crystal without a parent is its reduced formula.

    Raises
    ------
    E3DError
        ASE cannot read the file, or a frame lacks its energy or forces.
    """
    import ase.io

    path = Path(path)
    number = 0
    try:
        with decompressed(path) as plain:
            for number, atoms in enumerate(ase.io.iread(plain, index=":", format="extxyz")):
                molecule = _frame(path, number, atoms, wanted)
                if molecule is not None:
                    yield molecule
    except E3DError:
        raise
    except Exception as error:  # ASE's readers raise whatever they like
        raise E3DError(
            f"expected extended XYZ at '{path}', got after frame {number}: {type(error).__name__}: {error}; "
            "check the path and the file"
        ) from error


def _frame(path: Path, number: int, atoms: Any, wanted: Wanted) -> Molecule | None:
    numbers = atoms.numbers.astype(np.int64)
    labels = dict(getattr(atoms.calc, "results", {}))
    energy_name = wanted.energy or "energy"
    forces_name = energy_name.removesuffix("energy") + "forces"
    energy = labels.get(energy_name, atoms.info.get(energy_name))
    forces = labels.get(forces_name, atoms.arrays.get(forces_name))
    missing = [
        name
        for name, value, needed in ((energy_name, energy, True), (forces_name, forces, wanted.needs_forces))
        if needed and value is None
    ]
    if missing:
        raise E3DError(
            f"expected {energy_name} and {forces_name} in frame {number} of '{path}', missing: "
            f"{', '.join(missing)}; say with `energy` in the recipe how the energy is called (X_energy goes "
            "with X_forces)"
        )
    smiles, subset = str(atoms.info.get("smiles", "")), str(atoms.info.get("subset", ""))
    stated = atoms.info.get("charge", atoms.info.get("total_charge"))
    charge = formal_charge(smiles) if stated is None else round(float(stated))
    if not wanted.takes(numbers, subset, charge):
        return None
    positions = np.asarray(atoms.positions, dtype=np.float64)
    periodic = bool(atoms.pbc.any())
    parent = next((f"material {atoms.info[word]}" for word in PARENTS if word in atoms.info), None)
    own = crystal_key(numbers) if periodic else molecule_key(numbers, positions)
    stress = labels.get("stress")
    molecule = Molecule(
        name=f"{path.name}/{number}",
        subset=subset,
        smiles=smiles,
        atomic_numbers=numbers,
        positions=positions[None],
        energy=cohesive_energy(np.array([float(energy)]), numbers, wanted.atoms),
        forces=(
            np.asarray(forces, dtype=np.float64)
            if wanted.forces and forces is not None
            else np.full(positions.shape, np.nan)
        )[None],
        frames=np.zeros(1, dtype=np.int64),
        # a molecule may be in another source too, where it goes by its bond graph
        keys=(own,) if parent is None else (parent,) if periodic else (parent, own),
        charge=charge,
        cell=np.asarray(atoms.cell, dtype=np.float64).reshape(1, 3, 3) if periodic else None,
        pbc=np.asarray(atoms.pbc, dtype=bool),
        stress=_matrix(stress)[None] if periodic and stress is not None else None,
    )
    return screened(molecule, wanted)


def _matrix(stress: Any) -> np.ndarray:
    """(3, 3) from ASE's xx yy zz yz xz xy."""
    array = np.asarray(stress, dtype=np.float64)
    if array.shape == (3, 3):
        return array
    xx, yy, zz, yz, xz, xy = array
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
