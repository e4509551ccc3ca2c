"""Figures of thermal conductivities: Green-Kubo integrals, responses to a driving force, spectra."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from e3d_lmp.analysis.heat.conversion import with_error
from e3d_lmp.figures.style import (
    COLOURS,
    GUIDE,
    LINES,
    MARKERS,
    colours,
    letter,
    new_figure,
    open_axes,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from e3d_lmp.analysis.heat.conversion import HeatUnits
    from e3d_lmp.analysis.heat.green_kubo import GreenKubo
    from e3d_lmp.analysis.heat.hnemd import Hnemd
    from e3d_lmp.analysis.heat.power import Power
    from e3d_lmp.analysis.heat.spectrum import Spectrum


@styled
def plot_green_kubo(result: GreenKubo, units: HeatUnits) -> Figure:
    """Figure of the normalised correlation and of the running integral: every curve grey, their mean with its
    standard error, the plateau shaded."""
    figure = new_figure(7.0, 3.2)
    left, right = figure.subplots(1, 2)
    correlation = result.correlation / result.correlation[:, :1].mean()
    for axis, curves in ((left, correlation), (right, result.integral)):
        mean, error = curves.mean(axis=0), curves.std(axis=0, ddof=1) / np.sqrt(len(curves))
        axis.plot(result.time, curves.T, color=GUIDE, linewidth=0.5, alpha=0.6)
        axis.fill_between(result.time, mean - error, mean + error, color=COLOURS[0], alpha=0.3, linewidth=0.0)
        axis.plot(result.time, mean, color=COLOURS[0])
        axis.set_xlabel(f"time ({units.times})")
        axis.set_xlim(0.0, result.time[-1])
        axis.axhline(0.0, color=GUIDE, linewidth=0.8)
    left.set_ylabel("⟨J(0) J(t)⟩ / ⟨J²⟩")
    right.set_ylabel(f"conductivity to time t ({units.conductivity})")
    right.axvspan(*result.plateau, color=COLOURS[1], alpha=0.12, linewidth=0.0)
    right.plot(result.plateau, [result.conductivity] * 2, color=COLOURS[1])
    text = with_error(result.conductivity, result.error) + ("" if result.settled else ", not settled")
    right.set_title(text, color=COLOURS[1])
    open_axes([left, right])
    letter([left, right])
    return figure


@styled
def plot_hnemd(result: Hnemd, units: HeatUnits) -> Figure:
    """Figure of the running mean of every run, a colour for each force, and of the conductivity against the
    force; hollow where the response is not linear."""
    figure = new_figure(7.0, 3.2)
    left, right = figure.subplots(1, 2)
    unit = "1/Å" if units.is_si else "1/σ"
    groups = zip(result.groups, result.linear, colours(len(result.groups)), strict=True)
    for k, (group, linear, colour) in enumerate(groups):
        for number, (time, mean) in enumerate(group.running):
            label = f"|F| = {group.force:.4g} {unit}" if number == 0 else None
            left.plot(time, mean, color=colour, linewidth=0.9, label=label)
        right.errorbar(
            group.force,
            group.conductivity,
            group.error,
            color=colour,
            marker=MARKERS[k % len(MARKERS)],
            markerfacecolor=colour if linear else "white",
            capsize=2.0,
        )
    for axis in (left, right):
        axis.axhspan(
            result.conductivity - result.error,
            result.conductivity + result.error,
            color=GUIDE,
            alpha=0.3,
            linewidth=0.0,
        )
    ends = np.concatenate([mean[len(mean) // 4 :] for group in result.groups for _, mean in group.running])
    low, high = min(ends.min(), 0.0), max(ends.max(), 0.0)
    left.set_ylim(low - 0.1 * (high - low) * (low < 0.0), high + 0.2 * (high - low))
    left.set_xlabel(f"time ({units.times})")
    left.set_ylabel(f"running conductivity ({units.conductivity})")
    left.legend()
    right.set_xlabel(f"driving force ({unit})")
    right.set_ylabel(f"conductivity ({units.conductivity})")
    right.set_xlim(0.0, 1.15 * result.groups[-1].force)
    right.set_title(with_error(result.conductivity, result.error))
    open_axes([left, right])
    letter([left, right])
    return figure


@styled
def plot_spectrum(result: Spectrum, max_frequency: float | None = None) -> Figure:
    """Figure of the conductivity by frequency, with its standard error, and of its integral from 0."""
    from scipy.integrate import cumulative_trapezoid

    figure = new_figure(7.0, 3.2)
    left, right = figure.subplots(1, 2)
    mean, error = result.mean()
    if np.isfinite(error).all():
        left.fill_between(
            result.frequency, mean - error, mean + error, color=COLOURS[0], alpha=0.3, linewidth=0.0
        )
    left.plot(result.frequency, mean, color=COLOURS[0])
    left.set_ylabel("κ(ν) (W/m/K/THz)")
    right.plot(result.frequency, cumulative_trapezoid(mean, result.frequency, initial=0.0), color=COLOURS[0])
    kappa, deviation = result.conductivity
    right.axhline(kappa, color=GUIDE, linewidth=0.8)
    right.set_title(with_error(kappa, deviation))
    right.set_ylabel("integral from 0 (W/m/K)")
    for axis in (left, right):
        axis.set_xlabel("frequency (THz)")
        axis.set_xlim(0.0, max_frequency or result.frequency[-1])
        axis.axhline(0.0, color=GUIDE, linewidth=0.8)
    open_axes([left, right])
    letter([left, right])
    return figure


@styled
def plot_power(result: Power, units: HeatUnits, max_frequency: float | None = None) -> Figure:
    """Figure of the power spectra with their standard errors: of the first current and its two parts, and of
    all other currents."""
    figure = new_figure(7.0, 3.2)
    first = next(iter(result.density)).split()[0]
    own = [name for name in result.density if name.split()[0] == first]
    others = [name for name in result.density if name not in own and len(name.split()) == 1]
    axes = list(figure.subplots(1, 2 if others else 1, sharey=True, squeeze=False)[0])
    for axis, names in zip(axes, (own, others), strict=False):
        for name, colour, line in zip(names, colours(len(names)), cycle(LINES)):
            mean, error = result.mean(name)
            low = np.clip(mean - error, 1e-9 * mean.max(), None)  # of a logarithmic axis
            axis.fill_between(result.frequency, low, mean + error, color=colour, alpha=0.3, linewidth=0.0)
            axis.semilogy(result.frequency, mean, color=colour, linestyle=line, label=name.replace("_", "-"))
        axis.set_xlabel(f"frequency ({units.frequencies})")
        axis.set_xlim(0.0, max_frequency or result.frequency[-1])
        axis.legend()
    top = max(result.mean(name)[0].max() for name in result.density)
    axes[0].set_ylim(1e-5 * top, 2.0 * top)
    axes[0].set_ylabel(f"power (({units.current})²/{units.frequencies})")
    open_axes(axes)
    letter(axes)
    return figure
