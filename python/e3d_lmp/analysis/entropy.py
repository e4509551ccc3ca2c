"""Shannon entropy of binned D-A maps, and how far two of them are apart.

The paper's H_2D is the plug-in entropy. It is too low for small samples, by about (K - 1) / 2N nats for K
bins and N pairs while N >> K, and by much more below that. Three estimators correct it, none of them
perfectly:

================  ==========================================================================================
``plug-in``       -sum p ln p with p = n / N
``miller-madow``  plug-in + (K - 1) / 2N, K the bins that are not empty (Miller, in Information Theory in
                  Psychology, ed. Quastler, Free Press 1955, p. 95)
``grassberger``   ln N - (1/N) sum n G(n), G(n) = psi(n) + (-1)^n [psi((n + 1)/2) - psi(n/2)] / 2
                  (Grassberger, arXiv:physics/0307138 (2003); not his simpler form of 1988)
``chao-shen``     -sum q ln q / (1 - (1 - q)^N), q = C n / N, coverage C = 1 - f1 / N, f1 the bins with one
                  pair (Chao and Shen, Environ. Ecol. Stat. 10, 429 (2003)); where every bin has one pair, f1
                  is N - 1, so that C is not 0
================  ==========================================================================================

The corrected ones need whole numbers n of independent observations. `e3d_lmp.analysis.sampling` has them for
D-A maps, with their halves for like elements.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from e3d_lmp.errors import E3DError

NATS_PER_BIT = math.log(2.0)


def shannon_nats(weights: np.ndarray) -> float:
    """Plug-in entropy H = -sum p ln p of bins, nats; bins of weight 0 count nothing, and no bins give 0.

    Parameters
    ----------
    weights
        (K,) weights of the bins, >= 0, on any common scale.
    """
    weights = np.asarray(weights, dtype=np.float64)
    weights = weights[weights > 0.0]
    total = math.fsum(weights)
    if weights.size < 2:
        return 0.0
    p = weights / total
    return max(0.0, -math.fsum(p * np.log(p)))


def miller_madow_nats(counts: np.ndarray) -> float:
    """Entropy with the Miller-Madow correction, nats, of counts (K,), whole numbers; no counts give 0."""
    counts = _whole(counts)
    return shannon_nats(counts) + (counts.size - 1) / (2 * counts.sum()) if counts.size else 0.0


def grassberger_nats(counts: np.ndarray) -> float:
    """Entropy as Grassberger (2003) estimates it, nats, of counts (K,), whole numbers; no counts give 0.

    For one bin, or bins with few pairs each, it can be slightly below 0 or above ln K.
    """
    from scipy.special import digamma

    counts = _whole(counts)
    if not counts.size:
        return 0.0
    n, bins = np.unique(counts, return_counts=True)
    sign = np.where(n % 2 == 0, 0.5, -0.5)
    g = digamma(n) + sign * (digamma((n + 1) / 2) - digamma(n / 2))
    total = float(counts.sum())
    return math.log(total) - math.fsum(bins * n * g) / total


def chao_shen_nats(counts: np.ndarray) -> float:
    """Entropy as Chao and Shen (2003) estimate it, nats, of counts (K,), whole numbers; no counts give 0."""
    counts = _whole(counts)
    if not counts.size:
        return 0.0
    n, bins = np.unique(counts, return_counts=True)
    total = float(counts.sum())
    singletons = min(float(bins[n == 1].sum()), total - 1.0)
    if total == 1.0:
        return 0.0
    q = (1.0 - singletons / total) * n / total
    # 1 - (1 - q)^N without the loss of digits at small q; q is 1 for a single bin
    with np.errstate(divide="ignore"):
        seen = -np.expm1(total * np.log1p(-q))
    return max(0.0, -math.fsum(bins * q * np.log(q) / seen))


ESTIMATORS: dict[str, Callable[[np.ndarray], float]] = {
    "plug-in": shannon_nats,
    "miller-madow": miller_madow_nats,
    "grassberger": grassberger_nats,
    "chao-shen": chao_shen_nats,
}
"""Entropy in nats of the counts of bins, by the estimator's name."""


def estimator(name: str) -> Callable[[np.ndarray], float]:
    """The estimator of that name; raises `E3DError` for a name that `ESTIMATORS` has not."""
    if name not in ESTIMATORS:
        raise E3DError(f"entropy estimator '{name}': expected one of {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name]


def _whole(counts: np.ndarray) -> np.ndarray:
    """The counts that are not 0, int64."""
    counts = np.asarray(counts)
    whole = counts.astype(np.int64)
    if np.any(whole != counts) or np.any(whole < 0):
        raise E3DError(
            "a corrected entropy needs counts of whole pairs >= 0; for the halves of like elements take "
            "e3d_lmp.analysis.sampling.pair_counts"
        )
    return whole[whole > 0]


def bits(nats: float) -> float:
    """An entropy in bits from one in nats."""
    return nats / NATS_PER_BIT


def jensen_shannon_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Distance of two binned distributions: 0 where they are equal, 1 where they share no bin.

    The square root of the Jensen-Shannon divergence to base 2, ``JSD = (KL(p, m) + KL(q, m)) / 2`` bits with
    m = (p + q) / 2 (Lin, IEEE Trans. Inf. Theory 37, 145 (1991), eq. 3.1); the root is a metric (Endres and
    Schindelin, IEEE Trans. Inf. Theory 49, 1858 (2003)). `scipy.spatial.distance.jensenshannon` is the same
    number, but nan where the rounding of two nearly equal distributions makes its divergence negative.

    Parameters
    ----------
    first, second
        (K,) weights of the same bins, >= 0, each on a scale of its own; nan if one has no weight at all.
    """
    from scipy.special import rel_entr

    p, q = (np.asarray(weights, dtype=np.float64) for weights in (first, second))
    if not (p.sum() > 0.0 and q.sum() > 0.0):
        return math.nan
    p, q = p / p.sum(), q / q.sum()
    m = (p + q) / 2.0
    divergence = (math.fsum(rel_entr(p, m)) + math.fsum(rel_entr(q, m))) / 2.0
    return math.sqrt(min(max(bits(divergence), 0.0), 1.0))
