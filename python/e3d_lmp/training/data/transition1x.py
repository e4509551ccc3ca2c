"""Reader of the Transition1x HDF5 layout.

``PART/FORMULA/REACTION`` with PART ``data`` (everything) or ``train``, ``val``, ``test`` (links into
``data``). A reaction has the groups ``reactant``, ``transition_state`` and ``product``, and holds the images
of its paths itself; each has `atomic_numbers` (N,), `positions` (F, N, 3) angstrom, ``wB97x_6-31G(d).energy``
and ``.atomization_energy`` (F,) eV (the latter is the cohesive energy), ``.forces`` (F, N, 3) eV/angstrom.
The published file says no units: these are the layout's. A `smiles` attribute of the reaction is read where
there is one. Layout: Schreiner et al., Scientific Data 9, 779 (2022), https://gitlab.com/matschreiner/Transition1x.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from e3d_lmp.edges.field_units import LENGTH_UNITS, in_units
from e3d_lmp.edges.hdf5 import read_atomic_numbers
from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.hdf5_file import Labels, check_shapes, has_no_frame, open_hdf5, read_molecule
from e3d_lmp.training.data.records import Molecule, Wanted
from e3d_lmp.training.data.smiles import formal_charge
from e3d_lmp.training.data.split import molecule_key

PATH = "path"
"""Subset of the images of a path; the other subsets are called as the groups."""
SUBSETS = ("reactant", "transition_state", "product", PATH)
PARTS = ("data", "train", "val", "test")
_LEVEL = "wB97x_6-31G(d)."
UNITS = ("angstrom", "ev", "ev/angstrom")
"""Of the published file."""


def read_transition1x(path: str | Path, wanted: Wanted, part: str = "data") -> Iterator[Molecule]:
    """Yield the reactants, transition states, products and paths of a file, reaction by reaction.

    All of a reaction carry the keys of its reactant and its product: reactions that share one of them stay on
    one side of a split.

    Raises
    ------
    E3DError
        The file is no HDF5 file, is damaged, has no such part, lacks a field, or has fields of the wrong
        shape or units.
    """
    with open_hdf5(path, "Transition1x") as file:
        if not isinstance(file.get(part), h5py.Group):
            raise E3DError(
                f"expected the group '{part}' in '{path}' (Transition1x), found "
                f"{', '.join(file) or 'nothing'}; choose `part` from {', '.join(PARTS)}"
            )
        for formula in file[part]:
            for reaction in file[f"{part}/{formula}"]:
                yield from _reaction(path, file[part], f"{formula}/{reaction}", wanted)


def _reaction(path: str | Path, part: h5py.Group, name: str, wanted: Wanted) -> Iterator[Molecule]:
    group = part.get(name)
    members = {} if group is None else {subset: group.get(subset) for subset in SUBSETS[:-1]}
    absent = [subset for subset, member in members.items() if member is None]
    if group is None or absent:
        what = f"lacks {', '.join(absent)}" if absent else "is a link that leads nowhere"
        raise E3DError(
            f"expected reactant, transition_state and product in '{part.name}/{name}' of '{path}', but it "
            f"{what}; the file is damaged, or not in the Transition1x layout"
        )
    if "positions" in group:  # a file may hold the three structures alone
        members[PATH] = group
    for subset, member in members.items():
        _check(path, f"{name}/{subset}", member, wanted)
    empty = [end for end in ("reactant", "product") if has_no_frame(members[end], _labels(wanted))]
    if empty:  # without both ends nobody knows which reactions share a molecule
        wanted.dropped.molecules["no frame left"] += len(members)
        return
    keys = tuple(
        sorted(
            {
                molecule_key(_numbers(members[end]), _positions(members[end])[0])
                for end in ("reactant", "product")
            }
        )
    )
    smiles = str(group.attrs.get("smiles", ""))
    charge = formal_charge(smiles)
    for subset, member in members.items():
        numbers = _numbers(member)
        if not wanted.takes(numbers, subset, charge):
            continue
        about = {
            "name": f"{name}/{subset}",
            "subset": subset,
            "smiles": smiles,
            "charge": charge,
            "keys": keys,
        }
        molecule = read_molecule(member, numbers, _labels(wanted), wanted, **about)
        if molecule is not None:
            yield molecule


def _energy_field(wanted: Wanted) -> str:
    own = "energy" if wanted.atoms is not None else "atomization_energy"
    return wanted.energy or _LEVEL + own


def _forces_field(wanted: Wanted) -> str:
    level = _energy_field(wanted).removesuffix("energy").removesuffix("atomization_")
    return f"{level}forces"


def _numbers(member: h5py.Group) -> np.ndarray:
    return read_atomic_numbers(member)


def _positions(member: h5py.Group) -> np.ndarray:
    return in_units(member["positions"], LENGTH_UNITS, UNITS[0])


def _labels(wanted: Wanted) -> Labels:
    return Labels("positions", _energy_field(wanted), _forces_field(wanted), UNITS)


def _check(path: str | Path, name: str, member: h5py.Group, wanted: Wanted) -> None:
    """Raise unless the fields are there, with matching shapes."""
    fields = ["atomic_numbers", *_labels(wanted).fields(wanted.needs_forces)]
    missing = [field for field in fields if field not in member]
    if missing:
        there = ", ".join(key for key in member if "energy" in key or "forces" in key) or "none"
        raise E3DError(
            f"expected the fields {', '.join(fields)} in '{name}' of '{path}', missing: "
            f"{', '.join(missing)}; labels there: {there}"
        )
    check_shapes(member, "atomic_numbers", _labels(wanted), wanted)
