"""Runs in the Kokkos LAMMPS of scripts/kokkos: whether it is there, and its threads."""

from __future__ import annotations

import subprocess

import pytest

from lammps_runs import ROOT

KOKKOS_OFF, ONE_THREAD, TWO_THREADS = "", "1", "2"


def _is_built() -> bool:
    lmp = ["bash", str(ROOT / "scripts/kokkos/in_root.sh"), "lmp", "-h"]
    return (ROOT / "build/kokkos/lib/libe3d_kk.so").is_file() and not subprocess.run(
        lmp, capture_output=True, check=False
    ).returncode


needs_kokkos = pytest.mark.skipif(
    not _is_built(), reason="there is no Kokkos LAMMPS with the plugin: bash scripts/kokkos/plugin.sh"
)
