"""Conductivities from files of runs: Green-Kubo, HNEMD and spectra, and ``e3d heat``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp import cli
from e3d_lmp.analysis.heat.conversion import METAL, REAL, heat_units, reduced_time, with_error
from e3d_lmp.analysis.heat.current import HeatCurrent, chains, join_parts, read_current, read_runs
from e3d_lmp.analysis.heat.green_kubo import autocorrelation, find_plateau, green_kubo
from e3d_lmp.analysis.heat.hnemd import DrivenRuns, driven_runs, group_by_force, hnemd, parse_force
from e3d_lmp.analysis.heat.spectrum import read_correlations, spectrum
from e3d_lmp.errors import E3DError
from e3d_lmp.units import BOLTZMANN
from heat_files import WATT, write_current
from tolerances import close

KCAL_MOL = 23.060549


def run_of(
    current: np.ndarray, every: int = 10, temperature: float = 300.0, volume: float = 1000.0
) -> HeatCurrent:
    """The same without a file."""
    return HeatCurrent("run", every * np.arange(len(current)), current, temperature, volume)


def damped_noise(seed: int, count: int, keep: float, spread: float = 2.0) -> np.ndarray:
    """(count,3) with <x(0) x(n)> = spread^2 keep^n (an AR(1) process)."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, spread * np.sqrt(1.0 - keep**2), (count, 3))
    noise[0] = rng.normal(0.0, spread, 3)
    return lfilter([1.0], [1.0, -keep], noise, axis=0)


def test_autocorrelation_is_the_mean_over_pairs() -> None:
    """By direct sums, each lag over its own number of pairs."""
    x = np.random.default_rng(1).normal(0.3, 1.0, (57, 3))
    want = [[(x[: 57 - lag, a] * x[lag:, a]).mean() for a in range(3)] for lag in range(20)]
    close("correlation", autocorrelation(x, 20), want, 1e-12)


def test_green_kubo_finds_the_conductivity_of_known_noise() -> None:
    """kappa = spread^2 sum keep^n dt / (V k T^2) by the trapezoidal rule; the plateau begins after the
    correlation and not much later; and the error is of the size of the deviation.
    """
    keep, step = 0.9, 0.02
    series = 4.0 * step * (0.5 + keep / (1.0 - keep))
    want = WATT * series / (1000.0 * METAL.boltzmann * 300.0**2)
    deviations = []
    for trial in range(6):
        runs = [run_of(damped_noise(100 * trial + seed, 20000, keep)) for seed in range(6)]
        result = green_kubo(runs, METAL, 0.002, 8.0)
        assert result.settled
        assert 3.2 > result.plateau[0] > 0.4 and np.isclose(result.plateau[1], 2 * result.plateau[0])
        assert 0.0 < result.error < 0.05 * want
        deviations.append((result.conductivity - want) / result.error)
    assert np.abs(deviations).max() < 5.0
    assert np.abs(np.mean(deviations)) < 1.5, deviations
    assert result.integral.shape == (6, 401) and result.by_direction.shape == (6, 3)
    one = green_kubo(runs[:1], METAL, 0.002, 8.0, directions=[1])
    assert one.integral.shape == (4, 401)  # one run is cut into four
    assert np.isnan(one.by_direction[:, [0, 2]]).all()
    close("direction", one.by_direction[:, 1].mean(), one.conductivity, 1e-12)


def test_no_plateau_is_said() -> None:
    """A correlation that has not decayed within the time asked for."""
    runs = [run_of(damped_noise(seed, 40000, 0.999)) for seed in range(8)]
    assert not green_kubo(runs, METAL, 0.002, 2.0).settled
    assert find_plateau(np.arange(41.0) + 1e-3 * np.random.default_rng(1).normal(size=(4, 41))) == (
        20,
        40,
        False,
    )


