"""``pair_style e3d/kk``: the model on the device of KOKKOS, a CPU here, against nequip and the host engine.

Needs the Kokkos LAMMPS of scripts/kokkos and the plugin built for it (``bash scripts/kokkos/plugin.sh``).
"""

from __future__ import annotations

import copy
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.model.engine import EngineModel, Evaluator
from edge_checks import check_against_nequip
from kokkos_runs import ONE_THREAD, TWO_THREADS, needs_kokkos
from lammps_runs import ROOT, Frame, Run, forces_of, run_lammps, script_of, start_lammps, write_data
from native_models import write_native
from random_allegro import build, draw_shape
from random_models import random_allegro
from systems import ELEMENTS, SYSTEMS, cluster
from tolerances import close

pytestmark = needs_kokkos

RELATIVE = 1e-12
"""float64 on the device against the host engine, of the largest energy or force."""


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scales, shifts, ZBL and directed cutoffs, float64."""
    folder = tmp_path_factory.mktemp("native")
    return write_native(random_allegro("everything", "float64"), folder / "everything.nequip.safetensors")


def test_kernels_equal_the_host_engine() -> None:
    """Every random shape of tests/cpp/kokkos, float32 and float64, with little fast memory too."""
    tests = [
        "bash",
        str(ROOT / "scripts/kokkos/in_root.sh"),
        "ctest",
        "--test-dir",
        str(ROOT / "build/kokkos"),
    ]
    done = subprocess.run(
        [*tests, "-R", "^kokkos_", "--no-tests=error", "--output-on-failure"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def device_run(
    folder: Path, model: Path, kokkos: str = ONE_THREAD, ranks: int = 1, system: str = "box", **options: str
) -> Run:
    """One step of a system with `model` on the device."""
    folder.mkdir(exist_ok=True)
    write_data(folder / "data.lmp", SYSTEMS[system](), ELEMENTS, velocities=True)
    return run_lammps(script_of(model, ELEMENTS, **options), folder, ranks, kokkos=kokkos)


def host_engine(model: Path, edges: Frame) -> tuple[np.ndarray, np.ndarray]:
    """eps of the edges of a dump and the forces on atoms, by the engine on the host."""
    order = np.argsort(edges["tag1"], kind="stable")
    centres, counts = np.unique(edges["tag1"][order], return_counts=True)
    engine = EngineModel(model)
    names = list(engine.type_names)
    types = {k + 1: names.index(element) for k, element in enumerate(ELEMENTS)}
    first = np.concatenate([[0], np.cumsum(counts)])
    centre_types = [types[int(edges["type1"][order][k])] for k in first[:-1]]
    neighbour_types = [types[int(k)] for k in edges["type2"][order]]
    vectors = np.stack([edges[name][order] for name in ("dx", "dy", "dz")], axis=1)
    engine.prepare(sorted(types.values()))
    result = Evaluator(engine).evaluate(first, np.array(centre_types), np.array(neighbour_types), vectors)
    forces = np.zeros((int(max(edges["tag1"].max(), edges["tag2"].max())), 3))
    i, j = edges["tag1"][order].astype(int) - 1, edges["tag2"][order].astype(int) - 1
    assert result.edge_forces is not None and len(centres) == len(counts)
    np.add.at(forces, i, result.edge_forces)
    np.add.at(forces, j, -result.edge_forces)
    eps = np.empty(len(order))
    eps[order] = result.edge_energy
    return eps, forces


def check_against_host(run: Run, model: Path) -> None:
    """The device against the engine on the host, on the edges that the device has found."""
    edges = run.edges()
    eps, forces = host_engine(model, edges)
    close("eps", edges["eps"], eps, RELATIVE * np.abs(eps).max())
    got = forces_of(run.dump("atoms.dump")[-1])
    close("forces", got, forces, 3 * RELATIVE * np.abs(forces).max())


@pytest.mark.parametrize(
    ("variant", "dtype", "system", "kokkos", "ranks"),
    [
        ("plain", "float32", "box", ONE_THREAD, 1),
        ("everything", "float64", "triclinic", TWO_THREADS, 1),
        ("everything", "float32", "triclinic", ONE_THREAD, 2),
        ("everything", "float64", "thin", ONE_THREAD, 4),
        ("spline", "float64", "box", ONE_THREAD, 3),
    ],
)
def test_equals_nequip(
    variant: str, dtype: str, system: str, kokkos: str, ranks: int, tmp_path: Path
) -> None:
    """Edges first, then energies, forces, virials: nequip's own calculator on the unmodified model."""
    model = random_allegro(variant, dtype)
    run = device_run(tmp_path, write_native(model, tmp_path / "m.nequip.safetensors"), kokkos, ranks, system)
    assert "pair e3d/kk" in (tmp_path / "log.lammps").read_text()
    check_against_nequip(run, model, dtype, SYSTEMS[system]())


