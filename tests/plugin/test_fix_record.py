"""``fix e3d/record``: the rows of the dumps of the same run, at any number of ranks and writers; kills,
restarts, full disks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.edges.dumps.reader import DumpReader
from e3d_lmp.edges.records.reader import RecordReader
from e3d_lmp.units import KCAL_MOL_PER_EV
from lammps_runs import lammps_command, plugin_environment, run_lammps, script_of, start_lammps, write_data
from record_runs import is_sampled, rows_by_step, shards
from systems import ELEMENTS, SYSTEMS, cluster, triclinic

NVE = "timestep 0.0002\nfix md all nve"
PAIRS = ("tag1", "tag2", "type1", "type2", "dx", "dy", "dz", "e12", "e21")
PAIR_DUMP = f"""compute p all e3d/pair/local {" ".join(PAIRS)}
dump pairs all local 1 pairs.dump c_p[*]
dump_modify pairs format float %.17g {" ".join(f"colname {k + 1} {n}" for k, n in enumerate(PAIRS))}
"""


@pytest.fixture(scope="session")
def model(model_files) -> Path:
    """All that an Allegro model may have, by the native engine: the same bits every time."""
    return model_files("allegro-everything", "safetensors", "float64")


def as_rows(frame) -> np.ndarray:
    """Rows of a frame, as one table, in an order that depends on them alone."""
    energies = [frame.eps] if hasattr(frame, "eps") else [frame.e12, frame.e21]
    table = np.column_stack([frame.i, frame.j, frame.type_i, frame.type_j, frame.vec, *energies])
    return table[np.lexsort(table.T[::-1])]


def same_frames(record: Path, dump: Path, in_order: bool = False, units: str | None = None) -> int:
    """Check a record against the dump of the same steps, bit for bit; number of rows."""
    rows = 0
    for got, want in zip(RecordReader(record), DumpReader(dump, units=units), strict=True):
        assert (type(got), got.step) == (type(want), want.step)
        for name in ("cell", "origin", "pbc"):
            assert np.array_equal(getattr(got.box, name), getattr(want.box, name))
        assert np.array_equal(as_rows(got), as_rows(want))
        if in_order:
            assert np.array_equal(got.i, want.i) and np.array_equal(got.vec, want.vec)
        rows += got.i.size
    return rows


CASES = [
    # system, ranks, writers, before read_data
    ("box", 1, "node", ""),
    ("box", 2, "1", ""),
    ("box", 3, "2", ""),
    ("triclinic", 2, "2", ""),
    ("thin", 2, "node", "processors 2 1 1"),
    ("cluster", 3, "3", "processors 3 1 1"),  # ranks without atoms
    ("cluster", 3, "1", "processors 3 1 1"),
]


@pytest.mark.parametrize(("system", "ranks", "writers", "before"), CASES)
def test_equals_the_dumps(
    system: str, ranks: int, writers: str, before: str, tmp_path: Path, model: Path
) -> None:
    """Edges of the model, and bonds; several runs of one input write each step once."""
    atoms = SYSTEMS[system]() if system in SYSTEMS else cluster()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, velocities=True)
    tail = f"""{PAIR_DUMP}{NVE}
