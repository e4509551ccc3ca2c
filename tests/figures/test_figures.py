"""Figures of maps and of time series: what is on them, not how they look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from e3d_lmp.analysis.events import Events
from e3d_lmp.analysis.label_map import LabelMap, label_map
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.analysis.species import FormulaCounts, Species
from e3d_lmp.errors import E3DError
from e3d_lmp.figures import (
    MAX_PANELS,
    plot_comparison,
    plot_events,
    plot_map_grid,
    plot_maps,
    plot_species,
    save_figure,
)

CENTRES = {"C-C": -4.0, "C-H": -4.6, "C-N": -3.5, "C-O": -4.1, "N-H": -4.9, "O-H": -5.2}


def organic_map() -> EnergyMap:
    rng = np.random.default_rng(0)
    labels = {}
    for k, (name, centre) in enumerate(CENTRES.items()):
        n = 1000 * (k + 1)
        A = rng.normal(0.0 if name[0] == name[-1] else 0.3 * k, 0.2, n)
        labels[name] = label_map(rng.normal(centre, 0.2, n), A, 0.1, name == "C-C", name)
    return EnergyMap(0.1, "covalent", 10, (0, 90), labels)


def test_one_panel_per_pair_on_common_axes():
    figure = plot_maps(organic_map())
    panels = [axis for axis in figure.axes if axis.get_visible() and axis.get_title()]
    titles = [axis.get_title().split()[0] for axis in panels]
    assert titles == ["all", "O-H", "N-H", "C-O", "C-N", "C-H", "C-C"]  # the commonest first
    assert len({(axis.get_xlim(), axis.get_ylim()) for axis in panels}) == 1
    low, high = panels[0].get_xlim()
    assert low < -5.7 and high > -3.0
    assert "(eV)" in figure.get_supxlabel() and "(eV)" in figure.get_supylabel()
    assert "1,000 pairs" in panels[-1].texts[0].get_text() and "±A" in panels[-1].texts[0].get_text()
    assert "6,000 pairs" in panels[1].texts[0].get_text()


def test_drawn_cells_are_the_bins():
    result = organic_map()
    figure = plot_maps(result, ["C-H"])
    (panel,) = [axis for axis in figure.axes if axis.get_title().startswith("C-H")]
    mesh = panel.collections[0]
    drawn = np.ma.filled(mesh.get_array(), 0.0).ravel()
    outside = next(
        (float(t.split()[0]) for t in panel.texts[0].get_text().split("\n") if "outside" in t), 0.0
    )
    total = np.nansum(drawn) * result.samples
    assert total + outside == pytest.approx(2000)
    corners = mesh.get_coordinates()
    grid = np.nan_to_num(drawn).reshape(corners.shape[0] - 1, corners.shape[1] - 1)
    a, d = np.unravel_index(grid.argmax(), grid.shape)
    x, y = (corners[a, d] + corners[a + 1, d + 1]) / 2
    k_d, k_a, n = result.labels["C-H"].bins
    best = n.argmax()
    assert grid.max() * result.samples == pytest.approx(n[best])
    assert (x, y) == pytest.approx(((k_d[best] + 0.5) * 0.1, (k_a[best] + 0.5) * 0.1), abs=1e-9)


def test_many_pairs_and_chosen_pairs():
    result = organic_map()
    many = EnergyMap(0.1, "paper", 1, (0, 0), {f"C-{s}": result.labels["C-C"] for s in "ABCDEFGHIJK"})
    visible = [axis for axis in plot_maps(many).axes if axis.get_visible() and axis.get_title()]
    assert len(visible) == MAX_PANELS + 1
    two = plot_maps(result, ["H-C", "C-C", "C-H"], "a title")
    titles = [axis.get_title() for axis in two.axes if axis.get_title()]
    assert [title.split()[0] for title in titles] == ["all", "C-H", "C-C"]


def test_nothing_to_draw():
    with pytest.raises(E3DError, match="no pair to draw: S-S within the cutoff 'covalent'; pairs found: O-H"):
        plot_maps(organic_map(), ["S-S"])
    with pytest.raises(E3DError, match="pairs found: none"):
        plot_maps(EnergyMap(0.1, "covalent"))


def test_single_sample_of_one_bin():
    one = label_map(np.array([-4.0]), np.array([0.2]), 0.1, False, "")
    plot_maps(EnergyMap(0.1, "2.2", 1, (0, 0), {"C-H": one}))


@pytest.mark.parametrize(("name", "magic"), [("m.png", b"\x89PNG"), ("m.pdf", b"%PDF")])
def test_files(tmp_path, name, magic):
    save_figure(plot_maps(organic_map(), ["C-H"]), tmp_path / name, dpi=60)
    assert (tmp_path / name).read_bytes().startswith(magic)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_comparison_draws_the_difference_of_shares():
    a, b = organic_map(), organic_map()
    moved = label_map(np.full(50, -4.55), np.full(50, 0.35), 0.1, False, "C-H")
    b.labels["C-H"] = b.labels["C-H"].merge(moved)
    b.labels["C-C"] = LabelMap()
    figure = plot_comparison(a, b)
    panels = {axis.get_title().split()[0]: axis for axis in figure.axes if axis.get_title()}
    assert list(panels) == ["O-H", "N-H", "C-O", "C-N", "C-H"]  # C-C is not in both
    assert "JS = 0.000" in panels["O-H"].get_title() and "JS = 0.000" not in panels["C-H"].get_title()
    mesh = panels["C-H"].collections[0]
    drawn = np.ma.filled(mesh.get_array(), 0.0)
    corners = mesh.get_coordinates()
    shape = (corners.shape[0] - 1, corners.shape[1] - 1)
    row, column = np.unravel_index(np.nan_to_num(drawn).argmax(), shape)
    centre = (corners[row, column] + corners[row + 1, column + 1]) / 2
    assert tuple(centre) == pytest.approx((-4.55, 0.35))
    both = (a.labels["C-H"], b.labels["C-H"])
    before, after = (dict(zip(one.codes, one.halves / 2, strict=True)) for one in both)
    (code,) = moved.codes
    share = after[code] / b.labels["C-H"].count - before.get(code, 0) / a.labels["C-H"].count
    assert np.nanmax(drawn) == pytest.approx(share)
    assert np.nanmax(np.abs(np.ma.filled(panels["O-H"].collections[0].get_array(), 0.0))) == 0.0
    with pytest.raises(E3DError, match="no pair to draw: C-C"):
        plot_comparison(a, b, ["C-C"])


def formula_counts(counts):
    """Counts of the same number of samples."""
    found = FormulaCounts(len(next(iter(counts.values()))))
    for formula, numbers in counts.items():
        for sample, number in enumerate(numbers):
            found.put(formula, sample, int(number))
    return found


def test_species_and_events_are_step_lines():
    step = np.array([0, 100, 300])
    counts = {f"X{k}": np.array([k, k, k + 1]) for k in range(1, 12)}
    total = np.array([1, 1, 1])
    figure = plot_species(Species(step, total, total, formula_counts(counts)), 10, timestep=0.5)
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == [f"X{k}" for k in range(11, 1, -1)]
    assert lines[0].get_drawstyle() == "steps-post" and lines[0].get_xdata().tolist() == [0, 50, 150]
    assert lines[0].get_ydata().tolist() == [11, 11, 12] and figure.axes[0].get_xlabel() == "time (ps)"
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 10  # all can be told apart

    n = np.ones(3)
    label, event = np.array(["C-H", "O-H", "C-H"]), np.array(["broken", "formed", "broken"])
    events = Events(step + 5, n, n, n, n, label, n, n, n, event, "energy", "covalent", "metal")
    drawn = {line.get_label(): line for line in plot_events(events).axes[0].get_lines()}
    assert drawn["C-H"].get_xdata().tolist() == [4, 5, 305, 305]
    assert drawn["C-H"].get_ydata().tolist() == [0, -1, -2, -2]
    assert drawn["O-H"].get_xdata().tolist() == [5, 105, 305]
    assert drawn["O-H"].get_ydata().tolist() == [0, 1, 1]


def test_unit_on_the_axes():
    real = replace(organic_map(), provenance={"energy_unit": "kcal/mol"})
    assert "(kcal/mol)" in plot_maps(real).get_supxlabel()


def test_unknown_ending(tmp_path):
    with pytest.raises(E3DError, match=r"x\.doc: a picture .* \.png, \.pdf, \.svg"):
        save_figure(plot_maps(organic_map(), ["C-H"]), tmp_path / "x.doc")


def test_swatches_have_the_colours_of_the_overview():
    panels = [axis for axis in plot_maps(organic_map()).axes if axis.get_title()]
    swatches = [
        line.get_color() for axis in panels[1:] for line in axis.get_lines() if line.get_marker() == "s"
    ]
    assert len(swatches) == len(set(swatches)) == len(panels) - 1
    # two meshes per pair, the pale and the strong one
    drawn = [mesh.get_cmap()(1.0)[:3] for mesh in panels[0].collections]
    from matplotlib.colors import to_rgb

    assert drawn[::2] == drawn[1::2] == [to_rgb(colour) for colour in swatches]


def test_grid_has_common_axes_and_colours_and_shares():
    few, many = organic_map(), organic_map()
    few.labels["C-H"] = label_map(np.array([-9.0, -4.0]), np.array([0.0, 2.5]), 0.1, False, "C-H")
    few.labels["N-H"] = LabelMap()
    figure = plot_map_grid([("N = 10", few), ("N = 99", many)], ["H-C", "H-N"])
    (a, b), (c, d) = (figure.axes[:2], figure.axes[2:4])
    assert [a.get_title(), b.get_title()] == ["N = 10", "N = 99"]
    assert [a.get_ylabel(), c.get_ylabel()] == ["C-H", "N-H"]
    assert len({(axis.get_xlim(), axis.get_ylim()) for axis in (a, b, c, d)}) == 1
    assert a.get_xlim()[0] < -9.0 and a.get_ylim()[1] > 2.5
    shares = np.ma.filled(a.collections[0].get_array(), np.nan)
    assert sorted(shares[np.isfinite(shares)]) == [0.5, 0.5]
    assert np.nansum(np.ma.filled(b.collections[0].get_array(), np.nan)) == pytest.approx(1.0)
    assert not c.collections and c.texts[0].get_text() == "none"
    assert a.collections[0].norm is b.collections[0].norm is d.collections[0].norm
    assert f"H = {few.labels['C-H'].entropy_nats:.2f}" in a.texts[0].get_text()
    figure.canvas.draw()
    assert all(text.get_window_extent().y0 >= a.bbox.y1 for text in a.texts)  # beside the data, not on it


def test_grid_of_maps_that_differ_in_bins():
    with pytest.raises(E3DError, match="cannot be drawn on common axes"):
        plot_map_grid([("a", organic_map()), ("b", replace(organic_map(), width=0.2))])
    with pytest.raises(E3DError, match="no map to draw"):
        plot_map_grid([])


@pytest.mark.parametrize("name", ["m.png", "m.pdf", "m.svg"])
def test_the_same_figure_gives_the_same_file(tmp_path, name):
    contents = []
    for _ in range(2):
        save_figure(plot_maps(organic_map(), ["C-H"]), tmp_path / name, dpi=50)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_text_has_the_common_size_whatever_the_user_has_set():
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "axes.labelsize": 40, "lines.linewidth": 9}):
        figure = plot_species(Species(*[np.array([0, 1])] * 3, formula_counts({"H2O": [1, 2]})))
    axis = figure.axes[0]
    assert axis.xaxis.label.get_size() == 9.5 and axis.get_lines()[0].get_linewidth() == 1.5
