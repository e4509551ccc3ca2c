"""Files of heat currents, as runs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WATT = 1602.176634
"""W/m/K of one eV/(ps angstrom K): 1e12 1e10 times the charge of an electron in C."""


def write_current(
    path: Path,
    current: np.ndarray,
    every: int = 10,
    columns: str = "c_thermo_temp v_volume",
    values: str = "300 1000",
    start: int = 0,
) -> Path:
    """A file as fix ave/time writes it, at 300 K and 1000 angstrom^3 unless `values` are others."""
    lines = ["# Time-averaged data for fix j", f"# TimeStep c_heat[1] c_heat[2] c_heat[3] {columns}"]
    rest = f" {values}" if columns else ""
    for k, row in enumerate(current):
        lines.append(f"{start + k * every} {row[0]:.17g} {row[1]:.17g} {row[2]:.17g}{rest}")
    path.write_text("\n".join(lines) + "\n")
    return path
