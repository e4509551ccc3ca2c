"""Prepared sets: what they hold and who is in which."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.data.prepare import prepare
from e3d_lmp.data.recipe import parse_recipe
from e3d_lmp.data.spice import read_spice
from training_sets import RECIPE, small_training_set, wanted


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder, see `small_training_set`."""
    folder = tmp_path_factory.mktemp("run")
    small_training_set(folder)
    return folder


def test_prepared_sets(prepared: Path, tmp_path: Path) -> None:
    from nequip.data.dataset import NequIPLMDBDataset

    manifest = json.loads((prepared / "data/manifest.json").read_text())
    entries = {part: manifest["sets"][part]["entries"] for part in ("train", "val", "test")}
    names = {part: {name for subset, name, _ in rows if subset == "small"} for part, rows in entries.items()}
    assert not names["train"] & names["test"] and not names["train"] & names["val"]
    assert not names["val"] & names["test"] and all(names.values())
    seen = [(name, frame) for rows in entries.values() for subset, name, frame in rows]
    assert len(seen) == len(set(seen))
    one = {part: [row for row in rows if row[0] == "one"] for part, rows in entries.items()}
    assert [len(one[part]) for part in ("train", "val", "test")] == [2, 1, 1]

    molecules = {m.name: m for m in read_spice(prepared / "a.hdf5", wanted())}
    dataset = NequIPLMDBDataset(str(prepared / "data/train.lmdb"))
    assert len(dataset) == len(entries["train"])
    for index, (_, name, frame) in enumerate(entries["train"]):
        data, molecule = dataset[index], molecules[name]
        types = [
            RECIPE["elements"].index({1: "H", 6: "C", 7: "N", 8: "O"}[int(z)])
            for z in molecule.atomic_numbers
        ]
        assert data["atom_types"].reshape(-1).tolist() == types
        np.testing.assert_allclose(data["total_energy"].numpy().ravel(), molecule.energy[frame], rtol=1e-12)
        np.testing.assert_allclose(data["forces"].numpy(), molecule.forces[frame], rtol=1e-12)
        distance = np.linalg.norm(
            molecule.positions[frame][:, None] - molecule.positions[frame][None], axis=-1
        )
        assert data["edge_index"].shape[1] == int((distance < 4.0).sum()) - len(types)
    del dataset  # a database may be open once per process
    again = prepare(parse_recipe(RECIPE, prepared), tmp_path)
    for part in entries:
        assert again["sets"][part]["content_sha256"] == manifest["sets"][part]["content_sha256"]
