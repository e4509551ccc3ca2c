"""Energies of isolated atoms, the zero of cohesive energies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np

from e3d_lmp.errors import E3DError

SPICE_LEVEL = "wB97M-D3(BJ)/def2-TZVPPD"


PBE_LEVEL = "PBE (VASP, MPtrj)"


def _table() -> dict[str, dict[str, Any]]:
    text = resources.files("e3d_lmp").joinpath("data/isolated_atoms.json").read_text(encoding="utf-8")
    return {level: entry for level, entry in json.loads(text).items() if level != "unit"}


def isolated_atom_levels() -> tuple[str, ...]:
    """Levels of theory that this package has energies of isolated atoms for."""
    return tuple(_table())


def isolated_atoms_sha256(level: str) -> str:
    """Hash of a level's table of this package: of the JSON text of {symbol: eV}, keys in alphabetical
    order."""
    text = json.dumps(_table()[level]["energies"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def isolated_atom_energies(level: str = SPICE_LEVEL) -> dict[int, float]:
    """Energy of each isolated atom by atomic number, eV, at a level of theory.

    Raises
    ------
    E3DError
        The table of this package has no such level.
    """
    from ase.data import atomic_numbers

    table = _table()
    if level not in table:
        raise E3DError(
            f"expected a level of theory with isolated-atom energies ({', '.join(table)}), got '{level}'; "
            "add it to e3d_lmp/data/isolated_atoms.json"
        )
    return {atomic_numbers[symbol]: float(energy) for symbol, energy in table[level]["energies"].items()}


def cohesive_energy(
    total: np.ndarray | float, atomic_numbers: np.ndarray, atoms: Mapping[int, float] | None
) -> np.ndarray:
    """E_coh = E_total - sum E_atom, eV, the shape of `total`.

    Parameters
    ----------
    total : (...,) float64, eV
        Total energies of frames that share one composition.
    atomic_numbers : (N,) int
    atoms : mapping of atomic number to the energy of the isolated atom, eV; None: `total` is cohesive already

    Raises
    ------
    E3DError
        An element has no isolated-atom energy.
    """
    if atoms is None:
        return np.asarray(total, dtype=np.float64)
    missing = sorted({int(z) for z in atomic_numbers} - set(atoms))
    if missing:
        from ase.data import chemical_symbols

        names = " ".join(chemical_symbols[z] for z in missing)
        raise E3DError(
            f"expected an isolated-atom energy for every element, found none for {names}; "
            "leave these molecules out or add the elements to e3d_lmp/data/isolated_atoms.json"
        )
    return np.asarray(total, dtype=np.float64) - sum(atoms[int(z)] for z in atomic_numbers)
