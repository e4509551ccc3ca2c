"""What all figures share: colours, fonts, panels, and the files they are written to."""

from __future__ import annotations

import functools
import io
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path
from e3d_lmp.terminal import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURES = (".png", ".pdf", ".svg")
"""Endings of the files that `save_figure` writes."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
"""Categorical colours that colour-blind readers tell apart (Okabe and Ito 2008, yellow replaced for white
paper)."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Markers of curves, so that a curve is known without its colour too."""

LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
"""Lines of curves, for the same reason."""

GUIDE = "0.6"
"""Grey of zero lines, diagonals and other guides."""

_SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.labelsize": 9.5,
    "axes.titlesize": 9.5,
    "figure.titlesize": 10.0,
    "figure.labelsize": 10.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.5,
    "lines.markersize": 5.0,
    "pdf.fonttype": 42,  # text stays text in a PDF
    "svg.hashsalt": "e3d",  # the same figure gives the same file
}

LEAST_SPAN = 2.5
"""Smallest ratio of the ends of a logarithmic axis of errors, so that noise does not fill it."""

LONGEST_TEXT = 150
"""Characters of a text that comes from files."""

MOST_PIXELS = 3e8
"""Of a picture of dots; four bytes each."""

P = ParamSpec("P")


def styled(plot: Callable[P, Figure]) -> Callable[P, Figure]:
    """The same plotting function, whose text and lines have the common sizes whatever the user's settings."""

    @functools.wraps(plot)
    def draw(*args: P.args, **kwargs: P.kwargs) -> Figure:
        from matplotlib import rc_context

        with rc_context(_SETTINGS):
            return plot(*args, **kwargs)

    return draw


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches, that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_panels(n: int) -> tuple[Figure, list[Axes]]:
    """A figure with n panels that share their axes."""
    n_columns = min((3, 4), key=lambda k: (-n % k, k)) if n > 4 else n
    n_rows = -(-n // n_columns)
    figure = new_figure(1.2 + 3.1 * n_columns, 0.9 + 2.6 * n_rows)
    panels = list(figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).flat)
    for axis in panels[n:]:
        axis.set_visible(False)
    for k, axis in enumerate(panels[:n]):
        axis.tick_params(labelbottom=k + n_columns >= n)
    return figure, panels[:n]


def colours(n: int) -> list[str]:
    """n categorical colours; they start again after the last one."""
    return [COLOURS[k % len(COLOURS)] for k in range(n)]


def open_axes(axes: Sequence[Axes]) -> None:
    """Axes with no line at the top and on the right."""
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)


def letter(axes: Sequence[Axes]) -> None:
    """(a), (b), ... before the titles of several panels."""
    if len(axes) > 1:
        for k, axis in enumerate(axes):
            axis.set_title(f"({chr(ord('a') + k)})", loc="left", fontweight="bold")


def few_decades(axis: Axes) -> None:
    """Ticks of a logarithmic axis of less than two decades: 20, 50, 100 instead of 10^2 alone."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_ylim()
    if high < LEAST_SPAN * low:
        middle, half = math.sqrt(low * high), math.sqrt(LEAST_SPAN)
        low, high = middle / half, middle * half
        axis.set_ylim(low, high)
    if high < 100.0 * low:
        near = high < 10.0 * low
        subs = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if near else (1.0, 2.0, 5.0)
        axis.yaxis.set_major_locator(LogLocator(subs=subs))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())


def minus(value: float, text_format: str) -> str:
    """A number as text with the sign − of print, as matplotlib writes it on axes."""
    return format(value, text_format).replace("-", "−")


def plain(text: str) -> str:
    """A text for a figure as it is: no ``$`` of a name or a file begins a formula, and no line is endless."""
    shown = printable(text) if len(text) <= LONGEST_TEXT else printable(text[:LONGEST_TEXT]) + "…"
    # matplotlib leaves names that begin with an underscore out of legends
    return (f" {shown}" if shown.startswith("_") else shown).replace("$", r"\$")


def save_figure(figure: Figure, path: str | os.PathLike, dpi: int = 200) -> None:
    """Write a figure in the format of the file's ending, one of `PICTURES`, whole or not at all."""
    ending = Path(path).suffix
    if ending not in PICTURES:
        raise E3DError(f"{path}: a picture is written to a file that ends in {', '.join(PICTURES)}")
    with atomic_path(path) as partial, open(partial, "wb") as file:
        _write(figure, file, ending[1:], dpi)


def picture_bytes(figure: Figure, kind: str = "png", dpi: int = 150) -> bytes:
    """A figure as the content of a file of this kind: ``png``, ``pdf`` or ``svg``."""
    file = io.BytesIO()
    _write(figure, file, kind, dpi)
    return file.getvalue()


def _write(figure: Figure, file: Any, kind: str, dpi: int) -> None:
    from matplotlib import rc_context

    width, height = figure.get_size_inches() * dpi
    if kind == "png" and (max(width, height) >= 2**16 or width * height > MOST_PIXELS):
        raise E3DError(
            f"a picture of {width:.0f} x {height:.0f} dots is too large; give fewer dots per inch, a smaller "
            "size or fewer panels, or write .pdf"
        )
    # No date, so that the same figure gives the same file.
    date = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
    with rc_context(_SETTINGS):  # ticks are made as late as here
        figure.savefig(file, format=kind, dpi=dpi, metadata=date)
