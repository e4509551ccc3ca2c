"""Reader of extended XYZ files (``.xyz``, ``.extxyz``, also ``.gz``), through ASE.

Energies in eV, forces in eV/angstrom, stress in eV/angstrom^3 and virial in eV (stress = -virial / volume),
as ASE has them. Forces and stress are those that go by the name of the energy: ``REF_forces`` and
``REF_stress`` (or ``REF_virial``) with ``REF_energy``, ``Forces`` with ``Energy``, never another level's.

A heat current goes by the name of the energy too: ``heat_current`` of the comment line, eV angstrom/ps, is
that of the cohesive energy without its kinetic part, and needs the column ``velocities``, angstrom/ps.

Of the comment line are read, where they are there: `subset`, `smiles`, `charge` (or `total_charge`), and the
name of the material that the frame comes from (`PARENTS`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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
    labels = dict(getattr(atoms.calc, "results", {})) | atoms.info | atoms.arrays
    energy_name = wanted.energy or "energy"
    energy = labels.get(energy_name)
    forces_name, forces = _label(labels, energy_name, FORCES)
    missing = [
        name
        for name, value, needed in ((energy_name, energy, True), (forces_name, forces, wanted.needs_forces))
        if needed and value is None
    ]
    if missing:
        raise E3DError(
            f"expected {energy_name} and {forces_name} in frame {number} of '{path}', missing: "
            f"{', '.join(missing)}; say with `energy` in the recipe how the energy is called (X_energy goes "
            "with X_forces and X_stress or X_virial)"
        )
    smiles, subset = str(atoms.info.get("smiles", "")), str(atoms.info.get("subset", ""))
    stated = atoms.info.get("charge", atoms.info.get("total_charge"))
    charge = formal_charge(smiles) if stated is None else round(float(stated))
    if not wanted.takes(numbers, subset, charge):
        return None
    positions = np.asarray(atoms.positions, dtype=np.float64)
    periodic = bool(atoms.pbc.any())
    parent = next((f"material {atoms.info[word]}" for word in PARENTS if word in atoms.info), None)
    velocities, current = _heat_current(path, number, labels, energy_name)
    own = crystal_key(numbers) if periodic else molecule_key(numbers, positions)
    stress = _stress(labels, energy_name, atoms) if periodic else None
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
        stress=None if stress is None else stress[None],
        velocities=velocities,
        heat_current=current,
    )
    return screened(molecule, wanted)


FORCES = ("forces", "force")
STRESSES = ("stress", "stresses")
VIRIALS = ("virial", "virials")
CURRENTS = ("heat_current",)
"""Usual words for a label, in the order in which they are looked for."""


def _label(labels: Mapping[str, Any], energy: str, words: Sequence[str]) -> tuple[str, Any]:
    """Name and value of the label that goes with an energy of this name, or None as the value.

    The word "energy" in the name, as it is written there, becomes the label's: ``dft_Energy`` goes with
    ``dft_Forces``. A name without that word (``E``) goes with the plain words.
    """
    found = re.search("energy", energy, re.IGNORECASE)
    names = list(words)
    if found:
        written = str.upper if found[0].isupper() else str.title if found[0][0].isupper() else str
        names = [energy[: found.start()] + written(word) + energy[found.end() :] for word in words]
    return next(((name, labels[name]) for name in names if labels.get(name) is not None), (names[0], None))


def _stress(labels: Mapping[str, Any], energy: str, atoms: Any) -> np.ndarray | None:
    """(3, 3) eV/angstrom^3, positive under tension, of the stress or virial that goes with the energy."""
    value = _label(labels, energy, STRESSES)[1]
    if value is not None:
        return _matrix(value)
    value = _label(labels, energy, VIRIALS)[1]
    return None if value is None else -_matrix(value) / atoms.get_volume()


def _heat_current(
    path: Path, number: int, labels: Mapping[str, Any], energy: str
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(1, N, 3) velocities and (1, 3) heat current, where the frame has one."""
    name, current = _label(labels, energy, CURRENTS)
    if current is None:
        return None, None
    velocities = np.asarray(labels.get("velocities", []), dtype=np.float64)
    current = np.asarray(current, dtype=np.float64)
    if current.shape != (3,) or velocities.ndim != 2 or velocities.shape[1] != 3:
        raise E3DError(
            f"expected {name} with 3 numbers and a column velocities:R:3 in frame {number} of '{path}', got "
            f"{current.size} numbers and velocities of the shape {velocities.shape}; a heat current says "
            "something only with the velocities that it was computed for"
        )
    return velocities[None], current[None]


def _matrix(stress: Any) -> np.ndarray:
    """(3, 3) from ASE's xx yy zz yz xz xy."""
    array = np.asarray(stress, dtype=np.float64)
    if array.size == 9:
        return array.reshape(3, 3)
    xx, yy, zz, yz, xz, xy = array
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
