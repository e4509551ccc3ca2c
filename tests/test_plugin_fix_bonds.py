"""``fix e3d/bonds``: bonds by energy, their events, and the molecules that they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from analytic_models import PairModel, PairPotential, metadata_of
from e3d_lmp.export import write_edge_model
from e3d_lmp.maps import EnergyMap, LabelMap, write_map
from lammps_runs import Run, run_lammps, start_lammps, write_data
from tolerances import REFERENCE_STYLE, close

ELEMENTS = ("C", "H", "O")
REACH = 2.0
"""Cutoff of the model, angstrom."""
MORSE = PairPotential(
    "morse",
    ELEMENTS,
    {
        (0, 0): (3.6, 2.0, 1.50, REACH),
        (0, 1): (4.3, 1.9, 1.09, REACH),
        (0, 2): (3.7, 2.1, 1.40, REACH),
        (1, 1): (4.5, 4.0, 0.74, REACH),
        (1, 2): (4.8, 2.3, 0.96, REACH),
        (2, 2): (1.6, 2.5, 1.40, REACH),
    },
    {(0, 1): 0.6, (1, 2): 0.3, (0, 2): 0.55},
)
KJ_PER_MOL = 1.0 / 96.48533212
FORM_OH, BREAK_OH = -463.0 / 2.0 * KJ_PER_MOL, -463.0 / 4.0 * KJ_PER_MOL
"""Half and a quarter of the average bond enthalpy of O-H, eV."""
ENERGY = REFERENCE_STYLE.edge_energy


def energy_OH(r: float) -> tuple[float, float]:
    """D and A of an O-H pair of the model; O is the first atom, and its edge holds 0.7 of D."""
    depth, alpha, r0, _ = MORSE.by_pair[1, 2]
    e = np.exp(-alpha * (r - r0))
    return depth * (e * e - 2.0 * e), 0.4 * depth * (e * e - 2.0 * e)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Morse bonds between C, H and O."""
    path = tmp_path_factory.mktemp("model") / "cho.nequip.pth"
    write_edge_model(*MORSE.model(), path)
    return path


@pytest.fixture(scope="module")
def short_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same bonds, cut just beyond 1.3 times the covalent radii: atoms that are not bonded feel nothing."""
    reach = {(0, 0): 2.0, (0, 1): 1.4, (0, 2): 1.85, (1, 1): 0.85, (1, 2): 1.3, (2, 2): 1.75}
    by_pair = {pair: (*values[:3], reach[pair]) for pair, values in MORSE.by_pair.items()}
    path = tmp_path_factory.mktemp("model") / "short.nequip.pth"
    write_edge_model(*replace(MORSE, by_pair=by_pair).model(), path)
    return path


def read_events(path: Path) -> tuple[dict[str, str], list[list[str]]]:
    """Header lines (key and rest, `form O-H` in one key) and rows of an event file."""
    lines = path.read_text().splitlines()
    assert lines[0] == "e3d-bonds/1"
    start = next(k for k, line in enumerate(lines) if line.startswith("columns "))
    assert lines[start] == "columns step id1 id2 type1 type2 label D A r event"
    header = dict(line.rsplit(" ", 1) for line in lines[1:start])
    rows = [line.split() for line in lines[start + 1 :]]
    assert all(len(row) == 10 for row in rows)
    assert rows == sorted(rows, key=lambda row: [int(word) for word in row[:3]])
    return header, rows


def read_species(path: Path) -> dict[int, str]:
    """Step -> the words after it; each step once."""
    lines = path.read_text().splitlines()
    assert lines[:2] == ["e3d-species/1", "columns step molecules species formulas..."]
    rows = [line.split(" ", 1) for line in lines[2:]]
    assert len({step for step, _ in rows}) == len(rows)
    return {int(step): words for step, words in rows}


def same_events(got: Sequence[list[str]], want: Sequence[list[str]], tolerance: float = 1e-6) -> None:
    """The same events in the same order; energies and distances within `tolerance`."""
    assert [row[:6] + row[9:] for row in got] == [row[:6] + row[9:] for row in want]
    if want:
        numbers = [np.array([row[6:9] for row in rows], dtype=float) for rows in (got, want)]
        assert np.array_equal(np.isnan(numbers[0]), np.isnan(numbers[1]))
        close("D, A, r", *(np.nan_to_num(values) for values in numbers), tolerance)


def script_of(
    model: Path | str, body: str, before: str = "", units: str = "metal", boundary: str = "p p p"
) -> str:
    """`body` after the pair style."""
    return f"""
