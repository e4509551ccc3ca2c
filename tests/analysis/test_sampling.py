"""Corrected entropies of D-A maps, intervals, equal sample sizes and offsets of bins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from e3d_lmp.analysis.entropy import ESTIMATORS, shannon_nats
from e3d_lmp.analysis.label_map import LabelMap, label_map
from e3d_lmp.analysis.sampling import (
    at_equal_size,
    bootstrap_interval,
    entropy_change,
    entropy_nats,
    offset_spread,
    pair_counts,
)
from e3d_lmp.errors import E3DError

CORRECTED = ["miller-madow", "grassberger", "chao-shen"]


def some_pairs(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(-4.0, 0.3, n), rng.normal(0.3, 0.4, n)


def a_map(n: int, like: bool = False, seed: int = 0) -> LabelMap:
    return label_map(*some_pairs(n, seed), 0.1, like, "here")


def direct_counts(D, A, like):
    """Counts of the bins of (D, A) or (D, |A|), without a map."""
    bins = np.stack([np.floor(D / 0.1), np.floor((np.abs(A) if like else A) / 0.1)])
    return np.unique(bins, axis=1, return_counts=True)[1]


@pytest.mark.parametrize("like", [True, False])
@pytest.mark.parametrize("zeros", [0, 30, 500])
def test_pair_counts_are_those_of_the_pairs(like, zeros):
    """Also where A is exactly 0, or on an edge of a bin."""
    D, A = some_pairs(500)
    A[:zeros] = 0.0
    A[400:420] = np.arange(-10, 10) * 0.1
    one = label_map(D, A, 0.1, like, "here")
    assert sorted(pair_counts(one, like)) == sorted(direct_counts(D, A, like))


def test_pair_counts_refuse_a_map_of_like_elements():
    with pytest.raises(E3DError, match="is it one of like elements"):
        pair_counts(a_map(100, like=True), like=False)


@pytest.mark.parametrize("name", CORRECTED)
def test_unlike_elements(name):
    D, A = some_pairs(400)
    assert entropy_nats(a_map(400), False, name) == ESTIMATORS[name](direct_counts(D, A, False))


@pytest.mark.parametrize("name", CORRECTED)
def test_like_elements_are_one_observation_per_pair(name):
    """A mirrored sample has ln 2 more than that of |A|, by every estimator."""
    D, A = some_pairs(400)
    want = ESTIMATORS[name](direct_counts(D, A, True)) + math.log(2)
    assert entropy_nats(a_map(400, like=True), True, name) == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("name", CORRECTED)
def test_like_elements_without_asymmetry(name):
    """A = 0 exactly: nothing to mirror, no ln 2."""
    D, _ = some_pairs(300)
    one = label_map(D, np.zeros(300), 0.1, True, "here")
    want = ESTIMATORS[name](direct_counts(D, np.zeros(300), True))
    assert entropy_nats(one, True, name) == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("like", [True, False])
def test_plug_in_is_that_of_the_map(like):
    assert entropy_nats(a_map(300, like), like) == a_map(300, like).entropy_nats
    assert entropy_nats(LabelMap(), like, "chao-shen") == 0.0


def test_bootstrap_interval_covers_the_true_entropy():
    """60 samples of 2000 pairs in 20 bins, one likelier, Miller-Madow, 90 %: covered about 54 times."""
    rng = np.random.default_rng(1)
    covered = 0
    spread = []
    p = np.full(20, 0.75 / 20)
    p[0] += 0.25  # the entropy of equally likely bins has no normal limit
    for _ in range(60):
        D = rng.choice(20, 2000, p=p) * 0.1 + 0.05
        one = label_map(D, np.zeros(2000), 0.1, False, "here")
        interval = bootstrap_interval(one, False, rng, "miller-madow", repeats=100, level=0.9)
        covered += interval.low <= shannon_nats(p) <= interval.high
        spread.append((interval.value, interval.std))
    assert 47 <= covered <= 60
    values, stds = np.array(spread).T
    assert 0.6 < stds.mean() / values.std(ddof=1) < 1.8


def test_bootstrap_of_blocks_sees_their_correlation():
    """Each block ten times the same pair: the interval is about sqrt(10) wider than that of single pairs."""
    rng = np.random.default_rng(2)
    D, A = rng.exponential(0.3, 400), np.zeros(400)
    blocks = [
        label_map(np.repeat(d, 10), np.repeat(a, 10), 0.1, True, "here") for d, a in zip(D, A, strict=True)
    ]
    whole = LabelMap().merge(*blocks)
    single = bootstrap_interval(whole, True, np.random.default_rng(3))
    blocked = bootstrap_interval(blocks, True, np.random.default_rng(3))
    assert blocked.value == single.value == whole.entropy_nats
    assert 2.5 < blocked.std / single.std < 4.0
    assert blocked.low < blocked.value < blocked.high


def test_interval_is_on_the_side_of_the_truth():
    """Resamples of a sparse sample are biased downwards, as the sample is; the interval reaches upwards."""
    interval = bootstrap_interval(a_map(200), False, np.random.default_rng(4))
    assert interval.mean < interval.value - 0.1
    assert interval.value < interval.low < a_map(100000).entropy_nats
    assert interval.low + interval.high == pytest.approx(4 * interval.value - 2 * interval.mean, abs=0.05)


def test_bootstrap_is_repeatable_and_refuses_nonsense():
    one = a_map(200)
    same = [bootstrap_interval(one, False, np.random.default_rng(5), repeats=20) for _ in range(2)]
    assert same[0] == same[1]
    rng = np.random.default_rng(0)
    for bad, kind in [
        (lambda: bootstrap_interval(one, False, rng, repeats=0), "repeats 0"),
        (lambda: bootstrap_interval(one, False, rng, level=95), "level 95"),
        (lambda: bootstrap_interval([one], False, rng), "1 blocks"),
        (lambda: bootstrap_interval(LabelMap(), False, rng), "without pairs"),
        (lambda: at_equal_size(one, False, 201, rng), "cannot draw 201 pairs from 200"),
        (lambda: at_equal_size(one, False, 0, rng), "cannot draw 0"),
        (lambda: offset_spread(np.zeros(0), np.zeros(0), 0.1, False), "at least one"),
    ]:
        with pytest.raises(E3DError, match=kind):
            bad()


@pytest.mark.parametrize("like", [True, False])
def test_equal_size_is_what_a_small_sample_gives(like):
    """Plug-in entropies of 300 of 20,000 pairs, drawn from the map or made afresh."""
    fresh = np.array([a_map(300, like, seed).entropy_nats for seed in range(1, 60)])
    drawn = at_equal_size(a_map(20000, like), like, 300, np.random.default_rng(6), repeats=60)
    assert drawn.value == a_map(20000, like).entropy_nats > drawn.mean + 0.3
    assert drawn.mean == pytest.approx(fresh.mean(), abs=4 * fresh.std() / math.sqrt(60) + 0.01)
    assert drawn.low < drawn.mean < drawn.high
    whole = at_equal_size(a_map(300, like), like, 300, np.random.default_rng(6))
    assert whole.mean == pytest.approx(whole.value, abs=1e-12) and whole.std < 1e-12


def test_equal_size_of_a_huge_map():
    one = a_map(1000)
    huge = LabelMap(count=one.count * 10**7, codes=one.codes, halves=one.halves * 10**7)
    drawn = at_equal_size(huge, False, 200, np.random.default_rng(7))
    assert 0.0 < drawn.mean < drawn.value


def test_offsets_of_a_narrow_peak():
    """One bin holds it, or two or four share it where an edge cuts it."""
    D, A = np.full(100, -4.05) + np.linspace(-1e-9, 1e-9, 100), np.full(100, 0.25)
    spread = offset_spread(D, A, 0.1, False, offsets=4)
    assert (spread.value, spread.low, spread.high) == pytest.approx((0.0, 0.0, math.log(2)), abs=0.02)


@pytest.mark.parametrize("like", [True, False])
def test_offsets_of_a_wide_distribution_hardly_matter(like):
    D, A = some_pairs(50000)
    spread = offset_spread(D, A, 0.1, like, offsets=3)
    assert spread.value == label_map(D, A, 0.1, like, "here").entropy_nats
    assert spread.low <= spread.value <= spread.high and spread.std < 0.02
    assert offset_spread(D, A, 0.1, like, offsets=1).mean == pytest.approx(spread.value, abs=1e-12)


def test_entropy_change():
    """Twice as wide in D: ln 2 more, and at equal size nearly so."""
    rng = np.random.default_rng(8)
    narrow = label_map(rng.uniform(0, 1, 50000), np.full(50000, 0.05), 0.1, False, "here")
    wide = label_map(rng.uniform(0, 2, 2000), np.full(2000, 0.05), 0.1, False, "here")
    change = entropy_change(wide, narrow, False, rng)
    assert change.value == pytest.approx(math.log(2), abs=0.01)
    assert change.equal_size == pytest.approx(math.log(2), abs=0.01)
    back = entropy_change(narrow, wide, False, rng)
    assert back.value == -change.value
    for one in (change, back):  # only the draws of the larger map differ from each other
        assert one.n_pairs == 2000 and 0.0 < one.std < 0.01
    assert math.isnan(entropy_change(wide, LabelMap(), False, rng).value)
