"""Model card: a text with the measured numbers of a model put in.

The facts are those of `e3d_lmp.training.ship`. In the template, ``{{ sets }}``, ``{{ errors }}`` and
``{{ bonds }}`` stand for tables; `architecture`, `training_data` and `name` for text; `frames`, `steps`,
`epochs`, `batch`, `learning_rate`, `seed`, `energy`, `forces` and `sha256` for numbers; `start` says with
which weights the training began, where these are not random.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_text
from e3d_lmp.templates import fill

TEMPLATE = Path(__file__).parent / "card.md"
WORDS = (
    "sets", "errors", "bonds", "name", "architecture", "training_data", "frames", "steps", "epochs", "batch",
    "learning_rate", "seed", "start", "energy", "forces", "sha256",
)  # fmt: skip


def read_template(path: Path | None = None) -> str:
    """The text of a template, by default that of this package, of known words alone.

    Raises
    ------
    E3DError
        It cannot be read, or has a word that is not known.
    """
    path = path or TEMPLATE
    text = read_text(path, "the template of a model card")
    _filled(text, dict.fromkeys(WORDS, ""))
    return text


def _filled(template: str, words: dict[str, str]) -> str:
    old = [word for word in words if re.search(rf"\$\{{?{word}\b", template)]
    if old:
        raise E3DError(f"the template has ${old[0]}; write {{{{ {old[0]} }}}}, and $ for a dollar sign")
    try:
        return fill(template, words)
    except E3DError as error:
        raise E3DError(f"expected the words {', '.join(words)} as {{{{ word }}}}, got {error}") from None


def card(facts: dict[str, Any], template: str, package: str = "model.nequip.zip") -> str:
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
            "run 'e3d train' again, which evaluates the model at its end"
        )
    total, training = evaluation["subsets"]["all"], facts["training"]
    start = training.get("start_sha256")
    values = {
        "sets": _sets(facts["sets"]),
        "errors": _errors(evaluation["subsets"]),
        "bonds": _bonds(evaluation["bonds"]),
        "name": package.removesuffix(".nequip.zip"),
        "architecture": _architecture(facts["model"]["architecture"]),
        "training_data": training.get("training_data", "unknown"),
        "frames": f"{facts['sets']['train']['used']:,}",
        "steps": f"{training['steps']:,}",
        "epochs": f"{training['epochs']:g}",
        "batch": str(training["batch"]),
        "learning_rate": str(training["learning_rate"]),
        "seed": str(training["seed"]),
        "start": f", from the weights of the model with the sha256 `{start}`" if start else "",
        "energy": f"{total['energy_mae']:.1f}",
        "forces": _number(total["forces_mae"]),
        "sha256": facts["model"]["sha256"],
    }
    return _filled(template, {word: values[word] for word in WORDS})


def _architecture(model: dict[str, Any]) -> str:
    return (
        f"Allegro, elements {' '.join(model['type_names'])}, cutoff {model['r_max']} Å, "
        f"l_max {model['l_max']}, {model['num_layers']} layers, {model['num_tensor_features']} tensor and "
        f"{model['num_scalar_features']} scalar features, {model['model_dtype']}."
    )


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
            f"| {_number(row['forces_mae'])} | {_number(row['forces_rmse'])} |"
        )
    return "\n".join(rows)


def _number(value: float | None) -> str:
    """A whole number, or a dash where no held-out frame has forces."""
    return "–" if value is None else f"{value:.0f}"


def _bonds(bonds: dict[str, Any]) -> str:
    rows = ["| pair | bonds | mean D (eV) | std D (eV) | mean \\|A\\| (eV) |", "|---|---|---|---|---|"]
    for label, row in bonds.items():
        rows.append(
            f"| {label} | {row['count']:,} | {row['mean_D']:.2f} | {row['std_D']:.2f} "
            f"| {row['mean_abs_A']:.2f} |"
        )
    return "\n".join(rows)