fix e all e3d/record 1 e writers {writers}
fix b all e3d/record 1 b rows bonds writers {writers} shard 0.005
run 2
run 3
print "$(f_e[1]) $(f_e[2]) $(f_e[3])" file counts.txt screen no
"""
    boundary = "f f f" if system == "cluster" else "p p p"
    run = run_lammps(script_of(model, ELEMENTS, boundary=boundary, setup=before, tail=tail), tmp_path, ranks)
    # the dump writes the frame of a second run's first step again, which its reader leaves out
    edges = same_frames(tmp_path / "e.json", tmp_path / "edges.dump", in_order=writers in ("1", "node"))
    assert same_frames(tmp_path / "b.json", tmp_path / "pairs.dump") > 0
    assert [float(word) for word in (tmp_path / "counts.txt").read_text().split()] == [6, edges, 56 * edges]
    assert f"6 frames, {edges} edges" in run.output

    number = {"node": 1}.get(writers) or int(writers)
    assert {(part, of) for part, _, of, *_ in shards(tmp_path / "e")} == {(1, number)}
    assert len(shards(tmp_path / "e")) == number
    by_numpy = rows_by_step(tmp_path / "e")
    assert sum(map(len, by_numpy.values())) == edges and list(by_numpy) == list(range(6))


def test_shards_rotate_between_frames(tmp_path: Path, model: Path) -> None:
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS, velocities=True)
    tail = f"{NVE}\nfix e all e3d/record 2 sub/e shard 0.1\nrun 13"
    (tmp_path / "sub").mkdir()
    run_lammps(script_of(model, ELEMENTS, tail=tail, edges=False), tmp_path)
    found = shards(tmp_path / "sub/e")
    assert [shard for *_, shard, _ in found] == list(range(1, len(found) + 1)) and len(found) >= 3
    sizes = [path.with_name(path.name.replace("frames", "edges")).stat().st_size for *_, path in found]
    one = max(len(rows) for rows in rows_by_step(tmp_path / "sub/e").values()) * 56
    assert all(100_000 <= size <= 100_256 + one for size in sizes[:-1]), sizes
    assert list(rows_by_step(tmp_path / "sub/e")) == [0, 2, 4, 6, 8, 10, 12]
    # a new run takes the place of the old one, whatever that has left
    run_lammps(script_of(model, ELEMENTS, tail=tail.replace("run 13", "run 1"), edges=False), tmp_path)
    assert list(rows_by_step(tmp_path / "sub/e")) == [0]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_a_fraction_is_the_same_at_any_number_of_ranks(ranks: int, tmp_path: Path, model: Path) -> None:
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS)
    tail = """fix e all e3d/record 1 e fraction 0.3
fix b all e3d/record 1 b rows bonds cutoff 2.5 fraction 0.3
fix all all e3d/record 1 all
run 0"""
    run_lammps(script_of(model, ELEMENTS, tail=tail, edges=False), tmp_path, ranks)
    part, bonds, whole = (RecordReader(tmp_path / f"{name}.json")[0] for name in ("e", "b", "all"))
    kept = is_sampled(whole.i, whole.j, 0.3)
    assert abs(kept.mean() - 0.3) < 0.06
    assert np.array_equal(as_rows(part), as_rows(whole)[is_sampled(*as_rows(whole)[:, :2].T, 0.3)])
    assert bonds.i.size and is_sampled(bonds.i, bonds.j, 0.3).all()
    assert "fraction 0.3" in RecordReader(tmp_path / "e.json").remarks()[0]


def test_cutoff_and_group_are_those_of_the_computes(tmp_path: Path, model: Path) -> None:
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS)
    (tmp_path / "cut.txt").write_text("C H 1.9\nO H 2.4\n")
    names = ("tag1", "tag2", "type1", "type2", "dx", "dy", "dz", "eps")
    tail = f"""group some id 1:20
