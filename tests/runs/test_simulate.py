"""``e3d run`` and `Simulation`: the edges and files that a dump of the same run gives, on 1 to 3 ranks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.errors import E3DError
from e3d_lmp.runs.simulate import Simulation, read_commands
from lammps_runs import BIN
from simulated_runs import CUTOFF, INPUT, STEPS, e3d_in, run_in

ModelFiles = Callable[..., Path]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_run_equals_dump_and_analyze(run_folder: Path, ranks: int) -> None:
    dumped = run_in(run_folder, str(BIN / "lmp"), "-in", "in.lj", "-v", "model", "lj.nequip.pth", ranks=1)
    assert dumped.returncode == 0, dumped.stdout + dumped.stderr
    analyzed = e3d_in(run_folder, "analyze", "edges.dump", "-o", "a", "--types", "Ar", "--cutoff", CUTOFF)
    assert analyzed.returncode == 0, analyzed.stderr
    (run_folder / "edges.dump").unlink()

    words = [
        "run",
        "in.lj",
        "-v",
        "model",
        "lj.nequip.pth",
        "--every",
        "5",
        "--cutoff",
        CUTOFF,
        "-o",
        "r",
        "--quiet",
    ]
    done = e3d_in(run_folder, *words, ranks=ranks)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (run_folder / "edges.dump").exists()  # the dump of the same edges is left out
    assert {path.name for path in (run_folder / "r").iterdir()} == {
        "bonds.csv",
        "bonds.json",
        "ridgelines.png",
        "pairs.csv",
        "pairs.json",
        "map.e3d",
        "maps.png",
        "log.lammps",
    }

    expected = json.loads((run_folder / "a/pairs.json").read_text())
    got = json.loads((run_folder / "r/pairs.json").read_text())
    assert got["samples"] == expected["samples"] == len(STEPS)
    assert got["steps"] == expected["steps"] == [STEPS[0], STEPS[-1]]
    (row,) = got["pairs"]
    (wanted,) = expected["pairs"]
    assert row["pair"] == "Ar-Ar" and row["count"] == wanted["count"] > 100
    for name in ("mean_D_eV", "std_D_eV", "mean_absA_eV"):
        # 30 steps of a float64 model: only the order of summation differs between ranks.
        assert row[name] == pytest.approx(wanted[name], rel=1e-9, abs=1e-12), name


def test_frames_carry_the_edges_of_the_dump(run_folder: Path) -> None:
    """Each sampled frame holds the very rows that LAMMPS dumps at that step."""
    from e3d_lmp.edges.dumps.reader import DumpReader

    script = f"""
from e3d_lmp.runs.simulate import Simulation
frames = []
options = dict(every=5, cutoff="{CUTOFF}", screen=False)
with Simulation("in.lj", {{"model": "lj.nequip.pth"}}, **options) as simulation:
    count = simulation.run(frames.append)
    assert simulation.elements == ("Ar",), simulation.elements
import numpy as np
np.savez("frames.npz", count=count, steps=[f.step for f in frames], cell=frames[0].box.cell,
         **{{f"{{name}}{{k}}": getattr(frame, name)
            for k, frame in enumerate(frames) for name in ("i", "j", "vec", "eps")}})
"""
    done = run_in(run_folder, sys.executable, "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    dumped = run_in(run_folder, str(BIN / "lmp"), "-in", "in.lj", "-v", "model", "lj.nequip.pth")
    assert dumped.returncode == 0, dumped.stdout + dumped.stderr
    got = np.load(run_folder / "frames.npz")
    reader = list(DumpReader([run_folder / "edges.dump"]))
    assert list(got["steps"]) == [frame.step for frame in reader] == STEPS
    assert int(got["count"]) == len(STEPS)
    assert np.array_equal(got["cell"], np.diag([11.7] * 3))
    for k, frame in enumerate(reader):
        for name in ("i", "j", "vec", "eps"):
            assert np.array_equal(got[f"{name}{k}"], getattr(frame, name)), (frame.step, name)


@pytest.mark.parametrize("ranks", [1, 2])
def test_errors_of_lammps_end_the_run_with_one_message(run_folder: Path, ranks: int) -> None:
    words = ["run", "in.lj", "-v", "model", "absent.nequip.pth", "-o", "r", "--quiet"]
    done = e3d_in(run_folder, *words, ranks=ranks)
    assert done.returncode != 0
    assert "absent.nequip.pth" in done.stderr
    assert done.stderr.count("e3d: error:") == 1, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("ranks", [1, 2])
def test_errors_of_the_analysis_end_the_run(run_folder: Path, ranks: int) -> None:
    """A pair that does not exist is found at the first sample, inside LAMMPS's run, on rank 0 alone."""
    words = ["run", "in.lj", "-v", "model", "lj.nequip.pth", "-o", "r", "--quiet", "--pairs", "C-H"]
    done = e3d_in(run_folder, *words, ranks=ranks)
    assert done.returncode != 0
    assert done.stderr.count("e3d: error: pair 'C-H'") == 1, done.stderr
    assert not (run_folder / "r/pairs.csv").exists()


