"""Molecules as graphs: which bonds are alike, which lie in rings, and what is left when one is cut."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.edges.molecules import molecule_of_atoms


def atom_colours(elements: Sequence[str], bonds: np.ndarray) -> list[str]:
    """A text for each atom that says what surrounds it, the same for atoms that are alike.

    Refinement by neighbours (Weisfeiler and Leman 1968), as many rounds as there are atoms at most: atoms
    that a symmetry of the graph exchanges have one colour. Conversely atoms of one colour are exchanged by a
    symmetry in all but very regular graphs. Texts of different molecules can be compared.

    Parameters
    ----------
    bonds
        (B, 2) int, counted from 0, each once.
    """
    neighbours: list[list[int]] = [[] for _ in elements]
    for i, j in np.asarray(bonds).tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    colours = [str(symbol) for symbol in elements]
    # not fewer rounds where nothing changes any more: texts of two molecules must be comparable
    for _ in elements:
        colours = [
            _digest("/".join([colours[a], *sorted(colours[b] for b in around)]))
            for a, around in enumerate(neighbours)
        ]
    return colours


def molecule_key(elements: Sequence[str], bonds: np.ndarray) -> str:
    """A text that is the same for molecules with the same atoms and bonds, in whatever order."""
    return _digest("/".join(sorted(atom_colours(elements, bonds))))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def equivalent_bonds(elements: Sequence[str], bonds: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """(B,) int: for each bond the first one that is like it, perhaps itself.

    Bonds are alike if their atoms are (`atom_colours`) and their orders (B,), so that the three C-H of a
    methyl group are one whatever the conformation, and so are the two of a CH2 next to a stereocentre.
    """
    colours = atom_colours(elements, bonds)
    first: dict[tuple[str, ...], int] = {}
    return np.array(
        [
            first.setdefault((*sorted((colours[i], colours[j])), f"{order:g}"), k)
            for k, ((i, j), order) in enumerate(zip(np.asarray(bonds).tolist(), orders, strict=True))
        ],
        dtype=np.int64,
    )


@dataclass(frozen=True)
class Cut:
    """The two sides of a bond that was cut: (n,) int64, atoms on the side of its first and its second one."""

    first: np.ndarray
    second: np.ndarray


def cut(n_atoms: int, bonds: np.ndarray, index: int) -> Cut | None:
    """What is left of a molecule without one bond; None where the bond lies in a ring.

    Parameters
    ----------
    bonds
        (B, 2) int, of a molecule that hangs together.
    """
    side = molecule_of_atoms(n_atoms, np.delete(bonds, index, axis=0))
    i, j = bonds[index]
    if side[i] == side[j]:
        return None
    return Cut(np.flatnonzero(side == side[i]), np.flatnonzero(side == side[j]))
