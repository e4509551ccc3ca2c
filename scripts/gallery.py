"""Draws the pictures of bonds in docs/images anew, with the shipped model.

    .venv/bin/python scripts/gallery.py [FOLDER]        (default docs/images; needs the extra ovito, minutes)

- liquid_D.png: the demo liquid (inputs/in.e3d) after its 400 steps, drawn from the running LAMMPS;
- liquid_maps.png: D-A maps of the same run, 21 frames, to stand beside it;
- breaking_bond.png: ethanol's C-C bond pulled apart, energies by ``e3d evaluate``, drawn by ``e3d render``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from ase.build import molecule
from ase.io import write

from e3d_lmp import cli
from e3d_lmp.analysis.edge_analysis import EdgeAnalysis
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.frames import EdgeFrame
from e3d_lmp.figures.maps import plot_maps
from e3d_lmp.runs.simulate import Simulation
from e3d_lmp.scene.camera import View
from e3d_lmp.scene.live import LiveScene
from e3d_lmp.scene.pictures import Look

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "inputs/models/organic-small.safetensors"
STRETCHES = (0.0, 0.3, 0.45, 0.6, 0.9)
"""What is added to the length of the C-C bond, angstrom."""


def draw_liquid(scene_path: Path, maps_path: Path) -> None:
    """The bonds of the demo liquid, coloured by D, and their D-A maps."""
    with Simulation(
        ROOT / "inputs/in.e3d", {"dir": str(ROOT / "inputs")}, every=20, screen=False
    ) as simulation:
        scene = LiveScene(simulation)
        analysis = EdgeAnalysis(("C", "H", "N", "O"), parse_cutoff("covalent"))

        def take(frame: EdgeFrame) -> None:
            analysis.add(frame)
            scene(frame)

        simulation.run(take)
        image = scene.picture(View((-1.0, 0.45, -0.3)), Look(size=(1000, 760)))
    image.save(str(scene_path))
    figure = plot_maps(analysis.result(), ["C-H", "C-C", "C-N", "C-O", "N-H"])
    figure.savefig(maps_path, dpi=110)
    for path in (scene_path, maps_path):
        print(path)


def draw_breaking_bond(path: Path) -> None:
    """Ethanol, its methyl group moved away along the C-C bond."""
    frames = []
    for stretch in STRETCHES:
        atoms = molecule("CH3CH2OH")
        positions = atoms.positions
        centre = positions[0].copy()
        along = centre - positions[1]
        along /= np.linalg.norm(along)
        methyl = np.linalg.norm(positions - centre, axis=1) < 1.2
        positions[methyl] += stretch * along
        frames.append(atoms)
    lengths = [f"{atoms.get_distance(0, 1):.2f} Å" for atoms in frames]
    with tempfile.TemporaryDirectory() as folder:
        structures, store = Path(folder) / "ethanol.extxyz", Path(folder) / "edges.h5"
        write(structures, frames)
        # Every pair with D below -0.15 eV is drawn, whatever its distance.
        bonds = "--cutoff model --window -99 -0.15 --range -5 0 --width 0.36"
        view = "--frames : --view 0.25 0.35 -1 --ortho --size 1500x290"
        for command in (
            ["evaluate", str(MODEL), str(structures), "-o", str(store)],
            ["render", str(store), "-o", str(path), *bonds.split(), *view.split(), "--label", *lengths],
        ):
            if cli.main(command):
                raise SystemExit(1)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/images"
    folder.mkdir(parents=True, exist_ok=True)
    draw_breaking_bond(folder / "breaking_bond.png")
    draw_liquid(folder / "liquid_D.png", folder / "liquid_maps.png")


if __name__ == "__main__":
    main()
