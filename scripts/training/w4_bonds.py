#!/usr/bin/env python3
"""Writes electronic dissociation energies of single bonds for ``e3d bde --reference``, from W4-11.

    python scripts/training/w4_bonds.py -o FOLDER
    e3d bde MODEL FOLDER/w4_bonds.smi -o out/ --reference FOLDER/w4_bonds.csv

Every acyclic single bond of the closed shells in `dft_check.W4_11` is cut. Where both fragments are atoms or
in that table too, the dissociation energy is the atomization energy of the molecule less theirs: electronic,
nonrelativistic, each fragment at its minimum and in its ground state, as `BDE_relaxed` is meant.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from dft_check import W4_11
from rdkit import Chem

from e3d_lmp.analysis.dissociation.graph import cut, equivalent_bonds, molecule_key
from e3d_lmp.tables import Column, write_csv

NAMES = ("structure", "i", "j", "energy_kcal_mol")


def dissociations() -> list[dict[str, object]]:
    """A row of `NAMES` for each bond whose fragments are known, one of those that are alike. Structures are
    called by their SMILES; atoms count from 0 with the hydrogens last, as RDKit adds them."""
    known = {molecule_key(*_graph(smiles)[:2]): energy for smiles, energy in W4_11.items()}
    rows = []
    for smiles, energy in W4_11.items():
        elements, bonds, orders, is_open = _graph(smiles)
        if is_open:
            continue
        first = equivalent_bonds(elements, bonds, orders)
        for k in np.flatnonzero((orders == 1.0) & (first == np.arange(len(bonds)))):
            sides = cut(len(elements), bonds, int(k))
            if sides is None:
                continue
            left = [_energy(elements, bonds, side, known) for side in (sides.first, sides.second)]
            if None not in left:
                i, j = bonds[k].tolist()
                values = (smiles, i, j, round(energy - sum(filter(None, left)), 3))
                rows.append(dict(zip(NAMES, values, strict=True)))
    return rows


def _graph(smiles: str) -> tuple[list[str], np.ndarray, np.ndarray, bool]:
    """Elements, bonds (B, 2) and their orders of a molecule; whether it has unpaired electrons."""
    molecule = Chem.MolFromSmiles(smiles, sanitize=False)  # NO2 has five bonds to N in the table
    molecule.UpdatePropertyCache(strict=False)
    molecule = Chem.AddHs(molecule)
    Chem.AssignRadicals(molecule)
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
    return (
        [atom.GetSymbol() for atom in molecule.GetAtoms()],
        np.array(bonds, dtype=np.int64).reshape(-1, 2),
        np.array([bond.GetBondTypeAsDouble() for bond in molecule.GetBonds()]),
        any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()),
    )


def _energy(
    elements: Sequence[str], bonds: np.ndarray, side: np.ndarray, known: dict[str, float]
) -> float | None:
    """Atomization energy of a fragment, kcal/mol, 0 of an atom; None where the table lacks it."""
    if len(side) == 1:
        return 0.0
    inside = np.isin(bonds, side).all(axis=1)
    key = molecule_key([elements[a] for a in side], np.searchsorted(side, bonds[inside]))
    return known.get(key)


def main(words: Sequence[str] | None = None) -> int:
    """Write the two files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("."), metavar="DIR", help="where they go")
    args = parser.parse_args(words)
    rows = dissociations()
    args.output.mkdir(parents=True, exist_ok=True)
    write_csv([Column(name, name) for name in NAMES], rows, args.output / "w4_bonds.csv")
    molecules = dict.fromkeys(str(row["structure"]) for row in rows)
    (args.output / "w4_bonds.smi").write_text("".join(f"{one}\n" for one in molecules), encoding="ascii")
    print(f"{len(rows)} bonds of {len(molecules)} molecules in {args.output / 'w4_bonds.csv'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
