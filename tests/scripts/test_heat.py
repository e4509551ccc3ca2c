"""The scripts of scripts/heat/ that run for hours: some steps of them, and their results from small files."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.neighborlist import neighbor_list

from analytic_models import TERSOFF_SIC, TYPE_ROW, Tersoff, metadata_of
from e3d_lmp.model.decomposition import EdgeModelWithForces
from e3d_lmp.model.export import write_edge_model
from heat_files import WATT, write_current
from lammps_runs import ROOT, plugin_environment
from systems import silicon as silicon_atoms
from tolerances import FLOAT64, close

sys.path.insert(0, str(ROOT / "scripts" / "heat"))

import argon
import silicon

ROW = TERSOFF_SIC.rows["Si", "Si", "Si"]
TABLE = {name: torch.tensor([ROW[name]], dtype=torch.float64) for name in TYPE_ROW}


def test_neighbours_in_the_list_are_all_that_count() -> None:
    """Energies of atoms and edges, and forces, are those of the model with an index per triplet."""
    atoms = silicon_atoms()
    i, j, vectors = neighbor_list("ijD", atoms, 3.0)
    assert 3 < np.bincount(i).max() <= silicon.BAND + 1
    words = torch.from_numpy(vectors), torch.from_numpy(np.stack([i, j])), torch.zeros(len(atoms), dtype=int)
    want = EdgeModelWithForces(Tersoff(1, TABLE))(*words)
    got = EdgeModelWithForces(silicon.BandedTersoff(1, TABLE))(*words)
    for name, ours, theirs in zip(("energy", "eps", "g"), got, want, strict=True):
        close(name, ours.detach().numpy(), theirs.detach().numpy(), FLOAT64.edge_energy)


def test_silicon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts of one run, and one of another seed: the conductivity is the mean of their rows."""
    model = tmp_path / "silicon.nequip.pth"
    write_edge_model(Tersoff(1, TABLE), metadata_of(("Si",), (ROW["R"] + ROW["D"],)), model)
    for name, value in plugin_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(silicon, "write_model", lambda path: None)
    short = {"equilibrate": 10, "transient": 10, "steps": 80, "every": 2, "lags": 3, "block": 30}
    settings = {"cells": 2, "force": 1e-3, "timestep": 0.002, "model": str(model)} | short
    folder = tmp_path / "runs"
    with pytest.raises(SystemExit, match="no part has ended"):
        silicon.result(folder)
    silicon.run(folder, 1, 2, settings)
    silicon.run(folder, 2, 1, settings)
    with pytest.raises(SystemExit, match="take another folder"):
        silicon.run(folder, 3, 1, settings | {"cells": 3})
    first = folder / "seed.1" / "silicon.1.txt"
    before = first.stat().st_mtime_ns
    silicon.run(folder, 1, 2, settings)
    assert first.stat().st_mtime_ns == before

    result = silicon.result(folder)
    assert result["atoms"] == 64 and result["runs"] == 2
    close("ns", result["nanoseconds"], 3 * 80 * 0.002e-3, 5e-4)
    tables = [np.loadtxt(path) for path in sorted(folder.glob("seed.*/silicon.?.txt"))]
    assert [len(table) for table in tables] == [40, 40, 40]
    assert tables[1][0, 0] == tables[0][-1, 0] + 2
    parts = [np.concatenate(tables[:2]), tables[2]]
    kappas = [WATT * one[:, 1].mean() / (one[:, 5].mean() * one[:, 4].mean() * 1e-3) for one in parts]
    close("kappa", result["W_per_m_K"], np.average(kappas, weights=[2, 1]), 0.006)
    assert abs(kappas[0] - kappas[1]) > 1.0


def test_argon(tmp_path: Path) -> None:
    """Driven runs of two forces and four in equilibrium, of known means: each in its row, in both units."""
    rng = np.random.default_rng(4)
    kappa, volume, temperature = 0.06, 16770.0, 162.93
    for force in (0.015, 0.03):
        for seed in (1, 2):
            current = rng.normal(0.0, 0.1, (200, 3))
            current[:, 0] += kappa / WATT * volume * temperature * force - current[:, 0].mean()
            path = tmp_path / f"liquid.hnemd.{force}.{seed}.txt"
            write_current(path, current, 1000, values=f"{temperature} {volume}")
    for seed in range(4):
        current = rng.normal(0.0, 1.0, (4200, 3))
        write_current(tmp_path / f"solid.lammps.{seed}.txt", current, 5, values=f"70 {volume}")
    rows = argon.result(tmp_path)["results"]
    assert list(rows) == [
        "liquid hnemd e3d |F| = 0.015",
        "liquid hnemd e3d |F| = 0.03",
        "liquid hnemd e3d",
        "solid green-kubo lammps",
    ]
    close("kappa", rows["liquid hnemd e3d"]["W_per_m_K"], kappa, 1e-4)
    tau = 3.40e-10 * np.sqrt(39.948 * 1.66053907e-27 / (0.0104 * 1.602176634e-19))
    close("reduced", rows["liquid hnemd e3d"]["reduced"], kappa * 3.40e-10 * tau / 1.380649e-23, 5e-3)
    assert rows["solid green-kubo lammps"]["runs"] == 4


def test_jobs_of_argon() -> None:
    """Every run has a name of its own, and the liquid and the solid each a model."""
    names = [name for name, _, _ in argon.jobs(8)]
    assert len(set(names)) == len(names)
    assert {name.split(".")[0] for name in names} == {"liquid", "solid"}
    for name, script, words in argon.jobs(8):
        assert (ROOT / "inputs" / "heat" / script).is_file()
        assert words.get("model", f"{name.split('.')[0]}.nequip.pt2") == f"{name.split('.')[0]}.nequip.pt2"
