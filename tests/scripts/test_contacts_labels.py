"""scripts/training/contacts_labels.py: from a liquid to labels, with a small model in AIMNet2's place."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
import torch
from ase import Atoms, units
from ase.build import molecule

from e3d_lmp.files import read_json
from lammps_runs import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "training"))

import contacts_labels
from label_run import planned

SIDE, SPACING = 3, 3.4


class AIMNet2(torch.nn.Module):
    """-5 eV an atom, and springs of length 1 between all atoms; of the name that the reader looks for."""

    def forward(self, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        vectors = data["coord"].unsqueeze(2) - data["coord"].unsqueeze(1)
        distances = (vectors.square().sum(-1) + 1e-12).sqrt()
        springs = 1e-3 * (distances - 1.0).square().sum(dim=(1, 2))
        data["energy"] = springs.double() - 5.0 * data["numbers"].size(1)
        return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``liquid.extxyz`` of 27 waters, and ``model.jpt``."""
    folder = tmp_path_factory.mktemp("contacts")
    rng = np.random.default_rng(7)
    box = Atoms(cell=[SIDE * SPACING] * 3, pbc=True)
    for place in np.ndindex(SIDE, SIDE, SIDE):
        water = molecule("H2O")
        water.rotate(rng.uniform(0.0, 360.0), rng.normal(size=3))
        water.positions += np.array(place) * SPACING - water.positions.mean(axis=0)
        box += water
    box.wrap()
    ase.io.write(folder / "liquid.extxyz", box)
    torch.jit.script(AIMNet2()).save(str(folder / "model.jpt"))
    return folder


def call(*words: str | Path) -> int:
    return contacts_labels.main([str(word) for word in words])


def test_from_a_liquid_to_a_file_of_labels(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, model = folder / "out", folder / "model.jpt"
    few = ["--clusters", "2", "--size", "3", "4", "--pairs", "3"]
    assert call("cut", out, folder / "liquid.extxyz", *few) == 0
    frames = planned(out)
    assert sorted(frame.group for frame in frames) == ["cluster"] * 2 + ["pair"] * 3
    assert {len(frame.symbols) for frame in frames} <= {6, 9, 12}
    assert call("run", out, "--model", model) == 0
    assert call("collect", out, "--model", model, "-o", folder / "made.h5") == 0
    assert call("status", out) == 0
    assert "cluster       2 labelled" in capsys.readouterr().out
    with h5py.File(folder / "made.h5") as file:
        names = [name for group in file.values() for name in group["frame_names"][()]]
        positions = [one for group in file.values() for one in group["conformations"][()]]
        energies = np.concatenate([group["dft_total_energy"][()] for group in file.values()])
        atoms = np.concatenate(
            [np.full(len(group["frame_names"]), len(group["atomic_numbers"])) for group in file.values()]
        )
    assert len(names) == 5
    # the label is the model's energy, in the unit of the file, which readers take back with the same factor
    assert np.all(energies * units.Hartree > -5.0 * atoms) and np.all(energies * units.Hartree < -4.0 * atoms)
    by_name = {frame.name.encode(): frame.positions for frame in frames}
    for name, found in zip(names, positions, strict=True):  # what was labelled, to the file's precision
        np.testing.assert_allclose(found * units.Bohr, by_name[name], atol=2e-6)
    row = read_json(next((out / "labels").iterdir()))
    gradient = np.array(row["gradient"])
    np.testing.assert_allclose(gradient.sum(axis=0), 0.0, atol=1e-7)  # springs between atoms alone

    assert call("compare", out, out) == 0
    said = capsys.readouterr().out
    assert "cluster: 2 frames: energy 0.000 eV" in said and "pair: 3 frames: energy 0.000 eV" in said
    assert "interaction" not in said  # no molecules in this plan


def test_pairs_with_protons_on_their_way(folder: Path, tmp_path: Path) -> None:
    few = ["--clusters", "2", "--size", "3", "4", "--pairs", "3"]
    liquid = folder / "liquid.extxyz"
    assert call("cut", tmp_path / "without", liquid, *few) == 0
    assert call("cut", tmp_path / "with", liquid, *few, "--protons", "4") == 0
    frames = planned(tmp_path / "with")
    moved = [frame for frame in frames if frame.group == "proton"]
    assert len(moved) == 4 and len({frame.key for frame in moved}) == 4
    for frame in moved:  # a proton is further from its oxygen than in any water of the liquid
        own = Atoms(frame.symbols, frame.positions).get_all_distances()[np.ix_([0, 3], [1, 2, 4, 5])]
        assert sorted(frame.symbols) == ["H"] * 4 + ["O"] * 2 and own.min(axis=0).max() > 1.05
    # what else is cut does not depend on them
    others = [frame.key for frame in frames if frame.group != "proton"]
    assert others == [frame.key for frame in planned(tmp_path / "without")]


def test_a_sample_has_the_molecules_of_its_pairs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, model, made = tmp_path / "out", folder / "model.jpt", tmp_path / "sample"
    assert (
        call("cut", out, folder / "liquid.extxyz", "--clusters", "1", "--size", "3", "4", "--pairs", "4") == 0
    )
    assert call("sample", made, out, "--pairs", "2") == 0
    frames = planned(made)
    assert [frame.group for frame in frames] == ["pair", "molecule", "molecule"] * 2
    for pair, *parts in (frames[:3], frames[3:]):
        together = np.concatenate([part.positions for part in parts])
        np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(pair.positions, axis=0))
        assert all(sorted(part.symbols) == ["H", "H", "O"] for part in parts)
    assert call("run", made, "--model", model) == 0
    # against labels whose pairs, not their molecules, are 0.1 hartree lower
    lower = tmp_path / "lower"
    shutil.copytree(made, lower)
    for path in (lower / "labels").iterdir():
        row = read_json(path)
        if len(row["gradient"]) == 6:
            path.write_text(json.dumps(row | {"energy": row["energy"] - 0.1}))
    capsys.readouterr()
    assert call("compare", made, lower) == 0
    said = capsys.readouterr().out
    assert "interaction energies of 2 pairs: 2.721 eV mean absolute, mean +2.721 +- 0.000" in said
    assert "molecule: 4 frames: energy 0.000 eV" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("cut", "OUT", "nothere.xyz"), "expected frames that ASE reads at"),
        (("cut", "OUT", "single.xyz"), "expected periodic frames of a liquid"),
        (("cut", "OUT", "liquid.extxyz", "--max-atoms", "0"), "--max-atoms 0: expected a number of atoms"),
        (("cut", "OUT", "liquid.extxyz", "--size", "4", "3"), "--size 4 3: expected the fewest and the most"),
        (("cut", "OUT", "liquid.extxyz", "--size", "99", "99"), "expected at least 99 molecules in the box"),
        (("status", "nothere"), "make it first"),
        (("run", "nothere", "--model", "nothere.jpt"), "expected AIMNet2's TorchScript file"),
        (("compare", "nothere", "nothere"), "expected a plan at"),
        (("sample", "OUT", "nothere"), "expected a plan at"),
        (("sample", "OUT", "nothere", "--pairs", "0"), "--pairs 0: expected a number of pairs"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    ase.io.write(folder / "single.xyz", molecule("H2O"))
    assert call(*(str(tmp_path) if word == "OUT" else word for word in words)) == 2
    assert message in capsys.readouterr().err
