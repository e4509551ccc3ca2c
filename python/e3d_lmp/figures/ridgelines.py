"""Figure of the distributions of D by bond type, beside reference bond energies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from e3d_lmp.analysis.bonds.delta_bde import BondEnergyError, bond_energy_error
from e3d_lmp.analysis.bonds.energies import BondEnergies
from e3d_lmp.analysis.bonds.references import ReferenceEnergy
from e3d_lmp.errors import E3DError
from e3d_lmp.figures.ranges import MOST_BINS, shown_bins
from e3d_lmp.figures.style import COLOURS, colours, minus, new_figure, open_axes, plain, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 0.05
"""Width of the narrowest drawn bins, eV."""

WIDEST = 5
"""Width of the widest, for types with few bonds, in those of the narrowest."""

OVERLAP = 1.3
"""Height of the highest bin of each type, in distances of rows."""

LEAST_BONDS = 10
"""Bonds that a type needs for a ridge unless told otherwise."""

TAIL = 0.001
"""Share of each type's bonds that may lie beyond either end of the axis."""


@styled
def plot_ridgelines(
    energies: BondEnergies,
    references: Mapping[str, ReferenceEnergy],
    labels: Sequence[str] | None = None,
    title: str | None = None,
    as_bond_energy: bool = False,
    least: int | None = None,
) -> Figure:
    """Figure of D by bond type: one ridge for each type, and beside it the error of all bonds together.

    Types stand in the order of their labels, then of their bond orders. A ridge is the histogram of D, its
    highest bin at the same height in every row; a tick is the mean, a star the reference energy with a bar
    from its lowest to its highest table value; the number of bonds is at the right. The panel at the right
    has the distribution of -D - reference over all bonds of types with a reference, and Delta_BDE and
    sigma_BDE as `e3d_lmp.analysis.bonds.delta_bde` defines them.

    Parameters
    ----------
    energies
        D of all bonds by type; types without bonds are left out.
    references
        Reference energy of each type.
    labels
        Pair labels (``C-N``) or types (``C-N 2``) to show, in both panels; all by default.
    as_bond_energy
        Draw -D, to the right the stronger, instead of D.
    least
        Types with fewer bonds get no ridge, but stay in the panel at the right; `LEAST_BONDS` by default, 1
        where `labels` are given or no type has so many.

    Raises
    ------
    E3DError
        If there is no bond of these types.
    """
    rows = _rows(energies, labels)
    chosen = np.isin(np.arange(len(energies.types)), rows)
    energies = replace(energies, count=np.where(chosen, energies.count, 0))
    least = least or (1 if labels else LEAST_BONDS)
    all_rows, rows = rows, [k for k in rows if energies.count[k] >= least] or rows
    sign = -1.0 if as_bond_energy else 1.0
    height = 0.9 + 0.3 * max(len(rows), 11)
    figure = new_figure(7.6, height)
    grid = figure.add_gridspec(2, 2, width_ratios=(2.4, 1.0), height_ratios=(1.9, height - 2.6))
    left, right = figure.add_subplot(grid[:, 0]), figure.add_subplot(grid[0, 1])
    words = figure.add_subplot(grid[1, 1])
    pairs = list(dict.fromkeys(energies.types[k].split()[0] for k in rows))
    colour = dict(zip(pairs, colours(len(pairs)), strict=True))
    ends, times = _range(energies, references, rows, sign)
    for row, k in enumerate(rows):
        name = energies.types[k]
        _draw_ridge(left, energies, k, row, sign, colour[name.split()[0]], ends, times)
        if name in references:
            _draw_reference(left, references[name], row, -sign)
    left.set_xlim(*ends)
    left.set_ylim(len(rows) - 0.55, -OVERLAP - 0.25)
    left.set_yticks(range(len(rows)), [plain(energies.types[k]) for k in rows])
    left.tick_params(axis="y", length=0)
    left.set_xlabel("bond energy −D (eV)" if as_bond_energy else "D = ε₁₂ + ε₂₁ (eV)")
    left.spines[["left", "top", "right"]].set_visible(False)
    left.grid(axis="x", color="0.9", linewidth=0.6)
    left.set_axisbelow(True)
    left.text(
        1.02, -0.85, "bonds", transform=left.get_yaxis_transform(), fontsize=7.5, color="0.3", va="center"
    )
    error = bond_energy_error(energies, references)
    _draw_pooled(right, energies, references, error)
    _write_numbers(words, error, len(all_rows) - len(rows), least)
    if title:
        figure.suptitle(plain(title))
    return figure


