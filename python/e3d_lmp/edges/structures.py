"""Structures to evaluate, one after the other: ASE-readable files, SPICE, Transition1x and ANI HDF5 files.

Layouts: SPICE, see `e3d_lmp.training.data.spice`; Transition1x, ``PART/FORMULA/REACTION/END`` (END:
``reactant``, ``transition_state``, ``product``) with `atomic_numbers` (N,), `positions` (F, N, 3) angstrom
and energies (F,) in eV, where PART is ``data`` (everything), ``train``, ``val`` or ``test``; the reaction
itself holds the images of its path in the same fields. Schreiner et al., Scientific Data 9, 779 (2022),
https://gitlab.com/matschreiner/Transition1x. ANI, see `e3d_lmp.edges.ani`.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from e3d_lmp.edges import ani
from e3d_lmp.edges.hdf5 import check_size, open_hdf5, read_atomic_numbers
from e3d_lmp.edges.store.reader import is_store
from e3d_lmp.errors import E3DError
from e3d_lmp.files import input_file, reading

SPICE_ENERGY = "dft_total_energy"
SPICE_FORMATION = "formation_energy"
SPICE_GRADIENT = "dft_total_gradient"
TRANSITION1X_ENERGY = "wB97x_6-31G(d).energy"
ASE_ENERGY = "energy"
PARTS = ("data", "train", "val", "test")
"""Parts of a Transition1x file; ``data`` is all."""
ENDS = ("reactant", "transition_state", "product")
"""Groups of a Transition1x reaction, in the order in which they are taken."""
TRANSITION_STATE = ENDS[1]
NAME_KEYS = ("name", "config_type")
"""Keys of a frame's ``info`` in ASE (of the comment line of extxyz) that name it, in this order."""


def _spice_gradient(energy: str) -> str:
    own = energy in (SPICE_ENERGY, SPICE_FORMATION)
    return SPICE_GRADIENT if own else f"{energy.removesuffix('energy')}gradient"


def _transition1x_forces(energy: str) -> str:
    return f"{energy.removesuffix('energy').removesuffix('atomization_')}forces"


@dataclass(frozen=True)
class _Layout:
    """What the fields of a molecule's group in an HDF5 file are called and mean.

    Attributes
    ----------
    positions : name
    energy : name of that of the layout's own level of theory
    forces : name of the forces, or gradient, that belong to an energy
    units : of positions, energies and forces, where the fields do not say
    numbers : (N,) int64, atomic numbers of a group
    is_gradient : whether the field of the forces is the gradient, which has the other sign
    """

    positions: str
    energy: str
    forces: Callable[[str], str]
    units: tuple[str, str, str]
    numbers: Callable[[h5py.Group], np.ndarray] = read_atomic_numbers
    is_gradient: bool = False


_LAYOUTS = (
    _Layout(
        "conformations",
        SPICE_ENERGY,
        _spice_gradient,
        ("bohr", "hartree", "hartree/bohr"),
        is_gradient=True,
    ),
    _Layout(ani.POSITIONS, ani.ENERGY, lambda energy: ani.FORCES, ani.UNITS, ani.ani_numbers),
    _Layout("positions", TRANSITION1X_ENERGY, _transition1x_forces, ("angstrom", "ev", "ev/angstrom")),
)


UNPACKED, UNPACKED_RATIO = 1 << 30, 200
"""Bytes that a compressed file may unpack to whatever its size, and bytes for each of its own."""


def _layout_of(group: h5py.Group) -> _Layout:
    return next(one for one in _LAYOUTS if one.positions in group)


@dataclass(frozen=True)
class Structure:
    """Atoms to evaluate.

    Attributes
    ----------
    name        what it is called: ``molecule/3``, ``formula/reaction/product``, ``file.xyz/12``
    numbers     (N,) int64, atomic numbers
    positions   (N, 3) float64, angstrom
    cell        (3, 3) float64, angstrom, zeros where there is none
    pbc         (3,) bool
    energy      eV, as the source has it; nan where it has none
    forces      (N, 3) float64, eV/angstrom, as the source has them; None where it has none, or not asked for
    """

    name: str
    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    energy: float
    forces: np.ndarray | None = None


