"""Shares of the bytes of a dump: every frame once, with the numbers, remarks and errors of one process."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from e3d_lmp.edges.dumps import shares as dump_shares
from e3d_lmp.edges.dumps.reader import DumpReader
from e3d_lmp.edges.dumps.shares import byte_ranges, take_census
from e3d_lmp.errors import E3DError
from edge_frames import assert_same_frame, random_frame, write_dump

HEADER = "ITEM: TIMESTEP\n"


class Threads:
    """A communicator of threads: what `split` and `gather_counts` need of MPI."""

    def __init__(self, size: int):
        self.size, self.values = size, [None] * size
        self.barrier = threading.Barrier(size, timeout=20.0)
        self.own = threading.local()

    def Get_rank(self) -> int:
        return self.own.rank

    def Get_size(self) -> int:
        return self.size

    def allgather(self, value: Any) -> list[Any]:
        self.values[self.own.rank] = value
        self.barrier.wait()
        every = list(self.values)
        self.barrier.wait()
        return every

    def bcast(self, value: Any, root: int) -> Any:
        return self.allgather(value)[root]

    def run(self, job: Callable[[Any], Any]) -> list[Any]:
        """What `job` returns on each rank."""
        out: list[Any] = [None] * self.size

        def work(rank: int) -> None:
            self.own.rank = rank
            out[rank] = job(self)

        threads = [threading.Thread(target=work, args=(rank,)) for rank in range(self.size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return out


def read(paths, ranks: int, **options) -> tuple[list[Any], list[str], str, bool]:
    """Numbered frames of all ranks, remarks, the error that rank 0 would say, whether bytes were split."""

    def job(communicator: Threads) -> tuple[list[Any], list[str], str, bool]:
        rank = communicator.Get_rank()
        reader = DumpReader(paths, share=(rank, ranks), **options)
        if ranks > 1:
            reader.split(communicator)
        frames, error = [], ""
        try:
            frames = [(reader.number, frame) for frame in reader]
        except E3DError as problem:
            error = str(problem)
        reader.gather_counts(communicator)
        return frames, reader.remarks(), error, reader._bytes is not None

    found = Threads(ranks).run(job)
    frames = sorted((each for one in found for each in one[0]), key=lambda each: each[0])
    return frames, found[0][1], next((one[2] for one in found if one[2]), ""), found[0][3]


def assert_as_one(paths, ranks: int, is_split: bool = True, **options) -> None:
    """What many ranks read is what one reads."""
    alone, together = read(paths, 1, **options), read(paths, ranks, **options)
    assert together[3] == is_split
    assert together[2] == alone[2]
    if alone[2]:
        return
    assert together[1] == alone[1]
    assert (
        [number for number, _ in together[0]] == [number for number, _ in alone[0]] == [*range(len(alone[0]))]
    )
    for (_, one), (_, other) in zip(alone[0], together[0], strict=True):
        assert_same_frame(other, one)


def dump(path: Path, frames: int = 5, atoms: int = 4, first: int = 0) -> Path:
    """Frames of different sizes; the one of step 10 has no rows."""
    rng = np.random.default_rng(8)
    cell, cutoffs = np.diag([4.0, 4.0, 4.0]), np.full((2, 2), 2.2)
    steps = range(first, first + 10 * frames, 10)
    sizes = [1 if step == 10 else atoms + step % 3 for step in steps]
    made = [random_frame(rng, n, cell, cutoffs, step=step) for n, step in zip(sizes, steps, strict=True)]
    assert all(frame.i.size or frame.step == 10 for frame in made)
    return write_dump(path, made)


def edited(path: Path, change: Callable[[list[str]], None]) -> Path:
    """Change the texts of the frames of a dump."""
    parts = [HEADER + part for part in path.read_text().split(HEADER)[1:]]
    change(parts)
    path.write_text("".join(parts))
    return path


def test_a_boundary_at_every_byte(tmp_path):
    """Wherever two ranges meet, they find each frame once, and the same bytes."""
    path = dump(tmp_path / "d")
    text = path.read_bytes()
    starts = [k for k in range(len(text)) if text.startswith(HEADER.encode(), k)]
    assert len(starts) == 5
    for cut in range(len(text) + 1):
        one, two = take_census(path, 0, 0, cut, True), take_census(path, 0, cut, len(text), True)
        assert [*one.steps, *two.steps] == [0, 10, 20, 30, 40]
        assert one.first == (0 if cut else -1) and one.is_plain and two.is_plain
        assert two.first == next((start for start in starts if start >= cut), -1)
        assert one.is_whole or not one.count


@pytest.mark.parametrize("block", [1, 2, 7, 64])
def test_blocks_change_nothing(tmp_path, monkeypatch, block):
    path = dump(tmp_path / "d")
    size = path.stat().st_size
    expected = [take_census(path, 0, k * size // 3, (k + 1) * size // 3, True) for k in range(3)]
    monkeypatch.setattr(dump_shares, "BLOCK_BYTES", block)
    assert [take_census(path, 0, k * size // 3, (k + 1) * size // 3, True) for k in range(3)] == expected


def test_ranges_are_all_bytes_once():
    files = [(Path(name), size) for name, size in (("a", 7), ("b", 0), ("c", 5), ("d", 1))]
    for ranks in range(1, 20):
        for k, (_, size) in enumerate(files):
            ranges = [byte_ranges(files, rank, ranks)[k][1:] for rank in range(ranks)]
            assert [byte for low, high in ranges for byte in range(low, high)] == [*range(size)]


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("ranks", [2, 3, 4, 5, 9])
def test_ranks_read_what_one_reads(tmp_path, every, ranks):
    """More ranks than frames, too."""
    assert_as_one(dump(tmp_path / "d", 7), ranks, every=every)


@pytest.mark.parametrize("ranks", [2, 5])
@pytest.mark.parametrize("start", [1, 3, 6])
def test_repeated_frames_take_no_number(tmp_path, ranks, start):
    """A restarted run appends frames that are there already; the largest step may be two ranks back."""

    def repeat(parts: list[str]) -> None:
        parts += [*parts[start:], parts[-1].replace("\n60\n", "\n70\n", 1)]

    path = edited(dump(tmp_path / "d", 7), repeat)
    assert_as_one(path, ranks)
    assert_as_one(path, ranks, every=2)
    assert "frames left out whose step" in read(path, ranks)[1][0]


@pytest.mark.parametrize("ranks", [2, 3, 4, 5])
def test_cut_off_at_every_byte_of_the_last_frame(tmp_path, ranks):
    whole = dump(tmp_path / "d", 3, 3)
    text = whole.read_bytes()
    last = text.rindex(HEADER.encode())
    for end in range(last, len(text) + 1, 3 if ranks == 2 else 17):
        whole.write_bytes(text[:end])
        assert_as_one(whole, ranks)
        assert_as_one(whole, ranks, allow_truncated=True)


@pytest.mark.parametrize("ranks", [2, 4])
def test_cut_off_before_other_frames(tmp_path, ranks):
    """Without --allow-truncated an error of one frame; with it, numbers need all frames before."""

    def cut(parts: list[str]) -> None:
        parts[2] = parts[2][: parts[2].rindex("\n", 0, -1) + 1]

    path = edited(dump(tmp_path / "d", 7), cut)
    assert_as_one(path, ranks)
    assert_as_one(path, ranks, is_split=False, allow_truncated=True)
    assert "frame 3 is cut off" in read(path, ranks)[2]


@pytest.mark.parametrize("allow_truncated", [False, True])
def test_cut_off_within_a_row_before_other_frames(tmp_path, allow_truncated):
    """A run was killed while it wrote, and the next one appended to the file."""

    def cut(parts: list[str]) -> None:
        parts[2] = parts[2][:-20]

    path = edited(dump(tmp_path / "d", 7), cut)
    assert_as_one(path, 3, is_split=False, allow_truncated=allow_truncated)


@pytest.mark.parametrize(
    ("frame", "old", "new", "is_split"),
    [
        (4, "ITEM: NUMBER OF ENTRIES\n", "ITEM: NUMBER OF ENTRIES\n1", True),
        (2, " eps \n", " eps \n0.5 ", True),
        (2, "ITEM: ENTRIES tag1", "ITEM: ENTRIES tagg", True),
        (5, "ITEM: BOX BOUNDS pp pp pp\n0 4", "ITEM: BOX BOUNDS pp pp pp\n0 x", True),
        (3, "ITEM: NUMBER OF ENTRIES\n", "ITEM: NUMBER\n", False),
        (3, "ITEM: TIMESTEP\n", "ITEM: TIMESTEP\nx", False),
        (3, "ITEM: TIMESTEP\n", "what is this\nITEM: TIMESTEP\n", True),
        (0, "ITEM: TIMESTEP\n", "what is this\nITEM: TIMESTEP\n", True),
    ],
)
@pytest.mark.parametrize("ranks", [2, 3, 6])
def test_damaged_frames_are_the_errors_of_one_process(tmp_path, ranks, frame, old, new, is_split):
    def damage(parts: list[str]) -> None:
        assert old in parts[frame]
        parts[frame] = parts[frame].replace(old, new, 1)

    path = edited(dump(tmp_path / "d", 7), damage)
    alone, together = read(path, 1), read(path, ranks)
    assert alone[2] and together[3] == is_split
    assert together[2] == alone[2] or not is_split  # turns: another frame's error may be the first one said
    assert together[2]


@pytest.mark.parametrize("ranks", [2, 3, 7])
def test_units_and_times_reach_all_ranks(tmp_path, ranks):
    def say(parts: list[str]) -> None:
        parts[:] = [f"ITEM: TIME\n{k}\n{part}" for k, part in enumerate(parts)]
        parts[0] = "ITEM: UNITS\nreal\n" + parts[0]

    path = edited(dump(tmp_path / "d", 6), say)
    assert_as_one(path, ranks)
    assert_as_one(path, ranks, allow_truncated=True)
    assert_as_one(path, ranks, units="metal")
    assert "says units real" in read(path, ranks, units="metal")[2]


@pytest.mark.parametrize("ranks", [2, 4, 11])
def test_one_file_per_step(tmp_path, ranks):
    paths = [dump(tmp_path / f"d.{k}", 2, first=20 * k) for k in (2, 0, 1, 3)]
    assert_as_one(paths, ranks)
    assert_as_one(paths, ranks, every=3, allow_truncated=True)
    paths[2].write_text(paths[2].read_text()[:-30])
    assert_as_one(paths, ranks)
    assert_as_one(paths, ranks, is_split=False, allow_truncated=True)


def test_what_cannot_be_split_is_read_in_turns(tmp_path):
    """Compressed files, a file of each rank, an empty file."""
    path = dump(tmp_path / "d")
    packed = tmp_path / "d.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert_as_one(packed, 3, is_split=False)
    other = dump(tmp_path / "e")
    assert_as_one([path, other], 3, is_split=False)
    path.write_text("")
    assert_as_one(path, 3, is_split=False)
    assert "the dump is empty" in read(path, 3)[2]
