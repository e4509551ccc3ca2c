"""Odd isomers of small molecules and images between them, with AIMNet2's energies and forces. Not DFT.

    python scripts/training/isomer_labels.py plan OUT --model aimnet2_wb97m-d3_0.jpt --exclude reactions.h5
    python scripts/training/isomer_labels.py run OUT --model aimnet2_wb97m-d3_0.jpt
    python scripts/training/isomer_labels.py status OUT
    python scripts/training/isomer_labels.py collect OUT --model aimnet2_wb97m-d3_0.jpt -o isomers.h5

The model is a file that you have (see `e3d_lmp.training.data.aimnet2`). Molecules are drawn at random, and
one rearrangement of their bonds makes isomers of each; geometries are UFF's, then relaxed with AIMNet2,
displaced, and interpolated between a molecule and its isomers. Nothing of the reactions in the files that are
excluded, which a model is tested on, comes into the plan. Needs ``pip install rdkit``. See
docs/dft_labels.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import isomer_geometry as geometry
import numpy as np
from contacts_labels import aimnet2_labeller
from dft_geometry import MIN_DISTANCE, UnfitError, closest
from isomer_molecules import Bonds, canonical, random_molecule, rearranged
from label_commands import commands_of, do
from label_frames import Frame, round_robin
from label_run import planned, write_plan
from label_store import labels_of

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.aimnet2 import AIMNet2
from e3d_lmp.training.data.split import bonded_pairs, molecule_key

ISOMERS = 2
"""Of each random molecule."""
COLD, HOT = 500.0, 2000.0
"""K; the displaced frames of a molecule are spread between them."""
RELAXING, RELAXED, LEFT = 40, 0.1, 1.0
"""Steps of AIMNet2, and eV/angstrom: enough, and too much when they are done."""
IMAGES, BAND_STEPS = 7, 25
HIGH = 7.0
"""eV above the first end of a path: images beyond it are on no way that a reaction takes."""
LARGE_PART = 3
"""Heavy atoms of a part of a complex from which on it counts as a molecule of its own."""


@dataclass(frozen=True)
class Isomer:
    """A molecule with a geometry.

    Attributes
    ----------
    molecule : RDKit's
    smiles : canonical
    numbers, positions : (N,) and (N, 3) float64, angstrom
    parent : index of the molecule that it was made of, in the same list; -1 of a random molecule
    """

    molecule: Any
    smiles: str
    numbers: np.ndarray
    positions: np.ndarray
    parent: int


def keys_of(numbers: np.ndarray, positions: np.ndarray) -> set[str]:
    """`molecule_key` of the whole and of each of its parts with `LARGE_PART` heavy atoms or more."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = bonded_pairs(numbers, positions)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(numbers),) * 2)
    count, part = connected_components(graph, directed=False)
    keys = {molecule_key(numbers, positions)}
    for k in range(count if count > 1 else 0):
        own = part == k
        if (numbers[own] > 1).sum() >= LARGE_PART:
            keys.add(molecule_key(numbers[own], positions[own]))
    return keys


def excluded_keys(paths: Sequence[Path]) -> set[str]:
    """Keys of the reactants and products of files in the layout of Transition1x.

    Raises
    ------
    E3DError
        A file cannot be read as such.
    """
    import h5py

    keys: set[str] = set()
    for path in paths:
        try:
            with h5py.File(path) as file:
                for reactions in file["data"].values():
                    for reaction in reactions.values():
                        for end in (reaction["reactant"], reaction["product"]):
                            for positions in end["positions"][()].astype(np.float64):
                                keys |= keys_of(end["atomic_numbers"][()].astype(np.int64), positions)
        except (OSError, KeyError, AttributeError) as error:
            raise E3DError(
                f"--exclude {path}: expected a file in the layout of Transition1x, got: {error}"
            ) from None
    return keys


