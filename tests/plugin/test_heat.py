"""``compute e3d/heat``: the heat current in one pass, and what each kind of bond carries of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from analytic_models import LENNARD_JONES, MORSE, TERSOFF_SIC
from e3d_lmp.model.export import write_edge_model
from lammps_runs import ROOT, run_lammps, script_of, start_lammps, write_data
from systems import ELEMENTS, box, cluster, hot_silicon_carbide, noble_gases, thin, triclinic
from tolerances import HEAT_FLUX, HEAT_FLUX_FLOAT32, SUM_RULE, close

SHIPPED = ROOT / "inputs" / "models" / "organic-small.safetensors"
REAL_PER_METAL = 23.060549 * 1e-3
"""kcal/mol angstrom/fs per eV angstrom/ps in LAMMPS's own conversion of energies."""


def heat_lines(computes: Sequence[str] = ("heat",), rows: int = 0) -> str:
    """Lines that append `computes`, six numbers each, to ``flux.txt`` on every step, and the array to
    ``rows.txt``.
    """
    names = [f"{name}{k}" for name in computes for k in range(1, 7)]
    lines = [f"variable {name} equal c_{name[:-1]}[{name[-1]}]" for name in names]
    numbers = " ".join(f"$(v_{name}:%.17g)" for name in names)
    lines.append(f"fix out all print 1 '{numbers}' file flux.txt screen no title ''")
    if rows:
        columns = " ".join(f"c_heat[{k}]" for k in range(1, 7))
        lines.append(f"fix rows all ave/time 1 1 1 {columns} mode vector file rows.txt format ' %.17g'")
    return "\n".join(lines)


def read_flux(folder: Path, computes: int = 1) -> np.ndarray:
    """(steps, computes, 6) of `heat_lines`."""
    return np.loadtxt(folder / "flux.txt", ndmin=2).reshape(-1, computes, 6)


def read_rows(folder: Path) -> np.ndarray:
    """(steps, rows, 6) of `heat_lines`."""
    lines = [line.split() for line in (folder / "rows.txt").read_text().splitlines() if line[0] != "#"]
    count = int(lines[0][1])
    table = [[float(word) for word in words[1:]] for words in lines if len(words) == 7]
    return np.array(table).reshape(-1, count, 6)


HEAT_FLUX_OF_LAMMPS = """
compute kea all ke/atom
compute flux all heat/flux kea pea centroid
"""
RUN = "timestep 0.0005\nfix md all nve\nthermo 1\nrun 3"


CASES = {
    "box": (("allegro-everything", "safetensors"), box, ELEMENTS),
    "float32": (("allegro-everything", "safetensors", "float32"), box, ELEMENTS),
    "compiled": (("allegro-everything", "pt2", "float32"), box, ELEMENTS),
    "triclinic": (("allegro-everything", "safetensors"), triclinic, ELEMENTS),
    "thin": (("allegro-cutoffs", "safetensors"), thin, ELEMENTS),
    "tersoff": (("tersoff-sic",), hot_silicon_carbide, TERSOFF_SIC.elements),
    "lj": (("lj",), noble_gases, LENNARD_JONES.elements),
}
"""Arguments of `model_files`, the system, and its elements."""
LABELS = {
    ELEMENTS: ["C-C", "C-O", "C-H", "O-O", "O-H", "H-H"],
    TERSOFF_SIC.elements: ["C-C", "C-Si", "Si-Si"],
    LENNARD_JONES.elements: ["Ar-Ar", "Ar-Kr", "Kr-Kr"],
}


