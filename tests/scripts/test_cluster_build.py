"""scripts/cluster/build.sh: the commands for every machine of machines.yaml, and what it refuses.

Nothing is built here: scripts/check_source_build.sh does that for KOKKOS on the threads of a CPU.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from e3d_lmp.runs.machines import load_machines

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/cluster/build.sh"
BACKENDS = {
    "aurora": ("kokkos-sycl-intel", "INTEL_PVC"),
    "polaris": ("kokkos-cuda", "AMPERE80"),
    "perlmutter": ("kokkos-cuda", "AMPERE80"),
    "frontier": ("kokkos-hip", ""),
    "lumi": ("kokkos-hip", ""),
    "cpu": ("kokkos-openmp", "NATIVE"),
}


@pytest.fixture
def lammps(tmp_path: Path) -> Path:
    """What the script looks for in a source tree."""
    tree = tmp_path / "lammps with blank"
    (tree / "src").mkdir(parents=True)
    (tree / "src/lammps.h").touch()
    (tree / "cmake/presets").mkdir(parents=True)
    for preset, _ in BACKENDS.values():
        (tree / f"cmake/presets/{preset}.cmake").touch()
    return tree


def build(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", SCRIPT, *map(str, words)], capture_output=True, text=True)


def test_every_machine_with_gpus_has_a_backend() -> None:
    named = {name for name, one in load_machines().items() if one.gpus}
    assert named == set(BACKENDS) - {"cpu"}


@pytest.mark.parametrize("machine", sorted(BACKENDS))
def test_commands_are_printed(machine: str, lammps: Path, tmp_path: Path) -> None:
    preset, architecture = BACKENDS[machine]
    done = build("--machine", machine, "--lammps", lammps, "--prefix", tmp_path / "e3d")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[1:3] for line in lines[:6]] == [
        ["cmake", "-S"],
        ["cmake", "--build"],
        ["cmake", "--install"],
    ] * 2
    assert f"/presets/{preset}.cmake'" in lines[0]
    assert re.findall(r"-DKokkos_ARCH_(\w+)=ON", lines[0]) == ([architecture] if architecture else [])
    assert f"'-DLAMMPS_ROOT={lammps}'" in lines[3]  # quoted, to be copied
    assert re.search(r"-DLAMMPS_BUILD=\S+/build-\w+/lammps", lines[3]) and "Torch_ROOT" not in lines[3]
    assert lines[-1].endswith(f"e3d doctor --lammps {tmp_path}/e3d/bin/lmp")
    assert not (tmp_path / "e3d").exists()


def test_a_step_that_fails_ends_it(lammps: Path, tmp_path: Path) -> None:
    words = ["--machine", "cpu", "--lammps", lammps, "--prefix", tmp_path / "e3d", "--torch", "/t", "--run"]
    done = build(*words)
    assert done.returncode == 2 and "build.sh: error: this command failed: cmake -S" in done.stderr
    assert done.stdout.count("$ cmake") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say --machine: aurora, polaris"),
        (("--machine", "summit"), "no machine 'summit'; expected aurora"),
        (("--machine",), "--machine needs a value"),
        (("--machine", "cpu"), "say --prefix FOLDER"),
        (("--machine", "cpu", "--prefix", "/p"), "--lammps '': expected a source tree of LAMMPS"),
        (("--machines", "cpu"), "unknown option '--machines'"),
    ],
)
def test_refusals(words: tuple[str, ...], said: str) -> None:
    done = build(*words)
    assert done.returncode == 2 and said in done.stderr


def test_help() -> None:
    assert "--torch DIR" in build("--help").stdout
