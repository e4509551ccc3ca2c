"""Package a trained checkpoint without the paths of the machine that trained it, with its facts.

Paths of the run and of its data become relative. The package keeps one training frame as an example.
"""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from e3d_lmp.files import read_object, read_yaml, sha256_of, write_json
from e3d_lmp.model.provenance import training_provenance
from e3d_lmp.training.data.recipe import with_short_names
from e3d_lmp.training.paths import CHECKPOINT, TRAINED, with_names
from e3d_lmp.training.run_config import PreparedData

FORMAT = "e3d-model-facts/1"


def package(run: Path, data: PreparedData, out: Path) -> None:
    """Write `out` with nequip-package (EMA weights, eager model only) from the checkpoint of a run."""
    from nequip.scripts.package import main as nequip_package

    checkpoint = torch.load(run / CHECKPOINT, map_location="cpu", weights_only=False)
    names = {str(run.resolve()): ".", str(data.folder): "./data"}
    checkpoint["hyper_parameters"] = with_names(checkpoint["hyper_parameters"], names)
    out = out.resolve()
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        folder = Path(scratch)
        torch.save(checkpoint, folder / "clean.ckpt")
        (folder / "data").symlink_to(data.folder)
        with _working_in(folder):
            nequip_package(["build", "clean.ckpt", "model.nequip.zip"])
        # Data sets of nequip-package hold their LMDB files open until they are collected, and LMDB refuses to
        # open a file twice in a process: the next training on these data would end there.
        gc.collect()
        os.replace(folder / "model.nequip.zip", out)


def write_facts(run: Path, data: PreparedData, packaged: Path, evaluation: dict[str, Any], out: Path) -> None:
    """Write what the model card tells: the file, its training, its sets, its errors."""
    facts = model_facts(run, data, packaged, evaluation)
    write_json(out, facts)


def model_facts(run: Path, data: PreparedData, packaged: Path, evaluation: dict[str, Any]) -> dict[str, Any]:
    """The facts of a model: file, training, sets, errors on held-out molecules."""
    config = read_yaml(run / "config.yaml", "the configuration of a training run")
    trained = _trained(run)
    manifest = data.manifest
    sets = {
        part: {key: value for key, value in about.items() if key != "entries"}
        for part, about in manifest["sets"].items()
    }
    for path in sorted(data.folder.glob("contacts_*.json")):
        if config.get("contacts") or path.stem != "contacts_train":
            sets[path.stem] = read_object(path, "facts of contacts", "make them again", ("frames", "part"))
    sets["train"]["used"] = config.get("frames") or data.frames
    return {
        "format": FORMAT,
        "model": {
            "sha256": sha256_of(packaged),
            "bytes": packaged.stat().st_size,
            "architecture": {
                key: value
                for key, value in config["training_module"]["model"].items()
                if key not in ("compile_mode",)
            },
        },
        "training": {
            **training_provenance(packaged),
            **trained,
            "batch": _batch(config),
            "epochs": round(epochs(run, data), 2),
            "seed": config.get("seed"),
            "learning_rate": config.get("learning_rate"),
            "start_sha256": (config.get("start") or {}).get("sha256"),
            "data_sha256": data.sha256,
        },
        "recipe": with_short_names(manifest["recipe"]),
        "source": manifest.get("source"),
        "isolated_atoms": manifest.get("isolated_atoms"),
        "alignment": manifest.get("alignment"),
        "sets": sets,
        "evaluation": evaluation,
    }


def epochs(run: Path, data: PreparedData) -> float:
    """How often a finished run has seen each of its frames, contacts among them."""
    config = read_yaml(run / "config.yaml", "the configuration of a training run")
    trained = _trained(run)
    frames = config.get("frames") or data.frames
    if config.get("contacts"):
        contacts = data.folder / "contacts_train.json"
        frames += read_object(contacts, "facts of contacts", "make them again", ("frames",))["frames"]
    return trained["steps"] * _batch(config) / frames


def _trained(run: Path) -> dict[str, Any]:
    """What the training said of itself at its end."""
    return read_object(run / TRAINED, "end of a training", "train again, in another folder", ("steps",))


def _batch(config: dict[str, Any]) -> int:
    """Frames of a step, of all devices."""
    return int(config["data"]["train_dataloader"]["batch_size"]) * int(config["trainer"]["devices"])


@contextlib.contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
