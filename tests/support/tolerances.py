"""Every tolerance of the tests, by name and by the arithmetic of the model.

Energies in eV, lengths in angstrom, forces in eV/angstrom, virials in eV. `close` compares and, where it
fails, says by how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Ladder:
    """Absolute tolerances of one arithmetic, for systems of up to some hundred atoms."""

    geometry: float
    """Edge vectors: LAMMPS adds and subtracts box lengths in double precision."""
    edge_energy: float
    atomic_energy: float
    force: float
    virial: float
    total_energy: float


FLOAT64 = Ladder(
    geometry=1e-9, edge_energy=1e-10, atomic_energy=1e-10, force=1e-9, virial=1e-8, total_energy=1e-8
)
# atomic_energy: nequip's own float32 energies are up to 1.9e-5 from its float64 ones, ours up to 1.4e-5
FLOAT32 = Ladder(
    geometry=1e-9, edge_energy=5e-6, atomic_energy=4e-5, force=1e-4, virial=2e-3, total_energy=1e-3
)
LADDER = {"float32": FLOAT32, "float64": FLOAT64}

REFERENCE_STYLE = Ladder(
    geometry=1e-9, edge_energy=1e-7, atomic_energy=1e-7, force=1e-7, virial=1e-7, total_energy=1e-7
)
"""Analytic models against LAMMPS's own pair styles."""

SUM_RULE = 1e-10
"""Relative; the same numbers added in another order."""
FINITE_DIFFERENCE = 2e-7
"""eV/angstrom, central differences with steps of 1e-4 angstrom in float64."""
ENERGY_DRIFT = 2e-5
"""eV per atom over 2,000 steps: what velocity Verlet itself leaves at the tested time step."""
HEAT_FLUX = 1e-6
"""Relative to the largest component; J against a central difference of the energy's dipole."""
HEAT_FLUX_FLOAT32 = 1e-2
"""The same of a float32 model: the rounding of its energies over the time step of the difference. Measured
2.7e-3 with the shipped model and 1e-4 ps."""


def close(name: str, got: npt.ArrayLike, want: npt.ArrayLike, tolerance: float) -> None:
    """Assert |got - want| <= tolerance everywhere; the message holds the measured error and its place."""
    got, want = np.asarray(got, dtype=float), np.asarray(want, dtype=float)
    assert got.shape == want.shape, f"{name}: shape {got.shape}, expected {want.shape}"
    assert got.size > 0, f"{name}: nothing to compare"
    error = np.abs(got - want)
    error = np.where(np.isnan(error), np.inf, error)
    worst = np.unravel_index(int(np.argmax(error)), error.shape) if error.ndim else ()
    assert error[worst] <= tolerance, (
        f"{name}: error {error[worst]:.3e} at {tuple(int(k) for k in worst)} ({got[worst]!r} against "
        f"{want[worst]!r}), allowed {tolerance:.1e}"
    )
