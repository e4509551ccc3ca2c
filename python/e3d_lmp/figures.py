"""Figures of D-A maps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from e3d_lmp.atomic import atomic_path
from e3d_lmp.errors import E3DError
from e3d_lmp.maps import EnergyMap, LabelMap
from e3d_lmp.pairs import is_like

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PANELS = 8
"""Pairs that a figure shows unless told which."""

SHOWN_WEIGHT = 0.998
"""Share of each panel's pairs that the common axes must hold; the panel says how many lie outside."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
"""Categorical colours that colour-blind readers tell apart (Okabe and Ito 2008, yellow replaced for white
paper)."""


def plot_maps(result: EnergyMap, labels: Sequence[str] | None = None, title: str | None = None) -> Figure:
    """Figure of the D-A maps: an overview of all pairs shown, and one panel per pair.

    All panels have the same axes, D to the right and A upwards, in eV. Colour is the number of pairs per
    bin and sample on a common logarithmic scale.

    Parameters
    ----------
    result
        The maps.
    labels
        Pairs to show; the `MAX_PANELS` commonest by default. Pairs that do not occur are left out.
    title
        Text above the figure.

    Raises
    ------
    E3DError
        If none of the pairs occurs.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    found = result.by_count()
    shown = found[:MAX_PANELS] if labels is None else [name for name in labels if name in found]
    if not shown:
        raise E3DError(
            f"no pair to draw: {', '.join(labels or ['none'])} within the cutoff '{result.cutoff}'; "
            f"pairs found: {', '.join(found) or 'none'}"
        )
    x_range, y_range = _common_range([result.labels[name] for name in shown], result.width)
    n_panels = len(shown) + 1
    n_columns = min(3, n_panels)
    n_rows = -(-n_panels // n_columns)
    figure = Figure(figsize=(1.2 + 3.1 * n_columns, 0.9 + 2.6 * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    panels = list(axes.flat)
    scale = max(result.samples, 1)
    most = max(result.labels[name].halves.max() for name in shown) / 2.0 / scale
    norm = LogNorm(vmin=0.5 / scale, vmax=max(most, 1.0 / scale))

    _draw_overview(panels[0], result, shown)
    image: Any = None
    for axis, name in zip(panels[1:], shown, strict=False):
        image = _draw_map(axis, result, name, x_range, y_range, norm, scale)
    for axis in panels[n_panels:]:
        axis.set_visible(False)
    for k, axis in enumerate(panels[:n_panels]):
        axis.set_xlim(*x_range)
        axis.set_ylim(*y_range)
        axis.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
        axis.axvline(0.0, color="0.6", linewidth=0.6, zorder=0)
        axis.tick_params(labelbottom=k + n_columns >= n_panels)
    figure.supxlabel("bond energy D = ε₁₂ + ε₂₁ (eV)")
    figure.supylabel("asymmetry A = ε₁₂ − ε₂₁ (eV)")
    figure.colorbar(
        image, ax=axes, label=f"pairs per sample and ({result.width:g} eV)² bin", shrink=0.8, pad=0.02
    )
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def save_figure(figure: Figure, path: str | os.PathLike, dpi: int = 200) -> None:
    """Write a figure in the format of the file's ending (.png, .pdf, .svg), whole or not at all."""
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=dpi)


def _common_range(maps: Sequence[LabelMap], width: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of D and A, eV, that hold `SHOWN_WEIGHT` of each map."""
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
    """Edges (X + 1,) and (Y + 1,), eV, and weights (Y, X), nan where empty, of the bins in a range; weight
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


def _draw_overview(axis: Axes, result: EnergyMap, shown: Sequence[str]) -> None:
    """The bins of each pair in one colour, fainter where there are few, named at its mean."""
    for name, colour in zip(shown, _colours(len(shown)), strict=True):
        one = result.labels[name]
        d, a, weight = one.bins
        # Strength of colour by rank: the bins that hold the inner 90 % of the pairs are solid.
        order = np.argsort(weight)
        share = np.empty(weight.size)
        share[order] = np.cumsum(weight[order]) / weight.sum()
        strength = np.where(share > 0.1, 0.8, 0.2)
        axis.scatter(
            (d + 0.5) * result.width,
            (a + 0.5) * result.width,
            s=4.0,
            marker="s",
            linewidths=0,
            color=colour,
            alpha=strength,  # type: ignore[arg-type]  # one value per marker is allowed
            rasterized=True,
        )
        axis.scatter([], [], s=16.0, marker="s", color=colour, label=name)
    axis.set_title("all", fontsize=10)
    axis.legend(fontsize=6, ncols=2, loc="best", handletextpad=0.2, columnspacing=0.8, borderpad=0.3)


def _colours(n: int) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(n)]