compute s some e3d/edge/local {" ".join(names)} cutoff file cut.txt
dump s all local 1 some.dump c_s[*]
dump_modify s format float %.17g {" ".join(f"colname {k + 1} {n}" for k, n in enumerate(names))}
fix e some e3d/record 1 e cutoff file cut.txt
run 0"""
    run_lammps(script_of(model, ELEMENTS, tail=tail, edges=False), tmp_path, 2)
    assert same_frames(tmp_path / "e.json", tmp_path / "some.dump") > 10


def test_units_real(tmp_path: Path, model: Path) -> None:
    """Energies in the file are LAMMPS's own; the reader gives eV, with the bits of the dump's reader."""
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS)
    tail = "fix e all e3d/record 1 e\nrun 0"
    run_lammps(script_of(model, ELEMENTS, tail=tail, units="real"), tmp_path)
    assert same_frames(tmp_path / "e.json", tmp_path / "edges.dump", units="real") > 0
    raw = rows_by_step(tmp_path / "e")[0]["eps"]
    assert np.allclose(RecordReader(tmp_path / "e.json")[0].eps, raw / KCAL_MOL_PER_EV, rtol=1e-15)


def test_large_ids(tmp_path: Path, model: Path) -> None:
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS, first_id=2**31 - 60)
    tail = "fix e all e3d/record 1 e\nrun 0"
    run_lammps(script_of(model, ELEMENTS, tail=tail), tmp_path, 2)
    assert same_frames(tmp_path / "e.json", tmp_path / "edges.dump") > 0
    assert rows_by_step(tmp_path / "e")[0]["i"].min() == 2**31 - 60


GO_ON = """units metal
read_restart {restart}
pair_style e3d
pair_coeff * * {model} {elements}
neighbor 0.5 bin
neigh_modify every 1 delay 0 check yes
{tail}
"""


@pytest.mark.parametrize(
    ("first", "second", "writers"), [(1, 1, "1"), (2, 1, "node"), (1, 3, "2"), (2, 2, "2")]
)
def test_a_restarted_run_goes_on(first: int, second: int, writers: str, tmp_path: Path, model: Path) -> None:
    """Frames beyond the restart file go; the rest is made by other ranks, in new shards; each step is there
    once.
    """
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS, velocities=True)
    fix = f"{NVE}\nfix e all e3d/record 2 e shard 0.2 writers "
    tail = f"{fix}{min(first, 2)}\nrun 8\nwrite_restart r.bin\nrun 7"
    run_lammps(script_of(model, ELEMENTS, tail=tail, edges=False), tmp_path, first)
    before = rows_by_step(tmp_path / "e")
    assert list(before) == [0, 2, 4, 6, 8, 10, 12, 14]
    # what a killed writer may leave: half a frame behind the last one, a shard without its index
    *_, path = shards(tmp_path / "e")[0]
    with open(path.with_name(path.name.replace("frames", "edges")), "ab") as file:
        file.write(b"half a frame")
    stray = tmp_path / "e.p1.w0001of0001.s0099.edges.npy"
    np.save(stray, np.zeros(3))
    # or files that it has just made, without a header
    begun = [tmp_path / f"e.p1.w0001of0001.s0098.{kind}.npy" for kind in ("edges", "frames")]
    for path in begun:
        path.touch()
    assert RecordReader(tmp_path / "e.json").steps.tolist() == list(before)

    words = {"restart": "r.bin", "model": model, "elements": " ".join(ELEMENTS)}
    run_lammps(GO_ON.format(**words, tail=f"{fix}{writers}\nrun 10"), tmp_path, second)
    assert not any(path.exists() for path in (stray, *begun))
    after = rows_by_step(tmp_path / "e")
    assert list(after) == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    for step in (0, 2, 4, 6, 8):
        assert np.array_equal(before[step], after[step])
    assert {part for part, *_ in shards(tmp_path / "e")} == {1, 2}
    reader = RecordReader(tmp_path / "e.json")
    assert reader.steps.tolist() == list(after) and not reader.remarks()
    for step in (10, 12, 14):  # the same trajectory, to rounding: read_restart brings atoms in another order
        one, other = (np.sort(rows[step]["eps"]) for rows in (before, after))
        assert np.allclose(one, other, atol=1e-9)


def test_a_run_that_is_killed(tmp_path: Path, model: Path) -> None:
    """Again and again, at any moment: all that is there is whole, and the end is that of a run in one go."""
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS, velocities=True)
    fix = f"{NVE}\nfix e all e3d/record 1 e writers 2 shard 0.3\nrestart 10 a.bin b.bin\nthermo 1\n"
    steps = 120  # enough that a poll that comes late on a busy machine costs a kill, not all of them
    last, lives = -1, 0
    for _ in range(20):
        lives += 1
        whole = [path for path in (tmp_path / "a.bin", tmp_path / "b.bin") if is_whole(path)]
        if whole:
            newest = max(whole, key=lambda path: path.stat().st_mtime_ns)
            shutil.copy(newest, tmp_path / "start.bin")
            words = {"restart": "start.bin", "model": model, "elements": " ".join(ELEMENTS)}
            text = GO_ON.format(**words, tail=f"{fix}run {steps} upto")
        else:
            text = script_of(model, ELEMENTS, tail=f"{fix}run {steps} upto", edges=False)
        (tmp_path / "in.lmp").write_text(text)
        process = subprocess.Popen(
            [*lammps_command(2), "-in", "in.lmp", "-screen", "none"],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | plugin_environment(),
            start_new_session=True,
        )
        try:  # until some more frames are there, then in the middle of whatever it does
            end = time.monotonic() + 120
            wanted = last + 20
            while process.poll() is None and time.monotonic() < end:
                if newest_step(tmp_path) >= wanted:
                    break
                time.sleep(0.005)
        finally:
            killed = process.poll() is None
            if killed:
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        assert killed or code == 0, (tmp_path / "log.lammps").read_text(encoding="utf-8")[-600:]
        reader = RecordReader(tmp_path / "e.json")
        found = reader.steps.tolist()
        assert found == list(range(len(found))), "a step is missing or twice"
        assert [frame.step for frame in reader] == found
        last = max(last, found[-1] if found else -1)
        if code == 0:
            break
    assert code == 0 and last == steps and lives >= 3, (code, last, lives)

    straight = tmp_path / "straight"
    straight.mkdir()
    shutil.copy(tmp_path / "data.lmp", straight)
    tail = f"{NVE}\nfix e all e3d/record 1 e\nrun {steps}"
    run_lammps(script_of(model, ELEMENTS, tail=tail, edges=False), straight)
    for got, want in zip(RecordReader(tmp_path / "e.json"), RecordReader(straight / "e.json"), strict=True):
        assert got.step == want.step and got.i.size == want.i.size
        assert np.allclose(np.sort(got.eps), np.sort(want.eps), atol=1e-9)


def is_whole(path: Path) -> bool:
    """Whether LAMMPS's mark stands at both ends of a restart file."""
    return path.exists() and path.read_bytes().count(b"LammpS RestartT") == 2