def test_no_sample_is_an_error(run_folder: Path) -> None:
    (run_folder / "in.none").write_text(INPUT.split("run ${steps}")[0])
    done = e3d_in(run_folder, "run", "in.none", "-v", "model", "lj.nequip.pth", "-o", "r", "--quiet")
    assert done.returncode == 2
    assert "no step of 'in.none' was sampled" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["absent.in"], "no input 'absent.in'"),
        (["in.lj", "--every", "0"], "every: expected a whole number of steps from 1, got 0"),
        (["in.lj", "--cutoff", "short"], "cutoff 'short'"),
        (["in.lj", "-v", "steps"], "-v steps: expected a name and at least one value"),
        (["in.lj", "-v", "bad-name", "3"], "-v bad-name: expected a name of letters, digits and underscores"),
    ],
)
def test_bad_arguments(run_folder: Path, words: list[str], message: str) -> None:
    done = e3d_in(run_folder, "run", *words, "-o", "r")
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert not (run_folder / "r").exists()


def test_mistakes_are_said_once_by_all_ranks(run_folder: Path) -> None:
    done = e3d_in(run_folder, "run", "absent.in", "-o", "r", ranks=2)
    assert done.returncode != 0
    assert done.stderr.count("e3d: error: no input 'absent.in'") == 1, done.stderr
    assert not (run_folder / "r").exists()


def test_folder_that_cannot_be_made(run_folder: Path) -> None:
    (run_folder / "file").write_text("")
    done = e3d_in(run_folder, "run", "in.lj", "-o", "file/r")
    assert done.returncode == 2
    assert "cannot make the folder file/r" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("line", ["include", "include a b"])
def test_include_without_one_file(run_folder: Path, line: str) -> None:
    (run_folder / "in.include").write_text(f"units metal\n{line}\n")
    done = e3d_in(run_folder, "run", "in.include", "-o", "r", "--quiet")
    assert done.returncode == 2
    assert f"e3d: error: '{line}': expected 'include FILE'" in done.stderr


def _steps(folder: Path, script: str) -> list[int]:
    """Steps that are sampled in the 27 atoms with these commands at the end."""
    (folder / "in.steps").write_text(INPUT.split("run ${steps}")[0] + script)
    drive = f"""
from e3d_lmp.runs.simulate import Simulation
options = dict(every=5, cutoff="{CUTOFF}", screen=False)
with Simulation("in.steps", {{"model": "lj.nequip.pth"}}, **options) as simulation:
    simulation.run(lambda frame: print("step", frame.step, flush=True))
"""
    done = run_in(folder, sys.executable, "-c", drive)
    assert done.returncode == 0, done.stdout + done.stderr
    return [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("step ")]


def test_undump_of_a_dump_that_is_left_out(run_folder: Path) -> None:
    again = "dump edges all custom 5 atoms.dump id\n"
    assert _steps(run_folder, f"run 5\nundump edges\n{again}run 5\nundump edges\nrun 5\n") == [0, 5, 10, 15]
    assert (run_folder / "atoms.dump").exists()


def test_a_step_that_comes_again_with_other_atoms(run_folder: Path) -> None:
    assert _steps(run_folder, "run 0\nminimize 0 0 2 4\nreset_timestep 0\nrun 5\n") == [0, 0, 5]
    assert _steps(run_folder, "run 0\nrun 0\nreset_timestep 0\nrun 5\n") == [0, 0, 5]


