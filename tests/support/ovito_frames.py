"""Frames whose atoms have positions, in all the files from which OVITO can take them, and how to compare."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.edges.frames import AtomRows, Box, EdgeFrame
from e3d_lmp.edges.store.writer import StoreWriter
from edge_frames import dump_header, plain_pairs

ELEMENTS = ("C", "H", "N", "O")

Snapshot = tuple[EdgeFrame, AtomRows]


def snapshot(
    rng: np.random.Generator,
    n_atoms: int,
    cell: np.ndarray,
    cutoff: float,
    step: int = 0,
    pbc: tuple[bool, bool, bool] = (True, True, True),
    wrapped: bool = True,
) -> Snapshot:
    """All edges within a cutoff of random atoms with random ids, image by image; not always wrapped."""
    types = rng.integers(1, len(ELEMENTS) + 1, n_atoms).astype(np.int32)
    ids = np.sort(rng.choice(np.arange(1, 4 * n_atoms + 1), n_atoms, replace=False)).astype(np.int64)
    origin = rng.uniform(-3.0, 3.0, 3)
    home = rng.uniform(0.0, 1.0, (n_atoms, 3)) @ cell + origin
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    spans = [
        range(-n, n + 1) if periodic else range(1)
        for n, periodic in zip(np.ceil(cutoff / heights).astype(int) + 1, pbc, strict=True)
    ]
    rows = []
    for shift in itertools.product(*spans):
        vecs = home[None, :] + np.array(shift) @ cell - home[:, None]
        for i, j in np.argwhere(np.linalg.norm(vecs, axis=2) <= cutoff):
            if i != j or any(shift):
                rows.append((ids[i], ids[j], types[i], types[j], vecs[i, j]))
    rng.shuffle(rows)
    moved = np.zeros((n_atoms, 3)) if wrapped else rng.integers(-2, 3, (n_atoms, 3)) * np.array(pbc)
    frame = EdgeFrame(
        step=step,
        box=Box(cell, origin, np.array(pbc)),
        i=np.array([row[0] for row in rows], dtype=np.int64),
        j=np.array([row[1] for row in rows], dtype=np.int64),
        type_i=np.array([row[2] for row in rows], dtype=np.int32),
        type_j=np.array([row[3] for row in rows], dtype=np.int32),
        vec=np.array([row[4] for row in rows]).reshape(-1, 3),
        eps=rng.normal(-2.0, 0.7, len(rows)),
    )
    return frame, AtomRows(ids, types, np.array(ELEMENTS)[types - 1], home + moved @ cell)


def chain(D: Sequence[float], A: Sequence[float] = (), step: int = 0, distance: float = 1.5) -> Snapshot:
    """Dimers C-C along x, each above the one before, with these D and A; no cell."""
    n = len(D)
    asymmetry = np.zeros(n) if not len(A) else np.asarray(A)
    e12, e21 = 0.5 * (np.asarray(D) + asymmetry), 0.5 * (np.asarray(D) - asymmetry)
    first = 2 * np.arange(n) + 1
    vec = np.tile([distance, 0.0, 0.0], (n, 1))
    frame = EdgeFrame(
        step=step,
        box=Box(np.zeros((3, 3)), np.zeros(3), np.zeros(3, dtype=bool)),
        i=np.concatenate([first, first + 1]),
        j=np.concatenate([first + 1, first]),
        type_i=np.ones(2 * n, dtype=np.int32),
        type_j=np.ones(2 * n, dtype=np.int32),
        vec=np.concatenate([vec, -vec]),
        eps=np.concatenate([e12, e21]),
    )
    position = np.zeros((2 * n, 3))
    position[1::2, 0] = distance
    position[:, 1] = np.repeat(1.5 * np.arange(n), 2)
    kinds = np.ones(2 * n, dtype=np.int32)
    return frame, AtomRows(np.arange(1, 2 * n + 1), kinds, np.full(2 * n, "C"), position)


def write_store(path: Path, snapshots: Sequence[Snapshot], **options: Any) -> Path:
    """An edge store with positions and elements."""
    with StoreWriter(
        path, request={"test": 1}, elements=ELEMENTS, atom_columns=("position",), **options
    ) as writer:
        for frame, atoms in snapshots:
            writer.append(frame, atoms)
    return path


def write_atoms(path: Path, snapshots: Sequence[Snapshot], columns: str = "id type element x y z") -> Path:
    """A dump of the atoms, in an order of their own."""
    lines = []
    for frame, atoms in snapshots:
        lines += dump_header(frame, "ATOMS", len(atoms.id))
        lines += ["ITEM: ATOMS " + columns]
        assert atoms.position is not None
        for k in np.random.default_rng(frame.step).permutation(len(atoms.id)):
            x, y, z = (f"{value:.17g}" for value in atoms.position[k])
            words = {
                "id": atoms.id[k],
                "type": atoms.type[k],
                "element": atoms.element[k],
                "x": x,
                "y": y,
                "z": z,
            }
            lines.append(" ".join(str(words[name]) for name in columns.split()))
    path.write_text("\n".join(lines) + "\n")
    return path


def expected_bonds(frame: EdgeFrame, cutoff: float) -> list[tuple]:
    """Sorted (label, i, j, vec, e12, e21), the plain way."""
    bond = np.full((len(ELEMENTS), len(ELEMENTS)), cutoff)
    return plain_pairs(frame, ELEMENTS, bond)


def ovito_bonds(data: Any) -> list[tuple]:
    """The same of what OVITO has: vectors from its positions, cell and periodic images."""
    particles, bonds = data.particles, data.particles.bonds
    topology = np.asarray(bonds.topology)
    positions, ids = np.asarray(particles.positions), np.asarray(particles.identifiers)
    vec = positions[topology[:, 1]] - positions[topology[:, 0]]
    if data.cell is not None:
        vec = vec + np.asarray(bonds.pbc_vectors) @ np.asarray(data.cell)[:, :3].T
    names = {each.id: each.name for each in bonds.bond_types.types}
    labels = [names[int(kind)] for kind in bonds.bond_types]
    e12, e21 = np.asarray(bonds["e12"]), np.asarray(bonds["e21"])
    np.testing.assert_array_equal(np.asarray(bonds["D"]), e12 + e21)
    np.testing.assert_array_equal(np.asarray(bonds["A"]), e12 - e21)
    np.testing.assert_allclose(np.asarray(bonds["Length"]), np.linalg.norm(vec, axis=1), atol=1e-9)
    rows = zip(labels, ids[topology[:, 0]], ids[topology[:, 1]], vec, e12, e21, strict=True)
    return [(label, int(i), int(j), tuple(v), float(a), float(b)) for label, i, j, v, a, b in rows]


def assert_same_bonds(data: Any, frame: EdgeFrame, cutoff: float) -> None:
    """OVITO's bonds are all pairs of the frame, with the same energies, vectors and ends."""
    got, expected = ovito_bonds(data), expected_bonds(frame, cutoff)

    def key(row: tuple) -> tuple:
        return (*row[:3], *np.round(row[3], 6))

    got, expected = sorted(got, key=key), sorted(expected, key=key)
    assert [row[:3] for row in got] == [row[:3] for row in expected]
    vectors = (np.array([row[3] for row in rows]).reshape(-1, 3) for rows in (got, expected))
    np.testing.assert_allclose(*vectors, atol=1e-9)
    assert [row[4:] for row in got] == [row[4:] for row in expected]
