"""Memory that does not suffice for a chunk of the model makes chunks smaller and ends no run."""

from __future__ import annotations

from pathlib import Path

import pytest

from limited_memory import run_freely, run_within
from tolerances import close


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_chunks_shrink_until_they_fit(tmp_path: Path, organic_of_torch: Path) -> None:
    """1,278 atoms in one chunk need more than 900 MB; half of them do not, and the energy is the same."""
    output, want = run_freely(organic_of_torch)
    assert "going on with" not in output
    output, got = run_within(organic_of_torch, 900, tmp_path / "limited")
    assert "probably for want of memory; going on with 'chunk 639'" in output
    close("energy", got, want, 1e-3)