@pytest.mark.parametrize(
    ("case", "ranks"),
    [("box", 1), ("box", 2), ("float32", 2), ("compiled", 1), ("triclinic", 1), ("triclinic", 3), ("thin", 1),
     ("thin", 4), ("tersoff", 2), ("lj", 4)],
)  # fmt: skip
def test_equals_heat_flux_with_the_centroid_stress(
    case: str, ranks: int, tmp_path: Path, model_files
) -> None:
    """Total and convective part, on every step of a moving system; and the rows sum to the total."""
    model, make, elements = CASES[case]
    write_data(tmp_path / "data.lmp", make(), elements, velocities=True)
    tail = (
        "compute heat all e3d/heat" + HEAT_FLUX_OF_LAMMPS + heat_lines(("heat", "flux"), rows=1) + "\n" + RUN
    )
    script = script_of(model_files(*model), elements, tail=tail, edges=False)
    run = run_lammps(script, tmp_path, ranks)
    flux, rows = read_flux(tmp_path, 2), read_rows(tmp_path)
    assert len(flux) == 4
    scale = np.abs(flux[:, 1]).max(axis=0)
    assert scale[:3].min() > 0.5
    assert np.abs(flux[:, 1, :3] - flux[:, 1, 3:]).max() > 1.0, "there is no virial part to compare"
    close("J", flux[:, 0] / scale, flux[:, 1] / scale, SUM_RULE)
    names = [*LABELS[elements], "none"]
    listed = " ".join(f"{k + 1} {name}" for k, name in enumerate(names))
    assert f"compute heat e3d/heat rows: {listed}\n" in run.output
    assert rows.shape == (4, len(names), 6)
    close("sum of rows", rows.sum(axis=1) / scale, flux[:, 0] / scale, SUM_RULE)


@pytest.mark.parametrize(("cutoff", "ranks"), [("", 1), ("", 3), ("cutoff 2.3", 2)])
def test_rows_are_sums_over_edges(cutoff: str, ranks: int, tmp_path: Path, model_files) -> None:
    """By label, the convective part is sum eps_ij v_i over the dumped edges; and the row ``none`` is
    sum (mu_i + K_i) v_i, mu = U - sum eps.
    """
    atoms = triclinic()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, velocities=True)
    tail = f"compute heat all e3d/heat {cutoff}\n" + heat_lines(rows=1) + "\nthermo 1\nrun 0"
    run = run_lammps(
        script_of(model_files("allegro-everything", "safetensors"), ELEMENTS, tail=tail), tmp_path, ranks
    )
    names = [*LABELS[ELEMENTS], *(["beyond"] if cutoff else []), "none"]
    edges, v = run.edges(), atoms.arrays["velocities"]
    i = edges["tag1"].astype(int) - 1
    symbols = np.array(["O", "H", "C"])
    want = np.zeros((len(names), 3))
    for e in range(len(edges)):
        pair = sorted(
            (symbols[int(edges["type1"][e]) - 1], symbols[int(edges["type2"][e]) - 1]),
            key=lambda s: (s == "H", s),
        )
        far = bool(cutoff) and edges["dist"][e] >= 2.3
        want[names.index("beyond" if far else "-".join(pair))] += edges["eps"][e] * v[i[e]]
    energy = run.dump("atoms.dump")[0]["c_pea"].copy()
    np.add.at(energy, i, -edges["eps"])
    kinetic = 0.5 * atoms.get_masses() * 1.0364269e-4 * (v**2).sum(axis=1)
    want[-1] = ((energy + kinetic)[:, None] * v).sum(axis=0)
    got = read_rows(tmp_path)[0]
    scale = np.abs(want).max(axis=1, keepdims=True)
    assert scale.min() > 0.1
    close("convective rows", got[:, 3:] / scale, want / scale, 1e-7)  # of the unit of mass times velocity^2
    close("none has no virial", got[-1, :3], got[-1, 3:], 0.0)
    assert np.abs(got[:-1, :3] - got[:-1, 3:]).min(axis=1).min() > 1e-6


def molecules_in_contact() -> Atoms:
    """Methanol, water and hydrogen cyanide, hot, in the middle of an empty box."""
    rng = np.random.default_rng(16)
    atoms = Atoms(cell=np.diag([30.0] * 3))
    for name, place in (
        ("CH3OH", [13.0, 15.0, 15.0]),
        ("H2O", [16.2, 15.5, 14.7]),
        ("HCN", [14.5, 18.4, 15.8]),
    ):
        one = molecule(name)
        one.positions += np.array(place) - one.positions.mean(axis=0)
        atoms += one
    atoms.arrays["velocities"] = (
        rng.normal(0.0, 1.0, (len(atoms), 3)) * 16.0 / np.sqrt(atoms.get_masses()[:, None])
    )
    return atoms


