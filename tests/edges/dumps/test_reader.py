"""Reading ``dump local`` text: exact numbers, many files, and every way in which a dump can be bad."""

from __future__ import annotations

import functools
import gzip
import sys
from dataclasses import replace

import numpy as np
import pytest

from e3d_lmp.edges.dumps import text as dump_text
from e3d_lmp.edges.dumps.reader import DumpReader
from e3d_lmp.edges.frames import Box, EdgeFrame
from e3d_lmp.errors import E3DError
from edge_frames import (
    BOND_NAMES,
    NAMES,
    assert_same_frame,
    bonds_of,
    random_cell,
    random_frame,
    take,
    write_dump,
)

CUTOFFS = np.full((2, 2), 2.5)


@functools.cache
def base_frames(triclinic: bool) -> list[EdgeFrame]:
    rng = np.random.default_rng(7)
    cell = random_cell(rng, 5.0, 6.0, triclinic)
    return [random_frame(rng, 12, cell, CUTOFFS, step=10 * k) for k in range(5)]


def some_frames(n: int = 3, ids: np.ndarray | None = None, triclinic: bool = False) -> list[EdgeFrame]:
    frames = base_frames(triclinic)[:n]
    if ids is not None:
        frames = [replace(frame, i=ids[frame.i - 1], j=ids[frame.j - 1]) for frame in frames]
    return frames


def some_rows(frame: EdgeFrame, rows: slice) -> EdgeFrame:
    return take(frame, np.arange(len(frame.i))[rows])


@pytest.mark.parametrize("name", ["edges.dump", "edges.dump.gz"])
@pytest.mark.parametrize("triclinic", [False, True])
def test_round_trip_is_exact(tmp_path, name, triclinic):
    frames = some_frames(triclinic=triclinic)
    reader = DumpReader(write_dump(tmp_path / name, frames))
    read = list(reader)
    assert [frame.step for frame in read] == [0, 10, 20]
    for got, expected in zip(read, frames, strict=True):
        assert_same_frame(got, expected)
        np.testing.assert_allclose(got.box.cell, expected.box.cell, rtol=0, atol=1e-12)
        np.testing.assert_allclose(got.box.origin, expected.box.origin, rtol=0, atol=1e-12)
        assert got.box.pbc.all()
    assert reader.bytes_read == reader.bytes_total


@pytest.mark.parametrize("block", [64, 1000, 1 << 20])
def test_block_boundaries_change_nothing(tmp_path, monkeypatch, block):
    frames = some_frames()
    path = write_dump(tmp_path / "d", frames)
    monkeypatch.setattr(dump_text, "BLOCK_BYTES", block)
    for got, expected in zip(DumpReader(path), frames, strict=True):
        assert_same_frame(got, expected)


@pytest.mark.parametrize("offset", [10**6, 2**31, 2**53 - 12])
def test_large_ids_are_exact(tmp_path, offset):
    frames = some_frames(1, ids=offset + np.arange(1, 13))
    (got,) = DumpReader(write_dump(tmp_path / "d", frames))
    assert_same_frame(got, frames[0])


@pytest.mark.parametrize("float_format", ["%g", "%.9g", "%e"])
def test_rounded_ids_are_refused(tmp_path, float_format):
    offset = {"%g": 10**6, "%.9g": 10**9, "%e": 10**7}[float_format]
    path = write_dump(tmp_path / "d", some_frames(1, ids=offset + np.arange(0, 12)), float_format)
    with pytest.raises(E3DError, match=r"lost digits; add 'dump_modify ID format float %\.17g'"):
        list(DumpReader(path))


@pytest.mark.parametrize("float_format", ["%g", "%.17e", "%25.16f"])
def test_other_formats_that_keep_ids_are_read(tmp_path, float_format):
    frames = some_frames(1, ids=np.arange(12) + (999_988 if float_format == "%g" else 5_000_000))
    (got,) = DumpReader(write_dump(tmp_path / "d", frames, float_format))
    np.testing.assert_array_equal(got.i, frames[0].i)
    np.testing.assert_allclose(got.eps, frames[0].eps, rtol=1e-5)


