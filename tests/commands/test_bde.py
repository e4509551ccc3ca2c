"""``e3d bde`` from the command line."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from analytic_models import LENNARD_JONES, MORSE_CHO_SHORT
from e3d_lmp.cli import main

C_O, C_H = (MORSE_CHO_SHORT.by_pair[pair][0] for pair in ((0, 2), (0, 1)))
"""Depths of the model, eV: all that it takes to break a bond in it."""


def bde(*words: object) -> int:
    return main(["bde", *map(str, words)])


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def shaken(name: str, seed: int) -> Atoms:
    atoms = molecule(name)
    atoms.positions += np.random.default_rng(seed).normal(0.0, 0.02, atoms.positions.shape)
    return atoms


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("CH3OH", "CH3CH2OH", "C6H6", "CH3"):
        ase.io.write(f"{name}.xyz", shaken(name, 1))
    return tmp_path


def test_bonds_to_tables_and_a_figure(folder: Path, short_morse_cho: Path, capsys: Any) -> None:
    (folder / "r.csv").write_text(
        "structure,i,j,energy_eV\nCH3OH,0,1,3.9\nCH3CH2OH,1,2,3.6\nCH3OH,4,0,3.8\nC6H6,0,6,4.4\nCH4,0,1,4.5\n"
    )
    words = [short_morse_cho, "CH3OH.xyz", "CH3CH2OH.xyz", "C6H6.xyz", "CH3.xyz", "-o", "out", "--jobs", 1]
    # benzene is no minimum of a pair model without angles: as it is given
    assert bde(*words, "--no-relax", "--reference", "r.csv") == 0
    printed = capsys.readouterr()
    assert "C-H 1" in printed.out and "mean of the type" in printed.out
    for name in ("enthalpies", "dissociation", "level"):
        assert f"Delta_BDE against '{name}'" in printed.out
    assert "1 molecules with remarks: CH3.xyz/0: no closed-shell structure" in printed.err
    assert "1 reference rows without a partner: r.csv, line 6: no structure 'CH4'" in printed.err
    table = rows(folder / "out/bde.csv")
    assert len(table) == 5 + 8 + 12 + 3
    for row in table:
        if row["fragment_i"]:
            broken = float(row["E_i_frozen_eV"]) + float(row["E_j_frozen_eV"]) - float(row["E_eV"])
            assert float(row["BDE_frozen_eV"]) == pytest.approx(broken)
            assert float(row["BDE_frozen_eV"]) == pytest.approx(-float(row["D_eV"]), abs=1e-6)
    assert {row["not_broken"] for row in table if row["structure"] == "CH3.xyz/0"} == {
        "no closed-shell structure"
    }
    whole = json.loads((folder / "out/bde.json").read_text())
    assert whole["format"] == "e3d-bde/1" and len(whole["rows"]) == len(table)
    assert [one["name"] for one in whole["structures"]] == [
        "CH3OH.xyz/0", "CH3CH2OH.xyz/0", "C6H6.xyz/0", "CH3.xyz/0",
    ]  # fmt: skip
    assert set(whole["delta_bde"]) == {"enthalpies", "dissociation", "level"}
    assert len(whole["references_without_partner"]) == 1
    found = {(row["scope"], row["predictor"]): row for row in rows(folder / "out/agreement.csv")}
    assert found["all", "-D"]["count"] == "4" and ("all", "mean of the type") in found
    assert float(found["C-H 1", "mean of the type"]["mae_eV"]) == pytest.approx(0.3)
    assert (folder / "out/bde.png").read_bytes().startswith(b"\x89PNG")


def test_a_reference_of_an_equivalent_bond_is_that_of_the_one_that_was_broken(
    folder: Path, short_morse_cho: Path
) -> None:
    (folder / "r.csv").write_text("structure,i,j,energy_eV\nCH3OH,0,4,4.0\n")
    words = [short_morse_cho, "CH3OH.xyz", "-o", "out", "--jobs", 1, "--reference", "r.csv"]
    assert bde(*words) == 0
    own = [row for row in rows(folder / "out/bde.csv") if row["reference_eV"]]
    assert len(own) == 1 and own[0]["same_as"] and not own[0]["BDE_relaxed_eV"]
    found = {(row["scope"], row["predictor"]): row for row in rows(folder / "out/agreement.csv")}
    assert float(found["all", "BDE_relaxed"]["mean_error_eV"]) == pytest.approx(C_H - 4.0, abs=1e-3)


def test_smiles_and_chosen_bonds(
    tmp_path: Path, short_morse_cho: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.smi").write_text("CO methanol\nC1CC nonsense\n")
    words = [short_morse_cho, "m.smi", "--smiles", "CCO", "-o", "out", "--jobs", 1, "--bonds", "C-O"]
    assert bde(*words) == 0
    table = rows(tmp_path / "out/bde.csv")
    assert [(row["structure"], row["type"]) for row in table] == [("methanol", "C-O 1"), ("CCO", "C-O 1")]
    assert all(float(row["BDE_relaxed_eV"]) == pytest.approx(C_O, abs=1e-4) for row in table)
    assert "1 structures were left out: nonsense: 'C1CC': RDKit cannot read" in capsys.readouterr().err


def test_dimers(tmp_path: Path, model_files: Any, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = [Atoms(names, [(0, 0, 0), (0, 0, d)]) for names, d in (("Ar2", 4.0), ("ArKr", 4.1), ("Kr2", 4.4))]
    ase.io.write("d.extxyz", [*pairs, Atoms("Ar")])
    Path("r.csv").write_text("structure,energy_kJ_mol\nd.extxyz/0,-1.0\nd.extxyz/1,-1.2\nd.extxyz/2,-1.5\n")
    words = [model_files("lj"), "d.extxyz", "-o", "out", "--jobs", 1, "--dimers", "--fmax", "1e-4"]
    words += ["--reference", "r.csv"]
    assert bde(*words) == 0
    table = rows(tmp_path / "out/dimers.csv")
    assert [row["type"] for row in table] == ["Ar + Ar", "Ar + Kr", "Kr + Kr"]
    for row, types in zip(table, ((0, 0), (0, 1), (1, 1)), strict=True):
        assert float(row["E_bound_eV"]) == pytest.approx(-LENNARD_JONES.by_pair[types][0], rel=1e-3)
        assert float(row["E_contact_eV"]) == pytest.approx(float(row["D_eV"]))
    printed = capsys.readouterr()
    assert "1 structures were left out: d.extxyz/3: 1 molecules" in printed.err
    assert "E_contact" in printed.out and (tmp_path / "out/dimers.png").exists()


def test_molecules_called_by_a_key(folder: Path, short_morse_cho: Path, capsys: Any) -> None:
    """Rows of references find them by it."""
    frames = [shaken(name, 3) for name in ("CH3OH", "CH3CH2OH")]
    for atoms, name in zip(frames, ("wood spirit", "spirit"), strict=True):
        atoms.info["called"] = name
    ase.io.write("named.extxyz", frames)
    (folder / "r.csv").write_text("structure,i,j,energy_eV\nspirit,1,2,3.6\nwood spirit,0,1,3.9\n")
    words = [short_morse_cho, "named.extxyz", "-o", "out", "--jobs", 1, "--no-relax", "--reference", "r.csv"]
    assert bde(*words, "--name", "called") == 0
    own = [row for row in rows(folder / "out/bde.csv") if row["reference_eV"]]
    assert [(row["structure"], row["reference_eV"]) for row in own] == [
        ("wood spirit/0", "3.9"), ("spirit/1", "3.6"),
    ]  # fmt: skip
    assert bde(*words) == 2  # called otherwise, it is another request
    assert "begun with other name" in capsys.readouterr().err
    assert bde(*words, "--name", "id", "--overwrite") == 2
    assert "frame 0 has no 'id' to name it by; keys there: called" in capsys.readouterr().err


def test_a_killed_run_goes_on(tmp_path: Path, model_files: Any) -> None:
    """SIGKILL with two workers, which end too; run again, all is as if nothing had happened."""
    many = [shaken(("CH3OH", "CH3CH2OH", "H2O")[k % 3], k) for k in range(120)]
    ase.io.write(tmp_path / "s.extxyz", many)
    words = [str(model_files("allegro-plain", "safetensors")), str(tmp_path / "s.extxyz"), "--steps", "20"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-m", "e3d_lmp", "bde", *words, "-o", str(killed), "--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    file = killed / "bde.jsonl"
    end = time.monotonic() + 300
    while not file.exists() or file.read_bytes().count(b"\n") < 5:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.01)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert workers
    while any(_is_alive(int(pid)) for pid in workers):
        assert time.monotonic() < end
        time.sleep(0.05)
    lines = file.read_bytes().count(b"\n")
    assert 5 <= lines < 121
    with open(file, "ab") as stream:
        stream.write(b'{"number": 119, "na')
    for out in (killed, whole):
        assert bde(*words, "-o", out, "--jobs", 1) == 0
    for name in ("bde.csv", "bde.png"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    numbers = [json.loads(line)["number"] for line in file.read_text().splitlines()[1:]]
    assert sorted(numbers) == list(range(120))


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_another_model_or_molecule_does_not_go_on_with_it(
    folder: Path, short_morse_cho: Path, morse_cho: Path, capsys: Any
) -> None:
    words = ["CH3OH.xyz", "-o", "out", "--jobs", 1, "--no-relax"]
    assert bde(short_morse_cho, *words) == 0
    before = (folder / "out/bde.csv").read_bytes()
    assert bde(morse_cho, *words) == 2
    assert (folder / "out/bde.csv").read_bytes() == before
    assert bde(morse_cho, *words, "--overwrite") == 0
    ase.io.write("CH3OH.xyz", shaken("CH3OH", 2))  # the same name, another molecule
    assert bde(morse_cho, *words) == 2
    assert "begun with other content of sources" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "out"], "no molecule: give files, or SMILES"),
        (["no.xyz", "-o", "out"], "no.xyz: no such file"),
        (["CH3.xyz", "-o", "out", "--limit", "0"], "--limit 0: expected a whole number of at least 1"),
        (["CH3.xyz", "-o", "out", "--fmax", "-1"], "--fmax -1.0: expected a number above 0"),
        (["CH3.xyz", "-o", "out", "--enthalpy", "--no-relax"], "--enthalpy needs minima"),
        (["CH3.xyz", "-o", "out", "--bonds", "C-H", "--dimers"], "exclude each other"),
        (["CH3.xyz", "-o", "out", "--bonds", "XY"], "--bonds: expected a pair of elements"),
        (["CH3.xyz", "-o", "out", "--reference", "CH3.xyz"], "expected a .csv file"),
        (["lone.xyz", "-o", "out"], "no bond within --cutoff covalent in 1 structures"),
        (["lone.xyz", "-o", "out", "--bonds", "3-9"], "no bond that --bonds 3-9 means (atoms are counted"),
        (
            ["periodic.extxyz", "-o", "out"],
            "in 1 structures (the first: periodic.extxyz/0: periodic",
        ),
    ],
)
def test_requests_that_make_no_sense(
    folder: Path, short_morse_cho: Path, words: list[str], message: str, capsys: Any
) -> None:
    ase.io.write("lone.xyz", Atoms("C"))
    ase.io.write("periodic.extxyz", Atoms("C2", [(0, 0, 0), (1.4, 0, 0)], cell=(5, 5, 5), pbc=True))
    assert bde(short_morse_cho, *words, "--jobs", 1) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error
    assert not [name for name in os.listdir(folder) if name == "out" and os.path.exists("out/bde.csv")]