def newest_step(folder: Path) -> int:
    try:
        steps = RecordReader(folder / "e.json").steps
    except Exception:  # it is just being begun
        return -1
    return int(steps[-1]) if steps.size else -1


def test_a_full_disk_while_recording(tmp_path: Path, model: Path) -> None:
    """600 kB: one error that says what to do; frames before it are whole, and the run goes on from there."""
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("no file system of one's own can be mounted: 'unshare -rm true' fails on this machine")
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS, velocities=True)
    for folder in ("full", "kept"):
        (tmp_path / folder).mkdir()
    fix = f"{NVE}\nfix e all e3d/record 1 full/e shard 0.2 writers 2"
    tail = f"{fix}\nrestart 2 kept/a.bin kept/b.bin\nrun 50"
    (tmp_path / "in.lmp").write_text(script_of(model, ELEMENTS, tail=tail, edges=False))
    run = " ".join([*lammps_command(2), "-in", "in.lmp", "-log", "none"])
    shell = f"mount -t tmpfs -o size=600k tmpfs full || exit 99; {run}; code=$?; cp full/* kept/; exit $code"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", shell],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | plugin_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode not in (0, 99), said
    assert "cannot write full/e.p1.w" in said and "No space left on device" in said
    assert "Frames before this step are whole; make room, and go on from the newest restart file" in said
    reader = RecordReader(tmp_path / "kept/e.json")
    found = reader.steps.tolist()
    assert len(found) >= 3 and found == list(range(len(found)))
    assert len(list(reader)) == len(found)

    # room again: the run goes on from its restart file, and every step is there once
    shutil.rmtree(tmp_path / "full")
    shutil.copytree(tmp_path / "kept", tmp_path / "full")
    whole = [path for path in (tmp_path / "kept/a.bin", tmp_path / "kept/b.bin") if is_whole(path)]
    words = {"restart": max(whole, key=lambda path: path.stat().st_mtime_ns), "model": model}
    run_lammps(GO_ON.format(**words, elements=" ".join(ELEMENTS), tail=f"{fix}\nrun 30 upto"), tmp_path, 2)
    reader = RecordReader(tmp_path / "full/e.json")
    assert reader.steps.tolist() == list(range(31)) and len(list(reader)) == 31


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("0 e", "Nevery must be a positive number of steps, not 0"),
        ("1 sub/", "the base must be a name that files begin with"),
        ("1 nowhere/e", "cannot read the folder nowhere/: No such file or directory"),
        ("1 e size 3", "unknown keyword 'size'; it takes 'rows edges|bonds'"),
        ("1 e rows atoms", "rows must be edges or bonds, not 'atoms'"),
        ("1 e fraction 0", "fraction must be above 0 and at most 1, not 0"),
        ("1 e fraction 1.5", "fraction must be above 0 and at most 1, not 1.5"),
        ("1 e writers 2", "writers must be 'node', or 1 to 1, the number of ranks, not 2"),
        ("1 e shard -1", "shard must be a positive size in MB, not -1"),
        ("1 e cutoff 99", "99"),
        ("1 e rows", "Illegal fix e e3d/record rows command: missing argument"),
    ],
)
def test_refusals(words: str, said: str, tmp_path: Path, model: Path) -> None:
    write_data(tmp_path / "data.lmp", cluster(4), ELEMENTS)
    run = start_lammps(
        script_of(
            model, ELEMENTS, boundary="f f f", tail=f"fix e all e3d/record {words}\nrun 0", edges=False
        ),
        tmp_path,
    )
    assert run.code != 0 and said in run.output, run.output[-600:]
    assert not list(tmp_path.glob("*.npy"))


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (
            "reset_timestep 0\nfix e all e3d/record 1 e\nrun 1",
            "remove 'reset_timestep', or give the fix another",
        ),
        (
            "fix e all e3d/record 1 e cutoff 2.0\nrun 1",
            "cannot go on with 'e': its settings were 'rows edges cutoff",
        ),
        ("fix e all e3d/record 1 e rows bonds\nrun 1", "cannot go on with 'e'"),
        ("fix e all e3d/record 1 e\nrun 1\nreset_timestep 0\nrun 1", "reset"),
    ],
)
def test_refusals_after_a_restart(tail: str, said: str, tmp_path: Path, model: Path) -> None:
    write_data(tmp_path / "data.lmp", cluster(4), ELEMENTS, velocities=True)
    first = f"{NVE}\nfix e all e3d/record 1 e\nrun 3\nwrite_restart r.bin"
    run_lammps(script_of(model, ELEMENTS, boundary="f f f", tail=first, edges=False), tmp_path)
    before = rows_by_step(tmp_path / "e")
    text = GO_ON.format(restart="r.bin", model=model, elements=" ".join(ELEMENTS), tail=tail)
    run = start_lammps(text, tmp_path)
    assert run.code != 0 and said in run.output, run.output[-600:]
    after = rows_by_step(tmp_path / "e")
    assert all(np.array_equal(before[step], after[step]) for step in before)


