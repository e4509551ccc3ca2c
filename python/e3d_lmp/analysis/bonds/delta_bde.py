"""How far bond energies are from reference energies: Delta_BDE and sigma_BDE, over bond types and over bonds.

D is in eV, a bond has D < 0, and its bond energy is -D. With ``x = -D - ref_t`` for a bond of type t, N
bonds, N_t of them of type t, T types:

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

from e3d_lmp.analysis.bonds.energies import QUANTILES, BondEnergies
from e3d_lmp.analysis.bonds.references import ReferenceEnergy, reference_tables


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


def named_errors(energies: BondEnergies) -> dict[str, BondEnergyError]:
    """Delta_BDE and sigma_BDE against each shipped table of reference energies that knows a type, by name
    (`e3d_lmp.analysis.bonds.references.TABLES`)."""
    errors = {name: bond_energy_error(energies, table) for name, table in reference_tables().items()}
    return {name: error for name, error in errors.items() if error.types}


def _references(energies: BondEnergies, references: Mapping[str, ReferenceEnergy]) -> np.ndarray:
    """(T,) eV, nan for a type without a reference."""
    return np.array([references[name].energy if name in references else math.nan for name in energies.types])
