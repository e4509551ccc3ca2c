"""Entropies with closed forms."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.analysis.entropy import (
    ESTIMATORS,
    bits,
    chao_shen_nats,
    estimator,
    grassberger_nats,
    jensen_shannon_distance,
    miller_madow_nats,
    shannon_nats,
)
from e3d_lmp.errors import E3DError

_FILE = Path(__file__).parents[1] / "golden/entropy.json"
GOLDEN = json.loads(_FILE.read_text(encoding="ascii"))["samples"]


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


@pytest.mark.parametrize("name", ["plug-in", "miller-madow", "chao-shen"])
@pytest.mark.parametrize("sample", GOLDEN, ids=lambda sample: f"{len(sample['counts'])}-bins")
def test_agrees_with_infomeasure(name, sample):
    assert ESTIMATORS[name](np.array(sample["counts"])) == pytest.approx(sample["nats"][name], abs=1e-12)


def test_miller_madow_by_hand():
    assert miller_madow_nats([3, 0, 1]) == pytest.approx(shannon_nats([3, 1]) + 1 / 8, abs=1e-15)


def test_chao_shen_by_hand():
    """Counts 2, 1, 1: coverage 1/2, q = 1/4, 1/8, 1/8."""
    want = -sum(q * math.log(q) / (1 - (1 - q) ** 4) for q in (1 / 4, 1 / 8, 1 / 8))
    assert chao_shen_nats([1, 2, 1]) == pytest.approx(want, abs=1e-14)


def grassberger_numbers(largest: int) -> list[float]:
    """G(1), G(2), ... by the recurrence of the paper: G(1) = -gamma - ln 2, G(2) = 2 - gamma - ln 2,
    G(2n + 1) = G(2n), G(2n + 2) = G(2n) + 2 / (2n + 1)."""
    numbers = [-np.euler_gamma - math.log(2), 2 - np.euler_gamma - math.log(2)]
    for n in range(3, largest + 1):
        numbers.append(numbers[-1] if n % 2 else numbers[-2] + 2 / (n - 1))
    return numbers


def test_grassberger_follows_the_recurrence():
    counts = np.arange(1, 60)
    g = np.array(grassberger_numbers(59))
    want = math.log(counts.sum()) - (counts * g).sum() / counts.sum()
    assert grassberger_nats(counts) == pytest.approx(want, abs=1e-12)


def test_grassberger_has_the_bias_that_its_author_derived():
    """For Poisson counts of mean z the mean of n G(n) is z ln z + z E1(2z)."""
    from scipy.special import exp1
    from scipy.stats import poisson

    n = np.arange(1, 120)
    for z in (0.1, 1.0, 5.0, 30.0):
        # one bin of n: H = ln n - G(n)
        g = np.log(n) - np.array([grassberger_nats([k]) for k in n])
        mean = (poisson.pmf(n, z) * n * g).sum()
        assert mean == pytest.approx(z * math.log(z) + z * exp1(2 * z), abs=1e-10)


@pytest.mark.parametrize("name", ["miller-madow", "grassberger", "chao-shen"])
def test_corrections_reduce_the_bias(name):
    """400 samples of 150 from 100 bins of known entropy."""
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.full(100, 2.0))
    samples = rng.multinomial(150, p, size=400)
    true = shannon_nats(p)
    bias = {key: np.mean([ESTIMATORS[key](one) for one in samples]) - true for key in ("plug-in", name)}
    assert bias["plug-in"] < -0.2
    assert abs(bias[name]) < 0.4 * abs(bias["plug-in"]), bias


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_estimators_agree_on_large_samples_and_take_nothing(name):
    p = np.random.default_rng(4).dirichlet(np.ones(50))
    assert ESTIMATORS[name](np.floor(p * 1e9)) == pytest.approx(shannon_nats(p), abs=1e-6)
    assert ESTIMATORS[name](np.zeros(3)) == ESTIMATORS[name](np.zeros(0)) == 0.0
    assert abs(ESTIMATORS[name](np.array([10**9]))) < 1e-6


@pytest.mark.parametrize("counts", [[0.5, 1.5], [-1, 2], [math.nan, 1]])
@pytest.mark.parametrize("name", ["miller-madow", "grassberger", "chao-shen"])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_corrected_entropies_refuse_halves(name, counts):
    with pytest.raises(E3DError, match="pair_counts"):
        ESTIMATORS[name](np.array(counts))


def test_unknown_estimator():
    assert estimator("grassberger") is grassberger_nats
    with pytest.raises(E3DError, match="expected one of plug-in, miller-madow, grassberger, chao-shen"):
        estimator("nsb")
