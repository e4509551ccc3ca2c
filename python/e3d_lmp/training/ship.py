"""Package a trained checkpoint without the paths of the machine that trained it, with its facts beside it.

    python -m e3d_lmp.training.ship RUN/last.ckpt OUT.nequip.zip

Paths of the run become relative to its folder. The package keeps one training frame as an example. OUT.json
holds what the model card tells: the sets, the training and, if RUN/test.json is there, the errors on held-out
molecules.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import torch

from e3d_lmp.training.provenance import training_provenance


def without_prefix(value: Any, prefix: str) -> Any:
    """`value` with `prefix` replaced by '.' in every string of nested lists and dictionaries."""
    if isinstance(value, str):
        return value.replace(prefix, ".")
    if isinstance(value, dict):
        return {key: without_prefix(item, prefix) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(without_prefix(item, prefix) for item in value)
    return value


def package(checkpoint_path: Path, out: Path) -> None:
    """Write `out` with nequip-package (EMA weights, eager model only) from a checkpoint of our training.

    Paths below the checkpoint's folder become relative to it; the folder holds data/manifest.json.
    """
    from nequip.scripts.package import main as nequip_package

    folder = checkpoint_path.resolve().parent
    checkpoint = torch.load(checkpoint_path, map_location="cpu", weights_only=False)
    checkpoint["hyper_parameters"] = without_prefix(checkpoint["hyper_parameters"], str(folder))
    out = out.resolve()
    before = Path.cwd()
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        clean = Path(scratch) / "clean.ckpt"
        torch.save(checkpoint, clean)
        built = Path(scratch) / "model.nequip.zip"
        os.chdir(folder)
        try:
            nequip_package(["build", str(clean), str(built)])
        finally:
            os.chdir(before)
        facts = _facts(checkpoint, folder, built)
        os.replace(built, out)
        text = Path(scratch) / "facts.json"
        text.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        os.replace(text, out.with_name(out.name.removesuffix(".nequip.zip") + ".json"))


def _facts(checkpoint: dict[str, Any], folder: Path, built: Path) -> dict[str, Any]:
    """What is known of the model: its file, its training, its sets, its errors."""
    manifest = json.loads((folder / "data/manifest.json").read_text(encoding="utf-8"))
    sets = {
        part: {key: value for key, value in about.items() if key != "entries"}
        for part, about in manifest["sets"].items()
    }
    for path in sorted((folder / "data").glob("contacts_*.json")):
        sets[path.stem] = json.loads(path.read_text(encoding="utf-8"))
    evaluation = folder / "test.json"
    return {
        "format": "e3d-model-facts/1",
        "model": {"sha256": hashlib.sha256(built.read_bytes()).hexdigest(), "bytes": built.stat().st_size},
        "training": training_provenance(built)
        | {"steps": checkpoint["global_step"], "epochs": checkpoint["epoch"] + 1},
        "recipe": manifest["recipe"],
        "source": manifest["source"],
        "sets": sets,
        "evaluation": json.loads(evaluation.read_text(encoding="utf-8")) if evaluation.exists() else None,
    }


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path, help="must end in .nequip.zip")
    args = parser.parse_args(argv)
    package(args.checkpoint, args.out)
    print(f"{args.out}: {args.out.stat().st_size} bytes, provenance {training_provenance(args.out)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
