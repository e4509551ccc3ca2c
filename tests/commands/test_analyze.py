"""``e3d analyze`` from the command line to its files."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from ase.build import molecule

from e3d_lmp import __version__, cli
from e3d_lmp.analysis.analysis_tables import AnalysisTables
from e3d_lmp.analysis.bonds.files import read_bond_energies
from e3d_lmp.analysis.edge_analysis import EdgeAnalysis
from e3d_lmp.analysis.maps import read_map
from e3d_lmp.analysis.pair_table import pair_columns, pair_table
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.frames import EdgeFrame
from e3d_lmp.edges.sources import model_types
from e3d_lmp.errors import E3DError
from e3d_lmp.tables import format_table
from edge_frames import bonds_of, molecule_frame, plain_pairs, random_cell, random_frame, take, write_dump
from lammps_runs import BIN

ELEMENTS = ("C", "H", "O")


@pytest.fixture(scope="module")
def frames() -> list[EdgeFrame]:
    rng = np.random.default_rng(9)
    cell = random_cell(rng, 4.0, 5.0, False)
    return [random_frame(rng, 14, cell, np.full((3, 3), 3.0), step=100 * k) for k in range(3)]


@pytest.fixture(scope="module")
def dump(frames, tmp_path_factory):
    return write_dump(tmp_path_factory.mktemp("dump") / "edges.dump", frames)


def expected_rows(frames: list[EdgeFrame]) -> dict[str, tuple]:
    bond = parse_cutoff("covalent").matrix(ELEMENTS)
    values: dict[str, list] = {}
    for frame in frames:
        for label, _, _, _, e12, e21 in plain_pairs(frame, ELEMENTS, bond):
            values.setdefault(label, []).append((e12 + e21, e12 - e21))
    rows = {}
    for label, pairs in values.items():
        D, A = np.array(pairs).T
        rows[label] = (len(D), D.mean(), D.std(), np.abs(A).mean())
    return rows


def test_command_line(frames, dump, tmp_path, capsys):
    out = tmp_path / "new" / "OUT"
    assert cli.main(["analyze", str(dump), "-o", str(out), "--types", *ELEMENTS, "--pdf"]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "bonds.csv",
        "bonds.json",
        "map.e3d",
        "maps.pdf",
        "maps.png",
        "pairs.csv",
        "pairs.json",
        "ridgelines.pdf",
        "ridgelines.png",
    ]
    expected = expected_rows(frames)
    assert set(expected) >= {"C-C", "C-H", "C-O"}
    with open(out / "pairs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0])[:8] == tuple(column.name for column in pair_columns())
    assert {row["pair"] for row in rows} == set(expected)
    assert [int(row["count"]) for row in rows] == sorted((int(row["count"]) for row in rows), reverse=True)
    for row in rows:
        count, mean_d, std_d, mean_abs_a = expected[row["pair"]]
        assert int(row["count"]) == count
        got = [float(row[name]) for name in ("mean_D_eV", "std_D_eV", "mean_absA_eV")]
        assert got == pytest.approx([mean_d, std_d, mean_abs_a], abs=1e-10)
        assert float(row["H_2D_bits"]) == pytest.approx(float(row["H_2D_nats"]) / np.log(2), abs=1e-12)
    about = json.loads((out / "pairs.json").read_text())
    assert about["samples"] == 3 and about["steps"] == [0, 200] and about["cutoff"] == "covalent"
    expected = {"e3d": __version__, "types": "C H O", "dumps": str(dump), "every": "1", "energy_unit": "eV"}
    assert about["provenance"] == {**expected, "bond_orders": "rdkit"}
    assert [row["pair"] for row in about["pairs"]] == [row["pair"] for row in rows]
    written = read_map(out / "map.e3d")
    narrow = [{column.name: row[column.name] for column in pair_columns()} for row in about["pairs"]]
    assert pair_table(written) == narrow
    assert written.provenance["types"] == "C H O"
    printed = capsys.readouterr()
    assert format_table(pair_columns(), narrow) in printed.out
    assert "3 frames, bond cutoff covalent" in printed.out
    assert printed.err == ""


def test_options(frames, dump, tmp_path):
    words = ["analyze", str(dump), "-o", str(tmp_path), "--types", *ELEMENTS, "--every", "2"]
    words += ["--pairs", "H-C", "C-C", "--cutoff", "2.5", "--bin", "0.25"]
    assert cli.main(words) == 0
    result = read_map(tmp_path / "map.e3d")
    assert (result.samples, result.width, result.cutoff, list(result.labels)) == (
        2,
        0.25,
        "2.5",
        ["C-C", "C-H"],
    )
    bond = np.full((3, 3), 2.5)
    pairs = [row for frame in frames[::2] for row in plain_pairs(frame, ELEMENTS, bond)]
    for name in ("C-C", "C-H"):
        assert result.labels[name].count == sum(row[0] == name for row in pairs)
    assert not (tmp_path / "maps.pdf").exists()


def test_reference_map(frames, dump, tmp_path, capsys):
    """The share of bonds in bins that the map of the first frame lacks, in all tables; 0 against itself."""
    first = write_dump(tmp_path / "first", frames[:1])
    types = ["--types", *ELEMENTS]
    assert cli.main(["analyze", str(first), "-o", str(tmp_path / "r"), *types]) == 0
    reference = str(tmp_path / "r" / "map.e3d")
    out = tmp_path / "o"
    assert cli.main(["analyze", str(dump), "-o", str(out), *types, "--reference-map", reference]) == 0
    printed = capsys.readouterr()
    assert "does not say which model it is of" in printed.err

    def bins(frame: EdgeFrame) -> dict[str, list]:
        found: dict[str, list] = {}
        for label, _, _, _, e12, e21 in plain_pairs(
            frame, ELEMENTS, parse_cutoff("covalent").matrix(ELEMENTS)
        ):
            D, A = e12 + e21, e12 - e21
            signs = (1, -1) if len(set(label.split("-"))) == 1 else (1,)
            found.setdefault(label, []).append(
                [(int(np.floor(D / 0.1)), int(np.floor(s * A / 0.1))) for s in signs]
            )
        return found

    visited = {label: {one for pair in pairs for one in pair} for label, pairs in bins(frames[0]).items()}
    new: dict[str, list[float]] = {}
    per_frame = []
    for frame in frames:
        novel = {
            label: [sum(one not in visited.get(label, ()) for one in pair) / len(pair) for pair in pairs]
            for label, pairs in bins(frame).items()
        }
        per_frame.append(np.mean(np.concatenate(list(novel.values()))))
        for label, shares in novel.items():
            new.setdefault(label, []).extend(shares)
    about = json.loads((out / "pairs.json").read_text())
    whole = np.mean(np.concatenate(list(new.values())))
    assert about["reference_map"] == {"path": reference, "unvisited_share": pytest.approx(whole)}
    assert {row["pair"]: row["unvisited_share"] for row in about["pairs"]} == pytest.approx(
        {label: np.mean(shares) for label, shares in new.items()}
    )
    assert f"unvisited: {whole:.2%} of the bonds" in printed.out
    with open(out / "novelty.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [frame.step for frame in frames]
    assert [float(row["unvisited_share"]) for row in rows] == pytest.approx(per_frame)
    assert per_frame[0] == 0.0 < per_frame[1] and float(rows[1]["unvisited_share_C-C"]) > 0.0

    # maps of the same frames, against the same reference
    words = ["analyze", str(out / "map.e3d"), "-o", str(tmp_path / "m"), "--reference-map", reference]
    assert cli.main(words) == 0
    again = json.loads((tmp_path / "m" / "pairs.json").read_text())
    assert again["reference_map"] == about["reference_map"] and not (tmp_path / "m" / "novelty.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bin", "0.2"], "are 0.1 eV wide, not 0.2 eV: give --bin 0.1"),
        (["--cutoff", "2.5"], "those of --cutoff covalent, not of --cutoff 2.5: give --cutoff covalent"),
        (["--reference-map", "gone.e3d"], "gone.e3d: no such file; expected a map file (e3d-map/1)"),
    ],
)
def test_references_that_are_not_comparable(dump, tmp_path, capsys, words, message):
    assert cli.main(["analyze", str(dump), "-o", str(tmp_path / "r"), "--types", *ELEMENTS]) == 0
    reference = str(tmp_path / "r" / "map.e3d")
    whole = ["analyze", str(dump), "-o", str(tmp_path / "o"), "--types", *ELEMENTS]
    assert cli.main([*whole, "--reference-map", reference, *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_merged_analyses_are_the_whole(frames):
    whole, first, second = (EdgeAnalysis(ELEMENTS, parse_cutoff("model")) for _ in range(3))
    for k, frame in enumerate(frames):
        whole.add(frame)
        (first, second)[k % 2].add(frame)
    first.merge(second)
    a, b = pair_table(first.result()), pair_table(whole.result())
    assert [(row["pair"], row["count"]) for row in a] == [(row["pair"], row["count"]) for row in b]
    assert [row["H_2D_nats"] for row in a] == [row["H_2D_nats"] for row in b]
    assert [row["mean_D_eV"] for row in a] == pytest.approx([row["mean_D_eV"] for row in b], abs=1e-12)


def test_model_cutoffs_make_one_sided_pairs_legal(tmp_path, monkeypatch, capsys):
    from e3d_lmp.model import contract

    class Model:
        type_names = ("h", "o", "c")
        type_elements = ("H", "O", "C")
        cutoffs = (2.0, 2.5, 2.9, 2.0, 2.5, 3.0, 2.0, 2.5, 3.0)  # H -> C 2.9, C -> H 2.0
        source_sha256 = "0123456789abcdef"

    monkeypatch.setattr(contract, "read_metadata", lambda path: Model)
    directed = np.array([[3.0, 2.0, 2.5], [2.9, 2.0, 2.5], [3.0, 2.0, 2.5]])  # C H O
    rng = np.random.default_rng(1)
    frame = random_frame(rng, 14, random_cell(rng, 4.0, 5.0, False), directed)
    path = write_dump(tmp_path / "d", [frame])
    words = ["analyze", str(path), "-o", str(tmp_path / "o"), "--cutoff", "model", "--types", *ELEMENTS]
    assert cli.main(words) == 2
    assert "edges have no partner" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
    assert cli.main([*words, "--model", "any"]) == 0
    written = read_map(tmp_path / "o" / "map.e3d")
    assert written.labels["C-H"].count == sum(row[0] == "C-H" for row in plain_pairs(frame, ELEMENTS))
    assert written.provenance["model_source"] == Model.source_sha256
    assert (
        cli.main(["analyze", str(path), "-o", str(tmp_path), "--types", "C", "H", "S", "--model", "any"]) == 2
    )
    assert "no type or element S" in capsys.readouterr().err


def test_types_that_share_an_element_have_their_own_cutoffs(monkeypatch):
    from e3d_lmp.model import contract

    class Model:
        type_names = ("Hw", "O", "Hc")
        type_elements = ("H", "O", "H")
        cutoffs = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)

    monkeypatch.setattr(contract, "read_metadata", lambda path: Model)
    elements, cutoffs = model_types("any", ["Hc", "O", "Hw", "O"])
    assert elements == ("H", "O", "H", "O")
    assert cutoffs.tolist() == [[9, 8, 7, 8], [6, 5, 4, 5], [3, 2, 1, 2], [6, 5, 4, 5]]
    for words in (["H", "O"], ["O", "H"]):
        with pytest.raises(E3DError, match="H is the element of its types Hw Hc, whose cutoffs differ"):
            model_types("any", words)
    assert model_types("any", ["O"])[1].tolist() == [[5.0]]
    Model.cutoffs = (1.0, 2.0, 1.0, 4.0, 5.0, 4.0, 1.0, 2.0, 1.0)  # both kinds of H alike
    assert model_types("any", ["H", "O"])[1].tolist() == [[1, 2], [4, 5]]
    with pytest.raises(E3DError, match="no type or element C, N, it has H O Hw Hc"):
        model_types("any", ["C", "N"])


def test_what_did_not_count_is_said(frames, tmp_path, capsys):
    lost = take(frames[1], np.delete(np.arange(len(frames[1].i)), 3))
    text = write_dump(tmp_path / "d", [frames[0], lost, replace(frames[2], step=100), frames[2]]).read_text()
    (tmp_path / "d").write_text(text[:-50])
    words = [
        "analyze",
        str(tmp_path / "d"),
        "-o",
        str(tmp_path / "o"),
        "--types",
        *ELEMENTS,
        "--cutoff",
        "model",
    ]
    assert cli.main(words) == 2
    assert "1 edges have no partner" in capsys.readouterr().err
    assert cli.main([*words, "--skip-unpaired"]) == 2
    assert "is cut off; add --allow-truncated" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
    assert cli.main([*words, "--skip-unpaired", "--allow-truncated"]) == 0
    warnings = capsys.readouterr().err
    for part in ("1 cut-off frames", "1 frames left out whose step", "1 edges without a partner"):
        assert f"e3d: warning: {part}" in warnings
    assert read_map(tmp_path / "o" / "map.e3d").provenance["unpaired"].startswith("1 edges")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--types", "C", "H"], "--types names 2 (C H)"),
        (["--types", "C", "H", "Oxygen"], "'Oxygen' is not a chemical element"),
        (["--types", *ELEMENTS, "--cutoff", "covalant"], "expected 'model', 'covalent'"),
        (["--types", *ELEMENTS, "--cutoff", "0.01"], "no pair within the bond cutoff '0.01' in 3 frames"),
        (["--types", *ELEMENTS, "--pairs", "C-S"], "expected two of the elements C O H"),
        (["--types", *ELEMENTS, "--bin", "0"], "expected a positive number of eV"),
        (["--types", *ELEMENTS, "--every", "0"], "--every 0"),
        (["--types", *ELEMENTS, "--columns", "a", "b"], "--columns names 2 columns"),
    ],
)
def test_bad_words_write_nothing(dump, tmp_path, capsys, words, message):
    assert cli.main(["analyze", str(dump), "-o", str(tmp_path / "o"), *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("e3d: error: ") and error.count("\n") == 1
    assert message in error
    assert not (tmp_path / "o").exists()


def test_bad_dump_writes_nothing(tmp_path, capsys):
    assert cli.main(["analyze", str(tmp_path / "nothing"), "-o", str(tmp_path / "o"), "--types", "C"]) == 2
    assert "nothing: no such file" in capsys.readouterr().err
    (tmp_path / "empty").write_text("")
    assert cli.main(["analyze", str(tmp_path / "empty"), "-o", str(tmp_path / "o"), "--types", "C"]) == 2
    assert "the dump is empty" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_failed_write_leaves_nothing_half_written(frames, tmp_path):
    analysis = EdgeAnalysis(ELEMENTS)
    analysis.add(frames[0])
    (tmp_path / "file").write_text("")
    with pytest.raises(E3DError, match="cannot make the folder"):
        AnalysisTables(analysis).write(tmp_path / "file" / "o")
    (tmp_path / "o" / "map.e3d").mkdir(parents=True)
    with pytest.raises(E3DError, match=r"cannot write .*map\.e3d"):
        AnalysisTables(analysis).write(tmp_path / "o")
    assert not [path for path in (tmp_path / "o").iterdir() if path.name.startswith(".")]


def test_command_table_imports_nothing_heavy():
    code = "import sys, e3d_lmp.cli; print([m for m in ('numpy', 'torch', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_reading_edges_imports_nothing_heavy():
    """Every rank of a run pays for it."""
    heavy = ("torch", "matplotlib", "rdkit", "pandas", "lammps", "ovito")
    code = f"import sys, e3d_lmp.commands.analyze; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_lists_the_commands(capsys):
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in cli.COMMANDS)
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0 and __version__ in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        cli.main(["analyse"])
    assert stop.value.code == 2


def test_dump_of_bonds_gives_the_same_files(frames, dump, tmp_path):
    bonds = write_dump(tmp_path / "bonds.dump", [bonds_of(frame, ELEMENTS) for frame in frames])
    for name, path in (("edges", dump), ("bonds", bonds)):
        assert cli.main(["analyze", str(path), "-o", str(tmp_path / name), "--types", *ELEMENTS]) == 0
    a, b = (read_map(tmp_path / name / "map.e3d") for name in ("edges", "bonds"))
    assert list(a.labels) == list(b.labels) and (a.samples, a.steps) == (b.samples, b.steps)
    for label, one in a.labels.items():
        other = b.labels[label]
        assert one.count == other.count and one.sum_D == pytest.approx(other.sum_D, abs=1e-9)
        assert np.array_equal(one.codes, other.codes) and np.array_equal(one.halves, other.halves), label


def hot_run(path, n: int = 9, breaks: int = 4):
    """A run of two molecules with gaps between its ids: a C-H bond of the first one breaks at a frame."""
    molecules = [molecule("CH3CN"), molecule("CO2")]
    molecules[1].positions += [0.0, 0.0, 7.0]
    both = molecules[0] + molecules[1]
    both.cell = [40.0] * 3
    rng = np.random.default_rng(2)
    ids = rng.permutation(np.arange(7, 7 + 3 * len(both), 3))
    out = []
    for k in range(n):
        atoms = both.copy()
        atoms.positions += rng.normal(0, 0.01, atoms.positions.shape)
        if k >= breaks:
            atoms.positions[3] += [0.0, 3.0, 0.0]
        out.append(molecule_frame(atoms, MD_ELEMENTS, ids, 10 * k))
    return write_dump(path, out), out


MD_ELEMENTS = ("C", "H", "N", "O")


def types_of(folder) -> dict[str, int]:
    energies = read_bond_energies(folder / "bonds.json").energies
    return dict(zip(energies.types, energies.count.tolist(), strict=True))


def test_store_of_a_run_gives_what_its_dump_gives(tmp_path, capsys):
    """Edges and pairs, with and without elements and positions; molecules typed by the first frame."""
    pytest.importorskip("rdkit", reason="no RDKit; type: pip install 'e3d-lmp[bonds]'")
    dump, _ = hot_run(tmp_path / "d")
    types = ["--types", *MD_ELEMENTS]
    assert cli.main(["analyze", str(dump), "-o", str(tmp_path / "d_out"), "--every", "2", *types]) == 0
    want = {"C-C 1": 5, "C-H 1": 2 * 3 + 3 * 2, "C-N 3": 5, "C-O 2": 10}
    assert types_of(tmp_path / "d_out") == want
    for name, more in (("edges", []), ("pairs", ["--pairs"])):
        store = tmp_path / f"{name}.h5"
        assert cli.main(["convert", str(dump), "-o", str(store), *types, *more]) == 0
        capsys.readouterr()
        assert cli.main(["analyze", str(store), "-o", str(tmp_path / name), "--every", "2"]) == 0
        assert capsys.readouterr().err == ""
        assert types_of(tmp_path / name) == want
        a, b = (read_map(tmp_path / folder / "map.e3d") for folder in ("d_out", name))
        assert (a.samples, a.steps, a.labels.keys()) == (b.samples, b.steps, b.labels.keys())
        for label, one in a.labels.items():
            assert np.array_equal(one.codes, b.labels[label].codes)
            assert np.array_equal(one.halves, b.labels[label].halves)
        assert b.provenance["store"] == str(store) and "request" not in b.provenance
    bare = tmp_path / "bare.h5"
    assert cli.main(["convert", str(dump), "-o", str(bare)]) == 0
    assert cli.main(["analyze", str(bare), "-o", str(tmp_path / "b")]) == 2
    assert "it does not name the elements; add --types" in capsys.readouterr().err
    assert cli.main(["analyze", str(bare), "-o", str(tmp_path / "b"), "--every", "2", *types]) == 0
    assert types_of(tmp_path / "b") == want


def test_types_from_a_topology(tmp_path):
    """A data file names the broken bond too; the other H is bonded to nothing in it."""
    pytest.importorskip("rdkit", reason="no RDKit; type: pip install 'e3d-lmp[bonds]'")
    dump, run = hot_run(tmp_path / "d", 3)
    ids = sorted({*run[0].i.tolist(), *run[0].j.tolist()})
    kind = dict(zip(run[0].i.tolist(), run[0].type_i.tolist(), strict=True))
    near = np.linalg.norm(run[0].vec, axis=1) < 1.7
    bonds = sorted({tuple(sorted(pair)) for pair in zip(run[0].i[near], run[0].j[near], strict=True)})
    bonds = [pair for pair in bonds if 4 in (kind[pair[0]], kind[pair[1]])]  # of CO2 alone
    lines = ["run", "", f"{len(ids)} atoms", "4 atom types", f"{len(bonds)} bonds", "1 bond types", ""]
    lines += ["0 9 xlo xhi", "0 9 ylo yhi", "0 9 zlo zhi", "", "Masses", ""]
    lines += [f"{k} {mass}" for k, mass in enumerate((12.011, 1.008, 14.007, 15.999), 1)]
    lines += ["", "Atoms # bond", "", *(f"{a} 1 {kind[a]} 0 0 0" for a in ids), "", "Bonds", ""]
    lines += [f"{k} 1 {a} {b}" for k, (a, b) in enumerate(bonds, 1)]
    (tmp_path / "run.data").write_text("\n".join(lines) + "\n")
    words = ["analyze", str(dump), "-o", str(tmp_path / "o"), "--types", *MD_ELEMENTS]
    assert cli.main([*words, "--topology", str(tmp_path / "run.data")]) == 0
    assert types_of(tmp_path / "o") == {"C-C": 3, "C-H": 9, "C-N": 3, "C-O 2": 6}


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_share_the_frames_of_a_dump(tmp_path, ranks):
    """Counts, bins, entropies and intervals of one process; the run's first frame types all molecules."""
    pytest.importorskip("rdkit", reason="no RDKit; type: pip install 'e3d-lmp[bonds]'")
    dump, _ = hot_run(tmp_path / "d", 9 if ranks == 2 else 2, breaks=1)
    words = ["analyze", str(dump), "--types", *MD_ELEMENTS, "-o"]
    assert cli.main([*words, str(tmp_path / "one")]) == 0
    command = [str(BIN / "mpirun"), "-np", str(ranks), sys.executable, "-m", "e3d_lmp", *words]
    done = subprocess.run([*command, str(tmp_path / "many")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("frames, bond cutoff") == 1
    assert types_of(tmp_path / "one") == types_of(tmp_path / "many") != {}
    assert types_of(tmp_path / "many")["C-N 3"] == (9 if ranks == 2 else 2)
    a, b = (read_map(tmp_path / name / "map.e3d") for name in ("one", "many"))
    assert (a.samples, a.steps, list(a.labels)) == (b.samples, b.steps, list(b.labels))
    for label, one in a.labels.items():
        assert np.array_equal(one.codes, b.labels[label].codes)
        assert np.array_equal(one.halves, b.labels[label].halves)
    rows, others = (
        json.loads((tmp_path / name / "pairs.json").read_text())["pairs"] for name in ("one", "many")
    )
    for row, other in zip(rows, others, strict=True):
        for name in row:
            same = row[name] == other[name]
            assert same or (not name.startswith("H_") and row[name] == pytest.approx(other[name], rel=1e-12))
    if ranks == 2:
        dump.write_text(dump.read_text()[:-80])  # only the rank of the last frame, and then all, must end
        done = subprocess.run([*command, str(tmp_path / "x")], capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr.count("e3d: error") == 1, done.stderr
        assert "is cut off; add --allow-truncated" in done.stderr and not (tmp_path / "x").exists()
        done = subprocess.run(
            [*command, str(tmp_path / "x"), "--allow-truncated"], capture_output=True, text=True
        )
        assert done.returncode == 0 and "warning: 1 cut-off frames" in done.stderr
    else:
        packed = tmp_path / "d.gz"  # bytes cannot be shared out: frames in turn
        packed.write_bytes(gzip.compress(dump.read_bytes()))
        command[command.index(str(dump))] = str(packed)
        done = subprocess.run([*command, str(tmp_path / "packed")], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        texts = [(tmp_path / name / "map.e3d").read_text().splitlines() for name in ("one", "packed")]
        counts = [[line for line in text if line[:1].isdigit() or line[:1] == "-"] for text in texts]
        assert counts[0] == counts[1] != []


def test_stores_that_are_no_source(tmp_path, capsys):
    dump, _ = hot_run(tmp_path / "d", 3)
    store = tmp_path / "e.h5"
    assert cli.main(["convert", str(dump), "-o", str(store), "--types", *MD_ELEMENTS]) == 0
    out = ["-o", str(tmp_path / "o")]
    assert cli.main(["analyze", str(store), str(dump), *out]) == 2
    assert "expected dumps or one edge store, got 2 files" in capsys.readouterr().err
    assert cli.main(["analyze", str(store), *out, "--isolated-atoms", "none"]) == 2
    assert "is for stores of 'e3d evaluate'" in capsys.readouterr().err
    assert cli.main(["analyze", str(dump), *out]) == 2
    assert "--types: name the element of each LAMMPS type" in capsys.readouterr().err
    assert cli.main(["analyze", str(tmp_path / "other.h5"), *out]) == 2
    assert "other.h5: no such file" in capsys.readouterr().err
    partial = store.with_name("e.h5.partial")
    store.rename(partial)
    assert cli.main(["analyze", str(store), *out]) == 2
    assert "not finished yet" in capsys.readouterr().err
    with h5py.File(partial, "r+") as file:
        file["frames/state"][:] = [2, 0]
    assert cli.main(["analyze", str(partial), *out]) == 0
    assert "is not finished: only the 2 frames" in capsys.readouterr().err
    assert read_map(tmp_path / "o" / "map.e3d").samples == 2
