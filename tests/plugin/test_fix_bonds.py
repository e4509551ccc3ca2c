"""``fix e3d/bonds``: events, at any rank count, through migration and restarts; use in a run."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from analytic_models import MORSE_CHO
from bond_runs import (
    BREAK_OH,
    ELEMENTS,
    ENERGY,
    FORM_OH,
    GAS,
    REACH,
    STATIC,
    VECTOR,
    energy_OH,
    gas,
    placed,
    read_events,
    read_species,
    refused,
    reset_pair,
    same_events,
    script_of,
    vector_of,
    water,
)
from job_runs import kill_when
from lammps_runs import Run, lammps_command, plugin_environment, run_lammps, write_data
from tolerances import close

NATIVE_AND_COMPILED = [("safetensors", "float64"), ("safetensors", "float32"), ("pt2", "float64")]
"""Endings and precisions of the random Allegro beside the analytic model."""

# ---------------------------------------------------------------- events


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_dissociation_and_recombination(ranks: int, tmp_path: Path, morse_cho: Path) -> None:
    """One H is pulled off a water molecule and pushed back: one `broken`, one `formed`, where D says so."""
    write_data(tmp_path / "data.lmp", water(), ELEMENTS)
    body = f"""
group h id 2
fix b all e3d/bonds 1 file events.txt species species.txt cutoff {REACH}
fix pull h move linear 20.0 0.0 0.0
run 100
unfix pull
fix push h move linear -20.0 0.0 0.0
run 100
{VECTOR}
"""
    run = run_lammps(script_of(morse_cho, body), tmp_path, ranks)
    header, rows = read_events(tmp_path / "events.txt")
    close("form", float(header["form O-H"]), FORM_OH, 1e-12)
    close("break", float(header["break O-H"]), BREAK_OH, 1e-12)
    assert [header[key] for key in ("criterion", "cutoff", "units")] == ["energy", str(REACH), "metal"]

    distances = MORSE_CHO.by_pair[1, 2][2] + 0.01 * np.concatenate([np.arange(101), np.arange(99, -1, -1)])
    D = energy_OH(distances)[0]
    broken = int(np.flatnonzero(BREAK_OH < D)[0])
    formed = int(np.flatnonzero((FORM_OH > D) & (np.arange(201) > 100))[0])
    want = [
        [
            str(step),
            "1",
            "2",
            "3",
            "2",
            "O-H",
            *map(str, (*energy_OH(distances[step]), distances[step])),
            what,
        ]
        for step, what in ((broken, "broken"), (formed, "formed"))
    ]
    same_events(rows, want, ENERGY)
    assert 80 < broken < 90 and 140 < formed < 155

    species = read_species(tmp_path / "species.txt")
    assert sorted(species) == list(range(201))
    for step, words in species.items():
        assert words == ("2 2 H:1 HO:1" if broken <= step < formed else "1 1 H2O:1"), f"step {step}"
    assert vector_of(run) == [2, 2, 1, 1]


def test_pair_that_leaves_the_list(tmp_path: Path, morse_cho: Path) -> None:
    """Pulled beyond the bond cutoff between two samples: broken, with nan for what nobody measures."""
    write_data(tmp_path / "data.lmp", water(), ELEMENTS)
    body = """
