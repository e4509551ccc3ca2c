"""Names the files of a LAMMPS source tree that ``pair_style e3d/kk`` is built, tested and measured with.

    python scripts/gpu/prune_lammps.py /path/to/lammps | tar -C /path/to/lammps -cf lammps.tar -T -

Styles make most of LAMMPS's compile time. Kept are those of `WANTED`, whatever is no style, and all that a
kept file includes. LAMMPS's CMake takes the styles that it finds.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

STYLE = re.compile(
    r"(fix|compute|pair|region|dump|bond|angle|dihedral|improper|min|atom_vec|kspace|reader|reset|command"
    r"|mliap|fft3d|grid3d|remap|sna|pppm|dynamical|third|group_ndx|ndx)_"
)
WANTED = (
    *("fix_nve", "fix_nvt", "fix_npt", "fix_ave_time", "atom_vec_atomic", "atom_vec_hybrid"),
    *("compute_temp", "compute_pressure", "compute_pe", "compute_pe_atom", "compute_stress_atom"),
    *("compute_centroid_stress_atom", "compute_ke", "pair_zero", "pair_hybrid", "pair_hybrid_overlay"),
    *(
        "dump_local",
        "dump_custom",
        "dump_atom",
        "min_cg",
        "region_block",
        "pair_deprecated",
        "fix_deprecated",
    ),
    *("compute_deprecated", "dump_deprecated", "region_deprecated", "bond_deprecated", "bond_zero"),
)
WANTED_KOKKOS = (
    *("fix_nve", "fix_nvt", "fix_npt", "fix_nh", "fix_nh_sphere", "atom_vec_atomic", "atom_vec"),
    *("compute_temp", "min", "min_linesearch", "min_cg"),
)
FOLDERS = (
    *("src/PLUGIN", "src/STUBS", "src/fmt", "src/nlohmann", "cmake", "lib/linalg", "third_party"),
    *("lib/install_helpers.py", "lib/README"),
)
"""Taken whole, where they are there."""

INCLUDE = re.compile(r'^\s*#\s*include\s+"([\w./]+)"', re.MULTILINE)


def closure(root: Path) -> list[Path]:
    """Sources and headers of src and src/KOKKOS that are kept."""
    source = root / "src"
    folders = (source, source / "KOKKOS")
    by_name = {path.name: path for folder in folders for path in folder.iterdir() if path.is_file()}
    wanted = {*WANTED, *(f"{name}_kokkos" for name in WANTED_KOKKOS)}
    todo = []
    for path in by_name.values():
        if path.suffix not in (".cpp", ".h"):
            continue
        stem = path.stem
        if stem in wanted or not STYLE.match(stem):
            todo.append(path)
    kept: set[Path] = set()
    while todo:
        path = todo.pop()
        if path in kept:
            continue
        kept.add(path)
        twin = by_name.get(path.stem + (".h" if path.suffix == ".cpp" else ".cpp"))
        included = [
            by_name.get(Path(name).name) for name in INCLUDE.findall(path.read_text(errors="replace"))
        ]
        todo += [one for one in (twin, *included) if one is not None]
    return sorted(kept)


def main() -> None:
    """Print the files, one a line, relative to the tree."""
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "src/lammps.h").is_file():
        sys.exit("give the folder of a LAMMPS source tree, the one with src/lammps.h")
    root = Path(sys.argv[1])
    kept = closure(root)
    for folder in FOLDERS:
        place = root / folder
        kept += [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    kept += [path for path in (root / "LICENSE", root / "README") if path.is_file()]
    print(*(path.relative_to(root) for path in kept), sep="\n")


if __name__ == "__main__":
    main()
