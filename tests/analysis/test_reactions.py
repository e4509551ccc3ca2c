"""Barriers, reaction energies and entropies by role, with known numbers."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from e3d_lmp.analysis.label_map import label_map
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.analysis.reactions import reaction_errors, role_columns, role_table
from e3d_lmp.errors import E3DError

ENDS = ("reactant", "transition_state", "product")


def triplets():
    """Two reactions, mixed with others: names, energies of the model and of the reference."""
    names = [f"C2H4/rxn1/{end}" for end in ENDS] + ["C2H4/rxn9/product", "mol_3/2"]
    names += [f"C2H4/rxn2/{end}" for end in reversed(ENDS)]
    model = np.array([-10.0, -8.0, -11.0, 5.0, 7.0, -3.0, -1.5, -4.0])
    reference = np.array([-100.0, -98.5, -100.5, 0.0, 0.0, -50.0, -47.5, -51.0])
    return np.array(names), model, reference


def test_known_numbers(tmp_path) -> None:
    found = reaction_errors(*triplets())
    assert found.name.tolist() == ["C2H4/rxn1", "C2H4/rxn2"] and found.incomplete == 1
    np.testing.assert_allclose(found.model, [[2.0, -1.0], [2.5, 1.0]])
    np.testing.assert_allclose(found.reference, [[1.5, -0.5], [3.5, 1.0]])
    about = found.summary()
    assert about["count"] == 2
    assert about["barrier"] == pytest.approx({"mae_eV": 0.75, "rmse_eV": math.sqrt(0.625), "mean_eV": -0.25})
    assert about["reaction_energy"] == pytest.approx(
        {"mae_eV": 0.25, "rmse_eV": math.sqrt(0.125), "mean_eV": -0.25}
    )
    assert "2 reactions; barrier: MAE 0.750" in found.describe()
    assert "1 more lack one of their structures" in found.describe()
    found.write(tmp_path / "reactions.csv")
    with open(tmp_path / "reactions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {
        "reaction": "C2H4/rxn2",
        "barrier_eV": "2.5",
        "reference_barrier_eV": "3.5",
        "reaction_energy_eV": "1.0",
        "reference_reaction_energy_eV": "1.0",
    }


def test_without_references_or_reactions() -> None:
    names, model, _ = triplets()
    found = reaction_errors(names, model, np.full(model.size, np.nan))
    assert found.summary() == {"count": 0, "barrier": None, "reaction_energy": None}
    assert reaction_errors(np.array(["a/1", "b"]), np.zeros(2), np.zeros(2)) is None
    cut = reaction_errors(names[:2], model[:2], model[:2])
    assert cut is not None and cut.incomplete == 1 and cut.summary()["count"] == 0


def test_twice_the_same() -> None:
    names, model, reference = triplets()
    with pytest.raises(E3DError, match="C2H4/rxn1/reactant occurs twice"):
        reaction_errors(np.append(names, names[0]), np.append(model, 1), np.append(reference, 1))


def test_entropies_by_role() -> None:
    """Uniform in 2, 8 and 4 bins: differences ln 4 and ln 2 at any size."""
    maps = {}
    for role, bins, n in zip(ENDS, (2, 8, 4), (800, 1600, 400), strict=True):
        D = (np.arange(n) % bins) * 0.1 + 0.05
        maps[role] = EnergyMap(0.1, "covalent", 1, (0, 0), {"C-H": label_map(D, D, 0.1, False, "")})
    maps["product"].labels["C-O"] = label_map(np.zeros(3), np.zeros(3), 0.1, False, "")
    row, other = role_table(maps)
    assert (row["count_r"], row["count_ts"], row["count_p"]) == (800, 1600, 400)
    assert row["H_ts_nats"] == pytest.approx(math.log(8))
    for name, want in (("r_ts", 4.0), ("r_p", 2.0), ("ts_p", 0.5)):
        assert row[f"dH_{name}_nats"] == pytest.approx(math.log(want), abs=1e-12)
        assert row[f"dH_{name}_equal_nats"] == pytest.approx(math.log(want), abs=0.02)
    assert other["pair"] == "C-O" and math.isnan(other["H_r_nats"]) and math.isnan(other["dH_r_p_nats"])
    assert set(row) == {column.name for column in role_columns()}
