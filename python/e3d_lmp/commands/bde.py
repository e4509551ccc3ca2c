"""``e3d bde``: dissociation energies of bonds, and energies of molecules in contact, from a model."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.analysis.bonds.types import PERCEPTIONS, chosen_perception
from e3d_lmp.analysis.dissociation.breaking import BondBreaking, parse_bonds
from e3d_lmp.analysis.dissociation.contacts import ContactEnergies
from e3d_lmp.analysis.dissociation.reference import match, read_references
from e3d_lmp.analysis.dissociation.relaxing import Settings
from e3d_lmp.analysis.dissociation.smiles import ENDING, Smiles, check_rdkit, smiles_file
from e3d_lmp.analysis.dissociation.tables import ENTHALPY, DissociationTables
from e3d_lmp.analysis.dissociation.work import Source, results
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.structures import Selection, Structures
from e3d_lmp.errors import E3DError
from e3d_lmp.files import input_file, sha256_of
from e3d_lmp.model.contract import COHESIVE, read_metadata
from e3d_lmp.model.evaluators import as_model_file

FMAX, FMAX_OF_DIMERS = 0.01, 0.002
"""Default forces at a minimum; contacts are soft, and a small force is a long way from their minimum."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d bde``."""
    parser.add_argument(
        "model", metavar="MODEL", help="model file; .safetensors, of the native engine, is the fastest"
    )
    parser.add_argument(
        "structures",
        nargs="*",
        metavar="STRUCTURES",
        help=f"molecules: files that ASE reads, HDF5 as in e3d evaluate, or of SMILES ({ENDING})",
    )
    parser.add_argument(
        "--smiles", nargs="+", default=[], metavar="S", help="molecules by their SMILES (with RDKit)"
    )
    parser.add_argument(
        "--name",
        metavar="KEY",
        help="files that ASE reads: key of a frame's info (in extxyz its comment line) that names it "
        "(default: file and number)",
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--dimers",
        action="store_true",
        help="energies of two molecules in contact, E_AB - E_A - E_B, instead of bonds",
    )
    parser.add_argument(
        "--bonds",
        nargs="+",
        default=[],
        metavar="B",
        help="only these bonds: C-H, 'C-C 1', or two atoms counted from 0 (3-7); broken whatever their order",
    )
    parser.add_argument(
        "--enthalpy",
        action="store_true",
        help="dH at 298 K too, from harmonic frequencies: ten times as long",
    )
    parser.add_argument(
        "--reference",
        metavar="FILE",
        help="compare with reference energies: .csv with structure, i, j (or A, B: files of the fragments) "
        "and energy_eV, energy_kJ_mol or energy_kcal_mol",
    )
    parser.add_argument("--no-relax", action="store_true", help="molecules and fragments as they are given")
    parser.add_argument(
        "--fmax",
        type=float,
        metavar="F",
        help=f"forces at a minimum, eV/angstrom (default {FMAX}, with --dimers {FMAX_OF_DIMERS})",
    )
    parser.add_argument(
        "--steps", type=int, default=500, metavar="N", help="steps of a relaxation at most (default 500)"
    )
    parser.add_argument(
        "--cutoff",
        nargs="+",
        default=["covalent"],
        metavar="C",
        help="bond cutoff: covalent (default), paper (2.2 angstrom), a number of angstrom, 'file F'",
    )
    parser.add_argument(
        "--bond-orders",
        choices=list(PERCEPTIONS),
        help="how bonds get their orders: rdkit (default where RDKit is installed), gaff (antechamber), "
        "or none",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N structures (of --every)")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="each N-th structure of the files (default 1)"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="processes side by side (default: the cores that are free to use)",
    )
    parser.add_argument("--overwrite", action="store_true", help="start afresh, whatever DIR holds")
    parser.add_argument("--pdf", action="store_true", help="write the figure as .pdf too")


def run(args: argparse.Namespace) -> int:
    """``e3d bde``: compute what is not there yet, then tables and the figure."""
    from tqdm import tqdm

    _check(args)
    cutoff = parse_cutoff(args.cutoff)
    fmax = args.fmax or (FMAX_OF_DIMERS if args.dimers else FMAX)
    settings = Settings(not args.no_relax, fmax, args.steps, args.enthalpy, cutoff)
    perception, remarks = chosen_perception(args.bond_orders)
    references = read_references(args.reference, args.dimers) if args.reference else None
    model = input_file(args.model, "a model file")
    total, sources = _sources(args)
    folder = Path(args.output)
    with as_model_file(model) as file:  # of a nequip package it is made here, for all processes
        metadata = read_metadata(file)
        about = {
            "command": "bde",
            "model": str(model),
            "decomposition": metadata.decomposition,
            "training_data": metadata.training_data,
            "dimers": args.dimers,
            "relax": settings.relax,
            "fmax_eV_per_A": settings.fmax,
            "steps": settings.steps,
            "enthalpy": settings.enthalpy,
            "cutoff": cutoff.name,
            "bond_orders": perception,
            "bonds": args.bonds,
            "sources": [*args.structures, *args.smiles],
            "every": args.every,
            "limit": args.limit,
            **({"name": args.name} if args.name else {}),
        }
        request = about | {
            "model": sha256_of(model),
            "sources": [*map(os.path.abspath, args.structures), *args.smiles],
            "content of sources": [sha256_of(Path(path)) for path in args.structures],
        }
        make_task: Any = (
            ContactEnergies(file, settings)
            if args.dimers
            else BondBreaking(file, settings, perception, parse_bonds(args.bonds))
        )
        jobs = args.jobs or len(os.sched_getaffinity(0))
        with tqdm(total=total, unit="structure", desc="e3d bde", disable=None, leave=False) as bar:
            found = results(
                folder / ("dimers.jsonl" if args.dimers else "bde.jsonl"),
                request,
                sources,
                make_task,
                jobs if total is None else min(jobs, total),
                args.overwrite,
                lambda count: bar.update(count - bar.n),
            )
    if metadata.decomposition != COHESIVE:
        remarks.append(
            f"the model is '{metadata.decomposition}': its D are no bond energies, differences of E are"
        )
    if not any(one.get("rows") for one in found):
        raise E3DError(_nothing(args, found))
    matched = None if references is None else match(references, found, cutoff, args.dimers)
    tables = DissociationTables(found, about, args.dimers, matched)
    paths = tables.write(folder)
    print(tables.text())
    paths += _draw(tables, folder, args.pdf)
    for text in [*remarks, *tables.remarks()]:
        print(f"e3d: warning: {text}", file=sys.stderr)
    print(f"{len(found)} structures; wrote {', '.join(map(str, paths))}")
    return 0


