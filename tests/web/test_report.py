"""``e3d report``: one page with all that a folder holds, that is valid, escaped and needs nothing else."""

from __future__ import annotations

import base64
import json
import math
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis_folders import ABOUT, some_map, write_folder
from e3d_lmp.analysis.folders import MADE_BY
from e3d_lmp.analysis.maps import write_map
from e3d_lmp.cli import main
from e3d_lmp.web.report_html import Table
from e3d_lmp.web.report_sections import head, number

VOID = {"meta", "img", "br", "link", "input", "hr"}
EVENTS = """e3d-bonds/1
criterion energy
cutoff covalent
units metal
form C-H -2.5
break C-H -0.8
columns step id1 id2 type1 type2 label D A r event
1200 17 18 1 2 C-H -0.7312 0.1201 1.93 broken
1300 17 18 1 2 C-H -2.7312 0.1201 1.13 formed
"""
SPECIES = "e3d-species/1\ncolumns step molecules species formulas...\n0 3 2 H2O:2 CH4:1\n10 3 1 H2O:3\n20 3"


class Page(HTMLParser):
    """A page, its balance of tags checked, its texts, addresses and tables kept."""

    def __init__(self, path: Path):
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, text):
        if self.open and self.open[-1] != "style":
            self.texts.append(text)
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += text

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def values(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]


def check_self_contained(page: Page) -> list[bytes]:
    """The pictures of a page that loads nothing, whose links stay within it."""
    tags = {tag for tag, _, _ in page.attributes}
    assert not tags & {"script", "link", "iframe", "object", "base"}
    assert "url(" not in page.source and "@import" not in page.source
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    anchors = set(page.values("id"))
    assert len(anchors) == len(page.values("id"))
    for address in page.values("href"):
        assert address[0] == "#" and address[1:] in anchors, address
    pictures = []
    for address in page.values("src"):
        kind, _, content = address.partition(";base64,")
        picture = base64.b64decode(content, validate=True)
        if kind == "data:image/png":
            assert picture.startswith(b"\x89PNG")
        else:
            assert kind == "data:image/svg+xml" and picture.startswith(b"<?xml")
        pictures.append(picture)
    assert all(page.values("alt")) and len(page.values("alt")) == len(pictures)
    return pictures


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Page:
    folder = write_folder(tmp_path_factory.mktemp("r") / "run")
    (folder / "bonds.txt").write_text(EVENTS)
    (folder / "species.txt").write_text(SPECIES)
    assert main(["report", str(folder)]) == 0
    assert [path.name for path in folder.glob("*.html")] == ["report.html"]
    return Page(folder / "report.html")


def test_a_whole_folder(whole):
    pictures = check_self_contained(whole)
    assert len(pictures) == 6  # parity, ridgelines, maps, bars, events, species
    anchors = [value for tag, name, value in whole.attributes if (tag, name) == ("section", "id")]
    assert anchors == [
        *("errors", "bond-types", "pairs", "reactions", "events", "species", "provenance")
    ]  # nothing is missing
    assert [link[1:] for link in whole.values("href")] == anchors
    for text in ("ab" * 32, "organic.safetensors", "bond cutoff covalent", "2 events, criterion energy"):
        assert text in whole.text, text
    assert whole.source.startswith("<!DOCTYPE html>") and "prefers-color-scheme" in whole.source


def test_numbers_of_the_tables(whole):
    by_first = {table[0][0]: table for table in whole.tables}
    assert by_first["quantity"][1:] == [
        ["energy", "3", "eV/atom", "0.0100", "0.0200", "–"],
        ["barrier", "2", "eV", "0.3000", "0.4000", "−0.1000"],
        ["reaction energy", "2", "eV", "0.2500", "0.4000", "−0.1000"],
    ]
    assert by_first["name"][1:] == [  # the largest error per atom first, none without a reference
        ["A/r/product", "4", "−10.0000", "−13.0000"],
        ["A/r/reactant", "2", "−8.0000", "−8.2000"],
    ]
    assert [row[0] for row in by_first["reaction"][1:]] == ["A/r", "B/r"]
    assert by_first["pair"][1][0] == "C-H"
    assert ["C-C", "1,000", "−4.0000", "–"] in [row for table in whole.tables for row in table]
    assert by_first["formula"][1][:4] == ["H2O", "2", "3", "2.50"]
    assert "mean D" in [cell for table in whole.tables for cell in table[0]]
    types = next(table for table in whole.tables if table[0][0] == "type")
    assert {row[0] for row in types[1:]} == {"C-H 1", "C-C 1", "C-C 2", "N-N 1.5", "O-H 1"}


def test_warnings(whole):
    for text in (
        "Bond types without a reference energy, left out of Δ and σ: N-N 1.5 (7)",
        "Fewer than 10 bonds, so no distribution to trust: N-N 1.5",
        "Reference bond energies are enthalpies at 298 K",
        "The last line of species.txt is cut off",
    ):
        assert text in whole.text, text
    assert "rescaled" not in whole.text and "do not say whether" not in whole.text


