"""``compute e3d/atom`` and ``e3d/edge/local``: values, groups, cutoffs, ids, and the ``lammps`` module."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from e3d_lmp.edges.dumps.reader import DumpReader
from e3d_lmp.edges.frames import EdgeFrame
from gas_runs import ALL, ELEMENTS, gas, local_dump, script_of
from lammps_runs import Frame, Run, read_dump, run_lammps, run_python, write_data
from tolerances import REFERENCE_STYLE, SUM_RULE, close

COVALENT = {("Cu", "Cu"): 3.432, ("Ag", "Ag"): 3.770, ("Ag", "Cu"): 3.601}
"""1.3 (R_1 + R_2) from 1.32 for Cu and 1.45 for Ag: Cordero et al., Dalton Trans. 2008, 2832."""
MODEL = {("Cu", "Cu"): 6.0, ("Ag", "Ag"): 6.5, ("Ag", "Cu"): 6.2}
FILE = {("Cu", "Cu"): -1.0, ("Ag", "Ag"): 3.1, ("Ag", "Cu"): 2.9}


def counted(atoms: Atoms, cutoffs: dict[tuple[str, str], float]) -> np.ndarray:
    """(n,) neighbours of each atom within `cutoffs`, by ASE."""
    i, j, distance = neighbor_list("ijd", atoms, 7.0)
    symbols = atoms.get_chemical_symbols()
    limit = [cutoffs[tuple(sorted((symbols[a], symbols[b])))] for a, b in zip(i, j, strict=True)]  # type: ignore[index]
    return np.bincount(i[distance < np.array(limit)], minlength=len(atoms))


@pytest.fixture(
    scope="module",
    params=[
        ("morse", "pth", "float64"),
        ("allegro-metals", "safetensors", "float64"),
        ("allegro-metals", "safetensors", "float32"),
    ],
    ids=lambda param: "-".join(param),
)
def computed(
    tmp_path_factory: pytest.TempPathFactory, model_files, request: pytest.FixtureRequest
) -> tuple[Run, Atoms]:
    """One run with every form of the computes, on two ranks."""
    folder, atoms = tmp_path_factory.mktemp("computes"), gas()
    write_data(folder / "data.lmp", atoms, ELEMENTS)
    lines = [f"{a} {b} {r}" for (a, b), r in FILE.items() if r > 0.0]
    (folder / "bonds.txt").write_text("# El1 El2 R\n\n" + "\n".join(lines) + "  # Cu-Cu does not bond\n")
    body = "group cu type 1\n" + local_dump("edges", ALL)
    cutoffs = {
        "model": "model",
        "covalent": "covalent",
        "paper": "paper",
        "number": "3.3",
        "file": "file bonds.txt",
    }
    body += "".join(local_dump(name, "tag1 tag2 eps", cutoff=f"cutoff {c}") for name, c in cutoffs.items())
    body += local_dump("eps", "eps") + local_dump("ofcu", "tag1 tag2 type1 type2 eps", group="cu")
    body += local_dump("swapped", "eps tag2 tag1 dist")
    body += "".join(f"compute n_{name} all e3d/atom coord cutoff {c}\n" for name, c in cutoffs.items())
    body += f"""compute pea all pe/atom
compute atoms all e3d/atom energy coord
compute reversed all e3d/atom coord energy cutoff paper
compute energy all e3d/atom energy
compute ofcuatoms cu e3d/atom energy coord
dump atoms all custom 1 atoms.dump id type c_pea c_atoms[*] c_reversed[*] c_energy c_ofcuatoms[*] &
{" ".join(f"c_n_{name}" for name in cutoffs)}
dump_modify atoms format float %.17g sort id
run 0
"""
    return run_lammps(script_of(model_files(*request.param), body), folder, ranks=2), atoms


def test_atom_energy_and_coordination(computed: tuple[Run, Atoms]) -> None:
    """e3d/atom: energy is pe/atom and the sum of eps; coord is ASE's count, by default of covalent bonds."""
    run, atoms = computed
    frame, edges = run.dump("atoms.dump")[-1], run.edges()
    sums = np.bincount(edges["tag1"].astype(int) - 1, weights=edges["eps"], minlength=len(atoms))
    close("sum of eps", frame["c_atoms[1]"], sums, SUM_RULE * np.abs(edges["eps"]).sum())
    for name in ("c_atoms[1]", "c_reversed[2]", "c_energy"):
        close(name, frame[name], frame["c_pea"], REFERENCE_STYLE.atomic_energy)
    assert np.ptp(frame["c_pea"]) > 0.1
    np.testing.assert_array_equal(frame["c_atoms[2]"], counted(atoms, COVALENT))
    np.testing.assert_array_equal(frame["c_reversed[1]"], counted(atoms, dict.fromkeys(MODEL, 2.2)))


