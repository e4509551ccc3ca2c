"""How wrong ``compute heat/flux`` over the six components of ``stress/atom`` is for many-body models.

    python scripts/heat/six_components.py out/six -o scripts/heat/six_components.json    # minutes

The difference to `compute e3d/heat`, root mean square over a run, in parts of J and of its potential part.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from runs import ROOT, print_result, run_lammps
from silicon import write_model

STEPS = {"silicon": 20000, "liquid": 400}
"""Of 0.5 fs, to equilibrate, and again to measure."""


def rms(vectors: np.ndarray) -> float:
    """Root mean square length of (N, 3)."""
    return float(np.sqrt(np.square(vectors).sum(axis=1).mean()))


def measure(folder: Path, system: str, model: Path) -> dict[str, Any]:
    """The differences in one system."""
    words = {
        "system": system,
        "model": model,
        "dir": ROOT / "inputs",
        "current": f"{system}.txt",
        "steps": STEPS[system],
    }
    run_lammps(folder, "in.six_components", system, words)
    rows = np.loadtxt(folder / f"{system}.txt")[:, 1:].reshape(-1, 3, 3)
    current, convective, wrong = rows.transpose(1, 0, 2)
    error = rms(wrong - current)
    return {
        "samples": len(rows),
        "of_J": round(error / rms(current), 4),
        "of_the_potential_part": round(error / rms(current - convective), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="write the result here as JSON")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    silicon = args.folder.resolve() / "silicon.nequip.pt2"
    write_model(silicon)
    liquid = ROOT / "inputs" / "models" / "organic-small.safetensors"
    systems = {"silicon": silicon, "liquid": liquid}
    print_result({name: measure(args.folder, name, model) for name, model in systems.items()}, args.output)


if __name__ == "__main__":
    main()
