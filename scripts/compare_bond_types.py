"""Compares the bond types that RDKit and antechamber perceive, over molecules of a SPICE HDF5 file.

Type: python scripts/compare_bond_types.py MOLECULES.hdf5 [SUBSET]     # e.g. "SPICE DES Monomers"

One line for each molecule on which they differ. Where the SMILES string is of one molecule without charges,
RDKit's perception from bonds alone is also compared with its reading of that string. Needs both extras of
bond types: pip install 'e3d-lmp[bonds,gaff]'.
"""

from __future__ import annotations

import sys
import time
from collections import Counter

import h5py
from ase.data import chemical_symbols
from ase.units import Bohr
from rdkit import Chem

from e3d_lmp.analysis.bonds.orders import bond_orders, bond_types, bonded_pairs, gaff_orders, rdkit_orders


def types_of_smiles(smiles: str) -> Counter | None:
    """Types of a SMILES string by the same rules; None if it has charges or more than one molecule."""
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or "." in smiles or Chem.GetFormalCharge(molecule):
        return None
    molecule = Chem.AddHs(molecule)
    elements = [atom.GetSymbol() for atom in molecule.GetAtoms()]
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
    if any(atom.GetFormalCharge() for atom in molecule.GetAtoms()):
        return None  # orders are averages there, not those of the string
    return Counter(bond_types(elements, bonds, [bond.GetBondTypeAsDouble() for bond in molecule.GetBonds()]))


def difference(first: Counter, second: Counter) -> str:
    return f"{dict(first - second)} against {dict(second - first)}"


def main() -> None:
    molecules = smiles_read = smiles_differ = 0
    bonds_all = bonds_differ = molecules_differ = 0
    seconds = {"rdkit": 0.0, "gaff": 0.0}
    with h5py.File(sys.argv[1]) as file:
        for name, group in file.items():
            subset = group["subset"][0].decode()
            if sys.argv[2:] and subset != sys.argv[2]:
                continue
            smiles = group["smiles"][0].decode()
            elements = [chemical_symbols[z] for z in group["atomic_numbers"][:]]
            bonds = bonded_pairs(elements, group["conformations"][0] * Bohr)
            start = time.perf_counter()
            by_rdkit = bond_orders(elements, bonds, rdkit_orders)
            middle = time.perf_counter()
            by_gaff = bond_orders(elements, bonds, gaff_orders)
            seconds["rdkit"] += middle - start
            seconds["gaff"] += time.perf_counter() - middle
            first, second = (Counter(bond_types(elements, bonds, orders)) for orders in (by_rdkit, by_gaff))
            molecules += 1
            bonds_all += len(bonds)
            if first != second:
                molecules_differ += 1
                bonds_differ += (first - second).total()
                print(f"{name} {smiles}: RDKit {difference(first, second)} GAFF")
            known = types_of_smiles(smiles)
            if known is not None:
                smiles_read += 1
                if known != first:
                    smiles_differ += 1
                    print(f"{name} {smiles}: RDKit from bonds {difference(first, known)} from SMILES")
    times = ", ".join(f"{name} {spent:.1f} s" for name, spent in seconds.items())
    print(f"{molecules} molecules, {bonds_all} bonds; {times}")
    print(f"RDKit and GAFF differ on {molecules_differ} molecules, {bonds_differ} bonds")
    print(f"RDKit from bonds and from SMILES differ on {smiles_differ} of {smiles_read} molecules")


if __name__ == "__main__":
    main()
