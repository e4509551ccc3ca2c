#!/usr/bin/env python3
"""Writes the two tables of electronic bond energies, ``data/level_bond_energies.csv`` and
``data/electronic_bond_energies.csv`` of the package.

The first is the training level's own: small closed-shell molecules are relaxed with AIMNet2, whose energies
the shipped models learn, and E_coh = -sum_t n_t e_t is solved for the energies e_t of bond types by least
squares. The second needs no calculation: differences of the atomization energies of W4-11, of one molecule
and its two fragments for each type.

    python scripts/training/level_bond_energies.py aimnet2_wb97m-d3_0.jpt
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from dft_check import W4_11
from dft_geometry import UnfitError, embedded
from dft_molecules import MOLECULES, TRIPLETS

from e3d_lmp.analysis.bonds.orders import bond_orders, bond_types, bonded_pairs
from e3d_lmp.edges.isolated_atoms import SPICE_LEVEL, cohesive_energy, isolated_atom_energies
from e3d_lmp.files import atomic_path
from e3d_lmp.training.data.aimnet2 import AIMNet2
from e3d_lmp.units import KCAL_MOL_PER_EV, KJ_PER_MOL

DATA = Path(__file__).resolve().parents[2] / "python/e3d_lmp/data"

LARGER = (
    "c1ccccc1 c1ccncc1 c1ccoc1 c1ccsc1 c1cc[nH]c1 Cc1ccccc1 Oc1ccccc1 Nc1ccccc1 Fc1ccccc1 Clc1ccccc1 "
    "Sc1ccccc1 c1cnccn1 c1cncnc1 c1ccnnc1 c1c[nH]cn1 c1cscn1 c1cocn1 CCC CCCC CC(C)C C1CCCC1 C1CCCCC1 "
    "C=CC=C CC(C)=O CC(=O)O CC(N)=O COC(C)=O CNC(C)=O CN(C)C CCN CCS CCCO CC(C)O CCOC C1CCOC1 C1CCNC1 "
    "C1CCSC1 CC=N CN=NC CC#CC C#CC#C N#CC#N CC(C)=C CC=CC C[N+](=O)[O-] O[N+](=O)[O-] CON=O CS(C)=O "
    "CS(C)(=O)=O CSSC COOC NC(N)=O NC(=S)N NO CNO NNC FCCF ClCCCl FC(F)(F)C ClC(Cl)(Cl)C CC(F)=O CC(Cl)=O "
    "OCC=O O=CC=O C=CC=O C=CC#N N#CCC#N OC(=O)C=C CN=[N+]=[N-] C=[N+]=[N-]"
).split()
"""Beside the molecules of `dft_molecules`: aromatic ones, and more of the common types."""

SMALLEST = 5
"""Molecules that a type must be in, or its row says how few there were."""

DISSOCIATIONS = (
    # bond type, molecule, its fragments
    ("H-H 1", "[H][H]", ()),
    ("C-H 1", "C", ("[CH3]",)),
    ("N-H 1", "N", ("[NH2]",)),
    ("O-H 1", "O", ("[OH]",)),
    ("S-H 1", "S", ("[SH]",)),
    ("F-H 1", "F", ()),
    ("Cl-H 1", "Cl", ()),
    ("C-C 1", "CC", ("[CH3]", "[CH3]")),
    ("C-C 2", "C=C", ("[CH2]", "[CH2]")),
    ("C-C 3", "C#C", ("[CH]", "[CH]")),
    ("C-N 1", "CN", ("[CH3]", "[NH2]")),
    ("C-N 2", "C=N", ("[CH2]", "[NH]")),
    ("C-N 3", "C#N", ("[CH]",)),
    ("C-O 1", "CO", ("[CH3]", "[OH]")),
    ("C-O 2", "C=O", ("[CH2]",)),
    ("C-O 3", "[C-]#[O+]", ()),
    ("C-F 1", "CF", ("[CH3]",)),
    ("N-N 1", "NN", ("[NH2]", "[NH2]")),
    ("N-N 2", "N=N", ("[NH]", "[NH]")),
    ("N-N 3", "N#N", ()),
    ("N-O 2", "N=O", ("[NH]",)),
    ("Cl-N 1", "NCl", ("[NH2]",)),
    ("O-O 1", "OO", ("[OH]", "[OH]")),
    ("O-O 2", "[O][O]", ()),
    ("F-O 1", "OF", ("[OH]",)),
    ("Cl-O 1", "OCl", ("[OH]",)),
    ("O-S 2", "[O][S]", ()),
    ("S-S 2", "[S][S]", ()),
    ("F-F 1", "FF", ()),
    ("Cl-F 1", "FCl", ()),
    ("Cl-Cl 1", "ClCl", ()),
)
"""Fragments in their ground states; atoms, whose atomization energy is 0, are left out of the list."""


LEVEL_COMMENT = """\
Bond energies of the level that the shipped models were trained at: AIMNet2 (wB97M-D3, ensemble member 0),
which is not DFT but close to wB97M-D3(BJ)/def2-TZVPPD. Least squares of E_coh = -sum_t n_t e_t over
{molecules} small closed-shell molecules at their minima, errors per bond; what is left is {rest:.3f} eV
per bond (root mean square). Electronic energies, without zero-point and thermal energy. low, high: two
standard errors of the fit. {known} of the molecules are in W4-11: E_coh of AIMNet2 less that of W4-11 is
{mean:+.3f} eV on average and {absolute:.3f} eV in absolute value.
Left out, as AIMNet2 does not hold them together or they are no closed shells: {left}
Made by scripts/training/level_bond_energies.py."""

DISSOCIATION_COMMENT = """\
Electronic dissociation energies of one bond each, without zero-point and thermal energy: atomization energy
of a molecule less those of its two fragments, all in their ground states (CH2 and NH, of double bonds, are
triplets, CH is a doublet).
W4-11: A. Karton, S. Daon, J. M. L. Martin, B. Ruscic, Chem. Phys. Lett. 510, 165 (2011), nonrelativistic,
electrons alone; its numbers are in scripts/training/dft_check.py.
Made by scripts/training/level_bond_energies.py."""


class Level(Calculator):
    """AIMNet2 for ASE's optimisers."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (ASE's own form)

    def __init__(self, model: AIMNet2) -> None:
        super().__init__()
        self._model = model

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        self.results["energy"], self.results["forces"] = self._model(self.atoms.numbers, self.atoms.positions)


