"""Errors of energies after a fitted shift per element."""

from __future__ import annotations

import numpy as np
import pytest

from e3d_lmp.analysis.composition_shift import shifted_errors


def counts_of(*rows: dict[int, int]) -> np.ndarray:
    counts = np.zeros((len(rows), 119), dtype=np.uint16)
    for row, of in zip(counts, rows, strict=True):
        for z, n in of.items():
            row[z] = n
    return counts


MOLECULES = counts_of({6: 1, 1: 4}, {6: 2, 1: 6}, {8: 1, 1: 2}, {6: 1, 8: 2}, {6: 2, 1: 6, 8: 1}, {1: 2})


def test_shifts_are_found_and_taken_off() -> None:
    """Energies that differ by atoms alone have no error left; other errors are those of the least squares."""
    shift = {1: 0.25, 6: -1.5, 8: 0.75}
    error = MOLECULES.astype(float) @ np.array([shift.get(z, 0.0) for z in range(119)])
    found = shifted_errors(error, MOLECULES)
    assert found is not None and not found.is_deficient and found.rank == 3
    assert found.shifts == pytest.approx({"C": -1.5, "H": 0.25, "O": 0.75}, abs=1e-12)
    assert found.mae == pytest.approx(0.0, abs=1e-12)

    rng = np.random.default_rng(1)
    noisy = error + rng.normal(0.0, 0.3, error.size)
    found = shifted_errors(noisy, MOLECULES)
    assert found is not None
    atoms = MOLECULES.sum(axis=1)
    best = np.array([found.shifts[symbol] for symbol in ("H", "C", "O")])

    def rmse(shifts: np.ndarray) -> float:
        return float(np.sqrt(np.mean(((noisy - MOLECULES[:, (1, 6, 8)] @ shifts) / atoms) ** 2)))

    assert found.rmse == pytest.approx(rmse(best), rel=1e-12) and found.mae <= found.rmse
    for k in range(3):  # a minimum
        for step in (-1e-3, 1e-3):
            assert rmse(best + step * np.eye(3)[k]) > found.rmse


def test_compositions_that_do_not_tell_elements_apart() -> None:
    """Water alone: one number is known of two, and it is said."""
    water = counts_of(*[{8: n, 1: 2 * n} for n in (1, 2, 3, 4)])
    found = shifted_errors(np.array([0.3, 0.6, 0.9, 1.2]), water)
    assert found is not None and found.is_deficient and found.rank == 1
    assert 2 * found.shifts["H"] + found.shifts["O"] == pytest.approx(0.3)
    assert found.mae == pytest.approx(0.0, abs=1e-12)
    assert "the compositions determine 1 of 2 of them" in found.describe()
    assert found.summary()["rank"] == 1 and found.summary()["elements"] == 2


def test_too_few_structures() -> None:
    """What would be fitted exactly says nothing."""
    assert shifted_errors(np.array([1.0, 2.0, 3.0]), MOLECULES[:3]) is None
    assert shifted_errors(np.array([1.0]), MOLECULES[:1]) is None
