"""Energies between molecules: read from labelled liquids, and from the edges between molecules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule as ase_molecule
from ase.calculators.singlepoint import SinglePointCalculator

from e3d_lmp.edges.evaluate import evaluate_structures
from e3d_lmp.edges.evaluator import EdgeEvaluator
from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError
from e3d_lmp.study.extrapolation.between import BetweenMolecules, between_molecules, joined
from e3d_lmp.study.extrapolation.frames import read_liquid_frames
from e3d_lmp.study.extrapolation.molecules import MolecularFrame, is_within_molecule
from tolerances import LADDER, close

F64 = LADDER["float64"] if "float64" in LADDER else next(iter(LADDER.values()))
ATOMS = {1: -10.0, 6: -40.0}


def liquid(seed: int, box: float = 6.8) -> MolecularFrame:
    """Four alkanes in a box, some cut by its boundary."""
    rng = np.random.default_rng(seed)
    numbers: list[int] = []
    belongs: list[int] = []
    places = []
    for k, (name, site) in enumerate(
        zip(
            ("CH4", "C2H6", "CH4", "C3H8"),
            ((0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)),
            strict=True,
        )
    ):
        one = ase_molecule(name)
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        places.append((one.positions - one.positions.mean(0)) @ turn + np.array(site) * box)
        numbers += one.numbers.tolist()
        belongs += [k] * len(one)
    positions = np.concatenate(places) % box
    return MolecularFrame(f"x/{seed}", np.array(numbers), positions, np.eye(3) * box, np.array(belongs))


def labelled(frame: MolecularFrame, level: str = "toy", **changes: Any) -> Atoms:
    """The frame as ASE writes it: -1 eV for each atom, and -0.1 eV between molecules."""
    atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True)
    total = np.array([ATOMS[z] - 1.0 for z in frame.numbers.tolist()])
    alone = np.bincount(frame.molecule, total)
    atoms.arrays["molecule"] = frame.molecule
    atoms.info |= {"subset": "mixed", "level": level, "molecule_energies": alone}
    atoms.calc = SinglePointCalculator(
        atoms, energy=float(total.sum()) - 0.1, forces=np.zeros((len(atoms), 3))
    )
    for key, value in changes.items():
        if value is None:
            atoms.info.pop(key, None)
            atoms.arrays.pop(key, None)
        else:
            atoms.info[key] = value
    return atoms


def test_labelled_frames_are_read_with_cohesive_energies(tmp_path: Path) -> None:
    frames = [liquid(k) for k in range(3)]
    ase.io.write(tmp_path / "l.extxyz", [labelled(frame) for frame in frames])
    found = list(read_liquid_frames(tmp_path / "l.extxyz", ATOMS, "toy"))
    assert [(subset, number) for subset, number, _ in found] == [("mixed", 0), ("mixed", 1), ("mixed", 2)]
    for frame, (_, _, one) in zip(frames, found, strict=True):
        assert one.energy == pytest.approx(-len(frame.numbers) - 0.1)
        np.testing.assert_allclose(one.molecule_energies, -np.bincount(frame.molecule))
        assert one.intermolecular_energy == pytest.approx(-0.1)
        np.testing.assert_allclose(one.positions, frame.positions, atol=1e-7)
        one.unwrapped()
    assert not list(read_liquid_frames(tmp_path / "l.extxyz", ATOMS, "toy", subsets=["other"]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"molecule": None}, r"l.extxyz/0: expected energy, .* missing: molecule; label"),
        ({"molecule_energies": None}, "missing: molecule_energies"),
        ({"level": "other"}, "expected labels at toy, got other; levels of theory do not mix"),
        ({"molecule_energies": np.zeros(3)}, "got 4 molecules and 3 energies"),
    ],
)
def test_frames_that_cannot_be_used(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    ase.io.write(tmp_path / "l.extxyz", [labelled(liquid(1), **changes)])
    with pytest.raises(E3DError, match=message):
        list(read_liquid_frames(tmp_path / "l.extxyz", ATOMS, "toy"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "l.extxyz").write_text("3\nnonsense\n")
    with pytest.raises(E3DError, match="ASE cannot read it"):
        list(read_liquid_frames(tmp_path / "l.extxyz", ATOMS, "toy"))


def test_a_pair_potential_hides_nothing(model_files) -> None:
    """Edges of a pair potential know nothing around them: those between molecules are all of E_inter."""
    found = between_molecules(EdgeEvaluator(model_files("morse-cho"), "cpu"), [liquid(1), liquid(2)])
    assert np.abs(found.edges).min() > 1e-3, "no edge between molecules"
    close("E_inter", found.model, found.edges, 1e-9)
    close("hidden", found.hidden, np.zeros(2), 1e-9)
    assert found.molecules.tolist() == [4, 4] and np.isnan(found.label).all()


def test_what_a_many_body_model_hides_is_the_change_of_edges_within_molecules(model_files) -> None:
    evaluator = EdgeEvaluator(model_files("allegro-everything"), "cpu")
    frame = liquid(3)
    found = between_molecules(evaluator, [frame])
    whole = frame.unwrapped()
    together = Structure("x", frame.numbers, frame.positions, frame.cell, np.ones(3, bool), np.nan)
    (one,) = evaluate_structures(evaluator, [(0, together)])
    edges = one.frame
    within = is_within_molecule(frame, whole, edges.i - 1, edges.j - 1, edges.vec)
    own = 0.0
    for k in range(4):
        atoms = frame.molecule == k
        alone = Structure(
            "y", frame.numbers[atoms], whole[atoms], np.zeros((3, 3)), np.zeros(3, bool), np.nan
        )
        (part,) = evaluate_structures(evaluator, [(0, alone)])
        own += float(part.frame.eps.sum())
        assert len(part.frame.eps) == np.count_nonzero(within & (frame.molecule[edges.i - 1] == k))
    close("hidden", found.hidden[0], float(edges.eps[within].sum()) - own, 1e-8)
    assert abs(found.hidden[0]) > 1e-6


def test_errors_of_energies_between_molecules() -> None:
    label, model, edges = np.array([-1.0, -2.0]), np.array([-1.2, -2.2]), np.array([-0.6, -1.0])
    one = BetweenMolecules(np.array([2, 4]), label, model, edges)
    assert one.error("model") == pytest.approx((0.1 + 0.05) / 2)
    assert one.error("edges") == pytest.approx((0.2 + 0.25) / 2)
    assert one.trivial_error() == 0.0
    np.testing.assert_allclose(one.hidden, [-0.6, -1.2])
    two = joined([one, one])
    assert two.label.tolist() == [-1.0, -2.0, -1.0, -2.0] and two.error("model") == one.error("model")
