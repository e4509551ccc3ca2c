"""Edge stores that are damaged, or say what cannot be: one line, whatever h5py makes of it."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from e3d_lmp import cli
from e3d_lmp.edges.frames import AtomRows
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.edges.store.writer import StoreWriter
from e3d_lmp.errors import E3DError
from lammps_runs import BIN
from no_locks import environment_without_locks
from store_frames import REQUEST, some_frames

Damage = Callable[[h5py.File], None]


def write(path: Path, n: int = 4) -> Path:
    """A store of edges with positions, forces, energies and names."""
    rng = np.random.default_rng(1)
    frames = some_frames(n)
    types = np.ones(13, dtype=np.int32)
    for frame in frames:
        types[frame.i], types[frame.j] = frame.type_i, frame.type_j
    symbols = np.array(["", "C", "H"])[types[1:]]
    with StoreWriter(
        path,
        request=REQUEST,
        elements=("C", "H"),
        frame_columns=("energy", "reference_energy", "name"),
        atom_columns=("position", "force", "reference_force"),
    ) as writer:
        for k, frame in enumerate(frames):
            own = [rng.normal(size=(12, 3)) for _ in range(3)]
            atoms = AtomRows(np.arange(1, 13), types[1:], symbols, *own)
            writer.append(frame, atoms, energy=-1.0 * k, reference_energy=np.nan, name=f"m/{k}")
    return path


def read_all(path: Path) -> None:
    """Everything that a reader can be asked for."""
    with StoreReader(path) as store:
        for frame in store:
            assert np.isfinite(frame.eps).all()
        for k in range(len(store)):
            store.atoms(k)
        list(store.iter_atoms())
        for name in ("energy", "reference_energy", "name"):
            store.values(name)
        store.remarks()


def replace(name: str, make: Callable[[np.ndarray], np.ndarray | None]) -> Damage:
    """Another data set of the same name, or none."""

    def damage(file: h5py.File) -> None:
        values = make(file[name][()])
        del file[name]
        if values is not None:
            file[name] = values

    return damage


def put(name: str, place: object, value: object) -> Damage:
    def damage(file: h5py.File) -> None:
        file[name][place] = value

    return damage


COLUMNS = ("edges/i", "edges/vec", "edges/eps", "atoms/id", "atoms/type", "atoms/element", "frames/step")
COLUMNS += ("frames/edge_offset", "frames/atom_offset", "frames/cell", "frames/origin", "frames/pbc")
COLUMNS += ("frames/state", "atoms/position", "atoms/force", "frames/energy", "frames/name")
MADE = {
    "gone": lambda a: None,
    "flat": lambda a: a.reshape(-1)[: len(a)].copy() if a.ndim > 1 else a.reshape(-1, 1),
    "short": lambda a: a[:-1],
    "words": lambda a: np.full(a.shape, b"x", dtype="S3") if a.dtype.kind != "S" else np.zeros(a.shape),
    "scalar": lambda a: np.asarray(a.reshape(-1)[0]),
}
MAY_BE_GONE = ("atoms/position", "atoms/force")


@pytest.mark.parametrize(("name", "made"), itertools.product(COLUMNS, MADE))
def test_every_column_is_checked(tmp_path: Path, name: str, made: str) -> None:
    """Presence, shape, length and kind, when the file is opened."""
    path = write(tmp_path / "e.h5")
    read_all(path)
    with h5py.File(path, "r+") as file:
        replace(name, MADE[made])(file)
    if made == "gone" and name in (*MAY_BE_GONE, "frames/energy", "frames/name"):
        StoreReader(path).close()
        return
    with pytest.raises(
        E3DError, match=rf"e\.h5: damaged edge store \(.*{name.split('/')[1]}.*\); make it again"
    ):
        StoreReader(path)


def group_instead(file: h5py.File) -> None:
    del file["edges/eps"]
    file.create_group("edges/eps")


def no_group(file: h5py.File) -> None:
    del file["frames"]
    file["frames"] = 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (put("frames/state", 0, -1), "is -1 1"),
        (put("frames/state", 1, 7), "is 4 7"),
        (put("frames/edge_offset", (1, 0), -5), "ends before its first row"),
        (put("frames/edge_offset", (1, 0), 10**6), "ends before its first row"),
        (put("frames/edge_offset", (3, 1), 10**6), "rows of its frames are missing"),
        (put("frames/edge_offset", (3, 1), 2**62), "rows of its frames are missing"),
        (put("frames/cell", (0, 0, 0), np.nan), "a box that is not finite"),
        (put("frames/origin", (2, 0), np.inf), "a box that is not finite"),
        (put("frames/pbc", (2, 0), 3), "neither 0 nor 1"),
        (put("edges/eps", 3, np.nan), "'eps' of an edge that is not finite"),
        (put("edges/vec", (3, 1), np.inf), "'vec' of an edge that is not finite"),
        (put("edges/i", 3, 77), "an edge of an atom that is not among the atoms"),
        (put("atoms/id", slice(0, 2), [2, 1]), "not in the order of their ids"),
        (put("atoms/id", slice(0, 12), np.arange(0, 12)), "from 1 on"),
        (put("atoms/type", 1, 0), "an atom of type 0"),
        (put("atoms/element", 1, b"Qq"), "'Qq' is no chemical element"),
        (put("atoms/element", 1, b"\xff\xfe"), "UnicodeDecodeError"),
        (put("atoms/position", (1, 1), np.nan), "position' that is not finite"),
        (put("frames/name", 1, b"\xff\xfe"), "UnicodeDecodeError"),
        (lambda file: file.attrs.__setitem__("elements", "C $x$"), "'\\$x\\$' is no chemical element"),
        (lambda file: file.attrs.__delitem__("elements"), "KeyError"),
        (lambda file: file.attrs.__setitem__("kind", "frames"), "kind 'frames'"),
        (group_instead, "no data set '/edges/eps'"),
        (no_group, "'/frames' is no group"),
    ],
)
def test_numbers_that_cannot_be(tmp_path: Path, damage: Damage, message: str) -> None:
    path = write(tmp_path / "e.h5")
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(E3DError, match=message):
        read_all(path)


def test_a_size_that_the_file_has_not(tmp_path: Path) -> None:
    """A data set of TBs of which the file holds nothing is not given room."""
    path = write(tmp_path / "e.h5")
    with h5py.File(path, "r+") as file:
        for name in ("i", "j", "vec", "eps"):
            file["edges"][name].resize(10**12, axis=0)
        file["frames/edge_offset"][3, 1] = 10**12
    with pytest.raises(E3DError, match=r"'/edges/\w+' should have \d+ bytes, the file has \d+ of it"):
        read_all(path)


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes(tmp_path: Path, seed: int) -> None:
    """Wherever bytes are wrong: the frames, or one line."""
    path = write(tmp_path / "e.h5")
    content = bytearray(path.read_bytes())
    rng = random.Random(seed)
    at = rng.randrange(len(content))
    for k in range(at, min(at + rng.choice((1, 4, 64)), len(content))):
        content[k] = rng.randrange(256)
    path.write_bytes(content)
    try:
        read_all(path)
    except E3DError as error:
        assert "\n" not in str(error).strip()


def test_names_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.h5")
    with pytest.raises(
        E3DError, match=r"p\.h5: a pipe, which cannot be read twice; .*expected an edge store"
    ):
        StoreReader(tmp_path / "p.h5")
    with pytest.raises(E3DError, match="a folder; expected an edge store"):
        StoreReader(tmp_path)


def test_a_file_system_without_locks(tmp_path: Path) -> None:
    path = write(tmp_path / "e.h5")
    done = subprocess.run(
        [BIN / "e3d", "analyze", path, "-o", tmp_path / "out", "--cutoff", "model", "--skip-unpaired"],
        env=environment_without_locks(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (
        cli.main(["analyze", str(path), "-o", str(tmp_path / "two"), "--cutoff", "model", "--skip-unpaired"])
        == 0
    )
    assert (tmp_path / "out/pairs.csv").read_text() == (tmp_path / "two/pairs.csv").read_text()
