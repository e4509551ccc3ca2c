"""Structures for the plugin tests, in LAMMPS's cell orientation, and what nequip itself says about them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk, molecule
from ase.neighborlist import neighbor_list

from e3d_lmp.model.decomposition import EdgeModelWithForces, decompose
from lammps_runs import Frame

ELEMENTS = ("O", "H", "C")
"""Element of LAMMPS types 1, 2, 3: another order than that of the random models."""


def random_atoms(
    n_atoms: int, cell: Sequence[Sequence[float]], seed: int, pbc: bool = True, closest: float = 1.0
) -> Atoms:
    """`n_atoms` atoms of `ELEMENTS` at random, no two images closer than `closest` angstrom."""
    rng = np.random.default_rng(seed)
    atoms = Atoms(cell=cell, pbc=pbc)
    for _trial in range(200000):
        if len(atoms) == n_atoms:
            break
        position = rng.random(3) @ np.asarray(cell, dtype=float)
        grown = atoms + Atoms([ELEMENTS[len(atoms) % 3]], positions=[position])
        if not len(neighbor_list("i", grown, closest)):
            atoms = grown
    else:
        raise ValueError(f"no room for {n_atoms} atoms")
    atoms.arrays["velocities"] = rng.normal(0.0, 4.0, (n_atoms, 3))
    return atoms


def box(seed: int = 1) -> Atoms:
    """54 atoms, orthogonal."""
    return random_atoms(54, [[9.0, 0, 0], [0, 8.5, 0], [0, 0, 8.0]], seed)


def triclinic(seed: int = 2) -> Atoms:
    """50 atoms, all three tilts."""
    return random_atoms(50, [[9.0, 0, 0], [2.1, 8.2, 0], [-1.7, 1.3, 7.9]], seed)


def thin(seed: int = 3) -> Atoms:
    """14 atoms in a slab of 2.5 angstrom: many images of one pair, and of an atom with itself."""
    return random_atoms(14, [[11.0, 0, 0], [0, 7.0, 0], [0, 0, 2.5]], seed)


def cluster(n_atoms: int = 16, seed: int = 4) -> Atoms:
    """An open cluster in the lower corner of a large empty box."""
    size = 1.9 * n_atoms ** (1 / 3) + 1.0
    atoms = random_atoms(n_atoms, np.diag([size] * 3).tolist(), seed, pbc=False, closest=1.3)
    atoms.positions += 2.0
    atoms.cell = np.diag([40.0, 40.0, 40.0])
    return atoms


SYSTEMS = {"box": box, "triclinic": triclinic, "thin": thin}


def molecules() -> Atoms:
    """57 atoms of small molecules with H, C, N, O, S, F and Cl, slightly shaken, in a triclinic box."""
    names = ("CH3CH2OH", "CH3CONH2", "CH3NO2", "CH3SH", "CH3Cl", "CF4", "HCN", "C6H6")
    rng = np.random.default_rng(21)
    atoms = Atoms(cell=[[10.8, 0, 0], [1.3, 10.6, 0], [-0.9, 1.1, 10.4]], pbc=True)
    for k, name in enumerate(names):
        one = molecule(name)
        corner = np.array([k % 2, k // 2 % 2, k // 4]) / 2.0
        one.positions += corner @ np.asarray(atoms.cell) - one.positions.mean(axis=0)
        atoms += one
    atoms.positions += rng.normal(0.0, 0.05, (len(atoms), 3))
    atoms.wrap()
    return atoms


def reference_edges(model: torch.nn.Module, atoms: Atoms, elements: Sequence[str] = ELEMENTS) -> Frame:
    """Every directed edge within its cutoff, by ASE's neighbour list, and eps from the eager edge model.

    Columns and order are those of `lammps_runs.Run.edges`; LAMMPS type k is ``elements[k - 1]``.
    """
    facts = decompose(model)
    n_types = len(facts.type_names)
    cutoffs = np.reshape(facts.cutoffs, (n_types, n_types))
    types = np.array([facts.type_names.index(symbol) for symbol in atoms.get_chemical_symbols()])
    i, j, vectors = neighbor_list("ijD", atoms, float(cutoffs.max()))
    keep = np.linalg.norm(vectors, axis=1) < cutoffs[types[i], types[j]]
    i, j, vectors = i[keep], j[keep], vectors[keep]
    rounded = np.round(vectors * 1e5)
    order = np.lexsort([rounded[:, 2], rounded[:, 1], rounded[:, 0], j, i])
    i, j, vectors = i[order], j[order], vectors[order]
    _, eps, _ = EdgeModelWithForces(facts.edge_model)(
        torch.tensor(vectors), torch.tensor(np.stack([i, j])), torch.tensor(types)
    )
    lammps_types = np.array([elements.index(symbol) + 1 for symbol in atoms.get_chemical_symbols()])
    return Frame(
        0,
        {
            "tag1": i + 1,
            "tag2": j + 1,
            "type1": lammps_types[i],
            "type2": lammps_types[j],
            "dist": np.linalg.norm(vectors, axis=1),
            "dx": vectors[:, 0],
            "dy": vectors[:, 1],
            "dz": vectors[:, 2],
            "eps": eps.numpy()[:, 0],
        },
    )


def nequip_calculator(model: torch.nn.Module) -> object:
    """nequip's own ASE calculator on the uncompiled, unmodified model."""
    from nequip.integrations.ase import NequIPCalculator
    from nequip.integrations.utils import basic_transforms

    names = list(model.type_names)
    transforms = basic_transforms(
        model.metadata, float(model.metadata["r_max"]), names, {name: name for name in names}
    )
    return NequIPCalculator(model=model, device="cpu", transforms=transforms)


def rattled(atoms: Atoms, amplitude: float, seed: int = 3) -> Atoms:
    """A copy with atoms moved at random, by `amplitude` angstrom in each direction."""
    atoms = atoms.copy()
    atoms.positions += np.random.default_rng(seed).normal(0.0, amplitude, (len(atoms), 3))
    atoms.wrap()
    return atoms


def silicon() -> Atoms:
    """64 atoms, far enough from equilibrium for every term to count."""
    return rattled(bulk("Si", "diamond", a=5.432, cubic=True).repeat(2), 0.15)


def hot_silicon_carbide() -> Atoms:
    """64 hot atoms of SiC, some of them exchanged."""
    atoms = bulk("SiC", "zincblende", a=4.36, cubic=True).repeat(2)
    rng = np.random.default_rng(14)
    atoms.set_chemical_symbols(rng.permutation(atoms.get_chemical_symbols()))
    atoms.positions += rng.normal(0.0, 0.1, (64, 3))
    atoms.wrap()
    atoms.arrays["velocities"] = rng.normal(0.0, 6.0, (64, 3))
    return atoms


def noble_gases() -> Atoms:
    """108 atoms of Ar and Kr at random on an fcc lattice."""
    rng = np.random.default_rng(15)
    atoms = bulk("Ar", "fcc", a=5.5, cubic=True).repeat(3)
    atoms.set_chemical_symbols(rng.choice(["Ar", "Kr"], 108))
    atoms.positions += rng.normal(0.0, 0.15, (108, 3))
    atoms.wrap()
    atoms.arrays["velocities"] = rng.normal(0.0, 3.0, (108, 3))
    return atoms
