"""Figures of errors and entropies against the number of training structures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from e3d_lmp.analysis.bonds.delta_bde import BondEnergyError
from e3d_lmp.analysis.folders import ModelErrors
from e3d_lmp.analysis.label_map import LabelMap
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.analysis.sampling import FIGURE_SEED, EntropyChange, entropy_change
from e3d_lmp.edges.pairs import is_like
from e3d_lmp.errors import E3DError
from e3d_lmp.figures.maps import chosen_labels
from e3d_lmp.figures.style import (
    COLOURS,
    GUIDE,
    LINES,
    MARKERS,
    few_decades,
    letter,
    new_figure,
    open_axes,
    plain,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

N_DATA = "training structures $N$"

ENTROPY_CURVES = 6
"""Pairs in a figure of entropies unless told which."""

CORRECTED = "grassberger"
"""Entropy estimator of the panel of corrected entropies."""

T = TypeVar("T")
Series = Mapping[str, Mapping[int, T]]
"""For each series, what each of its models has, by number of training structures."""


_ERROR_PANELS = (
    ("energy", "energy", "MAE (meV per atom)", 1000.0),
    ("force", "force", "MAE (meV/Å)", 1000.0),
    ("barrier", "barrier $E_a$", "MAE (eV)", 1.0),
    ("reaction_energy", "reaction energy Δ$E$", "MAE (eV)", 1.0),
)


@styled
def plot_error_scaling(series: Series[ModelErrors], title: str | None = None) -> Figure:
    """Figure of mean absolute errors against the number of training structures, both on logarithmic axes.

    One panel each for energies, forces, barriers and reaction energies, as far as any model has them; a
    straight line is a power law.

    Raises
    ------
    E3DError
        If no model has an error.
    """
    values = {key: _numbers(series, key) for key, *_ in _ERROR_PANELS}
    panels = [panel for panel in _ERROR_PANELS if any(values[panel[0]].values())]
    if not panels:
        raise E3DError("no error to draw: none of the models was compared with reference energies")
    figure, axes = _panels(len(panels))
    for axis, (key, name, unit, scale) in zip(axes, panels, strict=True):
        for k, points in enumerate(values[key].values()):
            _draw_curve(axis, {n: scale * value for n, value in points.items()}, k)
        axis.set_yscale("log")
        few_decades(axis)
        axis.set_title(name)
        axis.set_ylabel(unit)
    return _finish(figure, axes, series, title)


@styled
def plot_bond_scaling(series: Series[BondEnergyError], title: str | None = None) -> Figure:
    """Figure of Delta_BDE and sigma_BDE against the number of training structures, on a logarithmic axis.

    Panels: Delta_BDE, mean over types; 3 sigma_BDE, of all bonds and within types; the mean of -D -
    reference over all bonds, with a band of 3 sigma to either side. The paper shows 3 sigma.

    Raises
    ------
    E3DError
        If no bond of any model has a reference.
    """
    delta, mean, pooled, within = (
        _numbers(series, key) for key in ("mean_over_types", "pooled_signed", "sigma_pooled", "sigma_within")
    )
    if not any(delta.values()):
        raise E3DError("no bond error to draw: no bond of any model has a reference energy")
    figure, axes = _panels(3)
    for k, name in enumerate(series):
        _draw_curve(axes[0], delta[name], k)
        _draw_curve(axes[1], {n: 3.0 * sigma for n, sigma in pooled[name].items()}, k)
        _draw_curve(axes[1], {n: 3.0 * sigma for n, sigma in within[name].items()}, k, hollow=True)
        _draw_curve(axes[2], mean[name], k)
        n = sorted(mean[name])
        low, high = ([mean[name][one] + side * pooled[name][one] for one in n] for side in (-3.0, 3.0))
        axes[2].fill_between(n, low, high, color=COLOURS[k % len(COLOURS)], alpha=0.15, linewidth=0)
    axes[2].axhline(0.0, color=GUIDE, linewidth=0.8, zorder=0)
    for axis in axes[:2]:
        axis.set_ylim(0.0, 1.15 * axis.dataLim.y1)
    heads = ("Δ$_{BDE}$", "3σ$_{BDE}$", "mean error, band ±3σ$_{BDE}$")
    names = ("mean over types |−D − ref.| (eV)", "3σ of −D − ref. (eV)", "mean −D − ref. (eV)")
    for axis, head, name in zip(axes, heads, names, strict=True):
        axis.set_title(head)
        axis.set_ylabel(name)
    samples = [_sample("0.3", "o", "-"), _sample("0.3", "o", "-", hollow=True)]
    axes[1].legend(samples, ["all bonds", "within types"], loc="lower left", handlelength=2.8)
    return _finish(figure, axes, series, title)


@styled
def plot_entropy_scaling(
    series: Series[EnergyMap],
    reference: EnergyMap | None = None,
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Figure of H_2D less that of a reference against the number of training structures, a curve per pair.

    Panels: the plug-in entropy of all pairs, as in the paper; and Grassberger's corrected entropy at an equal
    number of pairs (`analysis.sampling.entropy_change`), with the standard deviation of its draws. Colour
    is the pair, marker and line the series.

    Parameters
    ----------
    series
        The maps.
    reference
        Map to compare with; by default that of the largest number of structures of each series.
    labels
        Pairs to show; the `ENTROPY_CURVES` commonest of the reference by default.

    Raises
    ------
    E3DError
        If bins, units or bond cutoffs differ, or none of the pairs is in the reference.
    """
    bases = {name: reference or maps[max(maps)] for name, maps in series.items() if maps}
    if not bases:
        raise E3DError("no entropy to draw: there is no map")
    first = next(iter(bases.values()))
    shown = chosen_labels(labels, first.by_count(), first.cutoff, ENTROPY_CURVES)
    figure, axes = _panels(2, height=3.6, width=3.2)
    rng = np.random.default_rng(FIGURE_SEED)
    for k, (name, base) in enumerate(bases.items()):
        for at, label in enumerate(shown):
            plain, corrected = {}, {}
            for n, one in sorted(series[name].items()):
                base.check_comparable(one, "compared")
                part, whole = (each.labels.get(label, LabelMap()) for each in (one, base))
                if part.count and whole.count:
                    plain[n] = part.entropy_nats - whole.entropy_nats
                    corrected[n] = entropy_change(part, whole, is_like(label), rng, CORRECTED)
            _draw_curve(axes[0], plain, k, colour=at)
            _draw_changes(axes[1], corrected, k, at)
    for axis in axes:
        axis.axhline(0.0, color=GUIDE, linewidth=0.8, zorder=0)
    axes[1].sharey(axes[0])
    axes[1].autoscale_view()
    base_name = "reference" if reference else "largest $N$"
    axes[0].set_title("plug-in")
    axes[1].set_title("corrected, equal size")
    axes[0].set_ylabel(f"$H_{{2D}}$ − $H_{{2D}}$({base_name}) (nats)")
    marks = [_sample(COLOURS[at % len(COLOURS)], "", "-") for at in range(len(shown))]
    figure.legend(marks, shown, loc="outside right upper", title="pair")
    return _finish(figure, axes, series, title)