CUTOFFS = {
    "model": MODEL,
    "covalent": COVALENT,
    "paper": dict.fromkeys(MODEL, 2.2),
    "number": dict.fromkeys(MODEL, 3.3),
    "file": FILE,
}


@pytest.mark.parametrize("name", CUTOFFS)
def test_cutoff_grammar(name: str, computed: tuple[Run, Atoms]) -> None:
    """Every form of `cutoff` keeps the edges that ASE finds; a pair that the file leaves out has none."""
    run, atoms = computed
    count = counted(atoms, CUTOFFS[name])
    assert 0 < count.sum() and (name == "model" or count.sum() < counted(atoms, MODEL).sum())
    edges = run.dump(f"{name}.dump")[-1]
    np.testing.assert_array_equal(np.bincount(edges["tag1"].astype(int) - 1, minlength=len(atoms)), count)
    np.testing.assert_array_equal(run.dump("atoms.dump")[-1][f"c_n_{name}"], count)


def _rows(frame: Frame, *names: str) -> np.ndarray:
    """Rows of these columns in an order that depends on their numbers alone."""
    table = np.stack([frame[name] for name in names], axis=1)
    return table[np.lexsort(table.T[::-1])]


def test_values_in_any_number_and_order(computed: tuple[Run, Atoms]) -> None:
    """One value is a vector, several are an array with the columns as asked for; `model` is the default."""
    run, _ = computed
    edges = run.edges()
    np.testing.assert_array_equal(np.sort(run.dump("eps.dump")[-1]["eps"]), np.sort(edges["eps"]))
    for name, columns in (("swapped", ("tag1", "tag2", "dist", "eps")), ("model", ("tag1", "tag2", "eps"))):
        np.testing.assert_array_equal(_rows(run.dump(f"{name}.dump")[-1], *columns), _rows(edges, *columns))
    vectors = np.stack([edges[name] for name in ("dx", "dy", "dz")], axis=1)
    close("dist", edges["dist"], np.linalg.norm(vectors, axis=1), REFERENCE_STYLE.geometry)


def test_group_selects_the_centre(computed: tuple[Run, Atoms]) -> None:
    """Edges from Cu to anything, and nothing from Ag; e3d/atom is 0 outside its group."""
    run, _ = computed
    edges, columns = run.edges(), ("tag1", "tag2", "type1", "type2", "eps")
    expected = _rows(edges, *columns)
    expected = expected[expected[:, 2] == 1]
    np.testing.assert_array_equal(_rows(run.dump("ofcu.dump")[-1], *columns), expected)
    assert set(expected[:, 3]) == {1.0, 2.0}

    frame = run.dump("atoms.dump")[-1]
    inside = frame["type"] == 1
    for k in (1, 2):
        np.testing.assert_array_equal(
            frame[f"c_ofcuatoms[{k}]"], np.where(inside, frame[f"c_atoms[{k}]"], 0.0)
        )


def test_atoms_that_left_the_group(tmp_path: Path, metals: Path) -> None:
    """e3d/atom keeps nothing of the run before."""
    write_data(tmp_path / "data.lmp", gas(8), ELEMENTS)
    body = """group some type 1
compute some some e3d/atom energy
compute sum all reduce sum c_some
thermo_style custom step pe c_sum
run 0
print '$(c_sum)' file sum.txt
group some clear
run 0
print '$(c_sum)' append sum.txt"""
    run_lammps(script_of(metals, body), tmp_path)
    before, after = np.loadtxt(tmp_path / "sum.txt")
    assert abs(before) > 0.001 and after == 0.0


@pytest.mark.parametrize("ranks", [1, 2])
def test_one_atom_in_vacuum(ranks: int, tmp_path: Path, metals: Path) -> None:
    """No neighbour and, on two ranks, a rank without atoms: zeros and empty frames, never an error."""
    atoms = Atoms("Cu", positions=[[1.0, 2.0, 3.0]], cell=[20.0, 8.0, 8.0])
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    body = (
        local_dump("edges", ALL)
        + """velocity all set 1.0 0.0 0.0
fix 1 all nve
compute one all e3d/atom coord
compute two all e3d/atom energy coord
dump atoms all custom 1 atoms.dump id x fx fy fz c_one c_two[*]
dump_modify atoms format float %.17g
run 3"""
    )
    setup = "processors * 1 1\nread_data data.lmp"
    run = run_lammps(script_of(metals, body, "f f f", setup), tmp_path, ranks)
    assert [len(frame) for frame in run.dump("edges.dump")] == [0, 0, 0, 0]
    frames = run.dump("atoms.dump")
    close("x", frames[-1]["x"], [1.003], REFERENCE_STYLE.geometry)
    for name in ("fx", "fy", "fz", "c_one", "c_two[1]", "c_two[2]"):
        assert [frame[name].tolist() for frame in frames] == [[0.0]] * 4


