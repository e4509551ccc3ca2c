"""Reader of MatPES JSON."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from e3d_lmp.edges.isolated_atoms import PBE_LEVEL, isolated_atom_energies
from e3d_lmp.errors import E3DError
from e3d_lmp.training.data import matpes
from e3d_lmp.training.data.records import Dropped, Molecule
from training_sets import wanted

MATRIX = [[3.0, 0.0, 0.0], [0.5, 3.2, 0.0], [0.1, -0.3, 4.0]]


def entry(number: int, elements: list[str], **changes: Any) -> dict[str, Any]:
    """An entry with the fields of the published file that matter here, and some that do not."""
    fractional = np.linspace(0.0, 0.75, len(elements))[:, None] * [1.0, 1.0, 1.0] - 0.25
    xyz = (fractional @ np.array(MATRIX)).tolist()
    sites = [
        {
            "species": [{"element": e, "occu": 1}],
            "abc": abc,
            "xyz": x,
            "label": e,
            "properties": {"magmom": 0.1},
        }
        for e, abc, x in zip(elements, fractional.tolist(), xyz, strict=True)
    ]
    return {
        "builder_meta": {"license": None},
        "nsites": len(elements),
        "chemsys": "-".join(sorted(set(elements))),
        "structure": {
            "@module": "pymatgen.core.structure",
            "@class": "Structure",
            "charge": 0.0,
            "lattice": {"matrix": MATRIX, "pbc": [True, True, True], "a": 3.0},
            "properties": {},
            "sites": sites,
        },
        "energy": -5.0 * len(elements) - number,
        "forces": (0.1 * np.arange(3.0 * len(elements)).reshape(-1, 3)).tolist(),
        "stress": [10.0, 20.0, 30.0, 4.0, 5.0, 6.0],
        "matpes_id": f"matpes-20240214_{number}_1",
        "bandgap": 0.0,
        "functional": "PBE",
        "cohesive_energy_per_atom": -3.0 - number,
        "provenance": {"original_mp_id": f"mp-{number // 2}"},
    } | changes


def _read(folder: Path, entries: Any, **options: Any) -> tuple[list[Molecule], Dropped]:
    path = folder / "matpes.json.gz"
    with gzip.open(path, "wt") as stream:
        json.dump(entries, stream, indent=1)
    request = wanted(**({"elements": ["Zn", "N", "O"], "level": PBE_LEVEL} | options))
    return list(matpes.read_matpes(path, request)), request.dropped


def test_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matpes, "_CHUNK", 700)  # the file is read in blocks that entries do not fit into
    entries = [entry(k, ["Zn", "N"] if k % 2 else ["Zn", "Zn", "O"]) for k in range(7)]
    molecules, dropped = _read(tmp_path, entries)
    assert not dropped.as_dict()["molecules"] and not dropped.as_dict()["frames"]
    assert [m.name for m in molecules] == [e["matpes_id"] for e in entries]
    assert [m.keys for m in molecules] == [(f"material mp-{k // 2}",) for k in range(7)]
    first = molecules[0]
    assert first.atomic_numbers.tolist() == [30, 30, 8] and first.subset == "PBE" and first.charge == 0
    atoms = isolated_atom_energies(PBE_LEVEL)
    np.testing.assert_allclose(first.energy, [-15.0 - 2 * atoms[30] - atoms[8]])
    np.testing.assert_allclose(first.forces[0], entries[0]["forces"])
    np.testing.assert_allclose(first.cell, [MATRIX])
    assert first.pbc.all()
    # 1 kilobar is 1e8 Pa; VASP gives the pressure that the cell exerts
    kilobar = 1e8 / 1.602176634e-19 * 1e-30
    stress = -kilobar * np.array([[10.0, 6, 5], [6, 20, 4], [5, 4, 30]])
    np.testing.assert_allclose(first.stress, [stress], rtol=1e-7)


def test_cohesive_energies_of_the_file(tmp_path: Path) -> None:
    molecules, _ = _read(tmp_path, [entry(1, ["Zn", "N"]), entry(2, ["Zn", "O", "O"])], level=None)
    np.testing.assert_allclose([m.energy[0] for m in molecules], [-8.0, -15.0])


def test_a_crystal_without_parent_goes_by_its_formula(tmp_path: Path) -> None:
    molecules, _ = _read(tmp_path, [entry(0, ["Zn", "O", "Zn", "O"], provenance=None)])
    assert molecules[0].keys == ("crystal OZn",)


def test_entries_that_are_left_out(tmp_path: Path) -> None:
    mixed = entry(3, ["Zn", "O"])
    mixed["structure"]["sites"][0]["species"] = [
        {"element": "Zn", "occu": 0.5},
        {"element": "N", "occu": 0.5},
    ]
    charged = entry(5, ["Zn", "O"])
    charged["structure"]["charge"] = 1.0
    entries = [
        entry(1, ["Zn", "Au"]),
        mixed,
        entry(4, ["Zn", "O"], energy=None),
        charged,
        entry(6, ["Zn", "O"]),
    ]
    molecules, dropped = _read(tmp_path, entries)
    assert [m.name for m in molecules] == ["matpes-20240214_6_1"]
    assert dropped.molecules == {"element Au": 1, "partly occupied sites": 1, "no label": 1, "charge +1": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forces": [[0.0, 0.0, 0.0]]}, "entry 'matpes-20240214_1_1'.*ValueError"),
        ({"structure": {"sites": []}}, "KeyError: 'lattice'"),
    ],
)
def test_damaged_entries_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(E3DError, match=message):
        _read(tmp_path, [entry(0, ["Zn", "O"]), entry(1, ["Zn", "O"], **change)])


def test_refused_files_say_why(tmp_path: Path) -> None:
    moved = entry(0, ["Zn", "O"])
    moved["structure"]["sites"][1]["xyz"][0] += 0.1
    with pytest.raises(E3DError, match=r"expected xyz = abc \. lattice"):
        _read(tmp_path, [moved])
    bare = entry(0, ["Zn", "O"])
    del bare["forces"]
    with pytest.raises(E3DError, match="missing: forces"):
        _read(tmp_path, [bare])
    with pytest.raises(E3DError, match="expected a list of entries in JSON"):
        _read(tmp_path, {"data": []})
    whole = json.dumps([entry(k, ["Zn", "O"]) for k in range(3)])
    (tmp_path / "cut.json").write_text(whole[:-200])
    with pytest.raises(E3DError, match="fetch it again"):
        list(matpes.read_matpes(tmp_path / "cut.json", wanted(["Zn", "O"], PBE_LEVEL)))
    packed = bytearray(gzip.compress(whole.encode()))
    packed[20:60] = bytes(byte ^ 0x5A for byte in packed[20:60])
    (tmp_path / "damaged.json.gz").write_bytes(packed)
    with pytest.raises(E3DError, match="fetch it again"):
        list(matpes.read_matpes(tmp_path / "damaged.json.gz", wanted(["Zn", "O"], PBE_LEVEL)))
    with pytest.raises(E3DError, match="nothere"):
        list(matpes.read_matpes(tmp_path / "nothere.json", wanted()))