def test_column_order_and_extra_columns_do_not_matter(tmp_path):
    frames = some_frames(2)
    columns = ("eps", "dz", "dist", "dy", "dx", "type2", "dist", "tag2", "type1", "tag1")
    for got, expected in zip(
        DumpReader(write_dump(tmp_path / "d", frames, columns=columns)), frames, strict=True
    ):
        assert_same_frame(got, expected)


def test_columns_by_option(tmp_path):
    frames = some_frames(1)
    names = tuple(f"c_e[{k}]" for k in range(1, 10))
    path = write_dump(tmp_path / "d", frames, names=names)
    (got,) = DumpReader(path, columns=NAMES)
    assert_same_frame(got, frames[0])
    with pytest.raises(E3DError, match=r"no column tag1, tag2, type1.*--columns"):
        list(DumpReader(path))
    with pytest.raises(E3DError, match="--columns names 8 columns, the dump has 9"):
        list(DumpReader(path, columns=NAMES[:8]))


def test_missing_and_doubled_columns_are_named(tmp_path):
    path = write_dump(
        tmp_path / "d", some_frames(1), columns=tuple(n for n in NAMES if n not in ("dz", "eps"))
    )
    with pytest.raises(E3DError, match=r"no column dz, eps among 'tag1 .*compute E all e3d/edge/local"):
        list(DumpReader(path))
    path = write_dump(tmp_path / "d", some_frames(1), columns=(*NAMES, "eps"))
    with pytest.raises(E3DError, match="column eps occurs more than once"):
        list(DumpReader(path))


def test_every(tmp_path):
    path = write_dump(tmp_path / "d", some_frames(5))
    assert [frame.step for frame in DumpReader(path, every=2)] == [0, 20, 40]
    with pytest.raises(E3DError, match="--every 0"):
        DumpReader(path, every=0)


def test_frame_without_edges(tmp_path):
    frames = [some_rows(some_frames(1)[0], slice(0, 0)), *some_frames(2)[1:]]
    read = list(DumpReader(write_dump(tmp_path / "d", frames)))
    for got, expected in zip(read, frames, strict=True):
        assert_same_frame(got, expected)


def test_units_time_and_label_lines(tmp_path):
    frames = some_frames(1)
    path = write_dump(tmp_path / "d", frames)
    text = (
        path.read_text()
        .replace("ENTRIES", "EDGES")
        .replace("ITEM: TIMESTEP", "ITEM: UNITS\nmetal\nITEM: TIMESTEP")
    )
    path.write_text(text.replace("ITEM: NUMBER", "ITEM: TIME\n0.5\nITEM: NUMBER"))
    (got,) = DumpReader(path)
    assert_same_frame(got, frames[0])


def test_energies_are_in_ev_whatever_the_units(tmp_path):
    frames = some_frames(2)
    path = write_dump(tmp_path / "d", frames)
    for got in (list(DumpReader(path, units="real")), list(_with_units(path, "real"))):
        for one, expected in zip(got, frames, strict=True):
            np.testing.assert_allclose(one.eps, expected.eps / 23.060549, rtol=1e-15)
            np.testing.assert_array_equal(one.vec, expected.vec)
    assert_same_frame(next(iter(_with_units(path, "metal", units="metal"))), frames[0])
    with pytest.raises(E3DError, match="says units real, not metal; leave --units out"):
        list(_with_units(path, "real", units="metal"))
    with pytest.raises(E3DError, match="units lj; expected units metal or real"):
        list(_with_units(path, "lj"))
    bonds = [bonds_of(frame, ("C", "H")) for frame in frames]
    (first, _) = DumpReader(write_dump(tmp_path / "b", bonds), units="real")
    for name in ("e12", "e21"):
        np.testing.assert_allclose(getattr(first, name), getattr(bonds[0], name) / 23.060549, rtol=1e-15)


def _with_units(path, said, **options):
    """A reader of the same dump with ITEM: UNITS at its beginning, where LAMMPS writes it once."""
    other = path.with_name(f"{path.name}-{said}")
    other.write_text(f"ITEM: UNITS\n{said}\n" + path.read_text())
    return DumpReader(other, **options)


