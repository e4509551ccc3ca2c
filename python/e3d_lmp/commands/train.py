"""``e3d train``: a model under the E3D protocol, from prepared data to a file that LAMMPS can use."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.extras import require_train

DEFAULT_NAME = "model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d train``."""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        help="tensor32, tensor64, tensor128, or a nequip-train configuration of your own (.yaml)",
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of 'e3d data prepare'")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RUN", help="folder of the run")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--steps", type=int, metavar="S", help="budget: number of steps")
    budget.add_argument("--minutes", type=float, metavar="M", help="budget: minutes of wall-clock time")
    parser.add_argument(
        "--frames", type=int, metavar="N", help="train with the first N frames (default: all)"
    )
    parser.add_argument(
        "--contacts", action="store_true", default=None, help="add the pairs of DATA/contacts_train.lmdb"
    )
    parser.add_argument(
        "--start",
        type=Path,
        metavar="MODEL",
        help="begin with the weights of this package (.nequip.zip) or checkpoint of the same architecture",
    )
    add_training_arguments(parser)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default: cpu, one thread "
                        "unless OMP_NUM_THREADS says more")  # fmt: skip
    parser.add_argument("--devices", type=int, default=1, metavar="K", help="GPUs (default 1)")
    parser.add_argument("--name", default=DEFAULT_NAME, help=f"of the model's files (default {DEFAULT_NAME})")
    parser.add_argument(
        "--card", type=Path, metavar="TEMPLATE", help="text of the model card, with {{ words }}"
    )
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="KEY=VALUE", help="other keys of the configuration"
    )


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that stand for keys of the configuration."""
    parser.add_argument("--batch", type=int, metavar="B", help="frames in a batch (and device)")
    parser.add_argument("--learning-rate", type=float, metavar="R", help="highest rate of the schedule")
    parser.add_argument("--seed", type=int, help="of weights and order of frames")
    parser.add_argument("--tensor", type=int, metavar="T", help="tensor features; scalars are twice as many")
    parser.add_argument("--compile", action="store_true", default=None, help="train with torch.compile")


def run(args: argparse.Namespace) -> int:
    """Train, or go on; then package, export, evaluate and describe."""
    require_train("'e3d train' needs the extra 'train'")
    from e3d_lmp.training.card import read_template
    from e3d_lmp.training.finish import evaluate_and_describe, package_and_export
    from e3d_lmp.training.paths import CHECKPOINT
    from e3d_lmp.training.run import Interrupted, has_checkpoint, train
    from e3d_lmp.training.run_config import Options, compose, read_data

    if not args.name or "/" in args.name:
        raise E3DError(f"--name {args.name}: expected a file name without an ending")
    template = read_template(args.card)
    data = read_data(args.data)
    options = Options(
        frames=args.frames,
        contacts=args.contacts,
        start=args.start,
        steps=args.steps,
        minutes=args.minutes,
        values={key: getattr(args, key) for key in ("batch", "learning_rate", "seed", "tensor", "compile")},
        overrides=args.set,
        device=args.device,
        devices=args.devices,
    )
    folder = args.output
    config = compose(args.config, data, folder, options)
    try:
        train(config, folder)
    except Interrupted as stop:
        after = f"goes on from {folder}/{CHECKPOINT}" if has_checkpoint(folder) else "begins anew"
        print(f"e3d: stopped; the same command {after}", file=sys.stderr)
        return stop.exit_code
    print("trained; packaging, exporting, evaluating", file=sys.stderr)
    files = package_and_export(folder, data, args.name)
    evaluation = evaluate_and_describe(folder, data, files, template)
    print(errors_text(evaluation))
    print(f"wrote {files.package}, {files.model}, {files.facts}, {files.card}")
    return 0


def errors_text(evaluation: dict[str, Any]) -> str:
    """The errors on all held-out molecules in a line."""
    whole = evaluation["subsets"]["all"]
    force = whole["forces_mae"]
    return f"{whole['frames']} held-out structures: energy MAE {whole['energy_mae']:.2f} meV/atom, " + (
        "no forces to compare" if force is None else f"force MAE {force:.1f} meV/angstrom"
    )
