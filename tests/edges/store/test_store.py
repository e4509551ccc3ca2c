"""Edge stores: exact round trips, every way in which a file can be bad, and writers that are killed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import tracemalloc
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from e3d_lmp.analysis.edge_analysis import EdgeAnalysis
from e3d_lmp.edges.frames import AtomRows, BondFrame, Box, EdgeFrame
from e3d_lmp.edges.store import reader as store
from e3d_lmp.edges.store import writer as store_writer
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.edges.store.superblock import lookup3, revive
from e3d_lmp.edges.store.writer import StoreWriter
from e3d_lmp.errors import E3DError
from edge_frames import assert_same_frame, take
from store_frames import REQUEST, some_frames


def pairs_of(frame: EdgeFrame) -> BondFrame:
    return BondFrame(
        *(frame.step, frame.box, frame.i, frame.j, frame.type_i, frame.type_j, frame.vec),
        e12=frame.eps,
        e21=-0.5 * frame.eps,
    )


def write(path: Path, frames: list, **options: object) -> Path:
    with StoreWriter(path, request=REQUEST, **options) as writer:
        for frame in frames:
            writer.append(frame)
    return path


def assert_same_box(got: Box, expected: Box) -> None:
    for name in ("cell", "origin", "pbc"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
        assert getattr(got, name).dtype == getattr(expected, name).dtype


def assert_same_frames(got: list, expected: list) -> None:
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert_same_frame(a, b)
        assert_same_box(a.box, b.box)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks, commits and blocks of a few frames, so that their borders are met."""
    monkeypatch.setattr(store_writer, "CHUNK_ROWS", 64)
    monkeypatch.setattr(store_writer, "COMMIT_ROWS", 200)
    monkeypatch.setattr(store_writer, "_FRAME_CHUNK", 4)
    monkeypatch.setattr(store, "BLOCK_ROWS", 300)


@pytest.mark.parametrize("n", [1, 5, 40])
def test_round_trip_is_exact(tmp_path: Path, n: int, small_chunks: None) -> None:
    frames = some_frames(n)
    path = write(tmp_path / "e.h5", frames, elements=("C", "H"), provenance={"input": "in.lmp\nv2"})
    with StoreReader(path) as reader:
        assert reader.kind == "edges" and reader.elements == ("C", "H") and reader.is_complete
        assert reader.provenance["input"] == "in.lmp v2"
        assert_same_frames(list(reader), frames)
        assert_same_frames([reader[k] for k in range(n)], frames)
        np.testing.assert_array_equal(reader.steps, [frame.step for frame in frames])
        np.testing.assert_array_equal(reader.row_counts, [frame.i.size for frame in frames])
        assert reader.bytes_read == reader.bytes_total
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.h5"], "nothing else stays behind"


def test_layout_is_that_of_the_page(tmp_path: Path) -> None:
    """Read with h5py alone: columns, offsets, compression."""
    frames = some_frames(3)
    with h5py.File(write(tmp_path / "e.h5", frames)) as file:
        assert file.attrs["format"] == "e3d-edges/1"
        assert {name: file["edges"][name].dtype for name in file["edges"]} == {
            "i": np.int32,
            "j": np.int32,
            "vec": np.float64,
            "eps": np.float64,
        }
        ends = np.cumsum([frame.i.size for frame in frames])
        np.testing.assert_array_equal(file["frames/edge_offset"][:, 1], ends)
        np.testing.assert_array_equal(file["frames/edge_offset"][1:, 0], ends[:-1])
        np.testing.assert_array_equal(file["edges/eps"][()], np.concatenate([f.eps for f in frames]))
        assert file["edges/vec"].compression == "gzip" and file["edges/vec"].compression_opts == 1
        assert file["edges/vec"].shuffle
        for name in ("edges/i", "frames/step", "atoms/id"):
            end = {"edges/i": ends[-1], "frames/step": 3, "atoms/id": 12}[name]
            assert file[name].shape == (end,), "no rows beyond the frames"


def test_pairs(tmp_path: Path, small_chunks: None) -> None:
    pairs = [pairs_of(frame) for frame in some_frames()]
    with StoreReader(write(tmp_path / "p.h5", pairs)) as reader:
        assert reader.kind == "pairs"
        for got, expected in zip(reader, pairs, strict=True):
            assert_same_frame(got, expected)
        assert_same_frame(reader[-2], pairs[-2])
    with (
        pytest.raises(E3DError, match="edges after frames of pairs"),
        StoreWriter(tmp_path / "q.h5", request=REQUEST) as writer,
    ):
        writer.append(pairs[0])
        writer.append(some_frames()[1])


