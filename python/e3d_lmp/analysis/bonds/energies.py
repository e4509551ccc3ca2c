"""Bond energies by bond type, and how far they are from reference energies: Delta_BDE and sigma_BDE.

All numbers come from a type index and D of each bond, whatever read them; D is in eV, a bond has D < 0, and
its bond energy is -D. With ``x = -D - ref_t`` for a bond of type t, N bonds, N_t of them of type t, T types:

=================  =========================================================================================
Delta_BDE          (1/T) sum_t |mean_t(-D) - ref_t| (`BondEnergyError.mean_over_types`, the default); beside
                   it the pooled signed error (1/N) sum x and the pooled absolute error (1/N) sum |x|
sigma_BDE          pooled: standard deviation of x over all bonds; within type: sqrt((1/N) sum_t sum (D -
                   mean_t)^2); pooled^2 = within^2 + variance of the types' mean errors, weighted by N_t
=================  =========================================================================================

The paper (Fig. 2b, c) does not say how it averages over types, whether a type of three bonds counts as much
as one of three thousand (it does in the default, not in the pooled numbers), nor whether sigma has the spread
between types in it. Its figure shows 3 sigma; here sigma is 1 sigma, always of the population (1/N). Types
without a reference are left out of all of them, and counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.analysis.bonds.references import ReferenceEnergy
from e3d_lmp.errors import E3DError

RESOLUTION = 1e-3
"""Width, eV, of the bins that quantiles and the pooled absolute error are taken from: exact to half of it."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Shares of a type's bonds with a lower D, by default."""

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
        If bins do not ascend, or do not add up to the count of their type.
    """
    codes, weights = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for k, (numbers, bonds) in enumerate(bins):
        number, bond = np.array(numbers, dtype=np.int64), np.array(bonds, dtype=np.int64)
        if number.shape != bond.shape or bond.sum() != count[k] or np.any(np.diff(number) <= 0):
            raise ValueError(f"{types[k]}: bins must ascend and their bonds add up to {count[k]}")
        codes.append((np.int64(k) << _SHIFT) + (number + _HALF))
        weights.append(bond)
    return BondEnergies(tuple(types), count, mean, squares, np.concatenate(codes), np.concatenate(weights))


@dataclass(frozen=True)
class TypeRow:
    """One bond type, for a table.

    Attributes
    ----------
    type        name
    count       bonds
    mean_D, std_D
                eV; nan without bonds
    quantiles   of D, eV, at the shares that were asked for; nan without bonds
    reference   eV; nan if there is none
    error       -mean_D - reference, eV; nan if there is none
    """

    type: str
    count: int
    mean_D: float
    std_D: float
    quantiles: tuple[float, ...]
    reference: float
    error: float


def type_rows(
    energies: BondEnergies, references: Mapping[str, ReferenceEnergy], shares: Sequence[float] = QUANTILES
) -> list[TypeRow]:
    """One row for each type, in order: the distribution of D and its mean against the reference."""
    rows = []
    for k, (name, reference) in enumerate(
        zip(energies.types, _references(energies, references), strict=True)
    ):
        found = energies.count[k] > 0
        mean = float(energies.mean[k]) if found else math.nan
        rows.append(
            TypeRow(
                name,
                int(energies.count[k]),
                mean,
                float(energies.std[k]) if found else math.nan,
                tuple(energies.quantiles(k, shares).tolist()),
                float(reference),
                -mean - float(reference),
            )
        )
    return rows


@dataclass(frozen=True)
class BondEnergyError:
    """Delta_BDE and sigma_BDE, defined at the head of this module; eV, nan where no bond has a reference.

    Attributes
    ----------
    mean_over_types   Delta_BDE
    pooled_signed     mean error of all bonds
    pooled_absolute   mean absolute error of all bonds, to half of `RESOLUTION`
    sigma_pooled      sigma_BDE of all errors
    sigma_within      sigma_BDE within types
    types, bonds      how many have a reference
    left_out          bonds of each type that has none
    """

    mean_over_types: float
    pooled_signed: float
    pooled_absolute: float
    sigma_pooled: float
    sigma_within: float
    types: int
    bonds: int
    left_out: dict[str, int]


def bond_energy_error(
    energies: BondEnergies, references: Mapping[str, ReferenceEnergy], least: int = 1
) -> BondEnergyError:
    """Delta_BDE and sigma_BDE of bonds against reference energies.

    Parameters
    ----------
    least
        Types with fewer bonds are left out; the paper does not say whether it has such a limit.
    """
    reference = _references(energies, references)
    known = np.isfinite(reference) & (energies.count >= max(least, 1))
    left_out = {
        name: int(count)
        for name, count, kept in zip(energies.types, energies.count, known, strict=True)
        if count and not kept
    }
    if not known.any():
        return BondEnergyError(math.nan, math.nan, math.nan, math.nan, math.nan, 0, 0, left_out)
    count = energies.count[known].astype(np.float64)
    error = -energies.mean[known] - reference[known]
    n_bonds = count.sum()
    signed = float(count @ error / n_bonds)
    within = float(energies.squares[known].sum() / n_bonds)
    between = float(count @ (error - signed) ** 2 / n_bonds)
    absolute = 0.0
    for k in np.flatnonzero(known):
        centres, weights = energies.histogram(int(k))
        absolute += float(weights @ np.abs(-centres - reference[k]))
    return BondEnergyError(
        mean_over_types=float(np.abs(error).mean()),
        pooled_signed=signed,
        pooled_absolute=absolute / n_bonds,
        sigma_pooled=math.sqrt(within + between),
        sigma_within=math.sqrt(within),
        types=int(known.sum()),
        bonds=int(n_bonds),
        left_out=left_out,
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


def _references(energies: BondEnergies, references: Mapping[str, ReferenceEnergy]) -> np.ndarray:
    """(T,) eV, nan for a type without a reference."""
    return np.array([references[name].energy if name in references else math.nan for name in energies.types])
