"""Errors of validation along trainings: what a longer training of a row may still gain.

    python scripts/training/scaling/curves.py FILE.png OUT/rows/t32_n920_s1 920 OUT/rows/t32_n3000_s1 3,000

Folders of rows, each followed by the words that stand for it. FILE.csv beside the figure has the numbers.
The rate falls along a training: its last third gains little for that reason too.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from e3d_lmp.files import write_text

FORCE, ENERGY = "val0_epoch/forces_mae", "val0_epoch/per_atom_energy_mae"


def curve(row: Path) -> np.ndarray:
    """(P, 3) of a row: steps, force error in meV/angstrom, energy error in meV/atom."""
    points = []
    for path in sorted((row / "train" / "log").glob("version_*/metrics.csv")):
        with open(path, newline="", encoding="utf-8") as file:
            points += [
                (int(line["step"]) + 1, 1e3 * float(line[FORCE]), 1e3 * float(line[ENERGY]))
                for line in csv.DictReader(file)
                if line.get(FORCE)
            ]
    return np.array(sorted(points), dtype=np.float64).reshape(-1, 3)


def draw(curves: dict[str, np.ndarray], path: Path) -> None:
    """Two panels, forces and energies."""
    from e3d_lmp.figures.style import LINES, colours, letter, new_figure, save_figure

    figure = new_figure(8.5, 3.2)
    axes = list(figure.subplots(1, 2))
    for place, (axis, words) in enumerate(
        zip(axes, ("force MAE, meV/Å", "energy MAE, meV/atom"), strict=True), 1
    ):
        for (name, points), colour, line in zip(
            curves.items(), colours(len(curves)), [*LINES, *LINES], strict=False
        ):
            axis.plot(points[:, 0], points[:, place], color=colour, linestyle=line, label=name)
        axis.set(xlabel="step", ylabel=words, yscale="log")
    axes[0].legend(fontsize=7)
    letter(axes)
    save_figure(figure, path)


def main(words: Sequence[str]) -> int:
    """Read, write, draw."""
    if len(words) < 3 or len(words) % 2 == 0:
        print("expected FILE.png and folders of rows, each with its name; see --help", file=sys.stderr)
        return 2
    path = Path(words[0])
    curves = {name: curve(Path(folder)) for folder, name in zip(words[1::2], words[2::2], strict=True)}
    lines = [
        f'"{name}",{step:.0f},{force:.2f},{energy:.3f}'
        for name, points in curves.items()
        for step, force, energy in points
    ]
    write_text(
        path.with_suffix(".csv"), "\n".join(["row,step,force_meV_per_A,energy_meV_per_atom", *lines]) + "\n"
    )
    draw(curves, path)
    return 0


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        raise SystemExit(0)
    raise SystemExit(main(sys.argv[1:]))
