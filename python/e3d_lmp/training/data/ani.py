"""Reader of the ANI HDF5 layout.

Groups at any depth, each with `coordinates` (F, N, 3) angstrom, `energies` (F,) hartree, `species` (N,)
chemical symbols, and perhaps `forces` (F, N, 3) hartree/bohr. Other fields are not read: `smiles` (files that
copy the layout leave a placeholder there), and `coordinatesHE` with `energiesHE`, the frames that the authors
of ANI-1 set aside because of their high energy. The charge is not said; it counts as 0. Layout: Smith,
Isayev, Roitberg, Scientific Data 4, 170193 (2017), https://github.com/isayev/ANI1_dataset; `forces` as in the
Alkane-Dataset of Hu, Johannesen, Graham, Goodpaster (2023).

Several groups may be one and the same molecule: they carry the same key, which comes from the frame of lowest
energy of each group. Where that frame is in fragments (a bond was broken in all frames of the group), the
group goes with the molecules of the file that have the same atoms in the same order and all of its bonds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from ase.data import atomic_numbers as _Z_OF
from ase.formula import Formula

from e3d_lmp.data.hdf5_file import Labels, check_shapes, open_hdf5, read_molecule
from e3d_lmp.data.records import Molecule, Wanted
from e3d_lmp.data.split import bonded_pairs, molecule_key
from e3d_lmp.errors import E3DError

UNITS = ("angstrom", "hartree", "hartree/bohr")
"""Of the layout; the `units` attribute of a field, where there is one, goes before."""
ENERGY = "energies"
FORCES = "forces"
Bonds = frozenset[tuple[int, int]]


def read_ani(path: str | Path, wanted: Wanted) -> Iterator[Molecule]:
    """Yield the groups of a file with their cohesive energies and, where they are wanted, forces.

    The subset of a group is its formula (Hill order), as C2H6.

    Raises
    ------
    E3DError
        The file is no HDF5 file, is damaged, lacks a field, or has fields of the wrong shape or in unknown
        units; a species is no chemical symbol; or the file's own cohesive energies are asked for, which this
        layout has not.
    """
    if wanted.atoms is None:
        raise E3DError(
            f"expected total energies: the ANI layout of '{path}' has no cohesive ones; take `energies: "
            "cohesive` out of the recipe"
        )
    labels = Labels("coordinates", wanted.energy or ENERGY, FORCES, UNITS)
    with open_hdf5(path, "ANI") as file:
        names = list(ani_groups(file))
        if not names:
            raise E3DError(
                f"expected groups with coordinates, {labels.energy} and species in '{path}' (ANI layout), "
                f"found none; the file has {', '.join(file) or 'nothing'}"
            )
        keys = _keys(path, file, names, labels)
        for name in names:
            group = file[name]
            numbers = ani_numbers(group)
            subset = str(Formula.from_list([str(s) for s in _symbols(group)]).format("hill"))
            if not wanted.takes(numbers, subset, None):
                continue
            molecule = read_molecule(
                group, numbers, labels, wanted, name=name, subset=subset, smiles="", charge=None,
                keys=keys[name],
            )  # fmt: skip
            if molecule is not None:
                yield molecule


def ani_groups(file: h5py.File) -> Iterator[str]:
    """Names of the groups of a file that hold molecules, in the order of the file."""
    names: list[str] = []

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Group) and is_ani_group(item):
            names.append(name)

    file.visititems(visit)
    yield from names


def is_ani_group(group: h5py.Group) -> bool:
    """Whether a group holds a molecule in this layout."""
    return {"coordinates", "species"} <= set(group)


def ani_numbers(group: h5py.Group) -> np.ndarray:
    """(N,) int64, atomic numbers of a group.

    Raises
    ------
    E3DError
        A species is no chemical symbol.
    """
    symbols = _symbols(group)
    strange = [symbol for symbol in symbols if symbol not in _Z_OF or symbol == "X"]
    if strange:
        raise E3DError(
            f"expected chemical symbols in 'species' of '{group.name}' in '{group.file.filename}', got "
            f"'{strange[0]}'"
        )
    return np.array([_Z_OF[symbol] for symbol in symbols], dtype=np.int64)


def _symbols(group: h5py.Group) -> list[str]:
    values = group["species"][()].reshape(-1)
    return [(value.decode() if isinstance(value, bytes) else str(value)).strip() for value in values]


@dataclass(frozen=True)
class _Shape:
    """Atoms in their order, and the bonds and key of the frame of lowest energy of a group."""

    species: tuple[int, ...]
    bonds: Bonds
    key: str
    is_whole: bool


def _keys(path: str | Path, file: h5py.File, names: list[str], labels: Labels) -> dict[str, tuple[str, ...]]:
    """Keys of each group: those of its molecule."""
    shapes = {name: _shape(path, file[name], labels) for name in names}
    wholes: dict[tuple[int, ...], dict[str, Bonds]] = defaultdict(dict)
    for shape in shapes.values():
        if shape.is_whole:
            wholes[shape.species][shape.key] = shape.bonds
    result = {}
    for name, shape in shapes.items():
        parents = () if shape.is_whole else tuple(
            key for key, bonds in wholes[shape.species].items() if shape.bonds <= bonds
        )  # fmt: skip
        result[name] = parents or (shape.key,)
    return result


def _shape(path: str | Path, group: h5py.Group, labels: Labels) -> _Shape:
    fields = ["species", *labels.fields(False)]
    missing = [field for field in fields if field not in group]
    if missing:
        raise E3DError(
            f"expected the fields {', '.join(fields)} in '{group.name}' of '{path}', missing: "
            f"{', '.join(missing)}; this is not the ANI layout, or a file without these labels"
        )
    check_shapes(group, [*fields, *([labels.forces] if labels.forces in group else [])])
    numbers = ani_numbers(group)
    energy = group[labels.energy][()]
    if not np.isfinite(energy).any():
        return _Shape(tuple(numbers.tolist()), frozenset(), f"{group.name}", False)
    lowest = group[labels.positions][int(np.nanargmin(energy))].astype(np.float64)
    bonds = bonded_pairs(numbers, lowest)
    return _Shape(
        tuple(numbers.tolist()),
        frozenset(map(tuple, bonds.tolist())),
        molecule_key(numbers, lowest),
        _is_connected(len(numbers), bonds),
    )


def _is_connected(size: int, pairs: np.ndarray) -> bool:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    return int(connected_components(graph, directed=False)[0]) == 1
