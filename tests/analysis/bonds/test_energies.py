"""Bond energies by type against plain sums."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bond_samples import TYPES, some_bonds
from e3d_lmp.analysis.bonds.energies import RESOLUTION, bond_energies, cohesive_share
from e3d_lmp.errors import E3DError


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
