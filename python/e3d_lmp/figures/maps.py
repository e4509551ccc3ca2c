"""Figures of D-A maps: one map, the grid of several, and what one has more than another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from e3d_lmp.analysis.comparison import compare_labels
from e3d_lmp.analysis.label_map import LabelMap
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.edges.pairs import is_like, pair_label
from e3d_lmp.errors import E3DError
from e3d_lmp.figures.ranges import shown_bins
from e3d_lmp.figures.style import GUIDE, colours, new_figure, new_panels, plain, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PANELS = 8
"""Pairs that a figure shows unless told which."""

GRID_ROWS = 5
"""Pairs in the grid of several samples unless told which."""

MAP_COLOURS = "viridis_r"
"""Colours of maps: even steps for every eye, and darker is more in print too."""

SHOWN_WEIGHT = 0.998
"""Share of each panel's pairs that the common axes must hold; the panel says how many lie outside."""

GRID_WEIGHT = 0.9998
"""The same in the grid of several samples."""

SOLID_WEIGHT = 0.9
"""Share of each pair's weight that the overview shows in full colour; the rest is pale."""


@styled
def plot_maps(result: EnergyMap, labels: Sequence[str] | None = None, title: str | None = None) -> Figure:
    """Figure of the D-A maps: an overview of all pairs shown, and one panel per pair.

    All panels have the same axes, D to the right and A upwards, in the map's unit. Colour is the number of
    pairs per bin and sample on a common logarithmic scale; the square above a panel has the pair's colour in
    the overview.

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

    shown = chosen_labels(labels, result.by_count(), result.cutoff, MAX_PANELS)
    plane = _common_plane([result.labels[name] for name in shown], result.width)
    figure, panels = new_panels(len(shown) + 1)
    scale = max(result.samples, 1)
    grids = {name: plane.grid(result.labels[name]) for name in shown}
    most = max(float(np.nanmax(grid, initial=0.0)) for grid, _ in grids.values()) / scale
    norm = LogNorm(vmin=0.5 / scale, vmax=max(most, 1.0 / scale))

    _draw_overview(panels[0], plane, {name: grid for name, (grid, _) in grids.items()})
    image: Any = None
    for axis, name, colour in zip(panels[1:], shown, colours(len(shown)), strict=True):
        image = _draw_map(axis, plane, name, result.labels[name], grids[name], norm, scale)
        _draw_swatch(axis, colour)
    _name_axes(figure, panels, plane, result.unit, image, "pairs per sample and {} bin", title)
    return figure


@styled
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
    in_both = [name for name in a.by_count() if name in b.by_count()]
    shown = chosen_labels(labels, in_both, a.cutoff, MAX_PANELS)
    maps = [one.labels[name] for name in shown for one in (a, b)]
    plane = _common_plane(maps, a.width)
    figure, panels = new_panels(len(shown))
    grids = []
    for name in shown:
        before, after = (plane.grid(one.labels[name])[0] for one in (a, b))
        is_empty = np.isnan(before) & np.isnan(after)
        change = np.nan_to_num(after) / b.labels[name].count - np.nan_to_num(before) / a.labels[name].count
        grids.append(np.where(is_empty, np.nan, change))
    most = max(float(np.nanmax(np.abs(grid), initial=0.0)) for grid in grids) or 1.0
    norm = SymLogNorm(linthresh=0.02 * most, vmin=-most, vmax=most)
    image: Any = None
    for axis, name, grid in zip(panels, shown, grids, strict=True):
        image = axis.pcolormesh(plane.x, plane.y, grid, norm=norm, cmap="RdBu_r", rasterized=True)
        one = compare_labels(name, a.labels[name], b.labels[name])
        axis.set_title(f"{name}   JS = {one.distance:.3f}   ΔH = {one.shift_H:+.2f} nats", fontsize=9)
    _name_axes(figure, panels, plane, a.unit, image, "share of pairs per {} bin, b − a", title)
    return figure


@styled
def plot_map_grid(
    maps: Sequence[tuple[str, EnergyMap]], labels: Sequence[str] | None = None, title: str | None = None
) -> Figure:
    """Figure of the D-A maps of several samples: a row of panels for each pair, a column for each sample.

    All panels have the same axes. Colour is the share of the pair's number per bin on a common logarithmic
    scale, so that samples of different size look alike where their distributions are; each panel has its H_2D
    in nats.

    Parameters
    ----------
    maps
        Name of each sample, such as its number of training structures, and its maps.
    labels
        Pairs to show, ``H-C`` or ``C-H``; the `GRID_ROWS` commonest of all samples together by default.

    Raises
    ------
    E3DError
        If bins, units or bond cutoffs differ, there is no map, or none of the pairs occurs.
    """
    from matplotlib.colors import LogNorm

    if not maps:
        raise E3DError("no map to draw; give at least one")
    first = maps[0][1]
    for _, other in maps[1:]:
        first.check_comparable(other, "drawn on common axes")
    total: dict[str, int] = {}
    for _, one in maps:
        for name in one.by_count():
            total[name] = total.get(name, 0) + one.labels[name].count
    found = sorted(total, key=lambda name: (-total[name], name))
    shown = chosen_labels(labels, found, first.cutoff, GRID_ROWS)
    parts = [one.labels[name] for name in shown for _, one in maps if name in one.labels]
    parts = [part for part in parts if part.count]
    plane = _common_plane(parts, first.width, GRID_WEIGHT)
    shares = [part.halves / 2.0 / part.count for part in parts]
    norm = LogNorm(min(share.min() for share in shares), max(share.max() for share in shares))
    figure = new_figure(1.5 + 1.9 * len(maps), 0.9 + 1.6 * len(shown))
    panels = figure.subplots(len(shown), len(maps), sharex=True, sharey=True, squeeze=False)
    image: Any = None
    for row, name in zip(panels, shown, strict=True):
        for axis, (_, one) in zip(row, maps, strict=True):
            part = one.labels.get(name, LabelMap())
            if not part.count:
                axis.text(0.5, 0.5, "none", transform=axis.transAxes, ha="center", color="0.4")
                continue
            grid, outside = plane.grid(part)
            image = axis.pcolormesh(
                plane.x, plane.y, grid / part.count, norm=norm, cmap=MAP_COLOURS, rasterized=True
            )
            # above the panel, where no data can be
            above: dict[str, Any] = {"transform": axis.transAxes, "fontsize": 7.5, "va": "bottom"}
            axis.text(1.0, 1.02, f"H = {part.entropy_nats:.2f}", ha="right", **above)
            if outside:
                axis.text(0.0, 1.02, f"{outside:g} outside", **above)
        row[0].set_ylabel(name, fontweight="bold")
    for axis, (name, _) in zip(panels[0], maps, strict=True):
        axis.set_title(plain(name), pad=16.0)
    _name_axes(figure, list(panels.flat), plane, first.unit, image, "share of the pairs per {} bin", title)
    return figure


def chosen_labels(labels: Sequence[str] | None, found: Sequence[str], cutoff: str, most: int) -> list[str]:
    """Those of the wanted labels that are found; the first `most` by default. `E3DError` if there is none."""
    wanted = found[:most] if not labels else [pair_label(*name.split("-")) for name in labels]
    shown = [name for name in dict.fromkeys(wanted) if name in found]
    if not shown:
        raise E3DError(
            f"no pair to draw: {', '.join(labels or ['none'])} within the cutoff '{cutoff}'; "
            f"pairs found: {', '.join(found) or 'none'}"
        )
    return shown


@dataclass(frozen=True)
class _Plane:
    """The part of the D-A plane that all panels show.

    Attributes
    ----------
    first     bins of D and A at its corner
    shape     bins of the picture along A and D
    times     how many bins of the map make one of the picture, along D and A
    width     of the maps' bins
    """

    first: tuple[int, int]
    shape: tuple[int, int]
    times: tuple[int, int]
    width: float

    @property
    def x(self) -> np.ndarray:
        """(X + 1,) edges of D."""
        return (self.first[0] + self.times[0] * np.arange(self.shape[1] + 1)) * self.width

    @property
    def y(self) -> np.ndarray:
        """(Y + 1,) edges of A."""
        return (self.first[1] + self.times[1] * np.arange(self.shape[0] + 1)) * self.width

    def grid(self, one: LabelMap) -> tuple[np.ndarray, float]:
        """Weights (Y, X), nan where empty, and the weight outside."""
        d, a, weight = one.bins
        column, row = (d - self.first[0]) // self.times[0], (a - self.first[1]) // self.times[1]
        inside = (column >= 0) & (column < self.shape[1]) & (row >= 0) & (row < self.shape[0])
        sums = np.zeros(self.shape)
        np.add.at(sums, (row[inside], column[inside]), weight[inside])
        return np.where(sums > 0.0, sums, np.nan), float(weight[~inside].sum())

    def bin_name(self, unit: str) -> str:
        """What a bin of the picture is called."""
        sides = [times * self.width for times in self.times]
        if sides[0] == sides[1]:
            return f"({sides[0]:g} {unit})²"
        return f"{sides[0]:g} × {sides[1]:g} {unit}²"


def _common_plane(maps: Sequence[LabelMap], width: float, shown: float = SHOWN_WEIGHT) -> _Plane:
    """The plane that holds this share of each map, with a margin; less where it would be too large."""
    first, count, times = [], [], []
    for axis in (0, 1):
        low, high, wide = shown_bins([(one.bins[axis], one.bins[2]) for one in maps], shown)
        margin = max(1, round(0.04 * (high - low) / wide)) * wide
        first.append(low - margin)
        count.append(-(-(high + margin - first[-1]) // wide))
        times.append(wide)
    return _Plane((first[0], first[1]), (count[1], count[0]), (times[0], times[1]), width)


def _name_axes(
    figure: Figure,
    panels: Sequence[Axes],
    plane: _Plane,
    unit: str,
    image: Any,
    bar: str,
    title: str | None,
) -> None:
    """Ranges, zero lines and names of the D and A axes of all panels, and the colour bar."""
    for axis in panels:
        axis.set_xlim(plane.x[0], plane.x[-1])
        axis.set_ylim(plane.y[0], plane.y[-1])
        axis.axhline(0.0, color=GUIDE, linewidth=0.6, zorder=0)
        axis.axvline(0.0, color=GUIDE, linewidth=0.6, zorder=0)
    figure.supxlabel(f"bond energy D = ε₁₂ + ε₂₁ ({unit})")
    figure.supylabel(f"asymmetry A = ε₁₂ − ε₂₁ ({unit})")
    figure.colorbar(image, ax=figure.axes, label=bar.format(plane.bin_name(unit)), shrink=0.8, pad=0.02)
    if title:
        figure.suptitle(plain(title), fontsize=10)


def _draw_map(
    axis: Axes,
    plane: _Plane,
    name: str,
    one: LabelMap,
    drawn: tuple[np.ndarray, float],
    norm: Any,
    scale: int,
) -> Any:
    grid, outside = drawn
    image = axis.pcolormesh(plane.x, plane.y, grid / scale, norm=norm, cmap=MAP_COLOURS, rasterized=True)
    axis.set_title(f"{name}   H = {one.entropy_nats:.2f} nats", fontsize=10)
    text = f"{one.count:,} pairs"
    if is_like(name):
        text += ", ½ at ±A"
    if outside:
        text += f"\n{outside:g} outside"
    axis.text(0.02, 0.97, text, transform=axis.transAxes, fontsize=7, va="top")
    return image


def _draw_swatch(axis: Axes, colour: str) -> None:
    """A square of the pair's colour above the panel, instead of a legend that would hide data."""
    from matplotlib.lines import Line2D

    style: dict[str, Any] = {"marker": "s", "markersize": 8, "linestyle": "none", "color": colour}
    axis.add_artist(Line2D([0.03], [1.05], transform=axis.transAxes, clip_on=False, **style))


def _draw_overview(axis: Axes, plane: _Plane, grids: Mapping[str, np.ndarray]) -> None:
    """All pairs in one plane, each in its colour: pale where it goes, strong where most of it is."""
    from matplotlib.colors import ListedColormap

    for grid, colour in zip(grids.values(), colours(len(grids)), strict=True):
        weight = np.nan_to_num(grid)
        order = np.argsort(weight, axis=None)
        share = np.empty(weight.size)
        share[order] = np.cumsum(weight.flat[order]) / max(weight.sum(), 1e-300)
        is_core = share.reshape(weight.shape) > 1.0 - SOLID_WEIGHT
        one_colour = ListedColormap([colour])
        for cells, alpha in ((weight > 0.0, 0.2), (is_core & (weight > 0.0), 0.5)):
            axis.pcolormesh(
                plane.x,
                plane.y,
                np.where(cells, 1.0, np.nan),
                cmap=one_colour,
                alpha=alpha,
                rasterized=True,
                linewidth=0,
            )
    axis.set_title(f"all ({SOLID_WEIGHT:.0%} of each strong)", fontsize=10)
