"""A model as the rest of this room wants it: an ASE calculator whose results have the energies of edges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.edges.calculator import E3DCalculator
from e3d_lmp.model.contract import NATIVE, read_metadata


def open_calculator(model: Path, exact: bool = False) -> E3DCalculator:
    """A calculator on one thread: structures are what runs side by side.

    Parameters
    ----------
    exact
        Whether float64 is wanted of a file of the native engine, for differences of forces.

    Raises
    ------
    E3DError
        The file is no model, or does not run here.
    """
    is_native = read_metadata(model).engine == NATIVE
    return E3DCalculator(model, device="cpu", threads=1, precision="float64" if exact and is_native else None)


@dataclass(frozen=True)
class DirectedEdges:
    """Directed edges of a molecule.

    Attributes
    ----------
    i, j  (E,) int64, centre and neighbour, counted from 0
    eps   (E,) float64, eV
    """

    i: np.ndarray
    j: np.ndarray
    eps: np.ndarray

    def of_pair(self, i: int, j: int) -> tuple[float, float]:
        """eps_ij and eps_ji of two atoms of a molecule, eV; 0 for an edge that is beyond the cutoff."""
        forth = self.eps[(self.i == i) & (self.j == j)].sum()
        back = self.eps[(self.i == j) & (self.j == i)].sum()
        return float(forth), float(back)


def directed_edges(atoms: Any, calculator: Any) -> DirectedEdges:
    """The edges of some atoms, of a calculator whose results hold them as those of `E3DCalculator` do."""
    calculator.calculate(atoms, ["energy"])
    frame = calculator.results["edges"]
    return DirectedEdges(frame.i - 1, frame.j - 1, frame.eps)
