"""HNEMD: responses to a driving force, and their errors."""

from __future__ import annotations

import numpy as np
import pytest

from e3d_lmp.analysis.heat.conversion import METAL
from e3d_lmp.analysis.heat.current import HeatCurrent, join_parts
from e3d_lmp.analysis.heat.hnemd import DrivenRuns, driven_runs, group_by_force, hnemd, parse_force
from e3d_lmp.errors import E3DError
from e3d_lmp.units import BOLTZMANN
from heat_files import WATT, run_of
from tolerances import close


def response(force: float, cubic: float, seed: int) -> HeatCurrent:
    """A run of 2 W/m/K at small forces."""
    volume = 1e10
    noise = np.random.default_rng(seed).normal(0.0, 2e-5 * volume, (2000, 3))
    mean = 2.0 / WATT * volume * 300.0 * force * (1.0 + cubic * force**2)
    return run_of(noise + np.array([mean, 0.0, 0.0]), volume=volume)


def least_noise(force: float, volume: float) -> float:
    """That of equilibrium in 40 ps of `response`, in SI units."""
    return float(np.sqrt(2.0 * 2.0 * BOLTZMANN / (volume * 1e-30 * 40e-12)) / (force * 1e10))


def test_error_of_hnemd_is_that_of_equilibrium_at_least() -> None:
    """However quiet the blocks happen to be; two runs halve its square."""
    quiet = run_of(np.tile([2.0 / WATT * 1000.0 * 300.0 * 0.005, 0.0, 0.0], (2000, 1)))
    for count in (1, 2):
        group = driven_runs(np.array([0.005, 0.0, 0.0]), [quiet] * count, METAL, 0.002)
        close("error", group.error, least_noise(0.005, 1000.0) / np.sqrt(count), 1e-5)


def test_hnemd_sees_where_the_response_is_not_linear() -> None:
    """Forces beyond it are left out; the opposite force counts with its sign; the error is that of blocks."""
    words = {f"{force}": [response(force, 1.0, k)] for k, force in enumerate((0.005, 0.01, 0.05))}
    words["-0.01,0,0"] = [response(-0.01, 1.0, 9)]
    result = hnemd(group_by_force(words, METAL, 0.002))
    assert [group.force for group in result.groups] == [0.005, 0.01, 0.05]
    assert len(result.groups[1].running) == 2
    assert result.linear == [True, True, False]
    assert abs(result.conductivity - 2.0) < 5.0 * result.error < 0.2
    noise = 0.02 * WATT / (1000.0 * 300.0 * 0.005) / np.sqrt(2000.0)
    assert 0.4 * noise < result.groups[0].error < 2.0 * noise
    assert result.groups[0].error > least_noise(0.005, 1e10)
    time, running = result.groups[0].running[0]
    close("running mean", running[-1], result.groups[0].conductivity, 1e-9)
    close("time", time[-1], 2000 * 10 * 0.002, 1e-9)


def test_mean_over_forces() -> None:
    """Weighted by 1/error^2; beyond the first force that is not linear none counts."""
    nothing = np.zeros(0)
    groups = [
        DrivenRuns(force, kappa, error, nothing, [], 300.0, 0.0)
        for force, kappa, error in (
            (0.08, 2.08, 0.01),
            (0.01, 2.0, 0.1),
            (0.04, 3.0, 0.05),
            (0.02, 2.1, 0.05),
        )
    ]
    result = hnemd(groups)
    assert [group.force for group in result.groups] == [0.01, 0.02, 0.04, 0.08]
    assert result.linear == [True, True, False, False]
    close("mean", result.conductivity, (100 * 2.0 + 400 * 2.1) / 500, 1e-12)
    close("error", result.error, 500**-0.5, 1e-12)


def test_hnemd_sees_a_current_that_grows() -> None:
    """A run in three files is one run, and its drift is seen over all of them; a steady one has none."""
    steady = [response(0.01, 0.0, seed) for seed in range(3)]
    parts = [
        HeatCurrent(run.path, run.step + 20000 * k, run.current * (1.0 + 0.05 * k), 300.0, run.volume)
        for k, run in enumerate(steady)
    ]
    joined = join_parts(parts)
    assert len(joined) == 1 and len(joined[0].step) == 6000 and joined[0].interval == 10
    assert len(join_parts(steady)) == 3
    volume = steady[0].volume
    rest = HeatCurrent("rest", 20000 + steady[0].step[:500], steady[1].current[:500], 325.0, 1.25 * volume)
    longer = join_parts([steady[0], rest])[0]
    assert (longer.temperature, longer.volume) == (305.0, 1.05 * volume)
    force = np.array([0.01, 0.0, 0.0])
    group = driven_runs(force, parts, METAL, 0.002)
    assert len(group.blocks) == 10 and group.drift > 5.0 and not group.steady
    assert hnemd([group]).linear == [False]
    group = driven_runs(force, steady, METAL, 0.002)
    assert len(group.blocks) == 30 and group.steady and hnemd([group]).linear == [True]


def test_runs_count_by_their_length() -> None:
    """A short run does not spoil a long one: the mean is that of all samples, and so is its error."""
    force = np.array([0.01, 0.0, 0.0])
    long, short = response(0.01, 0.0, 1), response(0.01, 0.0, 2)
    short = HeatCurrent("short", short.step[:20], short.current[:20], 300.0, short.volume)
    alone = driven_runs(force, [long], METAL, 0.002)
    both = driven_runs(force, [long, short], METAL, 0.002)
    rows = np.concatenate([long.current, short.current])[:, 0]
    kappa = WATT * rows.mean() / (long.volume * 300.0 * 0.01)
    close("kappa", both.conductivity / kappa, 1.0, 1e-9)
    assert both.error < 1.1 * alone.error


@pytest.mark.parametrize("word", ["", "x", "0", "1,2", "0,0,0", "nan", "1,2,3,4"])
def test_wrong_forces(word: str) -> None:
    with pytest.raises(E3DError, match="no driving force"):
        parse_force(word)
