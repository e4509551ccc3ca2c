"""Records: whole frames in any number of shards and parts; damage; analysis and conversion by ranks."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp import cli
from e3d_lmp.edges.frames import EdgeFrame
from e3d_lmp.edges.pairs import Pairing
from e3d_lmp.edges.records.reader import RecordReader, is_record
from e3d_lmp.edges.sources import EdgeSource
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.errors import E3DError
from edge_frames import assert_same_frame, random_cell, random_frame, write_dump
from lammps_runs import BIN
from record_runs import write_record

ELEMENTS = ("C", "H", "N", "O")


def frames(count: int = 5, seed: int = 1, first: int = 0) -> list[EdgeFrame]:
    """Random frames, ids beyond 2^31 among them; steps 10 apart."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(count):
        frame = random_frame(rng, 8, random_cell(rng, 4.0, 6.0, True), np.full((4, 4), 3.0))
        found.append(dataclasses.replace(frame, step=10 * k + first))
    return found


def mpirun(ranks: int, *words: object) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "mpirun"), "-np", str(ranks), sys.executable, "-m", "e3d_lmp", *map(str, words)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


@pytest.mark.parametrize("writers", [1, 3])
def test_round_trip(tmp_path: Path, writers: int) -> None:
    given = frames()
    given[2] = dataclasses.replace(given[2], i=given[2].i + 2**40, j=given[2].j + 2**40)
    given[3] = dataclasses.replace(
        given[3], **{k: getattr(given[3], k)[:0] for k in ("i", "j", "vec", "eps")}
    )
    given[3] = dataclasses.replace(given[3], type_i=given[3].type_i[:0], type_j=given[3].type_j[:0])
    path = write_record(tmp_path / "r.json", [given], writers)
    assert is_record(path)
    reader = RecordReader(path)
    assert (len(reader), reader.kind, reader.elements, reader.remarks()) == (5, "edges", ELEMENTS, [])
    assert reader.steps.tolist() == [0, 10, 20, 30, 40]
    for got, want in zip(reader, given, strict=True):
        assert_same_frame(got, want)
    assert reader.bytes_read == reader.bytes_total == 56 * sum(frame.i.size for frame in given)
    assert_same_frame(reader[-1], given[-1])
    assert [frame.step for frame in reader[1:4:2]] and len(reader[1:4:2]) == 2
    with pytest.raises(IndexError, match="frame 5 of 5"):
        reader[5]
    assert RecordReader(path, every=2).steps.tolist() == [0, 20, 40]
    shares = [[frame.step for frame in RecordReader(path, share=(rank, 2))] for rank in (0, 1)]
    assert shares == [[0, 20, 40], [10, 30]]
    later = RecordReader(path, every=2)
    later.after = 15
    assert [frame.step for frame in later] == [20, 40] and later.passed == 2


def test_bonds(tmp_path: Path) -> None:
    pairing = Pairing(ELEMENTS)
    given = [pairing.bonds(frame)[0] for frame in frames(3)]
    for got, want in zip(RecordReader(write_record(tmp_path / "b.json", [given], 2)), given, strict=True):
        assert_same_frame(got, want)


def test_frames_that_not_all_writers_have(tmp_path: Path) -> None:
    """Of a killed run: one writer was ahead, or has not begun its next shard."""
    given = frames()
    path = write_record(tmp_path / "r.json", [given], writers=2)
    for kind in ("edges", "frames"):
        (tmp_path / f"r.p1.w0002of0002.s0003.{kind}.npy").unlink()
    reader = RecordReader(path)
    assert reader.steps.tolist() == [0, 10, 20, 30]
    assert reader.remarks() == [f"1 frames left out that not all writers of {path} have"]
    index = tmp_path / "r.p1.w0001of0002.s0002.frames.npy"
    np.save(index, np.load(index)[:1])
    assert RecordReader(path).steps.tolist() == [0, 10, 20]


def test_a_later_part_counts(tmp_path: Path) -> None:
    """Where the restarted run could not remove frames that it makes again, on the disk of another node."""
    first, second = frames(6), frames(4, seed=2, first=30)
    path = write_record(tmp_path / "r.json", [first, second])
    reader = RecordReader(path)
    assert reader.steps.tolist() == [0, 10, 20, 30, 40, 50, 60]
    assert_same_frame(reader[2], first[2])
    assert_same_frame(reader[3], second[0])
    assert reader.remarks() == ["3 frames left out that a restarted run has made again"]


def test_damage(tmp_path: Path) -> None:
    given = frames(2)
    path = write_record(tmp_path / "r.json", [given])
    rows, index = (tmp_path / f"r.p1.w0001of0001.s0001.{kind}.npy" for kind in ("edges", "frames"))
    good = {file: file.read_bytes() for file in (path, rows, index)}

    def refused(said: str) -> None:
        with pytest.raises(E3DError, match=said):
            list(RecordReader(path))
        for file, data in good.items():
            file.write_bytes(data)

    rows.write_bytes(good[rows][:-100])
    refused("damaged record .*copy the record again, or remove this shard")
    rows.unlink()
    refused("s0001.edges.npy: damaged record .*No such file")
    index.write_bytes(good[index][:-5])
    refused("frames.npy: damaged index of a record")
    index.write_bytes(b"")
    refused("frames.npy: damaged index of a record")
    np.save(rows, np.load(rows)[["i", "j", "eps"]])
    refused("damaged record .*instead of")
    table = np.load(rows)
    zero = table.copy()
    zero[-3:] = np.zeros(3, dtype=table.dtype)
    np.save(rows, zero)
    refused("rows without atoms: did the machine go down while it was written")
    table["eps"][0] = np.nan
    np.save(rows, table)
    refused("a number that is not finite")
    entries = np.load(index)
    entries["end"][1] += 10
    np.save(index, entries)
    refused("rows, and its index has")
    entries["step"] = 7
    np.save(index, entries)
    refused("steps that do not increase")
    np.save(index, np.array([{"a": 1}]), allow_pickle=True)
    refused("allow_pickle=False")
    path.write_text(good[path].decode().replace("e3d-record/1", "e3d-record/2"))
    assert is_record(path)
    refused("'e3d-record/2'; this version of e3d reads e3d-record/1 only")
    path.write_text(good[path].decode().replace('"fraction"', '"part"'))
    refused("no 'fraction' in it")
    path.write_text(good[path].decode().replace('"edges"', '"atoms"'))
    refused("damaged: rows 'atoms'")
    path.write_text('{"format": "other"}')
    assert not is_record(path)


