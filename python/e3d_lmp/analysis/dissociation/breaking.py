"""Every bond of a molecule: what the model's edges say of it, and what it takes to break it.

With E the energy of the model, M the molecule, X and Y what is left of it when the bond is cut:

============  ==========================================================================================
D, A          eps_ij + eps_ji and eps_ij - eps_ji at the geometry of M
BDE_frozen    E(X) + E(Y) - E(M), X and Y as they are in M
BDE_relaxed   the same with X and Y relaxed, each by itself
dH298         the same with harmonic enthalpies at 298.15 K
============  ==========================================================================================

M is relaxed first, unless that was not wanted. Acyclic single bonds are broken, one of those that are alike;
others are listed with the reason why they are not. The model knows no spin: what it gives a radical is as
good as its training was there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.analysis.bonds.orders import Perception, bond_orders, bond_type, bonded_pairs, is_bond_type
from e3d_lmp.analysis.bonds.types import PERCEPTIONS
from e3d_lmp.analysis.dissociation.graph import cut, equivalent_bonds, molecule_key
from e3d_lmp.analysis.dissociation.potential import directed_edges, open_calculator
from e3d_lmp.analysis.dissociation.relaxing import (
    Minimum,
    Settings,
    energy_of,
    relaxed,
    thermal,
    what_changed,
)
from e3d_lmp.edges.molecules import molecule_of_atoms
from e3d_lmp.edges.pairs import is_label, pair_label
from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError


@dataclass(frozen=True)
class BondChoice:
    """Which bonds are wanted; all where nothing was named.

    Attributes
    ----------
    types   labels (``C-H``) and bond types (``C-C 1``)
    pairs   two atoms each, counted from 0, the lower one first
    """

    types: frozenset[str] = frozenset()
    pairs: frozenset[tuple[int, int]] = frozenset()

    @property
    def is_all(self) -> bool:
        """Whether nothing was named."""
        return not self.types and not self.pairs

    def has(self, i: int, j: int, label: str, kind: str) -> bool:
        """Whether a bond is wanted; i and j in any order."""
        named = label in self.types or kind in self.types or (min(i, j), max(i, j)) in self.pairs
        return self.is_all or named


def parse_bonds(words: Sequence[str]) -> BondChoice:
    """The bonds that words name: ``C-H``, ``'C-C 1'`` or two atoms counted from 0, ``3-7``.

    Raises
    ------
    E3DError
        A word is none of them.
    """
    types, pairs = set(), set()
    for word in words:
        atoms = re.fullmatch(r"([0-9]{1,9})-([0-9]{1,9})", word)
        label, blank, order = word.partition(" ")
        pair = label.split("-")
        in_order = pair_label(*pair) + blank + order if len(pair) == 2 else word
        if atoms and atoms[1] != atoms[2]:
            i, j = int(atoms[1]), int(atoms[2])
            pairs.add((min(i, j), max(i, j)))
        elif is_label(in_order) or is_bond_type(in_order):
            types.add(in_order)
        else:
            raise E3DError(
                f"--bonds: expected a pair of elements (C-H), a bond type ('C-C 1') or two atoms counted "
                f"from 0 (3-7), got '{word}'"
            )
    return BondChoice(frozenset(types), frozenset(pairs))


@dataclass
class BondRow:
    """One bond; energies in eV, nan where it was not broken.

    Attributes
    ----------
    i, j            atoms, counted from 0; i is the first one of the pair's label
    type            ``C-N 2``
    length          angstrom
    D, A            of its two edges
    same_as         ``i-j`` of the bond that was broken in its place; else empty
    why             why it was not broken; empty where it was
    side_i, side_j  formulas of the fragments
    frozen_i, frozen_j, relaxed_i, relaxed_j
                    their energies
    bde_frozen, bde_relaxed, enthalpy
                    see the head of this module
    key_i, key_j    `molecule_key` of the fragments
    remark          what happened to the fragments
    """

    i: int
    j: int
    type: str
    length: float
    D: float
    A: float
    same_as: str = ""
    why: str = ""
    side_i: str = ""
    side_j: str = ""
    frozen_i: float = math.nan
    frozen_j: float = math.nan
    relaxed_i: float = math.nan
    relaxed_j: float = math.nan
    bde_frozen: float = math.nan
    bde_relaxed: float = math.nan
    enthalpy: float = math.nan
    key_i: str = ""
    key_j: str = ""
    remark: str = ""


def break_bonds(
    structure: Structure,
    calculator: Any,
    settings: Settings,
    perceive: Perception | None,
    choice: BondChoice | None = None,
) -> dict[str, Any]:
    """What becomes of the bonds of a molecule.

    Parameters
    ----------
    perceive
        Finds bond orders; None: nothing does, and only bonds that `choice` names are broken.
    choice
        The bonds that are wanted; those that are named are broken whatever their order, if they are acyclic.

    Returns
    -------
    dict
        ``formula``; ``energy``, eV, of the molecule; ``remark``, what the user must know of it; ``rows``, the
        fields of a `BondRow` each. What can be written as JSON, with nan.

    Raises
    ------
    E3DError
        The structure is periodic, or the model does not know an element of it.
    """
    choice = choice or BondChoice()
    atoms = molecule_atoms(structure)
    symbols = atoms.get_chemical_symbols()
    bonds = bonded_pairs(symbols, atoms.positions, settings.cutoff)
    start = relaxed(atoms, calculator, settings)
    remarks = [] if start.converged else [_unfinished("molecule", settings)]
    change = what_changed(bonds, start.bonds, len(atoms))
    if change:
        remarks.append(f"molecule: {change}; D and A are of the geometry as given, no bond is broken")
    else:
        atoms.positions = start.positions
    orders = np.full(len(bonds), math.nan) if perceive is None else bond_orders(symbols, bonds, perceive)
    several = len(bonds) > 0 and molecule_of_atoms(len(atoms), bonds).max() > 0
    # `bond_orders` gives bonds of H an order in any case
    found = perceive(symbols, bonds, 0) if perceive and len(bonds) and not several else orders
    is_open = atoms.numbers.sum() % 2 == 1 or (perceive is not None and bool(np.isnan(found).any()))
    if is_open:
        remarks.append("no closed-shell structure: a radical, an ion or unusual bonds")
    whole = "the molecule changed" if change else "several molecules" if several else ""
    same = equivalent_bonds(symbols, bonds, orders)
    table = _rows(atoms, symbols, bonds, orders, calculator)
    wanted = [
        k for k, row in enumerate(table) if choice.has(row.i, row.j, row.type.partition(" ")[0], row.type)
    ]
    energy = math.nan if change else start.energy
    enthalpy: float | None = None
    for k in wanted:
        row, named = table[k], not choice.is_all
        first = next(other for other in wanted if same[other] == same[k])
        row.why = whole or _why_not(orders[k], perceive is not None, is_open, named)
        sides = None if row.why else cut(len(atoms), bonds, k)
        if not row.why and sides is None:
            row.why = "ring"
        if row.why or sides is None:
            continue
        if first != k:
            row.same_as = f"{table[first].i}-{table[first].j}"
            continue
        if settings.enthalpy and enthalpy is None:
            enthalpy = _enthalpy(atoms, start, calculator, remarks, "molecule")
        ordered = (sides.first, sides.second) if row.i == bonds[k][0] else (sides.second, sides.first)
        _break(row, atoms, ordered, energy, enthalpy, calculator, settings)
    return {
        "formula": atoms.get_chemical_formula(),
        "energy": energy,
        "remark": "; ".join(remarks),
        "rows": [asdict(table[k]) for k in wanted],
    }


@dataclass(frozen=True)
class BondBreaking:
    """Makes `break_bonds` of a model file, in any process.

    Attributes
    ----------
    perception  name of `e3d_lmp.analysis.bonds.types.PERCEPTIONS`
    """

    model: Path
    settings: Settings
    perception: str
    choice: BondChoice = BondChoice()

    def __call__(self) -> Callable[[Structure], dict[str, Any]]:
        """`break_bonds` of one structure; `E3DError` where the model cannot be loaded."""
        return partial(
            break_bonds,
            calculator=open_calculator(self.model, self.settings.enthalpy),
            settings=self.settings,
            perceive=PERCEPTIONS[self.perception],
            choice=self.choice,
        )


def molecule_atoms(structure: Structure) -> Any:
    """ASE's atoms of a structure that is no crystal.

    Raises
    ------
    E3DError
        It is periodic, has no atoms, or positions that are not finite.
    """
    from ase import Atoms

    if structure.pbc.any():
        raise E3DError("periodic; expected a molecule (set pbc to F F F where the cell is only a box)")
    if not len(structure.numbers):
        raise E3DError("no atoms in it")
    if not np.isfinite(structure.positions).all():
        raise E3DError("positions that are not finite; mend the file")
    return Atoms(structure.numbers, structure.positions)


def _rows(
    atoms: Any, symbols: Sequence[str], bonds: np.ndarray, orders: np.ndarray, calculator: Any
) -> list[BondRow]:
    """All bonds, none of them broken yet."""
    edges = directed_edges(atoms, calculator)
    rows = []
    for (i, j), order in zip(bonds.tolist(), orders, strict=True):
        label = pair_label(symbols[i], symbols[j])
        if symbols[i] != label.partition("-")[0]:
            i, j = j, i
        forth, back = edges.of_pair(i, j)
        length = float(np.linalg.norm(atoms.positions[j] - atoms.positions[i]))
        rows.append(BondRow(i, j, bond_type(label, float(order)), length, forth + back, forth - back))
    return rows


def _why_not(order: float, has_orders: bool, is_open: bool, named: bool) -> str:
    """Why a bond is not broken that may lie in no ring; nothing where it is."""
    if named:
        return ""
    if is_open:
        return "no closed-shell structure"
    if math.isnan(order):
        return "no bond order" if has_orders else "no bond orders without RDKit; name it with --bonds"
    return "" if order == 1.0 else f"order {order:g}"


def _break(
    row: BondRow,
    atoms: Any,
    sides: tuple[np.ndarray, np.ndarray],
    energy: float,
    enthalpy: float | None,
    calculator: Any,
    settings: Settings,
) -> None:
    """Fill in the energies of the two fragments; `sides` in the order of the row's atoms."""
    remarks: list[str] = []
    total = 0.0
    for end, side in zip("ij", sides, strict=True):
        part = atoms[side]
        symbols = part.get_chemical_symbols()
        bonds = bonded_pairs(symbols, part.positions, settings.cutoff)
        formula = part.get_chemical_formula()
        setattr(row, f"side_{end}", formula)
        setattr(row, f"key_{end}", molecule_key(symbols, bonds))
        try:
            setattr(row, f"frozen_{end}", energy_of(part, calculator))
            if not settings.relax:
                continue
            end_state = relaxed(part, calculator, settings)
            setattr(row, f"relaxed_{end}", end_state.energy)
            if not end_state.converged:
                remarks.append(_unfinished(formula, settings))
            change = what_changed(bonds, end_state.bonds, len(part))
            if change:
                remarks.append(f"{formula}: {change}")
            if enthalpy is not None:
                total += _enthalpy(part, end_state, calculator, remarks, formula)
        except E3DError as error:  # of one fragment: other bonds are none the worse for it
            remarks.append(f"{formula}: {error}")
            total = math.nan
    row.bde_frozen = row.frozen_i + row.frozen_j - energy
    row.bde_relaxed = row.relaxed_i + row.relaxed_j - energy
    if enthalpy is not None:
        row.enthalpy = total - enthalpy
    row.remark = "; ".join(remarks)


def _enthalpy(atoms: Any, minimum: Minimum, calculator: Any, remarks: list[str], what: str) -> float:
    """H(298 K) of a minimum, eV; modes that are none are remarked on."""
    atoms = atoms.copy()
    atoms.positions = minimum.positions
    found = thermal(atoms, calculator, minimum.energy)
    if found.imaginary:
        remarks.append(f"{what}: {found.imaginary} imaginary frequencies")
    return found.enthalpy


def _unfinished(what: str, settings: Settings) -> str:
    return f"{what}: not relaxed to {settings.fmax:g} eV/angstrom in {settings.steps} steps"
