"""Small edge stores with positions, for pages: molecules without a box, and a liquid in one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from e3d_lmp.edges.frames import AtomRows, Box, EdgeFrame
from e3d_lmp.edges.store.writer import StoreWriter
from edge_frames import random_cell

ELEMENTS = ("C", "H", "O")
CUTOFF = 2.0


def edges_between(
    positions: np.ndarray, types: np.ndarray, box: Box, step: int, rng: np.random.Generator
) -> EdgeFrame:
    """All directed edges up to `CUTOFF`, image by image; ids from 1; energies by type, with noise."""
    spans = [(-1, 0, 1) if periodic else (0,) for periodic in box.pbc]
    shifts = np.stack(np.meshgrid(*spans, indexing="ij"), axis=-1).reshape(-1, 3)
    rows = []
    for shift in shifts:
        vecs = positions[None] + shift @ box.cell - positions[:, None]
        near = np.linalg.norm(vecs, axis=2) < CUTOFF
        rows += [(i, j, vecs[i, j]) for i, j in np.argwhere(near) if i != j or shift.any()]
    i, j = (np.array([row[k] for row in rows], dtype=np.int64) for k in (0, 1))
    vec = np.array([row[2] for row in rows]).reshape(-1, 3)
    eps = -1.5 - 0.4 * types[i] - 0.1 * types[j] + rng.normal(0.0, 0.08, i.size)
    return EdgeFrame(step, box, i + 1, j + 1, types[i], types[j], vec, eps)


def _write(path: Path, frames: list[EdgeFrame], atoms: list[AtomRows], name: str | None) -> Path:
    with StoreWriter(
        path,
        request={"command": "test"},
        elements=ELEMENTS,
        provenance={"test": "<b>text</b>"},
        frame_columns=["name"] if name else [],
        atom_columns=["position"],
    ) as writer:
        for frame, rows in zip(frames, atoms, strict=True):
            writer.append(frame, rows, **({"name": f"{name} {frame.step}"} if name else {}))
    return path


def _atoms(positions: np.ndarray, types: np.ndarray) -> AtomRows:
    symbols = np.array(["", *ELEMENTS])[types]
    return AtomRows(np.arange(1, types.size + 1), types, symbols, positions)


def write_molecules(path: Path, n: int = 12, name: str = "molecule") -> Path:
    """A store of n different clusters of 9 atoms in no box."""
    rng = np.random.default_rng(5)
    box = Box(np.zeros((3, 3)), np.zeros(3), np.zeros(3, dtype=bool))
    grid = np.stack(np.meshgrid(*[np.arange(3.0)] * 2, [0.0]), axis=-1).reshape(-1, 3)
    frames, atoms = [], []
    for step in range(n):
        positions = 1.35 * grid + rng.normal(0.0, 0.08, grid.shape)
        types = rng.permutation([1, 1, 1, 1, 2, 2, 2, 3, 3]).astype(np.int32)
        frames.append(edges_between(positions, types, box, step, rng))
        atoms.append(_atoms(positions, types))
    return _write(path, frames, atoms, name)


def write_liquid(path: Path, n: int = 3, pbc: tuple[bool, bool, bool] = (True, True, True)) -> Path:
    """A store of n frames of 40 atoms in a small tilted box, smaller than the spheres that pages show; atoms
    are outside it, as unwrapped positions of a run are."""
    rng = np.random.default_rng(6)
    box = Box(random_cell(rng, 7.0, 8.0, True), np.array([-1.0, 2.0, 0.5]), np.array(pbc))
    types = rng.integers(1, 4, 40).astype(np.int32)
    scaled = rng.uniform(0.0, 1.0, (40, 3))
    frames, atoms = [], []
    for step in range(n):
        scaled = scaled + rng.normal(0.0, 0.01, scaled.shape)
        positions = box.origin + scaled @ box.cell
        frames.append(edges_between(positions, types, box, 100 * step, rng))
        hops = rng.integers(-1, 2, scaled.shape) * np.array(pbc)
        atoms.append(_atoms(positions + hops @ box.cell, types))
    return _write(path, frames, atoms, None)


def write_pairs(path: Path, D: np.ndarray, A: np.ndarray) -> Path:
    """A store of C-H molecules, one for each D and A, (n,) eV, 1.09 angstrom long."""
    box = Box(np.zeros((3, 3)), np.zeros(3), np.zeros(3, dtype=bool))
    types = np.array([1, 2], dtype=np.int32)
    positions = np.array([[0.0, 0.0, 0.0], [0.6, 0.9, 0.14]])
    vec = positions[[1, 0]] - positions
    frames = [
        EdgeFrame(
            step,
            box,
            np.array([1, 2]),
            np.array([2, 1]),
            types,
            types[::-1].copy(),
            vec,
            np.array([d + a, d - a]) / 2.0,
        )
        for step, (d, a) in enumerate(zip(D, A, strict=True))
    ]
    return _write(path, frames, [_atoms(positions, types)] * len(frames), "pair")
