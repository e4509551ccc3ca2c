"""scripts/training/contacts_liquids.py and density.py: small boxes of water under a model that is shipped."""

from __future__ import annotations

import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest

from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_json
from lammps_runs import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "training"))

import contacts_liquids
import density
import liquids

SMALL = ROOT / "inputs/models/organic-small.safetensors"


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A liquid ``tiny`` of twelve waters, and short preparations."""
    monkeypatch.setitem(liquids.LIQUIDS, "tiny", {"H2O": 12})
    for module, name in ((contacts_liquids, "COMPRESSION"), (density, "COMPRESSION")):
        monkeypatch.setattr(module, name, 0.05)
    monkeypatch.setattr(contacts_liquids, "SETTLING", 0.01)
    monkeypatch.setattr(contacts_liquids, "CHANGE", 0.02)


def test_boxes_have_the_stated_density() -> None:
    grams = 64 * 18.015 / 6.02214076e23
    water = liquids.liquid_of("water")
    assert grams / (water.side(1.0) * 1e-8) ** 3 == pytest.approx(1.0, rel=1e-4)
    assert water.density() == pytest.approx(0.997)
    mixture = liquids.liquid_of("ethanol-water")
    volume = 8 * 46.069 / 0.785 + 40 * 18.015 / 0.997
    assert mixture.density() == pytest.approx((8 * 46.069 + 40 * 18.015) / volume, rel=1e-4)
    for name in liquids.LIQUIDS:
        assert 0.7 < liquids.liquid_of(name).density() < 1.1, name
    with pytest.raises(E3DError, match=r"expected a liquid of water.*got 'oil'"):
        liquids.liquid_of("oil")


def test_frames_of_a_liquid_at_three_densities(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(SMALL), "-o", str(tmp_path / "out"), "--liquids", "tiny", "--picoseconds", "0.04"]
    assert contacts_liquids.main([*words, "--every", "0.02"]) == 0
    frames = ase.io.read(tmp_path / "out" / "tiny.extxyz", ":")
    assert len(frames) == 6 and all(frame.pbc.all() and len(frame) == 36 for frame in frames)
    masses = [frame.get_masses().sum() * 1.66053907 / frame.get_volume() for frame in frames]
    np.testing.assert_allclose(masses, 0.997 * np.repeat([0.9, 1.0, 1.1], 2), rtol=1e-3)
    assert len({frame.positions[0, 0] for frame in frames}) == 6
    for frame in frames:  # every oxygen keeps two hydrogens
        distances = frame.get_all_distances(mic=True)[frame.numbers == 8][:, frame.numbers == 1]
        assert ((distances < 1.3).sum(axis=1) == 2).all()
    assert contacts_liquids.main([*words, "--every", "0.02"]) == 0
    assert "tiny.extxyz is there" in capsys.readouterr().out


def test_frames_at_a_density_of_ones_own(tmp_path: Path) -> None:
    words = [str(SMALL), "-o", str(tmp_path / "out"), "--liquids", "tiny", "--densities", "0.8"]
    assert contacts_liquids.main([*words, "--picoseconds", "0.02", "--every", "0.02"]) == 0
    (frame,) = ase.io.read(tmp_path / "out" / "tiny.extxyz", ":")
    assert frame.get_masses().sum() * 1.66053907 / frame.get_volume() == pytest.approx(0.8 * 0.997, rel=1e-3)


def test_density_goes_on_piece_by_piece(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    words = [str(SMALL), "-o", str(out), "--liquid", "tiny", "--piece", "0.05", "--settle", "0.05"]
    assert density.main([*words, "--picoseconds", "0.05"]) == 2  # nothing is left of it
    assert "expected more than the 0.05 ps" in capsys.readouterr().err
    (out / "partial").mkdir()
    (out / "partial" / "density.txt").write_text("of a run that was killed\n")
    assert density.main([*words, "--picoseconds", "0.15"]) == 0
    told = capsys.readouterr().out
    assert "piece-0002" in told and "piece-0001:" not in told
    steps = [np.loadtxt(out / f"piece-000{k}" / "density.txt")[:, 0] for k in (1, 2, 3)]
    np.testing.assert_array_equal(np.concatenate(steps), np.arange(20, 320, 20))
    values = density.densities(out)
    # the barostat goes on too: the density changes as fast after the joint as before it
    assert np.abs(np.diff(values, 2)).max() < 2.5e-3, values
    made = read_json(out / "density.json")
    assert made["density_g_cm3"] == pytest.approx(values[5:].mean())
    assert made["picoseconds"] == 0.15 and 0.5 < made["density_g_cm3"] < 1.5
    assert density.main([*words, "--seed", "2"]) == 2
    assert "begun with another seed" in capsys.readouterr().err


def test_block_error_of_independent_numbers() -> None:
    values = np.random.default_rng(3).normal(size=(400, 1000))
    errors = [density.block_error(one) for one in values]
    assert np.mean(np.square(errors)) == pytest.approx(1e-3, rel=0.15)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothere", "-o", "OUT"), "expected a model file"),
        ((str(SMALL), "-o", "OUT", "--liquids", "oil"), "expected a liquid of water"),
        ((str(SMALL), "-o", "OUT", "--every", "9"), "--every 9.0"),
        ((str(SMALL), "-o", "OUT", "--densities", "1", "3"), "--densities 1.0 3.0: expected numbers above 0"),
    ],
)
def test_what_cannot_be_sampled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert contacts_liquids.main([word.replace("OUT", str(tmp_path / "out")) for word in words]) == 2
    assert message in capsys.readouterr().err
