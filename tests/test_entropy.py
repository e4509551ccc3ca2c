"""Entropies with closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from e3d_lmp.entropy import bits, jensen_shannon_distance, shannon_nats


@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_uniform(n):
    assert shannon_nats(np.full(n, 3)) == pytest.approx(math.log(n), abs=1e-12)


def test_known_values():
    assert shannon_nats(np.array([1, 3])) == pytest.approx(math.log(4) - 0.75 * math.log(3), abs=1e-14)
    assert bits(shannon_nats(np.array([0.5, 0.25, 0.25]))) == pytest.approx(1.5, abs=1e-14)
    assert shannon_nats(np.array([5, 0, 0])) == 0.0
    assert shannon_nats(np.zeros(0)) == 0.0


def test_scale_of_the_weights_does_not_matter():
    weights = np.random.default_rng(0).integers(1, 10**9, 1000)
    assert shannon_nats(weights / 2) == pytest.approx(shannon_nats(weights), abs=1e-12)


def test_agrees_with_scipy():
    from scipy.stats import entropy

    weights = np.random.default_rng(1).integers(0, 50, 500)
    assert shannon_nats(weights) == pytest.approx(entropy(weights), abs=1e-12)


def test_jensen_shannon_distance_of_known_distributions():
    assert jensen_shannon_distance([1, 3, 0], [2, 6, 0]) == 0.0  # the scale does not matter
    assert jensen_shannon_distance([1, 2, 0, 0], [0, 0, 5, 1]) == 1.0
    # (1, 0) and (1/2, 1/2): m = (3/4, 1/4), JSD = H(m) - (0 + 1) / 2 bits
    divergence = -0.75 * math.log2(0.75) + 0.25 * 2 - 0.5
    assert jensen_shannon_distance([1, 0], [2, 2]) == pytest.approx(math.sqrt(divergence), abs=1e-14)
    assert math.isnan(jensen_shannon_distance([0, 0], [1, 0]))


def test_jensen_shannon_distance_agrees_with_scipy_and_is_a_metric():
    from scipy.spatial.distance import jensenshannon

    rng = np.random.default_rng(2)
    for _ in range(20):
        p, q, r = rng.integers(0, 9, (3, 40)) * rng.integers(0, 2, (3, 40))
        pq = jensen_shannon_distance(p, q)
        assert pq == pytest.approx(jensenshannon(p, q, base=2), abs=1e-12)
        assert pq == jensen_shannon_distance(q, p)
        assert pq <= jensen_shannon_distance(p, r) + jensen_shannon_distance(r, q)


def test_nearly_equal_distributions_are_near():
    """Where rounding makes the divergence negative, scipy has nan."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.random(300)
        assert 0.0 <= jensen_shannon_distance(p, p * (1 + rng.normal(0, 2e-16, 300))) < 1e-7
