"""A model as the rest of this room wants it: an ASE calculator, and the two energies of a bond."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from e3d_lmp.edges.evaluate import EdgeEvaluator
from e3d_lmp.edges.structures import Structure


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
        return tuple(  # type: ignore[return-value]
            float(self.eps[(self.i == a) & (self.j == b)].sum()) for a, b in ((i, j), (j, i))
        )


class Potential(Protocol):
    """What gives energies. Any ASE calculator with edges will do."""

    @property
    def calculator(self) -> Any:
        """ASE's calculator: energy, eV, and forces, eV/angstrom."""

    def edges(self, atoms: Atoms) -> DirectedEdges:
        """Energies of the directed edges of some atoms; `E3DError` where the model does not know them."""


class ModelPotential:
    """A model file.

    Raises
    ------
    E3DError
        The file keeps no contract, or does not run here.
    """

    def __init__(self, path: str | Path) -> None:
        self._evaluator = EdgeEvaluator(path, "cpu")
        self.calculator = _Evaluating(self._evaluator)

    def edges(self, atoms: Atoms) -> DirectedEdges:
        """See `Potential`."""
        structure = structure_of_atoms(atoms)
        types = self._evaluator.types(structure)
        edges = self._evaluator.edges(structure, types)
        return DirectedEdges(edges.i, edges.j, self._evaluator.evaluate(edges, types)[1])


class _Evaluating(Calculator):
    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (ASE's own form)

    def __init__(self, evaluator: EdgeEvaluator) -> None:
        super().__init__()
        self._evaluator = evaluator

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        structure = structure_of_atoms(self.atoms)
        types = self._evaluator.types(structure)
        edges = self._evaluator.edges(structure, types)
        atomic, _, gradient = self._evaluator.evaluate(edges, types)
        forces = [
            np.bincount(edges.i, gradient[:, k], len(types))
            - np.bincount(edges.j, gradient[:, k], len(types))
            for k in range(3)
        ]
        self.results = {"energy": float(atomic.sum()), "forces": np.stack(forces, axis=1)}


def structure_of_atoms(atoms: Atoms, name: str = "molecule") -> Structure:
    """ASE's atoms as a structure without energy."""
    return Structure(
        name,
        np.asarray(atoms.numbers, dtype=np.int64),
        np.asarray(atoms.positions, dtype=np.float64),
        np.asarray(atoms.cell, dtype=np.float64).reshape(3, 3),
        np.asarray(atoms.pbc, dtype=bool),
        float("nan"),
    )
