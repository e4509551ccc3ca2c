"""The molecules of a frame: whole, and which pairs of atoms lie within one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from matscipy.neighbours import neighbour_list
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.split import BOND


@dataclass(frozen=True)
class MolecularFrame:
    """A labelled frame of a liquid, or of one molecule.

    Attributes
    ----------
    name : for messages, as ``liquids.extxyz.gz/12``
    numbers : (N,) int64, atomic numbers
    positions : (N, 3) float64, angstrom; molecules may be cut by the boundary of the cell
    cell : (3, 3) float64, angstrom; zeros where the frame is not periodic
    molecule : (N,) int64, molecule of each atom, counted from 0
    energy : eV, E_coh
    forces : (N, 3) float64, eV/angstrom; nan where there are none
    molecule_energies : (M,) float64, eV, E_coh of every molecule by itself; nan where they are not known
    molecule_forces : (N, 3) float64, eV/angstrom, of every molecule by itself; nan where they are not known
    """

    name: str
    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    molecule: np.ndarray
    energy: float = np.nan
    forces: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    molecule_energies: np.ndarray = field(default_factory=lambda: np.zeros(0))
    molecule_forces: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))

    @property
    def is_periodic(self) -> bool:
        """Whether there is a cell."""
        return bool(self.cell.any())

    @property
    def intermolecular_energy(self) -> float:
        """E_inter = E - sum of the molecules by themselves, eV; nan where these are not known."""
        return self.energy - float(self.molecule_energies.sum())

    def unwrapped(self) -> np.ndarray:
        """(N, 3) angstrom, every molecule whole, its first atom where it was.

        Raises
        ------
        E3DError
            Some atoms of a molecule are not bonded to its others, or two molecules are bonded.
        """
        i, j, shift = self.bonds()
        strange = self.molecule[i] != self.molecule[j]
        if strange.any():
            a, b = i[strange][0], j[strange][0]
            raise self._broken(
                f"atoms {a} and {b} of the molecules {self.molecule[a]} and {self.molecule[b]} are bonded"
            )
        graph = coo_array((np.ones(len(i)), (i, j)), shape=(len(self.numbers),) * 2).tocsr()
        _, part = connected_components(graph, directed=False)
        offset = np.zeros((len(self.numbers), 3))
        image = {(a, b): s for a, b, s in zip(i.tolist(), j.tolist(), shift, strict=True)}
        for molecule in np.unique(self.molecule):
            atoms = np.flatnonzero(self.molecule == molecule)
            if len(np.unique(part[atoms])) > 1:
                raise self._broken(f"the molecule {molecule} is in pieces")
            order, before = breadth_first_order(graph, atoms[0], directed=False)
            for atom in order[1:].tolist():
                offset[atom] = offset[before[atom]] + image[(int(before[atom]), atom)]
        return self.positions + offset @ self.cell

    def apart(self, distance: float) -> MolecularFrame:
        """The same molecules, in no cell and `distance` from each other.

        A model whose cutoff is shorter sees each by itself, and so its labels are those of the molecules by
        themselves: the sum of their energies, and their forces.

        Parameters
        ----------
        distance : angstrom

        Raises
        ------
        E3DError
            As `unwrapped` does.
        """
        whole = self.unwrapped()
        edge = 0.0
        for molecule in np.unique(self.molecule):
            atoms = np.flatnonzero(self.molecule == molecule)
            whole[atoms, 0] += edge - whole[atoms, 0].min()
            edge = whole[atoms, 0].max() + distance
        return replace(
            self,
            name=f"{self.name}, its molecules apart",
            positions=whole,
            cell=np.zeros((3, 3)),
            energy=float(self.molecule_energies.sum()),
            forces=self.molecule_forces,
        )

    def bonds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bonded pairs in both directions, and the shift of the second atom in cells."""
        radii = covalent_radii[self.numbers]
        i, j, distance, shift = pairs_within(self, 2.0 * BOND * float(radii.max()), "ijdS")
        near = distance < BOND * (radii[i] + radii[j])
        return i[near], j[near], shift[near]

    def _broken(self, what: str) -> E3DError:
        formula = "".join(sorted({chemical_symbols[z] for z in self.numbers}))
        return E3DError(
            f"{self.name}: expected whole molecules ({formula}), but {what}; leave this frame out, or mend "
            "the column `molecule`"
        )


def pairs_within(frame: MolecularFrame, cutoff: float, quantities: str) -> tuple[np.ndarray, ...]:
    """What `matscipy.neighbours.neighbour_list` gives for a frame, periodic or not."""
    if frame.is_periodic:
        box = {"cell": frame.cell, "pbc": np.ones(3, dtype=bool)}
    else:
        low, high = frame.positions.min(axis=0) - 1.0, frame.positions.max(axis=0) + 1.0
        box = {"cell": np.diag(high - low), "cell_origin": low, "pbc": np.zeros(3, dtype=bool)}
    return neighbour_list(quantities, positions=frame.positions, cutoff=cutoff, **box)


def is_within_molecule(
    frame: MolecularFrame, whole: np.ndarray, i: np.ndarray, j: np.ndarray, vectors: np.ndarray
) -> np.ndarray:
    """(E,) bool, whether a pair of atoms lies within one molecule.

    A molecule and its periodic image are two molecules.

    Parameters
    ----------
    whole : (N, 3) angstrom, of `MolecularFrame.unwrapped`
    i, j : (E,) atoms, counted from 0
    vectors : (E, 3) angstrom, r_j - r_i, image included
    """
    same = frame.molecule[i] == frame.molecule[j]
    here = np.abs(vectors - (whole[j] - whole[i])).max(axis=1, initial=0.0) < 1e-3
    return same & here
