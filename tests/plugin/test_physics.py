"""What must hold in double precision, whatever the model: derivatives, sums, heat current, conservation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from edge_checks import check_edges
from lammps_runs import NKTV2P, Frame, forces_of, run_lammps, script_of, virial_of, write_data
from systems import ELEMENTS, box, cluster, triclinic
from tolerances import ENERGY_DRIFT, FINITE_DIFFERENCE, FLOAT64, HEAT_FLUX, SUM_RULE, close

PRINT_PE = "print '$(pe:%.17g)' append energies.txt screen no"
STEP = 1e-4
"""Angstrom, or strain."""


def _energies(folder: Path) -> np.ndarray:
    return np.loadtxt(folder / "energies.txt")


@pytest.mark.parametrize(("ending", "ranks"), [("safetensors", 1), ("safetensors", 2), ("pth", 1)])
def test_forces_are_finite_differences_of_the_energy(
    ending: str, ranks: int, tmp_path: Path, model_files
) -> None:
    atoms = box()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    chosen = [(0, "x"), (17, "y"), (30, "z"), (53, "x"), (11, "z")]
    lines = ["run 0"]
    for k, axis in chosen:
        lines.append(f"group one id {k + 1}")
        for shift in (STEP, -2.0 * STEP, STEP):
            vector = " ".join(f"{shift if axis == a else 0.0:.17g}" for a in "xyz")
            lines += [f"displace_atoms one move {vector} units box", "run 0", PRINT_PE]
        lines.append("group one delete")
    model = model_files("allegro-everything", ending, "float64")
    run = run_lammps(script_of(model, ELEMENTS, tail="\n".join(lines)), tmp_path, ranks)
    energies = _energies(tmp_path).reshape(-1, 3)
    forces = forces_of(run.dump("atoms.dump")[0])
    want = [forces[k, "xyz".index(axis)] for k, axis in chosen]
    close("forces", -(energies[:, 0] - energies[:, 1]) / (2.0 * STEP), want, FINITE_DIFFERENCE)
    assert np.abs(want).max() > 0.01
    close(
        "energy after moving back",
        energies[:, 2],
        np.full(len(energies), run.json()["pe"]),
        FLOAT64.total_energy,
    )


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_virial_is_the_finite_difference_of_the_energy(ending: str, tmp_path: Path, model_files) -> None:
    """W_ab = -dE/d(strain_ab), with the box and all atoms strained: three stretches and three shears."""
    atoms = triclinic()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    lx, ly, lz = np.diag(np.asarray(atoms.cell))
    xy, xz, yz = atoms.cell[1, 0], atoms.cell[2, 0], atoms.cell[2, 1]
    # strain_ab moves component a by the coordinate b; LAMMPS is given the box that results
    boxes = {
        "xx": lambda s: (
            f"x final 0 {lx * (1 + s):.17g} xy final {xy * (1 + s):.17g} xz final {xz * (1 + s):.17g}"
        ),
        "yy": lambda s: f"y final 0 {ly * (1 + s):.17g} yz final {yz * (1 + s):.17g}",
        "zz": lambda s: f"z final 0 {lz * (1 + s):.17g}",
        "xy": lambda s: f"xy final {xy + s * ly:.17g} xz final {xz + s * yz:.17g}",
        "xz": lambda s: f"xz final {xz + s * lz:.17g}",
        "yz": lambda s: f"yz final {yz + s * lz:.17g}",
    }
    lines = ["run 0"]
    for change in boxes.values():
        for strain in (STEP, -STEP, 0.0):
            lines += [f"change_box all {change(strain)} remap units box", "run 0", PRINT_PE]
    model = model_files("allegro-everything", ending, "float64")
    run = run_lammps(script_of(model, ELEMENTS, tail="\n".join(lines), edges=False), tmp_path)
    energies = _energies(tmp_path).reshape(-1, 3)
    close(
        "energy after straining back",
        energies[:, 2],
        np.full(len(energies), run.json()["pe"]),
        FLOAT64.total_energy,
    )
    virial = virial_of(run.json())
    close("virial", -(energies[:, 0] - energies[:, 1]) / (2.0 * STEP), virial, 50.0 * FINITE_DIFFERENCE)
    assert np.abs(virial).min() > 1e-3, "every component has to be tested"


@pytest.mark.parametrize(
    ("ending", "dtype", "ranks"),
    [("safetensors", "float64", 1), ("safetensors", "float32", 3), ("pth", "float64", 2)],
)
def test_per_atom_numbers_sum_to_the_totals(
    ending: str, dtype: str, ranks: int, tmp_path: Path, model_files
) -> None:
    """Energies, and both per-atom virials, over owned and ghost atoms; forces sum to nothing."""
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS)
    model = model_files("allegro-everything", ending, dtype)
    tail = """compute u all e3d/atom energy coord cutoff model
