"""The labels of a folder as one HDF5 file in the SPICE layout, which `e3d data prepare` reads.

A group of the file holds the frames of one molecule, bond, path or pair; its `subset` is the name of the
level and the frames' group, with a number in files after the first of a kind. The frame nearest to
equilibrium comes first (shortest bond, first image), as readers take the molecule's identity for the split
from it. Beyond SPICE's fields there are `frame_names` (F,), and of calculations of electrons `multiplicity`
(F,) int8, `spin_square` (F,) float32 and `restricted` (F,) bool. The attributes of the file say how it was
made.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from ase.data import atomic_numbers
from ase.units import Bohr, Hartree
from label_frames import Frame, Labeller
from label_run import label_file

from e3d_lmp.edges.isolated_atoms import SPICE_LEVEL, isolated_atom_energies, isolated_atoms_sha256
from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, make_folder, read_json

LARGE = ("conformations", "dft_total_gradient")
"""Fields that are packed, as float32: 1e-6 angstrom and 1e-6 of a force, far below what labels are worth."""


@dataclass(frozen=True)
class Labelled:
    """A frame with its row of the label file."""

    frame: Frame
    row: Mapping[str, Any]


def labels_of(
    folder: Path, frames: Sequence[Frame]
) -> tuple[list[Labelled], Counter[tuple[str, str]], Counter[str]]:
    """What is labelled of a plan, in its order; dropped frames by group and reason; frames left to
    do by group."""
    labelled: list[Labelled] = []
    dropped: Counter[tuple[str, str]] = Counter()
    left: Counter[str] = Counter()
    for frame in frames:
        path = label_file(folder, frame)
        if not path.exists():
            left[frame.group] += 1
            continue
        row = read_json(path)
        if row["dropped"]:
            dropped[frame.group, row["dropped"]] += 1
        else:
            labelled.append(Labelled(frame, row))
    return labelled, dropped, left


def cohesive(frame: Frame, energy: float) -> float:
    """E_coh = E − Σ E_atom in hartree, with the isolated atoms that the package ships."""
    atoms = isolated_atom_energies(SPICE_LEVEL)
    return energy - sum(atoms[atomic_numbers[symbol]] for symbol in frame.symbols) / Hartree


def print_status(folder: Path, frames: Sequence[Frame]) -> None:
    """Frames by group, labelled, dropped and left, and the reasons."""
    labelled, dropped, left = labels_of(folder, frames)
    for group in dict.fromkeys(frame.group for frame in frames):
        seconds = [one.row["seconds"] for one in labelled if one.frame.group == group]
        lost = sum(count for (where, _), count in dropped.items() if where == group)
        mean = sum(seconds) / max(len(seconds), 1)
        print(f"{group:9s} {len(seconds):5d} labelled, {mean:.1f} s each; {lost} dropped, {left[group]} left")
    for (group, reason), count in sorted(dropped.items()):
        print(f"dropped: {group}: {reason}: {count}")


def write_store(
    folder: Path, frames: Sequence[Frame], labeller: Labeller, path: Path, number: int = 1
) -> None:
    """Write what is labelled of a plan to a file, whole.

    Parameters
    ----------
    number : of the file among those of its kind; from 2 on the names of its subsets end with it

    Raises
    ------
    E3DError
        There is no label, labels were made with different versions, or `number` is below 1.
    """
    if number < 1:
        raise E3DError(f"--number {number}: expected 1 for the first file of a kind, 2 for the second, ...")
    labelled, dropped, left = labels_of(folder, frames)
    if not labelled:
        raise E3DError(f"expected labelled frames in '{folder}', found none; label some first (see --help)")
    made = {json.dumps(one.row["made_with"], sort_keys=True) for one in labelled}
    if len(made) > 1:
        raise E3DError(
            f"expected labels of one program, got {' and '.join(sorted(made))}; remove those of the other"
        )
    families: dict[tuple[Any, ...], list[Labelled]] = {}
    for one in labelled:
        frame = one.frame
        key = (frame.group, frame.smiles, frame.symbols, frame.fragment)
        families.setdefault(key, []).append(one)
    make_folder(path.parent)
    with atomic_path(path) as partial, h5py.File(partial, "w", libver="latest") as file:
        file.attrs.update(
            {
                "format": "SPICE layout; see docs/dft_labels.md",
                "licence": "MIT",
                "isolated_atoms_sha256": isolated_atoms_sha256(SPICE_LEVEL),
                "settings": json.dumps(labeller.settings),
                "made_with": made.pop(),
                "dropped": json.dumps({f"{group}: {why}": n for (group, why), n in sorted(dropped.items())}),
            }
        )
        numbers: Counter[str] = Counter()
        for (group, smiles, symbols, _), members in families.items():
            _write_group(
                file.create_group(f"{group}_{numbers[group]:04d}"),
                f"{labeller.name} {group}s" + (f" {number}" if number > 1 else ""),
                smiles,
                symbols,
                members,
            )
            numbers[group] += 1
    print(f"{len(labelled)} frames in {path}; dropped {sum(dropped.values())}, not yet {sum(left.values())}")


def _write_group(
    group: h5py.Group, subset: str, smiles: str, symbols: Sequence[str], members: list[Labelled]
) -> None:
    members = sorted(members, key=_from_equilibrium)
    energy = np.array([one.row["energy"] for one in members])
    fields: dict[str, tuple[np.ndarray, str]] = {
        "atomic_numbers": (np.array([atomic_numbers[symbol] for symbol in symbols], dtype=np.int16), ""),
        "conformations": (np.array([one.frame.positions for one in members]) / Bohr, "bohr"),
        "dft_total_energy": (energy, "hartree"),
        "formation_energy": (
            np.array([cohesive(one.frame, e) for one, e in zip(members, energy, strict=True)]),
            "hartree",
        ),
        "dft_total_gradient": (np.array([one.row["gradient"] for one in members]), "hartree/bohr"),
        "frame_names": (np.array([one.frame.name.encode() for one in members]), ""),
        "smiles": (np.array([smiles.encode()]), ""),
        "subset": (np.array([subset.encode()]), ""),
    }
    if members[0].row["method"] in ("RKS", "UKS"):
        fields |= {
            "multiplicity": (np.array([one.row["multiplicity"] for one in members], dtype=np.int8), ""),
            "spin_square": (np.array([one.row["spin_square"] for one in members], dtype=np.float32), ""),
            "restricted": (np.array([one.row["method"] == "RKS" for one in members]), ""),
        }
    for name, (values, units) in fields.items():
        if name in LARGE:
            group.create_dataset(name, data=values, dtype=np.float32, compression="gzip", shuffle=True)
        else:
            group.create_dataset(name, data=values)
        if units:
            group[name].attrs["units"] = units


def _from_equilibrium(one: Labelled) -> float:
    """Order within a group: of a bond its length, of a path the image, else the energy."""
    words = one.frame.name.split()
    if one.frame.group == "pulled":
        return float(words[-2])
    if one.frame.group == "path":
        return float(words[-1].split("/")[0])
    return float(one.row["energy"])
