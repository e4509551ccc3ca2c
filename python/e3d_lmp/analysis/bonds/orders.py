"""Bonds of molecules and their types: pair label and bond order, such as ``C-N 2``.

The paper compares D with reference energies by bond type, with orders 1, 1.5, 2, 2.5 and 3. It takes them
from GAFF atom and bond types; here RDKit perceives them (the extra ``bonds``), and antechamber's ``bondtype``
(the extra ``gaff``) is there to cross-check. Both start from the same bonds, those within a bond cutoff or of
a topology. In a hot frame a cutoff may count a contact across a small ring as a bond, and the molecule then
has no orders: take a relaxed frame, a smaller cutoff or a topology.

An order makes no sense in a transition state, a radical, a metal or an ionic pair. Where no perception finds
a structure with closed shells, bonds of H are single and all others have order nan; their type is the pair
label alone.

Rules of `rdkit_orders`, in this order: aromatic bonds (RDKit's model, which counts furan, thiophene and
pyrrole) and both N-O bonds of a nitro group are 1.5; in molecules with formal charges (azide, N2O, ozone) an
order is the average over RDKit's resonance structures (those with more charges left out) and over bonds that
are alike by topology, rounded to the nearest half: 2.5 and 1.5 in N2O; others are those of the Lewis
structure: the C-N bond of an amide is 1. A molecule is neutral as a whole unless a charge is given.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.edges.cutoffs import BondCutoff, parse_cutoff, unknown_elements
from e3d_lmp.edges.molecules import molecule_of_atoms
from e3d_lmp.edges.pairs import is_label, pair_label
from e3d_lmp.errors import E3DError

MOST_STRUCTURES = 100
"""Resonance structures that are averaged over."""

MOST_TRIALS = 20000
"""Valence states that RDKit tries in one molecule before its orders count as not found."""

Perception = Callable[[Sequence[str], np.ndarray, int], np.ndarray]
"""Elements (n,), bonds (B, 2) of one molecule and its charge -> orders (B,) float64, nan for all if not
found.
"""


def bond_type(label: str, order: float) -> str:
    """Name of a bond type: ``C-N 2``; the label in its usual order, and alone where the order is nan."""
    label = pair_label(*label.split("-"))
    return label if math.isnan(order) else f"{label} {order:g}"


def is_bond_type(name: Any) -> bool:
    """Whether a value is the name of a bond type, as `bond_type` gives it."""
    if not isinstance(name, str):
        return False
    label, blank, order = name.partition(" ")
    is_order = re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", order) is not None
    return is_label(label) and (not blank or (is_order and bond_type(label, float(order)) == name))


def bonded_pairs(
    elements: Sequence[str],
    positions: np.ndarray,
    cutoff: BondCutoff | str = "covalent",
    cell: np.ndarray | None = None,
) -> np.ndarray:
    """(B, 2) int64, pairs of atoms i < j, ascending, whose distance is below the bond cutoff.

    Parameters
    ----------
    elements
        (n,) chemical symbols.
    positions
        (n, 3) angstrom.
    cutoff
        In the words of `e3d_lmp.edges.cutoffs`; not ``model``, which is no bond cutoff.
    cell
        (3, 3) angstrom, of a system that is periodic in all directions; None for none.

    Raises
    ------
    E3DError
        If the cutoff is ``model``, or an element is unknown.
    """
    from ase.neighborlist import primitive_neighbor_list

    _check_elements(elements)
    cutoff = parse_cutoff(cutoff) if isinstance(cutoff, str) else cutoff
    kinds, kind = np.unique(elements, return_inverse=True)
    limits = cutoff.matrix(kinds.tolist())
    if not np.all(np.isfinite(limits)):
        raise E3DError(
            "bond orders need a bond cutoff: 'covalent', 'paper', a number, or 'file F', not 'model'"
        )
    i, j, distance = primitive_neighbor_list(
        "ijd",
        [cell is not None] * 3,
        np.eye(3) if cell is None else np.asarray(cell, dtype=np.float64),
        np.asarray(positions, dtype=np.float64),
        float(limits.max()),
    )
    near = (i < j) & (distance < limits[kind[i], kind[j]])
    pairs = np.stack([i[near], j[near]], axis=1).astype(np.int64)
    return np.unique(pairs, axis=0).reshape(-1, 2)


def bond_orders(
    elements: Sequence[str],
    bonds: np.ndarray,
    perceive: Perception | None = None,
    charge: int = 0,
    known: dict[tuple, np.ndarray] | None = None,
) -> np.ndarray:
    """(B,) float64, order of each bond: 1, 1.5, 2, 2.5 or 3, nan where none was found.

    Molecules are perceived one by one, and equal ones (the same elements and bonds in the same order of
    atoms) once, so that a liquid costs as much as its different molecules. For a trajectory, type the first
    frame.

    Parameters
    ----------
    elements
        (n,) chemical symbols.
    bonds
        (B, 2) int, pairs of atoms counted from 0, each once: from `bonded_pairs` or a topology.
    perceive
        `rdkit_orders` (default) or `gaff_orders`.
    charge
        Of each molecule, in units of e.
    known
        Orders of molecules of earlier calls with the same `perceive` and `charge`; those of new ones are
        added.

    Raises
    ------
    E3DError
        If the bonds are malformed, or the program that perceives them is not installed.
    """
    perceive = rdkit_orders if perceive is None else perceive
    _check_elements(elements)
    bonds = np.asarray(bonds, dtype=np.int64).reshape(-1, 2)
    if not bonds.size:
        return np.zeros(0)
    n = len(elements)
    if bonds.min() < 0 or bonds.max() >= n or np.any(bonds[:, 0] == bonds[:, 1]):
        raise E3DError(f"bonds: expected pairs of different atoms counted from 0 to {n - 1}")
    if np.unique(np.sort(bonds, axis=1), axis=0).shape != bonds.shape:
        raise E3DError("bonds: a pair of atoms occurs more than once; list each bond once")
    molecule = molecule_of_atoms(n, bonds)
    atoms_of = np.argsort(molecule, kind="stable")
    start = np.searchsorted(molecule[atoms_of], np.arange(molecule.max() + 2))
    place = np.empty(n, dtype=np.int64)
    place[atoms_of] = np.arange(n) - start[molecule[atoms_of]]
    rows_of = np.argsort(molecule[bonds[:, 0]], kind="stable")
    row_start = np.searchsorted(molecule[bonds[rows_of, 0]], np.arange(len(start)))
    orders = np.full(len(bonds), math.nan)
    known = {} if known is None else known
    for k in range(len(start) - 1):
        rows = rows_of[row_start[k] : row_start[k + 1]]
        if rows.size == 0:
            continue
        symbols = tuple(elements[a] for a in atoms_of[start[k] : start[k + 1]])
        local = place[bonds[rows]]
        key = (symbols, local.tobytes())
        if key not in known:
            known[key] = _with_hydrogen(symbols, local, perceive(symbols, local, charge))
        orders[rows] = known[key]
    return orders


def bond_types(elements: Sequence[str], bonds: np.ndarray, orders: np.ndarray) -> list[str]:
    """Type of each bond, e.g. ``C-N 2``; elements (n,), bonds (B, 2), orders (B,)."""
    return [
        bond_type(f"{elements[i]}-{elements[j]}", float(order))
        for (i, j), order in zip(bonds, orders, strict=True)
    ]


def rdkit_orders(elements: Sequence[str], bonds: np.ndarray, charge: int = 0) -> np.ndarray:
    """(B,) orders of the bonds of one molecule as RDKit perceives them; nan without a closed-shell structure.

    `rdDetermineBonds.DetermineBondOrders` (the method of Kim and Kim, Bull. Korean Chem. Soc. 36, 1769
    (2015)) finds the Lewis structure; the rest is said at the head of this module. Nitro groups are known
    beforehand and stand aside as one monovalent atom each: RDKit finds no structure for dinitrobenzene
    otherwise, and for nitropyrazole only in some orders of its atoms.

    Raises
    ------
    E3DError
        If RDKit is not installed.
    """
    symbols, bonds = np.array(elements), np.asarray(bonds)
    degree = np.bincount(bonds.ravel(), minlength=len(symbols))
    end = (symbols == "O") & (degree == 1)
    oxygens = np.bincount(bonds[:, 0], end[bonds[:, 1]], len(symbols))
    oxygens += np.bincount(bonds[:, 1], end[bonds[:, 0]], len(symbols))
    nitro = (symbols == "N") & (degree == 3) & (oxygens == 2)
    aside = nitro[bonds].any(axis=1) & end[bonds].any(axis=1)
    gone = np.zeros(len(symbols), dtype=bool)
    gone[bonds[aside]] = True
    gone &= ~nitro
    place = np.cumsum(~gone) - 1
    rest = np.where(nitro, "F", symbols)[~gone].tolist()
    orders = np.full(len(bonds), 1.5)
    orders[~aside] = _perceive(rest, place[bonds[~aside]], charge)
    return orders


def _perceive(elements: Sequence[str], bonds: np.ndarray, charge: int) -> np.ndarray:
    """`rdkit_orders` of a molecule without nitro groups."""
    try:
        from rdkit import Chem, rdBase
        from rdkit.Chem import rdDetermineBonds
    except ImportError as error:
        raise E3DError(f"bond orders need RDKit ({error}); type: pip install 'e3d-lmp[bonds]'") from None

    molecule = Chem.RWMol()
    for symbol in elements:
        atom = Chem.Atom(symbol)
        atom.SetNoImplicit(True)
        molecule.AddAtom(atom)
    for i, j in np.asarray(bonds).tolist():
        molecule.AddBond(i, j, Chem.BondType.SINGLE)
    rank = np.array(Chem.CanonicalRankAtoms(molecule, breakTies=False))
    with rdBase.BlockLogs():
        try:
            rdDetermineBonds.DetermineBondOrders(
                molecule, charge=charge, embedChiral=False, maxIterations=MOST_TRIALS
            )
            Chem.SanitizeMol(molecule)
        except (ValueError, RuntimeError):  # no structure of this charge, or not found in time
            return np.full(len(bonds), math.nan)
    if any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
        return np.full(len(bonds), math.nan)
    orders = _orders_of(molecule)
    if not any(atom.GetFormalCharge() for atom in molecule.GetAtoms()):
        return orders
    charges = _charges_of(molecule).sum()
    structures = [
        _orders_of(one)
        for one in Chem.ResonanceMolSupplier(molecule, maxStructs=MOST_STRUCTURES)
        if one is not None and _charges_of(one).sum() <= charges
    ]
    average = np.mean(structures or [orders], axis=0)  # none for diazomethane: RDKit moves no charge to C
    alike = np.sort(rank[np.asarray(bonds)], axis=1)
    _, group = np.unique(alike, axis=0, return_inverse=True)
    group = group.ravel()
    average = (np.bincount(group, weights=average) / np.bincount(group))[group]
    aromatic = np.array([bond.GetIsAromatic() for bond in molecule.GetBonds()])
    return np.where(aromatic, 1.5, np.floor(2.0 * average + 0.5) / 2.0)


def gaff_orders(elements: Sequence[str], bonds: np.ndarray, charge: int = 0) -> np.ndarray:
    """(B,) orders of the bonds of one molecule, from the GAFF bond types of antechamber's ``bondtype``.

    Types 1, 2 and 3 are orders; 7, 8 (single and double in an aromatic ring), 9 (delocalised) and 10 are 1.5
    (Wang, Wang, Kollman and Case, J. Mol. Graph. Model. 25, 247 (2006), table 1). All nan where ``bondtype``
    finds no valence state for every atom. It finds the charge for itself: `charge` is not used.

    Raises
    ------
    E3DError
        If there is no ``bondtype`` beside this Python or on the PATH.
    """
    beside = Path(sys.executable).with_name("bondtype")
    program = str(beside) if os.access(beside, os.X_OK) else shutil.which("bondtype")
    if program is None:
        raise E3DError("GAFF bond types need antechamber's 'bondtype'; type: pip install 'e3d-lmp[gaff]'")
    lines = ["@<TRIPOS>MOLECULE", "MOL", f"{len(elements)} {len(bonds)} 1 0 0", "SMALL", "NO_CHARGES", ""]
    lines += ["@<TRIPOS>ATOM"]
    lines += [f"{k} {symbol}{k} {k}.0 0.0 0.0 {symbol} 1 MOL 0.0" for k, symbol in enumerate(elements, 1)]
    lines += ["@<TRIPOS>BOND"]
    lines += [f"{k} {i + 1} {j + 1} 1" for k, (i, j) in enumerate(np.asarray(bonds).tolist(), 1)]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "in.mol2").write_text("\n".join(lines) + "\n", encoding="ascii")
        command = [program, "-i", "in.mol2", "-o", "out.ac", "-f", "mol2", "-j", "full"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        output = Path(folder, "out.ac")
        if done.returncode or not output.exists() or "PSCUTOFF" in done.stdout + done.stderr:
            return np.full(len(bonds), math.nan)
        rows = [line.split() for line in output.read_text().splitlines() if line.startswith("BOND")]
    found = {frozenset((int(row[2]) - 1, int(row[3]) - 1)): _GAFF_ORDER[int(row[4])] for row in rows}
    return np.array([found[frozenset(pair)] for pair in np.asarray(bonds).tolist()], dtype=np.float64)


_GAFF_ORDER = {1: 1.0, 2: 2.0, 3: 3.0, 6: 1.5, 7: 1.5, 8: 1.5, 9: 1.5, 10: 1.5}


def _check_elements(elements: Sequence[str]) -> None:
    unknown = unknown_elements(elements)
    if unknown:
        raise E3DError(f"bonds: '{unknown[0]}' is not a chemical element from H to Cm")


def _orders_of(molecule: Any) -> np.ndarray:
    return np.array([bond.GetBondTypeAsDouble() for bond in molecule.GetBonds()], dtype=np.float64)


def _charges_of(molecule: Any) -> np.ndarray:
    return np.array([abs(atom.GetFormalCharge()) for atom in molecule.GetAtoms()])


def _with_hydrogen(elements: Sequence[str], bonds: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """The same orders, 1 instead of nan for bonds of an H with one bond."""
    neighbours = np.bincount(bonds.ravel(), minlength=len(elements))
    terminal = (np.array(elements) == "H") & (neighbours == 1)
    return np.where(np.isnan(orders) & terminal[bonds].any(axis=1), 1.0, orders)
