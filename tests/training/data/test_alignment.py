"""Two levels of theory on one scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule as ase_molecule

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.alignment import Alignment, fit_alignment
from e3d_lmp.training.data.records import Molecule
from training_sets import ORGANIC

FACTOR = 0.93
SHIFT = {1: 0.11, 6: -0.25, 7: 0.4, 8: -0.07}
NOISE = 0.002  # eV/atom


def _molecules(names: list[str], seed: int, frames: int = 5) -> list[Molecule]:
    """Molecules with bond-like energies, each frame another."""
    rng = np.random.default_rng(seed)
    result = []
    for name in names:
        template = ase_molecule(name)
        positions = template.positions + rng.normal(scale=0.05, size=(frames, len(template), 3))
        result.append(
            Molecule(
                name=name,
                subset="",
                smiles="",
                atomic_numbers=template.numbers.astype(np.int64),
                positions=positions,
                energy=-rng.uniform(2.0, 6.0, size=frames) * len(template),
                forces=rng.normal(size=positions.shape),
                frames=np.arange(frames),
            )
        )
    return result


def _at_other_level(molecules: list[Molecule], shift: dict[int, float], noise: float = 0.0) -> list[Molecule]:
    """What the other level says, if E = f E' + sum c."""
    rng = np.random.default_rng(9)
    result = []
    for molecule in molecules:
        size = len(molecule.atomic_numbers)
        own = molecule.energy - sum(shift.get(int(z), 0.0) for z in molecule.atomic_numbers)
        own = own + noise * size * rng.normal(size=len(molecule))
        result.append(replace(molecule, energy=own / FACTOR, forces=molecule.forces / FACTOR))
    return result


def _fit(ours: list[Molecule], theirs: list[Molecule], method: str) -> Alignment:
    levels = ["B"] * len(ours) + ["A"] * len(theirs)
    return fit_alignment([*ours, *theirs], levels, "B", "A", method)


def test_a_known_factor_is_found() -> None:
    theirs = _molecules(ORGANIC, seed=1)
    ours = _at_other_level(theirs, {}, NOISE)
    fit = _fit(ours + _molecules(["C6H6"], seed=2), theirs + _molecules(["CH4"], seed=3), "factor")
    assert fit.factor == pytest.approx(FACTOR, abs=1e-3) and not fit.composition
    assert fit.fitted == 60
    assert fit.rmse_after == pytest.approx(NOISE, rel=0.3) and fit.rmse_before > 0.2
    for one, other in zip(ours, theirs, strict=True):
        aligned = replace(fit, factor=FACTOR).apply(one)
        np.testing.assert_allclose(aligned.energy, other.energy, atol=6 * NOISE * len(one.atomic_numbers))
        np.testing.assert_allclose(aligned.forces, other.forces, rtol=1e-12)


def test_a_known_factor_and_composition_are_found() -> None:
    theirs = _molecules(ORGANIC, seed=1)
    ours = _at_other_level(theirs, SHIFT)
    fit = _fit(ours, theirs, "factor+composition")
    assert fit.factor == pytest.approx(FACTOR, abs=1e-9) and fit.rmse_after < 1e-9
    assert fit.composition == pytest.approx(SHIFT, abs=1e-8)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(fit.apply(one).energy, other.energy, rtol=1e-9)
    assert fit.as_dict()["composition"]["N"] == pytest.approx(0.4)