@pytest.mark.parametrize("xy", [-2.0, 1.5])
@pytest.mark.parametrize("xz", [-1.0, 2.5])
@pytest.mark.parametrize("yz", [-1.5, 0.5])
def test_tilted_box(tmp_path, xy, xz, yz):
    cell, origin = np.array([[6.0, 0, 0], [xy, 5.0, 0], [xz, yz, 4.0]]), np.array([-1.0, 2.0, 3.5])
    frame = replace(some_frames(1)[0], box=Box(cell, origin, np.ones(3, dtype=bool)))
    (got,) = DumpReader(write_dump(tmp_path / "d", [frame]))
    np.testing.assert_allclose(got.box.cell, cell, rtol=0, atol=1e-12)
    np.testing.assert_allclose(got.box.origin, origin, rtol=0, atol=1e-12)


def test_general_triclinic_box(tmp_path):
    path = write_dump(tmp_path / "d", some_frames(1))
    lines = path.read_text().splitlines()
    lines[4:8] = ["ITEM: BOX BOUNDS abc origin pp ff pp", "1 2 3 0.5", "4 5 6 0.25", "7 8 10 0.125"]
    path.write_text("\n".join(lines) + "\n")
    (got,) = DumpReader(path)
    np.testing.assert_array_equal(got.box.cell, [[1, 2, 3], [4, 5, 6], [7, 8, 10]])
    np.testing.assert_array_equal(got.box.origin, [0.5, 0.25, 0.125])
    np.testing.assert_array_equal(got.box.pbc, [True, False, True])


def test_one_file_per_rank(tmp_path):
    frames = some_frames(3)
    for rank, rows in enumerate([slice(0, 5), slice(5, None), slice(0, 0)]):
        write_dump(tmp_path / f"edges.{rank}", [some_rows(frame, rows) for frame in frames])
    reader = DumpReader(str(tmp_path / "edges.*"))
    for got, expected in zip(reader, frames, strict=True):
        assert_same_frame(got, expected)
    assert reader.bytes_read == reader.bytes_total


def test_one_file_per_step_in_any_order(tmp_path):
    frames = some_frames(3)
    paths = [write_dump(tmp_path / f"edges.{frame.step}", [frame]) for frame in frames]
    assert [frame.step for frame in DumpReader([paths[2], paths[0], paths[1]])] == [0, 10, 20]


def test_restarted_run_counts_its_first_frame_once(tmp_path):
    frames = some_frames(5)
    write_dump(tmp_path / "a", frames[:3])
    write_dump(tmp_path / "b", frames[2:])
    reader = DumpReader([tmp_path / "a", tmp_path / "b"])
    assert [frame.step for frame in reader] == [0, 10, 20, 30, 40]
    assert reader.repeated == 1


def test_files_of_different_runs_are_refused(tmp_path):
    frames = some_frames(3)
    write_dump(tmp_path / "a", frames)
    write_dump(tmp_path / "b", [frames[0], frames[2]])
    with pytest.raises(E3DError, match="frame 2 has steps 10 and 20"):
        list(DumpReader([tmp_path / "a", tmp_path / "b"]))
    write_dump(tmp_path / "b", some_frames(3, triclinic=True))
    with pytest.raises(E3DError, match="different boxes: they are not the parts of one run"):
        list(DumpReader([tmp_path / "a", tmp_path / "b"]))


@pytest.mark.parametrize("lost", [1, 2, 40, 3000])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_cut_off_last_frame(tmp_path, lost, ending):
    frames = some_frames(3)
    text = write_dump(tmp_path / "whole", frames).read_bytes()
    last = text.rindex(b"ITEM: TIMESTEP")
    assert lost < len(text) - last
    path = tmp_path / f"cut{ending}"
    path.write_bytes(gzip.compress(text[:-lost]) if ending else text[:-lost])
    with pytest.raises(E3DError, match="frame 3 is cut off; add --allow-truncated"):
        list(DumpReader(path))
    reader = DumpReader(path, allow_truncated=True)
    assert [frame.step for frame in reader] == [0, 10]
    assert reader.truncated == 1
    for got, expected in zip(reader, frames, strict=False):
        assert_same_frame(got, expected)


def test_cut_off_gzip_stream(tmp_path):
    path = write_dump(tmp_path / "d.gz", some_frames(3))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(E3DError, match="is cut off"):
        list(DumpReader(path))
    assert len(list(DumpReader(path, allow_truncated=True))) == 2


