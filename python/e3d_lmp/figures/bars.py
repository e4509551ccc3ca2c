"""Figure of the change of the entropy in reactants, transition states and products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from e3d_lmp.analysis.label_map import LabelMap
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.analysis.sampling import FIGURE_SEED, entropy_change
from e3d_lmp.edges.pairs import is_like
from e3d_lmp.errors import E3DError
from e3d_lmp.figures.maps import MAX_PANELS, chosen_labels
from e3d_lmp.figures.style import COLOURS, new_figure, open_axes, plain, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATES = ("reactant", "transition state", "product")
"""States that have the same colour and pattern in every figure; others follow."""

HATCHES = ("", "////", "....", "xxxx")
"""Patterns of bars, so that they are known without their colours."""


@styled
def plot_entropy_bars(
    samples: Mapping[str, Mapping[str, EnergyMap]],
    references: Mapping[str, EnergyMap],
    labels: Sequence[str] | None = None,
    title: str | None = None,
    versus: str = "reference",
) -> Figure:
    """Figure of the change of H_2D, a group of bars per pair, a bar per state, a panel per sample.

    The height of a bar is the plug-in H_2D of the sample's map of that state less that of the reference's map
    of it. A short black line is the same with Grassberger's correction at an equal number of pairs
    (`analysis.sampling.entropy_change`): where it is far from the bar, the sample is too small for the bar.

    Parameters
    ----------
    samples
        For each sample (a model, say) its maps by state: ``reactant``, ``transition state``, ``product``.
    references
        Map of each state to compare with.
    labels
        Pairs to show; the `MAX_PANELS` commonest of the references by default.
    versus
        What the references are, in the name of the axis.

    Raises
    ------
    E3DError
        If bins, units or bond cutoffs differ, a state has no reference, or none of the pairs occurs.
    """
    states = list(dict.fromkeys(state for maps in samples.values() for state in maps))
    missing = [state for state in states if state not in references]
    if missing or not states:
        raise E3DError(f"no entropy to compare: {', '.join(missing) or 'no state'} without a reference map")
    found: dict[str, int] = {}
    for state in states:
        for name in references[state].by_count():
            found[name] = found.get(name, 0) + references[state].labels[name].count
    order = sorted(found, key=lambda name: (-found[name], name))
    shown = chosen_labels(labels, order, references[states[0]].cutoff, MAX_PANELS)
    look = {state: k for k, state in enumerate(dict.fromkeys([*STATES, *states]))}
    rng = np.random.default_rng(FIGURE_SEED)
    width = 0.8 / len(states)
    figure = new_figure(1.6 + 0.62 * max(len(shown), 5) + 0.8, 0.9 + 1.9 * len(samples))
    axes = list(figure.subplots(len(samples), 1, sharex=True, sharey=True, squeeze=False)[:, 0])
    for axis, (sample, maps) in zip(axes, samples.items(), strict=True):
        for k, state in enumerate(states):
            if state not in maps:
                continue
            references[state].check_comparable(maps[state], "compared")
            at = np.arange(len(shown)) + (k - (len(states) - 1) / 2.0) * width
            changes = [
                entropy_change(
                    maps[state].labels.get(name, LabelMap()),
                    references[state].labels.get(name, LabelMap()),
                    is_like(name),
                    rng,
                    "grassberger",
                )
                for name in shown
            ]
            heights = [
                maps[state].labels[name].entropy_nats - references[state].labels[name].entropy_nats
                if change.n_pairs
                else np.nan
                for name, change in zip(shown, changes, strict=True)
            ]
            axis.bar(
                at,
                heights,
                width,
                label=state,
                color=COLOURS[look[state] % len(COLOURS)],
                hatch=HATCHES[look[state] % len(HATCHES)],
                edgecolor="white",
                linewidth=0.5,
            )
            corrected = [change.equal_size for change in changes]
            ends = at - 0.3 * width, at + 0.3 * width
            axis.hlines(corrected, *ends, color="black", linewidth=1.6, zorder=3)
        axis.axhline(0.0, color="black", linewidth=0.8)
        if sample:
            axis.set_title(plain(sample), loc="left")
    axes[-1].set_xticks(range(len(shown)), shown)
    axes[-1].set_xlim(-0.6, len(shown) - 0.4)
    for axis in axes:
        axis.tick_params(axis="x", length=0)
        axis.spines["bottom"].set_visible(False)
    open_axes(axes)
    figure.supylabel(f"$H_{{2D}}$ − $H_{{2D}}$({plain(versus)}) (nats)")
    handles, names = axes[0].get_legend_handles_labels()
    handles.append(axes[0].plot([], [], color="black", linewidth=1.6)[0])
    figure.legend(handles, [*names, "corrected, equal size"], loc="outside upper center", ncols=4)
    if title:
        figure.suptitle(plain(title))
    return figure
