"""Bad input to the plugin: the message says what to do, the exit code is not 0, nothing is left behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gas_runs import ELEMENTS, gas
from lammps_runs import run_lammps, run_python, start_lammps, write_data
from refusals import refused, with_model

ModelFiles = Callable[..., Path]


def test_good_input(tmp_path: Path, morse: Path, metals: Path) -> None:
    """What follows differs from this in one point only."""
    write_data(tmp_path / "data.lmp", gas(8), ELEMENTS)
    for model in (morse, metals):
        run_lammps(with_model(model), tmp_path)
        assert (tmp_path / "edges.dump").stat().st_size > 0
        (tmp_path / "edges.dump").unlink()


# ---------------------------------------------------------------- pair_style and pair_coeff


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ("Cu Xx", "model has no type 'Xx'; its types are: Cu Ag"),
        ("Cu", "one model type for each of the 2 atom types .* but 1 words follow"),
        ("Cu Ag Ag", "one model type for each of the 2 atom types .* but 3 words follow"),
        ("NULL NULL", "all atom types are NULL"),
    ],
)
def test_types(types: str, message: str, tmp_path: Path, metals: Path) -> None:
    """Unknown names, and a wrong number of them."""
    refused(tmp_path, with_model(metals, types), message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "chunks 7",
            r"Unknown .*keyword 'chunks': it takes 'chunk N\|auto'.*'device .*'precision .*'committee",
        ),
        ("chunk 0", "chunk must be auto or a positive number of atoms, not 0"),
        ("chunk many", "Expected integer .*'many'"),
        ("chunk", "pair_style e3d chunk.*missing argument|Illegal pair_style e3d chunk"),
        ("device gpu", "Unknown pair_style e3d device 'gpu': choose auto, cpu, cuda"),
        ("precision float32", "Unknown pair_style e3d precision 'float32': choose auto, single or double"),
    ],
)
def test_pair_style_options(options: str, message: str, tmp_path: Path) -> None:
    """Keywords and their values."""
    refused(tmp_path, with_model("unused.pth", options=options), message)


def test_pair_coeff_of_one_pair(tmp_path: Path, metals: Path) -> None:
    """A many-body model is not set pair by pair."""
    script = with_model(metals).replace("pair_coeff * *", "pair_coeff 1 2")
    refused(tmp_path, script, r"must (begin|start) with '?\* \*")


def test_no_pair_coeff(tmp_path: Path) -> None:
    """A run without a model."""
    script = re.sub("pair_coeff.*", "", with_model("unused.pth"))
    refused(tmp_path, script, "All pair coeffs are not set")


# ---------------------------------------------------------------- settings of LAMMPS


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("units metal", "units lj", "use 'units metal' .*not 'units lj'"),
        ("units metal", "units si", "use 'units metal' .*not 'units si'"),
        ("newton on", "newton off", "needs 'newton on'"),
        ("newton on", "atom_modify id no", "needs atom IDs: remove 'atom_modify id no'"),
    ],
)
def test_settings(old: str, new: str, message: str, tmp_path: Path, metals: Path) -> None:
    """Units, newton and ids."""
    script = with_model(metals).replace(old, new)
    if "id no" in new:
        box = "region b block 0 8 0 8 0 8\ncreate_box 2 b\ncreate_atoms 1 single 1 1 1\nmass * 60.0"
        script = script.replace("read_data data.lmp", box)
    refused(tmp_path, script, message)


MOLECULE = """
units metal
atom_style molecular
region b block 0 10 0 10 0 10
create_box 2 b bond/types 1 extra/bond/per/atom 2 extra/special/per/atom 4
create_atoms 1 single 1 1 1
create_atoms 2 single 1 1 3.5
mass * 60.0
bond_style zero
bond_coeff *
SPECIAL
pair_style e3d
pair_coeff * * MODEL Cu Ag
create_bonds single/bond 1 1 2 special yes
compute edges all e3d/edge/local eps
dump edges all local 1 edges.dump c_edges
run 0
"""


def test_special_bonds_of_zero(tmp_path: Path, metals: Path) -> None:
    """LAMMPS would hide bonded neighbours; the message says which line mends it."""
    script = MOLECULE.replace("MODEL", str(metals)).replace("SPECIAL", "")
    refused(tmp_path, script, "special_bonds lj/coul 1.0 1.0 1.0", "1.0e-50", data=False)
    half = MOLECULE.replace("MODEL", str(metals)).replace("SPECIAL", "special_bonds lj/coul 1.0 1.0 0.0")
    refused(tmp_path, half, "special_bonds lj/coul 1.0 1.0 1.0", data=False)


GROWING = """
units metal
newton on
molecule w pair.mol
atom_style ATOMS
region b block 0 16 0 16 0 16
region inside block 1 6 1 15 1 15
create_box 2 b bond/types 1 extra/bond/per/atom 2 extra/special/per/atom 4
mass * 60.0
bond_style zero
bond_coeff *
SPECIAL
create_atoms 1 single 8 8 8
create_atoms 2 single 8 8 10.5
pair_style e3d
pair_coeff * * MODEL Cu Ag
compute one all e3d/edge/local tag1
dump d all local 1 count.dump c_one
neigh_modify every 1 delay 0 check yes
fix new all deposit 2 0 2 4711 mol w region inside near 3.0
thermo_style custom step atoms pe bonds
thermo 1
fix md all nve
run 3
"""
PAIR_MOLECULE = """# two atoms and a bond