@dataclass(frozen=True)
class Relaxed:
    """A minimum of the level: E_coh in eV, bonds by type."""

    smiles: str
    cohesive: float
    types: list[str]


def relax(smiles: str, model: AIMNet2) -> Relaxed | None:
    """The minimum of a molecule; None where the level does not hold it together, or its bonds have no
    orders."""
    from ase.optimize import BFGS

    try:
        atoms = embedded(smiles, 1)[0]
    except UnfitError:
        return None
    symbols = atoms.get_chemical_symbols()
    before = bonded_pairs(symbols, atoms.positions)
    atoms.calc = Level(model)
    BFGS(atoms, logfile=None, maxstep=0.1).run(fmax=0.02, steps=300)
    bonds = bonded_pairs(symbols, atoms.positions)
    orders = bond_orders(symbols, bonds)
    if np.abs(atoms.get_forces()).max() > 0.1 or not np.array_equal(before, bonds) or np.isnan(orders).any():
        return None
    total = atoms.get_potential_energy()
    cohesive = float(cohesive_energy(total, atoms.numbers, isolated_atom_energies(SPICE_LEVEL)))
    return Relaxed(smiles, cohesive, bond_types(symbols, bonds, orders))


def fitted(molecules: Sequence[Relaxed]) -> tuple[dict[str, tuple[float, float, int]], float]:
    """Energy of each type, eV, its standard error, and the molecules that have it; and the root mean square
    of what is left of E_coh, eV per bond. Types that the molecules do not determine are left out."""
    names = sorted({name for one in molecules for name in one.types})
    counts = np.array([[one.types.count(name) for name in names] for one in molecules], dtype=np.float64)
    energies = -np.array([one.cohesive for one in molecules])
    weights = 1.0 / counts.sum(
        axis=1
    )  # errors per bond: a large molecule is no better known than a small one
    matrix, target = counts * weights[:, None], energies * weights
    solution, _, rank, _ = np.linalg.lstsq(matrix, target, rcond=None)
    rest = target - matrix @ solution
    inverse = np.linalg.pinv(matrix.T @ matrix)
    error = np.sqrt(np.diag(inverse) * (rest @ rest) / max(len(molecules) - rank, 1))
    determined = np.isclose(np.diag(np.linalg.pinv(matrix) @ matrix), 1.0)
    return {
        name: (float(solution[k]), float(error[k]), int((counts[:, k] > 0).sum()))
        for k, name in enumerate(names)
        if determined[k]
    }, float(np.sqrt(np.mean(rest**2)))


