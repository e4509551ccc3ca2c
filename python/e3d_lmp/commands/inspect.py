"""``e3d inspect``: what a model file says about itself, and whether it still equals its source."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from e3d_lmp.model.contract import describe, read_metadata


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d inspect``."""
    parser.add_argument("file", type=Path, help="model file (.safetensors, .nequip.pt2 or .nequip.pth)")
    parser.add_argument("--json", action="store_true", help="print the stored strings as JSON")
    parser.add_argument(
        "--against",
        metavar="MODEL",
        type=Path,
        help="run the export gate again: compare the file with this nequip checkpoint or package",
    )


def run(args: argparse.Namespace) -> int:
    """``e3d inspect``: print the metadata of a file, and check the file against its source when asked to."""
    metadata = read_metadata(args.file)
    print(json.dumps(metadata.to_strings(), indent=2) if args.json else describe(metadata))
    if args.against is not None:
        from e3d_lmp.model.export import verify_file  # torch, which the metadata alone does not need

        report = verify_file(args.file, args.against)
        print(report.summary())
    return 0
