"""Pairs and droplets of whole molecules from a periodic box."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.data import vdw_radii

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.clusters import Molecules, nearest, pairs_in_contact, whole_molecules

SIDE, SPACING = 4, 3.4


def _box(shift: float = 0.0) -> Atoms:
    """64 waters turned and moved at random about a lattice, wrapped atom by atom, in a random order."""
    rng = np.random.default_rng(7)
    atoms = Atoms(cell=[SIDE * SPACING] * 3, pbc=True)
    for place in np.ndindex(SIDE, SIDE, SIDE):
        water = molecule("H2O")
        water.rotate(rng.uniform(0.0, 360.0), rng.normal(size=3))
        water.positions -= water.positions.mean(axis=0)
        water.positions += np.array(place) * SPACING + rng.normal(scale=0.05, size=3) + shift
        atoms += water
    atoms.wrap()
    return atoms[rng.permutation(len(atoms))]


def _molecules(atoms: Atoms) -> Molecules:
    return whole_molecules(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)


def test_molecules_are_whole_wherever_the_box_cuts_them() -> None:
    box = _box()
    found = _molecules(box)
    assert len(found.members) == SIDE**3
    water = molecule("H2O")
    for atoms in found.members:
        piece = Atoms(found.numbers[atoms], found.positions[atoms])
        assert sorted(piece.numbers) == [1, 1, 8]
        np.testing.assert_allclose(
            np.sort(piece.get_all_distances().ravel()), np.sort(water.get_all_distances().ravel()), atol=1e-8
        )
    images = (found.positions - box.positions) / (SIDE * SPACING)
    np.testing.assert_allclose(images, np.round(images), atol=1e-9)
    assert np.abs(np.round(images)).max() == 1.0  # some were cut


def test_a_droplet_holds_the_nearest_molecules_in_the_same_places_for_any_origin() -> None:
    found = _molecules(_box())
    atoms, positions = nearest(found, 5, 27)
    assert len(atoms) == 81 and list(atoms[:3]) == list(found.members[5])
    centre = found.centres()[5]
    outside = SIDE * SPACING
    distances = []
    for k in range(27):
        own = positions[3 * k : 3 * k + 3]
        distances.append(np.linalg.norm(own.mean(axis=0) - centre))
        assert np.linalg.norm(own[1:] - own[0], axis=1).max() < 2.0
    assert (
        distances == sorted(distances) and distances[0] < 1e-9 and distances[-1] < 0.5 * outside * np.sqrt(3)
    )
    moved = _molecules(_box(shift=1.234))
    again = nearest(moved, 5, 27)
    assert list(again[0]) == list(atoms)
    np.testing.assert_allclose(
        again[1] - again[1].mean(axis=0), positions - positions.mean(axis=0), atol=1e-8
    )
    with pytest.raises(E3DError, match="fewer"):
        nearest(found, 0, 65)
    for most, left in ((80, 26), (81, 27), (7, 2), (1, 1)):
        fewer = nearest(found, 5, 27, max_atoms=most)
        np.testing.assert_array_equal(fewer[0], atoms[: 3 * left])
        np.testing.assert_array_equal(fewer[1], positions[: 3 * left])
    assert len(nearest(found, 0, 65, max_atoms=30)[0]) == 30


def test_pairs_in_contact_are_all_that_a_search_over_images_finds() -> None:
    box = _box()
    found = _molecules(box)
    pairs = pairs_in_contact(found, contact=0.85)
    got = {(min(atoms[:first]), min(atoms[first:])) for atoms, _, first in pairs}
    radii = vdw_radii[box.numbers]
    close = box.get_all_distances(mic=True) < 0.85 * (radii[:, None] + radii[None])
    owner = np.empty(len(box), dtype=int)
    for k, atoms in enumerate(found.members):
        owner[atoms] = k
    want = {
        tuple(int(min(found.members[k])) for k in sorted((owner[i], owner[j])))
        for i, j in np.argwhere(close)
        if owner[i] != owner[j]
    }
    assert 5 < len(want) < 2016
    assert {tuple(sorted(pair)) for pair in got} == {tuple(sorted(pair)) for pair in want}
    for atoms, positions, first in pairs[:10]:
        between = np.linalg.norm(positions[:first, None] - positions[None, first:], axis=-1)
        sums = radii[atoms[:first]][:, None] + radii[atoms[first:]][None]
        assert (between / sums).min() < 0.85


def test_a_network_has_no_molecules_to_cut() -> None:
    diamond = bulk("C", cubic=True)
    with pytest.raises(E3DError, match="its own image"):
        _molecules(diamond)
