"""Minima and enthalpies of molecules: ASE's optimiser, vibrations and ideal gas."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from e3d_lmp.analysis.bonds.orders import bonded_pairs
from e3d_lmp.edges.cutoffs import BondCutoff, parse_cutoff
from e3d_lmp.edges.molecules import molecule_of_atoms
from e3d_lmp.errors import E3DError

TEMPERATURE = 298.15
"""K, of enthalpies."""

STEP = 0.005
"""angstrom, displacement of the differences that give force constants; 0.01 is 0.5 meV off for H2."""

LONGEST_STEP = 0.1
"""angstrom, of an atom in a step of the optimiser: radicals start far from their minima."""

LINEAR = 1e-3
"""Smallest moment of inertia over the largest, below which a molecule is linear."""


@dataclass(frozen=True)
class Settings:
    """How molecules are relaxed.

    Attributes
    ----------
    relax      False leaves them as they are
    fmax       eV/angstrom, largest force on an atom at the end
    steps      of the optimiser, at most
    enthalpy   whether harmonic enthalpies are wanted
    cutoff     bond cutoff
    """

    relax: bool = True
    fmax: float = 0.01
    steps: int = 500
    enthalpy: bool = False
    cutoff: BondCutoff = field(default_factory=lambda: parse_cutoff("covalent"))


@dataclass(frozen=True)
class Minimum:
    """A relaxed molecule.

    Attributes
    ----------
    positions  (N, 3) angstrom
    energy     eV
    bonds      (B, 2) int64, those of `positions`
    converged  whether the forces are below the limit
    """

    positions: np.ndarray
    energy: float
    bonds: np.ndarray
    converged: bool


def energy_of(atoms: Any, calculator: Any) -> float:
    """Energy of some atoms as they are, eV; `E3DError` where it is not finite."""
    atoms = atoms.copy()
    atoms.calc = calculator
    energy = float(atoms.get_potential_energy())
    if not math.isfinite(energy):
        raise E3DError(f"the model gives {atoms.get_chemical_formula()} an energy that is not finite")
    return energy


def relaxed(atoms: Any, calculator: Any, settings: Settings) -> Minimum:
    """The minimum next to a geometry, by ASE's BFGS; the geometry itself where there is nothing to relax."""
    from ase.optimize import BFGS

    atoms = atoms.copy()
    atoms.calc = calculator
    converged = True
    if len(atoms) > 1 and settings.relax:
        converged = bool(
            BFGS(atoms, logfile=None, maxstep=LONGEST_STEP).run(fmax=settings.fmax, steps=settings.steps)
        )
    bonds = bonded_pairs(atoms.get_chemical_symbols(), atoms.positions, settings.cutoff)
    return Minimum(atoms.positions.copy(), energy_of(atoms, calculator), bonds, converged)


def what_changed(before: np.ndarray, after: np.ndarray, n_atoms: int) -> str:
    """What relaxation did to the bonds (B, 2) of a molecule, in a word or two; nothing where they stayed."""
    if np.array_equal(before, after):
        return ""
    parts = [int(molecule_of_atoms(n_atoms, bonds).max()) + 1 for bonds in (before, after)]
    return "fell apart" if parts[1] > parts[0] else "other bonds after relaxation"


@dataclass(frozen=True)
class Thermal:
    """Harmonic enthalpy.

    Attributes
    ----------
    enthalpy    eV, H(298.15 K): energy, zero-point, vibrations, ideal gas
    zero_point  eV
    imaginary   modes with an imaginary frequency, which count for nothing
    """

    enthalpy: float
    zero_point: float
    imaginary: int


def thermal(atoms: Any, calculator: Any, energy: float) -> Thermal:
    """Enthalpy of a molecule at its minimum, by central differences of forces, in ASE's ideal gas."""
    from ase.thermochemistry import IdealGasThermo
    from ase.vibrations import VibrationsData

    count = len(atoms)
    moved = atoms.copy()
    moved.calc = calculator
    energies = np.zeros(0, dtype=complex)
    if count > 1:
        start, hessian = atoms.positions.copy(), np.zeros((3 * count, 3 * count))
        for row in range(3 * count):
            forces = []
            for sign in (1.0, -1.0):
                positions = start.copy()
                positions.reshape(-1)[row] += sign * STEP
                moved.positions = positions
                forces.append(moved.get_forces().reshape(-1))
            hessian[row] = (forces[1] - forces[0]) / (2.0 * STEP)
        energies = VibrationsData.from_2d(atoms, 0.5 * (hessian + hessian.T)).get_energies()
    shape = _shape(atoms)
    wanted = {"monatomic": 0, "linear": 3 * count - 5, "nonlinear": 3 * count - 6}[shape]
    modes = sorted(energies, key=lambda mode: (mode**2).real)[len(energies) - wanted :]
    real = [float(mode.real) for mode in modes if (mode**2).real > 0.0]
    gas = IdealGasThermo(real, shape, potentialenergy=energy, vib_selection="all")
    return Thermal(
        float(gas.get_enthalpy(TEMPERATURE, verbose=False)), 0.5 * sum(real), len(modes) - len(real)
    )


def _shape(atoms: Any) -> Literal["monatomic", "linear", "nonlinear"]:
    if len(atoms) == 1:
        return "monatomic"
    moments = atoms.get_moments_of_inertia()
    return "linear" if moments.min() < LINEAR * moments.max() else "nonlinear"