@pytest.mark.parametrize(("errors", "settled"), [(2.8, True), (3.2, False)])
def test_rule_of_the_plateau(errors: float, settled: bool) -> None:
    """A running integral that rests from 5 to 16 and from 26 on: the first rest is too short, and the plateau
    begins at twice the second one. A slope counts from 3 standard errors of a change on.
    """
    t = np.arange(161.0)
    mean = np.minimum(t, 5.0) + np.clip(t - 16.0, 0.0, 10.0) + 1e-4 * errors * t
    curves = mean + 1e-4 * np.sqrt(3.0) * np.array([[-1.0], [1.0], [-1.0], [1.0]]) * t
    spread = (curves[:, 2] - curves[:, 1]).std(ddof=1) / 2.0
    close("standard error of a change", spread, 1e-4, 1e-12)
    assert find_plateau(curves) == ((52, 104, True) if settled else (80, 160, False))


def test_units_agree() -> None:
    """One run told in metal, real and reduced units has one conductivity in W/m/K."""
    current = damped_noise(5, 5000, 0.8)
    metal = green_kubo([run_of(current)], METAL, 0.002, 2.0)
    real = green_kubo([run_of(current * KCAL_MOL * 1e-3)], REAL, 2.0, 2.0)
    close("time", real.time, metal.time, 1e-12)
    close("real", real.conductivity / metal.conductivity, 1.0, 1e-5)
    epsilon, sigma, mass = 0.0104, 3.4, 39.948
    tau = reduced_time(epsilon, sigma, mass)
    kelvin = epsilon / (1.380649e-23 / 1.602176634e-19)
    reduced = run_of(current * tau / (epsilon * sigma), temperature=300.0 / kelvin, volume=1000.0 / sigma**3)
    lj = green_kubo([reduced], heat_units("lj", (epsilon, sigma, mass)), 0.002 / tau, 2.0)
    close("lj", lj.conductivity / metal.conductivity, 1.0, 1e-5)
    bare = green_kubo([reduced], heat_units("lj"), 0.002 / tau, 2.0 / tau)
    close(
        "reduced",
        bare.conductivity * 1.380649e-23 / (sigma * 1e-10 * tau * 1e-12) / lj.conductivity,
        1.0,
        1e-9,
    )
    force = np.array([0.01, 0.0, 0.0])
    driven = driven_runs(force, [run_of(current)], METAL, 0.002).conductivity
    same = driven_runs(force, [run_of(current * KCAL_MOL * 1e-3)], REAL, 2.0).conductivity
    close("hnemd", same / driven, 1.0, 1e-5)
    close("tau", tau, 3.4 * np.sqrt(39.948 * 1.0364269e-4 / 0.0104), 1e-5)  # mvv2e of LAMMPS
    with pytest.raises(E3DError, match="expected metal, real or lj"):
        heat_units("si")
    with pytest.raises(E3DError, match="must be positive"):
        heat_units("lj", (0.0, 1.0, 1.0))


def test_numbers_with_errors() -> None:
    """Two digits of the error."""
    assert with_error(0.064699, 0.000318) == "0.06470 ± 0.00032"
    assert with_error(509.59, 102.71, "+-") == "510 +- 103"
    assert with_error(2.5, float("nan")) == "2.5"


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


def test_parts_in_any_order_are_one_run(tmp_path: Path) -> None:
    """As a shell sorts their names; a fork, of which two could be the next part, is left alone."""
    current = damped_noise(2, 1200, 0.8)
    paths = []
    for part in range(12):
        rows = current[100 * part : 100 * part + 100]
        paths.append(write_current(tmp_path / f"p.{part}.txt", rows, start=1000 * part))
    by_name = sorted(paths)
    assert by_name != paths
    (whole,) = read_runs(by_name, skip=500)
    assert len(whole.step) == 1150 and whole.step[0] == 500 and (np.diff(whole.step) == 10).all()
    close("current", whole.current, current[50:], 1e-15)
    runs = [read_current(path) for path in paths[:3]]
    fork = HeatCurrent("fork", runs[1].step, 2.0 * runs[1].current, 300.0, 1000.0)
    assert chains([runs[2], runs[0], fork, runs[1]]) == [[0], [1, 2], [3]]
    assert chains([runs[2], runs[1], runs[0]]) == [[2, 1, 0]]
    assert chains([runs[0], runs[2]]) == [[0], [1]]
    late = HeatCurrent("late", runs[1].step + 10, runs[1].current, 300.0, 1000.0)
    assert chains([runs[0], late]) == [[0], [1]] and chains([runs[0], late], gap=1) == [[0, 1]]


