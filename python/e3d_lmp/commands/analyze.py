"""``e3d analyze``: from directed edge energies to tables, D-A maps and their figures.

Under an MPI launcher each rank takes its share of the frames, and rank 0 merges, writes and prints.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from e3d_lmp.analysis.analyse import AnalysisOptions, analyse
from e3d_lmp.analysis.analysis_tables import AnalysisTables
from e3d_lmp.analysis.folders import left_from_before
from e3d_lmp.analysis.map_analysis import MapAnalysis, is_map
from e3d_lmp.analysis.novelty import ReferenceMap
from e3d_lmp.commands.arguments import (
    add_analysis_arguments,
    add_bond_arguments,
    add_units_argument,
    bond_options,
)
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.isolated_atoms import isolated_atom_levels
from e3d_lmp.edges.sources import EdgeSource
from e3d_lmp.errors import E3DError
from e3d_lmp.figures.of_folder import draw_parity, draw_tables
from e3d_lmp.mpi import on_every_rank, raise_on_all_ranks, sleeping_barrier


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d analyze``."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="'dump local' text of compute e3d/edge/local or e3d/pair/local, plain, .gz or .zst; or one edge "
        "store of e3d convert or e3d evaluate; or BASE.json of fix e3d/record; or map files of fix e3d/map, "
        "e3d run or e3d analyze",
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write to")
    add_analysis_arguments(parser)
    add_bond_arguments(parser)
    parser.add_argument(
        "--topology",
        metavar="FILE",
        help="LAMMPS data file with the section Bonds: type molecules by it, not by the first frame",
    )
    parser.add_argument(
        "--isolated-atoms",
        metavar="ATOMS",
        help="what to take off the reference energies of an edge store, to compare them with the model's: a "
        f"level of theory of this package ({', '.join(isolated_atom_levels())}); a .json file of eV by "
        'element, {"H": -13.6, "C": -1030.6} (no other format is read); or none (default: by the name of the '
        "energy in the source)",
    )
    parser.add_argument(
        "--reference-map",
        metavar="FILE",
        help="map file, e.g. of the training set: give the share of bonds in bins of (D, A) that it never "
        "visited, of all bonds and by pair, and of edges frame by frame (novelty.csv)",
    )
    add_units_argument(parser)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="use each N-th frame (default 1)")
    parser.add_argument("--allow-truncated", action="store_true", help="leave out frames that are cut off")
    parser.add_argument(
        "--columns",
        nargs="+",
        metavar="NAME",
        help="names of the dump's columns in order, for dumps that call them c_ID[1] c_ID[2] ...",
    )


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d analyze`` was asked, on every rank; returns the exit code."""
    return on_every_rank(lambda communicator: _analyse(args, communicator))


def _analyse(args: argparse.Namespace, communicator: Any) -> int:
    rank, ranks = communicator.Get_rank(), communicator.Get_size()
    with raise_on_all_ranks(communicator):
        orders, references, remarks = bond_options(args)
        if any(is_map(path) for path in args.sources):
            return _analyse_maps(args, rank)
        source = EdgeSource(
            args.sources,
            args.types,
            args.model,
            args.every,
            (rank, ranks),
            args.columns,
            args.allow_truncated,
            args.units,
        )
        options = AnalysisOptions(
            cutoff=parse_cutoff(args.cutoff),
            width=args.bin,
            labels=args.pairs,
            skip_unpaired=args.skip_unpaired,
            bond_orders=orders,
            references=references,
            equal_size=args.equal_size,
            topology=args.topology,
            isolated_atoms=args.isolated_atoms,
            reference_map=args.reference_map,
        )
    analysis = analyse(source, options, communicator)
    with raise_on_all_ranks(communicator), sleeping_barrier(communicator):
        if analysis is not None:
            paths = analysis.write(args.output)
            print(analysis.text(), flush=True)  # before pictures, which may take long
            drawn = draw_tables(analysis.tables, args.output, args.pdf)
            if analysis.errors is not None:
                drawn += draw_parity(analysis.errors, args.output, args.pdf)
                remarks += analysis.errors.remarks
            paths += drawn.paths
            remarks += drawn.remarks + _remarks_on_leftovers(Path(args.output), paths)
            for text in remarks + analysis.remarks:
                print(f"e3d: warning: {text}", file=sys.stderr)
            print(analysis.tables.last_line(paths))
    return 0


def _analyse_maps(args: argparse.Namespace, rank: int) -> int:
    """The tables of map files; little work, done by the first rank."""
    other = [path for path in args.sources if not is_map(path)]
    if other:
        raise E3DError(f"{other[0]} is not a map file, and others are; analyse the two kinds by themselves")
    if rank == 0:
        reference = None if args.reference_map is None else ReferenceMap.read(args.reference_map)
        maps = MapAnalysis(args.sources, args.pairs, reference)
        remarks: list[str] = []
        if reference is not None:
            remarks = reference.check(maps.result()) + reference.missing(maps.result())
        tables = AnalysisTables(maps, {}, args.equal_size)
        paths = tables.write(args.output)
        print(tables.text(), flush=True)
        drawn = draw_tables(tables, args.output, args.pdf)
        paths += drawn.paths
        for text in remarks + drawn.remarks + _remarks_on_leftovers(Path(args.output), paths):
            print(f"e3d: warning: {text}", file=sys.stderr)
        print(tables.last_line(paths))
    return 0


def _remarks_on_leftovers(folder: Path, written: list[Path]) -> list[str]:
    old = ", ".join(str(path) for path in left_from_before(folder, written))
    if not old:
        return []
    return [
        f"not of this analysis, but of an earlier one: {old}; remove them, or choose another folder with -o"
    ]
