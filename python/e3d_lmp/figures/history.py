"""Figures of molecules, and of bonds that form and break, against time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.figures.style import COLOURS, colours, new_figure, open_axes, plain, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from e3d_lmp.analysis.events import Events
    from e3d_lmp.analysis.species import Species

MAX_LINES = 8
"""Lines that a figure shows unless told how many."""


@styled
def plot_species(species: Species, n: int = MAX_LINES, timestep: float | None = None) -> Figure:
    """Figure of the number of molecules against time, a step line for each of the n commonest formulas.

    Time is in steps, or in ps if `timestep` (ps) is given. Raises `E3DError` if there is no sample.
    """
    if not species.formulas:
        raise E3DError("no molecule to draw: the species file has no sample yet")
    lines = {name: (species.step, species.formulas[name]) for name in species.commonest(n)}
    return _plot_steps(lines, "molecules", timestep)


@styled
def plot_events(events: Events, timestep: float | None = None) -> Figure:
    """Figure of bonds formed less bonds broken against time, a step line for each of the `MAX_LINES` labels
    with the most events. Time as in `plot_species`. Raises `E3DError` if there is no event."""
    if not len(events):
        raise E3DError("no bond to draw: the event file has no event yet")
    lines = {}
    for name in events.by_count()[:MAX_LINES]:
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

    figure = new_figure(7.0, 3.6)
    axis = figure.subplots()
    for k, ((name, (step, number)), colour) in enumerate(
        zip(lines.items(), colours(len(lines)), strict=True)
    ):
        style = ("-", "--", ":")[k // len(COLOURS) % 3]
        x = step if timestep is None else step * timestep
        axis.plot(x, number, drawstyle="steps-post", label=plain(name), color=colour, linestyle=style)
    axis.set_xlabel("time step" if timestep is None else "time (ps)")
    axis.set_ylabel(what)
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    open_axes([axis])
    figure.legend(loc="outside right upper")
    return figure


@styled
def plot_lines(steps: ArrayLike, lines: Mapping[str, ArrayLike]) -> Figure:
    """Figure of several quantities against the time step, a panel for each, in the order of `lines`; steps
    are
    common to all of them. Raises `E3DError` if there is no line."""
    if not lines:
        raise E3DError("no quantity to draw")
    n_columns = min(3, len(lines))
    n_rows = -(-len(lines) // n_columns)
    figure = new_figure(0.6 + 2.7 * n_columns, 0.5 + 1.7 * n_rows)
    panels = list(figure.subplots(n_rows, n_columns, sharex=True, squeeze=False).flat)
    for axis, (name, values) in zip(panels, lines.items(), strict=False):
        axis.plot(steps, values, color=COLOURS[0], linewidth=1.2)
        axis.set_title(name)
    for axis in panels[len(lines) :]:
        axis.set_visible(False)
    figure.supxlabel("time step")
    open_axes(panels)
    return figure
