"""The tables of docs/reproduction.md, in Markdown, from rows of studies that are done.

    python scripts/training/scaling/tables.py OUT/rows/t32_n920_s1 920 OUT/rows/t32_n920_s2 "920, seed 2" ...

Each folder is followed by the words that stand for it. The first table has a line a row, the second a line a
bond type: mean D in eV, the average bond enthalpy last.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from e3d_lmp.files import read_json

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
    row = read_json(folder / "row.json")
    bonds = read_json(folder / "molecules" / "bonds.json")
    held_out, reactions = row["molecules"], row["reactions"]
    return [
        f"{1e3 * held_out['energy']['mae_eV_per_atom']:.1f}",
        f"{1e3 * held_out['force']['mae_eV_per_A']:.0f}",
        f"{reactions['reactions']['barrier']['mae_eV']:.2f}",
        f"{reactions['reactions']['reaction_energy']['mae_eV']:.2f}",
        f"{bonds['delta_bde']['enthalpies']:.2f}",
        f"{bonds['delta_bde']['level']:.2f}",
        f"{held_out['bonds']['sigma_within']:.2f}",
        f"{100.0 * (1.0 - bonds['sums']['bonded'] / bonds['sums']['edges']):.0f} %",
        *(f"{held_out['H_2D_nats'][pair]:.2f}" for pair in PAIRS),
    ]


def types_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Rows of ``bonds.csv`` by bond type."""
    with open(folder / "molecules" / "bonds.csv", newline="", encoding="utf-8") as file:
        return {row["type"]: row for row in csv.DictReader(file)}


def line(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def main(words: Sequence[str]) -> int:
    """Print both tables."""
    if not words or len(words) % 2:
        print("expected folders of rows, each with its name in the table; see --help", file=sys.stderr)
        return 2
    rows = [(Path(folder), name) for folder, name in zip(words[::2], words[1::2], strict=True)]
    print(line(HEADS), line(["--:"] * len(HEADS)), sep="\n")
    for folder, name in rows:
        print(line([name, *numbers_of(folder)]))
    types = [types_of(folder) for folder, _ in rows]
    heads = ["", *(name for _, name in rows), "reference"]
    print("", line(heads), line(["---"] + ["--:"] * (len(heads) - 1)), sep="\n")
    for kind in TYPES:
        reference = -float(types[0][kind]["reference_eV"])
        means = [float(table[kind]["mean_D_eV"]) for table in types]
        print(line([kind, *(f"{value:.2f}".replace("-", "−") for value in (*means, reference))]))
    return 0


if __name__ == "__main__":
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
        raise SystemExit(0)
    raise SystemExit(main(sys.argv[1:]))
