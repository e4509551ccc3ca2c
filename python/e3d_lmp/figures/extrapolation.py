"""Figures of a study of extrapolation: models of the members of a family, each asked for all members.

Members are in the order of growing size. Rows of a matrix are what was trained on, columns what was asked
for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.figures.style import COLOURS, GUIDE, MARKERS, letter, minus, new_figure, open_axes, plain, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 3000
"""Points of one panel at most; more would only be ink."""


@styled
def plot_matrices(
    members: Sequence[str], matrices: Mapping[str, tuple[np.ndarray, str]], title: str | None = None
) -> Figure:
    """Figure of errors of each member's model on each member, a panel per matrix, colours on a log scale.

    Parameters
    ----------
    matrices : by the title of the panel: (n, n), nan where there is nothing, and the unit

    Raises
    ------
    E3DError
        A matrix has no number above 0.
    """
    from matplotlib.colors import LogNorm

    side = 0.9 + 0.34 * len(members)
    figure = new_figure((side + 0.9) * len(matrices), side + (0.5 if title else 0.2))
    axes = list(figure.subplots(1, len(matrices), squeeze=False).flat)
    for axis, (name, (matrix, unit)) in zip(axes, matrices.items(), strict=True):
        shown = matrix[np.isfinite(matrix) & (matrix > 0.0)]
        if not shown.size:
            raise E3DError(f"no number to draw in '{name}': none of the pairs of members was judged")
        norm = LogNorm(shown.min(), max(shown.max(), 1.0001 * shown.min()))
        image = axis.imshow(matrix, cmap="viridis", norm=norm)
        for (k, m), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                bright = value > 0 and norm(value) > 0.6
                axis.text(m, k, _short(value), ha="center", va="center", fontsize=6.5,
                          color="black" if bright else "white")  # fmt: skip
        axis.set_xticks(range(len(members)), members, rotation=90)
        axis.set_yticks(range(len(members)), members)
        axis.set_xlabel("asked for")
        axis.set_title(name)
        figure.colorbar(image, ax=axis, shrink=0.85, label=unit)
    axes[0].set_ylabel("trained on")
    letter(axes)
    if title:
        figure.suptitle(plain(title))
    return figure


@styled
def plot_shift(
    members: Sequence[str],
    differences: np.ndarray,
    shift: np.ndarray,
    fitted: Sequence[bool],
    slope: float,
    intercept: float,
    pearson: float,
    title: str | None = None,
) -> Figure:
    """Figure of the mean shift of energies of each pair of members against the difference of composition.

    Parameters
    ----------
    differences, shift : (n, n); part of the atoms that are not hydrogen, test less training; eV per atom
    fitted : (n,) whether the line was fitted to pairs of this member; the others are hollow
    slope, intercept, pearson : of the line, eV per atom
    """
    figure = new_figure(4.6, 3.4)
    axis = figure.subplots()
    take = np.array(fitted, dtype=bool)
    for k, colour in enumerate(_shades(len(members))):
        for inner in (True, False):
            chosen = (take & take[k] if inner else ~(take & take[k])) & (np.arange(len(members)) != k)
            axis.plot(differences[k, chosen], 1e3 * shift[k, chosen], linestyle="none", marker=_marker(k),
                      color=colour, markerfacecolor=colour if inner else "white",
                      label=members[k] if inner == bool(take[k]) else None)  # fmt: skip
    ends = np.array([np.nanmin(differences), np.nanmax(differences)])
    axis.plot(ends, 1e3 * (slope * ends + intercept), color="black", linewidth=1.0, zorder=0)
    axis.axhline(0.0, color=GUIDE, linewidth=0.8, zorder=0)
    axis.text(0.03, 0.95, f"Pearson $r$ = {minus(pearson, '.3f')}", transform=axis.transAxes, va="top")
    axis.set_xlabel("part of atoms that are not H, asked for − trained on")
    axis.set_ylabel("mean shift of energy (meV per atom)")
    axis.legend(title="trained on", loc="center left", bbox_to_anchor=(1.0, 0.5))
    open_axes([axis])
    if title:
        axis.set_title(plain(title))
    return figure


@styled
def plot_environments(
    maps: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], title: str | None = None
) -> Figure:
    """Figure of SOAP vectors in two dimensions: PCovC above, PCA below, a column per kind of environment.

    Parameters
    ----------
    maps : by environment: member (n,) str, and both maps (n, 2)
    """
    members = list(dict.fromkeys(name for member, *_ in maps.values() for name in member.tolist()))
    colours = dict(zip(members, _shades(len(members)), strict=True))
    figure = new_figure(1.3 + 2.5 * len(maps), 5.0)
    grid = figure.subplots(2, len(maps), squeeze=False)
    for column, (environment, (member, covariates, principal)) in enumerate(maps.items()):
        for row, points in enumerate((covariates, principal)):
            axis = grid[row, column]
            # members one by one would hide the first ones
            order = np.random.default_rng(0).permutation(len(points))[:POINTS]
            axis.scatter(*points[order].T, s=3.0, linewidths=0, alpha=0.7,
                         c=[colours[name] for name in member[order].tolist()])  # fmt: skip
            axis.set_xticks([])
            axis.set_yticks([])
        grid[0, column].set_title(environment)
    grid[0, 0].set_ylabel("PCovC")
    grid[1, 0].set_ylabel("PCA")
    marks = [_dot(colours[name]) for name in members]
    figure.legend(marks, members, loc="outside right center")
    if title:
        figure.suptitle(plain(title))
    return figure


@styled
def plot_between(
    energies: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], title: str | None = None
) -> Figure:
    """Figure of energies between molecules: the model's, and what edges between molecules carry.

    Parameters
    ----------
    energies : by member: label, model and edges between molecules (F,), eV per molecule
    """
    figure = new_figure(7.4, 3.5)
    axes = list(figure.subplots(1, 2))
    names = ("the model's $E_{inter}$", "Σ $ε_{ij}$ between molecules")
    for k, (member, (label, *found)) in enumerate(energies.items()):
        colour = _shades(len(energies))[k]
        for axis, values in zip(axes, found, strict=True):
            axis.plot(label, values, linestyle="none", marker=_marker(k), markersize=3.0, color=colour,
                      label=member)  # fmt: skip
    for axis, name in zip(axes, names, strict=True):
        low, high = axis.get_xlim()
        axis.plot([low, high], [low, high], color=GUIDE, linewidth=0.8, zorder=0)
        axis.set_xlabel("label (eV per molecule)")
        axis.set_ylabel(f"{name} (eV per molecule)")
    axes[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="asked for")
    open_axes(axes)
    letter(axes)
    if title:
        figure.suptitle(plain(title))
    return figure


@styled
def plot_maps(
    members: Sequence[str],
    entropy: Mapping[str, np.ndarray],
    distance: Mapping[str, np.ndarray],
    force: np.ndarray,
    title: str | None = None,
) -> Figure:
    """Figure of how D-A maps change with what a model was trained on, and of its force error beside it.

    Each map is of the largest member that all models are asked for.

    Parameters
    ----------
    entropy : by pair label, (n,) H_2D in nats by training member
    distance : by pair label, (n,) Jensen-Shannon distance to the map of the model of the largest member
    force : (n,) eV/angstrom, force error of the models
    """
    figure = new_figure(9.0, 3.1)
    axes = list(figure.subplots(1, 3))
    places = np.arange(len(members))
    for axis, curves in zip(axes[:2], (entropy, distance), strict=True):
        for k, (label, values) in enumerate(curves.items()):
            axis.plot(places, values, marker=_marker(k), color=COLOURS[k % len(COLOURS)], label=label)
    axes[0].legend(title="pair")
    axes[2].plot(places, 1e3 * force, marker="o", color="black")
    axes[2].set_yscale("log")
    for axis, name in zip(
        axes, ("$H_{2D}$ (nats)", "distance of the map to the last", "force MAE (meV/Å)"), strict=True
    ):
        axis.set_xticks(places, members, rotation=45)
        axis.set_xlabel("trained on")
        axis.set_ylabel(name)
    open_axes(axes)
    letter(axes)
    if title:
        figure.suptitle(plain(title))
    return figure


@styled
def plot_novelty(
    members: Sequence[str], novelty: np.ndarray, force: np.ndarray, spearman: float, title: str | None = None
) -> Figure:
    """Figure of the force error of each pair of members against the share of bonds in bins new to the model.

    Parameters
    ----------
    novelty, force : (n, n); share, and eV/angstrom
    spearman : rank correlation of both
    """
    figure = new_figure(4.6, 3.4)
    axis = figure.subplots()
    for k, colour in enumerate(_shades(len(members))):
        axis.plot(novelty[k], 1e3 * force[k], linestyle="none", marker=_marker(k), color=colour,
                  label=members[k])  # fmt: skip
    axis.set_yscale("log")
    axis.text(0.03, 0.95, f"Spearman ρ = {minus(spearman, '.2f')}", transform=axis.transAxes, va="top")
    axis.set_xlabel("share of bonds in (D, A) bins that training never visited")
    axis.set_ylabel("force MAE (meV/Å)")
    axis.legend(title="trained on", loc="center left", bbox_to_anchor=(1.0, 0.5))
    open_axes([axis])
    if title:
        axis.set_title(plain(title))
    return figure


@styled
def plot_dissociation(
    curves: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]], title: str | None = None
) -> Figure:
    """Figure of energies against the length of a bond that breaks, a panel per bond.

    Parameters
    ----------
    curves : by bond, then by source (the first is drawn as points, models as lines): length in angstrom and
        energy above its lowest, eV
    """
    n = len(curves)
    columns = min(n, 4)
    figure = new_figure(1.0 + 2.3 * columns, 0.6 + 2.4 * (-(-n // columns)))
    axes = list(figure.subplots(-(-n // columns), columns, sharex=True, sharey=True, squeeze=False).flat)
    for axis in axes[n:]:
        axis.set_visible(False)
    for axis, (bond, sources) in zip(axes, curves.items(), strict=False):
        for k, (name, (length, energy)) in enumerate(sources.items()):
            if k == 0:
                axis.plot(length, energy, ".", color=GUIDE, markersize=3.0, label=name)
            else:
                axis.plot(length, energy, color=COLOURS[(k - 1) % len(COLOURS)], label=name)
        axis.set_title(bond)
    for axis in axes[:n:columns]:
        axis.set_ylabel("energy (eV)")
    for axis in axes[max(0, n - columns) : n]:
        axis.set_xlabel("bond length (Å)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    open_axes(axes[:n])
    letter(axes[:n])
    if title:
        figure.suptitle(plain(title))
    return figure


@styled
def plot_reach(
    members: Sequence[str], errors: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str | None = None
) -> Figure:
    """Figure of the errors of all models on frames far beyond the family, as melts of long chains.

    Parameters
    ----------
    errors : by melt, energy (n,) in eV per atom and force (n,) in eV/angstrom, by training member
    """
    figure = new_figure(6.6, 3.1)
    axes = list(figure.subplots(1, 2))
    places = np.arange(len(members))
    for k, (melt, pair) in enumerate(errors.items()):
        for axis, values in zip(axes, pair, strict=True):
            axis.plot(places, 1e3 * values, marker=_marker(k), color=COLOURS[k % len(COLOURS)], label=melt)
    for axis, name in zip(axes, ("energy MAE (meV per atom)", "force MAE (meV/Å)"), strict=True):
        axis.set_yscale("log")
        axis.set_xticks(places, members, rotation=45)
        axis.set_xlabel("trained on")
        axis.set_ylabel(name)
    axes[0].legend()
    open_axes(axes)
    letter(axes)
    if title:
        figure.suptitle(plain(title))
    return figure


def _shades(n: int) -> list[Any]:
    """n colours from dark to bright, in the order of the members."""
    from matplotlib import colormaps

    return [colormaps["viridis"](value) for value in np.linspace(0.0, 0.93, n)]


def _marker(k: int) -> str:
    return MARKERS[k % len(MARKERS)]


def _dot(colour: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="none", marker="o", color=colour)


def _short(value: float) -> str:
    """A number in three or four characters."""
    for limit, form in ((0.995, ".2f"), (9.95, ".1f")):
        if abs(value) < limit:
            return minus(value, form).replace("0.", ".", 1) if limit < 1 else minus(value, form)
    return minus(value, ".0f")