def test_rows_that_a_later_part_made_again_count_once(tmp_path: Path) -> None:
    """A job that was killed at row 70 of each hundred went on from row 50: with the same current, but for
    rounding.
    """
    current = damped_noise(2, 150, 0.8)
    parts = [
        write_current(tmp_path / f"j.{k}.txt", current[50 * k :][:70] * (1.0 + 1e-6 * k), start=500 * k)
        for k in range(3)
    ]
    for order in (parts, parts[::-1]):
        (whole,) = read_runs(order)
        assert np.array_equal(whole.step, np.arange(0, 1700, 10)[: len(whole.step)])
        close("current", whole.current[:150], current[:150], 1e-4)
    (whole,) = read_runs(parts, skip=100)
    assert whole.step[0] == 100 and (np.diff(whole.step) == 10).all()
    other = write_current(tmp_path / "other.txt", damped_noise(3, 70, 0.8), start=500)
    assert len(read_runs([parts[0], other])) == 2, "another run, that begins later"
    said: list[str] = []
    (whole,) = read_runs([parts[0], other], driven=True, remark=said.append)
    assert len(whole.step) == 120 and "begins within" in said[0] and "from step 500 on count once" in said[0]


def test_rows_that_are_given_twice_are_refused(tmp_path: Path) -> None:
    """The same file, and parts that overlap."""
    current = damped_noise(2, 60, 0.8)
    whole = write_current(tmp_path / "whole.txt", current)
    start = write_current(tmp_path / "start.txt", current[:40])
    for pair in ([whole, whole], [start, whole], [whole, start]):
        with pytest.raises(E3DError, match=r"hold the same rows \(step \d+ and \d+ others\)"):
            read_runs(pair)
    assert len(read_runs([whole, write_current(tmp_path / "other.txt", current[::-1])])) == 2


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        ("c_j[1] c_j[2] c_j[3]", True),
        ("c_j[4] c_j[5] c_j[6]", True),
        ("f_d[4] f_d[5] f_d[6]", True),
        ("v_x v_y v_z", True),
        ("f_d[1] f_d[2] f_d[3]", False),
        ("f_d[1] f_d[4] f_d[7]", False),
        ("c_j[2] c_j[3] c_j[4]", False),
        ("c_j[1] c_k[2] c_j[3]", False),
        ("c_j[1] c_j[2] v_z", False),
        ("c_thermo_temp v_volume c_j[1]", False),
    ],
)
def test_columns_that_are_no_current_are_refused(names: str, fits: bool, tmp_path: Path) -> None:
    """By the names that fix ave/time gave them."""
    path = write_current(tmp_path / "j.txt", damped_noise(2, 60, 0.8))
    path.write_text(path.read_text().replace("c_heat[1] c_heat[2] c_heat[3]", names))
    if fits:
        assert len(read_current(path).step) == 60
    else:
        with pytest.raises(E3DError, match=r"are no current: .* f_ID\[4\] f_ID\[5\] f_ID\[6\]"):
            read_current(path)


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


@pytest.mark.parametrize("weights", ["hann", "none"])
def test_spectrum_integrates_to_the_conductivity_of_its_samples(weights: str, tmp_path: Path) -> None:
    """K(0)/(V T F), to the last digits, for any correlations; by parts too; in both units."""
    values = np.random.default_rng(3).normal(0.0, 1.0, (3, 2, 39))
    want = WATT * values[:, :, 19] / (1000.0 * 300.0 * 0.01)
    metal = read_correlations(write_shc(tmp_path / "metal.txt", values))
    turned = read_correlations(write_shc(tmp_path / "turned.txt", values[::-1]))
    result = spectrum([metal, turned], 0.01, weights=weights)
    assert result.density.shape == (6, 20)
    close("whole", result.integral[:3], want.sum(axis=1), 1e-12)
    close("parts", result.by_part[3:], want[::-1], 1e-12)
    potential = spectrum([metal], 0.01, ["potential"], weights)
    close("potential", potential.integral, want[:, 0], 1e-12)
    real = read_correlations(write_shc(tmp_path / "real.txt", values * KCAL_MOL * 1e-3, "real", 10.0))
    same = spectrum([real], 0.01, weights=weights)
    close("frequency", same.frequency, result.frequency, 1e-9)
    close(
        "real",
        same.density / np.abs(result.density).max(),
        result.density[:3] / np.abs(result.density).max(),
        1e-5,
    )