@pytest.mark.parametrize(
    ("model", "precision", "ranks"),
    [
        ("allegro-everything", "double", 1),
        ("tersoff-sic", "double", 2),
        ("shipped", "double", 2),
        ("shipped", "single", 1),
    ],
)
def test_is_the_derivative_of_the_energy_dipole(
    model: str, precision: str, ranks: int, tmp_path: Path, model_files, request: pytest.FixtureRequest
) -> None:
    """J = d/dt sum_i r_i (U_i + K_i) on an open cluster, by a five-point difference along a trajectory. In
    float32 the difference has the rounding of the energies, and a longer time step.
    """
    time_step, tolerance = (1e-6, HEAT_FLUX) if precision == "double" else (1e-4, HEAT_FLUX_FLOAT32)
    if model == "shipped":
        file = SHIPPED
        atoms, elements = molecules_in_contact(), ("H", "C", "N", "O")
    elif model == "tersoff-sic":
        file = model_files(model)
        atoms, elements = hot_silicon_carbide(), TERSOFF_SIC.elements
        atoms = atoms[:16]
        atoms.cell, atoms.pbc = np.diag([30.0] * 3), False
        atoms.positions += 3.0
    else:
        file = model_files(model, "safetensors")
        atoms, elements = cluster(), ELEMENTS
    write_data(tmp_path / "data.lmp", atoms, elements, velocities=True)
    tail = f"""
compute heat all e3d/heat
compute kea all ke/atom
dump moving all custom 1 moving.dump id xu yu zu c_pea c_kea
dump_modify moving format float %.17g sort id
timestep {time_step}
fix md all nve
thermo 1
{heat_lines()}
run 4
"""
    options = f"precision {precision}"
    script = script_of(file, elements, boundary="f f f", pair_options=options, tail=tail, edges=False)
    run = run_lammps(script, tmp_path, ranks)
    m = [
        np.array([(frame[axis] * (frame["c_pea"] + frame["c_kea"])).sum() for axis in ("xu", "yu", "zu")])
        for frame in run.dump("moving.dump")[:5]
    ]
    derivative = (m[0] - 8.0 * m[1] + 8.0 * m[3] - m[4]) / (12.0 * time_step)
    largest = np.abs(derivative).max()
    assert largest > 1.0
    close("J", read_flux(tmp_path)[2, 0, :3] / largest, derivative / largest, tolerance)


def test_owners_of_an_energy_change_the_current_by_a_derivative(tmp_path: Path, model_files) -> None:
    """Two models with the same forces, one with halves of a bond on both atoms and one with shares 0.7 and
    0.3: along the same periodic trajectory their J differ by -1/2 d/dt sum_ij eps_ij r_ij over directed edges
    of the uneven one. That sum is bounded, so no conductivity differs.
    """
    even = replace(MORSE, shares={})
    write_edge_model(*even.model(), tmp_path / "even.nequip.pth")
    atoms = bulk("Cu", "fcc", a=4.0, cubic=True).repeat(3)
    rng = np.random.default_rng(17)
    atoms.set_chemical_symbols(rng.choice(["Cu", "Ag"], len(atoms)))
    atoms.positions += rng.normal(0.0, 0.1, atoms.positions.shape)
    atoms.wrap()
    atoms.arrays["velocities"] = rng.normal(0.0, 4.0, atoms.positions.shape)
    time_step, flux = 1e-6, {}
    for name, file in (("even", tmp_path / "even.nequip.pth"), ("uneven", model_files("morse"))):
        folder = tmp_path / name
        folder.mkdir()
        write_data(folder / "data.lmp", atoms, MORSE.elements, velocities=True)
        tail = f"compute heat all e3d/heat\n{heat_lines()}\ntimestep {time_step}\nfix md all nve\nrun 4"
        run = run_lammps(script_of(file, MORSE.elements, tail=tail), folder, 2)
        flux[name] = read_flux(folder)[2, 0, :3]
    sums = [
        np.array([(frame["eps"] * frame[axis]).sum() for axis in ("dx", "dy", "dz")])
        for frame in run.dump("edges.dump")[:5]
    ]
    derivative = (sums[0] - 8.0 * sums[1] + 8.0 * sums[3] - sums[4]) / (12.0 * time_step)
    difference = flux["uneven"] - flux["even"]
    assert np.abs(difference).max() > 0.1
    scale = np.abs(difference).max()
    close("difference of J", difference / scale, -0.5 * derivative / scale, HEAT_FLUX)


