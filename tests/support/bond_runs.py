"""Inputs, files and small systems of the tests of ``fix e3d/bonds``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import molecule

from analytic_models import MORSE_CHO
from lammps_runs import Run, start_lammps, write_data
from tolerances import REFERENCE_STYLE, close

ELEMENTS = ("C", "H", "O")
REACH = 2.0
"""Cutoff of the model, angstrom."""
KJ_PER_MOL = 1.0 / 96.48533212
FORM_OH, BREAK_OH = -463.0 / 2.0 * KJ_PER_MOL, -463.0 / 4.0 * KJ_PER_MOL
"""Half and a quarter of the average bond enthalpy of O-H, eV."""
ENERGY = REFERENCE_STYLE.edge_energy


def energy_OH(r: float) -> tuple[float, float]:
    """D and A of an O-H pair of the model; O is the first atom, and its edge holds 0.7 of D."""
    depth, alpha, r0, _ = MORSE_CHO.by_pair[1, 2]
    e = np.exp(-alpha * (r - r0))
    return depth * (e * e - 2.0 * e), 0.4 * depth * (e * e - 2.0 * e)


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


def water(box: float = 12.0) -> Atoms:
    """One water molecule, O then H (along +x) then H."""
    r = MORSE_CHO.by_pair[1, 2][2]
    positions = np.array([[0, 0, 0], [r, 0, 0], [-0.3 * r, 0.954 * r, 0]])
    positions += [box / 2 - 0.4, 3.0, 4.0]
    return Atoms("OHH", positions=positions, cell=[box, 8.0, 8.0])


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


GAS = """timestep 0.0002
fix b all e3d/bonds 3 file events.txt species species.txt cutoff covalent
fix md all nve
"""


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


def refused(
    folder: Path, script: str, *messages: str, ranks: int = 1, data: bool = True, runs: int = 0
) -> Run:
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