units {units}
newton on
boundary {boundary}
{before}
read_data data.lmp
pair_style e3d
pair_coeff * * {model} {" ".join(ELEMENTS)}
neighbor 0.3 bin
neigh_modify every 1 delay 0 check yes
timestep 0.0005
thermo 50
thermo_modify norm no format float %.17g
{body}
"""


def reset_pair(model: Path | str) -> str:
    """The pair style after read_restart."""
    return f"pair_style e3d\npair_coeff * * {model} {' '.join(ELEMENTS)}\ntimestep 0.0005\nthermo 10"


VECTOR = "print '$(f_b[1]) $(f_b[2]) $(f_b[3]) $(f_b[4])' file vector.txt screen no"


def vector_of(run: Run) -> list[int]:
    """What `VECTOR` printed."""
    return [int(float(word)) for word in (run.folder / "vector.txt").read_text().split()]


def water(box: float = 12.0, turned: bool = False) -> Atoms:
    """One water molecule, O then H (along +x) then H."""
    r = MORSE.by_pair[1, 2][2]
    positions = np.array([[0, 0, 0], [r, 0, 0], [-0.3 * r, 0.954 * r, 0]]) + [box / 2 - 0.4, 3.0, 4.0]
    return Atoms("OHH", positions=positions, cell=[box, 8.0, 8.0])


# ---------------------------------------------------------------- events


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_dissociation_and_recombination(ranks: int, tmp_path: Path, model: Path) -> None:
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
    run = run_lammps(script_of(model, body), tmp_path, ranks)
    header, rows = read_events(tmp_path / "events.txt")
    close("form", float(header["form O-H"]), FORM_OH, 1e-12)
    close("break", float(header["break O-H"]), BREAK_OH, 1e-12)
    assert [header[key] for key in ("criterion", "cutoff", "units")] == ["energy", str(REACH), "metal"]

    distances = MORSE.by_pair[1, 2][2] + 0.01 * np.concatenate([np.arange(101), np.arange(99, -1, -1)])
    D = energy_OH(distances)[0]
    broken = int(np.flatnonzero(BREAK_OH < D)[0])
    formed = int(np.flatnonzero((FORM_OH > D) & (np.arange(201) > 100))[0])
    want = [
        [str(step), "1", "2", "3", "2", "O-H", *map(str, (*energy_OH(distances[step]), distances[step])), what]
        for step, what in ((broken, "broken"), (formed, "formed"))
    ]
    same_events(rows, want, ENERGY)
    assert 80 < broken < 90 and 140 < formed < 155

    species = read_species(tmp_path / "species.txt")
    assert sorted(species) == list(range(201))
    for step, words in species.items():
        assert words == ("2 2 H:1 HO:1" if broken <= step < formed else "1 1 H2O:1"), f"step {step}"
    assert vector_of(run) == [2, 2, 1, 1]


def test_pair_that_leaves_the_list(tmp_path: Path, model: Path) -> None:
    """Pulled beyond the bond cutoff between two samples: broken, with nan for what nobody measures."""
    write_data(tmp_path / "data.lmp", water(), ELEMENTS)
    body = """
group h id 2
fix b all e3d/bonds 50 file events.txt
fix pull h move linear 20.0 0.0 0.0
run 100
"""
    run_lammps(script_of(model, body), tmp_path)
    header, rows = read_events(tmp_path / "events.txt")
    assert rows == [["50", "1", "2", "3", "2", "O-H", "nan", "nan", "nan", "broken"]]
    assert header["cutoff"] == "covalent"


@pytest.mark.parametrize(("middle", "amplitude", "bonds"), [(1.25, 0.35, 1), (1.86, 0.13, 0)])
def test_vibration_is_no_event(
    middle: float, amplitude: float, bonds: int, tmp_path: Path, model: Path
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
    run = run_lammps(script_of(model, body), tmp_path)
    assert read_events(tmp_path / "events.txt")[1] == []
    assert vector_of(run)[:2] == [bonds, 0]
    seen = np.loadtxt(tmp_path / "range.txt")[:, 1:]
    close("range", [seen.min(), seen.max()], ends, 1e-3)


def gas(n_atoms: int = 36, seed: int = 4) -> Atoms:
    """C, H and O at random, no closer than 1 angstrom, hot: bonds form and break at once."""
    rng = np.random.default_rng(seed)
    atoms = Atoms(cell=[7.0, 6.5, 6.0], pbc=True)
    while len(atoms) < n_atoms:
        grown = atoms + Atoms([ELEMENTS[len(atoms) % 3]], positions=[rng.random(3) * atoms.cell.lengths()])
        distances = grown.get_distances(-1, range(len(atoms)), mic=True) if len(atoms) else [9.0]
        if np.min(distances) > 1.0:
            atoms = grown
    atoms.pbc = True
    atoms.arrays["velocities"] = rng.normal(0.0, 30.0, (n_atoms, 3))
    return atoms


GAS = "timestep 0.0002\nfix b all e3d/bonds 3 file events.txt species species.txt cutoff covalent\nfix md all nve\n"


@pytest.fixture(scope="module")
def gas_run(tmp_path_factory: pytest.TempPathFactory, short_model: Path) -> Run:
    """150 steps of the hot gas on one rank, with a restart file of step 80."""
    folder = tmp_path_factory.mktemp("gas")
    write_data(folder / "data.lmp", gas(), ELEMENTS, velocities=True)
    return run_lammps(script_of(short_model, GAS + f"restart 80 restart.*\nrun 150\n{VECTOR}"), folder)


@pytest.mark.parametrize(("ranks", "before"), [(2, ""), (3, "comm_style tiled"), (4, "processors 2 2 1")])
def test_same_events_on_any_number_of_ranks(
    ranks: int, before: str, tmp_path: Path, short_model: Path, gas_run: Run
) -> None:
    """Bonds form and break across ranks and boundaries while atoms migrate: the same two files."""
    write_data(tmp_path / "data.lmp", gas(), ELEMENTS, velocities=True)
    balance = "balance 1.0 rcb\n" if before else ""
    run = run_lammps(
        script_of(short_model, (balance if "tiled" in before else "") + GAS + f"run 150\n{VECTOR}", before),
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


def test_bonds_equal_a_replay_of_the_pairs(tmp_path: Path, short_model: Path) -> None:
    """The rules, applied in Python to a dump of e3d/pair/local, give the same events."""
    write_data(tmp_path / "data.lmp", gas(), ELEMENTS, velocities=True)
    columns = ("tag1", "tag2", "D", "A", "dist")
    body = f"""{GAS}compute pairs all e3d/pair/local {" ".join(columns)} cutoff covalent