def test_two_body_model_equals_the_pair_style_of_lammps(tmp_path: Path, model_files) -> None:
    """Lennard-Jones as an edge model against ``pair_style lj/cut`` with the plain ``stress/atom``: both
    share the energy and the virial of a pair by halves.
    """
    flux = {}
    for side in ("ours", "theirs"):
        folder = tmp_path / side
        folder.mkdir()
        write_data(folder / "data.lmp", noble_gases(), LENNARD_JONES.elements, velocities=True)
        tail, pair = "compute heat all e3d/heat\n", None
        if side == "theirs":
            tail = "compute kea all ke/atom\ncompute heat all heat/flux kea pea stress\n"
            pair = LENNARD_JONES.lammps_lines()
        script = script_of(
            model_files("lj"),
            LENNARD_JONES.elements,
            pair=pair,
            tail=tail + heat_lines() + "\nthermo 1\nrun 0",
            edges=False,
        ).replace("all centroid/stress/atom NULL virial", "all stress/atom NULL virial")
        run_lammps(script, folder)
        flux[side] = read_flux(folder)[0, 0]
    scale = np.abs(flux["theirs"]).max()
    assert np.abs(flux["theirs"][:3] - flux["theirs"][3:]).max() > 0.1 * scale
    close("J", flux["ours"] / scale, flux["theirs"] / scale, 1e-9)


def test_units_real(tmp_path: Path, model_files) -> None:
    """kcal/mol angstrom/fs, and equal to LAMMPS's own on every step."""
    atoms = box()
    flux = {}
    for units in ("metal", "real"):
        folder = tmp_path / units
        folder.mkdir()
        system = atoms.copy()
        if units == "real":
            system.arrays["velocities"] = atoms.arrays["velocities"] * 1e-3
        write_data(folder / "data.lmp", system, ELEMENTS, velocities=True)
        tail = "compute heat all e3d/heat" + HEAT_FLUX_OF_LAMMPS + heat_lines(("heat", "flux")) + "\nrun 0"
        model = model_files("allegro-everything", "safetensors")
        run_lammps(script_of(model, ELEMENTS, tail=tail, edges=False, units=units), folder, 2)
        flux[units] = read_flux(folder, 2)[0]
    scale = np.abs(flux["real"]).max()
    close("real", flux["real"][0] / scale, flux["real"][1] / scale, SUM_RULE)
    close("real and metal", flux["real"][0] / scale, flux["metal"][0] * REAL_PER_METAL / scale, 1e-6)


@pytest.mark.parametrize("ranks", [1, 3])
def test_group(ranks: int, tmp_path: Path, model_files) -> None:
    """Atoms of the group alone, as compute heat/flux counts them; and two halves sum to the whole."""
    write_data(tmp_path / "data.lmp", box(), ELEMENTS, velocities=True)
    tail = f"""
group odd type 1 3
group even type 2
compute heat odd e3d/heat
compute other even e3d/heat
compute whole all e3d/heat
compute kea all ke/atom
compute flux odd heat/flux kea pea centroid
{heat_lines(("heat", "flux", "other", "whole"))}
{RUN}
"""
    run_lammps(
        script_of(model_files("allegro-cutoffs", "safetensors"), ELEMENTS, tail=tail, edges=False),
        tmp_path,
        ranks,
    )
    heat, flux, other, whole = np.moveaxis(read_flux(tmp_path, 4), 1, 0)
    scale = np.abs(whole).max()
    close("group", heat / scale, flux / scale, SUM_RULE)
    close("sum of groups", (heat + other) / scale, whole / scale, SUM_RULE)
    assert np.abs(other).max() > 0.05 * scale


def test_neither_chunks_nor_a_committee_nor_hybrid_matter(tmp_path: Path, model_files) -> None:
    """The g_ij of one model alone, of all its chunks, and of this pair style."""
    model = model_files("allegro-everything", "safetensors")
    names = " ".join(ELEMENTS)
    styles = {
        "plain": f"pair_style e3d\npair_coeff * * {model} {names}",
        "chunks": f"pair_style e3d chunk 7\npair_coeff * * {model} {names}",
        "committee": f"pair_style e3d committee 1\npair_coeff * * {model} {model} {names}",
        "hybrid": f"pair_style hybrid/overlay e3d zero 3.0\npair_coeff * * e3d {model} {names}\n"
        "pair_coeff * * zero",
    }
    flux = {}
    for name, pair in styles.items():
        folder = tmp_path / name
        folder.mkdir()
        write_data(folder / "data.lmp", box(), ELEMENTS, velocities=True)
        tail = "compute heat all e3d/heat\n" + heat_lines() + "\nrun 0"
        run_lammps(script_of(model, ELEMENTS, pair=pair, tail=tail, edges=False), folder, 2)
        flux[name] = read_flux(folder)[0]
    scale = np.abs(flux["plain"]).max()
    for name in styles:
        close(name, flux[name] / scale, flux["plain"] / scale, SUM_RULE)


