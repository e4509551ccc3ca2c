"""Reader of the SPICE layout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from e3d_lmp.edges.structures import Structures
from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.records import Dropped, Molecule
from e3d_lmp.training.data.spice import read_spice
from no_locks import environment_without_locks
from training_sets import BOHR, CONSTANTS_RTOL, HARTREE, wanted, write_spice


def _read(path: Path, **options: Any) -> tuple[list[Molecule], Dropped]:
    request = wanted(**options)
    return list(read_spice(path, request)), request.dropped


def test_units_and_cohesive_energies(tmp_path: Path) -> None:
    path = tmp_path / "spice.hdf5"
    write_spice(path, ["H2O", "CH4"])
    molecules, dropped = _read(path)
    assert [len(m) for m in molecules] == [4, 4]
    assert sum(dropped.molecules.values()) + sum(dropped.frames.values()) == 0
    with h5py.File(path) as file:
        group = file["mol_00"]
        hand = group["dft_total_energy"][1] * HARTREE + 2 * 13.571964772646918 + 2043.933693071156
        position = group["conformations"][1] * BOHR
        force = -group["dft_total_gradient"][1] * HARTREE / BOHR
    water = molecules[0]
    assert (water.name, water.smiles, water.subset) == ("mol_00", "H2O", "small")
    np.testing.assert_allclose(water.energy[1], hand, atol=CONSTANTS_RTOL * 2071)
    np.testing.assert_allclose(water.positions[1], position, rtol=CONSTANTS_RTOL)
    np.testing.assert_allclose(water.forces[1], force, rtol=CONSTANTS_RTOL)
    assert -13 < water.energy.mean() < -11


def test_other_units_are_converted_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "spice.hdf5"
    write_spice(path, ["H2O"])
    want = _read(path)[0][0].positions
    with h5py.File(path, "a") as file:
        field = file["mol_00/conformations"]
        field[...] = field[()] * BOHR
        field.attrs["units"] = "angstrom"
    np.testing.assert_allclose(_read(path)[0][0].positions, want, rtol=CONSTANTS_RTOL)
    with h5py.File(path, "a") as file:
        file["mol_00/dft_total_energy"].attrs["units"] = "kJ/mol"
    with pytest.raises(E3DError, match=r"expected units hartree or ev.*got 'kJ/mol'"):
        _read(path)


def test_bad_frames_and_molecules_are_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "spice.hdf5"
    write_spice(path, ["H2O", "CH3Cl", "CH4"], frames=5)
    with h5py.File(path, "a") as file:
        group = file["mol_00"]
        positions = group["conformations"][()]
        positions[1, 1] = positions[1, 0] + 0.2  # a hydrogen on the oxygen
        group["conformations"][...] = positions
        gradient = group["dft_total_gradient"][()]
        gradient[2, 0, 1] = 21.0 * BOHR / HARTREE
        group["dft_total_gradient"][...] = gradient
        energy = group["dft_total_energy"][()]
        energy[4] = np.nan
        group["dft_total_energy"][...] = energy
    molecules, dropped = _read(path)
    assert [m.name for m in molecules] == ["mol_00", "mol_02"]
    assert molecules[0].frames.tolist() == [0, 3]
    assert dropped.molecules == {"element Cl": 1}
    assert sorted(dropped.frames.values()) == [1, 1, 1]
    molecules, _ = _read(path, max_force=25.0)
    assert molecules[0].frames.tolist() == [0, 2, 3]


def add_empty_groups(path: Path) -> None:
    """Groups without conformations, as `54X VAL` of SPICE 2.0.1: flat fields of no numbers, with units."""
    with h5py.File(path, "a") as file:
        for name, n_atoms in (("54X VAL", 4), ("nothing", 0)):
            group = file.create_group(name)
            group["atomic_numbers"] = np.ones(n_atoms, dtype=np.int16)
            group["smiles"] = np.array([b"[H]"])
            group["subset"] = np.array([b"small"])
            for field, units in (
                ("conformations", "bohr"),
                ("dft_total_energy", "hartree"),
                ("dft_total_gradient", "hartree/bohr"),
                ("formation_energy", "hartree"),
            ):
                group[field] = np.zeros(0, dtype=np.float32)
                group[field].attrs["units"] = units


def test_groups_without_conformations_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "spice.hdf5"
    write_spice(path, ["H2O", "CH4"])
    before = _read(path)[0]
    add_empty_groups(path)
    molecules, dropped = _read(path)
    assert [m.name for m in molecules] == ["mol_00", "mol_01"]
    np.testing.assert_array_equal(molecules[1].positions, before[1].positions)
    assert dropped.as_dict() == {"molecules": {"no frame left": 2}, "frames": {}}
    structures = Structures([path], forces=True)
    assert structures.count() == 8 and len(list(structures.since())) == 8
    assert [one.name for one in structures.since(6)] == ["mol_01/2", "mol_01/3"]


@pytest.mark.parametrize("bad", [-7, 0, 119, 300])
def test_numbers_of_no_element_are_refused(tmp_path: Path, bad: int) -> None:
    """-112 was oxygen to `e3d evaluate`."""
    path = tmp_path / "spice.hdf5"
    write_spice(path, ["H2O"])
    with h5py.File(path, "a") as file:
        file["mol_00/atomic_numbers"][1] = bad
    with pytest.raises(E3DError, match="expected atomic numbers from 1 to 118 in '/mol_00/atomic_numbers'"):
        _read(path)
    with pytest.raises(E3DError, match="expected atomic numbers from 1 to 118 in '/mol_00/atomic_numbers'"):
        list(Structures([path]).since())


def test_a_file_system_without_locks(tmp_path: Path) -> None:
    """Both readers of such files; HDF5 alone says 'unable to lock file'."""
    path = tmp_path / "spice.hdf5"
    write_spice(path, ["H2O", "CH4"])
    code = f"""
