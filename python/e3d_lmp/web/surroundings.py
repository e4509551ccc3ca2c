"""The atoms around a bond, cut out of a frame for a picture."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from e3d_lmp.edges.cutoffs import COVALENT_FACTOR, covalent_radii
from e3d_lmp.edges.frames import AtomRows, Box
from e3d_lmp.edges.pairs import PairFrame
from e3d_lmp.errors import E3DError

WHOLE_ATOMS = 250
"""Molecules (no periodic direction) of up to so many atoms are shown whole."""

MISFIT = 0.05
"""Largest distance, angstrom, between an atom and the end of its bond: positions in dumps are rounded."""


@dataclass(frozen=True)
class Fragment:
    """Atoms to be shown together.

    Attributes
    ----------
    row           (M,) int64, rows of the frame's atoms; one atom may be there with several images
    position      (M, 3) float64, angstrom; a sphere has the middle of its bond at 0
    first, second indices of the bond's two atoms in `row`
    """

    row: np.ndarray
    position: np.ndarray
    first: int
    second: int


def fits_whole(n_atoms: int, box: Box) -> bool:
    """Whether a frame is shown whole: a molecule of up to `WHOLE_ATOMS` atoms, in no periodic box."""
    return n_atoms <= WHOLE_ATOMS and not np.any(box.pbc)


class Surroundings:
    """The fragments of one frame.

    Parameters
    ----------
    atoms
        Atoms with positions, in the order of their ids.
    box
        Their box.
    radius
        Atoms up to so far from the middle of a bond are shown, angstrom, where the frame is periodic or has
        more than `WHOLE_ATOMS` atoms; images of atoms count, so that nothing is cut at a boundary.
    """

    def __init__(self, atoms: AtomRows, box: Box, radius: float):
        from ase.geometry import complete_cell

        assert atoms.position is not None
        self._id = atoms.id
        self._position = np.asarray(atoms.position, dtype=np.float64)
        self._pbc = np.asarray(box.pbc, dtype=bool)
        self._radius = radius
        self.is_whole = fits_whole(atoms.id.size, box)
        self._cell = complete_cell(np.where(self._pbc[:, None], box.cell, 0.0))
        self._inverse = np.linalg.inv(self._cell)
        self._scaled = np.ascontiguousarray((self._position @ self._inverse).T)  # (3, N)
        self._heights = 1.0 / np.linalg.norm(self._inverse, axis=0)

    def fragment(self, i: int, j: int, vec: np.ndarray, where: str) -> Fragment:
        """The whole frame, or the sphere around the bond of atoms i and j (ids); vec (3,) = r_j - r_i.

        Raises
        ------
        E3DError
            If atom j is not where r_i + vec is: the positions are not those of the edges. `where` names the
            frame.
        """
        first, second = np.searchsorted(self._id, [i, j])
        if self.is_whole:
            end = self._position[first] + vec
            self._check(end, self._position[second], i, j, where)
            return Fragment(np.arange(self._id.size), self._position, int(first), int(second))
        half = np.asarray(vec, dtype=np.float64) / 2.0
        row, position = self._sphere(
            self._position[first] + half, max(self._radius, 2.0 * MISFIT + _norm(half))
        )
        ends = [self._nearest(row, position, k, at) for k, at in ((first, -half), (second, half))]
        for end, at in zip(ends, (-half, half), strict=True):
            self._check(at, position[end] if end >= 0 else np.full(3, np.inf), i, j, where)
        return Fragment(row, position, *ends)

    def _sphere(self, centre: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
        """Rows (M,) and positions (M, 3) from the centre of all atoms and images within a radius."""
        reach = radius / self._heights
        middle = centre @ self._inverse
        spans = [
            range(-n, n + 1) if periodic else (0,)
            for periodic, n in zip(self._pbc, np.floor(reach + 0.5).astype(int), strict=True)
        ]
        rows, positions = [], []
        for image in itertools.product(*spans):
            near = np.arange(self._id.size)
            columns: list[np.ndarray] = []
            for axis in range(3):  # each axis leaves few for the next
                column = self._scaled[axis][near] - middle[axis]
                if self._pbc[axis]:
                    column += image[axis] - np.rint(column)
                inside = np.flatnonzero(np.abs(column) <= reach[axis])
                near, columns = near[inside], [*(each[inside] for each in columns), column[inside]]
            position = np.column_stack(columns) @ self._cell
            inside = np.einsum("ij,ij->i", position, position) <= radius * radius
            rows.append(near[inside])
            positions.append(position[inside])
        row = np.concatenate(rows)
        order = np.argsort(row, kind="stable")
        return row[order], np.concatenate(positions)[order]

    @staticmethod
    def _nearest(row: np.ndarray, position: np.ndarray, wanted: int, at: np.ndarray) -> int:
        """Index of the image of an atom that is nearest to a point; -1 where the atom is not there."""
        images = np.flatnonzero(row == wanted)
        if not images.size:
            return -1
        return int(images[np.argmin(np.linalg.norm(position[images] - at, axis=1))])

    @staticmethod
    def _check(expected: np.ndarray, found: np.ndarray, i: int, j: int, where: str) -> None:
        if not _norm(found - expected) <= MISFIT:
            raise E3DError(
                f"{where}: atom {j} is not where its edge with atom {i} ends; are the positions those of the "
                "same run as the edges? Make the store again with the right --atoms"
            )


def sticks(fragment: Fragment, ids: np.ndarray, pairs: PairFrame) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that join two atoms of a fragment, image by image, and their energies.

    Parameters
    ----------
    fragment
        Atoms of the frame.
    ids
        (N,) int64, ids of the frame's atoms, ascending.
    pairs
        Pairs of the frame.

    Returns
    -------
    ends : (S, 2) int64, indices into the fragment's atoms
    D : (S,) float64, eV
    """
    from scipy.spatial import cKDTree

    rows = np.stack([np.searchsorted(ids, pairs.i), np.searchsorted(ids, pairs.j)])
    order = np.argsort(rows[0], kind="stable")
    start, end = (np.searchsorted(rows[0][order], fragment.row, side) for side in ("left", "right"))
    atom = np.repeat(np.arange(fragment.row.size), end - start)
    place = np.arange(atom.size) - np.repeat(np.cumsum(end - start) - (end - start), end - start)
    pair = order[start[atom] + place]
    far, other = cKDTree(fragment.position).query(
        fragment.position[atom] + pairs.vec[pair], distance_upper_bound=MISFIT
    )
    there = np.flatnonzero(np.isfinite(far))
    there = there[fragment.row[other[there]] == rows[1][pair[there]]]
    return np.stack([atom[there], other[there]], axis=1), pairs.D[pair[there]]


def stick_pairs(pairs: PairFrame) -> PairFrame:
    """The pairs that are drawn as sticks, whatever the bond cutoff: those within the ``covalent`` one."""
    radii = covalent_radii()
    reach = [COVALENT_FACTOR * sum(radii[symbol] for symbol in name.split("-")) for name in pairs.labels]
    near = np.flatnonzero(np.linalg.norm(pairs.vec, axis=1) <= np.array(reach)[pairs.label])
    columns = ("label", "i", "j", "vec", "e12", "e21", "D", "A")
    return replace(pairs, **{name: getattr(pairs, name)[near] for name in columns})


def _norm(vec: np.ndarray) -> float:
    return float(np.sqrt(vec @ vec))
