"""LAMMPS commands around ``pair_style e3d``: the same as around LAMMPS's own style of the same potential.

Ours and LAMMPS's run after each other in one process, with ``clear`` between them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from analytic_models import LENNARD_JONES, TERSOFF_SI, PairPotential
from lammps_runs import forces_of, run_lammps, write_data
from tolerances import REFERENCE_STYLE, close

EV_IN_KCAL_PER_MOL = 23.060549
"""The factor of LAMMPS's own conversion from ``metal`` to ``real``."""
ENERGIES = ("pe", "ke", "etotal")
PRESSURES = ("pxx", "pyy", "pzz", "pxy", "pxz", "pyz")
BAR_PER_EV = 1.6021765e6
OURS, THEIRS = "ours", "theirs"


def crystal(tilts: Sequence[float] = (0.0, 0.0, 0.0)) -> Atoms:
    """108 rattled atoms of Ar and Kr; xy, xz, yz in angstrom."""
    rng = np.random.default_rng(5)
    atoms = bulk("Ar", "fcc", a=5.5, cubic=True).repeat(3)
    cell = np.array(atoms.cell)
    cell[1, 0], cell[2, 0], cell[2, 1] = tilts
    atoms.set_cell(cell, scale_atoms=True)
    atoms.set_chemical_symbols([("Ar", "Kr")[k] for k in rng.integers(2, size=len(atoms))])
    atoms.positions += rng.normal(0.0, 0.15, (len(atoms), 3))
    atoms.wrap()
    atoms.arrays["velocities"] = rng.normal(0.0, 1.5, (len(atoms), 3))
    return atoms


def e3d(model: Path, types: str = "Ar Kr", options: str = "") -> str:
    """The two lines that set the pair style."""
    return f"pair_style e3d {options}\npair_coeff * * {model} {types}"


def scaled(potential: PairPotential, factor: float) -> PairPotential:
    """The same potential with energies in another unit."""
    rows = {pair: (a * factor, b, c, cut) for pair, (a, b, c, cut) in potential.by_pair.items()}
    return PairPotential(potential.form, potential.elements, rows, potential.shares)


def section(name: str, pair: str, body: str, units: str = "metal") -> str:
    """One system from ``data.lmp``: `body` runs it; then energies, pressures and atoms go to files `name`.

    COLUMNS in the body stands for the thermo columns that these files need.
    """
    numbers = ", ".join(f'"{k}": $({k}:%.17g)' for k in (*ENERGIES, *PRESSURES, "vol"))
    columns = " ".join(("step", *ENERGIES, *PRESSURES, "vol"))
    return f"""
clear
units {units}
newton on
read_data data.lmp
{pair}
neighbor 0.5 bin
neigh_modify every 1 delay 0 check yes
compute stress all stress/atom NULL virial
compute pea all pe/atom
thermo_style custom {columns}
thermo_modify norm no
{body.replace("COLUMNS", columns)}
write_dump all custom {name}.dump id type x y z fx fy fz c_pea c_stress[*] modify format float %.17g sort id
print \"\"\"{{{numbers}}}\"\"\" file {name}.json screen no
"""


RUN = "run 0"


def both(
    folder: Path,
    ours: str,
    theirs: str,
    body: str = RUN,
    units: str = "metal",
    atoms: Atoms | None = None,
    arguments: Sequence[str] = (),
) -> tuple[dict[str, float], dict[str, float], np.ndarray, np.ndarray]:
    """Results and forces with the pair lines `ours` and `theirs`."""
    atoms = atoms or crystal()
    write_data(folder / "data.lmp", atoms, list(dict.fromkeys(sorted(set(atoms.symbols)))), velocities=True)
    sections = [
        section(name, pair, body.format(name=name), units) for name, pair in ((OURS, ours), (THEIRS, theirs))
    ]
    run = run_lammps("".join(sections), folder, arguments=arguments)
    results = [run.json(f"{name}.json") for name in (OURS, THEIRS)]
    forces = [forces_of(run.dump(f"{name}.dump")[-1]) for name in (OURS, THEIRS)]
    assert np.abs(forces[1]).max() > 1e-5, "nothing moves: the comparison is empty"
    return results[0], results[1], forces[0], forces[1]


def same(
    results: tuple[dict[str, float], dict[str, float], np.ndarray, np.ndarray], loosening: float = 1.0
) -> None:
    """Energies, virials and forces agree; `loosening` for what a trajectory amplifies."""
    ours, theirs, our_forces, their_forces = results
    tolerance = REFERENCE_STYLE
    close("volume", ours["vol"], theirs["vol"], 1e-5 * loosening)
    for name in ENERGIES:
        close(name, ours[name], theirs[name], tolerance.total_energy * loosening)
    virials = [[r[name] * r["vol"] / BAR_PER_EV for name in PRESSURES] for r in (ours, theirs)]
    close("virial", virials[0], virials[1], tolerance.virial * loosening)
    close("forces", our_forces, their_forces, tolerance.force * loosening)


