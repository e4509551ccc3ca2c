"""Bond energies by type, Delta_BDE and sigma_BDE against plain sums."""

from __future__ import annotations

import math

import numpy as np
import pytest

from e3d_lmp.analysis.bonds.energies import (
    RESOLUTION,
    bond_energies,
    bond_energy_error,
    cohesive_share,
    type_rows,
)
from e3d_lmp.analysis.bonds.references import ReferenceEnergy
from e3d_lmp.errors import E3DError

TYPES = ("C-C 1", "C-N 2", "C-H 1", "O-O", "N-N 3")
REFERENCES = {
    "C-C 1": ReferenceEnergy(3.6),
    "C-N 2": ReferenceEnergy(6.4),
    "C-H 1": ReferenceEnergy(4.3),
    "N-N 3": ReferenceEnergy(9.8),
}


def some_bonds(n: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Types 0 to 3 (none of type 4), one commoner than the others, one without a reference."""
    rng = np.random.default_rng(seed)
    index = rng.choice(4, n, p=[0.2, 0.1, 0.6, 0.1])
    return index, np.array([-3.8, -6.1, -4.35, -1.5])[index] + rng.normal(0, 0.2, n)


def test_moments_and_quantiles_by_type():
    index, D = some_bonds()
    energies = bond_energies(TYPES, index, D)
    for k in range(4):
        mine = D[index == k]
        assert energies.count[k] == mine.size
        assert (energies.mean[k], energies.std[k]) == pytest.approx((mine.mean(), mine.std()), abs=1e-12)
        shares = (0.0, 0.05, 0.5, 0.9, 1.0)
        want = np.quantile(mine, shares, method="inverted_cdf")
        assert energies.quantiles(k, shares) == pytest.approx(want, abs=RESOLUTION / 2 + 1e-12)
        centres, weights = energies.histogram(k)
        assert weights.sum() == mine.size and np.all(np.diff(centres) > 0)
    assert energies.count[4] == 0 and np.isnan(energies.quantiles(4)).all()


def test_quantiles_of_few_bonds():
    energies = bond_energies(("a",), np.zeros(10, dtype=int), -np.arange(1.0, 11.0))
    assert energies.quantiles(0, [0.1, 0.3, 0.7]) == pytest.approx([-10, -8, -4], abs=RESOLUTION)
    assert 0.07 * 100 > 7  # rounding must not ask for an eighth bond
    hundred = bond_energies(("a",), np.zeros(100, dtype=int), -np.arange(1.0, 101.0))
    assert hundred.quantiles(0, [0.07]) == pytest.approx([-94], abs=RESOLUTION)


def test_split_and_merge_is_the_whole():
    index, D = some_bonds()
    whole = bond_energies(TYPES, index, D)
    parts = [
        bond_energies(TYPES, index[a:b], D[a:b]) for a, b in [(0, 10), (10, 10), (10, 2000), (2000, 3000)]
    ]
    merged = parts[0].merge(parts[1]).merge(parts[3]).merge(parts[2])
    for name in ("count", "codes", "weights"):
        assert np.array_equal(getattr(merged, name), getattr(whole, name))
    assert merged.mean == pytest.approx(whole.mean, abs=1e-13)
    assert merged.std == pytest.approx(whole.std, abs=1e-13)


def test_equal_values_have_no_spread():
    """Sums of squares would leave 1e-8."""
    energies = bond_energies(("a",), np.zeros(1000, dtype=int), np.full(1000, -4.3))
    assert energies.merge(energies).std[0] < 1e-12


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


def test_share_of_the_cohesive_energy():
    assert cohesive_share(-9.0, -10.0) == pytest.approx(0.9)
    assert cohesive_share(np.array([-9.0, -40.0]), np.array([-10.0, -40.0])) == pytest.approx(0.98)
    with pytest.raises(E3DError, match="add up to 0"):
        cohesive_share(-1.0, 0.0)
    with pytest.raises(E3DError, match="one E_coh for each"):
        cohesive_share(np.zeros(2), np.ones(3))


@pytest.mark.parametrize(
    ("index", "D", "kind"),
    [
        ([0, 5], [-1.0, -1.0], "types from 0 to 4"),
        ([-1], [-1.0], "types from 0 to 4"),
        ([0, 1], [-1.0], "a type and a D for each bond"),
        ([0], [math.nan], "not finite"),
        ([0], [-1e12], "not finite"),
    ],
)
def test_bad_bonds(index, D, kind):
    with pytest.raises(E3DError, match=kind):
        bond_energies(TYPES, np.array(index), np.array(D))


def test_other_types_do_not_merge():
    one = bond_energies(("a",), np.array([0]), np.array([-1.0]))
    with pytest.raises(E3DError, match="types a and b cannot be added"):
        one.merge(bond_energies(("b",), np.array([0]), np.array([-1.0])))
