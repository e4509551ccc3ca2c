"""Tables of dissociation and contact energies: what is printed, and the files ``bde.*`` and ``dimers.*``.

The JSON file (``e3d-bde/1``) holds what was asked for, a list of structures with their remarks, the rows of
the .csv file, agreement with reference energies, and Delta_BDE of D against each shipped table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.analysis.bonds.delta_bde import BondEnergyError, named_errors
from e3d_lmp.analysis.bonds.energies import bond_energies
from e3d_lmp.analysis.bonds.files import describe_named
from e3d_lmp.analysis.dissociation.agreement import agreement, agreement_columns
from e3d_lmp.analysis.dissociation.reference import Matched
from e3d_lmp.files import make_folder
from e3d_lmp.tables import Column, format_table, without_nan, write_csv, write_json_rows

FORMAT = "e3d-bde/1"
ENTHALPY = "dH298_eV"
SHOWN = 5
"""Remarks of a kind that are printed; the files have all."""

_FIELDS = {
    "i": "i",
    "j": "j",
    "type": "type",
    "length_A": "length",
    "D_eV": "D",
    "A_eV": "A",
    "same_as": "same_as",
    "not_broken": "why",
    "fragment_i": "side_i",
    "fragment_j": "side_j",
    "E_i_frozen_eV": "frozen_i",
    "E_j_frozen_eV": "frozen_j",
    "E_i_relaxed_eV": "relaxed_i",
    "E_j_relaxed_eV": "relaxed_j",
    "BDE_frozen_eV": "bde_frozen",
    "BDE_relaxed_eV": "bde_relaxed",
    ENTHALPY: "enthalpy",
}
_DIMER_FIELDS = {
    "type": "type",
    "distance_A": "distance",
    "D_eV": "D",
    "E_contact_eV": "E_contact",
    "E_bound_eV": "E_bound",
}


@dataclass(frozen=True)
class DissociationTables:
    """Results of `work.results` as tables.

    Attributes
    ----------
    found    one for each structure
    about    what was asked for, for the file
    dimers   whether they are contact energies
    matched  reference energies; None without
    """

    found: Sequence[Mapping[str, Any]]
    about: Mapping[str, Any]
    dimers: bool = False
    matched: Matched | None = None
    rows: list[dict[str, Any]] = field(init=False)
    agreement: list[dict[str, Any]] = field(init=False)
    errors: dict[str, BondEnergyError] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", self._rows())
        object.__setattr__(self, "agreement", self._agreement() if self.matched else [])
        names = sorted({row["type"] for row in self.rows})
        kinds = np.array([names.index(row["type"]) for row in self.rows], dtype=np.int64)
        energies = bond_energies(names, kinds, np.array([row["D_eV"] for row in self.rows]))
        object.__setattr__(self, "errors", {} if self.dimers or not names else named_errors(energies))

    @property
    def name(self) -> str:
        """Of the files, without ending."""
        return "dimers" if self.dimers else "bde"

    def _rows(self) -> list[dict[str, Any]]:
        fields = _DIMER_FIELDS if self.dimers else _FIELDS
        references = {} if self.matched is None else self.matched.energies
        rows = []
        for place, one in enumerate(self.found):
            for k, own in enumerate(one.get("rows", [])):
                row: dict[str, Any] = {"structure": one["name"]}
                row |= {name: _number(own[key]) for name, key in fields.items()}
                if not self.dimers:
                    row["E_eV"] = _number(one["energy"])
                row["reference_eV"] = references.get((place, k), math.nan)
                row["remark"] = "; ".join(filter(None, (one["remark"], own["remark"])))
                row["_place"], row["_partner"] = place, self._partner(place, k, one)
                rows.append(row)
        return rows

    def _partner(self, place: int, index: int, one: Mapping[str, Any]) -> Mapping[str, Any]:
        """The row of the bond that was broken in place of this one, or its own."""
        partners = {} if self.matched is None else self.matched.partners
        return one["rows"][partners.get((place, index), index)]

    def predictors(self) -> dict[str, np.ndarray]:
        """What is compared with reference energies, (n,) eV, of the rows that have one."""
        rows = [row for row in self.rows if math.isfinite(row["reference_eV"])]
        if self.dimers:
            names = {"D": "D", "E_contact": "E_contact", "E_bound": "E_bound"}
        else:
            names = {"BDE_frozen": "bde_frozen", "BDE_relaxed": "bde_relaxed", "dH298": "enthalpy"}
        found = {
            name: np.array([_number(row["_partner"][key]) for row in rows]) for name, key in names.items()
        }
        if not self.dimers:
            found = {"-D": np.array([-row["D_eV"] for row in rows]), **found}
        return {name: values for name, values in found.items() if np.isfinite(values).any()}

    def references(self) -> tuple[np.ndarray, list[str], np.ndarray]:
        """Reference energies (n,), types and places of the structures, in the order of `predictors`."""
        rows = [row for row in self.rows if math.isfinite(row["reference_eV"])]
        return (
            np.array([row["reference_eV"] for row in rows]),
            [row["type"] for row in rows],
            np.array([row["_place"] for row in rows], dtype=np.int64),
        )

    def _agreement(self) -> list[dict[str, Any]]:
        energies, types, places = self.references()
        return agreement(self.predictors(), energies, types, places) if energies.size else []

    def columns(self) -> tuple[Column, ...]:
        """Columns of the .csv file."""
        names = ["structure", *(_DIMER_FIELDS if self.dimers else _FIELDS)]
        if not self.dimers:
            names.append("E_eV")
        return tuple(Column(name, name) for name in (*names, "reference_eV", "remark"))

    def remarks(self) -> list[str]:
        """What the user must know: structures that were left out, that changed, fragments that did, rows of
        references without a partner."""
        left = [f"{one['name']}: {one['error']}" for one in self.found if "error" in one]
        changed = [f"{one['name']}: {one['remark']}" for one in self.found if one.get("remark")]
        parts = [
            f"{one['name']}: bond {row['i']}-{row['j']}: {row['remark']}" if not self.dimers
            else f"{one['name']}: {row['remark']}"
            for one in self.found
            for row in one.get("rows", [])
            if row["remark"]
        ]  # fmt: skip
        lost = [] if self.matched is None else self.matched.lost
        out = []
        for text, lines in (
            ("structures were left out", left),
            ("molecules with remarks", changed),
            ("dimers with remarks" if self.dimers else "bonds whose fragments have remarks", parts),
            ("reference rows without a partner", lost),
        ):
            if lines:
                more = f"; ... ({self.name}.json has all)" if len(lines) > SHOWN else ""
                out.append(f"{len(lines)} {text}: " + "; ".join(lines[:SHOWN]) + more)
        return out

    def text(self) -> str:
        """The tables for a terminal."""
        parts = [format_table(*self._by_type())]
        if self.errors:
            parts.append(describe_named(self.errors))
        if self.agreement:
            rows = [row for row in self.agreement if row["scope"] in ("all", "type means", "within")]
            parts.append(
                "agreement with the reference energies, and of the baseline that gives each row the mean of "
                "its type\n" + format_table(agreement_columns(), rows)
            )
        return "\n\n".join(parts)

    def _by_type(self) -> tuple[list[Column], list[dict[str, Any]]]:
        """Means by type of what there is."""
        if self.dimers:
            values = ["distance_A", "D_eV", "E_contact_eV", "E_bound_eV"]
        else:
            values = ["length_A", "D_eV", "BDE_frozen_eV", "BDE_relaxed_eV", ENTHALPY]
        values = [name for name in values if any(math.isfinite(row[name]) for row in self.rows)]
        columns = [Column("type", "type"), Column("count", "count")]
        columns += [] if self.dimers else [Column("broken", "broken")]
        for name in values:
            quantity, _, unit = name.rpartition("_")
            columns += [Column(name, quantity, unit, ".3f"), Column(f"{name}_std", "std", unit, ".3f")]
        out = []
        for kind in sorted({row["type"] for row in self.rows}):
            own = [row for row in self.rows if row["type"] == kind]
            line: dict[str, Any] = {"type": kind, "count": len(own)}
            if not self.dimers:
                line["broken"] = sum(bool(row["fragment_i"]) for row in own)
            for name in values:
                known = [row[name] for row in own if math.isfinite(row[name])]
                line[name] = float(np.mean(known)) if known else math.nan
                line[f"{name}_std"] = float(np.std(known)) if known else math.nan
            out.append(line)
        return columns, out

    def write(self, folder: Path) -> list[Path]:
        """Write the .csv and .json files and, with references, ``agreement.csv``; whole or not at all."""
        make_folder(folder)
        columns = self.columns()
        names = [column.name for column in columns]
        rows = [{name: row[name] for name in names} for row in self.rows]
        paths = [folder / f"{self.name}.csv", folder / f"{self.name}.json"]
        write_csv(columns, rows, paths[0])
        about: dict[str, Any] = {"format": FORMAT, **self.about}
        about["structures"] = [
            {key: without_nan(one.get(key)) for key in ("name", "formula", "energy", "remark", "error")}
            for one in self.found
        ]
        about["delta_bde"] = without_nan({name: asdict(error) for name, error in self.errors.items()})
        about["agreement"] = without_nan(self.agreement)
        about["references_without_partner"] = [] if self.matched is None else self.matched.lost
        write_json_rows(about, "rows", rows, paths[1])
        if self.agreement:
            paths.append(folder / "agreement.csv")
            write_csv(agreement_columns(), self.agreement, paths[-1])
        return paths


def _number(value: Any) -> Any:
    """nan for the null that stands for it in the file of results."""
    return math.nan if value is None else value
