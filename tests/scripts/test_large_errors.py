"""scripts/novelty/large_errors.py: its areas, its stretched molecules, and the numbers that are published."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest
from ase.build import molecule

from e3d_lmp.training.data.split import bonded_pairs
from lammps_runs import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "novelty"))

from large_errors import CUTOFFS, LARGE, _stretched, alarms, area

FOLDER = ROOT / "scripts" / "novelty"


def test_area_is_how_often_a_large_one_has_the_larger_signal() -> None:
    rng = np.random.default_rng(2)
    signal, is_large = rng.integers(0, 5, 60).astype(float), rng.random(60) < 0.3
    pairs = [(a > b) + 0.5 * (a == b) for a in signal[is_large] for b in signal[~is_large]]
    assert area(signal, is_large) == pytest.approx(np.mean(pairs), rel=1e-12)
    assert area(is_large.astype(float), is_large) == 1.0
    assert np.isnan(area(signal, np.ones(60, dtype=bool)))


def test_one_bond_is_stretched() -> None:
    """By the factor, but for the displacements; and no other one."""
    atoms = molecule("CH3CH2OH")
    bonds = bonded_pairs(atoms.numbers, atoms.positions).tolist()
    before = np.array([atoms.get_distance(*bond) for bond in bonds])
    for seed in range(8):
        made = _stretched(atoms, 1.45, np.random.default_rng(seed))
        ratio = np.array([made.get_distance(*bond) for bond in bonds]) / before
        assert np.sort(ratio)[-1] == pytest.approx(1.45, abs=0.12) and np.sort(ratio)[-2] < 1.15


def test_published_numbers() -> None:
    """Those of the JSON file follow from the rows beside it, and the page has them."""
    found = json.loads((FOLDER / "large_errors.json").read_text())
    with open(FOLDER / "large_errors.csv", newline="") as file:
        rows = [
            {key: text if key in ("molecule", "kind") else float(text or "nan") for key, text in row.items()}
            for row in csv.DictReader(file)
        ]
    page = (ROOT / "docs" / "novelty.md").read_text()
    for kind in ("all", "hot", "stretched"):
        chosen = [row for row in rows if row["kind"] == kind or (kind == "all" and row["kind"] != "relaxed")]
        names = [name for name in rows[0] if name in found["area_under_the_curve"]["0.5 eV/A"][kind]]
        for threshold in LARGE:
            want = found["area_under_the_curve"][f"{threshold:g} eV/A"][kind]
            is_large = np.array([row["force_error"] > threshold for row in chosen])
            assert (len(chosen), int(is_large.sum())) == (want["frames"], want["large"])
            for name in names:
                value, low, high = want[name]
                got = area(np.array([row[name] for row in chosen]), is_large)
                assert got == pytest.approx(value, abs=1e-3) and low < value < high, (kind, threshold, name)
            told = found["any_unvisited_bin"][f"{threshold:g} eV/A"][kind]
            for name in CUTOFFS:
                assert alarms(chosen, threshold, f"share_{name}") == pytest.approx(told[name], abs=1e-6)
        for name in names:
            value, low, high = found["area_under_the_curve"]["0.5 eV/A"][kind][name]
            assert f"{value:.2f} ({low:.2f}–{high:.2f})" in page
