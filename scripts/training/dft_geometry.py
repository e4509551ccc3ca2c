"""Geometries of the frames: RDKit's conformers relaxed with GFN2-xTB, displaced, pulled apart, interpolated,
brought into contact. Only geometries come from GFN2-xTB, no label does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.data import covalent_radii
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation

MAX_FORCE = 18.0
"""eV/angstrom, of GFN2-xTB: displaced frames and images above it are not proposed."""
MIN_DISTANCE = 0.62
"""Of the sum of the covalent radii; closer atoms are not proposed."""
SLOWEST = 80.0
"""1/cm: slower normal modes are left at rest, as a straight line along them says nothing true."""
HBAR = units._hbar * 1e10 / np.sqrt(units._e * units._amu)
"""ħ in angstrom (eV u)^0.5: of a spring constant in eV/(angstrom² u) the root times this is ħω in eV."""


class UnfitError(Exception):
    """A geometry that does not come out as it should; the entry is left out of the plan."""


def calculator(multiplicity: int) -> Any:
    """GFN2-xTB for ASE."""
    from tblite.ase import TBLite

    return TBLite(method="GFN2-xTB", multiplicity=multiplicity, verbosity=0)


def bonded(atoms: Atoms) -> np.ndarray:
    """(N, N) bool: closer than 1.3 times the sum of covalent radii; H2 has 1.25 of it."""
    radii = covalent_radii[atoms.numbers]
    near = atoms.get_all_distances() < 1.3 * (radii[:, None] + radii[None])
    return near & ~np.eye(len(atoms), dtype=bool)


def closest(numbers: np.ndarray, positions: np.ndarray) -> float:
    """Smallest distance of two atoms in sums of their covalent radii."""
    radii = covalent_radii[numbers]
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    return float((distance / (radii[:, None] + radii[None]) + 9.0 * np.eye(len(numbers))).min())


def acceptable(atoms: Atoms, multiplicity: int, max_force: float = MAX_FORCE) -> bool:
    """Whether no atoms are on top of each other and the GFN2-xTB forces are moderate."""
    if closest(atoms.numbers, atoms.positions) < MIN_DISTANCE:
        return False
    trial = atoms.copy()
    trial.calc = calculator(multiplicity)
    try:
        return bool(np.abs(trial.get_forces()).max() < max_force)
    except Exception:  # tblite raises its own when charges do not converge
        return False


@lru_cache(maxsize=4096)
def relaxed(smiles: str, multiplicity: int, seed: int = 1) -> tuple[Atoms, dict[int, int]]:
    """A minimum of GFN2-xTB, and the index of each atom by its number in the SMILES.

    Raises
    ------
    UnfitError
        RDKit finds no conformer, the relaxation does not end, or it makes another molecule.
    """
    from ase.optimize import BFGS

    atoms, numbered = embedded(smiles, seed)
    if len(atoms) == 1:
        return atoms, numbered
    graph = bonded(atoms)
    atoms.calc = calculator(multiplicity)
    try:
        done = BFGS(atoms, logfile=None).run(fmax=0.02, steps=300)
    except Exception as error:
        raise UnfitError(f"{smiles}: GFN2-xTB: {error}") from None
    if not done and np.abs(atoms.get_forces()).max() > 0.1:
        raise UnfitError(f"{smiles}: relaxation does not end")
    if "." not in smiles and (bonded(atoms) != graph).any():
        raise UnfitError(f"{smiles}: becomes another molecule when it is relaxed")
    atoms.calc = None
    return atoms, numbered


def embedded(smiles: str, seed: int) -> tuple[Atoms, dict[int, int]]:
    """RDKit's conformer with all hydrogens; the parts of ``A.B`` side by side.

    Raises
    ------
    UnfitError
        RDKit finds none.
    """
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    parts: list[Atoms] = []
    numbered: dict[int, int] = {}
    for part in smiles.split("."):
        molecule = parsed(part)
        if rdDistGeom.EmbedMolecule(molecule, randomSeed=seed) != 0:
            raise UnfitError(f"{smiles}: RDKit finds no conformer")
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(molecule) and molecule.GetNumAtoms() > 2:
            rdForceFieldHelpers.MMFFOptimizeMolecule(molecule)
        shift = sum(len(p) for p in parts)
        numbered |= {a.GetAtomMapNum(): shift + a.GetIdx() for a in molecule.GetAtoms() if a.GetAtomMapNum()}
        symbols = [a.GetSymbol() for a in molecule.GetAtoms()]
        parts.append(Atoms(symbols, molecule.GetConformer().GetPositions()))
    if len(parts) == 1:
        return parts[0], numbered
    return together(parts[0], parts[1], 0.95, np.random.default_rng(seed)), numbered


def parsed(smiles: str) -> Any:
    """RDKit's molecule with all hydrogens, those of the SMILES in their place."""
    from rdkit import Chem, rdBase

    rdBase.DisableLog("rdApp.*")
    settings: Any = Chem.SmilesParserParams()
    settings.removeHs = False
    return Chem.AddHs(Chem.MolFromSmiles(smiles, settings))


