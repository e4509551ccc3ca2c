"""Delta_BDE and sigma_BDE against plain sums."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bond_samples import REFERENCES, TYPES, some_bonds
from e3d_lmp.analysis.bonds.delta_bde import bond_energy_error, type_rows
from e3d_lmp.analysis.bonds.energies import RESOLUTION, bond_energies
from e3d_lmp.analysis.bonds.references import ReferenceEnergy


def test_errors_against_plain_sums():
    index, D = some_bonds()
    reference = np.array([3.6, 6.4, 4.3])
    result = bond_energy_error(bond_energies(TYPES, index, D), REFERENCES)
    keep = index < 3
    x = -D[keep] - reference[index[keep]]
    means = [np.mean(-D[index == t]) - reference[t] for t in range(3)]
    within = np.concatenate([D[index == t] - D[index == t].mean() for t in range(3)])
    assert result.mean_over_types == pytest.approx(np.mean(np.abs(means)), abs=1e-12)
    assert result.pooled_signed == pytest.approx(x.mean(), abs=1e-12)
    assert result.pooled_absolute == pytest.approx(np.abs(x).mean(), abs=RESOLUTION / 2)
    assert result.sigma_pooled == pytest.approx(x.std(), abs=1e-12)
    assert result.sigma_within == pytest.approx(np.sqrt(np.mean(within**2)), abs=1e-12)
    assert (result.types, result.bonds) == (3, keep.sum())
    assert result.left_out == {"O-O": int((index == 3).sum())}


def test_errors_that_can_be_done_in_the_head():
    """-D - ref: +1 (three bonds) and -0.5, -1.5 (type of two): Delta 1, signed 0.2, absolute 1."""
    references = {"a": ReferenceEnergy(4.0), "b": ReferenceEnergy(6.0)}
    D = np.array([-5.0, -5.0, -5.0, -5.5, -4.5])
    result = bond_energy_error(bond_energies(("a", "b"), np.array([0, 0, 0, 1, 1]), D), references)
    assert (result.mean_over_types, result.pooled_signed) == pytest.approx((1.0, 0.2))
    assert result.pooled_absolute == pytest.approx(1.0, abs=RESOLUTION)
    assert result.sigma_within == pytest.approx(math.sqrt(2 * 0.25 / 5))
    assert result.sigma_pooled == pytest.approx(np.std([1, 1, 1, -0.5, -1.5]))


def test_types_of_few_bonds_can_be_left_out():
    energies = bond_energies(TYPES, np.array([0, 0, 0, 1]), np.array([-3.5, -3.6, -3.7, -9.0]))
    result = bond_energy_error(energies, REFERENCES, least=2)
    assert result.mean_over_types == pytest.approx(0.0, abs=1e-12)
    assert (result.types, result.bonds, result.left_out) == (1, 3, {"C-N 2": 1})


def test_nothing_to_compare():
    result = bond_energy_error(bond_energies(TYPES, np.array([3]), np.array([-1.0])), REFERENCES)
    assert math.isnan(result.mean_over_types) and math.isnan(result.sigma_pooled)
    assert (result.types, result.bonds, result.left_out) == (0, 0, {"O-O": 1})


def test_rows():
    index, D = some_bonds()
    rows = type_rows(bond_energies(TYPES, index, D), REFERENCES, shares=(0.5,))
    assert [row.type for row in rows] == list(TYPES)
    mean = D[index == 1].mean()
    assert (rows[1].mean_D, rows[1].reference, rows[1].error) == pytest.approx((mean, 6.4, -mean - 6.4))
    assert rows[1].quantiles == pytest.approx((np.median(D[index == 1]),), abs=0.02)
    assert math.isnan(rows[3].error) and rows[3].count > 0
    assert rows[4].count == 0 and math.isnan(rows[4].mean_D) and math.isnan(rows[4].error)
