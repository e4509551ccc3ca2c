"""Power spectra of the heat current and of its parts, from runs in equilibrium.

With C(t) = <J_a(0) J_a(t)> of a part at the times t_n = n dt, mean over the directions, and a window w of
which w(0) = 1

P(nu) = 2 dt sum_n w(t_n) C(t_n) cos(2 pi nu t_n),  n from -(N-1) to N-1, the two last by half

(Wiener and Khinchin), at the frequencies of `spectrum`. The trapezoidal integral of P over them is <J_a^2>,
without any error but rounding, and P(0) / (4 V k_B T^2) the conductivity of Green-Kubo to the time (N-1) dt,
its correlations weighted by w.

Parts are known by the names of their columns:

- ``c_ID[1] c_ID[2] c_ID[3]``, the whole current of the group of ``compute ID e3d/heat`` or ``heat/flux``: ID;
- with ``c_ID[4] c_ID[5] c_ID[6]`` its convective part too, and the difference of the two, its potential part;
- ``v_NAME_x v_NAME_y v_NAME_z``, of variables that take, say, a row of the array of ``compute e3d/heat``:
  NAME, or ``v_NAME`` where a compute has that name.

The spectra of two parts do not sum to that of their sum: the parts are correlated, often against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from e3d_lmp.analysis.heat.conversion import HeatUnits
from e3d_lmp.analysis.heat.current import HeatCurrent, column_names
from e3d_lmp.analysis.heat.green_kubo import autocorrelation, cut_into_blocks
from e3d_lmp.analysis.heat.spectrum import cosine_transform
from e3d_lmp.errors import E3DError


@dataclass(frozen=True)
class Part:
    """A part of the current: three columns, less three others where there are such.

    Attributes
    ----------
    name    as in the module's text
    plus    names of the columns of x, y and z
    minus   names of those to take off; none for a part that has columns of its own
    """

    name: str
    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()

    def of(self, columns: Sequence[str], table: np.ndarray) -> np.ndarray:
        """(N,3) the part, from the columns (N,M) of these names."""
        values = table[:, [columns.index(name) for name in self.plus]]
        if self.minus:
            values = values - table[:, [columns.index(name) for name in self.minus]]
        return values


def parts_of(names: Sequence[str]) -> list[Part]:
    """The parts that a file with these columns has, in the order of the columns."""
    parts: list[Part] = []
    names = list(dict.fromkeys(names))
    computes = {name[2:-3] for name in names if name.startswith("c_") and name.endswith("[1]")}
    for name in names:
        if name.startswith("c_") and name.endswith("[1]"):
            compute = name[2:-3]
            whole, convective = (
                tuple(f"c_{compute}[{k}]" for k in entries) for entries in ((1, 2, 3), (4, 5, 6))
            )
            if set(whole) <= set(names):
                parts.append(Part(compute, whole))
                if set(convective) <= set(names):
                    parts.append(Part(f"{compute} convective", convective))
                    parts.append(Part(f"{compute} potential", whole, convective))
        elif name.startswith("v_") and name.endswith("_x"):
            triple = tuple(f"{name[:-1]}{axis}" for axis in "xyz")
            if set(triple) <= set(names):
                parts.append(Part(name[:-2] if name[2:-2] in computes else name[2:-2], triple))
    return parts


@dataclass(frozen=True)
class Power:
    """Power of each part by frequency.

    Attributes
    ----------
    frequency    (N,) THz (reduced units: 1/tau), from 0
    density      of each part by its name: (M,N) P of every block, squared units of J per frequency
    scale        what makes P a conductivity: 1 / (4 V k_B T^2) in W/m/K (or reduced)
    """

    frequency: np.ndarray
    density: dict[str, np.ndarray]
    scale: float

    def mean(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(N,) mean of a part and its standard error over the blocks."""
        return _mean_error(self.density[name])

    def mean_square(self, name: str) -> tuple[float, float]:
        """<J_a^2> of a part, the integral of its power, and its standard error."""
        from scipy.integrate import trapezoid

        mean, error = _mean_error(trapezoid(self.density[name], self.frequency, axis=1))
        return float(mean), float(error)

    def conductivity(self, name: str) -> tuple[float, float]:
        """P(0) / (4 V k_B T^2) of a part and its standard error; of a part alone it is no conductivity."""
        mean, error = self.mean(name)
        return float(self.scale * mean[0]), float(self.scale * error[0])


def _mean_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def power(
    runs: Sequence[HeatCurrent],
    columns: Sequence[str],
    parts: Sequence[Part],
    units: HeatUnits,
    timestep: float,
    length: float,
    directions: Sequence[int] = (0, 1, 2),
    blocks: int | None = None,
    weights: str = "hann",
) -> Power:
    """Power spectra of runs in equilibrium whose currents hold these columns.

    Parameters
    ----------
    length
        Longest correlation time, ps (reduced units: tau): frequencies are 1/(2 length) apart.
    timestep, directions, blocks
        As of `green_kubo`, which raises the same errors.
    weights
        Of the lags: ``hann`` or ``none``.
    """
    step, lags, series = cut_into_blocks(runs, units, timestep, length, blocks)
    every = [block for blocks_of_run in series for block in blocks_of_run]
    axes = list(directions)
    frequency, density = np.zeros(0), {}
    for part in parts:
        currents = [part.of(columns, block)[:, axes] for block in every]
        correlations = np.stack([autocorrelation(current, lags).mean(axis=1) for current in currents])
        frequency, density[part.name] = cosine_transform(correlations, step, weights)
    volume, temperature = (
        float(np.mean([getattr(run, name) for run in runs])) for name in ("volume", "temperature")
    )
    scale = units.watt / (4.0 * volume * units.boltzmann * temperature**2) / units.time
    return Power(frequency, density, scale)


def read_parts(path: str | Path) -> list[Part]:
    """The parts that a file of ``fix ave/time`` has; raises `E3DError` if it has none."""
    parts = parts_of(column_names(path))
    if not parts:
        raise E3DError(
            f"{path}: no columns of a current: expected c_ID[1] c_ID[2] c_ID[3] of compute e3d/heat (and [4] "
            "to [6] for its two parts), or v_NAME_x v_NAME_y v_NAME_z of variables"
        )
    return parts
