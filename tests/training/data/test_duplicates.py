"""Frames that occur twice."""

from __future__ import annotations

import numpy as np
from ase.build import molecule as ase_molecule
from scipy.spatial.transform import Rotation

from e3d_lmp.training.data.duplicates import TOLERANCE, without_duplicates
from e3d_lmp.training.data.records import Dropped, Molecule


def _molecule(numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray | None = None) -> Molecule:
    count = len(positions)
    return Molecule(
        name="m",
        subset="",
        smiles="",
        atomic_numbers=numbers,
        positions=positions,
        energy=np.zeros(count),
        forces=np.zeros(positions.shape),
        frames=np.arange(count),
        cell=None if cell is None else np.repeat(cell[None], count, axis=0),
        pbc=np.full(3, cell is not None),
    )


def _left(molecules: list[Molecule], ranks: list[int] | None = None) -> list[list[int] | None]:
    kept = without_duplicates(molecules, ranks or [0] * len(molecules), Dropped())
    return [None if molecule is None else molecule.frames.tolist() for molecule in kept]


def test_molecules_are_known_again_turned_reordered_and_mirrored() -> None:
    rng = np.random.default_rng(3)
    ethanol = ase_molecule("CH3CH2OH")
    frames = ethanol.positions + rng.normal(scale=0.05, size=(6, 9, 3))
    order = rng.permutation(9)
    turned = frames[:, order] @ Rotation.random(rng=4).as_matrix() * [1, 1, -1] + 3.0
    turned[1] += rng.uniform(-0.5, 0.5, size=(9, 3)) * TOLERANCE
    turned[2, 4] += [0, 0, 20 * TOLERANCE]
    turned[5] += 0.1 * rng.normal(size=(9, 3))
    first, second = _molecule(ethanol.numbers, frames), _molecule(ethanol.numbers[order], turned)
    dropped = Dropped()
    kept = without_duplicates([first, second], [0, 0], dropped)
    assert kept[0] is not None and kept[0].frames.tolist() == [0, 1, 2, 3, 4, 5]
    assert kept[1] is not None and kept[1].frames.tolist() == [2, 5]
    assert dropped.frames == {"duplicate": 4} and not dropped.molecules
    # the lower rank is kept, whatever the order
    assert _left([first, second], [1, 0]) == [[2, 5], [0, 1, 2, 3, 4, 5]]
    ether = ase_molecule("CH3OCH3")
    assert _left([first, _molecule(ether.numbers, ether.positions[None])])[1] == [0]


def test_three_times_is_once() -> None:
    water = ase_molecule("H2O")
    one = _molecule(water.numbers, np.repeat(water.positions[None], 3, axis=0))
    assert _left([one, one]) == [[0], None]


def test_crystals_are_known_again_in_their_cell() -> None:
    rng = np.random.default_rng(5)
    cell = np.diag([4.0, 4.5, 5.0]) + 0.2 * rng.normal(size=(3, 3))
    numbers = np.array([12, 8])
    frames = np.array([[0.1, 0.2, 0.3], [2.0, 2.1, 2.2]]) + 0.05 * rng.normal(size=(3, 2, 3))
    crystal = _molecule(numbers, frames, cell)
    shifted = frames + np.array([[1.0, -1, 0], [0, 2, 3]]) @ cell
    shifted[2, 1] += [0.01, 0, 0]
    turn = Rotation.random(rng=6).as_matrix()
    assert _left([crystal, _molecule(numbers, shifted @ turn, cell @ turn)]) == [[0, 1, 2], [2]]
    # strained by 1 %, or with another cell of the same volume
    assert _left([crystal, _molecule(numbers, 1.01 * frames, 1.01 * cell)])[1] == [0, 1, 2]
    assert _left([crystal, _molecule(numbers, frames, cell * [[1.02], [1 / 1.02], [1]])])[1] == [0, 1, 2]
    # the same atoms without a cell are something else
    assert _left([crystal, _molecule(numbers, frames)])[1] is not None
