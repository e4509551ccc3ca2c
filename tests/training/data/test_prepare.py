"""Prepared sets: what they hold and who is in which."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import ase.io
import h5py
import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.build import molecule as ase_molecule
from ase.neighborlist import neighbor_list

from e3d_lmp import cli
from e3d_lmp.edges.isolated_atoms import (
    PBE_LEVEL,
    SPICE_LEVEL,
    isolated_atom_energies,
    isolated_atoms_sha256,
)
from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.prepare import prepare
from e3d_lmp.training.data.recipe import parse_recipe
from e3d_lmp.training.data.spice import read_spice
from e3d_lmp.training.data.split import PARTS
from training_sets import ORGANIC, RECIPE, STRESS, labelled, small_training_set, wanted, write_spice


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder, see `small_training_set`."""
    folder = tmp_path_factory.mktemp("run")
    small_training_set(folder)
    return folder


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

    molecules = {m.name: m for m in read_spice(prepared / "a.hdf5", wanted())}
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
    assert (prepared / "data/train.lmdb").stat().st_size < 2_000_000
    again = prepare(parse_recipe(RECIPE, prepared), tmp_path)
    for part in entries:
        assert again["sets"][part]["content_sha256"] == manifest["sets"][part]["content_sha256"]


def test_an_interrupted_rewrite_leaves_no_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_training_set(tmp_path)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("e3d_lmp.training.data.prepare.write_database", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare(parse_recipe(RECIPE, tmp_path), tmp_path / "data")
    assert not (tmp_path / "data/manifest.json").exists()


def test_nested_subsets(prepared: Path) -> None:
    """The first N entries are a random subset: of all molecules, none of them in a row."""
    manifest = json.loads((prepared / "data/manifest.json").read_text())
    assert manifest["order"] == "shuffled; the first N entries are the nested subset of size N"
    names = [name for _, name, _ in manifest["sets"]["train"]["entries"]]
    assert len(names) >= 20
    # sorted by molecule, 20 entries would be of 7 molecules; drawn at random they are of more
    assert names != sorted(names) and len(set(names[:10])) > 5


def test_duplicates_and_linked_molecules_stay_on_one_side(tmp_path: Path) -> None:
    """Six conformers of each molecule in groups of their own, and one group twice."""
    names = [name for name in ORGANIC for _ in range(3)]
    write_spice(tmp_path / "a.hdf5", names, frames=2)
    with h5py.File(tmp_path / "a.hdf5", "a") as file:
        file.copy("mol_00", file, "zz")
    recipe = RECIPE | {"sources": [{"file": "a.hdf5", "layout": "spice", "level": SPICE_LEVEL}]}
    manifest = prepare(parse_recipe(recipe, tmp_path), tmp_path / "out")
    assert manifest["dropped"] == {"molecules": {"only duplicates": 1}, "frames": {"duplicate": 2}}
    species = {
        part: {names[int(name.removeprefix("mol_"))] for _, name, _ in about["entries"]}
        for part, about in manifest["sets"].items()
    }
    assert sum(map(len, species.values())) == len(set.union(*species.values())) == len(ORGANIC)
    assert sum(about["frames"] for about in manifest["sets"].values()) == 2 * len(names)


def test_frames_that_count_more_than_once(tmp_path: Path) -> None:
    """Each frame of training as often as its subset says, those held out once."""
    write_spice(tmp_path / "a.hdf5", ORGANIC, frames=3)

    def sets(**more: int) -> dict[str, Any]:
        frames = {"small": {"train": 2, "val": 1, "test": 1} | more}
        source = {"file": "a.hdf5", "layout": "spice", "level": SPICE_LEVEL, "frames": frames}
        return prepare(parse_recipe(RECIPE | {"sources": [source]}, tmp_path), tmp_path / "out")["sets"]

    once, thrice = sets(), sets(repeat=3)
    for part in PARTS:
        rows = [{tuple(row) for row in about[part]["entries"]} for about in (once, thrice)]
        assert rows[0] == rows[1]
        assert thrice[part]["frames"] == once[part]["frames"] * (3 if part == "train" else 1)
    assert thrice["train"]["molecules"] == once["train"]["molecules"]


def test_a_molecule_split_by_frames_leaks_into_no_other_subset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every molecule of the subset `one` is in `small` too, but for ethanol."""
    write_spice(tmp_path / "a.hdf5", ORGANIC)
    write_spice(tmp_path / "b.hdf5", [*ORGANIC, "CH3CH2OH"], seed=2, subset="one")
    source = {"layout": "spice", "level": SPICE_LEVEL}
    frames = {"train": 2, "val": 1, "test": 1}
    sources = [
        source | {"file": "a.hdf5", "frames": {"small": frames}},
        source | {"file": "b.hdf5", "frames": {"one": frames | {"split": "frames"}}},
    ]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE | {"sources": sources}))
    assert cli.main(["data", "prepare", str(tmp_path / "recipe.yaml"), "-o", str(tmp_path / "out")]) == 0
    assert "because other subsets have them too: 12 molecules of one" in capsys.readouterr().out
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["kept_whole_in_spite_of_it"] == {"one": len(ORGANIC)}
    parts_of: dict[str, set[str]] = {}
    for part, about in manifest["sets"].items():
        for _, name, _ in about["entries"]:
            parts_of.setdefault(name.split(":")[1], set()).add(part)
    assert parts_of.pop(f"mol_{len(ORGANIC):02d}") == set(PARTS)
    assert all(len(parts) == 1 for parts in parts_of.values())


@pytest.fixture
def hybrid(tmp_path: Path) -> dict[str, Any]:
    """Recipe of a set of molecules at one level and crystals at another; three structures have both."""
    write_spice(tmp_path / "a.hdf5", ORGANIC)
    atoms = isolated_atom_energies(PBE_LEVEL)
    rng = np.random.default_rng(2)
    frames = []
    for a in np.linspace(4.2, 4.5, 3):
        for name in ("MgO", "SiC", "SiMg", "SiO", "MgC", "SiN", "MgN"):
            crystal = bulk(name, "rocksalt", a)
            crystal.rattle(0.02, seed=int(100 * a))
            frames.append(labelled(crystal, -8.0 + sum(atoms[z] for z in crystal.numbers), subset="solid"))
    for molecule in list(read_spice(tmp_path / "a.hdf5", wanted()))[:3]:
        energy = molecule.energy[1] / 0.95 + sum(atoms[int(z)] for z in molecule.atomic_numbers)
        turned = Atoms(molecule.atomic_numbers, molecule.positions[1])
        turned.rotate(rng.uniform(10, 100), "xyz")
        frames.append(labelled(turned, energy, subset="gas"))
    ase.io.write(tmp_path / "pbe.extxyz", frames, format="extxyz")
    return RECIPE | {
        "elements": ["H", "C", "N", "O", "Mg", "Si"],
        "alignment": {"to": SPICE_LEVEL, "method": "factor"},
        "sources": [
            {"name": "molecules", "file": "a.hdf5", "layout": "spice", "level": SPICE_LEVEL},
            {"name": "crystals", "file": "pbe.extxyz", "layout": "extxyz", "level": PBE_LEVEL},
        ],
    }


def test_hybrid_set(hybrid: dict[str, Any], tmp_path: Path) -> None:
    from nequip.data import AtomicDataDict
    from nequip.data.dataset import NequIPLMDBDataset

    manifest = prepare(parse_recipe(hybrid, tmp_path), tmp_path / "out")
    fit = manifest["alignment"]["levels"][PBE_LEVEL]
    # extended XYZ files are written with eight digits
    assert fit["factor"] == pytest.approx(0.95, abs=1e-7) and fit["structures"] == 3
    assert manifest["level"] == manifest["alignment"]["to"] == SPICE_LEVEL
    assert manifest["isolated_atoms"] == {
        level: isolated_atoms_sha256(level) for level in (SPICE_LEVEL, PBE_LEVEL)
    }
    assert [source["elements_without_isolated_atom"] for source in manifest["source"]] == [["Mg", "Si"], []]
    # of structures at both levels that of the set's own is kept
    assert (
        manifest["dropped"]["frames"] == {"duplicate": 3}
        and "gas" not in manifest["sets"]["train"]["subsets"]
    )
    parts = {part: {} for part in PARTS}
    frames = ase.io.read(tmp_path / "pbe.extxyz", index=":")
    for part, about in manifest["sets"].items():
        for row, (subset, name, _) in enumerate(about["entries"]):
            if subset == "solid":
                parts[part][row] = frames[int(name.split("/")[1])]
    formulas = [{atoms.get_chemical_formula() for atoms in rows.values()} for rows in parts.values()]
    assert sum(map(len, formulas)) == len(set.union(*formulas)) == 7  # no formula on two sides

    dataset = NequIPLMDBDataset(str(tmp_path / "out/train.lmdb"))
    assert parts["train"]
    for row, atoms in parts["train"].items():
        data = dataset[row]
        assert float(data["total_energy"].sum()) == pytest.approx(-8.0 * 0.95)
        np.testing.assert_allclose(data["forces"].numpy(), 0.95 * atoms.get_forces(), atol=1e-7)
        np.testing.assert_allclose(data["stress"].numpy()[0], 0.95 * atoms.get_stress(voigt=False), atol=1e-7)
        distance = np.linalg.norm(
            data["pos"].numpy()[data["edge_index"][1]]
            + data["edge_cell_shift"].numpy() @ data["cell"].numpy().reshape(3, 3)
            - data["pos"].numpy()[data["edge_index"][0]],
            axis=1,
        )
        np.testing.assert_allclose(np.sort(distance), np.sort(neighbor_list("d", atoms, 4.0)), atol=1e-6)
    batch = AtomicDataDict.batched_from_list([dataset[k] for k in range(len(dataset))])
    gas = ~batch["pbc"].reshape(-1, 3).any(dim=1)
    assert gas.sum() == len(dataset) - len(parts["train"])
    assert batch["stress"][gas].isnan().all() and (batch["cell"].reshape(-1, 3, 3)[gas] == 0).all()


def test_the_hash_knows_stress_and_periodicity(tmp_path: Path) -> None:
    """Of crystals; sets of molecules keep the hash that they had before."""
    names = ("MgO", "SiC", "SiO", "MgC", "SiMg", "CO")
    recipe = RECIPE | {
        "elements": ["C", "O", "Mg", "Si"],
        "sources": [{"file": "a.extxyz", "layout": "extxyz", "level": PBE_LEVEL, "energies": "cohesive"}],
    }

    def hashes(scale: float, pbc: tuple[bool, bool, bool]) -> list[str]:
        frames = []
        for name in names:
            frames.append(labelled(bulk(name, "rocksalt", 4.3), -8.0))
            frames[-1].calc.results["stress"] = scale * STRESS
            frames[-1].pbc = frames[-1].calc.atoms.pbc = pbc
        ase.io.write(tmp_path / "a.extxyz", frames, format="extxyz")
        manifest = prepare(parse_recipe(recipe, tmp_path), tmp_path / "out")
        return [about["content_sha256"] for about in manifest["sets"].values()]

    same = hashes(1.0, (True, True, True))
    for other in (hashes(2.0, (True, True, True)), hashes(1.0, (True, True, False))):
        assert all(one != two for one, two in zip(same, other, strict=True))


def test_a_source_for_alignment_alone(hybrid: dict[str, Any], tmp_path: Path) -> None:
    hybrid["sources"][1]["use"] = "alignment"
    hybrid["elements"] = ["H", "C", "N", "O"]
    manifest = prepare(parse_recipe(hybrid, tmp_path), tmp_path / "out")
    assert manifest["alignment"]["levels"][PBE_LEVEL]["factor"] == pytest.approx(0.95, abs=1e-7)
    assert manifest["dropped"]["frames"] == {} and "solid" not in manifest["sets"]["train"]["subsets"]
    assert set(manifest["source"][1]["dropped"]["molecules"]) == {
        "element Mg",
        "several other elements",
        "element Si",
    }


def _changed(recipe: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The recipe with one value changed, or taken out (None)."""
    changed = copy.deepcopy(recipe)
    target: Any = changed
    *folders, last = [int(word) if word.isdigit() else word for word in path.split("/")]
    for word in folders:
        target = target[word]
    if value is None:
        del target[last]
    else:
        target[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sources/0/frames", {"nosuch": {}}, r"found none; dropped: .*subset 'small' not asked for"),
        (
            "sources/0/frames",
            {"small": {}, "nosuch": {}},
            r"expected the subsets \['nosuch'\].*found \['small'\]",
        ),
        ("sources/0/level", PBE_LEVEL, r"few eV per atom.*is the level 'PBE \(VASP, MPtrj\)' right"),
        (
            "sources/0/elements",
            ["H", "Si"],
            "expected elements of source 'a.hdf5' among those of the recipe, got Si",
        ),
        ("elements", ["H", "C", "N", "O", "Si"], "none with Si; take them out of `elements`"),
        ("sources/0/frames/small", {"train": 2}, "expected frames for the val set, found none"),
    ],
)
def test_data_that_do_not_fit_the_recipe(tmp_path: Path, path: str, value: Any, message: str) -> None:
    write_spice(tmp_path / "a.hdf5", ORGANIC)
    recipe = _changed(RECIPE, "sources/0/frames/one", None)
    with pytest.raises(E3DError, match=message):
        prepare(parse_recipe(_changed(recipe, path, value), tmp_path), tmp_path / "out")
    assert not (tmp_path / "out/manifest.json").exists()


