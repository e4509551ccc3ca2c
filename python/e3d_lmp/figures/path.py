"""Figure of energy, and of the bonds that form and break, along reactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from e3d_lmp.analysis.reaction_paths import ReactionPath
from e3d_lmp.errors import E3DError
from e3d_lmp.figures.style import COLOURS, GUIDE, MARKERS, new_figure, open_axes, plain, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHORT = {"reactant": "R", "transition_state": "TS", "product": "P"}


@styled
def plot_paths(paths: Sequence[ReactionPath], title: str | None = None) -> Figure:
    """Figure of reactions, one beside the other: above the energy, below D of the bonds that form and break.

    Energies are relative to the first image, the model's filled, the reference's open. Bonds that form
    are full lines with filled markers, bonds that break dashed ones with open markers; a bond of D = 0 is
    none. All columns have the same axes of energy.

    Raises
    ------
    E3DError
        If there is no reaction.
    """
    from matplotlib.ticker import MaxNLocator

    if not paths:
        raise E3DError("no reaction to draw; give at least one")
    most = max(len(path.bonds) for path in paths)
    figure = new_figure(0.6 + max(2.9 * len(paths), 3.2), 4.4 + 0.18 * most)
    axes = figure.subplots(2, len(paths), sharex="col", sharey="row", squeeze=False, height_ratios=(1, 1.25))
    for (above, below), path in zip(axes.T, paths, strict=True):
        x = np.arange(len(path.images))
        _draw_energy(above, x, path)
        name = plain(path.name)
        above.set_title(name.replace("/", "\n", 1) if len(name) > 24 else name)
        below.set_xlim(-0.25, len(x) - 0.75)
        if set(path.images) <= set(_SHORT):
            below.set_xticks(x, [_SHORT[image] for image in path.images])
        else:
            below.set_xlabel("image")
            below.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        _draw_bonds(below, x, path)
    open_axes(list(axes.flat))
    axes[0, 0].set_ylabel("energy (eV)")
    axes[1, 0].set_ylabel("D of the bond (eV)")
    axes[0, 0].legend(loc="best")
    if title:
        figure.suptitle(plain(title))
    return figure


def _draw_energy(axis: Axes, x: np.ndarray, path: ReactionPath) -> None:
    axis.axhline(0.0, color=GUIDE, linewidth=0.8, zorder=0)
    axis.plot(x, path.energy - path.energy[0], color=COLOURS[0], marker="o", label="model")
    reference = path.reference_energy - path.reference_energy[0]
    if np.isfinite(reference).any():
        style: dict[str, Any] = {"color": "black", "marker": "o", "markerfacecolor": "none", "linestyle": ":"}
        axis.plot(x, reference, label="reference", markersize=8, zorder=1.5, **style)


def _draw_bonds(axis: Axes, x: np.ndarray, path: ReactionPath) -> None:
    axis.axhline(0.0, color=GUIDE, linewidth=0.8, zorder=0)
    for k, bond in enumerate(path.bonds):
        colour = COLOURS[k % len(COLOURS)]
        axis.plot(
            x,
            bond.D,
            color=colour,
            marker=MARKERS[k % len(MARKERS)],
            markerfacecolor=colour if bond.is_formed else "white",
            linestyle="-" if bond.is_formed else "--",
            label=f"{bond.name} {'formed' if bond.is_formed else 'broken'}",
        )
    if path.bonds:
        place = (0.5, -0.22 if axis.get_xlabel() else -0.14)
        axis.legend(loc="upper center", bbox_to_anchor=place, ncols=2, handlelength=2.8)
    else:
        axis.text(0.5, 0.5, "no bond forms or breaks", transform=axis.transAxes, ha="center", color="0.4")
