"""HNEMD: the conductivity from the response of the heat current to a driving force.

kappa_b = <J_b> / (V <T> |F|)  (Fan et al., Phys. Rev. B 99, 064308, 2019)

as long as J is proportional to F. Two signs say that it is not:

- the response must be even in F: the largest force that is used is the last one, going up, whose conductivity
  is within `SIGNIFICANT` standard errors of that of the smaller ones together;
- a force that is too large makes the current of long-lived phonons grow without end: runs must be steady:
  the blocks of a run have no slope of more than `DRIFTING` standard errors.

Every run is cut into ten blocks, which count by their length. Ten blocks know their own scatter to 24 %
only. So the error is never taken smaller than `equilibrium_noise`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.analysis.heat.conversion import HeatUnits
from e3d_lmp.analysis.heat.current import HeatCurrent, join_parts
from e3d_lmp.errors import E3DError

SIGNIFICANT = 3.0
"""Standard errors of a difference that is one."""
DRIFTING = 4.0
"""Standard errors of a slope that is one: of a few blocks, whose scatter is not well known."""
BLOCKS = 10
"""Blocks of each run, for the error."""


@dataclass(frozen=True)
class DrivenRuns:
    """All runs with the same force.

    Attributes
    ----------
    force           |F|, 1/angstrom (reduced units: 1/sigma)
    conductivity    along the force, mean over all samples, W/m/K (or reduced)
    error           standard error over the blocks of all runs, but at least that of the equilibrium noise
    blocks          (runs * BLOCKS,) conductivities
    running         for each run: times in ps (or tau), and the running mean to that time
    temperature     mean
    drift           slope of the blocks of a run, in standard errors of that slope
    """

    force: float
    conductivity: float
    error: float
    blocks: np.ndarray
    running: list[tuple[np.ndarray, np.ndarray]]
    temperature: float
    drift: float

    @property
    def steady(self) -> bool:
        """Whether the blocks have no slope."""
        return abs(self.drift) <= DRIFTING


@dataclass(frozen=True)
class Hnemd:
    """Conductivity from driven runs.

    Attributes
    ----------
    groups          one for each size of the force, the smallest first
    linear          (groups,) bool: whether the response was steady and still proportional to the force
    conductivity, error
        mean of the linear ones, weighted by 1/error^2; of the smallest force where there are none
    """

    groups: list[DrivenRuns]
    linear: list[bool]
    conductivity: float
    error: float


def parse_force(word: str) -> np.ndarray:
    """(3,) driving force of ``FX,FY,FZ``, or of one number, along x; raises `E3DError` if it is none."""
    try:
        values = [float(part) for part in word.split(",")]
    except ValueError:
        values = []
    force = np.array([*values, 0.0, 0.0] if len(values) == 1 else values)
    if force.shape != (3,) or not np.isfinite(force).all() or not force.any():
        raise E3DError(
            f"'{word}' is no driving force: give Fx,Fy,Fz as to fix e3d/hnemd, or one number, along x"
        )
    return force


def equilibrium_noise(kappa: float, force: float, volume_time: float, units: HeatUnits) -> float:
    """Standard error of a conductivity from a driven run, as the fluctuations of equilibrium make it.

    sqrt(2 kappa k_B / (V t)) / |F|, by Green-Kubo; `volume_time` is V t of all runs, in their units.
    """
    return float(np.sqrt(2.0 * abs(kappa) * units.watt * units.boltzmann / volume_time)) / force


def driven_runs(
    force: np.ndarray, runs: Sequence[HeatCurrent], units: HeatUnits, timestep: float
) -> DrivenRuns:
    """Conductivity along the force (3,), of runs with this force, which may be in parts (`join_parts`)."""
    size = float(np.linalg.norm(force))
    blocks, lengths, running = [], [], []
    joined = join_parts(runs)
    for run in joined:
        current = run.current @ (force / size)
        rows = units.watt * current / (run.volume * run.temperature * size)
        if len(rows) < 2 * BLOCKS:
            raise E3DError(
                f"{run.path}: {len(rows)} rows are too few for {BLOCKS} blocks; at least {2 * BLOCKS}"
            )
        length = len(rows) // BLOCKS
        blocks.append(rows[len(rows) % BLOCKS :].reshape(BLOCKS, length).mean(axis=1))
        lengths.append(length * run.interval)
        time = run.interval * timestep * units.time * np.arange(1, len(rows) + 1)
        running.append((time, np.cumsum(rows) / np.arange(1, len(rows) + 1)))
    every, weights = np.concatenate(blocks), np.repeat(lengths, BLOCKS) / np.sum(lengths) / BLOCKS
    kappa = float(weights @ every)
    scatter = np.sqrt((weights**2 @ (every - kappa) ** 2) * len(every) / (len(every) - 1))
    trend, variance = np.polyfit(
        np.tile(np.arange(BLOCKS), len(blocks)), every, 1, w=np.sqrt(weights), cov=True
    )
    volume_time = timestep * sum(run.volume * run.interval * len(run.current) for run in joined)
    noise = equilibrium_noise(kappa, size, volume_time, units)
    return DrivenRuns(
        size,
        kappa,
        max(float(scatter), noise),
        every,
        running,
        float(np.average([run.temperature for run in joined], weights=lengths)),
        float(trend[0] / np.sqrt(variance[0, 0])),
    )


def hnemd(groups: Sequence[DrivenRuns]) -> Hnemd:
    """Conductivity of groups of runs with different forces, and which of them are linear."""
    ordered = sorted(groups, key=lambda group: group.force)
    linear = [ordered[0].steady]
    mean, error = ordered[0].conductivity, ordered[0].error
    for group in ordered[1:]:
        near = abs(group.conductivity - mean) <= SIGNIFICANT * float(np.hypot(group.error, error))
        linear.append(linear[-1] and near and group.steady)
        if linear[-1]:
            weights = 1.0 / np.array([error, group.error]) ** 2
            mean = float(np.average([mean, group.conductivity], weights=weights))
            error = float(weights.sum() ** -0.5)
    return Hnemd(ordered, linear, mean, error)


def group_by_force(
    words: Mapping[str, Sequence[HeatCurrent]], units: HeatUnits, timestep: float
) -> list[DrivenRuns]:
    """`driven_runs` of every force word (see `parse_force`); opposite forces count as one size."""
    sizes: dict[float, list[HeatCurrent]] = {}
    along: dict[float, np.ndarray] = {}
    for word, runs in words.items():
        force = parse_force(word)
        size = round(float(np.linalg.norm(force)), 12)
        axis = along.setdefault(size, force)
        for run in runs:
            sign = np.sign(axis @ force)
            if abs(axis @ force) < (1.0 - 1e-9) * size * size:
                raise E3DError(
                    f"forces of the size {size:g} point in different directions: analyse them one by one"
                )
            turned = HeatCurrent(run.path, run.step, sign * run.current, run.temperature, run.volume)
            sizes.setdefault(size, []).append(turned)
    return [driven_runs(along[size], runs, units, timestep) for size, runs in sizes.items()]