def write(path: Path, comment: str, rows: Sequence[Sequence[Any]]) -> None:
    """A table in the form of ``reference_bond_energies.csv``."""
    with atomic_path(path) as partial, open(partial, "w", newline="", encoding="ascii") as file:
        file.writelines(f"# {line}\n" for line in comment.splitlines())
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["pair", "order", "kJ_per_mol", "low", "high", "kind", "source", "checked", "note"])
        writer.writerows(rows)
    print(f"{len(rows)} types in {path}")


def dissociation_rows() -> list[list[Any]]:
    """Rows of the second table."""
    rows = []
    for name, molecule, fragments in DISSOCIATIONS:
        pair, order = name.split()
        energy = (W4_11[molecule] - sum(W4_11[one] for one in fragments)) / KCAL_MOL_PER_EV / KJ_PER_MOL
        note = f"{molecule} to {' and '.join(fragments or ('atoms',))}"
        if len(fragments) == 1:
            note += " and an atom"
        rows.append([pair, order, f"{energy:.1f}", "", "", "dissociation", "W4-11", "computed", note])
    return rows


def level_rows(energies: dict[str, tuple[float, float, int]]) -> list[list[Any]]:
    """Rows of the first table; low and high are two standard errors away."""
    rows = []
    for name, (energy, error, count) in energies.items():
        pair, _, order = name.partition(" ")
        low, value, high = (x / KJ_PER_MOL for x in (energy - 2.0 * error, energy, energy + 2.0 * error))
        if value <= 0.0:
            continue
        note = f"in {count} molecules" + ("; little to fit it to" if count < SMALLEST else "")
        rows.append(
            [
                pair,
                order,
                f"{value:.1f}",
                f"{max(low, 0.1):.1f}",
                f"{high:.1f}",
                "fit",
                "AIMNet2",
                "computed",
                note,
            ]
        )
    return rows


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="AIMNET2", help="TorchScript file of AIMNet2")
    parser.add_argument("-o", "--output", type=Path, default=DATA, metavar="DIR", help="where the tables go")
    args = parser.parse_args(words)
    model = AIMNet2(args.model)
    molecules: list[Relaxed] = []
    left: list[str] = []
    for smiles in dict.fromkeys([*MOLECULES, *LARGER]):
        one = None if smiles in TRIPLETS else relax(smiles, model)
        if one is None:
            left.append(smiles)
            continue
        molecules.append(one)
        if smiles in W4_11:
            print(
                f"{smiles:14s} E_coh {one.cohesive:8.3f} eV, W4-11 {-W4_11[smiles] / KCAL_MOL_PER_EV:8.3f}",
                file=sys.stderr,
            )
    off = [one.cohesive + W4_11[one.smiles] / KCAL_MOL_PER_EV for one in molecules if one.smiles in W4_11]
    energies, rest = fitted(molecules)
    write(
        args.output / "level_bond_energies.csv",
        LEVEL_COMMENT.format(
            molecules=len(molecules),
            rest=rest,
            known=len(off),
            mean=np.mean(off),
            absolute=np.mean(np.abs(off)),
            left=" ".join(left),
        ),
        level_rows(energies),
    )
    write(args.output / "electronic_bond_energies.csv", DISSOCIATION_COMMENT, dissociation_rows())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
