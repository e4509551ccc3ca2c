"""Arguments that several commands have."""

from __future__ import annotations

import argparse

from e3d_lmp.analysis.bonds.references import ReferenceEnergy, reference_energies
from e3d_lmp.analysis.bonds.types import PERCEPTIONS, chosen_perception
from e3d_lmp.analysis.maps import DEFAULT_BIN
from e3d_lmp.errors import E3DError
from e3d_lmp.units import LAMMPS_UNITS


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
    orders, remarks = chosen_perception(args.bond_orders)
    references = {} if args.no_references else reference_energies(args.references)
    return orders, references, remarks


def add_store_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of every command that writes a store."""
    parser.add_argument(
        "--single", action="store_true", help="keep vectors and energies in float32 (default: float64, exact)"
    )
    parser.add_argument(
        "--long-ids", action="store_true", help="keep ids in 64 bits even if the first frame does not need it"
    )
    parser.add_argument("--overwrite", action="store_true", help="start afresh, whatever STORE is")
