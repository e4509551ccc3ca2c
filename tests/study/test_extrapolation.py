"""Extrapolation study on synthetic data: errors and shifts, molecules, SOAP vectors, environments, ridge."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule as ase_molecule
from scipy.stats import norm

from e3d_lmp.errors import E3DError
from e3d_lmp.study.extrapolation import environments, ridge
from e3d_lmp.study.extrapolation.errors import Judgement, error_matrices, fit_shift
from e3d_lmp.study.extrapolation.molecules import MolecularFrame, is_within_molecule, pairs_within
from e3d_lmp.study.extrapolation.soap import SoapSettings, soap_vectors

SMALL = SoapSettings(cutoff=4.0, radial=4, angular=2)


def liquid(
    names: tuple[str, ...] = ("CH4", "C2H6", "H2O", "CH4"),
    box: float = 9.0,
    seed: int = 1,
    wrapped: bool = True,
) -> MolecularFrame:
    """Molecules on a lattice, turned, some cut by the boundary."""
    rng = np.random.default_rng(seed)
    numbers, positions, belongs = [], [], []
    sites = list(itertools.product((0.0, 0.5), repeat=3))
    for k, name in enumerate(names):
        one = ase_molecule(name)
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        numbers += one.numbers.tolist()
        positions.append((one.positions - one.positions.mean(0)) @ turn + np.array(sites[k]) * box)
        belongs += [k] * len(one)
    where = np.concatenate(positions)
    if wrapped:
        where = where % box
    return MolecularFrame("liquid/0", np.array(numbers), where, np.eye(3) * box, np.array(belongs))


def judgements(
    composition: dict[str, float], slope: float, intercept: float, noise: float, odd: tuple[str, ...] = ()
) -> dict[tuple[str, str], list[Judgement]]:
    """Models that are wrong by a line in the composition and by noise; those of `odd` by something else."""
    rng = np.random.default_rng(4)
    result = {}
    for one, other in itertools.product(composition, repeat=2):
        shift = slope * (composition[other] - composition[one]) + intercept if one != other else 0.0
        if one in odd or other in odd:
            shift = 5.0
        atoms = np.full(400, 100)
        reference = rng.normal(-400.0, 1.0, 400)
        energy = reference + atoms * (shift + rng.normal(0.0, noise, 400))
        result[one, other] = [Judgement(atoms, energy, reference, force_error=0.1)]
    return result


ALKANES = {f"C{n}": n / (3 * n + 2) for n in range(1, 9)}


def test_a_mean_shift_is_recovered_and_taken_off() -> None:
    judged = judgements(ALKANES, slope=1.7, intercept=0.02, noise=0.003, odd=("C1", "C2", "C3"))
    found = error_matrices(judged, ALKANES, excluded=("C1", "C2", "C3"))
    assert found.line.pairs == 20
    assert found.line.slope == pytest.approx(1.7, abs=0.03)
    assert found.line.intercept == pytest.approx(0.02, abs=3e-4)
    assert found.line.pearson > 0.999
    mean_noise = 0.003 * np.sqrt(2 / np.pi)
    inner = found.corrected[3:, 3:][~np.eye(5, dtype=bool)]
    np.testing.assert_allclose(inner, mean_noise, rtol=0.2)
    far = found.members.index("C4"), found.members.index("C8")
    assert found.energy[far] == pytest.approx(abs(found.line(found.differences[far])), rel=0.05)
    # odd members keep their error: the line was not made for them
    assert found.corrected[0, 5] > 4.0
    assert found.force[2, 3] == 0.1 and np.isnan(found.force_scatter[2, 3])


def test_seeds_give_mean_and_scatter() -> None:
    atoms, reference = np.array([10, 20]), np.array([-40.0, -80.0])
    seeds = [
        Judgement(atoms, reference + atoms * shift, reference, f) for shift, f in ((0.1, 0.2), (-0.3, 0.4))
    ]
    judged = {pair: seeds for pair in itertools.product(ALKANES, repeat=2)}
    found = error_matrices(judged, ALKANES)
    assert found.energy[0, 1] == pytest.approx(0.2) and found.energy_scatter[0, 1] == pytest.approx(
        np.sqrt(0.02)
    )
    assert found.shift[0, 1] == pytest.approx(-0.1)
    assert found.force[0, 1] == pytest.approx(0.3)


def test_pairs_that_were_not_judged_stay_empty() -> None:
    judged = judgements(ALKANES, 1.0, 0.0, 0.001)
    del judged["C5", "C6"]
    found = error_matrices(judged, ALKANES)
    assert (
        np.isnan(found.energy[4, 5]) and np.isnan(found.corrected[4, 5]) and np.isfinite(found.energy[5, 4])
    )
    assert found.line.pairs == 55


def test_each_seed_has_a_line_of_its_own() -> None:
    """Models of two seeds are off by opposite slopes: on average by nothing, less their lines by noise."""
    judged = judgements(ALKANES, 2.0, 0.0, 0.001)
    other = judgements(ALKANES, -2.0, 0.0, 0.001)
    both = {pair: [judged[pair][0], replace(other[pair][0], seed=2)] for pair in judged}
    found = error_matrices(both, ALKANES)
    assert found.line.slope == pytest.approx(0.0, abs=0.02)
    assert {seed: round(one.slope, 1) for seed, one in found.lines.items()} == {1: 2.0, 2: -2.0}
    pairs = ~np.eye(len(ALKANES), dtype=bool)
    assert found.energy[pairs].min() > 0.005 > 0.002 > found.corrected[pairs].max()
    # a seed with too few pairs has the line of all
    few = {pair: seeds[:1] if pair != ("C4", "C5") else seeds for pair, seeds in both.items()}
    assert list(error_matrices(few, ALKANES).lines) == [1]


def test_one_member_alone_and_too_few_pairs_are_refused() -> None:
    with pytest.raises(E3DError, match="two members"):
        error_matrices({}, {"C1": 0.2})
    with pytest.raises(E3DError, match="three pairs"):
        error_matrices(judgements(ALKANES, 1.0, 0.0, 0.001), ALKANES, excluded=tuple(ALKANES)[:-1])
    with pytest.raises(E3DError, match="different composition"):
        fit_shift(np.full(4, 0.3), np.zeros((4, 4)), [True] * 4)


def test_molecules_cut_by_the_boundary_become_whole() -> None:
    cut, whole = liquid(), liquid(wrapped=False)
    assert np.abs(cut.positions - whole.positions).max() > 1.0
    for molecule in range(4):
        atoms = cut.molecule == molecule
        ours, theirs = cut.unwrapped()[atoms], whole.positions[atoms]
        np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], atol=1e-9)


def test_molecules_apart_have_their_own_labels_and_no_neighbours() -> None:
    """Each keeps its shape, no two see each other, and labels are those of the molecules by themselves."""
    plain = liquid()
    frame = replace(
        plain,
        energy=-99.0,
        forces=np.ones((len(plain.numbers), 3)),
        molecule_energies=np.array([-1.0, -2.0, -4.0, -8.0]),
        molecule_forces=np.arange(3.0 * len(plain.numbers)).reshape(-1, 3),
    )
    apart = frame.apart(5.0)
    assert apart.energy == -15.0 and not apart.is_periodic and "apart" in apart.name
    np.testing.assert_array_equal(apart.forces, frame.molecule_forces)
    i, j, distance = pairs_within(apart, 60.0, "ijd")
    same = apart.molecule[i] == apart.molecule[j]
    assert distance[~same].min() > 5.0 - 1e-9
    whole = frame.unwrapped()
    for a, b, length in zip(i[same], j[same], distance[same], strict=True):
        assert length == pytest.approx(np.linalg.norm(whole[b] - whole[a]), abs=1e-9)
    assert same.sum() == sum(n * (n - 1) for n in np.bincount(frame.molecule))


def test_broken_and_joined_molecules_are_refused() -> None:
    frame = liquid()
    positions = frame.positions.copy()
    positions[1] += 0.9 * np.sign(positions[1] - positions[0])  # a hydrogen leaves methane
    broken = MolecularFrame("liquid/7", frame.numbers, positions, frame.cell, frame.molecule)
    with pytest.raises(E3DError, match=r"liquid/7: expected whole molecules .* in pieces"):
        broken.unwrapped()
    joined = np.where(frame.molecule == 1, frame.molecule, frame.molecule)
    joined[5] = 0
    with pytest.raises(E3DError, match="are bonded"):
        MolecularFrame("liquid/8", frame.numbers, frame.positions, frame.cell, joined).unwrapped()


def test_a_molecule_and_its_image_are_two() -> None:
    """A molecule longer than half the box: pairs within it are told by their vectors, not by distance."""
    one = ase_molecule("C2H6")
    frame = MolecularFrame("x", one.numbers, one.positions, np.eye(3) * 4.2, np.zeros(8, dtype=int))
    i, j, vectors = pairs_within(frame, 4.0, "ijD")
    within = is_within_molecule(frame, frame.unwrapped(), i, j, vectors)
    assert within.sum() == 8 * 7
    np.testing.assert_allclose(vectors[within], (one.positions[j] - one.positions[i])[within], atol=1e-9)
    assert (~within).sum() > 8 * 7


def test_environments_have_names() -> None:
    names = environments.environment_names(liquid())
    assert names.tolist() == ["CH4", *"HHHH", "CH3", "CH3", *["H"] * 6, "OH2", "H", "H", "CH4", *"HHHH"]


@pytest.mark.parametrize("periodic", [True, False])
def test_total_vectors_are_those_of_featomic(periodic: bool) -> None:
    featomic = pytest.importorskip("featomic")
    frame = liquid()
    if not periodic:
        frame = MolecularFrame("x", frame.numbers, frame.unwrapped(), np.zeros((3, 3)), frame.molecule)
    (ours,) = soap_vectors([frame], SMALL, far_sighted=False)
    atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=periodic)
    np.testing.assert_allclose(ours, direct(featomic, atoms, range(len(atoms)), frame.numbers), atol=1e-12)


def direct(featomic: object, atoms: Atoms, centres: range, numbers: np.ndarray) -> np.ndarray:
    """Vectors of some atoms, over all pairs of the elements of `numbers`, by featomic without our code."""
    calculator = featomic.SoapPowerSpectrum(**SMALL.hypers())  # type: ignore[attr-defined]
    found = calculator.compute(atoms)
    elements = sorted(set(numbers.tolist()))
    pairs = [(a, b) for k, a in enumerate(elements) for b in elements[k:]]
    size = SMALL.radial**2 * (SMALL.angular + 1)
    result = np.zeros((len(centres), len(pairs), size))
    for key, block in found.items():
        for row, atom in enumerate(np.asarray(block.samples["atom"]).tolist()):
            if atom in centres:
                pair = pairs.index((int(key["neighbor_1_type"]), int(key["neighbor_2_type"])))
                result[centres.index(atom), pair] = np.asarray(block.values)[row]
    return result.reshape(len(centres), -1)


@pytest.mark.parametrize("box", [9.0, 6.5])
def test_far_sighted_vectors_are_those_of_a_frame_without_the_own_molecule(box: float) -> None:
    """For each atom: featomic on a cluster of the atom and all other molecules around it, images included."""
    featomic = pytest.importorskip("featomic")
    frame = liquid(box=box)
    (ours,) = soap_vectors([frame], SMALL, far_sighted=True)
    whole = frame.unwrapped()
    for centre in range(0, len(whole), 3):
        where, kinds = [whole[centre]], [frame.numbers[centre]]
        for shift in itertools.product((-1, 0, 1), repeat=3):
            moved = whole + np.array(shift) * box
            for atom in range(len(whole)):
                own = frame.molecule[atom] == frame.molecule[centre] and shift == (0, 0, 0)
                if not own and np.linalg.norm(moved[atom] - whole[centre]) < SMALL.cutoff:
                    where.append(moved[atom])
                    kinds.append(frame.numbers[atom])
        assert len(where) > 3
        want = direct(featomic, Atoms(kinds, where), range(1), frame.numbers)
        np.testing.assert_allclose(ours[centre], want[0], atol=1e-12, err_msg=f"atom {centre}")


def test_far_sighted_vectors_do_not_depend_on_how_molecules_are_cut() -> None:
    pytest.importorskip("featomic")
    (cut,) = soap_vectors([liquid()], SMALL, True)
    (whole,) = soap_vectors([liquid(wrapped=False)], SMALL, True)
    np.testing.assert_allclose(cut, whole, atol=1e-12)


def made_up(per_frame: int = 6, frames: int = 30) -> tuple[dict, dict]:
    """Vectors of three members: `a` and `b` alike, `c` apart along a direction of little variance."""
    rng = np.random.default_rng(9)
    scales = np.geomspace(1.0, 0.01, 40)
    vectors: dict[str, list[np.ndarray]] = {}
    names: dict[str, list[np.ndarray]] = {}
    for member, offset in (("a", 0.0), ("b", 0.0), ("c", 1.0)):
        vectors[member] = [
            rng.normal(size=(2 * per_frame, 40)) * scales + offset * 0.3 * (np.arange(40) == 12)
            for _ in range(frames)
        ]
        names[member] = [np.array(["CH3"] * per_frame + ["H"] * per_frame)] * frames
    return vectors, names


def test_pcovc_separates_a_made_up_environment_that_pca_does_not() -> None:
    pytest.importorskip("skmatter")
    sample = environments.environment_sample(*made_up(), "CH3", 150, seed=1)
    assert len(sample.member) == 450 and set(sample.member) == {"a", "b", "c"}
    found = environments.environment_map("CH3", sample)

    def distance(points: np.ndarray, one: str, other: str) -> float:
        """Of two classes: of their means, in standard deviations along the line of means."""
        first, second = points[sample.member == one], points[sample.member == other]
        line = first.mean(0) - second.mean(0)
        line /= np.linalg.norm(line)
        spread = np.sqrt(0.5 * ((first @ line).var() + (second @ line).var()))
        return float(abs((first @ line).mean() - (second @ line).mean()) / spread)

    # half of what PCovC keeps is variance, so that classes overlap; PCA does not see them at all
    assert distance(found.covariates, "a", "c") > 1.2
    assert distance(found.principal, "a", "c") < 0.4
    assert distance(found.covariates, "a", "b") < 0.5
    members, accuracy = environments.separability(sample)
    assert members == ["a", "b", "c"]
    best = norm.cdf(0.3 / np.geomspace(1.0, 0.01, 40)[12] / 2)  # of two Gaussians
    assert best > 0.7
    for pair, want in (((0, 1), 0.5), ((0, 2), best), ((1, 2), best)):
        assert accuracy[pair] == pytest.approx(want, abs=0.07)
    np.testing.assert_array_equal(accuracy, accuracy.T)


def test_samples_that_cannot_be_drawn_are_refused() -> None:
    vectors, names = made_up(frames=3)
    with pytest.raises(E3DError, match="two members or more with CH2, got none"):
        environments.environment_sample(vectors, names, "CH2", 10, 1)
    pytest.importorskip("skmatter")
    with pytest.raises(E3DError, match="five frames"):
        environments.separability(environments.environment_sample(vectors, names, "H", 10, 1))


def test_ridge_finds_what_is_linear_in_the_vectors_and_says_so_elsewhere() -> None:
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(6)
    weights = rng.normal(size=30)

    def data(mean: float, frames: int) -> tuple[np.ndarray, np.ndarray]:
        features = rng.normal(mean, 1.0, size=(frames, 30))
        return features, features @ weights * 1e-3 - 0.02

    sizes = {"a": 5.0, "b": 26.0}
    train = {"a": data(0.0, 200), "b": (data(0.0, 200)[0], rng.normal(-0.02, 1e-3, 200))}
    test = {name: data(0.0, 60) for name in sizes}
    found = ridge.ridge_matrix(train, test, sizes)
    spread = {name: np.abs(test[name][1] - np.median(test[name][1])).mean() * sizes[name] for name in sizes}
    assert (found.error[0] < 0.02 * np.array(list(spread.values()))).all()
    assert found.error[1, 0] > 0.5 * spread["a"], "noise was fitted"
    assert found.constant[0] < found.constant[1]
    train["b"] = (train["b"][0], np.full(200, np.nan))
    with pytest.raises(E3DError, match="molecules of b"):
        ridge.ridge_matrix(train, test, sizes)


def test_features_of_a_frame_are_means_by_element() -> None:
    frame = liquid(names=("CH4", "CH4"))
    vectors = np.arange(20.0).reshape(10, 2)
    (features,) = ridge.frame_features([frame], [vectors])
    carbon = vectors[[0, 5]].sum(0) / 10
    np.testing.assert_allclose(features, [*((vectors.sum(0) / 10) - carbon), *carbon])
