"""LAMMPS's own machinery on the pair style: hybrids, minimize, npt, clear, groups and bond cutoffs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from analytic_models import TERSOFF_SI
from lammps_runs import Frame, Run, forces_of, run_lammps, script_of, write_data
from systems import ELEMENTS, box, triclinic
from test_plugin_allegro import check_edges
from test_plugin_analytic import silicon
from tolerances import FLOAT64, close

WITH_ARGON = (*ELEMENTS, "Ar")


def _with_argon() -> Atoms:
    """Molecule-like atoms in one half of the box, argon in the other, close enough to touch."""
    atoms = box()
    cell = np.diag(np.asarray(atoms.cell)).copy()
    grid = [[1.5 + 3.4 * a, 1.5 + 3.4 * b, cell[2] + 2.5] for a in range(2) for b in range(2)]
    atoms += Atoms(["Ar"] * len(grid), positions=grid)
    atoms.cell = [cell[0], cell[1], cell[2] + 5.0]
    return atoms


def _run(
    folder: Path, atoms: Atoms, pair: str, elements: tuple[str, ...], edges: bool = True, **options
) -> Run:
    folder.mkdir()
    write_data(folder / "data.lmp", atoms, elements)
    centroid = "compute centroid all centroid/stress/atom NULL virial"
    script = script_of(Path("unused"), elements, pair=pair, edges=edges)
    # neither lj/cut nor hybrids have a centroid stress; what is tested here is the rest
    script = script.replace(centroid, centroid.replace("centroid/stress", "stress"))
    return run_lammps(script, folder, **options)


def _total(*runs: Run) -> tuple[float, np.ndarray]:
    return sum(run.json()["pe"] for run in runs), sum(forces_of(run.dump("atoms.dump")[-1]) for run in runs)


@pytest.mark.parametrize("ranks", [1, 2])
def test_hybrid_with_null_types(ranks: int, tmp_path: Path, model_files) -> None:
    """e3d on molecules, Lennard-Jones on argon and between: the sum of both alone, no argon in the edges."""
    model = model_files("allegro-everything", "pth", "float64")
    atoms = _with_argon()
    molecules = atoms[[symbol != "Ar" for symbol in atoms.get_chemical_symbols()]]
    argon = "pair_coeff 4 4 {0} 0.0104 3.4\npair_coeff 1*3 4 {0} 0.006 3.2\n"
    hybrid = _run(
        tmp_path / "hybrid",
        atoms,
        f"pair_style hybrid e3d chunk 7 lj/cut 6.0\npair_coeff * * e3d {model} O H C NULL\n"
        + argon.format("lj/cut"),
        WITH_ARGON,
        ranks=ranks,
    )
    plain = _run(tmp_path / "plain", molecules, f"pair_style e3d\npair_coeff * * {model} O H C", ELEMENTS)
    lj = _run(
        tmp_path / "lj",
        atoms,
        "pair_style lj/cut 6.0\npair_coeff * * 0.0 1.0\n" + argon.format(""),
        WITH_ARGON,
        edges=False,
    )
    check_edges(hybrid.edges(), plain.edges(), FLOAT64)
    close("energy", hybrid.json()["pe"], plain.json()["pe"] + lj.json()["pe"], FLOAT64.total_energy)
    want = forces_of(lj.dump("atoms.dump")[-1])
    want[: len(molecules)] += forces_of(plain.dump("atoms.dump")[-1])
    close("forces", forces_of(hybrid.dump("atoms.dump")[-1]), want, FLOAT64.force)


def test_hybrid_overlay(tmp_path: Path, model_files) -> None:
    """Both styles on all atoms: energies and forces add, edge energies stay the model's own."""
    model = model_files("allegro-everything", "pth", "float64")
    lj_lines = "pair_coeff * * {} 0.003 2.0"
    pairs = {
        "overlay": f"pair_style hybrid/overlay e3d lj/cut 5.0\npair_coeff * * e3d {model} O H C\n"
        + lj_lines.format("lj/cut"),
        "plain": f"pair_style e3d\npair_coeff * * {model} O H C",
        "lj": "pair_style lj/cut 5.0\n" + lj_lines.format(""),
    }
    runs = {
        name: _run(tmp_path / name, box(), pair, ELEMENTS, edges=name != "lj") for name, pair in pairs.items()
    }
    energy, forces = _total(runs["plain"], runs["lj"])
    close("energy", runs["overlay"].json()["pe"], energy, FLOAT64.total_energy)
    close("forces", forces_of(runs["overlay"].dump("atoms.dump")[-1]), forces, FLOAT64.force)
    check_edges(runs["overlay"].edges(), runs["plain"].edges(), FLOAT64)


