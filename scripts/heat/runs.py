"""What the scripts of this folder share: a run of LAMMPS, an analytic model made fast, a result written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from e3d_lmp.files import atomic_path

if TYPE_CHECKING:
    from e3d_lmp.model.contract import ModelMetadata
    from e3d_lmp.model.decomposition import EdgeModel

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))  # analytic_models


def run_lammps(folder: Path, script: str, name: str, variables: Mapping[str, object]) -> None:
    """An input of ``inputs/heat`` in `folder` on one core, its log in ``NAME.log``, its time printed.

    Raises
    ------
    subprocess.CalledProcessError
        If LAMMPS stops with an error; the log says which.
    """
    command = [str(Path(sys.executable).parent / "lmp"), "-in", str(ROOT / "inputs" / "heat" / script)]
    command += ["-log", f"{name}.log", "-screen", "none"]
    for key, value in variables.items():
        command += ["-v", key, str(value)]
    start = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)


def keep_settings(file: Path, settings: Mapping[str, Any]) -> None:
    """Write what the runs of the file's folder have in common; stop if it was begun with something else."""
    if not file.exists():
        with atomic_path(file) as partial:
            partial.write_text(json.dumps(settings) + "\n")
    elif json.loads(file.read_text()) != settings:
        raise SystemExit(f"{file.parent} was begun with {file.read_text().strip()}; take another folder")


def write_vectorised(model: EdgeModel, metadata: ModelMetadata, path: Path) -> None:
    """An analytic model compiled for one core of this machine, unless `path` is there.

    It is compiled as many small kernels, which become vector instructions: 1.5 (pair potential) to 2.6 times
    (Tersoff) as fast as one large kernel. A network is made of small kernels anyway.
    """
    if path.exists():
        return
    import torch
    import torch._inductor.config as inductor

    from e3d_lmp.model.export import write_edge_model

    torch.set_num_threads(1)
    with inductor.patch(realize_opcount_threshold=3, realize_reads_threshold=2):
        write_edge_model(model, metadata, path)


def print_result(result: dict[str, Any], output: Path | None) -> None:
    """The result as JSON on standard output, and in the file `output`."""
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if output:
        with atomic_path(output) as partial:
            partial.write_text(text)
