"""The pair style on a GPU against the same one on a CPU. Skipped where torch sees no CUDA device."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms

from analytic_models import LENNARD_JONES, TERSOFF_SI
from e3d_lmp.model.export import export_model, write_edge_model
from edge_checks import check_edges
from lammps_runs import ROOT, Run, forces_of, run_lammps, script_of, virial_of, write_data
from random_models import random_allegro
from systems import ELEMENTS, SYSTEMS
from tolerances import LADDER, close

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here")

MOVING = "fix md all nve\ntimestep 0.0005\nrun 6"
SHIPPED = ROOT / "inputs/models/organic-small.nequip.zip"
NO_GRAPHS = "cannot be recorded"


@pytest.fixture(scope="module")
def gpu_files(tmp_path_factory: pytest.TempPathFactory):
    """A function: name, dtype and device -> exported file; every file is written once."""
    folder = tmp_path_factory.mktemp("gpu-models")

    def get(name: str, dtype: str = "float64", device: str = "cuda") -> Path:
        path = folder / f"{name}-{dtype}-{device}.nequip.pt2"
        if not path.exists():
            if name.startswith("allegro-"):
                export_model(random_allegro(name.removeprefix("allegro-"), dtype), path, device=device)
            elif name == "shipped":
                export_model(SHIPPED, path, device=device)
            else:
                model, metadata = {"lj": LENNARD_JONES.model, "tersoff-si": TERSOFF_SI.model}[name]()
                write_edge_model(model, replace(metadata, device=device), path)
        return path

    return get


def check_same(got: Run, want: Run, dtype: str) -> None:
    """Edges, energies, forces and virials of the last step."""
    ladder = LADDER[dtype]
    if dtype == "float32":  # the trajectories part slowly
        ladder = replace(ladder, geometry=1e-5, edge_energy=2e-5)
    check_edges(got.edges(), want.edges(), ladder)
    close("energy", got.json()["pe"], want.json()["pe"], ladder.total_energy)
    last = got.dump("atoms.dump")[-1], want.dump("atoms.dump")[-1]
    close("forces", forces_of(last[0]), forces_of(last[1]), ladder.force)
    close("virial", virial_of(got.json()), virial_of(want.json()), ladder.virial)


def _run(
    model: Path, atoms: Atoms, elements: tuple[str, ...], folder: Path, options: str, ranks: int = 1
) -> Run:
    folder.mkdir()
    write_data(folder / "data.lmp", atoms, elements, velocities="velocities" in atoms.arrays)
    return run_lammps(script_of(model, elements, pair_options=options, tail=MOVING), folder, ranks=ranks)


def _crystal(name: str) -> tuple[Atoms, tuple[str, ...]]:
    from ase.build import bulk

    if name == "lj":
        atoms = bulk("Ar", "fcc", a=5.3, cubic=True) * (4, 4, 4)
        atoms.symbols[::3] = "Kr"
        elements: tuple[str, ...] = LENNARD_JONES.elements
    else:
        atoms, elements = bulk("Si", "diamond", a=5.431, cubic=True) * (3, 3, 3), TERSOFF_SI.elements
    atoms.rattle(0.08, seed=5)
    return atoms, elements


@pytest.mark.parametrize("name", ["lj", "tersoff-si"])
@pytest.mark.parametrize("options", ["chunk auto", "chunk 50"])
def test_analytic_models(name: str, options: str, tmp_path: Path, gpu_files) -> None:
    """Float64 on both devices; no loss of precision on the way there and back."""
    atoms, elements = _crystal(name)
    cpu = _run(gpu_files(name, device="cpu"), atoms, elements, tmp_path / "cpu", "device cpu")
    gpu = _run(gpu_files(name), atoms, elements, tmp_path / "gpu", f"device cuda {options}")
    check_same(gpu, cpu, "float64")


@pytest.mark.parametrize(
    ("variant", "dtype", "system", "ranks", "options"),
    [
        ("everything", "float64", "box", 1, "chunk auto"),
        ("everything", "float64", "box", 1, "chunk 1"),
        ("everything", "float64", "triclinic", 2, "chunk 7"),
        ("plain", "float32", "thin", 1, "chunk 64"),
    ],
)
def test_allegro(
    variant: str, dtype: str, system: str, ranks: int, options: str, tmp_path: Path, gpu_files
) -> None:
    """Random models with every feature; several chunks under way, two ranks on one GPU."""
    atoms = SYSTEMS[system]()
    atoms.arrays["velocities"] = 5.0 * np.random.default_rng(3).normal(size=(len(atoms), 3))
    name = f"allegro-{variant}"
    cpu = _run(gpu_files(name, dtype, "cpu"), atoms, ELEMENTS, tmp_path / "cpu", "device cpu")
    gpu = _run(gpu_files(name, dtype), atoms, ELEMENTS, tmp_path / "gpu", f"device cuda {options}", ranks)
    assert NO_GRAPHS not in gpu.output
    check_same(gpu, cpu, dtype)


@pytest.mark.parametrize("options", ["chunk auto", "chunk 40"])
def test_replayed_graphs_equal_plain_calls(
    options: str, tmp_path: Path, gpu_files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA graphs on and off: the same shapes, the same kernels."""
    atoms = SYSTEMS["box"]()
    atoms.arrays["velocities"] = 5.0 * np.random.default_rng(4).normal(size=(len(atoms), 3))
    model = gpu_files("allegro-everything")
    graphs = _run(model, atoms, ELEMENTS, tmp_path / "graphs", f"device cuda {options}")
    assert NO_GRAPHS not in graphs.output, graphs.output
    monkeypatch.setenv("E3D_CUDA_GRAPHS", "0")
    plain = _run(model, atoms, ELEMENTS, tmp_path / "plain", f"device cuda {options}")
    check_same(graphs, plain, "float64")