@pytest.mark.parametrize(
    ("what", "tail"),
    [
        ("minimize", "minimize 0.0 1e-6 60 400"),
        (
            "npt",
            "velocity all create 400.0 77 mom yes rot yes dist gaussian\ntimestep 0.001\n"
            "fix md all npt temp 400.0 400.0 0.1 tri 0.0 0.0 1.0\nrun 40",
        ),
    ],
)
def test_integrators_follow_the_same_path_as_pair_tersoff(
    what: str, tail: str, tmp_path: Path, model_files
) -> None:
    """The minimiser and the barostat see the energies, forces and virials of LAMMPS's own style."""
    (tmp_path / "si.tersoff").write_text(TERSOFF_SI.potential_file())
    ends = {}
    for name, pair in {
        "ours": f"pair_style e3d\npair_coeff * * {model_files('tersoff-si')} Si",
        "theirs": f"pair_style tersoff\npair_coeff * * {tmp_path / 'si.tersoff'} Si",
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        write_data(folder / "data.lmp", silicon(), ("Si",))
        script = script_of(Path("unused"), ("Si",), pair=pair, tail=tail, edges=False)
        script = script.replace("read_data data.lmp", "read_data data.lmp\nchange_box all triclinic")
        centroid = "compute centroid all centroid/stress/atom NULL virial"
        ends[name] = run_lammps(script.replace(centroid, centroid.replace("centroid/", "", 1)), folder)
    ours, theirs = ends["ours"], ends["theirs"]
    first, last = ours.dump("atoms.dump")[0], ours.dump("atoms.dump")[-1]
    assert last.step >= 20 and np.abs(forces_of(first) - forces_of(last)).max() > 0.1
    reference = theirs.dump("atoms.dump")[-1]
    assert last.step == reference.step, f"{what}: {last.step} steps, pair_style tersoff took {reference.step}"
    close("forces", forces_of(last), forces_of(reference), 1e-5)
    for key in ("pe", "volume"):
        close(key, ours.json()[key], theirs.json()[key], 1e-5)


def test_clear_and_start_again(tmp_path: Path, model_files) -> None:
    """After `clear` the plugin is still there, and another model gives its own numbers."""
    write_data(tmp_path / "data.lmp", box(), ELEMENTS)
    first = script_of(model_files("allegro-everything", "pth", "float64"), ELEMENTS)
    other = script_of(model_files("allegro-zbl", "pth", "float64"), ELEMENTS)
    (tmp_path / "alone").mkdir()
    write_data(tmp_path / "alone" / "data.lmp", box(), ELEMENTS)
    alone = run_lammps(first, tmp_path / "alone")
    both = run_lammps(other.replace("result.json", "other.json") + "clear\n" + first, tmp_path)
    close("energy", both.json()["pe"], alone.json()["pe"], FLOAT64.total_energy)
    check_edges(both.edges(), alone.edges(), FLOAT64)
    assert abs(both.json("other.json")["pe"] - alone.json()["pe"]) > 1.0


def test_edges_of_a_group_and_a_cutoff(tmp_path: Path, model_files) -> None:
    """The group chooses centres, the cutoff bonds: a number, covalent radii, or the model's own reach."""
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS)
    columns = "tag1 tag2 type1 type2 dist dx dy dz eps"
    dumps = "\n".join(
        f"compute c{k} {group} e3d/edge/local {columns} cutoff {cutoff}\n"
        f"dump d{k} all local 1 {k}.dump {' '.join(f'c_c{k}[{n + 1}]' for n in range(9))}\n"
        f"dump_modify d{k} format float %.17g "
        + " ".join(f"colname {n + 1} {name}" for n, name in enumerate(columns.split()))
        for k, group, cutoff in (
            ("number", "all", "2.2"),
            ("paper", "all", "paper"),
            ("covalent", "all", "covalent"),
            ("carbon", "carbons", "model"),
        )
    )
    tail = f"group carbons type {ELEMENTS.index('C') + 1}\n{dumps}\nrun 0"
    run = run_lammps(
        script_of(model_files("allegro-everything", "pth", "float64"), ELEMENTS, tail=tail), tmp_path
    )
    everything = run.edges()

    def chosen(mask: np.ndarray) -> Frame:
        return Frame(0, {name: values[mask] for name, values in everything.columns.items()})

    check_edges(run.edges("number.dump"), chosen(everything["dist"] <= 2.2), FLOAT64)
    check_edges(run.edges("paper.dump"), chosen(everything["dist"] <= 2.2), FLOAT64)
    check_edges(run.edges("carbon.dump"), chosen(everything["type1"] == ELEMENTS.index("C") + 1), FLOAT64)
    radii = np.array([{"O": 0.66, "H": 0.31, "C": 0.76}[element] for element in ELEMENTS])
    reach = 1.3 * (radii[everything["type1"].astype(int) - 1] + radii[everything["type2"].astype(int) - 1])
    covalent = everything["dist"] <= reach
    assert 0 < covalent.sum() < len(everything)
    check_edges(run.edges("covalent.dump"), chosen(covalent), FLOAT64)