2 atoms
1 bonds

Coords

1 0 0 0
2 0 0 2.5

Types

1 1
2 2

Bonds

1 1 1 2

Special Bond Counts

1 1 0 0
2 1 0 0

Special Bonds

1 2
2 1
"""


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("atoms", ["molecular", "template w"])
def test_bonds_that_appear_during_a_run(atoms: str, ranks: int, tmp_path: Path, metals: Path) -> None:
    """Molecules that fix deposit brings have bonds: the list would hide them from the step that they come on,
    and with them part of the energy. With weights of 1 all atoms are seen.
    """
    (tmp_path / "pair.mol").write_text(PAIR_MOLECULE)
    script = GROWING.replace("MODEL", str(metals)).replace("ATOMS", atoms)
    hidden = start_lammps(script.replace("SPECIAL", ""), tmp_path, ranks)
    assert hidden.code > 0, hidden.output[-1500:]
    assert re.search(
        r"on step 1 there are bonds.*and special_bonds of weight 0.*use 'special_bonds lj/coul 1.0 1.0 1.0'",
        " ".join(hidden.output.split()),
    )
    seen = run_lammps(script.replace("SPECIAL", "special_bonds lj/coul 1.0 1.0 1.0"), tmp_path, ranks)
    edges = [len(frame) for frame in seen.dump("count.dump")]
    (tmp_path / "pair.mol").write_text(PAIR_MOLECULE.split("Bonds")[0].replace("1 bonds\n", ""))
    without = re.sub("bond_.*|SPECIAL|bond/types.*", "", GROWING).replace("MODEL", str(metals))
    run = run_lammps(without.replace("ATOMS", "atomic").replace("pe bonds", "pe"), tmp_path, ranks)
    assert edges == [len(frame) for frame in run.dump("count.dump")]
    assert edges[0] == 2 and edges[1] >= 4


def test_bonds_that_appear_between_runs(tmp_path: Path, metals: Path) -> None:
    """The check at the start of a run, which LAMMPS skips with 'pre no': the next list is looked at."""
    script = MOLECULE.replace("MODEL", str(metals)).replace("SPECIAL", "")
    made = "create_bonds single/bond 1 1 2 special yes"
    script = script.replace(f"{made}\n", "").replace("run 0", f"run 1\n{made}\nrun 1 pre no")
    script = script.replace("compute edges", "neigh_modify every 1 delay 0 check no\ncompute edges")
    run = start_lammps(script, tmp_path)
    assert run.code > 0
    assert re.search(
        "on step 2 there are bonds of atom [12], and special_bonds", " ".join(run.output.split())
    )


# ---------------------------------------------------------------- computes


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (
            "e3d/edge/local eps cutoff 6.4",
            r"bond cutoff 6\.4 Angstrom for Cu-Cu is longer than the model's cutoff of 6",
        ),
        ("e3d/atom coord cutoff 6.4", r"compute c e3d/atom: bond cutoff 6\.4 .*'cutoff model'"),
        ("e3d/edge/local eps cutoff wide", r"'wide' is none of: model, covalent, paper"),
        ("e3d/edge/local eps cutoff -2", r"'-2' is none of: model, covalent, paper"),
        ("e3d/edge/local eps cutoff file gone.txt", r"cannot open bond cutoff file gone\.txt: .*'El1 El2 R'"),
        ("e3d/edge/local eps cutoff file bad.txt", r"line 2 of bond cutoff file bad\.txt is not 'El1 El2 R'"),
        ("e3d/edge/local eps cutoff file odd.txt", r"with R in Angstrom: C\\x1b\[2J H 1\.4"),
        ("e3d/edge/local eps cutoff", "compute c e3d/edge/local cutoff.*missing"),
        (
            "e3d/edge/local energy",
            "compute c e3d/edge/local: unknown value 'energy'; choose from: .*eps.*tag1",
        ),
        ("e3d/edge/local", "compute c e3d/edge/local: give at least one value of: "),
        ("e3d/atom eps", "compute c e3d/atom: unknown value 'eps'; choose from: .*coord energy"),
        ("pair/local eng", "[Pp]air style does not support compute pair/local"),
    ],
)
def test_compute_arguments(compute: str, message: str, tmp_path: Path, metals: Path) -> None:
    """Values, cutoffs, and the computes of LAMMPS that ask a pair for its energy."""
    (tmp_path / "bad.txt").write_text("Cu Cu 3.0\nCu 3.0\n")
    (tmp_path / "odd.txt").write_text("C\x1b[2J H 1.4 and more\n")  # clears a screen that it reaches
    refused(tmp_path, with_model(metals, commands=f"compute c all {compute}\nrun 0"), message)


@pytest.mark.parametrize("style", ["e3d/edge/local eps", "e3d/atom energy"])
def test_compute_without_the_pair_style(style: str, tmp_path: Path) -> None:
    """The computes name the pair style that they need."""
    script = re.sub("pair_coeff.*", "pair_coeff * * 1.0 2.0", with_model("unused.pth"))
    script = script.replace("pair_style e3d", "pair_style lj/cut 3.0").replace("e3d/edge/local eps", style)
    script = script.replace("dump edges all local 1 edges.dump c_edges", "")
    refused(
        tmp_path, script, f"compute edges {style.split()[0]} needs exactly one pair_style e3d", "pair_coeff"
    )


def test_pair_write(tmp_path: Path, metals: Path) -> None:
    """A many-body model has no energy of one pair to tabulate."""
    commands = "pair_write 1 1 10 r 1.0 3.0 result.json x"
    refused(tmp_path, with_model(metals, commands=commands), "[Pp]air style.*does not support pair_write")


@pytest.mark.parametrize(
    "dump",
    [
        "compute late all e3d/edge/local eps\nrun 0\nDELETE\nwrite_dump all local out.dump c_late",
        "compute late all e3d/atom energy\nrun 0\nDELETE\nwrite_dump all custom out.dump id c_late",
        'compute late all e3d/atom energy\ncompute s all reduce sum c_late\nrun 0\nDELETE\nprint "$(c_s)"',
    ],
)
def test_stale_frame(dump: str, tmp_path: Path, metals: Path) -> None:
    """Atoms deleted since the model ran: never yesterday's edges on today's atoms."""
    commands = "undump edges\n" + dump.replace(
        "DELETE", "group gone id 1 2\ndelete_atoms group gone compress no"
    )
    run = refused(tmp_path, with_model(metals, commands=commands).replace("edges.dump", "first.dump"))
    assert re.search(
        r"there are no edge energies of the atoms as they are now .*type 'run 0' first", run.output
    )


STALE_AFTER_ERROR = """
from mpi4py import MPI
from lammps import LMP_STYLE_LOCAL, LMP_TYPE_VECTOR, lammps

lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
lmp.file("in.lmp")
lmp.command("set atom 8 x 1.0 y 1.0 z 1.0")
lmp.command("set atom 7 x 1.0 y 1.0 z 1.0")
for name, what in {
    "STEP": lambda: lmp.command("run 0"),
    "READ": lambda: print("eps", lmp.numpy.extract_compute("edges", LMP_STYLE_LOCAL, LMP_TYPE_VECTOR)),
}.items():
    try:
        what()
    except Exception as error:
        print(name, error)
"""


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_failed_step(ending: str, tmp_path: Path, metals: Path, morse: Path) -> None:
    """Atoms on top of each other end the run, by their ids, whatever the model would say of them; and the
    edges of that step, half new and half old, cannot be read.
    """
    script = with_model(metals if ending == "safetensors" else morse, options="chunk 1")
    together = script.replace("run 0", "set group all x 1.0 y 1.0 z 1.0\nrun 0")
    for ranks in (1, 2):
        refused(tmp_path, together, "on step 0: atoms . and . are at the same place", ranks=ranks)
    (tmp_path / "in.lmp").write_text(script)
    output = run_python(STALE_AFTER_ERROR, tmp_path)
    assert re.search("STEP .*on step 0: atoms (7 and 8|8 and 7) are at the same place", output), output
    assert re.search("READ .*there are no edge energies of the atoms as they are now", output), output


NOWHERE = """
from mpi4py import MPI
from lammps import lammps

lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
lmp.file("in.lmp")
lmp.numpy.extract_atom("x")[2, 0] = float("nan")
try:
    lmp.command("run 1 pre no post no")
except Exception as error:
    print(error)
"""


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_a_position_that_is_none(ending: str, tmp_path: Path, metals: Path, morse: Path) -> None:
    """NaN between two neighbour lists, where LAMMPS itself does not look."""
    write_data(tmp_path / "data.lmp", gas(8), ELEMENTS)
    body = "fix md all nve\nneigh_modify delay 1000 every 1000 check no\nrun 1"
    script = with_model(metals if ending == "safetensors" else morse, commands=body)
    (tmp_path / "in.lmp").write_text(script)
    output = run_python(NOWHERE, tmp_path)
    assert re.search(
        "on step 2: atoms . and . are at .*or the position of one of them is not a number", output
    )
