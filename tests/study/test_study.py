"""e3d study scaling: rows that are stopped go on, and none is computed twice."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from ase.build import molecule
from ase.io import write

from e3d_lmp.analysis.folders import AnalysisFolder
from e3d_lmp.cli import call
from e3d_lmp.edges.isolated_atoms import SPICE_LEVEL, isolated_atom_energies
from e3d_lmp.errors import E3DError
from e3d_lmp.files import locked
from e3d_lmp.study.plan import SETS, read_plan, sha256_of
from e3d_lmp.study.row import changed_inputs, clear
from e3d_lmp.study.table import StudyTable
from e3d_lmp.training.run_config import differences
from training_runs import FRAMES, TWO_EPOCHS, forked_trainings, kill_at, prepared_forty, trained_forty

STEPS = TWO_EPOCHS
ROWS = ("t4_n40_s1", "t4_n45_s1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data, reactions, and ``study.yaml`` of two rows, of which `trained_forty` is the first."""
    folder = prepared_forty(tmp_path_factory.getbasetemp())
    _write_reactions(folder / "reactions.h5")
    _write_study(folder)
    return folder


def _write_reactions(path: Path) -> None:
    """Two reactions in the Transition1x layout, with another level beside the usual one."""
    atoms = isolated_atom_energies(SPICE_LEVEL)
    rng = np.random.default_rng(2)
    with h5py.File(path, "w") as file:
        for name in ("CH3OH", "CH3CN"):
            template = molecule(name)
            for k, end in enumerate(("reactant", "transition_state", "product")):
                group = file.create_group(f"data/{name}/rxn0/{end}")
                group["atomic_numbers"] = template.numbers
                moved = template.positions + rng.normal(scale=0.03, size=template.positions.shape)
                group["positions"] = moved[None]
                energy = sum(atoms[int(z)] for z in template.numbers) - 4.0 * len(template) + (k == 1)
                group["level.energy"] = np.array([energy])


def _write_study(folder: Path, **changes: Any) -> Path:
    study: dict[str, Any] = {
        "data": "data",
        "sizes": [FRAMES, 45],
        "tensors": [4],
        "steps": STEPS,
        "train": {"config": "tiny.yaml"},
        "molecules": {"limit": 6},
        "reactions": {"file": "reactions.h5", "energy": "level.energy", "isolated_atoms": SPICE_LEVEL},
        "analysis": {"cutoff": "covalent"},
    }
    path = folder / ("changed.yaml" if changes else "study.yaml")
    path.write_text(yaml.safe_dump(study | changes))
    return path


