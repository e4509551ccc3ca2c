"""Errors of energies after a shift per element is fitted: what is left when zeros are no matter.

Two models, or a model and a level of theory, may differ by a constant per atom of each element, which no
force, barrier or energy of a reaction that keeps its atoms feels. The shifts s_E minimise

    sum over structures of ((E - E_ref - sum_E n_E s_E) / N)^2,

least squares of the error per atom. Where compositions do not tell elements apart (all structures H2O) the
system has a lower rank than elements: errors are then what they are, but no single shift is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ShiftedErrors:
    """Errors of energies after the fitted shift.

    Attributes
    ----------
    structures    that were fitted
    rank          of the system, the number of shifts that the structures determine
    shifts        eV for an atom of each element, by symbol, in alphabetical order; the smallest ones that
                  fit (least norm) where the rank is below their number
    mae, rmse     eV per atom
    """

    structures: int
    rank: int
    shifts: Mapping[str, float]
    mae: float
    rmse: float

    @property
    def is_deficient(self) -> bool:
        """Whether the compositions do not tell all elements apart."""
        return self.rank < len(self.shifts)

    def summary(self) -> dict[str, Any]:
        """The section ``energy_shifted`` of ``errors.json``."""
        return {
            "structures": self.structures,
            "mae_eV_per_atom": self.mae,
            "rmse_eV_per_atom": self.rmse,
            "elements": len(self.shifts),
            "rank": self.rank,
            "shift_eV": dict(self.shifts),
        }

    def describe(self) -> str:
        """The errors in a line of text."""
        shifts = ", ".join(f"{symbol} {shift:+.4f}" for symbol, shift in self.shifts.items())
        text = (
            f"energy after a fitted shift per element: MAE {1e3 * self.mae:.2f}, RMSE {1e3 * self.rmse:.2f} "
            f"meV/atom (shifts in eV: {shifts}"
        )
        if self.is_deficient:
            text += (
                f"; the compositions determine {self.rank} of {len(self.shifts)} of them, so no single shift "
                "means anything"
            )
        return text + ")"


def shifted_errors(error: np.ndarray, counts: np.ndarray) -> ShiftedErrors | None:
    """Fit the shifts; None where they would fit the structures exactly, because there are so few.

    Parameters
    ----------
    error
        (S,) float64, eV, energy less reference energy.
    counts
        (S, Z) int, atoms of each atomic number Z.
    """
    from ase.data import chemical_symbols

    elements = np.flatnonzero(counts.any(axis=0))
    atoms = counts.sum(axis=1)
    shares = counts[:, elements] / atoms[:, None]
    shifts, _, rank, _ = np.linalg.lstsq(shares, error / atoms, rcond=None)
    if len(error) <= rank:
        return None
    left = error / atoms - shares @ shifts
    found = sorted(zip((chemical_symbols[z] for z in elements), shifts.tolist(), strict=True))
    return ShiftedErrors(
        len(error),
        int(rank),
        dict(found),
        float(np.abs(left).mean()),
        float(np.sqrt((left * left).mean())),
    )
