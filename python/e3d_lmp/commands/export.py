"""``e3d export``: from a nequip checkpoint or package to a model file that LAMMPS can trust."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from e3d_lmp.model.contract import DTYPES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d export``."""
    parser.add_argument(
        "model",
        type=Path,
        help="nequip checkpoint (.ckpt) or package (.nequip.zip); both run code when they are opened: "
        "take them only from people you trust",
    )
    parser.add_argument(
        "output",
        type=Path,
        help="OUT.safetensors (native engine, needs no torch), OUT.nequip.pt2 (compiled by torch) or "
        "OUT.nequip.pth (torch, portable)",
    )
    parser.add_argument(
        "--device", default="cpu", choices=["cpu", "cuda", "xpu"], help="where a .pt2 will run"
    )
    parser.add_argument(
        "--dtype", choices=DTYPES, help="arithmetic inside the network (default: the source's)"
    )
    parser.add_argument("--cohesive", action="store_true", help="vouch that the training energies were E_coh")
    parser.add_argument(
        "--no-contraction", action="store_true", help="keep the stock tensor product (slower)"
    )
    parser.add_argument(
        "--no-operators",
        action="store_true",
        help="contract by a graph and not by this package's own operators (slower; .pt2 for a CPU)",
    )
    parser.add_argument("--elements", nargs="+", metavar="EL", help="element of each model type, in order")
    parser.add_argument("--training-data", metavar="NOTE", help="one line for the metadata")


def run(args: argparse.Namespace) -> int:
    """``e3d export``: write the model file and print what the gate found."""
    from e3d_lmp.model.export import export_model  # torch and nequip, which the help does not need

    logging.getLogger("nequip").setLevel(logging.WARNING)
    result = export_model(
        args.model,
        args.output,
        device=args.device,
        dtype=args.dtype,
        cohesive=args.cohesive,
        contraction=not args.no_contraction,
        operators=not args.no_operators,
        elements=args.elements,
        training_data=args.training_data,
    )
    for report in result.reports:
        print(report.summary())
    for note in result.notes:
        print(f"note: {note}")
    size = result.path.stat().st_size / 1e6
    print(f"wrote {result.path} ({size:.2g} MB, {result.metadata.engine}, {result.metadata.decomposition})")
    return 0
