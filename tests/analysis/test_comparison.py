"""Entropy differences and Jensen-Shannon distances of maps."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from e3d_lmp.analysis.comparison import compare_labels, compare_maps
from e3d_lmp.analysis.label_map import LabelMap, label_map
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.errors import E3DError


def sample(rng: np.random.Generator, n: int, centre: float, like: bool) -> LabelMap:
    return label_map(rng.normal(centre, 0.3, n), rng.normal(0.5, 0.2, n), 0.1, like, "here")


def test_numbers_against_dense_histograms():
    rng = np.random.default_rng(1)
    a, b = sample(rng, 4000, -4.0, False), sample(rng, 1000, -4.3, False)
    row = compare_labels("C-H", a, b)
    grids = np.zeros((2, 200, 200))
    for grid, one in zip(grids, (a, b), strict=True):
        d, k, n = one.bins
        grid[d + 100, k + 100] = n
    expected = jensenshannon(grids[0].ravel(), grids[1].ravel(), base=2)
    assert row.distance == pytest.approx(expected, abs=1e-12) and 0.2 < row.distance < 0.8
    assert (row.count_a, row.count_b) == (4000, 1000)
    assert row.shift_D == pytest.approx(-0.3, abs=0.03) and row.shift_absA == b.mean_absA - a.mean_absA
    assert row.shift_H == b.entropy_nats - a.entropy_nats != 0.0
    assert (row.entropy_a, row.entropy_b) == (a.entropy_nats, b.entropy_nats)
    back = compare_labels("C-H", b, a)
    assert back.distance == row.distance and back.shift_H == -row.shift_H


@pytest.mark.parametrize("label", ["C-H", "C-C"])
def test_noise_is_the_distance_of_equal_distributions(label):
    rng = np.random.default_rng(2)
    rows = []
    for _ in range(30):
        a, b = (
            label_map(rng.uniform(-4.0, -3.5, n), rng.uniform(0, 0.4, n), 0.1, label == "C-C", "here")
            for n in (3000, 1500)
        )
        rows.append(compare_labels(label, a, b))
    got = math.sqrt(np.mean([row.distance**2 for row in rows]))
    assert got == pytest.approx(np.mean([row.noise for row in rows]), rel=0.15)


def test_order_and_labels_of_one_map_only():
    rng = np.random.default_rng(3)
    few, many = sample(rng, 10, -4, False), sample(rng, 500, -4, False)
    a = EnergyMap(0.1, "covalent", 1, (0, 0), {"C-H": few, "C-N": LabelMap(), "N-H": many})
    b = EnergyMap(0.1, "covalent", 2, (0, 9), {"C-H": few, "C-O": few, "N-H": many})
    rows = compare_maps(a, b)
    assert [(row.label, row.count_a, row.count_b) for row in rows] == [
        ("N-H", 500, 500),
        ("C-H", 10, 10),
        ("C-O", 0, 10),
    ]
    assert rows[0].distance == 0.0 and rows[0].shift_H == 0.0
    assert all(math.isnan(x) for x in (rows[2].distance, rows[2].shift_H, rows[2].shift_D, rows[2].noise))
    with pytest.raises(E3DError, match=r"bins of 0\.1 eV and 0\.2 eV cannot be compared"):
        compare_maps(a, replace(b, width=0.2))
