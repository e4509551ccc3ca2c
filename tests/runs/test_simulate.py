"""``e3d run`` and `Simulation`: the edges and files that a dump of the same run gives, on 1 to 3 ranks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.errors import E3DError
from e3d_lmp.runs.simulate import Simulation
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
        (["absent.in"], "absent.in: no such file; expected a LAMMPS input"),
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
    assert done.stderr.count("e3d: error: absent.in: no such file") == 1, done.stderr
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


def _drive(folder: Path, script: str, every: int = 5) -> subprocess.CompletedProcess[str]:
    """What a `Simulation` prints of its samples, and of an error."""
    (folder / "in.steps").write_text(script)
    drive = f"""
from e3d_lmp.errors import E3DError
from e3d_lmp.runs.simulate import Simulation
options = dict(every={every}, cutoff="{CUTOFF}", screen=False)
with Simulation("in.steps", {{"model": "lj.nequip.pth"}}, **options) as simulation:
    try:
        simulation.run(lambda frame: print("step", frame.step, flush=True))
    except E3DError as error:
        print(error)
"""
    done = run_in(folder, sys.executable, "-c", drive)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def _steps(folder: Path, script: str, every: int = 5) -> list[int]:
    """Steps that are sampled in the 27 atoms with these commands at the end."""
    lines = _drive(folder, INPUT.split("run ${steps}")[0] + script, every).stdout.splitlines()
    assert all(line.startswith("step ") for line in lines), lines
    return [int(line.split()[1]) for line in lines]


def test_undump_of_a_dump_that_is_left_out(run_folder: Path) -> None:
    again = "dump edges all custom 5 atoms.dump id\n"
    assert _steps(run_folder, f"run 5\nundump edges\n{again}run 5\nundump edges\nrun 5\n") == [0, 5, 10, 15]
    assert (run_folder / "atoms.dump").exists()


def test_a_step_that_comes_again_with_other_atoms(run_folder: Path) -> None:
    assert _steps(run_folder, "run 0\nminimize 0 0 2 4\nreset_timestep 0\nrun 5\n") == [0, 0, 5]
    assert _steps(run_folder, "run 0\nrun 0\nreset_timestep 0\nrun 5\n") == [0, 0, 5]


def test_runs_without_their_set_up(run_folder: Path) -> None:
    """``pre no`` initialises nothing: the sampler has to be there from the run before."""
    script = "run 4\n" + "run 2 pre no post no\n" * 2
    assert _steps(run_folder, script, every=2) == [0, 2, 4, 6, 8]
    assert _steps(run_folder, "minimize 0 0 2 4\nreset_timestep 0\n" + script, every=2) == [0, 2, 4, 6, 8]
    # a fix and a compute made before the first sampled run need it, too
    refused = _drive(
        run_folder, INPUT.split("minimize")[0] + "fix md all nve\nminimize 0 0 2 4\nrun 2 pre no\n"
    )
    assert "leave out 'pre no' here" in refused.stdout


def test_commands_that_forbid_fixes_of_atoms(run_folder: Path) -> None:
    assert _steps(run_folder, "undump edges\nrun 5\nunfix md\nreplicate 2 1 1\nfix md all nve\nrun 5\n") == [
        0,
        5,
        10,
    ]


def test_quit_keeps_what_was_sampled(run_folder: Path) -> None:
    script = INPUT.split("run ${steps}")[0] + 'run 4\nif "$(step) > 3" then "run 2" "quit 3"\nrun 100\n'
    (run_folder / "in.quit").write_text(script)
    words = ["-v", "model", "lj.nequip.pth", "--every", "2", "--cutoff", CUTOFF, "-o", "r", "--quiet"]
    for ranks in (1, 2):
        done = e3d_in(run_folder, "run", "in.quit", *words, ranks=ranks)
        assert done.returncode == 3, done.stdout + done.stderr
        assert json.loads((run_folder / "r/pairs.json").read_text())["steps"] == [0, 6]
        assert json.loads((run_folder / "r/pairs.json").read_text())["samples"] == 4


@pytest.mark.parametrize(
    ("line", "steps"),
    [
        ('if "$(step) == 5" then "run 5" "run 10" else "run 100"', [0, 5, 10, 15, 20]),
        ("if $(step)>5 then 'run 100' elif '$(step) == 5' 'run 10' else 'run 5'", [0, 5, 10, 15]),
        ('if "$(step) > 5" then "run 100"', [0, 5]),
        ("variable c string run\n${c} 5", [0, 5, 10]),
        ('if "1 == 1" then """if "1 == 1" then \'run 5\' """', [0, 5, 10]),
    ],
)
def test_runs_inside_an_if(line: str, steps: list[int], run_folder: Path) -> None:
    assert _steps(run_folder, f"run 5\n{line}\n") == steps


def test_rerun_is_sampled(run_folder: Path) -> None:
    """The frames of a dump, as if they were steps; the first of them has the step of the last run."""
    dump = "dump atoms all custom 5 atoms.dump id type x y z\nrun 10\nundump atoms\nreset_timestep 0\nrun 0\n"
    assert _steps(run_folder, f"{dump}rerun atoms.dump dump x y z\n") == [0, 5, 10, 0, 0, 5, 10]


def test_steps_that_are_not_sampled_are_said(run_folder: Path) -> None:
    done = _drive(run_folder, INPUT.split("run ${steps}")[0] + "run 5\nminimize 0 0 2 4\nrun 5\n")
    assert re.search(
        "e3d: warning: 'minimize 0 0 2 4' went from step 5 to [67]: these steps are", done.stderr
    )
    assert "reset_timestep" not in done.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run 10 every 5 \"if '$(step) > 3' then quit\"", "a 'quit' inside of a run would end it"),
        ('if "1 == 1" then "jump SELF x"', "'jump' cannot be run line by line"),
        ('if "1 == 1" then', "expected 'if CONDITION then"),
        ('if "1 == 1" run 5', "expected 'if CONDITION then"),
        ('if "1 == 1 ==" then "run 5"', "Invalid Boolean syntax"),
        ("quit soon", "expected 'quit' or 'quit STATUS'"),
    ],
)
def test_commands_that_cannot_be_sampled(line: str, message: str, run_folder: Path) -> None:
    assert message in _drive(run_folder, INPUT.split("run ${steps}")[0] + line + "\n").stdout


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


def test_simulation_refuses_before_lammps_starts(tmp_path: Path) -> None:
    with pytest.raises(E3DError, match="no such file; expected a LAMMPS input"):
        Simulation(tmp_path / "absent")
