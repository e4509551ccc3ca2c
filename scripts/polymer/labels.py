"""GFN1-xTB labels of a liquid: of the periodic frame, and of every molecule by itself.

GFN1-xTB: Grimme, Bannwarth, Shushkov, J. Chem. Theory Comput. 13, 1989 (2017); periodic at the Gamma point,
by tblite (`pip install tblite`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from ase.units import Bohr, Hartree

LEVEL = "GFN1-xTB"
ACCURACY = 0.1
"""Of tblite, whose default is 1: as fast, and forces are within 4e-5 eV/angstrom of finite differences."""


@dataclass(frozen=True)
class Labels:
    """Labels of one frame of M molecules of N atoms.

    Attributes
    ----------
    energy : eV, of the periodic frame
    forces : (M, N, 3) eV/angstrom
    molecule_energies : (M,) eV, each molecule by itself, not periodic
    molecule_forces : (M, N, 3) eV/angstrom
    """

    energy: float
    forces: np.ndarray
    molecule_energies: np.ndarray
    molecule_forces: np.ndarray


def label(symbols: Sequence[str], positions: np.ndarray, box: float) -> Labels:
    """GFN1-xTB energies and forces.

    Parameters
    ----------
    symbols : (N,) of one molecule
    positions : (M, N, 3) angstrom, molecules whole
    box : edge of the cube, angstrom

    Raises
    ------
    RuntimeError
        The charges did not converge.
    """
    numbers = np.array([atomic_numbers[symbol] for symbol in symbols])
    everything = np.tile(numbers, len(positions))
    energy, forces = _single_point(everything, positions.reshape(-1, 3), box)
    separate = [_single_point(numbers, own) for own in positions]
    return Labels(
        energy=energy,
        forces=forces.reshape(positions.shape),
        molecule_energies=np.array([own for own, _ in separate]),
        molecule_forces=np.array([own for _, own in separate]),
    )


def isolated_atom(symbol: str) -> float:
    """Energy of an atom in its ground state, eV: H a doublet, C a triplet."""
    unpaired = {"H": 1, "C": 2}[symbol]
    energy, _ = _single_point(np.array([atomic_numbers[symbol]]), np.zeros((1, 3)), unpaired=unpaired)
    return energy


def _single_point(
    numbers: np.ndarray, positions: np.ndarray, box: float | None = None, unpaired: int = 0
) -> tuple[float, np.ndarray]:
    """Energy in eV and forces (N, 3) in eV/angstrom."""
    from tblite.interface import Calculator

    cell: dict[str, Any] = {}
    if box is not None:
        cell = {"lattice": np.eye(3) * box / Bohr, "periodic": np.ones(3, dtype=bool)}
    calculator = Calculator(LEVEL, numbers, positions / Bohr, uhf=unpaired, **cell)
    calculator.set("verbosity", 0)
    calculator.set("accuracy", ACCURACY)
    result = calculator.singlepoint()
    return float(result.get("energy")) * Hartree, -result.get("gradient") * Hartree / Bohr