dump pairs all local 3 pairs.dump {" ".join(f"c_pairs[{k + 1}]" for k in range(5))}
dump_modify pairs format float %.17g {" ".join(f"colname {k + 1} {name}" for k, name in enumerate(columns))}
run 150
"""
    run = run_lammps(script_of(short_model, body), tmp_path, 2)
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
        one.arrays["velocities"] = rng.normal(0.0, 0.3, (len(one), 3)) + [80.0, -70.0, 60.0]
        atoms += one
    atoms.cell = [2 * side] * 3
    atoms.pbc = True
    return atoms


@pytest.mark.parametrize(("ranks", "every"), [(1, 1), (2, 1), (4, 7)])
def test_migration_loses_no_bond(ranks: int, every: int, tmp_path: Path, short_model: Path) -> None:
    """1,200 steps through all ranks and boundaries: no event, and the molecules of the start."""
    atoms = drifting()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, velocities=True)
    body = f"""
fix b all e3d/bonds {every} file events.txt species species.txt form -1.2 break -0.6
timestep 0.00025
fix md all nve
dump atoms all custom 1200 atoms.dump id x y z ix iy iz
run 1200
{VECTOR}
"""
    run = run_lammps(script_of(short_model, body), tmp_path, ranks)
    _, rows = read_events(tmp_path / "events.txt")
    assert rows == []
    assert set(read_species(tmp_path / "species.txt").values()) == {"8 4 H2O:3 C2H6O:2 CH4:2 H2:1"}
    assert vector_of(run) == [2 * 8 + 3 * 2 + 2 * 4 + 1, 0, 8, 4]
    frames = run.dump("atoms.dump")
    moved = np.sum([frames[-1].sorted_by("id")[f"i{axis}"] != 0 for axis in "xyz"])
    assert moved > len(atoms), "the molecules should have crossed the boundaries"


@pytest.mark.parametrize(("ranks", "begun"), [(1, True), (3, True), (2, False)])
def test_restart_equals_the_uninterrupted_run(
    ranks: int, begun: bool, tmp_path: Path, short_model: Path, gas_run: Run
) -> None:
    """From step 80, between two samples, with the files of a run that went on to step 150, or without."""
    for name in ("restart.80", "events.txt", "species.txt"):
        if begun or name == "restart.80":
            (tmp_path / name).write_bytes((gas_run.folder / name).read_bytes())
    want_events = read_events(gas_run.folder / "events.txt")
    want_species = read_species(gas_run.folder / "species.txt")
    if begun:  # a write that was cut off
        with open(tmp_path / "events.txt", "a") as out:
            out.write("150 1 2")
    else:
        want_events = want_events[0], [row for row in want_events[1] if int(row[0]) > 80]
        want_species = {step: words for step, words in want_species.items() if step > 80}
    script = f"read_restart restart.80\n{reset_pair(short_model)}\n{GAS}run 70\n{VECTOR}"
    run = run_lammps(script, tmp_path, ranks)
    got = read_events(tmp_path / "events.txt")
    assert got[0] == want_events[0] and len(want_events[1]) > 10
    same_events(got[1], want_events[1])
    assert read_species(tmp_path / "species.txt") == want_species
    assert vector_of(run) == vector_of(gas_run)


def test_restart_with_other_settings(tmp_path: Path, gas_run: Run, short_model: Path) -> None:
    """A file that was begun with other thresholds is not gone on with, and stays as it was."""
    for name in ("restart.80", "events.txt", "species.txt"):
        (tmp_path / name).write_bytes((gas_run.folder / name).read_bytes())
    other = GAS.replace("cutoff covalent", "cutoff covalent form C-H -2.5")
    script = f"read_restart restart.80\n{reset_pair(short_model)}\n{other}run 70\n"
    refused(tmp_path, script, "cannot go on with the file events.txt: .*give another file name", data=False)
    assert (tmp_path / "events.txt").read_bytes() == (gas_run.folder / "events.txt").read_bytes()


def test_second_run_goes_on(tmp_path: Path, short_model: Path, gas_run: Run) -> None:
    """Two runs after one another are one: nothing twice on the step between."""
    write_data(tmp_path / "data.lmp", gas(), ELEMENTS, velocities=True)
    run_lammps(script_of(short_model, GAS + "run 81\nrun 69"), tmp_path)
    same_events(read_events(tmp_path / "events.txt")[1], read_events(gas_run.folder / "events.txt")[1])
    assert read_species(tmp_path / "species.txt") == read_species(gas_run.folder / "species.txt")


# ---------------------------------------------------------------- molecules


def placed(names: Sequence[str], spacing: float = 6.0) -> Atoms:
    """Molecules of ASE in a row along x."""
    atoms = Atoms()
    for k, name in enumerate(names):
        one = molecule(name) if len(name) > 1 else Atoms(name)
        one.positions += np.array([spacing * k + 0.5, 3.0, 3.0]) - one.positions.min(axis=0)
        atoms += one
    atoms.cell = [spacing * len(names), 12.0, 12.0]
    return atoms


STATIC = "fix b all e3d/bonds 1 file events.txt species species.txt form -1.2 break -0.6\n"


@pytest.mark.parametrize("ranks", [1, 3])
def test_formulas(ranks: int, tmp_path: Path, model: Path) -> None:
    """Hill order, commonest first, ties by name; atoms without bonds are molecules."""
    names = ["H2O", "CH3CH2OH", "H2O", "CO2", "H", "O", "CH4", "H2O", "H2", "CO", "C", "CH4"]
    atoms = placed(names)
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, np.random.default_rng(1).permutation(len(atoms)))
    run = run_lammps(script_of(model, f"{STATIC}run 0\n{VECTOR}"), tmp_path, ranks)
    words = "12 10 H2O:3 CH4:2 C:1 C2H6O:1 CO:1 CO2:1 H:1 H2:1 O:1"
    assert read_species(tmp_path / "species.txt") == {0: words.replace("12 10", "12 9")}
    assert vector_of(run) == [3 * 2 + 8 + 2 + 2 * 4 + 1 + 1, 0, 12, 9]


@pytest.mark.parametrize(
    ("ranks", "processors"), [(1, "*"), (2, "2 1 1"), (3, "3 1 1"), (4, "4 1 1"), (4, "2 2 1")]
)
def test_molecules_across_ranks(ranks: int, processors: str, tmp_path: Path, model: Path) -> None:
    """Chains of 30 O atoms from one rank to the next, ids at random: one closed over the boundary, one open."""
    n, side = 30, 1.4
    x = side * np.arange(n)
    wave = 4.0 + 0.3 * np.sin(2 * np.pi * x / (n * side))
    ring = Atoms(f"O{n}", positions=np.stack([x, wave, np.full(n, 2.0)], 1))
    line = Atoms(f"O{n - 2}", positions=np.stack([x[1:-1], wave[1:-1], np.full(n - 2, 6.0)], 1))
    both = ring + line + Atoms("H2", positions=[[0.1, 8.0, 4.0], [0.84, 8.0, 4.0]])
    both.cell = [n * side, 9.0, 9.0]
    mixed = both[np.random.default_rng(6).permutation(len(both))]
    write_data(tmp_path / "data.lmp", mixed, ELEMENTS)
    run = run_lammps(
        script_of(model, f"{STATIC}run 0\n{VECTOR}", before=f"processors {processors} {'* *' * (ranks == 1)}"),
        tmp_path,
        ranks,
    )
    assert read_species(tmp_path / "species.txt") == {0: f"3 3 H2:1 O{n - 2}:1 O{n}:1"}
    assert vector_of(run) == [n + n - 3 + 1, 0, 3, 3]


@pytest.mark.parametrize("ranks", [1, 2])
def test_bonds_with_images(ranks: int, tmp_path: Path, model: Path) -> None:
    """A bond is two ids: an atom may be bonded to itself, and of two images the stronger one counts."""
    before = "processors 1 2 1" if ranks == 2 else ""
    chain = Atoms("C", positions=[[0.2, 2.0, 2.0]], cell=[1.5, 9.0, 9.0])
    write_data(tmp_path / "data.lmp", chain, ELEMENTS)
    run = run_lammps(script_of(model, f"{STATIC}run 0\n{VECTOR}", before), tmp_path, ranks)
    assert vector_of(run) == [1, 0, 1, 1]
    assert read_species(tmp_path / "species.txt") == {0: "1 1 C:1"}

    # 1.3 and 1.3 angstrom apart, then 1.0 (repulsive) and 1.6, then 0.3 and 2.3: beyond the cutoff
    pair = Atoms("O2", positions=[[0.1, 6.0, 6.0], [1.4, 6.0, 6.0]], cell=[2.6, 9.0, 9.0])
    write_data(tmp_path / "data.lmp", pair, ELEMENTS)
    body = f"{STATIC}group o id 2\nrun 0\ndisplace_atoms o move -0.3 0 0\nrun 0\n{VECTOR}\n"
    run = run_lammps(script_of(model, body, before), tmp_path, ranks)
    assert vector_of(run) == [1, 0, 1, 1]
    run = run_lammps(script_of(model, body + "displace_atoms o move -0.7 0 0\nrun 0", before), tmp_path, ranks)
    (row,) = read_events(tmp_path / "events.txt")[1]
    assert row[1:3] == ["1", "2"] and row[9] == "broken"
    close("r", float(row[8]), 0.3, REFERENCE_STYLE.geometry)


def test_group(tmp_path: Path, model: Path) -> None:
    """Bonds and atoms outside the group count nothing."""
    write_data(tmp_path / "data.lmp", placed(["CH3CH2OH", "H2O"]), ELEMENTS)
    body = f"group heavy type 1 3\n{STATIC.replace('all', 'heavy')}run 0\n{VECTOR}"
    run = run_lammps(script_of(model, body), tmp_path, 2)
    assert read_species(tmp_path / "species.txt") == {0: "2 2 C2O:1 O:1"}
    assert vector_of(run) == [2, 0, 2, 2]


@pytest.mark.parametrize("first_id", [2**24 + 1, 2**31 - 200])
def test_large_ids(first_id: int, tmp_path: Path, short_model: Path) -> None:
    """Ids that a float, and the sum of two ids that an int cannot hold."""
    ids = {}
    for name, first in (("small", 1), ("large", first_id)):
        folder = tmp_path / name
        folder.mkdir()
        write_data(folder / "data.lmp", gas(), ELEMENTS, velocities=True, first_id=first)
        run_lammps(script_of(short_model, GAS + "run 60"), folder, 2)
        ids[name] = read_events(folder / "events.txt")[1]
    moved = [[r[0], str(int(r[1]) + first_id - 1), str(int(r[2]) + first_id - 1), *r[3:]] for r in ids["small"]]
    assert len(moved) > 10
    same_events(ids["large"], moved)
    assert read_species(tmp_path / "large/species.txt") == read_species(tmp_path / "small/species.txt")


def test_ranks_without_atoms(tmp_path: Path, model: Path) -> None:
    """One molecule in the corner of a box of four ranks, and a box without any pair."""
    atoms = molecule("H2O")
    atoms.positions += 2.0 - atoms.positions.min(axis=0)
    atoms.cell = [40.0, 10.0, 10.0]
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    script = script_of(model, f"{STATIC}run 2\n{VECTOR}", "processors 4 1 1", boundary="f f f")
    run = run_lammps(script, tmp_path, 4)
    assert read_species(tmp_path / "species.txt") == dict.fromkeys(range(3), "1 1 H2O:1")
    assert vector_of(run) == [2, 0, 1, 1]


# ---------------------------------------------------------------- thresholds


def test_only_the_second_atom_sees_the_pair(tmp_path: Path) -> None:
    """Directed cutoffs that differ: H sees C to 2.0, C sees H to 1.2 only; the bond lives on by one edge."""
    table = [[[4.0, 4.0]] * 2, [[1.5, 1.5]] * 2, [[1.1, 1.1]] * 2]
    import torch

    tensor = torch.tensor([[[v[0] for _ in range(2)] for _ in range(2)] for v in np.array(table)[:, 0]])
    cutoffs = torch.tensor([[2.0, 1.2], [2.0, 1.2]], dtype=torch.float64)
    share = torch.full((2, 2), 0.5, dtype=torch.float64)
    one = PairModel("morse", tensor.double(), cutoffs, share)
    path = tmp_path / "directed.nequip.pth"
    write_edge_model(one, metadata_of(("C", "H"), cutoffs.reshape(-1).tolist()), path)
    for ranks, centre in ((1, 5.0), (2, 5.0), (2, 4.5)):
        folder = tmp_path / f"{ranks}-{centre}"
        folder.mkdir()
        atoms = Atoms("CH", positions=[[centre - 0.2, 4, 4], [centre + 0.8, 4, 4]], cell=[10, 8, 8])
        write_data(folder / "data.lmp", atoms, ("C", "H"))
        body = """group h id 2
