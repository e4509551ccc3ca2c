"""Figure of bond energies: one against another, or several against a reference, coloured by bond type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.figures.style import COLOURS, GUIDE, MARKERS, letter, minus, new_figure, open_axes, plain, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TYPES = len(COLOURS) - 1
"""Types that get a colour of their own, the most frequent ones; the others share the last."""


@dataclass(frozen=True)
class EnergyPairs:
    """Two energies of some bonds or dimers, a panel.

    Attributes
    ----------
    x, y              (n,) eV
    x_label, y_label  what they are
    types             (n,) names
    """

    x: np.ndarray
    y: np.ndarray
    x_label: str
    y_label: str
    types: Sequence[str]

    @property
    def known(self) -> np.ndarray:
        """(n,) bool, of which both are known."""
        return np.isfinite(self.x) & np.isfinite(self.y)


@styled
def plot_dissociation(panels: Sequence[EnergyPairs], title: str | None = None) -> Figure:
    """Figure with a panel for each pair of energies; the Pearson correlation is written, overall and within
    types, with the diagonal as a guide.

    Raises
    ------
    E3DError
        No panel has a bond of which both are known.
    """
    drawn = [panel for panel in panels if panel.known.any()]
    if not drawn:
        raise E3DError("no figure of dissociation energies: no bond was broken and none has a reference")
    count = Counter(
        name for panel in drawn for name, known in zip(panel.types, panel.known, strict=True) if known
    )
    named = sorted(name for name, _ in count.most_common(MOST_TYPES))
    figure = new_figure(1.7 + 3.0 * len(drawn), 3.3)
    axes = list(figure.subplots(1, len(drawn), squeeze=False)[0])
    letter(axes)
    open_axes(axes)
    for axis, panel in zip(axes, drawn, strict=True):
        _draw(axis, panel, named)
    handles = {
        label: handle
        for axis in axes
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    labels = [plain(name) for name in (*named, "others") if plain(name) in handles]
    figure.legend([handles[name] for name in labels], labels, loc="outside right upper")
    if title:
        figure.suptitle(plain(title))
    return figure


def _draw(axis: Axes, panel: EnergyPairs, named: Sequence[str]) -> None:
    known = panel.known
    x, y = panel.x[known], panel.y[known]
    kinds = np.array([name if name in named else "others" for name in panel.types])[known]
    for k, name in enumerate((*named, "others")):
        own = kinds == name
        if own.any():
            axis.scatter(
                x[own],
                y[own],
                s=16,
                color=COLOURS[k],
                marker=MARKERS[k],
                alpha=0.75,
                linewidth=0,
                label=plain(name),
            )
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    margin = 0.05 * (high - low) or 0.1
    axis.axline((low, low), slope=1.0, color=GUIDE, linewidth=0.9, zorder=0)
    axis.set(xlim=(x.min() - margin, x.max() + margin), ylim=(y.min() - margin, y.max() + margin))
    axis.set_xlabel(f"{panel.x_label} (eV)")
    axis.set_ylabel(f"{panel.y_label} (eV)")
    lines = [f"n = {x.size:,}"]
    types = np.array(panel.types)[known]
    for text, (u, v) in (("r", (x, y)), ("within types", (_within(x, types), _within(y, types)))):
        if u.size > 2 and np.ptp(u) > 1e-9 and np.ptp(v) > 1e-9:
            lines.append(f"{text} {minus(float(np.corrcoef(u, v)[0, 1]), '.2f')}")
    box = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1.5}
    axis.text(0.04, 0.96, "\n".join(lines), transform=axis.transAxes, fontsize=7.5, va="top", bbox=box)


def _within(values: np.ndarray, types: np.ndarray) -> np.ndarray:
    """The values less the mean of their type."""
    rest = np.array(values, dtype=np.float64)
    for name in np.unique(types):
        rest[types == name] -= rest[types == name].mean()
    return rest
