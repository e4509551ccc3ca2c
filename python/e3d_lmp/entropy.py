"""Shannon entropy of binned D-A maps, and how far two of them are apart."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import rel_entr

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
    p, q = (np.asarray(weights, dtype=np.float64) for weights in (first, second))
    if not (p.sum() > 0.0 and q.sum() > 0.0):
        return math.nan
    p, q = p / p.sum(), q / q.sum()
    m = (p + q) / 2.0
    divergence = (math.fsum(rel_entr(p, m)) + math.fsum(rel_entr(q, m))) / 2.0
    return math.sqrt(min(max(bits(divergence), 0.0), 1.0))
