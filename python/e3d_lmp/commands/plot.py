"""``e3d plot``: the figures of the paper from folders of ``e3d analyze``, map files and edge stores."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from e3d_lmp.analysis.folders import AnalysisFolder, is_series_word, parse_series, sample_names
from e3d_lmp.analysis.maps import EnergyMap, read_map
from e3d_lmp.errors import E3DError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SERIES_HELP = (
    "[SERIES:]N=DIR: number of training structures, and folder of 'e3d analyze' with that model; SERIES is "
    "needed where there are several, e.g. 920=out/n920 3000=out/n3000"
)
SERIES_WORD = "[SERIES:]N=DIR"

KINDS: dict[str, tuple[str, str]] = {
    "maps": ("D-A maps of one sample", "Draw the D-A maps of a sample: all pairs in one, and a panel each."),
    "grid": (
        "D-A maps, pair by number of training structures",
        "Draw D-A maps of several samples on common axes: a row for each pair, a column for each sample.",
    ),
    "ridgelines": (
        "D by bond type, with reference energies",
        "Draw the distribution of D of each bond type, reference bond energies as stars, and the "
        "distribution of all errors with Delta_BDE and sigma_BDE.",
    ),
    "scaling": (
        "Delta_BDE and sigma_BDE against training structures",
        "Draw Delta_BDE, 3 sigma_BDE and the mean error of bond energies against the number of training "
        "structures.",
    ),
    "errors": (
        "errors of energies, forces, barriers against training structures",
        "Draw mean absolute errors of energies, forces, barriers and reaction energies, those that the "
        "folders have, against the number of training structures.",
    ),
    "entropy": (
        "H_2D against training structures",
        "Draw H_2D of each pair less that of a reference, plug-in and corrected at equal sample size, "
        "against the number of training structures.",
    ),
    "bars": (
        "change of H_2D in reactants, transition states, products",
        "Draw the change of H_2D against a reference, for reactants, transition states and products. One "
        "folder alone is compared with its own reactants.",
    ),
    "parity": (
        "energies of the model against the reference's",
        "Draw energies per atom, barriers and reaction energies, those that the folder has, of the model "
        "against the reference.",
    ),
    "path": (
        "energy and bonds along a reaction",
        "Draw the energy, and D of the bonds that form and break, along reactions. The store is that of 'e3d "
        "evaluate MODEL REACTIONS.h5 -o edges.h5', best with --path-images.",
    ),
}
"""Kind of figure -> (one line of help, description)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d plot``."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="|".join(KINDS))
    for kind, (line, text) in KINDS.items():
        one = kinds.add_parser(kind, help=line, description=text)
        _ARGUMENTS[kind](one)
        one.add_argument(
            "-o",
            "--output",
            nargs="+",
            required=True,
            metavar="FILE",
            help="files to write, each in the format of its ending: .png, .pdf, .svg",
        )
        one.add_argument("--title", metavar="TEXT", help="text above the figure")
        one.add_argument(
            "--size",
            nargs=2,
            type=float,
            metavar=("WIDTH", "HEIGHT"),
            help="size in inches (default: as the figure needs)",
        )
        one.add_argument("--dpi", type=int, default=200, help="dots per inch of .png files (default 200)")


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d plot`` was asked; returns the exit code."""
    from e3d_lmp.figures import PICTURES, save_figure

    bad = [path for path in args.output if Path(path).suffix not in PICTURES]
    if bad:
        raise E3DError(f"{bad[0]}: a picture is written to a file that ends in {', '.join(PICTURES)}")
    if not 10 <= args.dpi <= 2400:
        raise E3DError(f"--dpi {args.dpi}: expected dots per inch from 10 to 2400, e.g. 300")
    if args.size and not all(0.5 <= length <= 100.0 for length in args.size):
        raise E3DError(f"--size {args.size[0]:g} {args.size[1]:g}: expected inches, e.g. --size 7 5")
    figure = _DRAW[args.kind](args)
    if args.size:
        figure.set_size_inches(*args.size)
    for path in args.output:
        save_figure(figure, path, args.dpi)
    print(f"wrote {', '.join(args.output)}")
    return 0


def _pairs_argument(
    parser: argparse.ArgumentParser, text: str = "pairs to show (default: commonest)"
) -> None:
    parser.add_argument("--pairs", nargs="+", metavar="A-B", help=text)


def _maps_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="MAP|DIR", help="map file (e3d-map/1), or folder of 'e3d analyze'")
    _pairs_argument(parser)


def _maps(args: argparse.Namespace) -> Figure:
    from e3d_lmp.figures import plot_maps

    result = _read_map(args.source)
    return plot_maps(result, args.pairs, args.title)


def _grid_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources",
        nargs="+",
        metavar=f"{SERIES_WORD}|MAP|DIR",
        help=SERIES_HELP + "; or map files or folders, named as they are",
    )
    _pairs_argument(parser)


def _grid(args: argparse.Namespace) -> Figure:
    from e3d_lmp.figures import plot_map_grid

    return plot_map_grid(list(_named_maps(args.sources).items()), args.pairs, args.title)


def _ridgelines_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="DIR", help="folder of 'e3d analyze' with bonds.json, or that file")
    _pairs_argument(parser, "pairs (C-N) or bond types ('C-N 2') to show (default: all)")
    parser.add_argument("--bond-energy", action="store_true", help="draw the bond energy -D instead of D")
    parser.add_argument(
        "--least",
        type=int,
        metavar="N",
        help="no ridge for types of fewer than N bonds (default 10, with --pairs 1); all errors count them",
    )


def _ridgelines(args: argparse.Namespace) -> Figure:
    from e3d_lmp.figures import plot_ridgelines

    if args.least is not None and args.least < 1:
        raise E3DError(f"--least {args.least}: expected a number of bonds of at least 1")
    path = Path(args.source)
    folder = AnalysisFolder(path.parent if path.name == "bonds.json" else path)
    bonds = folder.bonds()
    look = (args.pairs, args.title, args.bond_energy, args.least)
    return plot_ridgelines(bonds.energies, bonds.references, *look)


def _series_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar=SERIES_WORD, help=SERIES_HELP)


def _scaling(args: argparse.Namespace) -> Figure:
    from e3d_lmp.figures import plot_bond_scaling

    errors = {
        name: {n: folder.bonds().error for n, folder in models.items()}
        for name, models in parse_series(args.models).items()
    }
    return plot_bond_scaling(errors, args.title)


def _errors(args: argparse.Namespace) -> Figure:
    from e3d_lmp.figures import plot_error_scaling

    errors = {
        name: {n: folder.model_errors() for n, folder in models.items()}
        for name, models in parse_series(args.models).items()
    }
    return plot_error_scaling(errors, args.title)


def _entropy_arguments(parser: argparse.ArgumentParser) -> None:
    _series_arguments(parser)
    parser.add_argument(
        "--reference",
        metavar="MAP|DIR",
        help="map to compare with (default: that of the largest N of each series)",
    )
    _pairs_argument(parser)


def _entropy(args: argparse.Namespace) -> Figure:
    from e3d_lmp.figures import plot_entropy_scaling

    maps = {
        name: {n: folder.map() for n, folder in models.items()}
        for name, models in parse_series(args.models).items()
    }
    reference = _read_map(args.reference) if args.reference else None
    return plot_entropy_scaling(maps, reference, args.pairs, args.title)


def _bars_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources",
        nargs="+",
        metavar=f"{SERIES_WORD}|DIR",
        help=SERIES_HELP + "; or folders, named as they are",
    )
    parser.add_argument(
        "--reference",
        metavar="DIR",
        help="folder to compare with (default: that of the largest N; for one folder its own reactants)",
    )
    _pairs_argument(parser)


def _bars(args: argparse.Namespace) -> Figure:
    from e3d_lmp.figures.of_folder import bars_figure

    folders = _named_folders(args.sources)
    reference = AnalysisFolder(Path(args.reference)) if args.reference else None
    if reference is None and len(folders) > 1:
        if not all(map(is_series_word, args.sources)):
            raise E3DError("several folders without their N: say which to compare with, --reference DIR")
        series = parse_series(args.sources)
        largest = [models[max(models)] for models in series.values()]
        if len(series) > 1:
            raise E3DError(f"several series: say which folder to compare with, --reference {largest[0].path}")
        reference = largest[0]
    return bars_figure(folders, reference, args.pairs, args.title)


def _parity_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="DIR", help="folder of 'e3d analyze' of structures with reference energies"
    )


def _parity(args: argparse.Namespace) -> Figure:
    from e3d_lmp.figures.of_folder import parity_figure

    return parity_figure(AnalysisFolder(Path(args.source)), args.title)


def _path_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", metavar="STORE", help="edge store of the images of reactions")
    parser.add_argument(
        "--reaction",
        nargs="+",
        metavar="NAME",
        help="reactions to draw beside each other, FORMULA/REACTION (default: the first in which a bond "
        "forms or breaks)",
    )
    parser.add_argument(
        "--cutoff",
        nargs="+",
        default=["covalent"],
        metavar="C",
        help="what a bond is, at the first and the last image: covalent (default), paper, a number of "
        "angstrom, 'file F'",
    )
    parser.add_argument(
        "--last",
        type=int,
        metavar="K",
        help="only the last K images, for files that hold the images of several iterations",
    )


def _path(args: argparse.Namespace) -> Figure:
    from e3d_lmp.analysis.reaction_paths import first_changing, path_frames, read_path
    from e3d_lmp.edges.cutoffs import parse_cutoff
    from e3d_lmp.edges.store.reader import StoreReader
    from e3d_lmp.figures import plot_paths

    if args.last is not None and args.last < 2:
        raise E3DError(f"--last {args.last}: expected a number of images of at least 2")
    cutoff = parse_cutoff(args.cutoff)
    with StoreReader(args.store) as store:
        names = args.reaction or [first_changing(store, cutoff)]
        images = slice(-args.last, None) if args.last else None
        paths = [read_path(store, name, cutoff, images) for name in names]
        if not args.reaction:
            total = len(path_frames(store))
            print(f"{names[0]}, one of {total} reactions; choose others with --reaction NAME")
    unpaired = sum(path.unpaired for path in paths)
    if unpaired:
        print(f"e3d: warning: {unpaired} edges without a partner left out", file=sys.stderr)
    return plot_paths(paths, args.title)


def _read_map(source: str) -> EnergyMap:
    """The map of a map file or of a folder of ``e3d analyze``."""
    return AnalysisFolder(Path(source)).map() if Path(source).is_dir() else read_map(source)


def _named_folders(words: Sequence[str]) -> dict[str, AnalysisFolder]:
    """Folders by the name of their panel, from words of a series or paths."""
    if all(map(is_series_word, words)):
        return sample_names(parse_series(words))
    return {Path(word).name or word: AnalysisFolder(Path(word)) for word in words}


def _named_maps(words: Sequence[str]) -> dict[str, EnergyMap]:
    """Maps by the name of their column, from words of a series, map files or folders."""
    if all(map(is_series_word, words)):
        return {name: folder.map() for name, folder in sample_names(parse_series(words)).items()}
    return {Path(word).name or word: _read_map(word) for word in words}


_ARGUMENTS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "maps": _maps_arguments,
    "grid": _grid_arguments,
    "ridgelines": _ridgelines_arguments,
    "scaling": _series_arguments,
    "errors": _series_arguments,
    "entropy": _entropy_arguments,
    "bars": _bars_arguments,
    "parity": _parity_arguments,
    "path": _path_arguments,
}
_DRAW: dict[str, Callable[[argparse.Namespace], Figure]] = {
    "maps": _maps,
    "grid": _grid,
    "ridgelines": _ridgelines,
    "scaling": _scaling,
    "errors": _errors,
    "entropy": _entropy,
    "bars": _bars,
    "parity": _parity,
    "path": _path,
}
