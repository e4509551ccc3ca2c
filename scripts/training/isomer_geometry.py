"""Geometries of isomers and of images between them, many at a time, with AIMNet2's forces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from dft_geometry import UnfitError, fitted, modes_of, shifted

from e3d_lmp.training.data.aimnet2 import AIMNet2
from e3d_lmp.training.data.split import bonded_pairs
from e3d_lmp.units import KCAL_MOL_PER_EV

TOGETHER = 64
"""Structures of a call of the model."""
Forces = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Of positions (K, ..., 3) and the numbers (K,) of the structures that they are: forces of the same shape."""


def embedded(molecule: Any, seed: int) -> np.ndarray:
    """RDKit's conformer (N, 3), cleaned with UFF.

    Raises
    ------
    UnfitError
        RDKit finds none, or UFF lacks an atom type.
    """
    from rdkit.Chem import rdDistGeom

    if rdDistGeom.EmbedMolecule(molecule, randomSeed=seed, maxAttempts=5) != 0:
        raise UnfitError("no conformer")
    return cleaned(molecule, molecule.GetConformer().GetPositions())


def force_field(molecule: Any, positions: np.ndarray) -> Any:
    """RDKit's UFF at positions (N, 3), which the molecule takes over.

    Raises
    ------
    UnfitError
        UFF lacks an atom type.
    """
    from rdkit import Chem
    from rdkit.Chem import rdForceFieldHelpers
    from rdkit.Geometry import Point3D

    if not rdForceFieldHelpers.UFFHasAllMoleculeParams(molecule):
        raise UnfitError("no atom type in UFF")
    conformer = Chem.Conformer(len(positions))
    for k, (x, y, z) in enumerate(positions.tolist()):
        conformer.SetAtomPosition(k, Point3D(x, y, z))
    molecule.RemoveAllConformers()
    molecule.AddConformer(conformer)
    return rdForceFieldHelpers.UFFGetMoleculeForceField(molecule, ignoreInterfragInteractions=False)


def cleaned(molecule: Any, positions: np.ndarray) -> np.ndarray:
    """Positions (N, 3) relaxed with UFF and the bonds of the molecule, which may be other than those of the
    positions."""
    field = force_field(molecule, positions)
    field.Minimize(maxIts=500)
    return molecule.GetConformer().GetPositions()


def has_bonds(molecule: Any, positions: np.ndarray) -> bool:
    """Whether the bonds that positions (N, 3) have are those of the molecule."""
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    wanted = sorted(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx())) for b in molecule.GetBonds())
    return wanted == sorted(bonded_pairs(numbers, positions).tolist())


