"""What structures are called, and what a store keeps of the names of their files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

from e3d_lmp.analysis.reaction_paths import read_path
from e3d_lmp.cli import main
from e3d_lmp.edges.sources import EdgeSource
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.edges.structures import ENDS, NAME_KEYS, Structures
from e3d_lmp.errors import E3DError


def evaluate(*words: object) -> int:
    return main(["evaluate", *map(str, words)])


def extxyz(path: Path, *comments: str) -> Path:
    """A file of single atoms, with these comments."""
    head = 'Properties=species:S:1:pos:R:3 pbc="F F F"'
    path.write_text("".join(f"1\n{head} {comment}\nC 0 0 0\n" for comment in comments))
    return path


def test_names_of_frames_in_extxyz(tmp_path: Path) -> None:
    """A key of the comment line; images of a reaction as they are, others with their number."""
    told = ("name=R1/reactant", "config_type=bulk name=R1/product", "config_type=bulk", 'name="a  b"', "")
    path = extxyz(tmp_path / "f.extxyz", *told)
    assert [one.name for one in Structures([path]).since()] == [f"f.extxyz/{k}" for k in range(5)]
    named = Structures([path], name_keys=NAME_KEYS)
    names = ["R1/reactant", "R1/product", "bulk/2", "a b/3", "f.extxyz/4"]
    for start in range(5):
        assert [one.name for one in named.since(start)] == names[start:]
    chosen = extxyz(tmp_path / "c.extxyz", "id=R2/path/0", "id=R2/path/1", "name=x")
    asked = Structures([chosen], name_keys=("id",), must_be_named=True).since()
    assert [next(asked).name, next(asked).name] == ["R2/path/0", "R2/path/1"]
    with pytest.raises(E3DError, match=r"c\.extxyz: frame 2 has no 'id' to name it by; keys there: name"):
        next(asked)


def test_reactions_and_paths_of_extxyz(tmp_path: Path, model_files, capsys) -> None:
    """Barriers, roles and paths, as from a Transition1x file."""
    frames = []
    for k, (reaction, end) in enumerate((r, e) for r in ("A", "B") for e in ENDS):
        atoms = molecule("CH3OH")
        atoms.positions += 0.01 * k * np.arange(3 * len(atoms)).reshape(-1, 3) % 0.1
        atoms.info["label"] = f"{reaction}/{end}"
        atoms.calc = SinglePointCalculator(atoms, energy=float(k * k))
        frames.append(atoms)
    ase.io.write(tmp_path / "r.extxyz", frames)
    store = tmp_path / "e.h5"
    words = (model_files("allegro-plain", "safetensors"), tmp_path / "r.extxyz", "-o", store)
    assert evaluate(*words, "--name", "label") == 0
    assert main(["analyze", str(store), "-o", str(tmp_path / "o"), "--cutoff", "model"]) == 0
    with open(tmp_path / "o" / "reactions.csv", newline="") as file:
        rows = {row["reaction"]: row for row in csv.DictReader(file)}
    assert set(rows) == {"A", "B"}
    assert float(rows["B"]["reference_barrier_eV"]) == 16.0 - 9.0
    assert (tmp_path / "o" / "map.transition_state.e3d").exists()
    path = read_path(StoreReader(store), "A", "model")
    assert path.images == ENDS and path.reference_energy.tolist() == [0.0, 1.0, 4.0]
    assert evaluate(*words, "--name", "nothing", "--overwrite") == 2
    assert "has no 'nothing' to name it by; keys there: label" in capsys.readouterr().err


def test_provenance_names_each_file_once(tmp_path: Path, model_files) -> None:
    """A store that was begun when the request repeated all names is gone on with; results name some files."""
    paths = [extxyz(tmp_path / f"molecule_{k:03d}.extxyz", "") for k in range(60)]
    (tmp_path / "deep").mkdir()
    store = tmp_path / "deep" / "e.h5"
    words = (model_files("allegro-plain", "safetensors"), *paths, "-o", store)
    assert evaluate(*words, "--limit", 7) == 0
    with StoreReader(store) as reader:
        names = [f"../molecule_{k:03d}.extxyz" for k in range(60)]
        assert reader.provenance["structures"].split() == names
        assert sum(map(len, reader.provenance.values())) < len(" ".join(names)) + 1500
        request = json.loads(reader.provenance["request"])
    with h5py.File(store, "r+") as file:
        old = {**request, "structures": [str(path) for path in paths]}
        file["provenance"].attrs["request"] = json.dumps(old, sort_keys=True)
    assert evaluate(*words) == 0
    assert len(StoreReader(store)) == 60
    assert evaluate(*words[:-3], "-o", store) == 2  # others
    source = EdgeSource([store])
    assert len(source.provenance["structures"]) < 500
    assert source.provenance["structures"].endswith("characters; all are in the store)")