def test_a_rescaled_model_and_what_is_missing(tmp_path, capsys):
    about = {"decomposition": "rescaled", "unpaired": "3 edges without a partner left out"}
    write_map(some_map(n=90, about=about), tmp_path / "map.e3d")
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "out.html"), "--title", "A run"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"wrote {tmp_path / 'out.html'}\n"
    said = printed.err.splitlines()
    assert all(line.startswith("e3d: warning: ") for line in said)
    assert any("'rescaled': its edge energies are a partition" in line for line in said)
    page = Page(tmp_path / "out.html")
    check_self_contained(page)
    assert "'rescaled': its edge energies are a partition" in page.text
    assert "3 edges without a partner left out." in page.text
    assert "Fewer than 100 pairs of C-H, C-C, O-H" in page.text and "<title>A run</title>" in page.source
    missing = {row[0]: row[2] for row in page.tables[-1][1:]}
    assert set(missing) == set(MADE_BY) - {"map.e3d"}
    assert missing["bonds.json"] == f"e3d analyze SOURCE -o {tmp_path}"
    write_map(some_map(about={}), tmp_path / "map.e3d")
    assert main(["report", str(tmp_path)]) == 0
    assert "The files do not say whether" in Page(tmp_path / "report.html").text


def test_text_from_outside_is_escaped(tmp_path):
    evil = "<script>alert(1)</script>\"'&amp;"
    folder = write_folder(tmp_path / "a&<b>", about={**ABOUT, "model": evil, "training_data": "<img src=x>"})
    (folder / "reactions.csv").write_text(
        "reaction,barrier_eV,reference_barrier_eV,reaction_energy_eV,reference_reaction_energy_eV\n"
        "<img src=http://x/y>,1,2,3,4\n"
    )
    assert main(["report", str(folder), "--title", "</title><script>x</script>"]) == 0
    page = Page(folder / "report.html")
    check_self_contained(page)
    assert evil in page.text and "<img src=http://x/y>" in [row[0] for t in page.tables for row in t]
    assert "<script" not in page.source


def test_a_series(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "n10", 0.4, 0.5)
    write_folder(tmp_path / "n99", 0.2, 0.1, about={**ABOUT, "model": "other.pth"})
    assert main(["report", "10=n10", "99=n99"]) == 0
    assert "wrote report.html" in capsys.readouterr().out
    page = Page(tmp_path / "report.html")
    assert len(check_self_contained(page)) == 5  # errors, bonds, entropies, maps, bars
    models = page.tables[0]
    assert [row[:2] for row in models[1:]] == [["N = 10", "n10"], ["N = 99", "n99"]]
    assert models[1][2] == "510.0" and models[2][2] == "110.0" and models[1][4] == "0.800"
    entropies = next(table for table in page.tables if table[0][0] == "pair")
    expected = some_map(0.4).labels["C-H"].entropy_nats
    assert entropies[1][:2] == ["C-H", f"{expected:.4f}"]
    rows = {row[0]: row[1] for table in page.tables for row in table if len(row) == 2}
    assert rows["model, N = 10"] == ABOUT["model"] and rows["model, N = 99"] == "other.pth"
    assert rows["model sha256"] == "ab" * 32  # the same of both
    assert page.text.count("Reference bond energies are enthalpies") == 1
    assert "N = 10: The plug-in H_2D is too low" in page.text
    assert "All models: Reference bond energies" in page.text


def test_a_series_that_lacks_things(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_map(some_map(), tmp_path / name / "map.e3d")
    assert main(["report", "10=a", "20=b", "-o", "s.html"]) == 0
    page = Page(tmp_path / "s.html")
    assert len(check_self_contained(page)) == 2
    missing = [row[0] for row in page.tables[-1][1:]]
    assert missing == [
        "Errors against training structures",
        "Bond energies against training structures",
        "Reactants, transition states and products",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["empty"], "nothing to report there; type: e3d analyze SOURCE -o empty"),
        (["a", "b"], "e.g. 920=a 3000=b"),
        (["a", "-o", "report.pdf"], "a report is written to a file that ends in .html"),
        (["10=empty", "20=empty"], "nothing to compare in empty"),
        (["a", "-o", "no/such/report.html"], "cannot write"),
    ],
)
def test_errors(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a").mkdir()
    write_map(some_map(), tmp_path / "a" / "map.e3d")
    assert main(["report", *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.html"))


def test_a_damaged_file_is_an_error_and_leaves_the_old_page(tmp_path, capsys):
    folder = write_folder(tmp_path / "run")
    (folder / "report.html").write_text("old")
    (folder / "map.e3d").write_text("e3d-map/1\n")
    assert main(["report", str(folder)]) == 2
    assert "map.e3d" in capsys.readouterr().err
    assert (folder / "report.html").read_text() == "old"


def test_the_number_of_force_components_is_said(tmp_path):
    folder = write_folder(tmp_path / "one")
    errors = json.loads((folder / "errors.json").read_text())
    errors["force"] = {"components": 22896, "mae_eV_per_A": 0.04, "rmse_eV_per_A": 0.06}
    (folder / "errors.json").write_text(json.dumps(errors))
    assert main(["report", str(folder)]) == 0
    assert "22,896" in (folder / "report.html").read_text(encoding="utf-8")


def test_cells():
    assert (number(1234), number(-2), number(math.nan), number(-0.5, ".2f")) == ("1,234", "−2", "–", "−0.50")
    assert head("mean_D_eV") == ("mean D", "eV") and head("mae_eV_per_atom") == ("mae", "eV/atom")
    assert head("H_2D_nats") == ("H 2D", "nats") and head("count") == ("count", "")
    table = Table([("a", ""), ("b", ""), ("c", "")], [["x", "−1.5", "–"], ["1", "2,000", "3"]])
    assert table.numeric == (False, True, True)