group h id 2
fix b all e3d/bonds 50 file events.txt
fix pull h move linear 20.0 0.0 0.0
run 100
"""
    run_lammps(script_of(morse_cho, body), tmp_path)
    header, rows = read_events(tmp_path / "events.txt")
    assert rows == [["50", "1", "2", "3", "2", "O-H", "nan", "nan", "nan", "broken"]]
    assert header["cutoff"] == "covalent"


@pytest.mark.parametrize(("middle", "amplitude", "bonds"), [(1.25, 0.35, 1), (1.86, 0.13, 0)])
def test_vibration_is_no_event(
    middle: float, amplitude: float, bonds: int, tmp_path: Path, morse_cho: Path
) -> None:
    """Across one threshold but not both, fifty times: a bond stays a bond, a contact a contact."""
    ends = middle - amplitude, middle + amplitude
    low, high = (energy_OH(r)[0] for r in ends)
    assert [low < value < high for value in (FORM_OH, BREAK_OH)] == [bonds == 1, bonds == 0]
    atoms = Atoms("OH", positions=[[3, 3, 3], [3 + middle, 3, 3]], cell=[8, 8, 8])
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    body = f"""
group h id 2
fix shift h move wiggle {amplitude} 0 0 0.02
fix b all e3d/bonds 1 file events.txt cutoff {REACH}
compute pairs all e3d/pair/local dist cutoff model
compute least all reduce min c_pairs inputs local
compute most all reduce max c_pairs inputs local
fix range all ave/time 1 1 1 c_least c_most file range.txt
run 2000
{VECTOR}
"""
    run = run_lammps(script_of(morse_cho, body), tmp_path)
    assert read_events(tmp_path / "events.txt")[1] == []
    assert vector_of(run)[:2] == [bonds, 0]
    seen = np.loadtxt(tmp_path / "range.txt")[:, 1:]
    close("range", [seen.min(), seen.max()], ends, 1e-3)


@pytest.fixture(scope="module")
def gas_run(tmp_path_factory: pytest.TempPathFactory, short_morse_cho: Path) -> Run:
    """150 steps of the hot gas on one rank, with restart files."""
    folder = tmp_path_factory.mktemp("gas")
    write_data(folder / "data.lmp", gas(), ELEMENTS, velocities=True)
    return run_lammps(script_of(short_morse_cho, GAS + f"restart 20 restart.*\nrun 150\n{VECTOR}"), folder)


@pytest.mark.parametrize(("ranks", "before"), [(2, ""), (3, "comm_style tiled"), (4, "processors 2 2 1")])
def test_same_events_on_any_number_of_ranks(
    ranks: int, before: str, tmp_path: Path, short_morse_cho: Path, gas_run: Run
) -> None:
    """Bonds form and break across ranks and boundaries while atoms migrate: the same two files."""
    write_data(tmp_path / "data.lmp", gas(), ELEMENTS, velocities=True)
    balance = "balance 1.0 rcb\n" if before else ""
    run = run_lammps(
        script_of(
            short_morse_cho, (balance if "tiled" in before else "") + GAS + f"run 150\n{VECTOR}", before
        ),
        tmp_path,
        ranks,
    )
    want = read_events(gas_run.folder / "events.txt")
    got = read_events(tmp_path / "events.txt")
    assert got[0] == want[0]
    assert len(want[1]) > 50 and {row[9] for row in want[1]} == {"formed", "broken"}
    same_events(got[1], want[1])
    species = read_species(gas_run.folder / "species.txt")
    assert read_species(tmp_path / "species.txt") == species
    assert len(set(species.values())) > 10 and sorted(species) == list(range(0, 151, 3))
    assert vector_of(run) == vector_of(gas_run)
    assert vector_of(run)[1] == len(want[1])


@pytest.mark.parametrize(
    "model",
    [("morse-cho-short",), *(("allegro-plain", *rest) for rest in NATIVE_AND_COMPILED)],
    ids=lambda model: "-".join(model),
)
def test_bonds_equal_a_replay_of_the_pairs(model: tuple[str, ...], tmp_path: Path, model_files) -> None:
    """The rules, applied in Python to a dump of e3d/pair/local, give the same events; for a random Allegro
    with thresholds in the middle of its energies.
    """
    write_data(tmp_path / "data.lmp", gas(), ELEMENTS, velocities=True)
    columns = ("tag1", "tag2", "D", "A", "dist")
    file = model_files(*model)
    fix = GAS
    if model[0].startswith("allegro"):
        fix = GAS.replace("cutoff covalent", "cutoff covalent form -0.2 break -0.1")
    body = f"""{fix}compute pairs all e3d/pair/local {" ".join(columns)} cutoff covalent
