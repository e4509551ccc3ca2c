"""``compute e3d/pair/local`` and the bonds of ``e3d/atom``: every pair once, on any number of ranks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from e3d_lmp.edges.frames import Box, EdgeFrame
from e3d_lmp.edges.pairs import PairFrame, Pairing
from e3d_lmp.model.decomposition import decompose
from gas_runs import ALL, gas, local_dump
from gas_runs import ELEMENTS as GAS_ELEMENTS
from gas_runs import script_of as gas_script
from lammps_runs import Frame, run_lammps, start_lammps, write_data
from random_models import random_allegro
from systems import ELEMENTS, SYSTEMS, cluster, reference_edges
from tolerances import LADDER, SUM_RULE, close

LADDER64 = LADDER["float64"]
COLUMNS = ("tag1", "tag2", "type1", "type2", "dist", "dx", "dy", "dz", "e12", "e21", "D", "A")
MODEL = "allegro-everything"
"""Its cutoffs differ for the two directions of a pair, so some edges have no reverse."""
REVERSED = "allegro-reversed"
"""Here it is the first atom of a pair that may have no edge."""


def pair_dump(name: str, group: str = "all", cutoff: str = "", values: tuple[str, ...] = COLUMNS) -> str:
    """A compute e3d/pair/local `name` and a dump of it, every 10 steps, to NAME.dump."""
    columns = " ".join(f"c_{name}[{k + 1}]" for k in range(len(values)))
    titles = " ".join(f"colname {k + 1} {word}" for k, word in enumerate(values))
    return f"""compute {name} {group} e3d/pair/local {" ".join(values)} {cutoff}
dump {name} all local 10 {name}.dump {columns}
dump_modify {name} format float %.17g {titles}
"""


def script(model: Path, body: str, boundary: str = "p p p", before: str = "", options: str = "") -> str:
    """`body` after the pair style, in a system of `ELEMENTS`."""
    return f"""
units metal
newton on
boundary {boundary}
{before}
read_data data.lmp
pair_style e3d {options}
pair_coeff * * {model} {" ".join(ELEMENTS)}
neighbor 0.5 bin
neigh_modify every 1 delay 0 check yes
thermo_modify norm no
{body}
"""


def edge_frame(edges: Frame) -> EdgeFrame:
    """The edges of a dump or of `reference_edges` as the package reads them."""
    ids = {name: edges[name].astype(np.int64) for name in ("tag1", "tag2", "type1", "type2")}
    vec = np.stack([edges["dx"], edges["dy"], edges["dz"]], axis=1)
    box = Box(np.eye(3), np.zeros(3), np.ones(3, dtype=bool))
    return EdgeFrame(
        edges.step, box, ids["tag1"], ids["tag2"], ids["type1"], ids["type2"], vec, np.asarray(edges["eps"])
    )


@cache
def _atoms(system: str) -> Atoms:
    return SYSTEMS[system]() if system in SYSTEMS else cluster()


@cache
def reference_pairs(
    system: str, cutoff: float | None, name: str = MODEL, dtype: str = "float64"
) -> PairFrame:
    """Pairs of the eager model's edges on ASE's neighbour list, as the package's own pairing sees them."""
    model = random_allegro(name.removeprefix("allegro-"), dtype)
    facts = decompose(model)
    order = [facts.type_names.index(symbol) for symbol in ELEMENTS]
    directed = np.reshape(facts.cutoffs, (len(order), len(order)))[np.ix_(order, order)]
    bond = None if cutoff is None else np.full(directed.shape, cutoff)
    frame = edge_frame(reference_edges(model, _atoms(system)))
    return Pairing(ELEMENTS, bond, directed).pair(frame)


