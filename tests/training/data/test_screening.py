"""Frames that are not worth learning from."""

from __future__ import annotations

import numpy as np

from e3d_lmp.training.data.records import Molecule
from e3d_lmp.training.data.screening import closest_ratio, screened
from training_sets import wanted


def test_closest_ratio() -> None:
    ratio = closest_ratio(
        np.array([1, 1]), np.array([[[0.0, 0, 0], [0, 0, 0.62]], [[0.0, 0, 0], [0, 0, 0.31]]])
    )
    np.testing.assert_allclose(ratio, [1.0, 0.5])
    assert np.isinf(closest_ratio(np.array([1]), np.zeros((1, 1, 3)))).all()


def _crystal(scale: list[float]) -> Molecule:
    """Diamond with one atom in a skew cell: only images are close; scale 1: the distance of two C radii."""
    cell = 0.76 * np.sqrt(2.0) * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0.0]])
    count = len(scale)
    return Molecule(
        name="c",
        subset="",
        smiles="",
        atomic_numbers=np.array([6]),
        positions=np.zeros((count, 1, 3)),
        energy=np.zeros(count),
        forces=np.zeros((count, 1, 3)),
        frames=np.arange(count),
        cell=np.array(scale)[:, None, None] * cell,
        pbc=np.ones(3, dtype=bool),
    )


def test_images_of_a_crystal_count() -> None:
    request = wanted(min_distance=0.6)
    sound = screened(_crystal([1.0, 0.58, 0.62, 0.0]), request)
    assert sound is not None and sound.frames.tolist() == [0, 2]
    assert request.dropped.frames == {
        "not finite": 1,
        "force component above 20 eV/angstrom": 0,
        "atoms closer than 0.6 of their covalent radii": 1,
    }
    assert screened(_crystal([0.5]), request) is None
    assert request.dropped.molecules == {"no frame left": 1}
