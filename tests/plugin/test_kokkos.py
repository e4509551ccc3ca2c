"""The plugin in a LAMMPS with KOKKOS: styles of the host beside ``nve/kk``, names with the suffix, messages.

Needs the Kokkos LAMMPS of scripts/kokkos and the plugin built for it (``bash scripts/kokkos/plugin.sh``).
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kokkos_runs import KOKKOS_OFF, ONE_THREAD, needs_kokkos
from lammps_runs import (
    ROOT,
    Run,
    forces_of,
    lammps_command,
    plugin_environment,
    run_lammps,
    script_of,
    start_lammps,
    write_data,
)
from native_models import write_native
from random_models import random_allegro
from systems import ELEMENTS, SYSTEMS, triclinic
from tolerances import FLOAT64, close

STEPS = 12
pytestmark = needs_kokkos

HOST_STYLES = f"""
compute pairs all e3d/pair/local tag1 tag2 D A cutoff model
compute sums all e3d/atom energy bond asym coord cutoff 2.0
compute heat all e3d/heat
dump pairs all local {STEPS} pairs.dump c_pairs[*]
dump_modify pairs format float %.17g
dump sums all custom {STEPS} sums.dump id c_sums[*]
dump_modify sums format float %.17g sort id
fix drive all e3d/hnemd 1e-4 0 0
fix map all e3d/map 2 3 {STEPS // 2} file map.txt cutoff 2.0
fix shc all e3d/shc 1 4 {STEPS // 2} 1 0 0 file shc.txt
fix nve all nve
timestep 0.0002
run {STEPS}
print "$(c_heat[1]:%.17g) $(c_heat[2]:%.17g) $(c_heat[3]:%.17g) $(f_drive[4]:%.17g)" file heat.txt screen no
"""


def host_run(folder: Path, model: Path, kokkos: str, ranks: int) -> Run:
    """All computes and fixes that read edges on some steps of a gas, the pair style on the host."""
    folder.mkdir()
    write_data(folder / "data.lmp", SYSTEMS["box"](), ELEMENTS, velocities=True)
    off, on = ("suffix off", "suffix on") if kokkos else ("", "")
    pair = f"{off}\npair_style e3d\n{on}\npair_coeff * * {model} {' '.join(ELEMENTS)}"
    return run_lammps(script_of(model, ELEMENTS, pair=pair, tail=HOST_STYLES), folder, ranks, kokkos=kokkos)


def numbers_of(path: Path) -> np.ndarray:
    """All numbers of a text file that stand in lines without words, in their order."""
    rows = [line.split() for line in path.read_text().splitlines()]
    numeric = [row for row in rows if row and all(re.fullmatch(r"[-+.\deE]+", word) for word in row)]
    return np.array([float(word) for row in numeric for word in row])


@pytest.mark.parametrize("ranks", [1, 2])
def test_host_styles_beside_kokkos_styles(ranks: int, morse_cho: Path, tmp_path: Path) -> None:
    """``-k on t 1 -sf kk`` with ``nve/kk`` gives what a LAMMPS without KOKKOS and with another MPI does."""
    plain = host_run(tmp_path / "plain", morse_cho, KOKKOS_OFF, 1)
    kokkos = host_run(tmp_path / "kokkos", morse_cho, ONE_THREAD, ranks)
    got, want = kokkos.edges(), plain.edges()
    close("edge energies", got["eps"], want["eps"], FLOAT64.edge_energy)
    got, want = kokkos.dump("atoms.dump")[-1], plain.dump("atoms.dump")[-1]
    close("forces", forces_of(got), forces_of(want), FLOAT64.force)
    close("atomic energies", got["c_pea"], want["c_pea"], FLOAT64.atomic_energy)
    for name in [f"c_stress[{k}]" for k in range(1, 7)] + [f"c_centroid[{k}]" for k in range(1, 10)]:
        close(name, got[name], want[name], 1e-5)  # bar angstrom^3
    got, want = kokkos.dump("sums.dump")[-1], plain.dump("sums.dump")[-1]
    for name in want.columns:
        close(name, got[name], want[name], FLOAT64.atomic_energy)
    got, want = (run.dump("pairs.dump")[-1].sorted_by("c_pairs[1]", "c_pairs[2]") for run in (kokkos, plain))
    close("D", got["c_pairs[3]"], want["c_pairs[3]"], FLOAT64.edge_energy)
    close("|A|", np.sort(np.abs(got["c_pairs[4]"])), np.sort(np.abs(want["c_pairs[4]"])), FLOAT64.edge_energy)
    for name in ("heat.txt", "map.txt", "shc.txt"):
        a, b = numbers_of(kokkos.folder / name), numbers_of(plain.folder / name)
        assert len(b) > 3, f"{name} holds no numbers"
        close(name, a, b, 1e-8 * max(1.0, np.abs(b).max()))


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Allegro model for the device."""
    folder = tmp_path_factory.mktemp("native")
    return write_native(random_allegro("plain", "float64"), folder / "plain.nequip.safetensors")


@pytest.mark.parametrize("style", ["e3d", "e3d/kk", "e3d/kk/device", "e3d/kk/host"])
@pytest.mark.parametrize("hybrid", [False, True])
def test_found_by_any_name(style: str, hybrid: bool, morse_cho: Path, native: Path, tmp_path: Path) -> None:
    """Computes find the pair style under each of its names, also as a part of a hybrid one."""
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS)
    model = morse_cho if style == "e3d" else native
    words = f"{model} {' '.join(ELEMENTS)}"
    pair = f"pair_style {style}\npair_coeff * * {words}"
    if hybrid:
        pair = f"pair_style hybrid/overlay/kk {style} zero 5.0\npair_coeff * * {style} {words}"
        pair += "\npair_coeff * * zero"
    pair = f"suffix off\n{pair}\nsuffix on"
    run = run_lammps(script_of(model, ELEMENTS, pair=pair), tmp_path, kokkos=ONE_THREAD)
    assert len(run.edges()) > 0


def test_newton_off_says_what_to_type(native: Path, tmp_path: Path) -> None:
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS)
    script = script_of(native, ELEMENTS).replace("newton on\n", "")
    run = start_lammps(script, tmp_path, arguments=["-pk", "kokkos", "newton", "off"], kokkos=ONE_THREAD)
    assert run.code != 0
    assert "-pk kokkos newton on neigh half" in " ".join(run.output.split())


