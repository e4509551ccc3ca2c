"""What a model was trained on, told from training to export in a small file beside the model.

A checkpoint or package says nothing about its targets, but the word ``cohesive`` rests on them: the training energies
must be E_coh = E_system - sum of E_atom. Our training therefore writes ``MODEL.provenance.json`` beside the model it
makes. The note is tied to the model by the sha256 of its content, so that a copied or edited model loses it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from e3d_lmp.errors import E3DError

FORMAT = "e3d-provenance/1"
TARGET_COHESIVE = "E_coh"
ENDING = ".provenance.json"


@dataclass(frozen=True)
class Provenance:
    """Facts about the training of one model file."""

    targets: str
    """``E_coh`` for energies relative to isolated atoms; anything else is not cohesive."""
    training_data: str
    """One line: data set, split, level of theory."""


def sha256_of(path: str | Path) -> str:
    """Hexadecimal sha256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def provenance_path(model: str | Path) -> Path:
    """Where the note of `model` lies."""
    return Path(f"{model}{ENDING}")


def write_provenance(model: str | Path, provenance: Provenance) -> Path:
    """Write the note of an existing model file, and return its path."""
    path = provenance_path(model)
    content = {
        "format": FORMAT,
        "sha256": sha256_of(model),
        "targets": provenance.targets,
        "training_data": " ".join(provenance.training_data.split()),
    }
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    temporary.replace(path)
    return path


def read_provenance(model: str | Path) -> Provenance | None:
    """The note of `model`; None without one, or where it belongs to other content.

    Raises
    ------
    E3DError
        The note is there but cannot be read.
    """
    path = provenance_path(model)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        if content["format"] != FORMAT:
            raise E3DError(f"'{path}': expected the format '{FORMAT}', got '{content['format']}'; delete the file")
        if content["sha256"] != sha256_of(model):
            return None
        return Provenance(targets=str(content["targets"]), training_data=str(content["training_data"]))
    except (ValueError, KeyError, TypeError) as error:
        raise E3DError(
            f"'{path}' is not a provenance note ({type(error).__name__}: {error}); delete the file"
        ) from None
