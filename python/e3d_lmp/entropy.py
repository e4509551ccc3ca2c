"""Shannon entropy of binned D-A maps."""

from __future__ import annotations

import math

import numpy as np

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
