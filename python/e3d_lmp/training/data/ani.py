"""Reader of the ANI HDF5 layout (`e3d_lmp.edges.ani`). The charge is not said; it counts as 0.

Several groups may be one and the same molecule: they carry the same key, which comes from the frame of lowest
energy of each group. Where that frame is in fragments (a bond was broken in all frames of the group), the
group goes with the molecules of the file that have the same atoms in the same order and all of its bonds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from e3d_lmp.edges.ani import ENERGY, FORCES, POSITIONS, SPECIES, UNITS, ani_groups, ani_numbers
from e3d_lmp.edges.molecules import molecule_of_atoms
from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.hdf5_file import Labels, check_shapes, open_hdf5, read_molecule
from e3d_lmp.training.data.records import Molecule, Wanted
from e3d_lmp.training.data.split import bonded_pairs, molecule_key

Bonds = frozenset[tuple[int, int]]


def read_ani(path: str | Path, wanted: Wanted) -> Iterator[Molecule]:
    """Yield the groups of a file with their cohesive energies and, where they are wanted, forces.

    The subset of a group is the name of the group that it lies in at the top, as gdb11_s02.

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
    labels = Labels(POSITIONS, wanted.energy or ENERGY, FORCES, UNITS)
    with open_hdf5(path, "ANI") as file:
        names = ani_groups(file)
        if not names:
            raise E3DError(
                f"expected groups with {POSITIONS}, {labels.energy} and {SPECIES} in '{path}' (ANI layout), "
                f"found none; the file has {', '.join(file) or 'nothing'}"
            )
        keys = _keys(path, file, names, labels, wanted)
        for name in names:
            group = file[name]
            numbers = ani_numbers(group)
            subset = name.partition("/")[0] if "/" in name else ""
            if not wanted.takes(numbers, subset, None):
                continue
            about = {"name": name, "subset": subset, "smiles": "", "charge": None, "keys": keys[name]}
            molecule = read_molecule(group, numbers, labels, wanted, **about)
            if molecule is not None:
                yield molecule


@dataclass(frozen=True)
class _LowestFrame:
    """The frame of lowest energy of a group: its atoms in their order, their bonds, and its key."""

    species: tuple[int, ...]
    bonds: Bonds
    key: str
    is_whole: bool


def _keys(
    path: str | Path, file: h5py.File, names: Sequence[str], labels: Labels, wanted: Wanted
) -> dict[str, tuple[str, ...]]:
    """Keys of each group: those of its molecule."""
    lowest = {name: _lowest_frame(path, file[name], labels, wanted) for name in names}
    wholes: dict[tuple[int, ...], dict[str, Bonds]] = defaultdict(dict)
    for one in lowest.values():
        if one.is_whole:
            wholes[one.species][one.key] = one.bonds
    result = {}
    for name, one in lowest.items():
        around = wholes[one.species].items()
        parents = () if one.is_whole else tuple(key for key, bonds in around if one.bonds <= bonds)
        result[name] = parents or (one.key,)
    return result


def _lowest_frame(path: str | Path, group: h5py.Group, labels: Labels, wanted: Wanted) -> _LowestFrame:
    fields = [SPECIES, *labels.fields(wanted.needs_forces)]
    missing = [field for field in fields if field not in group]
    if missing:
        raise E3DError(
            f"expected the fields {', '.join(fields)} in '{group.name}' of '{path}', missing: "
            f"{', '.join(missing)}; for frames without forces say `forces: some` (or none) in the recipe"
        )
    check_shapes(group, SPECIES, labels, wanted)
    numbers = ani_numbers(group)
    species = tuple(numbers.tolist())
    energy = group[labels.energy][()].reshape(-1)
    if not np.isfinite(energy).any():  # `screened` leaves the group out, and counts its frames
        return _LowestFrame(species, frozenset(), "", True)
    positions = group[labels.positions][int(np.nanargmin(energy))].astype(np.float64)
    bonds = bonded_pairs(numbers, positions)
    is_whole = not molecule_of_atoms(len(numbers), bonds).any()
    return _LowestFrame(
        species, frozenset(map(tuple, bonds.tolist())), molecule_key(numbers, positions), is_whole
    )
