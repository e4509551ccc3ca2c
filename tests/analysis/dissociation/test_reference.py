"""Files of reference energies and whose they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import pytest
from ase.build import molecule

from e3d_lmp.analysis.bonds.orders import bonded_pairs
from e3d_lmp.analysis.dissociation.graph import molecule_key
from e3d_lmp.analysis.dissociation.reference import match, read_references
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.errors import E3DError
from e3d_lmp.units import KCAL_MOL_PER_EV, KJ_PER_MOL

COVALENT = parse_cutoff("covalent")


def key(atoms: Any) -> str:
    symbols = atoms.get_chemical_symbols()
    return molecule_key(symbols, bonded_pairs(symbols, atoms.positions))


def row(i: int, j: int, same_as: str = "", keys: tuple[str, str] = ("", "")) -> dict[str, Any]:
    return {"i": i, "j": j, "same_as": same_as, "key_i": keys[0], "key_j": keys[1]}


METHYL, HYDROXYL, METHOXY, HYDROGEN = (
    key(atoms) for atoms in (molecule("CH3"), molecule("OH"), molecule("CH3O"), molecule("H"))
)
FOUND = [
    {"name": "methanol.xyz/0", "rows": [row(0, 1, "", (METHYL, HYDROXYL)), row(0, 2), row(0, 3, "0-2")]},
    {"name": "water.xyz/0", "rows": [row(0, 1)]},
    {"name": "set.extxyz/0", "rows": [row(0, 1)]},
    {"name": "set.extxyz/1", "rows": [row(0, 1)]},
    {"name": "broken.xyz/0", "error": "periodic"},
]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_rows_by_atoms(tmp_path: Path) -> None:
    file = write(
        tmp_path / "r.csv",
        "# mine\nstructure,i,j,energy_kcal_mol\nmethanol,1,0,90\nmethanol.xyz,3,0,96\nset.extxyz/1,0,1,119\n",
    )
    found = match(read_references(file), FOUND, COVALENT)
    assert found.energies == pytest.approx(
        {(0, 0): 90 / KCAL_MOL_PER_EV, (0, 2): 96 / KCAL_MOL_PER_EV, (3, 0): 119 / KCAL_MOL_PER_EV}
    )
    assert found.partners == {(0, 2): 1} and not found.lost


def test_rows_by_fragments(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "a.xyz", molecule("OH"))
    ase.io.write(tmp_path / "b.xyz", molecule("CH3"))
    ase.io.write(tmp_path / "h.xyz", molecule("H"))
    file = write(
        tmp_path / "r.csv",
        "structure,A,B,energy_kJ_mol\nmethanol,a.xyz,b.xyz,400\nmethanol,h.xyz,b.xyz,400\nmethanol,no.xyz,b.xyz,1\n",
    )
    found = match(read_references(file), FOUND, COVALENT)
    assert found.energies == pytest.approx({(0, 0): 400 * KJ_PER_MOL})
    assert len(found.lost) == 2
    assert "line 3: no broken bonds of 'methanol' leave fragments such as h.xyz and b.xyz" in found.lost[0]
    assert "no.xyz" in found.lost[1]


def test_rows_without_a_partner_are_named(tmp_path: Path) -> None:
    file = write(
        tmp_path / "r.csv",
        "structure,i,j,energy_eV\nethanol,0,1,4\nset,0,1,4\nwater,0,2,4\nbroken,0,1,4\nwater,0,1,5\nwater,1,0,5\n",
    )
    found = match(read_references(file), FOUND, COVALENT)
    assert found.energies == {(1, 0): 5.0}
    for text, why in zip(
        found.lost,
        (
            "line 2: no structure 'ethanol'",
            "line 3: 'set' may mean 2 structures",
            "line 4: no bond 0-2 in 'water'",
            "line 5: 'broken' was left out (periodic)",
            "line 7: a row above it",
        ),
        strict=True,
    ):
        assert why in text


def test_dimers_need_no_atoms(tmp_path: Path) -> None:
    file = write(tmp_path / "r.csv", "structure,energy_eV\nwater,-0.2\n")
    found = match(read_references(file, dimers=True), FOUND, COVALENT, dimers=True)
    assert found.energies == {(1, 0): -0.2}
    with pytest.raises(E3DError, match="for bonds i and j"):
        read_references(file)


def test_files_of_spreadsheets(tmp_path: Path) -> None:
    """A mark of UTF-8 before the text, ends of lines of Windows, a cell of two lines."""
    text = '\ufeffstructure,i,j,energy_eV,note\r\nx,0,1,4,"one\r\ntwo"\r\n# no row\r\nx,0,2,y,\r\n'
    file = tmp_path / "r.csv"
    file.write_bytes(text.encode())
    with pytest.raises(E3DError, match="line 5: expected a finite number, got 'y'"):
        read_references(file)
    file.write_bytes(text.replace(",y,", ",5,").encode())
    assert [row.energy for row in read_references(file)] == [4.0, 5.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got the columns ''"),
        ("structure,i,j\nx,0,1\n", "expected a .csv file with the columns structure, one of energy_eV"),
        ("structure,i,j,energy_eV,energy_kJ_mol\nx,0,1,4,4\n", "expected a .csv file"),
        ("structure,i,j,energy_eV\n", "no row"),
        ("structure,i,j,energy_eV\nx,0,1\n", "line 2: expected 4 cells"),
        ("structure,i,j,energy_eV\nx,0,one,4\n", "line 2: expected a whole number from 0, got 'one'"),
        ("structure,i,j,energy_eV\nx,0,-1,4\n", "line 2: expected a whole number from 0"),
        ("structure,i,j,energy_eV\nx,0,1,nan\n", "line 2: expected a finite number, got 'nan'"),
        ('structure,i,j,energy_eV\n"x,0,1,4\nx,0,2,4\n', "line 3: expected 4 cells"),
        (f"structure,i,j,energy_eV\nx,0,1,{'4' * 200000}\n", "line 2: field larger than field limit"),
    ],
)
def test_damaged_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(E3DError) as refused:
        read_references(write(tmp_path / "r.csv", text))
    assert message in str(refused.value)
