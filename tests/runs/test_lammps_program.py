"""What a LAMMPS program says of itself, and which builds of the plugin fit it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from e3d_lmp.commands import doctor
from e3d_lmp.runs.lammps_program import (
    KokkosBuild,
    kokkos_differences,
    plugin_differences,
    read_program,
)
from lammps_runs import BIN

HELP = """
Large-scale Atomic/Molecular Massively Parallel Simulator - 4 Jul 2026 - Development
Git info (develop / patch)

MPI v3.1: Open MPI v4.1.6, package: Open MPI, ident: 4.1.6

Accelerator configuration:

KOKKOS package API: CUDA OpenMP
KOKKOS package precision: mixed
KOKKOS package view layout: legacy
Kokkos library version: 5.1.0

Active compile time flags:

-DLAMMPS_BIGBIG
sizeof(tagint):   64-bit

Installed packages:

KOKKOS MANYBODY
PLUGIN ML-SNAP

List of individual style options included in this LAMMPS executable
"""


def test_facts_of_a_program() -> None:
    program = read_program(HELP)
    assert program.version == "4 Jul 2026"
    assert (program.sizes, program.mpi, program.has_plugins) == ("BIGBIG", "Open MPI v4.1.6", True)
    assert program.kokkos == KokkosBuild("CUDA OpenMP", "mixed", "legacy", "5.1.0")
    older = read_program(HELP.replace("PLUGIN ", "").replace("KOKKOS package view layout: legacy\n", ""))
    assert not older.has_plugins
    assert older.kokkos is not None and older.kokkos.layout == ""


def test_facts_of_the_program_that_is_installed() -> None:
    text = subprocess.run([BIN / "lmp", "-h"], capture_output=True, text=True, check=True).stdout
    program = read_program(text)
    assert program.has_plugins and program.kokkos is None
    assert program.mpi.startswith("MPICH")


def test_another_program_is_told() -> None:
    with pytest.raises(ValueError, match="lmp -h"):
        read_program("ls: invalid option")


def test_builds_that_fit(tmp_path: Path) -> None:
    program = read_program(HELP)
    header = tmp_path / "mpi.h"
    header.write_text("#define OMPI_MAJOR_VERSION 4\n")
    build = {"lammps_version": "4 Jul 2026", "lammps_sizes": "BIGBIG", "mpi_header": str(header)}
    build["kokkos"] = "5.1.0 mixed legacy CUDA;OPENMP"
    assert plugin_differences(program, build) == kokkos_differences(program, build) == []
    assert plugin_differences(program, build | {"lammps_sizes": "SMALLBIG"}) == [
        "integer sizes SMALLBIG, not BIGBIG"
    ]
    header.write_text("#define MPICH_VERSION 4\n")
    assert plugin_differences(program, build) == ["MPI MPICH, not Open MPI"]
    assert kokkos_differences(program, build | {"kokkos": "5.1.0 double legacy CUDA"}) == [
        "precision double, not mixed"
    ]
    assert kokkos_differences(program, build | {"kokkos": "none"}) == ["no /kk styles"]


@pytest.mark.parametrize(("kokkos", "broken"), [("5.1.0 mixed legacy CUDA", False), ("none", True)])
def test_doctor_says_what_to_type(kokkos: str, broken: bool, tmp_path: Path) -> None:
    lmp, folder = tmp_path / "lmp", tmp_path / "lib"
    lmp.write_text(f"#!/bin/sh\ncat <<'END'\n{HELP}\nEND\n")
    lmp.chmod(0o755)
    folder.mkdir()
    (folder / "build_info.txt").write_text(
        f"lammps_version 4 Jul 2026\nlammps_sizes BIGBIG\nkokkos {kokkos}\n"
    )
    findings = list(doctor.check_program(lmp, [folder]))
    assert "mixed precision" in findings[0].detail and findings[0].status == doctor.OK
    assert any(finding.status == doctor.BROKEN for finding in findings) == broken
    assert ("-DLAMMPS_BUILD=" in findings[-1].advice) == broken
