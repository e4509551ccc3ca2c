"""Folders of results: what is read, and what is said where something is missing."""

from __future__ import annotations

import math

import pytest

from analysis_folders import some_map, write_folder
from e3d_lmp.analysis.folders import AnalysisFolder, is_series_word, parse_series, sample_names
from e3d_lmp.errors import E3DError


def test_series_words(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    a, b = tmp_path / "a", tmp_path / "b"
    series = parse_series([f"3000={b}", f"920={a}", f"l2:1_000={a}"])
    assert {name: list(models) for name, models in series.items()} == {"": [920, 3000], "l2": [1000]}
    assert series[""][920].path == a
    assert list(sample_names(series)) == ["N = 920", "N = 3,000", "l2, N = 1,000"]
    assert is_series_word(f"920={a}") and not is_series_word(str(a))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["out"], r"'out': expected \[SERIES:\]N=DIR"),
        (["x=out"], "a number of training structures"),
        (["0=out"], "e.g. 920=out/n920"),
        (["9=nowhere"], "no such folder; make it: e3d analyze SOURCE -o nowhere"),
        (["9=.", "9=."], r"N = 9 was there before; name the series, e.g. a:9=\."),
    ],
)
def test_bad_series_words(words, message):
    with pytest.raises(E3DError, match=message):
        parse_series(words)


def test_what_a_folder_holds(tmp_path):
    folder = AnalysisFolder(write_folder(tmp_path / "run"))
    assert folder.map().labels["C-H"].count == some_map().labels["C-H"].count
    assert list(folder.states()) == ["reactant", "transition_state", "product"]
    assert folder.bonds().references["C-C 1"].energy == 3.61
    errors = folder.model_errors()
    assert (errors.energy, errors.barrier, errors.reaction_energy) == (0.01, 0.3, 0.25)
    assert math.isnan(errors.force)
    atoms, reference = folder.numbers("structures.csv", "atoms", "reference_eV")
    assert atoms.tolist() == [2, 4, 5] and reference[0] == -8.2 and math.isnan(reference[2])


def test_what_is_missing_or_damaged(tmp_path):
    with pytest.raises(E3DError, match="no such folder"):
        AnalysisFolder(tmp_path / "x").map()
    folder = AnalysisFolder(tmp_path)
    with pytest.raises(E3DError, match=r"no bonds\.json there; type: e3d analyze SOURCE -o"):
        folder.bonds()
    with pytest.raises(E3DError, match=r"no map\.reactant\.e3d there; type: e3d evaluate MODEL REAC"):
        folder.states()
    (tmp_path / "errors.json").write_text('{"format": "e3d-errors/2"}')
    with pytest.raises(E3DError, match="expected the format e3d-errors/1, got 'e3d-errors/2'"):
        folder.errors()
    for text in ("[1", "[]", "{}"):
        (tmp_path / "errors.json").write_text(text)
        with pytest.raises(E3DError, match=r"damaged table of errors \(e3d-errors/1\)"):
            folder.errors()
    (tmp_path / "reactions.csv").write_text("reaction,barrier_eV\nA,1,2\n")
    with pytest.raises(E3DError, match="rows of different length"):
        folder.table("reactions.csv")
    (tmp_path / "reactions.csv").write_text("reaction,barrier_eV\nA,high\n")
    with pytest.raises(E3DError, match="no column product_eV; columns there: reaction, barrier_eV"):
        folder.numbers("reactions.csv", "product_eV")
    with pytest.raises(E3DError, match="'high'"):
        folder.numbers("reactions.csv", "barrier_eV")


def test_the_map_of_a_run_is_taken_where_there_is_no_other(tmp_path):
    from e3d_lmp.analysis.maps import write_map

    write_map(some_map(), tmp_path / "insitu.e3d")
    assert AnalysisFolder(tmp_path).map().samples == 20
