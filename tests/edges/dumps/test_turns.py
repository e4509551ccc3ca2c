"""Frames of a dump that go to the ranks in turn: each one once, numbers and remarks as of one process."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from e3d_lmp.edges.dumps.reader import DumpReader
from e3d_lmp.errors import E3DError
from edge_frames import assert_same_frame, random_frame, write_dump

HEADER = "ITEM: TIMESTEP\n"


def read(paths, ranks: int, **options) -> tuple[list[Any], list[str], str]:
    """Numbered frames of all ranks, the remarks, and the error that rank 0 would say."""
    frames: list[Any] = []
    remarks, errors = [], []
    for rank in range(ranks):
        reader = DumpReader(paths, share=(rank, ranks), **options)
        try:
            frames += [(reader.number, frame) for frame in reader]
        except E3DError as problem:
            errors.append(str(problem))
        remarks.append(reader.remarks())
    if not errors:
        assert all(one == remarks[0] for one in remarks)
    return sorted(frames, key=lambda each: each[0]), remarks[0], errors[0] if errors else ""


def assert_as_one(paths, ranks: int, **options) -> None:
    """What many ranks read is what one reads."""
    (frames, remarks, error), found = read(paths, 1, **options), read(paths, ranks, **options)
    assert found[2] == error
    if error:
        return
    assert found[1] == remarks
    assert [number for number, _ in found[0]] == [number for number, _ in frames] == [*range(len(frames))]
    for (_, one), (_, other) in zip(frames, found[0], strict=True):
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
    """Without --allow-truncated an error of one frame; with it, it takes no number."""

    def cut(parts: list[str]) -> None:
        parts[2] = parts[2][: parts[2].rindex("\n", 0, -1) + 1]

    path = edited(dump(tmp_path / "d", 7), cut)
    assert_as_one(path, ranks)
    assert_as_one(path, ranks, allow_truncated=True)
    assert "frame 3 is cut off" in read(path, ranks)[2]


@pytest.mark.parametrize("allow_truncated", [False, True])
def test_cut_off_within_a_row_before_other_frames(tmp_path, allow_truncated):
    """A run was killed while it wrote, and the next one appended to the file."""

    def cut(parts: list[str]) -> None:
        parts[2] = parts[2][:-20]

    path = edited(dump(tmp_path / "d", 7), cut)
    assert_as_one(path, 3, allow_truncated=allow_truncated)


@pytest.mark.parametrize(
    ("frame", "old", "new"),
    [
        (4, "ITEM: NUMBER OF ENTRIES\n", "ITEM: NUMBER OF ENTRIES\n1"),
        (2, " eps \n", " eps \n0.5 "),
        (2, "ITEM: ENTRIES tag1", "ITEM: ENTRIES tagg"),
        (5, "ITEM: BOX BOUNDS pp pp pp\n0 4", "ITEM: BOX BOUNDS pp pp pp\n0 x"),
        (3, "ITEM: NUMBER OF ENTRIES\n", "ITEM: NUMBER\n"),
        (3, "ITEM: TIMESTEP\n", "ITEM: TIMESTEP\nx"),
        (3, "ITEM: TIMESTEP\n", "what is this\nITEM: TIMESTEP\n"),
        (0, "ITEM: TIMESTEP\n", "what is this\nITEM: TIMESTEP\n"),
    ],
)
@pytest.mark.parametrize("ranks", [2, 3, 6])
def test_damaged_frames_are_the_errors_of_one_process(tmp_path, ranks, frame, old, new):
    def damage(parts: list[str]) -> None:
        assert old in parts[frame]
        parts[frame] = parts[frame].replace(old, new, 1)

    path = edited(dump(tmp_path / "d", 7), damage)
    assert read(path, 1)[2] == read(path, ranks)[2] != ""


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
    assert_as_one(paths, ranks, allow_truncated=True)


def test_other_files(tmp_path):
    """Compressed files, a file of each rank, an empty file."""
    path = dump(tmp_path / "d")
    packed = tmp_path / "d.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert_as_one(packed, 3)
    other = dump(tmp_path / "e")
    assert_as_one([path, other], 3)
    path.write_text("")
    assert_as_one(path, 3)
    assert "the dump is empty" in read(path, 3)[2]
