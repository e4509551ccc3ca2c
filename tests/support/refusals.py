"""Inputs that LAMMPS has to refuse with a message."""

from __future__ import annotations

import re
from pathlib import Path

from gas_runs import ELEMENTS, gas
from lammps_runs import Run, start_lammps, write_data

OUTPUTS = ("edges.dump", "out.dump", "result.json")


def refused(folder: Path, script: str, *messages: str, ranks: int = 1, data: bool = True) -> Run:
    """LAMMPS ends with an error that matches all `messages` (regular expressions), and writes nothing."""
    if data:
        write_data(folder / "data.lmp", gas(8), ELEMENTS)
    # mpirun may lose what a rank printed just before it aborted all of them
    for _ in range(1 if ranks == 1 else 4):
        run = start_lammps(script, folder, ranks)
        if "ERROR" in run.output or run.code == 0:
            break
    text = " ".join(run.output.split())
    assert run.code > 0, f"exit code {run.code}, an error was expected:\n{run.output[-1500:]}"
    assert "ERROR" in text
    for message in messages:
        assert re.search(message, text), f"no '{message}' in:\n{run.output[-1500:]}"
    # LAMMPS opens a dump's file before it asks the compute: the file may be there, but has to be empty
    written = [name for name in OUTPUTS if (folder / name).exists() and (folder / name).stat().st_size]
    assert not written, f"{written} should be empty or not there"
    return run


def with_model(model: Path | str, types: str = "Cu Ag", options: str = "", commands: str = "run 0") -> str:
    """The input with this model."""
    pair = f"pair_style e3d {options}\npair_coeff * * {model} {types}"
    dump = "compute edges all e3d/edge/local eps\ndump edges all local 1 edges.dump c_edges"
    return f"""
units metal
newton on
read_data data.lmp
{pair}
{dump}
{commands}
"""
