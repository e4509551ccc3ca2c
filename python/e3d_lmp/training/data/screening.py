"""Frames that are not worth learning from: not finite, too large a force, atoms on top of each other."""

from __future__ import annotations

import numpy as np
from ase.data import covalent_radii

from e3d_lmp.training.data.records import Molecule, Wanted


def screened(molecule: Molecule, wanted: Wanted) -> Molecule | None:
    """The sound frames of a molecule, None where none is left; the others are counted in `wanted.dropped`."""
    finite = np.isfinite(molecule.energy) & np.isfinite(molecule.positions).all(axis=(1, 2))
    largest = np.zeros(len(molecule))
    if wanted.forces:
        without = np.isnan(molecule.forces).all(axis=(1, 2)) & wanted.energies_alone
        finite &= np.isfinite(molecule.forces).all(axis=(1, 2)) | without
        largest = np.abs(np.nan_to_num(molecule.forces, nan=0.0)).max(axis=(1, 2))
    for label in (molecule.velocities, molecule.heat_current):
        if label is not None:
            finite &= np.isfinite(label).all(axis=tuple(range(1, label.ndim)))
    if molecule.cell is not None:
        finite &= np.isfinite(molecule.cell).all(axis=(1, 2))
        finite &= np.abs(np.linalg.det(np.nan_to_num(molecule.cell))) > 1e-6
    calm = largest <= wanted.max_force
    apart = np.zeros(len(molecule), dtype=bool)
    keep = finite & calm
    sound = molecule.take(keep)
    if molecule.cell is None:
        ratio = closest_ratio(molecule.atomic_numbers, sound.positions)
    else:
        ratio = np.array(
            [_closest_in_crystal(sound, frame, wanted.min_distance) for frame in range(len(sound))]
        )
    apart[keep] = ratio >= wanted.min_distance
    count = wanted.dropped.frames
    count["not finite"] += int((~finite).sum())
    count[f"force component above {wanted.max_force:g} eV/angstrom"] += int((finite & ~calm).sum())
    count[f"atoms closer than {wanted.min_distance:g} of their covalent radii"] += int((keep & ~apart).sum())
    keep &= apart
    if not keep.any():
        wanted.dropped.molecules["no frame left"] += 1
        return None
    return molecule.take(keep)


def closest_ratio(atomic_numbers: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(F,) float64, per frame the smallest distance over the sum of covalent radii (inf for one atom).

    Parameters
    ----------
    atomic_numbers : (N,) int
    positions : (F, N, 3) float64, angstrom, no periodic images
    """
    radii = covalent_radii[atomic_numbers]
    rows, columns = np.triu_indices(len(atomic_numbers), k=1)
    if len(rows) == 0:
        return np.full(len(positions), np.inf)
    sums = radii[rows] + radii[columns]
    return np.array(
        [(np.linalg.norm(frame[columns] - frame[rows], axis=1) / sums).min() for frame in positions]
    )


def _closest_in_crystal(molecule: Molecule, frame: int, limit: float) -> float:
    """As `closest_ratio`, images included; inf where no pair is closer than `limit`."""
    from matscipy.neighbours import neighbour_list

    assert molecule.cell is not None
    radii = covalent_radii[molecule.atomic_numbers]
    i, j, distance = neighbour_list(
        "ijd",
        positions=molecule.positions[frame],
        cell=molecule.cell[frame],
        pbc=molecule.pbc,
        cutoff=2.0 * limit * float(radii.max()),
    )
    return float((distance / (radii[i] + radii[j])).min()) if len(i) else np.inf
