"""``e3d plot``: every kind from the command line, and what it says where something is missing."""

from __future__ import annotations

import struct

import pytest

from analysis_folders import reaction_store, write_folder
from e3d_lmp.cli import main
from e3d_lmp.commands.plot import KINDS


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    write_folder(root / "n10", 0.5, 0.5)
    write_folder(root / "n99", 0.2, 0.1)
    reaction_store(root / "edges.h5")
    return root


def words(kind: str) -> list[str]:
    """The sources of each kind, in the folder of the fixture."""
    series = ["10=n10", "99=n99"]
    one = {"maps": ["n10"], "ridgelines": ["n10"], "parity": ["n10"], "path": ["edges.h5"]}
    return [kind, *one.get(kind, series)]


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind(folders, tmp_path, monkeypatch, capsys, kind):
    monkeypatch.chdir(folders)
    out = [tmp_path / f"{kind}.png", tmp_path / f"{kind}.svg"]
    assert main(["plot", *words(kind), "-o", *map(str, out), "--dpi", "40", "--title", "my <title>"]) == 0
    assert f"wrote {out[0]}, {out[1]}" in capsys.readouterr().out
    assert out[0].read_bytes().startswith(b"\x89PNG")
    svg = out[1].read_text()
    assert svg.startswith("<?xml") and svg.rstrip().endswith("</svg>")
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in out]
    assert "my <title>" in svg or "my &lt;title&gt;" in svg  # in the comment above the glyphs


@pytest.mark.parametrize("kind", list(KINDS))
def test_help_of_every_kind(capsys, kind):
    with pytest.raises(SystemExit) as end:
        main(["plot", kind, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "--output" in text and "--size WIDTH HEIGHT" in text


def test_size_and_resolution(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(folders)
    path = tmp_path / "a.png"
    assert (
        main(["plot", "errors", "10=n10", "99=n99", "-o", str(path), "--size", "6", "3", "--dpi", "50"]) == 0
    )
    assert struct.unpack(">II", path.read_bytes()[16:24]) == (300, 150)


def test_pairs_and_references(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(folders)
    out = str(tmp_path / "a.svg")
    assert main(["plot", "ridgelines", "n10/bonds.json", "--pairs", "C-C", "--bond-energy", "-o", out]) == 0
    assert main(["plot", "entropy", "10=n10", "--reference", "n99/map.e3d", "--pairs", "H-C", "-o", out]) == 0
    assert main(["plot", "bars", "n10", "--reference", "n99", "--pairs", "C-C", "-o", out]) == 0
    assert main(["plot", "bars", "n10", "-o", out]) == 0  # against its own reactants
    assert main(["plot", "grid", "n10", "n99/map.e3d", "-o", out]) == 0
    assert main(["plot", "path", "edges.h5", "--reaction", "CHO/rxn1", "CHO/rxn1", "-o", out]) == 0
    assert main(["plot", "path", "edges.h5", "--reaction", "CHO/rxn1", "--last", "2", "-o", out]) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("maps n10 -o a.doc", "a.doc: a picture is written to a file that ends in .png, .pdf, .svg"),
        ("maps nowhere -o a.png", "nowhere"),
        ("maps n10 -o a.png --pairs S-S", "no pair to draw: S-S"),
        ("maps n10 -o a.png --size 0 3", "expected inches, e.g. --size 7 5"),
        ("maps n10 -o a.png --dpi 1", "expected dots per inch"),
        ("scaling n10 -o a.png", "expected [SERIES:]N=DIR"),
        ("scaling 10=. -o a.png", "no bonds.json there; type: e3d analyze SOURCE -o ."),
        ("ridgelines . -o a.png", "no bonds.json there"),
        ("errors 10=. -o a.png", "no errors.json there; type: e3d evaluate MODEL STRUCTURES --forces"),
        ("parity . -o a.png", "no structures.csv there; type: e3d evaluate"),
        ("bars . -o a.png", "no map.reactant.e3d there"),
        ("bars n10 n99 -o a.png", "say which to compare with, --reference DIR"),
        (
            "bars a:10=n10 b:10=n99 -o a.png",
            "several series: say which folder to compare with, --reference n10",
        ),
        ("path edges.h5 --reaction X -o a.png", "no reaction 'X'; reactions there: CHO/rxn1"),
        ("path edges.h5 --last 1 -o a.png", "expected a number of images of at least 2"),
        ("path n10/map.e3d -o a.png", "expected an edge store"),
    ],
)
def test_errors(folders, monkeypatch, capsys, line, message):
    monkeypatch.chdir(folders)
    assert main(["plot", *line.split()]) == 2
    assert message in capsys.readouterr().err
    assert not (folders / "a.png").exists()


def test_which_reaction_is_drawn_is_said(folders, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folders)
    assert main(["plot", "path", "edges.h5", "-o", str(tmp_path / "a.png"), "--dpi", "40"]) == 0
    assert "CHO/rxn1, one of 2 reactions; choose others with --reaction NAME" in capsys.readouterr().out


def test_the_reference_of_bars_is_no_panel(folders, monkeypatch):
    monkeypatch.chdir(folders)
    from e3d_lmp.analysis.folders import parse_series, sample_names
    from e3d_lmp.figures.of_folder import bars_figure

    names = sample_names(parse_series(["10=n10", "99=n99"]))
    figure = bars_figure(names, names["N = 99"])
    assert [axis.get_title("left") for axis in figure.axes] == ["N = 10"]
    assert "N = 99" in figure.get_supylabel()


def test_parity_has_what_the_folder_has(folders):
    from e3d_lmp.analysis.folders import AnalysisFolder
    from e3d_lmp.figures.of_folder import parity_figure

    figure = parity_figure(AnalysisFolder(folders / "n10"))
    energy, barrier, reaction = figure.axes
    assert energy.collections[0].get_offsets().tolist() == [[-4.1, -4.0], [-3.25, -2.5]]
    assert barrier.collections[0].get_offsets().tolist() == [[2.0, 1.5], [2.75, 3.0]]
    assert reaction.collections[0].get_offsets().tolist() == [[0.4, 0.5], [-0.25, -0.5]]
    assert "n = 2\nMAE 425.0 meV/atom" in energy.texts[0].get_text()
