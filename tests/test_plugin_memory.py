"""Memory that does not suffice for a chunk of the model makes chunks smaller and ends no run."""

from __future__ import annotations

import functools
import os
import resource
import subprocess
import tempfile
from pathlib import Path

import pytest

from lammps_runs import BIN, ROOT, TIMEOUT, plugin_environment
from tolerances import close

MODEL = ROOT / "inputs/models/organic-small.nequip.pth"
SCRIPT = f"""units metal
atom_style atomic
newton on
read_data {ROOT}/inputs/liquid.data
replicate 3 2 1
pair_style e3d chunk 100000
pair_coeff * * {MODEL} C H N O
thermo_style custom step pe
run 0
variable e equal pe
print "${{e}}" file energy.txt
"""


@functools.cache
def run_freely() -> tuple[str, float]:
    """Output and energy of the script in a process with all the memory that it wants; run once."""
    with tempfile.TemporaryDirectory() as folder:
        return run_within(None, Path(folder) / "free")


def run_within(megabytes: int | None, folder: Path) -> tuple[str, float]:
    """Output and energy of the script in a process with so much memory for data."""
    folder.mkdir()
    (folder / "in.lmp").write_text(SCRIPT)

    def limit() -> None:
        if megabytes is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))

    done = subprocess.run(
        [BIN / "lmp", "-in", "in.lmp", "-log", "none"],
        cwd=folder,
        env=os.environ | plugin_environment(),
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output, float((folder / "energy.txt").read_text())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_chunks_shrink_until_they_fit(tmp_path: Path) -> None:
    """1,278 atoms in one chunk need more than 900 MB; half of them do not, and the energy is the same."""
    output, want = run_freely()
    assert "going on with" not in output
    output, got = run_within(900, tmp_path / "limited")
    assert "probably for want of memory; going on with 'chunk 639'" in output
    close("energy", got, want, 1e-3)
