"""The analysis as one reducer: split and merged is the whole, blocks and offsets are those of the pairs."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule

from e3d_lmp.analysis import reducers
from e3d_lmp.analysis.analysis_tables import AnalysisTables
from e3d_lmp.analysis.bonds.orders import rdkit_orders
from e3d_lmp.analysis.bonds.types import BondTyping
from e3d_lmp.analysis.edge_analysis import EdgeAnalysis
from e3d_lmp.analysis.label_map import label_map
from e3d_lmp.analysis.sampling import bootstrap_interval, offset_spread
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.frames import EdgeFrame
from e3d_lmp.edges.pairs import Pairing, is_like
from e3d_lmp.errors import E3DError
from edge_frames import molecule_frame

pytest.importorskip("rdkit", reason="no RDKit; type: pip install 'e3d-lmp[bonds]'")

ELEMENTS = ("C", "H", "N", "O")
NAMES = ("CH3CN", "C6H6", "CO2", "CH3CONH2", "H2O")


def frames(n: int = 150) -> list[EdgeFrame]:
    """Different molecules, shaken, each edge with an energy of its own."""
    rng = np.random.default_rng(6)
    out = []
    for k in range(n):
        atoms = molecule(NAMES[k % len(NAMES)])
        atoms.positions += rng.normal(0, 0.02, atoms.positions.shape)
        frame = molecule_frame(atoms, ELEMENTS, step=10 * k)
        out.append(replace(frame, eps=frame.eps + rng.normal(0, 0.3, frame.eps.size)))
    return out


def analysis(**options) -> EdgeAnalysis:
    return EdgeAnalysis(ELEMENTS, parse_cutoff("covalent"), typing=BondTyping(rdkit_orders, True), **options)


ROLES = ("reactant", "transition_state", "product")


def gather(all_frames: list[EdgeFrame], numbers, **options) -> EdgeAnalysis:
    one = analysis(**options)
    for k in numbers:
        one.add(all_frames[k], k, ROLES[k % 3])
    return one


def assert_same(one: EdgeAnalysis, other: EdgeAnalysis) -> None:
    """Counts, bins, blocks, bond types and histograms of D exactly, sums to rounding."""

    def maps(a: EdgeAnalysis):
        return [a.result(), *a.blocks(), *a.roles().values()]

    assert list(one.roles()) == list(other.roles())
    assert len(maps(one)) == len(maps(other))
    for a, b in zip(maps(one), maps(other), strict=True):
        assert (a.samples, a.steps, list(a.labels)) == (b.samples, b.steps, list(b.labels))
        for name, x in a.labels.items():
            assert x.count == b.labels[name].count
            np.testing.assert_array_equal(x.codes, b.labels[name].codes)
            np.testing.assert_array_equal(x.halves, b.labels[name].halves)
            assert x.sum_D == pytest.approx(b.labels[name].sum_D, rel=1e-13)
    for name, x in one.offsets().items():
        np.testing.assert_array_equal(x.codes, other.offsets()[name].codes)
        np.testing.assert_array_equal(x.halves, other.offsets()[name].halves)
    a, b = one.bonds(), other.bonds()
    assert a is not None and b is not None and a.types == b.types
    for column in ("count", "codes", "weights"):
        np.testing.assert_array_equal(getattr(a, column), getattr(b, column))
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-13)
    np.testing.assert_allclose(a.squares, b.squares, rtol=1e-10)
    assert (one.frames, one.sums.longest) == (other.frames, other.sums.longest)
    assert [one.sums.bonded, one.sums.edges] == pytest.approx(
        [other.sums.bonded, other.sums.edges], rel=1e-13
    )


@pytest.mark.parametrize("pending", [0, 1 << 18])
@pytest.mark.parametrize("deal", ["ranges", "in turn", "nothing for some"])
def test_split_and_merged_is_the_whole(monkeypatch, pending, deal) -> None:
    monkeypatch.setattr(reducers, "_PENDING_BINS", pending)
    monkeypatch.setattr(reducers, "_PENDING_IN_BLOCK", pending)
    every = frames()
    n = len(every)
    shares = {
        "ranges": [range(0, 40), range(40, 41), range(41, n)],
        "in turn": [range(k, n, 3) for k in range(3)],
        "nothing for some": [range(0), range(0, n), range(0)],
    }[deal]
    parts = [pickle.loads(pickle.dumps(gather(every, share))) for share in shares]
    whole = parts[0]
    for part in parts[1:]:
        whole.merge(part)
    assert_same(whole, gather(every, range(n)))
    whole.add(every[3], n, "product")  # it goes on afterwards
    assert whole.frames == n + 1 and whole.result().samples == n + 1


def test_maps_blocks_and_offsets_are_those_of_the_pairs() -> None:
    every = frames()
    one = gather(every, range(len(every)))
    pairing = Pairing(ELEMENTS, parse_cutoff("covalent").matrix(ELEMENTS))
    pairs = [pairing.pair(frame) for frame in every]
    blocks = one.blocks()
    assert len(blocks) == 38  # 150 frames, four of them in a block
    for k, name in enumerate(pairs[0].labels):
        D, A = (np.concatenate([getattr(p, x)[p.label == k] for p in pairs]) for x in ("D", "A"))
        want = label_map(D, A, 0.1, is_like(name), name)
        got = one.result().labels[name]
        assert got.count == want.count and np.array_equal(got.halves, want.halves)
        D, A = (np.concatenate([getattr(p, x)[p.label == k] for p in pairs[4:8]]) for x in ("D", "A"))
        assert blocks[1].labels[name].count == D.size
        assert blocks[1].labels[name].codes.tolist() == label_map(D, A, 0.1, is_like(name), "").codes.tolist()
    assert sum(block.samples for block in blocks) == 150
    tables = AnalysisTables(one, equal_size=50)
    for row in tables.rows():
        p = pairs[0].labels.index(row["pair"])
        D, A = (np.concatenate([getattr(x, name)[x.label == p] for x in pairs]) for name in ("D", "A"))
        spread = offset_spread(D, A, 0.1, is_like(row["pair"]))
        got = (row["H_offset_low_nats"], row["H_offset_high_nats"])
        assert got == pytest.approx((spread.low, spread.high), abs=1e-12)
        assert row["H_2D_nats"] < row["H_miller_madow_nats"] < row["H_grassberger_nats"] + 0.2
        parts = [block.labels[row["pair"]] for block in blocks if block.labels[row["pair"]].count]
        rng = np.random.default_rng(list(row["pair"].encode()))
        interval = bootstrap_interval(parts, is_like(row["pair"]), rng)
        assert (row["H_low_nats"], row["H_high_nats"]) == (interval.low, interval.high)
        assert np.isnan(row["H_equal_size_nats"]) == (row["count"] < 50)


def test_sums_of_energies() -> None:
    every = frames(7)
    one = gather(every, range(7))
    assert one.sums.edges == pytest.approx(sum(frame.eps.sum() for frame in every), rel=1e-13)
    assert one.sums.longest == max(np.linalg.norm(frame.vec, axis=1).max() for frame in every)
    pairing = Pairing(ELEMENTS, parse_cutoff("covalent").matrix(ELEMENTS))
    assert one.sums.bonded == pytest.approx(sum(pairing.pair(f).D.sum() for f in every), rel=1e-12)
    text = AnalysisTables(one, holds_all_edges=True).share_text()
    assert f"hold {one.sums.bonded / one.sums.edges:.2%} of the energy of all edges" in text
    assert "if the source holds all edges" in AnalysisTables(one).share_text()
    only = EdgeAnalysis(ELEMENTS, parse_cutoff("4.5"))
    only.add(every[0])
    assert AnalysisTables(only).share_text() == ""


def test_with_and_without_bond_types() -> None:
    bare = EdgeAnalysis(ELEMENTS)
    bare.add(frames(1)[0])
    assert bare.bonds() is None and "bond type" not in AnalysisTables(bare).text()
    with pytest.raises(E3DError, match="cannot be merged"):
        bare.merge(analysis())


def test_transition_states_have_bare_types() -> None:
    one = analysis()
    one.add(molecule_frame(molecule("CH3CN"), ELEMENTS), 0, "transition_state")
    one.add(molecule_frame(molecule("CH3CN"), ELEMENTS), 1, "product")
    bonds = one.bonds()
    assert bonds is not None
    assert dict(zip(bonds.types, bonds.count.tolist(), strict=True)) == {
        "C-C": 1,
        "C-C 1": 1,
        "C-H": 3,
        "C-H 1": 3,
        "C-N": 1,
        "C-N 3": 1,
    }
    assert list(one.roles()) == ["transition_state", "product"]
