"""``e3d analyze``: from directed edge energies to a bond table, D-A maps and their figure.

`EdgeAnalysis` does the same for edges that never were in a file: add each `e3d_lmp.frames.EdgeFrame` or
`BondFrame`, then hand the result to `write_analysis`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp import __version__
from e3d_lmp.cutoffs import BondCutoff, check_elements, parse_cutoff
from e3d_lmp.dumps import DumpReader
from e3d_lmp.errors import E3DError
from e3d_lmp.frames import BondFrame, EdgeFrame
from e3d_lmp.maps import DEFAULT_BIN, EnergyMap, write_map
from e3d_lmp.pairs import Pairing, parse_labels
from e3d_lmp.reducers import MapReducer
from e3d_lmp.tables import Column, format_table, name_ending, write_csv, write_json
from e3d_lmp.units import LAMMPS_UNITS


@dataclass
class EdgeAnalysis:
    """Bond energies of a stream of edge frames.

    Parameters
    ----------
    elements
        Chemical symbol of each LAMMPS type, in the order of types.
    cutoff
        Bond cutoff.
    width
        Width of the map's bins, eV.
    labels
        Pair labels to look at, e.g. ``C-H``; all by default.
    model_cutoffs
        (n, n) angstrom, the model's directed cutoffs by LAMMPS type; needed where they differ for the two
        directions.
    skip_unpaired
        Leave out and count edges without a partner instead of raising.
    provenance
        Where the frames come from, one line of text per key; goes into every file.

    Attributes
    ----------
    beyond, unpaired
        Pairs with one edge beyond its cutoff, and edges left out, so far.
    """

    elements: Sequence[str]
    cutoff: BondCutoff = field(default_factory=lambda: BondCutoff("covalent"))
    width: float = DEFAULT_BIN
    labels: Sequence[str] | None = None
    model_cutoffs: Any = None
    skip_unpaired: bool = False
    provenance: dict[str, str] = field(default_factory=dict)
    beyond: int = field(init=False, default=0)
    unpaired: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        elements = check_elements(self.elements)
        labels = parse_labels(self.labels, elements) if self.labels else None
        bond = None if self.cutoff.name == "model" else self.cutoff.matrix(elements)
        self._pairing = Pairing(elements, bond, self.model_cutoffs, self.skip_unpaired)
        self._maps = MapReducer(self.cutoff.name, self.width, labels)

    def add(self, frame: EdgeFrame | BondFrame) -> None:
        """Take in the edges or bonds of one time step; raises `E3DError` as `e3d_lmp.pairs.Pairing` does."""
        pairs = self._pairing.pair(frame) if isinstance(frame, EdgeFrame) else self._pairing.label(frame)
        self._maps.add(pairs)
        self.beyond += pairs.beyond
        self.unpaired += pairs.unpaired

    def merge(self, other: EdgeAnalysis) -> None:
        """Take in what another analysis with the same settings has gathered."""
        self._maps.merge(other._maps)
        self.beyond += other.beyond
        self.unpaired += other.unpaired

    def result(self) -> EnergyMap:
        """The maps of all frames so far, with their provenance."""
        about = {"e3d": __version__, "types": " ".join(self.elements), **self.provenance}
        if self.unpaired:
            about["unpaired"] = f"{self.unpaired} edges without a partner left out"
        return replace(self._maps.result(), provenance=about)


def bond_columns(unit: str = "eV") -> tuple[Column, ...]:
    """Columns of the bond table; the names of energies end in their unit (``mean_D_eV``)."""
    ending = name_ending(unit)
    return (
        Column("pair", "pair"),
        Column("count", "count"),
        Column(f"mean_D_{ending}", "mean D", unit, ".4f"),
        Column(f"std_D_{ending}", "std D", unit, ".4f"),
        Column(f"mean_absA_{ending}", "mean |A|", unit, ".4f"),
        Column(f"std_A_{ending}", "std A", unit, ".4f"),
        Column("H_2D_nats", "H_2D", "nats", ".4f"),
        Column("H_2D_bits", "H_2D", "bits", ".4f"),
    )


def bond_table(result: EnergyMap) -> list[dict[str, Any]]:
    """One row per pair label, the commonest first, with the columns of `bond_columns`; standard deviations
    are population ones."""
    names = [column.name for column in bond_columns(result.unit)]
    rows = []
    for label in result.by_count():
        one = result.labels[label]
        moments = (one.mean_D, one.std_D, one.mean_absA, one.std_A)
        values = (label, one.count, *moments, one.entropy_nats, one.entropy_bits)
        rows.append(dict(zip(names, values, strict=True)))
    return rows


def bond_header(result: EnergyMap) -> dict[str, Any]:
    """What ``pairs.json`` says about a sample beside its bond table."""
    return {
        "format": "e3d-pairs/1",
        "cutoff": result.cutoff,
        f"bin_{name_ending(result.unit)}": result.width,
        "samples": result.samples,
        "steps": result.steps,
        "provenance": result.provenance,
    }


def write_analysis(
    result: EnergyMap, folder: str | os.PathLike, labels: Sequence[str] | None = None, pdf: bool = False
) -> list[Path]:
    """Write ``pairs.csv``, ``pairs.json``, ``map.e3d`` and ``maps.png`` of a sample, each whole or not at
    all.

    Parameters
    ----------
    result
        The maps.
    folder
        Folder to write to; made if it is not there.
    labels
        Pairs to draw; the commonest by default.
    pdf
        Write ``maps.pdf`` (vector graphics) as well.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    E3DError
        If there is no pair at all, or the folder cannot be written.
    """
    from e3d_lmp.figures import plot_maps, save_figure

    rows = bond_table(result)
    if not rows:
        raise E3DError(
            f"no pair within the bond cutoff '{result.cutoff}' in {result.samples} frames; "
            "check the order of --types, or choose another --cutoff"
        )
    out = Path(folder)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise E3DError(f"cannot make the folder {out}: {error.strerror}") from None
    paths = [out / "pairs.csv", out / "pairs.json", out / "map.e3d", out / "maps.png"]
    columns = bond_columns(result.unit)
    write_csv(columns, rows, paths[0])
    write_json(bond_header(result), "pairs", rows, paths[1])
    write_map(result, paths[2])
    figure = plot_maps(result, labels, f"{result.samples} frames, bond cutoff: {result.cutoff}")
    save_figure(figure, paths[3])
    if pdf:
        paths.append(out / "maps.pdf")
        save_figure(figure, paths[4])
    return paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d analyze``."""
    parser.add_argument(
        "dumps",
        nargs="+",
        metavar="DUMP",
        help="'dump local' text of compute e3d/edge/local or e3d/pair/local, plain, .gz or .zst",
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to write to")
    add_analysis_arguments(parser)
    add_units_argument(parser)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="use each N-th frame (default 1)")
    parser.add_argument("--allow-truncated", action="store_true", help="leave out frames that are cut off")
    parser.add_argument(
        "--columns",
        nargs="+",
        metavar="NAME",
        help="names of the dump's columns in order, for dumps that call them c_ID[1] c_ID[2] ...",
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
            required=True,
            metavar="El",
            help="element of each LAMMPS type, e.g. C H N O; with --model also its names of types",
        )
        parser.add_argument(
            "--model",
            metavar="FILE",
            help="model file of the run; needed only if its cutoffs differ for the two directions of a pair",
        )
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
    parser.add_argument(
        "--skip-unpaired", action="store_true", help="leave out and count edges whose partner is missing"
    )
    parser.add_argument("--pdf", action="store_true", help="write the figure as maps.pdf too")


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d analyze`` was asked; returns the exit code."""
    from tqdm import tqdm

    reader = DumpReader(args.dumps, args.columns, args.every, args.allow_truncated, units=args.units)
    elements, model_cutoffs = model_types(args.model, args.types) if args.model else (args.types, None)
    analysis = EdgeAnalysis(
        elements,
        parse_cutoff(args.cutoff),
        args.bin,
        args.pairs,
        model_cutoffs,
        args.skip_unpaired,
        {"dumps": " ".join(map(str, reader.files)), "every": str(args.every), "energy_unit": "eV"},
    )
    bar = tqdm(
        total=reader.bytes_total, unit="B", unit_scale=True, desc="e3d analyze", disable=None, leave=False
    )
    with bar:
        for frame in reader:
            analysis.add(frame)
            bar.update(reader.bytes_read - bar.n)
    result = analysis.result()
    paths = write_analysis(result, args.output, args.pairs, args.pdf)
    print(format_table(bond_columns(result.unit), bond_table(result)))
    for text in _remarks(reader, analysis):
        print(f"e3d: warning: {text}", file=sys.stderr)
    print(f"{result.samples} frames, bond cutoff {result.cutoff}; wrote {', '.join(map(str, paths))}")
    return 0


def _remarks(reader: DumpReader, analysis: EdgeAnalysis) -> list[str]:
    """What the user must know about frames and edges that did not count."""
    remarks = []
    if reader.truncated:
        remarks.append(f"{reader.truncated} cut-off frames left out")
    if reader.repeated:
        remarks.append(
            f"{reader.repeated} frames left out whose step is not beyond that of the frame before them"
        )
    if analysis.unpaired:
        remarks.append(f"{analysis.unpaired} edges without a partner left out")
    return remarks


def model_types(path: str | Path, words: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Elements and cutoffs of the LAMMPS types of a run, from its model file.

    Parameters
    ----------
    words
        One for each LAMMPS type: its name in the model, as in ``pair_coeff``, or its element.

    Returns
    -------
    elements
        Chemical symbol of each LAMMPS type.
    cutoffs
        (n, n) float64, angstrom, directed cutoffs by LAMMPS type, row: centre.

    Raises
    ------
    E3DError
        A word is neither, or an element is that of several types of the model whose cutoffs differ.
    """
    from e3d_lmp.contract import read_metadata

    model = read_metadata(path)
    n_types = len(model.type_names)
    cutoffs = np.array(model.cutoffs).reshape(n_types, n_types)
    kinds = model.type_names if set(words) <= set(model.type_names) else model.type_elements
    fitting = [np.flatnonzero(np.array(kinds) == word) for word in words]
    missing = [word for word, types in zip(words, fitting, strict=True) if types.size == 0]
    if missing:
        names = " ".join(dict.fromkeys((*model.type_elements, *model.type_names)))
        raise E3DError(
            f"{path}: the model has no type or element {', '.join(missing)}, it has {names}; check --types"
        )
    for first in fitting:
        for second in fitting:
            if np.ptp(cutoffs[np.ix_(first, second)]) > 0.0:
                several = first if first.size > 1 else second
                names = " ".join(model.type_names[k] for k in several)
                raise E3DError(
                    f"{path}: {model.type_elements[several[0]]} is the element of its types {names}, whose "
                    f"cutoffs differ; name the types as in pair_coeff, --types {' '.join(model.type_names)}"
                )
    at = [types[0] for types in fitting]
    return tuple(model.type_elements[k] for k in at), cutoffs[np.ix_(at, at)]