def test_split_sees_which_bonds_move(tmp_path: Path, model_files) -> None:
    """An atom that stands still carries no heat, and work is done on moving atoms only: with two Ar far
    from two Kr of which one moves, only the row Kr-Kr has a virial part.
    """
    positions = [[3.0, 3, 3], [6.6, 3.5, 3], [13.0, 13, 13], [16.8, 13.2, 13.9]]
    atoms = Atoms("Ar2Kr2", positions=positions, cell=[24.0] * 3, pbc=True)
    atoms.arrays["velocities"] = np.array([[0.0] * 3, [0.0] * 3, [0.0] * 3, [2.0, 1.0, -1.0]])
    write_data(tmp_path / "data.lmp", atoms, LENNARD_JONES.elements, velocities=True)
    tail = "compute heat all e3d/heat\n" + heat_lines(rows=1) + "\nthermo 1\nrun 0"
    run_lammps(script_of(model_files("lj"), LENNARD_JONES.elements, tail=tail, edges=False), tmp_path, 2)
    rows = read_rows(tmp_path)[0]
    close("Ar-Ar and Ar-Kr", rows[:2], np.zeros((2, 6)), 0.0)
    a, b, _, _ = LENNARD_JONES.by_pair[1, 1]
    r = np.array(positions[3]) - np.array(positions[2])
    d = np.linalg.norm(r)
    s, v = (b / d) ** 6, atoms.arrays["velocities"][3]
    half = 2.0 * a * (s * s - s)  # eps, the same for both directions
    g = 2.0 * a * (-12.0 * s * s + 6.0 * s) / d * r / d  # of the edge to the moving atom
    close("Kr-Kr", rows[2], np.concatenate([half * v - r * (g @ v), half * v]), 1e-12)
    close("none", rows[3, :3], 0.5 * 83.798 * 1.0364269e-4 * (v @ v) * v, 1e-6)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("compute heat all e3d/heat covalent", "unknown keyword 'covalent'; it takes 'cutoff C'"),
        ("compute heat all e3d/heat cutoff", "e3d/heat cutoff"),
        ("compute heat all e3d/heat cutoff 2.0 3.0", "unknown keyword '3.0'"),
        ("compute heat all e3d/heat cutoff 9.0", "compute heat e3d/heat: "),
        (
            "compute heat all e3d/heat\nrun 0\ngroup gone id 3\ndelete_atoms group gone\n"
            "variable j equal c_heat[1]\nprint '$(v_j)'",
            "type 'run 0' first",
        ),
        (
            "run 0\ncompute heat all e3d/heat\nvariable j equal c_heat[1]\nprint '$(v_j)'",
            "initialization by a run",
        ),
    ],
)  # fmt: skip
def test_errors(lines: str, message: str, tmp_path: Path, model_files) -> None:
    """Wrong words, and a frame that is not of today."""
    write_data(tmp_path / "data.lmp", box(), ELEMENTS, velocities=True)
    if "run 0" not in lines:
        lines += "\nthermo_style custom step c_heat[1]\nrun 0"
    run = start_lammps(
        script_of(model_files("allegro-plain", "safetensors"), ELEMENTS, tail=lines, edges=False), tmp_path
    )
    assert run.code != 0
    assert message in run.output, run.output[-2000:]


def test_needs_the_pair_style_first(tmp_path: Path, model_files) -> None:
    """Without pair_coeff there are no labels."""
    write_data(tmp_path / "data.lmp", box(), ELEMENTS)
    script = "units metal\nnewton on\nread_data data.lmp\npair_style e3d\ncompute heat all e3d/heat\n"
    run = start_lammps(script, tmp_path)
    assert run.code != 0
    assert "put 'pair_coeff * * model.safetensors C H' before this compute" in run.output
