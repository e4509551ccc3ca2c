"""Labelled frames of liquids, as ``scripts/polymer/make_liquids.py`` writes them.

Extended XYZ with the columns `molecule` (counted from 0) and forces, and in the comment line `energy` (eV,
total), `molecule_energies` (eV, total, each molecule by itself), `subset` and `level`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.edges.isolated_atoms import cohesive_energy
from e3d_lmp.edges.structures import decompressed
from e3d_lmp.errors import E3DError
from e3d_lmp.study.extrapolation.molecules import MolecularFrame


def read_liquid_frames(
    path: Path, atoms: Mapping[int, float], level: str, subsets: Collection[str] | None = None
) -> Iterator[tuple[str, int, MolecularFrame]]:
    """Yield subset, number in the file, and frame with cohesive energies, of a file of liquids.

    Parameters
    ----------
    atoms : isolated-atom energies by atomic number, eV
    level : of theory; frames that name another one are refused
    subsets : None: all

    Raises
    ------
    E3DError
        The file cannot be read; a frame has no molecules or no energies, or is of another level of theory.
    """
    import ase.io

    try:
        with decompressed(path) as plain:
            for number, one in enumerate(ase.io.iread(plain, index=":", format="extxyz")):
                subset = str(one.info.get("subset", ""))
                if subsets is None or subset in subsets:
                    yield subset, number, _frame(f"{path.name}/{number}", one, atoms, level)
    except E3DError:
        raise
    except Exception as error:  # ASE's readers raise whatever they like
        raise E3DError(f"{path}: ASE cannot read it ({type(error).__name__}: {error})") from error


def _frame(name: str, one: Any, atoms: Mapping[int, float], level: str) -> MolecularFrame:
    results = getattr(one.calc, "results", {})
    missing = [
        word
        for word, there in (
            ("energy", "energy" in results),
            ("molecule", "molecule" in one.arrays),
            ("molecule_energies", "molecule_energies" in one.info),
        )
        if not there
    ]
    if missing:
        raise E3DError(
            f"{name}: expected energy, molecule and molecule_energies, missing: {', '.join(missing)}; label "
            "the frame and its molecules as scripts/polymer/make_liquids.py does"
        )
    stated = str(one.info.get("level", level))
    if stated != level:
        raise E3DError(f"{name}: expected labels at {level}, got {stated}; levels of theory do not mix")
    molecule = one.arrays["molecule"].astype(np.int64)
    numbers = one.numbers.astype(np.int64)
    energies = np.atleast_1d(np.asarray(one.info["molecule_energies"], dtype=np.float64))
    if not np.array_equal(np.unique(molecule), np.arange(len(energies))):
        raise E3DError(
            f"{name}: expected molecules numbered from 0 and an energy of each, got "
            f"{len(np.unique(molecule))} molecules and {len(energies)} energies"
        )
    return MolecularFrame(
        name=name,
        numbers=numbers,
        positions=np.asarray(one.positions, dtype=np.float64),
        cell=np.asarray(one.cell, dtype=np.float64) * one.pbc.any(),
        molecule=molecule,
        energy=float(cohesive_energy(results["energy"], numbers, atoms)),
        forces=np.asarray(results.get("forces", np.full((len(numbers), 3), np.nan)), dtype=np.float64),
        molecule_energies=np.array(
            [float(cohesive_energy(own, numbers[molecule == k], atoms)) for k, own in enumerate(energies)]
        ),
    )
