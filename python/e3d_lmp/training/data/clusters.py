"""Clusters and pairs of whole molecules, cut from a periodic liquid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii, vdw_radii
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components

from e3d_lmp.errors import E3DError

BOND = 1.25
"""Atoms within this many sums of their covalent radii are bonded, as in `e3d_lmp.training.data.split`."""


@dataclass(frozen=True)
class Molecules:
    """The molecules of a frame, each in one piece.

    Attributes
    ----------
    numbers : (N,) int, atomic numbers
    positions : (N, 3) float64, angstrom, every molecule whole, its atoms around the image of its first
    cell : (3, 3) float64, angstrom, rows are the vectors
    pbc : (3,) bool
    members : of each molecule the indices of its atoms
    """

    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    members: tuple[np.ndarray, ...]

    def centres(self) -> np.ndarray:
        """(M, 3) angstrom, the mean position of each molecule."""
        return np.array([self.positions[atoms].mean(axis=0) for atoms in self.members])


def whole_molecules(
    numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray
) -> Molecules:
    """The molecules of a frame, unwrapped along their bonds.

    Raises
    ------
    E3DError
        A molecule is bonded to its own image: a network, or a box that is too small.
    """
    from matscipy.neighbours import neighbour_list

    radii = covalent_radii[numbers]
    i, j, vectors, distances = neighbour_list(
        "ijDd", positions=positions, cell=cell, pbc=pbc, cutoff=2.0 * BOND * float(radii.max())
    )
    near = distances < BOND * (radii[i] + radii[j])
    i, j, vectors = i[near], j[near], vectors[near]
    count = len(numbers)
    graph = coo_matrix((np.ones(len(i)), (i, j)), shape=(count, count)).tocsr()
    _, molecule = connected_components(graph, directed=False)
    vector_of = {(a, b): v for a, b, v in zip(i.tolist(), j.tolist(), vectors, strict=True)}
    whole = np.array(positions, dtype=np.float64)
    order = np.argsort(molecule, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(molecule[order])) + 1)
    for atoms in members:
        reached, before = breadth_first_order(graph, atoms[0], directed=False)
        for atom in reached[1:]:
            whole[atom] = whole[before[atom]] + vector_of[int(before[atom]), int(atom)]
    if len(i) and np.abs(whole[j] - whole[i] - vectors).max() > 1e-6:
        raise E3DError(
            "expected molecules smaller than the box, got one bonded to its own image; take a larger box"
        )
    return Molecules(np.asarray(numbers), whole, np.asarray(cell), np.asarray(pbc), tuple(members))


def molecules_of(numbers: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of each molecule of a frame that is not periodic the indices of its atoms, in the order of their first.

    Parameters
    ----------
    numbers : (N,) int, atomic numbers
    positions : (N, 3) float64, angstrom
    """
    inside = positions - positions.min(axis=0)
    cell = np.diag(inside.max(axis=0) + 1.0)  # as the neighbour list bins it, even if it is not periodic
    return whole_molecules(np.asarray(numbers), inside, cell, np.zeros(3, dtype=bool)).members


def nearest(
    molecules: Molecules, centre: int, count: int, max_atoms: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Atoms and positions of the molecules nearest to one, itself included: a droplet.

    Parameters
    ----------
    centre : number of the molecule in the middle
    count : molecules of the droplet
    max_atoms : of the droplet, which else loses its outermost molecules; one stays in any case

    Returns
    -------
    atoms : (n,) int64, indices, molecule by molecule, the nearest first
    positions : (n, 3) float64, angstrom, the images that lie around the middle

    Raises
    ------
    E3DError
        The frame has fewer molecules, and no `max_atoms` is in the way.
    """
    centres = molecules.centres()
    shifts = _to_nearest_image(centres - centres[centre], molecules)
    chosen = np.argsort(np.linalg.norm(centres + shifts - centres[centre], axis=1), kind="stable")[:count]
    if max_atoms is not None:
        sizes = np.cumsum([len(molecules.members[k]) for k in chosen])
        chosen = chosen[: max(1, int(np.searchsorted(sizes, max_atoms, side="right")))]
    if len(chosen) == len(molecules.members) < count:
        raise E3DError(f"expected at least {count} molecules in the box, found {len(chosen)}; ask for fewer")
    atoms = [molecules.members[k] for k in chosen]
    positions = [molecules.positions[members] + shifts[k] for k, members in zip(chosen, atoms, strict=True)]
    return np.concatenate(atoms), np.concatenate(positions)


def pairs_in_contact(molecules: Molecules, contact: float = 1.1) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """All pairs of molecules of which two atoms are within `contact` sums of their van der Waals radii.

    Returns
    -------
    A list of (atoms, positions, atoms of the first molecule), as in `nearest`.
    """
    centres = molecules.centres()
    found = []
    for first, mine in enumerate(molecules.members):
        for second in range(first + 1, len(molecules.members)):
            theirs = molecules.members[second]
            shift = _to_nearest_image((centres[second] - centres[first])[None], molecules)[0]
            moved = molecules.positions[theirs] + shift
            distance = np.linalg.norm(molecules.positions[mine][:, None] - moved[None], axis=-1)
            sums = vdw_radii[molecules.numbers[mine]][:, None] + vdw_radii[molecules.numbers[theirs]][None]
            if (distance / sums).min() < contact:
                atoms = np.concatenate([mine, theirs])
                found.append((atoms, np.concatenate([molecules.positions[mine], moved]), len(mine)))
    return found


def _to_nearest_image(vectors: np.ndarray, molecules: Molecules) -> np.ndarray:
    """(M, 3) angstrom, lattice vectors that bring each vector to its shortest image."""
    from ase.geometry import find_mic

    if not molecules.pbc.any():
        return np.zeros_like(vectors)
    return find_mic(vectors, molecules.cell, molecules.pbc)[0] - vectors