dump pairs all local 3 pairs.dump {" ".join(f"c_pairs[{k + 1}]" for k in range(5))}
dump_modify pairs format float %.17g {" ".join(f"colname {k + 1} {name}" for k, name in enumerate(columns))}
run 150
"""
    run = run_lammps(script_of(file, body), tmp_path, 2)
    header, rows = read_events(tmp_path / "events.txt")
    symbols = gas().get_chemical_symbols()
    bonds: set[tuple[int, int]] = set()
    expected: list[list[str]] = []
    for frame in run.dump("pairs.dump"):
        pairs: dict[tuple[int, int], tuple[float, float, float]] = {}
        for i, j, *values in zip(*(frame[name].tolist() for name in columns), strict=True):
            key = int(i), int(j)
            pairs[key] = min(pairs.get(key, (np.inf, 0.0, 0.0)), tuple(values))  # type: ignore[type-var]
        now = set()
        for key in bonds | set(pairs):
            label = "-".join(symbols[k - 1] for k in key)
            d, a, r = pairs.get(key, (np.nan, np.nan, np.nan))
            limit = float(header[f"{'break' if key in bonds or not frame.step else 'form'} {label}"])
            if d < limit:
                now.add(key)
            if frame.step and (key in now) != (key in bonds):
                types = [str(ELEMENTS.index(symbols[k - 1]) + 1) for k in key]
                what = "formed" if key in now else "broken"
                ids = [str(k) for k in key]
                expected.append([str(frame.step), *ids, *types, label, repr(d), repr(a), repr(r), what])
        bonds = now
    expected.sort(key=lambda row: [int(word) for word in row[:3]])
    assert len(expected) > 10
    same_events(rows, expected, ENERGY)


# ---------------------------------------------------------------- migration, restart


def drifting() -> Atoms:
    """Molecules far from each other that vibrate and drift through the box, all alike."""
    rng = np.random.default_rng(2)
    names = ["CH3CH2OH", "H2O", "CH4", "H2O", "CH3CH2OH", "H2O", "H2", "CH4"]
    atoms, side = Atoms(), 8.0
    for k, name in enumerate(names):
        one = molecule(name)
        one.positions += side * np.array([k % 2, k // 2 % 2, k // 4]) + 3.0
        one.arrays["velocities"] = np.array([80.0, -70.0, 60.0]) + rng.normal(0.0, 0.3, (len(one), 3))
        atoms += one
    atoms.cell = [2 * side] * 3
    atoms.pbc = True
    return atoms


@pytest.mark.parametrize(("ranks", "every"), [(1, 1), (2, 1), (4, 7)])
def test_migration_loses_no_bond(ranks: int, every: int, tmp_path: Path, short_morse_cho: Path) -> None:
    """900 steps through all ranks and boundaries: no event, and the molecules of the start."""
    atoms = drifting()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, velocities=True)
    body = f"""
