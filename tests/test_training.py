"""Reader of the SPICE layout, split by molecule, and a training run from file to package."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from ase.build import molecule as ase_molecule

from e3d_lmp.errors import E3DError
from e3d_lmp.training.budget import BudgetSchedule
from e3d_lmp.training.card import card
from e3d_lmp.training.contacts import closest_contact, make_contacts
from e3d_lmp.training.isolated_atoms import cohesive_energy, isolated_atom_energies
from e3d_lmp.training.prepare import prepare
from e3d_lmp.training.provenance import provenance_of_config, training_provenance
from e3d_lmp.training.spice import Dropped, closest_ratio, read_spice
from e3d_lmp.training.split import molecule_key, split_by_molecule

BOHR, HARTREE = 0.529177210903, 27.211386245988  # CODATA 2018, angstrom and eV
CONSTANTS_RTOL = 1e-7
"""CODATA 2014 (which ase uses) and 2018 differ by less than this."""

ORGANIC = ["CH4", "C2H6", "C2H4", "C2H2", "CH3OH", "H2O", "NH3", "CH3CN", "HCN", "H2CO", "CO2", "CH3CHO"]


def _write_spice(path: Path, names: list[str], frames: int = 4, seed: int = 1, **extra: str) -> None:
    """A small file in the SPICE layout: bohr, hartree, hartree/bohr; energies below the free atoms'."""
    rng = np.random.default_rng(seed)
    atoms = isolated_atom_energies()
    with h5py.File(path, "w") as file:
        for count, name in enumerate(names):
            template = ase_molecule(name)
            numbers = template.numbers
            moved = template.positions + rng.normal(scale=0.03, size=(frames, len(numbers), 3))
            total = sum(atoms[int(z)] for z in numbers) - 4.0 * len(numbers) + 0.1 * rng.normal(size=frames)
            group = file.create_group(f"mol_{count:02d}")
            group["atomic_numbers"] = numbers.astype(np.int16)
            group["conformations"] = (moved / BOHR).astype(np.float64)
            group["dft_total_energy"] = total / HARTREE
            group["dft_total_gradient"] = rng.normal(scale=0.5, size=moved.shape) * BOHR / HARTREE
            group["smiles"] = np.array([name.encode()])
            group["subset"] = np.array([extra.get("subset", "small").encode()])
            for field, units in (
                ("conformations", "bohr"),
                ("dft_total_energy", "hartree"),
                ("dft_total_gradient", "hartree/bohr"),
            ):
                group[field].attrs["units"] = units


def _read(path: Path, **options: float) -> tuple[list, Dropped]:
    dropped = Dropped()
    elements = ["H", "C", "N", "O"]
    return list(read_spice(path, isolated_atom_energies(), elements, dropped=dropped, **options)), dropped


def test_units_and_cohesive_energies(tmp_path: Path) -> None:
    path = tmp_path / "spice.hdf5"
    _write_spice(path, ["H2O", "CH4"])
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
    _write_spice(path, ["H2O"])
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
    _write_spice(path, ["H2O", "CH3Cl", "CH4"], frames=5)
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


def test_refused_files_say_why(tmp_path: Path) -> None:
    with pytest.raises(E3DError, match=r"expected an HDF5 file.*nothere.*check the path"):
        _read(tmp_path / "nothere.hdf5")
    text = tmp_path / "text.hdf5"
    text.write_text("no hdf5")
    with pytest.raises(E3DError, match="expected an HDF5 file in the SPICE layout"):
        _read(text)
    path = tmp_path / "spice.hdf5"
    _write_spice(path, ["H2O"])
    with h5py.File(path, "a") as file:
        del file["mol_00/dft_total_gradient"]
    with pytest.raises(E3DError, match="missing: dft_total_gradient"):
        _read(path)
    _write_spice(path, ["H2O"])
    with h5py.File(path, "a") as file:
        del file["mol_00/dft_total_energy"]
        file["mol_00/dft_total_energy"] = np.zeros(3)
    with pytest.raises(E3DError, match=r"expected shape \(4,\) for 'dft_total_energy'.*got \(3,\)"):
        _read(path)


def test_isolated_atoms() -> None:
    atoms = isolated_atom_energies()
    got = cohesive_energy(np.array([-1104.0, -1105.0]), np.array([6, 1, 1, 1, 1]), atoms)
    np.testing.assert_allclose(
        got, np.array([-1104.0, -1105.0]) + 1030.5671648271828 + 4 * 13.571964772646918
    )
    with pytest.raises(E3DError, match="none for Si Au"):
        cohesive_energy(0.0, np.array([1, 14, 79]), atoms)
    with pytest.raises(E3DError, match="got 'HF/STO-3G'"):
        isolated_atom_energies("HF/STO-3G")


