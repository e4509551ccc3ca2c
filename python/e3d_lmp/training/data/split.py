"""Split by molecule: no molecule of the test set was seen in training, whatever subset it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from ase.data import chemical_symbols, covalent_radii

PARTS = ("train", "val", "test")


BOND = 1.25
"""Two atoms are bonded within so many times the sum of their covalent radii."""


def bonded_pairs(atomic_numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(B, 2) int64, pairs of bonded atoms, each once, the lower number first.

    Parameters
    ----------
    atomic_numbers : (N,) int
    positions : (N, 3) float64, angstrom
    """
    radii = covalent_radii[atomic_numbers]
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    return np.argwhere(np.triu(distance < BOND * (radii[:, None] + radii[None]), k=1))


def molecule_key(atomic_numbers: np.ndarray, positions: np.ndarray) -> str:
    """Hash of the bond graph (Weisfeiler-Lehman), the same for every order, conformer and mirror image.

    Bonds are those of `bonded_pairs`. A cluster is one graph.

    Parameters
    ----------
    atomic_numbers : (N,) int
    positions : (N, 3) float64, angstrom
    """
    neighbours: list[list[int]] = [[] for _ in atomic_numbers]
    for i, j in bonded_pairs(atomic_numbers, positions).tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    colours = [str(int(z)) for z in atomic_numbers]
    for _ in range(min(len(colours), 12)):
        colours = [
            hashlib.sha256(
                (colours[i] + "|" + ",".join(sorted(colours[j] for j in neighbours[i]))).encode()
            ).hexdigest()[:16]
            for i in range(len(colours))
        ]
    return hashlib.sha256(",".join(sorted(colours)).encode()).hexdigest()[:16]


def crystal_key(atomic_numbers: np.ndarray) -> str:
    """Reduced formula: all crystals of a composition, of whatever cell and structure, have one key."""
    numbers, counts = np.unique(atomic_numbers, return_counts=True)
    counts = counts // np.gcd.reduce(counts)
    return "crystal " + "".join(
        f"{chemical_symbols[z]}{count if count > 1 else ''}" for z, count in zip(numbers, counts, strict=True)
    )


def linked_keys(keys: Iterable[Sequence[str]]) -> list[str]:
    """One key for each molecule, the same for all that are linked by common keys: the first of theirs.

    Parameters
    ----------
    keys : the keys of each molecule; a reaction has those of its reactant and its product
    """
    rows = [tuple(row) for row in keys]
    parent = {key: key for row in rows for key in row}

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = key = parent[parent[key]]
        return key

    for row in rows:
        for key in row[1:]:
            one, other = sorted((root(row[0]), root(key)))
            parent[other] = one
    return [root(row[0]) for row in rows]


def split_by_molecule(
    keys: Mapping[str, Sequence[str]], fractions: Mapping[str, float], seed: int
) -> dict[str, str]:
    """Part ('train', 'val' or 'test') of each molecule key.

    Parameters
    ----------
    keys : per subset, the keys of its molecules; a key may be in several subsets. The subsets have their turn
        in this order, and later ones change nothing for earlier ones
    fractions : 'val' and 'test' share of the molecules, per subset, rounded but at least one molecule of each
        where the subset has three or more, none of a smaller one
    seed : of the shuffle; the same seed and keys give the same split
    """
    part: dict[str, str] = {}
    rng = np.random.default_rng(seed)
    for members in keys.values():
        unique = sorted(set(members))
        order = [unique[i] for i in rng.permutation(len(unique))]
        enough = len(unique) >= 3
        wanted = {
            name: max(round(fractions[name] * len(unique)), 1) if enough else 0 for name in ("test", "val")
        }
        for key in order:
            if key in part:  # assigned by another subset: its part is kept
                if part[key] in wanted:
                    wanted[part[key]] -= 1
                continue
            for name in ("test", "val"):
                if wanted[name] > 0:
                    part[key] = name
                    wanted[name] -= 1
                    break
            else:
                part[key] = "train"
    return part
