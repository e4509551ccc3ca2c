"""scripts/training/dimer_labels.py: from a training set to a file of labels, with a toy model in AIMNet2's
place."""

from __future__ import annotations

import sys
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.units import Bohr

pytest.importorskip("rdkit")

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.database import iter_frames
from e3d_lmp.training.data.split import molecule_key
from lammps_runs import ROOT
from toy_aimnet2 import AIMNet2
from training_sets import small_training_set

sys.path.insert(0, str(ROOT / "scripts" / "training"))

import dimer_labels
import held_out_dimers
import hydrogen_bonds
from label_run import planned


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With ``data``, a training set of small molecules, and ``model.jpt``."""
    folder = tmp_path_factory.mktemp("dimers")
    small_training_set(folder)
    torch.jit.script(AIMNet2()).save(str(folder / "model.jpt"))
    return folder


def call(*words: str | Path) -> int:
    return dimer_labels.main([str(word) for word in words])


def parts_of(out: Path) -> dict[str, dict[str, Atoms]]:
    """Frames by name of the pair and by kind."""
    found: dict[str, dict[str, Atoms]] = {}
    for frame in planned(out):
        name, kind = frame.name.rsplit(" ", 1)
        found.setdefault(name, {})[kind] = Atoms(frame.symbols, frame.positions)
    return found


def test_from_a_training_set_to_a_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, model = tmp_path / "out", folder / "model.jpt"
    plan = ("plan", "--data", folder / "data", "--model", model, "--subsets", "small", "--pairs", "6")
    assert call(*plan, out) == 0
    pairs = parts_of(out)
    assert len(pairs) >= 3
    trained = {
        molecule_key(frame["atomic_numbers"].reshape(-1).numpy(), frame["pos"].double().numpy())
        for frame in iter_frames(folder / "data/train.lmdb")
    }
    for frames in pairs.values():
        first, second = frames.pop("first"), frames.pop("second")
        assert {molecule_key(one.numbers, one.positions) for one in (first, second)} <= trained
        n = len(first)
        for atoms in frames.values():
            assert (
                atoms.get_chemical_symbols() == first.get_chemical_symbols() + second.get_chemical_symbols()
            )
        # the molecules alone are as they are in the last frame
        distance = frames["minimum"].get_all_distances()
        np.testing.assert_allclose(distance[:n, :n], first.get_all_distances(), atol=1e-5)
        np.testing.assert_allclose(distance[n:, n:], second.get_all_distances(), atol=1e-5)
        moved = [frames.pop(kind) for kind in ("proton", "protons") if kind in frames]
        assert bool(moved) == bool(hydrogen_bonds.hydrogen_bonds(frames["minimum"], n))
        gap = {kind: atoms.get_all_distances()[:n, n:].min() for kind, atoms in frames.items()}
        assert gap["close"] < gap["minimum"] < gap["apart"] < gap["far"], gap

    assert call("run", out, "--model", model) == 0
    assert call("collect", out, "--model", model, "-o", tmp_path / "dimers.h5") == 0
    with h5py.File(tmp_path / "dimers.h5") as file:
        assert {group["subset"][0] for group in file.values()} == {b"AIMNet2 dimers", b"AIMNet2 monomers"}
        names = [name.decode() for group in file.values() for name in group["frame_names"]]
    assert sorted(names) == sorted(frame.name for frame in planned(out))

    # the pairs of a file of tests are left out, whatever their geometry and order
    tests = []
    for frames in parts_of(out).values():
        atoms = frames["second"] + frames["first"]
        atoms.info = {"name": "test", "pair": "A.B", "first": len(frames["second"])}
        tests.append(atoms)
    ase.io.write(tmp_path / "tests.extxyz", tests[:-1])
    capsys.readouterr()
    assert call(*plan, tmp_path / "again", "--exclude", tmp_path / "tests.extxyz") == 0
    assert "excluded pair: " in capsys.readouterr().out
    left = {
        dimer_labels.pair_of(frames["first"], frames["second"])
        for frames in parts_of(tmp_path / "again").values()
    }
    assert left and left.isdisjoint(dimer_labels.excluded_pairs([tmp_path / "tests.extxyz"]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data", "DATA", "--model", "MODEL"), "of SPICE DES Monomers"),
        (("--data", "DATA", "--model", "MODEL", "--subsets", "small", "--max-atoms", "2"), "at most 2 atoms"),
        (("--data", "DATA", "--model", "MODEL", "--pairs", "0"), "--pairs 0: expected a number of pairs"),
        (("--data", "none", "--model", "MODEL"), "none"),
        (
            ("--data", "DATA", "--model", "none.jpt", "--subsets", "small"),
            "expected AIMNet2's TorchScript file",
        ),
        (
            ("--data", "DATA", "--model", "MODEL", "--subsets", "small", "--exclude", "none.extxyz"),
            "expected dimers at 'none.extxyz'",
        ),
    ],
)
def test_what_cannot_be_planned_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    given = {"DATA": folder / "data", "MODEL": folder / "model.jpt"}
    assert call("plan", tmp_path / "out", *(given.get(word, word) for word in words)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_molecules_are_drawn_by_molecule_not_by_frame(folder: Path) -> None:
    drawn = dimer_labels.molecules_of_set(folder / "data", ["small"], 20, 300, np.random.default_rng(1))
    counts = np.unique([molecule_key(one.numbers, one.positions) for one in drawn], return_counts=True)[1]
    assert counts.min() > 0.5 * counts.mean()
    with pytest.raises(E3DError, match="--max-atoms"):
        dimer_labels.molecules_of_set(folder / "data", ["small"], 1, 2, np.random.default_rng(1))


def test_no_held_out_pair_or_molecule_is_in_the_files_that_are_shipped() -> None:
    data = ROOT / "scripts/training/data"
    held_out = held_out_dimers.read(data / "held_out_dimers.extxyz")
    pairs = dimer_labels.excluded_pairs([data / "held_out_dimers.extxyz"])
    # the first molecule of a larger pair is one that the split of the shipped models holds out
    larger = [atoms for atoms in held_out if atoms.info["pair"] in held_out_dimers.PAIRS]
    firsts = {
        molecule_key(atoms.numbers[:n], atoms.positions[:n])
        for atoms in larger
        for n in [int(atoms.info["first"])]
    }
    seen: dict[str, dict[str, str]] = {}
    with h5py.File(data / "dimers.h5") as file:
        for group in file.values():
            if group["subset"][0] != b"AIMNet2 monomers":
                continue
            numbers = group["atomic_numbers"][()].astype(int)
            for name, positions in zip(group["frame_names"], group["conformations"], strict=True):
                pair, side = name.decode().rsplit(" ", 1)
                seen.setdefault(pair, {})[side] = molecule_key(numbers, positions * Bohr)
    assert len(seen) == 692 and len(firsts) >= 5
    assert not firsts & {key for sides in seen.values() for key in sides.values()}
    assert not pairs & {tuple(sorted(sides.values())) for sides in seen.values()}
