"""The table of a study, its figures and its pages, from the rows that are done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e3d_lmp.analysis.folders import AnalysisFolder, ModelErrors
from e3d_lmp.errors import E3DError
from e3d_lmp.figures import plot_bond_scaling, plot_entropy_scaling, plot_error_scaling, save_figure
from e3d_lmp.study.plan import Plan, Row
from e3d_lmp.study.row import done_rows, row_folder
from e3d_lmp.tables import Column, format_table, write_csv, write_json_rows
from e3d_lmp.web.report import write_series_report

FORMAT = "e3d-scaling/1"


@dataclass(frozen=True)
class _Number:
    """A column of the table that every set of structures has.

    Attributes
    ----------
    key      end of the column's name
    head     what stands above it
    unit     of the column
    format   of its cells in text
    place    where a row's numbers of a set have it
    factor   from there to the unit
    """

    key: str
    head: str
    unit: str
    format: str
    place: tuple[str, ...]
    factor: float = 1.0


_NUMBERS = (
    _Number("E_mae_meV_per_atom", "E", "meV/atom", ".2f", ("energy", "mae_eV_per_atom"), 1000.0),
    _Number("F_mae_meV_per_A", "F", "meV/A", ".1f", ("force", "mae_eV_per_A"), 1000.0),
    _Number("barrier_mae_eV", "E_a", "eV", ".4f", ("reactions", "barrier", "mae_eV")),
    _Number("reaction_energy_mae_eV", "dE", "eV", ".4f", ("reactions", "reaction_energy", "mae_eV")),
    _Number("Delta_BDE_eV", "Delta_BDE", "eV", ".3f", ("bonds", "mean_over_types")),
    _Number("mean_BDE_error_eV", "mean", "eV", ".3f", ("bonds", "pooled_signed")),
    _Number("sigma_BDE_eV", "sigma_BDE", "eV", ".3f", ("bonds", "sigma_pooled")),
    _Number("sigma_BDE_within_eV", "within", "eV", ".3f", ("bonds", "sigma_within")),
)

_OF = {
    "molecules": {"E_mae_meV_per_atom", "F_mae_meV_per_A"},
    "reactions": {"E_mae_meV_per_atom", "barrier_mae_eV", "reaction_energy_mae_eV"},
}
"""Errors that a set has in the table; bond energies and entropies have both."""


class StudyTable:
    """The rows of a study that are done.

    Parameters
    ----------
    plan
        The study.
    study
        Its folder.
    """

    def __init__(self, plan: Plan, study: Path):
        self.plan, self.study = plan, study
        self.done: dict[Row, dict[str, Any]]
        self.stale: list[str]
        """Names of rows that are done, but from other inputs; they are left out."""
        self.done, self.stale = done_rows(plan, study)

    def columns(self) -> list[Column]:
        """Columns of ``scaling.csv``."""
        columns = [Column("model", "model"), Column("tensor", "tensor"), Column("N", "N", "", ",d")]
        columns += [Column("seed", "seed"), Column("steps", "steps", "", ",d")]
        columns += [Column("epochs", "epochs", "", ".1f"), Column("minutes", "time", "min", ".1f")]
        for name in self.plan.sets:
            columns += [
                Column(f"{name}_{one.key}", one.head, one.unit, one.format)
                for one in _NUMBERS
                if self._is_shown(name, one.key)
            ]
            columns += [
                Column(f"{name}_H_2D_{label}_nats", f"H {label}", "nats", ".3f")
                for label in self._labels(name)
            ]
        return columns

    def text_columns(self) -> list[Column]:
        """Columns for a terminal: all but the entropies, the errors of reactions marked."""
        columns = []
        for column in self.columns():
            if "H_2D" in column.name or column.name.endswith("within_eV"):
                continue
            mark = "rxn " if column.name.startswith("reactions_") else ""
            columns.append(Column(column.name, mark + column.head, column.unit, column.format))
        return columns

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary per row, nan for what a row has not."""
        rows = []
        for row, numbers in self.done.items():
            training = numbers["training"]
            values: dict[str, Any] = {"model": row.name, "tensor": row.tensor, "N": row.frames}
            values |= {"seed": row.seed, "steps": training["steps"], "epochs": training["epochs"]}
            values["minutes"] = training["minutes"]
            for name in self.plan.sets:
                for one in _NUMBERS:
                    if self._is_shown(name, one.key):
                        values[f"{name}_{one.key}"] = one.factor * _number(numbers[name], one.place)
                for label in self._labels(name):
                    values[f"{name}_H_2D_{label}_nats"] = _number(numbers[name], ("H_2D_nats", label))
            rows.append(values)
        return rows

    def text(self) -> str:
        """The table for a terminal."""
        return format_table(self.text_columns(), self.rows())

    def write(self) -> list[Path]:
        """Write ``scaling.csv`` and ``scaling.json``."""
        paths = [self.study / "scaling.csv", self.study / "scaling.json"]
        rows = self.rows()
        write_csv(self.columns(), rows, paths[0])
        about = {
            "format": FORMAT,
            "data_sha256": self.plan.data.sha256,
            "level": self.plan.data.manifest["level"],
            "rows_planned": len(self.plan.rows),
            "rows_done": len(rows),
            "sets": {name: self.plan.sha256(name) for name in self.plan.sets},
            "details": list(self.done.values()),
        }
        write_json_rows(about, "rows", rows, paths[1])
        return paths

    def is_drawn(self) -> bool:
        """Whether figures and pages are newer than all rows."""
        last = self.study / f"report_{list(self.plan.sets)[-1]}.html"
        rows = [row_folder(self.study, row) / "row.json" for row in self.done]
        return last.exists() and all(last.stat().st_mtime_ns > path.stat().st_mtime_ns for path in rows)

    def draw(self) -> list[Path]:
        """Write the figures of `e3d plot` and the pages of `e3d report`; those that cannot be drawn are left
        out."""
        paths = []
        drawings: list[tuple[str, Any]] = [("errors", lambda: plot_error_scaling(self._errors()))]
        for name in self.plan.sets:
            series = self.series(name)
            bonds = {key: {n: one.bonds().error for n, one in models.items()}
                     for key, models in series.items()}  # fmt: skip
            maps = {key: {n: one.map() for n, one in models.items()} for key, models in series.items()}
            drawings.append((f"scaling_{name}", lambda bonds=bonds: plot_bond_scaling(bonds)))
            drawings.append((f"entropy_{name}", lambda maps=maps: plot_entropy_scaling(maps)))
        for name, draw in drawings:
            try:
                figure = draw()
            except E3DError:
                continue
            paths.append(self.study / f"{name}.png")
            save_figure(figure, paths[-1])
        for name in self.plan.sets:
            paths.append(self.study / f"report_{name}.html")
            write_series_report(self.series(name), paths[-1], f"Scaling study: {name}")
        return paths

    def series(self, name: str) -> dict[str, dict[int, AnalysisFolder]]:
        """Folders of the analysis of a set, by series and number of training structures."""
        several = len({row.seed for row in self.plan.rows}) > 1
        series: dict[str, dict[int, AnalysisFolder]] = {}
        for row in self.done:
            key = f"t{row.tensor}" + (f" seed {row.seed}" if several else "")
            series.setdefault(key, {})[row.frames] = AnalysisFolder(row_folder(self.study, row) / name)
        return series

    def _errors(self) -> dict[str, Any]:
        """Errors of energy and force of the molecules, of barriers and reaction energies of the reactions."""
        both: dict[str, Any] = {}
        reactions = self.series("reactions") if "reactions" in self.plan.sets else {}
        for key, models in self.series("molecules").items():
            for n, folder in models.items():
                one = folder.model_errors()
                other = reactions[key][n].model_errors() if reactions else one
                both.setdefault(key, {})[n] = ModelErrors(
                    one.energy, one.force, other.barrier, other.reaction_energy
                )
        return both

    def _is_shown(self, name: str, key: str) -> bool:
        return "BDE" in key or key in _OF[name]

    def _labels(self, name: str) -> Sequence[str]:
        """Pairs of a set, the commonest first."""
        for numbers in self.done.values():
            return list(numbers[name]["H_2D_nats"])
        return []


def _number(numbers: dict[str, Any], place: Sequence[str]) -> float:
    value: Any = numbers
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    return math.nan if value is None else float(value)
