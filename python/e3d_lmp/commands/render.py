"""``e3d render``: pictures, film strips and movies of bonds coloured by their energy, without a display.

OVITO (the extra ``ovito``) draws them; `e3d_lmp.scene` has the same for scripts and notebooks.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError

OVITO_PACKAGES = (
    "libvulkan1 mesa-vulkan-drivers libegl1 libgl1 libopengl0 libxkbcommon0 libfontconfig1 libdbus-1-3"
)
"""Debian packages with the shared libraries that OVITO's wheel does not bring."""

MOST_PANELS = 24

_FRAMES = (
    "7, 0,5,9 or FIRST:END:STEP; a picture shows several side by side (default: the first one in a picture, "
    "all in a movie)"
)
_LABEL = "text below, one for all frames or one for each; [Timestep], [Name]: those of the frame"
_RENDERER = "standard (default): Vulkan, on a GPU or in software; tachyon: ray tracing on the CPU, slow"


def check_ovito() -> None:
    """Import OVITO; `E3DError` that says what to type where that fails."""
    try:
        import ovito  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "ovito":
            raise
        raise E3DError("pictures need OVITO; type 'pip install ovito' (the extra e3d-lmp[ovito])") from None
    except ImportError as error:
        raise E3DError(
            f"OVITO cannot start ({error}); type 'sudo apt-get install {OVITO_PACKAGES}'"
        ) from None


def parse_frames(words: str, count: int) -> list[int]:
    """Numbers of frames that the words mean: ``7``, ``-1``, ``0,5,10``, or ``FIRST:END:STEP`` as in Python.

    Parameters
    ----------
    words
        What the user said.
    count
        Frames that there are.

    Raises
    ------
    E3DError
        The words are none of these, or mean no frame or one that is not there.
    """
    expected = f"expected a number from 0 to {count - 1}, several with commas between, or FIRST:END:STEP"
    try:
        if ":" in words:
            ends = [int(word) if word.strip() else None for word in words.split(":")]
            frames = list(range(count)[slice(*ends)])
        else:
            frames = [range(count)[int(word)] for word in words.split(",")]
    except (ValueError, IndexError, TypeError):
        raise E3DError(f"--frames {words}: {expected}") from None
    if not frames:
        raise E3DError(f"--frames {words}: means none of the {count} frames; {expected}")
    return frames


