"""scripts/polymer/mace_peer.py without MACE: what it is given, and what is made of its answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.build import molecule as ase_molecule
from matscipy.neighbours import neighbour_list

from e3d_lmp.study.extrapolation.molecules import MolecularFrame
from lammps_runs import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "polymer"))

import mace_peer

DATA = ROOT / "scripts" / "polymer" / "data" / "alkane_liquids.extxyz.gz"
MEMBERS = ["C4H10", "C5H12", "C6H14"]


def test_molecules_apart_get_a_cell_that_no_edge_crosses() -> None:
    one = ase_molecule("C2H6")
    numbers, positions = np.tile(one.numbers, 2), np.vstack([one.positions, one.positions + 4.0])
    frame = MolecularFrame(
        "x/0", numbers, positions, 8.0 * np.eye(3), np.repeat([0, 1], 8), -9.0, np.zeros((16, 3)),
        np.array([-2.0, -3.0]), np.full((16, 3), 0.5),
    )  # fmt: skip
    atoms = mace_peer.atoms_of(frame.apart(9.0))
    i, j = neighbour_list("ij", atoms, cutoff=8.9)
    assert (frame.molecule[i] == frame.molecule[j]).all() and len(i) == 2 * 8 * 7
    assert atoms.info["REF_energy"] == -5.0 and (atoms.arrays["REF_forces"] == 0.5).all()
    periodic = mace_peer.atoms_of(frame)
    assert periodic.cell[0, 0] == 8.0 and periodic.pbc.all() and periodic.info["REF_energy"] == -9.0


def test_matrices_of_the_models_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three models, off by a line in the composition: it is found, and the third is null."""
    study = {
        "file": str(DATA),
        "level": "GFN1-xTB",
        "members": MEMBERS,
        "frames": 5,
        "between": False,
        "soap": False,
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    parts = {"C4H10": 4 / 14, "C5H12": 5 / 17, "C6H14": 6 / 20}
    for one in MEMBERS[:2]:
        asked = {}
        for other in MEMBERS:
            off = 100 * (0.01 + 3.0 * (parts[other] - parts[one]))
            asked[other] = {"atoms": [100], "energy": [off], "reference": [0.0], "force_error": 0.1}
        path = tmp_path / "out" / one / "asked.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"minutes": 1.0, "epochs": 2, "asked": asked}))
    words = ["mace_peer.py", str(tmp_path / "study.yaml"), str(tmp_path / "out"), "--only", *MEMBERS[:2]]
    monkeypatch.setattr(sys, "argv", words)
    mace_peer.main()
    found = json.loads((tmp_path / "out/mace.json").read_text())
    assert found["line"]["slope"] == pytest.approx(3.0) and found["line"]["intercept"] == pytest.approx(0.01)
    assert found["force_eV_per_A"][:2] == [[0.1] * 3] * 2 and found["force_eV_per_A"][2] == [None] * 3
    assert found["energy_eV_per_atom"][0][2] == pytest.approx(0.01 + 3.0 * (0.3 - 4 / 14))
    for name in ("mace.png", "mace_shift.png"):
        assert (tmp_path / "out" / name).stat().st_size > 0
