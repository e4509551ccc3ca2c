"""Minima and enthalpies, against ASE's own vibrations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule
from ase.thermochemistry import IdealGasThermo
from ase.vibrations import Vibrations

from e3d_lmp.analysis.dissociation.relaxing import TEMPERATURE, Settings, relaxed, thermal, what_changed
from e3d_lmp.edges.calculator import E3DCalculator
from lammps_runs import ROOT


@pytest.mark.parametrize(("name", "shape"), [("H2O", "nonlinear"), ("CO2", "linear")])
def test_enthalpy_equals_that_of_ase(tmp_path: Path, name: str, shape: str) -> None:
    calculator = E3DCalculator(ROOT / "inputs/models/organic-small.safetensors", precision="float64")
    atoms = molecule(name)
    start = relaxed(atoms, calculator, Settings(fmax=0.002))
    assert start.converged
    atoms.positions = start.positions
    ours = thermal(atoms, calculator, start.energy)
    atoms.calc = calculator
    vibrations = Vibrations(atoms, name=str(tmp_path / "vib"))
    vibrations.run()
    gas = IdealGasThermo(vibrations.get_energies(), shape, start.energy, atoms, symmetrynumber=2, spin=0)
    assert ours.imaginary == 0
    assert ours.enthalpy == pytest.approx(gas.get_enthalpy(TEMPERATURE, verbose=False), abs=2e-3)
    assert ours.zero_point == pytest.approx(gas.get_ZPE_correction(), abs=2e-3)
    assert 0.2 < ours.zero_point < 0.7


def test_what_relaxation_did() -> None:
    chain = np.array([[0, 1], [1, 2]])
    assert what_changed(chain, chain, 3) == ""
    assert what_changed(chain, chain[:1], 3) == "fell apart"
    assert what_changed(chain, np.array([[0, 1], [0, 2]]), 3) == "other bonds after relaxation"
