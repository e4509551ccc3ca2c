"""The ANI HDF5 layout: which groups hold molecules, and of what atoms.

Groups at any depth, each with `coordinates` (F, N, 3) angstrom, `energies` (F,) hartree, `species` (N,)
chemical symbols, and perhaps `forces` (F, N, 3) hartree/bohr. Other fields are not read: `smiles` (files that
copy the layout leave a placeholder there), and `coordinatesHE` with `energiesHE`, the frames that the authors
of ANI-1 set aside because of their high energy. Several groups may be one and the same molecule. Layout:
Smith, Isayev, Roitberg, Scientific Data 4, 170193 (2017), https://github.com/isayev/ANI1_dataset; `forces` as
in the Alkane-Dataset of Hu, Johannesen, Graham, Goodpaster (2023).
"""

from __future__ import annotations

import h5py
import numpy as np

from e3d_lmp.errors import E3DError

POSITIONS = "coordinates"
ENERGY = "energies"
FORCES = "forces"
SPECIES = "species"
UNITS = ("angstrom", "hartree", "hartree/bohr")
"""Of positions, energies and forces; the `units` attribute of a field, where there is one, goes before."""


def ani_groups(file: h5py.File) -> list[str]:
    """Names of the groups of a file that hold molecules, in the order of the file."""
    names: list[str] = []

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Group) and is_ani_group(item):
            names.append(name)

    file.visititems(visit)
    return names


def is_ani_group(group: h5py.Group) -> bool:
    """Whether a group holds a molecule in this layout."""
    return {POSITIONS, SPECIES} <= set(group)


def ani_symbols(group: h5py.Group) -> list[str]:
    """Chemical symbols of the atoms of a group.

    Raises
    ------
    E3DError
        A species is no chemical symbol.
    """
    from ase.data import atomic_numbers

    values = group[SPECIES][()].reshape(-1)
    symbols = [(one.decode() if isinstance(one, bytes) else str(one)).strip() for one in values]
    strange = [symbol for symbol in symbols if symbol not in atomic_numbers or symbol == "X"]
    if strange:
        raise E3DError(
            f"expected chemical symbols in '{SPECIES}' of '{group.name}' in '{group.file.filename}', got "
            f"'{strange[0]}'; this is not the ANI layout, or the file is damaged"
        )
    return symbols


def ani_numbers(group: h5py.Group) -> np.ndarray:
    """(N,) int64, atomic numbers of the atoms of a group; raises as `ani_symbols` does."""
    from ase.data import atomic_numbers

    return np.array([atomic_numbers[symbol] for symbol in ani_symbols(group)], dtype=np.int64)
