"""scripts/training/compare_trainings.py: its correlations, its picture, and rows that are not made again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from e3d_lmp.files import write_json
from lammps_runs import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "training"))

import compare_trainings


def rows_of(kind: str, pairs: list[tuple[float, float | None]]) -> list[dict[str, object]]:
    return [{"type": kind, "D_eV": -d, "BDE_frozen_eV": bde} for d, bde in pairs]


def test_correlation_within_types() -> None:
    """Types of less than five bonds count in the whole only; bonds that were not broken count nowhere."""
    rows = rows_of("C-H 1", [(4.1, 4.0), (4.2, 4.1), (4.3, 4.2), (4.4, 4.3), (4.5, 4.4), (9.0, None)])
    rows += rows_of("C-C 1", [(3.1, 3.4), (3.2, 3.3), (3.3, 3.2), (3.4, 3.1), (3.5, 3.0)])
    rows += rows_of("N-N 1", [(1.0, 1.0)])
    found = compare_trainings.within_types(rows)
    assert found["bonds"] == 11 and found["spearman_of_types"] == pytest.approx({"C-H 1": 1.0, "C-C 1": -1.0})
    assert found["spearman_within"] == pytest.approx(0.0) and 0.8 < found["spearman"] < 1.0


def test_what_is_trained_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "speed_centre_20_frames_s3"
    run.mkdir()
    write_json(run / "cpu.json", {"seconds": 12.5})
    errors = {"energy_mae": 5.0, "forces_mae": 90.0, "frames": 3}
    write_json(run / "test.json", {"subsets": {"all": errors}})
    monkeypatch.setattr(compare_trainings.subprocess, "run", lambda *a, **k: pytest.fail("trained again"))
    row = compare_trainings.row_of("speed", "centre, 20 frames", 3, tmp_path, tmp_path)
    assert row["cpu_seconds"] == 12.5 and row["forces_mae"] == 90.0 and row["seed"] == 3


def test_the_time_of_a_training_that_was_stopped_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it took before nobody has counted; a run without a checkpoint begins anew."""
    monkeypatch.setattr(compare_trainings.subprocess, "run", lambda *a, **k: None)
    for name, is_stopped in (("stopped", True), ("fresh", False)):
        run = tmp_path / name
        run.mkdir()
        if is_stopped:
            (run / "last.ckpt").touch()
        seconds = compare_trainings.train(compare_trainings.Variant(5), 1, tmp_path, run)
        assert (seconds is None) == is_stopped
        assert compare_trainings.train(compare_trainings.Variant(5), 1, tmp_path, run) == seconds


def test_picture(tmp_path: Path) -> None:
    rows = [
        {
            "variant": strength, "energy_mae": 5.0, "forces_mae": 80.0 + seed, "far_share": 0.1,
            "delta_bde": {"level": 0.3}, "spearman": 0.8, "spearman_within": 0.3,
        }
        for strength in ("0", "0.3")
        for seed in (1, 2)
    ]  # fmt: skip
    compare_trainings.draw(rows, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000
