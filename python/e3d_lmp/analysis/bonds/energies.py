"""Bond energies by bond type: counts, means and the histogram of D of each type.

All numbers come from a type index and D of each bond, whatever read them; D is in eV, a bond has D < 0, and
its bond energy is -D. `e3d_lmp.analysis.bonds.delta_bde` compares them with reference energies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.errors import E3DError

RESOLUTION = 1e-3
"""Width, eV, of the bins that quantiles and the pooled absolute error are taken from: exact to half of it."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Shares of a type's bonds with a lower D, by default."""

MOST_BINS = 2**39
"""Bins of D are numbered from minus this to this, less one."""

_SHIFT = np.int64(40)
_HALF = np.int64(1) << np.int64(39)


@dataclass(frozen=True)
class BondEnergies:
    """D of all bonds by type; a sample of any size in the room of its histogram. Samples add with `merge`.

    Attributes
    ----------
    types    (T,) str, names of the types
    count    (T,) int64, bonds of each type
    mean     (T,) float64, eV, mean D; 0 for a type without bonds
    squares  (T,) float64, eV^2, sum of (D - mean)^2
    codes    (K,) int64, ascending, type and bin of D of the cells that are not empty
    weights  (K,) int64, bonds in each
    """

    types: tuple[str, ...]
    count: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    codes: np.ndarray
    weights: np.ndarray

    @property
    def std(self) -> np.ndarray:
        """(T,) eV, population standard deviation of D; 0 for a type without bonds."""
        return np.sqrt(self.squares / np.maximum(self.count, 1))

    def aligned(self, types: Sequence[str]) -> BondEnergies:
        """The same sample with its types in another order, and types without bonds added or left out.

        Raises
        ------
        E3DError
            If a type that has bonds is not among `types`, or one occurs twice.
        """
        place = {name: k for k, name in enumerate(types)}
        lost = [name for name, n in zip(self.types, self.count, strict=True) if n and name not in place]
        if lost or len(place) < len(types):
            raise E3DError(f"bond energies: no place for {', '.join(lost) or 'a type that is named twice'}")
        old = [k for k, name in enumerate(self.types) if name in place]
        new = np.array([place[self.types[k]] for k in old], dtype=np.int64)
        columns = {}
        for name in ("count", "mean", "squares"):
            mine = getattr(self, name)
            columns[name] = np.zeros(len(types), dtype=mine.dtype)
            columns[name][new] = mine[old]
        moved = np.zeros(max(len(self.types), 1), dtype=np.int64)
        moved[old] = new
        codes = (moved[self.codes >> _SHIFT] << _SHIFT) + (self.codes & ((np.int64(1) << _SHIFT) - 1))
        order = np.argsort(codes, kind="stable")
        return BondEnergies(tuple(types), codes=codes[order], weights=self.weights[order], **columns)

    def merge(self, other: BondEnergies) -> BondEnergies:
        """Both samples together; counts and quantiles exactly, means and deviations to rounding.

        The update of means and squares is that of Chan, Golub and LeVeque, Am. Stat. 37, 242 (1983), eq. 2.1.

        Raises
        ------
        E3DError
            If the types differ.
        """
        if self.types != other.types:
            raise E3DError(
                f"bond energies of the types {', '.join(self.types)} and {', '.join(other.types)} cannot be "
                "added; name the same types in the same order"
            )
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        gap = other.mean - self.mean
        codes, where = np.unique(np.concatenate([self.codes, other.codes]), return_inverse=True)
        weights = np.zeros(codes.size, dtype=np.int64)
        np.add.at(weights, where, np.concatenate([self.weights, other.weights]))
        return BondEnergies(
            self.types,
            count,
            self.mean + gap * share,
            self.squares + other.squares + gap * gap * self.count * share,
            codes,
            weights,
        )

    def histogram(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Centres of the non-empty bins of D, (K,) eV, ascending, and the bonds in each, (K,) int64."""
        bins, weights = self.bins(index)
        return (bins + 0.5) * RESOLUTION, weights

    def bins(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers floor(D / `RESOLUTION`) of the non-empty bins, (K,) int64, ascending, and the bonds in
        each, (K,) int64.
        """
        mine = (self.codes >> _SHIFT) == index
        return (self.codes[mine] & ((np.int64(1) << _SHIFT) - 1)) - _HALF, self.weights[mine]

    def quantiles(self, index: int, shares: Sequence[float] = QUANTILES) -> np.ndarray:
        """(len(shares),) eV, the smallest D that this share of a type's bonds does not exceed; or nan."""
        centres, weights = self.histogram(index)
        if not centres.size:
            return np.full(len(shares), math.nan)
        below = np.cumsum(weights)
        # a share of k / n is that of k bonds, whatever the rounding of k / n * n
        need = np.ceil(np.asarray(shares, dtype=np.float64) * below[-1] - 1e-9)
        return centres[np.searchsorted(below, np.clip(need, 1, below[-1]))]


def bond_energies(types: Sequence[str], type_index: np.ndarray, D: np.ndarray) -> BondEnergies:
    """D of some bonds by type.

    Parameters
    ----------
    types
        (T,) names of the types, e.g. ``C-N 2``.
    type_index
        (P,) int, type of each bond.
    D
        (P,) eV.

    Raises
    ------
    E3DError
        If an index is no type, the lengths differ, or a D is not finite.
    """
    index, D = np.asarray(type_index, dtype=np.int64), np.asarray(D, dtype=np.float64)
    n_types = len(types)
    if index.shape != D.shape or D.ndim != 1:
        raise E3DError(
            f"bond energies: expected a type and a D for each bond, got {index.shape} and {D.shape}"
        )
    if D.size and (index.min() < 0 or index.max() >= n_types):
        raise E3DError(f"bond energies: expected types from 0 to {n_types - 1}")
    bins = np.floor(D / RESOLUTION)
    if not np.all(np.abs(bins) < float(_HALF)):  # so that nan is caught too
        raise E3DError(
            "bond energies: a D is not finite; has the simulation blown up, or is the dump damaged?"
        )
    count = np.bincount(index, minlength=n_types)
    mean = np.bincount(index, weights=D, minlength=n_types) / np.maximum(count, 1)
    squares = np.bincount(index, weights=(D - mean[index]) ** 2, minlength=n_types)
    codes, weights = np.unique((index << _SHIFT) + (bins.astype(np.int64) + _HALF), return_counts=True)
    return BondEnergies(tuple(types), count, mean, squares, codes, weights)


def from_histograms(
    types: Sequence[str],
    count: np.ndarray,
    mean: np.ndarray,
    squares: np.ndarray,
    bins: Sequence[tuple[Sequence[int], Sequence[int]]],
) -> BondEnergies:
    """The sample whose parts are known, as a file holds them.

    Parameters
    ----------
    count, mean, squares
        (T,) as in `BondEnergies`.
    bins
        (T,) numbers of bins and bonds in each, as `BondEnergies.bins` gives them.

    Raises
    ------
    ValueError
        If bins do not ascend, do not add up to the count of their type, or cannot have its mean and squares.
    """
    codes, weights = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for k, (numbers, bonds) in enumerate(bins):
        number, bond = np.array(numbers, dtype=np.int64), np.array(bonds, dtype=np.int64)
        if number.shape != bond.shape or bond.sum() != count[k] or np.any(np.diff(number) <= 0):
            raise ValueError(f"{types[k]}: bins must ascend and their bonds add up to {count[k]}")
        _check_moments(types[k], number, bond, float(mean[k]), float(squares[k]))
        codes.append((np.int64(k) << _SHIFT) + (number + _HALF))
        weights.append(bond)
    return BondEnergies(tuple(types), count, mean, squares, np.concatenate(codes), np.concatenate(weights))


def _check_moments(name: str, number: np.ndarray, bond: np.ndarray, mean: float, squares: float) -> None:
    """Raise `ValueError` unless the histogram can have this mean and this sum of squares about it."""
    if not bond.size:
        return
    count = float(bond.sum())
    centre = (number + 0.5) * RESOLUTION
    middle = float(bond @ centre) / count
    slack = RESOLUTION * (0.5 + 1e-6) + 1e-9 * abs(middle)
    spread = math.sqrt(float(bond @ (centre - middle) ** 2) / count)
    # the root of a mean square is a norm: moving each D by half a bin changes it by that at most
    deviation = math.sqrt(max(squares, 0.0) / count)
    near = abs(mean - middle) <= slack and abs(deviation - spread) <= slack + 1e-9 * spread
    if not near or squares < 0.0:
        raise ValueError(
            f"{name}: mean {mean:g} and sum of squares {squares:g}, but its bins have the mean {middle:g} "
            f"and the standard deviation {spread:g}"
        )


def cohesive_share(bonded: np.ndarray | float, cohesive: np.ndarray | float) -> float:
    """Sum of D over bonds as a share of the cohesive energy, both summed over structures.

    What is missing from 1 is the energy of pairs beyond the bond cutoff, which is up to the model and the
    cutoff. E_coh is sum_ij eps_ij: a model of the decomposition ``rescaled`` has no meaningful share.

    Parameters
    ----------
    bonded
        (S,) or one number, eV, sum of D over the bonds of each structure.
    cohesive
        (S,) or one number, eV, E_coh of each.

    Raises
    ------
    E3DError
        If the shapes differ or the cohesive energies add up to 0.
    """
    if np.shape(bonded) != np.shape(cohesive):
        raise E3DError(
            f"share of E_coh: expected one E_coh for each sum of D, got {np.shape(cohesive)} for "
            f"{np.shape(bonded)}"
        )
    total = math.fsum(np.ravel(cohesive))
    if total == 0.0:
        raise E3DError("share of E_coh: the cohesive energies add up to 0; are they E_system - sum E_atom?")
    return math.fsum(np.ravel(bonded)) / total
