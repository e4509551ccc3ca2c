"""Reader of extended XYZ files."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from e3d_lmp.edges.isolated_atoms import PBE_LEVEL, isolated_atom_energies
from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.extxyz import read_extxyz
from e3d_lmp.training.data.records import Dropped, Molecule
from e3d_lmp.training.data.split import molecule_key
from training_sets import STRESS, labelled, wanted


def _read(folder: Path, frames: list[Atoms], **options: Any) -> tuple[list[Molecule], Dropped]:
    plain = folder / "frames.extxyz"
    ase.io.write(plain, frames, format="extxyz")
    path = folder / "frames.extxyz.gz"
    path.write_bytes(gzip.compress(plain.read_bytes()))
    request = wanted(**({"elements": ["Mg", "O", "H", "C"], "level": PBE_LEVEL} | options))
    return list(read_extxyz(path, request)), request.dropped


def test_crystals_and_molecules(tmp_path: Path) -> None:
    oxide = labelled(bulk("MgO", "rocksalt", 4.2), -12.0, subset="oxides")
    water = labelled(molecule("H2O"), -14.0, smiles="O", charge=0)
    (crystal, liquid), _ = _read(tmp_path, [oxide, water])
    atoms = isolated_atom_energies(PBE_LEVEL)
    np.testing.assert_allclose(crystal.energy, [-12.0 - atoms[12] - atoms[8]])
    np.testing.assert_allclose(crystal.cell, [oxide.cell], atol=1e-7)
    xx, yy, zz, yz, xz, xy = STRESS
    np.testing.assert_allclose(crystal.stress, [[[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]], atol=1e-7)
    assert crystal.keys == ("crystal OMg",) and crystal.subset == "oxides" and crystal.charge is None
    assert liquid.cell is None and liquid.stress is None and liquid.charge == 0
    assert liquid.keys == (molecule_key(water.numbers, water.positions),)
    np.testing.assert_allclose(liquid.forces[0], water.get_forces(), atol=1e-7)


def test_a_parent_is_the_key(tmp_path: Path) -> None:
    frames = [labelled(bulk("MgO", "rocksalt", a), -12.0, material_id=f"mp-{a:g}") for a in (4.0, 4.2)]
    assert [m.keys for m in _read(tmp_path, frames)[0]] == [("material mp-4",), ("material mp-4.2",)]


def test_a_molecule_with_a_parent_has_its_bond_graph_too(tmp_path: Path) -> None:
    water = molecule("H2O")
    [one] = _read(tmp_path, [labelled(water, -10.0, parent="a")])[0]
    assert one.keys == ("material a", molecule_key(water.numbers, water.positions))


def test_charges_and_elements(tmp_path: Path) -> None:
    frames = [
        labelled(molecule("H2O"), -14.0, total_charge=1),
        labelled(molecule("OH"), -8.0, smiles="[OH-]"),
        labelled(molecule("NH3"), -19.0),
        labelled(molecule("CH4"), -24.0),
    ]
    molecules, dropped = _read(tmp_path, frames)
    assert [m.name for m in molecules] == ["frames.extxyz.gz/3"]
    assert dropped.molecules == {"charge +1": 1, "charge -1": 1, "element N": 1}


def test_labels_by_another_name(tmp_path: Path) -> None:
    atoms = molecule("H2O")
    atoms.info["REF_energy"] = -14.0
    atoms.arrays["REF_forces"] = np.ones((3, 3))
    (water,), _ = _read(tmp_path, [atoms], energy="REF_energy", level=None)
    assert water.energy.tolist() == [-14.0] and (water.forces == 1.0).all()
    with pytest.raises(E3DError, match=r"frame 0.*missing: energy, forces; say with `energy`"):
        _read(tmp_path, [atoms])


TENSION = np.array([[0.1, 0.02, 0.0], [0.02, 0.2, 0.03], [0.0, 0.03, -0.3]])


@pytest.mark.parametrize(
    ("energy", "forces", "stress", "sign"),
    [
        ("REF_energy", "REF_forces", "REF_stress", 1.0),
        ("REF_energy", "REF_force", "REF_virial", -1.0),
        ("Energy", "Forces", "Virial", -1.0),
        ("ENERGY", "FORCES", "STRESS", 1.0),
        ("energy_dft", "forces_dft", "stress_dft", 1.0),
        ("REF_energy", "REF_forces", None, 0.0),
    ],
)
def test_forces_and_stress_go_with_the_energy(
    energy: str, forces: str, stress: str | None, sign: float, tmp_path: Path
) -> None:
    """Beside another level's labels, whose names are ASE's own: they never get into the set."""
    atoms = bulk("MgO", "rocksalt", 4.2, cubic=True)
    atoms.calc = SinglePointCalculator(
        atoms, energy=-1.0, forces=np.full((8, 3), 7.0), stress=np.full(6, 7.0)
    )
    atoms.info[energy] = -14.0
    atoms.arrays[forces] = np.ones((8, 3))
    if stress is not None:
        atoms.info[stress] = TENSION * (1.0 if sign > 0 else atoms.get_volume())
    (crystal,), _ = _read(tmp_path, [atoms], energy=energy, level=None)
    assert crystal.energy.tolist() == [-14.0] and (crystal.forces == 1.0).all()
    if stress is None:
        assert crystal.stress is None
    else:
        np.testing.assert_allclose(crystal.stress, sign * TENSION[None], atol=1e-12)


def test_refused_files_say_why(tmp_path: Path) -> None:
    frames = [labelled(molecule("H2O"), -14.0), molecule("CH4")]
    with pytest.raises(E3DError, match=r"frame 1.*missing: energy, forces"):
        _read(tmp_path, frames)
    (tmp_path / "bad.xyz").write_text("3\nno labels\nH 0 0\n")
    with pytest.raises(E3DError, match="expected extended XYZ"):
        list(read_extxyz(tmp_path / "bad.xyz", wanted()))
    with pytest.raises(E3DError, match="nothere"):
        list(read_extxyz(tmp_path / "nothere.xyz", wanted()))


def test_heat_currents(tmp_path: Path) -> None:
    """With the energy's name, beside their velocities; frames without one have neither."""
    frames = [labelled(bulk("MgO", "rocksalt", a), -12.0) for a in (4.0, 4.1, 4.2)]
    velocities = np.arange(6.0).reshape(2, 3)
    for atoms in frames[:2]:
        atoms.arrays["velocities"] = velocities
    frames[0].info["heat_current"] = [1.0, -2.0, 0.5]
    with_one, without, bare = _read(tmp_path, frames)[0]
    np.testing.assert_allclose(with_one.heat_current, [[1.0, -2.0, 0.5]])
    np.testing.assert_allclose(with_one.velocities, [velocities])
    assert without.heat_current is None and without.velocities is None and bare.velocities is None
    frames[2].info["heat_current"] = [1.0, 0.0, 0.0]
    with pytest.raises(
        E3DError, match=r"expected heat_current with 3 numbers and a column velocities:R:3 in frame 2"
    ):
        _read(tmp_path, frames)
    frames[2].arrays["velocities"] = velocities
    frames[2].info["heat_current"] = [1.0, np.nan, 0.0]
    molecules, dropped = _read(tmp_path, frames)
    assert len(molecules) == 2 and dropped.frames["not finite"] == 1
