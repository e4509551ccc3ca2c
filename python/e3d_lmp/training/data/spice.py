"""Reader of the SPICE 1/2 HDF5 layout.

One group per molecule: `atomic_numbers` (N,), `conformations` (F, N, 3) bohr, `dft_total_energy` (F,)
hartree, `dft_total_gradient` (F, N, 3) hartree/bohr, `formation_energy` (F,) hartree (the cohesive energy),
`subset` and `smiles` (one string each). The charge of a molecule is the sum of the formal charges of its
SMILES. Layout: Eastman et al., Scientific Data 10, 11 (2023), and https://github.com/openmm/spice-dataset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from e3d_lmp.edges.hdf5 import read_atomic_numbers
from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.hdf5_file import Labels, check_shapes, open_hdf5, read_molecule
from e3d_lmp.training.data.records import Molecule, Wanted
from e3d_lmp.training.data.smiles import formal_charge
from e3d_lmp.training.data.split import molecule_key


def read_spice(path: str | Path, wanted: Wanted) -> Iterator[Molecule]:
    """Yield the molecules of a file with their cohesive energies and forces, in the order of the file.

    Raises
    ------
    E3DError
        The file is no HDF5 file, is damaged, lacks a field, or has fields of the wrong shape or in unknown
        units.
    """
    energy = wanted.energy or ("dft_total_energy" if wanted.atoms is not None else "formation_energy")
    with open_hdf5(path, "SPICE") as file:
        if len(file) == 0:
            raise E3DError(f"expected molecules in '{path}', found an empty file; fetch it again")
        for name, group in file.items():
            _check_group(path, name, group, energy, wanted)
            numbers = read_atomic_numbers(group)
            smiles, subset = _text(group, "smiles"), _text(group, "subset")
            charge = formal_charge(smiles)
            if not wanted.takes(numbers, subset, charge):
                continue
            about = {"name": name, "subset": subset, "smiles": smiles, "charge": charge}
            molecule = read_molecule(group, numbers, _labels(energy), wanted, **about)
            if molecule is not None:
                yield replace(molecule, keys=(molecule_key(numbers, molecule.positions[0]),))


def _check_group(
    path: str | Path, name: str, group: h5py.Group | h5py.Dataset, energy: str, wanted: Wanted
) -> None:
    """Raise unless `group` holds the fields with matching shapes."""
    if not isinstance(group, h5py.Group):
        raise E3DError(
            f"expected one group per molecule in '{path}', got the data set '{name}'; "
            "this is not the SPICE layout"
        )
    fields = ["atomic_numbers", *_labels(energy).fields(wanted.needs_forces)]
    missing = [field_name for field_name in fields if field_name not in group]
    if missing:
        raise E3DError(
            f"expected the fields {', '.join(fields)} in group '{name}' of '{path}', "
            f"missing: {', '.join(missing)}; this is not the SPICE layout, or a file without these labels"
        )
    check_shapes(group, "atomic_numbers", _labels(energy), wanted)


def _text(group: h5py.Group, name: str) -> str:
    if name not in group:
        return ""
    value = np.asarray(group[name][()]).reshape(-1)[0]
    return value.decode() if isinstance(value, bytes) else str(value)


def _labels(energy: str) -> Labels:
    return Labels("conformations", energy, "dft_total_gradient", forces_sign=-1.0)
