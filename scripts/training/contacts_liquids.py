"""Frames of liquids under a model, at densities around the real one, for `contacts_labels.py`.

    python scripts/training/contacts_liquids.py MODEL -o OUT [--liquids water ethanol ...]
    python scripts/training/contacts_labels.py cut LABELS OUT/*.extxyz

MODEL is a .safetensors file of the native engine. Each liquid (`liquids.LIQUIDS`) is packed, compressed hot,
and sampled at each of the densities, while it cools from the higher to the lower temperature. What a model
makes of a liquid need not be right: the labels are another's, and the next model samples again. Each liquid
is a file as soon as it is done; the same command goes on with those that are missing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import ase.io
from label_commands import exit_code
from label_run import alone_in
from liquids import (
    AMU_PER_CUBIC_ANGSTROM,
    LIQUIDS,
    Liquid,
    compressed,
    head,
    liquid_of,
    resized,
    run_lammps,
    steps_of,
)

from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, input_file, make_folder

DENSITIES = (0.9, 1.0, 1.1)
"""Of the liquid's density by experiment."""
DENSEST = 2.0
HOT, COOL = 400.0, 300.0  # K
COMPRESSION, SETTLING, CHANGE = 0.75, 0.5, 0.25  # ps: to the first density, there, and from one to the next


def script(
    model: Path, liquid: Liquid, densities: Sequence[float], picoseconds: float, every: float, seed: int
) -> str:
    """LAMMPS commands that read ``start.data`` and write ``frames.dump``.

    Parameters
    ----------
    densities : in turn, as shares of the liquid's density by experiment
    picoseconds, every : of each density, and between its frames
    """
    sides = [liquid.side(share * liquid.density()) for share in densities]
    text = head(model, "read_data start.data") + compressed(sides[0], HOT, COMPRESSION, seed)
    text += f"run {steps_of(SETTLING)}\n"
    period = steps_of(every)
    for number, side in enumerate(sides):
        hot = f"fix bath all langevin {HOT} {HOT} 0.05 {seed + number} zero yes\n"
        text += hot + resized(side, CHANGE) if number else ""
        text += (
            f"reset_timestep 1\nfix bath all langevin {HOT} {COOL} 0.05 {seed + number} zero yes\n"
            f"dump out all custom {period} frames.dump id element x y z\n"
            "dump_modify out append yes first no sort id element C H N O format float %.8g\n"
            f"run {steps_of(picoseconds)}\nundump out\n"
        )
    return text


def sample(
    model: Path,
    liquid: Liquid,
    path: Path,
    densities: Sequence[float],
    picoseconds: float,
    every: float,
    seed: int,
) -> int:
    """Run a liquid and write its frames as extended XYZ, whole; returns how many there are. Parameters as in
    `script`.

    Raises
    ------
    E3DError
        LAMMPS stopped.
    """
    with tempfile.TemporaryDirectory(prefix=f"{liquid.name}-") as name:
        folder = Path(name)
        liquid.write_start(folder / "start.data", seed)
        run_lammps(folder, script(model, liquid, densities, picoseconds, every, seed))
        frames = ase.io.read(folder / "frames.dump", index=":", format="lammps-dump-text")
    for number, frame in enumerate(frames):
        density = liquid.mass() * AMU_PER_CUBIC_ANGSTROM / frame.get_volume()
        frame.info = {"name": f"{liquid.name}/{number}", "density": round(density, 4)}
    with atomic_path(path) as partial:
        ase.io.write(partial, frames, format="extxyz", columns=["symbols", "positions"])
    return len(frames)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the frames")
    parser.add_argument("--liquids", nargs="+", default=list(LIQUIDS), help=", ".join(LIQUIDS))
    parser.add_argument(
        "--densities",
        type=float,
        nargs="+",
        default=DENSITIES,
        metavar="X",
        help="of the density by experiment (default 0.9 1.0 1.1); go as far as the model's own liquid does",
    )
    parser.add_argument("--picoseconds", type=float, default=1.0, help="of each density (default 1)")
    parser.add_argument("--every", type=float, default=0.2, help="picoseconds between frames (default 0.2)")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)

    def sample_all() -> None:
        if not 0.0 < args.every <= args.picoseconds:
            raise E3DError(f"--every {args.every}: expected a time above 0 and at most --picoseconds")
        if not all(0.0 < share <= DENSEST for share in args.densities):
            raise E3DError(
                f"--densities {' '.join(map(str, args.densities))}: expected numbers above 0, up to {DENSEST}"
            )
        model, liquids = input_file(args.model, "a model file"), [liquid_of(name) for name in args.liquids]
        make_folder(args.output)
        with alone_in(args.output):
            for liquid in liquids:
                path = args.output / f"{liquid.name}.extxyz"
                if path.exists():
                    print(f"{path} is there", flush=True)
                    continue
                begin = time.monotonic()
                count = sample(model, liquid, path, args.densities, args.picoseconds, args.every, args.seed)
                print(f"{path}: {count} frames, {time.monotonic() - begin:.0f} s", flush=True)

    return exit_code(sample_all)


if __name__ == "__main__":
    raise SystemExit(main())
