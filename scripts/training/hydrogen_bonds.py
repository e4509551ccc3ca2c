"""Hydrogen bonds of two molecules, and their protons on the way from one molecule to the other."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from dft_geometry import bonded
from held_out_dimers import shifted

DONORS = ACCEPTORS = (7, 8, 9, 16, 17)  # N O F S Cl
HYDROGEN_BOND = 2.5  # angstrom, at most, from the proton to the acceptor
PUSHED, MOVED = (-0.45, 0.0), (0.3, 1.0)
"""The molecules, angstrom, and the protons, of the way to the middle, where these are on their way."""
MIN_DISTANCE = 0.5
"""Of two atoms, in sums of covalent radii: callers leave out frames with closer ones. Less than
`dft_geometry.MIN_DISTANCE`, because moved protons are near other atoms on purpose."""


def hydrogen_bonds(atoms: Atoms, first: int) -> list[tuple[int, int, int]]:
    """Donor, proton and acceptor of each between the first atoms and the others, the shortest first."""
    near, distance, z = bonded(atoms), atoms.get_all_distances(), atoms.numbers
    side = np.arange(len(atoms)) < first
    found = []
    for proton in np.flatnonzero(z == 1).tolist():
        donors = np.flatnonzero(near[proton] & np.isin(z, DONORS))
        across = np.flatnonzero((side != side[proton]) & np.isin(z, ACCEPTORS))
        if len(donors) != 1 or not across.size:
            continue
        acceptor = int(across[distance[proton, across].argmin()])
        if distance[proton, acceptor] < HYDROGEN_BOND:
            found.append((float(distance[proton, acceptor]), int(donors[0]), proton, acceptor))
    return [(donor, proton, acceptor) for _, donor, proton, acceptor in sorted(found)]


def on_their_way(minimum: Atoms, first: int, most: int, rng: np.random.Generator) -> Atoms | None:
    """A dimer with the protons of its shortest hydrogen bonds moved towards the middle of donor and acceptor,
    the molecules pushed together; None where it has no hydrogen bond.

    Parameters
    ----------
    most : protons that move, at most
    """
    bonds = hydrogen_bonds(minimum, first)[:most]
    if not bonds:
        return None
    atoms = shifted(minimum, first, rng.uniform(*PUSHED))
    share = rng.uniform(*MOVED)
    for donor, proton, acceptor in bonds:
        middle = 0.5 * (atoms.positions[donor] + atoms.positions[acceptor])
        atoms.positions[proton] += share * (middle - atoms.positions[proton])
    return atoms
