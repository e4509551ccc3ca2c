"""Errors of energies and forces from edge stores, through ``e3d analyze``, with known numbers."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule

from e3d_lmp import cli
from e3d_lmp.analysis.bonds.files import read_bond_energies
from e3d_lmp.analysis.maps import read_map
from e3d_lmp.edges.isolated_atoms import isolated_atom_energies
from e3d_lmp.edges.store.writer import StoreWriter
from edge_frames import atom_rows, molecule_frame
from lammps_runs import BIN

ELEMENTS = ("H", "C", "N", "O")
NAMES = ("CH3CN", "C6H6", "CO2", "H2O", "CH3CONH2")
ERROR = (0.3, -0.2, 0.1, 0.0, 0.4, 0.05, -0.6)
"""Model less reference, eV, of the structures one after the other."""


def write_store(
    path: Path,
    zero: str = "",
    n: int = 7,
    force: bool = True,
    names: list[str] | None = None,
    position: bool = True,
    **about: str,
) -> Path:
    """Molecules with energies that are off by `ERROR`; totals at the level `zero`, or cohesive energies."""
    rng = np.random.default_rng(5)
    columns = ["position"] * position + ["force", "reference_force"] * force
    with StoreWriter(
        path,
        request={"command": "evaluate"},
        elements=ELEMENTS,
        provenance={"decomposition": "cohesive", "cutoff": "model", **about},
        frame_columns=("energy", "reference_energy", "name"),
        atom_columns=columns,
    ) as store:
        for k in range(n):
            atoms = molecule(NAMES[k % len(NAMES)])
            atoms.positions += rng.normal(0, 0.01, atoms.positions.shape)
            frame = molecule_frame(atoms, ELEMENTS, step=k)
            energy = frame.eps.sum()
            table = isolated_atom_energies(zero) if zero else {}
            total = energy - ERROR[k % len(ERROR)] + sum(table.get(z, 0.0) for z in atoms.numbers)
            forces = rng.normal(0, 1, (len(atoms), 3))
            more = {"position": atoms.positions, "force": forces, "reference_force": forces + 0.1 * (-1) ** k}
            if k == 3:
                more["reference_force"] = np.full(forces.shape, np.nan)
            rows = atom_rows(atoms, ELEMENTS, **{name: more[name] for name in columns})
            name = names[k] if names else f"mol_{k}"
            store.append(frame, rows, energy=energy, reference_energy=total, name=name)
    return path


def analyze(store: Path, out: Path, *words: object) -> int:
    return cli.main(["analyze", str(store), "-o", str(out), *map(str, words)])


def errors(out: Path) -> dict:
    return json.loads((out / "errors.json").read_text())


def sizes(n: int = 7) -> np.ndarray:
    return np.array([len(molecule(NAMES[k % len(NAMES)])) for k in range(n)])


SPICE = "wB97M-D3(BJ)/def2-TZVPPD"


@pytest.mark.parametrize(
    ("field", "zero"),
    [
        ("dft_total_energy", SPICE),
        ("formation_energy", ""),
        ("wB97x_6-31G(d).energy", "wB97x/6-31G(d)"),
        ("aimnet2_wB97M-D3.energy", SPICE),
    ],
)
def test_known_errors(tmp_path: Path, capsys, field: str, zero: str) -> None:
    store = write_store(tmp_path / "e.h5", zero, reference_energy=field)
    assert analyze(store, tmp_path / "o") == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    per_atom = np.array(ERROR) / sizes()
    found = errors(tmp_path / "o")
    assert found["format"] == "e3d-errors/1" and found["reactions"] is None
    assert found["energy"]["structures"] == 7
    assert found["energy"]["mae_eV_per_atom"] == pytest.approx(np.abs(per_atom).mean(), rel=1e-9)
    assert found["energy"]["rmse_eV_per_atom"] == pytest.approx(np.sqrt((per_atom**2).mean()), rel=1e-9)
    shifted = found["energy_shifted"]
    assert (shifted["structures"], shifted["elements"], shifted["rank"]) == (7, 4, 4)
    assert 0.0 < shifted["rmse_eV_per_atom"] < found["energy"]["rmse_eV_per_atom"]
    assert f"after a fitted shift per element: MAE {1e3 * shifted['mae_eV_per_atom']:.2f}" in printed.out
    assert found["force"]["mae_eV_per_A"] == pytest.approx(0.1) == found["force"]["rmse_eV_per_A"]
    assert found["force"]["components"] == 3 * (sizes().sum() - sizes()[3])
    assert found["provenance"]["isolated_atoms"] == (zero or "none")
    with open(tmp_path / "o" / "structures.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [f"mol_{k}" for k in range(7)]
    assert [int(row["atoms"]) for row in rows] == sizes().tolist()
    got = [float(row["energy_eV"]) - float(row["reference_eV"]) for row in rows]
    assert got == pytest.approx(ERROR, abs=1e-9)
    assert rows[3]["force_mae_eV_per_A"] == "" and float(rows[2]["force_mae_eV_per_A"]) == pytest.approx(0.1)
    assert f"energy of 7 structures: MAE {1e3 * np.abs(per_atom).mean():.2f}" in printed.out
    assert "of E_coh" in printed.out and "force: MAE 100.0" in printed.out


def test_unknown_and_wrong_zeros_are_not_compared(tmp_path: Path, capsys) -> None:
    store = write_store(tmp_path / "e.h5", SPICE, reference_energy="energy")
    assert analyze(store, tmp_path / "o") == 0
    printed = capsys.readouterr()
    assert "the energy of the source may be a total or a cohesive one" in printed.err
    assert "energy of" not in printed.out.split("of E_coh")[1]
    assert errors(tmp_path / "o")["energy"] is None and errors(tmp_path / "o")["force"] is not None
    # the fitted shifts need no zero: they hold the isolated atoms too, and the same errors are left
    fitted = errors(tmp_path / "o")["energy_shifted"]
    assert fitted["shift_eV"]["C"] > 1000.0
    known = write_store(tmp_path / "k.h5", SPICE, reference_energy="dft_total_energy")
    assert analyze(known, tmp_path / "k") == 0
    capsys.readouterr()
    want = errors(tmp_path / "k")["energy_shifted"]["rmse_eV_per_atom"]
    assert fitted["rmse_eV_per_atom"] == pytest.approx(want, rel=1e-5)
    assert analyze(store, tmp_path / "o", "--isolated-atoms", "none") == 0
    assert "so they are on different zeros" in capsys.readouterr().err
    assert errors(tmp_path / "o")["energy"] is None
    with open(tmp_path / "o" / "structures.csv", newline="") as file:
        assert {row["reference_eV"] for row in csv.DictReader(file)} == {""}
    table = {"H": -13.571964772646918, "C": -1030.5671648271828, "N": -1486.3750255780376}
    (tmp_path / "t.json").write_text(json.dumps(table))
    for words, n, remark in (
        ((SPICE,), 7, ""),
        ((tmp_path / "t.json",), 4, "the energies of 3 structures were not compared"),
    ):
        assert analyze(store, tmp_path / "o", "--isolated-atoms", *words) == 0
        assert remark in capsys.readouterr().err
        assert errors(tmp_path / "o")["energy"]["structures"] == n
        assert errors(tmp_path / "o")["energy"]["mae_eV_per_atom"] < 0.1


def test_models_with_shifts_are_compared_as_they_are(tmp_path: Path) -> None:
    store = write_store(tmp_path / "e.h5", reference_energy="dft_total_energy", decomposition="rescaled")
    assert analyze(store, tmp_path / "o") == 0
    assert errors(tmp_path / "o")["energy"]["structures"] == 7


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--isolated-atoms", "B3LYP"], "got 'B3LYP'"),
        (["--isolated-atoms", "no.json"], "--isolated-atoms no.json"),
        (["--isolated-atoms", "atoms.csv"], "atoms.csv: expected a .json file of eV by element"),
        (["--isolated-atoms", "{}/word.json"], "expected a .json file of eV by element"),
        (["--isolated-atoms", "{}/x.json"], "'Xx' is no chemical element"),
        (["--references", "no.csv"], "no.csv: no such file; expected reference energies"),
        (["--references", "a.csv", "--no-references"], "exclude each other"),
        (["--equal-size", "0"], "--equal-size 0"),
        (["--topology", "x.data"], "these are different structures"),
        (["--types", "C", "H"], "the elements of its types are H C N O, not C H"),
        (["--columns", "a"], "leave --columns and --units out"),
    ],
)
def test_bad_words(tmp_path: Path, capsys, words: list[str], message: str) -> None:
    (tmp_path / "word.json").write_text('{"H": "x"}')
    (tmp_path / "x.json").write_text('{"Xx": 1}')
    store = write_store(tmp_path / "e.h5", reference_energy="formation_energy")
    assert analyze(store, tmp_path / "o", *(word.format(tmp_path) for word in words)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_bond_types_of_a_set_of_structures(tmp_path: Path) -> None:
    """Every molecule of the store is typed by itself; bonds.json holds what the edges say."""
    pytest.importorskip("rdkit", reason="no RDKit; type: pip install 'e3d-lmp[bonds]'")
    store = write_store(tmp_path / "e.h5", force=False, position=False, reference_energy="formation_energy")
    (tmp_path / "mine.csv").write_text("pair,order,kJ_per_mol\nC-O,2,500\n")
    assert analyze(store, tmp_path / "o", "--references", tmp_path / "mine.csv") == 0
    got = read_bond_energies(tmp_path / "o" / "bonds.json")
    count = dict(zip(got.energies.types, got.energies.count.tolist(), strict=True))
    # acetonitrile and benzene twice, CO2, water, acetamide once
    assert count == {
        "C-C 1": 3,
        "C-C 1.5": 12,
        "C-H 1": 21,
        "C-N 1": 1,
        "C-N 3": 2,
        "C-O 2": 3,
        "N-H 1": 2,
        "O-H 1": 2,
    }
    k = got.energies.types.index("C-O 2")
    assert got.energies.mean[k] == pytest.approx(-2 / 1.19, abs=0.05)  # eps = -1 / r
    assert got.references["C-O 2"].energy == pytest.approx(5.18, abs=0.01)
    assert got.references["C-H 1"].source  # the shipped rows are still there
    assert errors(tmp_path / "o")["force"] is None
    assert analyze(store, tmp_path / "p", "--bond-orders", "none", "--no-references") == 0
    bare = read_bond_energies(tmp_path / "p" / "bonds.json")
    assert set(bare.energies.types) == {"C-C", "C-H", "C-N", "C-O", "N-H", "O-H"} and not bare.references


def test_no_rdkit_is_said(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("e3d_lmp.analysis.bonds.types.importlib.util.find_spec", lambda name: None)
    store = write_store(tmp_path / "e.h5", reference_energy="formation_energy")
    assert analyze(store, tmp_path / "o") == 0
    assert "pip install 'e3d-lmp[bonds]'" in capsys.readouterr().err
    assert "C-C" in read_bond_energies(tmp_path / "o" / "bonds.json").energies.types


def reactions(n: int) -> list[str]:
    return [f"f/rxn{k // 3}/{('reactant', 'transition_state', 'product')[k % 3]}" for k in range(n)]


def test_reactions(tmp_path: Path, capsys) -> None:
    store = write_store(tmp_path / "e.h5", names=reactions(7), reference_energy="energy")
    assert analyze(store, tmp_path / "o") == 0
    about = errors(tmp_path / "o")["reactions"]
    assert about["count"] == 2  # needs no zero
    barrier, energy = (np.array([ERROR[k] - ERROR[0], ERROR[k + 3] - ERROR[3]]) for k in (1, 2))
    assert about["barrier"]["mae_eV"] == pytest.approx(np.abs(barrier).mean())
    assert about["reaction_energy"]["mean_eV"] == pytest.approx(energy.mean())
    whole = read_map(tmp_path / "o" / "map.e3d")
    roles = [
        read_map(tmp_path / "o" / f"map.{end}.e3d") for end in ("reactant", "transition_state", "product")
    ]
    assert [one.samples for one in roles] == [3, 2, 2]
    for label, one in whole.labels.items():
        assert one.count == sum(role.labels[label].count for role in roles)
    assert "2 reactions; barrier" in capsys.readouterr().out
    with open(tmp_path / "o" / "roles.csv", newline="") as file:
        assert {row["pair"] for row in csv.DictReader(file)} <= set(whole.labels)


def test_reactions_without_their_structures_are_said(tmp_path: Path, capsys) -> None:
    store = write_store(tmp_path / "e.h5", SPICE, names=reactions(7), reference_energy="dft_total_energy")
    assert analyze(store, tmp_path / "o", "--every", 2) == 0
    assert "all 3 reactions lack" in capsys.readouterr().err
    assert errors(tmp_path / "o")["reactions"] is None and not (tmp_path / "o" / "reactions.csv").exists()


def test_each_picture_is_written_once(tmp_path: Path, capsys) -> None:
    store = write_store(tmp_path / "e.h5", SPICE, reference_energy="dft_total_energy")
    assert analyze(store, tmp_path / "o", "--pdf") == 0
    written = capsys.readouterr().out.strip().rpartition("; wrote ")[2].split(", ")
    assert len(written) == len(set(written))
    assert sorted(written) == sorted(map(str, (tmp_path / "o").iterdir()))


def test_files_of_an_earlier_analysis_are_named(tmp_path: Path, capsys) -> None:
    store = write_store(tmp_path / "r.h5", SPICE, names=reactions(7), reference_energy="dft_total_energy")
    assert analyze(store, tmp_path / "o", "--pdf") == 0
    assert capsys.readouterr().err == ""
    store = write_store(tmp_path / "e.h5", SPICE, reference_energy="dft_total_energy")
    assert analyze(store, tmp_path / "o") == 0
    said = capsys.readouterr().err
    for name in ("map.reactant.e3d", "roles.csv", "reactions.csv", "maps.pdf", "parity.pdf"):
        assert str(tmp_path / "o" / name) in said
    assert "errors.json" not in said and "choose another folder" in said


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_give_the_same(tmp_path: Path, ranks: int) -> None:
    """A reaction on two ranks; with three ranks and two structures one rank has nothing."""
    n = 7 if ranks == 2 else 2
    store = write_store(
        tmp_path / "e.h5", SPICE, n=n, names=reactions(n), reference_energy="dft_total_energy"
    )
    assert analyze(store, tmp_path / "one") == 0
    command = [str(BIN / "mpirun"), "-np", str(ranks), sys.executable, "-m", "e3d_lmp"]
    done = subprocess.run(
        [*command, "analyze", str(store), "-o", str(tmp_path / "many")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for path in (tmp_path / "one").iterdir():
        other = tmp_path / "many" / path.name
        if path.suffix in (".csv", ".json", ".e3d"):
            words, others = (text.replace(",", " ").split() for text in (path.read_text(), other.read_text()))
            assert len(words) == len(others), path.name
            for a, b in zip(words, others, strict=True):
                # only the order in which doubles are summed differs
                assert a == b or float(a.strip("[]")) == pytest.approx(
                    float(b.strip("[]")), rel=1e-12, abs=1e-13
                )
    if ranks == 2:
        bad = subprocess.run(
            [*command, "analyze", str(store), "-o", str(tmp_path / "x"), "--isolated-atoms", "B3LYP"],
            capture_output=True,
            text=True,
        )
        assert bad.returncode == 2 and bad.stderr.count("e3d: error") == 1
