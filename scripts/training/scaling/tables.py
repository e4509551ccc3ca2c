"""The tables of docs/reproduction.md, in Markdown, from rows of studies that are done.

    python scripts/training/scaling/tables.py OUT/rows/t32_n920_s1 920 OUT/rows/t32_n920_s2 "920, seed 2" ...

Each folder is followed by the words that stand for it. The first table has a line a row, the second a line a
bond type: mean D in eV, the average bond enthalpy last.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from rows import do_with_rows

from e3d_lmp.analysis.bonds.energies import cohesive_share
from e3d_lmp.analysis.folders import AnalysisFolder
from e3d_lmp.files import read_object

PAIRS = ("C-H", "C-C", "C-N", "C-O", "O-H")
TYPES = (
    "C-C 1", "C-C 1.5", "C-C 2", "C-C 3", "C-N 1", "C-N 2", "C-N 3", "C-O 1", "C-O 2",
    "C-H 1", "N-H 1", "O-H 1", "C-S 1", "C-Cl 1",
)  # fmt: skip
HEADS = (
    "N", "E, meV/atom", "F, meV/Å", "E_a, eV", "ΔE, eV", "Δ_BDE, eV", "level", "σ_BDE, eV", "not in bonds",
    "H_2D C-H", *PAIRS[1:],
)  # fmt: skip
"""Δ_BDE is against average bond enthalpies, and against the level's own bond energies."""


def numbers_of(folder: Path) -> list[str]:
    """A row of the first table."""
    advice = "e3d study scaling and judge.py write such rows"
    row = read_object(folder / "row.json", "row of a study", advice, ("molecules", "reactions"))
    bonds = read_object(folder / "molecules" / "bonds.json", "bond energies", advice, ("delta_bde", "sums"))
    held_out, reactions, sums = row["molecules"], row["reactions"], bonds["sums"]
    return [
        f"{1e3 * held_out['energy']['mae_eV_per_atom']:.1f}",
        f"{1e3 * held_out['force']['mae_eV_per_A']:.0f}",
        f"{reactions['reactions']['barrier']['mae_eV']:.2f}",
        f"{reactions['reactions']['reaction_energy']['mae_eV']:.2f}",
        f"{bonds['delta_bde']['enthalpies']:.2f}",
        f"{bonds['delta_bde']['level']:.2f}",
        f"{held_out['bonds']['sigma_within']:.2f}",
        f"{100.0 * (1.0 - cohesive_share(sums['bonded'], sums['edges'])):.0f} %",
        *(f"{held_out['H_2D_nats'][pair]:.2f}" for pair in PAIRS),
    ]


def types_of(folder: Path) -> dict[str, tuple[float, float]]:
    """Mean D and reference energy of each bond type, eV; nan where there is none."""
    analysis = AnalysisFolder(folder / "molecules")
    numbers = analysis.numbers("bonds.csv", "mean_D_eV", "reference_eV")
    return dict(zip(analysis.table("bonds.csv")["type"], zip(*numbers, strict=True), strict=True))


def line(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def print_tables(rows: Mapping[str, Path]) -> None:
    """Print both tables, of rows by their names."""
    print(line(HEADS), line(["--:"] * len(HEADS)), sep="\n")
    for name, folder in rows.items():
        print(line([name, *numbers_of(folder)]))
    types = [types_of(folder) for folder in rows.values()]
    heads = ["", *rows, "reference"]
    print("", line(heads), line(["---"] + ["--:"] * (len(heads) - 1)), sep="\n")
    for kind in TYPES:
        means = [table[kind][0] if kind in table else float("nan") for table in types]
        reference = next((-table[kind][1] for table in types if kind in table), float("nan"))
        print(line([kind, *(f"{value:.2f}".replace("-", "−") for value in (*means, reference))]))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    return do_with_rows(parser, argv, lambda _, rows: print_tables(rows))


if __name__ == "__main__":
    raise SystemExit(main())