def test_slices_are_stores(tmp_path: Path, small_chunks: None) -> None:
    frames = some_frames(20)
    reader = StoreReader(write(tmp_path / "e.h5", frames))
    assert_same_frames(list(reader[3:17]), frames[3:17])
    assert_same_frames(list(reader[::-3]), frames[::-3])
    assert_same_frames(list(reader[2:18:4][1:]), frames[2:18:4][1:])
    assert_same_frames(list(StoreReader(reader.path, every=3)), frames[::3])
    assert_same_frame(reader[-1], frames[-1])
    assert_same_frame(reader[4:][1], frames[5])
    assert list(reader[::7].steps) == [0, 70, 140]
    assert len(reader[5:5]) == 0 and list(reader[5:5]) == []
    with pytest.raises(IndexError, match="frame 20 of 20"):
        reader[20]


@pytest.mark.parametrize("offset", [10**6, 2**31 - 12, 2**31, 2**53 - 12])
def test_large_ids(tmp_path: Path, offset: int) -> None:
    ids = offset + np.arange(13)
    frames = [replace(frame, i=ids[frame.i], j=ids[frame.j]) for frame in some_frames(3)]
    path = write(tmp_path / "e.h5", frames)
    assert_same_frames(list(StoreReader(path)), frames)
    with h5py.File(path) as file:
        top = max(int(frame.i.max()) for frame in frames)
        assert file["edges/i"].dtype == (np.int64 if top >= 2**31 else np.int32)


def test_ids_that_outgrow_the_file(tmp_path: Path) -> None:
    first, second = some_frames(2)
    second = replace(second, i=second.i + 2**31, j=second.j + 2**31)
    with pytest.raises(E3DError, match=r"id 21474836\d\d does not fit .* --long-ids"):
        write(tmp_path / "e.h5", [first, second])
    assert len(StoreReader(tmp_path / "e.h5.partial")) == 1, "what came before is safe"
    assert_same_frames(
        list(StoreReader(write(tmp_path / "e.h5", [first, second], long_ids=True, overwrite=True))),
        [first, second],
    )


def test_empty_frames_and_empty_stores(tmp_path: Path, small_chunks: None) -> None:
    frames = some_frames(6)
    for k in (0, 3, 5):
        frames[k] = take(frames[k], np.zeros(0, dtype=int))
    assert_same_frames(list(StoreReader(write(tmp_path / "e.h5", frames))), frames)
    nothing = StoreReader(write(tmp_path / "n.h5", []))
    assert len(nothing) == 0 and list(nothing) == [] and nothing.is_complete


def test_single_precision_only_where_asked(tmp_path: Path) -> None:
    frames = some_frames(2)
    reader = StoreReader(write(tmp_path / "e.h5", frames, single=True))
    for got, expected in zip(reader, frames, strict=True):
        assert got.eps.dtype == np.float64
        np.testing.assert_array_equal(got.eps, expected.eps.astype(np.float32))
        np.testing.assert_array_equal(got.vec, expected.vec.astype(np.float32))


def test_atoms_of_the_edges_are_shared(tmp_path: Path) -> None:
    """Without a dump of atoms: types by id, one block for frames that agree, a new one for a new atom."""
    frames = some_frames(4)
    late = frames[2]
    late = replace(late, i=np.append(late.i, 99), j=np.append(late.j, 1))
    late = replace(late, type_i=np.append(late.type_i, 2).astype(np.int32))
    late = replace(
        late, type_j=np.append(late.type_j, frames[0].type_i[frames[0].i == 1][0]).astype(np.int32)
    )
    late = replace(late, vec=np.vstack([late.vec, [1, 0, 0]]), eps=np.append(late.eps, -1.0))
    frames[2] = late
    reader = StoreReader(write(tmp_path / "e.h5", frames, elements=("C", "H")))
    assert_same_frames(list(reader), frames)
    assert reader.atom_rows(0) == reader.atom_rows(1) == (0, 12)
    assert reader.atom_rows(2) == reader.atom_rows(3) == (12, 25), "an atom that has lost its edges stays"
    atoms = reader.atoms(3)
    assert list(atoms.id) == [*range(1, 13), 99]
    assert list(atoms.element) == [("C", "H")[k - 1] for k in atoms.type]


def test_a_changed_type_makes_new_atoms(tmp_path: Path) -> None:
    frames = some_frames(3)
    frames[1] = replace(frames[1], type_i=3 - frames[1].type_i, type_j=3 - frames[1].type_j)
    assert_same_frames(list(StoreReader(write(tmp_path / "e.h5", frames))), frames)


