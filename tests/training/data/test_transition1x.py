"""Reader of the Transition1x layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from ase.build import molecule as ase_molecule

from e3d_lmp.edges.isolated_atoms import isolated_atom_energies
from e3d_lmp.edges.structures import Structures
from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.records import Dropped, Molecule
from e3d_lmp.training.data.transition1x import read_transition1x
from training_sets import wanted

LEVEL = "wB97x/6-31G(d)"
FIELD = "wB97x_6-31G(d)."


def write_reaction(file: h5py.File, name: str, ends: tuple[str, str], images: int = 3) -> None:
    """A reaction in the published layout: eV and angstrom with no attribute that says so."""
    rng = np.random.default_rng(len(name))
    group = file.create_group(f"data/{name}")
    one, other = (ase_molecule(end) for end in ends)
    path = one.positions + rng.normal(scale=0.03, size=(images, len(one), 3))
    structures = {
        "reactant": one.positions[None],
        "transition_state": path[1:2],
        "product": other.positions[None],
        "": path,
    }
    atoms = isolated_atom_energies(LEVEL)
    for member, positions in structures.items():
        target = group.create_group(member) if member else group
        numbers = one.numbers if member != "product" else other.numbers
        cohesive = -4.0 * len(numbers) + rng.normal(size=len(positions))
        target["atomic_numbers"] = numbers
        target["positions"] = positions
        target[FIELD + "energy"] = cohesive + sum(atoms[int(z)] for z in numbers)
        target[FIELD + "atomization_energy"] = cohesive
        target[FIELD + "forces"] = rng.normal(size=positions.shape)
    file.require_group(f"test/{name.split('/')[0]}")
    file[f"test/{name}"] = h5py.SoftLink(f"/data/{name}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "t1x.h5", "w") as file:
        write_reaction(file, "C2H6O/rxn1", ("CH3CH2OH", "CH3OCH3"))
        write_reaction(file, "C2H6O/rxn22", ("CH3OCH3", "CH3OCH3"))
        write_reaction(file, "H2O/rxn333", ("H2O", "H2O"))
    return tmp_path / "t1x.h5"


def _read(path: Path, part: str = "data", **options: Any) -> tuple[list[Molecule], Dropped]:
    request = wanted(**({"level": LEVEL} | options))
    return list(read_transition1x(path, request, part)), request.dropped


def test_structures_and_paths(path: Path) -> None:
    molecules, _ = _read(path)
    assert [m.name for m in molecules[:4]] == [
        "C2H6O/rxn1/reactant", "C2H6O/rxn1/transition_state", "C2H6O/rxn1/product", "C2H6O/rxn1/path"
    ]  # fmt: skip
    assert [m.subset for m in molecules[4:]] == ["reactant", "transition_state", "product", "path"] * 2
    assert [len(m) for m in molecules] == [1, 1, 1, 3] * 3
    with h5py.File(path) as file:
        group = file["data/C2H6O/rxn1"]
        np.testing.assert_array_equal(molecules[3].positions, group["positions"])
        np.testing.assert_array_equal(molecules[1].forces, group["transition_state"][FIELD + "forces"])
        for molecule in molecules[:2]:
            own = group[molecule.subset][FIELD + "atomization_energy"]
            np.testing.assert_allclose(molecule.energy, own, rtol=1e-9)  # totals are 1,000 times larger
    for total, own in zip(molecules, _read(path, level=None)[0], strict=True):
        np.testing.assert_allclose(total.energy, own.energy, rtol=1e-9)


def test_reactions_that_share_a_molecule_share_a_key(path: Path) -> None:
    keys = {m.name.rsplit("/", 1)[0]: set() for m in _read(path)[0]}
    for molecule in _read(path)[0]:
        keys[molecule.name.rsplit("/", 1)[0]] |= set(molecule.keys)
    assert len(keys["C2H6O/rxn1"]) == 2 and keys["C2H6O/rxn22"] < keys["C2H6O/rxn1"]
    assert not keys["H2O/rxn333"] & keys["C2H6O/rxn1"]


def test_parts_are_links(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["test/C2H6O"]
    assert [m.name for m in _read(path, "test")[0]][:1] == ["H2O/rxn333/reactant"]
    with pytest.raises(E3DError, match=r"expected the group 'val'.*found data, test"):
        _read(path, "val")
    with h5py.File(path, "a") as file:
        del file["data/H2O"]
    with pytest.raises(E3DError, match="a link that leads nowhere"):
        _read(path, "test")


def test_only_what_is_asked_for(path: Path) -> None:
    molecules, dropped = _read(
        path, takes_subset=lambda subset: subset == "transition_state", elements=["H", "O"]
    )
    assert [m.name for m in molecules] == ["H2O/rxn333/transition_state"]
    assert dropped.molecules["element C"] == 2
    assert _read(path, charges=(1,))[1].molecules == {"charge +0": 12}


def test_another_energy_of_the_file(path: Path) -> None:
    with h5py.File(path, "a") as file:
        for reaction in ("C2H6O/rxn1", "C2H6O/rxn22", "H2O/rxn333"):
            for member in ("", "/reactant", "/transition_state", "/product"):
                group = file[f"data/{reaction}{member}"]
                group["other.energy"] = group[FIELD + "energy"][()] + 1.0
    options = {"energy": "other.energy", "forces": False}
    for one, other in zip(_read(path)[0], _read(path, **options)[0], strict=True):
        np.testing.assert_allclose(other.energy, one.energy + 1.0)
        assert np.isnan(other.forces).all()
    with pytest.raises(E3DError, match=r"missing: other.forces; labels there:.*wB97x_6-31G\(d\).energy"):
        _read(path, energy="other.energy")


def without_frames(group: h5py.Group) -> None:
    for name in ("positions", FIELD + "energy", FIELD + "atomization_energy", FIELD + "forces"):
        del group[name]
        group[name] = np.zeros(0, dtype=np.float32)


def test_members_without_frames_are_counted(path: Path) -> None:
    """A transition state alone; and an end, without which the reaction has no key."""
    with h5py.File(path, "a") as file:
        without_frames(file["data/C2H6O/rxn1/transition_state"])
        without_frames(file["data/H2O/rxn333/product"])
    molecules, dropped = _read(path)
    assert [m.name for m in molecules if "rxn22" not in m.name] == [
        f"C2H6O/rxn1/{end}" for end in ("reactant", "product", "path")
    ]
    assert dropped.as_dict()["molecules"] == {"no frame left": 5}
    names = [one.name for one in Structures([path]).since()]
    assert len(names) == 7 == Structures([path]).count()
    assert "H2O/rxn333/product" not in names and "C2H6O/rxn1/product" in names


def test_damaged_files_are_refused(path: Path, tmp_path: Path) -> None:
    with h5py.File(path, "a") as file:
        forces = file["data/H2O/rxn333/product/" + FIELD + "forces"][()]
        del file["data/H2O/rxn333/product/" + FIELD + "forces"]
        file["data/H2O/rxn333/product/" + FIELD + "forces"] = forces[:, :2]
    with pytest.raises(E3DError, match=r"expected shape \(1, 3, 3\).*got \(1, 2, 3\); the file is damaged"):
        _read(path)
    with h5py.File(path, "a") as file:
        del file["data/C2H6O/rxn1/product"]
    with pytest.raises(E3DError, match="lacks product"):
        _read(path)
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(E3DError, match="expected an HDF5 file in the Transition1x layout"):
        _read(tmp_path / "text.h5")