def check_pairs(got: Frame, want: PairFrame, dtype: str = "float64", exact: bool = False) -> None:
    """The same pairs first, then the same energies, in an order that depends on the pairs alone."""

    def order(i: np.ndarray, j: np.ndarray, vec: np.ndarray) -> np.ndarray:
        return np.lexsort([*np.round(vec.T * 1e4), j, i])

    vec = np.stack([got["dx"], got["dy"], got["dz"]], axis=1)
    assert len(got) == want.i.size, f"{len(got)} pairs, expected {want.i.size}"
    mine, theirs = order(got["tag1"], got["tag2"], vec), order(want.i, want.j, want.vec)
    np.testing.assert_array_equal(got["tag1"][mine], want.i[theirs])
    np.testing.assert_array_equal(got["tag2"][mine], want.j[theirs])
    close("vectors", vec[mine], want.vec[theirs], LADDER64.geometry)
    close("dist", got["dist"][mine], np.linalg.norm(want.vec[theirs], axis=1), LADDER64.geometry)
    tolerance = 0.0 if exact else LADDER[dtype].edge_energy
    for name in ("e12", "e21", "D", "A"):
        close(name, got[name][mine], getattr(want, name)[theirs], tolerance)


def check_atoms(frame: Frame, name: str, pairs: PairFrame, dtype: str) -> None:
    """bond, asym and coord of e3d/atom are sums over the pairs, seen from both atoms."""
    first, second, size = pairs.i - 1, pairs.j - 1, len(frame)
    half = np.bincount(first, pairs.D / 2, size) + np.bincount(second, pairs.D / 2, size)
    asym = np.bincount(first, pairs.A, size) - np.bincount(second, pairs.A, size)
    close("bond", frame[f"{name}[1]"], half, LADDER[dtype].atomic_energy)
    close("asym", frame[f"{name}[2]"], asym, LADDER[dtype].atomic_energy)
    count = np.bincount(np.concatenate([first, second]), minlength=size)
    np.testing.assert_array_equal(frame[f"{name}[3]"], count)


TILED = "comm_style tiled"
NATIVE = ("safetensors", "float64")
METALS = ("allegro-metals", "safetensors", "float32")
CASES = [
    ("box", 1, "", *NATIVE),
    ("box", 2, TILED, *NATIVE),
    ("box", 3, "", "safetensors", "float32"),
    ("box", 4, "processors 2 2 1", *NATIVE),
    ("triclinic", 1, "", *NATIVE),
    ("triclinic", 2, "processors 1 1 2", "pt2", "float64"),
    ("triclinic", 3, TILED, *NATIVE),
    ("triclinic", 4, "processors 1 2 2", "safetensors", "float32"),
    ("thin", 1, "", *NATIVE),
    ("thin", 2, "processors 1 2 1", *NATIVE),
    ("thin", 3, "", "pt2", "float32"),
    ("thin", 4, "processors 2 2 1", *NATIVE),
    ("cluster", 1, "", "pth", "float64"),
    ("cluster", 4, "processors 4 1 1", *NATIVE),
]


@pytest.mark.parametrize(("system", "ranks", "before", "ending", "dtype"), CASES)
def test_every_pair_once(
    system: str, ranks: int, before: str, ending: str, dtype: str, tmp_path: Path, model_files
) -> None:
    """Pairs, D, A and the per-atom sums, within the model's (asymmetric) cutoffs and within 2.2 angstrom.

    `thin` has several images of one pair and of an atom with itself; `cluster` leaves ranks without atoms.
    """
    atoms = _atoms(system)
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, np.random.default_rng(5).permutation(len(atoms)))
    body = pair_dump("whole", cutoff="cutoff model") + pair_dump("bonds", cutoff="cutoff paper")
    body += """compute whole_atoms all e3d/atom bond asym coord cutoff model
compute atoms all e3d/atom bond asym coord cutoff paper
dump atoms all custom 1 atoms.dump id c_atoms[*] c_whole_atoms[*]
dump_modify atoms format float %.17g sort id
"""
    body += ("balance 1.0 rcb\n" if before == TILED else "") + "run 0"
    boundary = "f f f" if system == "cluster" else "p p p"
    run = run_lammps(script(model_files(MODEL, ending, dtype), body, boundary, before), tmp_path, ranks)
    whole, bonds = (reference_pairs(system, cutoff, dtype=dtype) for cutoff in (None, 2.2))
    check_pairs(run.dump("whole.dump")[-1], whole, dtype)

    check_pairs(run.dump("bonds.dump")[-1], bonds, dtype)
    frame = run.dump("atoms.dump")[-1]
    check_atoms(frame, "c_atoms", bonds, dtype)
    check_atoms(frame, "c_whole_atoms", whole, dtype)
    assert len(bonds.i) < len(whole.i)


