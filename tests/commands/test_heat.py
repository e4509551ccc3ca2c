"""``e3d heat``: numbers on the terminal, tables and pictures in files, errors of users."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp import cli
from e3d_lmp.analysis.heat.conversion import with_error
from heat_files import damped_noise, write_current, write_shc
from tolerances import close


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
    for wrong in (["--blocks", "0"], ["--max-frequency", "nan"], ["--max-frequency", "-1"]):
        assert cli.main(["heat", "power", *files, *common, "--length", "4", *wrong]) == 2
        assert "expected a number above 0" in capsys.readouterr().err

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


def test_power(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The parts of all files, or those that are asked for; table and picture."""
    columns = "c_Ag[1] c_Ag[2] c_Ag[3] c_Ag[4] c_Ag[5] c_Ag[6] c_thermo_temp v_volume"
    files = []
    for seed in range(4):
        values = damped_noise(seed, 500, 0.8)
        path = write_current(
            tmp_path / f"{seed}.txt", values, columns="COLUMNS", values="0.5 1 2 0.5 0 0 300 1000"
        )
        path.write_text(path.read_text().replace("COLUMNS", columns))
        files.append(str(path))
    words = ["heat", "power", *files, "--timestep", "0.002", "--length", "1"]
    out = [str(tmp_path / name) for name in ("power.json", "power.csv", "power.png")]
    assert cli.main([*words, "-o", *out]) == 0
    said = capsys.readouterr().out
    table = json.loads((tmp_path / "power.json").read_text())
    names = ["heat", "Ag", "Ag convective", "Ag potential"]
    assert [row["part"] for row in table["parts"]] == names
    assert all(name in said for name in names)
    close("Ag", table["parts"][1]["mean_square"], (0.25 + 1.0 + 4.0) / 3.0, 1e-9)
    close("potential", table["parts"][3]["mean_square"], (1.0 + 4.0) / 3.0, 1e-9)
    assert len(table["power"]) == 51 and table["power"][1]["frequency"] == 0.5
    kappa = table["scale"] * table["power"][0]["heat"]
    close("at zero", table["parts"][0]["at_zero"], kappa, 1e-9 * abs(kappa))
    assert (tmp_path / "power.csv").read_text().startswith("frequency,heat,heat error,Ag,")
    assert (tmp_path / "power.png").stat().st_size > 10000
    assert cli.main([*words, "--parts", "heat", "Ag potential", "--directions", "x", "-o", out[2]]) == 0
    assert "convective" not in capsys.readouterr().out
    assert cli.main([*words, "--parts", "I"]) == 2
    assert "has no part 'I'; it has: heat, Ag, Ag convective, Ag potential" in capsys.readouterr().err
