"""``e3d analyze``: from directed edge energies to tables, D-A maps and their figure.

`e3d_lmp.edge_analysis.EdgeAnalysis` does the same for edges that never were in a file: add each
`e3d_lmp.frames.EdgeFrame` or `BondFrame`; `e3d_lmp.analysis_tables` makes tables and files of it.

Under an MPI launcher each rank takes its share of the frames, and rank 0 merges, writes and prints.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from e3d_lmp.accuracy import (
    Errors,
    IsolatedAtoms,
    Structures,
    describe_errors,
    errors_of,
    isolated_atoms,
    join_structures,
    read_structures,
    write_errors,
)
from e3d_lmp.analysis_tables import AnalysisTables
from e3d_lmp.bond_typing import PERCEPTIONS, BondTyping, default_perception, read_topology
from e3d_lmp.cli import EXIT_USER_ERROR
from e3d_lmp.cutoffs import parse_cutoff
from e3d_lmp.edge_analysis import EdgeAnalysis
from e3d_lmp.edge_sources import EdgeSource, model_types
from e3d_lmp.errors import E3DError
from e3d_lmp.map_analysis import MapAnalysis, is_map
from e3d_lmp.maps import DEFAULT_BIN
from e3d_lmp.pairs import unpaired_remarks
from e3d_lmp.ranks import patient, shared, together, world
from e3d_lmp.references import ReferenceEnergy, reference_energies
from e3d_lmp.store import StoreReader
from e3d_lmp.units import LAMMPS_UNITS

__all__ = [
    "EdgeAnalysis",
    "add_analysis_arguments",
    "add_arguments",
    "add_units_argument",
    "model_types",
    "run",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d analyze``."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="'dump local' text of compute e3d/edge/local or e3d/pair/local, plain, .gz or .zst; or one edge "
        "store of e3d convert or e3d evaluate; or map files of fix e3d/map, e3d run or e3d analyze",
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
        "level of theory that this package knows, a .json file of eV by element, or none (default: by the "
        "name of the energy in the source)",
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


def add_map_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of every command that makes D-A maps of edges: bond cutoff, bins, pairs."""
    parser.add_argument(
        "--cutoff",
        nargs="+",
        default=["covalent"],
        metavar="C",
        help="bond cutoff: model, covalent (default), paper (2.2 angstrom), a number of angstrom, 'file F'",
    )
    parser.add_argument(
        "--bin", type=float, default=DEFAULT_BIN, metavar="W", help=f"bin width in eV (default {DEFAULT_BIN})"
    )
    parser.add_argument(
        "--pairs", nargs="+", metavar="A-B", help="only these pairs, e.g. C-H C-C (default: all)"
    )


def add_units_argument(parser: argparse.ArgumentParser) -> None:
    """The argument of every command that reads edge dumps about the units of their energies."""
    parser.add_argument(
        "--units",
        choices=LAMMPS_UNITS,
        help="units of the LAMMPS run, for dumps that do not say it (default: what the dump says with "
        "'dump_modify units yes', else metal); results are in eV always",
    )


def add_analysis_arguments(parser: argparse.ArgumentParser, with_types: bool = True) -> None:
    """Arguments that say how edges become a table and maps, for every command that does it.

    ``with_types=False`` leaves out ``--types`` and ``--model``, for commands that know them from a running
    simulation.
    """
    if with_types:
        parser.add_argument(
            "--types",
            nargs="+",
            metavar="El",
            help="element of each LAMMPS type, e.g. C H N O; with --model also its names of types; edge "
            "stores know them",
        )
        parser.add_argument(
            "--model",
            metavar="FILE",
            help="model file of the run; needed only if its cutoffs differ for the two directions of a pair",
        )
    add_map_arguments(parser)
    parser.add_argument(
        "--skip-unpaired", action="store_true", help="leave out and count edges whose partner is missing"
    )
    parser.add_argument("--pdf", action="store_true", help="write figures as .pdf too")


def add_bond_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments about bond types, reference energies and entropies."""
    parser.add_argument(
        "--bond-orders",
        choices=list(PERCEPTIONS),
        help="how bond types get their orders: rdkit (default where RDKit is installed), gaff (antechamber), "
        "or none",
    )
    parser.add_argument(
        "--references",
        nargs="+",
        default=[],
        metavar="FILE",
        help="your own reference bond energies, .csv with pair,order,kJ_per_mol; later files go first",
    )
    parser.add_argument(
        "--no-references", action="store_true", help="no comparison with reference bond energies"
    )
    parser.add_argument(
        "--equal-size",
        type=int,
        metavar="N",
        help="give H_2D of N pairs drawn from each label too, to compare samples of different size",
    )


def bond_options(args: argparse.Namespace) -> tuple[str, dict[str, ReferenceEnergy], list[str]]:
    """What `add_bond_arguments` asked for: the perception of bond orders, reference energies, remarks.

    Raises
    ------
    E3DError
        If a file of reference energies is missing or malformed, or a number makes no sense.
    """
    if args.no_references and args.references:
        raise E3DError("--references and --no-references exclude each other; leave one out")
    if args.equal_size is not None and args.equal_size < 1:
        raise E3DError(f"--equal-size {args.equal_size}: expected a number of pairs of at least 1")
    remarks = []
    orders = args.bond_orders or default_perception()
    if args.bond_orders is None and orders == "none":
        remarks.append("no RDKit, so bond types have no orders; type: pip install 'e3d-lmp[bonds]'")
    references = {} if args.no_references else reference_energies(args.references)
    return orders, references, remarks


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d analyze`` was asked, on every rank; returns the exit code."""
    communicator = world()
    with together(communicator):
        try:
            return _analyse(args, communicator)
        except E3DError:
            if communicator.Get_rank() != 0:  # the same on every rank; said once
                return EXIT_USER_ERROR
            raise