def test_runs_without_kokkos_on(morse_cho: Path, tmp_path: Path) -> None:
    """A LAMMPS that has KOKKOS, but not on: libe3d_kk.so stays closed, and nothing is said of it."""
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS)
    (tmp_path / "in.lmp").write_text(script_of(morse_cho, ELEMENTS))
    in_root = lammps_command(1, ONE_THREAD)[:2]
    done = subprocess.run(
        [*in_root, "lmp", "-in", "in.lmp", "-log", "log.lammps"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | plugin_environment(ONE_THREAD),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "e3d/kk" not in done.stdout and "KOKKOS is on" not in done.stdout


def test_missing_library_is_told(morse_cho: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No libe3d_kk.so: a warning says what to type, and the pair style runs on the host."""
    folder = tmp_path / "lib"
    folder.mkdir()
    for name in ("e3dplugin.so", "libe3d_model.so"):
        (folder / name).write_bytes((ROOT / "build/kokkos/lib" / name).read_bytes())
    monkeypatch.setattr("lammps_runs.plugin_environment", lambda _: {"LAMMPS_PLUGIN_PATH": str(folder)})
    write_data(tmp_path / "data.lmp", triclinic(), ELEMENTS)
    run = run_lammps(script_of(morse_cho, ELEMENTS), tmp_path, kokkos=ONE_THREAD)
    said = " ".join(run.output.split())
    assert "There are no e3d styles with the suffix /kk" in said and "-DLAMMPS_BUILD=" in said
    assert "runs on the host, although KOKKOS is on" in said
    assert len(run.edges()) > 0
