"""Units of conductivities, and numbers with their errors."""

from __future__ import annotations

import numpy as np
import pytest

from e3d_lmp.analysis.heat.conversion import METAL, REAL, heat_units, reduced_time, with_error
from e3d_lmp.analysis.heat.green_kubo import green_kubo
from e3d_lmp.analysis.heat.hnemd import driven_runs
from e3d_lmp.errors import E3DError
from heat_files import KCAL_MOL, damped_noise, run_of
from tolerances import close


def test_units_agree() -> None:
    """One run told in metal, real and reduced units has one conductivity in W/m/K."""
    current = damped_noise(5, 5000, 0.8)
    metal = green_kubo([run_of(current)], METAL, 0.002, 2.0)
    real = green_kubo([run_of(current * KCAL_MOL * 1e-3)], REAL, 2.0, 2.0)
    close("time", real.time, metal.time, 1e-12)
    close("real", real.conductivity / metal.conductivity, 1.0, 1e-5)
    epsilon, sigma, mass = 0.0104, 3.4, 39.948
    tau = reduced_time(epsilon, sigma, mass)
    kelvin = epsilon / (1.380649e-23 / 1.602176634e-19)
    reduced = run_of(current * tau / (epsilon * sigma), temperature=300.0 / kelvin, volume=1000.0 / sigma**3)
    lj = green_kubo([reduced], heat_units("lj", (epsilon, sigma, mass)), 0.002 / tau, 2.0)
    close("lj", lj.conductivity / metal.conductivity, 1.0, 1e-5)
    bare = green_kubo([reduced], heat_units("lj"), 0.002 / tau, 2.0 / tau)
    close(
        "reduced",
        bare.conductivity * 1.380649e-23 / (sigma * 1e-10 * tau * 1e-12) / lj.conductivity,
        1.0,
        1e-9,
    )
    force = np.array([0.01, 0.0, 0.0])
    driven = driven_runs(force, [run_of(current)], METAL, 0.002).conductivity
    same = driven_runs(force, [run_of(current * KCAL_MOL * 1e-3)], REAL, 2.0).conductivity
    close("hnemd", same / driven, 1.0, 1e-5)
    close("tau", tau, 3.4 * np.sqrt(39.948 * 1.0364269e-4 / 0.0104), 1e-5)  # mvv2e of LAMMPS
    with pytest.raises(E3DError, match="expected metal, real or lj"):
        heat_units("si")
    with pytest.raises(E3DError, match="must be positive"):
        heat_units("lj", (0.0, 1.0, 1.0))


def test_numbers_with_errors() -> None:
    """Two digits of the error."""
    assert with_error(0.064699, 0.000318) == "0.06470 ± 0.00032"
    assert with_error(509.59, 102.71, "+-") == "510 +- 103"
    assert with_error(2.5, float("nan")) == "2.5"
