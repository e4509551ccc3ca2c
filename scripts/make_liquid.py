"""Make inputs/liquid.data: a box of small organic molecules with every common bond of C, H, N and O.

    python scripts/make_liquid.py inputs/liquid.data [--seed 2026] [--density 0.80]

Molecules of the G2 set (geometries that come with ASE) are thrown into a periodic cube and moved as rigid
bodies, downhill in the overlap of atoms of different molecules, until no two are closer than the sum of their
contact radii. That is a start, not a liquid: inputs/in.e3d relaxes it before the run.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.data import atomic_masses, atomic_numbers

COMPOSITION = {
    "CH3CH2OH": 6,  # ethanol: C-C, C-O, O-H
    "CH3CN": 6,  # acetonitrile: C-C, triple C-N
    "CH3CONH2": 5,  # acetamide: C-C, double C-O, amide C-N, N-H
    "C6H6": 3,  # benzene: aromatic C-C
    "H3CNH2": 4,  # methylamine: single C-N, N-H
    "C3H4_C3v": 2,  # propyne: single and triple C-C
}
"""Name in ASE's G2 collection -> number of molecules; 213 atoms in all."""

TYPES = ("C", "H", "N", "O")
"""Elements in the order of the LAMMPS atom types 1, 2, 3, 4."""

AMU_PER_CUBIC_ANGSTROM = 1.66053907  # g/cm^3


CONTACT = {"H": 1.15}
"""Contact radius in angstrom, somewhat below van der Waals; every other element has `CONTACT_HEAVY`."""
CONTACT_HEAVY = 1.5


def random_rotation(rng: np.random.Generator, largest_angle: float = np.pi) -> np.ndarray:
    """(3, 3) rotation about a random axis, by a random angle up to the largest (Rodrigues' formula)."""
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    angle = rng.uniform(-largest_angle, largest_angle)
    cross = np.cross(np.eye(3), axis)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)


def overlap(own: np.ndarray, others: np.ndarray, box: float, distance: np.ndarray) -> float:
    """Sum over pairs of (distance - r)^2 where r < distance, in angstrom^2, nearest images in a cube.

    Shapes: own (n, 3), others (m, 3), distance (n, m), all in angstrom.
    """
    delta = own[:, None, :] - others[None, :, :]
    delta -= box * np.round(delta / box)
    short = np.maximum(0.0, distance - np.sqrt((delta**2).sum(axis=2)))
    return float((short**2).sum())


def pack(
    molecules: list[Atoms], box: float, rng: np.random.Generator, sweeps: int = 3000
) -> list[np.ndarray]:
    """Positions (n, 3) of every molecule in a periodic cube, none closer to another than the contact radii.

    Raises
    ------
    RuntimeError
        Some molecules still overlap after all sweeps.
    """
    radii = [
        np.array([CONTACT.get(symbol, CONTACT_HEAVY) for symbol in atoms.get_chemical_symbols()])
        for atoms in molecules
    ]
    places = []
    for atoms in molecules:
        centred = atoms.get_positions() - atoms.get_positions().mean(axis=0)
        places.append(centred @ random_rotation(rng).T + rng.uniform(0, box, 3))
    for sweep in range(sweeps):
        total = 0.0
        for k, place in enumerate(places):
            others = np.concatenate(places[:k] + places[k + 1 :])
            distance = radii[k][:, None] + np.concatenate(radii[:k] + radii[k + 1 :])[None, :]
            now = overlap(place, others, box, distance)
            total += now
            if now == 0.0:
                continue
            centre = place.mean(axis=0)
            for _ in range(10):
                # Small moves, and now and then a jump to somewhere else.
                if rng.random() < 0.02:
                    trial = (place - centre) @ random_rotation(rng).T + rng.uniform(0, box, 3)
                else:
                    trial = (place - centre) @ random_rotation(rng, 0.5).T + centre + rng.normal(0, 0.3, 3)
                after = overlap(trial, others, box, distance)
                if after < now:
                    places[k] = trial
                    break
        if total == 0.0:
            print(f"packed after {sweep} sweeps")
            return places
    raise RuntimeError(
        f"molecules still overlap after {sweeps} sweeps; take a smaller --density or another --seed"
    )


def write_data(path: Path, symbols: list[str], positions: np.ndarray, box: float, title: str) -> None:
    """Write a LAMMPS data file (atom_style atomic, units metal); it gets its name once it is complete."""
    lines = [title, "", f"{len(symbols)} atoms", f"{len(TYPES)} atom types", ""]
    lines += [f"0.0 {box:.6f} {c}lo {c}hi" for c in "xyz"] + ["", "Masses", ""]
    lines += [f"{t} {atomic_masses[atomic_numbers[el]]:.4f}  # {el}" for t, el in enumerate(TYPES, start=1)]
    lines += ["", "Atoms  # atomic", ""]
    for i, (symbol, (x, y, z)) in enumerate(zip(symbols, positions, strict=True), start=1):
        lines.append(f"{i} {TYPES.index(symbol) + 1} {x:.6f} {y:.6f} {z:.6f}")
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text("\n".join(lines) + "\n")
    os.replace(temporary, path)


def main() -> None:
    """Pack the molecules and write the file."""
    parser = argparse.ArgumentParser(description="Make a box of small organic molecules for LAMMPS.")
    parser.add_argument("output", type=Path, help="LAMMPS data file")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--density", type=float, default=0.80, help="g/cm^3 (default 0.80)")
    args = parser.parse_args()

    molecules = [molecule(name) for name, count in COMPOSITION.items() for _ in range(count)]
    mass = sum(float(atoms.get_masses().sum()) for atoms in molecules)
    box = (mass * AMU_PER_CUBIC_ANGSTROM / args.density) ** (1 / 3)
    places = pack(molecules, box, np.random.default_rng(args.seed))
    symbols = [symbol for atoms in molecules for symbol in atoms.get_chemical_symbols()]
    # Molecules stick out of the box; every atom is wrapped on its own, as LAMMPS would.
    positions = np.concatenate(places) % box
    contents = " ".join(f"{count} {name.split('_')[0]}" for name, count in COMPOSITION.items())
    title = f"{contents} (scripts/make_liquid.py --seed {args.seed} --density {args.density})"
    write_data(args.output, symbols, positions, box, title)
    print(f"{args.output}: {len(symbols)} atoms, box {box:.3f} angstrom")


if __name__ == "__main__":
    main()
