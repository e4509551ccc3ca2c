"""One row of a study: train, export, evaluate, analyse; each step goes on where it stopped.

Files in the folder of a row: ``inputs.json`` (what it is made from, written first), ``train/`` (the run),
``molecules/`` and ``reactions/`` (of e3d analyze), ``analysis.log``, and ``row.json`` (its numbers, written
last). A row that has its ``row.json`` is never computed again.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from e3d_lmp.atomic import atomic_path, make_folder
from e3d_lmp.cli import call
from e3d_lmp.errors import E3DError
from e3d_lmp.folders import AnalysisFolder
from e3d_lmp.study.plan import Plan, Row, TestSet
from e3d_lmp.training.paths import TRAINED
from e3d_lmp.training.run_config import differences

FORMAT = "e3d-scaling-row/1"
MODEL = "model"


def row_folder(study: Path, row: Row) -> Path:
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


def compute_row(plan: Plan, row: Row, study: Path, device: str, devices: int) -> dict[str, Any]:
    """Compute a row, or what is missing of it; returns its numbers.

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
    inputs = plan.inputs(row)
    _write(folder / "inputs.json", inputs)
    run = folder / "train"
    train(plan.training(row, run, device, devices), run, row.name)
    files = package_and_export(run, plan.data, MODEL)
    numbers: dict[str, Any] = {"format": FORMAT, "name": row.name, **asdict(row)}
    numbers["training"] = {**_read(run / TRAINED), "epochs": epochs(run, plan.data)}
    for name, one in plan.sets.items():
        print(f"{row.name}: evaluating {name}", file=sys.stderr, flush=True)
        _analyse(plan, one, name, files.model, folder, study)
        numbers[name] = _numbers(AnalysisFolder(folder / name))
    numbers["inputs"] = inputs
    _write(folder / "row.json", numbers)
    return numbers


def _analyse(plan: Plan, one: TestSet, name: str, model: Path, folder: Path, study: Path) -> None:
    """Edge energies of a set of structures, and their analysis; the edges are not kept."""
    out, store = folder / name, folder / f"{name}.h5"
    if (out / "done").exists():
        return
    evaluate, analyze = dict(one.evaluate), {**plan.analysis, **one.analyze}
    source = one.file
    if source is None:
        source = held_out(plan, study)
        analyze.setdefault("isolated_atoms", "none")  # they are cohesive energies
    with open(folder / "analysis.log", "a", encoding="utf-8") as log, contextlib.redirect_stdout(log):
        with contextlib.redirect_stderr(log):
            call("evaluate", [str(model), str(source), "-o", str(store), "--forces", *_words(evaluate)])
            call("analyze", [str(store), "-o", str(out), *_words(analyze)])
    (out / "done").touch()
    store.unlink()


def _words(options: dict[str, Any]) -> list[str]:
    """Options of a command from their names and values."""
    words = []
    for key, value in options.items():
        option = f"--{key.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value is not False and value is not None:
            # names of energies and levels may hold spaces
            one = [value] if key in ("energy", "isolated_atoms") else str(value).split()
            words += [option, *map(str, value if isinstance(value, list) else one)]
    return words


def held_out(plan: Plan, study: Path) -> Path:
    """The held-out set of the data as a file of structures with cohesive energies and forces."""
    path = study / f"heldout-{plan.data.sha256[:8]}.extxyz"
    if not path.exists():
        from e3d_lmp.study.held_out import write_held_out

        write_held_out(plan.data, path)
    return path


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
    return json.loads(json.dumps(numbers).replace("NaN", "null"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise E3DError(f"{path}: {error}; remove {path.parent} to compute it again") from None


def _write(path: Path, value: dict[str, Any]) -> None:
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
