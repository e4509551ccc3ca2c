"""Files of heat currents: parts of a run, rows made again, files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.analysis.heat.conversion import METAL
from e3d_lmp.analysis.heat.current import HeatCurrent, chains, read_current, read_runs
from e3d_lmp.analysis.heat.green_kubo import green_kubo
from e3d_lmp.analysis.heat.spectrum import read_correlations
from e3d_lmp.errors import E3DError
from heat_files import damped_noise, run_of, write_current, write_shc
from tolerances import close


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
