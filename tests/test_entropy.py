"""Entropies with closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from e3d_lmp.entropy import bits, shannon_nats


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