def test_frame_cut_off_in_the_middle_of_a_file(tmp_path):
    frames = some_frames(3)
    text = write_dump(tmp_path / "d", frames).read_text()
    _, third = [m for m in range(len(text)) if text.startswith("ITEM: TIMESTEP", m)][1:]
    (tmp_path / "d").write_text(text[: third - 30] + text[third:])  # killed, then continued with append yes
    with pytest.raises(E3DError, match="frame 2 is cut off"):
        list(DumpReader(tmp_path / "d"))
    assert [frame.step for frame in DumpReader(tmp_path / "d", allow_truncated=True)] == [0, 20]


def test_one_rank_cut_off(tmp_path):
    frames = some_frames(3)
    write_dump(tmp_path / "e.0", [some_rows(frame, slice(0, 5)) for frame in frames])
    write_dump(tmp_path / "e.1", [some_rows(frame, slice(5, None)) for frame in frames[:2]])
    with pytest.raises(E3DError, match=r"e\.1: frame 3 is cut off"):
        list(DumpReader(str(tmp_path / "e.*")))
    assert [frame.step for frame in DumpReader(str(tmp_path / "e.*"), allow_truncated=True)] == [0, 10]


def retyped(text: str, kind: int) -> str:
    """The last row with another type of its first atom."""
    words = text.split("\n")[-2].split()
    place = NAMES.index("type1")
    return text[: text.rstrip().rindex("\n") + 1] + " ".join(
        [*words[:place], str(kind), *words[place + 1 :], "\n"]
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda t: t.replace("ITEM: NUMBER OF ENTRIES\n", "ITEM: NUMBER OF ENTRIES\n-", 1),
            "from 0 to .*got '-42'",
        ),
        (lambda t: t.replace("ENTRIES\n42", "ENTRIES\n" + "4" * 5000, 1), r"from 0 to .*got '4+\.\.\.'"),
        (lambda t: t.replace("ENTRIES\n42", "ENTRIES\n--42", 1), "got '--42'"),
        (lambda t: t.replace("TIMESTEP\n0", f"TIMESTEP\n{2**63}", 1), "to 9223372036854775807, got"),
        (lambda t: t + "1 2 3 4 5 6 7 8 9 \n", "more rows than the 42 its header says"),
        (lambda t: "hello\n" + t, "expected the header of a LAMMPS 'dump local'.*got 'hello'"),
        (lambda t: t.replace("ENTRIES", "ATOMS"), "this is a dump of atoms"),
        (lambda t: t[:-2].rsplit(" ", 1)[0] + " nan \n", "expected 9 finite numbers.*nan"),
        (lambda t: t[:-2].rsplit(" ", 1)[0] + " 12abc \n", "expected 9 finite numbers.*12abc"),
        (lambda t: t[:-2].rsplit(" ", 1)[0] + "\n", "expected 9 finite numbers"),
        (lambda t: t[:-2] + " 1 \n", "expected 9 finite numbers"),
        (lambda t: t.replace("pp pp pp\n", "pp pp pp\nx", 1), "no box is 'pp pp pp' / x"),
        (lambda t: t.replace("pp pp pp", "pp pp", 1), "no box is 'pp pp' /"),
        (lambda t: t.replace("pp pp pp", "pp pp po", 1), "no box is 'pp pp po' /"),
        (lambda t: t.replace("pp pp pp\n", "pp pp pp\nnan nan\n", 1), "no box is 'pp pp pp' / nan nan"),
        (lambda t: t.replace("pp pp pp\n", "pp pp pp\n0 inf\n", 1), "no box is 'pp pp pp' / 0 inf"),
        (lambda t: t.replace("pp pp pp\n", "pp pp pp\n5 5\n", 1), "no box is 'pp pp pp' / 5 5"),
        (lambda t: t.replace("ITEM: BOX", "ITEM: TIMESTEP\n7\nITEM: BOX", 1), "a second 'ITEM: TIMESTEP'"),
        (lambda t: "ITEM: UNITS\nmetal\n" + t + "ITEM: UNITS\nreal\n" + t, "units real after units metal"),
        (lambda t: retyped(t, 3), r"step 0: atom \d+ has two types"),
        (lambda t: t[:-2].rsplit(" ", 1)[0] + " 1\xff \n", "expected 9 finite numbers.*1"),
        (
            lambda t: t.replace("TIMESTEP\n0", "TIMESTEP\nzero", 1),
            "after 'ITEM: TIMESTEP': expected a whole number, got 'zero'",
        ),
    ],
)
def test_damaged_files(tmp_path, damage, message):
    path = write_dump(tmp_path / "d", some_frames(1))
    path.write_text(damage(path.read_text()))
    with pytest.raises(E3DError, match=message):
        list(DumpReader(path))


