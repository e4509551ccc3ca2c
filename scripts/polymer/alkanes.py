"""n-Alkane molecules with the topology and the force field that LAMMPS needs, and boxes of them.

Numbers (force fields, densities) are in ``alkanes.yaml``, each with its source.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from e3d_lmp.files import atomic_path

AMU_PER_CUBIC_ANGSTROM = 1.66053907
"""g/cm^3"""
MASSES = {"C": 12.011, "H": 1.008}
BOND_TYPES = ("C-C", "C-H")
ANGLE_TYPES = ("C-C-C", "C-C-H", "H-C-H")
DIHEDRAL_TYPES = ("C-C-C-C", "C-C-C-H", "H-C-C-H")


@dataclass(frozen=True)
class Liquid:
    """A box that is sampled.

    Attributes
    ----------
    carbons : atoms of carbon in a molecule
    molecules : in the box
    temperature : K
    density : g/cm^3
    force_field : name in ``alkanes.yaml``
    spacing : time between two frames of a replica, ps
    replicas : boxes that are prepared on their own; frame k comes from replica k modulo their number
    prepare : ps of compression and of mixing at 500 K, and at the temperature, before the first frame
    """

    carbons: int
    molecules: int
    temperature: float
    density: float
    force_field: str
    spacing: float
    replicas: int = 4
    prepare: tuple[float, float, float] = (20.0, 30.0, 50.0)

    @property
    def formula(self) -> str:
        """Molecular formula, as C8H18."""
        carbons = f"C{self.carbons}" if self.carbons > 1 else "C"
        return f"{carbons}H{2 * self.carbons + 2}"

    @property
    def box(self) -> float:
        """Edge of the cube, angstrom."""
        mass = self.molecules * (self.carbons * MASSES["C"] + (2 * self.carbons + 2) * MASSES["H"])
        return float((mass * AMU_PER_CUBIC_ANGSTROM / self.density) ** (1 / 3))


@cache
def _tables() -> dict[str, Any]:
    return yaml.safe_load(Path(__file__).with_name("alkanes.yaml").read_text(encoding="utf-8"))


def force_field(name: str) -> Mapping[str, Any]:
    """The table of a force field in ``alkanes.yaml``; raises `KeyError` if there is none."""
    return _tables()["force_fields"][name]


def liquids() -> dict[int, Liquid]:
    """All boxes of ``alkanes.yaml`` by the number of carbons."""
    return {
        int(carbons): Liquid(int(carbons), **{**numbers, **_prepare(numbers)})
        for carbons, numbers in _tables()["liquids"].items()
    }


def _prepare(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {"prepare": tuple(numbers["prepare"])} if "prepare" in numbers else {}


@dataclass(frozen=True)
class Molecule:
    """One n-alkane, all-trans; a carbon is followed by its hydrogens.

    Attributes
    ----------
    symbols : (N,) "C" or "H"
    groups : (N,) of which group the atom is: "CH4", "CH3", "CH2"
    positions : (N, 3) angstrom, centred
    bonds, angles, dihedrals : atom numbers from 0, each once
    """

    symbols: tuple[str, ...]
    groups: tuple[str, ...]
    positions: np.ndarray
    bonds: tuple[tuple[int, int], ...]
    angles: tuple[tuple[int, int, int], ...]
    dihedrals: tuple[tuple[int, int, int, int], ...]


@cache
def n_alkane(carbons: int) -> Molecule:
    """The molecule C_n H_2n+2 in the geometry of OPLS-AA's equilibrium bonds and angles."""
    chain = _backbone(carbons)
    symbols: list[str] = []
    groups: list[str] = []
    positions: list[np.ndarray] = []
    bonds: list[tuple[int, int]] = []
    last = -1
    for number, place in enumerate(chain):
        others = [chain[k] for k in (number - 1, number + 1) if 0 <= k < carbons]
        hydrogens = _hydrogen_directions([(other - place) / 1.529 for other in others])
        carbon = len(symbols)
        group = f"CH{len(hydrogens)}"
        if last >= 0:
            bonds.append((last, carbon))
        last = carbon
        symbols += ["C"] + ["H"] * len(hydrogens)
        groups += [group] * (1 + len(hydrogens))
        positions += [place, *(place + 1.09 * direction for direction in hydrogens)]
        bonds += [(carbon, carbon + 1 + k) for k in range(len(hydrogens))]
    centred = np.array(positions) - np.mean(positions, axis=0)
    neighbours: list[list[int]] = [[] for _ in symbols]
    for i, j in bonds:
        neighbours[i].append(j)
        neighbours[j].append(i)
    angles = [(i, j, k) for j, near in enumerate(neighbours) for i, k in itertools.combinations(near, 2)]
    dihedrals = [
        (i, j, k, m) for j, k in bonds for i in neighbours[j] if i != k for m in neighbours[k] if m != j
    ]
    return Molecule(tuple(symbols), tuple(groups), centred, tuple(bonds), tuple(angles), tuple(dihedrals))


def _backbone(carbons: int) -> np.ndarray:
    """(n, 3) zigzag in the xz plane."""
    half = np.radians(112.7 / 2)
    along, aside = 1.529 * np.sin(half), 1.529 * np.cos(half)
    return np.array([[aside * (k % 2), 0.0, along * k] for k in range(carbons)])


