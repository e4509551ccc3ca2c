"""Figures against the number of training structures: every curve is the numbers it was given."""

from __future__ import annotations

import numpy as np
import pytest

from analysis_folders import REFERENCES, some_bonds, some_map
from e3d_lmp.analysis.bonds.delta_bde import BondEnergyError, bond_energy_error
from e3d_lmp.analysis.folders import ModelErrors
from e3d_lmp.analysis.sampling import entropy_change
from e3d_lmp.errors import E3DError
from e3d_lmp.figures import plot_bond_scaling, plot_entropy_scaling, plot_error_scaling
from e3d_lmp.figures.style import LEAST_SPAN

N = (100, 1000, 10000)


def curves(axis) -> list[tuple[list, list]]:
    """The curves with a point for each N, without the ends of error bars."""
    lines = [line for line in axis.get_lines() if line.get_linestyle() != "None"]
    lines = [line for line in lines if len(line.get_xdata()) == len(N)]
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in lines]


def test_errors():
    models = {n: ModelErrors(0.01 * k, 0.2 * k, 0.3 * k) for k, n in zip((4, 2, 1), N, strict=True)}
    series = {"t32": models, "l2": {n: ModelErrors(0.05) for n in reversed(N)}}
    figure = plot_error_scaling(series)
    axes = figure.axes
    assert [axis.get_title() for axis in axes] == ["energy", "force", "barrier $E_a$"]  # no reaction energies
    assert curves(axes[0]) == [(list(N), [40.0, 20.0, 10.0]), (list(N), [50.0] * 3)]
    np.testing.assert_allclose(curves(axes[1])[0][1], [800.0, 400.0, 200.0])
    np.testing.assert_allclose(curves(axes[2])[0][1], [1.2, 0.6, 0.3])
    for axis in axes:
        assert axis.get_xscale() == axis.get_yscale() == "log"
        low, high = axis.get_ylim()
        assert high / low > 0.99 * LEAST_SPAN
    assert "meV" in axes[0].get_ylabel() and "meV/Å" in axes[1].get_ylabel()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["t32", "l2"]
    looks = {(line.get_color(), line.get_marker(), str(line.get_linestyle())) for line in axes[0].get_lines()}
    assert len(looks) == 2
    assert [tick.get_text() for tick in axes[0].get_xticklabels()] == ["100", "1,000", "10,000"]
    with pytest.raises(E3DError, match="no error to draw"):
        plot_error_scaling({"": {10: ModelErrors()}})


def test_errors_that_hardly_change_do_not_fill_the_axis():
    series = {"": {n: ModelErrors(barrier=0.5 + 0.001 * k) for k, n in enumerate(N)}}
    axis = plot_error_scaling(series).axes[0]
    low, high = axis.get_ylim()
    assert high / low == pytest.approx(LEAST_SPAN) and low < 0.5 < 0.502 < high


def test_bonds():
    errors = {
        n: bond_energy_error(some_bonds(e), REFERENCES) for e, n in zip((0.6, 0.3, 0.1), N, strict=True)
    }
    figure = plot_bond_scaling({"": errors}, "a title")
    delta, sigma, mean = figure.axes
    values = {key: [getattr(errors[n], key) for n in N] for key in vars(errors[100])}
    assert curves(delta) == [(list(N), values["mean_over_types"])]
    pooled, within = curves(sigma)
    np.testing.assert_allclose(pooled[1], 3 * np.array(values["sigma_pooled"]))
    np.testing.assert_allclose(within[1], 3 * np.array(values["sigma_within"]))
    assert curves(mean) == [(list(N), values["pooled_signed"])]
    (band,) = mean.collections
    y = band.get_paths()[0].vertices[:, 1]
    spread = 3 * np.array(values["sigma_pooled"])
    assert y.max() == pytest.approx((np.array(values["pooled_signed"]) + spread).max())
    assert y.min() == pytest.approx((np.array(values["pooled_signed"]) - spread).min())
    assert delta.get_ylim()[0] == sigma.get_ylim()[0] == 0.0
    assert "3σ" in sigma.get_title() and "±3σ" in mean.get_title()
    assert figure.get_suptitle() == "a title" and not figure.legends  # one series without a name
    nothing = BondEnergyError(*[float("nan")] * 5, 0, 0, {})
    with pytest.raises(E3DError, match="no bond error to draw"):
        plot_bond_scaling({"": {10: nothing}})
    some = plot_bond_scaling({"": {**errors, 20: nothing}})
    assert curves(some.axes[0]) == curves(delta)  # a model without bonds is no point


def test_entropies_against_the_largest_model():
    maps = {n: some_map(spread, seed=n) for spread, n in zip((0.5, 0.3, 0.2), N, strict=True)}
    figure = plot_entropy_scaling({"": maps}, labels=["C-H", "C-C"])
    plain, corrected = figure.axes
    for k, (name, like) in enumerate((("C-H", False), ("C-C", True))):
        h = [maps[n].labels[name].entropy_nats for n in N]
        x, y = curves(plain)[k]
        assert x == list(N) and y == pytest.approx(np.array(h) - h[-1]) and y[-1] == 0.0
        rng = np.random.default_rng(0)  # sizes are equal, so that nothing is drawn
        exact = [
            entropy_change(
                maps[n].labels[name], maps[10000].labels[name], like, rng, "grassberger"
            ).equal_size
            for n in N
        ]
        np.testing.assert_allclose(curves(corrected)[k][1], exact, atol=1e-12)
    assert plain.get_ylim() == corrected.get_ylim() and "largest" in plain.get_ylabel()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["C-H", "C-C"]


def test_entropies_against_a_reference_of_another_size():
    reference = some_map(0.2, n=500, seed=9)
    figure = plot_entropy_scaling({"a": {100: some_map(0.2)}, "b": {100: some_map(0.4)}}, reference, ["C-H"])
    plain, corrected = figure.axes
    assert "reference" in plain.get_ylabel()
    # the plug-in entropy of 2000 pairs is higher than that of 500, the corrected one at equal size is not
    difference = [axis.get_lines()[0].get_ydata()[0] for axis in (plain, corrected)]
    assert difference[0] > 0.05 and abs(difference[1]) < difference[0]
    assert [text.get_text() for text in figure.legends[1].get_texts()] == ["a", "b"]
    with pytest.raises(E3DError, match="no pair to draw: S-S"):
        plot_entropy_scaling({"": {1: reference}}, labels=["S-S"])
    with pytest.raises(E3DError, match="there is no map"):
        plot_entropy_scaling({})
