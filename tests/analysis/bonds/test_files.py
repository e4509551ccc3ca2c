"""Files of bond energies by type: what is written is read, and bad files are refused."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest

from e3d_lmp.analysis.bonds.delta_bde import bond_energy_error
from e3d_lmp.analysis.bonds.energies import BondEnergies, bond_energies
from e3d_lmp.analysis.bonds.files import describe_error, read_bond_energies, write_bond_energies
from e3d_lmp.analysis.bonds.references import ReferenceEnergy, reference_energies
from e3d_lmp.analysis.edge_analysis import EnergySums
from e3d_lmp.errors import E3DError

TYPES = ("C-H 1", "C-N", "N-N 2.5")


def sample(n: int = 400, seed: int = 0) -> BondEnergies:
    rng = np.random.default_rng(seed)
    return bond_energies(TYPES, rng.integers(0, 3, n), rng.normal(-4.3, 0.4, n))


def test_what_is_written_is_read(tmp_path) -> None:
    one, references = sample(), {"C-H 1": reference_energies()["C-H 1"]}
    sums = EnergySums(-10.0, -11.0, 5.2)
    write_bond_energies(one, references, {"model": "a b"}, tmp_path / "bonds.json", sums)
    got = read_bond_energies(tmp_path / "bonds.json")
    assert got.references == references and got.provenance == {"model": "a b"} and got.sums == sums
    assert got.error == bond_energy_error(one, references)
    assert got.error.left_out == {"C-N": one.count[1], "N-N 2.5": one.count[2]}
    for name in ("types", "count", "mean", "squares", "codes", "weights"):
        assert np.array_equal(getattr(got.energies, name), getattr(one, name)), name
    both, other = got.energies.merge(sample(100, 5)), one.merge(sample(100, 5))
    assert both.count.tolist() == other.count.tolist() and both.quantiles(1) == pytest.approx(
        other.quantiles(1)
    )
    assert len((tmp_path / "bonds.json").read_text().splitlines()) < 60


def test_table(tmp_path) -> None:
    one, references = sample(), {"C-H 1": ReferenceEnergy(4.0)}
    write_bond_energies(one, references, {}, tmp_path / "bonds.csv")
    with open(tmp_path / "bonds.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["type"] for row in rows] == list(TYPES)
    assert float(rows[0]["error_eV"]) == pytest.approx(-one.mean[0] - 4.0)
    assert rows[1]["reference_eV"] == rows[1]["error_eV"] == ""
    assert float(rows[2]["q50_D_eV"]) == one.quantiles(2, [0.5])[0]


def test_nothing_known_is_null(tmp_path) -> None:
    write_bond_energies(sample(), {}, {}, tmp_path / "b.json")
    text = (tmp_path / "b.json").read_text()
    assert "NaN" not in text and json.loads(text)["error"]["mean_over_types"] is None
    got = read_bond_energies(tmp_path / "b.json")
    assert math.isnan(got.error.mean_over_types) and got.sums is None
    assert "no bond type has a reference energy" in describe_error(got.error)


def test_three_sigma_is_said() -> None:
    error = bond_energy_error(sample(), {name: ReferenceEnergy(4.0) for name in TYPES})
    text = describe_error(error)
    assert f"Delta_BDE over 3 types: {error.mean_over_types:.3f} eV" in text
    assert f"{3 * error.sigma_pooled:.3f} and {3 * error.sigma_within:.3f} eV" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda whole: whole.update(format="e3d-bond-types/2"), "got the format 'e3d-bond-types/2"),
        (lambda whole: whole["types"][0]["weights"].pop(), "must ascend and their bonds add up"),
        (lambda whole: whole["types"][1].pop("bins"), "damaged"),
        (lambda whole: whole.update(resolution_eV=0.5), "bins of 0"),
        (lambda whole: whole.pop("error"), "damaged"),
    ],
)
def test_bad_files(tmp_path, change, message) -> None:
    path = tmp_path / "b.json"
    write_bond_energies(sample(), {}, {}, path)
    whole = json.loads(path.read_text())
    change(whole)
    path.write_text(json.dumps(whole))
    with pytest.raises(E3DError, match=message):
        read_bond_energies(path)


def test_no_file(tmp_path) -> None:
    for text in (None, "pair,order", "[1]"):
        if text is not None:
            (tmp_path / "x").write_text(text)
        with pytest.raises(E3DError, match=r"expected the bonds\.json of 'e3d analyze'"):
            read_bond_energies(tmp_path / "x")


def test_types_in_another_order() -> None:
    one = sample()
    moved = one.aligned(("N-N 2.5", "O-H 1", "C-H 1", "C-N"))
    for k, name in enumerate(TYPES):
        at = moved.types.index(name)
        assert (moved.count[at], moved.mean[at]) == (one.count[k], one.mean[k])
        assert moved.quantiles(at).tolist() == one.quantiles(k).tolist()
    assert moved.count[1] == 0 and np.all(np.diff(moved.codes) > 0)
    back = moved.aligned(TYPES)
    assert np.array_equal(back.codes, one.codes) and np.array_equal(back.weights, one.weights)
    with pytest.raises(E3DError, match=r"no place for C-N, N-N 2\.5"):
        one.aligned(("C-H 1",))
    with pytest.raises(E3DError, match="named twice"):
        one.aligned((*TYPES, "C-N"))
