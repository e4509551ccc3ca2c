"""A random gas of Cu and Ag, and inputs for it: bonds of every length between two types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

ELEMENTS = ("Cu", "Ag")
ALL = "tag1 tag2 type1 type2 dist dx dy dz eps"
"""All values of compute e3d/edge/local."""


def gas(n_atoms: int = 40, seed: int = 8) -> Atoms:
    """Cu and Ag at random, no closer than 1.7 angstrom, in a box with bonds of every length."""
    rng = np.random.default_rng(seed)
    atoms = Atoms(cell=[9.0, 9.5, 10.0], pbc=True)
    while len(atoms) < n_atoms:
        grown = atoms + Atoms([ELEMENTS[len(atoms) % 2]], positions=[rng.random(3) * atoms.cell.lengths()])
        if not len(neighbor_list("i", grown, 1.7)):
            atoms = grown
    return atoms


def script_of(model: Path, body: str, boundary: str = "p p p", data: str = "read_data data.lmp") -> str:
    """`body` between the pair style and the end of the input."""
    return f"""
units metal
newton on
boundary {boundary}
{data}
pair_style e3d
pair_coeff * * {model} Cu Ag
neighbor 0.5 bin
neigh_modify every 1 delay 0 check yes
thermo_modify norm no
{body}
"""


def local_dump(name: str, values: str, group: str = "all", cutoff: str = "") -> str:
    """A compute e3d/edge/local `name` and a dump of it to NAME.dump."""
    words = values.split()
    columns = " ".join(f"c_{name}[{k + 1}]" for k in range(len(words))) if len(words) > 1 else f"c_{name}"
    titles = " ".join(f"colname {k + 1} {word}" for k, word in enumerate(words))
    return f"""compute {name} {group} e3d/edge/local {values} {cutoff}
dump {name} all local 1 {name}.dump {columns}
dump_modify {name} format float %.17g {titles}
"""
