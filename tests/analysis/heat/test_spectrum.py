"""Spectra of the conductivity, from correlations of fix e3d/shc."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.analysis.heat.spectrum import read_correlations, spectrum
from e3d_lmp.units import BOLTZMANN
from heat_files import KCAL_MOL, WATT, write_shc
from tolerances import close


@pytest.mark.parametrize("weights", ["hann", "none"])
def test_spectrum_integrates_to_the_conductivity_of_its_samples(weights: str, tmp_path: Path) -> None:
    """K(0)/(V T F), to the last digits, for any correlations; by parts too; in both units."""
    values = np.random.default_rng(3).normal(0.0, 1.0, (3, 2, 39))
    want = WATT * values[:, :, 19] / (1000.0 * 300.0 * 0.01)
    metal = read_correlations(write_shc(tmp_path / "metal.txt", values))
    turned = read_correlations(write_shc(tmp_path / "turned.txt", values[::-1]))
    result = spectrum([metal, turned], 0.01, weights=weights)
    assert result.density.shape == (6, 20)
    close("whole", result.integral[:3], want.sum(axis=1), 1e-12)
    close("parts", result.by_part[3:], want[::-1], 1e-12)
    potential = spectrum([metal], 0.01, ["potential"], weights)
    close("potential", potential.integral, want[:, 0], 1e-12)
    real = read_correlations(write_shc(tmp_path / "real.txt", values * KCAL_MOL * 1e-3, "real", 10.0))
    same = spectrum([real], 0.01, weights=weights)
    close("frequency", same.frequency, result.frequency, 1e-9)
    close(
        "real",
        same.density / np.abs(result.density).max(),
        result.density[:3] / np.abs(result.density).max(),
        1e-5,
    )


def test_error_of_the_spectrum_is_at_least_that_of_equilibrium(tmp_path: Path) -> None:
    """Blocks alike to a millionth know no error; those that scatter do."""
    values = np.random.default_rng(5).normal(0.0, 1.0, (4, 2, 39))
    alike = 1.0 + 1e-6 * values
    result = spectrum([read_correlations(write_shc(tmp_path / "alike.txt", alike))], 0.01)
    kappa = WATT * 2.0 / (1000.0 * 300.0 * 0.01)
    noise = np.sqrt(2.0 * kappa * BOLTZMANN / (1000e-30 * 4 * 5 * 0.01e-12)) / 0.01e10
    close("noise", result.conductivity[1] / noise, 1.0, 1e-5)
    far = spectrum([read_correlations(write_shc(tmp_path / "far.txt", 1e4 * values))], 0.01)
    close("scatter", far.conductivity[1], far.integral.std(ddof=1) / 2.0, 1e-9 * far.conductivity[1])


def test_spectrum_finds_a_frequency() -> None:
    """A correlation that oscillates with 12 THz and dies in 0.3 ps, with an odd part that must not matter."""
    from e3d_lmp.analysis.heat.spectrum import Correlations

    lag = 0.01 * np.arange(-199, 200)
    values = np.zeros((1, 2, 399))
    values[0, 0] = np.cos(2.0 * np.pi * 12.0 * lag) * np.exp(-np.abs(lag) / 0.3) + 0.3 * np.sin(30.0 * lag)
    along = np.array([1.0, 0.0, 0.0])
    result = spectrum([Correlations("x", "metal", 0.01, 500, values, 300.0, 1000.0, along, along)], 0.01)
    mean, error = result.mean()
    assert abs(result.frequency[np.argmax(mean)] - 12.0) < 0.5 and np.isnan(error).all()
    near = np.abs(result.frequency - 12.0) < 3.0
    assert mean[near].sum() > 0.8 * mean.sum()
    # the formula of the module; the odd part drops out
    weights = 0.5 * (1.0 + np.cos(np.pi * np.arange(-199, 200) / 199.0))
    even = np.cos(2.0 * np.pi * 12.0 * lag) * np.exp(-np.abs(lag) / 0.3) * weights
    waves = np.cos(2.0 * np.pi * result.frequency[:, None] * lag)
    want = 2.0 * 0.01 * WATT / (1000.0 * 300.0 * 0.01) * (waves * even).sum(axis=1)
    close("density", mean / np.abs(want).max(), want / np.abs(want).max(), 1e-9)
