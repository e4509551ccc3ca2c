"""Turn a SPICE-layout file into train, validation and test sets for `nequip-train`.

    python -m e3d_lmp.data.prepare RECIPE.yaml DATA.hdf5 OUT/

writes OUT/train.lmdb, val.lmdb, test.lmdb and OUT/manifest.json. Each entry of a database holds the frame
with its atom types and its neighbour list, so that nothing is left to compute while training.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from e3d_lmp.data.isolated_atoms import SPICE_LEVEL, isolated_atom_energies
from e3d_lmp.data.spice import Dropped, Molecule, read_spice
from e3d_lmp.data.split import PARTS, molecule_key, split_by_molecule
from e3d_lmp.errors import E3DError

FORMAT = "e3d-training-set/1"


def prepare(recipe: dict[str, Any], data: Path, out: Path) -> dict[str, Any]:
    """Write the three sets and return the manifest.

    Parameters
    ----------
    recipe : `elements` (list of symbols), `r_max` (angstrom), `seed`, `fractions` ({val, test}: share of the
        molecules), `frames` ({subset: {train, val, test}}: frames taken per molecule), and, optional,
        `max_force` (eV/angstrom) and `level` (of theory, for the isolated atoms)
    data : file in the SPICE layout
    out : folder, made if absent

    Raises
    ------
    E3DError
        A subset of the recipe is not in the data, or one of the sets came out empty.
    """
    out.mkdir(parents=True, exist_ok=True)
    dropped = Dropped()
    atoms = isolated_atom_energies(recipe.get("level", SPICE_LEVEL))
    molecules = list(
        read_spice(data, atoms, recipe["elements"], max_force=recipe.get("max_force", 20.0), dropped=dropped)
    )
    present = {molecule.subset for molecule in molecules}
    absent = sorted(set(recipe["frames"]) - present)
    if absent:
        raise E3DError(
            f"expected the subsets {absent} in '{data}', found {sorted(present)}; mend `frames` in the recipe"
        )
    keys = [molecule_key(molecule.atomic_numbers, molecule.positions[0]) for molecule in molecules]
    by_subset: dict[str, list[str]] = defaultdict(list)
    for molecule, key in zip(molecules, keys, strict=True):
        by_subset[molecule.subset].append(key)
    part_of = split_by_molecule(by_subset, recipe["fractions"], recipe["seed"])
    chosen = _choose(molecules, keys, part_of, by_subset, recipe)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "source": {"name": data.name, "sha256": _sha256(data)},
        "level": recipe.get("level", SPICE_LEVEL),
        "target": "E_coh = E_total - sum E_atom",
        "recipe": recipe,
        "dropped": {"molecules": dict(dropped.molecules), "frames": dict(dropped.frames)},
        "sets": {},
    }
    rng = np.random.default_rng(recipe["seed"])
    for part in PARTS:
        entries = [chosen[part][i] for i in rng.permutation(len(chosen[part]))]
        if not entries:
            raise E3DError(f"expected frames for the {part} set, found none; raise its share in the recipe")
        manifest["sets"][part] = _write(out / f"{part}.lmdb", molecules, entries, recipe)
    manifest["avg_num_neighbors"] = round(manifest["sets"]["train"]["edges_per_atom"], 2)
    temporary = out / "manifest.json.tmp"
    temporary.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, out / "manifest.json")
    return manifest


def _choose(
    molecules: list[Molecule],
    keys: list[str],
    part_of: dict[str, str],
    by_subset: dict[str, list[str]],
    recipe: dict[str, Any],
) -> dict[str, list[tuple[int, int]]]:
    """(molecule, frame) pairs of each set, frames drawn at random without repetition.

    A subset of fewer than three molecules (the water clusters) cannot be split by molecule: its frames are.
    """
    rng = np.random.default_rng(recipe["seed"] + 1)
    chosen: dict[str, list[tuple[int, int]]] = {part: [] for part in PARTS}
    for index, (molecule, key) in enumerate(zip(molecules, keys, strict=True)):
        wanted = recipe["frames"].get(molecule.subset)
        if wanted is None:
            continue
        order = rng.permutation(len(molecule)).tolist()
        by_frame = len(set(by_subset[molecule.subset])) < 3
        for part in PARTS if by_frame else (part_of[key],):
            take, order = order[: wanted[part]], order[wanted[part] :]
            chosen[part].extend((index, frame) for frame in take)
    return chosen


def _write(
    path: Path, molecules: list[Molecule], entries: list[tuple[int, int]], recipe: dict[str, Any]
) -> dict[str, Any]:
    """Write one database and return what the manifest says about it."""
    from nequip.data.dataset import NequIPLMDBDataset
    from nequip.utils.global_state import set_global_state

    set_global_state()  # nequip keeps data in its default type, float64 from here on
    temporary = path.with_suffix(".tmp")
    for leftover in (temporary, Path(f"{temporary}-lock")):
        leftover.unlink(missing_ok=True)
    counts = {"atoms": 0, "edges": 0}
    digest = hashlib.sha256()
    NequIPLMDBDataset.save_from_iterator(
        str(temporary), _frames(molecules, entries, recipe, counts, digest), map_size=16 * 1024**3
    )
    os.replace(temporary, path)
    Path(f"{temporary}-lock").unlink(missing_ok=True)
    subsets = Counter(molecules[index].subset for index, _ in entries)
    return {
        "frames": len(entries),
        "atoms": counts["atoms"],
        "edges": counts["edges"],
        "edges_per_atom": counts["edges"] / counts["atoms"],
        "molecules": len({index for index, _ in entries}),
        "subsets": dict(sorted(subsets.items())),
        "content_sha256": digest.hexdigest(),
        "entries": [
            [molecules[index].subset, molecules[index].name, int(molecules[index].frames[frame])]
            for index, frame in entries
        ],
    }


def _frames(
    molecules: list[Molecule],
    entries: list[tuple[int, int]],
    recipe: dict[str, Any],
    counts: dict[str, int],
    digest: Any,
) -> Iterator[dict[str, Any]]:
    """Frames as nequip's AtomicDataDict, with types and neighbour list."""
    from ase.data import atomic_numbers
    from nequip.data import compute_neighborlist_, from_dict

    type_of = {atomic_numbers[element]: index for index, element in enumerate(recipe["elements"])}
    for index, frame in entries:
        molecule = molecules[index]
        data = from_dict(
            {
                "pos": molecule.positions[frame],
                "atomic_numbers": molecule.atomic_numbers,
                "atom_types": np.array([type_of[int(z)] for z in molecule.atomic_numbers]),
                "total_energy": molecule.energy[frame],
                "forces": molecule.forces[frame],
            }
        )
        data = compute_neighborlist_(data, r_max=recipe["r_max"])
        data.pop("edge_cell_shift", None)
        data.pop("pbc", None)
        counts["atoms"] += len(molecule.atomic_numbers)
        counts["edges"] += data["edge_index"].shape[1]
        for array in (molecule.atomic_numbers, molecule.positions[frame], molecule.forces[frame]):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(np.float64(molecule.energy[frame]).tobytes())
        yield data


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 2 and one line on a user's mistake."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", type=Path, help="yaml, see `prepare`")
    parser.add_argument("data", type=Path, help="HDF5 file in the SPICE layout")
    parser.add_argument("out", type=Path, help="folder to write to")
    args = parser.parse_args(argv)
    try:
        manifest = prepare(yaml.safe_load(args.recipe.read_text(encoding="utf-8")), args.data, args.out)
    except (E3DError, OSError) as error:
        print(f"e3d: error: {error}", file=sys.stderr)
        return 2
    for part in PARTS:
        about = manifest["sets"][part]
        print(f"{part}: {about['frames']} frames, {about['molecules']} molecules, {about['edges']} edges")
        for subset, count in about["subsets"].items():
            print(f"    {count:6d}  {subset}")
    print(f"dropped: {manifest['dropped']}")
    print(f"avg_num_neighbors: {manifest['avg_num_neighbors']}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
