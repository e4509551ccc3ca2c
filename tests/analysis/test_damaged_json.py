"""JSON and CSV files of results that are damaged, or say of themselves what is not so."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from e3d_lmp import cli
from e3d_lmp.analysis.bonds.energies import bond_energies
from e3d_lmp.analysis.bonds.files import read_bond_energies, write_bond_energies
from e3d_lmp.analysis.bonds.references import ReferenceEnergy
from e3d_lmp.analysis.edge_analysis import EnergySums
from e3d_lmp.analysis.folders import AnalysisFolder
from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_json, read_object
from e3d_lmp.training.run_config import read_data

ODD = (None, "x", "$x$", [], {}, [1], {"a": 1}, -1, 0, 1.5, True, 10**400, 1e308, float("inf"), float("nan"))

ERRORS = {
    "format": "e3d-errors/1",
    "energy": {"structures": 12, "mae_eV_per_atom": 0.01, "rmse_eV_per_atom": 0.02},
    "force": {"components": 300, "mae_eV_per_A": 0.1, "rmse_eV_per_A": 0.2},
    "reactions": {
        "count": 3,
        "barrier": {"mae_eV": 0.1, "rmse_eV": 0.2, "mean_eV": -0.05},
        "reaction_energy": None,
    },
    "provenance": {"model": "m", "isolated_atoms": "none"},
}
MANIFEST = {
    "sets": {part: {"frames": 3, "frames_without_forces": 0} for part in ("train", "val", "test")},
    "recipe": {"elements": ["H", "C"], "r_max": 5.2},
    "avg_num_neighbors": 8.25,
    "level": "PBE",
    "source": [{"name": "a"}],
}


def bonds_json(path: Path) -> Any:
    rng = np.random.default_rng(2)
    energies = bond_energies(("C-C 1.5", "C-H 1", "O-H"), rng.integers(0, 3, 60), rng.normal(-4.2, 0.3, 60))
    references = {
        "C-H 1": ReferenceEnergy(4.3, 4.1, 4.5, "average", "a book", "no"),
        "O-H": ReferenceEnergy(4.8),
    }
    write_bond_energies(energies, references, {"model": "m"}, path, EnergySums(-250.0, -300.0, 2.1))
    return json.loads(path.read_text())


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Where every value in nested lists and dictionaries is; of long lists the first and the last."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list) and value:
        for k in {0, len(value) - 1}:
            yield from leaves(value[k], (*path, k))


def changed(value: Any, path: tuple, new: Any) -> Any:
    if not path:
        return new
    whole = copy.deepcopy(value)
    place = whole
    for key in path[:-1]:
        place = place[key]
    if new is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = new
    return whole


def every_damage(whole: Any, path: Path, read: Callable[[], Any]) -> int:
    """Each value gone, and each replaced by each odd one: what is read, or one line. The number refused."""
    path.write_text(json.dumps(whole))
    read()
    refused = 0
    for place in leaves(whole):
        for odd in (*ODD, ...) if place else ODD:
            path.write_text(json.dumps(changed(whole, place, odd)))
            try:
                read()
            except E3DError as error:
                refused += 1
                assert str(path) in str(error) and "\n" not in str(error)
    return refused


def test_bond_types(tmp_path: Path) -> None:
    whole = bonds_json(tmp_path / "bonds.json")
    assert (
        every_damage(whole, tmp_path / "bonds.json", lambda: read_bond_energies(tmp_path / "bonds.json"))
        > 500
    )


def test_errors(tmp_path: Path) -> None:
    def read() -> None:
        AnalysisFolder(tmp_path).model_errors()
        cli.main(["report", str(tmp_path), "-o", str(tmp_path / "r.html")])

    # the report prints an error, and raises none
    assert every_damage(ERRORS, tmp_path / "errors.json", read) > 150


def test_manifest(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        (tmp_path / f"{part}.lmdb").touch()
    assert every_damage(MANIFEST, tmp_path / "manifest.json", lambda: read_data(tmp_path)) > 100


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("types", 1, "mean_D_eV"), 4.2, "C-H 1: mean 4.2 and sum of squares"),
        (("types", 1, "squares_eV2"), 77.0, "sum of squares 77, but its bins"),
        (("types", 1, "count"), 1, "C-H 1: bins must ascend and their bonds add up to 1"),
        (("types", 1, "type"), "H-C 1", "'H-C 1' is no bond type"),
        (("types", 1, "type"), "C-H  1", "'C-H 1' is no bond type"),
        (("types", 1, "type"), "O-H", "a type twice"),
        (("types", 1, "reference", "energy"), -4.3, "a reference energy of -4.3 eV"),
        (("error", "mean_over_types"), 0.0, "its mean_over_types is 0.0, that of its bonds"),
        (("error", "left_out"), {}, r"its left_out is \{\}, that of its bonds \{'C-C 1.5'"),
        (("types", 1, "bins", 0), 2**62, "expected a whole number from"),
    ],
)
def test_bond_types_that_contradict_themselves(
    tmp_path: Path, place: tuple, value: Any, message: str
) -> None:
    whole = changed(bonds_json(tmp_path / "bonds.json"), place, value)
    (tmp_path / "bonds.json").write_text(json.dumps(whole))
    with pytest.raises(E3DError, match=rf"bonds\.json: damaged table of bond types \(.*{message}"):
        read_bond_energies(tmp_path / "bonds.json")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("energy", "mae_eV_per_atom"), -0.01, "mae_eV_per_atom is -0.01"),
        (("energy", "mae_eV_per_atom"), 0.03, "error 0.03 above the root mean square 0.02"),
        (("provenance", "model"), 3, "expected a text for 'model', got 3"),
    ],
)
def test_errors_that_contradict_themselves(tmp_path: Path, place: tuple, value: Any, message: str) -> None:
    (tmp_path / "errors.json").write_text(json.dumps(changed(ERRORS, place, value)))
    with pytest.raises(E3DError, match=message):
        AnalysisFolder(tmp_path).errors()


@pytest.mark.parametrize(
    "text", ["[" * 10**5, '{"a": ' * 10**5, "9" * 5000, "", "nul", '{"a": 1', "\xff", "[1] 2"]
)
def test_json_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "f.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError):
        read_json(path)
    with pytest.raises(E3DError, match=r"f\.json: damaged row \(.*\); make it again"):
        read_object(path, "row", "make it again")


def test_tables_of_odd_cells(tmp_path: Path) -> None:
    folder = AnalysisFolder(tmp_path)
    for text, message in (
        ("a,a\n1,2\n", "two columns of the same name"),
        ("a,b\n1\n", "rows of different length"),
        ('a,b\n"1,2\n' + "x" * 10**6, "field larger than|rows of different length"),
        ("a,b\n1_0,2\n", "finite number, got '1_0'"),
        ("a,b\ninf,2\n", "finite number, got 'inf'"),
        ("a,b\n1e400,2\n", "finite number, got '1e400'"),
    ):
        (tmp_path / "pairs.csv").write_text(text)
        with pytest.raises(E3DError, match=message):
            folder.numbers("pairs.csv", "a", "b")
    (tmp_path / "pairs.csv").write_text("a,b\n,nan\n1,-2e3\n")
    np.testing.assert_array_equal(folder.numbers("pairs.csv", "a", "b"), [[np.nan, 1.0], [np.nan, -2000.0]])
