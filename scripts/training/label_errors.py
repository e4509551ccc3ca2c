"""How far a model is from labels: energies and forces by subset, and for droplets the pressure.

    python scripts/training/label_errors.py MODEL FILE.h5 ... [--every 5]

The files are those that `collect` of `contacts_labels.py`, `isomer_labels.py` or `dft_labels.py` writes;
--every takes one frame in so many of each composition. The pressure of a liquid of whole molecules is
(N k T + W/3)/V with W = Σ R_m · F_m, R_m the centre of mass of a molecule and F_m the force on it (Allen and
Tildesley, Computer Simulation of Liquids, section 2.4). A droplet has no V of its own: that of as much liquid
by experiment is taken, so (W_model - W_label)/3V says by how much the model's pressure is off, as far as a
droplet's inside stands for the liquid.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from ase import Atoms
from ase.units import Bohr, Hartree, bar
from label_commands import exit_code
from liquids import AMU_PER_CUBIC_ANGSTROM, LIQUIDS, liquid_of

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.clusters import molecules_of


@dataclass(frozen=True)
class LabelledFrame:
    """A frame of a file of labels.

    Attributes
    ----------
    kind : subset of the file, as ``AIMNet2 clusters``
    liquid : name of the liquid that a droplet or pair is cut from; empty for other frames
    atoms : positions in angstrom
    energy : cohesive energy, eV
    forces : (N, 3) float64, eV/angstrom
    """

    kind: str
    liquid: str
    atoms: Atoms
    energy: float
    forces: np.ndarray


@dataclass(frozen=True)
class Errors:
    """Model minus label.

    Attributes
    ----------
    energy : eV/atom
    forces : (3N,) eV/angstrom
    pressure : kbar; None of what is no droplet
    """

    energy: float
    forces: np.ndarray
    pressure: float | None


def read_frames(path: Path, every: int = 1) -> Iterator[LabelledFrame]:
    """The frames of a collected file, one in `every` of each composition.

    Raises
    ------
    E3DError
        The file is not one that `collect` has written.
    """
    try:
        with h5py.File(path) as file:
            for group in file.values():
                numbers = group["atomic_numbers"][()]
                kind = np.ravel(group["subset"][()])[0].decode()
                for k in range(0, len(group["frame_names"]), every):
                    liquid = group["frame_names"][k].decode().split("/")[0]
                    yield LabelledFrame(
                        kind,
                        liquid if liquid in LIQUIDS else "",
                        Atoms(numbers, group["conformations"][k].astype(np.float64) * Bohr),
                        float(group["formation_energy"][k]) * Hartree,
                        -group["dft_total_gradient"][k].astype(np.float64) * Hartree / Bohr,
                    )
    except (OSError, KeyError, ValueError, AttributeError) as error:
        raise E3DError(f"expected labels that `collect` has written in '{path}', got: {error}") from None


def molecular_virial(atoms: Atoms, forces: np.ndarray) -> float:
    """Σ R_m · F_m over the molecules of a frame that is not periodic, eV."""
    masses = atoms.get_masses()
    return float(
        sum(
            np.average(atoms.positions[own], axis=0, weights=masses[own]) @ forces[own].sum(axis=0)
            for own in molecules_of(atoms.numbers, atoms.positions)
        )
    )


def errors(frame: LabelledFrame, energy: float, forces: np.ndarray) -> Errors:
    """Of a model's energy (eV) and forces (N, 3)."""
    pressure = None
    if frame.liquid and "cluster" in frame.kind:
        volume = frame.atoms.get_masses().sum() * AMU_PER_CUBIC_ANGSTROM / liquid_of(frame.liquid).density()
        pressure = molecular_virial(frame.atoms, forces - frame.forces) / (3.0 * volume) / (1000.0 * bar)
    return Errors((energy - frame.energy) / len(frame.atoms), np.ravel(forces - frame.forces), pressure)


def report(rows: dict[tuple[str, str], list[Errors]]) -> str:
    """A Markdown table by kind, and by liquid where there are some."""
    lines = [
        "| | frames | energy, meV/atom: MAE (mean) | forces, meV/Å: MAE | pressure, kbar: mean ± s.e. |",
        "|---|--:|--:|--:|--:|",
    ]
    for (kind, liquid), made in sorted(rows.items()):
        energy = 1e3 * np.array([one.energy for one in made])
        force = 1e3 * float(np.abs(np.concatenate([one.forces for one in made])).mean())
        pressures = [one.pressure for one in made if one.pressure is not None]
        words = ""
        if len(pressures) > 1:
            spread = np.std(pressures, ddof=1) / np.sqrt(len(pressures))
            words = f"{np.mean(pressures):+.2f} ± {spread:.2f}"
        lines.append(
            f"| {kind}, {liquid} | {len(made)} | {np.abs(energy).mean():.1f} ({energy.mean():+.1f}) "
            f"| {force:.0f} | {words} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--every", type=int, default=1, metavar="K", help="one frame in K (default: all)")
    args = parser.parse_args(argv)

    def ask() -> None:
        from e3d_lmp.edges.calculator import E3DCalculator

        if args.every < 1:
            raise E3DError(f"--every {args.every}: expected a number of frames, from 1 up")
        calculator = E3DCalculator(args.model)
        rows: dict[tuple[str, str], list[Errors]] = defaultdict(list)
        for path in args.files:
            for frame in read_frames(path, args.every):
                frame.atoms.calc = calculator
                made = errors(frame, frame.atoms.get_potential_energy(), frame.atoms.get_forces())
                rows[frame.kind, "all"].append(made)
                if frame.liquid:
                    rows[frame.kind, frame.liquid].append(made)
        print(report(rows))

    return exit_code(ask)


if __name__ == "__main__":
    raise SystemExit(main())
