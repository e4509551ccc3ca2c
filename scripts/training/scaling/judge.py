"""A model that no study trained, judged as a row of one: what `tables.py` needs of it.

    python scripts/training/scaling/judge.py scaling.yaml MODEL FOLDER

FOLDER gets `molecules/`, `reactions/` and `row.json` without a training; the held-out molecules are written
beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rows import exit_code

from e3d_lmp.files import make_folder, write_json
from e3d_lmp.study.plan import read_plan
from e3d_lmp.study.row import FORMAT, judged


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="configuration of the study")
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args(argv)

    def judge() -> None:
        plan = read_plan(args.study)
        make_folder(args.folder)
        numbers = judged(plan, args.model.name, args.model, args.folder, args.folder.parent)
        write_json(args.folder / "row.json", {"format": FORMAT, "name": args.model.name, **numbers})

    return exit_code(judge)


if __name__ == "__main__":
    raise SystemExit(main())
