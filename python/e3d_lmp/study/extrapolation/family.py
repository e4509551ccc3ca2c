"""The members of a family: their frames, which are held out, and what models are trained on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import chemical_symbols

from e3d_lmp.edges.isolated_atoms import isolated_atom_energies
from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, locked, make_folder
from e3d_lmp.study.extrapolation.frames import read_liquid_frames
from e3d_lmp.study.extrapolation.molecules import MolecularFrame
from e3d_lmp.training.data.prepare import prepare
from e3d_lmp.training.data.recipe import parse_recipe
from e3d_lmp.training.run_config import MANIFEST, PreparedData, read_data

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LEAST = 5
"""Frames of a member at least: to train with, to validate with, and held out."""
FRAMES = "frames.extxyz"
"""Of a training set, beside its databases: what it was prepared from."""
VALIDATION = 0.1
"""Share of the frames of training that choose nothing, but are looked at during it."""


@dataclass(frozen=True)
class Member:
    """A member of a family.

    Attributes
    ----------
    name : of it
    file : extended XYZ with its frames
    subset : of the file; None: all of it
    """

    name: str
    file: Path
    subset: str | None


@dataclass(frozen=True)
class MemberFrames:
    """The frames of a member, those held out being the last ones of the file.

    Attributes
    ----------
    train : cohesive energies; none of a member that is never trained on
    held_out : cohesive energies
    """

    train: Sequence[MolecularFrame]
    held_out: Sequence[MolecularFrame]

    @property
    def composition(self) -> float:
        """Part of the atoms that are not hydrogen."""
        numbers = np.concatenate([frame.numbers for frame in (*self.train, *self.held_out)])
        return float((numbers != 1).mean())

    @property
    def atoms_per_molecule(self) -> float:
        """Mean over all frames."""
        every = (*self.train, *self.held_out)
        return sum(len(frame.numbers) for frame in every) / sum(
            int(frame.molecule.max()) + 1 for frame in every
        )


def read_members(
    members: Sequence[Member],
    level: str,
    molecules: bool,
    held_out: float,
    most: int | None,
    beyond: Sequence[Member] = (),
) -> dict[str, MemberFrames]:
    """The frames of all members; each file is read once.

    Parameters
    ----------
    molecules : whether frames must have molecules with energies of their own
    held_out : share of the frames of each member
    most : frames of each member at most
    beyond : members that are never trained on: all of their frames are held out

    Raises
    ------
    E3DError
        A file cannot be read, a frame lacks a label or is of another level of theory, a molecule of it is in
        pieces, or a member has fewer than `LEAST` frames.
    """
    atoms = isolated_atom_energies(level)
    every = (*members, *beyond)
    found: dict[str, list[MolecularFrame]] = {one.name: [] for one in every}
    for file in dict.fromkeys(one.file for one in every):
        own = [one for one in every if one.file == file]
        subsets = None if any(one.subset is None for one in own) else {str(one.subset) for one in own}
        for subset, _, frame in read_liquid_frames(file, atoms, level, subsets, molecules):
            if molecules:
                frame.unwrapped()
            for one in own:
                if one.subset in (None, subset) and (most is None or len(found[one.name]) < most):
                    found[one.name].append(frame)
    result = {}
    for one in every:
        frames = found[one.name]
        least = 1 if one in beyond else LEAST
        if len(frames) < least:
            of = f" with subset={one.subset}" if one.subset else ""
            raise E3DError(
                f"{one.file}: expected {least} frames of {one.name}{of} or more, got {len(frames)}; add "
                "frames, or leave the member out"
            )
        if one in beyond:
            result[one.name] = MemberFrames([], frames)
            continue
        split = len(frames) - max(1, round(held_out * len(frames)))
        if split < LEAST - 2:
            raise E3DError(
                f"{one.file}: expected {LEAST - 2} frames of {one.name} or more to train with, got {split}; "
                f"hold out fewer of the {len(frames)}, or add frames"
            )
        result[one.name] = MemberFrames(frames[:split], frames[split:])
    return result


def prepared(
    name: str,
    frames: Sequence[MolecularFrame],
    elements: Sequence[str],
    r_max: float,
    level: str,
    folder: Path,
) -> PreparedData:
    """The frames that a member's models learn from, as a training set in a folder, made unless it is there.

    Raises
    ------
    E3DError
        A frame cannot be trained on, as one with a force beyond the limit of `e3d data prepare`.
    """
    make_folder(folder)
    with locked(folder, timeout=600.0) as lock:
        if lock is None:
            raise E3DError(f"{folder}: another process prepares it; wait for it, or stop it")
        if not (folder / MANIFEST).exists():
            structures = _structures(name, frames)
            with atomic_path(folder / FRAMES) as partial:
                ase.io.write(partial, structures, format="extxyz")
            source = {"name": name, "file": FRAMES, "layout": "extxyz", "level": level, **_taken(structures)}
            recipe = {
                "elements": list(elements),
                "r_max": r_max,
                "seed": 1,
                "fractions": {"val": VALIDATION, "test": VALIDATION},
                "sources": [source],
            }
            prepare(parse_recipe(recipe, folder), folder)
    return read_data(folder)


def _structures(name: str, frames: Sequence[MolecularFrame]) -> list[Atoms]:
    """The frames with their labels; molecules by themselves are a subset of their own."""
    structures = []
    for frame in frames:
        atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.is_periodic)
        forces = {} if np.isnan(frame.forces).any() else {"forces": frame.forces}
        atoms.calc = SinglePointCalculator(atoms, energy=frame.energy, **forces)
        atoms.info["subset"] = name if frame.is_periodic else f"{name}-apart"
        structures.append(atoms)
    return structures


def _taken(structures: Sequence[Atoms]) -> dict[str, Any]:
    """What a recipe says of them: their energies and forces, and how many of each subset are for what."""
    have = ["forces" in atoms.calc.results for atoms in structures]
    counts = Counter(atoms.info["subset"] for atoms in structures)
    return {
        "energies": "cohesive",
        "forces": "all" if all(have) else "some" if any(have) else "none",
        "frames": {subset: _share(count) for subset, count in counts.items()},
    }


def _share(frames: int) -> dict[str, Any]:
    """How many of the frames are for what; the one held out is `e3d data prepare`'s, the study has others."""
    validation = max(1, round(VALIDATION * frames))
    return {"train": frames - validation - 1, "val": validation, "test": 1, "split": "frames"}


def elements_of(members: dict[str, MemberFrames]) -> list[str]:
    """Symbols of all elements of a family, in the order of atomic numbers."""
    numbers = {
        int(z) for frames in members.values() for f in (*frames.train, *frames.held_out) for z in f.numbers
    }
    return [chemical_symbols[z] for z in sorted(numbers)]