def lj_lines(*pairs: tuple[int, int], style: str = "") -> str:
    """pair_coeff lines of LAMMPS's lj/cut for these pairs of types."""
    lines = []
    for i, j in pairs:
        epsilon, sigma, _, cutoff = LENNARD_JONES.by_pair[i - 1, j - 1]
        lines.append(f"pair_coeff {i} {j} {style} {epsilon!r} {sigma!r} {cutoff!r}")
    return "\n".join(lines)


@pytest.mark.parametrize("ranks", [1, 2])
def test_hybrid_with_null_types(ranks: int, tmp_path: Path, model_files) -> None:
    """Ar-Ar by the model, Ar-Kr and Kr-Kr by lj/cut; e3d/atom is 0 on Kr and holds Ar-Ar alone on Ar."""
    hybrid = f"""pair_style hybrid e3d chunk 7 lj/cut 7.5
pair_coeff * * e3d {model_files("lj")} Ar NULL
{lj_lines((1, 2), (2, 2), style="lj/cut")}"""
    ours = """compute a all e3d/atom energy
compute e all e3d/edge/local type1 type2 eps
compute s all reduce sum c_a
compute m all reduce max c_e[1] c_e[2] inputs local
variable kr atom "c_a*(type==2)"
compute k all reduce sum v_kr
thermo_style custom COLUMNS c_s c_m[1] c_m[2] c_k
run 0
print '{"sum": $(c_s:%.17g), "t1": $(c_m[1]), "t2": $(c_m[2]), "kr": $(c_k)}' file extra_ours.json"""
    # group/group asks Pair::single, which a many-body model cannot answer but LAMMPS's lj/cut can
    theirs = """group ar type 1
compute aa ar group/group ar
thermo_style custom COLUMNS c_aa
run 0
print '{"sum": $(c_aa:%.17g)}' file extra_theirs.json"""
    write_data(tmp_path / "data.lmp", crystal(), ("Ar", "Kr"), velocities=True)
    script = section(OURS, hybrid, ours)
    script += section(THEIRS, LENNARD_JONES.lammps_lines(), theirs)
    run = run_lammps(script, tmp_path, ranks)
    results = [run.json(f"{name}.json") for name in (OURS, THEIRS)]
    forces = [forces_of(run.dump(f"{name}.dump")[-1]) for name in (OURS, THEIRS)]
    same((results[0], results[1], forces[0], forces[1]))
    extra = run.json("extra_ours.json")
    close("Ar-Ar", extra["sum"], run.json("extra_theirs.json")["sum"], REFERENCE_STYLE.total_energy)
    assert extra["sum"] < -0.1
    # no edge touches Kr
    assert (extra["t1"], extra["t2"], extra["kr"]) == (1, 1, 0)


def test_hybrid_overlay(tmp_path: Path, model_files) -> None:
    """The model on top of lj/cut of the same parameters is lj/cut with doubled energies."""
    overlay = f"""pair_style hybrid/overlay e3d lj/cut 7.5
pair_coeff * * e3d {model_files("lj")} Ar Kr
{lj_lines((1, 1), (1, 2), (2, 2), style="lj/cut")}"""
    same(both(tmp_path, overlay, scaled(LENNARD_JONES, 2.0).lammps_lines()))


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_of_other_styles(threads: int, tmp_path: Path, model_files) -> None:
    """torch's number of threads is its own affair: lj/cut/omp beside it keeps all of its energy."""
    overlay = f"""pair_style hybrid/overlay e3d lj/cut/omp 7.5
pair_coeff * * e3d {model_files("lj")} Ar Kr
{lj_lines((1, 1), (1, 2), (2, 2), style="lj/cut/omp")}"""
    options = ("-pk", "omp", str(threads))
    same(both(tmp_path, overlay, scaled(LENNARD_JONES, 2.0).lammps_lines(), "run 5", arguments=options), 10.0)


