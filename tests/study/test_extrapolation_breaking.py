"""Bonds that break: which one, its curve, its energy by labels and by a model that is wrong as we know."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import molecule as ase_molecule

from e3d_lmp.errors import E3DError
from e3d_lmp.study.extrapolation.breaking import breaking_bond
from training_sets import stretched

DEPTH, DECAY, REST = 4.2, 1.8, 1.53


def morse(length: np.ndarray, depth: float = DEPTH) -> np.ndarray:
    return depth * (1.0 - np.exp(-DECAY * (length - REST))) ** 2


def frames(warmth: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Butane whose middle bond is between 1.4 and 5.2 angstrom long, with heat on top."""
    rng = np.random.default_rng(3)
    lengths = rng.uniform(1.4, 5.2, 3000)
    atoms, positions = stretched("trans-butane", 1, lengths)
    return atoms.numbers, positions, morse(lengths) + rng.exponential(warmth, 3000)


def test_the_bond_that_breaks_is_found_and_named_by_its_place() -> None:
    numbers, positions, energy = frames()
    found = breaking_bond(numbers, positions, energy)
    assert found.bond == "2-3"
    assert found.length.min() < 1.45 and found.length.max() > 5.1
    atoms, positions = stretched("C3H8", 0, np.linspace(1.4, 5.2, 50))
    assert breaking_bond(atoms.numbers, positions, np.linspace(0, 4, 50)).bond == "1-2"


def test_dissociation_energies_are_those_of_the_coolest_frames() -> None:
    found = breaking_bond(*frames(warmth=0.01))
    assert found.dissociation(found.energy) == pytest.approx(DEPTH, rel=0.02)
    # a model of another depth, without heat, at the same frames
    assert found.dissociation(morse(found.length, 3.7)) == pytest.approx(3.7, rel=0.02)
    length, energy = found.curve(found.energy)
    assert (np.diff(length) > 0.0).all() and energy.min() == 0.0
    far = (length > 1.6) & (length < 5.0)
    np.testing.assert_allclose(energy[far], morse(length[far]), atol=0.12)


def test_frames_that_say_nothing_of_a_bond_are_refused() -> None:
    numbers, positions, energy = frames()
    whole = breaking_bond(numbers, positions, energy).length < 2.0
    short = breaking_bond(numbers, positions[whole], energy[whole])
    with pytest.raises(E3DError, match="take frames in which it breaks"):
        short.dissociation(short.energy)
    methane = ase_molecule("CH4")
    with pytest.raises(E3DError, match="bond between heavy atoms"):
        breaking_bond(methane.numbers, methane.positions[None], np.zeros(1))
    ring = ase_molecule("C3H6_D3h")
    with pytest.raises(E3DError, match="of a ring"):
        breaking_bond(ring.numbers, ring.positions[None], np.zeros(1))