def test_error_of_the_spectrum_is_at_least_that_of_equilibrium(tmp_path: Path) -> None:
    """Blocks alike to a millionth know no error; those that scatter do."""
    values = np.random.default_rng(5).normal(0.0, 1.0, (4, 2, 39))
    alike = 1.0 + 1e-6 * values
    result = spectrum([read_correlations(write_shc(tmp_path / "alike.txt", alike))], 0.01)
    kappa = WATT * 2.0 / (1000.0 * 300.0 * 0.01)
    noise = np.sqrt(2.0 * kappa * BOLTZMANN / (1000e-30 * 4 * 5 * 0.01e-12)) / 0.01e10
    close("noise", result.conductivity[1] / noise, 1.0, 1e-5)
    far = spectrum([read_correlations(write_shc(tmp_path / "far.txt", 1e4 * values))], 0.01)
    close("scatter", far.conductivity[1], far.integral.std(ddof=1) / 2.0, 1e-9 * far.conductivity[1])


def test_spectrum_finds_a_frequency() -> None:
    """A correlation that oscillates with 12 THz and dies in 0.3 ps, with an odd part that must not matter."""
    from e3d_lmp.analysis.heat.spectrum import Correlations

    lag = 0.01 * np.arange(-199, 200)
    values = np.zeros((1, 2, 399))
    values[0, 0] = np.cos(2.0 * np.pi * 12.0 * lag) * np.exp(-np.abs(lag) / 0.3) + 0.3 * np.sin(30.0 * lag)
    along = np.array([1.0, 0.0, 0.0])
    result = spectrum([Correlations("x", "metal", 0.01, 500, values, 300.0, 1000.0, along, along)], 0.01)
    mean, error = result.mean()
    assert abs(result.frequency[np.argmax(mean)] - 12.0) < 0.5 and np.isnan(error).all()
    near = np.abs(result.frequency - 12.0) < 3.0
    assert mean[near].sum() > 0.8 * mean.sum()
    # the formula of the module; the odd part drops out
    weights = 0.5 * (1.0 + np.cos(np.pi * np.arange(-199, 200) / 199.0))
    even = np.cos(2.0 * np.pi * 12.0 * lag) * np.exp(-np.abs(lag) / 0.3) * weights
    waves = np.cos(2.0 * np.pi * result.frequency[:, None] * lag)
    want = 2.0 * 0.01 * WATT / (1000.0 * 300.0 * 0.01) * (waves * even).sum(axis=1)
    close("density", mean / np.abs(want).max(), want / np.abs(want).max(), 1e-9)


