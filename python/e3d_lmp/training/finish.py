"""What comes after training: package, export gate, errors on the held-out set, model card.

Each file is written whole, and what is there is kept, so that an interrupted end goes on where it stopped.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e3d_lmp.files import read_json, read_object, write_json, write_text
from e3d_lmp.training.run_config import PreparedData


@dataclass(frozen=True)
class ModelFiles:
    """Files of a trained model.

    Attributes
    ----------
    package   nequip package, source of every export
    model     model file that has passed the export gate: of the native engine, or, where that cannot express
              the model, of torch
    facts     json
    card      text
    """

    package: Path
    model: Path
    facts: Path
    card: Path


def model_files(run: Path, name: str) -> ModelFiles:
    """Where the files of a run's model are."""
    model, of_torch = run / f"{name}.safetensors", run / f"{name}.nequip.pth"
    if of_torch.exists() and not model.exists():
        model = of_torch
    return ModelFiles(run / f"{name}.nequip.zip", model, run / f"{name}.json", run / f"{name}.md")


def package_and_export(run: Path, data: PreparedData, name: str) -> ModelFiles:
    """Package the checkpoint of a finished run and pass the package through the export gate.

    A model that the native engine cannot express becomes a file of torch, which is said.

    Raises
    ------
    E3DError
        The gate refuses the model.
    """
    from e3d_lmp.model.export import export_model
    from e3d_lmp.model.weights import NotExpressible
    from e3d_lmp.training.ship import package

    files = model_files(run, name)
    logging.disable(logging.INFO)  # nequip tells every step of it
    try:
        if not files.package.exists():
            package(run, data, files.package)
        if not files.model.exists():
            try:
                export_model(files.package, files.model)
            except NotExpressible as error:
                of_torch = run / f"{name}.nequip.pth"
                print(f"e3d: warning: {error.what}; writing {of_torch}, which torch runs", file=sys.stderr)
                export_model(files.package, of_torch)
    finally:
        logging.disable(logging.NOTSET)
    return model_files(run, name)


def evaluate_and_describe(run: Path, data: PreparedData, files: ModelFiles, template: str) -> dict[str, Any]:
    """Errors on the held-out set (``RUN/test.json``), facts and card, of `card.read_template`; returns the
    errors."""
    from e3d_lmp.training.card import card
    from e3d_lmp.training.ship import write_facts

    evaluation = _evaluation(run / "test.json", data, files.model)
    write_facts(run, data, files.package, evaluation, files.facts)
    filled = card(read_json(files.facts), template, files.package.name)
    write_text(files.card, filled)
    return evaluation


def _evaluation(path: Path, data: PreparedData, model: Path) -> dict[str, Any]:
    """The evaluation in a file, made anew where the held-out sets have changed since it was written."""
    from e3d_lmp.training.held_out_errors import evaluate, evaluated_sets

    known = read_object(path, "held-out errors", "remove it") if path.exists() else {}
    if known.get("of") != evaluated_sets(data.folder):
        known = evaluate(model, data.folder)
        write_json(path, known)
    return known
