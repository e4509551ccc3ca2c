"""LAMMPS commands around a random Allegro, on the native engine and compiled by torch: siblings of those in
`test_commands`, which compares analytic models with LAMMPS's own styles.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lammps_runs import forces_of, run_lammps, write_data
from systems import ELEMENTS, box
from tolerances import LADDER, close

MODELS = [("safetensors", "float64"), ("safetensors", "float32"), ("pt2", "float64")]
EV_IN_KCAL_PER_MOL = 23.060549
LJ = "pair_coeff * * lj/cut 0.01 1.2"
AT_REST = "velocity all set 0 0 0\nrun 0"
"""The pressure is then the virial alone."""


def section(name: str, pair: str, body: str, units: str = "metal", before: str = "") -> str:
    """One system; energy, virial and atoms go to files `name`."""
    start = before or "read_data data.lmp"
    return f"""
clear
units {units}
newton on
{start}
{pair}
neighbor 0.5 bin
neigh_modify every 1 delay 0 check yes
thermo_style custom step pe pxx pyy pzz pxy pxz pyz vol
thermo_modify norm no
{body}
write_dump all custom {name}.dump id type x y z fx fy fz modify format float %.17g sort id
print '{{"pe": $(pe:%.17g), "pxx": $(pxx:%.17g), "pyz": $(pyz:%.17g), "vol": $(vol:%.17g)}}' file {name}.json
"""


def e3d(model: Path, types: str = " ".join(ELEMENTS)) -> str:
    return f"pair_style e3d\npair_coeff * * {model} {types}"


@pytest.mark.parametrize(("ending", "dtype"), MODELS)
def test_hybrid_units_and_restart(ending: str, dtype: str, tmp_path: Path, model_files) -> None:
    """hybrid/overlay is a sum; a pair style of some types sees the atoms of these alone; ``units real`` is a
    factor; a restarted run goes on as if nothing had happened.
    """
    model, tolerance = model_files("allegro-everything", ending, dtype), LADDER[dtype]
    atoms = box()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, velocities=True)
    lone = atoms[[symbol != "C" for symbol in atoms.get_chemical_symbols()]]
    write_data(tmp_path / "lone.lmp", lone, ELEMENTS, velocities=True)
    lj = f"pair_style lj/cut 3.0\n{LJ.replace('lj/cut ', '')}"
    types = " ".join(ELEMENTS)
    overlay = f"pair_style hybrid/overlay e3d lj/cut 3.0\npair_coeff * * e3d {model} {types}\n{LJ}"
    some = f"{ELEMENTS[0]} {ELEMENTS[1]} NULL"
    hybrid = f"pair_style hybrid e3d zero 3.0\npair_coeff * * e3d {model} {some}\npair_coeff * 3 zero"
    steps = "timestep 0.0002\nfix 1 all nve\n"
    run = run_lammps(
        section("e3d", e3d(model), AT_REST)
        + section("lj", lj, AT_REST)
        + section("overlay", overlay, AT_REST)
        + section("hybrid", hybrid, AT_REST)
        + section("lone", e3d(model), AT_REST, before="read_data lone.lmp")
        + section("real", e3d(model), AT_REST, units="real")
        + section("whole", e3d(model), steps + "run 6")
        + section("half", e3d(model), steps + "run 3\nwrite_restart half.restart")
        + section("rest", e3d(model), steps + "run 3", before="read_restart half.restart"),
        tmp_path,
        2,
    )
    found = {
        name: run.json(f"{name}.json")
        for name in ("e3d", "lj", "overlay", "hybrid", "lone", "real", "whole", "rest")
    }
    force = {name: forces_of(run.dump(f"{name}.dump")[-1]) for name in found}
    size, relative = abs(found["e3d"]["pe"]) + len(atoms), 1e-9 if dtype == "float64" else 1e-5
    assert abs(found["lj"]["pe"]) > 1e-3 and np.abs(force["lj"]).max() > 1e-3
    for key in ("pe", "pxx", "pyz"):
        scale = max(size, abs(found["e3d"][key]), abs(found["lj"][key]))
        wanted = found["e3d"][key] + found["lj"][key]
        close(f"overlay, {key}", found["overlay"][key] / scale, wanted / scale, relative)
    close("forces, overlay", force["overlay"], force["e3d"] + force["lj"], tolerance.force)

    close("hybrid", found["hybrid"]["pe"] / size, found["lone"]["pe"] / size, relative)
    seen = run.dump("hybrid.dump")[-1]["type"] != 3
    close("forces, hybrid", force["hybrid"][seen], force["lone"], tolerance.force)
    assert not force["hybrid"][~seen].any()

    close("real", found["real"]["pe"] / EV_IN_KCAL_PER_MOL / size, found["e3d"]["pe"] / size, 1e-6)
    close("forces, real", force["real"] / EV_IN_KCAL_PER_MOL, force["e3d"], tolerance.force)

    frames = {name: run.dump(f"{name}.dump")[-1] for name in ("whole", "rest")}
    assert frames["whole"].step == frames["rest"].step == 6
    close("x", frames["rest"]["x"], frames["whole"]["x"], 1e-7)
    close("forces, restart", force["rest"], force["whole"], 20.0 * tolerance.force)


@pytest.mark.parametrize(("ending", "dtype"), MODELS)
def test_minimize(ending: str, dtype: str, tmp_path: Path, model_files) -> None:
    """Every line search goes down in energy, and the forces end smaller than they were."""
    model = model_files("allegro-everything", ending, dtype)
    write_data(tmp_path / "data.lmp", box(), ELEMENTS)
    run = run_lammps(
        section("start", e3d(model), "run 0") + section("low", e3d(model), "minimize 0 0 12 60"), tmp_path
    )
    force = {name: np.abs(forces_of(run.dump(f"{name}.dump")[-1])).max() for name in ("start", "low")}
    found = {name: run.json(f"{name}.json")["pe"] for name in ("start", "low")}
    assert found["low"] < found["start"] - 1e-2
    assert force["low"] < force["start"]
