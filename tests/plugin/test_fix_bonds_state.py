"""``fix e3d/bonds``: what it keeps between steps, through restart files, new atoms and reruns."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from bond_runs import (
    ELEMENTS,
    STATIC,
    VECTOR,
    placed,
    read_events,
    read_species,
    refused,
    reset_pair,
    script_of,
    vector_of,
)
from lammps_runs import run_lammps, start_lammps, write_data


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("readers", [1, 2, 3])
def test_restart_of_uneven_ranks(mirrored: bool, readers: int, tmp_path: Path, morse_cho: Path) -> None:
    """One rank owns two lone H, the other eight CH4: all lists fit into the file, whichever is first."""
    atoms = Atoms("HH", positions=[[1.0, 1.0, 1.0], [4.0, 4.0, 4.0]])
    for k in range(8):
        methane = molecule("CH4")
        methane.positions += [26 + 6 * (k % 2), 3 + 6 * (k // 2 % 2), 3 + 6 * (k // 4)]
        atoms += methane
    atoms.cell, atoms.pbc = [40.0, 12.0, 12.0], True
    if mirrored:
        atoms.positions[:, 0] = 39.9 - atoms.positions[:, 0]
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    body = f"{STATIC}run 0\n{VECTOR}\nwrite_restart r.bin"
    run = run_lammps(script_of(morse_cho, body, before="processors 2 1 1"), tmp_path, 2)
    before = vector_of(run)
    assert before == [32, 0, 10, 2]
    (tmp_path / "vector.txt").unlink()
    run = run_lammps(
        f"read_restart r.bin\n{reset_pair(morse_cho)}\n{STATIC}run 1\n{VECTOR}", tmp_path, ranks=readers
    )
    assert vector_of(run) == before


def test_new_atoms_have_no_bonds(tmp_path: Path, morse_cho: Path) -> None:
    """Atoms that take the places of deleted ones do not take over their bonds."""
    write_data(tmp_path / "data.lmp", placed(["H2O", "CH4"]), ELEMENTS)
    created = "\n".join(
        f"create_atoms 2 single {x} 9 {z}" for x, z in ((3, 9), (6, 9), (9, 9), (3, 6), (6, 6))
    )
    body = f"""{STATIC}run 0
group gone id 4 5 6 7 8
delete_atoms group gone compress no
{created}
run 0
{VECTOR}"""
    run = run_lammps(script_of(morse_cho, body), tmp_path)
    # the deleted carbon kept four bonds: they are gone with it, and are no events
    assert read_events(tmp_path / "events.txt")[1] == []
    assert vector_of(run) == [2, 0, 6, 2]


@pytest.mark.parametrize("ranks", [1, 2])
def test_ids_that_change(ranks: int, tmp_path: Path, morse_cho: Path) -> None:
    """delete_atoms numbers atoms anew unless it is told not to: that is no event, and the run stops."""
    write_data(tmp_path / "data.lmp", placed(["H2O", "CH4", "H2O"]), ELEMENTS)
    body = f"""{STATIC}run 0
group gone id 1 2 3
delete_atoms group gone
run 0
"""
    run = start_lammps(script_of(morse_cho, body), tmp_path, ranks)
    assert run.code > 0
    text = " ".join(run.output.split())
    assert re.search(r"fix b e3d/bonds: atom \d+ has become atom \d+ since the last sample", text), text
    assert "use 'delete_atoms ... compress no'" in text
    assert read_events(tmp_path / "events.txt")[1] == []


def test_ids_that_change_before_a_restart_goes_on(tmp_path: Path, morse_cho: Path) -> None:
    """The ids are in the restart file, too."""
    write_data(tmp_path / "data.lmp", placed(["H2O", "CH4", "H2O"]), ELEMENTS)
    run_lammps(script_of(morse_cho, f"{STATIC}run 0\nwrite_restart r.bin"), tmp_path)
    again = f"read_restart r.bin\n{reset_pair(morse_cho)}\n{STATIC}"
    gone = "group gone id 1 2 3\ndelete_atoms group gone\nrun 1"
    run = start_lammps(again + gone, tmp_path)
    assert run.code > 0 and "has become atom" in run.output
    run_lammps(again + gone.replace("group gone\n", "group gone compress no\n"), tmp_path)
    assert read_events(tmp_path / "events.txt")[1] == []


def test_reset_timestep_before_the_files_go_on(tmp_path: Path, morse_cho: Path) -> None:
    """Rows of step 0 after rows of step 20 would make files that nobody can read."""
    write_data(tmp_path / "data.lmp", placed(["H2O"]), ELEMENTS)
    run_lammps(script_of(morse_cho, f"{STATIC}run 20\nwrite_restart r.bin"), tmp_path)
    before = (tmp_path / "species.txt").read_bytes()
    script = f"read_restart r.bin\n{reset_pair(morse_cho)}\nreset_timestep 0\n{STATIC}run 2"
    refused(
        tmp_path, script, "stop at step 20 of the restart file, and this run starts at step 0", data=False
    )
    assert (tmp_path / "species.txt").read_bytes() == before


def test_rerun_with_the_fix_of_the_run(tmp_path: Path, morse_cho: Path) -> None:
    """Its steps go back: an error, and the file of the run stays as it was."""
    body = """fix md all nve
dump atoms all custom 2 atoms.dump id type x y z
fix b all e3d/bonds 1 file events.txt species species.txt form -1.2 break -0.6
run 8
undump atoms
rerun atoms.dump dump x y z"""
    refused(tmp_path, script_of(morse_cho, body), "step 0 comes after step 8: for a rerun, 'unfix'", runs=1)
    assert max(read_species(tmp_path / "species.txt")) <= 8


def test_a_map_that_the_run_goes_on_writing(tmp_path: Path, morse_cho: Path) -> None:
    """Thresholds are taken from it once: a second run has the same ones."""
    write_data(tmp_path / "data.lmp", placed(["H2O", "CH4"]), ELEMENTS, velocities=False)
    body = """velocity all create 300 5
fix md all nve
fix m all e3d/map 1 1 5 file map.e3d
run 5
fix b all e3d/bonds 1 file events.txt form map map.e3d
run 5
run 5"""
    run_lammps(script_of(morse_cho, body), tmp_path)
    header = read_events(tmp_path / "events.txt")[0]
    forms = [float(value) for key, value in header.items() if key.startswith("form")]
    assert forms and np.all(np.array(forms) < 0.0)
