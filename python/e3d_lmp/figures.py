"""Figures of D-A maps, of their differences, and of bonds and molecules against time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from e3d_lmp.atomic import atomic_path
from e3d_lmp.comparison import compare_labels
from e3d_lmp.errors import E3DError
from e3d_lmp.maps import EnergyMap, LabelMap
from e3d_lmp.pairs import is_like, pair_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from e3d_lmp.events import Events
    from e3d_lmp.species import Species

PICTURES = (".png", ".pdf", ".svg")
"""Endings of the files that `save_figure` writes."""

MAX_PANELS = 8
"""Pairs that a figure shows unless told which."""

SHOWN_WEIGHT = 0.998
"""Share of each panel's pairs that the common axes must hold; the panel says how many lie outside."""

SOLID_WEIGHT = 0.9
"""Share of each pair's weight that the overview shows in full colour; the rest is pale."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
"""Categorical colours that colour-blind readers tell apart (Okabe and Ito 2008, yellow replaced for white
paper)."""


def plot_maps(result: EnergyMap, labels: Sequence[str] | None = None, title: str | None = None) -> Figure:
    """Figure of the D-A maps: an overview of all pairs shown, and one panel per pair.

    All panels have the same axes, D to the right and A upwards, in the map's unit. Colour is the number of
    pairs per bin and sample on a common logarithmic scale.

    Parameters
    ----------
    result
        The maps.
    labels
        Pairs to show, ``H-C`` or ``C-H``; the `MAX_PANELS` commonest by default. Pairs that do not occur
        are left out.
    title
        Text above the figure.

    Raises
    ------
    E3DError
        If none of the pairs occurs.
    """
    from matplotlib.colors import LogNorm

    shown = _shown_labels(labels, result.by_count(), result.cutoff)
    x_range, y_range = _common_range([result.labels[name] for name in shown], result.width)
    figure, panels = _panels(len(shown) + 1)
    scale = max(result.samples, 1)
    most = max(result.labels[name].halves.max() for name in shown) / 2.0 / scale
    norm = LogNorm(vmin=0.5 / scale, vmax=max(most, 1.0 / scale))

    _draw_overview(panels[0], result, shown, x_range, y_range)
    image: Any = None
    for axis, name in zip(panels[1:], shown, strict=True):
        image = _draw_map(axis, result, name, x_range, y_range, norm, scale)
    bar = f"pairs per sample and ({result.width:g} {result.unit})² bin"
    _name_axes(figure, panels, x_range, y_range, result.unit, image, bar, title)
    return figure


def plot_comparison(
    a: EnergyMap, b: EnergyMap, labels: Sequence[str] | None = None, title: str | None = None
) -> Figure:
    """Figure of what map b has more or less than map a: one panel per pair that occurs in both.

    Colour is the share of the label's pairs in each bin, in b less that in a, on a common scale; titles have
    the Jensen-Shannon distance and the change of the entropy. Pairs as in `plot_maps`.

    Raises
    ------
    E3DError
        If bins, units or bond cutoffs differ, or none of the pairs occurs in both maps.
    """
    from matplotlib.colors import SymLogNorm

    a.check_comparable(b, "compared")
    shown = _shown_labels(labels, [name for name in a.by_count() if name in b.by_count()], a.cutoff)
    maps = [one.labels[name] for name in shown for one in (a, b)]
    x_range, y_range = _common_range(maps, a.width)
    figure, panels = _panels(len(shown))
    grids = []
    for name in shown:
        x, y, before, _ = _grid(a.labels[name], x_range, y_range, a.width)
        _, _, after, _ = _grid(b.labels[name], x_range, y_range, a.width)
        is_empty = np.isnan(before) & np.isnan(after)
        change = np.nan_to_num(after) / b.labels[name].count - np.nan_to_num(before) / a.labels[name].count
        grids.append(np.where(is_empty, np.nan, change))
    most = max(float(np.nanmax(np.abs(grid))) for grid in grids) or 1.0
    norm = SymLogNorm(linthresh=0.02 * most, vmin=-most, vmax=most)
    image: Any = None
    for axis, name, grid in zip(panels, shown, grids, strict=True):
        image = axis.pcolormesh(x, y, grid, norm=norm, cmap="RdBu_r", rasterized=True)
        one = compare_labels(name, a.labels[name], b.labels[name])
        axis.set_title(f"{name}   JS = {one.distance:.3f}   ΔH = {one.shift_H:+.2f} nats", fontsize=9)
    bar = f"share of pairs per ({a.width:g} {a.unit})² bin, b − a"
    _name_axes(figure, panels, x_range, y_range, a.unit, image, bar, title)
    return figure


def plot_species(species: Species, n: int = MAX_PANELS, timestep: float | None = None) -> Figure:
    """Figure of the number of molecules against time, a step line for each of the n commonest formulas.

    Time is in steps, or in ps if `timestep` (ps) is given. Raises `E3DError` if there is no sample.
    """
    if not species.formulas:
        raise E3DError("no molecule to draw: the species file has no sample yet")
    lines = {name: (species.step, species.formulas[name]) for name in species.commonest(n)}
    return _plot_steps(lines, "molecules", timestep)


def plot_events(events: Events, timestep: float | None = None) -> Figure:
    """Figure of bonds formed less bonds broken against time, a step line for each of the `MAX_PANELS` labels
    with the most events. Time as in `plot_species`. Raises `E3DError` if there is no event."""
    if not len(events):
        raise E3DError("no bond to draw: the event file has no event yet")
    lines = {}
    for name in events.by_count()[:MAX_PANELS]:
        steps, net = events.net(name)
        # From 0 before the first event to the file's last one.
        ends = [min(int(events.step[0]), int(steps[0]) - 1)], [int(events.step[-1])]
        lines[name] = np.concatenate([ends[0], steps, ends[1]]), np.concatenate([[0], net, net[-1:]])
    return _plot_steps(lines, "bonds formed − bonds broken", timestep)


def _plot_steps(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]], what: str, timestep: float | None
) -> Figure:
    """Step lines of whole numbers against the time step, each named in a legend beside the axes."""
    from matplotlib.ticker import MaxNLocator

    figure = _figure(7.0, 3.6)
    axis = figure.subplots()
    for k, ((name, (step, number)), colour) in enumerate(
        zip(lines.items(), _colours(len(lines)), strict=True)
    ):
        style = ("-", "--", ":")[k // len(COLOURS) % 3]
        x = step if timestep is None else step * timestep
        axis.plot(x, number, drawstyle="steps-post", label=name, color=colour, linestyle=style, linewidth=1.5)
    axis.set_xlabel("time step" if timestep is None else "time (ps)")
    axis.set_ylabel(what)
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return figure


def _shown_labels(labels: Sequence[str] | None, found: Sequence[str], cutoff: str) -> list[str]:
    """Those of the wanted labels that are found; the commonest by default. `E3DError` if there is none."""
    wanted = found[:MAX_PANELS] if not labels else [pair_label(*name.split("-")) for name in labels]
    shown = [name for name in dict.fromkeys(wanted) if name in found]
    if not shown:
        raise E3DError(
            f"no pair to draw: {', '.join(labels or ['none'])} within the cutoff '{cutoff}'; "
            f"pairs found: {', '.join(found) or 'none'}"
        )
    return shown


def _figure(width: float, height: float) -> Figure:
    """An empty figure, inches, that needs no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _panels(n: int) -> tuple[Figure, list[Axes]]:
    """A figure with n panels that share their axes."""
    n_columns = min((3, 4), key=lambda k: (-n % k, k)) if n > 4 else n
    n_rows = -(-n // n_columns)
    figure = _figure(1.2 + 3.1 * n_columns, 0.9 + 2.6 * n_rows)
    panels = list(figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).flat)
    for axis in panels[n:]:
        axis.set_visible(False)
    for k, axis in enumerate(panels[:n]):
        axis.tick_params(labelbottom=k + n_columns >= n)
    return figure, panels[:n]


