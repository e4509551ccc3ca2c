"""Random small molecules, and isomers that one or two rearrangements of bonds make of them, as bond orders.

A molecule is a list of elements and a symmetric matrix of bond orders. A rearrangement breaks up to three
bonds (a double bond counts as two) and joins the loose ends anew, which is what separates reactant and
product of most elementary reactions. Only what has ordinary valences is kept, carbenes and pairs of opposite
formal charges (ylides, isocyanides, nitrile oxides) included.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

SIZES = {3: 0.04, 4: 0.1, 5: 0.2, 6: 0.4, 7: 0.26}
"""Shares of the numbers of heavy atoms."""
ELEMENTS = {"C": 0.58, "N": 0.19, "O": 0.19, "S": 0.02, "F": 0.01, "Cl": 0.01}
"""Shares of the elements."""
VALENCE = {"H": 1, "C": 4, "N": 3, "O": 2, "S": 2, "F": 1, "Cl": 1}
CHARGES = {
    "H": {1: 0},
    "C": {4: 0, 3: -1, 2: 0},
    "N": {3: 0, 4: 1, 2: -1},
    "O": {2: 0, 3: 1, 1: -1},
    "S": {2: 0, 3: 1, 1: -1, 4: 0},
    "F": {1: 0},
    "Cl": {1: 0},
}
"""Formal charge by number of bonds; other numbers are not made. Carbon with two bonds is a carbene."""


@dataclass(frozen=True)
class Bonds:
    """A molecule without geometry.

    Attributes
    ----------
    symbols : of the N atoms, hydrogens among them
    orders : (N, N) int64, bond orders, symmetric
    """

    symbols: tuple[str, ...]
    orders: np.ndarray

    @property
    def charges(self) -> list[int] | None:
        """Formal charge of each atom; None where a valence is not of `CHARGES`."""
        found = [
            CHARGES[symbol].get(int(bonds))
            for symbol, bonds in zip(self.symbols, self.orders.sum(1), strict=True)
        ]
        return None if None in found else [charge for charge in found if charge is not None]

    def sensible(self) -> bool:
        """Whether valences are ordinary, it is neutral with at most one pair of charges, and at most one
        carbene."""
        charges = self.charges
        if charges is None or self.orders.max() > 3:
            return False
        bonds = self.orders.sum(1)
        carbenes = sum(symbol == "C" and n == 2 for symbol, n in zip(self.symbols, bonds, strict=True))
        return sum(charges) == 0 and sum(map(abs, charges)) <= 2 and carbenes <= 1

    def molecule(self) -> Any:
        """RDKit's molecule, atoms in the same order; None where RDKit does not take it."""
        from rdkit import Chem, rdBase

        rdBase.DisableLog("rdApp.*")
        made = Chem.RWMol()
        carbene = self.orders.sum(1)
        for k, (symbol, charge) in enumerate(zip(self.symbols, self.charges or [], strict=True)):
            atom = Chem.Atom(symbol)
            atom.SetFormalCharge(charge)
            atom.SetNoImplicit(True)
            if symbol == "C" and carbene[k] == 2:
                atom.SetNumRadicalElectrons(2)
            made.AddAtom(atom)
        kinds = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
        for i, j in np.argwhere(np.triu(self.orders)).tolist():
            made.AddBond(i, j, kinds[int(self.orders[i, j])])
        try:
            Chem.SanitizeMol(made)
        except ValueError:  # RDKit's own exceptions are of it
            return None
        return made.GetMol()


def canonical(molecule: Any) -> str:
    """SMILES, the same for every order of atoms."""
    from rdkit import Chem

    return Chem.MolToSmiles(Chem.RemoveHs(molecule, sanitize=False))


def random_molecule(rng: np.random.Generator) -> Bonds:
    """A connected molecule: a random tree of heavy atoms, then rings and multiple bonds, then hydrogens."""
    size = int(rng.choice(list(SIZES), p=list(SIZES.values())))
    while True:
        heavy = rng.choice(list(ELEMENTS), size=size, p=list(ELEMENTS.values())).tolist()
        if "C" not in heavy:
            continue
        orders = np.zeros((size, size), dtype=np.int64)
        free = np.array([VALENCE[symbol] for symbol in heavy])
        for new in range(1, size):
            open_ends = [k for k in range(new) if free[k] > 0]
            if not open_ends:
                break
            _join(orders, free, new, int(rng.choice(open_ends)))
        else:
            for _ in range(int(rng.integers(0, 5))):
                open_ends = [k for k in range(size) if free[k] > 0]
                if len(open_ends) > 1:
                    _join(orders, free, *(int(k) for k in rng.choice(open_ends, size=2, replace=False)))
            if _likely(heavy, orders):
                return _with_hydrogens(heavy, orders, free)


def _join(orders: np.ndarray, free: np.ndarray, i: int, j: int) -> None:
    orders[i, j] += 1
    orders[j, i] += 1
    free[[i, j]] -= 1


def _likely(heavy: list[str], orders: np.ndarray) -> bool:
    """No order above three, and few bonds between two heteroatoms."""
    other = np.array([symbol != "C" for symbol in heavy])
    return bool(orders.max() <= 3 and (np.triu(orders) > 0)[np.ix_(other, other)].sum() <= 2)


def _with_hydrogens(heavy: list[str], orders: np.ndarray, free: np.ndarray) -> Bonds:
    owners = np.repeat(np.arange(len(heavy)), free)
    total = len(heavy) + len(owners)
    full = np.zeros((total, total), dtype=np.int64)
    full[: len(heavy), : len(heavy)] = orders
    for k, owner in enumerate(owners, start=len(heavy)):
        full[k, owner] = full[owner, k] = 1
    return Bonds((*heavy, *["H"] * len(owners)), full)


def rearranged(bonds: Bonds, rng: np.random.Generator, tries: int = 200) -> Bonds | None:
    """An isomer that one rearrangement makes, its atoms in the same order; None if none was found."""
    pairs = np.argwhere(np.triu(bonds.orders))
    for _ in range(tries):
        orders = bonds.orders.copy()
        number = min(int(rng.choice([1, 2, 3], p=[0.15, 0.6, 0.25])), len(pairs))
        ends: list[int] = []
        for i, j in pairs[rng.choice(len(pairs), size=number, replace=False)].tolist():
            orders[i, j] -= 1
            orders[j, i] -= 1
            ends += [i, j]
        ends = rng.permutation(ends).tolist()
        twice = [atom for atom, times in Counter(ends).items() if times == 2 and bonds.symbols[atom] == "C"]
        if twice and rng.uniform() < 0.3:  # a carbene
            ends = [atom for atom in ends if atom != twice[0]]
        elif rng.uniform() < 0.2:  # a lone pair takes the bond: charges
            ends[0] = int(rng.integers(len(bonds.symbols)))
        if len(ends) % 2 or any(i == j for i, j in zip(ends[::2], ends[1::2], strict=True)):
            continue
        for i, j in zip(ends[::2], ends[1::2], strict=True):
            orders[i, j] += 1
            orders[j, i] += 1
        made = Bonds(bonds.symbols, orders)
        if ((orders > 0) != (bonds.orders > 0)).any() and made.sensible():
            return made
    return None