def _numbers(series: Series[Any], key: str) -> dict[str, dict[int, float]]:
    """One attribute of all models, those left out that have none."""
    found: dict[str, dict[int, float]] = {}
    for name, models in series.items():
        values = {n: float(getattr(models[n], key)) for n in sorted(models)}
        found[name] = {n: value for n, value in values.items() if math.isfinite(value)}
    return found


def _panels(n: int, height: float = 3.0, width: float = 2.75) -> tuple[Figure, list[Axes]]:
    """n panels beside each other, or in two rows if there are four."""
    n_rows = 2 if n == 4 else 1
    n_columns = n // n_rows
    figure = new_figure(0.4 + width * max(n_columns, 1.5), height if n_rows == 1 else 1.8 * height)
    axes = list(figure.subplots(n_rows, n_columns, sharex=True, squeeze=False).flat)
    open_axes(axes)
    letter(axes)
    return figure, axes


def _draw_curve(
    axis: Axes, points: Mapping[int, float], k: int, hollow: bool = False, colour: int | None = None
) -> None:
    """The curve of series k, or one of its curves in another colour."""
    style = _style(k, k if colour is None else colour, hollow)
    n = sorted(points)
    axis.plot(n, [points[one] for one in n], **style)


def _draw_changes(axis: Axes, changes: Mapping[int, EntropyChange], k: int, colour: int) -> None:
    n = sorted(changes)
    # one draw has no spread, and a map at its full size none either
    spread = np.nan_to_num([changes[one].std for one in n])
    values = [changes[one].equal_size for one in n]
    axis.errorbar(n, values, yerr=spread, capsize=2.0, elinewidth=0.9, **_style(k, colour))


def _style(k: int, colour: int, hollow: bool = False) -> dict[str, Any]:
    shade = COLOURS[colour % len(COLOURS)]
    return {
        "color": shade,
        "marker": MARKERS[k % len(MARKERS)],
        "linestyle": LINES[k % len(LINES)],
        "linewidth": 0.8 if hollow else 1.5,
        "markerfacecolor": "white" if hollow else shade,
    }


def _sample(colour: str, marker: str, line: Any, hollow: bool = False) -> Any:
    """A line for a legend."""
    from matplotlib.lines import Line2D

    face = "white" if hollow else colour
    width = 0.8 if hollow else 1.5
    return Line2D([], [], color=colour, marker=marker, linestyle=line, linewidth=width, markerfacecolor=face)


def _finish(figure: Figure, axes: Sequence[Axes], series: Series[Any], title: str | None) -> Figure:
    """The axis of N, the legend of several series, and the title."""
    n = sorted({one for models in series.values() for one in models})
    for axis in axes:
        axis.set_xscale("log")
        axis.set_xlim(n[0] / 1.25, n[-1] * 1.25)
        _label_counts(axis, n)
    figure.supxlabel(N_DATA)
    if len(series) > 1 or "" not in series:
        shade = "0.3" if figure.legends else None
        marks = [
            _sample(shade or COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)], LINES[k % len(LINES)])
            for k in range(len(series))
        ]
        columns = min(len(series), 6)
        names = [plain(name) for name in series]
        figure.legend(marks, names, loc="outside upper center", ncols=columns, handlelength=2.8)
    if title:
        figure.suptitle(plain(title))
    return figure


def _label_counts(axis: Axes, n: Sequence[int]) -> None:
    """The numbers themselves as ticks, where they are few and apart; powers of ten otherwise."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    apart = all(b > 1.6 * a for a, b in itertools.pairwise(n))
    if len(n) <= 7 and apart:
        axis.xaxis.set_major_locator(FixedLocator(list(n)))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axis.tick_params(axis="x", labelrotation=30 if len(n) > 4 else 0)
