"""Energies and bonds along reactions, from an edge store of their images.

The frames of a reaction have its name in front: ``FORMULA/REACTION/reactant`` (``transition_state``,
``product``), ``FORMULA/REACTION/path/3``, as ``e3d evaluate`` takes them from a Transition1x file with or
without ``--path-images``; or ``path.xyz/3`` for a file of images that ASE reads. Atoms keep their ids along
the path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.edges.cutoffs import BondCutoff, parse_cutoff
from e3d_lmp.edges.frames import EdgeFrame
from e3d_lmp.edges.pairs import PairFrame, Pairing
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.edges.structures import ENDS
from e3d_lmp.errors import E3DError


@dataclass(frozen=True)
class PathBond:
    """A bond that is there at one end of a path and not at the other.

    Attributes
    ----------
    name       elements and ids of its atoms, ``C2-H5``
    is_formed  whether it is there at the last image; at the first one otherwise
    D          (K,) float64, eV, at each image; 0 beyond the model's cutoff, nan beyond that of the store
    distance   (K,) float64, angstrom; nan where the store has no such pair
    """

    name: str
    is_formed: bool
    D: np.ndarray
    distance: np.ndarray


@dataclass(frozen=True)
class ReactionPath:
    """One reaction.

    Attributes
    ----------
    name              of the reaction
    images            (K,) str, what each image is: ``reactant``, ..., or its number
    energy            (K,) float64, eV, of the model
    reference_energy  (K,) float64, eV, as the source has it; nan where it has none
    bonds             those that form and break, the broken ones first
    unpaired          edges left out because their partner is absent
    """

    name: str
    images: tuple[str, ...]
    energy: np.ndarray
    reference_energy: np.ndarray
    bonds: tuple[PathBond, ...]
    unpaired: int = 0


def path_frames(store: StoreReader) -> dict[str, list[int]]:
    """The frames of each reaction, in the order of its images.

    Raises
    ------
    E3DError
        If the frames have no names.
    """
    if not store.has("name"):
        raise E3DError(
            f"{store.path}: its frames have no names, so no reaction; make it of structures: "
            "e3d evaluate MODEL reactions.h5 -o edges.h5"
        )
    paths: dict[str, list[int]] = {}
    for k, name in enumerate(store.values("name")):
        paths.setdefault(_split(str(name))[0], []).append(k)
    return paths


def _split(name: str) -> tuple[str, str]:
    """Reaction and image of the name of a frame."""
    reaction, _, image = name.rpartition("/")
    if image in ENDS or image.isdigit() or image == "path":
        return reaction.removesuffix("/path"), image
    return name, ""


def read_path(
    store: StoreReader,
    name: str,
    cutoff: BondCutoff | str = "covalent",
    images: slice | None = None,
) -> ReactionPath:
    """Energies of a reaction's images, and D of the bonds that form and break on the way.

    Parameters
    ----------
    store
        Edges or pairs of all images.
    name
        The reaction, as `path_frames` has it.
    cutoff
        What a bond is: a pair closer than this at one end of the path and not at the other.
    images
        Part of the images; all by default.

    Raises
    ------
    E3DError
        If there is no such reaction, it has fewer than 2 images, its atoms change, or the store does not know
        elements or energies.
    """
    paths = path_frames(store)
    if name not in paths:
        some = ", ".join(list(paths)[:5]) + (", ..." if len(paths) > 5 else "")
        raise E3DError(f"{store.path}: no reaction '{name}'; reactions there: {some}")
    if not all(store.elements):
        raise E3DError(f"{store.path}: types without an element; make the store again with --types")
    frames = paths[name][images or slice(None)]
    if len(frames) < 2:
        raise E3DError(f"{store.path}: '{name}' has {len(frames)} images; a path needs at least 2")
    bond = parse_cutoff(cutoff) if isinstance(cutoff, str) else cutoff
    pairing = Pairing(store.elements, None, skip_unpaired=True)
    pairs = [_pairs(pairing, store[k]) for k in frames]
    atoms = [store.atoms(k) for k in frames]
    if any(not np.array_equal(one.element, atoms[0].element) for one in atoms):
        raise E3DError(f"{store.path}: the images of '{name}' have different atoms; they are not one path")
    element = dict(zip(atoms[0].id.tolist(), atoms[0].element.tolist(), strict=True))
    tables = [_shortest(one) for one in pairs]
    ends = [_bonds(tables[k], element, bond) for k in (0, -1)]
    is_whole = store.provenance.get("cutoff", "") == "model"
    changed = [(pair, False) for pair in sorted(ends[0] - ends[1])]
    changed += [(pair, True) for pair in sorted(ends[1] - ends[0])]
    bonds = [
        PathBond(
            "-".join(f"{element[atom]}{atom}" for atom in pair),
            is_formed,
            np.array([table.get(pair, (np.nan, 0.0 if is_whole else np.nan))[1] for table in tables]),
            np.array([table.get(pair, (np.nan, 0.0))[0] for table in tables]),
        )
        for pair, is_formed in changed
    ]
    names = store.values("name")[frames]
    energy, reference_energy = (
        store.values(column)[frames] if store.has(column) else np.full(len(frames), np.nan)
        for column in ("energy", "reference_energy")
    )
    labels = tuple(_split(str(one))[1] for one in names)
    unpaired = sum(one.unpaired for one in pairs)
    return ReactionPath(name, labels, energy, reference_energy, tuple(bonds), unpaired)


def first_changing(store: StoreReader, cutoff: BondCutoff | str = "covalent", most: int = 50) -> str:
    """The first reaction, among the first `most`, in which a bond forms or breaks; else the first one.

    Raises
    ------
    E3DError
        If there is no reaction.
    """
    paths = path_frames(store)
    names = [name for name, frames in paths.items() if len(frames) > 1]
    if not names:
        raise E3DError(f"{store.path}: no reaction with at least 2 images among {len(store)} frames")
    for name in names[:most]:
        if read_path(store, name, cutoff).bonds:
            return name
    return names[0]


def _pairs(pairing: Pairing, frame: object) -> PairFrame:
    return pairing.pair(frame) if isinstance(frame, EdgeFrame) else pairing.label(frame)  # type: ignore[arg-type]


def _shortest(pairs: PairFrame) -> dict[tuple[int, int], tuple[float, float]]:
    """Distance and D of each pair of atoms, of its nearest image."""
    distance = np.linalg.norm(pairs.vec, axis=1)
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for k in np.argsort(-distance):
        found[int(pairs.i[k]), int(pairs.j[k])] = float(distance[k]), float(pairs.D[k])
    return found


def _bonds(
    table: dict[tuple[int, int], tuple[float, float]], element: dict[int, str], cutoff: BondCutoff
) -> set[tuple[int, int]]:
    kinds: Sequence[str] = sorted(set(element.values()))
    limits = cutoff.matrix(kinds)
    at = {symbol: k for k, symbol in enumerate(kinds)}
    return {
        (i, j) for (i, j), (distance, _) in table.items() if distance < limits[at[element[i]], at[element[j]]]
    }
