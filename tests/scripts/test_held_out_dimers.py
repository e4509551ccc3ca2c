"""scripts/training/held_out_dimers.py, with a toy model in AIMNet2's place; and the file that is shipped."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch

pytest.importorskip("rdkit")

from ase.units import Hartree

from e3d_lmp.analysis.dissociation.reference import read_references
from e3d_lmp.files import write_json
from e3d_lmp.units import KCAL_MOL_PER_EV
from lammps_runs import ROOT
from toy_aimnet2 import AIMNet2

sys.path.insert(0, str(ROOT / "scripts" / "training"))

import held_out_dimers
from dft_molecules import PARTNERS
from label_run import label_file, planned

SHIPPED = ROOT / "scripts/training/data/held_out_dimers.extxyz"


def call(*words: str | Path) -> int:
    return held_out_dimers.main([str(word) for word in words])


def test_from_a_pair_to_a_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(held_out_dimers, "STEPS", 60)
    torch.jit.script(AIMNet2()).save(str(tmp_path / "model.jpt"))
    path = tmp_path / "dimers.extxyz"
    assert call("make", path, "--model", tmp_path / "model.jpt", "--pairs", "C.N") == 0
    frames = held_out_dimers.read(path)
    with open(path.with_suffix(".csv"), encoding="utf-8") as file:
        rows = {row["name"]: float(row["energy_kcal_mol"]) for row in csv.DictReader(file)}
    assert {frame.info["name"] for frame in frames} == set(rows) and len(frames) >= 3
    assert rows["C.N_0_minimum"] < min(rows["C.N_0_far"], 0.0)
    for frame in frames:  # the energy of the pairs across, by hand
        across = np.linalg.norm(frame.positions[:5, None] - frame.positions[None, 5:], axis=2)
        inverse = np.where(across > 2.0, (3.0 / across) ** 6, 0.0)
        expected = 0.02 * (inverse**2 - 2.0 * inverse).sum() * KCAL_MOL_PER_EV
        assert rows[frame.info["name"]] == pytest.approx(expected, abs=0.02)

    folder = tmp_path / "dft"
    assert call("plan", folder, path) == 0
    plan = planned(folder)
    assert [len(frame.symbols) for frame in plan] == [9, 5, 4]
    (folder / "labels").mkdir()
    for frame, energy in zip(plan, (-3.0, -1.0, -2.0 + 1.0 / KCAL_MOL_PER_EV / Hartree), strict=True):
        row = {"frame": frame.as_dict(), "dropped": "", "energy": energy}
        write_json(label_file(folder, frame), row, indent=None)
    capsys.readouterr()
    assert call("compare", folder, path, "-o", tmp_path / "dft.csv") == 0
    (by_dft,) = read_references(tmp_path / "dft.csv", dimers=True)
    assert by_dft.structure.startswith(f"{path.name}/")
    assert by_dft.energy == pytest.approx(-1.0 / KCAL_MOL_PER_EV, rel=1e-4)
    wanted = abs(rows["C.N_0_minimum"] + 1.0)
    assert f"1 dimers: mean absolute difference {wanted:.2f}" in capsys.readouterr().out


def test_the_file_that_is_shipped() -> None:
    frames = held_out_dimers.read(SHIPPED)
    references = read_references(SHIPPED.with_suffix(".csv"), dimers=True)
    assert [one.structure for one in references] == [f"{SHIPPED.name}/{k}" for k in range(len(frames))]
    with open(SHIPPED.with_suffix(".csv"), encoding="utf-8") as file:
        rows = {row["name"]: float(row["energy_kcal_mol"]) for row in csv.DictReader(file)}
    assert [frame.info["name"] for frame in frames] == list(rows) and len(rows) >= 60
    pairs = Counter(str(frame.info["pair"]) for frame in frames)
    by_dft = read_references(SHIPPED.with_name("held_out_dimers_dft.csv"), dimers=True)
    assert len(by_dft) == 10 and {one.structure for one in by_dft} <= {one.structure for one in references}
    assert len(pairs) >= 25 and set(pairs) <= {*held_out_dimers.PAIRS, *held_out_dimers.SMALL_PAIRS}
    assert not any(set(pair.split(".")) <= set(PARTNERS) for pair in pairs)
    minima = [energy for name, energy in rows.items() if name.endswith("_0_minimum")]
    assert all(-25.0 < energy < 0.0 for energy in minima)
    plan = held_out_dimers.checked(SHIPPED)
    assert [frame.group for frame in plan] == ["dimer", "monomer", "monomer"] * held_out_dimers.CHECKED
    assert SHIPPED.stat().st_size < 300_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("make", "OUT", "--model", "nothere.jpt"), "expected AIMNet2's TorchScript file"),
        (("plan", "OUT", "nothere.extxyz"), "make them first"),
        (("plan", "OUT", "plain.extxyz"), "expected frames with name, pair and first"),
        (("compare", "OUT", SHIPPED), "expected a plan at"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str | Path, ...],
    message: str,
) -> None:
    from ase.build import molecule

    monkeypatch.chdir(tmp_path)
    ase.io.write("plain.extxyz", molecule("H2O"))
    assert call(*words) == 2
    assert message in capsys.readouterr().err
