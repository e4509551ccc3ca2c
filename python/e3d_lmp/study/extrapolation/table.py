"""The table of a study of extrapolation and its figures, from the rows that are done."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.figures import extrapolation as figures
from e3d_lmp.figures import save_figure
from e3d_lmp.study.extrapolation.errors import ErrorMatrices, error_matrices
from e3d_lmp.study.extrapolation.plan import ExtrapolationPlan, MemberRow
from e3d_lmp.study.extrapolation.results import (
    MapMatrices,
    NoveltyMatrix,
    between,
    judgements,
    map_matrices,
    matrix,
    novelty_matrix,
)
from e3d_lmp.study.extrapolation.surroundings import SurroundingsFound, surroundings
from e3d_lmp.study.row import done_rows, row_folder
from e3d_lmp.tables import Column, format_table, without_nan, write_csv, write_json_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT = "e3d-extrapolation/1"
MEV = 1000.0


class ExtrapolationTable:
    """The rows of a study that are done.

    Parameters
    ----------
    plan
        The study.
    study
        Its folder.

    Attributes
    ----------
    done, stale
        Numbers of the rows that are done, and names of those that are done from other inputs.
    remarks
        What could not be computed or drawn, and why.
    """

    def __init__(self, plan: ExtrapolationPlan, study: Path):
        self.plan, self.study = plan, study
        self.done: dict[MemberRow, dict[str, Any]]
        self.done, self.stale = done_rows(plan, study)
        self.members = [one.name for one in plan.members]
        self.asked = self.members + [one.name for one in plan.beyond]
        self.remarks: list[str] = []

    def columns(self) -> list[Column]:
        """Columns of ``extrapolation.csv``."""
        columns = [
            Column("trained_on", "trained on"),
            Column("seed", "seed"),
            Column("asked_for", "asked for"),
        ]
        columns += [Column(name, name) for name in ("steps", "minutes", "frames")]
        columns += [
            Column("E_mae_meV_per_atom", "E", "meV/atom", ".2f"),
            Column("E_shift_meV_per_atom", "shift", "meV/atom", ".2f"),
            Column("F_mae_meV_per_A", "F", "meV/A", ".1f"),
        ]
        if self.plan.between:
            columns += [
                Column("E_inside_mae_meV_per_atom", "E inside", "meV/atom", ".2f"),
                Column("E_inter_mae_meV_per_molecule", "E_inter", "meV/molecule", ".1f"),
                Column("E_inter_edges_mae_meV_per_molecule", "edges", "meV/molecule", ".1f"),
                Column("E_inter_constant_mae_meV_per_molecule", "constant", "meV/molecule", ".1f"),
                Column("E_inter_hidden_meV_per_molecule", "hidden", "meV/molecule", ".1f"),
            ]
        return columns

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary per model and member that it was asked for, nan for what there is not."""
        rows = []
        for row, numbers in self.done.items():
            one = {row: numbers}
            every = judgements(one, self.asked)
            inside = judgements(one, self.asked, inside=True) if self.plan.between else {}
            for name in self.asked:
                (judged,) = every[row.member, name]
                values: dict[str, Any] = {"trained_on": row.member, "seed": row.seed, "asked_for": name}
                values |= {key: numbers["training"][key] for key in ("steps", "minutes")}
                values["frames"] = len(judged.atoms)
                values["E_mae_meV_per_atom"] = MEV * judged.energy_error
                values["E_shift_meV_per_atom"] = MEV * judged.shift
                values["F_mae_meV_per_A"] = MEV * judged.force_error
                if self.plan.between:
                    found = between(one, row.member, name)
                    assert found is not None
                    per_molecule = MEV / found.molecules
                    (own,) = inside[row.member, name]
                    values["E_inside_mae_meV_per_atom"] = MEV * own.energy_error
                    values["E_inter_mae_meV_per_molecule"] = MEV * found.error("model")
                    values["E_inter_edges_mae_meV_per_molecule"] = MEV * found.error("edges")
                    values["E_inter_constant_mae_meV_per_molecule"] = MEV * found.trivial_error()
                    values["E_inter_hidden_meV_per_molecule"] = float((found.hidden * per_molecule).mean())
                rows.append(values)
        return rows

    @cached_property
    def errors(self) -> ErrorMatrices:
        """Of the frames; `E3DError` where too few rows are done."""
        return self._errors(inside=False)

    @cached_property
    def inside(self) -> ErrorMatrices:
        """Of the molecules by themselves; `E3DError` where they are not judged."""
        if not self.plan.between:
            raise E3DError("molecules have no energies of their own, as the study says")
        return self._errors(inside=True)

    def _errors(self, inside: bool) -> ErrorMatrices:
        frames = self.plan.frames()
        composition = {name: frames[name].composition for name in self.members}
        return error_matrices(judgements(self.done, self.members, inside), composition, self.plan.excluded)

    @cached_property
    def maps(self) -> MapMatrices:
        """How D-A maps change with what was trained on."""
        return map_matrices(self.study, self.done, self.members)

    @cached_property
    def novelty(self) -> NoveltyMatrix:
        """Bonds that are new to each model; `E3DError` where too few rows are done."""
        return novelty_matrix(self.study, self.done, self.errors)

    @cached_property
    def surroundings(self) -> SurroundingsFound:
        """What SOAP vectors say; `E3DError` where they are left out or a package is not installed."""
        return surroundings(self.plan, self.study)

    def inter_errors(self, of: str) -> np.ndarray:
        """(n, n) eV per molecule, errors of E_inter: of ``model``, ``edges``, or ``constant``."""

        def error(one: str, other: str) -> float:
            found = between(self.done, one, other)
            if found is None:
                return math.nan
            return found.trivial_error() if of == "constant" else found.error(of)

        return matrix(self.members, self.members, error)

    def text(self) -> str:
        """Errors of all pairs for a terminal, means over seeds."""
        judged = judgements(self.done, self.asked)
        tables = []
        for what, factor, text_format in (
            ("energy_error", MEV, ".2f"), ("force_error", MEV, ".1f"),
        ):  # fmt: skip
            head = "E, meV/atom" if what == "energy_error" else "F, meV/A"
            columns = [Column("trained", head)] + [Column(name, name, "", text_format) for name in self.asked]
            rows = []
            for name in self.members:
                values = {
                    other: factor * float(np.mean([getattr(one, what) for one in judged[name, other]]))
                    for other in self.asked
                    if (name, other) in judged
                }
                if values:
                    rows.append({"trained": f"trained on {name}", **values})
            tables.append(format_table(columns, rows))
        return "\n\n".join([*tables, *self.remarks])

    def write(self) -> list[Path]:
        """Write ``extrapolation.csv`` and ``extrapolation.json``."""
        paths = [self.study / "extrapolation.csv", self.study / "extrapolation.json"]
        rows = self.rows()
        write_csv(self.columns(), rows, paths[0])
        about = {
            "format": FORMAT,
            "level": self.plan.level,
            "members": self.members,
            "rows_planned": len(self.plan.rows),
            "rows_done": len(self.done),
            "matrices": self._matrices(),
        }
        write_json_rows(about, "rows", rows, paths[1])
        return paths

    def _matrices(self) -> dict[str, Any]:
        """What is computed from all rows; null where it cannot be, once they are all done."""
        if len(self.done) < len(self.plan.rows):
            return {}
        parts: dict[str, Callable[[], Any]] = {
            "frames": lambda: _as_dict(self.errors),
            "inside": lambda: _as_dict(self.inside),
            "between_eV_per_molecule": lambda: {
                name: self.inter_errors(name) for name in ("model", "edges", "constant")
            },
            "maps": lambda: vars(self.maps),
            "novelty": lambda: vars(self.novelty),
            "surroundings": lambda: self.surroundings.as_dict(),
        }
        return {name: without_nan(self._attempt(name, part)) for name, part in parts.items()}

    def _attempt(self, name: str, part: Callable[[], Any]) -> Any:
        """A part, or None and a remark."""
        try:
            return part()
        except E3DError as error:
            remark = f"left out: {name}: {error}"
            if remark not in self.remarks:
                self.remarks.append(remark)
            return None

    def is_drawn(self) -> bool:
        """Whether the first figure is newer than all rows."""
        first = self.study / "errors.png"
        rows = [row_folder(self.study, row) / "row.json" for row in self.done]
        return first.exists() and all(first.stat().st_mtime_ns > path.stat().st_mtime_ns for path in rows)

    def draw(self) -> list[Path]:
        """Write all figures; those that cannot be drawn are left out, with a remark."""
        paths = []
        for name, plot in self._plots().items():
            figure = self._attempt(f"{name}.png", plot)
            if figure is not None:
                paths.append(self.study / f"{name}.png")
                save_figure(figure, paths[-1])
        return paths

    def _plots(self) -> dict[str, Callable[[], Figure]]:
        """Figures by the names of their files."""
        plots: dict[str, Callable[[], Figure]] = {
            "errors": lambda: self._plot_errors(self.errors),
            "shift": lambda: self._plot_shift(self.errors),
        }
        if self.plan.between:
            plots["intramolecular"] = lambda: self._plot_errors(self.inside)
            plots["intramolecular_shift"] = lambda: self._plot_shift(self.inside)
            plots["between"] = self._plot_between
            plots["between_errors"] = self._plot_between_errors
        plots["maps"] = self._plot_maps
        plots["novelty"] = lambda: figures.plot_novelty(
            self.members, self.novelty.share, self.errors.force, self.novelty.spearman
        )
        if self.plan.surroundings is not None:
            plots["environments"] = lambda: figures.plot_environments(
                {n: (m.member, m.covariates, m.principal) for n, m in self.surroundings.maps.items()}
            )
            if self.plan.between:
                plots["ridge"] = self._plot_ridge
        if self.plan.beyond:
            plots["reach"] = self._plot_reach
        return plots

    def _plot_errors(self, found: ErrorMatrices) -> Figure:
        panels = {"energy": (MEV * found.energy, "MAE (meV per atom)")}
        if np.isfinite(found.force).any():
            panels["force"] = (MEV * found.force, "MAE (meV/Å)")
        panels["energy, shift taken off"] = (MEV * found.corrected, "MAE (meV per atom)")
        return figures.plot_matrices(self.members, panels)

    def _plot_shift(self, found: ErrorMatrices) -> Figure:
        line = found.line
        fitted = [name not in found.excluded for name in self.members]
        return figures.plot_shift(
            self.members, found.differences, found.shift, fitted, line.slope, line.intercept, line.pearson
        )

    def _plot_between(self) -> Figure:
        """Of the models of the largest member."""
        energies = {}
        for name in self.members:
            found = between(self.done, self.members[-1], name)
            if found is None:
                raise E3DError(f"no model of {self.members[-1]} is done")
            energies[name] = tuple(x / found.molecules for x in (found.label, found.model, found.edges))
        return figures.plot_between(energies)

    def _plot_between_errors(self) -> Figure:
        panels = {
            "the model's $E_{inter}$": "model",
            "edges between molecules": "edges",
            "constant": "constant",
        }
        unit = "MAE (meV per molecule)"
        return figures.plot_matrices(
            self.members, {title: (MEV * self.inter_errors(of), unit) for title, of in panels.items()}
        )

    def _plot_maps(self) -> Figure:
        """Of the frames of the largest member."""
        last = {name: table[:, -1] for name, table in self.maps.entropy.items()}
        distance = {name: table[:, -1] for name, table in self.maps.to_last.items()}
        return figures.plot_maps(self.members, last, distance, self.errors.force[:, -1])

    def _plot_ridge(self) -> Figure:
        unit = "MAE (meV per molecule)"
        return figures.plot_matrices(
            self.members,
            {f"{kind} SOAP": (MEV * one.error, unit) for kind, one in self.surroundings.ridge.items()},
        )

    def _plot_reach(self) -> Figure:
        judged = judgements(self.done, self.asked)

        def column(melt: str, what: str) -> np.ndarray:
            values = [[getattr(x, what) for x in judged.get((name, melt), [])] for name in self.members]
            return np.array([float(np.mean(one)) if one else math.nan for one in values])

        errors = {
            one.name: (column(one.name, "energy_error"), column(one.name, "force_error"))
            for one in self.plan.beyond
        }
        return figures.plot_reach(self.members, errors)


def _as_dict(found: ErrorMatrices) -> dict[str, Any]:
    numbers = {
        name: getattr(found, name) for name in found.__dataclass_fields__ if name not in ("line", "lines")
    }
    return numbers | {
        "line": vars(found.line),
        "lines": {str(n): vars(one) for n, one in found.lines.items()},
    }