def test_energies_that_bind_nothing_are_refused(tmp_path: Path) -> None:
    frames = [labelled(ase_molecule(name), 2.0) for name in ORGANIC]
    ase.io.write(tmp_path / "a.extxyz", frames, format="extxyz")
    source = {"file": "a.extxyz", "layout": "extxyz", "level": SPICE_LEVEL, "energies": "cohesive"}
    with pytest.raises(E3DError, match=r"below 0 from source 'a.extxyz', got 0\.\d+ eV/atom"):
        prepare(parse_recipe(RECIPE | {"sources": [source]}, tmp_path), tmp_path / "out")


def test_elements_without_isolated_atom_are_named(tmp_path: Path) -> None:
    write_spice(tmp_path / "a.hdf5", ["H2O"])
    source = {"file": "a.hdf5", "layout": "spice", "level": SPICE_LEVEL, "elements": ["H", "O", "Si", "W"]}
    recipe = RECIPE | {"elements": ["H", "O", "Si", "W"], "sources": [source]}
    with pytest.raises(E3DError, match=r"isolated-atom energies at wB97M.*none for Si W; take them out"):
        prepare(parse_recipe(recipe, tmp_path), tmp_path / "out")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_spice(tmp_path / "elsewhere.hdf5", ORGANIC)
    recipe = _changed(RECIPE, "sources/0/frames/one", None)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    command = ["data", "prepare", str(tmp_path / "recipe.yaml"), "-o", str(tmp_path / "out")]
    assert cli.main(command) == 2
    assert "a.hdf5', there is none; mend `file`, or say where it is with --source" in capsys.readouterr().err
    assert cli.main([*command, "--source", str(tmp_path / "elsewhere.hdf5")]) == 0
    shown = capsys.readouterr().out
    assert "elsewhere.hdf5: 48 frames of 12 molecules, wB97M-D3(BJ)/def2-TZVPPD" in shown
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["format"] == "e3d-training-set/2" and manifest["alignment"] is None
    assert f"avg_num_neighbors: {manifest['avg_num_neighbors']}" in shown
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "manifest.json", "test.lmdb", "train.lmdb", "val.lmdb"
    ]  # fmt: skip