def isomers(count: int, rng: np.random.Generator, lost: Counter[str]) -> list[Isomer]:
    """Random molecules, each followed by its isomers, with geometries of UFF; `lost` counts what was left out
    by reason."""
    found: list[Isomer] = []
    seen: set[str] = set()
    while len(found) < count:
        bonds = random_molecule(rng)
        parent = len(found)
        try:
            found.append(_isomer(bonds, None, -1, seen))
        except UnfitError as reason:
            lost[str(reason)] += 1
            continue
        made = 0
        for _ in range(4 * ISOMERS):
            other = rearranged(bonds, rng)
            if other is None or made == ISOMERS:
                break
            try:
                found.append(_isomer(other, found[parent].positions, parent, seen))
                made += 1
            except UnfitError as reason:
                lost[str(reason)] += 1
    return found


def _isomer(bonds: Bonds, start: np.ndarray | None, parent: int, seen: set[str]) -> Isomer:
    molecule = bonds.molecule()
    if molecule is None:
        raise UnfitError("not a molecule for RDKit")
    smiles = canonical(molecule)
    if smiles in seen:
        raise UnfitError("there already")
    seen.add(smiles)
    if start is None:
        positions = geometry.embedded(molecule, len(seen))
    else:
        positions = geometry.cleaned(molecule, start)
    if not geometry.has_bonds(molecule, positions):
        raise UnfitError("UFF gives other bonds")
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    return Isomer(molecule, smiles, numbers, positions, parent)


def plan(
    model: AIMNet2,
    count: int,
    displaced: int,
    paths: int,
    excluded: Collection[str],
    seed: int,
    say: Callable[[str], None] = print,
) -> tuple[list[Frame], Counter[str]]:
    """Frames, isomers and paths in turn, and what was left out by reason.

    Parameters
    ----------
    count : molecules, before what does not stand AIMNet2's relaxation is left out
    displaced : frames of each beside its minimum
    paths : at most so many, each of `IMAGES` images
    excluded : keys of molecules that are left out, and paths from or to them
    """
    rng = np.random.default_rng(seed)
    lost: Counter[str] = Counter()
    drawn = isomers(count, rng, lost)
    say(f"{len(drawn)} molecules")
    positions, force = geometry.relaxed(
        model, [one.numbers for one in drawn], [one.positions for one in drawn], RELAXING, RELAXED
    )
    good: dict[int, Isomer] = {}
    for k, one in enumerate(drawn):
        if force[k] > LEFT:
            lost["does not relax"] += 1
        elif not geometry.has_bonds(one.molecule, positions[k]):
            lost["other bonds when relaxed"] += 1
        elif not keys_of(one.numbers, positions[k]).isdisjoint(excluded):
            lost["excluded"] += 1
        else:
            good[k] = Isomer(one.molecule, one.smiles, one.numbers, positions[k], one.parent)
    say(f"{len(good)} of them keep their bonds when they are relaxed, and are not excluded")
    pairs = [(good[one.parent], one) for one in good.values() if one.parent in good][:paths]
    rows = ([*_isomer_frames(good.values(), displaced, rng)], [*_path_frames(model, pairs, lost)])
    frames = []
    for frame in round_robin(rows):
        numbers = geometry.numbers_of(frame.symbols)
        if closest(numbers, frame.positions) < MIN_DISTANCE:
            lost["frame with atoms on top of each other"] += 1
        elif not keys_of(numbers, frame.positions).isdisjoint(excluded):
            lost["frame with the bonds of an excluded molecule"] += 1
        else:
            frames.append(frame)
    say(f"{len(pairs)} paths")
    return frames, lost


def _isomer_frames(good: Collection[Isomer], displaced: int, rng: np.random.Generator) -> Iterator[Frame]:
    temperatures = np.linspace(COLD, HOT, displaced).round().tolist()
    for one in good:
        yield _frame("isomer", f"{one.smiles} minimum", one.smiles, one.numbers, one.positions)
        draws = geometry.displaced(one.molecule, one.positions, temperatures, rng)
        for temperature, draw in zip(temperatures, draws, strict=True):
            yield _frame("isomer", f"{one.smiles} {temperature:g} K", one.smiles, one.numbers, draw)


