"""Package a trained checkpoint without the paths of the machine that trained it.

    python -m e3d_lmp.training.ship RUN/last.ckpt OUT.nequip.zip

Paths of the run become relative to its folder. The package keeps one training frame as an example.
"""

from __future__ import annotations

import argparse
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

    Paths below the checkpoint's folder become relative to it.
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
        os.replace(built, out)


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