def test_closest_ratio() -> None:
    ratio = closest_ratio(
        np.array([1, 1]), np.array([[[0.0, 0, 0], [0, 0, 0.62]], [[0.0, 0, 0], [0, 0, 0.31]]])
    )
    np.testing.assert_allclose(ratio, [1.0, 0.5])
    assert np.isinf(closest_ratio(np.array([1]), np.zeros((1, 1, 3)))).all()


def test_molecule_key_knows_a_molecule_again() -> None:
    rng = np.random.default_rng(5)
    keys = {}
    for name in ORGANIC:
        template = ase_molecule(name)
        key = molecule_key(template.numbers, template.positions)
        order = rng.permutation(len(template))
        moved = template.positions[order] * [1, 1, -1] + rng.normal(scale=0.02, size=(len(order), 3))
        assert molecule_key(template.numbers[order], moved) == key, name
        keys[key] = name
    assert len(keys) == len(ORGANIC)
    ether, ethanol = ase_molecule("CH3OCH3"), ase_molecule("CH3CH2OH")
    assert molecule_key(ether.numbers, ether.positions) != molecule_key(ethanol.numbers, ethanol.positions)


def test_split_keeps_a_molecule_in_one_part() -> None:
    keys = {"a": [f"m{i}" for i in range(100)], "b": [f"m{i}" for i in range(80, 140)] * 2, "c": ["w"]}
    parts = split_by_molecule(keys, {"val": 0.1, "test": 0.2}, seed=3)
    assert set(parts) == {f"m{i}" for i in range(140)} | {"w"}
    for subset, number in (("a", 100), ("b", 60)):
        count = [sum(parts[key] == part for key in set(keys[subset])) for part in ("val", "test")]
        assert count[0] == pytest.approx(0.1 * number, abs=3) and count[1] == pytest.approx(
            0.2 * number, abs=5
        )
    assert parts["w"] == "train"
    assert parts == split_by_molecule(keys, {"val": 0.1, "test": 0.2}, seed=3)
    assert parts != split_by_molecule(keys, {"val": 0.1, "test": 0.2}, seed=4)