fix b all e3d/bonds 1 file events.txt species species.txt cutoff model form -3.0 break -1.2
fix pull h move linear 20.0 0.0 0.0
run 90
"""
        run_lammps(script_of(path, body).replace("C H O", "C H"), folder, ranks)
        _, rows = read_events(folder / "events.txt")
        r = 1.0 + 0.01 * np.arange(91)
        e = np.exp(-1.5 * (r - 1.1))
        D = 4.0 * (e * e - 2 * e) * np.where(r < 1.2, 1.0, 0.5)
        step = int(np.flatnonzero(D > -1.2)[0])
        want = [[str(step), "1", "2", "1", "2", "C-H", str(D[step]), str(-D[step]), str(r[step]), "broken"]]
        same_events(rows, want, ENERGY)
        assert r[step] > 1.25


def test_distance_criterion(tmp_path: Path, model: Path) -> None:
    """form 1.2, break 1.6 angstrom; without numbers 0.9 of the cutoff and the cutoff."""
    write_data(tmp_path / "data.lmp", water(), ELEMENTS)
    fixes = f"""
group h id 2
fix b all e3d/bonds 1 file events.txt criterion distance cutoff {REACH} form O-H 1.2 break O-H 1.6
fix d all e3d/bonds 1 file defaults.txt criterion distance
"""
    pull = "fix pull h move linear 20 0 0\nrun 90\nunfix pull\nfix pull h move linear -20 0 0\nrun 90\n"
    cutoff = "cutoff file cutoffs.txt"
    (tmp_path / "cutoffs.txt").write_text(f"O H {REACH}\n")
    run_lammps(script_of(model, fixes.replace(f"cutoff {REACH}", cutoff) + pull), tmp_path)
    header, rows = read_events(tmp_path / "events.txt")
    assert sorted(header) == ["break O-H", "criterion", "cutoff file", "form O-H", "units"]
    r0 = MORSE.by_pair[1, 2][2]
    broken, formed = np.ceil((1.6 - r0) * 100), np.ceil(180 - (1.2 - r0) * 100)
    assert [(int(row[0]), row[9]) for row in rows] == [(broken + 1, "broken"), (formed, "formed")] or [
        (int(row[0]), row[9]) for row in rows
    ] == [(broken, "broken"), (formed, "formed")]
    close("r", [float(rows[0][8]), float(rows[1][8])], [1.605, 1.195], 0.0051)

    header, rows = read_events(tmp_path / "defaults.txt")
    limit = 1.3 * (0.66 + 0.31)
    close("defaults", [float(header[f"{w} O-H"]) for w in ("break", "form")], [limit, 0.9 * limit], 1e-9)
    assert [row[9] for row in rows] == ["broken", "formed"]
    assert rows[0][6:9] == ["nan"] * 3
    close("formed", float(rows[1][8]), 0.9 * limit - 0.005, 0.0051)


def label_map(mean: float, count: int = 4) -> LabelMap:
    """Moments only."""
    return LabelMap(
        count=count,
        sum_D=mean * count,
        sum_D2=mean * mean * count,
        codes=np.array([1 << 31], dtype=np.int64),
        halves=np.array([2 * count], dtype=np.int64),
    )


def test_thresholds_of_the_words(tmp_path: Path, model: Path) -> None:
    """Map, one number for all, one number for a pair, and what follows where one of two is given."""
    write_data(tmp_path / "data.lmp", placed(["CH3CH2OH", "H2O", "H2"]), ELEMENTS)
    labels = {"O-H": label_map(-4.4), "C-H": label_map(-3.8), "C-O": LabelMap(), "C-C": label_map(0.1)}
    write_map(EnergyMap(0.1, "covalent", 1, (0, 0), labels), tmp_path / "own.map")
    words = {
        "table": "",
        "map": "form map own.map break map own.map",
        "all": "form -1.5",
        "pairs": "break -0.5 form H-C -3.0 break C-H -2.5",
        "mixed": "form map own.map form O-H -4",
    }
    body = "".join(f"fix {name} all e3d/bonds 1 file {name}.txt {w}\n" for name, w in words.items())
    run_lammps(script_of(model, body + "run 0"), tmp_path)
    table = {"C-C": 348, "C-O": 358, "C-H": 413, "O-O": 146, "O-H": 463, "H-H": 436}
    enthalpy = {label: value * KJ_PER_MOL for label, value in table.items()}
    halves = {label: (-value / 2, -value / 4) for label, value in enthalpy.items()}
    from_map = halves | {"O-H": (-2.2, -1.1), "C-H": (-1.9, -0.95)}
    expected = {
        "table": halves,
        "map": from_map,
        "all": dict.fromkeys(table, (-1.5, -0.75)),
        "pairs": dict.fromkeys(table, (-1.0, -0.5)) | {"C-H": (-3.0, -2.5)},
        "mixed": from_map | {"O-H": (-4.0, -2.0)},
    }
    for name, want in expected.items():
        header, _ = read_events(tmp_path / f"{name}.txt")
        for label, values in want.items():
            got = [float(header[f"{word} {label}"]) for word in ("form", "break")]
            close(f"{name} {label}", got, values, 1e-12)
        assert len(header) == 3 + 2 * len(table)


def test_units_real(tmp_path: Path, model: Path) -> None:
    """Energies of thresholds, events and maps in kcal/mol; a map in kcal/mol too if it says so."""
    write_data(tmp_path / "data.lmp", water(), ELEMENTS)
    write_map(EnergyMap(0.1, "covalent", 1, (0, 0), {"O-H": label_map(-4.0)}), tmp_path / "ev.map")
    real = EnergyMap(
        1.0, "covalent", 1, (0, 0), {"O-H": label_map(-80.0)}, {"units": "real", "energy_unit": "kcal/mol"}
    )
    write_map(real, tmp_path / "kcal.map")
    body = f"""
