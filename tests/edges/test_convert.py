"""``e3d convert``: what LAMMPS dumped, in a store; dumped in any way, interrupted, or still going on."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from e3d_lmp.cli import main
from e3d_lmp.edges.dumps.reader import AtomReader
from e3d_lmp.edges.frames import EdgeFrame
from e3d_lmp.edges.pairs import Pairing
from e3d_lmp.edges.store.reader import StoreReader
from edge_frames import assert_same_frame, bonds_of, random_cell, random_frame, take, write_dump

CUTOFFS = np.full((2, 2), 2.5)
ELEMENTS = ("H", "C")


def some_frames(n: int = 5, every: int = 10) -> list[EdgeFrame]:
    """Paired edges of 12 atoms."""
    rng = np.random.default_rng(7)
    cell = random_cell(rng, 5.0, 6.0, False)
    base = random_frame(rng, 12, cell, CUTOFFS)
    return [replace(base, step=every * k, eps=rng.normal(-2.0, 0.7, base.i.size)) for k in range(n)]


def atom_dump(
    path: Path, steps: list[int], positions: np.ndarray, types: np.ndarray, style: str = "plain"
) -> Path:
    """A ``dump custom`` in the order of no id; `style`: ``plain``, ``element`` or ``scaled``."""
    columns = {
        "plain": "id type x y z",
        "element": "element id mol type xu yu zu",
        "scaled": "id type xs ys zs",
    }
    lines = []
    for step, frame in zip(steps, positions, strict=True):
        lines += ["ITEM: TIMESTEP", str(step), "ITEM: NUMBER OF ATOMS", str(len(frame))]
        lines += ["ITEM: BOX BOUNDS pp pp pp", "1 9", "1 9", "1 9", f"ITEM: ATOMS {columns[style]}"]
        for k in np.random.default_rng(step).permutation(len(frame)):
            where = " ".join(f"{x:.17g}" for x in ((frame[k] - 1) / 8 if style == "scaled" else frame[k]))
            if style == "element":
                lines.append(f"{('H', 'C')[types[k] - 1]} {k + 1} lig-1 {types[k]} {where}")
            else:
                lines.append(f"{k + 1} {types[k]} {where}")
    path.write_text("\n".join(lines) + "\n")
    return path


def convert(*words: object) -> int:
    return main(["convert", *map(str, words)])


def assert_holds(path: Path, frames: list[EdgeFrame]) -> StoreReader:
    reader = StoreReader(path)
    assert len(reader) == len(frames)
    for got, expected in zip(reader, frames, strict=True):
        assert_same_frame(got, expected)
    return reader


def error_of(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert convert(*words) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_one_file(tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    frames = some_frames()
    frames[2] = take(frames[2], np.zeros(0, dtype=int))
    path = tmp_path / f"d{ending}"
    if ending == ".zst":
        zstandard = pytest.importorskip("zstandard")
        path.write_bytes(zstandard.compress(write_dump(tmp_path / "plain", frames).read_bytes()))
    else:
        write_dump(path, frames)
    assert convert(path, "-o", tmp_path / "e.h5", "--types", *ELEMENTS) == 0
    reader = assert_holds(tmp_path / "e.h5", frames)
    assert reader.elements == ELEMENTS
    assert reader.provenance["dumps"] == path.name
    edges = sum(frame.i.size for frame in frames)
    assert f"5 frames, {edges} edges" in capsys.readouterr().out


def test_rank_files_and_step_files(tmp_path: Path) -> None:
    frames = some_frames()
    for rank in range(3):
        write_dump(tmp_path / f"r.{rank}", [take(f, np.arange(f.i.size)[rank::3]) for f in frames])
    order = np.concatenate([np.arange(frames[0].i.size)[rank::3] for rank in range(3)])
    assert convert(tmp_path / "r.*", "-o", tmp_path / "r.h5") == 0
    assert_holds(tmp_path / "r.h5", [take(frame, order) for frame in frames])
    for frame in frames:
        write_dump(tmp_path / f"s.{frame.step}", [frame])
    assert convert(tmp_path / "s.*", "-o", tmp_path / "s.h5", "--every", 2) == 0
    assert_holds(tmp_path / "s.h5", frames[::2])


def test_a_dump_of_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = some_frames()
    dump = write_dump(tmp_path / "d", [bonds_of(frame, ELEMENTS) for frame in frames])
    assert convert(dump, "-o", tmp_path / "p.h5", "--types", *ELEMENTS) == 0
    check_pairs(tmp_path / "p.h5", frames)
    said = error_of(capsys, dump, "-o", tmp_path / "y.h5", "--pairs", "--types", *ELEMENTS)
    assert "these are pairs already; leave --pairs out" in said


def check_pairs(path: Path, frames: list[EdgeFrame]) -> StoreReader:
    reader = StoreReader(path)
    assert reader.kind == "pairs" and len(reader) == len(frames)
    pairing = Pairing(ELEMENTS)
    for bonds, frame in zip(reader, frames, strict=True):
        got, wanted = pairing.label(bonds), pairing.pair(frame)
        for name in ("label", "i", "j", "vec", "e12", "e21"):
            np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name), err_msg=name)
    return reader


def test_pairing_while_converting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = some_frames()
    dump = write_dump(tmp_path / "d", frames)
    assert convert(dump, "-o", tmp_path / "p.h5", "--pairs", "--types", *ELEMENTS) == 0
    reader = check_pairs(tmp_path / "p.h5", frames)
    assert list(reader.values("unpaired")) == [0] * 5
    assert "--pairs needs the element of every LAMMPS type" in error_of(
        capsys, dump, "-o", tmp_path / "q.h5", "--pairs"
    )


def test_missing_partners_are_counted_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = some_frames(3)
    frames[1] = take(frames[1], np.arange(2, frames[1].i.size))
    dump = write_dump(tmp_path / "d", frames)
    words = (dump, "-o", tmp_path / "p.h5", "--pairs", "--types", *ELEMENTS)
    said = error_of(capsys, *words)
    assert "step 10: " in said and "edges have no partner" in said and "--skip-unpaired" in said
    assert convert(*words, "--skip-unpaired") == 0
    reader = StoreReader(tmp_path / "p.h5")
    missing = reader.values("unpaired")
    assert missing[0] == missing[2] == 0 and 1 <= missing[1] <= 2
    assert f"{missing[1]} edges without a partner left out" in capsys.readouterr().err


@pytest.mark.parametrize("style", ["plain", "element", "scaled"])
def test_positions_in_the_same_pass(tmp_path: Path, style: str, capsys: pytest.CaptureFixture[str]) -> None:
    frames = some_frames(4)
    positions = np.random.default_rng(3).uniform(1.0, 9.0, (8, 14, 3))
    types = np.ones(14, dtype=int)
    types[frames[0].i - 1] = frames[0].type_i
    steps = [5 * k for k in range(8)]  # more steps and more atoms than the edges have
    dump = write_dump(tmp_path / "d", frames)
    atoms = atom_dump(tmp_path / "a", steps, positions, types, style)
    words = [] if style == "element" else ["--types", *ELEMENTS]
    assert convert(dump, "--atoms", atoms, "-o", tmp_path / "e.h5", *words) == 0
    reader = assert_holds(tmp_path / "e.h5", frames)
    for k in range(4):
        got = reader.atoms(k)
        np.testing.assert_array_equal(got.id, np.arange(1, 15))
        np.testing.assert_array_equal(got.type, types)
        assert list(got.element) == [ELEMENTS[t - 1] for t in types]
        np.testing.assert_allclose(
            got.position, positions[2 * k], rtol=0, atol=1e-14 if style == "scaled" else 0
        )
    atom_dump(tmp_path / "a", steps[:5], positions[:5], types, style)
    said = error_of(capsys, dump, "--atoms", atoms, "-o", tmp_path / "f.h5", *words)
    assert "no frame of step 30, which the edges have" in said
    assert "is not a dump of atoms" in error_of(capsys, dump, "--atoms", dump, "-o", tmp_path / "g.h5")


def test_atoms_of_several_files(tmp_path: Path) -> None:
    positions = np.random.default_rng(3).uniform(1.0, 9.0, (2, 14, 3))
    types = np.ones(14, dtype=int)
    path = atom_dump(tmp_path / "a", [0, 5], positions, types)
    lines = path.read_text().splitlines()
    for rank in range(2):  # each half of the atoms
        part = []
        for start in (0, len(lines) // 2):
            head, rows = lines[start : start + 9], lines[start + 9 : start + 23]
            part += [*head[:3], "7", *head[4:], *rows[7 * rank : 7 * rank + 7]]
        (tmp_path / f"a.{rank}").write_text("\n".join(part) + "\n")
    for (step, got), (expected_step, expected) in zip(
        AtomReader(tmp_path / "a.*"), AtomReader(path), strict=True
    ):
        assert step == expected_step
        np.testing.assert_array_equal(got.id, expected.id)
        np.testing.assert_array_equal(got.position, expected.position)


def test_going_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cut-off dump is an error that leaves the frames before it; the whole one is then gone on with."""
    frames = some_frames(9)
    dump, words = tmp_path / "d", (tmp_path / "d", "-o", tmp_path / "e.h5", "--every", 2)
    write_dump(dump, frames)
    whole = dump.read_bytes()
    dump.write_bytes(whole[: len(whole) // 2])
    assert "is cut off; add --allow-truncated" in error_of(capsys, *words)
    assert len(StoreReader(tmp_path / "e.h5.partial")) == 2
    dump.write_bytes(whole)
    assert convert(*words) == 0
    assert "2 frames are in" in capsys.readouterr().err
    assert_holds(tmp_path / "e.h5", frames[::2])
    write_dump(dump, some_frames(12))  # the run was longer than thought
    assert convert(*words) == 0
    assert_holds(tmp_path / "e.h5", some_frames(12)[::2])
    assert convert(*words) == 0
    assert "6 frames, 0 of them new" in capsys.readouterr().out


def test_going_on_with_another_dump_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dump, words = tmp_path / "d", (tmp_path / "d", "-o", tmp_path / "e.h5")
    write_dump(dump, some_frames(4))
    assert convert(*words) == 0
    write_dump(dump, some_frames(9, every=7))
    assert "is this another run? Choose another name, or add --overwrite" in error_of(capsys, *words)
    assert_holds(tmp_path / "e.h5", some_frames(4))
    assert convert(*words, "--overwrite") == 0
    assert_holds(tmp_path / "e.h5", some_frames(9, every=7))
    write_dump(tmp_path / "other", some_frames(4))
    assert "was made by another request" in error_of(capsys, tmp_path / "other", "-o", tmp_path / "e.h5")


def test_frames_stop(tmp_path: Path) -> None:
    dump = write_dump(tmp_path / "d", some_frames(9))
    for n in (3, 3, 5):
        assert convert(dump, "-o", tmp_path / "e.h5", "--frames", n) == 0
        assert_holds(tmp_path / "e.h5", some_frames(n))


def test_bad_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dump = write_dump(tmp_path / "d", some_frames(1))
    out = ("-o", tmp_path / "e.h5")
    assert "--frames 0: expected" in error_of(capsys, dump, *out, "--frames", 0)
    assert "--follow -1.0: expected" in error_of(capsys, dump, *out, "--follow", -1)
    assert "--every 0: expected" in error_of(capsys, dump, *out, "--every", 0)
    assert "for --pairs; add it" in error_of(capsys, dump, *out, "--skip-unpaired")
    assert "no such file" in error_of(capsys, tmp_path / "nothing", *out)
    assert list(tmp_path.iterdir()) == [dump], "nothing stays behind"


# ---- a run that is still going on


def grow(path: Path, text: bytes, parts: int, pause: float = 0.02) -> threading.Thread:
    """Append `text` in so many parts of any length."""
    cuts = [0, *sorted(np.random.default_rng(5).integers(0, len(text), parts - 1)), len(text)]

    def work() -> None:
        for begin, end in itertools.pairwise(cuts):
            with open(path, "ab") as file:
                file.write(text[begin:end])
            time.sleep(pause)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_follow_one_file(tmp_path: Path, ending: str) -> None:
    frames = some_frames(6)
    text = write_dump(tmp_path / f"whole{ending}", frames).read_bytes()
    dump = tmp_path / f"d{ending}"
    dump.write_bytes(text[:10])
    thread = grow(dump, text[10:], 40)
    assert convert(dump, "-o", tmp_path / "e.h5", "--follow", 1.5) == 0
    thread.join()
    assert_holds(tmp_path / "e.h5", frames)


def test_follow_rank_files_with_atoms(tmp_path: Path) -> None:
    frames = some_frames(6)
    positions = np.random.default_rng(3).uniform(1.0, 9.0, (6, 12, 3))
    types = np.ones(12, dtype=int)
    types[frames[0].i - 1] = frames[0].type_i
    texts = {}
    for rank in range(2):
        parts = [take(frame, np.arange(frame.i.size)[rank::2]) for frame in frames]
        texts[f"d.{rank}"] = write_dump(tmp_path / "part", parts).read_bytes()
    texts["atoms"] = atom_dump(tmp_path / "part", [f.step for f in frames], positions, types).read_bytes()
    threads = []
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text[:200])
        threads.append(grow(tmp_path / name, text[200:], 30))
    words = ("--atoms", tmp_path / "atoms", "--follow", "1.5")
    assert convert(tmp_path / "d.*", "-o", tmp_path / "e.h5", *words) == 0
    for thread in threads:
        thread.join()
    order = np.concatenate([np.arange(frames[0].i.size)[rank::2] for rank in range(2)])
    reader = assert_holds(tmp_path / "e.h5", [take(frame, order) for frame in frames])
    np.testing.assert_array_equal(reader.atoms(5).position, positions[5])


def test_follow_new_files_until_enough(tmp_path: Path) -> None:
    """One file per step and rank, each appearing empty; --frames ends it long before --follow does."""
    frames = some_frames(6)
    for rank in range(2):
        write_dump(tmp_path / f"d.0.{rank}", [take(frames[0], np.arange(frames[0].i.size)[rank::2])])

    def work() -> None:
        for frame in frames[1:]:
            for rank in range(2):
                part = take(frame, np.arange(frame.i.size)[rank::2])
                text = write_dump(tmp_path / "part", [part]).read_bytes()
                grow(tmp_path / f"d.{frame.step}.{rank}", text, 4).join()

    thread = threading.Thread(target=work)
    thread.start()
    begin = time.monotonic()
    assert convert(tmp_path / "d.*", "-o", tmp_path / "e.h5", "--follow", 60, "--frames", 6) == 0
    assert time.monotonic() - begin < 30
    thread.join()
    order = np.concatenate([np.arange(frames[0].i.size)[rank::2] for rank in range(2)])
    assert_holds(tmp_path / "e.h5", [take(frame, order) for frame in frames])


def test_follow_refuses_late_ranks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second file of a step that has been read would be lost in silence."""
    frames = some_frames(2)
    write_dump(tmp_path / "d.0", [frames[0]])
    timer = threading.Timer(1.0, lambda: write_dump(tmp_path / "d.1", [frames[0]]))
    timer.start()
    said = error_of(capsys, tmp_path / "d.*", "-o", tmp_path / "e.h5", "--follow", 4)
    timer.join()
    assert "appeared after the other files of step 0 had been read" in said


def test_a_killed_follower_goes_on(tmp_path: Path) -> None:
    """SIGKILL while following a growing dump; the second run ends with what one undisturbed run makes."""
    frames = some_frames(60)
    text = write_dump(tmp_path / "whole", frames).read_bytes()
    dump = tmp_path / "d"
    dump.write_bytes(text[: len(text) // 3])
    words = [str(dump), "-o", str(tmp_path / "e.h5"), "--follow", "2"]
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from e3d_lmp.edges.store import writer\n"
        "writer.CHUNK_ROWS, writer.COMMIT_ROWS = 64, 500\n"
        f"from e3d_lmp.cli import main; sys.exit(main(['convert', *{words!r}]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    end = time.monotonic() + 60
    while not (tmp_path / "e.h5.partial").exists() or not len(StoreReader(tmp_path / "e.h5.partial")):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    safe = len(StoreReader(tmp_path / "e.h5.partial"))
    assert 0 < safe < 60
    thread = grow(dump, text[len(text) // 3 :], 10)
    assert convert(*words) == 0
    thread.join()
    assert_holds(tmp_path / "e.h5", frames)
    assert convert(tmp_path / "whole", "-o", tmp_path / "w.h5") == 0
    with h5py.File(tmp_path / "e.h5") as killed, h5py.File(tmp_path / "w.h5") as whole:
        for name in ("edges/vec", "edges/eps", "atoms/id", "frames/edge_offset", "frames/atom_offset"):
            np.testing.assert_array_equal(killed[name][()], whole[name][()], err_msg=name)