dump u all custom 1 u.dump id c_u[*]
dump_modify u format float %.17g sort id
run 0"""
    run = run_lammps(script_of(model, ELEMENTS, tail=tail), tmp_path, ranks)
    result, final = run.json(), run.dump("atoms.dump")[-1]
    close("energy", final["c_pea"].sum(), result["pe"], SUM_RULE * abs(result["pe"]))
    own = run.dump("u.dump")[-1]
    close("e3d/atom energy", own["c_u[1]"], final["c_pea"], FLOAT64.atomic_energy)
    # cutoffs are directed: a bond counts for both atoms, also where only one of them has an edge
    edges = run.edges()
    ids = np.stack([edges["tag1"], edges["tag2"]], axis=1)
    vec = np.stack([edges["dx"], edges["dy"], edges["dz"]], axis=1) * np.sign(ids[:, 1] - ids[:, 0])[:, None]
    bonds = np.unique(np.hstack([np.sort(ids, axis=1), np.round(vec, 4) + 0.0]), axis=0)
    assert len(edges) < 2 * len(bonds)
    count = np.bincount(bonds[:, :2].astype(int).ravel() - 1, minlength=len(own))
    np.testing.assert_array_equal(own["c_u[2]"], count)
    virial = virial_of(result)
    scale = np.abs(virial).max()
    six = np.array([-final[f"c_stress[{k}]"].sum() for k in range(1, 7)]) / NKTV2P
    close("stress/atom", six, virial, SUM_RULE * scale * 100)
    nine = np.array([-final[f"c_centroid[{k}]"].sum() for k in range(1, 10)]) / NKTV2P
    close("centroid/stress/atom", nine[:6], virial, SUM_RULE * scale * 100)
    close("its transposed entries", nine[6:], nine[3:6], SUM_RULE * scale * 100)
    per_atom = np.stack([final[f"c_centroid[{k}]"] for k in range(1, 10)], axis=1)
    assert np.abs(per_atom[:, 3] - per_atom[:, 6]).max() > 1.0, "per atom, the nine numbers are not symmetric"
    halves = 0.5 * (per_atom[:, 3:6] + per_atom[:, 6:9])
    six_of_nine = np.concatenate([per_atom[:, :3], halves], axis=1)
    stress = np.stack([final[f"c_stress[{k}]"] for k in range(1, 7)], axis=1)
    close("stress is the symmetric part", six_of_nine / NKTV2P, stress / NKTV2P, FLOAT64.virial)
    close("sum of forces", forces_of(final).sum(axis=0), np.zeros(3), FLOAT64.force)


def _dipole(frame: Frame) -> np.ndarray:
    """sum_i r_i (U_i + K_i), eV angstrom."""
    energy = frame["c_pea"] + frame["c_kea"]
    return np.array([(frame[axis] * energy).sum() for axis in ("xu", "yu", "zu")])


@pytest.mark.parametrize(
    ("model", "ending", "ranks"),
    [("allegro-cutoffs", "safetensors", 1), ("allegro-cutoffs", "safetensors", 3), ("tersoff-si", "pth", 2)],
)
def test_heat_flux_is_the_derivative_of_the_energy_dipole(
    model: str, ending: str, ranks: int, tmp_path: Path, model_files
) -> None:
    """J = d/dt sum_i r_i (U_i + K_i) on an open cluster, through compute heat/flux with the centroid stress.

    It fixes which atom owns the virial of an edge, and which index of it is the force. The derivative is a
    five-point difference along a trajectory.
    """
    if model == "tersoff-si":
        atoms = bulk("Si", "diamond", a=5.43, cubic=True)
        atoms.positions += np.random.default_rng(8).normal(0.0, 0.1, (len(atoms), 3)) + 2.0
        atoms.cell, atoms.pbc = np.diag([30.0] * 3), False
        atoms.arrays["velocities"] = np.random.default_rng(9).normal(0.0, 10.0, (len(atoms), 3))
        elements: tuple[str, ...] = ("Si",)
    else:
        atoms, elements = cluster(), ELEMENTS
    write_data(tmp_path / "data.lmp", atoms, elements, velocities=True)
    time_step = 2e-6  # velocity Verlet follows the true motion to (omega dt)^2
    tail = f"""
