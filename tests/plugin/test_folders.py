"""Folders of lammps_plugin/ (ARCHITECTURE section 5): who includes whom, and that folders know no LAMMPS."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "lammps_plugin"

MAY_INCLUDE = {
    "model": {"model"},
    "model/torch": {"model", "model/torch"},
    "edges": {"model", "edges"},
    "bonds": {"model", "edges", "bonds"},
    "support": {"support"},
}
"""Folders whose headers a folder may include. The styles may include all but those of torch."""

STYLES = {".", "kokkos"}
"""Folders of styles, which know LAMMPS. Those of KOKKOS read models by ``engine/``, beside the plugin."""

OF_LAMMPS = {"lmptype.h"}
"""The header of LAMMPS that folders may include."""

OF_ENGINE = {"e3d_engine.h"}
"""The interface of the library beside the plugin."""

MADE = {"covalent_radii.h", "bond_energies.h"}
"""Headers that CMake makes of the Python package's tables."""


def _wrong_includes(plugin: Path) -> list[str]:
    """Includes that break the rules, as "file: header"."""
    wrong = []
    for file in sorted(plugin.rglob("*.cpp")) + sorted(plugin.rglob("*.h")):
        folder = file.parent.relative_to(plugin).as_posix()
        for header in re.findall(r'^#include "(.+)"', file.read_text(), flags=re.MULTILINE):
            above = Path(header).parent.as_posix()
            if folder == "kokkos" and above == "engine":
                good = (plugin.parent / header).is_file()
            elif above != ".":
                allowed = MAY_INCLUDE.get(folder, set(MAY_INCLUDE) - {"model/torch"})
                good = above in allowed and (plugin / header).is_file()
            else:
                good = folder in STYLES or header in OF_LAMMPS | OF_ENGINE | MADE
            if not good:
                wrong.append(f"{file.relative_to(plugin)}: {header}")
    return wrong


def test_includes_follow_the_order_of_the_folders() -> None:
    folders = {path.parent.relative_to(PLUGIN).as_posix() for path in PLUGIN.rglob("*.h")}
    assert folders == STYLES | set(MAY_INCLUDE)
    assert _wrong_includes(PLUGIN) == []


@pytest.mark.parametrize(
    ("file", "header"),
    [
        ("edges/edge_list.cpp", "bonds/species.h"),  # from a folder that uses it
        ("bonds/species.cpp", "atom.h"),  # of LAMMPS
        ("bonds/species.cpp", "species.h"),  # without its folder
        ("pair_e3d.cpp", "model/torch/staged_calls.h"),
        ("pair_e3d.cpp", "edges/species.h"),  # which is not there
    ],
)
def test_a_wrong_include_is_found(file: str, header: str, tmp_path: Path) -> None:
    for name in ("edges/edge_list.cpp", "bonds/species.cpp", "pair_e3d.cpp", "bonds/species.h", file):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / file).write_text(f'#include "{header}"\n')
    assert _wrong_includes(tmp_path) == [f"{file}: {header}"]
