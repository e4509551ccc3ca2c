"""Reader of the ANI layout: units, one key for each molecule, frames without forces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule as ase_molecule

from e3d_lmp.edges.isolated_atoms import isolated_atom_energies
from e3d_lmp.edges.structures import Structures
from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.ani import read_ani
from e3d_lmp.training.data.prepare import prepare
from e3d_lmp.training.data.recipe import parse_recipe
from e3d_lmp.training.data.records import Dropped, Molecule
from e3d_lmp.training.held_out_errors import read_frames
from training_sets import BOHR, CONSTANTS_RTOL, HARTREE, stretched, wanted, write_ani

LEVEL = "wB97x/6-31G(d)"


def _read(path: Path, **options: Any) -> tuple[list[Molecule], Dropped]:
    request = wanted(level=LEVEL, **{"energies_alone": True, **options})
    return list(read_ani(path, request)), request.dropped


def group(name: str, molecule: str, carbon: int, lengths: list[float], seed: int = 0) -> tuple:
    """A group of frames around these bond lengths; its energies grow with the stretch."""
    atoms, positions = stretched(molecule, carbon, lengths)
    rng = np.random.default_rng(seed)
    positions = positions + rng.normal(0.0, 0.01, positions.shape)
    return name, atoms, positions, -3.5 * len(atoms) + 2.0 * (np.array(lengths) - 1.5) ** 2


@pytest.fixture
def alkanes(tmp_path: Path) -> Path:
    """Ethane in four groups, of which one is broken in all its frames, and propane, of which all are."""
    path = tmp_path / "alkanes.h5"
    write_ani(
        path,
        [
            group("gdb11_s02/gdb11_s02-0", "C2H6", 0, [1.45, 1.54, 1.6], 1),
            group("gdb11_s02/gdb11_s02-1", "C2H6", 0, [4.0, 1.55, 1.5], 2),
            group("gdb11_s02/gdb11_s02-2", "C2H6", 0, [3.0, 4.0], 3),
            group("gdb11_s02/deeper/gdb11_s02-3", "C2H6", 0, [1.6, 1.7], 4),
            group("gdb11_s03/gdb11_s03-0", "C3H8", 0, [3.1, 4.1], 5),
        ],
        forces=["gdb11_s02/gdb11_s02-1"],
        smiles=np.array([b"C", b"C"]),
        coordinatesHE=np.zeros((0, 8, 3), np.float32),
        energiesHE=np.zeros(0),
    )
    return path


def test_units_energies_and_forces(alkanes: Path) -> None:
    molecules, dropped = _read(alkanes)
    assert dropped.as_dict() == {"molecules": {}, "frames": {}}
    by_name = {one.name: one for one in molecules}
    assert len(by_name) == 5
    one = by_name["gdb11_s02/gdb11_s02-1"]
    assert (one.subset, one.smiles, one.charge, len(one)) == ("gdb11_s02", "", None, 3)
    with h5py.File(alkanes) as file:
        raw = file["gdb11_s02/gdb11_s02-1"]
        np.testing.assert_array_equal(one.positions, raw["coordinates"][()])
        atoms = isolated_atom_energies(LEVEL)
        hand = raw["energies"][0] * HARTREE - 2 * atoms[6] - 6 * atoms[1]
        np.testing.assert_allclose(one.energy[0], hand, atol=CONSTANTS_RTOL * 2200)
        np.testing.assert_allclose(one.forces, raw["forces"][()] * HARTREE / BOHR, rtol=CONSTANTS_RTOL)
    assert np.isnan(by_name["gdb11_s02/gdb11_s02-0"].forces).all()


def test_a_unit_of_the_file_goes_before_that_of_the_layout(alkanes: Path) -> None:
    want = _read(alkanes)[0][0].energy
    with h5py.File(alkanes, "a") as file:
        field = file["gdb11_s02/deeper/gdb11_s02-3/energies"]
        field[...] = field[()] * HARTREE
        field.attrs["units"] = "eV"
    np.testing.assert_allclose(_read(alkanes)[0][0].energy, want, atol=CONSTANTS_RTOL * 2200)


def test_groups_of_one_molecule_have_one_key(alkanes: Path) -> None:
    """Also the group whose bond is broken in every frame; a molecule that is never whole has its own."""
    keys = {one.name: one.keys for one in _read(alkanes)[0]}
    ethane = {keys[name] for name in keys if "s02" in name}
    assert len(ethane) == 1 and len(next(iter(ethane))) == 1
    assert keys["gdb11_s03/gdb11_s03-0"] not in ethane


def _carbons_first(atoms: Atoms, positions: np.ndarray) -> tuple[Atoms, np.ndarray]:
    order = np.argsort(-atoms.numbers, kind="stable")
    return atoms[order], positions[:, order]


def test_a_broken_group_goes_with_every_isomer_it_may_have_been(tmp_path: Path) -> None:
    """Two isomers with the same atoms in the same order, and fragments with the bonds of one of them."""
    butane = _carbons_first(*stretched("trans-butane", 1, [1.5, 4.0]))
    one = ase_molecule("isobutane")
    isobutane = _carbons_first(one, one.positions[None])
    assert (butane[0].numbers == isobutane[0].numbers).all()
    energies = np.full(1, -50.0)
    write_ani(
        tmp_path / "c4.h5",
        [
            ("a/n", butane[0], butane[1][:1], energies),
            ("a/broken", butane[0], butane[1][1:], energies + 4),
            ("a/iso", isobutane[0], isobutane[1], energies),
        ],
    )
    keys = {one.name: one.keys for one in _read(tmp_path / "c4.h5")[0]}
    assert keys["a/n"] != keys["a/iso"]
    assert keys["a/broken"] == keys["a/n"]


def _recipe(path: Path, **source: Any) -> dict[str, Any]:
    return {
        "elements": ["H", "C"],
        "r_max": 4.0,
        "fractions": {"val": 0.3, "test": 0.3},
        "sources": [{"file": str(path), "layout": "ani", "level": LEVEL, "forces": "some", **source}],
    }


def test_a_molecule_of_several_groups_is_in_one_set(tmp_path: Path) -> None:
    names = ("C2H6", "C3H8", "C2H4", "CH3CHO")
    lengths = [1.45, 1.5, 1.6, 3.5]
    write_ani(
        tmp_path / "a.h5", [group(f"s/{name}-{k}", name, 0, lengths, k) for name in names for k in range(3)]
    )
    recipe = _recipe(tmp_path / "a.h5") | {"elements": ["H", "C", "O"]}
    sides: dict[str, set[str]] = {}
    for seed in range(6):
        try:
            manifest = prepare(parse_recipe(recipe | {"seed": seed}, tmp_path), tmp_path / "set")
        except E3DError as error:  # oxygen is held out
            assert "none with O" in str(error)
            continue
        for part, about in manifest["sets"].items():
            assert about["frames"] > 0
            for _, name, _ in about["entries"]:
                sides.setdefault(f"{seed} {name[2:-2]}", set()).add(part)
    assert len(sides) >= 4 and all(len(parts) == 1 for parts in sides.values()), sides


def test_frames_of_a_molecule_are_divided_over_its_groups(alkanes: Path, tmp_path: Path) -> None:
    """Numbers of frames are those of the molecule, not of each group; and no frame is in two sets."""
    share = {"train": 4, "val": 2, "test": 1, "split": "frames"}
    recipe = _recipe(alkanes, frames={"gdb11_s02": share})
    manifest = prepare(parse_recipe(recipe, tmp_path), tmp_path / "set")
    sets = manifest["sets"]
    assert [sets[part]["frames"] for part in ("train", "val", "test")] == [4, 2, 1]
    entries = [tuple(entry) for part in sets for entry in sets[part]["entries"]]
    assert len(set(entries)) == 7
    assert len({name for _, name, _ in entries}) > 2, "all frames are of one group or two"
    frames = [frame for part in sets for frame in read_frames(tmp_path / "set" / f"{part}.lmdb")]
    without = [bool(np.isnan(frame["forces"].numpy()).all()) for frame in frames]
    assert without == ["02-1" not in name for _, name, _ in entries]
    assert sum(sets[part]["frames_without_forces"] for part in sets) == sum(without)
    assert all(np.isfinite(frame["total_energy"].numpy()).all() for frame in frames)


def test_forces_are_not_read_where_none_are_asked_for(alkanes: Path, tmp_path: Path) -> None:
    share = {"train": 7, "val": 2, "test": 1, "split": "frames"}
    recipe = _recipe(alkanes, frames={"gdb11_s02": share}, forces="none")
    sets = prepare(parse_recipe(recipe, tmp_path), tmp_path / "set")["sets"]
    assert [sets[part]["frames_without_forces"] for part in sets] == [7, 2, 1]
    with pytest.raises(E3DError, match="expected forces to be one of all, some, none, got 'maybe'"):
        parse_recipe(_recipe(alkanes, forces="maybe"), tmp_path)


def test_forces_that_are_needed_are_missed_by_name(alkanes: Path) -> None:
    with pytest.raises(E3DError, match=r"missing: forces; .*`forces: some`"):
        _read(alkanes, energies_alone=False)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda group: group.__delitem__("energies"), "missing: energies"),
        (lambda group: group["species"].__setitem__(0, b"Q"), "expected chemical symbols in 'species'.*'Q'"),
        (lambda group: group["energies"].attrs.__setitem__("units", "kcal/mol"), "expected units hartree"),
    ],
)
def test_damaged_groups(alkanes: Path, damage: Any, message: str) -> None:
    with h5py.File(alkanes, "a") as file:
        damage(file["gdb11_s02/gdb11_s02-0"])
    with pytest.raises(E3DError, match=message):
        _read(alkanes)


def test_damaged_files(tmp_path: Path, alkanes: Path) -> None:
    with h5py.File(alkanes, "a") as file:
        one = file["gdb11_s02/gdb11_s02-1"]
        forces = one["forces"][()]
        del one["forces"]
        one["forces"] = forces[:2]
    with pytest.raises(E3DError, match=r"expected shape \(3, 8, 3\) for 'forces'"):
        _read(alkanes)
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["something"] = 1
    with pytest.raises(E3DError, match=r"expected groups with coordinates.*something"):
        _read(tmp_path / "empty.h5")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(E3DError, match="expected an HDF5 file in the ANI layout"):
        _read(tmp_path / "text.h5")
    with pytest.raises(E3DError, match="energies: cohesive"):
        list(read_ani(alkanes, wanted(level=None)))


def test_groups_that_are_not_finite_are_counted(alkanes: Path) -> None:
    with h5py.File(alkanes, "a") as file:
        file["gdb11_s02/gdb11_s02-0/energies"][...] = np.nan
        file["gdb11_s02/gdb11_s02-1/forces"][1, 0, 0] = np.nan
    molecules, dropped = _read(alkanes)
    assert len(molecules) == 4
    assert dropped.as_dict() == {"molecules": {"no frame left": 1}, "frames": {"not finite": 4}}


def test_groups_without_frames_are_counted(alkanes: Path) -> None:
    """Whatever the shapes of their fields are."""
    with h5py.File(alkanes, "a") as file:
        for name, shape in (("flat", (0,)), ("deep", (0, 8, 3))):
            group = file.create_group(f"gdb11_s02/{name}")
            group["coordinates"], group["energies"] = np.zeros(shape, np.float32), np.zeros(0)
            group["species"] = np.array(["C", "C", *"HHHHHH"], dtype="S1")
    molecules, dropped = _read(alkanes)
    assert len(molecules) == 5
    assert dropped.as_dict() == {"molecules": {"no frame left": 2}, "frames": {}}
    assert len(list(Structures([alkanes]).since())) == Structures([alkanes]).count() == 12


def test_structures_to_evaluate(alkanes: Path) -> None:
    """The same frames as the reader of training data, with total energies."""
    structures = Structures([alkanes], forces=True)
    assert structures.count() == 12 and structures.energy_fields() == "energies" and structures.have_forces()
    assert not structures.are_reactions()
    molecules = {one.name: one for one in _read(alkanes)[0]}
    atoms = isolated_atom_energies(LEVEL)
    for found in structures.since():
        name, number = found.name.rsplit("/", 1)
        one, frame = molecules[name], int(number)
        np.testing.assert_array_equal(found.numbers, one.atomic_numbers)
        np.testing.assert_array_equal(found.positions, one.positions[frame])
        zero = sum(atoms[int(z)] for z in found.numbers)
        assert found.energy - zero == pytest.approx(one.energy[frame], abs=1e-7)
        assert (found.forces is None) == bool(np.isnan(one.forces).all())
        if found.forces is not None:
            np.testing.assert_allclose(found.forces, one.forces[frame])
    assert [one.name for one in structures.since(11)] == ["gdb11_s03/gdb11_s03-0/1"]
    assert not Structures([alkanes]).have_forces()
    with pytest.raises(E3DError, match="has no 'other_energy'"):
        next(Structures([alkanes], energy="other_energy").since())