class Structures:
    """All structures of some files, in their order.

    Parameters
    ----------
    paths
        Files, of any of the four kinds each.
    energy
        Name of the energy to note in HDF5 files; that of the layout's own level of theory by default.
    part
        Transition1x: ``data``, ``train``, ``val`` or ``test``.
    path_images
        Transition1x: the images of each reaction's path instead of its two ends and transition state.
    forces
        Read the forces that belong to the energy too.
    name_keys
        Files that ASE reads: keys of a frame's ``info``, the first one that is there names the frame; those
        that have none of them are called by file and number. A name that says which image of a reaction it
        is (``R/product``, ``R/path/3``) stays; any other gets the frame's number in the file, ``NAME/12``.
    must_be_named
        Refuse a frame without a name.

    Raises
    ------
    E3DError
        A file is missing, cannot be read, or is of another layout.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        energy: str | None = None,
        part: str = "data",
        path_images: bool = False,
        forces: bool = False,
        name_keys: Sequence[str] = (),
        must_be_named: bool = False,
    ):
        self.paths = [Path(path) for path in paths]
        self._energy, self._part, self._path_images = energy, part, path_images
        self._forces = forces
        self._name_keys, self._must_be_named = tuple(name_keys), must_be_named
        self._listed: dict[Path, list[tuple[str, int]]] = {}
        for path in self.paths:
            input_file(path, "structures (ASE-readable or HDF5)")

    @property
    def request(self) -> dict[str, Any]:
        """What was asked for, so that a store that was begun is gone on with only for the same."""
        return {
            "structures": [os.path.abspath(path) for path in self.paths],
            "energy": self._energy,
            "part": self._part,
            "path_images": self._path_images,
            **({"name": self._name_keys} if self._must_be_named else {}),
        }

    def count(self) -> int | None:
        """How many there are; None where that takes reading everything."""
        total = 0
        for path in self.paths:
            if not is_store(path):
                return None
            with _open(path) as file:
                total += sum(count for _, _, count in self._groups(path, file))
        return total

    def are_reactions(self) -> bool:
        """Whether all are reactant, transition state and product of one reaction after the other."""
        if self._path_images or not all(map(is_store, self.paths)):
            return False
        for path in self.paths:
            with _open(path) as file:
                for name, group, count in self._groups(path, file):
                    if "positions" not in group or count != 1 or name.rsplit("/", 1)[-1] not in ENDS:
                        return False
        return True

    def energy_fields(self) -> str:
        """What the energies are called where they come from: of each layout once."""
        fields = []
        for path in self.paths:
            if not is_store(path):
                fields.append(ASE_ENERGY)
                continue
            with _open(path) as file:
                first = next(self._groups(path, file), None)
                if first is not None:
                    fields.append(self._energy or _layout_of(first[1]).energy)
        return " ".join(dict.fromkeys(fields))

    def have_forces(self) -> bool:
        """Whether there are forces: in any group of an HDF5 file, or in the first structure of another."""
        return self._forces and any(self._has_forces(path) for path in self.paths)

    def _has_forces(self, path: Path) -> bool:
        if not is_store(path):
            first = next(_ase_structures(path, 0, True), None)
            return first is not None and first.forces is not None
        with _open(path) as file:
            for _, group, _ in self._groups(path, file):
                layout = _layout_of(group)
                if layout.forces(self._energy or layout.energy) in group:
                    return True
        return False

    def since(self, start: int = 0) -> Iterator[Structure]:
        """The structures from number `start` on."""
        for path in self.paths:
            if is_store(path):
                with _open(path) as file:
                    for name, group, count in self._groups(path, file):
                        if start < count:
                            yield from self._frames(path, name, group, start)
                        start = max(0, start - count)
                continue
            is_begun = False
            for structure in _ase_structures(path, start, self._forces, self._name):
                is_begun = True
                yield structure
            start = 0 if is_begun or start == 0 else start - _ase_count(path)

    def _name(self, path: Path, number: int, info: Mapping[str, Any]) -> str:
        """What frame `number` of a file that ASE reads is called."""
        for key in self._name_keys:
            text = " ".join(str(info.get(key, "")).split())
            if text:
                return text if is_image(text) else f"{text}/{number}"
        if self._must_be_named:
            raise E3DError(
                f"{path}: frame {number} has no '{' or '.join(self._name_keys)}' to name it by; keys there: "
                f"{', '.join(map(str, info)) or 'none'}"
            )
        return f"{path.name}/{number}"

    def _groups(self, path: Path, file: h5py.File) -> Iterator[tuple[str, h5py.Group, int]]:
        """Name, group and number of frames of every molecule; they are looked for once."""
        if path in self._listed:
            for name, count in self._listed[path]:
                yield name, self._group(file, name), count
            return
        listed = []
        for name, group, count in self._found(path, file):
            listed.append((name, count))
            yield name, group, count
        self._listed[path] = listed

    def _group(self, file: h5py.File, name: str) -> h5py.Group:
        part = file.get(self._part)
        if isinstance(part, h5py.Group) and "conformations" not in part:
            return part[name.removesuffix("/path")]
        return file[name]

    def _found(self, path: Path, file: h5py.File) -> Iterator[tuple[str, h5py.Group, int]]:
        part = file.get(self._part)
        if isinstance(part, h5py.Group) and "conformations" not in part:
            yield from self._reactions(path, part)
            return
        names = [] if _is_spice_group(next(iter(file.values()), None)) else ani.ani_groups(file)
        if names:
            for name in names:
                yield name, file[name], file[name][ani.POSITIONS].shape[0]
            return
        for name, group in file.items():
            if not _is_spice_group(group):
                raise E3DError(
                    f"{path}: '{name}' is no group with atomic_numbers and conformations (SPICE), no group "
                    f"has coordinates and species (ANI), and there is no '{self._part}' (Transition1x); for "
                    "Transition1x choose a part with --part"
                )
            yield name, group, group["conformations"].shape[0]

    def _reactions(self, path: Path, part: h5py.Group) -> Iterator[tuple[str, h5py.Group, int]]:
        for formula, reactions in part.items():
            for reaction, group in reactions.items():
                members = {"path": group} if self._path_images else {end: group.get(end) for end in ENDS}
                for name, member in members.items():
                    if member is None or not {"atomic_numbers", "positions"} <= set(member):
                        raise E3DError(
                            f"{path}: '{formula}/{reaction}' lacks {name} with atomic_numbers and positions; "
                            "this is not the Transition1x layout"
                        )
                    yield f"{formula}/{reaction}/{name}", member, member["positions"].shape[0]

    def _frames(self, path: Path, name: str, group: h5py.Group, start: int) -> Iterator[Structure]:
        from e3d_lmp.edges.field_units import ENERGY_UNITS, GRADIENT_UNITS, LENGTH_UNITS, unit_factor

        layout = _layout_of(group)
        numbers, data = layout.numbers(group), group[layout.positions]
        length_unit, energy_unit, force_unit = layout.units
        if data.shape[1:] != (numbers.size, 3):
            raise E3DError(
                f"{path}: positions of '{name}' have the shape {data.shape}, but it has {numbers.size} "
                "atoms; the file is damaged"
            )
        check_size(data, data.shape[0])
        scale = unit_factor(data, LENGTH_UNITS, length_unit)
        positions = data[start:].astype(np.float64) * scale
        field = self._energy or layout.energy
        force_field = layout.forces(field)
        if field in group:
            if group[field].size != data.shape[0]:
                raise E3DError(
                    f"{path}: '{name}' has {group[field].size} values of {field} for {data.shape[0]} "
                    "structures; the file is damaged"
                )
            unit = unit_factor(group[field], ENERGY_UNITS, energy_unit)
            energies = group[field][start:].astype(np.float64).reshape(-1) * unit
        elif self._energy:
            there = ", ".join(sorted(key for key in group if "energy" in key)) or "none"
            raise E3DError(f"{path}: '{name}' has no '{field}'; energies there: {there}")
        else:
            energies = np.full(len(positions), np.nan)
        forces = None
        if self._forces and force_field in group:
            if group[force_field].shape != data.shape:
                raise E3DError(f"{path}: '{name}' has {force_field} of another shape; the file is damaged")
            unit = unit_factor(group[force_field], GRADIENT_UNITS, force_unit)
            sign = -1.0 if layout.is_gradient else 1.0
            forces = group[force_field][start:].astype(np.float64) * (sign * unit)
        cell, pbc = np.zeros((3, 3)), np.zeros(3, dtype=bool)
        for k, position in enumerate(positions):
            # One structure of its kind needs no number.
            full = name if data.shape[0] == 1 else f"{name}/{start + k}"
            energy, force = float(energies[k]), None if forces is None else forces[k]
            yield Structure(full, numbers, position, cell, pbc, energy, force)


class Selection:
    """Structures and their numbers in the source, counted from 0: each N-th one, up to a limit.

    Of reactions each N-th is taken, with all three of its structures.

    Parameters
    ----------
    structures
        All there are.
    start
        Number of the first one to look at; those before it count as taken or passed over.
    every
        Take one out of so many, the first one first.
    limit
        Take so many at most, those before `start` included.
    """

    def __init__(self, structures: Structures, start: int = 0, every: int = 1, limit: int | None = None):
        self._structures = structures.since(start)
        self._number, self._every, self._limit = start, every, limit
        self._group = len(ENDS) if every > 1 and structures.are_reactions() else 1

    def taken_before(self, number: int) -> int:
        """How many of the structures below this number are taken, whatever the limit."""
        whole, rest = divmod(number, self._group * self._every)
        return whole * self._group + min(rest, self._group)

    @property
    def taken(self) -> int:
        """How many were taken so far."""
        return self.taken_before(self._number)

    def __iter__(self) -> Iterator[tuple[int, Structure]]:
        while self._limit is None or self.taken < self._limit:
            structure = next(self._structures, None)
            if structure is None:
                return
            number, self._number = self._number, self._number + 1
            if number // self._group % self._every == 0:
                yield number, structure


def _is_spice_group(item: Any) -> bool:
    return isinstance(item, h5py.Group) and "atomic_numbers" in item and "conformations" in item


@contextlib.contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    with (
        open_hdf5(path, "structures in HDF5 (SPICE, Transition1x or ANI)") as file,
        reading(path, "file", "fetch it again"),
    ):
        yield file


def is_image(name: str) -> bool:
    """Whether a name says which image of a reaction it is: an end, the transition state, or its number."""
    reaction, _, image = name.rpartition("/")
    return bool(reaction) and (image in ENDS or image.isdigit())


def _file_and_number(path: Path, number: int, info: Mapping[str, Any]) -> str:
    return f"{path.name}/{number}"


def _ase_structures(
    path: Path,
    start: int,
    forces: bool,
    name: Callable[[Path, int, Mapping[str, Any]], str] = _file_and_number,
) -> Iterator[Structure]:
    """The structures of a file that ASE reads, from `start` on."""
    import ase.io

    def brought(atoms: Any) -> dict[str, Any]:
        # Only what the file brought along: a calculator of ASE's own would have to work.
        return getattr(atoms.calc, "results", {})

    try:
        with decompressed(path) as plain:
            for k, atoms in enumerate(ase.io.iread(plain, index=f"{start}:"), start):
                yield Structure(
                    name(path, k, atoms.info),
                    atoms.numbers.astype(np.int64),
                    np.asarray(atoms.positions, dtype=np.float64),
                    np.asarray(atoms.cell, dtype=np.float64).reshape(3, 3),
                    np.asarray(atoms.pbc, dtype=bool),
                    float(brought(atoms).get("energy", np.nan)),
                    np.asarray(brought(atoms)["forces"], dtype=np.float64)
                    if forces and "forces" in brought(atoms)
                    else None,
                )
    except E3DError:
        raise
    except Exception as error:  # ASE's readers raise whatever they like
        raise E3DError(f"{path}: ASE cannot read it ({type(error).__name__}: {error})") from error


def _ase_count(path: Path) -> int:
    return sum(1 for _ in _ase_structures(path, 0, False))


@contextlib.contextmanager
def decompressed(path: Path) -> Iterator[Path]:
    """The file, or a temporary copy of it without its compression: ASE jumps to and fro between the frames of
    a file, and in a compressed one each jump back would read it from its start.
    """
    openers: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    if path.suffix not in openers:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="e3d-") as folder:
        copy = Path(folder) / path.stem
        try:
            with openers[path.suffix](path, "rb") as source, open(copy, "wb") as target:
                _unpack(source, target, max(UNPACKED, UNPACKED_RATIO * path.stat().st_size))
        except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
            raise E3DError(
                f"{path}: it cannot be unpacked ({error}); fetch it again, or unpack it yourself"
            ) from None
        yield copy


def _unpack(source: Any, target: Any, most: int) -> None:
    """Copy a stream; `ValueError` beyond so many bytes, which no text of structures unpacks to."""
    done = 0
    while block := source.read(1 << 20):
        done += len(block)
        if done > most:
            raise ValueError(f"more than {most} bytes come out of it")
        target.write(block)