def parse_size(words: str) -> tuple[int, int]:
    """Width and height in pixels of ``WIDTHxHEIGHT``."""
    parts = words.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise E3DError(f"--size {words}: expected WIDTHxHEIGHT in pixels, e.g. 800x600")
    return int(parts[0]), int(parts[1])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d render``."""
    add = parser.add_argument
    add("file", metavar="FILE", help="edge store with positions, or local dump (then with --atoms)")
    add(
        "-o",
        "--output",
        required=True,
        metavar="OUT",
        help="picture (.png, .jpg, .tiff) or movie (.mp4, .mov, .avi, .gif)",
    )
    add("--atoms", metavar="DUMP", help="dump of the atoms (id type x y z) at the steps of a local dump")
    add("--types", nargs="+", default=[], metavar="El", help="element of each LAMMPS type, where not known")
    add("--frames", metavar="WHICH", help=_FRAMES)
    bonds = parser.add_argument_group("bonds")
    add = bonds.add_argument
    add("--colour", "--color", choices=("D", "A"), default="D", help="colour by D (default) or by |A|")
    add("--range", nargs=2, type=float, metavar=("LOW", "HIGH"), help="ends of the colours, eV (fitted)")
    add("--cutoff", nargs="+", default=["covalent"], metavar="C", help="bond cutoff (default covalent)")
    add("--pairs", nargs="+", default=[], metavar="P", help="only these pairs, e.g. C-H C-C")
    add("--window", nargs=2, type=float, metavar=("LOW", "HIGH"), help="only bonds with D in this range, eV")
    add("--width", type=float, metavar="W", help="width of the (widest) bonds, angstrom")
    add("--width-by", choices=("D", "A"), help="width shows D or |A| too")
    add("--bond-orders", action="store_true", help="double and triple bonds as such (RDKit)")
    view = parser.add_argument_group("view")
    add = view.add_argument
    add("--size", default="800x600", metavar="WxH", help="pixels (default 800x600)")
    add("--view", nargs=3, type=float, metavar=("X", "Y", "Z"), help="direction in which the camera looks")
    add("--fov", type=float, default=30.0, metavar="DEG", help="vertical angle of view (default 30 degrees)")
    add("--zoom", type=float, default=1.0, metavar="F", help="larger than what fits, or smaller (default 1)")
    add("--ortho", action="store_true", help="parallel projection")
    add("--background", nargs=3, type=float, default=[1.0, 1.0, 1.0], metavar=("R", "G", "B"), help="0 to 1")
    add("--label", nargs="+", default=[], metavar="TEXT", help=_LABEL)
    add("--no-cell", action="store_true", help="do not draw the simulation cell")
    add("--no-legend", action="store_true", help="no colour bar")
    add("--cut", action="store_true", help="do not complete molecules that the cell's sides cut")
    add("--fps", type=int, default=20, metavar="N", help="frames per second of a movie (default 20)")
    add("--renderer", default="standard", choices=("standard", "tachyon"), help=_RENDERER)


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d render`` was asked."""
    from e3d_lmp.edges.cutoffs import parse_cutoff

    output = Path(args.output)
    cutoff = parse_cutoff(args.cutoff).name
    if not args.atoms and not Path(args.file).exists():
        raise E3DError(f"{args.file}: no such file; expected an edge store, or a local dump and --atoms")
    check_ovito()
    from e3d_lmp.scene.camera import View
    from e3d_lmp.scene.contents import BOND_WIDTH
    from e3d_lmp.scene.modifier import E3DBonds
    from e3d_lmp.scene.pictures import MOVIES, PICTURES, Look, Stage, choose_renderer

    is_movie = output.suffix.lower() in MOVIES
    if not is_movie and output.suffix.lower() not in PICTURES:
        raise E3DError(f"{output}: expected a file that ends in {' '.join(PICTURES + MOVIES)}")
    if not output.parent.is_dir():
        raise E3DError(f"{output.parent}: no such folder; make it first: mkdir -p {output.parent}")
    direction = View().direction if args.view is None else tuple(args.view)
    view = View(direction, args.fov, args.zoom, args.ortho)
    look = Look(
        size=parse_size(args.size),
        background=_colour(args.background),
        cell=not args.no_cell,
        legend=not args.no_legend,
        whole=not args.cut,
        labels=tuple(args.label),
    )
    low, high = args.range or (0.0, 0.0)
    if args.range and not low < high:
        raise E3DError(f"--range {low:g} {high:g}: expected LOW < HIGH, in eV")
    if args.fps < 1:
        raise E3DError(f"--fps {args.fps}: expected a whole number of at least 1")
    width = BOND_WIDTH if args.width is None else args.width
    if not (math.isfinite(width) and width > 0.0):
        raise E3DError(f"--width {width:g}: expected a positive number of angstrom")
    renderer = choose_renderer(args.renderer, quick=is_movie)
    modifier: Any = E3DBonds()
    modifier.trait_set(
        pairs=" ".join(args.pairs),
        colour_by=_quantity(args.colour),
        low=low,
        high=high,
        width=width,
        width_by="none" if args.width_by is None else _quantity(args.width_by),
    )
    if args.window:
        modifier.d_min, modifier.d_max = args.window

    pipeline = _open(args.file, args.atoms, args.types, cutoff, args.bond_orders)
    pipeline.modifiers.append(modifier)
    frames = parse_frames(args.frames or (":" if is_movie else "0"), pipeline.num_frames)
    if not is_movie and len(frames) > MOST_PANELS:
        raise E3DError(
            f"{len(frames)} frames side by side: expected at most {MOST_PANELS}; write a movie (.mp4), or "
            "choose with --frames FIRST:END:STEP"
        )
    with Stage(pipeline, modifier, frames, view, look, 1 if is_movie else len(frames)) as stage:
        if is_movie:
            _movie(stage, output, args.fps, renderer)
        else:
            stage.picture(output, renderer)
    print(
        f"{output}: {len(frames)} frames, {look.size[0]}x{look.size[1]}, {modifier.colour_by} from "
        f"{modifier.low:g} to {modifier.high:g} eV, {type(renderer).__name__}"
    )
    return 0


def _movie(stage: Any, output: Path, fps: int, renderer: Any) -> None:
    from tqdm import tqdm

    with tqdm(total=len(stage.frames), unit="frame", desc="e3d render", disable=None, leave=False) as bar:
        stage.movie(output, fps, renderer, lambda begun: bar.update(begun - bar.n))


def _open(file: str, atoms: str | None, types: Sequence[str], cutoff: str, bond_orders: bool) -> Any:
    """The pipeline of a store, or of a local dump and the dump of its atoms."""
    from ovito.io import import_file

    from e3d_lmp.edges.store.reader import is_store
    from e3d_lmp.scene.reader import E3DReader

    if not is_store(file) and atoms is None:
        raise E3DError(
            f"{file}: not an edge store; a local dump has no positions: add --atoms DUMP, the 'dump custom' "
            "of id type x y z that was written at the same steps"
        )
    reader: Any = E3DReader()
    reader.trait_set(cutoff=cutoff, types=" ".join(types), atoms=atoms or "", bond_orders=bond_orders)
    reader.open(file)  # mistakes are said before OVITO calls back
    try:
        return import_file(file, input_format=reader)
    except RuntimeError as error:
        from e3d_lmp.scene.pictures import as_e3d_error

        raise as_e3d_error(error, f"{file}: OVITO cannot read it") from None


def _quantity(letter: str) -> str:
    return "|A|" if letter == "A" else "D"


def _colour(values: Sequence[float]) -> tuple[float, float, float]:
    if not all(0.0 <= value <= 1.0 for value in values):
        words = " ".join(f"{value:g}" for value in values)
        raise E3DError(f"--background {words}: expected three numbers from 0 to 1")
    red, green, blue = values
    return red, green, blue