@pytest.mark.parametrize("value", ["0", "1.5", "-3", "9007199254740994"])
def test_ids_must_be_whole_numbers(tmp_path, value):
    path = write_dump(tmp_path / "d", some_frames(1))
    lines = path.read_text().splitlines()
    lines[-1] = " ".join([value, *lines[-1].split()[1:]])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(E3DError, match="whole numbers from 1 to 2\\^53"):
        list(DumpReader(path))


def test_empty_and_missing_files(tmp_path):
    (tmp_path / "empty").write_text("")
    with pytest.raises(E3DError, match="the dump is empty"):
        list(DumpReader(tmp_path / "empty"))
    with pytest.raises(E3DError, match="no such file"):
        DumpReader(tmp_path / "nothing.*")
    (tmp_path / "false.gz").write_text("ITEM: TIMESTEP\n")
    with pytest.raises(E3DError, match=r"is it really a \.gz file"):
        list(DumpReader(tmp_path / "false.gz"))


def test_zst(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    frames = some_frames(2)
    text = write_dump(tmp_path / "d", frames).read_bytes()
    # two zstd frames, as "cat a.zst b.zst" makes them
    half = len(text) // 2
    (tmp_path / "d.zst").write_bytes(zstandard.compress(text[:half]) + zstandard.compress(text[half:]))
    for got, expected in zip(DumpReader(tmp_path / "d.zst"), frames, strict=True):
        assert_same_frame(got, expected)
    whole = (tmp_path / "d.zst").read_bytes()
    (tmp_path / "d.zst").write_bytes(b"damaged" + whole[7:])
    with pytest.raises(E3DError, match="compressed data are damaged"):
        list(DumpReader(tmp_path / "d.zst"))


def test_zst_without_the_module_says_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zstandard", None)
    (tmp_path / "d.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(E3DError, match="pip install zstandard"):
        list(DumpReader(tmp_path / "d.zst"))


def test_dumps_of_bonds(tmp_path):
    """The columns of compute e3d/pair/local make bonds; rank files are joined."""
    bonds = [bonds_of(frame, ("C", "H")) for frame in some_frames()]
    (got,) = [list(DumpReader(write_dump(tmp_path / "b.dump", bonds)))]
    for one, expected in zip(got, bonds, strict=True):
        assert_same_frame(one, expected)
    halves = [
        replace(bonds[0], **{k: v[at] for k, v in vars(bonds[0]).items() if k not in ("step", "box")})
        for at in (slice(0, 5), slice(5, None))
    ]
    paths = [write_dump(tmp_path / f"r.{k}", [half]) for k, half in enumerate(halves)]
    (joined,) = DumpReader(paths)
    assert_same_frame(joined, bonds[0])
    lacking = tuple(name for name in BOND_NAMES if name != "e21")
    with pytest.raises(E3DError, match=r"no column e21 among .*e3d/pair/local"):
        list(DumpReader(write_dump(tmp_path / "c.dump", bonds, columns=lacking)))


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
def test_ranks_read_each_frame_once(tmp_path, every, ranks):
    """A repeated frame takes nobody's turn."""
    frames = some_frames(5)
    path = write_dump(tmp_path / "d", [*frames[:2], frames[1], *frames[2:]])
    steps = {}
    for rank in range(ranks):
        reader = DumpReader(path, every=every, share=(rank, ranks))
        steps |= {rank + k * ranks: frame.step for k, frame in enumerate(reader)}
        assert reader.repeated == 1
    assert [steps[k] for k in range(len(steps))] == [0, 10, 20, 30, 40][::every]