def _path_frames(
    model: AIMNet2, pairs: Sequence[tuple[Isomer, Isomer]], lost: Counter[str]
) -> Iterator[Frame]:
    sizes = np.array([len(first.numbers) for first, _ in pairs])
    for size in np.unique(sizes):
        members = [pairs[k] for k in np.flatnonzero(sizes == size).tolist()]
        ends = np.array([(first.positions, last.positions) for first, last in members])
        numbers = np.array([first.numbers for first, _ in members])
        for (first, last), band in zip(
            members, geometry.bands(model, numbers, ends, IMAGES, BAND_STEPS), strict=True
        ):
            name = f"{first.smiles}>>{last.smiles}"
            line = np.concatenate([first.positions[None], band])
            energy, _ = geometry.energies_and_forces(model, np.tile(first.numbers, (len(line), 1)), line)
            for k, image in enumerate(band, start=1):
                if energy[k] - energy[0] > HIGH:
                    lost["image too high in energy"] += 1
                else:
                    yield _frame("path", f"{name} {k}/{IMAGES}", name, first.numbers, image)


def _frame(group: str, name: str, smiles: str, numbers: np.ndarray, positions: np.ndarray) -> Frame:
    return Frame(group, name, smiles, geometry.symbols_of(numbers), positions - positions.mean(axis=0))


def count_broken(folder: Path) -> None:
    """Print how many labelled displaced frames have other bonds than their minimum, and largest forces."""
    from ase.units import Bohr, Hartree

    labelled, _, _ = labels_of(folder, planned(folder))
    minima = {one.frame.smiles: one.frame.positions for one in labelled if one.frame.name.endswith("minimum")}
    rows: dict[str, list[tuple[bool, float]]] = {}
    for one in labelled:
        frame = one.frame
        force = float(np.abs(one.row["gradient"]).max()) * Hartree / Bohr
        if frame.group == "path":
            rows.setdefault("path", []).append((False, force))
        elif frame.smiles in minima:
            numbers = geometry.numbers_of(frame.symbols)
            same = molecule_key(numbers, frame.positions) == molecule_key(numbers, minima[frame.smiles])
            rows.setdefault(frame.name.removeprefix(frame.smiles).strip(), []).append((not same, force))
    for name, row in rows.items():
        broken, force = np.array(row).T
        print(
            f"{name}: {len(row)} frames, other bonds than the minimum {broken.mean():.1%}, largest force "
            f"{np.median(force):.1f} eV/angstrom in the median, above 20 in {(force > 20).mean():.1%}"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser, commands = commands_of(
        __doc__, {"plan": "make the geometries", "broken": "how many displaced frames have other bonds"}
    )
    commands["plan"].add_argument("--molecules", type=int, default=2500)
    commands["plan"].add_argument("--displaced", type=int, default=3, help="frames beside each minimum")
    commands["plan"].add_argument("--paths", type=int, default=450, help="of 7 images each")
    commands["plan"].add_argument("--exclude", type=Path, nargs="*", default=[], metavar="FILE")
    commands["plan"].add_argument("--seed", type=int, default=1)
    for name in ("plan", "run", "collect"):
        commands[name].add_argument("--model", type=Path, required=True, help="AIMNet2's TorchScript file")
    args = parser.parse_args(argv)

    def make_plan() -> None:
        import torch

        torch.set_num_threads(1)
        frames, lost = plan(
            AIMNet2(args.model),
            args.molecules,
            args.displaced,
            args.paths,
            excluded_keys(args.exclude),
            args.seed,
        )
        write_plan(args.out, frames)
        print("left out:", "; ".join(f"{reason}: {count}" for reason, count in lost.most_common()))

    own = {"plan": make_plan, "broken": lambda: count_broken(args.out)}
    return do(args, own, lambda: aimnet2_labeller(args.model))


if __name__ == "__main__":
    raise SystemExit(main())
