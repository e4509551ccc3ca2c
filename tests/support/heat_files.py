"""Heat currents of known properties, and files of them, as runs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from e3d_lmp.analysis.heat.current import HeatCurrent

KCAL_MOL = 23.060549
"""kcal/mol in one eV."""
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


def run_of(
    current: np.ndarray, every: int = 10, temperature: float = 300.0, volume: float = 1000.0
) -> HeatCurrent:
    """A run without a file, at 300 K and 1000 angstrom^3 unless told otherwise."""
    return HeatCurrent("run", every * np.arange(len(current)), current, temperature, volume)


def damped_noise(seed: int, count: int, keep: float, spread: float = 2.0) -> np.ndarray:
    """(count,3) with <x(0) x(n)> = spread^2 keep^n (an AR(1) process)."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, spread * np.sqrt(1.0 - keep**2), (count, 3))
    noise[0] = rng.normal(0.0, spread, 3)
    return lfilter([1.0], [1.0, -keep], noise, axis=0)


def write_shc(
    path: Path, blocks: np.ndarray, units: str = "metal", interval: float = 0.01, force: str = ""
) -> Path:
    """A file of fix e3d/shc at 300 K and 1000 angstrom^3."""
    count = (blocks.shape[2] + 1) // 2
    head = f"# e3d-shc/1\n# units {units}\n# interval {interval}\n# volume 1000\n# temperature 300\n"
    head += f"# direction 1 0 0\n{force}# steps 1 2\n# samples 5\n# blocks {len(blocks)}\n# columns: lag\n"
    rows = np.column_stack([interval * np.arange(1 - count, count), blocks.reshape(-1, blocks.shape[2]).T])
    path.write_text(head + "\n".join(" ".join(f"{x:.17g}" for x in row) for row in rows) + "\n")
    return path