group h id 2
fix b all e3d/bonds 1 file events.txt cutoff {REACH}
fix c all e3d/bonds 1 file ev.txt form map ev.map
fix d all e3d/bonds 1 file kcal.txt form map kcal.map
fix pull h move linear 0.02 0.0 0.0
timestep 0.5
run 100
"""
    run_lammps(script_of(model, body, units="real"), tmp_path)
    header, rows = read_events(tmp_path / "events.txt")
    kcal = 23.060549
    close("form", float(header["form O-H"]), FORM_OH * kcal, 1e-9)
    assert header["units"] == "real"
    (row,) = rows
    D, A = energy_OH(float(row[8]))
    close("D, A", [float(row[6]), float(row[7])], [D * kcal, A * kcal], 1e-5)
    close("map", float(read_events(tmp_path / "ev.txt")[0]["form O-H"]), -2.0 * kcal, 1e-9)
    close("map", float(read_events(tmp_path / "kcal.txt")[0]["form O-H"]), -40.0, 1e-9)


# ---------------------------------------------------------------- use in a run


def test_halt_and_variables(tmp_path: Path, model: Path) -> None:
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
    run_lammps(script_of(model, body), tmp_path, 2)
    _, rows = read_events(tmp_path / "events.txt")
    assert [row[0] for row in rows] == ["90"]
    seen = np.loadtxt(tmp_path / "out.txt")
    assert int(seen[-1][0]) == 90
    np.testing.assert_array_equal(seen[seen[:, 0] < 90][:, 1:], np.tile([0, 1], (np.sum(seen[:, 0] < 90), 1)))
    np.testing.assert_array_equal(seen[-1][1:], [1, 2])


def test_run_0_and_minimize(tmp_path: Path, model: Path) -> None:
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
    run = run_lammps(script_of(model, body), tmp_path)
    _, rows = read_events(tmp_path / "events.txt")
    assert [(row[0], row[9]) for row in rows] == [("0", "broken"), ("0", "formed")]
    lines = (tmp_path / "species.txt").read_text().splitlines()[2:]
    assert lines == ["0 1 1 H2O:1", "0 2 2 H:1 HO:1", "0 1 1 H2O:1"]
    assert vector_of(run) == [2, 2, 1, 1]


def test_deleted_atoms(tmp_path: Path, model: Path) -> None:
    """The bonds of a deleted atom are gone; those that the other atom kept are reported."""
    write_data(tmp_path / "data.lmp", placed(["H2O", "H2O"]), ELEMENTS)
    body = f"""{STATIC}run 0
