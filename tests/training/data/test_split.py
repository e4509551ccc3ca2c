"""Split by molecule."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import molecule as ase_molecule

from e3d_lmp.training.data.split import crystal_key, linked_keys, molecule_key, split_by_molecule
from training_sets import ORGANIC


def test_molecule_key_knows_a_molecule_again() -> None:
    rng = np.random.default_rng(5)
    keys = {}
    for name in ORGANIC:
        template = ase_molecule(name)
        key = molecule_key(template.numbers, template.positions)
        order = rng.permutation(len(template))
        moved = template.positions[order] * [1, 1, -1] + rng.normal(scale=0.02, size=(len(order), 3))
        assert molecule_key(template.numbers[order], moved) == key, name
        keys[key] = name
    assert len(keys) == len(ORGANIC)
    ether, ethanol = ase_molecule("CH3OCH3"), ase_molecule("CH3CH2OH")
    assert molecule_key(ether.numbers, ether.positions) != molecule_key(ethanol.numbers, ethanol.positions)


def test_split_keeps_a_molecule_in_one_part() -> None:
    keys = {"a": [f"m{i}" for i in range(100)], "b": [f"m{i}" for i in range(80, 140)] * 2, "c": ["w"]}
    parts = split_by_molecule(keys, {"val": 0.1, "test": 0.2}, seed=3)
    assert set(parts) == {f"m{i}" for i in range(140)} | {"w"}
    for subset, number in (("a", 100), ("b", 60)):
        count = [sum(parts[key] == part for key in set(keys[subset])) for part in ("val", "test")]
        assert count[0] == pytest.approx(0.1 * number, abs=3) and count[1] == pytest.approx(
            0.2 * number, abs=5
        )
    assert parts["w"] == "train"
    assert parts == split_by_molecule(keys, {"val": 0.1, "test": 0.2}, seed=3)
    assert parts != split_by_molecule(keys, {"val": 0.1, "test": 0.2}, seed=4)
    assert set(split_by_molecule({"d": ["x", "y"]}, {"val": 0.3, "test": 0.4}, seed=1).values()) == {"train"}


def test_crystals_of_a_formula_have_one_key() -> None:
    assert crystal_key(np.array([8, 26, 26, 8, 8])) == "crystal O3Fe2"
    assert crystal_key(np.array([26, 26, 26, 26, 8, 8, 8, 8, 8, 8])) == "crystal O3Fe2"
    assert crystal_key(np.array([26, 8])) == "crystal OFe"


def test_linked_molecules_have_one_key() -> None:
    keys = [("a", "b"), ("c",), ("b", "d"), ("e", "f"), ("f", "d"), ("g",)]
    assert linked_keys(keys) == ["a", "c", "a", "a", "a", "g"]
    assert linked_keys([("x",), ("y",), ("x",)]) == ["x", "y", "x"]