def pooled_errors(
    energies: BondEnergies, references: Mapping[str, ReferenceEnergy], width: float = WIDTH
) -> tuple[np.ndarray, np.ndarray]:
    """Histogram of -D - reference over all bonds whose type has one: edges (K + 1,) eV, and bonds (K,).

    Bins start at multiples of `width`, or of a multiple of it where there would be more than `MOST_BINS`;
    both are empty where no bond has a reference.
    """
    values, weights = [], []
    for k, name in enumerate(energies.types):
        if name in references and energies.count[k]:
            centres, count = energies.histogram(k)
            values.append(-centres - references[name].energy)
            weights.append(count)
    if not values:
        return np.zeros(0), np.zeros(0)
    errors = np.concatenate(values)
    times = max(1.0, np.ceil(np.ptp(errors) / (MOST_BINS * width)))
    return _bins(errors, np.concatenate(weights), times * width)


def bin_width(energies: BondEnergies, k: int) -> float:
    """Width of the drawn bins of a type, eV, a multiple of `WIDTH`.

    By the rule of Freedman and Diaconis, 2 IQR / N^(1/3), but not above 10 / N^(1/3) times `WIDTH`, because
    two peaks far apart would get wide bins by that rule, and at most `WIDEST` times.
    """
    low, high = energies.quantiles(k, (0.25, 0.75))
    root = float(energies.count[k]) ** (1.0 / 3.0)
    times = min(2.0 * (high - low) / WIDTH, 10.0) / root
    return float(np.clip(round(times), 1, WIDEST)) * WIDTH