def test_minimize(tmp_path: Path, model_files) -> None:
    """Silicon, away from its minimum, falls to the same energy as with pair_style tersoff, in about as many
    steps.
    """
    atoms = bulk("Si", "diamond", a=5.432, cubic=True)
    atoms.positions += np.random.default_rng(3).normal(0.0, 0.1, (8, 3))
    atoms.wrap()
    atoms.arrays["velocities"] = np.zeros((8, 3))
    (tmp_path / "si.tersoff").write_text(TERSOFF_SI.potential_file())
    ours = e3d(model_files("tersoff-si"), "Si")
    relaxed = "run 0\nprint '{{\"pe\": $(pe:%.17g)}}' file start_{name}.json\nminimize 0.0 1e-7 500 2000\n"
    relaxed += "print '{{\"pe\": $(pe:%.17g)}}' file relaxed_{name}.json\n"
    relaxed += "displace_atoms all random 0.1 0.1 0.1 7\nrun 0"
    results = both(tmp_path, ours, "pair_style tersoff\npair_coeff * * si.tersoff Si", relaxed, atoms=atoms)
    start, end = (
        [json.loads((tmp_path / f"{when}_{name}.json").read_text())["pe"] for name in (OURS, THEIRS)]
        for when in ("start", "relaxed")
    )
    assert end[1] < start[1] - 0.1, "there was nothing to relax"
    close("minimum", end[0], end[1], REFERENCE_STYLE.total_energy)
    assert results[0]["pe"] > end[0]


@pytest.mark.parametrize("tilts", [(0.0, 0.0, 0.0), (3.1, -2.4, 4.2)], ids=["orthogonal", "triclinic"])
def test_npt(tilts: tuple[float, float, float], tmp_path: Path, model_files) -> None:
    """The barostat sees the model's virial: the same energies, volume and forces after 20 steps."""
    kind = "tri" if any(tilts) else "aniso"
    body = f"timestep 0.005\nfix 1 all npt temp 50.0 50.0 0.1 {kind} 300.0 300.0 0.5\nrun 20"
    ours = e3d(model_files("lj"))
    results = both(tmp_path, ours, LENNARD_JONES.lammps_lines(), body, atoms=crystal(tilts))
    same(results, loosening=10.0)
    assert abs(results[1]["vol"] - 16.5**3) > 1.0, "the box did not move"


def test_units_real(tmp_path: Path, model_files) -> None:
    """kcal/mol, atm and kcal/mol/angstrom, and the energies of the computes with them."""
    computes = """compute a all e3d/atom energy
compute e all e3d/edge/local eps
compute s all reduce sum c_a
compute t all reduce sum c_e inputs local
thermo_style custom COLUMNS c_s c_t
run 0
print '{{"pe": $(c_s:%.17g), "edges": $(c_t:%.17g)}}' file computes_{name}.json"""
    write_data(tmp_path / "data.lmp", crystal(), ("Ar", "Kr"))
    script = section(OURS, e3d(model_files("lj")), computes.format(name=OURS), "real")
    script += section(THEIRS, scaled(LENNARD_JONES, EV_IN_KCAL_PER_MOL).lammps_lines(), RUN, "real")
    script += section("metal", e3d(model_files("lj")), computes.format(name="metal"))
    run = run_lammps(script, tmp_path)
    ours, theirs, metal = (run.json(f"{name}.json") for name in (OURS, THEIRS, "metal"))
    tolerance = REFERENCE_STYLE.total_energy * EV_IN_KCAL_PER_MOL
    close("energy", ours["pe"], theirs["pe"], tolerance)
    close("energy of metal", ours["pe"], metal["pe"] * EV_IN_KCAL_PER_MOL, tolerance)
    for name in PRESSURES:
        close(name, ours[name] * ours["vol"] / 68568.415, theirs[name] * theirs["vol"] / 68568.415, tolerance)
    atoms, expected = run.dump("ours.dump")[-1], run.dump("theirs.dump")[-1]
    close("forces", forces_of(atoms), forces_of(expected), REFERENCE_STYLE.force * EV_IN_KCAL_PER_MOL)
    close("pe/atom", atoms["c_pea"], expected["c_pea"], tolerance)
    for key in ("pe", "edges"):
        values = [run.json(f"computes_{name}.json")[key] for name in (OURS, "metal")]
        close(f"compute {key}", values[0], values[1] * EV_IN_KCAL_PER_MOL, tolerance)
        close(f"compute {key} and pe", values[0], ours["pe"], tolerance)


def test_second_model_after_clear(tmp_path: Path, model_files) -> None:
    """LJ, Tersoff, LJ again in one process, and a new pair_coeff in place of the old one."""
    write_data(tmp_path / "data.lmp", crystal(), ("Ar", "Kr"))
    lj, swapped = e3d(model_files("lj")), e3d(model_files("lj"), "Kr Ar")
    script = section("first", lj, RUN) + section("si", e3d(model_files("tersoff-si"), "Si Si"), RUN)
    script += section("again", lj, RUN)
    again = f"run 0\npair_coeff * * {model_files('lj')} Ar Kr\nrun 0"
    script += section("replaced", swapped, again)
    script += section("swapped", swapped, RUN)
    run = run_lammps(script, tmp_path)
    energy = {
        name: run.json(f"{name}.json")["pe"] for name in ("first", "si", "again", "replaced", "swapped")
    }
    assert energy["first"] == energy["again"] == energy["replaced"]
    assert energy["si"] == 0.0, "no atom is within the cutoff of silicon"
    assert abs(energy["first"] - energy["swapped"]) > 1e-3


