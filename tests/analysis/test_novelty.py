"""Bonds in bins that a reference map never visited."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from e3d_lmp.analysis.label_map import label_map
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.analysis.novelty import NoveltyReducer, ReferenceMap
from e3d_lmp.edges.pairs import PairFrame
from e3d_lmp.errors import E3DError
from e3d_lmp.units import KCAL_MOL_PER_EV

LABELS = ("C-C", "C-H", "H-H")


def frame_of(rows: list[tuple[str, float, float]], step: int = 0) -> PairFrame:
    """A frame of pairs (label, D, A)."""
    n = len(rows)
    label = np.array([LABELS.index(name) for name, _, _ in rows], dtype=np.int32)
    D, A = np.array([row[1:] for row in rows], dtype=float).reshape(n, 2).T
    ids = np.arange(1, n + 1)
    return PairFrame(step, LABELS, label, ids, ids + n, np.zeros((n, 3)), (D + A) / 2, (D - A) / 2, D, A)


def reference_of(**labels: list[tuple[float, float]]) -> ReferenceMap:
    """A reference with bins of 0.5 eV that has seen these (D, A)."""
    maps = {
        name.replace("_", "-"): label_map(*np.array(rows).T, 0.5, name == "C_C", name)
        for name, rows in labels.items()
    }
    return ReferenceMap("ref", EnergyMap(0.5, "covalent", 1, (0, 0), maps, {"model_source": "abc"}))


def test_shares_of_a_frame() -> None:
    reference = reference_of(C_C=[(-4.25, 0.3)], C_H=[(-4.25, 0.25)])
    rows = [("C-C", -4.25, -0.3), ("C-C", -4.25, 1.2), ("C-H", -4.49, 0.01), ("C-H", -4.25, -0.25)]
    found = reference.of_frame(frame_of([*rows, ("H-H", -4.25, 0.25)]))
    assert found.bonds == {"C-C": 2, "C-H": 2, "H-H": 1}
    assert found.unvisited == {"C-C": 1.0, "C-H": 1.0, "H-H": 1.0}
    assert found.share == pytest.approx(3 / 5)
    assert (found.share_of("C-C"), found.share_of("H-H")) == (0.5, 1.0)
    assert np.isnan(found.share_of("C-O")) and np.isnan(reference.of_frame(frame_of([])).share)
    assert reference.of_frame(frame_of(rows), ["C-C"]).bonds == {"C-C": 2}


def test_half_a_bond() -> None:
    """Of like elements with an |A| of whole bins: floor(-A / w) is the mirror of no bin that is there."""
    found = reference_of(C_C=[(-4.25, 0.75)]).of_frame(frame_of([("C-C", -4.25, 0.5)]))
    assert found.unvisited == {"C-C": 0.5}  # at +0.5 in the bin of 0.75; at -0.5 in that of -0.25
    found = reference_of(C_C=[(-4.25, 0.75)]).of_frame(frame_of([("C-C", -4.25, 0.6)]))
    assert found.unvisited == {"C-C": 0.0}


def test_frames_add_up_to_the_map() -> None:
    """Rows of two reducers that were merged; the bonds of all frames are those of the map of all."""
    rng = np.random.default_rng(3)

    def rows(n: int) -> list[tuple[str, float, float]]:
        return [(LABELS[k], rng.normal(-4, 1), rng.normal(0, 1)) for k in rng.integers(0, 3, n)]

    frames = [frame_of(rows(40), 10 * k) for k in range(6)]
    reference = reference_of(C_C=rng.normal(-4, 1, (30, 2)), C_H=rng.normal([-4, 0], 1, (60, 2)))
    parts = [NoveltyReducer(reference), NoveltyReducer(reference)]
    for number in (5, 0, 3, 1, 4, 2):
        parts[number % 2].add(frames[number], number, f"m/{number}")
    parts[0].merge(parts[1])
    table = parts[0].rows()
    assert [(row["step"], row["name"]) for row in table] == [(10 * k, f"m/{k}") for k in range(6)]
    together = {
        name: label_map(
            *(np.concatenate([getattr(f, c)[f.label == k] for f in frames]) for c in ("D", "A")),
            0.5,
            name != "C-H",
            name,
        )
        for k, name in enumerate(LABELS)
    }
    whole = reference.of_map(EnergyMap(0.5, "covalent", 6, (0, 50), together))
    assert 0.1 < whole.share < 0.9
    assert whole.share == pytest.approx(np.mean([row["unvisited_share"] for row in table]))
    for name in LABELS:
        one_by_one = parts[0].result().values()
        assert whole.unvisited[name] == sum(one.unvisited.get(name, 0.0) for one in one_by_one)
    assert whole.share_of("H-H") == 1.0
    said = reference.missing(EnergyMap(0.5, "covalent", 6, (0, 50), together))
    assert len(said) == 1 and "has no map of H-H: all their bonds" in said[0]
    assert reference.missing(reference.map) == []
    assert [column.name for column in parts[0].columns()] == list(table[0])


def test_references_that_are_not_comparable() -> None:
    reference = reference_of(C_H=[(-4.25, 0.25)])
    sample = replace(reference.map, labels={})
    assert reference.check(sample) == []
    for change, message in (
        ({"width": 0.25}, "are 0.5 eV wide, not 0.25 eV: give --bin 0.5"),
        ({"cutoff": "model"}, "those of --cutoff covalent, not of --cutoff model"),
        ({"provenance": {"model_source": "def"}}, r"another model \(model_source abc, not def\)"),
    ):
        with pytest.raises(E3DError, match=message):
            reference.check(replace(sample, **change))
    for unsaid in ({}, {"model_source": "unknown"}, {"model_sha256": "x"}):
        assert "does not say which model" in reference.check(replace(sample, provenance=unsaid))[0]
    # files of the same checkpoint in two precisions
    told = replace(sample, provenance={"model_source": "abc", "model_sha256": "x"})
    own = replace(reference.map, provenance={"model_source": "abc", "model_sha256": "y"})
    assert ReferenceMap("ref", own).check(told) == []


def test_units() -> None:
    """Bins have numbers, not units: a map in kcal/mol of bins as wide is as good a reference."""
    reference = reference_of(C_H=[(-4.25, 0.25)])
    other = replace(
        reference.map,
        width=0.5 * KCAL_MOL_PER_EV,
        provenance={"energy_unit": "kcal/mol", "model_source": "abc"},
    )
    real = ReferenceMap("real", other)
    assert real.check(reference.map) == [] == reference.check(other)
    assert real.of_map(reference.map).share == 0.0
    assert real.of_frame(frame_of([("C-H", -4.25, 0.25), ("C-H", -1.0, 0.0)])).share == 0.5
