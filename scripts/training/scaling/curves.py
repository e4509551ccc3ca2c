"""Errors of validation along trainings: what a longer training of a row may still gain.

    python scripts/training/scaling/curves.py FILE.png OUT/rows/t32_n920_s1 920 OUT/rows/t32_n3000_s1 3,000

Folders of rows, each followed by the words that stand for it. FILE.csv beside the figure has the numbers.
The rate falls along a training: its last third gains little for that reason too.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from rows import do_with_rows

from e3d_lmp.errors import E3DError
from e3d_lmp.tables import Column, write_csv

FORCE, ENERGY = "val0_epoch/forces_mae", "val0_epoch/per_atom_energy_mae"
NAMES = ("row", "step", "force_meV_per_A", "energy_meV_per_atom")


def curve(row: Path) -> list[tuple[int, float, float]]:
    """Points of a row: steps, force error in meV/angstrom, energy error in meV/atom."""
    points = []
    for path in sorted((row / "train" / "log").glob("version_*/metrics.csv")):
        with open(path, newline="", encoding="utf-8") as file:
            points += [
                (
                    int(line["step"]) + 1,
                    round(1e3 * float(line[FORCE]), 2),
                    round(1e3 * float(line[ENERGY]), 3),
                )
                for line in csv.DictReader(file)
                if line.get(FORCE)
            ]
    if not points:
        raise E3DError(f"expected a training with validation errors in '{row / 'train' / 'log'}', found none")
    return sorted(points)


def draw(curves: Mapping[str, list[tuple[int, float, float]]], path: Path) -> None:
    """Two panels, forces and energies."""
    from e3d_lmp.figures.style import LINES, colours, few_decades, letter, new_figure, save_figure

    figure = new_figure(8.5, 3.2)
    axes = list(figure.subplots(1, 2))
    for place, (axis, words) in enumerate(
        zip(axes, ("force MAE, meV/Å", "energy MAE, meV/atom"), strict=True), 1
    ):
        for k, ((name, points), colour) in enumerate(zip(curves.items(), colours(len(curves)), strict=True)):
            steps, values = zip(*((point[0], point[place]) for point in points), strict=True)
            axis.plot(steps, values, color=colour, linestyle=LINES[k % len(LINES)], label=name)
        axis.set(xlabel="step", ylabel=words, yscale="log")
        few_decades(axis)
    axes[0].legend(fontsize=7)
    letter(axes)
    save_figure(figure, path)


def write(rows: Mapping[str, Path], path: Path) -> None:
    """Draw the curves of rows by their names, and write their numbers beside the figure.

    Raises
    ------
    E3DError
        A row has no log of a training.
    """
    curves = {name: curve(folder) for name, folder in rows.items()}
    lines = [
        dict(zip(NAMES, (name, step, f"{force:.2f}", f"{energy:.3f}"), strict=True))
        for name, points in curves.items()
        for step, force, energy in points
    ]
    write_csv([Column(name, name) for name in NAMES], lines, path.with_suffix(".csv"))
    draw(curves, path)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figure", type=Path, metavar="FILE.png")
    return do_with_rows(parser, argv, lambda args, rows: write(rows, args.figure))


if __name__ == "__main__":
    raise SystemExit(main())
