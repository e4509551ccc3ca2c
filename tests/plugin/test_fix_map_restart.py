"""``fix e3d/map`` after a restart: goes on where it was, or begins anew and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from analytic_models import MORSE
from e3d_lmp.analysis.maps import read_map
from e3d_lmp.model.export import write_edge_model
from lammps_runs import run_lammps, script_of, write_data
from map_runs import NVE, SUMS, metal_run, printed
from systems import ELEMENTS, SYSTEMS
from tolerances import close

FIXES = """fix one all e3d/map 2 5 10 file one.*.e3d cutoff model bin 0.02
fix sum all e3d/map 1 4 10 file sum.*.e3d cutoff model ave running pairs C-H O-O H-O
"""


def test_restart_goes_on(tmp_path: Path, model_files) -> None:
    """50 steps with a restart in the middle of a window, on another number of ranks, equal 50 steps."""
    model = model_files("allegro-everything", "safetensors", "float64")
    pair = f"pair_style e3d\npair_coeff * * {model} {' '.join(ELEMENTS)}"
    write_data(tmp_path / "data.lmp", SYSTEMS["triclinic"](), ELEMENTS, velocities=True)
    both = printed("one", 6, "one.json") + printed("sum", 3, "sum.json")
    tail = f"{NVE}{FIXES}run 25\nwrite_restart 25.restart\n{both}run 25"
    whole = run_lammps(script_of(model, ELEMENTS, tail=tail, edges=False), tmp_path, 3)
    uninterrupted = {path.name: read_map(path) for path in tmp_path.glob("*.e3d")}
    (tmp_path / "parts").mkdir()
    script = f"read_restart ../25.restart\n{pair}\nneighbor 0.5 bin\n{NVE}{FIXES}{both}run 25\n"
    part = run_lammps(script, tmp_path / "parts", 2)

    for name in ("one.json", "sum.json"):  # the values of the last output before the restart
        assert np.any(whole.json(name)) and part.json(name) == whole.json(name)
    names = {f"{name}.{step}.e3d" for name in ("one", "sum") for step in (30, 40, 50)}
    assert {path.name for path in (tmp_path / "parts").glob("*.e3d")} == names
    assert (uninterrupted["one.30.e3d"].samples, uninterrupted["one.30.e3d"].steps) == (5, (22, 30))
    assert uninterrupted["sum.50.e3d"].samples == 20
    for name in sorted(names):
        got, want = read_map(tmp_path / "parts" / name), uninterrupted[name]
        assert (got.samples, got.steps) == (want.samples, want.steps)
        for label, one in want.labels.items():
            mine = got.labels[label]
            np.testing.assert_array_equal(mine.codes, one.codes, err_msg=f"{name} {label}")
            np.testing.assert_array_equal(mine.halves, one.halves, err_msg=f"{name} {label}")
            for sums in SUMS:
                close(f"{name} {label} {sums}", getattr(mine, sums), getattr(one, sums), 1e-8 * one.count)


def test_shares_of_a_reference_go_on(tmp_path: Path, metals: Path) -> None:
    """Values of the last output after a restart; with another reference they are 0 until the next output."""
    fix = "fix m all e3d/map 1 2 4 file m.e3d bin 0.02 ave running reference {}.e3d\n"
    said = printed("m", 3, "{}.json", 7) + 'print "$(f_m:%.17g)" file {}.txt screen no\n'
    body = f"""{NVE}velocity all create 2000.0 5
fix seen all e3d/map 1 1 1 file seen.e3d bin 0.02
run 0
fix other all e3d/map 1 1 1 file other.e3d bin 0.02 ave running
run 1
unfix seen
unfix other
{fix.format("seen")}run 6
write_restart a.restart
{said.replace("{}", "before")}"""
    again = f"clear\nread_restart a.restart\npair_style e3d\npair_coeff * * {metals} Cu Ag\n{NVE}"
    same = again + fix.format("seen") + said.replace("{}", "same")
    other = again + fix.format("other") + said.replace("{}", "other")
    run = metal_run(tmp_path, metals, body + same + other + "run 4\n" + said.replace("{}", "later"), ranks=2)
    assert "begins with an empty map" not in run.output
    names = ("before", "same", "other", "later")
    shares = {name: float((tmp_path / f"{name}.txt").read_text()) for name in names}
    assert 0.0 < shares["before"] == shares["same"] and shares["other"] == 0.0 < shares["later"]
    assert run.json("before.json") == run.json("same.json")
    rows = np.array(run.json("other.json"))
    assert not rows[:, 6].any()
    np.testing.assert_array_equal(rows[:, :6], np.array(run.json("same.json"))[:, :6])


def test_restart_of_other_settings_begins_anew(tmp_path: Path, metals: Path) -> None:
    """A warning that names both, and a map of its own samples only; reset_timestep drops an open window."""
    body = f"{NVE}fix m all e3d/map 1 2 4 file m.e3d ave running\nrun 7\nwrite_restart a.restart\n"
    again = f"""clear
read_restart a.restart
pair_style e3d
pair_coeff * * {metals} Cu Ag
"""
    other = f"{again}{NVE}fix m all e3d/map 1 2 4 file other.e3d ave running cutoff 2.5\nrun 5\n"
    reset = f"{again}reset_timestep 0\n{NVE}fix m all e3d/map 1 2 4 file reset.e3d ave running\nrun 4\n"
    run = metal_run(tmp_path, metals, body + other + reset, ranks=2)
    text = " ".join(run.output.split())
    assert "fix m e3d/map begins with an empty map" in text
    assert "cutoff covalent ave running" in text and "cutoff 2.5 ave running" in text
    assert text.count("begins with an empty map") == 1
    found = read_map(tmp_path / "other.e3d")
    assert (found.samples, found.steps) == (4, (7, 12))
    found = read_map(tmp_path / "reset.e3d")
    assert found.samples == 3 + 2  # steps 3, 4 and 7 before, 3 and 4 after


def test_restart_of_another_model_begins_anew(tmp_path: Path, model_files) -> None:
    """The same elements and settings, but exported from another checkpoint."""
    module, metadata = MORSE.model("float64")
    write_edge_model(module, replace(metadata, source_sha256="0123456789abcdef"), tmp_path / "o.nequip.pth")
    fix = f"{NVE}fix m all e3d/map 1 2 4 file m.e3d ave running\n"
    run = metal_run(
        tmp_path,
        model_files("morse"),
        f"{fix}run 7\nwrite_restart a.restart\nclear\nread_restart a.restart\npair_style e3d\n"
        f"pair_coeff * * o.nequip.pth Cu Ag\n{fix}run 5\n",
    )
    assert "model 0123456789ab pairs" in " ".join(run.output.split())
    assert read_map(tmp_path / "m.e3d").samples == 4
