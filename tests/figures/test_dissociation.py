"""The figure of dissociation energies: what is on it."""

from __future__ import annotations

import numpy as np
import pytest

from e3d_lmp.errors import E3DError
from e3d_lmp.figures import EnergyPairs, plot_dissociation, save_figure
from e3d_lmp.figures.dissociation import MOST_TYPES


def pairs(types: int = 3) -> EnergyPairs:
    rng = np.random.default_rng(1)
    kinds = [f"T{k}" for k in range(types) for _ in range(10)]
    x = rng.normal(4.0, 0.5, len(kinds))
    x[0] = np.nan
    return EnergyPairs(x, 2.0 * x + 1.0, "BDE", "−D", kinds)


def test_panels_points_and_correlations(tmp_path) -> None:
    unknown = EnergyPairs(np.full(5, np.nan), np.ones(5), "dH", "−D", ["a"] * 5)
    figure = plot_dissociation([pairs(), unknown])
    (axis,) = figure.axes  # a panel with nothing to show is left out
    assert sum(len(points.get_offsets()) for points in axis.collections) == 29
    text = axis.texts[0].get_text()
    assert "n = 29" in text and "r 1.00" in text and "within types 1.00" in text
    assert [entry.get_text() for entry in figure.legends[0].get_texts()] == ["T0", "T1", "T2"]
    save_figure(figure, tmp_path / "x.png")


def test_rare_types_share_a_colour() -> None:
    figure = plot_dissociation([pairs(MOST_TYPES + 3)])
    names = [entry.get_text() for entry in figure.legends[0].get_texts()]
    assert len(names) == MOST_TYPES + 1 and names[-1] == "others"


def test_nothing_to_draw() -> None:
    with pytest.raises(E3DError, match="no bond was broken"):
        plot_dissociation([EnergyPairs(np.array([np.nan]), np.array([1.0]), "x", "y", ["a"])])
