"""Model card: a text with the measured numbers of a model put in.

    python -m e3d_lmp.training.card FACTS.json TEMPLATE.md OUT.md

FACTS.json is what e3d_lmp.training.ship wrote beside the package. In the template, ``$sets``, ``$errors`` and
``$bonds`` stand for tables; ``$frames``, ``$steps``, ``$epochs``, ``$energy``, ``$forces`` and ``$sha256``
for numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import string
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError


def card(facts: dict[str, Any], template: str) -> str:
    """The text of the card.

    Raises
    ------
    E3DError
        The facts hold no evaluation, or the template a word that is not known.
    """
    evaluation = facts["evaluation"]
    if evaluation is None:
        raise E3DError(
            "expected errors on held-out molecules in the facts, found none; "
            "run e3d_lmp.training.evaluate to RUN/test.json and e3d_lmp.training.ship again"
        )
    total = evaluation["subsets"]["all"]
    words = {
        "sets": _sets(facts["sets"]),
        "errors": _errors(evaluation["subsets"]),
        "bonds": _bonds(evaluation["bonds"]),
        "frames": f"{facts['sets']['train']['frames']:,}",
        "steps": f"{facts['training']['steps']:,}",
        "epochs": str(facts["training"]["epochs"]),
        "energy": f"{total['energy_mae']:.1f}",
        "forces": f"{total['forces_mae']:.0f}",
        "sha256": facts["model"]["sha256"],
    }
    try:
        return string.Template(template).substitute(words)
    except (KeyError, ValueError) as error:
        raise E3DError(
            f"expected the words {', '.join(words)} after $ in the template, got {error}"
        ) from error


def _sets(sets: dict[str, Any]) -> str:
    rows = ["| set | frames | molecules | frames by subset |", "|---|---|---|---|"]
    for part in ("train", "val", "test"):
        about = sets[part]
        subsets = ", ".join(f"{name} {count:,}" for name, count in about["subsets"].items())
        rows.append(f"| {part} | {about['frames']:,} | {about['molecules']:,} | {subsets} |")
    for name in sorted(name for name in sets if name.startswith("contacts_")):
        rows.append(
            f"| {name} | {sets[name]['frames']:,} | pairs | of molecules of the {sets[name]['part']} set |"
        )
    return "\n".join(rows)


def _errors(subsets: dict[str, Any]) -> str:
    rows = [
        "| held-out | frames | energy MAE | energy RMSE | force MAE | force RMSE |",
        "|---|---|---|---|---|---|",
        "| | | meV/atom | meV/atom | meV/Å | meV/Å |",
    ]
    for name, row in subsets.items():
        rows.append(
            f"| {name} | {row['frames']} | {row['energy_mae']:.1f} | {row['energy_rmse']:.1f} "
            f"| {row['forces_mae']:.0f} | {row['forces_rmse']:.0f} |"
        )
    return "\n".join(rows)


def _bonds(bonds: dict[str, Any]) -> str:
    rows = ["| pair | bonds | mean D (eV) | std D (eV) | mean \\|A\\| (eV) |", "|---|---|---|---|---|"]
    for label, row in bonds.items():
        rows.append(
            f"| {label} | {row['count']:,} | {row['mean_D']:.2f} | {row['std_D']:.2f} "
            f"| {row['mean_abs_A']:.2f} |"
        )
    return "\n".join(rows)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("facts", type=Path)
    parser.add_argument("template", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args(argv)
    text = card(json.loads(args.facts.read_text(encoding="utf-8")), args.template.read_text(encoding="utf-8"))
    temporary = args.out.with_name(args.out.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