def _bins(values: np.ndarray, weights: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Edges (K + 1,) at multiples of the width, and the weight (K,) between them."""
    bins = np.floor(values / width).astype(np.int64)
    first = int(bins.min())
    count = np.bincount(bins - first, weights=weights)
    return (first + np.arange(count.size + 1)) * width, count


def _rows(energies: BondEnergies, labels: Sequence[str] | None) -> list[int]:
    """Types to draw, those with bonds, by label and then by order."""
    found = [k for k, count in enumerate(energies.count) if count]
    wanted = set(labels or ())
    rows = [k for k in found if not wanted or wanted & {energies.types[k], energies.types[k].split()[0]}]
    if not rows:
        there = ", ".join(energies.types[k] for k in found) or "none"
        raise E3DError(f"no bond to draw: {', '.join(labels or ['all types'])}; types found: {there}")
    return sorted(rows, key=lambda k: type_key(energies.types[k]))


def type_key(name: str) -> tuple[tuple[bool, str], tuple[bool, str], float]:
    """Sorts types: labels by the alphabet with H last, then low orders first and those without one last."""
    label, _, order = name.partition(" ")
    first, _, second = label.partition("-")
    return (first == "H", first), (second == "H", second), float(order) if order else math.inf


def _draw_ridge(
    axis: Axes,
    energies: BondEnergies,
    k: int,
    row: int,
    sign: float,
    colour: str,
    ends: tuple[float, float],
    times: int,
) -> None:
    """The bonds of a type between the ends of the axis, and how many there are, and how many outside."""
    centres, weights = energies.histogram(k)
    inside = (sign * centres >= ends[0]) & (sign * centres <= ends[1])
    if inside.any():
        edges, count = _bins(sign * centres[inside], weights[inside], times * bin_width(energies, k))
        height = OVERLAP * count / count.max()
        style: dict[str, Any] = {"baseline": row, "color": colour, "zorder": 2.0 + 0.01 * row}
        axis.stairs(row - height, edges, fill=True, alpha=0.55, linewidth=0.0, **style)
        axis.stairs(row - height, edges, linewidth=0.9, **style)
    mean = sign * energies.mean[k]
    axis.plot([mean, mean], [row, row - 0.45], color="black", linewidth=1.2, zorder=3.0)
    outside = int(weights[~inside].sum())
    axis.text(
        1.02,
        row,
        f"{energies.count[k]:,}"
        + (f", {outside:,} outside" if outside > TAIL * 2 * energies.count[k] else ""),
        transform=axis.get_yaxis_transform(),
        fontsize=7.5,
        color="0.3",
        va="center",
    )


def _draw_reference(axis: Axes, reference: ReferenceEnergy, row: int, sign: float) -> None:
    if math.isfinite(reference.low) and math.isfinite(reference.high):
        ends = sign * reference.low, sign * reference.high
        axis.plot(ends, [row, row], color="black", linewidth=2.6, solid_capstyle="butt", zorder=4.0)
    axis.scatter(
        [sign * reference.energy],
        [row],
        s=75,
        marker="*",
        facecolor="#F0E442",
        edgecolor="black",
        linewidth=0.7,
        zorder=5.0,
    )


def _range(
    energies: BondEnergies,
    references: Mapping[str, ReferenceEnergy],
    rows: Sequence[int],
    sign: float,
) -> tuple[tuple[float, float], int]:
    """Ends of the energy axis, eV, and by how much its bins are wider than `bin_width` says."""
    histograms = [energies.histogram(k) for k in rows]
    parts = [(np.floor(sign * centres / WIDTH).astype(np.int64), weight) for centres, weight in histograms]
    first, end, times = shown_bins(parts, 1.0 - 2.0 * TAIL)
    stars = [-sign * references[energies.types[k]].energy for k in rows if energies.types[k] in references]
    low, high = min([first * WIDTH, *stars]), max([end * WIDTH, *stars])
    margin = max(0.03 * (high - low), 2.0 * WIDTH)
    return (low - margin, high + margin), times


def _draw_pooled(
    axis: Axes,
    energies: BondEnergies,
    references: Mapping[str, ReferenceEnergy],
    error: BondEnergyError,
) -> None:
    """The distribution of -D - reference, with its mean and the ranges of 1 and 3 sigma."""
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    open_axes([axis])
    axis.set_xlabel("−D − reference (eV)")
    edges, count = pooled_errors(energies, references)
    if not count.size:
        axis.text(0.5, 0.5, "no type has a reference", transform=axis.transAxes, ha="center", color="0.4")
        return
    axis.stairs(count, edges, fill=True, color="0.55", zorder=2.0)
    mean, sigma = error.pooled_signed, error.sigma_pooled
    for times, shade in ((3.0, 0.12), (1.0, 0.22)):
        axis.axvspan(mean - times * sigma, mean + times * sigma, color=COLOURS[5], alpha=shade, linewidth=0)
    axis.axvline(mean, color=COLOURS[0], linewidth=1.2, zorder=3.0)
    axis.axvline(0.0, color="black", linewidth=0.8, linestyle=(0, (4, 3)), zorder=3.0)
    reach = max(3.6 * sigma, 1.2 * abs(mean), 2.0 * WIDTH)
    axis.set_xlim(min(mean - reach, -WIDTH), max(mean + reach, WIDTH))
    axis.set_ylim(0.0, 1.22 * count.max())
    top = axis.get_xaxis_transform()
    for times in (1, 3):
        at = mean + times * sigma
        axis.text(at, 0.98, f"{times}σ ", transform=top, fontsize=7.5, ha="right", va="top")


def _write_numbers(axis: Axes, error: BondEnergyError, hidden: int, least: int) -> None:
    """What the numbers of the pooled panel are, and what the marks of the ridges mean."""
    from matplotlib.lines import Line2D

    axis.set_axis_off()
    lines = ["no bond type with a reference"]
    if error.bonds:
        lines = [
            f"Δ$_{{BDE}}$ = {error.mean_over_types:.2f} eV, over {error.types} types",
            f"mean = {minus(error.pooled_signed, '+.2f')} eV, over {error.bonds:,} bonds",
            f"1σ = {error.sigma_pooled:.2f} eV, within types {error.sigma_within:.2f}",
            f"3σ = {3.0 * error.sigma_pooled:.2f} eV, within types {3.0 * error.sigma_within:.2f}",
        ]
    if error.left_out:
        lines += [f"{sum(error.left_out.values()):,} bonds without reference"]
    if hidden:
        lines += [f"no ridge: {hidden} types, < {least} bonds"]
    text = "\n".join(lines)
    axis.text(0.0, 1.0, text, transform=axis.transAxes, fontsize=7.5, va="top", linespacing=1.5)
    marks: list[Any] = [
        Line2D([], [], color="black", linewidth=1.2, marker="|", linestyle="none", markersize=8),
        Line2D([], [], marker="*", markersize=9, linestyle="none", markerfacecolor="#F0E442", color="black"),
        Line2D([], [], color="black", linewidth=2.6),
    ]
    marks[1].set_markeredgewidth(0.7)
    names = ["mean of D", "reference, enthalpy at 298 K", "its range over tables"]
    axis.legend(marks, names, loc="lower left", fontsize=7.5, borderaxespad=0.0, handlelength=1.2)
