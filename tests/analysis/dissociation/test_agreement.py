"""Correlations and errors beside the mean of the type, against SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from e3d_lmp.analysis.dissociation.agreement import BASELINE, agreement, baseline_of

RNG = np.random.default_rng(5)
TYPES = np.repeat(["C-C 1", "C-H 1", "O-H 1"], [30, 50, 20])
MEANS = {"C-C 1": 3.8, "C-H 1": 4.5, "O-H 1": 4.9}
REFERENCE = np.array([MEANS[name] for name in TYPES]) + RNG.normal(0.0, 0.2, 100)
GOOD = REFERENCE + RNG.normal(0.1, 0.05, 100)
BLIND = np.array([MEANS[name] for name in TYPES]) + RNG.normal(0.0, 0.2, 100)  # knows types alone
STRUCTURES = np.repeat(np.arange(25), 4)


def table(**predictors: np.ndarray) -> dict[tuple[str, str], dict]:
    rows = agreement(predictors, REFERENCE, TYPES, STRUCTURES, repeats=200)
    return {(row["scope"], row["predictor"]): row for row in rows}


def test_numbers_are_those_of_scipy() -> None:
    rows = table(good=GOOD)
    for scope, kept in (("all", TYPES != ""), ("C-H 1", TYPES == "C-H 1")):
        row = rows[scope, "good"]
        assert row["count"] == kept.sum()
        assert row["spearman"] == pytest.approx(stats.spearmanr(GOOD[kept], REFERENCE[kept])[0])
        assert row["pearson"] == pytest.approx(stats.pearsonr(GOOD[kept], REFERENCE[kept])[0])
        assert row["mae_eV"] == pytest.approx(np.abs(GOOD - REFERENCE)[kept].mean())
        assert row["mean_error_eV"] == pytest.approx((GOOD - REFERENCE)[kept].mean())
        assert row["spearman_low"] < row["spearman"] < row["spearman_high"]
        assert row["mae_eV_low"] < row["mae_eV"] < row["mae_eV_high"]


def test_within_types_a_predictor_that_knows_types_alone_knows_nothing() -> None:
    rows = table(good=GOOD, blind=BLIND)
    assert rows["all", "blind"]["pearson"] > 0.75
    assert abs(rows["within", "blind"]["pearson"]) < 0.2 < 0.9 < rows["within", "good"]["pearson"]
    assert rows["within", "blind"]["pearson_low"] < 0.0 < rows["within", "blind"]["pearson_high"]
    own = {name: REFERENCE[TYPES == name].mean() for name in MEANS}
    rest = REFERENCE - np.array([own[name] for name in TYPES])
    assert rows["within", BASELINE]["mae_eV"] == pytest.approx(np.abs(rest).mean())
    assert rows["type means", "good"]["count"] == 3


def test_the_baseline_is_beside_every_scope() -> None:
    rows = table(good=GOOD)
    assert {scope for scope, _ in rows} == {"all", "type means", "within", *MEANS}
    means = np.array([REFERENCE[TYPES == name].mean() for name in TYPES])
    for scope in ("all", "type means", "within", *MEANS):
        assert (scope, BASELINE) in rows
    assert rows["all", BASELINE]["mae_eV"] == pytest.approx(np.abs(means - REFERENCE).mean())
    assert rows["all", BASELINE]["spearman"] == pytest.approx(stats.spearmanr(means, REFERENCE)[0])
    assert rows["type means", BASELINE]["mae_eV"] == pytest.approx(0.0, abs=1e-12)
    for scope in ("within", *MEANS):
        assert math.isnan(rows[scope, BASELINE]["spearman"])


def test_an_interval_has_the_truth_as_often_as_it_says() -> None:
    """Of 40 samples of 40 structures with four rows each, whose mean error is 0.3."""
    rng, inside = np.random.default_rng(2), 0
    for _ in range(40):
        error = 0.3 + np.repeat(rng.normal(0.0, 0.2, 40), 4) + rng.normal(0.0, 0.05, 160)
        reference = rng.normal(4.0, 0.3, 160)
        structures = np.repeat(np.arange(40), 4)
        row = agreement({"x": reference + error}, reference, ["C-H 1"] * 160, structures, repeats=100)[0]
        inside += row["mean_error_eV_low"] < 0.3 < row["mean_error_eV_high"]
    assert 33 <= inside <= 40


def test_few_rows_have_no_correlation_and_no_interval() -> None:
    rows = agreement({"x": np.array([1.0, 2.0])}, np.array([1.0, 2.5]), ["C-H 1"] * 2, np.array([0, 1]))
    assert rows[0]["mae_eV"] == 0.25 and math.isnan(rows[0]["pearson"])
    assert math.isnan(rows[0]["mae_eV_low"])


def test_a_predictor_without_some_rows_has_a_baseline_of_the_others() -> None:
    kept = np.arange(100) % 2 == 1
    rows = table(partly=np.where(kept, GOOD, np.nan), good=GOOD)
    assert rows["all", "partly"]["count"] == 50 and rows["all", "good"]["count"] == 100
    assert ("all", baseline_of("good")) not in rows and rows["all", BASELINE]["count"] == 100
    means = np.array([REFERENCE[kept & (TYPES == name)].mean() for name in TYPES])
    own = rows["all", baseline_of("partly")]
    assert own["count"] == 50
    assert own["mae_eV"] == pytest.approx(np.abs(means - REFERENCE)[kept].mean())
    assert own["mae_eV"] != pytest.approx(rows["all", BASELINE]["mae_eV"], rel=1e-3)


def test_a_type_of_one_row_says_nothing_within_types() -> None:
    """Its row less its mean is zero, which would make every error look smaller."""
    types = ["C-C 1", "C-C 1", "C-C 1", "O-O 1"]
    found = agreement(
        {"x": np.array([4.0, 4.2, 4.4, 2.0])}, np.array([4.0, 4.0, 4.6, 1.0]), types, np.arange(4)
    )
    rows = {(row["scope"], row["predictor"]): row for row in found}
    assert rows["within", "x"]["count"] == 3 and rows["all", "x"]["count"] == 4
    # x - mean: -0.2, 0, 0.2; reference - mean: -0.2, -0.2, 0.4
    assert rows["within", "x"]["mae_eV"] == pytest.approx(0.4 / 3)
    assert rows["within", BASELINE]["mae_eV"] == pytest.approx(0.8 / 3)
