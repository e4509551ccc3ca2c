"""Frames that occur twice: once is enough, and a copy in another set would be a leak."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.training.data.records import Dropped, Molecule

TOLERANCE = 1e-4
"""Angstrom: two frames whose atoms are all within this of each other are one."""


@dataclass(frozen=True)
class _Frame:
    rank: int
    molecule: int
    frame: int
    descriptor: float
    window: float


def without_duplicates(
    molecules: Sequence[Molecule], ranks: Sequence[int], dropped: Dropped
) -> list[Molecule | None]:
    """The molecules without frames that an earlier one has too; None where none is left.

    Frames of molecules are the same up to rotation, reflection and the order of the atoms; frames of crystals
    up to rotation, and lattice vectors added to atoms.

    Parameters
    ----------
    ranks : of each molecule: of two equal frames the one of the lower rank is kept, then the earlier one
    dropped : counts them
    """
    double = same_frames(molecules, ranks)
    result: list[Molecule | None] = []
    for index, molecule in enumerate(molecules):
        keep = np.array([(index, frame) not in double for frame in range(len(molecule))], dtype=bool)
        dropped.frames["duplicate"] += int((~keep).sum())
        if not keep.any():
            dropped.molecules["only duplicates"] += 1
        result.append(molecule.take(keep) if keep.any() else None)
    return result


def same_frames(
    molecules: Sequence[Molecule], ranks: Sequence[int]
) -> dict[tuple[int, int], tuple[int, int]]:
    """Frames that an earlier one equals: (molecule, frame) -> (molecule, frame) of the first."""
    buckets: dict[tuple[bytes, bool], list[_Frame]] = defaultdict(list)
    for index, molecule in enumerate(molecules):
        kind = (np.sort(molecule.atomic_numbers).tobytes(), molecule.cell is not None)
        for frame in range(len(molecule)):
            descriptor, window = _descriptor(molecule, frame)
            buckets[kind].append(_Frame(ranks[index], index, frame, descriptor, window))
    first: dict[tuple[int, int], tuple[int, int]] = {}
    for frames in buckets.values():
        frames.sort(key=lambda f: f.descriptor)
        for start, one in enumerate(frames):
            for other in frames[start + 1 :]:
                if other.descriptor - one.descriptor > one.window:
                    break
                if not _equal(molecules, one, other):
                    continue
                kept, double = sorted((one, other), key=lambda f: (f.rank, f.molecule, f.frame))
                first.setdefault((double.molecule, double.frame), (kept.molecule, kept.frame))
    for key in first:
        while first[key] in first:
            first[key] = first[first[key]]
    return first


def _descriptor(molecule: Molecule, frame: int) -> tuple[float, float]:
    """A number that equal frames share, and by how much it may differ between them."""
    if molecule.cell is not None:
        volume = abs(float(np.linalg.det(molecule.cell[frame])))
        return volume, 10.0 * TOLERANCE * volume ** (2 / 3)
    distance = _distances(molecule.positions[frame])
    return float((1.0 / distance).sum()), float((4.0 * TOLERANCE / distance**2).sum())


def _distances(positions: np.ndarray) -> np.ndarray:
    rows, columns = np.triu_indices(len(positions), k=1)
    return np.linalg.norm(positions[columns] - positions[rows], axis=1)


def _equal(molecules: Sequence[Molecule], one: _Frame, other: _Frame) -> bool:
    a, b = molecules[one.molecule], molecules[other.molecule]
    if a.cell is not None and b.cell is not None:
        if not np.array_equal(a.atomic_numbers, b.atomic_numbers):
            return False
        cells = a.cell[one.frame], b.cell[other.frame]
        metric = [cell @ cell.T for cell in cells]
        longest = float(np.sqrt(np.diag(metric[0]).max()))
        if np.abs(metric[0] - metric[1]).max() > 4.0 * TOLERANCE * longest:
            return False
        shift = a.positions[one.frame] @ np.linalg.inv(cells[0]) - b.positions[other.frame] @ np.linalg.inv(
            cells[1]
        )
        return bool(np.abs((shift - np.round(shift)) @ cells[0]).max() <= 2.0 * TOLERANCE)
    fingerprints = [_fingerprint(a, one.frame), _fingerprint(b, other.frame)]
    return bool(np.abs(fingerprints[0] - fingerprints[1]).max(initial=0.0) <= 4.0 * TOLERANCE)


def _fingerprint(molecule: Molecule, frame: int) -> np.ndarray:
    """Distances in order, within each pair of elements."""
    rows, columns = np.triu_indices(len(molecule.atomic_numbers), k=1)
    pair = np.sort(molecule.atomic_numbers[np.stack([rows, columns])], axis=0)
    distance = _distances(molecule.positions[frame])
    order = np.lexsort((distance, pair[1], pair[0]))
    return distance[order]