def _analyse(args: argparse.Namespace, communicator: Any) -> int:
    rank, ranks = communicator.Get_rank(), communicator.Get_size()
    with shared(communicator):
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
        analysis = EdgeAnalysis(
            source.elements,
            parse_cutoff(args.cutoff),
            args.bin,
            args.pairs,
            source.model_cutoffs,
            args.skip_unpaired,
            {**source.provenance, "bond_orders": orders},
            _typing(args, source, orders),
        )
    if ranks > 1:
        source.split(communicator)
        _type_molecules(source, analysis, communicator)
    with shared(communicator), patient(communicator):
        _add_frames(source, analysis, rank)
        zero, mine = _structures(args, source)
    left_out = source.remarks(communicator)
    structures = communicator.gather(mine)
    whole = communicator.reduce(analysis, op=_merged)
    with shared(communicator), patient(communicator):
        if rank == 0:
            tables = AnalysisTables(whole, references, args.equal_size, source.holds_all_edges)
            paths = tables.write(args.output, args.pdf)
            print(tables.text())
            errors = errors_of(join_structures(structures), zero) if mine is not None else None
            if errors is not None:
                paths += write_errors(errors, whole.about, args.output)
                paths += _draw_parity(errors, args)
                remarks += errors.remarks
                print("\n" + describe_errors(errors))
            remarks += _remarks_on_leftovers(Path(args.output), paths)
            for text in remarks + left_out + unpaired_remarks(whole.unpaired):
                print(f"e3d: warning: {text}", file=sys.stderr)
            print(tables.last_line(paths))
    return 0


def _analyse_maps(args: argparse.Namespace, rank: int) -> int:
    """The tables of map files; little work, done by the first rank."""
    other = [path for path in args.sources if not is_map(path)]
    if other:
        raise E3DError(f"{other[0]} is not a map file, and others are; analyse the two kinds by themselves")
    if rank == 0:
        tables = AnalysisTables(MapAnalysis(args.sources, args.pairs), {}, args.equal_size)
        paths = tables.write(args.output, args.pdf)
        print(tables.text())
        for text in _remarks_on_leftovers(Path(args.output), paths):
            print(f"e3d: warning: {text}", file=sys.stderr)
        print(tables.last_line(paths))
    return 0


def _type_molecules(source: EdgeSource, analysis: EdgeAnalysis, communicator: Any) -> None:
    """By the first frame of the whole source, on rank 0; all ranks get the types."""
    typing = analysis.typing
    if typing is None or typing.is_ready:
        return
    with shared(communicator), patient(communicator):
        first = source.first() if communicator.Get_rank() == 0 else None
        if first is not None:
            analysis.learn(first)
    typing.take(communicator.bcast(typing, root=0))


def _typing(args: argparse.Namespace, source: EdgeSource, orders: str) -> BondTyping:
    topology = None
    if args.topology:
        if source.is_set:
            raise E3DError(
                "--topology is for a run, whose frames have the same atoms; these are different structures"
            )
        topology = read_topology(args.topology, source.elements)
    return BondTyping(PERCEPTIONS[orders], source.is_set, topology)


def _structures(
    args: argparse.Namespace, source: EdgeSource
) -> tuple[IsolatedAtoms | str, Structures | None]:
    """What to take off reference energies, and the energies of this rank's structures, if it has any."""
    store = source.reader
    if not (isinstance(store, StoreReader) and store.has("reference_energy") and store.has("energy")):
        if args.isolated_atoms is not None:
            raise E3DError("--isolated-atoms is for stores of 'e3d evaluate', which have reference energies")
        return "", None
    zero = isolated_atoms(args.isolated_atoms, store)
    return zero, read_structures(store, source.numbers, zero)


def _draw_parity(errors: Errors, args: argparse.Namespace) -> list[Path]:
    """The files of the figure of model against reference; none where nothing is comparable."""
    from e3d_lmp.figures import save_figure
    from e3d_lmp.folders import AnalysisFolder
    from e3d_lmp.plot import parity_figure

    if errors.energy is None and (errors.reactions is None or not errors.reactions.summary()["count"]):
        return []
    folder = Path(args.output)
    figure = parity_figure(AnalysisFolder(folder))
    paths = [folder / name for name in ("parity.png", "parity.pdf")[: 1 + args.pdf]]
    for path in paths:
        save_figure(figure, path)
    return paths


def _remarks_on_leftovers(folder: Path, written: list[Path]) -> list[str]:
    from e3d_lmp.folders import left_from_before

    old = ", ".join(str(path) for path in left_from_before(folder, written))
    if not old:
        return []
    return [
        f"not of this analysis, but of an earlier one: {old}; remove them, or choose another folder with -o"
    ]


def _add_frames(source: EdgeSource, analysis: EdgeAnalysis, rank: int) -> None:
    """All frames of this rank, with a progress bar on rank 0."""
    from tqdm import tqdm

    unit = {"unit": "frame"} if source.counts_frames else {"unit": "B", "unit_scale": True}
    bar = tqdm(total=source.size, desc="e3d analyze", disable=True if rank else None, leave=False, **unit)
    with bar:
        for number, frame, role in source:
            analysis.add(frame, number, role)
            bar.update(source.done - bar.n)


def _merged(one: EdgeAnalysis, other: EdgeAnalysis) -> EdgeAnalysis:
    one.merge(other)
    return one
