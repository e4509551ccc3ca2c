"""Structures from SMILES, with RDKit: one conformer each, relaxed by a force field where that knows it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_text

ENDING = ".smi"
"""Of a file of SMILES: one molecule a line, perhaps its name after a blank; ``#`` begins a remark."""

SEED = 1
"""Of RDKit's conformers, so that the same SMILES gives the same structure."""


@dataclass(frozen=True)
class Smiles:
    """A molecule by its SMILES; no structure yet."""

    name: str
    smiles: str

    def structure(self) -> Structure:
        """A conformer of the molecule; `E3DError` where there is none."""
        return structure_of(self.smiles, self.name)


def smiles_file(path: Path) -> Iterator[Smiles]:
    """The molecules of a file (`ENDING`); raises `E3DError` where it cannot be read."""
    expected = f"a file of SMILES ({ENDING}), one molecule a line"
    for line in read_text(path, expected).splitlines():
        words = line.split(None, 1)
        if words and not words[0].startswith("#"):  # within a SMILES it is a triple bond
            yield Smiles(words[1].strip() if len(words) > 1 else words[0], words[0])


def check_rdkit() -> None:
    """Raise `E3DError` where RDKit is not installed."""
    if importlib.util.find_spec("rdkit") is None:
        raise E3DError(
            "structures from SMILES need RDKit, which is not installed; type: pip install 'e3d-lmp[bonds]', "
            "or give files that ASE reads"
        )


def structure_of(smiles: str, name: str | None = None) -> Structure:
    """A conformer of a molecule with all hydrogens.

    Raises
    ------
    E3DError
        RDKit is not installed, cannot read the SMILES, or finds no conformer; the SMILES is of an ion or of
        several molecules, which RDKit would place on top of each other.
    """
    check_rdkit()
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
        if molecule is None or molecule.GetNumAtoms() == 0:
            raise E3DError(f"'{smiles}': RDKit cannot read this SMILES")
        if Chem.GetFormalCharge(molecule):
            raise E3DError(
                f"'{smiles}': its charge is {Chem.GetFormalCharge(molecule):+d}, expected a neutral one"
            )
        if "." in smiles:
            raise E3DError(f"'{smiles}': several molecules; give their structure in a file that ASE reads")
        molecule = Chem.AddHs(molecule)
        if rdDistGeom.EmbedMolecule(molecule, randomSeed=SEED) != 0:
            raise E3DError(f"'{smiles}': RDKit finds no conformer; give a structure in a file that ASE reads")
        if molecule.GetNumAtoms() > 2 and rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule):
            rdForceFieldHelpers.MMFFOptimizeMolecule(molecule)
    return Structure(
        name or smiles,
        np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], dtype=np.int64),
        np.array(molecule.GetConformer().GetPositions(), dtype=np.float64),
        np.zeros((3, 3)),
        np.zeros(3, dtype=bool),
        float("nan"),
    )
