"""The spectrum of the conductivity, from the correlations of ``fix e3d/shc``.

With K(t) of that fix, made even in t, at the times t_n = n dt, n = 0 ... N - 1, and a window w with w(0) = 1

kappa(nu) = 2 dt / (V T |F|) sum_n w(t_n) K(t_n) cos(2 pi nu t_n),  n from -(N-1) to N-1, the two last by half

at nu = k / (2 (N-1) dt), k = 0 ... N - 1 (Fan et al., Phys. Rev. B 99, 064308, 2019, equations 13 to 17).
The trapezoidal integral of kappa over these frequencies is K(0) / (V T |F|), without any error but
rounding: it undoes the cosine transform at t = 0. And K(0) is the mean heat current, so the integral is the
conductivity of ``fix e3d/hnemd`` over the same samples; of its potential part alone if only that is
transformed. Its error is that of the blocks, which must be longer than the current's memory to know it; so
it is never taken smaller than `equilibrium_noise`.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.analysis.heat.conversion import HeatUnits, heat_units
from e3d_lmp.analysis.heat.hnemd import equilibrium_noise
from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_text
from e3d_lmp.parsing import real_number, shortened, whole_number
from e3d_lmp.units import LAMMPS_UNITS

FORMAT = "e3d-shc/1"
PARTS = ("potential", "convective")
LARGEST_VALUE = 1e100
"""Size of a correlation, in the units of the run, from which on a file counts as damaged."""


@dataclass(frozen=True)
class Correlations:
    """A file of ``fix e3d/shc``, in the units of the run.

    Attributes
    ----------
    path           file it was read from
    units          ``metal`` or ``real``
    interval       time between two samples
    samples        of a block
    values         (blocks, 2, 2 N - 1): potential and convective part, lag 0 in the middle
    temperature, volume
        means over the blocks
    direction      (3,) unit vector of the fix
    force          (3,) of fix e3d/hnemd, 1/angstrom; 0 if there was none, or if the file does not say
    """

    path: str
    units: str
    interval: float
    samples: int
    values: np.ndarray
    temperature: float
    volume: float
    direction: np.ndarray
    force: np.ndarray

    def check_direction(self, force: np.ndarray) -> None:
        """Raise `E3DError` if a driving force (3,) does not point where the fix looked."""
        if force @ self.direction < (1.0 - 1e-6) * np.linalg.norm(force):
            along, given = (" ".join(f"{x:g}" for x in vector) for vector in (self.direction, force))
            raise E3DError(
                f"{self.path}: fix e3d/shc had the direction {along}, and the driving force is {given}: the "
                "spectrum is that of a force along its direction; run again with the direction of the force"
            )


def read_correlations(path: str | os.PathLike) -> Correlations:
    """Read a file of ``fix e3d/shc``; raises `E3DError` if it is none."""
    text = read_text(path, f"a file of fix e3d/shc ({FORMAT})")
    head: dict[str, list[str]] = {}
    try:
        for line in text.split("\n"):
            if not line.startswith("#"):
                break
            words = line[1:].split()
            if not words or words[0] in head:
                raise ValueError(f"a line of its header without a key, or a second '{shortened(line)}'")
            head[words[0]] = words[1:]
        if FORMAT not in head:
            raise ValueError(f"it does not begin with '# {FORMAT}'")
        interval, temperature, volume = (real_number(_only(head, key)) for key in _REALS)
        samples, blocks = (whole_number(_only(head, key), 1) for key in ("samples", "blocks"))
        if min(interval, temperature, volume) <= 0.0:
            raise ValueError(
                "an interval, a temperature or a volume that is not above 0; has the simulation blown up?"
            )
        units = _only(head, "units")
        if units not in LAMMPS_UNITS:
            raise ValueError(f"units {shortened(units)}: expected {' or '.join(LAMMPS_UNITS)}")
        direction, force = (
            np.array([real_number(word) for word in head.get(key, default)])
            for key, default in (("direction", []), ("force", ["0", "0", "0"]))
        )
        if direction.shape != (3,) or force.shape != (3,):
            raise ValueError(f"its direction has {len(direction)} numbers, its force {len(force)}")
        if abs(np.linalg.norm(direction) - 1.0) > 1e-6:
            raise ValueError("its direction is no unit vector")
        return Correlations(
            str(path),
            units,
            interval,
            samples,
            _read_values(text, blocks, interval),
            temperature,
            volume,
            direction,
            force,
        )
    except KeyError as error:
        raise E3DError(f"{path}: not a file of fix e3d/shc ({FORMAT}): no line '# {error.args[0]}'") from None
    except ValueError as error:
        raise E3DError(f"{path}: not a file of fix e3d/shc ({FORMAT}): {error}") from None


_REALS = ("interval", "temperature", "volume")


def _only(head: dict[str, list[str]], key: str) -> str:
    """The one word of a line of the header."""
    if len(head[key]) != 1:
        raise ValueError(f"{len(head[key])} words after '{key}', not one")
    return head[key][0]


def _read_values(text: str, blocks: int, interval: float) -> np.ndarray:
    """(blocks, 2, 2 N - 1) as `Correlations` has them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = np.loadtxt(io.StringIO(text), ndmin=2)
    rows = len(table)
    if table.shape[1] != 1 + 2 * blocks or rows % 2 == 0 or rows < 3:
        raise ValueError(f"a table of {table.shape} does not hold {blocks} blocks of two parts")
    if not (np.abs(table) < LARGEST_VALUE).all():
        raise ValueError(
            "it has numbers that are not finite, or beyond all sense; has the simulation blown up?"
        )
    lags = interval * (np.arange(rows) - rows // 2)
    if not np.allclose(table[:, 0], lags, rtol=1e-8, atol=1e-8 * interval):
        raise ValueError("the lags of its rows are no multiples of its interval around 0; is a row missing?")
    return table[:, 1:].T.reshape(blocks, 2, rows).copy()


@dataclass(frozen=True)
class Spectrum:
    """Conductivity by frequency.

    Attributes
    ----------
    frequency      (N,) THz, from 0
    density        (M,N) conductivity per frequency of every block of every run, W/m/K/THz
    integral       (M,) trapezoidal integral of `density`: the conductivity of each block
    by_part        (M,2) potential and convective part of the conductivity, W/m/K
    noise          standard error of the conductivity from the fluctuations of equilibrium alone
    """

    frequency: np.ndarray
    density: np.ndarray
    integral: np.ndarray
    by_part: np.ndarray
    noise: float

    @property
    def conductivity(self) -> tuple[float, float]:
        """Mean of the integral and its standard error over the blocks (nan for one), at least `noise`."""
        count = len(self.integral)
        error = float(self.integral.std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan")
        return float(self.integral.mean()), error if np.isnan(error) else max(error, self.noise)

    def mean(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) mean density and its standard error over the blocks."""
        count = len(self.density)
        error = (
            self.density.std(axis=0, ddof=1) / np.sqrt(count)
            if count > 1
            else np.full(len(self.frequency), np.nan)
        )
        return self.density.mean(axis=0), error


def window(name: str, count: int) -> np.ndarray:
    """(count,) weights of the lags 0 ... count - 1, 1 at the first: ``hann`` or ``none``."""
    if name == "hann":
        return 0.5 * (1.0 + np.cos(np.pi * np.arange(count) / (count - 1)))
    if name == "none":
        return np.ones(count)
    raise E3DError(f"window '{name}': expected hann or none")


def cosine_transform(even: np.ndarray, interval: float, weights: str) -> tuple[np.ndarray, np.ndarray]:
    """The transform of the module's text, of functions K (...,N) of t = 0 ... (N - 1) interval, even in t.

    Returns
    -------
    frequency : (N,) 1/unit of the interval
    density : (...,N) 2 dt sum_n w K cos(2 pi nu t_n), whose trapezoidal integral is K(0)
    """
    from scipy.fft import dct

    count = even.shape[-1]
    frequency = np.arange(count) / (2.0 * (count - 1) * interval)
    return frequency, 2.0 * interval * dct(window(weights, count) * even, type=1, axis=-1)


def spectrum(
    runs: Sequence[Correlations], force: float, parts: Sequence[str] = PARTS, weights: str = "hann"
) -> Spectrum:
    """Spectrum of runs with the driving force |F| (1/angstrom) along the direction of their ``fix e3d/shc``.

    Raises
    ------
    E3DError
        If the runs differ in units, samples or lags, or two are the same.
    """
    from scipy.integrate import trapezoid

    shapes = {(run.units, run.interval, run.values.shape[2]) for run in runs}
    if len(shapes) != 1:
        raise E3DError(
            "the runs differ in their units, their interval or their number of lags; analyse them one by one"
        )
    for k, run in enumerate(runs):
        for other in runs[:k]:
            if np.array_equal(run.values[:1], other.values[:1]):
                raise E3DError(f"{other.path} and {run.path} hold the same blocks: give each run once")
    if force <= 0.0:
        raise E3DError(f"the driving force is {force:g}; give its size, |F|, which is positive")
    units: HeatUnits = heat_units(runs[0].units)
    count = (runs[0].values.shape[2] + 1) // 2
    densities, by_part, volume_time = [], [], 0.0
    for run in runs:
        factor = units.watt / (run.volume * run.temperature * force)
        chosen = run.values[:, [PARTS.index(part) for part in parts]].sum(axis=1)
        even = 0.5 * (chosen[:, count - 1 :] + chosen[:, count - 1 :: -1])
        frequency, density = cosine_transform(factor * even, run.interval * units.time, weights)
        densities.append(density)
        by_part.append(factor * run.values[:, :, count - 1])
        volume_time += run.volume * len(run.values) * run.samples * run.interval
    density = np.concatenate(densities)
    integral = trapezoid(density, frequency, axis=1)
    noise = equilibrium_noise(float(integral.mean()), force, volume_time, units)
    return Spectrum(frequency, density, integral, np.concatenate(by_part), noise)
