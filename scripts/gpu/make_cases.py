"""Models and boxes of atoms for ``scripts/gpu``, for machines that have neither torch nor nequip.

    PYTHONPATH=tests/support python scripts/gpu/make_cases.py FOLDER

Random Allegro models of the tests, in float32 and float64, on the boxes of the tests, and the shipped model
on the liquid of inputs/, for the native engine. ``cases.json`` names them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from lammps_runs import write_data
from native_models import write_native
from random_models import random_allegro
from systems import ELEMENTS, SYSTEMS

ROOT = Path(__file__).resolve().parents[2]
RANDOM = (
    ("plain", "float32", "box"),
    ("everything", "float32", "triclinic"),
    ("everything", "float64", "triclinic"),
    ("everything", "float64", "thin"),
    ("spline", "float64", "box"),
)


def main() -> None:
    """Write the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for variant, dtype, system in RANDOM:
        model = f"{variant}-{dtype}.safetensors"
        write_native(random_allegro(variant, dtype), folder / model)
        write_data(folder / f"{system}.data", SYSTEMS[system](), ELEMENTS, velocities=True)
        cases.append({"model": model, "data": f"{system}.data", "elements": ELEMENTS, "dtype": dtype})
    export = [sys.executable, "-m", "e3d_lmp", "export", ROOT / "inputs/models/organic-small.nequip.zip"]
    subprocess.run([*export, folder / "organic-small.safetensors"], check=True, stdout=subprocess.DEVNULL)
    shutil.copy(ROOT / "inputs/liquid.data", folder)
    liquid = {"model": "organic-small.safetensors", "data": "liquid.data", "elements": ("C", "H", "N", "O")}
    cases += [liquid | {"dtype": dtype} for dtype in ("float32", "float64")]
    (folder / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