@pytest.mark.parametrize(("most", "reads"), [(1, 5), (30, 3), (1000, 1)])
def test_atoms_of_all_frames_are_read_together(tmp_path, monkeypatch, most: int, reads: int) -> None:
    """Frames that share atoms among them, and any part of the store."""
    frames = some_frames(5)
    rng = np.random.default_rng(1)
    with StoreWriter(tmp_path / "e.h5", request=REQUEST, atom_columns=("position",)) as writer:
        for frame, n in zip(frames, (12, 15, 12, 14, 13), strict=True):
            types = rng.integers(1, 3, n).astype(np.int32)
            types[frame.i - 1], types[frame.j - 1] = frame.type_i, frame.type_j
            symbols = np.array(["", "C", "H"])[types]
            writer.append(frame, AtomRows(np.arange(1, n + 1), types, symbols, rng.normal(size=(n, 3))))
    monkeypatch.setattr(store, "BLOCK_ATOMS", most)
    with StoreReader(tmp_path / "e.h5") as reader:
        for part in (reader, reader[1:], reader[::2], reader[::-1], reader[:0]):
            for k, got in enumerate(part.iter_atoms()):
                for column in fields(AtomRows):
                    expected = getattr(part.atoms(k), column.name)
                    np.testing.assert_array_equal(getattr(got, column.name), expected, err_msg=column.name)
        found = []
        read = StoreReader._read_atoms
        monkeypatch.setattr(StoreReader, "_read_atoms", lambda *words: found.append(1) or read(*words))
        assert len(list(reader.iter_atoms())) == 5 and len(found) == reads
    with StoreReader(write(tmp_path / "s.h5", some_frames(4))) as reader:
        assert [one.id.size for one in reader.iter_atoms()] == [reader.atoms(k).id.size for k in range(4)]


def test_atoms_and_values_of_different_molecules(tmp_path: Path) -> None:
    frames = some_frames(3)
    rng = np.random.default_rng(1)
    sizes = [12, 15, 12]
    molecules = []
    for frame, n in zip(frames, sizes, strict=True):
        types = rng.integers(1, 3, n).astype(np.int32)
        types[frame.i - 1], types[frame.j - 1] = frame.type_i, frame.type_j
        symbols = np.array(["", "Cl", "H"])[types]
        molecules.append(
            AtomRows(np.arange(1, n + 1), types, symbols, rng.normal(size=(n, 3)), rng.normal(size=(n, 3)))
        )
    names = ["a/0", "x" * 200 + "/7", "é/1"]
    with StoreWriter(
        tmp_path / "e.h5",
        request=REQUEST,
        frame_columns=("energy", "name"),
        atom_columns=("position", "force"),
    ) as writer:
        for k, frame in enumerate(frames):
            writer.append(frame, molecules[k], energy=-1.5 * k, name=names[k])
    with StoreReader(tmp_path / "e.h5") as reader:
        assert_same_frames(list(reader), frames)
        for k, expected in enumerate(molecules):
            got = reader.atoms(k)
            for name in ("id", "type", "element", "position", "force"):
                np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
        np.testing.assert_array_equal(reader.values("energy"), [0.0, -1.5, -3.0])
        assert reader[1:].values("name")[1] == "é/1"
        assert reader.values("name")[1] == "x" * 126 + "/7", "the end of a long name says more"
        with pytest.raises(
            E3DError, match="no column 'unpaired' of frames; expected one of: energy, name, step"
        ):
            reader.values("unpaired")


def test_analysis_of_a_store_equals_that_of_the_frames(tmp_path: Path) -> None:
    frames = some_frames(6)
    direct, stored = (EdgeAnalysis(("C", "H"), skip_unpaired=True) for _ in range(2))
    for frame in frames:
        direct.add(frame)
    for frame in StoreReader(write(tmp_path / "e.h5", frames)):
        stored.add(frame)
    assert direct.result().labels.keys() == stored.result().labels.keys() and direct.result().labels
    for name, one in direct.result().labels.items():
        assert one.count == stored.result().labels[name].count
        assert one.mean_D == stored.result().labels[name].mean_D


def test_memory_is_that_of_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = some_frames(1)[0]
    path = write(tmp_path / "e.h5", [replace(frame, step=k) for k in range(4000)])
    monkeypatch.setattr(store, "BLOCK_ROWS", 1 << 12)
    reader = StoreReader(path)
    size = int(reader.row_counts.sum()) * 40
    tracemalloc.start()
    assert sum(1 for _ in reader) == 4000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 4, f"{peak} bytes for a store of {size}"


