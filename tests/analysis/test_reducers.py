"""Accumulating maps frame by frame: split and merged parts are the whole."""

from __future__ import annotations

import numpy as np
import pytest

from e3d_lmp.analysis import reducers
from e3d_lmp.analysis.label_map import label_map
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.analysis.reducers import MapReducer
from e3d_lmp.edges.pairs import PairFrame, Pairing
from e3d_lmp.errors import E3DError
from edge_frames import random_cell, random_frame

ELEMENTS = ("C", "H", "O")


def pair_frames(n: int = 9) -> list[PairFrame]:
    rng = np.random.default_rng(4)
    cell = random_cell(rng, 5.0, 6.0, True)
    pairing = Pairing(ELEMENTS)
    return [pairing.pair(random_frame(rng, 10, cell, np.full((3, 3), 2.5), step=5 * k)) for k in range(n)]


def gather(frames: list[PairFrame], **options) -> MapReducer:
    reducer = MapReducer(**options)
    for frame in frames:
        reducer.add(frame)
    return reducer


def assert_same(got: EnergyMap, expected: EnergyMap) -> None:
    """Counts and bins exactly, sums to rounding."""
    assert (got.samples, got.steps) == (expected.samples, expected.steps)
    assert list(got.labels) == list(expected.labels)
    for name, one in got.labels.items():
        two = expected.labels[name]
        assert one.count == two.count
        np.testing.assert_array_equal(one.codes, two.codes)
        np.testing.assert_array_equal(one.halves, two.halves)
        for moment in ("sum_D", "sum_D2", "sum_A", "sum_A2", "sum_absA"):
            assert getattr(one, moment) == pytest.approx(getattr(two, moment), rel=1e-13, abs=1e-12)


def test_whole_sample_at_once_is_the_same():
    frames = pair_frames()
    result = gather(frames).result()
    assert list(result.labels) == ["C-C", "C-O", "C-H", "O-O", "O-H", "H-H"]
    labels = {}
    for k, name in enumerate(frames[0].labels):
        D, A = (np.concatenate([getattr(f, x)[f.label == k] for f in frames]) for x in ("D", "A"))
        labels[name] = label_map(D, A, 0.1, name[0] == name[-1], name)
        assert labels[name].count > 0
    assert_same(result, EnergyMap(0.1, "model", 9, (0, 40), labels))


@pytest.mark.parametrize(("waiting", "pending"), [(0, 0), (100, 50), (1 << 15, 1 << 18)])
@pytest.mark.parametrize("cuts", [[4], [0, 9], [1, 2, 5]])
def test_split_and_merged_is_the_whole(monkeypatch, waiting, pending, cuts):
    """Whether frames are sorted into bins one by one or some at a time, added up at once or late."""
    frames = pair_frames()
    whole = gather(frames).result()
    monkeypatch.setattr(reducers, "_WAITING_PAIRS", waiting)
    monkeypatch.setattr(reducers, "_PENDING_BINS", pending)
    total = MapReducer()
    for part in np.split(np.arange(len(frames)), cuts):
        total.merge(gather([frames[k] for k in part]))
    if list(total.result().labels) != list(whole.labels):
        raise AssertionError("labels lost or reordered")
    assert_same(total.result(), whole)


def test_result_may_be_asked_for_on_the_way():
    frames = pair_frames()
    reducer = gather(frames[:4])
    assert_same(reducer.result(), gather(frames[:4]).result())
    for frame in frames[4:]:
        reducer.add(frame)
    assert_same(reducer.result(), gather(frames).result())


def test_only_some_labels():
    frames = pair_frames()
    result = gather(frames, labels=("C-H", "O-O"), cutoff="paper", width=0.2).result()
    whole = gather(frames, width=0.2).result()
    assert list(result.labels) == ["C-H", "O-O"]
    assert result.cutoff == "paper"
    assert all(result.labels[name].count == whole.labels[name].count for name in result.labels)


def test_memory_does_not_grow_with_the_number_of_frames(monkeypatch):
    """What waits to be sorted and added up keeps its limits, and the sum has the bins of two frames."""
    frames = pair_frames(2)
    pairs = max(frame.D.size for frame in frames)
    monkeypatch.setattr(reducers, "_WAITING_PAIRS", 3 * pairs)
    monkeypatch.setattr(reducers, "_PENDING_BINS", 500)
    reducer, most, summed = MapReducer(), [], []
    for _ in range(3):
        pending = []
        for _ in range(50):
            for frame in frames:
                reducer.add(frame)
                parts = [one for parts in reducer._pending.values() for one in parts]
                pending.append(sum(one.codes.size for one in parts))
        most.append(max(pending))
        assert pending.count(0) > 1, "never added up on the way"
        summed.append(sum(one.codes.size for one in reducer.result().labels.values()))
    assert 0 < most[0] <= 500 and most[2] <= 500
    few = sum(one.codes.size for one in gather(frames).result().labels.values())
    assert summed == [few, few, few]


@pytest.mark.parametrize("width", [0.0, -0.1, float("nan"), float("inf")])
def test_bad_bin_width(width):
    with pytest.raises(E3DError, match="expected a positive number of eV"):
        MapReducer(width=width)