def test_large_ids_round_trip(tmp_path: Path, metals: Path) -> None:
    """Ids above a million, as `dump local` with a float format and our reader carry them."""
    offset = 1234567
    write_data(tmp_path / "data.lmp", gas(), ELEMENTS)
    head, rows = (tmp_path / "data.lmp").read_text().split("Atoms # atomic\n\n")
    moved = [[str(int(row.split()[0]) + offset), *row.split()[1:]] for row in rows.splitlines()]
    (tmp_path / "large.lmp").write_text(head + "Atoms # atomic\n\n" + "\n".join(map(" ".join, moved)) + "\n")
    script = ""
    for name in ("data", "large"):
        dump = local_dump(name, ALL, cutoff="cutoff 3.0")
        script += "clear\n" + script_of(metals, dump + "run 0", data=f"read_data {name}.lmp")
    run_lammps(script, tmp_path)
    small, large = (next(iter(DumpReader(tmp_path / f"{name}.dump"))) for name in ("data", "large"))

    def pairs(frame: EdgeFrame) -> list[tuple[int, int]]:
        return sorted(zip(frame.i.tolist(), frame.j.tolist(), strict=True))

    assert pairs(large) == [(i + offset, j + offset) for i, j in pairs(small)]
    assert len({i for i, _ in pairs(large)}) > 20


IN_PROCESS = """
from mpi4py import MPI
import numpy as np
from lammps import LMP_STYLE_ATOM, LMP_STYLE_LOCAL, LMP_TYPE_ARRAY, LMP_TYPE_VECTOR, lammps

lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
lmp.file("in.lmp")
lmp.command("run 2")
nlocal = lmp.extract_setting("nlocal")
found = {
    "edges": lmp.numpy.extract_compute("edges", LMP_STYLE_LOCAL, LMP_TYPE_ARRAY),
    "eps": lmp.numpy.extract_compute("eps", LMP_STYLE_LOCAL, LMP_TYPE_VECTOR),
    "energy": lmp.numpy.extract_compute("energy", LMP_STYLE_ATOM, LMP_TYPE_VECTOR)[:nlocal],
    "pe": lmp.get_thermo("pe"),
}
np.savez("found.npz", **{name: np.array(values) for name, values in found.items()})

try:
    lmp.command("pair_coeff * * missing.nequip.pth Cu Ag")
except Exception as error:
    print("EXCEPTION", error)
try:
    lmp.command("run 0")
except Exception as error:
    print("AFTERWARDS", error)
lmp.command("pair_coeff * * MODEL Cu Ag")
lmp.command("run 0")
np.savez("again.npz", pe=lmp.get_thermo("pe"))
lmp.close()
"""


def test_in_process_arrays_equal_the_dump(tmp_path: Path, metals: Path) -> None:
    """The ``lammps`` Python module: arrays of the computes, and a failed pair_coeff that a good one mends."""
    write_data(tmp_path / "data.lmp", gas(), ELEMENTS)
    body = local_dump("edges", ALL, cutoff="cutoff 4.0") + local_dump("eps", "eps")
    body += "compute energy all e3d/atom energy\nfix 1 all nve\ntimestep 1e-4"
    (tmp_path / "in.lmp").write_text(script_of(metals, body))
    output = run_python(IN_PROCESS.replace("MODEL", str(metals)), tmp_path)
    found = np.load(tmp_path / "found.npz")
    edges = read_dump(tmp_path / "edges.dump")[-1]
    assert edges.step == 2
    np.testing.assert_array_equal(found["edges"], np.stack([edges[name] for name in ALL.split()], axis=1))
    np.testing.assert_array_equal(found["eps"], read_dump(tmp_path / "eps.dump")[-1]["eps"])
    close("energy", found["energy"].sum(), found["pe"], SUM_RULE * np.abs(found["eps"]).sum())

    assert "EXCEPTION" in output and "cannot open model file missing.nequip.pth" in output
    assert "AFTERWARDS" in output and "All pair coeffs are not set" in output
    close("energy after the error", np.load(tmp_path / "again.npz")["pe"], found["pe"], 1e-9)
