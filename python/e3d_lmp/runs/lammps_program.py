"""What a LAMMPS program says of itself, and whether a build of the plugin fits it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class KokkosBuild:
    """The KOKKOS package of a LAMMPS, as ``lmp -h`` prints it.

    Attributes
    ----------
    backends
        Such as ``OpenMP Serial`` or ``CUDA OpenMP``.
    precision
        ``double``, ``mixed`` or ``single``.
    layout
        ``legacy`` or ``default``; empty where LAMMPS does not tell (it does since 2026).
    version
        Of Kokkos; empty where LAMMPS does not tell.
    """

    backends: str
    precision: str
    layout: str
    version: str


@dataclass(frozen=True)
class LammpsProgram:
    """What matters to a plugin: ``version`` such as ``4 Jul 2026``, ``sizes`` ``SMALLBIG`` or ``BIGBIG``,
    ``mpi`` such as ``Open MPI v6.0.0`` or ``MPI STUBS``, whether it loads plugins, and its KOKKOS package if
    it has one."""

    version: str
    sizes: str
    mpi: str
    has_plugins: bool
    kokkos: KokkosBuild | None

    def __str__(self) -> str:
        words = [f"LAMMPS {self.version}", self.sizes, self.mpi]
        words.append("plugins" if self.has_plugins else "no plugins (-DPKG_PLUGIN=on is missing)")
        if self.kokkos is None:
            words.append("no KOKKOS")
        else:
            parts = (self.kokkos.backends, f"{self.kokkos.precision} precision", self.kokkos.layout)
            words.append("KOKKOS " + ", ".join(filter(None, (*parts, self.kokkos.version))))
        return "; ".join(words)


def read_program(help_text: str) -> LammpsProgram:
    """The facts in what ``lmp -h`` prints.

    Raises
    ------
    ValueError
        The text is not that of LAMMPS.
    """

    def said(pattern: str) -> str:
        found = re.search(pattern, help_text, re.MULTILINE)
        return " ".join(found[1].split()) if found else ""

    version = said(r"Massively Parallel Simulator - (\d+ \w+ \d+)")
    if not version:
        raise ValueError("this is not what 'lmp -h' prints")
    mpi = said(r"^(MPI STUBS.*)$") or said(r"^MPI v[\d.]+: *([^,\n]*)").replace("Version: ", "")
    packages = re.search(r"^Installed packages:([A-Z0-9\s-]*)$", help_text, re.MULTILINE)
    backends = said(r"^KOKKOS package API: *(.*)$")
    kokkos = KokkosBuild(
        backends,
        said(r"^KOKKOS package precision: *(\w+)"),
        said(r"^KOKKOS package view layout: *(\w+)"),
        said(r"^Kokkos library version: *([\d.]+)"),
    )
    return LammpsProgram(
        version,
        said(r"^-DLAMMPS_(SMALLBIG|BIGBIG)"),
        mpi,
        packages is not None and "PLUGIN" in packages[1].split(),
        kokkos if backends else None,
    )


def ask_program(lmp: str) -> LammpsProgram | None:
    """What a LAMMPS program says of itself; None: it cannot be asked here."""
    try:
        done = subprocess.run([lmp, "-h"], capture_output=True, text=True, timeout=60, check=False)
        return read_program(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None


def _mpi_kind(text: str) -> str:
    """``Open MPI``, ``MPICH`` (also for those with its binary interface) or ``stubs``; else empty."""
    for kind, words in (
        ("Open MPI", ("Open MPI", "OMPI_MAJOR_VERSION")),
        ("MPICH", ("MPICH", "Intel(R) MPI", "CRAY MPICH", "MVAPICH")),
        ("stubs", ("STUBS",)),
    ):
        if any(word in text for word in words):
            return kind
    return ""


def _mpi_of_build(build: Mapping[str, str]) -> str:
    header = build.get("mpi_header", "")
    try:
        return _mpi_kind(header) or _mpi_kind(Path(header).read_text(errors="replace"))
    except OSError:
        return ""


def plugin_differences(program: LammpsProgram, build: Mapping[str, str]) -> list[str]:
    """Why a build of the plugin (its ``build_info.txt``) does not fit a program; empty where it does."""
    found = [
        f"{what} {build[key]}, not {here}"
        for what, key, here in (
            ("LAMMPS", "lammps_version", program.version),
            ("integer sizes", "lammps_sizes", program.sizes),
        )
        if build.get(key) and here and build[key] != here
    ]
    built, here = _mpi_of_build(build), _mpi_kind(program.mpi)
    if built and here and built != here:
        found.append(f"MPI {built}, not {here}")
    return found


def kokkos_differences(program: LammpsProgram, build: Mapping[str, str]) -> list[str]:
    """Why the ``/kk`` styles of a build do not fit the KOKKOS of a program, which it has."""
    kokkos = program.kokkos
    assert kokkos is not None
    facts = build.get("kokkos", "none").split()
    if len(facts) < 3:
        return ["no /kk styles"]
    return [
        f"{what} {built}, not {here}"
        for what, built, here in (
            ("Kokkos", facts[0], kokkos.version),
            ("precision", facts[1], kokkos.precision),
            ("view layout", facts[2], kokkos.layout),
        )
        if here and built != here
    ]
