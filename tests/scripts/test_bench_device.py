"""scripts/gpu/bench_device.py: which rows a second call measures. LAMMPS is a script here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lammps_runs import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "gpu"))

import bench_device

WORKS = '#!/bin/sh\necho run >>"$CALLS"\nfor k in 1 2 3 4; do echo "Loop time of 0.5 on 1 procs"; done\n'
FAILS = '#!/bin/sh\ngrep -q "replicate 1 1 1" "$2" || { echo "ERROR: out of memory"; exit 1; }\n' + WORKS[10:]


def test_rows_that_failed_are_measured_again_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lmp, calls, output = tmp_path / "lmp", tmp_path / "calls", tmp_path / "bench.json"
    monkeypatch.setenv("CALLS", str(calls))
    monkeypatch.setattr(bench_device, "boxes", lambda: [(1, 1, 1), (2, 1, 1)])
    words = [str(tmp_path), "--work", str(tmp_path / "work"), "--output", str(output), "--", str(lmp)]
    monkeypatch.setattr(sys, "argv", ["bench_device.py", *words])
    for text, failed, runs in ((FAILS, [False, False, True], 2), (WORKS, [False, False, False], 3)):
        lmp.write_text(text)
        lmp.chmod(0o755)
        bench_device.main()
        rows = json.loads(output.read_text())
        assert ["failed" in row for row in rows] == failed
        assert len(calls.read_text().split()) == runs
    assert rows[2]["atoms"] == 2 * bench_device.LIQUID_ATOMS and rows[2]["ms"] == pytest.approx(50.0)
    assert "out of memory" not in output.with_suffix(".md").read_text()