def _times(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_killed_study_goes_on_and_computes_no_row_twice(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture
) -> None:
    out = folder / "out"
    words = ["scaling", str(folder / "study.yaml"), "-o", str(out)]
    trained = out / "rows" / ROWS[0] / "train"
    shutil.copytree(trained_forty(tmp_path_factory.getbasetemp()), trained)
    for file in trained.glob("tiny.nequip.*"):
        file.rename(file.with_name(file.name.replace("tiny", "model")))
    begun = (trained / "last.ckpt").stat().st_mtime_ns
    kill_at(out / "rows" / ROWS[1] / "train", 5, signal.SIGTERM)
    with forked_trainings():
        assert call("study", words) == 128 + signal.SIGTERM
    assert (trained / "last.ckpt").stat().st_mtime_ns == begun
    assert "goes on in" in capsys.readouterr().err
    assert call("study", [*words, "--status"]) == 0
    status = capsys.readouterr().out
    assert [line.split()[:2] for line in status.splitlines()[1:]] == [[ROWS[0], "done"], [ROWS[1], "stopped"]]
    assert f"step {STEPS}/{STEPS}" in status
    first, second = (out / "rows" / name for name in ROWS)
    before = _times(first)
    begun = (second / "train/last.ckpt").stat().st_mtime_ns

    with locked(first) as lock:  # another process is at work; its row is done
        assert lock is not None
        with forked_trainings():
            assert call("study", words) == 0
    said = capsys.readouterr()
    assert ROWS[0] not in said.err and f"row 2 of 2: {ROWS[1]}" in said.err
    assert _times(first) == before
    assert (second / "train/last.ckpt").stat().st_mtime_ns > begun
    assert len(list((second / "train/log").iterdir())) == 2  # it went on, in a second process

    with open(out / "scaling.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["model"], row["N"], row["steps"]) for row in table] == [
        (ROWS[0], "40", str(STEPS)),
        (ROWS[1], "45", str(STEPS)),
    ]
    details = json.loads((out / "scaling.json").read_text())["details"]
    assert details[0]["reactions"]["roles"]["pair"] and details[0]["training"]["epochs"] == 4 * STEPS / 40
    for row, numbers, line in zip((first, second), details, table, strict=True):
        _check_numbers(row, numbers, line)
    for name in ("errors.png", "scaling_molecules.png", "entropy_reactions.png", "report_reactions.html"):
        assert (out / name).stat().st_size > 0, name

    everything = _times(out / "rows")
    assert call("study", words) == 0
    assert "row " not in capsys.readouterr().err
    assert _times(out / "rows") == everything
    _check_other_inputs(folder, out)


def _check_numbers(row: Path, numbers: dict[str, Any], line: dict[str, str]) -> None:
    """A row's numbers, and its line of the table, are those that e3d analyze wrote about each set."""
    shown = {key: float(cell) for key, cell in line.items() if "_" in key and cell}
    errors = {name: json.loads((row / name / "errors.json").read_text()) for name in SETS}
    for name in SETS:
        with open(row / name / "pairs.csv", newline="") as file:
            pairs = list(csv.DictReader(file))
        assert len(pairs) > 3 and "C-H" in numbers[name]["pairs"]
        for key, column in (("pairs", "count"), ("mean_D_eV",) * 2, ("H_2D_nats",) * 2):
            want = {pair["pair"]: float(pair[column]) for pair in pairs}
            assert numbers[name][key] == pytest.approx(want), (name, key)
        for label, entropy in numbers[name]["H_2D_nats"].items():
            assert shown[f"{name}_H_2D_{label}_nats"] == pytest.approx(entropy, rel=1e-4)
        for key in ("energy", "force", "reactions"):
            assert numbers[name][key] == errors[name][key], (name, key)
        bonds = AnalysisFolder(row / name).bonds().error
        assert bonds is not None
        for key, value in (
            ("Delta_BDE_eV", bonds.mean_over_types),
            ("mean_BDE_error_eV", bonds.pooled_signed),
            ("sigma_BDE_eV", bonds.sigma_pooled),
            ("sigma_BDE_within_eV", bonds.sigma_within),
        ):
            assert shown[f"{name}_{key}"] == pytest.approx(value, rel=1e-4), (name, key)
    force, reactions = errors["molecules"]["force"], errors["reactions"]["reactions"]
    assert shown["molecules_F_mae_meV_per_A"] == pytest.approx(1000 * force["mae_eV_per_A"], rel=1e-4)
    assert force["mae_eV_per_A"] < force["rmse_eV_per_A"]
    for key in ("barrier", "reaction_energy"):
        assert shown[f"reactions_{key}_mae_eV"] == pytest.approx(reactions[key]["mae_eV"], rel=1e-4)
    # far from trained, so e3d analyze leaves the energies out, and so does the table
    assert errors["molecules"]["energy"] is None and line["molecules_E_mae_meV_per_atom"] == ""
    with open(row / "molecules/structures.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 6


def _check_other_inputs(folder: Path, out: Path) -> None:
    """Rows of other inputs are refused; where the training is the same it is kept."""
    changed = _write_study(folder, steps=STEPS + 1)
    with pytest.raises(E3DError, match=r"other inputs \(training\.\S+: 20, now 21.*add --redo"):
        call("study", ["scaling", str(changed), "-o", str(out)])
    changed = _write_study(folder, molecules={"limit": 5})
    with pytest.raises(E3DError, match=r"other inputs \(molecules\.limit: 6, now 5"):
        call("study", ["scaling", str(changed), "-o", str(out)])
    table = StudyTable(read_plan(changed), out)  # nor do they get into a table
    assert table.stale == list(ROWS) and not table.done
    plan = read_plan(changed)
    row = out / "rows" / ROWS[0]
    clear(row, changed_inputs(row, plan.inputs(plan.rows[0])))
    assert sorted(path.name for path in row.iterdir() if path.name[0] != ".") == ["train"]
    clear(row, ["training.steps: 20, now 21"])
    assert not any(path.name[0] != "." for path in row.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": [10, 46]}, "has 45 frames to train with, 46 were asked for"),
        ({"sizes": []}, "sizes: expected a list of different whole numbers"),
        ({"tensors": [4, 4]}, "tensors: expected a list of different"),
        ({"colour": 1}, "no key 'colour' is known"),
        ({"reactions": {"energy": "x"}}, "reactions.file: expected a file"),
        ({"reactions": {"file": "nothere.h5"}}, "no such file"),
        ({"molecules": {"size": 3}}, "molecules.size is not known"),
        ({"train": {"seed": 3}}, "train.seed is set by the study"),
        ({"data": "nothere"}, "expected a folder of prepared data"),
        ({"train": 5}, "train: expected keys and values"),
        ({"analysis": {"references": "nothere.csv"}}, "analysis.references: no such file"),
        ({"analysis": {"cutoff": "file nothere.txt"}}, "analysis.cutoff: no such file"),
        ({"analysis": {"cutoff": "covalently"}}, "cutoff 'covalently': expected 'model'"),
        ({"molecules": {"isolated_atoms": "nothere.json"}}, "molecules.isolated_atoms: no such file"),
        ({"analysis": {"bin": math.inf}}, "analysis.bin: expected a number of eV above 0, got inf"),
    ],
)
def test_studies_that_make_no_sense_are_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(E3DError, match=message):
        read_plan(_write_study(folder, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"analysis": {"pairs": ["C-Q"]}}, "pair 'C-Q': expected two of the elements"),
        ({"analysis": {"references": "empty.xyz"}}, "expected a first line with the columns pair, order"),
        ({"molecules": {"isolated_atoms": "nolevel"}}, "expected a level of theory"),
        ({"molecules": {"file": "empty.xyz"}}, "ASE cannot read it"),
        ({"molecules": {"file": "bare.xyz"}}, "bare.xyz: no structure has an energy to compare with"),
        ({"reactions": {"file": "reactions.h5", "energy": "other.energy"}}, "has no 'other.energy'"),
    ],
)
def test_nothing_is_trained_for_structures_that_cannot_be_used(
    folder: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    (folder / "empty.xyz").touch()
    write(folder / "bare.xyz", molecule("CH4"))
    study = _write_study(folder, **changes)
    with pytest.raises(E3DError, match=re.escape(message)):
        call("study", ["scaling", str(study), "-o", str(tmp_path)])
    assert not list(tmp_path.rglob("train"))


def test_files_of_the_analysis_are_inputs(folder: Path) -> None:
    references = folder / "own references.csv"
    references.write_text("pair,order,kJ_per_mol\nC-H,1,410\n")
    plan = read_plan(_write_study(folder, analysis={"references": references.name}))
    before = plan.inputs(plan.rows[0])
    assert plan.analysis["references"] == [str(references)]
    references.write_text("pair,order,kJ_per_mol\nC-H,1,420\n")
    sha256_of.cache_clear()
    after = plan.inputs(plan.rows[0])
    assert [text.split(":")[0] for text in differences(before, after)] == [
        "molecules.references",
        "reactions.references",
    ]


def test_a_file_of_cutoffs_is_an_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies beside the study, wherever the command is typed; its content counts, not its name."""
    table = folder / "own cutoffs.txt"
    table.write_text("C H 1.3\n")
    study = _write_study(folder, analysis={"cutoff": "file own cutoffs.txt"})
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    plan = read_plan(study)
    assert plan.analysis["cutoff"] == ["file", str(table)]
    before = plan.inputs(plan.rows[0])
    assert str(folder) not in json.dumps(before)
    table.write_text("C H 1.4\n")
    sha256_of.cache_clear()
    after = plan.inputs(plan.rows[0])
    changed = [text.split(":")[0] for text in differences(before, after)]
    assert changed == ["molecules.cutoff", "reactions.cutoff"]


def test_rows_can_be_chosen(folder: Path) -> None:
    with pytest.raises(E3DError, match=r"no such row; there are t4_n40_s1, t4_n45_s1"):
        call("study", ["scaling", str(folder / "study.yaml"), "-o", str(folder / "x"), "--only", "t8*"])
    with pytest.raises(E3DError, match="no row of the study is done"):
        call("study", ["scaling", str(folder / "study.yaml"), "-o", str(folder / "x"), "--table"])
