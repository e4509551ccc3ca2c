"""``fix e3d/hnemd``: the force that drives a heat current, and the conductivity that comes of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from analytic_models import LENNARD_JONES
from lammps_runs import NKTV2P, Frame, forces_of, run_lammps, script_of, start_lammps, write_data
from systems import ELEMENTS, SYSTEMS, box, noble_gases, triclinic
from tolerances import FLOAT64, SUM_RULE, close

FORCE = (0.03, -0.02, 0.05)
MVV2E = 1.0364269e-4
"""eV per (g/mol) (angstrom/ps)^2, as in LAMMPS."""
BOLTZMANN = 8.617343e-5
WATT = 1602.176634
"""W/m/K of one eV/(ps angstrom K)."""
DUMP_V = "dump v all custom 1 v.dump id vx vy vz mass\ndump_modify v format float %.17g sort id"


def at_rest(atoms: Atoms) -> Atoms:
    """The same with total momentum 0."""
    v, m = atoms.arrays["velocities"], atoms.get_masses()
    atoms.arrays["velocities"] = v - (m @ v) / m.sum()
    return atoms


def columns(frame: Frame, *names: str) -> np.ndarray:
    """(n, len(names)) of a dump."""
    return np.stack([frame[name] for name in names], axis=1)


def run_in(
    folder: Path, atoms: Atoms, elements: Sequence[str], model: Path, tail: str, ranks: int = 1
) -> Frame:
    """Run `tail` in a new `folder`; the first frame of its atoms."""
    folder.mkdir()
    write_data(folder / "data.lmp", atoms, elements, velocities=True)
    return run_lammps(script_of(model, elements, tail=tail, edges=False), folder, ranks).dump("atoms.dump")[0]


@pytest.mark.parametrize(
    ("system", "group", "ranks", "ending", "dtype"),
    [
        ("box", "all", 1, "safetensors", "float64"),
        ("box", "type 1 3", 2, "safetensors", "float32"),
        ("box", "all", 2, "pth", "float64"),
        ("triclinic", "all", 4, "safetensors", "float64"),
        ("thin", "all", 3, "safetensors", "float64"),
    ],
)
def test_force_is_that_of_the_method(
    system: str, group: str, ranks: int, ending: str, dtype: str, tmp_path: Path, model_files
) -> None:
    """F^e_ib = (U_i + K_i) F_b + sum_a F_a W_iab less (m_i/M) of the sum, from pe/atom, the centroid stress
    and the velocities that LAMMPS dumps; the total is 0.
    """
    atoms = SYSTEMS[system]()
    model = model_files("allegro-cutoffs", ending, dtype)
    fix = f"fix drive some e3d/hnemd {FORCE[0]} {FORCE[1]} {FORCE[2]}\n"
    select = "group some union all\n" if group == "all" else f"group some {group}\n"
    free = run_in(tmp_path / "free", atoms, ELEMENTS, model, DUMP_V + "\nrun 0", ranks)
    driven = run_in(tmp_path / "driven", atoms, ELEMENTS, model, select + fix + "run 0", ranks)
    got = forces_of(driven) - forces_of(free)

    inside = np.ones(len(atoms), bool) if group == "all" else free["type"] != 2
    v, mass = atoms.arrays["velocities"], atoms.get_masses()
    energy = free["c_pea"] + 0.5 * MVV2E * mass * (v**2).sum(axis=1)
    s = -np.stack([free[f"c_centroid[{k}]"] for k in range(1, 10)], axis=1) / NKTV2P
    virial = s[:, [0, 3, 4, 6, 1, 5, 7, 8, 2]].reshape(-1, 3, 3)
    want = energy[:, None] * np.array(FORCE) + np.einsum("a,iab->ib", FORCE, virial)
    want[~inside] = 0.0
    want -= np.where(inside, mass, 0.0)[:, None] * want.sum(axis=0) / mass[inside].sum()
    scale = np.abs(want).max()
    assert scale > 0.01
    close("driving force", got, want, 1e-7 * scale)
    close("total driving force", got.sum(axis=0), np.zeros(3), FLOAT64.force)


def test_work_on_the_atoms_is_force_times_heat_current(tmp_path: Path, model_files) -> None:
    """At zero total momentum dE/dt = F.J: the energy gained equals the integral of F.J, with J from
    ``compute e3d/heat`` too.
    """
    tail = f"""