MOLECULAR = """
clear
units metal
atom_style {style}
lattice fcc 5.5
region b block 0 3 0 3 0 3
create_box 2 b {bonds}
create_atoms 1 box
set group all type/ratio 2 0.5 4711
displace_atoms all random 0.2 0.2 0.2 4712
mass 1 40.0
mass 2 84.0
pair_style e3d
pair_coeff * * {model} Ar Kr
neighbor 0.5 bin
{topology}
run 0
write_dump all custom {name}.dump id type x y z fx fy fz modify format float %.17g sort id
print '{{"pe": $(pe:%.17g), "bonds": $(bonds)}}' file {name}.json
"""
BONDS = "bond/types 1 extra/bond/per/atom 12 extra/special/per/atom 100"
# create_bonds itself insists on weights of 0
TOPOLOGY = """special_bonds lj/coul 0.0 0.0 0.0
bond_style zero
bond_coeff *
create_bonds many all all 1 2.0 4.5
special_bonds lj/coul {weight} {weight} {weight}"""


def test_bonds_change_nothing(tmp_path: Path, model_files) -> None:
    """atom_style molecular (special_bonds 1.0) and full (1e-50, which marks neighbours): as atomic."""
    cases = {
        "atomic": ("atomic", "", ""),
        "molecular": ("molecular", BONDS, TOPOLOGY.format(weight="1.0")),
        "full": ("full", BONDS, TOPOLOGY.format(weight="1.0e-50")),
    }
    script = "".join(
        MOLECULAR.format(name=name, style=style, bonds=bonds, topology=topology, model=model_files("lj"))
        for name, (style, bonds, topology) in cases.items()
    )
    run = run_lammps(script, tmp_path)
    for name in ("molecular", "full"):
        assert run.json(f"{name}.json")["bonds"] > 400
        close(
            name,
            run.json(f"{name}.json")["pe"],
            run.json("atomic.json")["pe"],
            REFERENCE_STYLE.total_energy,
        )
        frames = [forces_of(run.dump(f"{n}.dump")[-1]) for n in (name, "atomic")]
        close(f"forces, {name}", frames[0], frames[1], REFERENCE_STYLE.force)


def test_restart(tmp_path: Path, model_files) -> None:
    """read_restart with the pair lines repeated goes on as if nothing had happened."""
    write_data(tmp_path / "data.lmp", crystal(), ("Ar", "Kr"), velocities=True)
    pair, steps = e3d(model_files("lj")), "fix 1 all nve\ntimestep 0.005\n"
    script = section("whole", pair, steps + "run 10")
    script += section("half", pair, steps + "run 5\nwrite_restart half.restart")
    script += section("rest", pair, steps + "run 5").replace(
        "read_data data.lmp", "read_restart half.restart"
    )
    run = run_lammps(script, tmp_path)
    whole, rest = (run.dump(f"{name}.dump")[-1] for name in ("whole", "rest"))
    assert whole.step == rest.step == 10
    for name in ("x", "fx", "fy", "fz", "c_pea"):
        close(name, rest[name], whole[name], REFERENCE_STYLE.force)
    assert np.abs(whole["x"] - run.dump("half.dump")[-1]["x"]).max() > 1e-3, "nothing moved"


@pytest.mark.parametrize(
    ("command", "message"),
    [("exclude type 1 2", "Excluded neighbours"), ("include some", "Atoms outside of a group")],
)
def test_exclusions_warn_once(command: str, message: str, tmp_path: Path, model_files) -> None:
    """neigh_modify exclude and include take effect, and say so once however many runs follow."""
    write_data(tmp_path / "data.lmp", crystal(), ("Ar", "Kr"))
    body = "{}\nrun 0\nrun 1\nrun 1"
    first = "atom_modify first some\n" if "include" in command else ""
    command = f"group some type 1\n{first}neigh_modify {command}"
    run = run_lammps(section("without", e3d(model_files("lj")), body.format(command)), tmp_path)
    assert run.output.count(message) == 1
    plain = run_lammps(section("with", e3d(model_files("lj")), body.format("")), tmp_path)
    assert message not in plain.output
    assert run.json("without.json")["pe"] > plain.json("with.json")["pe"] + 0.1