def _name_axes(
    figure: Figure,
    panels: Sequence[Axes],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    unit: str,
    image: Any,
    bar: str,
    title: str | None,
) -> None:
    """Ranges, zero lines and names of the D and A axes of all panels, and the colour bar."""
    for axis in panels:
        axis.set_xlim(*x_range)
        axis.set_ylim(*y_range)
        axis.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
        axis.axvline(0.0, color="0.6", linewidth=0.6, zorder=0)
    figure.supxlabel(f"bond energy D = ε₁₂ + ε₂₁ ({unit})")
    figure.supylabel(f"asymmetry A = ε₁₂ − ε₂₁ ({unit})")
    figure.colorbar(image, ax=figure.axes, label=bar, shrink=0.8, pad=0.02)
    if title:
        figure.suptitle(title, fontsize=10)


def save_figure(figure: Figure, path: str | os.PathLike, dpi: int = 200) -> None:
    """Write a figure in the format of the file's ending, one of `PICTURES`, whole or not at all."""
    if Path(path).suffix not in PICTURES:
        raise E3DError(f"{path}: a picture is written to a file that ends in {', '.join(PICTURES)}")
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=dpi)


def _common_range(maps: Sequence[LabelMap], width: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of D and A, in the maps' unit, that hold `SHOWN_WEIGHT` of each map."""
    ranges = []
    for axis in (0, 1):
        ends = []
        for one in maps:
            k, weight = one.bins[axis], one.bins[2]
            order = np.argsort(k)
            share = np.cumsum(weight[order]) / weight.sum()
            tail = (1.0 - SHOWN_WEIGHT) / 2.0
            ends += [k[order][np.searchsorted(share, tail)], k[order][np.searchsorted(share, 1.0 - tail)] + 1]
        low, high = min(ends) * width, max(ends) * width
        margin = max(0.04 * (high - low), width)
        ranges.append((low - margin, high + margin))
    return ranges[0], ranges[1]


def _grid(one: LabelMap, x_range: tuple[float, float], y_range: tuple[float, float], width: float) -> tuple:
    """Edges (X + 1,) and (Y + 1,) and weights (Y, X), nan where empty, of the bins in a range; weight
    outside."""
    d, a, weight = one.bins
    lows = np.floor([x_range[0] / width, y_range[0] / width]).astype(np.int64)
    highs = np.ceil([x_range[1] / width, y_range[1] / width]).astype(np.int64)
    inside = (d >= lows[0]) & (d < highs[0]) & (a >= lows[1]) & (a < highs[1])
    grid = np.full((highs[1] - lows[1], highs[0] - lows[0]), np.nan)
    grid[a[inside] - lows[1], d[inside] - lows[0]] = weight[inside]
    x = np.arange(lows[0], highs[0] + 1) * width
    y = np.arange(lows[1], highs[1] + 1) * width
    return x, y, grid, weight[~inside].sum()


def _draw_map(
    axis: Axes,
    result: EnergyMap,
    name: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    norm: Any,
    scale: int,
) -> Any:
    one = result.labels[name]
    x, y, grid, outside = _grid(one, x_range, y_range, result.width)
    image = axis.pcolormesh(x, y, grid / scale, norm=norm, cmap="viridis_r", rasterized=True)
    axis.set_title(f"{name}   H = {one.entropy_nats:.2f} nats", fontsize=10)
    text = f"{one.count:,} pairs"
    if is_like(name):
        text += ", ½ at ±A"
    if outside:
        text += f"\n{outside:g} outside"
    axis.text(0.02, 0.97, text, transform=axis.transAxes, fontsize=7, va="top")
    return image


def _draw_overview(
    axis: Axes,
    result: EnergyMap,
    shown: Sequence[str],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> None:
    """All pairs in one plane, each in its colour: pale where it goes, strong where most of it is."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    patches = []
    for name, colour in zip(shown, _colours(len(shown)), strict=True):
        x, y, grid, _ = _grid(result.labels[name], x_range, y_range, result.width)
        weight = np.nan_to_num(grid)
        order = np.argsort(weight, axis=None)
        share = np.empty(weight.size)
        share[order] = np.cumsum(weight.flat[order]) / max(weight.sum(), 1e-300)
        is_core = share.reshape(weight.shape) > 1.0 - SOLID_WEIGHT
        one_colour = ListedColormap([colour])
        for cells, alpha in ((weight > 0.0, 0.2), (is_core & (weight > 0.0), 0.5)):
            axis.pcolormesh(
                x, y, np.where(cells, 1.0, np.nan), cmap=one_colour, alpha=alpha, rasterized=True, linewidth=0
            )
        patches.append(Patch(color=colour, label=name))
    axis.set_title(f"all ({SOLID_WEIGHT:.0%} of each strong)", fontsize=10)
    axis.legend(handles=patches, fontsize=6, ncols=2, loc="best", handlelength=1.0, columnspacing=0.8)


def _colours(n: int) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(n)]
