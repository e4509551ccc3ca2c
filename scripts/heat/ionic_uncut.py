"""What the cutoff of 6 A does to silver iodide: forces and pressure against the potential with Ewald sums."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from e3d_lmp.files import atomic_path
from ionic_data import BAR, PARAMETERS
from runs import ROOT, run_lammps
from silver_iodide import SHORT

FAR = 14.0
"""Cutoff of the short-range part, A; what it leaves out of the pressure is added."""
SCRIPT = f"""
velocity all create $(1.3*v_temperature) ${{seed}} mom yes rot no dist gaussian
fix hot all nvt temp ${{temperature}} ${{temperature}} 0.2
run ${{equilibrate}}
run 0
write_dump all custom cut.dump id type fx fy fz modify sort id format float %.12g
print $(press) file cut.txt
pair_style hybrid/overlay vashishta coul/long {FAR}
pair_coeff * * vashishta far.vashishta Ag I
pair_coeff * * coul/long
kspace_style pppm 1e-5
run 0
write_dump all custom uncut.dump id type fx fy fz modify sort id format float %.12g
print "$(press) $(vol) $(count(Ag))" file uncut.txt
"""


def compare_with_uncut(folder: Path, sizes: dict[str, int]) -> None:
    """``uncut.json``: of a snapshot of each phase, the root mean square of the forces and of what the cutoff
    changes in them, by element (eV/A), and both pressures (bar).
    """
    head = (ROOT / "inputs" / "heat" / "in.ionic").read_text().split("velocity all create")[0]
    (folder / "in.uncut").write_text(head + SCRIPT)
    far = PARAMETERS.read_text().replace(" 6.0 0.0 1.0", f" {FAR} 0.0 1.0")
    (folder / "far.vashishta").write_text(far)
    found = {}
    for phase, temperature in (("ordered", 300.0), ("superionic", 573.0)):
        words = {"task": "frames", "phase": phase, "temperature": temperature, "parameters": PARAMETERS}
        words["equilibrate"] = sizes["equilibrate"]
        run_lammps(folder, str(folder.resolve() / "in.uncut"), f"{phase}.uncut", words)
        cut, uncut = (np.loadtxt(folder / f"{name}.dump", skiprows=9)[:, 1:] for name in ("cut", "uncut"))
        pressure, volume, count = np.loadtxt(folder / "uncut.txt")
        row = {"cut_pressure": float(np.loadtxt(folder / "cut.txt"))}
        row["uncut_pressure"] = pressure + left_out(count / volume)
        for number, element in enumerate(("Ag", "I"), start=1):
            forces, change = (table[uncut[:, 0] == number, 1:] for table in (uncut, cut - uncut))
            row[f"{element}_force_rms"] = float(np.sqrt((forces**2).mean()))
            row[f"{element}_force_change_rms"] = float(np.sqrt((change**2).mean()))
        found[phase] = {key: float(f"{value:.4g}") for key, value in row.items()}
    with atomic_path(folder / "uncut.json") as partial:
        partial.write_text(json.dumps(found, indent=2) + "\n")


def left_out(density: float) -> float:
    """Pressure, bar, of the attraction beyond `FAR`, and of the force there, by which `vashishta` shifts all:
    both at g(r) = 1, of ions of each element at a density in 1/A^3.
    """
    total = sum(
        (2.0 if i != j else 1.0) * (-5.0 * p / FAR - 3.5 * c / FAR**3)
        for (i, j), (_, _, p, c) in SHORT.items()
    )
    return 2.0 * math.pi / 3.0 * density**2 * total / BAR
