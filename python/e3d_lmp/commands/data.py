"""``e3d data``: training data for `e3d train`."""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.extras import require_train

MANY = 6
"""Elements that are left out are listed one by one up to this number."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d data``."""
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True)
    prepare = tasks.add_parser("prepare", help="make train, val and test sets from files in public layouts")
    prepare.add_argument("recipe", type=Path, metavar="RECIPE.yaml", help="which frames of which files")
    prepare.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER", help="folder to write to"
    )
    prepare.add_argument(
        "--source",
        nargs="+",
        default=[],
        metavar="[NAME=]FILE",
        help="files in place of those of the recipe, by name or in its order",
    )
    prepare.set_defaults(act=_prepare)
    contacts = tasks.add_parser(
        "contacts",
        help="add pairs of molecules in close contact",
        description="Turn random pairs of frames of FOLDER/PART.lmdb, bring them to a random closest "
        "contact, and write FOLDER/contacts_PART.lmdb. The molecules keep their own labels; GFN2-xTB (needs: "
        "pip install tblite) or AIMNet2 gives the interaction.",
    )
    contacts.add_argument("folder", type=Path, metavar="FOLDER", help="folder of 'e3d data prepare'")
    contacts.add_argument("--part", default="train", choices=("train", "val", "test"), help="default train")
    contacts.add_argument("--count", type=int, default=4000, metavar="N", help="pairs (default 4000)")
    contacts.add_argument(
        "--minutes", type=float, default=60.0, metavar="M", help="stop after so long (default 60)"
    )
    contacts.add_argument(
        "--max-atoms", type=int, default=14, metavar="N", help="of one molecule (default 14)"
    )
    contacts.add_argument("--closest", type=float, default=0.38, metavar="X", help="closest contact, in sums "
                          "of van der Waals radii (default 0.38)")  # fmt: skip
    contacts.add_argument(
        "--aimnet2", type=Path, metavar="FILE", help="TorchScript file of AIMNet2, in place of GFN2-xTB"
    )
    contacts.add_argument("--seed", type=int, default=1, help="of the random pairs (default 1)")
    contacts.set_defaults(act=_contacts)


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d data`` was asked; returns the exit code."""
    return args.act(args)


def _contacts(args: argparse.Namespace) -> int:
    """Write the pairs and print what is known of them."""
    import torch

    from e3d_lmp.training.data.aimnet2 import AIMNet2
    from e3d_lmp.training.data.contacts import make_contacts, xtb_energy

    torch.set_num_threads(1)
    if not args.aimnet2 and find_spec("tblite") is None:
        raise E3DError(
            'tblite is not installed; type: pip install "e3d-lmp[contacts]", or give --aimnet2 FILE'
        )
    energy_of, name = (AIMNet2(args.aimnet2), "AIMNet2") if args.aimnet2 else (xtb_energy, "GFN2-xTB")
    facts = make_contacts(
        args.folder,
        args.part,
        args.count,
        args.seed,
        args.minutes,
        args.max_atoms,
        args.closest,
        energy_of,
        name,
    )
    print(json.dumps(facts))
    return 0


def _prepare(args: argparse.Namespace) -> int:
    """Write the sets and print what they are."""
    require_train("'e3d data prepare' needs the extra 'train'")
    from e3d_lmp.training.data.prepare import prepare
    from e3d_lmp.training.data.recipe import read_recipe

    manifest = prepare(read_recipe(args.recipe, args.source), args.output)
    print("\n".join(_summary(manifest)))
    return 0


def _summary(manifest: dict[str, Any]) -> list[str]:
    lines = []
    for source in manifest["source"]:
        lines.append(
            f"{source['name']}: {source['frames']} frames of {source['molecules']} molecules, "
            f"{source['level']}"
        )
        if source["elements_without_isolated_atom"]:
            lines.append(
                f"    no isolated atom, left out: {' '.join(source['elements_without_isolated_atom'])}"
            )
        if source["charge_unknown_taken_as_neutral"]:
            lines.append(
                f"    charge unknown, taken as 0: {source['charge_unknown_taken_as_neutral']} molecules"
            )
        lines.extend(_dropped(source["dropped"]))
    lines.extend(_dropped(manifest["dropped"]))
    lines.extend(
        f"    not divided by frames, because other subsets have them too: {count} molecules of {subset}"
        for subset, count in manifest["kept_whole_in_spite_of_it"].items()
    )
    if manifest["alignment"]:
        for level, fit in manifest["alignment"]["levels"].items():
            lines.append(
                f"{level} -> {manifest['alignment']['to']}: factor {fit['factor']:.6f} ({fit['method']}, "
                f"{fit['structures']} structures)"
            )
    without = sum(about["periodic_frames_without_stress"] for about in manifest["sets"].values())
    if without:
        lines.append(f"without a stress or virial: {without} periodic frames")
    for part, about in manifest["sets"].items():
        lines.append(
            f"{part}: {about['frames']} frames, {about['molecules']} molecules, {about['edges']} edges"
        )
        lines.extend(
            f"    {count:6d}  {subset or '(no subset)'}" for subset, count in about["subsets"].items()
        )
    lines.append(f"avg_num_neighbors: {manifest['avg_num_neighbors']}")
    return lines


def _dropped(dropped: dict[str, dict[str, int]]) -> list[str]:
    lines: list[str] = []
    for kind, counts in dropped.items():
        elements = {reason: count for reason, count in counts.items() if reason.startswith("element ")}
        if len(elements) > MANY:
            counts = {reason: count for reason, count in counts.items() if reason not in elements}
            counts[f"one other element ({len(elements)} of them)"] = sum(elements.values())
        lines.extend(f"    left out {count} {kind}: {reason}" for reason, count in counts.items())
    return lines
