"""Power spectra of currents in equilibrium, and of the parts that files have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.analysis.heat.conversion import METAL
from e3d_lmp.analysis.heat.current import HeatCurrent, read_runs
from e3d_lmp.analysis.heat.green_kubo import green_kubo
from e3d_lmp.analysis.heat.power import Part, parts_of, power, read_parts
from e3d_lmp.errors import E3DError
from heat_files import damped_noise, run_of
from tolerances import close

XYZ = ["x", "y", "z"]
WHOLE = Part("J", ("x", "y", "z"))


@pytest.mark.parametrize("weights", ["hann", "none"])
def test_integral_is_the_mean_square(weights: str) -> None:
    """To the last digits, of every block and part, whatever the window."""
    from scipy.integrate import trapezoid

    currents = [damped_noise(seed, 1000, 0.8) for seed in range(3)]
    first = Part("x", ("x", "x", "x"))
    result = power(
        [run_of(c) for c in currents], XYZ, [WHOLE, first], METAL, 0.002, 1.0, blocks=2, weights=weights
    )
    blocks = [half for c in currents for half in (c[:500], c[500:])]
    for name, columns in (("J", [0, 1, 2]), ("x", [0])):
        assert result.density[name].shape == (6, 51)
        squares = np.array([(block[:, columns] ** 2).mean() for block in blocks])
        close("squares", trapezoid(result.density[name], result.frequency, axis=1), squares, 1e-12)
        mean, error = result.mean_square(name)
        close("mean", [mean, error], [squares.mean(), squares.std(ddof=1) / np.sqrt(6)], 1e-12)


def test_zero_frequency_is_the_integral_of_green_kubo() -> None:
    """Without a window: the running integral over all lags, block by block."""
    runs = [run_of(damped_noise(seed, 3000, 0.9)) for seed in range(4)]
    result = power(runs, XYZ, [WHOLE], METAL, 0.002, 2.0, weights="none")
    running = green_kubo(runs, METAL, 0.002, 2.0).integral
    close("kappa", result.scale * result.density["J"][:, 0], running[:, -1], 1e-9)
    close("mean", result.conductivity("J")[0], running[:, -1].mean(), 1e-9)


def test_a_wave_and_a_direction() -> None:
    """A current of 3 THz along y has its power there, and none along x."""
    time = 0.02 * np.arange(4000)
    wave = np.zeros((4000, 3))
    wave[:, 1] = 2.0 * np.cos(2.0 * np.pi * 3.0 * time)
    for axis, mean_square in ((1, 2.0), (0, 0.0)):
        result = power([run_of(wave)], XYZ, [WHOLE], METAL, 0.002, 5.0, [axis])
        density, _ = result.mean("J")
        close("square", result.mean_square("J")[0], mean_square, 1e-2)
        assert axis == 0 or abs(result.frequency[np.argmax(density)] - 3.0) < 0.06
    assert np.isclose(result.frequency[1], 0.1) and np.isclose(result.frequency[-1], 25.0)


def test_parts_by_the_names_of_columns() -> None:
    """Computes with and without their convective part, rows of variables; what is no triple is none."""
    names = [f"c_heat[{k}]" for k in range(1, 7)] + [f"c_Ag[{k}]" for k in (1, 2, 3)]
    names += ["c_Ag[5]", "v_Ag_I_x", "v_Ag_I_y", "v_Ag_I_z", "v_box_x", "c_thermo_temp", "v_volume"]
    parts = parts_of(names)
    assert [part.name for part in parts] == ["heat", "heat convective", "heat potential", "Ag", "Ag_I"]
    assert parts[2].plus == parts[0].plus and parts[2].minus == parts[1].plus
    assert [part.name for part in parts_of(names * 2)] == [part.name for part in parts]
    both = parts_of(["v_Ag_x", "v_Ag_y", "v_Ag_z", *(f"c_Ag[{k}]" for k in (1, 2, 3))])
    assert {part.name: part.plus[0] for part in both} == {"v_Ag": "v_Ag_x", "Ag": "c_Ag[1]"}
    table = np.arange(12.0).reshape(2, 6)
    close("potential", parts[2].of(names[:6], table), [[-3.0, -3.0, -3.0]] * 2, 1e-12)


def write_parts(path: Path, currents: dict[str, np.ndarray], start: int = 0) -> Path:
    """A file with three columns of each name."""
    names = [name for triple in currents for name in triple.split()]
    lines = ["# of fix j", f"# TimeStep {' '.join(names)} c_thermo_temp v_volume"]
    for k, row in enumerate(np.concatenate(list(currents.values()), axis=1)):
        lines.append(f"{start + 10 * k} " + " ".join(f"{x:.17g}" for x in row) + " 300 1000")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_files(tmp_path: Path) -> None:
    """Columns anywhere in the file, runs in two parts; and what files do not have."""
    one, two = damped_noise(1, 400, 0.8), damped_noise(2, 400, 0.8)
    heat, other = "c_heat[1] c_heat[2] c_heat[3]", "v_A_x v_A_y v_A_z"
    first = write_parts(tmp_path / "1.txt", {other: two[:200], heat: one[:200]})
    rest = write_parts(tmp_path / "2.txt", {other: two[200:], heat: one[200:]}, start=2000)
    parts = read_parts(first)
    assert [part.name for part in parts] == ["A", "heat"]
    columns = [name for part in parts for name in part.plus]
    (run,) = read_runs([rest, first], columns=columns)
    assert isinstance(run, HeatCurrent) and run.current.shape == (400, 6)
    close("A", parts[0].of(columns, run.current), two, 1e-15)
    close("heat", parts[1].of(columns, run.current), one, 1e-15)
    bare = write_parts(tmp_path / "3.txt", {"v_a v_b v_c": one})
    with pytest.raises(E3DError, match="no columns of a current"):
        read_parts(bare)
    with pytest.raises(E3DError, match=r"no column v_A_x .* which another file has"):
        read_runs([first, bare], columns=columns)
