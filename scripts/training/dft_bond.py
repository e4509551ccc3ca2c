"""A bond of a small molecule that is pulled apart: its frames at any length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from dft_geometry import parsed, pulled, relaxed, relaxed_part, sides
from label_frames import Frame


class Bond:
    """The bond between the atoms that carry the numbers 1 and 2 in a SMILES.

    Parameters
    ----------
    smiles : as ``[CH3:1][OH:2]``
    given : multiplicities of the two sides, each pair a guess to begin with; by default one unpaired electron
        more on either side than the order of the bond
    ground : multiplicity of the molecule

    Raises
    ------
    UnfitError
        There is no conformer, it becomes another molecule, or the bond is in a ring.
    """

    def __init__(self, smiles: str, given: Sequence[tuple[int, int]] = (), ground: int = 1) -> None:
        from rdkit import Chem

        self.ground = ground
        self.atoms, numbered = relaxed(smiles, ground)
        self.ends = numbered[1], numbered[2]
        molecule = parsed(smiles)
        order = int(molecule.GetBondBetweenAtoms(*self.ends).GetBondTypeAsDouble())
        self.pairs = tuple(given) or ((order + 1, order + 1),)
        self.parts = [
            (side, relaxed_part(self.atoms[side], multiplicity))
            for side, multiplicity in zip(sides(self.atoms, *self.ends), self.pairs[0], strict=True)
        ]
        for atom in molecule.GetAtoms():
            atom.SetAtomMapNum(0)
        self.smiles = Chem.MolToSmiles(Chem.RemoveHs(molecule))
        symbols = [self.atoms[end].symbol for end in self.ends]
        self.name = f"{self.smiles} {symbols[0]}{' -=#'[order]}{symbols[1]}"

    @property
    def length(self) -> float:
        """At the minimum of GFN2-xTB, angstrom."""
        return float(self.atoms.get_distance(*self.ends))

    def frame(self, distance: float, start: Atoms, rng: np.random.Generator) -> Frame:
        """The bond at a distance, angstrom; see `dft_geometry.pulled`."""
        atoms = pulled(start, self.ends, distance, self.parts, rng)
        return Frame(
            "pulled",
            f"{self.name} {distance:.3f} A",
            self.smiles,
            tuple(atoms.get_chemical_symbols()),
            atoms.positions.copy(),
            # the spins of the two sides opposed, and that of the molecule
            multiplicities=tuple(
                sorted({self.ground} | {abs(first - second) + 1 for first, second in self.pairs})
            ),
            uncoupled=max(min(pair) - 1 for pair in self.pairs),
            fragment=tuple(self.parts[0][0]),
            fragment_multiplicities=self.pairs,
        )
