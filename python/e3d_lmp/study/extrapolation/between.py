"""How much of the energy between molecules the edges between molecules carry.

Three numbers of a frame, all in eV:

- E_inter = E(frame) - sum E(molecule alone), of the labels;
- the model's own E_inter, the same difference of the model's energies;
- the sum of eps_ij over directed edges from one molecule to another.

The last two differ by what the surroundings change in the edges within molecules: the part of E_inter that
hides there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.edges.evaluate import Evaluated, evaluate_structures
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


@dataclass(frozen=True)
class FrameAnswer:
    """What a model says of a frame and of its molecules by themselves.

    Attributes
    ----------
    frame : the labelled frame
    together : its edges within the model's cutoff, energy, and forces where they were asked for
    apart : eV, sum of the energies of its molecules, each by itself
    edges : eV, sum of eps_ij over edges from one molecule to another
    """

    frame: MolecularFrame
    together: Evaluated
    apart: float
    edges: float


def answers(
    evaluator: EdgeEvaluator, frames: Iterable[MolecularFrame], forces: bool = False
) -> Iterator[FrameAnswer]:
    """Ask a model for frames and their molecules, one after the other.

    Raises
    ------
    E3DError
        A frame cannot be evaluated, or a molecule of it is in pieces.
    """
    for frame in frames:
        whole = frame.unwrapped()
        molecules = [
            Structure(
                f"{frame.name}, molecule {name}",
                frame.numbers[frame.molecule == name],
                whole[frame.molecule == name],
                np.zeros((3, 3)),
                np.zeros(3, dtype=bool),
                np.nan,
            )
            for name in np.unique(frame.molecule)
        ]
        (together,) = evaluate_structures(evaluator, [(0, structure_of(frame))], forces=forces)
        alone = evaluate_structures(evaluator, enumerate(molecules))
        edges = together.frame
        within = is_within_molecule(frame, whole, edges.i - 1, edges.j - 1, edges.vec)
        apart = sum(one.energy for one in alone)
        yield FrameAnswer(frame, together, apart, float(edges.eps[~within].sum()))


def structure_of(frame: MolecularFrame) -> Structure:
    """A frame as what models are asked for, with its labels."""
    return Structure(
        frame.name,
        frame.numbers,
        frame.positions,
        frame.cell,
        np.full(3, frame.is_periodic),
        frame.energy,
        frame.forces if len(frame.forces) else None,
    )


def between_molecules(evaluator: EdgeEvaluator, frames: Sequence[MolecularFrame]) -> BetweenMolecules:
    """The three energies of each frame; raises as `answers` does."""
    return between_of(list(answers(evaluator, frames)))


def between_of(found: Sequence[FrameAnswer]) -> BetweenMolecules:
    """The three energies of each frame that a model was asked for."""
    return BetweenMolecules(
        np.array([len(np.unique(one.frame.molecule)) for one in found], dtype=np.int64),
        np.array([one.frame.intermolecular_energy for one in found]),
        np.array([one.together.energy - one.apart for one in found]),
        np.array([one.edges for one in found]),
    )


def joined(parts: Iterable[BetweenMolecules]) -> BetweenMolecules:
    """Several sets of frames as one."""
    listed = list(parts)
    return BetweenMolecules(
        *(
            np.concatenate([getattr(one, name) for one in listed])
            for name in ("molecules", "label", "model", "edges")
        )
    )
