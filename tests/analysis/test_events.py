"""Files of fix e3d/bonds, and ``e3d events``."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from e3d_lmp import cli
from e3d_lmp.analysis.events import event_table, read_events
from e3d_lmp.errors import E3DError

HEADER = """e3d-bonds/1
criterion energy
cutoff file my bonds.txt
units real
form C-H -50.5
break C-H -10
form O-H -60
break O-H -12.25
made by hand
columns step id1 id2 type1 type2 label D A r event
"""
ROWS = """10 7 9 1 2 C-H -8.25 1.5 1.9 broken
10 3 9007199254740993 3 2 O-H -61 0.10000000000000001 1.01 formed
25 3 9007199254740993 3 2 O-H nan nan nan broken
40 7 9 1 2 C-H -55 1 1.1 formed
40 7 8 1 2 C-H -57 1 1.1 formed
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "bonds.txt"
    path.write_text(HEADER + ROWS)
    return path


def test_every_number_is_read(path):
    events = read_events(path)
    assert len(events) == 5 and not events.is_cut_off
    assert events.step.tolist() == [10, 10, 25, 40, 40]
    assert events.id1.tolist() == [7, 3, 3, 7, 7] and events.id2[1] == 9007199254740993
    assert (events.type1.tolist(), events.type2.tolist()) == ([1, 3, 3, 1, 1], [2] * 5)
    assert events.label.tolist() == ["C-H", "O-H", "O-H", "C-H", "C-H"]
    np.testing.assert_array_equal(events.D, [-8.25, -61, math.nan, -55, -57])
    np.testing.assert_array_equal(events.A, [1.5, 0.1, math.nan, 1, 1])
    np.testing.assert_array_equal(events.r, [1.9, 1.01, math.nan, 1.1, 1.1])
    assert events.event.tolist() == ["broken", "formed", "broken", "formed", "formed"]
    assert (events.criterion, events.cutoff, events.units, events.unit) == (
        "energy",
        "file my bonds.txt",
        "real",
        "kcal/mol",
    )
    assert events.form == {"C-H": -50.5, "O-H": -60.0} and events.break_off == {"C-H": -10.0, "O-H": -12.25}
    assert events.about == {"made": "by hand"}


def test_no_event_yet(path):
    path.write_text(HEADER)
    events = read_events(path)
    assert len(events) == 0 and events.D.dtype == np.float64 and event_table(events) == []
    assert cli.main(["events", str(path)]) == 0


def test_cut_off_line_is_left_out_and_said(path, capsys):
    for cut in (1, 3, 7):  # also where the rest still looks like a whole row
        path.write_text((HEADER + ROWS)[:-cut])
        events = read_events(path)
        assert len(events) == 4 and events.is_cut_off
    assert cli.main(["events", str(path)]) == 0
    assert "the last line is cut off" in capsys.readouterr().err


def test_net_and_table(path, tmp_path, capsys):
    events = read_events(path)
    steps, net = events.net("C-H")
    assert (steps.tolist(), net.tolist()) == ([10, 40], [-1, 1])
    assert [array.tolist() for array in events.net("O-H")] == [[10, 25], [1, 0]]
    first, second = event_table(events)
    assert list(first.values()) == ["C-H", 2, 1, 2, 10, 40, -56.0, -8.25]
    assert list(second.values())[:7] == ["O-H", 1, 1, 1, 10, 25, -61.0]
    assert math.isnan(second["mean_D_broken_kcal_mol"])
    table, picture = tmp_path / "t.csv", tmp_path / "p.svg"
    assert cli.main(["events", str(path), "-o", str(table), str(picture)]) == 0
    printed = capsys.readouterr().out
    assert "5 events, criterion energy" in printed and "kcal/mol" in printed
    assert [row["formed"] for row in csv.DictReader(table.open(newline=""))] == ["2", "1"]
    assert "<svg" in picture.read_text()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("e3d-bonds/1", "e3d-bonds/2", r"got 'e3d-bonds/2'; this version of e3d reads e3d-bonds/1 only"),
        ("e3d-bonds/1", "ITEM: TIMESTEP", r"expected the format e3d-bonds/1 of fix e3d/bonds, got 'ITEM"),
        (HEADER + ROWS, "", "got 'nothing'"),
        ("units real\n", "", "the header has no line 'units'"),
        ("units real", "units lj", "units lj: expected metal or real"),
        ("units real", "units real\nunits metal", "line 5: .*'units' occurs twice"),
        ("form C-H -50.5", "form C-H low", "line 5: .*low"),
        ("form C-H -50.5", "form C-H -50.5 1", "line 5: .*expected 'form C-H -1.0', each pair once"),
        ("form C-H -50.5", "form H-C -50.5", "line 5: .*expected 'form C-H -1.0'"),
        ("form C-H -50.5", "form C-H -9", "form and break of C-H: expected both, form not above break"),
        ("form C-H -50.5\n", "", "form and break of C-H: expected both"),
        ("criterion energy", "criterion entropy", "criterion entropy: expected energy or distance"),
        ("10 7 9 1 2", "10 7 9 1 0", "line 11: .*whole number from 1 to 2147483647, got '0'"),
        ("10 7 9 1 2", "10 7 -9 1 2", "line 11: .*whole number from 1, got '-9'"),
        ("10 7 9 1 2", f"10 {'7' * 5000} 9 1 2", r"line 11: .*got '7+\.\.\.'$"),
        ("10 7 9 1 2", "10 7 9 1 3000000000", "line 11: .*2147483647"),
        ("\n10 7 9", "\n--5 7 9", "line 11: .*'--5'"),
        ("\n10 7 9", "\n9223372036854775808 7 9", "line 11: .*9223372036854775807"),
        ("1 2 C-H -8.25", "1 2 C-$H$ -8.25", r"line 11: .*'C-\$H\$' is no pair of elements"),
        ("C-H -8.25 1.5 1.9", "C-H nan 1.5 1.9", "line 11: .*expected three numbers, or nan"),
        ("C-H -8.25 1.5 1.9", "C-H -8.25 1.5 -1.9", "line 11: .*r above 0"),
        ("C-H -8.25 1.5 1.9", "C-H 1e999 1.5 1.9", "line 11: .*finite number, got '1e999'"),
        ("-57 1 1.1 formed", "nan nan nan formed", "line 15: .*a bond that formed, without its D"),
        ("40 7 8 1 2", "40 7 8 2 2", "atom 7 is of type 1 and of type 2 at step 40"),
        ("type1 type2", "type2 type1", "line 10: .*expected the columns step id1"),
        (HEADER.splitlines()[-1] + "\n" + ROWS, "", "without its line 'columns'"),
        ("25 3 9007199254740993", "25 x 9007199254740993", "line 13: .*'x'"),
        ("nan nan nan broken", "nan nan nan bent", "line 13: .*formed or broken, not 'bent'"),
        ("nan nan nan broken", "nan nan broken", "line 13: .*9 words instead of 10"),
        ("25 3", "9 3", "line 13: .*step 9 after step 10; are these two runs"),
    ],
)
def test_errors_say_where(path, old, new, message):
    text = HEADER + ROWS
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(E3DError, match=message):
        read_events(path)


def test_missing_file(tmp_path):
    with pytest.raises(E3DError, match=r"absent: no such file.*expected a file of fix e3d/bonds"):
        read_events(tmp_path / "absent")
