"""Figures of D-A maps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from e3d_lmp.atomic import atomic_path
from e3d_lmp.errors import E3DError
from e3d_lmp.maps import EnergyMap, LabelMap
from e3d_lmp.pairs import is_like, pair_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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

    All panels have the same axes, D to the right and A upwards, in eV. Colour is the number of pairs per
    bin and sample on a common logarithmic scale.

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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    found = result.by_count()
    wanted = found[:MAX_PANELS] if not labels else [pair_label(*name.split("-")) for name in labels]
    shown = [name for name in dict.fromkeys(wanted) if name in found]
    if not shown:
        raise E3DError(
            f"no pair to draw: {', '.join(labels or ['none'])} within the cutoff '{result.cutoff}'; "
            f"pairs found: {', '.join(found) or 'none'}"
        )
    x_range, y_range = _common_range([result.labels[name] for name in shown], result.width)
    n_panels = len(shown) + 1
    n_columns = min((3, 4), key=lambda n: (-n_panels % n, n)) if n_panels > 4 else n_panels
    n_rows = -(-n_panels // n_columns)
    figure = Figure(figsize=(1.2 + 3.1 * n_columns, 0.9 + 2.6 * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    panels = list(axes.flat)
    scale = max(result.samples, 1)
    most = max(result.labels[name].halves.max() for name in shown) / 2.0 / scale
    norm = LogNorm(vmin=0.5 / scale, vmax=max(most, 1.0 / scale))

    _draw_overview(panels[0], result, shown, x_range, y_range)
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
