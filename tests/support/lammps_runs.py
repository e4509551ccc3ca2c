"""Run LAMMPS inputs with the plugin, on any number of ranks, and read back what they wrote.

Numbers come from files that the input itself writes (``dump``, and ``print ... file`` with JSON), never from
the log.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase import Atoms

import e3d_lmp.plugin

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.prefix) / "bin"
TIMEOUT = 300
KOKKOS_THREADS = os.environ.get("E3D_TEST_KOKKOS", "")
"""Threads per rank: all runs go to the Kokkos LAMMPS of scripts/kokkos, with the suffix kk. Empty: to the
``lmp`` beside this Python."""
EDGE_COLUMNS = ("tag1", "tag2", "type1", "type2", "dist", "dx", "dy", "dz", "eps")


@dataclass
class Frame:
    """One step of a dump: columns by name, rows as written."""

    step: int
    columns: dict[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), np.zeros(0)))

    def sorted_by(self, *names: str) -> Frame:
        """The same rows, ordered by these columns, the first one first."""
        order = np.lexsort([self.columns[name] for name in reversed(names)])
        return Frame(self.step, {name: values[order] for name, values in self.columns.items()})


@dataclass
class Run:
    """A finished LAMMPS process."""

    folder: Path
    code: int
    output: str
    """Standard output and error; for messages, not for numbers."""
    script: str = field(repr=False)

    def json(self, name: str = "result.json") -> dict[str, float]:
        """What the input printed into a JSON file."""
        return json.loads((self.folder / name).read_text())

    def dump(self, name: str) -> list[Frame]:
        """All frames of a text dump (``local`` or ``custom``)."""
        return read_dump(self.folder / name)

    def edges(self, name: str = "edges.dump", index: int = -1) -> Frame:
        """One frame of an edge dump, the last by default, in an order that depends on the edges alone."""
        frame = self.dump(name)[index]
        keys = {k: np.round(frame[k] * 1e5) for k in ("dx", "dy", "dz")}
        order = np.lexsort([keys["dz"], keys["dy"], keys["dx"], frame["tag2"], frame["tag1"]])
        return Frame(frame.step, {name: values[order] for name, values in frame.columns.items()})


def plugin_environment(kokkos: str = KOKKOS_THREADS) -> dict[str, str]:
    """Environment in which ``lmp`` finds the plugin; empty where the installed package brings it along."""
    if kokkos:
        if not (ROOT / "build/kokkos/lib/libe3d_kk.so").is_file():
            raise FileNotFoundError("no plugin for the Kokkos LAMMPS; type: bash scripts/kokkos/plugin.sh")
        return {"LAMMPS_PLUGIN_PATH": str(ROOT / "build/kokkos/lib")}
    if (Path(e3d_lmp.plugin.path()) / "e3dplugin.so").is_file():
        return {}
    built = sorted(ROOT.glob("build/*/lib/e3dplugin.so"), key=lambda path: path.stat().st_mtime)
    if not built:
        raise FileNotFoundError(
            "no e3dplugin.so in the installed package or in build/; type: bash scripts/setup.sh"
        )
    return {"LAMMPS_PLUGIN_PATH": str(built[-1].parent)}


def lammps_command(ranks: int, kokkos: str = KOKKOS_THREADS) -> list[str]:
    """How ``lmp`` starts on so many ranks, without its arguments."""
    if not kokkos:
        return [*([str(BIN / "mpirun"), "-np", str(ranks)] if ranks > 1 else []), str(BIN / "lmp")]
    mpirun = ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", str(ranks)] if ranks > 1 else []
    in_root = ["bash", str(ROOT / "scripts/kokkos/in_root.sh")]
    return [*in_root, *mpirun, "lmp", "-k", "on", "t", kokkos, "-sf", "kk"]


def start_lammps(
    script: str,
    folder: Path,
    ranks: int = 1,
    variables: Mapping[str, object] | None = None,
    arguments: Sequence[str] = (),
    kokkos: str = KOKKOS_THREADS,
    environment: Mapping[str, str] | None = None,
) -> Run:
    """Run `script` in `folder`, which may already hold data files, whatever the exit code.

    Parameters
    ----------
    variables
        ``-v NAME VALUE`` on the command line.
    kokkos
        Threads per rank of the Kokkos LAMMPS; empty: the ``lmp`` beside this Python.
    environment
        Variables beside those of this process; one thread, unless it says otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if KOKKOS_THREADS and re.search(r"\.(pth|pt2)\b", script):  # models that e3d/kk does not take
        script = re.sub(r"(?m)^(pair_style +e3d\b.*)$", r"suffix off\n\1\nsuffix on", script)
    (folder / "in.lmp").write_text(script)
    command = [*lammps_command(ranks, kokkos), "-in", "in.lmp", "-log", "log.lammps", *arguments]
    for name, value in (variables or {}).items():
        command += ["-v", name, str(value)]
    variables_of_process = (
        os.environ | {"OMP_NUM_THREADS": kokkos or "1"} | plugin_environment(kokkos) | (environment or {})
    )
    done = subprocess.run(
        command,
        cwd=folder,
        env=variables_of_process,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return Run(folder, done.returncode, done.stdout + done.stderr, script)


def run_lammps(script: str, folder: Path, ranks: int = 1, **options: object) -> Run:
    """As `start_lammps`, and the run has to succeed: the end of its output is in the failure message."""
    run = start_lammps(script, folder, ranks, **options)  # type: ignore[arg-type]
    tail = "\n".join(run.output.splitlines()[-25:])
    assert run.code == 0, f"lmp ended with {run.code} on {ranks} ranks in {folder}:\n{tail}"
    return run


def run_python(script: str, folder: Path) -> str:
    """Run a Python `script` that drives the ``lammps`` module, in `folder`; what it printed."""
    (folder / "drive.py").write_text(script)
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | plugin_environment()
    done = subprocess.run(
        [sys.executable, "drive.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read_dump(path: Path) -> list[Frame]:
    """Frames of a LAMMPS text dump with numbers in every column."""
    lines = path.read_text().splitlines()
    frames, at, step, count = [], 0, 0, 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("ITEM: TIMESTEP"):
            step = int(lines[at + 1])
            at += 2
        elif line.startswith("ITEM: NUMBER OF"):
            count = int(lines[at + 1])
            at += 2
        elif line.startswith("ITEM: BOX"):
            at += 4
        elif line.startswith("ITEM: "):
            names = line.split()[2:]
            rows = [list(map(float, row.split())) for row in lines[at + 1 : at + 1 + count]]
            table = np.array(rows, dtype=float).reshape(count, len(names))
            frames.append(Frame(step, {name: table[:, k] for k, name in enumerate(names)}))
            at += 1 + count
        else:
            raise ValueError(f"{path}: unexpected line {at + 1}: {line!r}")
    assert frames, f"{path} holds no frames"
    return frames


def write_data(
    path: Path,
    atoms: Atoms,
    elements: Sequence[str],
    order: Sequence[int] | None = None,
    velocities: bool = False,
    first_id: int = 1,
) -> None:
    """Write `atoms` as a LAMMPS data file, ``atom_style atomic``; LAMMPS type k is ``elements[k - 1]``.

    The cell must be in LAMMPS's own orientation (a along x, b in the xy plane). Ids count up from
    `first_id` in the order of `atoms`; `order` permutes the lines only. Velocities in angstrom/ps come from
    ``atoms.arrays['velocities']``.
    """
    cell = np.asarray(atoms.cell)
    assert np.allclose(cell[np.triu_indices(3, 1)], 0.0), "rotate the cell into LAMMPS's orientation first"
    lines = ["written by the tests", "", f"{len(atoms)} atoms", f"{len(elements)} atom types", ""]
    lines += [f"0.0 {cell[k, k]:.17g} {axis}lo {axis}hi" for k, axis in enumerate("xyz")]
    tilts = cell[1, 0], cell[2, 0], cell[2, 1]
    if any(tilts):
        lines.append(" ".join(f"{tilt:.17g}" for tilt in tilts) + " xy xz yz")
    masses = {symbol: Atoms(symbol).get_masses()[0] for symbol in elements}
    lines += ["", "Masses", ""] + [f"{k + 1} {masses[symbol]:.17g}" for k, symbol in enumerate(elements)]
    lines += ["", "Atoms # atomic", ""]
    rows = range(len(atoms)) if order is None else order
    types = [list(elements).index(symbol) + 1 for symbol in atoms.get_chemical_symbols()]
    lines += [
        f"{k + first_id} {types[k]} " + " ".join(f"{x:.17g}" for x in atoms.positions[k])
        for k in map(int, rows)
    ]
    if velocities:
        lines += ["", "Velocities", ""]
        lines += [
            f"{k + first_id} " + " ".join(f"{v:.17g}" for v in atoms.arrays["velocities"][k]) for k in rows
        ]
    path.write_text("\n".join(lines) + "\n")


def script_of(
    model: Path,
    elements: Sequence[str],
    *,
    boundary: str = "p p p",
    pair_options: str = "",
    setup: str = "",
    units: str = "metal",
    pair: str | None = None,
    tail: str = "run 0",
    skin: float = 0.5,
    edges: bool = True,
) -> str:
    """An input that reads ``data.lmp``, sets ``pair_style e3d`` (or `pair`), dumps edges and atoms, and runs
    `tail`.

    It prints pe, the six pressures times the volume, and the volume into ``result.json``.
    """
    pair = pair or f"pair_style e3d {pair_options}\npair_coeff * * {model} {' '.join(elements)}"
    edge_lines = f"""
compute edges all e3d/edge/local {" ".join(EDGE_COLUMNS)} cutoff model
dump edges all local 1 edges.dump {" ".join(f"c_edges[{k + 1}]" for k in range(len(EDGE_COLUMNS)))}
dump_modify edges format float %.17g {" ".join(f"colname {k + 1} {n}" for k, n in enumerate(EDGE_COLUMNS))}
"""
    return f"""
units {units}
atom_style atomic
newton on
boundary {boundary}
{setup}
read_data data.lmp
{pair}
neighbor {skin} bin
neigh_modify every 1 delay 0 check yes
compute pea all pe/atom
compute stress all stress/atom NULL virial
compute centroid all centroid/stress/atom NULL virial
compute vir all pressure NULL virial
{edge_lines if edges else ""}
dump atoms all custom 1 atoms.dump id type x y z fx fy fz c_pea c_stress[*] c_centroid[*]
dump_modify atoms format float %.17g sort id
thermo_style custom step temp pe ke etotal press c_vir[1] c_vir[2] c_vir[3] c_vir[4] c_vir[5] c_vir[6]
thermo_modify norm no format float %.17g
{tail}
print \"\"\"{{"pe": $(pe:%.17g), "volume": $(vol:%.17g), "xx": $(c_vir[1]:%.17g), "yy": $(c_vir[2]:%.17g), &
"zz": $(c_vir[3]:%.17g), "xy": $(c_vir[4]:%.17g), "xz": $(c_vir[5]:%.17g), "yz": $(c_vir[6]:%.17g)}}\"\"\" &
file result.json screen no
"""


NKTV2P = 1.6021765e6
"""bar * angstrom^3 per eV in ``units metal`` of LAMMPS."""


def virial_of(result: Mapping[str, float]) -> np.ndarray:
    """(6,) eV, xx yy zz xy xz yz: the global virial behind the pressure tensor of ``result.json``."""
    return np.array([result[k] for k in ("xx", "yy", "zz", "xy", "xz", "yz")]) * result["volume"] / NKTV2P


def forces_of(frame: Frame) -> np.ndarray:
    """(n,3) eV/angstrom of a ``custom`` dump."""
    return np.stack([frame["fx"], frame["fy"], frame["fz"]], axis=1)
