"""The molecules of ``fix e3d/bonds``: formulas, molecules across ranks, images, groups, large ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from bond_runs import (
    ELEMENTS,
    GAS,
    STATIC,
    VECTOR,
    gas,
    placed,
    read_events,
    read_species,
    same_events,
    script_of,
    vector_of,
)
from lammps_runs import run_lammps, write_data
from tolerances import REFERENCE_STYLE, close


@pytest.mark.parametrize("ranks", [1, 3])
def test_formulas(ranks: int, tmp_path: Path, morse_cho: Path) -> None:
    """Hill order, commonest first, ties by name; atoms without bonds are molecules."""
    names = ["H2O", "CH3CH2OH", "H2O", "CO2", "H", "O", "CH4", "H2O", "H2", "CO", "C", "CH4"]
    atoms = placed(names)
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, np.random.default_rng(1).permutation(len(atoms)))
    run = run_lammps(script_of(morse_cho, f"{STATIC}run 0\n{VECTOR}"), tmp_path, ranks)
    words = "12 10 H2O:3 CH4:2 C:1 C2H6O:1 CO:1 CO2:1 H:1 H2:1 O:1"
    assert read_species(tmp_path / "species.txt") == {0: words.replace("12 10", "12 9")}
    assert vector_of(run) == [3 * 2 + 8 + 2 + 2 * 4 + 1 + 1, 0, 12, 9]


@pytest.mark.parametrize(
    ("ranks", "processors"), [(1, "*"), (2, "2 1 1"), (3, "3 1 1"), (4, "4 1 1"), (4, "2 2 1")]
)
def test_molecules_across_ranks(ranks: int, processors: str, tmp_path: Path, morse_cho: Path) -> None:
    """Chains of O from one rank to the next, ids at random: one closed over the boundary, one open."""
    n, side = 30, 1.4
    x = side * np.arange(n)
    wave = 4.0 + 0.3 * np.sin(2 * np.pi * x / (n * side))
    ring = Atoms(f"O{n}", positions=np.stack([x, wave, np.full(n, 2.0)], 1))
    line = Atoms(f"O{n - 2}", positions=np.stack([x[1:-1], wave[1:-1], np.full(n - 2, 6.0)], 1))
    both = ring + line + Atoms("H2", positions=[[0.1, 8.0, 4.0], [0.84, 8.0, 4.0]])
    both.cell = [n * side, 9.0, 9.0]
    order = np.random.default_rng(6).permutation(len(both))
    order = [n, *order[order != n]]  # the lowest id at one end of the open chain: it has the longest way
    mixed = both[order]
    write_data(tmp_path / "data.lmp", mixed, ELEMENTS)
    run = run_lammps(
        script_of(
            morse_cho, f"{STATIC}run 0\n{VECTOR}", before=f"processors {processors} {'* *' * (ranks == 1)}"
        ),
        tmp_path,
        ranks,
    )
    assert read_species(tmp_path / "species.txt") == {0: f"3 3 H2:1 O{n - 2}:1 O{n}:1"}
    assert vector_of(run) == [n + n - 3 + 1, 0, 3, 3]


@pytest.mark.parametrize("ranks", [1, 2])
def test_bonds_with_images(ranks: int, tmp_path: Path, morse_cho: Path) -> None:
    """A bond is two ids: an atom may be bonded to itself, and of two images the stronger one counts."""
    before = "processors 1 2 1" if ranks == 2 else ""
    chain = Atoms("C", positions=[[0.2, 2.0, 2.0]], cell=[1.5, 9.0, 9.0])
    write_data(tmp_path / "data.lmp", chain, ELEMENTS)
    run = run_lammps(script_of(morse_cho, f"{STATIC}run 0\n{VECTOR}", before), tmp_path, ranks)
    assert vector_of(run) == [1, 0, 1, 1]
    assert read_species(tmp_path / "species.txt") == {0: "1 1 C:1"}

    # 1.3 and 1.3 angstrom apart, then 1.0 (repulsive) and 1.6, then 0.3 and 2.3: beyond the cutoff
    pair = Atoms("O2", positions=[[0.1, 6.0, 6.0], [1.4, 6.0, 6.0]], cell=[2.6, 9.0, 9.0])
    write_data(tmp_path / "data.lmp", pair, ELEMENTS)
    body = f"{STATIC}group o id 2\nrun 0\ndisplace_atoms o move -0.3 0 0\nrun 0\n{VECTOR}\n"
    run = run_lammps(script_of(morse_cho, body, before), tmp_path, ranks)
    assert vector_of(run) == [1, 0, 1, 1]
    run = run_lammps(
        script_of(morse_cho, body + "displace_atoms o move -0.7 0 0\nrun 0", before), tmp_path, ranks
    )
    (row,) = read_events(tmp_path / "events.txt")[1]
    assert row[1:3] == ["1", "2"] and row[9] == "broken"
    close("r", float(row[8]), 0.3, REFERENCE_STYLE.geometry)


def test_group(tmp_path: Path, morse_cho: Path) -> None:
    """Bonds and atoms outside the group count nothing."""
    write_data(tmp_path / "data.lmp", placed(["CH3CH2OH", "H2O"]), ELEMENTS)
    body = f"group heavy type 1 3\n{STATIC.replace('all', 'heavy')}run 0\n{VECTOR}"
    run = run_lammps(script_of(morse_cho, body), tmp_path, 2)
    assert read_species(tmp_path / "species.txt") == {0: "2 2 C2O:1 O:1"}
    assert vector_of(run) == [2, 0, 2, 2]


@pytest.mark.parametrize("first_id", [2**24 + 1, 2**31 - 200])
def test_large_ids(first_id: int, tmp_path: Path, short_morse_cho: Path) -> None:
    """Ids that a float, and the sum of two ids that an int cannot hold."""
    ids = {}
    for name, first in (("small", 1), ("large", first_id)):
        folder = tmp_path / name
        folder.mkdir()
        write_data(folder / "data.lmp", gas(), ELEMENTS, velocities=True, first_id=first)
        run_lammps(script_of(short_morse_cho, GAS + "run 60"), folder, 2)
        ids[name] = read_events(folder / "events.txt")[1]
    moved = [
        [r[0], str(int(r[1]) + first_id - 1), str(int(r[2]) + first_id - 1), *r[3:]] for r in ids["small"]
    ]
    assert len(moved) > 10
    same_events(ids["large"], moved)
    assert read_species(tmp_path / "large/species.txt") == read_species(tmp_path / "small/species.txt")


def test_ranks_without_atoms(tmp_path: Path, morse_cho: Path) -> None:
    """One molecule in the corner of a box of four ranks, and a box without any pair."""
    atoms = molecule("H2O")
    atoms.positions += 2.0 - atoms.positions.min(axis=0)
    atoms.cell = [40.0, 10.0, 10.0]
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    script = script_of(morse_cho, f"{STATIC}run 2\n{VECTOR}", "processors 4 1 1", boundary="f f f")
    run = run_lammps(script, tmp_path, 4)
    assert read_species(tmp_path / "species.txt") == dict.fromkeys(range(3), "1 1 H2O:1")
    assert vector_of(run) == [2, 0, 1, 1]
