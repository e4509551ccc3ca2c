"""How much of the energy between molecules the edges between molecules carry.

Three numbers of a frame, all in eV:

- E_inter = E(frame) - sum E(molecule alone), of the labels;
- the model's own E_inter, the same difference of the model's energies;
- the sum of eps_ij over directed edges from one molecule to another.

The last two differ by what the surroundings change in the edges within molecules: the part of E_inter that
hides there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.edges.evaluate import evaluate_structures
from e3d_lmp.edges.evaluator import EdgeEvaluator
from e3d_lmp.edges.structures import Structure
from e3d_lmp.study.extrapolation.molecules import MolecularFrame, is_within_molecule


@dataclass(frozen=True)
class BetweenMolecules:
    """Energies of some frames, eV.

    Attributes
    ----------
    molecules : (F,) int64, number of molecules
    label : (F,) E_inter of the labels, nan where molecules by themselves have no label
    model : (F,) E_inter of the model
    edges : (F,) sum of eps_ij over edges between molecules
    """

    molecules: np.ndarray
    label: np.ndarray
    model: np.ndarray
    edges: np.ndarray

    @property
    def hidden(self) -> np.ndarray:
        """(F,) part of the model's E_inter in edges within molecules."""
        return self.model - self.edges

    def error(self, of: str) -> float:
        """Mean of |E - E_label| per molecule, eV, of ``model`` or ``edges``."""
        return float(np.abs((getattr(self, of) - self.label) / self.molecules).mean())

    def trivial_error(self) -> float:
        """The error of the best constant per molecule: what a model that sees no frame would have."""
        per_molecule = self.label / self.molecules
        return float(np.abs(per_molecule - np.median(per_molecule)).mean())


def between_molecules(evaluator: EdgeEvaluator, frames: Sequence[MolecularFrame]) -> BetweenMolecules:
    """The three energies of each frame.

    Raises
    ------
    E3DError
        A frame cannot be evaluated, or a molecule of it is in pieces.
    """
    rows = [_between(evaluator, frame) for frame in frames]
    molecules, model, edges = (np.array(column) for column in zip(*rows, strict=True))
    label = np.array([frame.intermolecular_energy for frame in frames])
    return BetweenMolecules(molecules.astype(np.int64), label, model, edges)


def _between(evaluator: EdgeEvaluator, frame: MolecularFrame) -> tuple[int, float, float]:
    whole = frame.unwrapped()
    names = np.unique(frame.molecule)
    everything = Structure(
        frame.name, frame.numbers, frame.positions, frame.cell, np.full(3, frame.is_periodic), np.nan
    )
    molecules = [
        Structure(
            f"{frame.name}, molecule {name}",
            frame.numbers[frame.molecule == name],
            whole[frame.molecule == name],
            np.zeros((3, 3)),
            np.zeros(3, dtype=bool),
            np.nan,
        )
        for name in names
    ]
    found = list(evaluate_structures(evaluator, enumerate([everything, *molecules])))
    edges = found[0].frame
    within = is_within_molecule(frame, whole, edges.i - 1, edges.j - 1, edges.vec)
    own = sum(one.energy for one in found[1:])
    return len(names), found[0].energy - own, float(edges.eps[~within].sum())


def joined(parts: Iterable[BetweenMolecules]) -> BetweenMolecules:
    """Several sets of frames as one."""
    listed = list(parts)
    return BetweenMolecules(
        *(
            np.concatenate([getattr(one, name) for one in listed])
            for name in ("molecules", "label", "model", "edges")
        )
    )
