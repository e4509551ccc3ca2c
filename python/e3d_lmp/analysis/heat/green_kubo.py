"""Green-Kubo: the conductivity from the fluctuations of the heat current in equilibrium.

kappa = 1 / (V k_B T^2) integral_0^inf <J_a(0) J_a(t)> dt

(R. Zwanzig, Annu. Rev. Phys. Chem. 16, 67 (1965), with the extensive current J of ``compute e3d/heat``).

The plateau
-----------
Every run, or block of a run, gives one curve: the running integral to time t, mean over the directions.
Their mean is kappa(t). It has become quiet at the first time t at which it does not change any more for
all that the runs can tell: for every t' from t to 2 t, the change from t' to 2 t' is smaller than
`SIGNIFICANT` standard errors of that change over the runs. What cannot be told from nothing may still be
something, so the plateau begins at twice that time: the result is the mean of kappa over [2 t, 4 t], and
its error the standard error over the runs of their own means there. Where there is no such t in the first
quarter of the correlation time, the result is not settled, and that is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.analysis.heat.conversion import HeatUnits
from e3d_lmp.analysis.heat.current import HeatCurrent
from e3d_lmp.errors import E3DError

SIGNIFICANT = 3.0
"""Standard errors over the runs that a change of the running integral must have to count."""
MIN_CURVES = 4
"""Runs are cut into blocks until there are as many curves."""
MIN_LAGS = 8
"""Samples that a correlation time must have."""
DENSE = 0.5
"""What is left of <J(0) J(t)> after one sample, at least, for an integral over the samples."""


@dataclass(frozen=True)
class GreenKubo:
    """Correlation, running integral and conductivity.

    Attributes
    ----------
    time           (L,) from 0, ps (reduced units: tau)
    correlation    (M,L) <J(0) J(t)> of every curve, mean over the directions, squared units of J
    integral       (M,L) conductivity to time t of every curve, W/m/K (or reduced)
    by_direction   (M,3) conductivity of each direction, nan for those left out
    conductivity, error
        mean over the plateau, and its standard error over the curves
    plateau        (first, last) time of the plateau
    settled        whether there is a plateau by the rule of this module
    temperature, volume
        means over the runs, units of the run
    """

    time: np.ndarray
    correlation: np.ndarray
    integral: np.ndarray
    by_direction: np.ndarray
    conductivity: float
    error: float
    plateau: tuple[float, float]
    settled: bool
    temperature: float
    volume: float

    @property
    def first_step(self) -> float:
        """<J(0) J(t)> after one sample, of <J^2>; below `DENSE` the samples are too far apart."""
        return float(self.correlation[:, 1].mean() / self.correlation[:, 0].mean())


def autocorrelation(series: np.ndarray, lags: int) -> np.ndarray:
    """(lags, ...) <x(0) x(t)> of (N, ...) along the first axis: every lag divided by its number of pairs.

    By fast Fourier transform (scipy).
    """
    from scipy.signal import correlate

    n = len(series)
    flat = series.reshape(n, -1)
    columns = [correlate(x, x, mode="full", method="fft")[n - 1 : n - 1 + lags] for x in flat.T]
    pairs = n - np.arange(lags)
    return (np.stack(columns, axis=1) / pairs[:, None]).reshape(lags, *series.shape[1:])


def green_kubo(
    runs: Sequence[HeatCurrent],
    units: HeatUnits,
    timestep: float,
    length: float,
    directions: Sequence[int] = (0, 1, 2),
    blocks: int | None = None,
) -> GreenKubo:
    """Conductivity of several runs of the same system.

    Parameters
    ----------
    timestep
        Of the runs, in their units.
    length
        Longest correlation time, ps (reduced units: tau).
    directions
        Components to take the mean of: all for a liquid or a cubic crystal.
    blocks
        Parts that each run is cut into; None: as many as `MIN_CURVES` curves need.

    Raises
    ------
    E3DError
        If the runs differ in their interval, or are too short for this correlation time.
    """
    from scipy.integrate import cumulative_trapezoid

    step, lags, parts = cut_into_blocks(runs, units, timestep, length, blocks)
    curves, temperatures, volumes = [], [], []
    for run, currents in zip(runs, parts, strict=True):
        factor = units.watt / (run.volume * units.boltzmann * run.temperature**2) / units.time
        curves += [(autocorrelation(current, lags), factor) for current in currents]
        temperatures.append(run.temperature)
        volumes.append(run.volume)
    # (M, L, 3)
    by_axis = np.stack([curve for curve, _ in curves])
    scale = np.array([factor for _, factor in curves])[:, None, None]
    integrals = scale * cumulative_trapezoid(by_axis, dx=step, axis=1, initial=0.0)
    chosen = list(directions)
    integral = integrals[:, :, chosen].mean(axis=2)
    first, last, settled = find_plateau(integral)
    values = integral[:, first : last + 1].mean(axis=1)
    by_direction = np.full((len(curves), 3), np.nan)
    by_direction[:, chosen] = integrals[:, first : last + 1, chosen].mean(axis=1)
    time = step * np.arange(lags)
    return GreenKubo(
        time,
        by_axis[:, :, chosen].mean(axis=2),
        integral,
        by_direction,
        float(values.mean()),
        float(values.std(ddof=1) / np.sqrt(len(values))),
        (float(time[first]), float(time[last])),
        settled,
        float(np.mean(temperatures)),
        float(np.mean(volumes)),
    )


def cut_into_blocks(
    runs: Sequence[HeatCurrent], units: HeatUnits, timestep: float, length: float, blocks: int | None
) -> tuple[float, int, list[list[np.ndarray]]]:
    """Time between two samples (ps, or tau), lags of the correlation time, and the blocks of each run.

    Parameters and errors are those of `green_kubo`.
    """
    intervals = {run.interval for run in runs}
    if len(intervals) != 1:
        raise E3DError(
            f"the runs have samples every {sorted(intervals)} steps; all must have the same interval"
        )
    blocks = blocks or -(-MIN_CURVES // len(runs))
    if len(runs) * blocks < 2:
        raise E3DError("one curve has no error: give more runs, or --blocks 2 or more")
    step = intervals.pop() * timestep * units.time
    if not np.isfinite(length):
        raise E3DError(f"a correlation time of {length:g} {units.times}: give a number, such as --length 10")
    lags = round(length / step) + 1
    if lags < MIN_LAGS:
        raise E3DError(
            f"a correlation time of {length:g} {units.times} is {lags} samples of {step:g}: take a longer one"
        )
    parts = []
    for run in runs:
        size = len(run.current) // blocks
        if size < 2 * lags:
            shorter = f"--length {size * step / 4:.3g} or " if size >= 4 * MIN_LAGS else ""
            raise E3DError(
                f"{run.path}: a block of {size * step:g} {units.times} is too short for correlations over "
                f"{length:g}; take {shorter}fewer blocks"
            )
        parts.append([run.current[block * size : (block + 1) * size] for block in range(blocks)])
    return step, lags, parts


def find_plateau(integral: np.ndarray) -> tuple[int, int, bool]:
    """First and last index of the plateau of running integrals (M,L), and whether there is one.

    The rule is in the module's docstring. Without a plateau: the second half of the curve.
    """
    lags = integral.shape[1]
    half = (lags + 1) // 2
    index = np.arange(half)
    change = integral[:, 2 * index] - integral[:, index]
    mean = change.mean(axis=0)
    error = change.std(axis=0, ddof=1) / np.sqrt(len(change))
    quiet = np.abs(mean) <= SIGNIFICANT * error
    loud = np.concatenate([[0], np.cumsum(~quiet)])
    for first in range(1, (half - 1) // 2 + 1):
        if loud[2 * first + 1] == loud[first]:
            return 2 * first, 4 * first, True
    return half - 1, lags - 1, False
