"""Whether an HDF5 file is an edge store: what has to be there when it is opened, what numbers must be.

All functions raise `ValueError`, whose message says what is wrong.
"""

from __future__ import annotations

import h5py
import numpy as np

from e3d_lmp.edges.hdf5 import check_dataset

ROWS = {"i": "i", "j": "i", "vec": "f", "eps": "f", "e12": "f", "e21": "f"}
"""Kind of each column of edges and pairs, as `check_dataset` names kinds."""

ATOMS = {"id": "i", "type": "i", "element": "S", "position": "f", "force": "f", "reference_force": "f"}
FRAMES = {"step": "i", "edge_offset": "i", "atom_offset": "i", "cell": "f", "origin": "f", "pbc": "i"}
TAILS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("vec", "position", "force", "reference_force", "origin", "pbc"), (3,)),
    **dict.fromkeys(("edge_offset", "atom_offset"), (2,)),
    "cell": (3, 3),
}
OPTIONAL = ("position", "force", "reference_force")


def check_layout(
    file: h5py.File, kind: str, columns: tuple[str, ...], more: dict[str, str]
) -> tuple[int, bool]:
    """Number of whole frames of a store, and whether its writer finished.

    Parameters
    ----------
    kind, columns
        Name of the group of edges or pairs, and of its columns.
    more
        Further columns of frames that there may be, and their kinds.
    """
    for name in ("frames", "atoms", kind):
        if not isinstance(file[name], h5py.Group):
            raise ValueError(f"'/{name}' is no group")
    state = check_dataset(file["frames"], "state", "i")
    if state.shape[0] < 2:
        raise ValueError("'/frames/state' has fewer than two numbers")
    frames, complete = (int(value) for value in state[:2])
    if frames < 0 or complete not in (0, 1):
        raise ValueError(f"'/frames/state' is {frames} {complete}")
    for name, kinds in FRAMES.items():
        check_dataset(file["frames"], name, kinds, TAILS.get(name, ()), frames)
    for name, kinds in more.items():
        if name in file["frames"]:
            check_dataset(file["frames"], name, kinds, (), frames)
    edges, atoms = (_last_row(file["frames"][name][:frames]) for name in ("edge_offset", "atom_offset"))
    for name in columns:
        check_dataset(file[kind], name, ROWS[name], TAILS.get(name, ()), edges)
    for name, kinds in ATOMS.items():
        if name in file["atoms"] or name not in OPTIONAL:
            check_dataset(file["atoms"], name, kinds, TAILS.get(name, ()), atoms)
    return frames, bool(complete)


def _last_row(offset: np.ndarray) -> int:
    """The largest end of (F, 2) first rows and ends."""
    if not offset.size:
        return 0
    if (offset[:, 0] < 0).any() or (offset[:, 1] < offset[:, 0]).any():
        raise ValueError("a frame that ends before its first row")
    return int(offset.max())


def check_boxes(cell: np.ndarray, origin: np.ndarray, pbc: np.ndarray) -> None:
    """The boxes (F, 3, 3), (F, 3), (F, 3) of frames."""
    if not (np.isfinite(cell).all() and np.isfinite(origin).all()):
        raise ValueError("a box that is not finite")
    if (pbc > 1).any() or (pbc < 0).any():
        raise ValueError("a box whose pbc is neither 0 nor 1")


def check_rows(columns: dict[str, np.ndarray]) -> None:
    """Edges or pairs of some frames."""
    for name, values in columns.items():
        if ROWS[name] == "f" and not np.isfinite(values).all():
            raise ValueError(f"'{name}' of an edge that is not finite")


def check_atoms(ids: np.ndarray, types: np.ndarray, boundaries: np.ndarray) -> None:
    """Atoms (N,) of one or several frames, which begin and end at `boundaries` among them."""
    if not ids.size:
        return
    is_first = np.zeros(ids.size + 1, dtype=bool)
    is_first[boundaries] = True
    if ((np.diff(ids) <= 0) & ~is_first[1:-1]).any() or ids.min() < 1:
        raise ValueError("atoms that are not in the order of their ids, from 1 on")
    if types.min() < 1:
        raise ValueError(f"an atom of type {types.min()}")
