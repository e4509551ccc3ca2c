"""Reader of the SPICE 1/2 HDF5 layout.

One group per molecule: `atomic_numbers` (N,), `conformations` (F, N, 3) bohr, `dft_total_energy` (F,)
hartree, `dft_total_gradient` (F, N, 3) hartree/bohr, `subset` and `smiles` (one string each).
Layout: Eastman et al., Scientific Data 10, 11 (2023), and https://github.com/openmm/spice-dataset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from ase.data import atomic_numbers as _Z_OF
from ase.data import chemical_symbols, covalent_radii
from ase.units import Bohr, Hartree

from e3d_lmp.data.isolated_atoms import cohesive_energy
from e3d_lmp.errors import E3DError

LENGTH_UNITS = {"bohr": Bohr, "angstrom": 1.0}
ENERGY_UNITS = {"hartree": Hartree, "ev": 1.0}
GRADIENT_UNITS = {"hartree/bohr": Hartree / Bohr, "hartree/angstrom": Hartree, "ev/angstrom": 1.0}
_FIELDS = ("atomic_numbers", "conformations", "dft_total_energy", "dft_total_gradient")


@dataclass(frozen=True)
class Molecule:
    """All frames of one group that passed the checks.

    Attributes
    ----------
    name : group name
    subset, smiles : strings of the file, '' where absent
    atomic_numbers : (N,) int64
    positions : (F, N, 3) float64, angstrom
    energy : (F,) float64, eV, cohesive energy of the frame
    forces : (F, N, 3) float64, eV/angstrom
    frames : (F,) int64, index of each frame in the file
    """

    name: str
    subset: str
    smiles: str
    atomic_numbers: np.ndarray
    positions: np.ndarray
    energy: np.ndarray
    forces: np.ndarray
    frames: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)


@dataclass
class Dropped:
    """Counts of what was left out, by reason; `molecules` counts whole groups, `frames` single frames."""

    molecules: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)


def read_spice(
    path: str | Path,
    atoms: Mapping[int, float],
    elements: Collection[str],
    *,
    max_force: float = 20.0,
    min_distance: float = 0.6,
    dropped: Dropped | None = None,
) -> Iterator[Molecule]:
    """Yield the molecules of a file with their cohesive energies and forces, in the order of the file.

    Parameters
    ----------
    path : file in the SPICE layout
    atoms : isolated-atom energies by atomic number, eV
    elements : chemical symbols that the model knows; molecules with others are left out
    max_force : frames with a larger force component are left out, eV/angstrom
    min_distance : frames with two atoms closer than this part of the sum of their covalent radii are left out
    dropped : counts what was left out, and why

    Raises
    ------
    E3DError
        The file is no HDF5 file, lacks a field, or has fields of the wrong shape or in unknown units.
    """
    dropped = Dropped() if dropped is None else dropped
    known = {_Z_OF[element] for element in elements}
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise E3DError(
            f"expected an HDF5 file in the SPICE layout at '{path}', got: {error}; check the path"
        ) from error
    with file:
        if len(file) == 0:
            raise E3DError(f"expected molecules in '{path}', found an empty file; fetch it again")
        for name, group in file.items():
            _check_group(path, name, group)
            numbers = group["atomic_numbers"][()].astype(np.int64).reshape(-1)
            strange = sorted(set(numbers.tolist()) - known)
            if strange:
                dropped.molecules["element " + " ".join(chemical_symbols[z] for z in strange)] += 1
                continue
            molecule = _convert(path, name, group, numbers, atoms)
            keep = _sound_frames(molecule, max_force, min_distance, dropped)
            if not keep.any():
                dropped.molecules["no frame left"] += 1
                continue
            yield Molecule(
                name=molecule.name,
                subset=molecule.subset,
                smiles=molecule.smiles,
                atomic_numbers=numbers,
                positions=molecule.positions[keep],
                energy=molecule.energy[keep],
                forces=molecule.forces[keep],
                frames=molecule.frames[keep],
            )


def _check_group(path: str | Path, name: str, group: h5py.Group | h5py.Dataset) -> None:
    """Raise unless `group` holds the four fields with matching shapes."""
    if not isinstance(group, h5py.Group):
        raise E3DError(
            f"expected one group per molecule in '{path}', got the data set '{name}'; "
            "this is not the SPICE layout"
        )
    missing = [field_name for field_name in _FIELDS if field_name not in group]
    if missing:
        raise E3DError(
            f"expected the fields {', '.join(_FIELDS)} in group '{name}' of '{path}', "
            f"missing: {', '.join(missing)}; this is not the SPICE layout, or a file without gradients"
        )
    n_atoms = group["atomic_numbers"].size
    n_frames = group["conformations"].shape[0]
    for field_name, shape in (
        ("conformations", (n_frames, n_atoms, 3)),
        ("dft_total_energy", (n_frames,)),
        ("dft_total_gradient", (n_frames, n_atoms, 3)),
    ):
        if group[field_name].shape != shape:
            raise E3DError(
                f"expected shape {shape} for '{field_name}' in group '{name}' of '{path}', "
                f"got {group[field_name].shape}; the file is damaged"
            )


def unit_factor(dataset: h5py.Dataset, factors: Mapping[str, float], default: str) -> float:
    """Conversion of a data set to eV and angstrom, from its `units` attribute."""
    units = dataset.attrs.get("units", default)
    units = units.decode() if isinstance(units, bytes) else str(units)
    key = units.strip().lower().replace(" ", "")
    if key not in factors:
        raise E3DError(
            f"expected units {' or '.join(factors)} for '{dataset.name}' in '{dataset.file.filename}', "
            f"got '{units}'; convert the file first"
        )
    return factors[key]


def _text(group: h5py.Group, name: str) -> str:
    if name not in group:
        return ""
    value = np.asarray(group[name][()]).reshape(-1)[0]
    return value.decode() if isinstance(value, bytes) else str(value)


def _convert(
    path: str | Path, name: str, group: h5py.Group, numbers: np.ndarray, atoms: Mapping[int, float]
) -> Molecule:
    """All frames of a group in eV and angstrom."""
    position = group["conformations"]
    energy = group["dft_total_energy"]
    gradient = group["dft_total_gradient"]
    total = energy[()].astype(np.float64) * unit_factor(energy, ENERGY_UNITS, "hartree")
    return Molecule(
        name=name,
        subset=_text(group, "subset"),
        smiles=_text(group, "smiles"),
        atomic_numbers=numbers,
        positions=position[()].astype(np.float64) * unit_factor(position, LENGTH_UNITS, "bohr"),
        energy=cohesive_energy(total, numbers, atoms),
        forces=-gradient[()].astype(np.float64) * unit_factor(gradient, GRADIENT_UNITS, "hartree/bohr"),
        frames=np.arange(len(total)),
    )


def _sound_frames(molecule: Molecule, max_force: float, min_distance: float, dropped: Dropped) -> np.ndarray:
    """(F,) bool, the frames that are worth learning from."""
    finite = (
        np.isfinite(molecule.energy)
        & np.isfinite(molecule.forces).all(axis=(1, 2))
        & np.isfinite(molecule.positions).all(axis=(1, 2))
    )
    calm = np.abs(np.nan_to_num(molecule.forces, nan=0.0)).max(axis=(1, 2)) <= max_force
    apart = closest_ratio(molecule.atomic_numbers, molecule.positions) >= min_distance
    dropped.frames["not finite"] += int((~finite).sum())
    dropped.frames[f"force component above {max_force:g} eV/angstrom"] += int((finite & ~calm).sum())
    dropped.frames[f"atoms closer than {min_distance:g} of their covalent radii"] += int(
        (finite & calm & ~apart).sum()
    )
    return finite & calm & apart


def closest_ratio(atomic_numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(F,) float64, per frame the smallest distance over the sum of covalent radii (inf for one atom).

    Parameters
    ----------
    atomic_numbers : (N,) int
    positions : (F, N, 3) float64, angstrom
    """
    radii = covalent_radii[atomic_numbers]
    rows, columns = np.triu_indices(len(atomic_numbers), k=1)
    if len(rows) == 0:
        return np.full(len(positions), np.inf)
    sums = radii[rows] + radii[columns]
    return np.array(
        [(np.linalg.norm(frame[columns] - frame[rows], axis=1) / sums).min() for frame in positions]
    )
