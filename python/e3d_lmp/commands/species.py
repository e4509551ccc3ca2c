"""``e3d species``: how many molecules of each formula a run has, from the species file of fix e3d/bonds."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from e3d_lmp.analysis.species import DEFAULT_SHOWN, SUMMARY, read_species, species_series, species_table
from e3d_lmp.errors import E3DError
from e3d_lmp.tables import format_table, write_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d species``."""
    parser.add_argument("file", metavar="FILE", help="species file of fix e3d/bonds (e3d-species/1)")
    parser.add_argument(
        "-o",
        "--output",
        nargs="+",
        default=[],
        metavar="OUT",
        help="files to write, by ending: .png, .pdf or .svg a picture of the commonest formulas against "
        "time; .csv or .json all formulas at every sample",
    )
    parser.add_argument(
        "-n",
        "--commonest",
        type=int,
        default=DEFAULT_SHOWN,
        metavar="N",
        help=f"formulas to show (default {DEFAULT_SHOWN})",
    )
    parser.add_argument(
        "--timestep",
        type=float,
        metavar="DT",
        help="time step of the run in ps (units metal), so that the picture shows time instead of steps",
    )


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d species`` was asked; returns the exit code."""
    from e3d_lmp.figures import PICTURES, plot_species, save_figure

    if args.commonest < 1:
        raise E3DError(f"-n {args.commonest}: expected a number of formulas from 1")
    if args.timestep is not None and not args.timestep > 0.0:
        raise E3DError(f"--timestep {args.timestep}: expected a positive number of ps")
    species = read_species(args.file)
    if species.is_cut_off:
        print("e3d: warning: the last line is cut off and left out", file=sys.stderr)
    print(f"{len(species.step)} samples, {len(species.formulas)} formulas")
    print(format_table(SUMMARY, species_table(species, args.commonest)))
    for path in args.output:
        if Path(path).suffix in PICTURES:
            save_figure(plot_species(species, args.commonest, args.timestep), path)
        else:
            about = {"format": "e3d-species-table/1", "species": args.file}
            write_table(about, "samples", *species_series(species), path)
        print(f"wrote {path}")
    return 0