def test_files_that_are_not_what_they_should_be(tmp_path: Path) -> None:
    """Every message names the file and what to do."""
    current = damped_noise(1, 50, 0.5)
    write_current(tmp_path / "no_volume.txt", current, columns="")
    with pytest.raises(E3DError, match="give it as --temperature"):
        read_current(tmp_path / "no_volume.txt")
    given = read_current(tmp_path / "no_volume.txt", temperature=300.0, volume=10.0, skip=100)
    assert given.volume == 10.0 and len(given.step) == 40 and given.interval == 10
    path = write_current(tmp_path / "gap.txt", current)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:20] + lines[21:]))
    with pytest.raises(E3DError, match="not 10 steps apart"):
        read_current(path)
    path.write_text("\n".join(lines[:5]))
    with pytest.raises(E3DError, match="at least 10 are needed"):
        read_current(path)
    path.write_text("\n".join([*lines[:20], lines[20][:-1]]))  # a volume of 100, as far as it was written
    assert len(read_current(path).step) == 18 and read_current(path).volume == 1000.0
    path.write_text("\n".join([*lines[:20], lines[20][:12]]))
    assert len(read_current(path).step) == 18
    path.write_text("\n".join([*lines[:20], lines[20][:-4] + "nan\n"]))
    with pytest.raises(E3DError, match="the volume is nan"):
        read_current(path)
    path.write_text("\n".join([*lines[:2], *(lines[2:3] * 12), ""]))
    with pytest.raises(E3DError, match="rows must go forward in time"):
        read_current(path)
    path.write_text("\n".join([*lines[:5], lines[5][:-4]]) + " \n1 2\n")
    with pytest.raises(E3DError, match="not a file of fix ave/time"):
        read_current(path)
    path.write_text("1 2 3 4 5 6\n")
    with pytest.raises(E3DError, match="expected a file of fix ave/time"):
        read_current(path)
    with pytest.raises(E3DError, match="not a file of fix e3d/shc"):
        read_correlations(path)
    with pytest.raises(E3DError, match="no such file; expected a file of fix e3d/shc"):
        read_correlations(tmp_path / "nowhere.txt")
    text = write_shc(tmp_path / "shc.txt", np.ones((1, 2, 5))).read_text()
    for right, wrong in (("temperature 300", "temperature 0"), (" 1 1\n", " 1 nan\n")):
        assert right in text
        path.write_text(text.replace(right, wrong))
        with pytest.raises(E3DError, match="has the simulation blown up"):
            read_correlations(path)
    for right, wrong, message in (
        ("units metal", "units lj", "units lj: expected metal or real"),
        ("# units", "#\n# units", "without a key"),
        ("# units", "# volume 1\n# units", "a second '# volume 1000'"),
        ("blocks 1", f"blocks {'9' * 5000}", "whole number from 1 to"),
        ("samples", "samples -1 #", "words after 'samples', not one"),
        ("temperature 300", "temperature 3_00", "finite number, got '3_00'"),
        ("direction 1 0 0", "direction 1 1 0", "no unit vector"),
        (" 1 1\n", " 1 1e200\n", "beyond all sense"),
        ("\n0 ", "\n0.1 ", "lags of its rows are no multiples"),
        ("# units metal\n", "", "no line '# units'"),
    ):
        assert right in text, right
        path.write_text(text.replace(right, wrong, 1))
        with pytest.raises(E3DError, match=rf"not a file of fix e3d/shc \(e3d-shc/1\): .*{message}"):
            read_correlations(path)
    for right, wrong, message in (("30 ", "30.5 ", "whole numbers"), ("\n30 ", "\n3e300 ", "whole numbers")):
        path.write_text("\n".join([*lines, ""]).replace(right, wrong, 1))
        with pytest.raises(E3DError, match=message):
            read_current(path)
    with pytest.raises(E3DError, match="too short for correlations"):
        green_kubo([run_of(current)], METAL, 0.002, 0.5)


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Numbers on the terminal, tables and pictures in files, and errors of users."""
    files = [str(write_current(tmp_path / f"{seed}.txt", damped_noise(seed, 4000, 0.8))) for seed in range(4)]
    common = ["--timestep", "0.002"]
    out = [str(tmp_path / name) for name in ("gk.json", "gk.csv", "gk.png")]
    assert cli.main(["heat", "green-kubo", *files, *common, "--length", "4", "-o", *out]) == 0
    said = capsys.readouterr().out
    table = json.loads((tmp_path / "gk.json").read_text())
    assert table["format"] == "e3d-heat/1" and table["settled"]
    assert f"conductivity {with_error(table['conductivity'], table['error'], '+-')} W/m/K" in said
    assert len(table["running"]) == 201 and table["running"][0]["conductivity"] == 0.0
    assert (tmp_path / "gk.csv").read_text().startswith("time,correlation,conductivity,error\n")
    assert (tmp_path / "gk.png").stat().st_size > 10000

    sparse = [
        str(write_current(tmp_path / f"s{seed}.txt", damped_noise(seed, 4000, 0.3))) for seed in range(4)
    ]
    assert cli.main(["heat", "green-kubo", *sparse, *common, "--length", "4"]) == 0
    assert "write the current more often" in capsys.readouterr().out and "more often" not in said

    words = [f"0.01={files[0]}", f"1e-2={files[1]}", f"0.02,0,0={files[2]}"]
    out = [str(tmp_path / name) for name in ("hnemd.csv", "hnemd.svg")]
    assert cli.main(["heat", "hnemd", *words, *common, "-o", *out]) == 0
    rows = (tmp_path / "hnemd.csv").read_text().splitlines()
    assert rows[0] == "force,runs,conductivity,error,temperature,drift,linear" and rows[1].startswith(
        "0.01,2,"
    )
    assert cli.main(["heat", "hnemd", files[0], *common]) == 2
    assert "give the driving force and the file" in capsys.readouterr().err
    # what is skipped of a run in two files is skipped of the first, and they are still one run
    text = Path(files[0]).read_text().splitlines(keepends=True)
    (tmp_path / "a.txt").write_text("".join(text[:2002]))
    (tmp_path / "b.txt").write_text("".join([*text[:2], *text[2002:]]))
    rows = []
    for parts in ([files[0]], [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]):
        words = [f"0.01={part}" for part in parts]
        assert cli.main(["heat", "hnemd", *words, *common, "--skip", "5000", "-o", out[0]]) == 0
        rows.append((tmp_path / "hnemd.csv").read_text().splitlines()[1].split(","))
    assert rows[0][:2] == rows[1][:2] == ["0.01", "1"]
    close("in parts", float(rows[1][2]) / float(rows[0][2]), 1.0, 1e-9)
    for wrong in (["--timestep", "nan"], [*common, "--skip", "-5"]):
        assert cli.main(["heat", "hnemd", words[0], *wrong]) == 2
    assert cli.main(["heat", "green-kubo", *files, *common, "--length", "nan"]) == 2
    capsys.readouterr()

    shc = write_shc(tmp_path / "shc.txt", np.random.default_rng(3).normal(0.0, 1.0, (3, 2, 39)))
    out = [str(tmp_path / name) for name in ("shc.json", "shc.pdf")]
    assert cli.main(["heat", "spectrum", str(shc), "--force", "0.01", "-o", *out]) == 0
    table = json.loads((tmp_path / "shc.json").read_text())
    close("integral", table["spectrum"][-1]["integral"], table["conductivity"], 1e-9)
    for force, code in (("0.01,0,0", 0), ("-0.01,0,0", 2), ("0,0.01,0", 2), ("-0.01", 2)):
        assert cli.main(["heat", "spectrum", str(shc), f"--force={force}"]) == code
    assert cli.main(["heat", "spectrum", str(shc)]) == 2
    assert "does not say what drove the current" in capsys.readouterr().err
    assert cli.main(["heat", "spectrum", str(shc), str(shc), "--force", "0.01"]) == 2
    assert "hold the same blocks" in capsys.readouterr().err
    # a file that says its force needs none, and no other is believed
    values = np.random.default_rng(3).normal(0.0, 1.0, (3, 2, 39))
    says = str(write_shc(tmp_path / "says.txt", values, force="# force 0.01 0 0\n"))
    assert cli.main(["heat", "spectrum", says, "-o", str(tmp_path / "says.json")]) == 0
    assert json.loads((tmp_path / "says.json").read_text())["force"] == 0.01
    for force, code in (("0.01", 0), ("0.01,0,0", 0), ("0.02", 2), ("0,0.01,0", 2)):
        assert cli.main(["heat", "spectrum", says, "--force", force]) == code
    back = write_shc(tmp_path / "back.txt", -values, force="# force -0.01 0 0\n")
    other = write_shc(tmp_path / "other.txt", 2.0 * values, force="# force 0.02 0 0\n")
    capsys.readouterr()
    assert (
        cli.main(["heat", "spectrum", str(back)]) == 2
        and cli.main(["heat", "spectrum", says, str(other)]) == 2
    )
    said = capsys.readouterr().err
    assert "had the direction 1 0 0" in said and "driving forces from 0.01 to 0.02" in said
    assert cli.main(["heat", "green-kubo", files[0], *common, "--length", "4", "--atom", "1", "1", "1"]) == 2