@pytest.mark.parametrize(("system", "ranks"), [("box", 1), ("thin", 3), ("triclinic", 4)])
def test_pairs_that_only_the_second_atom_sees(system: str, ranks: int, tmp_path: Path, model_files) -> None:
    """The first atom's cutoff is the shorter one: the owner of the second atom reports the pair."""
    write_data(tmp_path / "data.lmp", _atoms(system), ELEMENTS)
    body = pair_dump("whole", cutoff="cutoff model") + "run 0"
    run = run_lammps(script(model_files(REVERSED, "safetensors", "float64"), body), tmp_path, ranks)
    want = reference_pairs(system, None, REVERSED)
    assert want.beyond > 10 and (want.e12 == 0.0).sum() > 10
    check_pairs(run.dump("whole.dump")[-1], want)


def test_reference_has_pairs_without_reverse_edge() -> None:
    """What `test_every_pair_once` relies on."""
    pairs = reference_pairs("box", None)
    assert pairs.beyond > 10 and (pairs.e21 == 0.0).sum() > 10


def test_sum_of_d_is_the_cohesive_energy(tmp_path: Path, model_files) -> None:
    """No shifts, cutoff of the model: the sum of D over pairs is the potential energy."""
    write_data(tmp_path / "data.lmp", _atoms("thin"), ELEMENTS)
    body = """compute pairs all e3d/pair/local D cutoff model
compute sum all reduce sum c_pairs inputs local
thermo_style custom step pe c_sum
run 0
print '{"pe": $(pe:%.17g), "sum": $(c_sum:%.17g)}' file result.json"""
    run = run_lammps(script(model_files("allegro-plain", "safetensors", "float64"), body), tmp_path, ranks=2)
    result = run.json()
    assert abs(result["pe"]) > 0.5
    close("sum of D", result["sum"], result["pe"], SUM_RULE * abs(result["pe"]) * 100)


def test_group_needs_both_atoms(tmp_path: Path, model_files) -> None:
    """Pairs of two atoms of the group, whichever ranks own them."""
    write_data(tmp_path / "data.lmp", _atoms("triclinic"), ELEMENTS)
    body = "group some id <= 25\n" + pair_dump("some", "some", "cutoff model")
    body += pair_dump("whole", cutoff="cutoff model") + "run 0"
    run = run_lammps(script(model_files(MODEL, "safetensors", "float64"), body), tmp_path, ranks=4)
    whole, some = run.dump("whole.dump")[-1], run.dump("some.dump")[-1]
    inside = (whole["tag1"] <= 25) & (whole["tag2"] <= 25)
    assert 0 < inside.sum() < len(whole)

    def ids(frame: Frame, keep: np.ndarray | slice) -> list[tuple[float, ...]]:
        return sorted(zip(*(frame[name][keep] for name in ("tag1", "tag2", "D", "A")), strict=True))

    assert ids(some, slice(None)) == ids(whole, inside)


@pytest.mark.parametrize(("model", "ranks"), [(("morse",), 1), (METALS, 3), (METALS, 4)])
def test_moving_atoms_lose_and_double_no_pair(
    model: tuple[str, ...], ranks: int, tmp_path: Path, model_files
) -> None:
    """600 steps of a hot drifting gas: atoms change ranks, and the pairs are always those of the edges."""
    write_data(tmp_path / "data.lmp", gas(), GAS_ELEMENTS)
    body = pair_dump("pairs", cutoff="cutoff 4.0")
    body += local_dump("edges", ALL, cutoff="cutoff model") + "dump_modify edges every 10\n"
    body += """compute owner all property/atom proc
dump owner all custom 10 owner.dump id c_owner
dump_modify owner sort id
velocity all create 2000 77 loop all
velocity all set 40.0 30.0 -35.0 sum yes
timestep 0.001
fix md all nve
run 600"""
    run = run_lammps(gas_script(model_files(*model), body), tmp_path, ranks)
    pairing = Pairing(GAS_ELEMENTS, np.full((2, 2), 4.0))
    frames, edges = run.dump("pairs.dump"), run.dump("edges.dump")
    assert len(frames) == len(edges) == 61
    for got, edge in zip(frames, edges, strict=True):
        check_pairs(got, pairing.pair(edge_frame(edge)), exact=True)
    owners = np.array([frame["c_owner"] for frame in run.dump("owner.dump")])
    assert ranks == 1 or (np.ptp(owners, axis=0) > 0).all(), "some atoms did not change ranks"


