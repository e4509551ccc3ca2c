"""Training, validation and test sets for `nequip-train`, from files in public layouts (`e3d data prepare`).

OUT/train.lmdb, val.lmdb, test.lmdb hold cohesive energies, forces, atom types and neighbour lists;
OUT/manifest.json says what they are. Entries are shuffled with a fixed seed: the first N of a set are its
subset of size N, so that larger subsets contain the smaller ones.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_numbers as _Z_OF
from ase.data import chemical_symbols

from e3d_lmp.edges.isolated_atoms import isolated_atom_energies, isolated_atoms_sha256
from e3d_lmp.errors import E3DError
from e3d_lmp.files import make_folder, sha256_of, write_json
from e3d_lmp.training.data.alignment import Alignment, fit_alignment
from e3d_lmp.training.data.ani import read_ani
from e3d_lmp.training.data.database import entry, write_database
from e3d_lmp.training.data.duplicates import without_duplicates
from e3d_lmp.training.data.extxyz import read_extxyz
from e3d_lmp.training.data.matpes import read_matpes
from e3d_lmp.training.data.recipe import EVERY, Recipe, Share, Source
from e3d_lmp.training.data.records import Dropped, Molecule, Wanted
from e3d_lmp.training.data.spice import read_spice
from e3d_lmp.training.data.split import PARTS, linked_keys, split_by_molecule
from e3d_lmp.training.data.transition1x import read_transition1x

FORMAT = "e3d-training-set/2"
TARGET = "E_coh = E_total - sum E_atom"
ORDER = "shuffled; the first N entries are the nested subset of size N"
ABSURD = 15.0
"""eV/atom: no solid or molecule is bound so strongly; a larger median tells of wrong units or isolated
atoms."""


@dataclass(frozen=True)
class _Sourced:
    """A molecule, where it comes from, and which component of the split it belongs to."""

    molecule: Molecule
    source: Source
    key: str = ""

    @property
    def share(self) -> Share | None:
        return self.source.share(self.molecule.subset)


def prepare(recipe: Recipe, out: Path) -> dict[str, Any]:
    """Write the three sets to the folder `out` and return the manifest.

    Raises
    ------
    E3DError
        A file or a subset of the recipe is missing, an element has no frames, or one of the sets came out
        empty.
    """
    make_folder(out)
    about: list[dict[str, Any]] = []
    items: list[_Sourced] = []
    for source in recipe.sources:
        found, facts = _read(source, recipe)
        about.append(facts)
        items.extend(found)
    items, alignments = _aligned(items, recipe)
    items = [item for item in items if item.source.use == "training"]
    items, duplicates = _unique(items, recipe)
    parts = split_by_molecule(_by_subset(items, recipe.sources), recipe.fractions, recipe.seed)
    whole = _kept_whole(items)
    chosen = _choose(items, parts, whole, recipe)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "source": about,
        "level": recipe.level,
        "target": TARGET,
        "isolated_atoms": {
            # the first source of a level has the word
            source.level: facts["isolated_atoms"]
            for source, facts in reversed(list(zip(recipe.sources, about, strict=True)))
        },
        "alignment": {"to": recipe.align_to, "levels": {a.level: a.as_dict() for a in alignments}}
        if recipe.align_to
        else None,
        "recipe": dict(recipe.text),
        "dropped": duplicates.as_dict(),
        "order": ORDER,
        "split_by_frame": sorted(
            {i.molecule.subset for i in items if i.share is not None and i.share.by_frame}
        ),
        "kept_whole_in_spite_of_it": dict(sorted(Counter(items[k].molecule.subset for k in whole).items())),
        "sets": {},
    }
    rng = np.random.default_rng(recipe.seed)
    shuffled = {part: [chosen[part][k] for k in rng.permutation(len(chosen[part]))] for part in PARTS}
    _check_parts(items, shuffled, recipe)
    # one that is there speaks of the sets that are now replaced
    (out / "manifest.json").unlink(missing_ok=True)
    for part in PARTS:
        manifest["sets"][part] = _write(out / f"{part}.lmdb", items, shuffled, part, recipe)
    manifest["avg_num_neighbors"] = round(manifest["sets"]["train"]["edges_per_atom"], 2)
    write_json(out / "manifest.json", manifest)
    return manifest


def _read(source: Source, recipe: Recipe) -> tuple[list[_Sourced], dict[str, Any]]:
    """The wanted molecules of a source, and what the manifest says about it."""
    dropped = Dropped()
    symbols = source.elements or recipe.elements
    atoms = None
    digest = sha256_of(source.file)
    table = f"the file's own ({digest})"
    without: list[str] = []
    if source.energies == "total":
        atoms = isolated_atom_energies(source.level)
        table = isolated_atoms_sha256(source.level)
        without = [symbol for symbol in symbols if _Z_OF[symbol] not in atoms]
        if without and source.elements is not None:
            raise E3DError(
                f"expected isolated-atom energies at {source.level} for the elements of source "
                f"'{source.name}', none for {' '.join(without)}; take them out of `elements`"
            )
    wanted = Wanted(
        elements={_Z_OF[symbol] for symbol in symbols if symbol not in without},
        atoms=atoms,
        charges=source.charges,
        takes_subset=lambda subset: source.share(subset) is not None,
        energy=source.energy,
        forces=source.use == "training" and source.forces != "none",
        energies_alone=source.forces != "all",
        max_force=recipe.max_force,
        min_distance=recipe.min_distance,
        dropped=dropped,
    )
    molecules = list(_molecules(source, wanted))
    _check_source(source, molecules, wanted)
    facts = {
        "name": source.name,
        "file": source.file.name,
        "sha256": digest,
        "layout": source.layout,
        "level": source.level,
        "energies": source.energies,
        "use": source.use,
        "isolated_atoms": table,
        "elements_without_isolated_atom": without,
        "molecules": len(molecules),
        "frames": sum(map(len, molecules)),
        "charge_unknown_taken_as_neutral": sum(molecule.charge is None for molecule in molecules),
        "dropped": dropped.as_dict(),
    }
    return [_Sourced(molecule, source) for molecule in molecules], facts


def _molecules(source: Source, wanted: Wanted) -> Iterator[Molecule]:
    if source.layout == "transition1x":
        return read_transition1x(source.file, wanted, source.part)
    readers = {"spice": read_spice, "matpes": read_matpes, "ani": read_ani, "extxyz": read_extxyz}
    return readers[source.layout](source.file, wanted)


def _check_source(source: Source, molecules: list[Molecule], wanted: Wanted) -> None:
    """Raise where nothing is left, a subset is not there, or the energies cannot be cohesive ones."""
    if not molecules:
        raise E3DError(
            f"expected molecules with elements, charges and subsets as asked for in '{source.file}', found "
            f"none; dropped: {wanted.dropped.as_dict()}"
        )
    present = {molecule.subset for molecule in molecules}
    absent = sorted(set(source.frames or ()) - present - {EVERY})
    if absent:
        raise E3DError(
            f"expected the subsets {absent} in '{source.file}', found {sorted(present)}; mend `frames` of "
            f"source '{source.name}'"
        )
    median = float(np.median(np.concatenate([m.energy / len(m.atomic_numbers) for m in molecules])))
    if abs(median) > ABSURD:
        raise E3DError(
            f"expected cohesive energies of a few eV per atom from source '{source.name}', got {median:.6g} "
            f"eV/atom (median); is the level '{source.level}' right, is the energy in the layout's unit, and "
            f"is it {source.energies}?"
        )
    if median > 0.0:
        raise E3DError(
            f"expected cohesive energies below 0 from source '{source.name}', got {median:.6g} eV/atom "
            f"(median): more than half of its frames would fall apart; is the level '{source.level}' right, "
            f"and is the energy {source.energies}?"
        )


def _aligned(items: list[_Sourced], recipe: Recipe) -> tuple[list[_Sourced], list[Alignment]]:
    """All molecules at the level of the set."""
    levels = [item.source.level for item in items]
    others = sorted(set(levels) - {recipe.level})
    molecules = [item.molecule for item in items]
    alignments = [
        fit_alignment(molecules, levels, level, recipe.level, recipe.align_method) for level in others
    ]
    of_level = {alignment.level: alignment for alignment in alignments}
    result = [
        _Sourced(of_level[item.source.level].apply(item.molecule), item.source)
        if item.source.level in of_level
        else item
        for item in items
    ]
    return result, alignments


def _unique(items: list[_Sourced], recipe: Recipe) -> tuple[list[_Sourced], Dropped]:
    """Without duplicates, and with the keys of the split."""
    dropped = Dropped()
    ranks = [int(item.source.level != recipe.level) for item in items]
    kept = without_duplicates([item.molecule for item in items], ranks, dropped)
    items = [
        _Sourced(molecule, item.source)
        for molecule, item in zip(kept, items, strict=True)
        if molecule is not None
    ]
    keys = linked_keys([item.molecule.keys for item in items])
    return [_Sourced(item.molecule, item.source, key) for item, key in zip(items, keys, strict=True)], dropped


def _by_subset(items: Sequence[_Sourced], sources: Sequence[Source]) -> dict[str, list[str]]:
    """Keys by subset, those of the first source first: a source that is added with subsets of other names
    leaves the split of those before it as it was."""
    place = {source.name: number for number, source in enumerate(sources)}
    keys: dict[str, list[str]] = {}
    for _, subset, key in sorted((place[item.source.name], item.molecule.subset, item.key) for item in items):
        keys.setdefault(subset, []).append(key)
    return keys


def _kept_whole(items: Sequence[_Sourced]) -> set[int]:
    """Numbers of the molecules whose frames are not divided although their subset says `split: frames`: a
    subset that is split by molecule has them too, on one side.
    """
    by_frame = {k for k, item in enumerate(items) if item.share is not None and item.share.by_frame}
    elsewhere = {item.key for k, item in enumerate(items) if item.share is not None and k not in by_frame}
    return {k for k in by_frame if items[k].key in elsewhere}


def _pools(items: Sequence[_Sourced], whole: set[int]) -> list[tuple[Share, str | None, list[int]]]:
    """What frames are drawn from: share, key of the split (None where frames are divided), and molecules.

    Each molecule by itself; but those whose frames are divided together with all of their source, subset and
    key, because one molecule may lie in several groups or entries of a file.
    """
    pools: dict[tuple[str, ...] | int, tuple[Share, str | None, list[int]]] = {}
    for index, item in enumerate(items):
        share = item.share
        if share is None:
            continue
        if share.by_frame and index not in whole:
            pool = (item.source.name, item.molecule.subset, item.key)
            pools.setdefault(pool, (share, None, []))[2].append(index)
        else:
            pools[index] = (share, item.key, [index])
    return list(pools.values())


def _choose(
    items: Sequence[_Sourced], part_of: dict[str, str], whole: set[int], recipe: Recipe
) -> dict[str, list[tuple[int, int]]]:
    """(molecule, frame) pairs of each set, frames drawn at random without repetition; those of the train set
    as often as their share says.
    """
    rng = np.random.default_rng(recipe.seed + 1)
    chosen: dict[str, list[tuple[int, int]]] = {part: [] for part in PARTS}
    for share, key, indices in _pools(items, whole):
        frames = [(index, frame) for index in indices for frame in range(len(items[index].molecule))]
        order = [frames[k] for k in rng.permutation(len(frames)).tolist()]
        for part in PARTS if key is None else (part_of[key],):
            number = getattr(share, part)
            take, order = (order, []) if number is None else (order[:number], order[number:])
            chosen[part].extend(take * share.repeat if part == "train" else take)
    return chosen


def _check_parts(items: Sequence[_Sourced], chosen: dict[str, list[tuple[int, int]]], recipe: Recipe) -> None:
    """Raise where a set is empty, or an element has no frame to learn from."""
    for part in PARTS:
        if not chosen[part]:
            raise E3DError(
                f"expected frames for the {part} set, found none; raise its share in the recipe, or divide "
                "the frames of a few molecules: frames: {'*': {train: 8, val: 1, test: 1, split: frames}}"
            )
    seen = {int(z) for index, _ in chosen["train"] for z in np.unique(items[index].molecule.atomic_numbers)}
    unseen = [symbol for symbol in recipe.elements if _Z_OF[symbol] not in seen]
    if unseen:
        raise E3DError(
            "expected frames with each of the recipe's elements in the train set, none with "
            f"{' '.join(unseen)}; take them out of `elements`, or add a source that has them"
        )


def _write(
    path: Path,
    items: Sequence[_Sourced],
    chosen: dict[str, list[tuple[int, int]]],
    part: str,
    recipe: Recipe,
) -> dict[str, Any]:
    """Write one database and return what the manifest says about it."""
    counts: Counter[str] = Counter()
    digest = hashlib.sha256()
    entries = chosen[part]
    write_database(path, _frames(items, chosen, part, recipe, counts, digest))
    several = len({item.source.name for item in items}) > 1
    molecules = {index: items[index].molecule for index, _ in entries}
    subsets = Counter(molecules[index].subset for index, _ in entries)
    elements = Counter(
        chemical_symbols[z] for index, _ in entries for z in np.unique(molecules[index].atomic_numbers)
    )
    return {
        "frames": len(entries),
        "atoms": counts["atoms"],
        "edges": counts["edges"],
        "edges_per_atom": counts["edges"] / counts["atoms"],
        "molecules": len(molecules),
        "periodic_frames": counts["periodic"],
        "frames_without_forces": counts["without_forces"],
        "periodic_frames_without_stress": counts["without_stress"],
        "subsets": dict(sorted(subsets.items())),
        "frames_with_element": dict(sorted(elements.items())),
        "content_sha256": digest.hexdigest(),
        "entries": [
            [
                molecules[index].subset,
                (f"{items[index].source.name}:" if several else "") + molecules[index].name,
                int(molecules[index].frames[frame]),
            ]
            for index, frame in entries
        ],
    }


def _frames(
    items: Sequence[_Sourced],
    chosen: dict[str, list[tuple[int, int]]],
    part: str,
    recipe: Recipe,
    counts: Counter[str],
    digest: Any,
) -> Iterator[dict[str, Any]]:
    """Frames as nequip's AtomicDataDict, with types and neighbour list; counted and hashed."""
    all_parts = [items[index].molecule for entries in chosen.values() for index, _ in entries]
    with_cell = any(molecule.cell is not None for molecule in all_parts)
    with_stress = any(molecule.stress is not None for molecule in all_parts)
    with_current = any(molecule.heat_current is not None for molecule in all_parts)
    for index, frame in chosen[part]:
        molecule = items[index].molecule
        cell = None if molecule.cell is None else molecule.cell[frame]
        data = entry(
            molecule.atomic_numbers,
            molecule.positions[frame],
            molecule.energy[frame],
            molecule.forces[frame],
            elements=recipe.elements,
            r_max=recipe.r_max,
            cell=cell,
            pbc=molecule.pbc,
            stress=None if molecule.stress is None else molecule.stress[frame],
            with_cell=with_cell,
            velocities=None if molecule.velocities is None else molecule.velocities[frame],
            heat_current=None if molecule.heat_current is None else molecule.heat_current[frame],
            with_stress=with_stress,
            with_current=with_current,
        )
        counts["atoms"] += len(molecule.atomic_numbers)
        counts["edges"] += data["edge_index"].shape[1]
        counts["periodic"] += int(cell is not None)
        counts["without_forces"] += int(np.isnan(molecule.forces[frame]).any())
        counts["without_stress"] += int(cell is not None and molecule.stress is None)
        for array in (molecule.atomic_numbers, molecule.positions[frame], molecule.forces[frame]):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(np.float64(molecule.energy[frame]).tobytes())
        if cell is not None:  # of molecules alone the hash is that of older sets
            digest.update(np.ascontiguousarray(cell).tobytes())
            digest.update(np.asarray(molecule.pbc, dtype=bool).tobytes())
            if molecule.stress is not None:
                digest.update(np.ascontiguousarray(molecule.stress[frame]).tobytes())
        for label in (molecule.velocities, molecule.heat_current):
            if label is not None:
                digest.update(np.ascontiguousarray(label[frame]).tobytes())
        yield data
