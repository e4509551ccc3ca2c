"""The script of the regularisation study, some frames of it: labels, the exact current, numbers of frames."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from e3d_lmp.analysis.heat.current import read_current
from e3d_lmp.model.decomposition import EdgeModelWithForces
from e3d_lmp.training.heat_flux import thermal_velocities, without_momentum
from e3d_lmp.training.held_out_errors import read_frames
from lammps_runs import ROOT
from tolerances import close

sys.path.insert(0, str(ROOT / "scripts" / "heat"))

import regularisation

TINY = {"frames": 40, "apart": 5, "samples": 144, "equilibrate": 50}


def test_exact_potential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The edge model has the energies and the current of LAMMPS's own pair style, shared by halves; then what
    the result says of it.
    """
    regularisation.label_frames(tmp_path, TINY)
    regularisation.run_trajectory(tmp_path, TINY)
    regularisation.write_exact(tmp_path, TINY, "pth")
    regularisation.rerun(regularisation.EXACT, tmp_path, TINY, "pth")
    ours = read_current(tmp_path / "exact.current.txt")
    theirs = read_current(tmp_path / "lammps.current.txt")
    assert len(ours.step) == TINY["samples"]
    close("current", ours.current, theirs.current, 1e-5 * np.abs(theirs.current).max())

    frames = read_frames(tmp_path / "data" / "test.lmdb")
    exact = regularisation.ShiftedLennardJones()
    for frame in frames[:3]:
        vectors, index, types = regularisation.edges_of(frame)
        energy = exact(vectors, index, types)[0].sum()
        close("energy", float(energy), float(frame["total_energy"]), 1e-6 * abs(float(energy)))
    sizes, power = regularisation.on_frames(exact, tmp_path / "data")
    assert sizes.max() < 1e-9

    powers = []
    masses = torch.full((len(frames[0]["pos"]),), regularisation.MASS).double()
    torch.manual_seed(5)
    for frame in frames:
        vectors, index, types = regularisation.edges_of(frame)
        energy, _, g = EdgeModelWithForces(exact)(vectors, index, types)
        for _ in range(100):
            v = thermal_velocities(masses, regularisation.TEMPERATURE)
            v = without_momentum(v, masses, torch.zeros(len(v), dtype=torch.long))
            current = (energy * v).sum(0) - (vectors * (g * v[index[1]]).sum(1, keepdim=True)).sum(0)
            powers.append(float(current.square().sum()) / len(v))
    close("power", power / np.mean(powers), 1.0, 0.1)  # of some 3000 drawings: 2 %

    (tmp_path / "sizes.json").write_text(json.dumps(TINY))
    monkeypatch.setattr(regularisation, "TERMS", {})
    monkeypatch.setattr(regularisation, "LENGTH", 0.25)
    result = regularisation.result(tmp_path)
    row = result["results"][regularisation.EXACT]
    assert result["sizes"] == TINY and row["A_mean_abs_meV"] < 1e-6 and row["J_minus_exact_rms"] == 0.0
    close("J", row["J_rms"], np.sqrt((theirs.current**2).sum(1).mean() / 108), 1e-4 * row["J_rms"])
    close("J potential", row["J_potential_rms"], np.sqrt(power), 1e-4 * row["J_rms"])
    assert row["green_kubo_minus_exact"] == 0.0 and row["green_kubo_error"] > 0.0
