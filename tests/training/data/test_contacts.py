"""Pairs of molecules in contact."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.contacts import make_contacts
from e3d_lmp.training.data.database import iter_frames
from e3d_lmp.training.data.placement import closest_contact
from training_sets import repulsion, small_training_set


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder, see `small_training_set`."""
    folder = tmp_path_factory.mktemp("run")
    small_training_set(folder)
    return folder


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"count": 0}, "--count 0"),
        ({"minutes": float("nan")}, "--minutes nan"),
        ({"seed": -1}, "--seed -1"),
        ({"closest": 1.1}, "--closest 1.1: expected a contact above 0 and below 1.05"),
        ({"max_atoms": 1}, "no molecule of at most 1 atoms"),
        ({"minutes": 1e-3, "energy_of": lambda *_: (9.0, np.zeros(1))}, "interaction above 8 eV"),
    ],
)
def test_nothing_takes_the_place_of_pairs_that_are_there(
    prepared: Path, words: dict[str, Any], message: str
) -> None:
    before = (prepared / "data/contacts_train.json").read_text()
    with pytest.raises(E3DError, match=re.escape(message)):
        make_contacts(prepared / "data", "train", **{"count": 2, "energy_of": repulsion, **words})
    assert (prepared / "data/contacts_train.json").read_text() == before
    assert list(iter_frames(prepared / "data/contacts_train.lmdb"))


def test_contacts_keep_the_labels_of_their_molecules(prepared: Path) -> None:
    from nequip.data.dataset import NequIPLMDBDataset

    facts = json.loads((prepared / "data/contacts_train.json").read_text())
    assert facts["frames"] == 6
    single = NequIPLMDBDataset(str(prepared / "data/train.lmdb"))
    known = [single[index] for index in range(len(single))]
    pairs = NequIPLMDBDataset(str(prepared / "data/contacts_train.lmdb"))
    contacts = []
    for index in range(len(pairs)):
        frame = pairs[index]
        positions, numbers = frame["pos"].numpy(), frame["atomic_numbers"].numpy().ravel()
        matches = [
            (a, b)
            for a in known
            for b in known
            if np.array_equal(np.concatenate([a["atomic_numbers"], b["atomic_numbers"]]).ravel(), numbers)
            and _same_shape(a, positions[: len(a["pos"])])
            and _same_shape(b, positions[len(a["pos"]) :])
        ]
        assert len(matches) == 1
        (a, b), n = matches[0], len(matches[0][0]["pos"])
        energy, forces = repulsion(numbers, positions)
        for molecule, part in ((a, slice(None, n)), (b, slice(n, None))):
            own_energy, own_forces = repulsion(numbers[part], positions[part])
            energy += float(molecule["total_energy"].sum()) - own_energy
            forces[part] -= own_forces
            # what is left is the molecule's own force, turned as its positions were
            left = frame["forces"].numpy()[part] - forces[part]
            before = molecule["pos"].numpy() - molecule["pos"].numpy().mean(axis=0)
            after = positions[part] - positions[part].mean(axis=0)
            np.testing.assert_allclose(left @ after.T, molecule["forces"].numpy() @ before.T, atol=1e-9)
        np.testing.assert_allclose(float(frame["total_energy"].sum()), energy, rtol=1e-10)
        contacts.append(closest_contact([numbers[:n], numbers[n:]], [positions[:n], positions[n:]]))
    assert 0.49 < min(contacts) < max(contacts) < 1.06


def _same_shape(frame: dict[str, torch.Tensor], positions: np.ndarray) -> bool:
    own = frame["pos"].numpy()
    distance = [np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (own, positions)]
    return np.allclose(*distance, atol=1e-9)
