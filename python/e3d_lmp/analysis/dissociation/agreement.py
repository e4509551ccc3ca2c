"""How well numbers of a model order and hit reference energies: overall, between and within types.

Beside every predictor stands the baseline ``mean of the type``: for each row the mean of the reference
energies of its type. It needs no model at all and is fitted to the very rows that it is asked for, so that a
predictor that is not better has told nothing about single bonds. Within types it is a constant: its
correlation is not defined, and its error is the spread of the references. Where a predictor lacks some rows
(bonds of rings have D and are not broken) a baseline of the very rows that it has stands behind it.

==============  ==========================================================================================
``all``         all rows
``type means``  means of the types, one number each
``within``      rows of types with two or more, less the mean of their type: of the predictor and of the
                reference
a type          the rows of it
==============  ==========================================================================================

Intervals are percentiles of a bootstrap that draws structures with replacement: rows of one molecule are not
independent. Means of types are formed anew in each draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from e3d_lmp.tables import Column

BASELINE = "mean of the type"
REPEATS = 500
LEVEL = 0.95
FEWEST = 3
"""Rows, and structures, that a correlation or an interval needs."""

STATISTICS = ("spearman", "pearson", "mae_eV", "mean_error_eV")
"""Rank correlation, correlation, mean absolute and mean signed error (predictor less reference)."""


def agreement_columns() -> tuple[Column, ...]:
    """Columns of the table."""
    heads = {"spearman": "Spearman", "pearson": "Pearson", "mae_eV": "MAE", "mean_error_eV": "mean error"}
    columns = [Column("scope", "rows"), Column("predictor", "predictor"), Column("count", "count")]
    for name, head in heads.items():
        unit = "eV" if name.endswith("_eV") else ""
        columns += [
            Column(name, head, unit, ".3f"),
            Column(f"{name}_low", f"{LEVEL:.0%} from", unit, ".3f"),
            Column(f"{name}_high", "to", unit, ".3f"),
        ]
    return tuple(columns)


def agreement(
    predictors: Mapping[str, np.ndarray],
    reference: np.ndarray,
    types: Sequence[str],
    structures: np.ndarray,
    repeats: int = REPEATS,
    seed: int = 1,
) -> list[dict[str, Any]]:
    """One row for each scope and predictor, the baseline of all rows last; nan where a number is not defined.

    Parameters
    ----------
    predictors
        (n,) eV each; rows in which one is nan are left out for that predictor alone, and behind it stands
        `baseline_of` it, of the rows that are left.
    reference
        (n,) eV.
    types
        (n,) names.
    structures
        (n,) int, the same for rows of one structure.
    """
    reference = np.asarray(reference, dtype=np.float64)
    names, kind = np.unique(np.asarray(types, dtype=str), return_inverse=True)
    kind, structures = kind.ravel(), np.asarray(structures)
    rows = []
    known = np.isfinite(reference)
    for scope in ("all", "type means", "within", *names):
        whole = _rows_of(scope, known, names, kind)
        asked: list[tuple[str, np.ndarray | None, np.ndarray]] = []
        for name, values in predictors.items():
            own = np.asarray(values, dtype=np.float64)
            taken = _rows_of(scope, known & np.isfinite(own), names, kind)
            asked.append((name, own, taken))
            if taken.size < whole.size:
                asked.append((baseline_of(name), None, taken))
        for name, predicted, taken in [*asked, (BASELINE, None, whole)]:
            if taken.size:
                rows.append(
                    {"scope": scope, "predictor": name}
                    | _with_intervals(scope, predicted, reference, kind, structures, taken, repeats, seed)
                )
    return rows


def baseline_of(predictor: str) -> str:
    """Name of the baseline of the rows that a predictor has, where it has not all."""
    return f"{BASELINE}, rows of {predictor}"


def _rows_of(scope: str, known: np.ndarray, names: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Numbers of the known rows that a scope has; within types a row needs another one of its type."""
    if scope in names:
        known = known & (names[kind] == scope)
    elif scope == "within":
        known = known & (np.bincount(kind[known], minlength=len(names))[kind] > 1)
    return np.flatnonzero(known)


def _with_intervals(
    scope: str,
    values: np.ndarray | None,
    reference: np.ndarray,
    kind: np.ndarray,
    structures: np.ndarray,
    taken: np.ndarray,
    repeats: int,
    seed: int,
) -> dict[str, Any]:
    def at(rows: np.ndarray) -> np.ndarray:
        x = reference[rows]
        y = _of_types(x, kind[rows])[0] if values is None else values[rows]
        return _statistics(scope, y, x, kind[rows], values is None)

    found = at(taken)
    drawn = np.full((0, len(STATISTICS)), np.nan)
    members = [taken[structures[taken] == one] for one in np.unique(structures[taken])]
    if len(members) >= FEWEST:
        random = np.random.default_rng(seed)
        drawn = np.array(
            [
                at(np.concatenate([members[k] for k in random.integers(len(members), size=len(members))]))
                for _ in range(repeats)
            ]
        )
    count = len(np.unique(kind[taken])) if scope == "type means" else taken.size
    row: dict[str, Any] = {"count": int(count)}
    for k, name in enumerate(STATISTICS):
        row[name] = float(found[k])
        known = drawn[np.isfinite(drawn[:, k]), k]
        # an interval of a number that most draws do not define would be that of other samples
        is_enough = math.isfinite(found[k]) and len(known) > 0.9 * repeats
        tail = 0.5 * (1.0 - LEVEL)
        low, high = np.quantile(known, [tail, 1.0 - tail]) if is_enough else (math.nan, math.nan)
        row[f"{name}_low"], row[f"{name}_high"] = float(low), float(high)
    return row


def _of_types(values: np.ndarray, kind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each value the mean of its type, and the means of the types that there are."""
    count = np.bincount(kind)
    means = np.bincount(kind, values) / np.maximum(count, 1)
    return means[kind], means[count > 0]


def _statistics(scope: str, y: np.ndarray, x: np.ndarray, kind: np.ndarray, is_baseline: bool) -> np.ndarray:
    """(4,) the numbers of `STATISTICS` of predictor y and reference x."""
    if scope == "type means":
        y, x = _of_types(y, kind)[1], _of_types(x, kind)[1]
    elif scope == "within":
        y, x = y - _of_types(y, kind)[0], x - _of_types(x, kind)[0]
    error = y - x
    # a mean of types is constant within them up to rounding, and of what is left there is no correlation
    is_flat = is_baseline and scope not in ("all", "type means")
    correlations = (math.nan, math.nan) if is_flat else (_pearson(_ranks(y), _ranks(x)), _pearson(y, x))
    return np.array([*correlations, float(np.abs(error).mean()), float(error.mean())])


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(values)


def _pearson(y: np.ndarray, x: np.ndarray) -> float:
    """Correlation coefficient; nan for fewer than `FEWEST` values or a constant."""
    if len(y) < FEWEST or np.ptp(y) == 0.0 or np.ptp(x) == 0.0:
        return math.nan
    return float(np.corrcoef(y, x)[0, 1])
