"""scripts/training/scaling/tables.py: the tables of a page from a row of a study."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lammps_runs import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "training" / "scaling"))

import tables


@pytest.fixture
def row(tmp_path: Path) -> Path:
    molecules = {
        "energy": {"mae_eV_per_atom": 0.0104},
        "force": {"mae_eV_per_A": 0.126},
        "bonds": {"sigma_within": 0.288},
        "H_2D_nats": dict.fromkeys(tables.PAIRS, 3.0) | {"O-H": 2.5},
    }
    reactions = {"reactions": {"barrier": {"mae_eV": 1.59}, "reaction_energy": {"mae_eV": 0.88}}}
    (tmp_path / "row.json").write_text(json.dumps({"molecules": molecules, "reactions": reactions}))
    (tmp_path / "molecules").mkdir()
    bonds = {
        "delta_bde": {"enthalpies": 1.1, "level": 1.15},
        "sums": {"bonded": -90.0, "edges": -100.0},
    }
    (tmp_path / "molecules" / "bonds.json").write_text(json.dumps(bonds))
    lines = [f"{kind},-4.25,4.5" for kind in tables.TYPES]
    text = "\n".join(["type,mean_D_eV,reference_eV", *lines])
    (tmp_path / "molecules" / "bonds.csv").write_text(text)
    return tmp_path


def test_a_row_of_both_tables(row: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tables.main([str(row), "920"]) == 0
    lines = capsys.readouterr().out.splitlines()
    # energy that is in no bond: 100 - 90 of 100
    numbers = "10.4 | 126 | 1.59 | 0.88 | 1.10 | 1.15 | 0.29 | 10 % | 3.00 | 3.00 | 3.00 | 3.00 | 2.50"
    assert lines[2] == f"| 920 | {numbers} |"
    assert lines[4] == "|  | 920 | reference |"
    assert lines[6] == "| C-C 1 | −4.25 | −4.50 |"
    assert len(lines) == 6 + len(tables.TYPES)


def test_a_folder_without_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert tables.main(["rows"]) == 2
    assert "each with its name" in capsys.readouterr().err


def test_curves_of_validation(tmp_path: Path) -> None:
    import curves

    log = tmp_path / "row" / "train" / "log" / "version_0"
    log.mkdir(parents=True)
    heads = ["step", curves.FORCE, curves.ENERGY]
    lines = ["1999,0.2,0.01", "1000,,", "999,0.3,0.02"]  # seconds and firsts, and a line of the training loss
    (log / "metrics.csv").write_text("\n".join([",".join(heads), *lines]) + "\n")
    assert curves.main([str(tmp_path / "curves.png"), str(tmp_path / "row"), "920, seed 2"]) == 0
    written = (tmp_path / "curves.csv").read_text().splitlines()
    assert written[1:] == ['"920, seed 2",1000,300.00,20.000', '"920, seed 2",2000,200.00,10.000']
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    assert curves.main(["curves.png", "row"]) == 2


def test_rows_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import curves
    import judge

    figure, empty = str(tmp_path / "curves.png"), str(tmp_path)
    for main, words, message in (
        (tables.main, [str(tmp_path / "nothere"), "920"], "expected the folder of a row of e3d study"),
        (tables.main, [empty, "920", empty, "920"], "a name of its own for each row"),
        (tables.main, [empty, "920"], "row.json"),
        (curves.main, [figure, empty, "920"], "a training with validation errors"),
        (judge.main, [str(tmp_path / "study.yaml"), "nothere", empty], "study.yaml"),
    ):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1