compute kea all ke/atom
compute flux all heat/flux kea pea centroid
dump moving all custom 1 moving.dump id xu yu zu c_pea c_kea
dump_modify moving format float %.17g sort id
timestep {time_step}
fix md all nve
thermo 1
thermo_style custom step pe c_flux[1] c_flux[2] c_flux[3] c_vir[1] c_vir[2] c_vir[3] &
  c_vir[4] c_vir[5] c_vir[6]
variable jx equal c_flux[1]
variable jy equal c_flux[2]
variable jz equal c_flux[3]
fix out all print 1 '${{jx}} ${{jy}} ${{jz}}' file flux.txt screen no
run 4
"""
    model_file = model_files(model, ending, "float64")
    script = script_of(model_file, elements, boundary="f f f", tail=tail, edges=False)
    run = run_lammps(script, tmp_path, ranks)
    frames = run.dump("moving.dump")[:5]
    assert [frame.step for frame in frames] == [0, 1, 2, 3, 4]
    m = [_dipole(frame) for frame in frames]
    derivative = (m[0] - 8.0 * m[1] + 8.0 * m[3] - m[4]) / (12.0 * time_step)
    flux = np.loadtxt(tmp_path / "flux.txt")[2]
    largest = np.abs(derivative).max()
    assert largest > 1.0
    close("J", flux / largest, derivative / largest, HEAT_FLUX)


def _silicon(temperature: float) -> Atoms:
    from ase import units
    from ase.md.velocitydistribution import Stationary

    atoms = bulk("Si", "diamond", a=5.432, cubic=True).repeat((2, 1, 1))
    rng = np.random.default_rng(12)
    atoms.set_velocities(rng.normal(size=(len(atoms), 3)) * np.sqrt(units.kB * temperature / 28.085))
    Stationary(atoms)
    atoms.arrays["velocities"] = atoms.get_velocities() * (1000.0 * units.fs)
    return atoms


def test_energy_is_conserved_over_2000_steps(tmp_path: Path, model_files) -> None:
    """NVE at 600 K: what remains is velocity Verlet's own error, and it falls with the square of the time
    step.
    """
    atoms = _silicon(600.0)
    spread = {}
    for name, time_step, steps in (("long", 0.001, 2000), ("short", 0.0005, 2000)):
        folder = tmp_path / name
        folder.mkdir()
        write_data(folder / "data.lmp", atoms, ("Si",), velocities=True)
        tail = f"""
undump atoms
variable total equal etotal
fix out all print 5 '${{total}}' file total.txt screen no
timestep {time_step}
fix md all nve
thermo 5
thermo_modify format float %.17g
run {steps}
"""
        script = script_of(model_files("tersoff-si"), ("Si",), tail=tail, edges=False)
        run_lammps(script, folder)
        total = np.loadtxt(folder / "total.txt") / len(atoms)
        spread[name] = total[: round(1.0 / (5 * time_step))].std()  # of the first picosecond
        drift = np.polyfit(np.arange(len(total)) / len(total), total, 1)[0]
        close(f"drift, time step {time_step}", drift, 0.0, ENERGY_DRIFT)
    ratio = spread["long"] / spread["short"]
    assert 2.5 < ratio < 6.0, f"energy noise at twice the time step is {ratio:.2f} times as large, expected 4"


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_rerun_equals_run(ending: str, tmp_path: Path, model_files) -> None:
    """The model on the frames of a dump gives the energies of the run that wrote it."""
    write_data(tmp_path / "data.lmp", box(), ELEMENTS, velocities=True)
    model = model_files("allegro-everything", ending, "float64")
    tail = "timestep 0.0002\nfix md all nve\nrun 5"
    ran = run_lammps(script_of(model, ELEMENTS, tail=tail), tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    write_data(again / "data.lmp", box(), ELEMENTS)
    tail = "rerun ../atoms.dump dump x y z"
    reran = run_lammps(script_of(model, ELEMENTS, tail=tail), again)
    frames, reframes = ran.dump("atoms.dump"), reran.dump("atoms.dump")
    assert [frame.step for frame in reframes] == [frame.step for frame in frames] == [0, 1, 2, 3, 4, 5]
    for k, (frame, reframe) in enumerate(zip(frames, reframes, strict=True)):
        close(f"forces of step {frame.step}", forces_of(reframe), forces_of(frame), FLOAT64.force)
        check_edges(reran.edges(index=k), ran.edges(index=k), FLOAT64)