def test_two_fixes_with_one_base(tmp_path: Path, model: Path) -> None:
    write_data(tmp_path / "data.lmp", cluster(4), ELEMENTS)
    tail = "fix e all e3d/record 1 e\nfix f all e3d/record 1 e\nrun 0"
    run = start_lammps(script_of(model, ELEMENTS, boundary="f f f", tail=tail, edges=False), tmp_path)
    assert run.code != 0 and "cannot write e.p1.w0001of0001.s0001.edges.npy: File exists" in run.output


def test_what_the_record_says_of_itself(tmp_path: Path, model: Path) -> None:
    write_data(tmp_path / "data.lmp", cluster(4), ELEMENTS)
    tail = "fix e all e3d/record 7 'a \"b\"' cutoff covalent\nrun 0"
    run_lammps(script_of(model, ELEMENTS, boundary="f f f", tail=tail, edges=False), tmp_path)
    about = json.loads((tmp_path / 'a "b".json').read_text())
    assert about["format"] == "e3d-record/1" and about["rows"] == "edges" and about["cutoff"] == "covalent"
    assert about["elements"] == list(ELEMENTS) and about["every"] == 7 and about["fraction"] == 1.0
    assert about["model"] == str(model) and about["units"] == "metal"
    assert len(RecordReader(tmp_path / 'a "b".json')) == 1