def energies_and_forces(
    model: AIMNet2, numbers: np.ndarray, positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Energies (K,), eV, and forces (K, N, 3), eV/angstrom, of K structures of N atoms."""
    parts = [
        model.many(numbers[begin : begin + TOGETHER], positions[begin : begin + TOGETHER])
        for begin in range(0, len(numbers), TOGETHER)
    ]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def fire(forces: Forces, start: np.ndarray, steps: int, fmax: float) -> tuple[np.ndarray, np.ndarray]:
    """Relaxed positions, and the largest component of the force of each when it was last computed.

    The fast inertial relaxation engine (Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006)) on many structures
    at once, each with its own step; those that are below `fmax`, eV/angstrom, wait for the others.

    Parameters
    ----------
    start : (K, ..., 3), angstrom
    """
    x, count = start.copy(), len(start)
    velocity = np.zeros_like(x)
    step, mixing, uphill_free = np.full(count, 0.05), np.full(count, 0.1), np.zeros(count)
    largest = np.full(count, np.inf)
    axes = tuple(range(1, x.ndim))
    wide = (slice(None),) + (None,) * (x.ndim - 1)
    active = np.arange(count)
    for _ in range(steps):
        f = np.nan_to_num(forces(x[active], active))
        largest[active] = np.abs(f).max(axis=axes)
        keep = largest[active] > fmax
        active, f = active[keep], f[keep]
        if len(active) == 0:
            break
        v = velocity[active]
        downhill = (f * v).sum(axis=axes) > 0.0
        size = np.sqrt((v**2).sum(axis=axes) / (f**2).sum(axis=axes))
        a = mixing[active]
        v = np.where(downhill[wide], (1.0 - a)[wide] * v + (a * size)[wide] * f, 0.0)
        uphill_free[active] = np.where(downhill, uphill_free[active] + 1, 0)
        fast = uphill_free[active] > 5
        step[active] = np.where(
            downhill, np.where(fast, np.minimum(step[active] * 1.1, 0.25), step[active]), step[active] * 0.5
        )
        mixing[active] = np.where(downhill, np.where(fast, a * 0.99, a), 0.1)
        v = v + step[active][wide] * f
        velocity[active] = v
        move = step[active][wide] * v
        longest = np.sqrt((move**2).sum(axis=-1)).max(axis=axes[:-1])
        x[active] += move * np.minimum(1.0, 0.1 / np.maximum(longest, 1e-12))[wide]
    return x, largest


def relaxed(
    model: AIMNet2, numbers: Sequence[np.ndarray], positions: Sequence[np.ndarray], steps: int, fmax: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """Structures relaxed with the model, and the largest force that is left of each, eV/angstrom."""
    done: list[np.ndarray] = list(positions)
    left = np.zeros(len(numbers))
    sizes = np.array([len(own) for own in numbers])
    for size in np.unique(sizes):
        members = np.flatnonzero(sizes == size).tolist()
        z = np.stack([numbers[k] for k in members])

        def forces(x: np.ndarray, which: np.ndarray, z: np.ndarray = z) -> np.ndarray:
            return energies_and_forces(model, z[which], x)[1]

        x, left[members] = fire(forces, np.stack([positions[k] for k in members]), steps, fmax)
        for k, own in zip(members, x, strict=True):
            done[k] = own
    return done, left


def displaced(
    molecule: Any, positions: np.ndarray, temperatures: Sequence[float], rng: np.random.Generator
) -> list[np.ndarray]:
    """A draw from the quantum-mechanical harmonic positions at each temperature, K; the modes are UFF's at
    the given minimum."""
    field = force_field(molecule, positions)
    atoms = Atoms([atom.GetAtomicNum() for atom in molecule.GetAtoms()], positions)
    flat, step = positions.reshape(-1), 0.01
    hessian = np.zeros((len(flat), len(flat)))
    for row in range(len(flat)):
        moved = np.tile(flat, (2, 1))
        moved[:, row] += (step, -step)
        ahead, behind = (np.array(field.CalcGrad(line.tolist())) for line in moved)
        hessian[row] = (ahead - behind) / (2.0 * step) / KCAL_MOL_PER_EV
    quanta, modes = modes_of(hessian, atoms.get_masses())
    return [shifted(atoms, quanta, modes, temperature, rng).positions for temperature in temperatures]


def bands(
    model: AIMNet2, numbers: np.ndarray, ends: np.ndarray, images: int, steps: int, spring: float = 3.0
) -> np.ndarray:
    """Images (K, images, N, 3) between two geometries of K sets of N atoms: image-dependent pair potential
    (Smidstrup et al., J. Chem. Phys. 140, 214106 (2014)), then some steps of a nudged elastic band.

    Parameters
    ----------
    numbers : (K, N)
    ends : (K, 2, N, 3), angstrom, atoms in the same order
    spring : eV/angstrom²
    """
    first, last = ends[:, 0], np.stack([fitted(last, first) for first, last in ends])
    share = np.linspace(0.0, 1.0, images + 2)[None, 1:-1, None, None]
    inner = (1.0 - share) * first[:, None] + share * last[:, None]
    inner += np.random.default_rng(1).normal(scale=0.02, size=inner.shape)  # off straight lines
    wanted = (1.0 - share) * _distances(first)[:, None] + share * _distances(last)[:, None]

    def pairs(x: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _pair_potential(x, wanted[which])

    def labels(x: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = np.repeat(numbers[which], x.shape[1], axis=0)
        energy, force = energies_and_forces(model, z, x.reshape(-1, *x.shape[2:]))
        return energy.reshape(x.shape[:2]), force.reshape(x.shape)

    fixed = np.stack([first, last], axis=1)
    inner, _ = fire(_nudged(pairs, fixed, np.zeros((len(ends), 2)), 1.0), inner, 60, 0.1)
    edge, _ = labels(fixed, np.arange(len(ends)))
    return fire(_nudged(labels, fixed, edge, spring), inner, steps, 0.3)[0]


def _distances(x: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x[..., :, None, :] - x[..., None, :, :], axis=-1)


def _pair_potential(x: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy (K, M) and forces (K, M, N, 3) of Σ (d − d_wanted)² / d⁴ over pairs."""
    away = x[..., :, None, :] - x[..., None, :, :]
    d = np.sqrt((away**2).sum(axis=-1)) + np.eye(x.shape[-2])
    off = (d - wanted) * (1.0 - np.eye(x.shape[-2]))
    slope = 2.0 * off / d**4 - 4.0 * off**2 / d**5
    return 0.5 * (off**2 / d**4).sum(axis=(-1, -2)), -(slope[..., None] * away / d[..., None]).sum(axis=-2)


def _nudged(
    potential: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    ends: np.ndarray,
    edge: np.ndarray,
    spring: float,
) -> Forces:
    """Forces on the inner images of bands between `ends` (K, 2, N, 3) of energies `edge` (K, 2): those of the
    potential across the improved tangent (Henkelman and Jónsson, J. Chem. Phys. 113, 9978 (2000)), springs
    along it."""

    def forces(x: np.ndarray, which: np.ndarray) -> np.ndarray:
        inner, force = potential(x, which)
        full = np.concatenate([ends[which, :1], x, ends[which, 1:]], axis=1)
        energy = np.concatenate([edge[which, :1], inner, edge[which, 1:]], axis=1)
        ahead, behind = full[:, 2:] - full[:, 1:-1], full[:, 1:-1] - full[:, :-2]
        up, down = energy[:, 2:] - energy[:, 1:-1], energy[:, 1:-1] - energy[:, :-2]
        large, small = np.maximum(abs(up), abs(down)), np.minimum(abs(up), abs(down))
        rising = energy[:, 2:] > energy[:, :-2]
        to, fro = np.where(rising, large, small), np.where(rising, small, large)
        for one, other, sign in ((to, fro, 1.0), (fro, to, -1.0)):  # off extrema the higher neighbour alone
            uniform = (sign * up > 0.0) & (sign * down > 0.0)
            one[uniform], other[uniform] = 1.0, 0.0
        tangent = to[..., None, None] * ahead + fro[..., None, None] * behind
        tangent /= _size(tangent) + 1e-12
        along = (force * tangent).sum(axis=(-1, -2), keepdims=True)
        return force - along * tangent + spring * (_size(ahead) - _size(behind)) * tangent

    return forces


def _size(x: np.ndarray) -> np.ndarray:
    return np.sqrt((x**2).sum(axis=(-1, -2), keepdims=True))


def numbers_of(symbols: Sequence[str]) -> np.ndarray:
    """Atomic numbers (N,) int64."""
    return np.array([atomic_numbers[symbol] for symbol in symbols])


def symbols_of(numbers: np.ndarray) -> tuple[str, ...]:
    """Symbols of atomic numbers (N,)."""
    return tuple(chemical_symbols[number] for number in numbers)
