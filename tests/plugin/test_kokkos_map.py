"""``fix e3d/map/kk``: bonds paired and counted on the device, against the fix of the host in the same run.

Needs the Kokkos LAMMPS of scripts/kokkos and the plugin built for it (``bash scripts/kokkos/plugin.sh``).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.analysis.maps import read_map
from kokkos_runs import ONE_THREAD, TWO_THREADS, needs_kokkos
from lammps_runs import Run, run_lammps, script_of, start_lammps, write_data
from native_models import write_native
from random_models import random_allegro
from systems import ELEMENTS, SYSTEMS

pytestmark = needs_kokkos


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directed cutoffs: some pairs have an edge in one direction alone."""
    folder = tmp_path_factory.mktemp("native")
    return write_native(random_allegro("everything", "float64"), folder / "everything.nequip.safetensors")


def run_of(
    folder: Path, model: Path, tail: str, kokkos: str = ONE_THREAD, ranks: int = 1, **options: str
) -> Run:
    """`tail` on the box, without dumps."""
    folder.mkdir(exist_ok=True)
    write_data(folder / "data.lmp", SYSTEMS[options.pop("system", "box")](), ELEMENTS, velocities=True)
    script = script_of(model, ELEMENTS, edges=False, tail=f"undump atoms\n{tail}", **options)
    return run_lammps(script, folder, ranks, kokkos=kokkos)


def sums_of(path: Path) -> np.ndarray:
    """(labels, 5) of D, D^2, A, A^2, |A|, with all digits."""
    lines = [line.split() for line in path.read_text().splitlines() if line.startswith("label ")]
    return np.array([words[3:8] for words in lines], dtype=float)


def same_maps(device: Path, host: Path) -> int:
    """Every count is the same, sums to rounding; returns the number of bonds."""
    got, want = read_map(device), read_map(host)
    assert (got.samples, got.steps, list(got.labels)) == (want.samples, want.steps, list(want.labels))
    for name, label in want.labels.items():
        np.testing.assert_array_equal(got.labels[name].codes, label.codes, err_msg=name)
        np.testing.assert_array_equal(got.labels[name].halves, label.halves, err_msg=name)
        assert got.labels[name].count == label.count
    np.testing.assert_allclose(sums_of(device), sums_of(host), rtol=1e-12, atol=1e-12)
    return sum(label.count for label in want.labels.values())


SETTINGS = {
    "bonds": "all e3d/map 2 2 4 file {}.txt cutoff 1.6",
    "model": "all e3d/map 2 5 10 file {}.txt cutoff model bin 0.01",
    "group": "moving e3d/map 2 5 10 file {}.txt cutoff 1.9 pairs O-H C-O O-O ave running",
    "narrow": "all e3d/map 5 2 10 file {}.txt cutoff 1.9 bin 1e-8",
}
"""``narrow`` has bins beyond those that the device holds."""


@pytest.mark.parametrize(
    ("kokkos", "ranks", "system"),
    [(TWO_THREADS, 1, "box"), (ONE_THREAD, 2, "triclinic"), (ONE_THREAD, 4, "box"), (ONE_THREAD, 1, "thin")],
)
def test_counts_are_those_of_the_host(
    kokkos: str, ranks: int, system: str, model: Path, tmp_path: Path
) -> None:
    fixes = "group moving id <= 30\n"
    for name, words in SETTINGS.items():
        fixes += f"fix {name} {words.format(f'device_{name}')}\n"
    fixes += "suffix off\n"
    for name, words in SETTINGS.items():
        fixes += f"fix host_{name} {words.format(f'host_{name}')}\n"
    tail = f"{fixes}suffix on\nfix nve all nve\ntimestep 0.0002\nthermo 100\nrun 10\nrun 10"
    run_of(tmp_path, model, tail, kokkos, ranks, system=system)
    counts = {
        name: same_maps(tmp_path / f"device_{name}.txt", tmp_path / f"host_{name}.txt") for name in SETTINGS
    }
    assert all(count > 5 for count in counts.values()), counts
    assert read_map(tmp_path / "host_group.txt").steps == (2, 20)


def test_only_bonds_to_ghosts_are_copied(model: Path, tmp_path: Path) -> None:
    """Bytes that come to the host for the fix of the device, against those for the fix of the host."""
    copied = {}
    fix = "fix map all e3d/map 1 1 20 file map.txt cutoff 1.6"
    for name, lines in (("device", fix), ("host", f"suffix off\n{fix}\nsuffix on")):
        run = run_of(tmp_path / name, model, f"{lines}\nfix nve all nve\ntimestep 0.0002\nrun 20")
        found = re.search(r"copied from the device to the host, ([\d.e+]+) bytes", run.output)
        assert found is not None, run.output
        copied[name] = float(found[1])
    assert 0 < copied["device"] < copied["host"]


def test_energies_that_are_none(model: Path, tmp_path: Path) -> None:
    """The error of the host, from the device's own pairs: bins too narrow for the energies."""
    write_data(tmp_path / "data.lmp", SYSTEMS["box"](), ELEMENTS)
    fix = "undump atoms\nfix map all e3d/map 1 1 1 file map.txt cutoff 1.9 bin 1e-12\nrun 0"
    run = start_lammps(script_of(model, ELEMENTS, edges=False, tail=fix), tmp_path, kokkos=ONE_THREAD)
    assert run.code != 0
    said = " ".join(run.output.split())
    assert re.search(r"fix map e3d/map on step 0: .*too large for bins of 1e-12", said)


def test_reference(model: Path, tmp_path: Path) -> None:
    """Bonds in bins that a reference never visited: the share of the host's fix."""
    fix = "all e3d/map 2 5 10 file {}.txt cutoff 1.9 reference first.txt"
    tail = f"""
fix first all e3d/map 1 1 1 file first.txt cutoff 1.9
run 0
unfix first
fix device {fix.format("device")}
suffix off
fix host {fix.format("host")}
suffix on
fix nve all nve
timestep 0.0002
run 10
print "$(f_device[1][7]:%.17g) $(f_host[1][7]:%.17g) $(f_device:%.17g) $(f_host:%.17g)" file shares.txt
"""
    run_of(tmp_path, model, tail, ranks=2)
    same_maps(tmp_path / "device.txt", tmp_path / "host.txt")
    of_pair, of_pair_on_host, of_all, of_all_on_host = (tmp_path / "shares.txt").read_text().split()
    assert of_pair == of_pair_on_host
    assert of_all == of_all_on_host
    assert 0.0 < float(of_all) < 1.0
