"""LMDB files for `nequip-train`: frames with their atom types and neighbour lists, nothing left to
compute."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, read_object

DATABASE = "nequip.data.dataset.NequIPLMDBDataset"
"""What a training configuration says to read one."""

MAP_SIZE = 64 * 1024**3
"""Largest size of a file in bytes while it is written."""


_DATA = {
    ("torch._utils", "_rebuild_tensor_v2"),
    ("collections", "OrderedDict"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *(
        (f"numpy.{core}.{module}", name)
        for core in ("core", "_core")
        for module, name in (
            ("numeric", "_frombuffer"),
            ("multiarray", "_reconstruct"),
            ("multiarray", "scalar"),
        )
    ),
}
"""Module and name of all that a frame needs to be made of: tensors, arrays, dictionaries."""


class _DataUnpickler(pickle.Unpickler):
    """Reads tensors and arrays; anything else could run code and is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return _load_storage
        if (module, name) not in _DATA:
            raise pickle.UnpicklingError(f"{module}.{name} is no data, and would run code")
        return super().find_class(module, name)


def _load_storage(content: bytes) -> Any:
    """A tensor's storage; torch's own function of that name would run what it holds."""
    import torch

    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def iter_frames(path: Path, numbers: Iterable[int] | None = None) -> Iterator[dict[str, Any]]:
    """The frames of a database, all in order or those of `numbers`, tensors by the names of their fields.

    nequip's databases hold pickles, which can run code when they are read. Here only tensors and arrays are
    made of them.

    Raises
    ------
    E3DError
        The file is missing or damaged, or holds something else.
    """
    import lmdb

    if not path.is_file():
        raise E3DError(f"{path}: no such file; expected a database of 'e3d data prepare'")
    try:
        with (
            lmdb.open(str(path), subdir=False, readonly=True, lock=False) as database,
            database.begin() as rows,
        ):
            count = rows.stat()["entries"] - (rows.get(b"__metadata__") is not None)
            for number in range(count) if numbers is None else numbers:
                yield _DataUnpickler(io.BytesIO(rows.get(f"{number}".encode("ascii")) or b"")).load()
    except (lmdb.Error, pickle.UnpicklingError, EOFError, AttributeError, ValueError, RuntimeError) as error:
        raise E3DError(
            f"{path}: not a database of frames ({error}); make it again with 'e3d data prepare'"
        ) from None


def check_frames(path: Path) -> None:
    """Raise `E3DError` where `iter_frames` would; nequip, which reads the file next, runs what it holds."""
    for _ in iter_frames(path):
        pass


def read_manifest(folder: Path) -> dict[str, Any]:
    """What ``manifest.json`` says of the sets of a folder; `E3DError` where it is missing or damaged."""
    advice = f"type: e3d data prepare RECIPE.yaml -o {folder}"
    return read_object(folder / "manifest.json", "manifest of prepared data", advice, ("sets", "recipe"))


def entry(
    atomic_numbers: np.ndarray,
    positions: np.ndarray,
    energy: float,
    forces: np.ndarray,
    *,
    elements: Sequence[str],
    r_max: float,
    cell: np.ndarray | None = None,
    pbc: np.ndarray | None = None,
    stress: np.ndarray | None = None,
    velocities: np.ndarray | None = None,
    heat_current: np.ndarray | None = None,
    with_cell: bool = False,
    with_stress: bool = False,
    with_current: bool = False,
) -> dict[str, Any]:
    """A frame as nequip's AtomicDataDict, in float64.

    Parameters
    ----------
    atomic_numbers, positions, energy, forces : (N,), (N, 3) angstrom, eV, (N, 3) eV/angstrom
    elements : symbols in the order of the model's types
    r_max : of the neighbour list, angstrom
    cell, pbc, stress : (3, 3) angstrom, (3,) bool, (3, 3) eV/angstrom^3 of a crystal
    velocities, heat_current : (N, 3) angstrom/ps, (3,) eV angstrom/ps, as `Molecule` has them
    with_cell, with_stress, with_current : write these fields where a frame has none too (a cell of zeros, a
        stress, a current and velocities of nan), because nequip puts only frames with the same fields into
        one batch
    """
    from ase.data import atomic_numbers as z_of
    from nequip.data import compute_neighborlist_, from_dict

    type_of = {z_of[element]: index for index, element in enumerate(elements)}
    fields: dict[str, Any] = {
        "pos": positions,
        "atomic_numbers": atomic_numbers,
        "atom_types": np.array([type_of[int(z)] for z in atomic_numbers]),
        "total_energy": energy,
        "forces": forces,
    }
    if with_cell:
        fields["cell"] = np.zeros((3, 3)) if cell is None else cell
        fields["pbc"] = np.zeros(3, dtype=bool) if cell is None else pbc
    if with_stress:
        fields["stress"] = (np.full((3, 3), np.nan) if stress is None else stress)[None]
    if with_current:
        fields["velocities"] = np.full(positions.shape, np.nan) if velocities is None else velocities
        fields["heat_current"] = (np.full(3, np.nan) if heat_current is None else heat_current)[None]
    data = compute_neighborlist_(from_dict(fields), r_max=r_max)
    if not with_cell:
        data.pop("edge_cell_shift", None)
        data.pop("pbc", None)
    return data


def write_database(path: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Write the entries to an LMDB file, whole or not at all."""
    from nequip.data.dataset import NequIPLMDBDataset
    from nequip.utils.global_state import set_global_state

    set_global_state()  # nequip keeps data in its default type, float64 from here on
    with atomic_path(path) as partial:
        lock = Path(f"{partial}-lock")
        for leftover in (partial, lock):
            leftover.unlink(missing_ok=True)
        try:
            NequIPLMDBDataset.save_from_iterator(str(partial), entries, map_size=MAP_SIZE)
            os.truncate(partial, _used_bytes(partial))
        finally:
            lock.unlink(missing_ok=True)


def _used_bytes(path: Path) -> int:
    """Length of an LMDB file up to its last page; a file just written is as long as its map, full of holes
    that most ways of copying fill."""
    import lmdb

    with lmdb.open(str(path), subdir=False, readonly=True, lock=False) as database:
        return (database.info()["last_pgno"] + 1) * database.stat()["psize"]