def test_atom_compute_agrees_with_the_edges(tmp_path: Path, model_files) -> None:
    """energy is U_i, and coord the number of bonds; both on two ranks."""
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS)
    tail = (
        "compute e all e3d/atom energy coord cutoff 2.2\n"
        "dump e all custom 1 e.dump id c_e[1] c_e[2]\ndump_modify e format float %.17g sort id\nrun 0"
    )
    script = script_of(model_files("allegro-everything", "pth", "float64"), ELEMENTS, tail=tail)
    run = run_lammps(script, tmp_path, ranks=2)
    own = run.dump("e.dump")[-1]
    close("energy", own["c_e[1]"], run.dump("atoms.dump")[-1]["c_pea"], FLOAT64.atomic_energy)
    edges = run.edges()
    count = np.bincount(edges["tag1"].astype(int)[edges["dist"] <= 2.2] - 1, minlength=len(own))
    np.testing.assert_array_equal(own["c_e[2]"], count)
    assert count.max() > 0


def test_ids_above_a_million_survive_the_dump(tmp_path: Path, model_files) -> None:
    """%.17g keeps every id that LAMMPS's own %g would round."""
    atoms = box()
    first = 123456781
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, first_id=first)
    run = run_lammps(
        script_of(model_files("allegro-everything", "pth", "float64"), ELEMENTS), tmp_path, ranks=2
    )
    edges = run.edges()
    assert set(edges["tag1"].astype(int)) == set(range(first, first + len(atoms)))
    (tmp_path / "small").mkdir()
    write_data(tmp_path / "small" / "data.lmp", atoms, ELEMENTS)
    small = run_lammps(
        script_of(model_files("allegro-everything", "pth", "float64"), ELEMENTS), tmp_path / "small"
    ).edges()
    for name in ("tag1", "tag2"):
        edges.columns[name] = edges[name] - first + 1
    check_edges(edges, small, FLOAT64)
