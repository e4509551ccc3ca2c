"""Species files of fix e3d/bonds, and ``e3d species``."""

from __future__ import annotations

import csv
import json
import tracemalloc

import pytest

from e3d_lmp import cli
from e3d_lmp.analysis.species import read_species, species_series, species_table
from e3d_lmp.errors import E3DError

TEXT = """e3d-species/1
columns step molecules species formulas...
0 15 2 C2H6O:12 H2O:3
100 15 3 C2H6O:11 H2O:3 C2H5O:1

200 0 0
200 16 3 C2H6O:11 H2O:4 H:1
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "species.txt"
    path.write_text(TEXT)
    return path


def test_every_number_is_read(path):
    species = read_species(path)
    assert species.step.tolist() == [0, 100, 200, 200]
    assert species.molecules.tolist() == [15, 15, 0, 16] and species.species.tolist() == [2, 3, 0, 3]
    assert {name: count.tolist() for name, count in species.formulas.items()} == {
        "C2H6O": [12, 11, 0, 11],
        "H2O": [3, 3, 0, 4],
        "C2H5O": [0, 1, 0, 0],
        "H": [0, 0, 0, 1],
    }
    assert species.commonest(3) == ["C2H6O", "H2O", "C2H5O"] and not species.is_cut_off
    rows = {row["formula"]: list(row.values())[1:] for row in species_table(species)}
    assert rows["C2H5O"] == [0, 0, 0.25, 1, 100, 100] and rows["H2O"] == [3, 4, 2.5, 4, 0, 200]


def test_cut_off_line(path, capsys):
    path.write_text(TEXT[:-3])  # 'H:1' without its number would be wrong, 'H2O:4' of 'H2O:41' unseen
    species = read_species(path)
    assert species.is_cut_off and len(species.step) == 3 and "H" not in species.formulas
    assert cli.main(["species", str(path)]) == 0
    assert "the last line is cut off" in capsys.readouterr().err


def test_command(path, tmp_path, capsys):
    outputs = [str(tmp_path / name) for name in ("s.png", "s.csv", "s.json")]
    words = ["species", str(path), "-n", "2", "--timestep", "0.0005", "-o", *outputs]
    assert cli.main(words) == 0
    printed = capsys.readouterr().out
    assert "4 samples, 4 formulas" in printed and "H2O" in printed and "C2H5O" not in printed
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(open(outputs[1], newline="")))
    assert list(rows[0]) == ["step", "molecules", "species", "C2H6O", "H2O", "C2H5O", "H"]
    assert rows[1]["C2H5O"] == "1" and [row["step"] for row in rows] == ["0", "100", "200", "200"]
    assert json.loads((tmp_path / "s.json").read_text())["samples"][3]["H"] == 1
    for bad, message in ((["-n", "0"], "-n 0"), (["--timestep", "nan"], "--timestep nan")):
        assert cli.main(["species", str(path), *bad]) == 2
        assert message in capsys.readouterr().err


def test_nothing_to_draw(path, tmp_path, capsys):
    path.write_text(TEXT.split("0 15")[0])
    assert cli.main(["species", str(path), "-o", str(tmp_path / "s.png")]) == 2
    assert "no sample yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("e3d-species/1", "e3d-species/9", "reads e3d-species/1 only"),
        ("e3d-species/1", "e3d-bonds/1", "got 'e3d-bonds/1'$"),
        ("formulas...", "more", "line 2: .*expected 'columns step"),
        ("C2H6O:12", "C2H6O:13", "line 3: .*15 molecules of 2 species, but its formulas are 2 with 16"),
        ("C2H5O:1", "H2O:1", "line 4: .*'H2O:1' is no formula .*second"),
        ("H2O:3", "H2O", "line 3: .*'H2O'"),
        ("100 15", "100 x", "line 4: .*'x'"),
        ("100 15", f"100 {'9' * 5000}", r"line 4: .*got '9+\.\.\.'$"),
        ("H2O:3", "H2O:3_0", "line 3: .*'3_0'"),
        ("H2O:3", "H2O:0", "line 3: .*whole number from 1 to"),
        ("H2O:3", "$H_2O$:3", r"line 3: .*'\$H_2O\$:3' is no formula"),
        ("H2O:3", "HHO:3", "line 3: .*'HHO:3' is no formula"),
        ("H2O:3", "H02O:3", "line 3: .*'H02O:3' is no formula"),
        ("100 15", "100", "line 4: .*'"),
        ("\n200 0 0", "\n20 0 0", "line 6: .*step 20 after step 100"),
    ],
)
def test_errors_say_where(path, old, new, message):
    assert old in TEXT
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(E3DError, match=message):
        read_species(path)


def test_a_formula_of_few_samples_takes_the_room_of_few(tmp_path):
    """A file of some MB of which each sample has a formula of its own; GBs as arrays of all samples."""
    lines = [f"{k} 1 1 C{k + 2}H:1" for k in range(20000)]
    (tmp_path / "s").write_text(
        "\n".join(["e3d-species/1", "columns step molecules species formulas...", *lines, ""])
    )
    tracemalloc.start()
    species = read_species(tmp_path / "s")
    assert species.commonest(2) == ["C10000H", "C10001H"]
    assert len(species_table(species, 3)) == 3
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6, f"{peak} bytes"
    assert species.formulas["C7H"].sum() == species.formulas["C7H"][5] == 1
    with pytest.raises(E3DError, match=r"20000 samples and 20000 formulas has 4e\+08 cells"):
        species_series(species)