def _hydrogen_directions(to_carbons: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Unit vectors from a carbon to its hydrogens, given those to its carbons."""
    y = np.array([0.0, 1.0, 0.0])
    if not to_carbons:
        return [np.array(v) / np.sqrt(3.0) for v in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))]
    if len(to_carbons) == 1:
        (u,) = to_carbons
        aside = np.cross(y, u)
        # staggered: one hydrogen trans to the carbon after the next, where the zigzag would go on
        aside *= 1.0 if aside[0] * u[0] >= 0 else -1.0
        cosine, sine = np.cos(np.radians(110.7)), np.sin(np.radians(110.7))
        return [
            cosine * u + sine * (np.cos(t) * aside + np.sin(t) * y) for t in np.radians((0.0, 120.0, 240.0))
        ]
    between = -(to_carbons[0] + to_carbons[1])
    between /= np.linalg.norm(between)
    half = np.radians(107.8 / 2)
    return [np.cos(half) * between + sign * np.sin(half) * y for sign in (1.0, -1.0)]


def atom_types(table: Mapping[str, Any]) -> list[str]:
    """Names of the LAMMPS atom types of a force field, in order, as "C of CH3"."""
    groups = [group for group in ("CH4", "CH3", "CH2") if group in table["charges"]]
    return [f"{symbol} of {group}" for symbol in "CH" for group in groups]


def data_file(liquid: Liquid, positions: np.ndarray, box: float, velocities: np.ndarray | None = None) -> str:
    """Text of a LAMMPS data file (`atom_style full`, `units real`) with all coefficients in it.

    Parameters
    ----------
    positions : (molecules, N, 3) angstrom; molecules may stick out of the box
    box : edge of the cube, angstrom
    velocities : (molecules, N, 3) angstrom/fs; None: none are written
    """
    molecule, table = n_alkane(liquid.carbons), force_field(liquid.force_field)
    size = len(molecule.symbols)
    types = atom_types(table)
    of_atom = [types.index(f"{s} of {g}") for s, g in zip(molecule.symbols, molecule.groups, strict=True)]
    charges = [
        table["charges"][g if s == "C" else "H"]
        for s, g in zip(molecule.symbols, molecule.groups, strict=True)
    ]
    lists = {
        "bond": (molecule.bonds, BOND_TYPES),
        "angle": (molecule.angles, ANGLE_TYPES),
        "dihedral": (molecule.dihedrals, DIHEDRAL_TYPES),
    }
    lines = [f"{liquid.molecules} {liquid.formula}, {liquid.force_field}", ""]
    lines += [f"{size * liquid.molecules} atoms", f"{len(types)} atom types"]
    for name, (members, kinds) in lists.items():
        lines += [f"{len(members) * liquid.molecules} {name}s", f"{len(kinds)} {name} types"]
    lines += ["", *(f"0.0 {box:.12g} {c}lo {c}hi" for c in "xyz"), "", "Masses", ""]
    lines += [f"{k} {MASSES[name[0]]}  # {name}" for k, name in enumerate(types, start=1)]
    lines += ["", "Pair Coeffs", ""]
    for k, name in enumerate(types, start=1):
        eps, sigma = table["lennard_jones"]["C" if name[0] == "C" else name]
        lines.append(f"{k} {eps} {sigma}  # {name}")
    for name, (_, kinds) in lists.items():
        lines += ["", f"{name.capitalize()} Coeffs", ""]
        for k, kind in enumerate(kinds, start=1):
            numbers = [*table[f"{name}s"][kind], *([0.0] if name == "dihedral" else [])]
            lines.append(f"{k} {' '.join(map(str, numbers))}  # {kind}")
    lines += ["", "Atoms  # full", ""]
    for atom, place in enumerate(positions.reshape(-1, 3)):
        k = atom % size
        x, y, z = place
        lines.append(
            f"{atom + 1} {atom // size + 1} {of_atom[k] + 1} {charges[k]} {x:.17g} {y:.17g} {z:.17g}"
        )
    if velocities is not None:
        lines += ["", "Velocities", ""]
        for atom, (x, y, z) in enumerate(velocities.reshape(-1, 3)):
            lines.append(f"{atom + 1} {x:.17g} {y:.17g} {z:.17g}")
    for name, (members, kinds) in lists.items():
        if not members:
            continue
        lines += ["", f"{name.capitalize()}s", ""]
        rows = [
            (kinds.index(_kind(molecule, member)) + 1, *(a + 1 + size * m for a in member))
            for m in range(liquid.molecules)
            for member in members
        ]
        lines += [f"{k} {' '.join(map(str, row))}" for k, row in enumerate(rows, start=1)]
    return "\n".join(lines) + "\n"


def _kind(molecule: Molecule, atoms: Sequence[int]) -> str:
    """Name of a bond, an angle or a dihedral: its elements from the end that comes first in the alphabet."""
    word = [molecule.symbols[a] for a in atoms]
    return "-".join(min(word, word[::-1]))


def write_data(path: Path, text: str) -> None:
    """A data file, whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_text(text)


def lattice(liquid: Liquid, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """A start that is no liquid: molecules turned at random on a cubic lattice, too far apart to touch.

    Returns
    -------
    positions : (molecules, N, 3) angstrom
    box : edge of the cube, angstrom
    """
    molecule = n_alkane(liquid.carbons)
    reach = 2.0 * float(np.linalg.norm(molecule.positions, axis=1).max()) + 2.5
    sites = int(np.ceil(liquid.molecules ** (1 / 3) - 1e-9))
    every = list(itertools.product(range(sites), repeat=3))
    chosen = [every[k] for k in rng.permutation(len(every))[: liquid.molecules]]
    positions = []
    for site in chosen:
        turn, r = np.linalg.qr(rng.normal(size=(3, 3)))
        turn = turn * np.sign(np.diag(r))
        positions.append(molecule.positions @ turn.T + (np.array(site) + 0.5) * reach)
    return np.array(positions), sites * reach
