"""Writes entropy.json: entropies of counts as infomeasure estimates them.

Type: python -m venv im; im/bin/pip install infomeasure; im/bin/python tests/golden/make_entropy.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import infomeasure
import numpy as np

APPROACHES = {"plug-in": "discrete", "miller-madow": "miller_madow", "chao-shen": "chao_shen"}


def samples() -> list[list[int]]:
    """Counts of bins: tiny, dense, sparse, all singletons, one bin, power law."""
    rng = np.random.default_rng(2024)
    zipf = rng.multinomial(500, 1.0 / np.arange(1, 401) / np.sum(1.0 / np.arange(1, 401)))
    every = [
        np.array([1, 1, 2, 5]),
        np.array([7]),
        np.ones(12, dtype=int),
        np.array([2, 2, 2, 2]),
        rng.multinomial(5000, np.full(20, 0.05)),
        rng.multinomial(100, np.full(300, 1 / 300)),
        zipf,
    ]
    return [counts[counts > 0].tolist() for counts in every]


def main() -> None:
    rows = []
    for counts in samples():
        data = np.repeat(np.arange(len(counts)), counts)
        nats = {
            name: float(infomeasure.entropy(data, approach=approach, base="e"))
            for name, approach in APPROACHES.items()
        }
        rows.append({"counts": counts, "nats": nats})
    whole = {"made_with": f"infomeasure {version('infomeasure')}", "samples": rows}
    Path(__file__).with_name("entropy.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
