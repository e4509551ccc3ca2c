"""Curves of pulled bonds: what is compared, on a curve that is known."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.units import Bohr, Hartree

from e3d_lmp.edges.calculator import E3DCalculator
from e3d_lmp.errors import E3DError
from lammps_runs import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "training"))

import stretches


def write_curve(path: Path, lengths: list[float], energy: np.ndarray) -> None:
    """O-H of water, its other bond at rest, in what `collect` writes."""
    positions = [[[0.0, 0.0, 0.0], [r, 0.0, 0.0], [-0.24, 0.93, 0.0]] for r in lengths]
    with h5py.File(path, "w") as file:
        group = file.create_group("pulled_0000")
        group["atomic_numbers"] = np.array([8, 1, 1])
        group["conformations"] = np.array(positions) / Bohr
        group["dft_total_energy"] = energy / Hartree
        group["frame_names"] = [f"O O-H {r:.3f} A".encode() for r in lengths]


def test_a_model_is_compared_with_its_own_curve(
    tmp_path: Path, model_files, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_files("morse-cho")
    lengths = [0.9, 0.97, 1.3, 2.0, 5.0]
    write_curve(tmp_path / "zero.h5", lengths, np.zeros(5))
    (curve,) = stretches.read_curves(tmp_path / "zero.h5")
    atoms = [Atoms(curve.numbers, one, calculator=E3DCalculator(model)) for one in curve.positions]
    own = np.array([one.get_potential_energy() for one in atoms])
    write_curve(tmp_path / "own.h5", lengths, own)
    code = stretches.main(["compare", str(tmp_path / "own.h5"), str(model), "-o", str(tmp_path / "a.png")])
    assert code == 0 and (tmp_path / "a.png").stat().st_size > 1000
    name, *numbers = capsys.readouterr().out.splitlines()[1].rsplit(maxsplit=5)
    assert name.strip() == "O O-H" and float(numbers[0]) == pytest.approx(own[-1] - own.min(), abs=0.006)
    assert float(numbers[2]) == 0.0 and numbers[3] == numbers[4]


def test_between_the_frames(tmp_path: Path) -> None:
    write_curve(tmp_path / "a.h5", [1.0, 2.0, 4.0], np.zeros(3))
    length, positions = stretches.finer(stretches.read_curves(tmp_path / "a.h5")[0])
    np.testing.assert_allclose(positions[:, 1, 0], length)
    assert len(length) == 2 * stretches.BETWEEN + 1 and length[0] == 1.0 and length[-1] == 4.0


def test_fall_is_the_deepest_way_down_beyond_the_minimum() -> None:
    assert stretches.fall(np.array([3.0, 1.0, 0.0, 2.0, 1.5, 2.5, 1.8])) == pytest.approx(0.7)
    assert stretches.fall(np.array([3.0, 0.0, 2.0, 4.0])) == 0.0


def test_files_that_are_none(tmp_path: Path) -> None:
    write_curve(tmp_path / "a.h5", [1.0, 2.0], np.zeros(2))
    with pytest.raises(E3DError, match="three frames or more"):
        stretches.read_curves(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_group("x")
    with pytest.raises(E3DError, match="expected pulled bonds"):
        stretches.read_curves(tmp_path / "b.h5")
