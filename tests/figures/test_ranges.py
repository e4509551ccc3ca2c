"""Pictures of data that lie anywhere, with names that hold anything: bounded memory, no traceback."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp import cli
from e3d_lmp.analysis.bonds.energies import bond_energies
from e3d_lmp.analysis.bonds.references import ReferenceEnergy
from e3d_lmp.analysis.events import Events
from e3d_lmp.analysis.label_map import label_map
from e3d_lmp.analysis.maps import EnergyMap, read_map
from e3d_lmp.analysis.reaction_paths import ReactionPath
from e3d_lmp.errors import E3DError
from e3d_lmp.figures import (
    plot_comparison,
    plot_entropy_bars,
    plot_events,
    plot_map_grid,
    plot_maps,
    plot_paths,
    plot_ridgelines,
    save_figure,
)
from e3d_lmp.figures.ranges import MOST_BINS, shown_bins
from e3d_lmp.figures.style import new_figure, picture_bytes, plain
from edge_frames import random_cell, random_frame, write_dump

OUTLIERS = (-200.0, -500.0, -1e6, -1e8)


def memory_of(make) -> int:
    """Peak of what a picture takes, bytes, the writing of it included."""
    tracemalloc.start()
    picture_bytes(make())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def with_outlier(outlier: float, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    D, A = rng.normal(-4.5, 0.3, n), rng.normal(0.2, 0.3, n)
    D[7], A[7] = outlier, -outlier
    return D, A


@pytest.mark.parametrize("outlier", OUTLIERS)
def test_one_outlier_among_few_pairs(outlier):
    """The map shows the others and says that one is outside; -1e6 eV asked for 849 TiB."""
    one = label_map(*with_outlier(outlier), 0.1, False, "")
    quiet = label_map(*with_outlier(-4.5), 0.1, False, "")
    result = EnergyMap(0.1, "covalent", 1, (0, 0), {"C-H": one, "O-H": quiet})
    figures = [
        lambda: plot_maps(result),
        lambda: plot_comparison(result, replace(result, labels={"C-H": quiet, "O-H": one})),
        lambda: plot_map_grid([("a", result), ("b", result)]),
    ]
    for make in figures:
        assert memory_of(make) < 300e6
    texts = [text.get_text() for axis in plot_maps(result).axes for text in axis.texts]
    assert any("400 pairs\n1 outside" in text for text in texts)
    low, high = plot_maps(result).axes[1].get_xlim()
    assert -10 < low < -5.5 and -4 < high < 0


@pytest.mark.parametrize("outlier", OUTLIERS)
def test_one_outlier_among_few_bonds(outlier):
    D, _ = with_outlier(outlier)
    energies = bond_energies(("C-H 1", "O-H 1"), np.arange(400) % 2, D)
    references = {name: ReferenceEnergy(4.3, 4.0, 4.5) for name in energies.types}

    def make():
        return plot_ridgelines(energies, references)

    assert memory_of(make) < 100e6
    axis = make().axes[0]
    low, high = axis.get_xlim()
    assert low > -40.0 and high < 2.0
    assert any(text.get_text() == "200, 1 outside" for text in axis.texts) == (outlier < low)


def test_the_axis_holds_what_it_should():
    rng = np.random.default_rng(1)
    k = np.unique(np.floor(rng.normal(-45, 4, 5000)).astype(np.int64), return_counts=True)
    assert shown_bins([k], 1.0) == (int(k[0].min()), int(k[0].max()) + 1, 1)
    low, high, times = shown_bins([k], 0.9)
    inside = k[1][(k[0] >= low) & (k[0] < high)].sum()
    assert times == 1 and 0.9 <= inside / 5000 < 0.96
    far = np.array([10**12]), np.array([1.0])
    for parts in ([k, far], [far, k]):
        assert shown_bins(parts, 1.0)[:2] == pytest.approx((k[0].min(), k[0].max() + 1), abs=6)
    halves = np.array([-(10**9), 10**9]), np.array([1.0, 1.0])
    low, high, times = shown_bins([halves], 0.998)
    assert (low, high) == (-(10**9), 10**9 + 1) and (high - low) / times <= MOST_BINS


def test_energies_far_apart_have_wider_bins():
    D = np.where(np.arange(400) % 2, -4.5, -1e5)
    result = EnergyMap(0.1, "2.2", 1, (0, 0), {"C-H": label_map(D, np.zeros(400), 0.1, False, "")})
    figure = plot_maps(result)
    assert "× " in figure.axes[-1].get_ylabel() and "0.1 eV² bin" in figure.axes[-1].get_ylabel()
    assert memory_of(lambda: plot_maps(result)) < 100e6


ODD = ["$\\frac", "_a$b$c\x1b[2J%s{0}\\é−₂", "x$" * 2500]


@pytest.mark.parametrize("odd", ODD)
def test_names_are_no_formulas(odd: str, tmp_path: Path):
    """Each figure, where a name or a word comes from a file or from the user."""
    one = label_map(*with_outlier(-4.5), 0.1, False, "")
    result = EnergyMap(0.1, odd, 2, (0, 5), {"C-H": one, "O-H": one})
    energies = bond_energies(("C-H 1",), np.zeros(400, dtype=int), with_outlier(-4.5)[0])
    n = np.ones(2)
    event = np.array(["broken", "formed"])
    events = Events(
        np.array([1, 2]), n, n, n, n, np.array([odd, "C-H"]), n, n, n, event, "energy", odd, "metal"
    )
    path = ReactionPath(odd, ("reactant", "product"), n, n, ())
    states = {"reactant": result, odd: result}
    for make in (
        lambda: plot_maps(result, title=odd),
        lambda: plot_comparison(result, result, title=odd),
        lambda: plot_map_grid([(odd, result)], title=odd),
        lambda: plot_ridgelines(replace(energies, types=(f"C-H{odd} 1",)), {}, title=odd),
        lambda: plot_events(events),
        lambda: plot_paths([path], title=odd),
        lambda: plot_entropy_bars({odd: states}, states, title=odd, versus=odd),
    ):
        save_figure(make(), tmp_path / "f.png", dpi=30)
    shown = plot_maps(result, title=odd).get_suptitle()
    assert shown == plain(odd) and len(shown) < 400


def test_a_picture_that_is_too_large(tmp_path: Path):
    for size, dpi in (((400.0, 4.0), 200), ((100.0, 100.0), 300)):
        with pytest.raises(E3DError, match=r"a picture of \d+ x \d+ dots is too large; give fewer dots"):
            save_figure(new_figure(*size), tmp_path / "f.png", dpi)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("outlier", [-200.0, -1e6])
def test_analysis_with_an_outlier(tmp_path: Path, capsys, outlier: float):
    """Tables first, and whole, whatever becomes of the pictures."""
    rng = np.random.default_rng(7)
    frame = random_frame(rng, 12, random_cell(rng, 5.0, 6.0, False), np.full((2, 2), 2.5))
    frame.eps[3] = outlier
    source = write_dump(tmp_path / "d", [frame])
    tracemalloc.start()
    assert (
        cli.main(["analyze", str(source), "-o", str(tmp_path / "o"), "--types", "C", "H", "--cutoff", "2.4"])
        == 0
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400e6
    sums = [one.sum_D for one in read_map(tmp_path / "o/map.e3d").labels.values()]
    assert min(sums) < 0.9 * outlier
    assert (tmp_path / "o/maps.png").stat().st_size > 1000 and (tmp_path / "o/ridgelines.png").exists()
    assert capsys.readouterr().err == ""


def test_a_picture_never_stops_a_table(tmp_path: Path, capsys, monkeypatch):
    """Whatever matplotlib raises is a warning, after all tables."""

    def broken(*_: object, **__: object) -> None:
        raise MemoryError("no 849 TiB")

    monkeypatch.setattr("e3d_lmp.figures.of_folder.plot_maps", broken)
    rng = np.random.default_rng(7)
    frame = random_frame(rng, 12, random_cell(rng, 5.0, 6.0, False), np.full((2, 2), 2.5))
    source = write_dump(tmp_path / "d", [frame])
    assert cli.main(["analyze", str(source), "-o", str(tmp_path / "o"), "--types", "C", "H"]) == 0
    said = capsys.readouterr()
    assert "e3d: warning: no picture" in said.err and "maps.png: MemoryError: no 849 TiB" in said.err
    assert "C-H" in said.out and "maps.png" not in said.out
    assert {path.name for path in (tmp_path / "o").iterdir()} >= {
        "pairs.csv",
        "map.e3d",
        "bonds.json",
        "ridgelines.png",
    }
