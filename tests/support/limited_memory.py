"""A run of the liquid in one chunk, in a process with as much memory as it is given."""

from __future__ import annotations

import functools
import os
import resource
import subprocess
import tempfile
from pathlib import Path

from lammps_runs import BIN, ROOT, TIMEOUT, plugin_environment

SCRIPT = f"""units metal
atom_style atomic
newton on
read_data {ROOT}/inputs/liquid.data
replicate 3 2 1
pair_style e3d chunk 100000
pair_coeff * * {{model}} C H N O
thermo_style custom step pe
run 0
variable e equal pe
print "${{{{e}}}}" file energy.txt
"""


@functools.cache
def run_freely(model: Path) -> tuple[str, float]:
    """Output and energy of the script in a process with all the memory that it wants; run once."""
    with tempfile.TemporaryDirectory() as folder:
        return run_within(model, None, Path(folder) / "free")


def run_within(
    model: Path, megabytes: int | None, folder: Path, timeout: float = TIMEOUT
) -> tuple[str, float]:
    """Output and energy of the script in a process with so much memory for data."""
    folder.mkdir()
    (folder / "in.lmp").write_text(SCRIPT.format(model=model))

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
        timeout=timeout,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output, float((folder / "energy.txt").read_text())
