"""Dumps that would take memory or time without end: zeros, rows without end, packed bombs, pipes."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.edges.dumps.reader import DumpReader
from e3d_lmp.edges.dumps.rows import RowReader
from e3d_lmp.edges.dumps.streams import Inflating
from e3d_lmp.edges.frames import EdgeFrame, atom_of_two_types
from e3d_lmp.errors import E3DError
from edge_frames import assert_same_frame, random_cell, random_frame, write_dump
from store_frames import some_frames

MB = 1 << 20


@pytest.fixture
def frames() -> list[EdgeFrame]:
    rng = np.random.default_rng(7)
    cell = random_cell(rng, 5.0, 6.0, False)
    return [random_frame(rng, 12, cell, np.full((2, 2), 2.5), step=10 * k) for k in range(3)]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes that the kernel was given, call by call."""
    found: list[int] = []
    read = RowReader.read

    def counted(self, text, at, first, rows):
        found.append(len(text) - at)
        return read(self, text, at, first, rows)

    monkeypatch.setattr(RowReader, "read", counted)
    return found


def add_zeros(path: Path, count: int) -> None:
    """Zeros behind a file, as a power cut leaves them; they take no room on the disk."""
    os.truncate(path, path.stat().st_size + count)


@pytest.mark.parametrize("cut", [0, 3, 40, 3000])
def test_zeros_after_a_power_cut(tmp_path, frames, looked_at, cut):
    """A frame that they cut off is a cut-off frame; each byte is looked at once or twice."""
    path = write_dump(tmp_path / "d", frames)
    size = path.stat().st_size - cut
    os.truncate(path, size)
    add_zeros(path, 64 * MB)
    if cut:
        with pytest.raises(E3DError, match="frame 3 is cut off; add --allow-truncated"):
            list(DumpReader(path))
    reader = DumpReader(path, allow_truncated=True)
    for got, expected in zip(reader, frames if cut == 0 else frames[:2], strict=True):
        assert_same_frame(got, expected)
    assert reader.truncated == (cut > 0)
    assert sum(looked_at) < 8 * size, "not the zeros, and not again and again"


def test_zeros_in_the_middle(tmp_path, frames):
    text = write_dump(tmp_path / "d", frames).read_bytes()
    (tmp_path / "d").write_bytes(text[: len(text) // 2] + bytes(MB) + text[len(text) // 2 :])
    with pytest.raises(E3DError, match="frame 2: zeros in its middle; the file is damaged"):
        list(DumpReader(tmp_path / "d"))


@pytest.mark.parametrize("filling", [b"1 2 1 1 ", b"x", b"\1", b"I"])
def test_a_row_without_an_end(tmp_path, frames, looked_at, filling):
    """Refused after so many bytes; it took a time that grew with the square of the length."""
    text = write_dump(tmp_path / "d", frames).read_bytes()
    cut = text.rindex(b"\n", 0, -2) + 1
    (tmp_path / "d").write_bytes(text[:cut] + filling * (16 * MB // len(filling)))
    with pytest.raises(
        E3DError, match=r"frame 3 \(step 20\): 1 MB without a line end|expected 9 finite numbers"
    ):
        list(DumpReader(tmp_path / "d"))
    assert sum(looked_at) < 8 * MB
    (tmp_path / "d").write_bytes(b"ITEM: TIMESTEP\n" + filling * (16 * MB // len(filling)))
    with pytest.raises(E3DError, match="expected a first line 'ITEM: TIMESTEP'"):
        list(DumpReader(tmp_path / "d"))


def memory_of(path: Path) -> int:
    tracemalloc.start()
    with pytest.raises(E3DError):
        list(DumpReader(path, allow_truncated=True))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("filling", [b"\0", b"7", b"ITEM: TIMESTEP\n"])
def test_packed_bombs(tmp_path, filling):
    """A small file that unpacks to GBs is read in small parts, and not beyond its first mistake."""
    pack = zlib.compressobj(9, wbits=31)
    block = filling * (MB // len(filling))
    (tmp_path / "d.gz").write_bytes(b"".join(pack.compress(block) for _ in range(1000)) + pack.flush())
    assert (tmp_path / "d.gz").stat().st_size < 6 * MB
    assert memory_of(tmp_path / "d.gz") < 8 * MB
    zstandard = pytest.importorskip("zstandard")
    pack = zstandard.ZstdCompressor(level=19).compressobj()
    (tmp_path / "d.zst").write_bytes(b"".join(pack.compress(block) for _ in range(4000)) + pack.flush())
    assert (tmp_path / "d.zst").stat().st_size < MB
    assert memory_of(tmp_path / "d.zst") < 100 * MB


def test_every_byte_of_packed_text_is_there(tmp_path):
    """However small the parts are that are asked for, over several members, and where the file is cut off."""
    rng = np.random.default_rng(3)
    text = b"".join(rng.integers(0, 9, 50).astype("S1").tolist()) * 3000 + bytes(range(256)) * 40
    packed = gzip.compress(text[:1000]) + gzip.compress(text[1000:]) + bytes(512)
    zstandard = pytest.importorskip("zstandard")
    sources = [
        (packed, lambda: zlib.decompressobj(wbits=31), True),
        (
            zstandard.compress(text[:1000]) + zstandard.compress(text[1000:]),
            zstandard.ZstdDecompressor().decompressobj,
            False,
        ),
    ]
    for content, new, is_limited in sources:
        (tmp_path / "p").write_bytes(content)
        for size in (1, 100, 4096, 10**7) if is_limited else (4096, 10**7):
            with open(tmp_path / "p", "rb") as raw:
                stream = Inflating(raw, new, is_limited)
                parts = list(iter(lambda: stream.read(size), b""))  # noqa: B023
            assert b"".join(parts) == text
            assert not is_limited or max(map(len, parts)) <= size
        (tmp_path / "p").write_bytes(content[: len(content) // 2])
        with open(tmp_path / "p", "rb") as raw:
            cut = Inflating(raw, new, is_limited).read(10**7)
        assert 1000 < len(cut) < len(text) and text.startswith(cut)


def test_a_pipe_is_refused_at_once(tmp_path, frames):
    """`e3d analyze FIFO` waited for a writer; <(zcat ...) was 'no such file'."""
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(
        E3DError, match=r"fifo: a pipe, which cannot be read twice; .*write it to a file first"
    ):
        DumpReader(tmp_path / "fifo")
    write_dump(tmp_path / "d", frames)
    for source, what in ((tmp_path / "fifo", "a pipe"), ("<(cat d)", "a pipe"), (tmp_path, "a folder")):
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m e3d_lmp analyze {source} --types C H -o out"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
        assert f": {what}" in done.stderr and "expected the text of a LAMMPS" in done.stderr
    with pytest.raises(E3DError, match="/dev/zero: no regular file"):
        DumpReader("/dev/zero")


def test_an_atom_has_one_type():
    frame = some_frames(1)[0]
    assert atom_of_two_types(frame) is None
    for shift in (0, 10**12):  # ids that lie together, and one far away from the others
        ids = np.where(frame.i == frame.i[3], frame.i + shift, frame.i), frame.j
        far = EdgeFrame(frame.step, frame.box, *ids, frame.type_i.copy(), frame.type_j, frame.vec, frame.eps)
        if shift:
            far.type_i[frame.i == frame.i[3]] = frame.type_i[3]
        assert atom_of_two_types(far) is None
        far.type_i[3] = 9
        assert atom_of_two_types(far) == far.i[3]