def _nothing(args: argparse.Namespace, found: list[dict[str, Any]]) -> str:
    """Why there is no row: what was looked for, and the first structure that could not be used."""
    what = "dimer" if args.dimers else "bond"
    if args.bonds:
        what += f" that --bonds {' '.join(args.bonds)} means (atoms are counted from 0)"
    elif not args.dimers:
        what += f" within --cutoff {' '.join(args.cutoff)}"
    first = next((f" (the first: {one['name']}: {one['error']})" for one in found if "error" in one), "")
    return f"no {what} in {len(found)} structures{first}"


def _check(args: argparse.Namespace) -> None:
    for name in ("limit", "every", "jobs", "steps"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise E3DError(f"--{name} {value}: expected a whole number of at least 1")
    if args.fmax is not None and not (np.isfinite(args.fmax) and args.fmax > 0.0):
        raise E3DError(f"--fmax {args.fmax}: expected a number above 0")
    if not args.structures and not args.smiles:
        raise E3DError("no molecule: give files, or SMILES with --smiles")
    if args.enthalpy and (args.no_relax or args.dimers):
        raise E3DError(
            "--enthalpy needs minima of bonds' fragments: leave out --no-relax and --dimers, or it"
        )
    if args.bonds and args.dimers:
        raise E3DError("--bonds and --dimers exclude each other; leave one out")


def _sources(args: argparse.Namespace) -> tuple[int | None, Iterator[tuple[int, Source]]]:
    """How many molecules there are, None where that is not known, and each with its number."""
    lists = [path for path in args.structures if path.endswith(ENDING)]
    molecules = [one for path in lists for one in smiles_file(Path(path))]
    molecules += [Smiles(smiles, smiles) for smiles in args.smiles]
    if molecules:
        check_rdkit()
    files = [path for path in args.structures if path not in lists]
    keys = (args.name,) if args.name else ()
    structures = Structures(files, name_keys=keys, must_be_named=bool(keys))
    count = structures.count()

    def numbered() -> Iterator[tuple[int, Source]]:
        # SMILES first: theirs are few, and their numbers then do not hang on the files' lengths
        selected = molecules[:: args.every][: args.limit]
        yield from enumerate(selected)
        rest = None if args.limit is None else args.limit - len(selected)
        if rest is None or rest > 0:
            for number, structure in Selection(structures, 0, args.every, rest):
                yield len(selected) + number, structure

    if count is None:
        return None, numbered()
    total = -(-len(molecules) // args.every) + -(-count // args.every)
    return total if args.limit is None else min(total, args.limit), numbered()


def _draw(tables: DissociationTables, folder: Path, pdf: bool) -> list[Path]:
    """The figure; no file where there is nothing to draw."""
    from e3d_lmp.figures.dissociation import EnergyPairs, plot_dissociation
    from e3d_lmp.figures.style import save_figure

    energies, types, _ = tables.references()
    if energies.size:
        panels = [
            EnergyPairs(energies, values, "reference", name, types)
            for name, values in tables.predictors().items()
        ]
    else:
        rows = tables.rows
        types = [row["type"] for row in rows]

        def column(name: str, sign: float = 1.0) -> np.ndarray:
            return np.array([sign * row[name] for row in rows])

        if tables.dimers:
            panels = [EnergyPairs(column("E_contact_eV"), column("D_eV"), "E_contact", "D", types)]
        else:
            panels = [
                EnergyPairs(column(name), column("D_eV", -1.0), name.rpartition("_")[0], "−D", types)
                for name in ("BDE_frozen_eV", "BDE_relaxed_eV", ENTHALPY)
            ]
    if not any(panel.known.any() for panel in panels):
        return []
    figure = plot_dissociation(panels)
    paths = [folder / f"{tables.name}{ending}" for ending in (".png", *((".pdf",) if pdf else ()))]
    for path in paths:
        save_figure(figure, path)
    return paths
