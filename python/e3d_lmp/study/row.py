"""One row of a study: train, export, evaluate, analyse; each step goes on where it stopped.

Files in the folder of a row: ``inputs.json`` (what it is made from, written first), ``train/`` (the run),
``molecules/`` and ``reactions/`` (of e3d analyze), ``analysis.log``, and ``row.json`` (its numbers, written
last). A row that has its ``row.json`` is never computed again.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from e3d_lmp.analysis.folders import AnalysisFolder
from e3d_lmp.files import make_folder, read_object, write_json
from e3d_lmp.study.plan import Plan, Row
from e3d_lmp.tables import without_nan
from e3d_lmp.training.paths import TRAINED
from e3d_lmp.training.run_config import PreparedData, differences

if TYPE_CHECKING:
    from e3d_lmp.training.finish import ModelFiles

FORMAT = "e3d-scaling-row/1"
MODEL = "model"


class Named(Protocol):
    """A row of any study."""

    @property
    def name(self) -> str:
        """Name of its folder."""


def row_folder(study: Path, row: Named) -> Path:
    """Where a row is computed."""
    return study / "rows" / row.name


def changed_inputs(folder: Path, inputs: dict[str, Any]) -> list[str]:
    """Where the inputs of a row that is begun or done differ from those of the plan."""
    path = folder / "inputs.json"
    if not path.exists():
        return []
    return differences(_read(path), json.loads(json.dumps(inputs)))


def clear(folder: Path, changed: list[str]) -> None:
    """Remove what was made from other inputs: all, or only the analysis where the training is the same."""
    (folder / "row.json").unlink(missing_ok=True)
    names = {text.split(".", 1)[0].split(":", 1)[0] for text in changed}
    for path in list(folder.iterdir()):
        if path.name == "train" and "training" not in names:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        elif not path.name.startswith(".lock"):
            path.unlink()


def read_row(folder: Path) -> dict[str, Any] | None:
    """The numbers of a row, or None if it is not done."""
    path = folder / "row.json"
    return _read(path) if path.exists() else None


class Planned(Protocol):
    """What rows need of the plan of any study: names of rows, their inputs and trainings."""

    @property
    def rows(self) -> Sequence[Any]:
        """`Named` ones, in the order in which they are computed."""

    def inputs(self, row: Any) -> dict[str, Any]:
        """All that the numbers of a row depend on; what only its training does under ``training``."""

    def training(self, row: Any, folder: Path, device: str, devices: int) -> dict[str, Any]:
        """The resolved training configuration of a row in a folder."""


def done_rows(plan: Planned, study: Path) -> tuple[dict[Any, dict[str, Any]], list[str]]:
    """The numbers of the rows that are done, and the names of those that are done from other inputs."""
    done, stale = {}, []
    for row in plan.rows:
        folder = row_folder(study, row)
        numbers = read_row(folder)
        if numbers is None:
            continue
        if changed_inputs(folder, plan.inputs(row)):
            stale.append(row.name)
        else:
            done[row] = numbers
    return done, stale


def trained(
    plan: Planned, row: Named, study: Path, data: PreparedData, device: str, devices: int
) -> tuple[ModelFiles, dict[str, Any]]:
    """Train the model of a row, or what is missing of it; returns its files, and the numbers to begin
    ``row.json`` with.

    Raises
    ------
    E3DError
        A step failed.
    Interrupted
        The training was stopped.
    """
    from e3d_lmp.training.finish import package_and_export
    from e3d_lmp.training.run import train
    from e3d_lmp.training.ship import epochs

    folder = row_folder(study, row)
    make_folder(folder)
    write_json(folder / "inputs.json", plan.inputs(row))
    run = folder / "train"
    train(plan.training(row, run, device, devices), run, row.name)
    files = package_and_export(run, data, MODEL)
    return files, {"name": row.name, "training": {**_read(run / TRAINED), "epochs": epochs(run, data)}}


def compute_row(plan: Plan, row: Row, study: Path, device: str, devices: int) -> dict[str, Any]:
    """Compute a row, or what is missing of it; returns its numbers. Raises as `trained` does, or before that
    where the structures to judge by cannot be used."""
    from e3d_lmp.study.evaluation import check_test_set

    for name in plan.sets:
        check_test_set(plan, name)
    files, begun = trained(plan, row, study, plan.data, device, devices)
    folder = row_folder(study, row)
    numbers: dict[str, Any] = {"format": FORMAT, **begun, **asdict(row)}
    numbers |= judged(plan, row.name, files.model, folder, study)
    numbers["inputs"] = plan.inputs(row)
    write_json(folder / "row.json", numbers)
    return numbers


def judged(plan: Plan, called: str, model: Path, folder: Path, study: Path) -> dict[str, Any]:
    """What the structures of each set of a plan say of a model, by its name; their analyses go to
    the folder, what all models need to that of the study. Raises as `evaluate_test_set` does."""
    from e3d_lmp.study.evaluation import evaluate_test_set

    numbers = {}
    for name in plan.sets:
        print(f"{called}: evaluating {name}", file=sys.stderr, flush=True)
        evaluate_test_set(plan, name, model, folder, study)
        numbers[name] = _numbers(AnalysisFolder(folder / name))
    return numbers


def _numbers(folder: AnalysisFolder) -> dict[str, Any]:
    """What the table takes from the analysis of a set."""
    errors = folder.errors()
    bonds = asdict(folder.bonds().error) if folder.has("bonds.json") else None
    pairs = folder.table("pairs.csv")
    labels, counts = pairs["pair"], [int(cell) for cell in pairs["count"]]
    numbers = {
        "energy": errors["energy"],
        "force": errors["force"],
        "reactions": errors["reactions"],
        "bonds": bonds,
        "pairs": dict(zip(labels, counts, strict=True)),
        "H_2D_nats": dict(zip(labels, map(float, pairs["H_2D_nats"]), strict=True)),
        "mean_D_eV": dict(zip(labels, map(float, pairs["mean_D_eV"]), strict=True)),
    }
    if folder.has("roles.csv"):
        numbers["roles"] = folder.table("roles.csv")
    return without_nan(numbers)


def _read(path: Path) -> dict[str, Any]:
    return read_object(path, "row of a study", f"remove {path.parent} to compute it again")