compute heat all e3d/heat
fix drive all e3d/hnemd {FORCE[0]} {FORCE[1]} {FORCE[2]}
fix md all nve
timestep 0.0001
thermo 1
fix out all print 1 '$(etotal:%.17g) $(c_heat[1]:%.17g) $(c_heat[2]:%.17g) $(c_heat[3]:%.17g) &
$(f_drive[4]:%.17g) $(f_drive[5]:%.17g) $(f_drive[6]:%.17g)' file out.txt screen no
run 40
"""
    atoms = at_rest(triclinic())
    run_in(tmp_path / "run", atoms, ELEMENTS, model_files("allegro-cutoffs", "safetensors"), tail, 2)
    table = np.loadtxt(tmp_path / "run" / "out.txt")
    energy, heat, own = table[:, 0], table[:, 1:4], table[1:, 4:]
    scale = np.abs(heat).max()
    close("J", own / scale, heat[1:] / scale, SUM_RULE)
    power = heat @ np.array(FORCE)
    work = 0.0001 * np.concatenate([[0.0], np.cumsum(0.5 * (power[1:] + power[:-1]))])
    gained = energy - energy[0]
    assert np.abs(gained).max() > 1e-4
    close("work", gained / np.abs(gained).max(), work / np.abs(gained).max(), 2e-3)


def test_response_is_linear(tmp_path: Path, model_files) -> None:
    """(J(F) - J(-F)) / 2F does not depend on a small F."""
    atoms = at_rest(triclinic())
    response = {}
    for size in (1e-4, 2e-4):
        flux = []
        for sign in (1, -1):
            tail = f"""
fix drive all e3d/hnemd {sign * size} 0 0
fix md all nve
timestep 0.0002
thermo 1
fix out all print 1 '$(f_drive[4]:%.17g) $(f_drive[5]:%.17g) $(f_drive[6]:%.17g)' file out.txt screen no
run 30
"""
            folder = tmp_path / f"{sign * size}"
            run_in(folder, atoms, ELEMENTS, model_files("allegro-cutoffs", "safetensors"), tail)
            flux.append(np.loadtxt(folder / "out.txt")[-1])
        response[size] = (flux[0] - flux[1]) / (2.0 * size)
    scale = np.abs(response[1e-4]).max()
    assert scale > 1.0
    close("response", response[2e-4] / scale, response[1e-4] / scale, 1e-4)


@pytest.mark.parametrize("units", ["metal", "real"])
def test_running_conductivity(units: str, tmp_path: Path, model_files) -> None:
    """<J>/(V <T> |F|) in W/m/K, the same in both units, over two runs."""
    atoms = at_rest(box())
    if units == "real":
        atoms.arrays["velocities"] *= 1e-3
    tail = f"""
