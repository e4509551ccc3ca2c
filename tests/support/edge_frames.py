"""Synthetic directed edges, the plain way: what the readers and the pairing are tested with."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from ase import Atoms

from e3d_lmp.edges.frames import AtomRows, BondFrame, Box, EdgeFrame

BOND_NAMES = ("tag1", "tag2", "type1", "type2", "dist", "dx", "dy", "dz", "e12", "e21", "D", "A")
NAMES = ("tag1", "tag2", "type1", "type2", "dist", "dx", "dy", "dz", "eps")


def random_cell(rng: np.random.Generator, smallest: float, largest: float, triclinic: bool) -> np.ndarray:
    """(3, 3) lower-triangular cell with edges between two lengths."""
    cell = np.diag(rng.uniform(smallest, largest, 3))
    if triclinic:
        cell[1, 0], cell[2, 0], cell[2, 1] = rng.uniform(-0.5, 0.5, 3) * [cell[0, 0], cell[0, 0], cell[1, 1]]
    return cell


def random_frame(
    rng: np.random.Generator,
    n_atoms: int,
    cell: np.ndarray,
    cutoffs: np.ndarray,
    ids: np.ndarray | None = None,
    step: int = 0,
) -> EdgeFrame:
    """Edges of random atoms in a periodic box; `cutoffs` (n, n) by types from 0, row: centre. Shuffled."""
    types = rng.integers(0, len(cutoffs), n_atoms)
    positions = rng.uniform(0.0, 1.0, (n_atoms, 3)) @ cell
    ids = np.arange(1, n_atoms + 1) if ids is None else ids
    longest = cutoffs.max()
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    spans = [range(-n, n + 1) for n in np.ceil(longest / heights).astype(int) + 1]
    rows = []
    for shift in itertools.product(*spans):
        vecs = positions[None, :] + np.array(shift) @ cell - positions[:, None]
        is_near = np.linalg.norm(vecs, axis=2) <= cutoffs[types[:, None], types[None, :]]
        for i, j in np.argwhere(is_near):
            if i != j or any(shift):
                rows.append((ids[i], ids[j], types[i] + 1, types[j] + 1, vecs[i, j]))
    rng.shuffle(rows)
    return EdgeFrame(
        step=step,
        box=Box(cell, np.zeros(3), np.ones(3, dtype=bool)),
        i=np.array([row[0] for row in rows], dtype=np.int64),
        j=np.array([row[1] for row in rows], dtype=np.int64),
        type_i=np.array([row[2] for row in rows], dtype=np.int32),
        type_j=np.array([row[3] for row in rows], dtype=np.int32),
        vec=np.array([row[4] for row in rows]).reshape(-1, 3),
        eps=rng.normal(-2.0, 0.7, len(rows)),
    )


def take(frame: EdgeFrame, rows: np.ndarray) -> EdgeFrame:
    """Some edges of a frame, in the order given."""
    arrays = (frame.i, frame.j, frame.type_i, frame.type_j, frame.vec, frame.eps)
    return EdgeFrame(frame.step, frame.box, *(a[rows] for a in arrays))


def plain_pairs(frame: EdgeFrame, elements: tuple[str, ...], bond: np.ndarray | None = None) -> list[tuple]:
    """Sorted (label, i, j, vec, e12, e21) of every pair, edge by edge; an absent partner counts as 0."""
    edges = [
        (int(i), int(j), int(a) - 1, int(b) - 1, vec, float(eps))
        for i, j, a, b, vec, eps in zip(
            frame.i, frame.j, frame.type_i, frame.type_j, frame.vec, frame.eps, strict=True
        )
    ]
    pairs = []
    for i, j, a, b, vec, eps in edges:
        if bond is not None and np.linalg.norm(vec) > bond[a, b]:
            continue
        partner = [e for e in edges if e[:2] == (j, i) and np.linalg.norm(e[4] + vec) < 1e-3]
        key_i, key_j = ((elements[t] == "H", elements[t]) for t in (a, b))
        if key_i != key_j:
            is_first = key_i < key_j
        elif i != j:
            is_first = i < j
        else:
            is_first = next(x > 0 for x in vec[::-1] if abs(x) > 1e-3)
        if is_first:
            pairs.append(
                (f"{elements[a]}-{elements[b]}", i, j, tuple(vec), eps, partner[0][5] if partner else 0.0)
            )
        elif not partner:
            pairs.append((f"{elements[b]}-{elements[a]}", j, i, tuple(-vec), 0.0, eps))
    return sorted(pairs)


def bonds_of(frame: EdgeFrame, elements: tuple[str, ...], bond: np.ndarray | None = None) -> BondFrame:
    """The pairs of `plain_pairs` as compute e3d/pair/local gives them, in an order of their own."""
    rows = plain_pairs(frame, elements, bond)[::-1]
    types = dict(zip([*frame.i, *frame.j], [*frame.type_i, *frame.type_j], strict=True))
    i, j = (np.array([row[k] for row in rows], dtype=np.int64) for k in (1, 2))
    type_i, type_j = (np.array([types[n] for n in ids], dtype=np.int32) for ids in (i, j))
    vec = np.array([row[3] for row in rows]).reshape(-1, 3)
    e12, e21 = (np.array([row[k] for row in rows], dtype=np.float64) for k in (4, 5))
    return BondFrame(frame.step, frame.box, i, j, type_i, type_j, vec, e12, e21)


def dump_header(frame: EdgeFrame | BondFrame, things: str, count: int) -> list[str]:
    """Lines of a LAMMPS dump above ``ITEM: ENTRIES`` or ``ITEM: ATOMS``; bounding box of a tilted cell."""
    cell, low = frame.box.cell, frame.box.origin
    xy, xz, yz = cell[1, 0], cell[2, 0], cell[2, 1]
    bounds = [
        (low[0] + min(0, xy, xz, xy + xz), low[0] + cell[0, 0] + max(0, xy, xz, xy + xz), xy),
        (low[1] + min(0, yz), low[1] + cell[1, 1] + max(0, yz), xz),
        (low[2], low[2] + cell[2, 2], yz),
    ]
    tilted = bool(xy or xz or yz)
    return [
        *("ITEM: TIMESTEP", str(frame.step), f"ITEM: NUMBER OF {things}", str(count)),
        "ITEM: BOX BOUNDS " + ("xy xz yz " if tilted else "") + "pp pp pp",
        *(" ".join(f"{x:.17g}" for x in row[: 3 if tilted else 2]) for row in bounds),
    ]


def write_dump(
    path: Path,
    frames: Sequence[EdgeFrame | BondFrame],
    float_format: str = "%.17g",
    columns: tuple[str, ...] | None = None,
    names: tuple[str, ...] | None = None,
) -> Path:
    """Write frames as ``dump local`` does: blank after each number, bounding box of a tilted cell."""
    lines = []
    known = NAMES if isinstance(frames[0], EdgeFrame) else BOND_NAMES
    columns = columns or known
    for frame in frames:
        lines += dump_header(frame, "ENTRIES", len(frame.i))
        lines += ["ITEM: ENTRIES " + " ".join(names or columns) + " "]
        dist = np.linalg.norm(frame.vec, axis=1)
        values = [frame.i, frame.j, frame.type_i, frame.type_j, dist, *frame.vec.T]
        values += [frame.eps] if isinstance(frame, EdgeFrame) else [frame.e12, frame.e21, frame.D, frame.A]
        table = [dict(zip(known, row, strict=True)) for row in zip(*values, strict=True)]
        lines += ["".join(float_format % row[name] + " " for name in columns) for row in table]
    text = "\n".join(lines) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def assert_same_frame(got: EdgeFrame | BondFrame, expected: EdgeFrame | BondFrame) -> None:
    """Exactly the same edges or bonds in the same order."""
    assert got.step == expected.step and type(got) is type(expected)
    for name in [each.name for each in fields(expected)][2:]:
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
        assert getattr(got, name).dtype == getattr(expected, name).dtype, name


def molecule_frame(
    atoms: Atoms,
    elements: tuple[str, ...],
    ids: np.ndarray | None = None,
    step: int = 0,
    energy: Callable[[str, str, float], float] = lambda a, b, r: -1.0 / r,
    cutoff: float = 4.0,
) -> EdgeFrame:
    """All edges of an open structure; ``energy(centre, neighbour, distance)`` gives that of each, eV."""
    symbols = atoms.get_chemical_symbols()
    ids = np.arange(1, len(atoms) + 1) if ids is None else ids
    vecs = atoms.positions[None, :] - atoms.positions[:, None]
    distance = np.linalg.norm(vecs, axis=2)
    i, j = np.nonzero((distance < cutoff) & ~np.eye(len(atoms), dtype=bool))
    types = np.array([elements.index(symbol) + 1 for symbol in symbols], dtype=np.int32)
    eps = [energy(symbols[a], symbols[b], distance[a, b]) for a, b in zip(i, j, strict=True)]
    box = Box(np.array(atoms.cell), np.zeros(3), np.zeros(3, dtype=bool))
    return EdgeFrame(
        step, box, ids[i], ids[j], types[i], types[j], vecs[i, j], np.array(eps, dtype=np.float64)
    )


def atom_rows(
    atoms: Atoms, elements: tuple[str, ...], ids: np.ndarray | None = None, **more: np.ndarray
) -> AtomRows:
    """The atoms of `molecule_frame` by ids; `more`: further columns in the order of `atoms`."""
    symbols = np.array(atoms.get_chemical_symbols())
    ids = np.arange(1, len(atoms) + 1) if ids is None else ids
    order = np.argsort(ids)
    types = np.array([elements.index(symbol) + 1 for symbol in symbols], dtype=np.int32)
    return AtomRows(ids[order], types[order], symbols[order], **{k: v[order] for k, v in more.items()})
