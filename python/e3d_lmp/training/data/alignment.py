"""Total energy alignment: cohesive energies of one level of theory brought to the scale of another.

In the manner of Shiota et al., arXiv 2412.13088, whose two steps are to exchange the isolated atoms and to
correct what is left in the atomization energies. The first step is done where cohesive energies are made:
each level's own isolated atoms are taken off. The second step is here:

    E_coh' = f E_coh + sum_Z n_Z c_Z,    F' = f F,    stress' = f stress

with n_Z the number of atoms of element Z. f and c are fitted by least squares to energies per atom. f
rescales every bond energy D_ij of that level. c shifts energies that no bond carries: with c != 0 separated
atoms no longer have the energy 0 that a model without shifts gives them, so the bonds have to take it up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.duplicates import same_frames
from e3d_lmp.training.data.records import Molecule

METHODS = ("atoms", "factor", "factor+composition", "composition")
"""``atoms``: f = 1, c = 0. The next two are fitted to structures known at both levels; ``composition`` (f =
1) to structures that are not: the two levels share the energies per element of a fit, up to c."""

CREDIBLE_FACTOR = (0.5, 2.0)

CREDIBLE_COMPOSITION = 1.0
"""eV: functionals differ by less per atom. A larger c comes from structures that differ, not from levels."""


@dataclass(frozen=True)
class Alignment:
    """How one level is brought to another.

    Attributes
    ----------
    level, target : of theory
    method : one of `METHODS`
    factor : f
    composition : c_Z in eV, by atomic number
    fitted : number of structures that were fitted to, 0 for ``atoms``
    rmse_before, rmse_after : of the fit, eV/atom; nan for ``atoms``
    undetermined : elements whose c_Z the structures do not tell; it is 0
    """

    level: str
    target: str
    method: str
    factor: float = 1.0
    composition: Mapping[int, float] = field(default_factory=dict)
    fitted: int = 0
    rmse_before: float = float("nan")
    rmse_after: float = float("nan")
    undetermined: tuple[str, ...] = ()

    def apply(self, molecule: Molecule) -> Molecule:
        """The molecule with aligned energies, forces, stresses and heat currents."""
        shift = sum(self.composition.get(int(z), 0.0) for z in molecule.atomic_numbers)
        return replace(
            molecule,
            energy=self.factor * molecule.energy + shift,
            forces=self.factor * molecule.forces,
            stress=None if molecule.stress is None else self.factor * molecule.stress,
            heat_current=self._current(molecule),
        )

    def _current(self, molecule: Molecule) -> np.ndarray | None:
        """f J + sum_i c_i v_i: the composition's energies move with their atoms."""
        if molecule.heat_current is None or molecule.velocities is None:
            return None
        carried = np.array([self.composition.get(int(z), 0.0) for z in molecule.atomic_numbers])
        return self.factor * molecule.heat_current + np.einsum("i,fia->fa", carried, molecule.velocities)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for the manifest of a set."""
        error = (
            {} if self.method == "atoms" else {"rmse_before": self.rmse_before, "rmse_after": self.rmse_after}
        )
        return {
            "method": self.method,
            "factor": self.factor,
            "composition": {chemical_symbols[z]: c for z, c in sorted(self.composition.items())},
            "undetermined": list(self.undetermined),
            "structures": self.fitted,
            "unit": "eV; rmse eV/atom",
        } | error


def fit_alignment(
    molecules: Sequence[Molecule], levels: Sequence[str], level: str, target: str, method: str
) -> Alignment:
    """The alignment of `level` to `target`, from molecules of both.

    Parameters
    ----------
    molecules, levels : all molecules, and the level of each

    Raises
    ------
    E3DError
        There are too few structures for the method, or the factor is not credible.
    """
    if method == "atoms":
        return Alignment(level, target, method)
    if method == "composition":
        sides = [
            _per_atom([m for m, own in zip(molecules, levels, strict=True) if own == name])
            for name in (level, target)
        ]
        return _fit_composition(sides[0], sides[1], Alignment(level, target, method))
    return _fit_pairs(*_pairs(molecules, levels, level, target), Alignment(level, target, method))


def _per_atom(molecules: Sequence[Molecule]) -> tuple[np.ndarray, np.ndarray]:
    """(K,) energies per atom and (K, 119) shares of the elements, of all frames."""
    energy = [molecule.energy / len(molecule.atomic_numbers) for molecule in molecules]
    shares = [np.repeat(_shares(molecule)[None], len(molecule), axis=0) for molecule in molecules]
    return np.concatenate([np.zeros(0), *energy]), np.concatenate([np.zeros((0, 119)), *shares])


def _shares(molecule: Molecule) -> np.ndarray:
    return np.bincount(molecule.atomic_numbers, minlength=119) / len(molecule.atomic_numbers)


def _pairs(
    molecules: Sequence[Molecule], levels: Sequence[str], level: str, target: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Energies per atom (K,) at both levels, and shares of the elements (K, 119), of the common
    structures."""
    chosen = [index for index, own in enumerate(levels) if own in (level, target)]
    several = [molecules[index] for index in chosen]
    ranks = [int(levels[index] != target) for index in chosen]
    rows = [
        (
            several[one].energy[frame] / len(several[one].atomic_numbers),
            several[other].energy[twin] / len(several[one].atomic_numbers),
            _shares(several[one]),
        )
        for (one, frame), (other, twin) in same_frames(several, ranks).items()
        if ranks[one] == 1 and ranks[other] == 0
    ]
    if not rows:
        return np.zeros(0), np.zeros(0), np.zeros((0, 119))
    ours, theirs, shares = zip(*rows, strict=True)
    return np.array(ours), np.array(theirs), np.array(shares)