RECIPE = {
    "elements": ["H", "C", "N", "O"],
    "r_max": 4.0,
    "seed": 11,
    "fractions": {"val": 0.2, "test": 0.2},
    "frames": {"small": {"train": 3, "val": 2, "test": 4}, "one": {"train": 2, "val": 1, "test": 1}},
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with data/ prepared from twelve molecules and a subset that is one molecule."""
    folder = tmp_path_factory.mktemp("run")
    _write_spice(folder / "a.hdf5", ORGANIC)
    _write_spice(folder / "b.hdf5", ["CH3CH2OH"], subset="one")
    with h5py.File(folder / "a.hdf5", "a") as file, h5py.File(folder / "b.hdf5") as other:
        other.copy("mol_00", file, "zz")
    prepare(RECIPE, folder / "a.hdf5", folder / "data")
    make_contacts(folder / "data", "train", count=6, closest=0.5, energy_of=_repulsion)
    return folder


def _repulsion(atomic_numbers: np.ndarray, positions: np.ndarray) -> tuple[float, np.ndarray]:
    """100 eV exp(-3 r) between all atoms: stands in for a quantum-chemical program."""
    vectors = positions[:, None] - positions[None]
    distance = np.linalg.norm(vectors, axis=-1) + np.diag(np.full(len(positions), np.inf))
    terms = 100.0 * np.exp(-3.0 * distance)
    forces = (3.0 * terms / distance)[:, :, None] * vectors
    return 0.5 * float(terms.sum()), forces.sum(axis=1)


def test_prepared_sets(prepared: Path, tmp_path: Path) -> None:
    from nequip.data.dataset import NequIPLMDBDataset

    manifest = json.loads((prepared / "data/manifest.json").read_text())
    entries = {part: manifest["sets"][part]["entries"] for part in ("train", "val", "test")}
    names = {part: {name for subset, name, _ in rows if subset == "small"} for part, rows in entries.items()}
    assert not names["train"] & names["test"] and not names["train"] & names["val"]
    assert not names["val"] & names["test"] and all(names.values())
    seen = [(name, frame) for rows in entries.values() for subset, name, frame in rows]
    assert len(seen) == len(set(seen))
    one = {part: [row for row in rows if row[0] == "one"] for part, rows in entries.items()}
    assert [len(one[part]) for part in ("train", "val", "test")] == [2, 1, 1]

    molecules = {m.name: m for m in _read(prepared / "a.hdf5")[0]}
    dataset = NequIPLMDBDataset(str(prepared / "data/train.lmdb"))
    assert len(dataset) == len(entries["train"])
    for index, (_, name, frame) in enumerate(entries["train"]):
        data, molecule = dataset[index], molecules[name]
        types = [
            RECIPE["elements"].index({1: "H", 6: "C", 7: "N", 8: "O"}[int(z)])
            for z in molecule.atomic_numbers
        ]
        assert data["atom_types"].reshape(-1).tolist() == types
        np.testing.assert_allclose(data["total_energy"].numpy().ravel(), molecule.energy[frame], rtol=1e-12)
        np.testing.assert_allclose(data["forces"].numpy(), molecule.forces[frame], rtol=1e-12)
        distance = np.linalg.norm(
            molecule.positions[frame][:, None] - molecule.positions[frame][None], axis=-1
        )
        assert data["edge_index"].shape[1] == int((distance < 4.0).sum()) - len(types)
    del dataset  # a database may be open once per process
    again = prepare(RECIPE, prepared / "a.hdf5", tmp_path)
    for part in entries:
        assert again["sets"][part]["content_sha256"] == manifest["sets"][part]["content_sha256"]
    with pytest.raises(E3DError, match=r"expected the subsets \['nosuch'\]"):
        prepare(RECIPE | {"frames": {"nosuch": {}}}, prepared / "a.hdf5", tmp_path)


def test_contacts_keep_the_labels_of_their_molecules(prepared: Path) -> None:
    from nequip.data.dataset import NequIPLMDBDataset

    facts = json.loads((prepared / "data/contacts_train.json").read_text())
    assert facts["frames"] == 6
    single = NequIPLMDBDataset(str(prepared / "data/train.lmdb"))
    known = [single[index] for index in range(len(single))]
    pairs = NequIPLMDBDataset(str(prepared / "data/contacts_train.lmdb"))
    contacts = []
    for index in range(len(pairs)):
        frame = pairs[index]
        positions, numbers = frame["pos"].numpy(), frame["atomic_numbers"].numpy().ravel()
        matches = [
            (a, b)
            for a in known
            for b in known
            if np.array_equal(np.concatenate([a["atomic_numbers"], b["atomic_numbers"]]).ravel(), numbers)
            and _same_shape(a, positions[: len(a["pos"])])
            and _same_shape(b, positions[len(a["pos"]) :])
        ]
        assert len(matches) == 1
        (a, b), n = matches[0], len(matches[0][0]["pos"])
        energy, forces = _repulsion(numbers, positions)
        for molecule, part in ((a, slice(None, n)), (b, slice(n, None))):
            own_energy, own_forces = _repulsion(numbers[part], positions[part])
            energy += float(molecule["total_energy"].sum()) - own_energy
            forces[part] -= own_forces
            # what is left is the molecule's own force, turned as its positions were
            left = frame["forces"].numpy()[part] - forces[part]
            before = molecule["pos"].numpy() - molecule["pos"].numpy().mean(axis=0)
            after = positions[part] - positions[part].mean(axis=0)
            np.testing.assert_allclose(left @ after.T, molecule["forces"].numpy() @ before.T, atol=1e-9)
        np.testing.assert_allclose(float(frame["total_energy"].sum()), energy, rtol=1e-10)
        contacts.append(closest_contact([numbers[:n], numbers[n:]], [positions[:n], positions[n:]]))
    assert 0.49 < min(contacts) < max(contacts) < 1.06


def _same_shape(frame: dict[str, torch.Tensor], positions: np.ndarray) -> bool:
    own = frame["pos"].numpy()
    distance = [np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (own, positions)]
    return np.allclose(*distance, atol=1e-9)


def test_schedule_follows_the_clock_and_survives_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    def make() -> tuple[torch.optim.Optimizer, BudgetSchedule]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        return optimizer, BudgetSchedule(optimizer, minutes=10.0, warmup=0.1)

    def step(optimizer: torch.optim.Optimizer, schedule: BudgetSchedule, seconds: float) -> float:
        clock[0] += seconds
        optimizer.step()
        schedule.step()
        return optimizer.param_groups[0]["lr"]

    optimizer, schedule = make()
    assert 0 < optimizer.param_groups[0]["lr"] < 0.001
    assert step(optimizer, schedule, 30) == pytest.approx(0.25, rel=0.01)
    assert step(optimizer, schedule, 30) == pytest.approx(0.5)
    assert step(optimizer, schedule, 270) == pytest.approx(0.25)
    state = schedule.state_dict()
    clock[0] += 1e6
    optimizer, schedule = make()
    schedule.load_state_dict(state)
    assert step(optimizer, schedule, 0) == pytest.approx(0.25)
    assert schedule.progress == pytest.approx(0.55)
    assert step(optimizer, schedule, 270) == pytest.approx(0.0, abs=1e-9)
    assert step(optimizer, schedule, 1000) == 0.0
    with pytest.raises(ValueError, match="minutes > 0"):
        BudgetSchedule(optimizer, minutes=0)


def test_no_provenance_where_none_was_given() -> None:
    assert provenance_of_config({}) == {}
    assert provenance_of_config({"trainer": {"callbacks": [{"_target_": "lightning.Callback"}]}}) == {}


TINY = [
    "training_module.model.r_max=4.0",
    "training_module.model.l_max=1",
    "training_module.model.num_layers=1",
    "training_module.model.num_scalar_features=8",
    "training_module.model.num_tensor_features=4",
    "training_module.model.radial_chemical_embed_dim=8",
    "type_names=[H,C,N,O]",
]


def _train(folder: Path, minutes: float, *more: str) -> None:
    root = Path(__file__).resolve().parents[1]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(root / "python"), os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, "-m", "e3d_lmp.training.launch", "-cp", str(root / "scripts/training")]
    options = ["hydra.run.dir=hydra", f"folder={folder}", f"minutes={minutes}", "avg_num_neighbors=5.0"]
    done = subprocess.run(
        [*command, "-cn", "organic_small", *options, *TINY, *more],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def test_train_restart_package_evaluate(prepared: Path) -> None:
    """The shipped configuration on a tiny model, for seconds: it learns, restarts, packages, says E_coh."""
    from e3d_lmp.training.evaluate import evaluate, load_model
    from e3d_lmp.training.ship import package

    _train(prepared, 0.08)
    checkpoint = prepared / "last.ckpt"
    first = torch.load(checkpoint, weights_only=False)
    assert first["e3d_lmp"]["target"] == "E_coh"
    trained = evaluate(load_model(checkpoint), prepared / "data", "train")
    assert trained["subsets"]["all"]["energy_mae"] < 2000.0  # 4,000 meV/atom before training
    os.replace(checkpoint, prepared / "resume.ckpt")
    _train(prepared, 0.08, f"++ckpt_path={prepared / 'resume.ckpt'}")
    second = torch.load(checkpoint, weights_only=False)
    assert second["global_step"] > first["global_step"]

    zipped = prepared / "tiny.nequip.zip"
    package(checkpoint, zipped)
    for path in (checkpoint, zipped):
        assert training_provenance(path)["target"] == "E_coh"
    assert str(prepared).encode() not in zipped.read_bytes()
    facts = json.loads((prepared / "tiny.json").read_text())
    assert facts["model"]["sha256"] == hashlib.sha256(zipped.read_bytes()).hexdigest()
    assert facts["training"]["target"] == "E_coh" and facts["sets"]["test"]["frames"] > 0
    assert facts["sets"]["contacts_train"]["frames"] == 6
    assert "entries" not in facts["sets"]["test"] and facts["evaluation"] is None
    results = [evaluate(load_model(path), prepared / "data", "test") for path in (checkpoint, zipped)]
    text = card(facts | {"evaluation": results[0]}, "$errors|$sets|$bonds|$energy")
    assert "| small | " in text and "| contacts_train | 6 | pairs |" in text and "| C-H | " in text
    with pytest.raises(E3DError, match="expected errors on held-out molecules"):
        card(facts, "")
    with pytest.raises(E3DError, match="got 'nosuch'"):
        card(facts | {"evaluation": results[0]}, "$nosuch")
    assert results[0]["bonds"].keys() == results[1]["bonds"].keys() >= {"C-H"}
    for name, row in results[0]["subsets"].items():
        for key, value in row.items():
            assert results[1]["subsets"][name][key] == pytest.approx(value, rel=1e-4), (name, key)