def together(first: Atoms, second: Atoms, contact: float, rng: np.random.Generator) -> Atoms:
    """Two molecules turned at random, at a closest `contact` in sums of van der Waals radii."""
    from e3d_lmp.training.data.placement import place_pair

    positions = place_pair([first.numbers, second.numbers], [first.positions, second.positions], contact, rng)
    return Atoms(np.concatenate([first.numbers, second.numbers]), positions)


@lru_cache(maxsize=4096)
def normal_modes(smiles: str, multiplicity: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Quanta ħω (M,), eV, and mass-weighted modes (M, N, 3) of the relaxed molecule, the slow ones left out
    (`SLOWEST`)."""
    atoms = relaxed(smiles, multiplicity, seed)[0].copy()
    count, step = 3 * len(atoms), 0.01
    hessian = np.zeros((count, count))
    atoms.calc = calculator(multiplicity)
    start = atoms.positions.copy()
    for row in range(count):
        forces = []
        for sign in (1.0, -1.0):
            moved = start.copy()
            moved.reshape(-1)[row] += sign * step
            atoms.positions = moved
            forces.append(atoms.get_forces().reshape(-1))
        hessian[row] = (forces[1] - forces[0]) / (2.0 * step)
    return modes_of(hessian, atoms.get_masses())


def modes_of(hessian: np.ndarray, masses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quanta ħω (M,), eV, and mass-weighted modes (M, N, 3) of a Hessian (3N, 3N), eV/angstrom², and masses
    (N,), u, the slow ones left out (`SLOWEST`)."""
    each = np.repeat(masses, 3)
    weighted = 0.5 * (hessian + hessian.T) / np.sqrt(each[:, None] * each[None])
    values, vectors = np.linalg.eigh(weighted)
    energies = HBAR * np.sqrt(np.maximum(values, 0.0))
    kept = energies > SLOWEST * units.invcm
    return energies[kept], vectors[:, kept].T.reshape(-1, len(masses), 3)


def displaced(
    smiles: str, multiplicity: int, temperature: float, rng: np.random.Generator, seed: int = 1
) -> Atoms:
    """A frame `shifted` along the normal modes at a temperature, K.

    Raises
    ------
    UnfitError
        None of 30 draws is `acceptable`.
    """
    atoms = relaxed(smiles, multiplicity, seed)[0]
    quanta, modes = normal_modes(smiles, multiplicity, seed)
    for _ in range(30):
        draw = shifted(atoms, quanta, modes, temperature, rng)
        if acceptable(draw, multiplicity):
            return draw
    raise UnfitError(f"{smiles}: no displaced frame at {temperature:g} K is acceptable")


def shifted(
    atoms: Atoms, quanta: np.ndarray, modes: np.ndarray, temperature: float, rng: np.random.Generator
) -> Atoms:
    """A draw from the harmonic molecule's quantum-mechanical positions at a temperature, K.

    <q²> = ħ/(2ω) coth(ħω/2kT) of each mass-weighted normal coordinate: stiff bonds keep their zero-point
    motion when it is cold.

    Parameters
    ----------
    quanta, modes : (M,) eV and (M, N, 3), as of `modes_of`
    """
    width = HBAR / np.sqrt(2.0 * quanta * np.tanh(quanta / (2.0 * units.kB * temperature)))
    shift = np.einsum("m,mnx->nx", rng.normal(size=len(width)) * width, modes)
    draw = atoms.copy()
    draw.positions += shift / np.sqrt(atoms.get_masses())[:, None]
    return draw


def sides(atoms: Atoms, i: int, j: int) -> tuple[list[int], list[int]]:
    """The atoms on the side of i and on that of j when their bond is cut.

    Raises
    ------
    UnfitError
        The bond is in a ring.
    """
    from scipy.sparse.csgraph import connected_components

    graph = bonded(atoms)
    graph[i, j] = graph[j, i] = False
    _, label = connected_components(graph)
    if label[i] == label[j]:
        raise UnfitError(f"bond {i}-{j} is in a ring")
    rest = [k for k in range(len(atoms)) if label[k] == label[j]]
    return [k for k in range(len(atoms)) if label[k] != label[j]], rest


def relaxed_part(part: Atoms, multiplicity: int) -> Atoms | None:
    """A fragment by itself, relaxed; None if it is an atom, does not end or becomes another molecule."""
    from ase.optimize import BFGS

    if len(part) == 1:
        return None
    atoms = part.copy()
    atoms.calc = calculator(multiplicity)
    try:
        BFGS(atoms, logfile=None).run(fmax=0.05, steps=100)
    except Exception:  # tblite raises its own when charges do not converge
        return None
    return atoms if (bonded(atoms) == bonded(part)).all() else None


def pulled(
    start: Atoms,
    ends: tuple[int, int],
    distance: float,
    parts: Sequence[tuple[list[int], Atoms | None]],
    rng: np.random.Generator,
) -> Atoms:
    """Atoms with the bond between two `ends` at a distance, angstrom.

    The second side moves along the bond. As it leaves, over 1.5 angstrom beyond 1.2 bond lengths, both sides
    take the shape of the relaxed fragments and turn a little.

    Parameters
    ----------
    parts : of each side its atoms, and it by itself as `relaxed_part` gives it; None keeps the shape
    """
    i, j = ends
    length = start.get_distance(i, j)
    away = float(np.clip((distance - 1.2 * length) / 1.5, 0.0, 1.0))
    atoms = start.copy()
    for anchor, (side, part) in zip(ends, parts, strict=True):
        own = atoms.positions[side]
        if part is not None:
            own = (1.0 - away) * own + away * fitted(part.positions, own)
        pivot = own[side.index(anchor)]
        turn = Rotation.from_rotvec(rng.normal(scale=0.25 * away, size=3))
        atoms.positions[side] = turn.apply(own - pivot) + start.positions[anchor]
    axis = (start.positions[j] - start.positions[i]) / length
    atoms.positions[parts[1][0]] += axis * (distance - length)
    return atoms


def fitted(positions: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`positions` (N, 3) moved and turned onto `target`, least squares (Kabsch)."""
    centre, goal = positions.mean(axis=0), target.mean(axis=0)
    with warnings.catch_warnings():  # of two atoms or a line any turn about it will do
        warnings.simplefilter("ignore")
        turn, _ = Rotation.align_vectors(target - goal, positions - centre)
    return turn.apply(positions - centre) + goal


def matched(reactant: Atoms, product: Atoms, rng: np.random.Generator, tries: int = 300) -> Atoms:
    """The product with atoms in the reactant's order and turned onto it: few bonds change, and by short ways.

    Raises
    ------
    UnfitError
        They are not made of the same atoms.
    """
    if sorted(reactant.numbers) != sorted(product.numbers):
        raise UnfitError("the two sides are not made of the same atoms")
    graph, other = bonded(reactant), bonded(product)
    home = reactant.positions - reactant.positions.mean(axis=0)
    best: tuple[float, float] = (np.inf, np.inf)
    order = np.arange(len(reactant))
    strange = 1e6 * (reactant.numbers[:, None] != product.numbers[None])
    for _ in range(tries):
        moved = Rotation.random(rng=rng).apply(product.positions - product.positions.mean(axis=0))
        for _ in range(4):
            _, columns = linear_sum_assignment(((home[:, None] - moved[None]) ** 2).sum(axis=-1) + strange)
            moved = fitted(moved[columns], home)[np.argsort(columns)]
        changes = float((graph != other[np.ix_(columns, columns)]).sum()) / 2.0
        score = (changes, float(((home - moved[columns]) ** 2).sum()))
        if score < best:
            best, order = score, columns
    turned = product[order]
    turned.positions = fitted(turned.positions, reactant.positions)
    return turned


def path(reactant: Atoms, product: Atoms, multiplicity: int, images: int, steps: int) -> list[Atoms]:
    """Images between two geometries: image-dependent pair potential, then some steps of a nudged elastic band
    with GFN2-xTB."""
    from ase.mep import NEB
    from ase.optimize import FIRE

    band = [reactant.copy(), *(reactant.copy() for _ in range(images)), product.copy()]
    neb = NEB(band, method="improvedtangent", remove_rotation_and_translation=True)
    neb.interpolate("idpp")
    for image in band:
        image.calc = calculator(multiplicity)
    try:
        FIRE(neb, logfile=None, maxstep=0.1).run(fmax=0.3, steps=steps)
    except Exception as error:  # charges that do not converge
        raise UnfitError(f"path: {error}") from None
    for image in band:
        image.calc = None
    return band[1:-1]
