"""Fixtures of the tests of runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulated_runs import write_run


@pytest.fixture
def run_folder(tmp_path: Path, model_files) -> Path:
    """A folder with an input, its data and a two-body model."""
    return write_run(tmp_path, model_files("lj"))