@pytest.mark.parametrize("ranks", [1, 4])
def test_atoms_that_move_after_the_model(ranks: int, tmp_path: Path, metals: Path) -> None:
    """fix deform moves owned atoms at the end of a step, and not their ghosts: the pairs are still found."""
    write_data(tmp_path / "data.lmp", gas(), GAS_ELEMENTS)
    body = """compute pairs all e3d/pair/local e12 e21 cutoff model
compute sum all reduce sum c_pairs[1] c_pairs[2] inputs local
fix md all nve
timestep 0.001
fix pull all deform 5 x erate 0.2 y erate -0.1 remap x
thermo 5
thermo_style custom step pe c_sum[1] c_sum[2]
thermo_modify format float %.17g
fix log all ave/time 5 1 5 c_sum[1] c_sum[2] file sums.txt format " %.17g"
run 40
variable both equal c_sum[1]+c_sum[2]
print '{"pe": $(pe:%.17g), "sum": $(v_both:%.17g)}' file result.json"""
    run = run_lammps(gas_script(metals, body), tmp_path, ranks)
    close("sum of D", run.json()["sum"], run.json()["pe"], 1e-9)


@pytest.mark.parametrize("ranks", [2])
def test_pairs_of_a_minimisation(ranks: int, tmp_path: Path, model_files) -> None:
    """Many evaluations share a time step: the pairs are those of the last one."""
    write_data(tmp_path / "data.lmp", gas(), GAS_ELEMENTS)
    body = """compute pairs all e3d/pair/local D cutoff model
compute sum all reduce sum c_pairs inputs local
thermo 1
thermo_style custom step pe c_sum
thermo_modify format float %.17g
minimize 0.0 1e-3 20 100
print '{"pe": $(pe:%.17g), "sum": $(c_sum:%.17g)}' file result.json"""
    run = run_lammps(gas_script(model_files("morse"), body), tmp_path, ranks)
    close("sum of D", run.json()["sum"], run.json()["pe"], 1e-9)
    rows = [line.split() for line in run.output.splitlines() if len(line.split()) == 3]
    table = np.array([row for row in rows if row[0].isdigit() and "." in row[1]], dtype=float)
    assert len(table) > 5
    close("sum of D at every step", table[:, 2], table[:, 1], 1e-9)


BAD = {
    "value": ("compute p all e3d/pair/local D BDE", "unknown value 'BDE'"),
    "nothing": ("compute p all e3d/pair/local", "at least one value"),
    "cutoff": ("compute p all e3d/pair/local D cutoff 9.0\nrun 0", "longer than the model's cutoff"),
    "no committee": (
        "compute p all e3d/pair/local D stdD\ncompute m all reduce max c_p[2] inputs local\n"
        "thermo_style custom step c_m\nrun 0",
        "needs 'pair_style e3d committee K'",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments(name: str, tmp_path: Path, model_files) -> None:
    """Each stops the run and says what to type."""
    body, message = BAD[name]
    write_data(tmp_path / "data.lmp", _atoms("box"), ELEMENTS)
    run = start_lammps(script(model_files("allegro-plain", "safetensors", "float64"), body), tmp_path, 2)
    assert run.code != 0
    assert message in run.output


def test_excluded_neighbours_have_no_reverse(tmp_path: Path, model_files) -> None:
    """What LAMMPS hides from both directions is no pair; the run goes on."""
    write_data(tmp_path / "data.lmp", _atoms("box"), ELEMENTS)
    body = (
        "group low id <= 27\nneigh_modify exclude group low low\n"
        + pair_dump("pairs", cutoff="cutoff paper")
        + "run 0"
    )
    run = run_lammps(script(model_files("allegro-plain", "safetensors", "float64"), body), tmp_path, 2)
    pairs = run.dump("pairs.dump")[-1]
    assert len(pairs) and np.all((pairs["tag1"] > 27) | (pairs["tag2"] > 27))
