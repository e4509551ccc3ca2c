"""scripts/training/level_bond_energies.py: its fit, and the table that needs no calculation."""

from __future__ import annotations

import csv
import sys
from importlib import resources

import numpy as np
import pytest

from e3d_lmp.analysis.bonds.references import TABLES, reference_tables
from e3d_lmp.units import KJ_PER_MOL
from lammps_runs import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "training"))

from level_bond_energies import Relaxed, dissociation_rows, fitted

TRUE = {"C-C 1": 3.9, "C-H 1": 4.4, "O-H 1": 4.9, "C-O 1": 4.0}


def molecule(*counts: int, off: float = 0.0) -> Relaxed:
    types = [name for name, n in zip(TRUE, counts, strict=True) for _ in range(n)]
    return Relaxed("x", -sum(TRUE[name] for name in types) + off * len(types), types)


def test_a_sum_over_bonds_is_found_again() -> None:
    counts = [(0, 4, 0, 0), (1, 6, 0, 0), (0, 3, 1, 1), (1, 5, 1, 1), (2, 8, 0, 0), (0, 2, 2, 2)]
    energies, rest = fitted([molecule(*one) for one in counts])
    # in these molecules each O-H comes with a C-O: only their sum is known
    assert set(energies) == {"C-C 1", "C-H 1"} and rest < 1e-9
    assert energies["C-C 1"][0] == pytest.approx(TRUE["C-C 1"]) and energies["C-C 1"][2] == 3
    energies, _ = fitted([molecule(*one) for one in (*counts, (0, 6, 0, 2), (0, 0, 2, 0))])
    assert {name: value[0] for name, value in energies.items()} == pytest.approx(TRUE)


def test_standard_errors_are_those_of_the_scatter() -> None:
    rng = np.random.default_rng(4)
    found = []
    for _ in range(60):
        sample = [
            molecule(int(a), int(b), int(c), int(d), off=rng.normal(0.0, 0.05))
            for a, b, c, d in rng.integers(1, 6, (40, 4))
        ]
        energies, rest = fitted(sample)
        assert rest == pytest.approx(0.05, rel=0.5)
        found.append([(energies[name][0] - TRUE[name]) / energies[name][1] for name in TRUE])
    assert np.std(found) == pytest.approx(1.0, abs=0.2)


def test_the_shipped_tables() -> None:
    tables = reference_tables()
    assert list(tables) == list(TABLES)
    text = resources.files("e3d_lmp").joinpath("data", TABLES["dissociation"]).read_text(encoding="ascii")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [list(map(str, row)) for row in dissociation_rows()] == list(csv.reader(lines))[1:]
    dissociation, level = tables["dissociation"], tables["level"]
    kJ = {name: one.energy / KJ_PER_MOL for name, one in dissociation.items()}
    # spectroscopic well depths of diatomic molecules (Huber and Herzberg 1979), kJ/mol
    assert kJ["H-H 1"] == pytest.approx(458.0, abs=1.0) and kJ["N-N 3"] == pytest.approx(955.6, abs=2.0)
    assert len(level) >= 40
    for name, one in level.items():
        assert one.low <= one.energy <= one.high and one.source == "AIMNet2", name
    # the only bond of a diatomic molecule has all of its energy in both tables; 0.2 eV is what AIMNet2 is off
    for name in ("H-H 1", "F-H 1", "Cl-H 1", "F-F 1", "Cl-Cl 1", "C-O 3", "N-N 3"):
        assert level[name].energy == pytest.approx(dissociation[name].energy, abs=0.2), name
    # electronic energies are above enthalpies for bonds of hydrogen, by the zero-point energy at least
    for name in ("C-H 1", "N-H 1", "O-H 1", "H-H 1"):
        assert level[name].energy > tables["enthalpies"][name].energy + 0.08
