"""Total charges from SMILES."""

from __future__ import annotations

import pytest

from e3d_lmp.training.data.smiles import formal_charge


@pytest.mark.parametrize(
    ("smiles", "charge"),
    [
        ("", None),
        ("CC(=O)O", 0),
        ("[H:3][C:1]#[C:2][H:4].[Na+:5]", 1),
        ("[O-]S(=O)(=O)[O-]", -2),
        ("[Ca+2].[Cl-].[Cl-]", 0),
        ("[Fe+++:12]", 3),
        ("[O--:1]", -2),
        ("C[C@H:4]([NH3+])C(=O)[O-]", 0),
        ("[13CH3-]", -1),
        ("F/C=C/C-c1cc[nH]c1", 0),  # a bond's dash is no charge
        ("[O+:1]#[C-:2][H]>>[O:1]=[C+:2]", 0),  # the left side of a reaction
    ],
)
def test_formal_charge(smiles: str, charge: int | None) -> None:
    assert formal_charge(smiles) == charge
