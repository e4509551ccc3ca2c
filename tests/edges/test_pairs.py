"""Pairing of directed edges against a plain edge-by-edge reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from e3d_lmp.edges.frames import Box, EdgeFrame, join_frames
from e3d_lmp.edges.pairs import PairFrame, Pairing, pair_label, parse_labels
from e3d_lmp.errors import E3DError
from edge_frames import bonds_of, plain_pairs, random_cell, random_frame, take

ELEMENTS = ("H", "C", "O", "C")  # not in label order, and two types of one element
IMAGE_AXIS = np.array([0.5377, 0.6142, 0.5776])  # image_axis of edge_kernel/edge_pairs.cpp


def listed(pairs: PairFrame) -> list[tuple]:
    rows = zip(pairs.label, pairs.i, pairs.j, pairs.vec, pairs.e12, pairs.e21, strict=True)
    return sorted(
        (pairs.labels[k], int(i), int(j), tuple(v), float(a), float(b)) for k, i, j, v, a, b in rows
    )


def two_edges(type_i: int, type_j: int, i: int, j: int, vec: tuple[float, float, float]) -> EdgeFrame:
    """Edge i -> j of energy -3 and its partner of energy -1."""
    v = np.array(vec)
    return EdgeFrame(
        step=5,
        box=Box(np.eye(3), np.zeros(3), np.ones(3, dtype=bool)),
        i=np.array([i, j]),
        j=np.array([j, i]),
        type_i=np.array([type_i, type_j], dtype=np.int32),
        type_j=np.array([type_j, type_i], dtype=np.int32),
        vec=np.array([v, -v]),
        eps=np.array([-3.0, -1.0]),
    )


@pytest.mark.parametrize("seed", range(12))
def test_boxes_smaller_than_twice_the_cutoff(seed):
    """Several images of one pair, atoms that neighbour their own image, tilted boxes: each pair once."""
    rng = np.random.default_rng(seed)
    own_images = seed % 2 == 1
    cell = random_cell(rng, *((1.5, 2.9) if own_images else (3.1, 4.5)), triclinic=seed % 3 == 0)
    frame = random_frame(rng, 5, cell, np.full((4, 4), 3.0))
    images = np.unique(np.stack([frame.i, frame.j]), axis=1, return_counts=True)[1]
    assert images.max() > 1 and (frame.i == frame.j).any() >= own_images, f"seed {seed}: the box is too large"
    pairs = Pairing(ELEMENTS).pair(frame)
    assert listed(pairs) == plain_pairs(frame, ELEMENTS)
    assert len(pairs.i) * 2 == len(frame.i)
    assert pairs.D.sum() == pytest.approx(frame.eps.sum(), abs=1e-10)
    np.testing.assert_array_equal(pairs.D, pairs.e12 + pairs.e21)
    np.testing.assert_array_equal(pairs.A, pairs.e12 - pairs.e21)


@pytest.mark.parametrize("seed", range(4))
def test_order_of_edges_and_print_noise_do_not_matter(seed):
    rng = np.random.default_rng(100 + seed)
    frame = random_frame(rng, 6, random_cell(rng, 2.5, 4.0, True), np.full((4, 4), 3.0))
    expected = listed(Pairing(ELEMENTS).pair(frame))
    shuffled = take(frame, rng.permutation(len(frame.i)))
    assert listed(Pairing(ELEMENTS).pair(shuffled)) == expected
    noisy = replace(shuffled, vec=shuffled.vec + rng.uniform(-2e-4, 2e-4, shuffled.vec.shape))
    got = listed(Pairing(ELEMENTS).pair(noisy))
    assert [(row[:3], row[4:]) for row in got] == [(row[:3], row[4:]) for row in expected]


@pytest.mark.parametrize("offset", [0, 10**6, 2**31 - 3, 2**33, 2**53 - 10])
def test_ids_of_any_size(offset):
    rng = np.random.default_rng(3)
    frame = random_frame(rng, 6, random_cell(rng, 3.0, 4.0, False), np.full((4, 4), 3.0))
    moved = replace(frame, i=frame.i + offset, j=frame.j + offset)
    expected = [(row[0], row[1] + offset, row[2] + offset, *row[3:]) for row in plain_pairs(frame, ELEMENTS)]
    assert listed(Pairing(ELEMENTS).pair(moved)) == expected


def test_ids_that_agree_in_their_low_bits_are_not_mixed_up():
    frame = two_edges(2, 1, 1, 5, (1.0, 0.0, 0.0))
    far = replace(frame, i=np.array([1, 2**32 + 5]), j=np.array([2**32 + 5, 1]))
    both = join_frames([frame, far])
    assert listed(Pairing(ELEMENTS).pair(both)) == plain_pairs(frame, ELEMENTS) + plain_pairs(far, ELEMENTS)


def test_images_with_the_same_projection_are_told_apart():
    """Two images whose vectors differ at right angles to the direction by which images are sorted."""
    across = np.cross(IMAGE_AXIS, [0.0, 0.0, 1.0])
    one = two_edges(1, 2, 1, 2, (1.0, 0.2, 0.3))
    frame = EdgeFrame(
        0,
        one.box,
        *(np.concatenate([a, a]) for a in (one.i, one.j, one.type_i, one.type_j)),
        np.concatenate([one.vec, one.vec + np.outer([1, -1], across * 2.0)]),
        np.array([-1.0, -2.0, -3.0, -4.0]),
    )
    # A little print noise, along the direction, puts the two edges i -> j before the two edges j -> i.
    vec = frame.vec - np.outer(frame.i == 2, IMAGE_AXIS) * 2e-4
    frame = replace(frame, vec=vec)
    for rows in ([0, 1, 2, 3], [0, 3, 1, 2], [2, 0, 1, 3]):
        shuffled = take(frame, np.array(rows))
        assert listed(Pairing(ELEMENTS).pair(shuffled)) == plain_pairs(frame, ELEMENTS)


@pytest.mark.parametrize(
    ("type_i", "type_j", "i", "j", "vec", "label", "first", "a"),
    [
        (2, 1, 7, 3, (1, 0, 0), "C-H", 7, -2.0),  # C before H, whatever the ids
        (1, 2, 3, 7, (1, 0, 0), "C-H", 7, 2.0),
        (3, 1, 9, 1, (1, 0, 0), "O-H", 9, -2.0),  # H last
        (3, 2, 1, 9, (1, 0, 0), "C-O", 9, 2.0),
        (2, 4, 9, 1, (1, 0, 0), "C-C", 1, 2.0),  # two types of one element: the lower id
        (2, 2, 1, 9, (1, 0, 0), "C-C", 1, -2.0),
        (2, 2, 4, 4, (-9, -9, 1), "C-C", 4, -2.0),  # own image: r_z > 0
        (2, 2, 4, 4, (9, 9, -1), "C-C", 4, 2.0),
        (2, 2, 4, 4, (-9, 1, 0), "C-C", 4, -2.0),  # then r_y > 0
        (2, 2, 4, 4, (9, -1, -0.0), "C-C", 4, 2.0),
        (2, 2, 4, 4, (1, 0, 0), "C-C", 4, -2.0),  # then r_x > 0
        (2, 2, 4, 4, (-1, 0, -0.0), "C-C", 4, 2.0),
    ],
)
def test_label_and_sign(type_i, type_j, i, j, vec, label, first, a):
    pairs = Pairing(ELEMENTS).pair(two_edges(type_i, type_j, i, j, vec))
    assert [pairs.labels[k] for k in pairs.label] == [label]
    assert pairs.i.tolist() == [first]
    assert pairs.D.tolist() == [-4.0]
    assert pairs.A.tolist() == [a]
    sign = 1.0 if a < 0 else -1.0
    np.testing.assert_array_equal(pairs.vec, [sign * np.array(vec, dtype=float)])


def test_labels():
    assert [pair_label("H", "C"), pair_label("Si", "O"), pair_label("H", "He"), pair_label("H", "H")] == [
        "C-H",
        "O-Si",
        "He-H",
        "H-H",
    ]
    assert Pairing(ELEMENTS).labels == ("C-C", "C-O", "C-H", "O-O", "O-H", "H-H")
    assert parse_labels(["H-C", "C-H", "C-C"], ELEMENTS) == ("C-H", "C-C")
    for word in ("C", "C-N", "C-H-O", "CH", "-"):
        with pytest.raises(E3DError, match="expected two of the elements C O H joined by a hyphen"):
            parse_labels([word], ELEMENTS)


@pytest.mark.parametrize("seed", range(4))
def test_bond_cutoff(seed):
    rng = np.random.default_rng(seed)
    frame = random_frame(rng, 8, random_cell(rng, 4.0, 5.0, True), np.full((4, 4), 3.0))
    bond = np.array([[1.0, 1.5, 2.0, 1.5], [1.5, 2.5, 2.2, 2.5], [2.0, 2.2, 0.0, 2.2], [1.5, 2.5, 2.2, 2.5]])
    pairs = Pairing(ELEMENTS, bond).pair(frame)
    expected = plain_pairs(frame, ELEMENTS, bond)
    assert listed(pairs) == expected
    assert 0 < len(expected) < len(frame.i) / 2
    assert not any(row[0] == "O-O" for row in expected)


@pytest.mark.parametrize("above", [True, False])
def test_pair_at_the_very_cutoff_is_one_or_none(above):
    """The two edges of a pair may differ by rounding: one within the cutoff, the other beyond."""
    frame = two_edges(1, 2, 1, 2, (1.5, 0, 0))
    tiny = 3e-16 if above else -3e-16
    frame = replace(frame, vec=frame.vec * (1 + np.array([[tiny], [-tiny]])))
    pairs = Pairing(ELEMENTS, np.full((4, 4), 1.5)).pair(frame)
    assert len(pairs.i) == (
        1 if above else 0
    )  # the edge from C, the first atom, decides: it is the second one
    assert pairs.unpaired == 0


def test_asymmetric_cutoffs_leave_partners_out_legally():
    rng = np.random.default_rng(11)
    elements = ("C", "H")
    model = np.array([[3.0, 2.0], [2.8, 1.5]])
    frame = random_frame(rng, 7, random_cell(rng, 3.0, 4.0, False), model)
    pairs = Pairing(elements, model=model).pair(frame)
    assert listed(pairs) == plain_pairs(frame, elements)
    distance = np.linalg.norm(pairs.vec, axis=1)
    ch = np.array([pairs.labels[k] == "C-H" for k in pairs.label])
    far = ch & (distance > 2.0)
    assert pairs.beyond == far.sum() > 0
    np.testing.assert_array_equal(pairs.e12[far], 0.0)
    assert (pairs.e21[far] != 0.0).all()
    assert pairs.unpaired == 0
    with pytest.raises(E3DError, match=f"{far.sum()} edges have no partner.*--model FILE"):
        Pairing(elements).pair(frame)


def test_absent_partner_is_refused_or_counted():
    rng = np.random.default_rng(2)
    frame = random_frame(rng, 6, random_cell(rng, 3.0, 4.0, False), np.full((4, 4), 3.0))
    frame = replace(frame, step=120)
    whole = listed(Pairing(ELEMENTS).pair(frame))
    lost = 17
    rest = take(frame, np.delete(np.arange(len(frame.i)), lost))
    i, j = frame.i[lost], frame.j[lost]
    for model in (None, np.full((4, 4), 3.0)):
        with pytest.raises(E3DError, match=f"step 120: 1 edges have no partner, the first one {j} -> {i} at"):
            Pairing(ELEMENTS, model=model).pair(rest)
        pairs = Pairing(ELEMENTS, model=model, skip_unpaired=True).pair(rest)
        assert pairs.unpaired == 1
        left = listed(pairs)
        assert len(left) == len(whole) - 1 and set(left) < set(whole)


def test_an_edge_twice_is_refused():
    rng = np.random.default_rng(2)
    frame = random_frame(rng, 6, random_cell(rng, 3.0, 4.0, False), np.full((4, 4), 3.0))
    n = len(frame.i)
    for rows in (np.append(np.arange(n), 5), np.concatenate([np.arange(n), np.arange(n)])):
        with pytest.raises(E3DError, match="occurs more than once"):
            Pairing(ELEMENTS).pair(take(frame, rows))
    lone = two_edges(1, 2, 1, 2, (1.0, 0, 0))
    with pytest.raises(E3DError, match="occurs more than once"):
        Pairing(ELEMENTS, skip_unpaired=True).pair(take(lone, np.array([0, 0])))


def test_frames_of_no_and_one_edge():
    frame = two_edges(1, 2, 1, 2, (1.0, 0, 0))
    pairs = Pairing(ELEMENTS).pair(take(frame, np.zeros(0, dtype=int)))
    assert len(pairs.i) == 0 and pairs.vec.shape == (0, 3)
    with pytest.raises(E3DError, match="1 edges have no partner"):
        Pairing(ELEMENTS).pair(take(frame, np.array([1])))


@pytest.mark.parametrize("bad", [0, 5])
def test_types_without_an_element(bad):
    with pytest.raises(E3DError, match=r"--types names 4 \(H C O C\)"):
        Pairing(ELEMENTS).pair(two_edges(1, bad, 1, 2, (1.0, 0, 0)))


def test_bad_matrix():
    with pytest.raises(E3DError, match="expected 4 x 4"):
        Pairing(ELEMENTS, bond=np.ones((2, 2)))


@pytest.mark.parametrize("seed", range(6))
def test_pairs_that_come_with_both_energies(seed):
    """What compute e3d/pair/local gives is labelled, cut and ordered as the pairs of its edges are."""
    rng = np.random.default_rng(seed)
    cell = random_cell(rng, *((1.5, 2.9) if seed % 2 else (3.1, 4.5)), triclinic=seed % 3 == 0)
    frame = random_frame(rng, 5, cell, np.full((4, 4), 3.0), ids=np.array([9, 4, 2**40, 7, 5]))
    just_short = np.linalg.norm(frame.vec, axis=1).min() - 1e-6  # within the tolerance
    for bond in (None, np.full((4, 4), 2.2), np.full((4, 4), just_short)):
        pairing = Pairing(ELEMENTS, bond)
        expected, got = pairing.pair(frame), pairing.label(bonds_of(frame, ELEMENTS))
        assert listed(got) == listed(expected)
        assert (len(got.i) == 0) == (bond is not None and bond[0, 0] == just_short)
        assert np.array_equal(np.sort(got.D), np.sort(expected.D)) and got.labels == expected.labels


def test_pairs_twice_or_the_wrong_way_round():
    rng = np.random.default_rng(1)
    frame = random_frame(rng, 8, random_cell(rng, 4.0, 5.0, False), np.full((4, 4), 2.5))
    bonds = bonds_of(frame, ELEMENTS)
    with pytest.raises(E3DError, match="occurs more than once"):
        Pairing(ELEMENTS).label(join_frames([bonds, bonds]))
    with pytest.raises(E3DError, match=r"comes before atom .* name the elements of the run's own types"):
        Pairing(("C", "H", "O", "H")).label(bonds)