def test_units_and_unknown_elements(tmp_path: Path) -> None:
    given = frames(1)
    path = write_record(tmp_path / "r.json", [given], units="real", elements=["C", "", "N", "O"])
    reader = RecordReader(path)
    assert reader.elements == ()
    assert np.allclose(reader[0].eps * 23.060549, given[0].eps, rtol=1e-14)
    with pytest.raises(E3DError, match="does not name the elements; add --types"):
        EdgeSource([path])
    assert EdgeSource([path], ELEMENTS).elements == ELEMENTS


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_record(tmp_path / "r.json", [frames(2)])
    other = write_record(tmp_path / "s.json", [frames(2)])
    empty = write_record(tmp_path / "empty.json", [frames(1)])
    (tmp_path / "empty.p1.w0001of0001.s0001.frames.npy").unlink()
    words: dict[tuple[object, ...], str] = {
        ("analyze", path, other, "-o", "o"): "expected dumps or one record, got 2 files, records among them",
        ("analyze", path, "-o", "o", "--units", "real"): "is a record: leave --columns and --units out",
        ("analyze", path, "-o", "o", "--types", "C", "H"): "elements of its types are C H N O, not C H",
        ("analyze", empty, "-o", "o"): "no whole frame is in its shards yet",
        ("convert", path, other, "-o", "o.h5"): "expected dumps or one record",
        ("convert", path, "-o", "o.h5", "--follow"): "is a record: leave --follow out",
        ("convert", path, "-o", "o.h5", "--types", "C", "H"): "elements of its types are C H N O",
    }
    for command, said in words.items():
        assert cli.main([str(word) for word in command]) == 2, command
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_analysis_and_conversion_by_ranks(tmp_path: Path, ranks: int) -> None:
    """The tables of the dump, and its store, bit for bit; shares of frames, and so of shards."""
    given = frames(7)
    dump = write_dump(tmp_path / "edges.dump", given)
    path = write_record(tmp_path / "r.json", [given], writers=2, per_shard=3)
    options = ["--cutoff", "model", "--bond-orders", "none", "-o"]
    assert cli.main(["analyze", str(dump), "--types", *ELEMENTS, *options, str(tmp_path / "d")]) == 0
    done = mpirun(ranks, "analyze", path, *options, tmp_path / "r")
    assert done.returncode == 0, done.stderr
    tables = [json.loads((tmp_path / name / "pairs.json").read_text())["pairs"] for name in ("d", "r")]
    assert [row["pair"] for row in tables[0]] == [row["pair"] for row in tables[1]]
    for one, many in zip(*tables, strict=True):
        for key, value in one.items():
            if isinstance(value, float):  # sums over frames, in the order of ranks
                assert many[key] == pytest.approx(value, rel=1e-13, abs=1e-13)
            else:
                assert many[key] == value
    maps = [(tmp_path / name / "map.e3d").read_text().splitlines() for name in ("d", "r")]
    one, many = ([line for line in text if not line.startswith("provenance")] for text in maps)
    assert one == many
    if ranks == 1:
        assert tables[0] == tables[1]

    assert (
        cli.main(["convert", str(dump), "-o", str(tmp_path / "d.h5"), "--types", *ELEMENTS, "--pairs"]) == 0
    )
    store = tmp_path / "r.h5"
    done = mpirun(ranks, "convert", path, "-o", store, "--pairs", "--frames", 3)
    assert done.returncode == 0 and "3 frames" in done.stdout, done.stderr
    done = mpirun(ranks, "convert", path, "-o", store, "--pairs")
    assert done.returncode == 0 and "7 frames, 4 of them new" in done.stdout, done.stderr
    for got, want in zip(StoreReader(store), StoreReader(tmp_path / "d.h5"), strict=True):
        assert_same_frame(got, want)
    assert StoreReader(store).values("unpaired").sum() == 0


@pytest.mark.parametrize("which", [0, 1])
def test_an_error_of_one_rank_ends_all(tmp_path: Path, which: int) -> None:
    """Of the writer's own frame, or of one that another rank has read; frames before it are in the store."""
    given = frames(6)
    path = write_record(tmp_path / "r.json", [given], per_shard=1)
    rows = tmp_path / f"r.p1.w0001of0001.s{3 + which:04d}.edges.npy"
    rows.write_bytes(rows.read_bytes()[:-8])
    done = mpirun(2, "convert", path, "-o", tmp_path / "r.h5")
    assert done.returncode != 0
    assert done.stderr.count("damaged record") == 1, done.stderr
    assert not (tmp_path / "r.h5").exists()


def test_dumps_are_converted_by_one_process(tmp_path: Path) -> None:
    dump = write_dump(tmp_path / "edges.dump", frames(2))
    done = mpirun(2, "convert", dump, "-o", tmp_path / "r.h5")
    assert done.returncode != 0 and done.stderr.count("e3d convert reads dumps with one process") == 1
    assert not list(tmp_path.glob("*.h5*"))
