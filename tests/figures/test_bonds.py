"""Figures of bond energies, entropies by state, parity and reactions: what is on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection

from analysis_folders import REFERENCES, reaction_store, some_bonds, some_map
from e3d_lmp.analysis.bonds.delta_bde import bond_energy_error
from e3d_lmp.analysis.bonds.energies import bond_energies
from e3d_lmp.analysis.reaction_paths import read_path
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.errors import E3DError
from e3d_lmp.figures import Parity, plot_entropy_bars, plot_parity, plot_paths, plot_ridgelines
from e3d_lmp.figures.ridgelines import OVERLAP, bin_width, pooled_errors, type_key

ORDER = ["C-C 1", "C-C 2", "C-H 1", "N-N 1.5"]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_ridges_stars_and_counts(sign):
    energies = some_bonds()
    figure = plot_ridgelines(energies, REFERENCES, as_bond_energy=sign < 0.0, least=1)
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ORDER
    assert axis.get_xlabel().startswith("D =" if sign > 0.0 else "bond energy −D")
    assert [text.get_text() for text in axis.texts] == ["300", "50", "400", "7", "bonds"]
    stars = np.concatenate([c.get_offsets() for c in axis.collections if isinstance(c, PathCollection)])
    expected = [(-sign * REFERENCES[name].energy, row) for row, name in enumerate(ORDER[:3])]
    np.testing.assert_allclose(stars, expected)
    bars = [line for line in axis.get_lines() if line.get_linewidth() > 2.0]
    assert sorted(bars[0].get_xdata()) == pytest.approx(sorted([-sign * 3.58, -sign * 3.61]))
    means = [line.get_xdata()[0] for line in axis.get_lines() if line.get_linewidth() == 1.2]
    index = [energies.types.index(name) for name in ORDER]
    np.testing.assert_allclose(means, sign * energies.mean[index])
    low, high = axis.get_xlim()
    assert all(low < x < high for x, _ in expected)


def test_the_area_of_a_ridge_is_its_number_of_bonds():
    energies = some_bonds()
    axis = plot_ridgelines(energies, REFERENCES, least=7).axes[0]
    ridges = [patch for patch in axis.patches if patch.get_fill()]
    for row, name in enumerate(ORDER):
        k = energies.types.index(name)
        values, edges, baseline = ridges[row].get_data()
        height = row - values
        assert baseline == row and height.max() == pytest.approx(OVERLAP)
        np.testing.assert_allclose(np.diff(edges), bin_width(energies, k))
        centres, weights = energies.histogram(k)
        counts = np.histogram(centres, edges, weights=weights)[0]
        np.testing.assert_allclose(height * counts.max() / OVERLAP, counts, atol=1e-9)
        assert counts.sum() == energies.count[k]
    # fewer bonds, wider bins
    assert bin_width(energies, 3) > bin_width(energies, 0)


def test_the_pooled_panel_is_that_of_the_types_with_a_reference():
    energies = some_bonds(error=0.2)
    error = bond_energy_error(energies, REFERENCES)
    figure = plot_ridgelines(energies, REFERENCES)
    panel, words = figure.axes[1], figure.axes[2].texts[0].get_text()
    (patch,) = [patch for patch in panel.patches if hasattr(patch, "get_data")]
    count, edges, _ = patch.get_data()
    assert count.sum() == error.bonds == 750
    middle = (edges[1:] + edges[:-1]) / 2
    assert count @ middle / 750 == pytest.approx(error.pooled_signed, abs=0.03)
    assert f"= {error.mean_over_types:.2f} eV, over 3 types" in words
    assert f"1σ = {error.sigma_pooled:.2f} eV, within types {error.sigma_within:.2f}" in words
    assert f"3σ = {3 * error.sigma_pooled:.2f} eV" in words and "7 bonds without reference" in words
    spans = sorted(p.get_x() for p in panel.patches if hasattr(p, "get_x"))
    mean, sigma = error.pooled_signed, error.sigma_pooled
    np.testing.assert_allclose(spans, [mean - 3 * sigma, mean - sigma])
    assert panel.get_lines()[0].get_xdata()[0] == pytest.approx(mean)


def test_chosen_types_have_their_own_pooled_panel():
    figure = plot_ridgelines(some_bonds(), REFERENCES, ["C-C", "N-N 1.5"])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["C-C 1", "C-C 2", "N-N 1.5"]
    assert "350 bonds" in figure.axes[2].texts[0].get_text()
    with pytest.raises(E3DError, match=r"no bond to draw: S-S; types found: C-H 1, C-C 2, C-C 1, N-N 1\.5"):
        plot_ridgelines(some_bonds(), REFERENCES, ["S-S"])
    none = plot_ridgelines(some_bonds(), {})
    assert none.axes[1].texts[0].get_text() == "no type has a reference"
    assert pooled_errors(some_bonds(), {})[1].size == 0
    one = bond_energies(("C-H",), np.array([0]), np.array([-4.0]))
    plot_ridgelines(one, {})  # a single bond, no order


def test_types_of_few_bonds_have_no_ridge_but_count():
    rare = bond_energies(("C-N 1",), np.array([0, 0]), np.array([-3.0, -2.0]))
    every = (*some_bonds().types, "C-N 1")
    energies = some_bonds().aligned(every).merge(rare.aligned(every))
    references = {**REFERENCES, "C-N 1": REFERENCES["C-C 1"]}
    figure = plot_ridgelines(energies, references)
    figures = [
        figure,
        plot_ridgelines(energies, references, least=3),
        plot_ridgelines(energies, references, ["C-N"]),
        plot_ridgelines(energies, references, least=1000),
    ]
    names = [[label.get_text() for label in one.axes[0].get_yticklabels()] for one in figures]
    assert names[:3] == [ORDER[:3], ORDER, ["C-N 1"]]
    assert names[3] == [*ORDER[:2], "C-N 1", *ORDER[2:]]  # nothing would be left
    words = figure.axes[2].texts[0].get_text()
    assert "over 752 bonds" in words and "no ridge: 2 types, < 10 bonds" in words


def test_nothing_touches_the_upper_edge():
    figure = plot_ridgelines(some_bonds(), REFERENCES)
    left, panel = figure.axes[:2]
    top = min(patch.get_data()[0].min() for patch in left.patches)
    assert left.get_ylim()[1] < top - 0.2
    (bars,) = [patch for patch in panel.patches if hasattr(patch, "get_data")]
    figure.canvas.draw()
    for text in panel.texts:
        box = text.get_window_extent().transformed(panel.transData.inverted())
        assert bars.get_data()[0].max() < box.y0 and box.y1 < panel.get_ylim()[1]


def test_order_of_types():
    names = ["O-H 1", "C-O", "C-H 1", "C-O 1.5", "H-H 1", "C-O 1", "C-C 3"]
    assert sorted(names, key=type_key) == ["C-C 3", "C-O 1", "C-O 1.5", "C-O", "C-H 1", "O-H 1", "H-H 1"]


def test_bars_are_changes_of_the_entropy():
    states = {"reactant": some_map(0.2), "transition state": some_map(0.4), "product": some_map(0.3)}
    references = {state: some_map(0.25) for state in states}
    figure = plot_entropy_bars({"N = 10": states, "N = 20": references}, references, versus="N = 20")
    a, b = figure.axes
    assert [a.get_title("left"), b.get_title("left")] == ["N = 10", "N = 20"]
    assert a.get_ylim() == b.get_ylim() and "N = 20" in figure.get_supylabel()
    names = ["C-H", "C-C", "O-H"]
    assert [tick.get_text() for tick in b.get_xticklabels()] == names
    for k, (state, one) in enumerate(states.items()):
        bars = a.containers[k]
        assert bars.get_label() == state
        change = [one.labels[n].entropy_nats - references[state].labels[n].entropy_nats for n in names]
        np.testing.assert_allclose([bar.get_height() for bar in bars], change)
        at = [bar.get_x() + bar.get_width() / 2 for bar in bars]
        np.testing.assert_allclose(np.round(at), [0, 1, 2])
        assert [bar.get_height() for bar in b.containers[k]] == [0.0, 0.0, 0.0]
    lines = [c for c in a.collections if isinstance(c, LineCollection)]
    assert len(lines) == 3
    looks = {(bars[0].get_facecolor(), bars[0].get_hatch()) for bars in a.containers}
    assert len(looks) == 3
    part = plot_entropy_bars({"": {"product": some_map(0.3)}}, references)
    assert part.axes[0].containers[0][0].get_facecolor() == a.containers[2][0].get_facecolor()
    with pytest.raises(E3DError, match="product without a reference map"):
        plot_entropy_bars({"": states}, {k: v for k, v in references.items() if k != "product"})


def test_parity():
    x = np.array([1.0, 2.0, 3.0, np.nan])
    figure = plot_parity(
        [Parity("barrier", x, x + np.array([0.1, -0.2, 0.3, 0.0]), error_unit="meV", scale=1000.0)]
    )
    (axis,) = figure.axes
    assert axis.get_xlim() == axis.get_ylim() and axis.get_aspect() == 1.0
    np.testing.assert_allclose(axis.collections[0].get_offsets(), [[1, 1.1], [2, 1.8], [3, 3.3]])
    text = axis.texts[0].get_text()
    assert "n = 3" in text and "MAE 200.0 meV" in text and "RMSE 216.0 meV" in text and "+66.7 meV" in text
    low, high = axis.get_xlim()
    assert low < 1.0 and high > 3.3
    figure.canvas.draw()
    assert axis.get_xticks().tolist() == axis.get_yticks().tolist()
    with pytest.raises(E3DError, match="no parity plot of 'E'"):
        plot_parity([Parity("E", x, np.full(4, np.nan))])
    with pytest.raises(E3DError, match="give at least one"):
        plot_parity([])


def test_many_points_become_hexagons():
    rng = np.random.default_rng(0)
    x = rng.normal(0.0, 1.0, 5000)
    figure = plot_parity([Parity("energy", x, x + 0.1)])
    axis = figure.axes[0]
    assert axis.collections[0].get_array().sum() == 5000
    assert len(figure.axes) == 2 and figure.axes[1].get_ylabel() == "number"
    assert axis.get_xlim() == axis.get_ylim()


def test_paths(tmp_path):
    with StoreReader(reaction_store(tmp_path / "edges.h5")) as store:
        path = read_path(store, "CHO/rxn1")
    figure = plot_paths([path, replace(path, name="other", bonds=())])
    above, _, below, empty = figure.axes
    model, reference = (line for line in above.get_lines() if line.get_label() in ("model", "reference"))
    assert model.get_ydata().tolist() == [0.0, 1.0, 2.0] and reference.get_ydata().tolist() == [0.0, 2.0, 4.0]
    lines = {line.get_label(): line for line in below.get_lines()}
    np.testing.assert_allclose(lines["O1-H2 broken"].get_ydata(), path.bonds[0].D)
    np.testing.assert_allclose(lines["C3-H2 formed"].get_ydata(), path.bonds[1].D)
    assert lines["O1-H2 broken"].get_linestyle() == "--" and lines["C3-H2 formed"].get_linestyle() == "-"
    assert [tick.get_text() for tick in below.get_xticklabels()] == ["R", "TS", "P"]
    assert empty.texts[0].get_text() == "no bond forms or breaks"
    assert above.get_ylim() == figure.axes[1].get_ylim() and figure.axes[1].get_title() == "other"
    unknown = plot_paths([replace(path, reference_energy=np.full(3, np.nan))])
    assert "reference" not in [line.get_label() for line in unknown.axes[0].get_lines()]
    with StoreReader(reaction_store(tmp_path / "images.h5", images=9)) as store:
        below = plot_paths([read_path(store, "CHO/rxn1")]).axes[1]
    assert below.get_xlabel() == "image" and all(x == round(x) for x in below.get_xticks())
    with pytest.raises(E3DError, match="no reaction to draw"):
        plot_paths([])