@pytest.mark.parametrize("seed", range(8))
def test_random_shapes_equal_the_host_engine(seed: int, tmp_path: Path) -> None:
    """Layers, depths, widths, l_max, parity, bases: any model that the host engine takes."""
    shape = draw_shape(seed)
    model = write_native(build(shape, "float64"), tmp_path / "m.nequip.safetensors")
    check_against_host(device_run(tmp_path, model, ONE_THREAD if seed % 2 else TWO_THREADS), model)


def test_open_cluster(everything: Path, tmp_path: Path) -> None:
    """No periodic direction, and ranks without atoms."""
    atoms = cluster()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    run = run_lammps(script_of(everything, ELEMENTS, boundary="f f f"), tmp_path, 4, kokkos=ONE_THREAD)
    check_against_nequip(run, random_allegro("everything", "float64"), "float64", atoms)


@pytest.mark.parametrize(
    ("dtype", "scratch"), [("float64", 0), ("float64", 12000), ("float64", 28000), ("float32", 10000)]
)
def test_little_fast_memory(
    dtype: str, scratch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Atoms with more edges than fit into the fast memory of a team are taken in tiles: no bit changes."""
    model = random_allegro("everything", dtype)
    file = write_native(model, tmp_path / "m.nequip.safetensors")
    usual = device_run(tmp_path / "usual", file)
    monkeypatch.setenv("E3D_KOKKOS_SCRATCH", str(scratch))
    little = device_run(tmp_path / "little", file)
    for name in ("edges.dump", "atoms.dump"):
        assert (tmp_path / "usual" / name).read_bytes() == (tmp_path / "little" / name).read_bytes()
    assert "in tiles" not in usual.output
    told = re.search(r"Atoms with more than (\d+) edges were worked on in tiles", little.output)
    assert (told is not None) == (scratch > 0)  # without any of it all is in slow memory
    assert told is None or int(told[1]) < 20
    check_against_nequip(little, model, dtype, SYSTEMS["box"]())
    if dtype == "float64":
        check_against_host(little, file)


COMMITTEE = """
compute spread all e3d/atom energy stdf
compute heat all e3d/heat
compute pairs all e3d/pair/local tag1 tag2 D A stdD stdA cutoff model
dump pairs all local 1 pairs.dump c_pairs[*]
dump_modify pairs format float %.17g
dump spread all custom 1 spread.dump id c_spread[*]
dump_modify spread format float %.17g sort id
fix drive all e3d/hnemd 1e-3 0 2e-3
fix nve all nve
timestep 0.0002
thermo_style custom step pe c_heat[1] c_heat[2] c_heat[3]
run 2
"""
ON_HOST = "package kokkos comm/pair/reverse host comm/fix/reverse host comm/compute/forward host"
"""What LAMMPS does without a GPU-aware MPI."""


@pytest.mark.parametrize(
    ("dtype", "scratch", "setup", "suffix"),
    [
        ("float64", "12000", "", ""),
        ("float32", "9000", "", ""),
        ("float64", "", ON_HOST, ""),
        ("float64", "", ON_HOST, "/kk/host"),
    ],
)
def test_committee_and_heat_in_tiles_and_through_the_host(
    dtype: str, scratch: str, setup: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spread of D, A and forces, heat current and driven motion of three ranks keep every bit."""
    files = [
        write_native(random_allegro(name, dtype), tmp_path / f"{name}.nequip.safetensors")
        for name in ("plain", "spline")
    ]
    for name in ("usual", "other"):
        pair = f"pair_style e3d{suffix if name == 'other' else ''} committee 1\n"
        pair += f"pair_coeff * * {files[0]} {files[1]} {' '.join(ELEMENTS)}"
        options = {"pair": pair, "tail": COMMITTEE, "setup": setup if name == "other" else ""}
        if name == "other" and scratch:
            monkeypatch.setenv("E3D_KOKKOS_SCRATCH", scratch)
        run = device_run(tmp_path / name, files[0], ranks=3, edges=False, **options)
        assert ("in tiles" in run.output) == (name == "other" and scratch != "")
    for name in ("atoms.dump", "pairs.dump", "spread.dump", "result.json"):
        assert (tmp_path / "usual" / name).read_bytes() == (tmp_path / "other" / name).read_bytes(), name
    assert run.dump("spread.dump")[-1]["c_spread[2]"].min() > 1e-6


def test_ordered_sums_do_not_depend_on_threads(everything: Path, tmp_path: Path) -> None:
    """``ordered yes``: forces and virials of two threads are those of one to the last bit."""
    steps = "fix nve all nve\ntimestep 0.0002\nrun 5"
    for threads in (ONE_THREAD, TWO_THREADS):
        device_run(tmp_path / threads, everything, threads, pair_options="ordered yes", tail=steps)
    one, two = ((tmp_path / threads / "atoms.dump").read_bytes() for threads in (ONE_THREAD, TWO_THREADS))
    assert one == two


def test_a_step_copies_no_edges(everything: Path, tmp_path: Path) -> None:
    """Where no style of the host asks for edges none come to it; where one does, only on its steps."""
    counts = []
    fixes = (
        "",
        "fix map all e3d/map 5 1 5 file map.txt cutoff 1.6\n",
        "fix map all e3d/map 1 1 1 file map.txt cutoff 1.6\n",
    )
    for k, fix in enumerate(fixes):
        tail = f"undump atoms\n{fix}fix nve all nve\ntimestep 0.0002\nthermo 10\nrun 10"
        run = device_run(tmp_path / str(k), everything, edges=False, tail=tail)
        copied = re.search(r"(\d+) arrays of edges and atoms copied from the device to the host", run.output)
        assert copied is not None, run.output
        counts.append(int(copied[1]))
    assert counts[0] == 0
    assert 0 < counts[1] < counts[2] / 3


def test_models_for_torch_are_refused(morse_cho: Path, tmp_path: Path) -> None:
    write_data(tmp_path / "data.lmp", SYSTEMS["box"](), ELEMENTS)
    run = start_lammps(script_of(morse_cho, ELEMENTS), tmp_path, kokkos=ONE_THREAD)
    said = " ".join(run.output.split())
    assert run.code != 0
    assert "native engine" in said and "suffix off" in said and "e3d export" in said


@pytest.mark.parametrize("member", [False, True])
def test_numbers_that_are_none(member: bool, tmp_path: Path) -> None:
    """A model that overflows, alone and as the second one of a committee: the atom is named."""
    spoilt = copy.deepcopy(random_allegro("everything", "float32"))
    for name, values in spoilt.named_buffers():
        if name.endswith("scales"):
            values.fill_(3e38)
    models = [write_native(spoilt, tmp_path / "spoilt.nequip.safetensors")]
    if member:
        good = random_allegro("everything", "float32")
        models.insert(0, write_native(good, tmp_path / "good.nequip.safetensors"))
    pair = f"pair_style e3d {'committee 1' if member else ''}\n"
    pair += f"pair_coeff * * {' '.join(map(str, models))} {' '.join(ELEMENTS)}"
    write_data(tmp_path / "data.lmp", SYSTEMS["box"](), ELEMENTS)
    run = start_lammps(script_of(models[0], ELEMENTS, pair=pair), tmp_path, 2, kokkos=ONE_THREAD)
    assert run.code != 0
    said = " ".join(run.output.split())
    assert re.search(r"on step 0: the model returned .* not a number \(atom \d+\)", said), said


def test_atoms_at_one_place(everything: Path, tmp_path: Path) -> None:
    """The error of the host; without it the edges of such an atom would be lost."""
    atoms = SYSTEMS["box"]()
    atoms.positions[7] = atoms.positions[3]
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    run = start_lammps(script_of(everything, ELEMENTS), tmp_path, kokkos=ONE_THREAD)
    assert run.code != 0
    assert re.search(r"on step 0: atoms [48] and [48] are at the same place", " ".join(run.output.split()))


def test_chunk_is_told_to_have_no_effect(everything: Path, tmp_path: Path) -> None:
    run = device_run(tmp_path, everything, pair_options="chunk 7")
    assert "ignores 'chunk 7': leave it out, or put 'suffix off'" in " ".join(run.output.split())
