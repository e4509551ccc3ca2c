"""Errors on the held-out set: those of nequip's own model, and of the files that there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from e3d_lmp.training.data.database import entry, write_database
from e3d_lmp.training.finish import _evaluation
from e3d_lmp.training.held_out_errors import CONTACTS, evaluate, evaluated_sets, read_frames
from e3d_lmp.training.run_config import PreparedData
from random_models import R_MAX, TYPE_NAMES, random_allegro
from systems import box, reference_edges

SETS = {"gas": ["CH3OH", "C2H6"], "solid": ["box"], CONTACTS: ["CH3CH2OH"]}


def _structure(name: str) -> Atoms:
    return box() if name == "box" else molecule(name)


def _frames(names: list[str]) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(1)
    for name in names:
        atoms = _structure(name)
        solid = bool(atoms.pbc.any())
        yield entry(
            atoms.numbers,
            atoms.positions,
            float(rng.normal()),
            rng.normal(size=(len(atoms), 3)),
            elements=TYPE_NAMES,
            r_max=R_MAX,
            cell=np.asarray(atoms.cell) if solid else None,
            pbc=atoms.pbc if solid else None,
            with_cell=True,
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Held-out molecules and a crystal, and contacts."""
    folder = tmp_path_factory.mktemp("data")
    rows = [[subset, name, 0] for subset in ("gas", "solid") for name in SETS[subset]]
    write_database(folder / "test.lmdb", _frames([name for _, name, _ in rows]))
    write_database(folder / "contacts_test.lmdb", _frames(SETS[CONTACTS]))
    test = {"entries": rows, "content_sha256": "ab" * 32}
    manifest = {"recipe": {"elements": list(TYPE_NAMES)}, "sets": {"test": test}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize(
    ("ending", "dtype", "bound"),
    [("safetensors", "float64", 1e-9), ("safetensors", "float32", 2e-5), ("pth", "float64", 1e-9)],
)
def test_errors_are_those_of_nequips_own_model(
    folder: Path, ending: str, dtype: str, bound: float, model_files
) -> None:
    stock = random_allegro("everything", dtype)
    found = evaluate(model_files("allegro-everything", ending, dtype), folder)
    frames = read_frames(folder / "test.lmdb") + read_frames(folder / "contacts_test.lmdb")
    names = [subset for subset, members in SETS.items() for _ in members]
    for subset in (*SETS, "all"):
        energies, forces = [], []
        for frame, name in zip(frames, names, strict=True):
            if name == subset or (subset == "all" and name != CONTACTS):
                out = stock(frame.copy())
                error = float((out["total_energy"] - frame["total_energy"]).detach().sum()) / len(
                    frame["pos"]
                )
                energies.append(1000 * error)
                forces.append(1000 * (out["forces"] - frame["forces"]).detach().numpy().ravel())
        e, f = np.array(energies), np.concatenate(forces)
        want = [len(e), np.abs(e).mean(), (e**2).mean() ** 0.5, np.abs(f).mean(), (f**2).mean() ** 0.5]
        assert list(found["subsets"][subset].values()) == pytest.approx(want, rel=bound), subset


def test_bonds_are_those_of_the_edges(folder: Path, model_files) -> None:
    model = random_allegro("plain", "float64")
    found = evaluate(model_files("allegro-plain", "safetensors"), folder)["bonds"]
    assert {label: row["count"] for label, row in found.items()} == {"C-C": 1, "C-H": 9, "C-O": 1, "O-H": 1}
    atoms = molecule("CH3OH")
    edges = reference_edges(model, atoms)
    eps = dict(zip(zip(edges["tag1"], edges["tag2"], strict=True), edges["eps"], strict=True))
    c, o = (atoms.get_chemical_symbols().index(symbol) + 1 for symbol in "CO")
    assert found["C-O"]["mean_D"] == pytest.approx(eps[c, o] + eps[o, c], rel=1e-9)
    assert found["C-O"]["mean_abs_A"] == pytest.approx(abs(eps[c, o] - eps[o, c]), rel=1e-9)
    assert found["C-O"]["std_D"] == 0.0


def test_errors_that_are_known_are_kept_while_the_files_are_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[dict[str, str]] = []

    def count(model: Path, data: Path) -> dict[str, Any]:
        done.append(evaluated_sets(data))
        return {"of": done[-1]}

    monkeypatch.setattr("e3d_lmp.training.held_out_errors.evaluate", count)
    (tmp_path / "manifest.json").write_text((folder / "manifest.json").read_text())
    data = PreparedData(tmp_path, {}, "")
    out = tmp_path / "test.json"
    out.write_text("{}")  # of an older version, which did not say what it was of

    def known() -> dict[str, Any]:
        _evaluation(out, data, Path("model.safetensors"))
        return _evaluation(out, data, Path("model.safetensors"))

    assert known() == {"of": {"test": "ab" * 32}} and len(done) == 1
    (tmp_path / "contacts_test.lmdb").touch()
    assert known()["of"].keys() == {"test", "contacts_test"} and len(done) == 2
    (tmp_path / "contacts_test.json").write_text("{}")
    known()
    assert len(done) == 3
