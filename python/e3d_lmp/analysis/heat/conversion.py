"""Units of LAMMPS in heat transport: Boltzmann's constant, time in ps, conductivities in W/m/K."""

from __future__ import annotations

import math
from dataclasses import dataclass

from e3d_lmp.errors import E3DError
from e3d_lmp.units import ATOMIC_MASS, AVOGADRO, BOLTZMANN, ELEMENTARY_CHARGE, LAMMPS_BOLTZMANN

_KCAL_MOL = 4184.0 / AVOGADRO
"""J in one kcal/mol (thermochemical calories)."""


@dataclass(frozen=True)
class HeatUnits:
    """What a heat current of one ``units`` of LAMMPS is measured in.

    Attributes
    ----------
    name         ``metal``, ``real`` or ``lj``
    boltzmann    in the unit of energy over that of temperature
    watt         W/m/K of one energy/(time length temperature); 1 for reduced units without an atom's values
    time         ps of one unit of time; 1 likewise
    is_si        whether conductivities are in W/m/K and times in ps, or both in reduced units
    """

    name: str
    boltzmann: float
    watt: float
    time: float
    is_si: bool = True

    @property
    def conductivity(self) -> str:
        """Name of the unit of conductivities."""
        return "W/m/K" if self.is_si else "k_B/(σ τ)"

    @property
    def times(self) -> str:
        """Name of the unit of times."""
        return "ps" if self.is_si else "τ"

    @property
    def frequencies(self) -> str:
        """Name of the unit of frequencies."""
        return "THz" if self.is_si else "1/τ"

    @property
    def current(self) -> str:
        """Name of the unit of heat currents in the run's own units."""
        return {"metal": "eV Å/ps", "real": "kcal/mol Å/fs"}.get(self.name, "ε σ/τ")


# LAMMPS counts temperatures with its own constant: kinetic energies and temperatures of a run agree with it.
METAL = HeatUnits("metal", LAMMPS_BOLTZMANN["metal"], ELEMENTARY_CHARGE / (1e-12 * 1e-10), 1.0)
REAL = HeatUnits("real", LAMMPS_BOLTZMANN["real"], _KCAL_MOL / (1e-15 * 1e-10), 1e-3)
REDUCED = HeatUnits("lj", 1.0, 1.0, 1.0, is_si=False)


def heat_units(name: str, atom: tuple[float, float, float] | None = None) -> HeatUnits:
    """The units of a run.

    Parameters
    ----------
    name
        ``units`` of LAMMPS: metal, real or lj.
    atom
        epsilon (eV), sigma (angstrom) and mass (g/mol) for which reduced units stand; None leaves results
        reduced, in k_B/(sigma tau) with tau = sigma sqrt(m/epsilon).

    Raises
    ------
    E3DError
        For other units, or an atom that makes no sense.
    """
    if name == "metal":
        return METAL
    if name == "real":
        return REAL
    if name != "lj":
        raise E3DError(f"units {name}: expected metal, real or lj")
    if atom is None:
        return REDUCED
    epsilon, sigma, mass = atom
    if min(atom) <= 0.0:
        raise E3DError(f"epsilon, sigma and mass must be positive, not {epsilon:g} {sigma:g} {mass:g}")
    tau = reduced_time(epsilon, sigma, mass)
    watt = BOLTZMANN / (sigma * 1e-10 * tau * 1e-12)
    return HeatUnits("lj", 1.0, watt, tau)


def reduced_time(epsilon: float, sigma: float, mass: float) -> float:
    """tau = sigma sqrt(m/epsilon), ps, of epsilon (eV), sigma (angstrom) and a mass (g/mol)."""
    return sigma * 1e-10 * math.sqrt(mass * ATOMIC_MASS / (epsilon * ELEMENTARY_CHARGE)) * 1e12


def with_error(value: float, error: float, sign: str = "±") -> str:
    """A value and its standard error as text, to two digits of the error; alone where that is not known."""
    if not math.isfinite(error) or error <= 0.0:
        return f"{value:.5g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} {sign} {error:.{decimals}f}"
