"""scripts/training/label_errors.py: a model against labels that differ from it by what is known."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.units import Bohr, GPa, Hartree

from e3d_lmp import E3DCalculator
from lammps_runs import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "training"))

import label_errors

MODEL = ROOT / "inputs" / "models" / "organic-small.safetensors"
PULL, DISTANCE = 0.05, 3.0  # eV/angstrom, angstrom
ENERGY = 0.006  # eV


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two waters, once as a droplet and once as a pair. The label is the model's, but for 6 meV of energy, a
    force that pushes the molecules apart, and one along the O-H bonds that no pressure comes from."""
    first, second = molecule("H2O"), molecule("H2O")
    second.positions[:] += [DISTANCE, 0.0, 0.0]
    atoms: Atoms = first + second
    atoms.calc = E3DCalculator(MODEL)
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    bond = atoms.positions[1] - atoms.positions[0]
    forces[1] += bond
    forces[0] -= bond
    forces[:3, 0] -= PULL / 3.0
    forces[3:, 0] += PULL / 3.0
    path = tmp_path_factory.mktemp("contacts") / "contacts.h5"
    with h5py.File(path, "w") as file:
        for kind, name in (("clusters", "water/3 around 0, 6 atoms"), ("pairs", "water/3 0 3")):
            group = file.create_group(kind)
            group["atomic_numbers"] = atoms.numbers
            group["subset"] = [f"AIMNet2 {kind}".encode()]
            group["frame_names"] = [name.encode()] * 2
            group["conformations"] = np.array([atoms.positions] * 2) / Bohr
            group["formation_energy"] = np.array([energy + ENERGY] * 2) / Hartree
            group["dft_total_gradient"] = -np.array([forces] * 2) / Hartree * Bohr
    return path


def test_the_differences_are_found(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert label_errors.main([str(MODEL), str(made)]) == 0
    rows = {
        line.split("|")[1].strip(): [word.strip() for word in line.split("|")[2:]]
        for line in capsys.readouterr().out.splitlines()[2:]
    }
    assert list(rows) == [
        f"AIMNet2 {kind}, {name}" for kind in ("clusters", "pairs") for name in ("all", "water")
    ]
    assert all(row[:2] == ["2", "1.0 (-1.0)"] for row in rows.values())
    assert rows["AIMNet2 pairs, water"][3] == ""
    volume = 2 * 18.015 * 1.66054 / 0.997  # angstrom^3, of two molecules at the density by experiment
    expected = -PULL * DISTANCE / (3.0 * volume) / GPa * 10.0
    assert rows["AIMNet2 clusters, water"][3] == f"{expected:+.2f} ± 0.00"


def test_labels_of_other_kinds_have_one_row(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "radicals.h5"
    with h5py.File(made) as source, h5py.File(path, "w") as file:
        source.copy("clusters", file, "fragment_0000")
        group = file["fragment_0000"]
        del group["subset"], group["frame_names"]
        group["subset"], group["frame_names"] = [b"DFT fragments"], [b"[OH] minimum", b"[OH] 1000 K"]
    assert label_errors.main([str(MODEL), str(path)]) == 0
    (row,) = capsys.readouterr().out.splitlines()[2:]
    assert row.startswith("| DFT fragments, all | 2 | 1.0 (-1.0) |") and row.endswith("|  |")


def test_one_in_so_many(made: Path) -> None:
    assert len(list(label_errors.read_frames(made, 2))) == 2
    assert len(list(label_errors.read_frames(made))) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((str(MODEL), "nothere.h5"), "expected labels that"),
        ((str(MODEL), "FILE", "--every", "0"), "--every 0"),
    ],
)
def test_what_cannot_be_asked(
    made: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert label_errors.main([str(made) if word == "FILE" else word for word in words]) == 2
    assert message in capsys.readouterr().err
