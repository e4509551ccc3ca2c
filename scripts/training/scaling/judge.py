"""A model that no study trained, judged as a row of one: what `tables.py` needs of it.

    python scripts/training/scaling/judge.py scaling.yaml MODEL FOLDER

FOLDER gets `molecules/`, `reactions/` and `row.json` without a training; the held-out molecules are written
beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from e3d_lmp.analysis.folders import AnalysisFolder
from e3d_lmp.files import make_folder, write_json
from e3d_lmp.study.evaluation import evaluate_test_set
from e3d_lmp.study.plan import read_plan
from e3d_lmp.study.row import FORMAT, numbers_of


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="configuration of the study")
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    plan = read_plan(args.study)
    make_folder(args.folder)
    for name in plan.sets:
        evaluate_test_set(plan, name, args.model, args.folder, args.folder.parent)
    numbers = {name: numbers_of(AnalysisFolder(args.folder / name)) for name in plan.sets}
    write_json(args.folder / "row.json", {"format": FORMAT, "name": args.model.name, **numbers})


if __name__ == "__main__":
    main()
