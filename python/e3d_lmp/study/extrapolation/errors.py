"""Errors of each member's model on each member, and the shift of energies that composition explains.

Figures 2 and S3 of Hooven et al. (2026). A model of member k that is asked for member l gives energies per
atom that are wrong by a shift, common to all frames of l, and by a scatter. The shift of all pairs (k, l) is
nearly a line in the difference of composition; taken off, it leaves the error that a table of isolated atoms
could not have mended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.errors import E3DError


@dataclass(frozen=True)
class Judgement:
    """What one model says of the held-out frames of one member.

    Attributes
    ----------
    atoms : (F,) int64
    energy : (F,) float64, eV, of the model
    reference : (F,) float64, eV, label on the same zero
    force_error : float, eV/angstrom, mean over components of |F - F_label|; nan where there are no forces
    seed : of the model
    """

    atoms: np.ndarray
    energy: np.ndarray
    reference: np.ndarray
    force_error: float = np.nan
    seed: int = 1

    @property
    def shift(self) -> float:
        """Mean of (E - E_label) / N, eV per atom."""
        return float(self._error.mean())

    @property
    def energy_error(self) -> float:
        """Mean of |E - E_label| / N, eV per atom."""
        return float(np.abs(self._error).mean())

    def energy_error_less(self, shift: float) -> float:
        """Mean of |E - E_label - N shift| / N, eV per atom."""
        return float(np.abs(self._error - shift).mean())

    @property
    def _error(self) -> np.ndarray:
        return (self.energy - self.reference) / self.atoms


@dataclass(frozen=True)
class ShiftLine:
    """A line of the shifts of energy against the difference of composition.

    Attributes
    ----------
    slope, intercept : eV per atom; of x_l - x_k, the difference of composition of test and training
    pearson : correlation coefficient of shift and difference
    pairs : number of pairs (k, l), k other than l, that it is fitted to
    """

    slope: float
    intercept: float
    pearson: float
    pairs: int

    def __call__(self, difference: float) -> float:
        """The shift that the line gives for a difference of composition."""
        return self.slope * difference + self.intercept


@dataclass(frozen=True)
class ErrorMatrices:
    """All pairs of members; rows are what was trained on, columns what was asked for.

    Attributes
    ----------
    members : names, in the order of growing size
    composition : (n,) float64, part of the atoms of each member that are not hydrogen
    energy, force, shift : (n, n) float64, eV per atom and eV/angstrom, mean over seeds; nan where not judged
    energy_scatter, force_scatter : (n, n) standard deviation over seeds; nan for one seed
    corrected : (n, n) eV per atom, mean over seeds of the energy error less the shift of the seed's own line
    line : fitted to the mean shifts of pairs of members without the `excluded`
    lines : the same of each seed; seeds that have too few pairs are not there, and have `line`
    excluded : names of the members whose pairs the line was not fitted to
    """

    members: tuple[str, ...]
    composition: np.ndarray
    energy: np.ndarray
    force: np.ndarray
    shift: np.ndarray
    energy_scatter: np.ndarray
    force_scatter: np.ndarray
    corrected: np.ndarray
    line: ShiftLine
    lines: Mapping[int, ShiftLine]
    excluded: tuple[str, ...]

    @property
    def differences(self) -> np.ndarray:
        """(n, n) composition of the column less that of the row."""
        return self.composition[None, :] - self.composition[:, None]


def error_matrices(
    judged: Mapping[tuple[str, str], Sequence[Judgement]],
    composition: Mapping[str, float],
    excluded: Sequence[str] = (),
) -> ErrorMatrices:
    """Matrices of errors from the judgements of all pairs (trained on, asked for), one of each seed.

    Parameters
    ----------
    composition : by member, in the order of growing size
    excluded : members whose pairs are not fitted to; the paper leaves out n = 1 to 3

    Raises
    ------
    E3DError
        There are fewer than two members, or fewer than three pairs to fit the line to.
    """
    members = tuple(composition)
    if len(members) < 2:
        raise E3DError(
            f"expected two members of a family or more, got {' '.join(members) or 'none'}: one alone says "
            "nothing of extrapolation"
        )
    x = np.array([composition[name] for name in members])
    tables = {
        name: np.full((len(members),) * 2, np.nan)
        for name in ("energy", "force", "shift", "energy_scatter", "force_scatter", "corrected")
    }
    for k, m, seeds in _pairs(members, judged):
        energies, forces = [one.energy_error for one in seeds], [one.force_error for one in seeds]
        tables["energy"][k, m], tables["energy_scatter"][k, m] = _mean_and_scatter(energies)
        tables["force"][k, m], tables["force_scatter"][k, m] = _mean_and_scatter(forces)
        tables["shift"][k, m] = float(np.mean([one.shift for one in seeds]))
    fitted = [name not in excluded for name in members]
    line = fit_shift(x, tables["shift"], fitted)
    lines = _lines_of_seeds(x, members, judged, fitted)
    for k, m, seeds in _pairs(members, judged):
        errors = [one.energy_error_less(lines.get(one.seed, line)(x[m] - x[k])) for one in seeds]
        tables["corrected"][k, m] = float(np.mean(errors))
    return ErrorMatrices(members, x, line=line, lines=lines, excluded=tuple(excluded), **tables)


def _lines_of_seeds(
    composition: np.ndarray,
    members: tuple[str, ...],
    judged: Mapping[tuple[str, str], Sequence[Judgement]],
    fitted: Sequence[bool],
) -> dict[int, ShiftLine]:
    """The line of each seed: how models share energy among elements, which makes its slope, is their own."""
    shifts: dict[int, np.ndarray] = {}
    for k, m, seeds in _pairs(members, judged):
        for one in seeds:
            shifts.setdefault(one.seed, np.full((len(members),) * 2, np.nan))[k, m] = one.shift
    lines = {}
    for seed, shift in shifts.items():
        with contextlib.suppress(E3DError):  # too few of its rows are done
            lines[seed] = fit_shift(composition, shift, fitted)
    return lines


def fit_shift(composition: np.ndarray, shift: np.ndarray, fitted: Sequence[bool]) -> ShiftLine:
    """The least-squares line of the shifts of all pairs of different members against x_l - x_k.

    Parameters
    ----------
    composition : (n,)
    shift : (n, n) eV per atom, nan where not judged
    fitted : (n,) whether pairs of this member count

    Raises
    ------
    E3DError
        Fewer than three pairs count, or all have the same difference of composition.
    """
    from scipy.stats import linregress

    take = np.array(fitted, dtype=bool)
    chosen = take[:, None] & take[None, :] & ~np.eye(len(take), dtype=bool) & np.isfinite(shift)
    difference = (composition[None, :] - composition[:, None])[chosen]
    if len(difference) < 3 or np.ptp(difference) == 0.0:
        raise E3DError(
            "expected three pairs of members or more, of different composition, to fit the shift of energies "
            f"to, got {len(difference)}; judge more members, or exclude fewer"
        )
    fit = linregress(difference, shift[chosen])
    return ShiftLine(float(fit.slope), float(fit.intercept), float(fit.rvalue), len(difference))


def _pairs(
    members: tuple[str, ...], judged: Mapping[tuple[str, str], Sequence[Judgement]]
) -> list[tuple[int, int, Sequence[Judgement]]]:
    return [
        (k, m, judged[one, other])
        for k, one in enumerate(members)
        for m, other in enumerate(members)
        if judged.get((one, other))
    ]


def _mean_and_scatter(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation (of the sample, nan for one value)."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
