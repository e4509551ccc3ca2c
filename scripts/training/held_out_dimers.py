"""Dimers of molecules that no training here has seen together, with AIMNet2's interaction energies. Not DFT.

    python scripts/training/held_out_dimers.py make DIMERS.extxyz --model aimnet2_wb97m-d3_0.jpt
    e3d bde MODEL DIMERS.extxyz -o OUT --dimers --no-relax --reference DIMERS.csv
    python scripts/training/held_out_dimers.py plan FOLDER DIMERS.extxyz     # ten of them for DFT
    python scripts/training/dft_labels.py run FOLDER
    python scripts/training/held_out_dimers.py compare FOLDER DIMERS.extxyz

`make` relaxes each pair from several orientations with AIMNet2 (see `e3d_lmp.training.data.aimnet2`), keeps
up to two minima, and of each one that is pushed together and one that is pulled apart, the molecules frozen.
DIMERS.csv, beside the file, has E_int = E_AB - E_A - E_B, the molecules as they are in the dimer.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.optimize import BFGS
from ase.units import Hartree
from dft_geometry import bonded, embedded, together
from dft_plan import affordable
from label_commands import exit_code
from label_frames import Frame
from label_run import planned, write_plan
from label_store import labels_of

from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, write_text
from e3d_lmp.training.data.aimnet2 import AIMNet2
from e3d_lmp.units import KCAL_MOL_PER_EV

PAIRS = (
    # the first of each is one of the molecules that the split of organic_small_data.yaml keeps out
    "CSC.CC=O CSC.CNC CSC.ClC(Cl)Cl CSC.c1c[nH]cn1 CSC.FCF ClCCCl.CNC ClCCCl.c1ccncc1 ClCCCl.C[N+](=O)[O-] "
    "ClCCCl.CS(C)=O CCCO.c1ccncc1 CCCO.COC=O CCCO.CS(C)=O CCCO.CCF CCCO.CCS COC(N)=O.CNC COC(N)=O.FCF "
    "COC(N)=O.CS(C)=O C1CCSC1.c1c[nH]cc1 C1CCSC1.CC=O NC(=O)CS.CNC=O NC(=O)CS.c1ccoc1 Cn1cnnc1.ClC(Cl)Cl "
    "Cn1cnnc1.CCS Nc1cnoc1.CC=O Nc1cnoc1.c1ccccc1"
).split()
SMALL_PAIRS = (
    "NO.FCF NO.OCl NO.C=C=O NO.FC(F)F NO.N#CCl NO.FC=O OCl.CC=O OCl.C1CO1 OCl.C[N+]#[C-] FCF.C=S "
    "FC(F)F.[N-]=[N+]=O O=C=S.FCF"
).split()
"""Small enough for DFT, and in no pair of `dft_molecules.PARTNERS`."""
ORIENTATIONS, MINIMA = 4, 2
CHECKED = 10
FMAX, STEPS = 0.02, 150
SHIFTS = {"minimum": 0.0, "close": -0.2, "far": 0.5}  # angstrom
LARGEST = 0.3  # eV, of E_int: pushed together further than that is left out
DECIMALS = 5


class _Calculator(Calculator):
    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (ASE's own way)

    def __init__(self, model: AIMNet2) -> None:
        super().__init__()
        self.model = model

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        self.results["energy"], self.results["forces"] = self.model(atoms.numbers, atoms.positions)


def interaction(model: AIMNet2, atoms: Atoms, first: int) -> float:
    """E_AB - E_A - E_B in eV; A is the first atoms."""
    parts = (atoms, atoms[:first], atoms[first:])
    whole, a, b = (model(part.numbers, part.positions)[0] for part in parts)
    return whole - a - b


def minima(model: AIMNet2, molecules: Sequence[Atoms], seed: int) -> list[Atoms]:
    """Dimers relaxed from random orientations, the lowest in energy first, no two alike."""
    rng = np.random.default_rng(seed)
    found: list[tuple[float, Atoms]] = []
    for _ in range(ORIENTATIONS):
        atoms = together(molecules[0], molecules[1], 0.95, rng)
        graph = bonded(atoms)
        atoms.calc = _Calculator(model)
        BFGS(atoms, logfile=None).run(fmax=FMAX, steps=STEPS)
        if np.abs(atoms.get_forces()).max() > 0.1 or (bonded(atoms) != graph).any():
            continue
        energy = atoms.get_potential_energy()
        if all(abs(energy - other) > 0.003 for other, _ in found):
            atoms.calc = None
            found.append((energy, atoms))
    return [atoms for _, atoms in sorted(found, key=lambda one: one[0])[:MINIMA]]


def shifted(atoms: Atoms, first: int, distance: float) -> Atoms:
    """The second molecule moved away along the line through the closest two atoms, angstrom."""
    lines = atoms.positions[None, first:] - atoms.positions[:first, None]
    lengths = np.linalg.norm(lines, axis=2)
    line = lines[np.unravel_index(lengths.argmin(), lengths.shape)]
    moved = atoms.copy()
    moved.positions[first:] += distance * line / np.linalg.norm(line)
    return moved


def dimers(model: AIMNet2, pair: str, seed: int) -> Iterator[tuple[Atoms, float]]:
    """The dimers of a pair of SMILES with E_int (eV); their info has ``name``, ``pair`` and ``first``."""
    molecules = []
    for smiles in pair.split("."):
        one = embedded(smiles, 1)[0]
        one.calc = _Calculator(model)
        BFGS(one, logfile=None).run(fmax=FMAX, steps=STEPS)
        one.calc = None
        molecules.append(one)
    first = len(molecules[0])
    for number, minimum in enumerate(minima(model, molecules, seed)):
        minimum.positions -= minimum.positions.mean(axis=0)
        for kind, distance in SHIFTS.items():
            atoms = shifted(minimum, first, distance)
            atoms.positions = atoms.positions.round(DECIMALS)
            energy = interaction(model, atoms, first)
            if energy < LARGEST:
                atoms.info = {"name": f"{pair}_{number}_{kind}", "pair": pair, "first": first}
                yield atoms, energy


def make(path: Path, model: AIMNet2, pairs: Sequence[str]) -> None:
    """Write the dimers, and their energies beside them."""
    found = []
    for number, pair in enumerate(pairs):
        here = list(dimers(model, pair, number))
        found += here
        print(f"{pair}: " + " ".join(f"{energy * KCAL_MOL_PER_EV:.2f}" for _, energy in here), flush=True)
    if not found:
        raise E3DError("no pair has a minimum; nothing is written")
    with atomic_path(path) as partial:
        ase.io.write(
            partial, [atoms for atoms, _ in found], format="extxyz", columns=["symbols", "positions"]
        )
    write_energies(
        path.with_suffix(".csv"),
        path,
        {number: (energy, str(atoms.info["name"])) for number, (atoms, energy) in enumerate(found)},
    )
    print(f"{len(found)} dimers of {len(pairs)} pairs in {path}")


def write_energies(table: Path, path: Path, energies: Mapping[int, tuple[float, str]]) -> None:
    """Write E_int (eV) and name of dimers of a file, by their number in it, for `e3d bde --reference`."""
    rows = [
        f"{path.name}/{number},{energy * KCAL_MOL_PER_EV:.4f},{name}"
        for number, (energy, name) in energies.items()
    ]
    write_text(table, "\n".join(["structure,energy_kcal_mol,name", *rows]) + "\n")


def read(path: Path) -> list[Atoms]:
    """The dimers of a file of `make`; `E3DError` where it is none."""
    try:
        frames = list(ase.io.iread(path, index=":"))
    except Exception as error:  # ASE's readers raise whatever they like
        raise E3DError(f"expected dimers at '{path}', got: {error}; make them first (see --help)") from None
    if not all({"name", "first", "pair"} <= frame.info.keys() for frame in frames):
        raise E3DError(f"expected frames with name, pair and first in '{path}'; make them (see --help)")
    return frames


def frames_of(atoms: Atoms) -> tuple[Frame, Frame, Frame]:
    """A dimer, and its molecules as they are in it."""
    name, first, smiles = (
        str(atoms.info["name"]),
        int(atoms.info["first"]),
        str(atoms.info["pair"]).split("."),
    )
    symbols, positions = tuple(atoms.get_chemical_symbols()), atoms.positions
    return (
        Frame("dimer", f"{name} AB", ".".join(smiles), symbols, positions),
        Frame("monomer", f"{name} A", smiles[0], symbols[:first], positions[:first]),
        Frame("monomer", f"{name} B", smiles[1], symbols[first:], positions[first:]),
    )


def checked(path: Path) -> list[Frame]:
    """Of the pairs that DFT can afford the lowest minimum, ten of them, with their molecules."""
    chosen = [
        atoms
        for atoms in read(path)
        if str(atoms.info["name"]).endswith("_0_minimum") and affordable(atoms.get_chemical_symbols())
    ]
    return [frame for atoms in chosen[:CHECKED] for frame in frames_of(atoms)]


def compare(folder: Path, path: Path, output: Path | None) -> None:
    """Print E_int of the labels of a folder beside that of the file, kcal/mol; write the former.

    Raises
    ------
    E3DError
        No dimer has all three labels.
    """
    import csv

    energies = {one.frame.key: one.row["energy"] for one in labels_of(folder, planned(folder))[0]}
    with open(path.with_suffix(".csv"), encoding="utf-8") as file:
        ours = {row["name"]: float(row["energy_kcal_mol"]) for row in csv.DictReader(file)}
    differences, labelled = [], {}
    for number, atoms in enumerate(read(path)):
        keys = [frame.key for frame in frames_of(atoms)]
        if not all(key in energies for key in keys):
            continue
        whole, a, b = (energies[key] for key in keys)
        labelled[number] = (whole - a - b) * Hartree, str(atoms.info["name"])
        label = labelled[number][0] * KCAL_MOL_PER_EV
        differences.append(ours[str(atoms.info["name"])] - label)
        print(f"{atoms.info['name']:40s} {label:8.2f}  file {label + differences[-1]:8.2f}")
    if not differences:
        raise E3DError(f"expected labels of dimers and their molecules in '{folder}', found none; run first")
    print(
        f"{len(differences)} dimers: mean absolute difference {np.abs(differences).mean():.2f}, "
        f"mean {np.mean(differences):+.2f} kcal/mol"
    )
    if output is not None:
        write_energies(output, path, labelled)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("make", help="the dimers and their energies")
    making.add_argument("dimers", type=Path, metavar="DIMERS.extxyz")
    making.add_argument("--model", type=Path, required=True, help="AIMNet2's TorchScript file")
    making.add_argument("--pairs", nargs="+", default=[*PAIRS, *SMALL_PAIRS], metavar="SMILES.SMILES")
    for name, words in {"plan": "ten of them for dft_labels.py", "compare": "with labels of that"}.items():
        verb = verbs.add_parser(name, help=words)
        verb.add_argument("folder", type=Path)
        verb.add_argument("dimers", type=Path, metavar="DIMERS.extxyz")
    verbs.choices["compare"].add_argument(
        "-o", "--output", type=Path, metavar="FILE.csv", help="for e3d bde --reference"
    )
    args = parser.parse_args(argv)
    actions = {
        "make": lambda: make(args.dimers, AIMNet2(args.model), args.pairs),
        "plan": lambda: write_plan(args.folder, checked(args.dimers)),
        "compare": lambda: compare(args.folder, args.dimers, args.output),
    }
    return exit_code(actions[args.verb])


if __name__ == "__main__":
    raise SystemExit(main())