fix b all e3d/bonds {every} file events.txt species species.txt form -1.2 break -0.6
timestep 0.00025
fix md all nve
dump atoms all custom 900 atoms.dump id x y z ix iy iz
run 900
{VECTOR}
"""
    run = run_lammps(script_of(short_morse_cho, body), tmp_path, ranks)
    _, rows = read_events(tmp_path / "events.txt")
    assert rows == []
    assert set(read_species(tmp_path / "species.txt").values()) == {"8 4 H2O:3 C2H6O:2 CH4:2 H2:1"}
    assert vector_of(run) == [2 * 8 + 3 * 2 + 2 * 4 + 1, 0, 8, 4]
    frames = run.dump("atoms.dump")
    moved = np.sum([frames[-1].sorted_by("id")[f"i{axis}"] != 0 for axis in "xyz"])
    assert moved > len(atoms), "the molecules should have crossed the boundaries"


@pytest.mark.parametrize(("ranks", "step", "begun"), [(1, 80, True), (3, 60, True), (2, 80, False)])
def test_restart_equals_the_uninterrupted_run(
    ranks: int, step: int, begun: bool, tmp_path: Path, short_morse_cho: Path, gas_run: Run
) -> None:
    """From a sampled step or between two, with the files of a run that went on to step 150, or without."""
    for name in (f"restart.{step}", "events.txt", "species.txt"):
        if begun or name == f"restart.{step}":
            (tmp_path / name).write_bytes((gas_run.folder / name).read_bytes())
    want_events = read_events(gas_run.folder / "events.txt")
    want_species = read_species(gas_run.folder / "species.txt")
    if begun:  # a write that was cut off
        with open(tmp_path / "events.txt", "a") as out:
            out.write("150 1 2")
    else:
        want_events = want_events[0], [row for row in want_events[1] if int(row[0]) > step]
        want_species = {key: words for key, words in want_species.items() if key > step}
    script = f"read_restart restart.{step}\n{reset_pair(short_morse_cho)}\n{GAS}run {150 - step}\n{VECTOR}"
    run = run_lammps(script, tmp_path, ranks)
    got = read_events(tmp_path / "events.txt")
    assert got[0] == want_events[0] and len(want_events[1]) > 10
    same_events(got[1], want_events[1])
    assert read_species(tmp_path / "species.txt") == want_species
    assert vector_of(run) == vector_of(gas_run)


@pytest.mark.parametrize("ranks", [1, 2])
def test_killed_run_goes_on(ranks: int, tmp_path: Path, short_morse_cho: Path) -> None:
    """SIGKILL while bonds form and break: from the newest restart file on, the files hold the events of a run
    that nobody stopped, those before the kill, those that are done again, and those after it.
    """
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for folder in (killed, whole):
        folder.mkdir()
        write_data(folder / "data.lmp", gas(), ELEMENTS, velocities=True)
    begin = script_of(short_morse_cho, f"{GAS}restart 30 r.*\nrun").rstrip()
    (killed / "in.lmp").write_text(f"{begin} 100000\n")
    command = [*lammps_command(ranks), "-in", "in.lmp", "-log", "none", "-screen", "none"]

    def newest_event() -> int:
        lines = (killed / "events.txt").read_text().splitlines() if (killed / "events.txt").exists() else []
        return max((int(line.split()[0]) for line in lines if line[:1].isdigit()), default=-1)

    code = kill_when(
        command, killed, lambda: newest_event() > 70, poll=0.001, environment=plugin_environment()
    )
    assert code == -signal.SIGKILL
    steps = sorted(int(path.name.partition(".")[2]) for path in killed.glob("r.*"))
    last = (
        steps[-1]
        if (killed / f"r.{steps[-1]}").stat().st_size == (killed / "r.30").stat().st_size
        else steps[-2]
    )
    before = newest_event()
    end = max(before, last) + 60
    again = f"read_restart r.{last}\n{reset_pair(short_morse_cho)}\n{GAS}run {end - last}"
    run_lammps(again, killed, ranks)
    run_lammps(f"{begin} {end}", whole, ranks)
    got, want = read_events(killed / "events.txt"), read_events(whole / "events.txt")
    assert got[0] == want[0]
    same_events(got[1], want[1], 1e-4)
    steps_of_events = np.array([int(row[0]) for row in got[1]])
    assert (steps_of_events < last).any() and (steps_of_events > before).any()
    assert read_species(killed / "species.txt") == read_species(whole / "species.txt")


def test_restart_with_other_settings(tmp_path: Path, gas_run: Run, short_morse_cho: Path) -> None:
    """A file that was begun with other thresholds is not gone on with, and stays as it was."""
    for name in ("restart.80", "events.txt", "species.txt"):
        (tmp_path / name).write_bytes((gas_run.folder / name).read_bytes())
    other = GAS.replace("cutoff covalent", "cutoff covalent form C-H -2.5")
    script = f"read_restart restart.80\n{reset_pair(short_morse_cho)}\n{other}run 70\n"
    refused(tmp_path, script, "cannot go on with the file events.txt: .*give another file name", data=False)
    assert (tmp_path / "events.txt").read_bytes() == (gas_run.folder / "events.txt").read_bytes()


def test_second_run_goes_on(tmp_path: Path, short_morse_cho: Path, gas_run: Run) -> None:
    """Two runs after one another are one: nothing twice on the step between."""
    write_data(tmp_path / "data.lmp", gas(), ELEMENTS, velocities=True)
    run_lammps(script_of(short_morse_cho, GAS + "run 81\nrun 69"), tmp_path)
    same_events(read_events(tmp_path / "events.txt")[1], read_events(gas_run.folder / "events.txt")[1])
    assert read_species(tmp_path / "species.txt") == read_species(gas_run.folder / "species.txt")


# ---------------------------------------------------------------- use in a run


def test_halt_and_variables(tmp_path: Path, morse_cho: Path) -> None:
    """fix halt ends the run when a bond breaks; numbers between samples are those of the last one."""
    write_data(tmp_path / "data.lmp", water(), ELEMENTS)
    body = f"""
