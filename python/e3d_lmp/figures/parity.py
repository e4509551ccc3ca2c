"""Figure of energies of a model against those of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.figures.style import COLOURS, GUIDE, letter, minus, new_figure, plain, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MANY = 2000
"""Points from which on a panel shows their density instead."""

HEXAGONS = 60
"""Hexagons from end to end of an axis."""


@dataclass(frozen=True)
class Parity:
    """One quantity of many structures or reactions, by reference and by model.

    Attributes
    ----------
    name        what it is, e.g. ``barrier``
    reference   (N,) float64
    model       (N,) float64
    unit        of both
    error_unit  of the errors that are written; `unit` by default
    scale       error_unit per unit
    """

    name: str
    reference: np.ndarray
    model: np.ndarray
    unit: str = "eV"
    error_unit: str = ""
    scale: float = 1.0

    @property
    def error(self) -> np.ndarray:
        """(K,) model less reference, of those where both are known."""
        error = np.asarray(self.model, dtype=np.float64) - np.asarray(self.reference, dtype=np.float64)
        return error[np.isfinite(error)]


@styled
def plot_parity(panels: Sequence[Parity], title: str | None = None) -> Figure:
    """Figure of the model's values against the reference's, a square panel per quantity.

    Both axes of a panel have the same range and unit. From `MANY` points on hexagons show how many there are,
    on a logarithmic scale. The mean absolute, root mean square and mean error are written.

    Raises
    ------
    E3DError
        If there is no quantity, or one without a value that both know.
    """
    if not panels:
        raise E3DError("no parity plot to draw: give at least one quantity")
    for panel in panels:
        if np.shape(panel.reference) != np.shape(panel.model) or not panel.error.size:
            raise E3DError(
                f"no parity plot of '{panel.name}': expected as many values by both, one or more of them "
                f"known, got {np.shape(panel.reference)} and {np.shape(panel.model)}"
            )
    figure = new_figure(0.3 + 3.0 * len(panels), 3.3)
    axes = list(figure.subplots(1, len(panels), squeeze=False)[0])
    letter(axes)
    for axis, panel in zip(axes, panels, strict=True):
        _draw(figure, axis, panel)
    if title:
        figure.suptitle(plain(title))
    return figure


def _draw(figure: Figure, axis: Axes, panel: Parity) -> None:
    from matplotlib.ticker import MaxNLocator

    x, y = (np.asarray(values, dtype=np.float64) for values in (panel.reference, panel.model))
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    margin = 0.05 * (high - low) or 0.1
    ends = (float(low - margin), float(high + margin))
    if x.size >= MANY:
        image: Any = axis.hexbin(
            x,
            y,
            gridsize=HEXAGONS,
            extent=(*ends, *ends),
            bins="log",
            mincnt=1,
            cmap="viridis_r",
            linewidths=0.1,
        )
        figure.colorbar(image, ax=axis, label="number", shrink=0.75, pad=0.02)
    else:
        axis.scatter(
            x,
            y,
            s=14,
            color=COLOURS[0],
            alpha=0.6 if x.size > 50 else 0.9,
            linewidth=0,
            rasterized=x.size > 500,
        )
    axis.plot(ends, ends, color=GUIDE, linewidth=0.9, zorder=0)
    axis.set(xlim=ends, ylim=ends, aspect="equal")
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.set_yticks(axis.get_xticks())
    axis.set(xlim=ends, ylim=ends)
    axis.set_title(panel.name)
    axis.set_xlabel(f"reference ({panel.unit})")
    axis.set_ylabel(f"model ({panel.unit})")
    error = panel.scale * panel.error
    unit = panel.error_unit or panel.unit
    text = (
        f"n = {error.size:,}\nMAE {_number(np.abs(error).mean())} {unit}\n"
        f"RMSE {_number(np.sqrt(np.mean(error**2)))} {unit}\nmean {_number(error.mean(), '+')} {unit}"
    )
    box = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1.5}
    axis.text(0.04, 0.96, text, transform=axis.transAxes, fontsize=7.5, va="top", linespacing=1.35, bbox=box)


def _number(value: float, sign: str = "") -> str:
    """Three digits, no exponent."""
    size = abs(value)
    digits = 1 if size >= 10.0 else 2 if size >= 1.0 else 3
    return minus(value, f"{sign}.{digits}f")