def test_composition_needs_no_common_structure() -> None:
    """Energies that are sums over atoms: their difference between the levels is what has to be found."""
    own = {1: -2.0, 6: -7.0, 7: -5.0, 8: -4.0}

    def additive(names: list[str], seed: int, shift: dict[int, float]) -> list[Molecule]:
        return [
            replace(
                m, energy=np.full(len(m), sum(own[int(z)] - shift.get(int(z), 0.0) for z in m.atomic_numbers))
            )
            for m in _molecules(names, seed)
        ]

    theirs = additive(["CH4", "C2H6", "C2H4", "CH3OH", "NH3", "CH3CN"], 1, {})
    ours = additive(["C2H2", "CH3CHO", "CO2", "H2O"], 2, SHIFT)
    fit = _fit(ours, theirs, "composition")
    # CHO alone: nitrogen is not among ours
    assert fit.composition == pytest.approx({z: SHIFT[z] for z in (1, 6, 8)}, abs=1e-8)
    assert fit.factor == 1.0 and fit.rmse_after < 1e-8 < fit.rmse_before and not fit.undetermined
    ratio = additive(["CO2"], 2, SHIFT)  # one composition tells one number of two
    fit = _fit(ratio, theirs, "composition")
    assert not fit.composition and fit.undetermined == ("C", "O")
    far = additive(["C2H2", "CH3CHO", "CO2", "H2O"], 2, {1: 2.5})
    with pytest.raises(E3DError, match=r"below 1 eV.*gives H \+2\.50: the structures of the two differ"):
        _fit(far, theirs, "composition")
    with pytest.raises(E3DError, match="elements that 'B' and 'A' have in common, found none"):
        _fit(additive(["CO2"], 2, {}), additive(["NH3"], 1, {}), "composition")


def test_isolated_atoms_alone_change_nothing_else() -> None:
    theirs = _molecules(["CH4"], seed=1)
    fit = _fit(_at_other_level(theirs, SHIFT), theirs, "atoms")
    assert fit.factor == 1.0 and not fit.composition and fit.fitted == 0
    np.testing.assert_array_equal(fit.apply(theirs[0]).energy, theirs[0].energy)


def test_stresses_are_scaled() -> None:
    molecule = replace(_molecules(["CH4"], seed=1)[0], stress=np.ones((5, 3, 3)), cell=np.ones((5, 3, 3)))
    fit = Alignment("B", "A", "factor", factor=0.5)
    assert (fit.apply(molecule).stress == 0.5).all()  # type: ignore[operator]


def test_too_little_to_fit_to() -> None:
    theirs = _molecules(["CH4", "H2O"], seed=1)
    with pytest.raises(E3DError, match="determine 1 numbers, found 0; add a source with `use: alignment`"):
        _fit(_molecules(["CH4", "H2O"], seed=2), theirs, "factor")
    with pytest.raises(E3DError, match="determine 3 numbers, found 1;"):
        _fit(_at_other_level([theirs[0].take(np.array([0]))], {}), theirs, "factor+composition")
    wrong = [replace(m, energy=27.2 * m.energy) for m in theirs]
    with pytest.raises(E3DError, match=r"a factor between 0\.5 and 2\.0.*the fit gives 0\.03676"):
        _fit(wrong, theirs, "factor")


def test_heat_currents_are_aligned() -> None:
    """By the factor, and by the composition's energies that move with their atoms; a batch takes frames with
    and without a current.
    """
    from nequip.data import AtomicDataDict

    from e3d_lmp.training.data.database import entry

    (water,) = _molecules(["H2O"], 1, frames=2)
    velocities = np.random.default_rng(4).normal(size=water.positions.shape)
    current = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 4.0]])
    moving = replace(water, velocities=velocities, heat_current=current)
    aligned = Alignment("B", "A", "composition", factor=0.9, composition={1: 0.1, 8: -0.3}).apply(moving)
    carried = np.array([0.1 if z == 1 else -0.3 for z in water.atomic_numbers])
    want = [0.9 * j + carried @ v for j, v in zip(current, velocities, strict=True)]
    np.testing.assert_allclose(aligned.heat_current, want)
    second = aligned.take(np.array([False, True]))
    np.testing.assert_allclose(second.heat_current, want[1:])
    frames = []
    for k in range(2):
        more = {"velocities": velocities[k], "heat_current": current[k]} if k else {}
        more |= {"elements": ["H", "O"], "r_max": 3.0, "with_current": True}
        frames.append(entry(water.atomic_numbers, water.positions[k], -9.0, water.forces[k], **more))
    batch = AtomicDataDict.batched_from_list(frames)
    assert batch["velocities"].shape == (6, 3) and batch["heat_current"].shape == (2, 3)
    assert bool(batch["heat_current"][0].isnan().all()) and bool(batch["velocities"][:3].isnan().all())
    np.testing.assert_allclose(batch["heat_current"][1], current[1], rtol=1e-6)