group h id 2
fix b all e3d/bonds 10 file events.txt cutoff {REACH}
fix pull h move linear 20.0 0.0 0.0
variable events equal f_b[2]
variable molecules equal f_b[3]
fix stop all halt 1 v_events > 0 error continue
fix out all print 1 "$(step) ${{events}} ${{molecules}}" file out.txt screen no
run 1000
"""
    run_lammps(script_of(morse_cho, body), tmp_path, 2)
    _, rows = read_events(tmp_path / "events.txt")
    assert [row[0] for row in rows] == ["90"]
    seen = np.loadtxt(tmp_path / "out.txt")
    assert int(seen[-1][0]) == 90
    np.testing.assert_array_equal(seen[seen[:, 0] < 90][:, 1:], np.tile([0, 1], (np.sum(seen[:, 0] < 90), 1)))
    np.testing.assert_array_equal(seen[-1][1:], [1, 2])


def test_rerun(tmp_path: Path, short_morse_cho: Path, gas_run: Run) -> None:
    """The events of a dump that is read again."""
    write_data(tmp_path / "data.lmp", gas(), ELEMENTS, velocities=True)
    body = f"""{GAS}dump atoms all custom 3 atoms.dump id type x y z
dump_modify atoms format float %.17g
run 150
unfix b
undump atoms
{GAS.splitlines()[1].replace("events", "again").replace("species.", "species2.")}
rerun atoms.dump dump x y z
"""
    run_lammps(script_of(short_morse_cho, body), tmp_path, 2)
    same_events(read_events(tmp_path / "again.txt")[1], read_events(gas_run.folder / "events.txt")[1])
    assert read_species(tmp_path / "species2.txt") == read_species(gas_run.folder / "species.txt")


def test_run_0_and_minimize(tmp_path: Path, morse_cho: Path) -> None:
    """Atoms moved by hand between runs of no step, and the start of a minimization, are sampled as well."""
    write_data(tmp_path / "data.lmp", water(), ELEMENTS)
    body = f"""
fix b all e3d/bonds 1 file events.txt species species.txt cutoff {REACH}
group h id 2
run 0
displace_atoms h move 1.0 0 0
run 0
displace_atoms h move -0.7 0 0
run 0
minimize 0 1e-4 50 200
{VECTOR}
"""
    run = run_lammps(script_of(morse_cho, body), tmp_path)
    _, rows = read_events(tmp_path / "events.txt")
    assert [(row[0], row[9]) for row in rows] == [("0", "broken"), ("0", "formed")]
    lines = (tmp_path / "species.txt").read_text().splitlines()[2:]
    assert lines == ["0 1 1 H2O:1", "0 2 2 H:1 HO:1", "0 1 1 H2O:1"]
    assert vector_of(run) == [2, 2, 1, 1]


def test_deleted_atoms(tmp_path: Path, morse_cho: Path) -> None:
    """The bonds of a deleted atom are gone; those that the other atom kept are reported."""
    write_data(tmp_path / "data.lmp", placed(["H2O", "H2O"]), ELEMENTS)
    body = f"""{STATIC}run 0
group gone id 2 4
delete_atoms group gone compress no
run 0
{VECTOR}
"""
    run = run_lammps(script_of(morse_cho, body), tmp_path, 2)
    assert vector_of(run)[0] == 1 and vector_of(run)[2] == 3
    _, rows = read_events(tmp_path / "events.txt")
    assert [row[1:3] + row[9:] for row in rows] == [["1", "2", "broken"]]
