"""scripts/training/isomer_labels.py: rearranged bonds, relaxations and bands against exact ones, and from a
plan to a file, with a small model in AIMNet2's place."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from ase.build import molecule

from e3d_lmp.training.data.split import molecule_key
from lammps_runs import ROOT

pytest.importorskip("rdkit")
sys.path.insert(0, str(ROOT / "scripts" / "training"))

import isomer_geometry
import isomer_labels
from isomer_molecules import VALENCE, Bonds, canonical, random_molecule, rearranged
from label_run import planned


class AIMNet2(torch.nn.Module):
    """-5 eV an atom, and nearly nothing else: what is relaxed stays as it is."""

    def forward(self, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        weak = 1e-6 * data["coord"].square().sum(dim=(1, 2))
        data["energy"] = weak.double() - 5.0 * data["numbers"].size(1)
        return data


class Pyramid:
    """Ammonia-like: springs between all atoms, of lengths that only a pyramid has."""

    lengths = np.array(
        [[0.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.6, 1.6], [1.0, 1.6, 0.0, 1.6], [1.0, 1.6, 1.6, 0.0]]
    )
    stiffness = 100.0

    def many(self, numbers: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away = positions[:, :, None] - positions[:, None]
        distance = np.linalg.norm(away, axis=-1) + np.eye(4)
        off = (distance - self.lengths) * (1.0 - np.eye(4))
        slope = (self.stiffness * off / distance)[..., None] * away
        return 0.25 * self.stiffness * (off**2).sum(axis=(1, 2)), -slope.sum(axis=2)

    @property
    def barrier(self) -> float:
        """Energy of the best planar one: ends at a distance ρ from the middle are √3 ρ from each other."""
        rho = (1.0 + np.sqrt(3.0) * 1.6) / 4.0
        return 1.5 * self.stiffness * ((rho - 1.0) ** 2 + (np.sqrt(3.0) * rho - 1.6) ** 2)

    def both(self) -> np.ndarray:
        """(2, 4, 3): the pyramid and its inversion."""
        angle = np.arange(3) * 2.0 * np.pi / 3.0
        base = 1.6 / np.sqrt(3.0) * np.stack([np.cos(angle), np.sin(angle), 0.0 * angle], axis=1)
        top = np.array([0.0, 0.0, np.sqrt(1.0 - 1.6**2 / 3.0)])
        return np.array([[top, *base], [-top, *base]])


def test_rearranged_bonds_make_isomers_of_ordinary_valence() -> None:
    rng = np.random.default_rng(3)
    kinds: set[str] = set()
    for _ in range(150):
        bonds = random_molecule(rng)
        assert [int(n) for n in bonds.orders.sum(1)] == [VALENCE[symbol] for symbol in bonds.symbols]
        other = rearranged(bonds, rng)
        if other is None:
            continue
        made = other.molecule()
        assert other.symbols == bonds.symbols and np.array_equal(other.orders, other.orders.T)
        charges = other.charges
        assert charges is not None and sum(charges) == 0
        # an isomer by RDKit's own count, closed shell but for the lone pair of a carbene
        assert made is None or [atom.GetSymbol() for atom in made.GetAtoms()] == list(bonds.symbols)
        changed = np.abs(np.triu(other.orders - bonds.orders)).sum()
        assert 1 <= changed <= 6  # three units broken and three made at most
        kinds.add("ylide" if any(charges) else "carbene" if other.orders.sum() < bonds.orders.sum() else "")
    assert kinds == {"ylide", "carbene", ""}


def test_charges_and_carbenes_are_rdkits() -> None:
    isocyanide = Bonds(("C", "N", "H"), np.array([[0, 3, 0], [3, 0, 1], [0, 1, 0]]))
    assert isocyanide.charges == [-1, 1, 0]
    assert canonical(isocyanide.molecule()) == "[C-]#[NH+]"
    carbene = Bonds(("C", "O", "H", "H"), np.array([[0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]]))
    assert canonical(carbene.molecule()) == "[CH]O"
    assert not Bonds(("O", "H"), np.array([[0, 1], [1, 0]])).sensible()  # of a charge


def test_fire_relaxes_each_structure_by_itself() -> None:
    rng = np.random.default_rng(5)
    goal, stiffness = rng.normal(size=(6, 4, 3)), np.linspace(1.0, 60.0, 6)[:, None, None]

    def forces(x: np.ndarray, which: np.ndarray) -> np.ndarray:
        return -stiffness[which] * (x - goal[which])

    x, largest = isomer_geometry.fire(forces, goal + rng.normal(scale=0.3, size=goal.shape), 400, 1e-3)
    assert (largest <= 1e-3).all(), largest
    assert np.abs(stiffness * (x - goal)).max() <= 1.001e-3
    x, largest = isomer_geometry.fire(forces, goal + 0.3, 2, 1e-3)
    assert (largest > 1e-3).all()


def test_the_band_of_an_inversion_crosses_at_the_exact_barrier() -> None:
    model = Pyramid()
    ends = np.array([model.both(), model.both() + 1.0])
    numbers = np.tile([7, 1, 1, 1], (2, 1))
    band = isomer_geometry.bands(model, numbers, ends, 7, 300)
    energies = model.many(numbers, band.reshape(14, 4, 3))[0].reshape(2, 7)
    assert energies.argmax(axis=1).tolist() == [3, 3]
    np.testing.assert_allclose(energies[:, 3], model.barrier, rtol=0.03)
    assert (energies[:, [0, 6]] < 0.6 * model.barrier).all()


def test_the_parts_of_a_complex_have_keys_of_their_own() -> None:
    ethanol, water = molecule("CH3CH2OH"), molecule("H2O")
    water.positions += 6.0
    pair = ethanol + water
    keys = isomer_labels.keys_of(pair.numbers, pair.positions)
    assert keys == {
        molecule_key(pair.numbers, pair.positions),
        molecule_key(ethanol.numbers, ethanol.positions),
    }


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("isomers") / "model.jpt"
    torch.jit.script(AIMNet2()).save(str(path))
    return path


def call(*words: str | Path) -> int:
    return isomer_labels.main([str(word) for word in words])


def test_from_a_plan_to_a_file_of_labels(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, few = tmp_path / "out", ["--molecules", "8", "--displaced", "2", "--paths", "2"]
    assert call("plan", out, "--model", model, *few) == 0
    frames = planned(out)
    minima = [frame for frame in frames if frame.name.endswith("minimum")]
    assert len(minima) >= 5 and {frame.group for frame in frames} == {"isomer", "path"}
    assert len({frame.smiles for frame in minima}) == len(minima)
    for frame in frames:
        if frame.group == "path":  # of ends that are in the plan too, with the same atoms
            first, last = frame.smiles.split(">>")
            ends = [one for one in minima if one.smiles in (first, last)]
            assert [one.symbols for one in ends] == [frame.symbols] * 2

    assert call("run", out, "--model", model) == 0
    assert call("broken", out) == 0
    assert "minimum: " in capsys.readouterr().out
    assert call("collect", out, "--model", model, "-o", tmp_path / "made.h5") == 0
    with h5py.File(tmp_path / "made.h5") as file:
        assert "not DFT" in file.attrs["settings"]
        subsets = {group["subset"][0] for group in file.values()}
        assert sum(len(group["frame_names"]) for group in file.values()) == len(frames)
        assert all("multiplicity" not in group for group in file.values())  # nobody has computed it
    assert subsets == {b"AIMNet2 isomers", b"AIMNet2 paths"}

    # a second file has subsets of its own: beside the first one, a recipe splits that as before
    second = tmp_path / "made_2.h5"
    assert call("collect", out, "--model", model, "-o", second, "--number", "2") == 0
    with h5py.File(second) as file:
        subsets = {group["subset"][0] for group in file.values()}
    assert subsets == {b"AIMNet2 isomers 2", b"AIMNet2 paths 2"}
    capsys.readouterr()
    assert call("collect", out, "--model", model, "-o", tmp_path / "zero.h5", "--number", "0") == 2
    assert "--number 0: expected 1" in capsys.readouterr().err and not (tmp_path / "zero.h5").exists()

    # what a file of reactions has as an end is not planned, in no frame
    numbers = isomer_geometry.numbers_of(minima[0].symbols)
    with h5py.File(tmp_path / "reactions.h5", "w") as file:
        for end in ("reactant", "product"):
            group = file.create_group(f"data/X/rxn0/{end}")
            group["atomic_numbers"], group["positions"] = numbers, minima[0].positions[None]
    key = molecule_key(numbers, minima[0].positions)
    again = tmp_path / "again"
    assert call("plan", again, "--model", model, *few, "--exclude", tmp_path / "reactions.h5") == 0
    assert "excluded: 1" in capsys.readouterr().out
    keys = [
        molecule_key(isomer_geometry.numbers_of(frame.symbols), frame.positions) for frame in planned(again)
    ]
    assert keys and key not in keys


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("plan", "OUT", "--model", "MODEL", "--exclude", "none.h5"), "--exclude none.h5: expected a file"),
        (("plan", "OUT", "--model", "none.jpt"), "expected AIMNet2's TorchScript file"),
        (("status", "OUT"), "make it first"),
        (("broken", "OUT"), "make it first"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    given = {"OUT": tmp_path / "out", "MODEL": model}
    assert call(*(given.get(word, word) for word in words)) == 2
    assert message in capsys.readouterr().err
