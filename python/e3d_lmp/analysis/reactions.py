"""Reactions: barriers and reaction energies of reactant, transition state and product, and entropies by role.

``E_a = E(transition state) - E(reactant)`` and ``Delta E = E(product) - E(reactant)``, of the same structures
by the model and by the reference (single points). The energies of isolated atoms cancel in both.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from e3d_lmp.analysis.label_map import LabelMap
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.analysis.sampling import entropy_change, generator_of
from e3d_lmp.edges.pairs import is_like
from e3d_lmp.edges.structures import ENDS
from e3d_lmp.errors import E3DError
from e3d_lmp.tables import Column, write_csv

COLUMNS = (
    Column("reaction", "reaction"),
    Column("barrier_eV", "barrier", "eV", ".3f"),
    Column("reference_barrier_eV", "reference", "eV", ".3f"),
    Column("reaction_energy_eV", "energy", "eV", ".3f"),
    Column("reference_reaction_energy_eV", "reference", "eV", ".3f"),
)
"""Columns of ``reactions.csv``."""

SHORT = {"reactant": "r", "transition_state": "ts", "product": "p"}
"""Roles in names of columns."""


@dataclass(frozen=True)
class ReactionErrors:
    """Barriers and energies of reactions.

    Attributes
    ----------
    name         (R,) str
    model        (R, 2) float64, eV, barrier and reaction energy
    reference    (R, 2) float64, eV; nan where not known
    incomplete   reactions that lack one of their three structures, left out
    """

    name: np.ndarray
    model: np.ndarray
    reference: np.ndarray
    incomplete: int

    def summary(self) -> dict[str, Any]:
        """Count, and mean absolute, root mean square and mean error of both; null where nothing is known."""
        error = self.model - self.reference
        known = np.isfinite(error).all(axis=1)
        about: dict[str, Any] = {"count": int(known.sum())}
        for k, name in enumerate(("barrier", "reaction_energy")):
            x = error[known, k]
            about[name] = (
                {
                    "mae_eV": float(np.abs(x).mean()),
                    "rmse_eV": float(np.sqrt((x * x).mean())),
                    "mean_eV": float(x.mean()),
                }
                if x.size
                else None
            )
        return about

    def describe(self) -> str:
        """The errors in a line of text."""
        about = self.summary()
        parts = [f"{len(self.name)} reactions"]
        for key, words in (("barrier", "barrier"), ("reaction_energy", "reaction energy")):
            if about[key] is not None:
                one = about[key]
                mean = f"mean {one['mean_eV']:+.3f} eV"
                parts.append(f"{words}: MAE {one['mae_eV']:.3f}, RMSE {one['rmse_eV']:.3f}, {mean}")
        if self.incomplete:
            parts.append(f"{self.incomplete} more lack one of their structures")
        return "; ".join(parts)

    def write(self, path: str | os.PathLike) -> None:
        """Write the table of all reactions, whole or not at all."""
        table = np.stack(
            [self.model[:, 0], self.reference[:, 0], self.model[:, 1], self.reference[:, 1]], axis=1
        )
        names = [column.name for column in COLUMNS]
        rows = [
            dict(zip(names, (name, *values), strict=True))
            for name, values in zip(self.name.tolist(), table.tolist(), strict=True)
        ]
        write_csv(COLUMNS, rows, path)


def reaction_errors(names: np.ndarray, energy: np.ndarray, reference: np.ndarray) -> ReactionErrors | None:
    """Barriers and reaction energies of all triplets of structures; None where no structure is of a reaction.

    Parameters
    ----------
    names
        (S,) ``REACTION/reactant``, ``REACTION/transition_state``, ``REACTION/product``; others are no part of
        a reaction.
    energy, reference
        (S,) eV.

    Raises
    ------
    E3DError
        If a structure of a reaction occurs twice.
    """
    found: dict[str, dict[str, int]] = {}
    for k, name in enumerate(names.tolist()):
        reaction, _, end = name.rpartition("/")
        if end in ENDS and reaction:
            ends = found.setdefault(reaction, {})
            if end in ends:
                raise E3DError(f"{name} occurs twice among the structures; evaluate each reaction once")
            ends[end] = k
    whole = {reaction: ends for reaction, ends in found.items() if len(ends) == len(ENDS)}
    if not found:
        return None
    rows = np.array([[ends[end] for end in ENDS] for ends in whole.values()], dtype=np.int64).reshape(-1, 3)
    model, known = (
        np.stack([each[rows[:, 1]] - each[rows[:, 0]], each[rows[:, 2]] - each[rows[:, 0]]], axis=1)
        for each in (energy, reference)
    )
    return ReactionErrors(np.array(list(whole), dtype=str), model, known, len(found) - len(whole))


def role_columns() -> tuple[Column, ...]:
    """Columns of the entropies of each role and their changes, nats."""
    columns = [Column("pair", "pair")]
    columns += [Column(f"count_{short}", f"pairs {short}") for short in SHORT.values()]
    columns += [Column(f"H_{short}_nats", f"H {short}", "nats", ".4f") for short in SHORT.values()]
    for a, b in combinations(SHORT.values(), 2):
        columns.append(Column(f"dH_{a}_{b}_nats", f"H {b} - {a}", "nats", "+.4f"))
        columns.append(Column(f"dH_{a}_{b}_equal_nats", "equal size", "nats", "+.4f"))
        columns.append(Column(f"dH_{a}_{b}_std_nats", "std", "nats", ".4f"))
    return tuple(columns)


def role_table(maps: Mapping[str, EnergyMap]) -> list[dict[str, Any]]:
    """Entropies of each role by pair label, the commonest first, and their changes at full size and at that
    of the smaller sample (`e3d_lmp.analysis.sampling.entropy_change`).
    """
    every = [maps[role] for role in ENDS if role in maps]
    count = {
        label: sum(one.labels[label].count for one in every if label in one.labels)
        for one in every
        for label in one.labels
    }
    rows = []
    for label in sorted((name for name in count if count[name]), key=lambda name: (-count[name], name)):
        rng = generator_of(label)
        parts = {
            short: maps[role].labels.get(label, LabelMap()) if role in maps else LabelMap()
            for role, short in SHORT.items()
        }
        row: dict[str, Any] = {"pair": label}
        row |= {f"count_{short}": part.count for short, part in parts.items()}
        row |= {
            f"H_{short}_nats": part.entropy_nats if part.count else float("nan")
            for short, part in parts.items()
        }
        for a, b in combinations(parts, 2):
            change = entropy_change(parts[b], parts[a], is_like(label), rng)
            row[f"dH_{a}_{b}_nats"] = change.value
            row[f"dH_{a}_{b}_equal_nats"] = change.equal_size
            row[f"dH_{a}_{b}_std_nats"] = change.std
        rows.append(row)
    return rows