def test_portable_file_on_a_gpu(tmp_path: Path, model_files) -> None:
    """The TorchScript file of a CPU machine runs there as it is."""
    atoms, model = SYSTEMS["box"](), model_files("allegro-everything", "pth", "float64")
    cpu = _run(model, atoms, ELEMENTS, tmp_path / "cpu", "device cpu")
    gpu = _run(model, atoms, ELEMENTS, tmp_path / "gpu", "device cuda chunk 20")
    check_same(gpu, cpu, "float64")


LIQUID = f"""units metal
atom_style atomic
newton on
read_data {ROOT}/inputs/liquid.data
replicate 3 3 2
pair_style e3d device DEVICE chunk CHUNK
pair_coeff * * MODEL C H N O
thermo_style custom step pe
thermo_modify norm no format float %.17g
run 2
print \"\"\"{{"pe": $(pe:%.17g)}}\"\"\" file result.json
"""


def _liquid(model: Path, folder: Path, chunk: str = "auto", device: str = "cuda") -> Run:
    text = LIQUID.replace("MODEL", str(model)).replace("CHUNK", chunk).replace("DEVICE", device)
    return run_lammps(text, folder)


def test_memory_that_does_not_suffice(tmp_path: Path, gpu_files, monkeypatch: pytest.MonkeyPatch) -> None:
    """All atoms in one chunk, on a GPU of which torch may use a part: chunks shrink, the energy stays."""
    model = gpu_files("shipped", "float32")
    want = _liquid(model, tmp_path / "free")
    total = torch.cuda.get_device_properties(0).total_memory
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", f"per_process_memory_fraction:{1.0e9 / total:.6f}")
    got = _liquid(model, tmp_path / "limited", chunk="100000")
    assert "going on with 'chunk" in got.output, got.output
    close("energy per atom", got.json()["pe"] / 3834, want.json()["pe"] / 3834, 1e-5)


def test_shipped_model(tmp_path: Path, gpu_files, organic_of_torch: Path) -> None:
    """The demo liquid on both devices, float32: sums in double precision on both."""
    gpu = _liquid(gpu_files("shipped", "float32"), tmp_path / "gpu")
    cpu = _liquid(organic_of_torch, tmp_path / "cpu", device="cpu")
    close("energy per atom", gpu.json()["pe"] / 3834, cpu.json()["pe"] / 3834, 1e-5)
