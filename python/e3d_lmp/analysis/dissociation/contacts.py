"""Two molecules in contact: E_AB - E_A - E_B.

``E_contact`` is that of the geometry as given, A and B as they are in it, which is what tables of dimers
hold; ``E_bound`` that of three minima: AB, A and B relaxed each by itself. ``D`` is the sum of D over all
pairs between A and B: what the model's own edges say of the contact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.analysis.bonds.orders import bonded_pairs
from e3d_lmp.analysis.dissociation.breaking import molecule_atoms
from e3d_lmp.analysis.dissociation.potential import directed_edges, open_calculator
from e3d_lmp.analysis.dissociation.relaxing import Settings, energy_of, relaxed, what_changed
from e3d_lmp.edges.molecules import molecule_of_atoms
from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError


@dataclass(frozen=True)
class ContactEnergies:
    """Makes `contact_energy` of a model file, in any process."""

    model: Path
    settings: Settings

    def __call__(self) -> Callable[[Structure], dict[str, Any]]:
        """`contact_energy` of one structure; `E3DError` where the model cannot be loaded."""
        return partial(
            contact_energy,
            calculator=open_calculator(self.model, self.settings.enthalpy),
            settings=self.settings,
        )


def contact_energy(structure: Structure, calculator: Any, settings: Settings) -> dict[str, Any]:
    """The contact energy of a dimer.

    Returns
    -------
    dict
        ``formula``, ``remark`` and ``rows`` with one row: ``type``, the two formulas (``CH4 + H2O``);
        ``distance``, angstrom, of the closest two atoms of different molecules; ``D``, ``E_contact``,
        ``E_bound``, eV. What can be written as JSON, with nan.

    Raises
    ------
    E3DError
        It is periodic, or not made of two molecules; or the model does not know an element.
    """
    atoms = molecule_atoms(structure)
    symbols = atoms.get_chemical_symbols()
    bonds = bonded_pairs(symbols, atoms.positions, settings.cutoff)
    molecule = molecule_of_atoms(len(atoms), bonds)
    count = int(molecule.max()) + 1
    if count != 2:
        raise E3DError(f"{count} molecules by the bond cutoff '{settings.cutoff.name}'; expected two")
    parts = sorted((atoms[molecule == k] for k in range(2)), key=lambda part: part.get_chemical_formula())
    edges = directed_edges(atoms, calculator)
    across = molecule[edges.i] != molecule[edges.j]
    gaps = atoms.get_all_distances()[np.ix_(molecule == 0, molecule == 1)]
    row: dict[str, Any] = {
        "type": " + ".join(part.get_chemical_formula() for part in parts),
        "distance": float(gaps.min()),
        "D": float(edges.eps[across].sum()),
        "E_contact": energy_of(atoms, calculator) - sum(energy_of(part, calculator) for part in parts),
        "E_bound": math.nan,
    }
    remarks = []
    if settings.relax:
        energies = []
        for whole in (atoms, *parts):
            before = bonded_pairs(whole.get_chemical_symbols(), whole.positions, settings.cutoff)
            minimum = relaxed(whole, calculator, settings)
            change = what_changed(before, minimum.bonds, len(whole))
            formula = whole.get_chemical_formula()
            if not minimum.converged:
                remarks.append(
                    f"{formula}: not relaxed to {settings.fmax:g} eV/angstrom in {settings.steps} steps"
                )
            if change:
                remarks.append(f"{formula}: {change}")
            energies.append(minimum.energy)
        row["E_bound"] = energies[0] - energies[1] - energies[2]
    row["remark"] = "; ".join(remarks)
    return {"formula": atoms.get_chemical_formula(), "remark": "", "rows": [row]}