group gone id 2 4
delete_atoms group gone compress no
run 0
{VECTOR}
"""
    run = run_lammps(script_of(model, body), tmp_path, 2)
    assert vector_of(run)[0] == 1 and vector_of(run)[2] == 3
    _, rows = read_events(tmp_path / "events.txt")
    assert [row[1:3] + row[9:] for row in rows] == [["1", "2", "broken"]]


# ---------------------------------------------------------------- bad input


def refused(folder: Path, script: str, *messages: str, ranks: int = 1, data: bool = True, runs: int = 0) -> Run:
    """LAMMPS stops with an error that matches all `messages`, before the first step."""
    if data:
        write_data(folder / "data.lmp", placed(["H2O"]), ELEMENTS)
    run = start_lammps(script, folder, ranks)
    text = " ".join(run.output.split())
    assert run.code > 0, f"an error was expected:\n{run.output[-1500:]}"
    for message in messages:
        assert re.search(message, text), f"no '{message}' in:\n{run.output[-1500:]}"
    assert run.output.count("Loop time") == runs, "it should have stopped before the run"
    assert not list(folder.glob("*.tmp*"))
    return run


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("0 file e.txt", r"fix b e3d/bonds: Nevery must be a positive number of steps, not 0"),
        ("x file e.txt", r"Expected integer .*'x'"),
        ("1 files e.txt", r"unknown keyword 'files'; it takes 'file F', 'form D', 'break D', 'cutoff C'"),
        ("1 species e.txt", r"give the file of the events, as in 'fix b all e3d/bonds 1 file bonds.txt'"),
        ("1 file", r"[Mm]issing|Illegal fix b e3d/bonds"),
        ("1 file e.txt form", r"fix b e3d/bonds form.*missing"),
        ("1 file e.txt form C-H", r"fix b e3d/bonds form C-H.*missing"),
        ("1 file e.txt form low", r"form takes a number, a pair and a number such as 'C-H -2.0', or 'map FILE'"),
        ("1 file e.txt form C-N -2", r"unknown pair 'C-N'; choose from: C-C C-O C-H O-O O-H H-H"),
        ("1 file e.txt form nan", r"form takes a number, a pair and a number .* not 'nan'"),
        ("1 file e.txt form C-H low", r"Expected floating point .*'low'"),
        ("1 file e.txt form -1 break -2", r"of C-C have to be form < break < 0, but form is -1 and break is -2"),
        ("1 file e.txt form -1 break -1", r"have to be form < break < 0"),
        ("1 file e.txt form -1 break 0", r"have to be form < break < 0, but form is -1 and break is 0"),
        ("1 file e.txt form 2", r"have to be form < break < 0"),
        ("1 file e.txt form map gone.map", r"cannot open the map gone\.map: give a file of fix e3d/map"),
        ("1 file e.txt form map data.lmp", r"expected a map of the format e3d-map/1 in data\.lmp"),
        ("1 file e.txt break map cut.map", r"map cut\.map is cut off"),
        ("1 file e.txt form map odd.map", r"not a line of e3d-map/1 in odd\.map: label C-H many"),
        ("1 file e.txt criterion length", r"criterion must be energy or distance, not 'length'"),
        ("1 file e.txt criterion distance form map own.map", r"a map holds energies"),
        ("1 file e.txt criterion distance form 1.5 cutoff 1.2", r"0 < form < break <= the bond cutoff.*form is 1.5"),
        ("1 file e.txt criterion distance break 1.9", r"break is 1\.9 and the cutoff is 1\.976 Angst|break is 1.9"),
        ("1 file e.txt criterion distance form -1", r"have to be 0 < form < break"),
        ("1 file e.txt cutoff", r"fix b e3d/bonds cutoff.*missing"),
        ("1 file e.txt cutoff 5", r"bond cutoff 5 Angstrom for C-C is longer than the model's cutoff of 2"),
        ("1 file e.txt cutoff file gone.txt", r"cannot open bond cutoff file gone\.txt"),
        ("1 file e.txt species e.txt", r"file and species need two different files, not e\.txt twice"),
        ("1 file nowhere/e.txt", r"cannot write the file nowhere/e\.txt: No such file or directory"),
        ("1 file e.txt species nowhere/s.txt", r"cannot write the file nowhere/s\.txt: No such file"),
        ("1 file .", r"cannot write the file \."),
    ],
)
def test_bad_arguments(words: str, message: str, tmp_path: Path, model: Path) -> None:
    """Each with a message that says what to type."""
    (tmp_path / "cut.map").write_text("e3d-map/1\nbin 0.1\n")
    (tmp_path / "odd.map").write_text("e3d-map/1\nbin 0.1\nlabel C-H many\nend\n")
    script = script_of(model, "fix 1 all nve\nrun 1")
    fix = f"fix b all e3d/bonds {words}\npair_style"  # before the model is loaded, which takes a second
    refused(tmp_path, script.replace("pair_style", fix), message)


@pytest.mark.parametrize("ranks", [1, 2])
def test_unwritable_file_on_ranks(ranks: int, tmp_path: Path, model: Path) -> None:
    """All ranks stop together."""
    script = script_of(model, "fix b all e3d/bonds 1 file nowhere/e.txt\nfix 1 all nve\nrun 1")
    refused(tmp_path, script, "cannot write the file nowhere/e.txt", ranks=ranks)


def test_no_pair_style(tmp_path: Path) -> None:
    """The message names the pair style that is needed."""
    script = script_of("x", "fix b all e3d/bonds 1 file e.txt\nfix 1 all nve\nrun 1")
    script = re.sub("pair_style.*\npair_coeff.*", "pair_style lj/cut 3.0\npair_coeff * * 0.01 1.0", script)
    refused(tmp_path, script, "fix b e3d/bonds needs exactly one pair_style e3d")


def test_pairs_without_a_default(tmp_path: Path, model_files: Callable[..., Path]) -> None:
    """Cu-Cu is in no table of bond enthalpies: the message has the line to type. A lone Cu is no obstacle."""
    for symbols, cutoff, message in (("Cu2", 3.0, "for bonds Cu-Cu: .*'form Cu-Cu -1.0 break Cu-Cu -0.5'"), ("Cu", 3.0, "")):
        atoms = Atoms(symbols, positions=[[1.0 + 2.5 * k, 1.0, 1.0] for k in range(len(Atoms(symbols)))])
        atoms.cell = [12.0, 12.0, 12.0]
        write_data(tmp_path / "data.lmp", atoms, ("Cu", "Ag"))
        body = f"fix b all e3d/bonds 1 file e.txt cutoff {cutoff}\nfix 1 all nve\nrun 1"
        script = script_of(model_files("morse"), body).replace("C H O", "Cu Ag")
        if message:
            refused(tmp_path, script, message, data=False)
            body = body.replace("cutoff", "form -0.3 cutoff")
            run_lammps(script_of(model_files("morse"), body).replace("C H O", "Cu Ag"), tmp_path)
        else:
            run_lammps(script, tmp_path)


def test_changed_pairs(tmp_path: Path, model: Path) -> None:
    """Other pairs in a later run are not mixed into the same file."""
    body = f"""
fix b all e3d/bonds 1 file e.txt
run 0
pair_coeff * * {model} C C O
run 0
"""
    message = "thresholds have changed since e.txt was begun: 'unfix b'"
    refused(tmp_path, script_of(model, body), message, runs=1)


def test_default_table_is_the_package_file() -> None:
    """Labels are canonical and known once; energies are of single bonds, the strongest is H-F."""
    from importlib import resources

    text = resources.files("e3d_lmp").joinpath("data/bond_energies.txt").read_text(encoding="ascii")
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    table = {label: float(value) for label, value in rows}
    assert len(table) == len(rows) > 30
    for label in table:
        a, b = label.split("-")
        assert (a == "H", a) <= (b == "H", b), label
    assert 100.0 < min(table.values()) and max(table, key=lambda label: table[label]) == "F-H"
