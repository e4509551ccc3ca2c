"""How sure H_2D is: corrected estimates, bootstrap intervals, equal sample sizes, offsets of the bins.

The paper gives plug-in entropies of 0.1 eV bins without intervals; everything here is beside that number.

*Like elements.* A pair of like elements enters a map with half weight at +A and at -A, but it is one
observation, not two. What is sampled are the bins of (D, |A|), whose counts are whole; a corrected entropy is
the plug-in H_2D of the map plus the correction (corrected less plug-in entropy) of those counts. The mirror
adds no uncertainty: it is ln 2 unless A is exactly 0 somewhere, and the same number in all resamples.

*Independence.* Estimators and resampling take pairs as independent. Pairs of one molecule, or of time steps
close to each other, are not: intervals are then too narrow. Make a map of each block (molecule, stretch of
time) and resample the blocks: `bootstrap_interval` of several maps does so.

Random numbers come from a generator that is given, so that a result can be had again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from e3d_lmp.analysis.entropy import estimator, shannon_nats
from e3d_lmp.analysis.label_map import LabelMap, bin_codes, label_map, split_codes
from e3d_lmp.errors import E3DError

FIGURE_SEED = 2025
"""Of the draws behind a figure, so that the same numbers can be had again."""

_DRAW_LIMIT = 10**9
"""numpy draws without replacement from fewer things than this."""


def generator_of(label: str) -> np.random.Generator:
    """The random numbers of a pair label: the same in every table, whatever other labels there are."""
    return np.random.default_rng(list(label.encode()))


def pair_counts(one: LabelMap, like: bool) -> np.ndarray:
    """(K,) int64, pairs in each bin of (D, A), of like elements in each bin of (D, |A|); empty bins left out.

    Bin k >= 1 of |A| has as many pairs as bin k of A has halves. Bin 0 has the rest of its row of D, which is
    right too where A is exactly 0 and both halves are in bin 0.
    """
    if not like:
        counts, odd = np.divmod(one.halves, 2)
        if np.any(odd):
            raise E3DError("a map of unlike elements has bins with half a pair; is it one of like elements?")
        return counts
    k_d, k_a, _ = one.bins
    rows, row = np.unique(k_d, return_inverse=True)
    upper = k_a >= 1
    in_row = np.bincount(row, weights=one.halves, minlength=rows.size)
    above = np.bincount(row[upper], weights=one.halves[upper], minlength=rows.size)
    rest = np.rint(in_row / 2.0 - above).astype(np.int64)
    return np.concatenate([one.halves[upper], rest[rest > 0]])


def entropy_nats(one: LabelMap, like: bool, name: str = "plug-in") -> float:
    """H_2D of a map by the estimator `name`, nats; 0 for an empty map.

    Raises
    ------
    E3DError
        If there is no such estimator.
    """
    if estimator(name) is shannon_nats or not one.count:
        return one.entropy_nats
    return estimator(name)(pair_counts(one, like)) + _mirror(one, like)


@dataclass(frozen=True)
class Interval:
    """An entropy with what it is uncertain by, nats.

    Attributes
    ----------
    value       of the whole sample
    mean, std   of the repeats; std is the sample standard deviation, nan for one repeat
    low, high   quantiles of the repeats
    """

    value: float
    mean: float
    std: float
    low: float
    high: float


def bootstrap_interval(
    maps: LabelMap | Sequence[LabelMap],
    like: bool,
    rng: np.random.Generator,
    name: str = "plug-in",
    repeats: int = 200,
    level: float = 0.95,
) -> Interval:
    """Bootstrap interval of H_2D, nats.

    The basic (reverse percentile) interval, ``2 value - quantile``: the entropy of a resample is lower than
    that of its sample as that is lower than the true one, so that a percentile interval would lie on the
    wrong side of the value (Davison and Hinkley, Bootstrap Methods, Cambridge 1997, section 5.2).

    Parameters
    ----------
    maps
        One map, whose pairs are drawn with replacement, or one map per block, and blocks are drawn.
    level
        Share of the repeats within the interval.

    Raises
    ------
    E3DError
        If there is nothing to resample, no such estimator, or `repeats` or `level` make no sense.
    """
    _check_repeats(repeats)
    if not 0.0 < level < 1.0:
        raise E3DError(f"level {level}: expected a share between 0 and 1, e.g. 0.95")
    blocks = [maps] if isinstance(maps, LabelMap) else [one for one in maps if one.count]
    whole = LabelMap().merge(*blocks)
    if not whole.count:
        raise E3DError("a map without pairs cannot be resampled")
    value = entropy_nats(whole, like, name)
    if isinstance(maps, LabelMap):
        counts, mirror = pair_counts(whole, like), _mirror(whole, like)
        samples = rng.multinomial(whole.count, counts / whole.count, size=repeats)
        drawn = np.array([estimator(name)(sample) + mirror for sample in samples])
    else:
        if len(blocks) < 2:
            raise E3DError(f"{len(blocks)} blocks cannot be resampled; give at least 2, better 20 or more")
        picks = rng.integers(0, len(blocks), (repeats, len(blocks)))
        drawn = np.array([entropy_nats(one, like, name) for one in _sums_of_blocks(blocks, picks)])
    tail = (1.0 - level) / 2.0
    upper, lower = np.quantile(drawn, [1.0 - tail, tail])
    return Interval(
        value, float(drawn.mean()), _std(drawn), 2.0 * value - float(upper), 2.0 * value - float(lower)
    )


def at_equal_size(
    one: LabelMap,
    like: bool,
    n_pairs: int,
    rng: np.random.Generator,
    name: str = "plug-in",
    repeats: int = 20,
) -> Interval:
    """H_2D of `n_pairs` pairs drawn without replacement, nats, for maps of different size to be compared.

    The plug-in entropy grows with the sample; at equal size the bias of two maps is similar, though not equal
    where one has more bins. The value is that of the whole map; mean, std, low and high (2.5 and 97.5 %) are
    those of the draws. From 1e9 pairs on they are drawn with replacement, which makes no difference there.

    Raises
    ------
    E3DError
        If the map has fewer pairs, or there is no such estimator.
    """
    _check_repeats(repeats)
    if not 1 <= n_pairs <= one.count:
        raise E3DError(
            f"cannot draw {n_pairs} pairs from {one.count}; take the smallest count of the maps to compare"
        )
    counts, mirror = pair_counts(one, like), _mirror(one, like)
    draws = (_without_replacement(counts, n_pairs, rng) for _ in range(repeats))
    drawn = np.array([estimator(name)(draw) + mirror for draw in draws])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(entropy_nats(one, like, name), float(drawn.mean()), _std(drawn), float(low), float(high))


def offset_spread(D: np.ndarray, A: np.ndarray, width: float, like: bool, offsets: int = 5) -> Interval:
    """Plug-in H_2D with the bins shifted by all pairs of ``k width / offsets`` in D and in A, nats.

    The value has the bins of `maps`, which start at 0. The spread is not an error of H_2D, whose definition
    names its bins, but what that choice makes of it: a peak narrower than a bin has H 0, or ln 2 where an
    edge cuts it, or ln 4 where two do. low and high are the smallest and the largest value.

    Parameters
    ----------
    D, A
        (P,) float64, eV, of the pairs of one label.
    """
    D, A = np.asarray(D, dtype=np.float64), np.asarray(A, dtype=np.float64)
    if D.size == 0 or D.shape != A.shape or offsets < 1:
        raise E3DError(
            "the spread over bin offsets needs D and A of the same pairs, at least one, and offsets >= 1"
        )
    fine = label_map(D, A, width / offsets, like, "pairs")
    spread = spread_over_offsets(fine, offsets)
    return replace(spread, value=label_map(D, A, width, like, "pairs").entropy_nats)


def spread_over_offsets(fine: LabelMap, offsets: int) -> Interval:
    """`offset_spread` from a histogram whose bins are `offsets` times finer, nats."""
    d, a = split_codes(fine.codes)
    found = np.empty((offsets, offsets))
    for k_d in range(offsets):
        for k_a in range(offsets):
            codes = bin_codes((d - k_d) // offsets, (a - k_a) // offsets)
            _, where = np.unique(codes, return_inverse=True)
            found[k_d, k_a] = shannon_nats(np.bincount(where, weights=fine.halves))
    spread = found.ravel()
    return Interval(
        float(found[0, 0]), float(found.mean()), _std(spread), float(found.min()), float(found.max())
    )


@dataclass(frozen=True)
class EntropyChange:
    """H_2D of a map less that of a reference, nats.

    Attributes
    ----------
    value         at full size
    equal_size    both at the size of the smaller one, mean over draws; nan where one is empty
    std           of the difference of draws
    n_pairs       that size
    """

    value: float
    equal_size: float
    std: float
    n_pairs: int


def entropy_change(
    one: LabelMap,
    reference: LabelMap,
    like: bool,
    rng: np.random.Generator,
    name: str = "plug-in",
    repeats: int = 20,
) -> EntropyChange:
    """Delta H = H_2D(one) - H_2D(reference) of one label, nats; nan where one of both is empty.

    The paper compares models, and reactants, transition states and products, by Delta H; it does not say at
    which sample size, so that both are given.
    """
    n_pairs = min(one.count, reference.count)
    if n_pairs == 0:
        return EntropyChange(math.nan, math.nan, math.nan, 0)
    a, b = (at_equal_size(part, like, n_pairs, rng, name, repeats) for part in (one, reference))
    return EntropyChange(a.value - b.value, a.mean - b.mean, math.hypot(a.std, b.std), n_pairs)


def _sums_of_blocks(blocks: Sequence[LabelMap], picks: np.ndarray) -> Iterator[LabelMap]:
    """The histogram of the blocks of each row of `picks`; moments are left out."""
    codes, where = np.unique(np.concatenate([one.codes for one in blocks]), return_inverse=True)
    halves = np.zeros((len(blocks), codes.size), dtype=np.int64)
    row = np.repeat(np.arange(len(blocks)), [one.codes.size for one in blocks])
    halves[row, where] = np.concatenate([one.halves for one in blocks])
    for pick in picks:
        times = np.bincount(pick, minlength=len(blocks))
        drawn = times @ halves
        count = int(times @ [one.count for one in blocks])
        yield LabelMap(count=count, codes=codes[drawn > 0], halves=drawn[drawn > 0])


def _mirror(one: LabelMap, like: bool) -> float:
    """What the halves at -A add to the entropy of the sampled bins, nats: ln 2 for like elements, if no
    A is 0.
    """
    return one.entropy_nats - shannon_nats(pair_counts(one, like)) if like else 0.0


def _without_replacement(counts: np.ndarray, n_pairs: int, rng: np.random.Generator) -> np.ndarray:
    total = counts.sum()
    if n_pairs == total:
        return counts
    if total >= _DRAW_LIMIT:
        return rng.multinomial(n_pairs, counts / total)
    return rng.multivariate_hypergeometric(counts, n_pairs)


def _check_repeats(repeats: int) -> None:
    if repeats < 1:
        raise E3DError(f"repeats {repeats}: expected 1 or more, e.g. 200")


def _std(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else math.nan
