"""The table of reference energies and files of one's own."""

from __future__ import annotations

import csv
import math
from importlib import resources

import pytest

from e3d_lmp.analysis.bonds.references import reference_energies
from e3d_lmp.errors import E3DError
from e3d_lmp.units import KJ_PER_MOL

DATA = resources.files("e3d_lmp").joinpath("data")

# Enthalpies of formation at 298 K, kJ/mol: atoms from the CODATA key values (Cox, Wagman and Medvedev 1989).
H, C, N, O = 217.998, 716.68, 472.68, 249.18  # noqa: E741
CO, BENZENE, PYRIDINE, FURAN = -110.53, 82.9, 140.4, -34.8


def shipped(name: str) -> float:
    """The energy of a bond type in the shipped table, kJ/mol."""
    return reference_energies()[name].energy / KJ_PER_MOL


def test_unit():
    from scipy.constants import N_A, e

    assert pytest.approx(1000 / (e * N_A), rel=1e-15) == KJ_PER_MOL
    assert reference_energies()["C-H 1"].energy == pytest.approx(4.2804, abs=1e-4)


def test_every_row_is_whole():
    """Energy within its spread, a kind, whether it was checked; a source, or a note why there is none."""
    lines = [x for x in DATA.joinpath("reference_bond_energies.csv").read_text().splitlines() if x[:1] != "#"]
    rows = list(csv.DictReader(lines))
    assert len(rows) == 31
    table = reference_energies()
    for row in rows:
        entry = table[f"{row['pair']} {row['order']}"]
        assert entry.low <= entry.energy <= entry.high
        assert entry.kind in ("average", "dissociation", "derived")
        assert entry.checked in ("copy", "computed", "no")
        assert entry.source or entry.note
        assert (entry.kind == "derived") == (row["order"] == "1.5")


def test_derived_rows_follow_from_enthalpies_of_formation():
    benzene = (6 * C + 6 * H - BENZENE - 6 * shipped("C-H 1")) / 6
    assert shipped("C-C 1.5") == pytest.approx(benzene, abs=0.5)
    rest = 5 * C + 5 * H + N - PYRIDINE - 5 * shipped("C-H 1")
    assert shipped("C-N 1.5") == pytest.approx((rest - 4 * shipped("C-C 1.5")) / 2, abs=0.5)
    rest = 4 * C + 4 * H + O - FURAN - 4 * shipped("C-H 1")
    kekule = (rest - 2 * shipped("C-C 2") - shipped("C-C 1")) / 2
    assert shipped("C-O 1.5") == pytest.approx(kekule, abs=0.5)
    assert (rest - 3 * shipped("C-C 1.5")) / 2 == pytest.approx(423, abs=0.5)  # as the row's note says


def test_diatomic_molecules():
    assert shipped("H-H 1") == pytest.approx(2 * H, abs=0.5)
    assert shipped("O-O 2") == pytest.approx(2 * O, abs=0.5)
    assert shipped("N-N 3") == pytest.approx(2 * N, abs=5)
    assert shipped("C-O 3") == pytest.approx(C + O - CO, abs=5)


def test_agrees_with_the_thresholds_of_fix_bonds():
    """Where both tables have a single bond, the fix's is within the spread of this one; else it fills in."""
    table = reference_energies()
    lines = DATA.joinpath("bond_energies.txt").read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    compared = 0
    for pair, energy in rows:
        entry = table[f"{pair} 1"]
        if math.isnan(entry.low):
            assert entry.energy == float(energy) * KJ_PER_MOL and entry.source == "data/bond_energies.txt"
        else:
            compared += 1
            assert entry.low <= float(energy) * KJ_PER_MOL <= entry.high, pair
    assert compared == 17 and len(rows) == 43


def test_own_file(tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text('# mine\npair,order,kJ_per_mol,source\nH-C,1,420,"me, today"\n\nN-O,1.5,400,me\n')
    second.write_text("order,kJ_per_mol,pair\n1,421,C-H\n")
    table = reference_energies([first, second])
    assert table["C-H 1"].energy == 421 * KJ_PER_MOL
    assert table["N-O 1.5"].source == "me" and math.isnan(table["N-O 1.5"].low)
    assert reference_energies([first])["C-H 1"].source == "me, today"
    assert table["C-C 1"] == reference_energies()["C-C 1"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "columns pair, order, kJ_per_mol"),
        ("pair,order\nC-H,1\n", "columns pair, order, kJ_per_mol"),
        ("pair,order,kJ_per_mol,eV\nC-H,1,400,4\n", "got 'pair,order,kJ_per_mol,eV'"),
        ("pair,order,kJ_per_mol\n", "no row"),
        ("pair,order,kJ_per_mol\nC-H,1\n", "line 2: expected 3 cells"),
        ("#\npair,order,kJ_per_mol\nCH,1,400\n", "line 3: expected a pair of elements"),
        ("pair,order,kJ_per_mol\nC-X,1,400\n", "'X' is not a chemical element"),
        ("pair,order,kJ_per_mol\nC-H,one,400\n", "a bond order > 0, got 'one'"),
        ("pair,order,kJ_per_mol\nC-H,1,-400\n", "an energy in kJ/mol > 0, got '-400'"),
        ("pair,order,kJ_per_mol\nC-H,1,nan\n", "an energy in kJ/mol > 0, got 'nan'"),
        ("pair,order,kJ_per_mol,low\nC-H,1,400,410\n", "not between low and high"),
        ("pair,order,kJ_per_mol\nC-H,1,400\nH-C,1.0,401\n", "line 3: C-H 1 was there"),
    ],
)
def test_bad_files(tmp_path, text, kind):
    file = tmp_path / "mine.csv"
    file.write_text(text)
    with pytest.raises(E3DError, match=kind):
        reference_energies([file])


def test_missing_file(tmp_path):
    with pytest.raises(E3DError, match=r"no\.csv.*no such file; expected reference energies, a \.csv file"):
        reference_energies([tmp_path / "no.csv"])
