"""HDF5 files of training data: opened and read within one boundary for what h5py raises; the molecule
of a group."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from e3d_lmp.edges import hdf5
from e3d_lmp.edges.field_units import ENERGY_UNITS, GRADIENT_UNITS, LENGTH_UNITS, in_units
from e3d_lmp.edges.isolated_atoms import cohesive_energy
from e3d_lmp.errors import E3DError
from e3d_lmp.files import reading
from e3d_lmp.training.data.records import Molecule, Wanted
from e3d_lmp.training.data.screening import screened


@contextlib.contextmanager
def open_hdf5(path: str | Path, layout: str) -> Iterator[h5py.File]:
    """The file, open for reading.

    Parameters
    ----------
    layout : name of the layout, for the message

    Raises
    ------
    E3DError
        The file cannot be opened, or what is read of it while it is open is damaged.
    """
    with (
        hdf5.open_hdf5(path, f"an HDF5 file in the {layout} layout") as file,
        reading(path, f"file, or not in the {layout} layout", "fetch it again"),
    ):
        yield file


@dataclass(frozen=True)
class Labels:
    """What a layout calls the fields of its groups.

    Attributes
    ----------
    positions, energy, forces : names of fields (F, N, 3), (F,), (F, N, 3)
    units : of these where a field does not say its own; None: it has to
    forces_sign : -1 where the field of the forces is the gradient
    """

    positions: str
    energy: str
    forces: str
    units: tuple[str, str, str] | None = None
    forces_sign: float = 1.0

    def fields(self, with_forces: bool) -> list[str]:
        """Names of the fields that are read."""
        return [self.positions, self.energy] + [self.forces] * with_forces


def read_molecule(
    group: h5py.Group, numbers: np.ndarray, labels: Labels, wanted: Wanted, **about: Any
) -> Molecule | None:
    """The sound frames of a group, None if there are none (`screened`); forces are nan where they are not
    wanted, or not there and not needed.

    Parameters
    ----------
    numbers : (N,) atomic numbers
    about : the other fields of `Molecule`: name, subset, smiles, charge, keys

    Raises
    ------
    E3DError
        A unit is absent or unknown, or an element has no isolated atom.
    """
    if has_no_frame(group, labels):
        wanted.dropped.molecules["no frame left"] += 1
        return None
    length, energy, force = labels.units or (None, None, None)
    positions = in_units(group[labels.positions], LENGTH_UNITS, length)
    total = in_units(group[labels.energy], ENERGY_UNITS, energy)
    forces = np.full(positions.shape, np.nan)
    if wanted.needs_forces or (wanted.forces and labels.forces in group):
        forces = labels.forces_sign * in_units(group[labels.forces], GRADIENT_UNITS, force)
    molecule = Molecule(
        atomic_numbers=numbers,
        positions=positions,
        energy=cohesive_energy(total, numbers, wanted.atoms),
        forces=forces,
        frames=np.arange(len(total)),
        **about,
    )
    return screened(molecule, wanted)


def has_no_frame(group: h5py.Group, labels: Labels) -> bool:
    """Whether a group holds no frame; then its fields have whatever shapes (SPICE 2.0.1 has such groups)."""
    return group[labels.positions].shape[0] == 0


def check_shapes(group: h5py.Group, numbers: str, labels: Labels, wanted: Wanted) -> None:
    """Raise unless those fields of a group that are read have matching shapes.

    Parameters
    ----------
    numbers : name of the atomic numbers or species (N,)
    """
    if has_no_frame(group, labels):
        return
    n_frames, n_atoms = group[labels.positions].shape[0], group[numbers].size
    shapes = [(n_frames, n_atoms, 3), (n_frames,), (n_frames, n_atoms, 3)]
    fields = labels.fields(wanted.forces and labels.forces in group)
    for field, shape in zip(fields, shapes, strict=False):
        if group[field].shape != shape:
            raise E3DError(
                f"expected shape {shape} for '{field}' in '{group.name.lstrip('/')}' of "
                f"'{group.file.filename}', got {group[field].shape}; the file is damaged"
            )