# ---- files that are not what they should be


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(E3DError, match="no such file; expected an edge store"):
        StoreReader(tmp_path / "nothing.h5")
    (tmp_path / "text.h5").write_text("ITEM: TIMESTEP\n")
    with pytest.raises(E3DError, match="HDF5 cannot open it"):
        StoreReader(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(E3DError, match="not an edge store; 'e3d evaluate"):
        StoreReader(tmp_path / "other.h5")
    path = write(tmp_path / "e.h5", some_frames(2))
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = "e3d-edges/2"
    with pytest.raises(
        E3DError, match=r"an edge store 'e3d-edges/2'; this version of e3d reads e3d-edges/1 only"
    ):
        StoreReader(path)


@pytest.mark.parametrize("gone", ["atoms", "frames/edge_offset", "frames/state"])
def test_missing_parts_are_refused(tmp_path: Path, gone: str) -> None:
    path = write(tmp_path / "e.h5", some_frames(2))
    with h5py.File(path, "r+") as file:
        del file[gone]
    with pytest.raises(E3DError, match="damaged edge store"):
        StoreReader(path)


@pytest.mark.parametrize("name", ["edges/i", "atoms/id", "frames/step"])
def test_missing_rows_are_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "e.h5", some_frames(3))
    with h5py.File(path, "r+") as file:
        file[name].resize(file[name].shape[0] - 1, axis=0)
    with pytest.raises(E3DError, match="rows of its frames are missing"):
        StoreReader(path)


def test_truncated_files_are_refused(tmp_path: Path, small_chunks: None) -> None:
    path = write(tmp_path / "e.h5", some_frames(40))
    whole = path.read_bytes()
    for part in (0.999, 0.5, 0.01):
        path.write_bytes(whole[: int(part * len(whole))])
        with pytest.raises(E3DError, match="HDF5 cannot open it"):
            list(StoreReader(path))


# ---- going on, and being killed


def test_going_on_after_the_last_frame(tmp_path: Path, small_chunks: None) -> None:
    frames = some_frames(30)
    path = tmp_path / "e.h5"
    for end in (7, 8, 8, 30):
        with StoreWriter(path, request=REQUEST) as writer:
            for frame in frames[writer.frames : end]:
                writer.append(frame)
        assert_same_frames(list(StoreReader(path)), frames[:end])
    with h5py.File(path) as file:
        assert file["atoms/id"].shape == (12,), "the same atoms once"


def test_an_error_leaves_an_unfinished_file(tmp_path: Path) -> None:
    frames = some_frames(5)
    with pytest.raises(ZeroDivisionError), StoreWriter(tmp_path / "e.h5", request=REQUEST) as writer:
        for frame in frames[:3]:
            writer.append(frame)
        1 / 0  # noqa: B018
    with pytest.raises(E3DError, match=r"not finished yet; give the command .* or read .*e\.h5\.partial"):
        StoreReader(tmp_path / "e.h5")
    partial = StoreReader(tmp_path / "e.h5.partial")
    assert not partial.is_complete
    assert_same_frames(list(partial), frames[:3])


def test_other_requests_and_writers_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "e.h5", some_frames(2))
    with pytest.raises(E3DError, match=r"was made by another request .*remove .*, or add --overwrite"):
        StoreWriter(path, request={"command": "other"})
    (tmp_path / "text.h5").write_text("mine")
    with pytest.raises(E3DError, match=r"HDF5 cannot open it .* or add --overwrite"):
        StoreWriter(tmp_path / "text.h5", request=REQUEST)
    with (
        StoreWriter(path, request=REQUEST),
        pytest.raises(E3DError, match="being written by another process"),
    ):
        StoreWriter(path, request=REQUEST)
    with StoreWriter(path, request={"command": "other"}, overwrite=True) as writer:
        assert writer.frames == 0
        writer.append(some_frames(1)[0])
    assert len(StoreReader(path)) == 1
    with pytest.raises(E3DError, match="cannot write"):
        StoreWriter(tmp_path / "no" / "e.h5", request=REQUEST)


def test_lookup3() -> None:
    """The values in the comments of Jenkins's own lookup3.c."""
    assert lookup3(b"") == 0xDEADBEEF
    assert lookup3(b"Four score and seven years ago") == 0x17770551
    assert lookup3(b"Four score and seven years ago", 1) == 0xCD628161