def _fit_pairs(ours: np.ndarray, theirs: np.ndarray, shares: np.ndarray, start: Alignment) -> Alignment:
    """f, and c where asked for, with theirs = f ours + shares c."""
    present = (
        np.flatnonzero(shares.any(axis=0)) if start.method == "factor+composition" else np.zeros(0, dtype=int)
    )
    design = np.concatenate([ours[:, None], shares[:, present]], axis=1)
    if len(ours) < 2 or np.linalg.matrix_rank(design) < design.shape[1]:
        raise E3DError(
            f"expected structures known at both '{start.level}' and '{start.target}' that determine "
            f"{design.shape[1]} numbers, found {len(ours)}; add a source with `use: alignment` that has "
            "them, or take another `method` (atoms needs none)"
        )
    solution = np.linalg.lstsq(design, theirs, rcond=None)[0]
    low, high = CREDIBLE_FACTOR
    if not low < solution[0] < high:
        raise E3DError(
            f"expected a factor between {low} and {high} from '{start.level}' to '{start.target}', the fit "
            f"gives {solution[0]:.4g}; are the levels and units of both sources right?"
        )
    return replace(
        start,
        factor=float(solution[0]),
        composition={int(z): float(c) for z, c in zip(present, solution[1:], strict=True)},
        fitted=len(ours),
        rmse_before=_rmse(theirs - ours),
        rmse_after=_rmse(theirs - design @ solution),
    )


def _fit_composition(
    ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray], start: Alignment
) -> Alignment:
    """c of the elements that both levels have: energy = shares b (theirs) and shares (b - c) (ours)."""
    present = [np.flatnonzero(side[1].any(axis=0)) for side in (ours, theirs)]
    common = np.intersect1d(present[0], present[1])
    every = np.union1d(present[0], present[1])
    if not len(common):
        raise E3DError(
            f"expected elements that '{start.level}' and '{start.target}' have in common, found none; take "
            "`method: atoms`"
        )
    design = np.concatenate(
        [
            np.concatenate([ours[1][:, every], -ours[1][:, common]], axis=1),
            np.concatenate([theirs[1][:, every], np.zeros((len(theirs[0]), len(common)))], axis=1),
        ]
    )
    energy = np.concatenate([ours[0], theirs[0]])
    _, size, right = np.linalg.svd(design, full_matrices=False)
    seen = right[size > 1e-8 * size[0]]
    tells = (
        np.linalg.norm(seen[:, len(every) :], axis=0) > 1.0 - 1e-6
    )  # the unit vector lies in the row space
    design = np.delete(design, len(every) + np.flatnonzero(~tells), axis=1)
    solution = np.linalg.lstsq(design, energy, rcond=1e-10)[0]
    found = dict(zip(common[tells].tolist(), solution[len(every) :].tolist(), strict=True))
    far = [f"{chemical_symbols[z]} {c:+.2f}" for z, c in found.items() if abs(c) > CREDIBLE_COMPOSITION]
    if far:
        raise E3DError(
            f"expected composition terms below {CREDIBLE_COMPOSITION:g} eV from '{start.level}' to "
            f"'{start.target}', the fit gives {', '.join(far)}: the structures of the two differ too much to "
            "tell the levels apart; take `method: atoms`, or add structures known at both"
        )
    mine = slice(len(ours[0]))
    level_alone = solution.copy()
    level_alone[len(every) :] = 0.0
    return replace(
        start,
        composition=found,
        fitted=len(energy),
        rmse_before=_rmse((energy - design @ level_alone)[mine]),
        rmse_after=_rmse((energy - design @ solution)[mine]),
        undetermined=tuple(chemical_symbols[z] for z in common[~tells]),
    )


def _rmse(residual: np.ndarray) -> float:
    return float(np.sqrt((residual**2).mean()))
