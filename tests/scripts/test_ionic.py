"""The study of silver iodide: its potential against LAMMPS's own styles, its input, some frames to learn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from e3d_lmp.analysis.heat.current import read_runs
from e3d_lmp.analysis.heat.power import read_parts
from e3d_lmp.model.export import write_edge_model
from e3d_lmp.training.data.database import iter_frames
from lammps_runs import ROOT, run_lammps
from tolerances import close

sys.path.insert(0, str(ROOT / "scripts" / "heat"))

import ionic_data
import silver_iodide
from analytic_models import metadata_of

OWN = "compute k all ke/atom\ncompute p all pe/atom\ncompute s all stress/atom NULL virial\n"
OWN += "compute j all heat/flux k p s\n"
NUMBERS = [
    "v_e",
    *(f"c_{name}[{k}]" for name, n in (("j", 3), ("virial", 6), ("rest", 3)) for k in range(1, n + 1)),
]
ENDS = "run 0\nprint '" + " ".join(f"$({name})" for name in NUMBERS) + "' file NAME.txt\n"
ENDS += "write_dump all custom NAME.dump fx fy fz modify sort id format float %.15g\n"
INPUT = (ROOT / "inputs" / "heat" / "in.ionic").read_text()
WORDS = {"parameters": ionic_data.PARAMETERS, "equilibrate": 40, "temperature": 400.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The potential as a model file."""
    path = tmp_path_factory.mktemp("model") / "exact.nequip.pth"
    metadata = metadata_of(silver_iodide.ELEMENTS, (silver_iodide.CUTOFF,) * 4)
    write_edge_model(silver_iodide.SilverIodide(), metadata, path)
    return path


@pytest.mark.parametrize("phase", ["ordered", "superionic"])
def test_potential_equals_styles_of_lammps(phase: str, model: Path, tmp_path: Path) -> None:
    """Energy, forces, virial and heat current of a hot crystal: the edge model on two ranks against vashishta
    without its three-body part and coul/dsf, whose energies of the ions alone are taken off.
    """
    head = INPUT.split("velocity all create")[0]
    tail = """
displace_atoms all random 0.3 0.3 0.3 5
velocity all create 600.0 9 mom yes rot no dist gaussian
compute virial all pressure NULL virial
compute rest all reduce sum vx vy vz
variable e equal pe
"""
    both = []
    for name, task, compute in (("own", "frames", OWN), ("ours", "equilibrium", "compute j all e3d/heat\n")):
        show = "thermo_style custom step pe c_j[1] c_virial[1] c_rest[1]\n"
        variables = WORDS | {"task": task, "phase": phase, "cells": 2, "model": model}
        script = head + tail + compute + show + ENDS.replace("NAME", name)
        run_lammps(script, tmp_path, 2 if name == "ours" else 1, variables=variables)
        numbers = np.loadtxt(tmp_path / f"{name}.txt")
        both.append((numbers, np.loadtxt(tmp_path / f"{name}.dump", skiprows=9)))
    (theirs, wanted), (ours, forces) = both
    count = len(forces)
    assert count == (64 if phase == "ordered" else 32) and np.abs(wanted).max() > 0.5
    # LAMMPS's erfc is a polynomial, good to 1e-7
    close("energy", ours[0], theirs[0] - count * silver_iodide.SELF_ENERGY, 1e-6 * abs(ours[0]))
    close("forces", forces, wanted, 2e-6 * np.abs(wanted).max())
    current = theirs[1:4] - silver_iodide.SELF_ENERGY * ours[10:13]
    close("current", ours[1:4], current, 2e-6 * np.abs(current).max())
    close("virial", ours[4:10], theirs[4:10], 2e-6 * np.abs(theirs[4:10]).max())


def test_elements_and_labels_sum_to_the_current(model: Path, tmp_path: Path) -> None:
    """At every sample of a run: the currents of silver and iodine, and the rows of the pair labels with what
    belongs to no edge, are the whole.
    """
    words = WORDS | {"task": "equilibrium", "cells": 2, "steps": 60, "model": model}
    run_lammps(INPUT, tmp_path, variables=words)
    parts = {part.name: part for part in read_parts(tmp_path / "current.txt")}
    columns = sorted({name for part in parts.values() for name in part.plus})
    (run,) = read_runs([tmp_path / "current.txt"], columns=columns)
    assert len(run.step) == 13
    values = {name: part.of(columns, run.current) for name, part in parts.items() if "potential" not in name}
    for names in (("Ag", "I"), ("Ag_Ag", "Ag_I", "I_I", "kinetic")):
        total = sum(values[name] for name in names)
        close(" ".join(names), total, values["heat"], 1e-6 * np.abs(values["heat"]).max())
        assert min(np.abs(values[name]).max() for name in names) > 1e-3
    both = values["Ag convective"] + values["I convective"]
    close("convective", both, values["heat convective"], 1e-6 * np.abs(both).max())


def test_frames_have_exact_labels(tmp_path: Path) -> None:
    """Energies, forces and stresses that LAMMPS counted are those of the edge model, and the currents of the
    second set go with its velocities; both sets have the same frames in the same order.
    """
    sizes = {"frames": 10, "apart": 5, "equilibrate": 20}
    ionic_data.label_frames(tmp_path, sizes)
    ionic_data.label_currents(tmp_path, sizes)
    manifests = [
        json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("data", "data_currents")
    ]
    assert manifests[0]["sets"]["train"]["entries"] != [] and manifests[0]["sets"]["train"][
        "subsets"
    ].keys() == {"ordered", "superionic"}
    frames = [list(iter_frames(tmp_path / name / "test.lmdb")) for name in ("data", "data_currents")]
    assert len(frames[0]) == len(frames[1]) > 0
    for plain, full in zip(*frames, strict=True):
        assert "velocities" not in plain and bool((plain["pos"] == full["pos"]).all())
        i, j = full["edge_index"]
        vectors = full["pos"][j] - full["pos"][i] + full["edge_cell_shift"] @ full["cell"].reshape(3, 3)
        vectors.requires_grad_()
        energy, _ = silver_iodide.SilverIodide()(vectors, full["edge_index"], full["atom_types"].reshape(-1))
        (g,) = torch.autograd.grad(energy.sum(), vectors)
        forces = torch.zeros_like(full["pos"]).index_add(0, i, g).index_add(0, j, -g)
        close("energy", energy.sum().item(), full["total_energy"].item(), 3e-6 * abs(energy.sum().item()))
        close("forces", forces.numpy(), full["forces"].numpy(), 2e-6)
        stress = (vectors.T @ g / full["cell"].reshape(3, 3).det()).detach().numpy()
        close("stress", stress, full["stress"][0].numpy(), 1e-7)
        v = full["velocities"]
        current = energy[:, 0] @ v - (g * v[j]).sum(1) @ vectors
        close("current", full["heat_current"][0].numpy(), current.detach().numpy(), 1e-5)
        assert full["heat_current"].abs().max() > 0.1