fix drive all e3d/hnemd {FORCE[0]} {FORCE[1]} {FORCE[2]}
fix md all nve
timestep {0.0001 if units == "metal" else 0.1}
thermo 1
fix out all print 1 '$(temp:%.17g) $(f_drive[4]:%.17g) $(f_drive[5]:%.17g) $(f_drive[6]:%.17g)' &
file out.txt screen no
run 5
run 6
print '$(f_drive[1]:%.17g) $(f_drive[2]:%.17g) $(f_drive[3]:%.17g) $(f_drive[7]:%.17g) $(f_drive[8])' &
file final.txt screen no
"""
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, velocities=True)
    script = script_of(
        model_files("allegro-cutoffs", "safetensors"), ELEMENTS, units=units, tail=tail, edges=False
    )
    run_lammps(script, tmp_path, 2)
    table = np.unique(np.loadtxt(tmp_path / "out.txt"), axis=0)
    table = table[np.any(table[:, 1:] != 0.0, axis=1)]  # step 0 has no sample
    final = np.loadtxt(tmp_path / "final.txt")
    assert final[4] == 11
    temperature = table[:, 0].mean()
    per_watt = WATT if units == "metal" else 4184.0 / 6.02214076e23 * 1e25
    want = per_watt * table[:, 1:].mean(axis=0) / (atoms.get_volume() * temperature * np.linalg.norm(FORCE))
    close("kappa", final[:3] / np.abs(want).max(), want / np.abs(want).max(), 1e-6)
    close("temperature", final[3] / temperature, 1.0, 1e-8)


def test_running_sums_survive_a_restart(tmp_path: Path, model_files) -> None:
    """Two parts with a restart file between give the numbers of one run; another force begins anew."""
    write_data(tmp_path / "data.lmp", at_rest(noble_gases()), LENNARD_JONES.elements, velocities=True)
    fix = "fix drive all e3d/hnemd 1e-3 0 0\n"
    common = "fix md all nve\ntimestep 0.002\nthermo 100\n"
    numbers = "$(f_drive[1]:%.17g) $(f_drive[4]:%.17g) $(f_drive[7]:%.17g) $(f_drive[8])"
    last = f"print '{numbers}' file {{}} screen no\n"
    tail = fix + common + "run 7\nwrite_restart state\nrun 6\n" + last.format("whole.txt")
    script = script_of(model_files("lj"), LENNARD_JONES.elements, tail=tail, edges=False)
    run_lammps(script, tmp_path, 2)
    again = script.replace("read_data data.lmp", "read_restart state").split(fix)[0]
    second = run_lammps(again + fix + common + "run 6\n" + last.format("parts.txt"), tmp_path, 2)
    assert "begins a new average" not in second.output
    whole, parts = np.loadtxt(tmp_path / "whole.txt"), np.loadtxt(tmp_path / "parts.txt")
    close("samples", parts[3], 13, 0.0)
    close("running means", parts[:3] / whole[:3], np.ones(3), 1e-9)
    other = fix.replace("1e-3", "2e-3") + common + "run 0\n" + last.format("other.txt")
    run = run_lammps(again + other, tmp_path)
    assert "begins a new average" in run.output and "another driving force" in run.output
    close("samples", np.loadtxt(tmp_path / "other.txt")[3], 0, 0.0)
    part = "group some type 1\n" + fix.replace("drive all", "drive some")
    run = run_lammps(again + part + common + "run 0\n" + last.format("part.txt"), tmp_path)
    assert "begins a new average" in run.output and "it is of another group" in run.output
    close("samples", np.loadtxt(tmp_path / "part.txt")[3], 0, 0.0)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("fix drive all e3d/hnemd 1e-4 0", "takes three numbers"),
        ("fix drive all e3d/hnemd 0 0 0", "the driving force is 0"),
        ("group none empty\nfix drive none e3d/hnemd 1e-4 0 0", "there are no atoms in group none"),
        ("run_style respa 1\nfix drive all e3d/hnemd 1e-4 0 0", "run_style verlet"),
    ],
)
def test_errors(lines: str, message: str, tmp_path: Path, model_files) -> None:
    """Wrong words, and settings that the fix cannot work with."""
    write_data(tmp_path / "data.lmp", box(), ELEMENTS, velocities=True)
    script = script_of(
        model_files("allegro-plain", "safetensors"), ELEMENTS, tail=lines + "\nrun 0", edges=False
    )
    run = start_lammps(script, tmp_path)
    assert run.code != 0
    assert message in run.output, run.output[-2000:]


def test_warns_of_langevin_thermostats(tmp_path: Path, model_files) -> None:
    """Once, with the name of the fix; a global thermostat passes."""
    write_data(tmp_path / "data.lmp", box(), ELEMENTS, velocities=True)
    script = """fix drive all e3d/hnemd 1e-4 0 0
fix md all nvt temp 300 300 0.1
run 0
fix bath all langevin 300 300 0.1 4711
run 0
run 0"""
    run = run_lammps(
        script_of(model_files("allegro-plain", "safetensors"), ELEMENTS, tail=script, edges=False), tmp_path
    )
    assert len(re.findall(r"fix bath langevin(/kk)? acts on single atoms", run.output)) == 1
    assert run.output.count("acts on single atoms") == 1
    assert "is not periodic" not in run.output


def test_warns_of_a_common_drift(tmp_path: Path, model_files) -> None:
    """Of all atoms together, once; not of the share of a group, nor of atoms at rest."""
    write_data(tmp_path / "data.lmp", noble_gases(), LENNARD_JONES.elements, velocities=True)
    script = """group some type 1
fix part some e3d/hnemd 1e-4 0 0
fix drive all e3d/hnemd 1e-4 0 0
run 0
run 0"""
    elements, model = LENNARD_JONES.elements, model_files("lj")
    run = run_lammps(script_of(model, elements, tail=script, edges=False), tmp_path, 2)
    assert run.output.count("the atoms drift with") == 1
    assert "fix drive e3d/hnemd: the atoms drift" in run.output and "'velocity all zero linear'" in run.output
    rest = "velocity all zero linear\n" + script
    run = run_lammps(script_of(model, elements, tail=rest, edges=False), tmp_path)
    assert "the atoms drift with" not in run.output


def test_warns_of_walls(tmp_path: Path, model_files) -> None:
    """Of those that the force points at, and of no others."""
    atoms = noble_gases()
    write_data(tmp_path / "data.lmp", atoms, LENNARD_JONES.elements, velocities=True)
    tail = "fix drive all e3d/hnemd 1e-4 0 1e-4\nrun 0"
    script = script_of(model_files("lj"), LENNARD_JONES.elements, boundary="p f f", tail=tail, edges=False)
    run = run_lammps(script, tmp_path)
    assert run.output.count("is not periodic") == 1 and "the boundary along z is not" in run.output
