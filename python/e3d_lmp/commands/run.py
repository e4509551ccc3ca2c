"""``e3d run``: a LAMMPS input run from Python, its edge energies analysed while it runs."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from e3d_lmp.analysis.analysis_tables import AnalysisTables
from e3d_lmp.analysis.bonds.types import PERCEPTIONS, BondTyping
from e3d_lmp.analysis.edge_analysis import EdgeAnalysis
from e3d_lmp.analysis.events import event_columns, event_table, read_events
from e3d_lmp.analysis.species import DEFAULT_SHOWN, SUMMARY, read_species, species_table
from e3d_lmp.commands.arguments import add_analysis_arguments, add_bond_arguments, bond_options
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.frames import EdgeFrame
from e3d_lmp.edges.pairs import unpaired_remarks
from e3d_lmp.errors import EXIT_USER_ERROR, E3DError
from e3d_lmp.figures.of_folder import Drawn, draw_species, draw_tables
from e3d_lmp.mpi import raise_on_all_ranks
from e3d_lmp.runs.insitu import EVENTS_FILE, MAP_FILE, SPECIES_FILE, fix_commands
from e3d_lmp.runs.simulate import Simulation, import_lammps
from e3d_lmp.tables import format_table
from e3d_lmp.units import ev_per_unit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d run``."""
    parser.add_argument("input", metavar="INPUT", help="LAMMPS input with pair_style e3d")
    parser.add_argument(
        "-o", "--output", default="out", metavar="DIR", help="folder to write to (default out)"
    )
    parser.add_argument(
        "-v", "--var", nargs="+", action="append", default=[], metavar="NAME VALUE", help="as -v of lmp"
    )
    parser.add_argument(
        "--every", type=int, default=20, metavar="N", help="sample each N-th step (default 20)"
    )
    _add_fix_arguments(parser)
    parser.add_argument("--quiet", action="store_true", help="no LAMMPS output on the screen")
    add_analysis_arguments(parser, with_types=False)
    add_bond_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d run`` was asked, on every rank; returns the exit code."""
    _, communicator = import_lammps(None)
    output = Path(args.output)
    is_new = not output.exists()
    try:
        return _run_and_analyse(args, output, communicator)
    except E3DError:
        if is_new:
            with contextlib.suppress(OSError):
                output.rmdir()  # only where nothing is in it
        if communicator.Get_rank() != 0:  # the same on every rank; said once
            return EXIT_USER_ERROR
        raise


def _run_and_analyse(args: argparse.Namespace, output: Path, communicator: Any) -> int:
    with raise_on_all_ranks(communicator):
        orders, references, remarks = bond_options(args)
        for words in args.var:
            if len(words) < 2:
                raise E3DError(f"-v {words[0]}: expected a name and at least one value, e.g. -v steps 1000")
        cutoff = parse_cutoff(args.cutoff)
        about_bonds = (args.bonds, args.species, args.form, getattr(args, "break"))

        def fixes(units: str) -> list[str]:
            width = args.bin / ev_per_unit(units, f"'{args.input}'")
            return fix_commands(output, cutoff.name, args.map, width, args.pairs, *about_bonds)

        fixes("metal")  # a mistake in the words is said before LAMMPS starts
        if communicator.Get_rank() == 0 and (output / MAP_FILE).is_file():
            (output / MAP_FILE).unlink()  # that of an earlier run is not ours
    simulation = Simulation(
        args.input,
        {name: values for name, *values in args.var},
        every=args.every,
        cutoff=cutoff.name,
        before_run=fixes,
        log=output / "log.lammps",
        screen=not args.quiet,
        communicator=communicator,
    )
    analysis = None
    about = {"input": str(args.input), "every": str(args.every), "bond_orders": orders}

    def consume(frame: EdgeFrame) -> None:
        nonlocal analysis
        if analysis is None:
            analysis = EdgeAnalysis(
                simulation.elements,
                cutoff,
                args.bin,
                args.pairs,
                simulation.model_cutoffs,
                args.skip_unpaired,
                about | {"energy_unit": "eV"},
                BondTyping(PERCEPTIONS[orders]),
            )
        analysis.add(frame)

    with simulation:
        simulation.run(consume)
        if analysis is None:  # every rank but the first
            return simulation.exit_status
        tables = AnalysisTables(analysis, references, args.equal_size, cutoff.name == "model" or None)
        paths = tables.write(output)
        print(tables.text(), flush=True)
        drawn = draw_tables(tables, output, args.pdf)
        drawn += _report_fixes(output, args.map is not None, args.bonds is not None, args.species)
        paths += drawn.paths
        for text in remarks + drawn.remarks + unpaired_remarks(analysis.unpaired):
            print(f"e3d: warning: {text}", file=sys.stderr)
        print(tables.last_line(paths))
    return simulation.exit_status


def _report_fixes(output: Path, has_map: bool, has_bonds: bool, has_species: bool) -> Drawn:
    """Print what the fixes of `fix_commands` found; returns their files, and a picture of the species."""
    found = Drawn([output / MAP_FILE] if has_map and (output / MAP_FILE).exists() else [])
    if has_bonds:
        found.paths.append(output / EVENTS_FILE)
        events = read_events(output / EVENTS_FILE)
        print(f"{len(events)} bonds formed or broke")
        if len(events):
            print(format_table(event_columns(events.unit), event_table(events)))
    if has_species:
        found.paths.append(output / SPECIES_FILE)
        species = read_species(output / SPECIES_FILE)
        print(f"{len(species.formulas)} different molecules")
        print(format_table(SUMMARY, species_table(species, DEFAULT_SHOWN)))
        found += draw_species(species, output)
    return found


def _add_fix_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d run`` that ask for fixes."""
    parser.add_argument(
        "--map",
        type=int,
        nargs=3,
        metavar=("NEVERY", "NREPEAT", "NFREQ"),
        help="let fix e3d/map take NREPEAT samples NEVERY steps apart before each multiple of NFREQ, from "
        f"the first 'run' on, and then write the map of all of them, {MAP_FILE} (in the run's own unit: "
        "kcal/mol in units real)",
    )
    parser.add_argument(
        "--bonds",
        type=int,
        metavar="N",
        help="let fix e3d/bonds note each N-th step which bonds formed and broke by their energy, in "
        f"{EVENTS_FILE} (see e3d events)",
    )
    for name, what in (("form", "below which a bond forms"), ("break", "above which a bond breaks")):
        parser.add_argument(
            f"--{name}",
            nargs="+",
            action="append",
            default=[],
            metavar="D",
            help=f"with --bonds: energy {what}: a number for all pairs, or a pair and a number (may be "
            "repeated), or 'map FILE'; by default that of fix e3d/bonds",
        )
    parser.add_argument(
        "--species",
        action="store_true",
        help=f"with --bonds: count molecules by formula too, in {SPECIES_FILE} and species.png (see "
        "e3d species)",
    )
