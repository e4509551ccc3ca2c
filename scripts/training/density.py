"""The density of a liquid under a model, at constant pressure and temperature.

    python scripts/training/density.py MODEL -o OUT --liquid water [--picoseconds 100] [--settle 20]

The liquids are those of `liquids.LIQUIDS` (water: 64 molecules, ethanol: 27); MODEL is a .safetensors file of
the native engine. The box is packed, compressed at 400 K to the density by experiment, and then left to the
model at 300 K and 1 bar, in pieces of some picoseconds: each is whole on the disk or not there, and the same
command goes on with the next. In the end (and with ``--report`` at any time) the mean density without the
first picoseconds (``--settle``) and its standard error from five blocks are in OUT/density.json.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from label_commands import exit_code
from label_run import alone_in
from liquids import TIMESTEP, Liquid, compressed, head, liquid_of, run_lammps, steps_of

from e3d_lmp.errors import E3DError
from e3d_lmp.files import input_file, make_folder, read_json, sha256_of, write_json

HOT, TEMPERATURE = 400.0, 300.0  # K
COMPRESSION = 1.0  # ps
PRESSURE = 1.0  # bar
EVERY = 0.01  # ps, between densities
BLOCKS = 5


def piece_script(model: Path, liquid: Liquid, number: int, picoseconds: float, seed: int) -> str:
    """LAMMPS commands of a piece: piece 0 compresses, each other one goes on from the restart file of the one
    before; they write ``density.txt`` and ``restart``."""
    if number == 0:
        side = liquid.side(liquid.density())
        text = head(model, "read_data start.data") + compressed(side, HOT, COMPRESSION, seed)
        text += "unfix move\nunfix bath\nreset_timestep 0\n"
        return (
            f"{text}fix bath all nvt temp {TEMPERATURE} {TEMPERATURE} 0.05\nrun {steps_of(COMPRESSION)}\n"
            + ("unfix bath\nreset_timestep 0\nwrite_restart restart\n")
        )
    every = steps_of(EVERY)
    return head(model, f"read_restart ../piece-{number - 1:04d}/restart") + (
        f"fix bath all npt temp {TEMPERATURE} {TEMPERATURE} 0.1 iso {PRESSURE} {PRESSURE} 0.5\n"
        "variable density equal density\nvariable potential equal pe\n"
        f"fix means all ave/time 1 {every} {every} v_density v_potential c_thermo_temp c_thermo_press "
        "file density.txt\n"
        "thermo_style custom step temp pe press density\n"
        f"run {steps_of(picoseconds)}\nwrite_restart restart\n"
    )


def densities(out: Path) -> np.ndarray:
    """(n,) g/cm^3, every `EVERY` picoseconds, of all pieces that are whole."""
    pieces = sorted(out.glob("piece-[0-9]*/density.txt"))
    return np.concatenate([np.loadtxt(path, ndmin=2)[:, 1] for path in pieces] or [np.zeros(0)])


def block_error(values: np.ndarray) -> float:
    """Standard error of the mean from `BLOCKS` blocks."""
    means = np.array([block.mean() for block in np.array_split(values, BLOCKS)])
    return float(means.std(ddof=1) / np.sqrt(BLOCKS))


def report(out: Path, about: dict[str, Any], settle: float) -> None:
    """Print the density, and write it to ``density.json``.

    Raises
    ------
    E3DError
        The run is not longer than what is left out.
    """
    found = densities(out)
    kept = found[round(settle / EVERY) :]
    if len(kept) < BLOCKS:
        raise E3DError(
            f"expected more than the {settle:g} ps that are left out, got {len(found) * EVERY:g} ps; "
            "run longer, or give a shorter --settle"
        )
    mean, error = float(kept.mean()), block_error(kept)
    about |= {
        "picoseconds": round(len(found) * EVERY, 3),
        "settle_ps": settle,
        "density_g_cm3": mean,
        "standard_error_g_cm3": error,
        "last_block_g_cm3": float(np.array_split(kept, BLOCKS)[-1].mean()),
    }
    write_json(out / "density.json", about)
    print(
        f"{about['liquid']}: {mean:.4f} +- {error:.4f} g/cm^3 at {TEMPERATURE:g} K and {PRESSURE:g} bar "
        f"({about['picoseconds']:g} ps, the first {settle:g} left out); "
        f"by experiment {about['experiment_g_cm3']:.3f}"
    )


def run(model: Path, liquid: Liquid, out: Path, picoseconds: float, piece: float, seed: int) -> None:
    """Run the pieces that are missing."""
    for number in range(round(picoseconds / piece) + 1):
        folder = out / f"piece-{number:04d}"
        if folder.exists():
            continue
        begin = time.monotonic()
        partial = out / "partial"
        make_folder(partial)
        if number == 0:
            liquid.write_start(partial / "start.data", seed)
        run_lammps(partial, piece_script(model, liquid, number, piece, seed))
        os.replace(partial, folder)
        seconds = time.monotonic() - begin
        found = densities(out)
        now = (
            f", {len(found) * EVERY:g} ps, {found[-round(piece / EVERY) :].mean():.4f} g/cm^3"
            if number
            else ""
        )
        print(f"{folder}: {seconds:.0f} s{now}", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="folder, one for each liquid and model"
    )
    parser.add_argument("--liquid", default="water", help="of liquids.LIQUIDS (default water)")
    parser.add_argument("--picoseconds", type=float, default=100.0, help="in all (default 100)")
    parser.add_argument("--settle", type=float, default=20.0, help="left out of the mean, ps (default 20)")
    parser.add_argument("--piece", type=float, default=2.5, help="picoseconds of a piece (default 2.5)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="of what is there; nothing is run")
    args = parser.parse_args(argv)

    def measure() -> None:
        for name in ("picoseconds", "piece"):
            if not getattr(args, name) >= EVERY:
                raise E3DError(f"--{name} {getattr(args, name)}: expected {EVERY} ps or more")
        if not args.settle >= 0.0:
            raise E3DError(f"--settle {args.settle}: expected 0 ps or more")
        model, liquid = input_file(args.model, "a model file"), liquid_of(args.liquid)
        about = {
            "format": "e3d-density/1",
            "liquid": liquid.name,
            "composition": dict(liquid.composition),
            "model_sha256": sha256_of(model),
            "timestep_ps": TIMESTEP,
            "temperature_K": TEMPERATURE,
            "pressure_bar": PRESSURE,
            "experiment_g_cm3": liquid.density(),
        }
        make_folder(args.output)
        with alone_in(args.output):
            _same(args.output / "about.json", about | {"piece_ps": args.piece, "seed": args.seed})
            if not args.report:
                run(model, liquid, args.output, args.picoseconds, args.piece, args.seed)
            report(args.output, about, args.settle)

    return exit_code(measure)


def _same(path: Path, about: dict[str, Any]) -> None:
    """Raise if the folder was begun with something else; note it where it is new."""
    if not path.exists():
        write_json(path, about)
    elif (old := read_json(path)) != about:
        names = ", ".join(sorted(name for name in about if old.get(name) != about[name]))
        raise E3DError(f"'{path.parent}' was begun with another {names}; take another folder")


if __name__ == "__main__":
    raise SystemExit(main())
