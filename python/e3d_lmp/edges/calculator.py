"""`E3DCalculator`: a model as a calculator of ASE, whose results have the energies of all edges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from e3d_lmp.edges.cutoffs import BondCutoff, parse_cutoff
from e3d_lmp.edges.evaluator import EdgeEvaluator, atomic_forces
from e3d_lmp.edges.frames import Box, EdgeFrame
from e3d_lmp.edges.neighbours import EdgeList, NeighbourList
from e3d_lmp.edges.pairs import PairFrame, Pairing
from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError


class E3DCalculator(Calculator):
    """A model, or a committee of several, for ASE: dynamics, relaxation, phonons, i-PI.

    Parameters
    ----------
    models
        Model file, or several for a committee with the same types and cutoffs, of which the first gives
        energy and forces. What may be one says `EdgeEvaluator`; a .safetensors needs no torch.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:K``, ``xpu``; .safetensors run on CPUs.
    precision
        ``float32`` or ``float64``, for .safetensors; None: that of the model. Finite differences of forces,
        as of phonons, want ``float64``.
    threads
        By default OMP_NUM_THREADS, or else all cores.
    skin
        Angstrom by which neighbour lists are longer than the cutoff; they are kept until an atom has moved by
        half of it. Results do not depend on it.
    **kwargs
        Of `ase.calculators.calculator.Calculator`.

    Notes
    -----
    ``results`` has, beside ``energy`` and ``free_energy`` (eV, the same), ``energies`` (N,), ``forces``
    (N, 3) and, of structures with a cell of three vectors, ``stress`` (6,), eV/angstrom^3, ASE's order xx yy
    zz yz xz xy:

    ``edges``
        `EdgeFrame`, all directed edges within the cutoffs and their energies; ids are ASE's indices + 1,
        types those of the model + 1, the step counts evaluations.
    ``committee_eps``
        (M, E) eV, the energies of these edges by each model. Of committees only.
    ``force_spread``
        (N,) eV/angstrom, sqrt(mean_m |F_m - F|^2), F: the mean over the models, as `stdf` of
        ``compute e3d/atom``. Of committees only.

    Attributes
    ----------
    evaluators : list of EdgeEvaluator, one per model

    Raises
    ------
    E3DError
        A file is no model or does not run here; members of a committee differ in types or cutoffs. While
        running: an element that the model does not know, positions that are not finite.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012 (as ASE declares it)

    def __init__(
        self,
        models: str | Path | Sequence[str | Path],
        *,
        device: str = "auto",
        precision: str | None = None,
        threads: int | None = None,
        skin: float = 1.0,
        **kwargs: Any,
    ):
        paths = [models] if isinstance(models, (str, Path)) else list(models)
        if not paths:
            raise E3DError("expected a model file, or several for a committee, got none")
        super().__init__(**kwargs)
        self._made_of = {
            "models": [Path(path).absolute() for path in paths],
            "device": device,
            "precision": precision,
            "threads": threads,
            "skin": skin,
            **kwargs,
        }
        self.evaluators = [
            EdgeEvaluator(path, device, threads=threads, precision=precision) for path in paths
        ]
        first = self.evaluators[0]
        for other in self.evaluators[1:]:
            for name in ("type_elements", "cutoffs"):
                if getattr(other.model, name) != getattr(first.model, name):
                    raise E3DError(
                        f"{other.path}: {name} {getattr(other.model, name)}, but {first.path} has "
                        f"{getattr(first.model, name)}; models of a committee have the same types and cutoffs"
                    )
        self._neighbours = NeighbourList(first.cutoffs, skin)
        self._evaluations = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy opens the files again: models and threads live outside Python."""
        return _made_again, (self._made_of,)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Everything at once, into ``results``; arguments are ASE's."""
        super().calculate(atoms, properties, system_changes)
        structure = _structure_of(self.atoms)
        if "stress" in properties and not _has_volume(structure):
            raise PropertyNotImplementedError(
                f"{structure.name}: no stress without a cell of three vectors; give the structure one"
            )
        first = self.evaluators[0]
        types = first.types(structure)
        edges = self._neighbours.edges(structure, types)
        found = first.evaluate(edges, types)
        assert found.edge_forces is not None
        energy = float(found.energy.sum())
        forces = atomic_forces(edges, found.edge_forces, len(types))
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "energies": found.energy,
            "forces": forces,
            "edges": self._frame(structure, edges, types, found.edge_energy),
        }
        if _has_volume(structure):
            # W = -sum_edges r (x) g is the virial, and ASE's stress dU/d(strain) / V = -W / V.
            whole = edges.vec.T @ found.edge_forces / abs(np.linalg.det(structure.cell))
            self.results["stress"] = full_3x3_to_voigt_6_stress(whole)
        if len(self.evaluators) > 1:
            self._ask_the_others(edges, types, found.edge_energy, forces)
        self._evaluations += 1

    def pairs(self, cutoff: str | float | BondCutoff = "covalent") -> PairFrame:
        """Each bond of the last evaluation once, with D and A; `cutoff` is what ``--cutoff`` takes.

        Raises
        ------
        E3DError
            Nothing was evaluated yet, or the cutoff is none.
        """
        if "edges" not in self.results:
            raise E3DError("no edges yet: ask for the energy or the forces of the atoms first")
        model = self.evaluators[0].model
        bond = cutoff if isinstance(cutoff, BondCutoff) else parse_cutoff(cutoff)
        matrix = None if bond.name == "model" else bond.matrix(model.type_elements)
        pairing = Pairing(tuple(model.type_elements), matrix, self.evaluators[0].cutoffs)
        return pairing.pair(self.results["edges"])

    def _frame(self, structure: Structure, edges: EdgeList, types: np.ndarray, eps: np.ndarray) -> EdgeFrame:
        kinds = (types + 1).astype(np.int32)
        box = Box(structure.cell, np.zeros(3), structure.pbc)
        ids = (edges.i + 1, edges.j + 1)
        return EdgeFrame(
            self._evaluations, box, *ids, kinds.take(edges.i), kinds.take(edges.j), edges.vec, eps
        )

    def _ask_the_others(
        self, edges: EdgeList, types: np.ndarray, eps: np.ndarray, forces: np.ndarray
    ) -> None:
        """What the other members of the committee say, and the spread of all."""
        all_eps, all_forces = [eps], [forces]
        for evaluator in self.evaluators[1:]:
            found = evaluator.evaluate(edges, types)
            assert found.edge_forces is not None
            all_eps.append(found.edge_energy)
            all_forces.append(atomic_forces(edges, found.edge_forces, len(types)))
        self.results["committee_eps"] = np.array(all_eps)
        self.results["force_spread"] = np.sqrt(np.var(all_forces, axis=0).sum(axis=1))


def _made_again(arguments: dict[str, Any]) -> E3DCalculator:
    return E3DCalculator(**arguments)


def _structure_of(atoms: Atoms) -> Structure:
    return Structure(
        atoms.get_chemical_formula(),
        atoms.numbers.astype(np.int64),
        np.array(atoms.positions, dtype=np.float64),
        np.array(atoms.cell, dtype=np.float64).reshape(3, 3),
        np.array(atoms.pbc, dtype=bool),
        np.nan,
    )


def _has_volume(structure: Structure) -> bool:
    return bool(structure.pbc.any() and abs(np.linalg.det(structure.cell)) > 0.0)
