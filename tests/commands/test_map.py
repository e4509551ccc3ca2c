"""``e3d map`` from the command line."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from e3d_lmp import cli
from e3d_lmp.analysis.label_map import LabelMap, label_map
from e3d_lmp.analysis.maps import EnergyMap, read_map, write_map


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Maps a, b and c in the current folder; c has another pair."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate("abc"):
        rng = np.random.default_rng(seed)
        labels: dict[str, LabelMap] = {
            "C-H": label_map(rng.normal(-4.5, 0.3, 900), rng.normal(0.7, 0.2, 900), 0.1, False, "C-H"),
            ("O-H" if name == "c" else "C-C"): label_map(np.full(9, -4.0), np.zeros(9), 0.1, True, "C-C"),
        }
        about = {"types": "C H"}
        write_map(EnergyMap(0.1, "covalent", 5, (100 * seed, 100 * seed + 40), labels, about), f"{name}.e3d")
    return tmp_path


def run(*words: str) -> int:
    return cli.main(["map", *words])


def test_show(files, capsys):
    assert run("show", "a.e3d", "-o", "t.csv", "t.json", "p.png") == 0
    printed = capsys.readouterr().out
    assert "5 samples, steps 0 to 40, bond cutoff covalent, bins of 0.1 eV" in printed
    assert "types: C H" in printed and "H_2D" in printed and "wrote t.csv, t.json, p.png" in printed
    rows = list(csv.DictReader((files / "t.csv").open(newline="")))
    assert [(row["pair"], row["count"]) for row in rows] == [("C-H", "900"), ("C-C", "9")]
    about = json.loads((files / "t.json").read_text())
    mean = read_map("a.e3d").labels["C-H"].mean_D
    assert about["pairs"][0]["mean_D_eV"] == float(rows[0]["mean_D_eV"]) == mean
    assert (files / "p.png").read_bytes().startswith(b"\x89PNG")


def test_add_then_subtract(files, capsys):
    assert run("add", "a.e3d", "b.e3d", "c.e3d", "-o", "all.e3d") == 0
    whole = read_map("all.e3d")
    assert (whole.samples, whole.steps, whole.labels["C-H"].count) == (15, (0, 240), 2700)
    assert run("add", "b.e3d", "c.e3d", "-o", "bc.e3d") == 0
    assert run("subtract", "all.e3d", "bc.e3d", "-o", "rest.e3d") == 0
    rest, a = read_map("rest.e3d"), read_map("a.e3d")
    assert rest.samples == 5 and rest.by_count() == a.by_count()
    for name in a.by_count():
        assert rest.labels[name].count == a.labels[name].count
        assert np.array_equal(rest.labels[name].codes, a.labels[name].codes)
        assert np.array_equal(rest.labels[name].halves, a.labels[name].halves)
    assert rest.provenance["subtracted"] == "10 samples of bc.e3d"
    assert run("subtract", "a.e3d", "b.e3d", "-o", "no.e3d") == 2
    assert "only a part that was added before" in capsys.readouterr().err
    assert not (files / "no.e3d").exists()
    assert run("add", "a.e3d", "-o", "no.e3d") == 2
    assert "at least two maps" in capsys.readouterr().err


def test_compare(files, capsys):
    assert run("compare", "a.e3d", "c.e3d", "-o", "t.csv", "t.json", "p.pdf") == 0
    printed = capsys.readouterr().out
    assert "JS distance" in printed and "C-H" in printed
    rows = list(csv.DictReader((files / "t.csv").open(newline="")))
    assert [row["pair"] for row in rows] == ["C-H", "C-C", "O-H"]
    assert rows[1]["jensen_shannon_distance"] == "" and rows[1]["count_b"] == "0"  # nan
    about = json.loads((files / "t.json").read_text())
    assert about["pairs"][1]["jensen_shannon_distance"] is None
    first = about["pairs"][0]
    assert 0.0 < first["jensen_shannon_distance"] < 1.0
    a, c = (read_map(f"{name}.e3d").labels["C-H"] for name in "ac")
    assert first["shift_H_2D_nats"] == c.entropy_nats - a.entropy_nats
    assert first["shift_D_eV"] == c.mean_D - a.mean_D and first["H_2D_b_nats"] == c.entropy_nats
    assert (files / "p.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "absent.e3d"], "expected a map file"),
        (["show", "a.e3d", "-o", "t.txt"], "ends in .csv or .json, not '.txt'"),
        (["compare", "a.e3d", "b.e3d", "-o", "p.png", "--pairs", "O-H"], "no pair to draw: O-H"),
        (["add", "a.e3d", "./a.e3d", "-o", "t.e3d"], "./a.e3d: the same file as a.e3d; give each map once"),
    ],
)
def test_errors(files, capsys, words, message):
    assert run(*words) == 2
    assert message in capsys.readouterr().err
