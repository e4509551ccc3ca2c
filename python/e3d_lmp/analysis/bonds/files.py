"""Files of bond energies by type: ``bonds.csv``, and ``bonds.json`` (``e3d-bond-types/1``) to go on with.

The JSON file holds the whole sample: of each type the count, the mean, the sum of squares and the histogram
of D, beside the reference energy and the quantiles. So files of parts add up to that of the whole, and
ridgelines can be drawn from it. Energies are in eV; ``error`` holds the fields of
`e3d_lmp.analysis.bonds.delta_bde.BondEnergyError`, ``delta_bde`` Delta_BDE against each shipped table
of references by name; what is not known is null.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.analysis.bonds.delta_bde import BondEnergyError, bond_energy_error, named_errors, type_rows
from e3d_lmp.analysis.bonds.energies import MOST_BINS, QUANTILES, RESOLUTION, BondEnergies, from_histograms
from e3d_lmp.analysis.bonds.orders import is_bond_type
from e3d_lmp.analysis.bonds.references import ReferenceEnergy
from e3d_lmp.analysis.edge_analysis import EnergySums
from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_json, reading, write_text
from e3d_lmp.parsing import json_real, json_whole, shortened
from e3d_lmp.tables import Column, without_nan, write_csv

FORMAT = "e3d-bond-types/1"


@dataclass(frozen=True)
class BondEnergyFile:
    """What a file of bond energies holds.

    Attributes
    ----------
    energies     D by type
    references   reference energy of each type that has one
    provenance   where the numbers come from, one line of text per key
    error        Delta_BDE and sigma_BDE
    sums         sums of energies; None where the file has none
    """

    energies: BondEnergies
    references: dict[str, ReferenceEnergy]
    provenance: dict[str, str]
    error: BondEnergyError
    sums: EnergySums | None = None


def bond_columns() -> tuple[Column, ...]:
    """Columns of the table of bond types."""
    return (
        Column("type", "bond type"),
        Column("count", "count"),
        Column("mean_D_eV", "mean D", "eV", ".4f"),
        Column("std_D_eV", "std D", "eV", ".4f"),
        *(Column(f"q{share * 100:02.0f}_D_eV", f"{share:.0%}", "eV", ".3f") for share in QUANTILES),
        Column("reference_eV", "reference", "eV", ".3f"),
        Column("error_eV", "error", "eV", ".3f"),
    )


def bond_table(energies: BondEnergies, references: Mapping[str, ReferenceEnergy]) -> list[dict[str, Any]]:
    """One row per type, with the columns of `bond_columns`."""
    names = [column.name for column in bond_columns()]
    return [
        dict(
            zip(
                names,
                (row.type, row.count, row.mean_D, row.std_D, *row.quantiles, row.reference, row.error),
                strict=True,
            )
        )
        for row in type_rows(energies, references)
    ]


def write_bond_energies(
    energies: BondEnergies,
    references: Mapping[str, ReferenceEnergy],
    provenance: Mapping[str, str],
    path: str | os.PathLike,
    sums: EnergySums | None = None,
) -> None:
    """Write bond energies by type, whole or not at all: as a table where `path` ends in .csv, else the
    whole sample as JSON.
    """
    rows = bond_table(energies, references)
    if Path(path).suffix == ".csv":
        write_csv(bond_columns(), rows, path)
        return
    about = {
        "format": FORMAT,
        "resolution_eV": RESOLUTION,
        "provenance": dict(provenance),
        "error": asdict(bond_energy_error(energies, references)),
        "sums": None if sums is None else asdict(sums),
    }
    if references:
        about["delta_bde"] = {name: one.mean_over_types for name, one in named_errors(energies).items()}
    lines = []
    for k, row in enumerate(rows):
        bins, weights = energies.bins(k)
        reference = references.get(row["type"])
        more = {
            "squares_eV2": float(energies.squares[k]),
            "reference": None if reference is None else asdict(reference),
            "bins": bins.tolist(),
            "weights": weights.tolist(),
        }
        lines.append(json.dumps(without_nan(row | more)))
    # One type per line: the histograms are long.
    head = json.dumps(without_nan(about), indent=2)[:-2]
    text = head + ',\n  "types": [\n    ' + ",\n    ".join(lines) + "\n  ]\n}\n"
    write_text(path, text)


def read_bond_energies(path: str | os.PathLike) -> BondEnergyFile:
    """The bond energies in an ``e3d-bond-types/1`` file.

    Raises
    ------
    E3DError
        If the file is missing, of another format or version, or does not add up.
    """
    expected = f"expected the bonds.json of 'e3d analyze' ({FORMAT})"
    try:
        whole = read_json(path)
    except (OSError, ValueError) as problem:
        raise E3DError(f"{path}: {problem}; {expected}") from None
    found = whole.get("format") if isinstance(whole, dict) else None
    if found != FORMAT:
        raise E3DError(f"{path}: {expected}, got the format '{shortened(str(found))}'")
    with reading(path, "table of bond types", f"make it again; {expected}"):
        if whole["resolution_eV"] != RESOLUTION:
            raise ValueError(f"bins of {whole['resolution_eV']} eV instead of {RESOLUTION}")
        rows = whole["types"]
        names = [row["type"] for row in rows]
        strange = [name for name in names if not is_bond_type(name)]
        if strange or len(set(names)) < len(names):
            raise ValueError(f"'{shortened(str(strange[0]))}' is no bond type" if strange else "a type twice")
        energies = from_histograms(
            names,
            np.array([json_whole(row["count"], 0) for row in rows], dtype=np.int64),
            np.array([json_real(row["mean_D_eV"], 0.0) for row in rows], dtype=np.float64),
            np.array([json_real(row["squares_eV2"]) for row in rows], dtype=np.float64),
            [
                ([json_whole(k, -MOST_BINS, MOST_BINS - 1) for k in row["bins"]],
                 [json_whole(n, 1) for n in row["weights"]])
                for row in rows
            ],
        )  # fmt: skip
        references = {
            row["type"]: _reference(row["reference"]) for row in rows if row["reference"] is not None
        }
        error = bond_energy_error(energies, references)
        _check_same(without_nan(asdict(error)), whole["error"])
        sums = None
        if whole["sums"] is not None:
            sums = EnergySums(**{key: json_real(value) for key, value in whole["sums"].items()})
        about = {str(key): str(text) for key, text in whole["provenance"].items()}
        return BondEnergyFile(energies, references, about, error, sums)


def _reference(row: Mapping[str, Any]) -> ReferenceEnergy:
    energy, low, high = (json_real(row[key], math.nan) for key in ("energy", "low", "high"))
    if not energy > 0.0:
        raise ValueError(f"a reference energy of {energy} eV")
    kind, source, checked, note = (str(row[key]) for key in ("kind", "source", "checked", "note"))
    return ReferenceEnergy(energy, low, high, kind, source, checked, note)


def _check_same(found: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    """Raise `ValueError` unless the errors that a file says of itself are those of its bonds."""
    for key, value in found.items():
        other = said[key]
        if isinstance(value, float) and other is not None:
            same = abs(value - json_real(other)) <= 1e-6 * (1.0 + abs(value))
        else:
            same = value == other
        if not same:
            raise ValueError(f"its {key} is {shortened(str(other))}, that of its bonds {value}")


def describe_error(error: BondEnergyError) -> str:
    """Delta_BDE and sigma_BDE in some lines of text."""
    left = ", ".join(f"{name} ({count})" for name, count in error.left_out.items())
    missing = [f"without a reference, left out: {left}"] if left else []
    if not error.types:
        return "\n".join(["no bond type has a reference energy", *missing])
    pooled, within = error.sigma_pooled, error.sigma_within
    return "\n".join(
        [
            f"Delta_BDE over {error.types} types: {error.mean_over_types:.3f} eV; pooled over {error.bonds} "
            f"bonds: {error.pooled_signed:+.3f} eV signed, {error.pooled_absolute:.3f} eV absolute",
            f"sigma_BDE, 1 sigma: {pooled:.3f} eV pooled, {within:.3f} eV within types; "
            f"3 sigma as in the paper's figure: {3 * pooled:.3f} and {3 * within:.3f} eV",
            *missing,
        ]
    )


TABLES_SAY = {
    "enthalpies": "average bond enthalpies at 298 K",
    "dissociation": "electronic dissociation energies of one bond",
    "level": "the training level's own bond energies",
}


def describe_named(errors: Mapping[str, BondEnergyError]) -> str:
    """Delta_BDE against each table, a line each."""
    return "\n".join(
        f"Delta_BDE against '{name}' ({TABLES_SAY[name]}): {error.mean_over_types:.3f} eV over {error.types} "
        f"types; pooled {error.pooled_signed:+.3f} eV signed, {error.pooled_absolute:.3f} eV absolute"
        for name, error in errors.items()
    )
