"""``e3d map``: show, add, subtract and compare D-A maps in ``e3d-map/1`` files.

The files are those of fix e3d/map, e3d analyze and e3d run alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import reduce
from pathlib import Path
from typing import Any

from e3d_lmp.analysis.comparison import compare_maps
from e3d_lmp.analysis.maps import EnergyMap, read_map, read_maps, write_map
from e3d_lmp.analysis.pair_table import pair_columns, pair_header, pair_table
from e3d_lmp.errors import E3DError
from e3d_lmp.figures import PICTURES, plot_comparison, plot_maps, save_figure
from e3d_lmp.tables import Column, format_table, name_ending, write_table

OUTPUT_HELP = "file to write, by its ending: .csv or .json the table, .png, .pdf or .svg the picture"


def comparison_columns(unit: str = "eV") -> tuple[Column, ...]:
    """Columns of ``e3d map compare``: the attributes of `e3d_lmp.analysis.comparison.LabelComparison`."""
    ending = name_ending(unit)
    return (
        Column("pair", "pair"),
        Column("count_a", "count a"),
        Column("count_b", "count b"),
        Column(f"shift_D_{ending}", "b-a mean D", unit, "+.4f"),
        Column(f"shift_absA_{ending}", "b-a mean |A|", unit, "+.4f"),
        Column("H_2D_a_nats", "H_2D a", "nats", ".4f"),
        Column("H_2D_b_nats", "H_2D b", "nats", ".4f"),
        Column("shift_H_2D_nats", "b-a H_2D", "nats", "+.4f"),
        Column("jensen_shannon_distance", "JS distance", "", ".4f"),
        Column("jensen_shannon_noise", "(noise)", "", ".4f"),
    )


def comparison_table(a: EnergyMap, b: EnergyMap) -> list[dict[str, Any]]:
    """One row per pair label with the columns of `comparison_columns`; `E3DError` as `compare_maps`."""
    names = [column.name for column in comparison_columns(a.unit)]
    return [dict(zip(names, asdict(row).values(), strict=True)) for row in compare_maps(a, b)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d map``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="show|add|subtract|compare")

    show = actions.add_parser(
        "show",
        help="print a map's bond table",
        description="Print what a map says about itself and its bond table; write the table or a picture.",
    )
    show.add_argument("map", metavar="MAP", help="map file (e3d-map/1)")
    _add_table_output(show)
    show.set_defaults(act=_show)

    add = actions.add_parser(
        "add",
        help="the map of several samples together",
        description="Write the map of several samples together; counts and bins add exactly.",
    )
    add.add_argument("maps", nargs="+", metavar="MAP", help="map files with the same bins and bond cutoff")
    add.add_argument("-o", "--output", required=True, metavar="FILE", help="map file to write")
    add.set_defaults(act=_add)

    subtract = actions.add_parser(
        "subtract",
        help="what a sample has beyond a part of it",
        description="Write the map of the samples of WHOLE that are not in PART, which was added before: the "
        "second half of a run is its map less the map at half time. Counts and bins are exact.",
    )
    subtract.add_argument("whole", metavar="WHOLE", help="map file")
    subtract.add_argument("part", metavar="PART", help="map file of samples that WHOLE holds too")
    subtract.add_argument("-o", "--output", required=True, metavar="FILE", help="map file to write")
    subtract.set_defaults(act=_subtract)

    compare = actions.add_parser(
        "compare",
        help="how much two maps differ",
        description="Print, for each pair, how B differs from A: means, entropies H_2D, and the Jensen-"
        "Shannon distance of the histograms: 0 for equal ones, 1 for no common bin. (noise): the distance "
        "that two independent samples of the same size and distribution would have.",
    )
    compare.add_argument("a", metavar="A", help="map file")
    compare.add_argument("b", metavar="B", help="map file with the same bins and bond cutoff")
    _add_table_output(compare)
    compare.set_defaults(act=_compare)


def _add_table_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", nargs="+", default=[], metavar="FILE", help=OUTPUT_HELP)
    parser.add_argument("--pairs", nargs="+", metavar="A-B", help="pairs in the picture (default: commonest)")


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d map`` was asked; returns the exit code."""
    return args.act(args)


def _show(args: argparse.Namespace) -> int:
    result = read_map(args.map)
    columns, rows = pair_columns(result.unit), pair_table(result)
    steps = "no steps" if result.steps is None else f"steps {result.steps[0]} to {result.steps[1]}"
    bins = f"bins of {result.width} {result.unit}"
    print(f"{result.samples} samples, {steps}, bond cutoff {result.cutoff}, {bins}")
    for key, text in result.provenance.items():
        print(f"{key}: {text}")
    print(format_table(columns, rows))
    for path in args.output:
        if Path(path).suffix in PICTURES:
            title = f"{result.samples} samples, bond cutoff: {result.cutoff}"
            save_figure(plot_maps(result, args.pairs, title), path)
        else:
            write_table(pair_header(result), "pairs", columns, rows, path)
    return _wrote(args.output)


def _add(args: argparse.Namespace) -> int:
    if len(args.maps) < 2:
        raise E3DError("e3d map add: expected at least two maps, e.g. e3d map add a.e3d b.e3d -o both.e3d")
    result = reduce(EnergyMap.merge, read_maps(args.maps))
    write_map(result, args.output)
    print(f"{result.samples} samples")
    return _wrote([args.output])


def _subtract(args: argparse.Namespace) -> int:
    part = read_map(args.part)
    result = read_map(args.whole).subtract(part)
    provenance = dict(result.provenance)
    before = [provenance["subtracted"]] if "subtracted" in provenance else []
    provenance["subtracted"] = " | ".join([*before, f"{part.samples} samples of {args.part}"])
    write_map(replace(result, provenance=provenance), args.output)
    print(f"{result.samples} samples")
    return _wrote([args.output])


def _compare(args: argparse.Namespace) -> int:
    a, b = read_map(args.a), read_map(args.b)
    columns, rows = comparison_columns(a.unit), comparison_table(a, b)
    print(f"a: {args.a}, {a.samples} samples; b: {args.b}, {b.samples} samples; bond cutoff {a.cutoff}")
    print(format_table(columns, rows))
    for path in args.output:
        if Path(path).suffix in PICTURES:
            save_figure(plot_comparison(a, b, args.pairs, f"b - a; a: {args.a}, b: {args.b}"), path)
        else:
            about = {"format": "e3d-comparison/1", "cutoff": a.cutoff, f"bin_{name_ending(a.unit)}": a.width}
            about |= {"a": str(args.a), "b": str(args.b), "samples_a": a.samples, "samples_b": b.samples}
            write_table(about, "pairs", columns, rows, path)
    return _wrote(args.output)


def _wrote(paths: Sequence[str]) -> int:
    if paths:
        print(f"wrote {', '.join(paths)}")
    return 0