def test_revive_touches_nothing_but_marks(tmp_path: Path) -> None:
    path = write(tmp_path / "e.h5", some_frames(2))
    before = path.read_bytes()
    assert revive(path) is False and path.read_bytes() == before
    path.write_bytes(before[:20] + b"\1" + before[21:])
    with pytest.raises(E3DError, match="first bytes are damaged"):
        revive(path)
    path.write_text("short")
    with pytest.raises(E3DError, match="remove it and start again"):
        revive(path)


_WRITER = """
import sys
sys.path[:0] = {paths!r}
from e3d_lmp.edges.store import writer as store_writer
store_writer.CHUNK_ROWS, store_writer.COMMIT_ROWS, store_writer._FRAME_CHUNK = 64, 200, 4
store_writer.COMMIT_SECONDS = 0.003
from store_frames import REQUEST, some_frames
frames = some_frames(400)
with store_writer.StoreWriter({path!r}, request=REQUEST) as writer:
    print("begin", writer.frames, flush=True)
    for frame in frames[writer.frames:]:
        writer.append(frame)
        print(writer.frames, flush=True)
print("end", flush=True)
"""


def test_a_killed_writer_leaves_whole_frames(tmp_path: Path) -> None:
    """SIGKILL at random moments, again and again, with a reader that looks on: no frame is ever damaged, none
    is lost once it was safe, and the end is what an undisturbed writer makes."""
    frames, path = some_frames(400), tmp_path / "e.h5"
    partial = tmp_path / "e.h5.partial"
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    command = [sys.executable, "-c", _WRITER.format(paths=sys.path, path=str(path))]
    safe = kills = 0
    for _ in range(60):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        begin = process.stdout.readline().split()
        assert begin[0] == "begin" and int(begin[1]) >= safe, "frames that were safe are lost"
        for _line in range(rng.randrange(1, 60)):
            if process.stdout.readline().startswith("end"):
                break
        if partial.exists() and rng.random() < 0.5:
            try:
                reader = StoreReader(partial)  # while it is being written
            except (E3DError, FileNotFoundError):
                assert path.exists(), "unreadable, and not because it was finished just now"
            else:
                assert_same_frames(list(reader), frames[: len(reader)])
                safe = max(safe, len(reader))
                reader.close()
        time.sleep(rng.random() * 0.004)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        if path.exists():
            break
        kills += 1
        with StoreReader(partial) as reader:
            assert not reader.is_complete
            assert_same_frames(list(reader), frames[: len(reader)])
            assert len(reader) >= safe
            safe = len(reader)
    assert kills > 0 and path.exists()
    assert_same_frames(list(StoreReader(path)), frames)
    with h5py.File(path) as killed, h5py.File(write(tmp_path / "w.h5", frames)) as whole:
        for name in ("edges/eps", "edges/i", "atoms/id", "frames/edge_offset", "frames/atom_offset"):
            np.testing.assert_array_equal(killed[name][()], whole[name][()], err_msg=name)


def test_rows_beyond_the_last_whole_frame_go(tmp_path: Path) -> None:
    frames = some_frames(3)
    path = write(tmp_path / "e.h5", frames)
    path.rename(tmp_path / "e.h5.partial")
    with h5py.File(tmp_path / "e.h5.partial", "r+") as file:
        file["frames/state"][...] = [2, 0]
        file["edges/i"].resize(10_000, axis=0)
        file["atoms/id"].resize(100, axis=0)
    with StoreWriter(path, request=REQUEST) as writer:
        assert writer.frames == 2
    assert_same_frames(list(StoreReader(path)), frames[:2])
    with h5py.File(path) as file:
        assert file["edges/i"].shape == file["edges/eps"].shape == (int(StoreReader(path).row_counts.sum()),)
        assert file["atoms/id"].shape == (12,) and file["frames/step"].shape == (2,)


def test_a_full_disk_is_an_error_that_can_be_mended(tmp_path: Path) -> None:
    """Here the file may not grow beyond a limit; without the limit, writing goes on."""
    path = tmp_path / "e.h5"
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
    command = [sys.executable, "-c", limit + _WRITER.format(paths=sys.path, path=str(path))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # HDF5 itself may crash after that, at the exit.
    assert done.returncode != 0 and "E3DError: cannot write" in done.stderr, done.stderr[-2000:]
    assert "is the disk full? Make room" in done.stderr
    frames = some_frames(400)
    with StoreReader(tmp_path / "e.h5.partial") as reader:
        assert 0 < len(reader) < 400
        assert_same_frames(list(reader), frames[: len(reader)])
    with StoreWriter(path, request=REQUEST) as writer:
        for frame in frames[writer.frames :]:
            writer.append(frame)
    assert_same_frames(list(StoreReader(path)), frames)
