"""``pair_style e3d/kk`` against ``pair_style e3d`` of the same ``lmp``, on the cases of make_cases.py.

    python3 scripts/gpu/check_device.py CASES --work FOLDER -- \\
        lmp -k on g 1 -sf kk -pk kokkos newton on neigh half

Energies, forces, virials with 6 and 9 components, edges and their energies of the first and of the fourth
step, which the pair style of the host computes behind ``suffix off``. Needs numpy, and no torch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

TOLERANCES = {"float64": 1e-10, "float32": 3e-5}
"""Of the largest number of each kind; float32 adds up in other orders on the device."""

INPUT = """units metal
atom_style atomic
newton on
read_data {data}
{before}
pair_style e3d precision {precision}
pair_coeff * * {model} {elements}
{after}
neighbor 0.5 bin
compute pea all pe/atom
compute stress all stress/atom NULL virial
compute centroid all centroid/stress/atom NULL virial
compute edges all e3d/edge/local tag1 tag2 dx dy dz eps cutoff model
fix nve all nve
timestep 0.0002
thermo 4
thermo_modify norm no
dump edges all local 4 {name}.edges index c_edges[*]
dump_modify edges format float %.17g
dump atoms all custom 4 {name}.atoms id fx fy fz c_pea c_stress[*] c_centroid[*]
dump_modify atoms format float %.17g sort id
run 4
"""


def run(case: dict[str, Any], folder: Path, lmp: list[str], on_device: bool) -> None:
    """One run in `folder`."""
    words = {
        "name": "device" if on_device else "host",
        "precision": "double" if case["dtype"] == "float64" else "single",
        "elements": " ".join(case["elements"]),
        "before": "" if on_device else "suffix off",
        "after": "" if on_device else "suffix on",
    }
    script = folder / f"in.{words['name']}"
    script.write_text(INPUT.format(data=case["data"], model=case["model"], **words))
    command = [*lmp, "-in", script.name, "-log", f"log.{words['name']}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("\n".join((done.stdout + done.stderr).splitlines()[-15:]))


def frames(path: Path) -> list[np.ndarray]:
    """Rows of each frame of a dump."""
    out, lines, at = [], path.read_text().splitlines(), 0
    while at < len(lines):
        if lines[at].startswith("ITEM: NUMBER"):
            count = int(lines[at + 1])
        elif lines[at].startswith(("ITEM: ENTRIES", "ITEM: ATOMS")):
            out.append(np.array([line.split() for line in lines[at + 1 : at + 1 + count]], dtype=float))
            at += count
        at += 1
    return out


def sorted_edges(rows: np.ndarray) -> np.ndarray:
    """Columns tag1 tag2 dx dy dz eps, in an order that depends on the edges alone."""
    rows = rows[:, 1:]
    return rows[np.lexsort([*np.round(rows[:, 4:1:-1].T, 5), rows[:, 1], rows[:, 0]])]


def differences(folder: Path) -> dict[str, float]:
    """The largest differences, each relative to the largest number of its kind."""
    columns = {
        "forces": slice(1, 4),
        "energies": slice(4, 5),
        "stress": slice(5, 11),
        "centroid": slice(11, 20),
    }
    worst = dict.fromkeys([*columns, "eps"], 0.0)
    device, host = frames(folder / "device.atoms"), frames(folder / "host.atoms")
    if len(device) != 2 or len(host) != 2:
        raise RuntimeError(f"{len(device)} and {len(host)} frames, expected 2 and 2")
    for got, want in zip(device, host, strict=True):
        for name, column in columns.items():
            scale = np.abs(want[:, column]).max()
            worst[name] = max(worst[name], float(np.abs(got[:, column] - want[:, column]).max() / scale))
    for got, want in zip(frames(folder / "device.edges"), frames(folder / "host.edges"), strict=True):
        got, want = sorted_edges(got), sorted_edges(want)
        if got.shape != want.shape or np.any(got[:, :2] != want[:, :2]):
            raise RuntimeError(f"other edges: {len(got)} and {len(want)}")
        worst["eps"] = max(
            worst["eps"], float(np.abs(got[:, 5] - want[:, 5]).max() / np.abs(want[:, 5]).max())
        )
    return worst


def main() -> None:
    """Check all cases; the exit code is the number of those that fail."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", type=Path, help="folder of make_cases.py")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    parser.add_argument(
        "--tolerance", type=float, default=0.0, help="at least so much, where KOKKOS is not in double"
    )
    parser.add_argument("lmp", nargs="+", help="-- and how LAMMPS starts on the device")
    args = parser.parse_args()
    failed, results = 0, []
    for case in json.loads((args.cases / "cases.json").read_text()):
        name = f"{Path(case['model']).stem}-{case['dtype']}-{Path(case['data']).stem}"
        folder = args.work / name
        folder.mkdir(parents=True, exist_ok=True)
        paths = {key: os.path.abspath(args.cases / case[key]) for key in ("model", "data")}
        try:
            for on_device in (True, False):
                run(case | paths, folder, args.lmp, on_device)
            worst = differences(folder)
            good = all(value <= max(TOLERANCES[case["dtype"]], args.tolerance) for value in worst.values())
            words = ", ".join(f"{key} {value:.1e}" for key, value in worst.items())
            results.append({"case": name, "good": good} | worst)
        except RuntimeError as error:
            good, words = False, str(error)
            results.append({"case": name, "good": False, "error": words})
        failed += not good
        print(f"{'ok    ' if good else 'FAILED'} {name}: {words}", flush=True)
    if args.output:
        args.output.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
