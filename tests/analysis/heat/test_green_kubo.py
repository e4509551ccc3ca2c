"""Green-Kubo: correlations, running integrals, the plateau."""

from __future__ import annotations

import numpy as np
import pytest

from e3d_lmp.analysis.heat.conversion import METAL
from e3d_lmp.analysis.heat.green_kubo import autocorrelation, find_plateau, green_kubo
from heat_files import WATT, damped_noise, run_of
from tolerances import close


def test_autocorrelation_is_the_mean_over_pairs() -> None:
    """By direct sums, each lag over its own number of pairs."""
    x = np.random.default_rng(1).normal(0.3, 1.0, (57, 3))
    want = [[(x[: 57 - lag, a] * x[lag:, a]).mean() for a in range(3)] for lag in range(20)]
    close("correlation", autocorrelation(x, 20), want, 1e-12)


def test_green_kubo_finds_the_conductivity_of_known_noise() -> None:
    """kappa = spread^2 sum keep^n dt / (V k T^2) by the trapezoidal rule; the plateau begins after the
    correlation and not much later; and the error is of the size of the deviation.
    """
    keep, step = 0.9, 0.02
    series = 4.0 * step * (0.5 + keep / (1.0 - keep))
    want = WATT * series / (1000.0 * METAL.boltzmann * 300.0**2)
    deviations = []
    for trial in range(6):
        runs = [run_of(damped_noise(100 * trial + seed, 20000, keep)) for seed in range(6)]
        result = green_kubo(runs, METAL, 0.002, 8.0)
        assert result.settled
        assert 3.2 > result.plateau[0] > 0.4 and np.isclose(result.plateau[1], 2 * result.plateau[0])
        assert 0.0 < result.error < 0.05 * want
        deviations.append((result.conductivity - want) / result.error)
    assert np.abs(deviations).max() < 5.0
    assert np.abs(np.mean(deviations)) < 1.5, deviations
    assert result.integral.shape == (6, 401) and result.by_direction.shape == (6, 3)
    one = green_kubo(runs[:1], METAL, 0.002, 8.0, directions=[1])
    assert one.integral.shape == (4, 401)  # one run is cut into four
    assert np.isnan(one.by_direction[:, [0, 2]]).all()
    close("direction", one.by_direction[:, 1].mean(), one.conductivity, 1e-12)


def test_no_plateau_is_said() -> None:
    """A correlation that has not decayed within the time asked for."""
    runs = [run_of(damped_noise(seed, 40000, 0.999)) for seed in range(8)]
    assert not green_kubo(runs, METAL, 0.002, 2.0).settled
    assert find_plateau(np.arange(41.0) + 1e-3 * np.random.default_rng(1).normal(size=(4, 41))) == (
        20,
        40,
        False,
    )


@pytest.mark.parametrize(("errors", "settled"), [(2.8, True), (3.2, False)])
def test_rule_of_the_plateau(errors: float, settled: bool) -> None:
    """A running integral that rests from 5 to 16 and from 26 on: the first rest is too short, and the plateau
    begins at twice the second one. A slope counts from 3 standard errors of a change on.
    """
    t = np.arange(161.0)
    mean = np.minimum(t, 5.0) + np.clip(t - 16.0, 0.0, 10.0) + 1e-4 * errors * t
    curves = mean + 1e-4 * np.sqrt(3.0) * np.array([[-1.0], [1.0], [-1.0], [1.0]]) * t
    spread = (curves[:, 2] - curves[:, 1]).std(ddof=1) / 2.0
    close("standard error of a change", spread, 1e-4, 1e-12)
    assert find_plateau(curves) == ((52, 104, True) if settled else (80, 160, False))
