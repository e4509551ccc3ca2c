"""Labelled frames of liquids, as ``scripts/polymer/make_liquids.py`` writes them.

Extended XYZ with the columns `molecule` (counted from 0) and forces, and in the comment line `energy` (eV,
total), `molecule_energies` (eV, total, each molecule by itself), `subset` and `level`. A column
`molecule_forces` (eV/angstrom, each molecule by itself) is read where it is there.
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
    path: Path,
    atoms: Mapping[int, float],
    level: str,
    subsets: Collection[str] | None = None,
    molecules: bool = True,
) -> Iterator[tuple[str, int, MolecularFrame]]:
    """Yield subset, number in the file, and frame with cohesive energies, of a file of liquids.

    Parameters
    ----------
    atoms : isolated-atom energies by atomic number, eV
    level : of theory; frames that name another one are refused
    subsets : None: all
    molecules : whether each frame must have the columns of its molecules and their energies; else they are
        not read, and a frame counts as one molecule without an energy of its own

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
                    yield subset, number, _frame(f"{path.name}/{number}", one, atoms, level, molecules)
    except E3DError:
        raise
    except Exception as error:  # ASE's readers raise whatever they like
        raise E3DError(f"{path}: ASE cannot read it ({type(error).__name__}: {error})") from error


def _frame(name: str, one: Any, atoms: Mapping[int, float], level: str, molecules: bool) -> MolecularFrame:
    results = getattr(one.calc, "results", {})
    needed = {"energy": "energy" in results}
    if molecules:
        needed |= {"molecule": "molecule" in one.arrays, "molecule_energies": "molecule_energies" in one.info}
    missing = [word for word, there in needed.items() if not there]
    if missing:
        raise E3DError(
            f"{name}: expected {', '.join(needed)}, missing: {', '.join(missing)}; label the frame"
            + (" and its molecules as scripts/polymer/make_liquids.py does" * molecules)
        )
    stated = str(one.info.get("level", level))
    if stated != level:
        raise E3DError(f"{name}: expected labels at {level}, got {stated}; levels of theory do not mix")
    numbers = one.numbers.astype(np.int64)
    if not molecules:
        return MolecularFrame(
            molecule=np.zeros(len(numbers), dtype=np.int64),
            molecule_energies=np.array([np.nan]),
            **_labels(name, one, numbers, results, atoms),
        )
    molecule = one.arrays["molecule"].astype(np.int64)
    energies = np.atleast_1d(np.asarray(one.info["molecule_energies"], dtype=np.float64))
    if not np.array_equal(np.unique(molecule), np.arange(len(energies))):
        raise E3DError(
            f"{name}: expected molecules numbered from 0 and an energy of each, got "
            f"{len(np.unique(molecule))} molecules and {len(energies)} energies"
        )
    return MolecularFrame(
        molecule=molecule,
        molecule_energies=np.array(
            [float(cohesive_energy(own, numbers[molecule == k], atoms)) for k, own in enumerate(energies)]
        ),
        molecule_forces=np.asarray(
            one.arrays.get("molecule_forces", np.full((len(numbers), 3), np.nan)), dtype=np.float64
        ),
        **_labels(name, one, numbers, results, atoms),
    )


def _labels(
    name: str, one: Any, numbers: np.ndarray, results: Mapping[str, Any], atoms: Mapping[int, float]
) -> dict[str, Any]:
    """All of a frame but its molecules."""
    return {
        "name": name,
        "numbers": numbers,
        "positions": np.asarray(one.positions, dtype=np.float64),
        "cell": np.asarray(one.cell, dtype=np.float64) * one.pbc.any(),
        "energy": float(cohesive_energy(results["energy"], numbers, atoms)),
        "forces": np.asarray(results.get("forces", np.full((len(numbers), 3), np.nan)), dtype=np.float64),
    }