def test_real_units_are_electronvolts_in_python(run_folder: Path) -> None:
    """The same atoms in units real: the plugin hands on kcal/mol, frames and files are in eV."""
    metal = INPUT.replace("minimize 0 0 2 4", "")
    real = metal.replace("units metal", "units real").replace("timestep 0.002", "timestep 2.0")
    (run_folder / "in.metal").write_text(metal)
    (run_folder / "in.real").write_text(real)
    model = ["-v", "model", "lj.nequip.pth", "-v", "steps", "5"]
    tables = []
    for name in ("in.metal", "in.real"):
        words = ["run", name, *model, "--every", "5", "--bin", "0.01", "--cutoff", CUTOFF, "--quiet"]
        done = e3d_in(run_folder, *words, "-o", f"out-{name}")
        assert done.returncode == 0, done.stderr
        tables.append(json.loads((run_folder / f"out-{name}/pairs.json").read_text()))
    (wanted,), (got,) = (table["pairs"] for table in tables)
    assert tables[1]["provenance"]["energy_unit"] == "eV" and tables[1]["bin_eV"] == 0.01
    assert got["count"] == wanted["count"] > 100 and wanted["mean_D_eV"] < -0.005
    # The constants of LAMMPS in the two systems differ in the sixth digit.
    assert got["mean_D_eV"] == pytest.approx(wanted["mean_D_eV"], rel=1e-5)


def test_dumps_of_units_real_say_so(run_folder: Path) -> None:
    """LAMMPS's own ITEM: UNITS is read; a dump without it needs --units real."""
    real = INPUT.replace("units metal", "units real").replace("timestep 0.002", "timestep 2.0")
    said = real.replace("dump_modify edges", "dump_modify edges units yes")
    model = ["-v", "model", "lj.nequip.pth", "-v", "steps", "5"]
    tables = []
    for name, text, words in (("said", said, []), ("unsaid", real, ["--units", "real"]), ("wrong", real, [])):
        (run_folder / f"in.{name}").write_text(text)
        done = run_in(run_folder, str(BIN / "lmp"), "-in", f"in.{name}", *model)
        assert done.returncode == 0, done.stdout
        assert ("ITEM: UNITS\nreal" in (run_folder / "edges.dump").read_text()) == (name == "said")
        words = ["edges.dump", "-o", name, "--types", "Ar", "--cutoff", CUTOFF, "--bin", "0.01", *words]
        done = e3d_in(run_folder, "analyze", *words)
        assert done.returncode == 0, done.stderr
        tables.append(json.loads((run_folder / name / "pairs.json").read_text())["pairs"])
    assert tables[0] == tables[1] and tables[0][0]["mean_D_eV"] == pytest.approx(-0.0102, rel=0.05)
    assert tables[2][0]["mean_D_eV"] == pytest.approx(tables[0][0]["mean_D_eV"] * 23.060549, rel=1e-9)


@pytest.mark.parametrize("place", ["_frame", "_local_rows"])
def test_a_rank_that_fails_in_a_sample_does_not_leave_the_others(run_folder: Path, place: str) -> None:
    drive = f"""
from e3d_lmp.runs.simulate import Simulation
def fail(*words):
    raise FloatingPointError("of one rank")
options = dict(every=5, cutoff="{CUTOFF}", screen=False)
with Simulation("in.lj", {{"model": "lj.nequip.pth"}}, **options) as simulation:
    if simulation.rank == 0:
        simulation.{place} = fail
    try:
        simulation.run(print)
    except Exception as error:
        # one write: two ranks share the pipe
        print(f"ended: {{simulation.rank}} {{error}}\\n", end="", flush=True)
"""
    done = run_in(run_folder, sys.executable, "-c", drive, ranks=2, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ended: 0 of one rank" in done.stdout
    assert "ended: 1 step 0: of one rank" in done.stdout


def test_jump_is_refused(run_folder: Path) -> None:
    (run_folder / "in.jump").write_text("units metal\njump SELF x\n")
    done = e3d_in(run_folder, "run", "in.jump", "-o", "r", "--quiet")
    assert done.returncode == 2
    assert "'jump' cannot be run line by line" in done.stderr


def test_read_commands_joins_and_skips(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_text('# a comment\n\nrun &\n  5\nprint """a\n\nb"""\n  # another\nrun 1 # tail\nrun 2')
    assert list(read_commands(path)) == ["run   5", 'print """a\n\nb"""', "run 1 # tail", "run 2"]
    path.write_text('print """a\n')
    with pytest.raises(E3DError, match="never closed"):
        list(read_commands(path))
    with pytest.raises(E3DError, match="expected a LAMMPS input file"):
        list(read_commands(tmp_path / "absent"))


def test_simulation_refuses_before_lammps_starts(tmp_path: Path) -> None:
    with pytest.raises(E3DError, match="no input"):
        Simulation(tmp_path / "absent")