from pathlib import Path
import h5py
from e3d_lmp.edges.structures import Structures
from e3d_lmp.training.data.spice import read_spice
from training_sets import wanted
try:
    h5py.File({str(path)!r})
except OSError as error:
    print(error)
print(len(list(read_spice({str(path)!r}, wanted()))), len(list(Structures([{str(path)!r}]).since())))
"""
    environment = environment_without_locks(tmp_path) | {
        "PYTHONPATH": str(Path(__file__).parents[2] / "support")
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "unable to lock file" in done.stdout and done.stdout.endswith("\n2 8\n")


def test_refused_files_say_why(tmp_path: Path) -> None:
    with pytest.raises(
        E3DError, match=r"nothere.hdf5: no such file; expected an HDF5 file in the SPICE layout"
    ):
        _read(tmp_path / "nothere.hdf5")
    text = tmp_path / "text.hdf5"
    text.write_text("no hdf5")
    with pytest.raises(E3DError, match="expected an HDF5 file in the SPICE layout, but HDF5 cannot open it"):
        _read(text)
    path = tmp_path / "spice.hdf5"
    write_spice(path, ["H2O"])
    with h5py.File(path, "a") as file:
        del file["mol_00/dft_total_gradient"]
    with pytest.raises(E3DError, match="missing: dft_total_gradient"):
        _read(path)
    write_spice(path, ["H2O"])
    with h5py.File(path, "a") as file:
        del file["mol_00/dft_total_energy"]
        file["mol_00/dft_total_energy"] = np.zeros(3)
    with pytest.raises(E3DError, match=r"expected shape \(4,\) for 'dft_total_energy'.*got \(3,\)"):
        _read(path)


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_index_is_refused(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "spice.hdf5"
    write_spice(path, ["H2O", "CH4"])
    whole = bytearray(path.read_bytes())
    begin = whole.index(b"TREE")  # the index of the groups
    rng = np.random.default_rng(seed)
    whole[begin : begin + 24] = rng.integers(0, 256, 24, dtype=np.uint8).tobytes()
    path.write_bytes(whole)
    with pytest.raises(E3DError, match=r"damaged file, or not in the SPICE layout \(.*fetch it again"):
        _read(path)


def test_a_file_without_units_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "spice.hdf5"
    for field in ("conformations", "dft_total_energy", "dft_total_gradient"):
        write_spice(path, ["H2O"])
        with h5py.File(path, "a") as file:
            del file[f"mol_00/{field}"].attrs["units"]
        with pytest.raises(E3DError, match=f"attribute 'units'.*{field}.*found none"):
            _read(path)


def test_charges_come_from_smiles(tmp_path: Path) -> None:
    path = tmp_path / "spice.hdf5"
    write_spice(path, ["H2O", "CH4", "NH3", "C2H6"])
    smiles = ["[O-:1][H]", "[H:2][C+:1]", "[N+:1]([H:4])[O-]", "CC"]
    with h5py.File(path, "a") as file:
        for group, text in zip(file.values(), smiles, strict=True):
            del group["smiles"]
            group["smiles"] = np.array([text.encode()])
    molecules, dropped = _read(path)
    assert [(m.name, m.charge) for m in molecules] == [("mol_02", 0), ("mol_03", 0)]
    assert dropped.molecules == {"charge -1": 1, "charge +1": 1}
    molecules, dropped = _read(path, charges=None)
    assert [m.charge for m in molecules] == [-1, 1, 0, 0] and not dropped.molecules
    assert [m.name for m in _read(path, charges=(1,))[0]] == ["mol_01"]


def test_formation_energies_are_cohesive_energies(tmp_path: Path) -> None:
    path = tmp_path / "spice.hdf5"
    write_spice(path, ["H2O", "CH4"])
    want = _read(path)[0]
    with h5py.File(path, "a") as file:
        for group, molecule in zip(file.values(), want, strict=True):
            group["formation_energy"] = molecule.energy / HARTREE
            group["formation_energy"].attrs["units"] = "hartree"
    for one, other in zip(want, _read(path, level=None)[0], strict=True):
        np.testing.assert_allclose(other.energy, one.energy, rtol=CONSTANTS_RTOL)
