"""Sections of ``e3d report`` about one folder of results; each leaves out what the folder does not have."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from e3d_lmp.analysis.events import event_columns, event_table, read_events
from e3d_lmp.analysis.folders import MADE_BY, AnalysisFolder
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.analysis.species import SUMMARY, read_species, species_table
from e3d_lmp.edges.structures import ENDS
from e3d_lmp.errors import E3DError
from e3d_lmp.figures import plot_events, plot_maps, plot_ridgelines, plot_species
from e3d_lmp.figures.of_folder import bars_figure, parity_figure
from e3d_lmp.tables import Column, Row
from e3d_lmp.version import __version__
from e3d_lmp.web.report_html import Section, Table, picture

FEW_SAMPLES = 10
"""Samples below which the report says that they are few."""

FEW_PAIRS = 100
"""Pairs of a label, likewise."""

FEW_BONDS = 10
"""Bonds of a type, likewise."""

BIAS_NATS = 0.1
"""Miller-Madow correction of H_2D from which on the report says that the plug-in entropy is too low."""

WORST = 15
"""Structures and reactions that the report lists, those with the largest errors."""

REFERENCE_CAVEAT = (
    "Reference bond energies are enthalpies at 298 K, averaged over molecules. −D is a part of an electronic "
    "energy, without zero-point and thermal parts: expect −D above the reference by 0.1 to 0.3 eV for bonds "
    "to hydrogen and by less for others."
)

_UNITS = {
    "_eV_per_atom": "eV/atom",
    "_eV_per_A": "eV/Å",
    "_kcal_mol": "kcal/mol",
    "_eV": "eV",
    "_nats": "nats",
    "_bits": "bits",
}

_PROVENANCE_FIRST = ("model", "model_sha256", "decomposition", "training_data", "structures", "dumps", "e3d")


def number(value: float | int, text_format: str = ".4f") -> str:
    """A number as a cell: whole ones with separators, – for nan."""
    if isinstance(value, (int, np.integer)):
        return f"{value:,}".replace("-", "−")
    return "–" if math.isnan(value) else format(value, text_format).replace("-", "−")


def head(name: str) -> tuple[str, str]:
    """Name and unit of a column of a .csv file: ``mean_D_eV`` is ``mean D`` in eV."""
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return name.removesuffix(ending).replace("_", " "), unit
    return name.replace("_", " "), ""


def csv_table(
    columns: Mapping[str, Sequence[str]], rows: Sequence[int] | None = None, caption: str = ""
) -> Table:
    """Columns of a .csv file as a table, or some of its rows."""
    count = len(next(iter(columns.values()), ()))
    order = range(count) if rows is None else rows
    return Table(
        [head(name) for name in columns],
        [[_cell(columns[name][k]) for name in columns] for k in order],
        caption,
    )


def rows_table(columns: Sequence[Column], rows: Sequence[Row], caption: str = "") -> Table:
    """Rows of `e3d_lmp.tables` as a table."""
    cells = [
        [value if isinstance(value, str) else number(value, column.format or ".4g") for column, value in cell]
        for cell in ([(column, row[column.name]) for column in columns] for row in rows)
    ]
    return Table([(column.head, column.unit) for column in columns], cells, caption)


def _cell(text: str) -> str:
    if not text:
        return "–"
    try:
        return number(int(text))
    except ValueError:
        pass
    try:
        return number(float(text))
    except ValueError:
        return text


class FolderReport:
    """The sections of a folder, and what a reader must be warned of.

    Parameters
    ----------
    folder
        The folder.

    Attributes
    ----------
    warnings    found by the sections made so far
    """

    def __init__(self, folder: AnalysisFolder):
        self.folder = folder
        self.warnings: list[str] = []
        self.provenance: dict[str, str] = {}
        self._map: EnergyMap | None = None
        if folder.has("map.e3d") or folder.has("insitu.e3d"):
            self._map = folder.map()
            self.provenance |= self._map.provenance
        self._bonds = folder.bonds() if folder.has("bonds.json") else None
        if self._bonds is not None:
            self.provenance |= self._bonds.provenance
        self._errors = folder.errors() if folder.has("errors.json") else None
        if self._errors is not None:
            about = self._errors.get("provenance") or {}
            self.provenance |= {str(key): str(text) for key, text in about.items()}

    @property
    def summary(self) -> str:
        """One line: what was analysed."""
        words = [str(self.folder.path)]
        if self._map is not None:
            one = self._map
            words += [
                f"{one.samples:,} samples",
                f"bond cutoff {one.cutoff}",
                f"bins of {one.width:g} {one.unit}",
            ]
        if "model" in self.provenance:
            words += [f"model {self.provenance['model']}"]
        return " · ".join(words)

    def sections(self) -> list[Section]:
        """All sections, in the order of the page."""
        makers = (self.errors, self.bonds, self.pairs, self.reactions, self.events, self.species)
        return [*(make() for make in makers), self.about(), self.missing()]

    def check(self) -> list[str]:
        """What a reader must know of the sample and the model, beside what the sections find."""
        found = []
        kind = self.provenance.get("decomposition", "")
        if kind == "rescaled":
            found.append(
                "The model's decomposition is 'rescaled': its edge energies are a partition of the energy, "
                "not bond energies. To compare D with references, train with shifts 0 and scales 1 on "
                "cohesive energies."
            )
        elif not kind:
            found.append(
                "The files do not say whether the model's edge energies are bond energies ('cohesive'); "
                "'e3d inspect MODEL' does."
            )
        if "unpaired" in self.provenance:
            found.append(f"{self.provenance['unpaired']}.")
        if self._map is not None:
            found += _few(self._map)
        if self._bonds is not None:
            found += self._check_bonds()
        return found

    def _check_bonds(self) -> list[str]:
        assert self._bonds is not None
        found = []
        energies, error = self._bonds.energies, self._bonds.error
        if error.left_out:
            some = ", ".join(f"{name} ({count:,})" for name, count in error.left_out.items())
            found.append(f"Bond types without a reference energy, left out of Δ and σ: {some}.")
        counts = zip(energies.types, energies.count, strict=True)
        few = [name for name, count in counts if 0 < count < FEW_BONDS]
        if few:
            found.append(f"Fewer than {FEW_BONDS} bonds, so no distribution to trust: {', '.join(few)}.")
        if error.bonds:
            found.append(REFERENCE_CAVEAT)
        return found

    def errors(self) -> Section:
        """Errors of energies, forces, barriers and reaction energies."""
        section = Section("errors", "Errors against reference energies")
        if self._errors is not None:
            section.tables.append(_error_table(self._errors))
        tables = [name for name in ("structures.csv", "reactions.csv") if self.folder.has(name)]
        if tables:
            self._draw(
                section,
                lambda: parity_figure(self.folder),
                "Model against reference; on the grey line they agree.",
                "Parity plots",
            )
        if self.folder.has("structures.csv"):
            columns = self.folder.table("structures.csv")
            atoms, energy, reference = self.folder.numbers(
                "structures.csv", "atoms", "energy_eV", "reference_eV"
            )
            worst = _worst((energy - reference) / atoms)
            caption = f"The {len(worst)} of {atoms.size:,} structures with the largest error per atom."
            if worst:
                section.tables.append(csv_table(columns, worst, caption))
        return section

    def bonds(self) -> Section:
        """Bond types: ridgelines, Delta and sigma, the table."""
        section = Section("bond-types", "Bond energies by type")
        if self._bonds is None:
            return section
        bonds, error = self._bonds, self._bonds.error
        self._draw(
            section,
            lambda: plot_ridgelines(bonds.energies, bonds.references),
            "D by bond type, each ridge as high as every other; stars are reference energies. At the right, "
            "the error of all bonds together, with 1σ and 3σ.",
            "Ridgelines of D by bond type",
        )
        sums = bonds.sums
        # A source of bonds alone has no other edges to compare with.
        if sums is not None and sums.edges and abs(sums.bonded / sums.edges - 1.0) > 1e-6:
            section.notes.append(
                f"ΣD over the bonds is {sums.bonded / sums.edges:.1%} of the energy of all edges of the "
                f"source, which go up to {sums.longest:.2f} Å."
            )
        if error.bonds:
            values: list[tuple[str, float]] = [
                ("Δ_BDE: mean over types of |mean(−D) − reference|", error.mean_over_types),
                ("pooled signed: mean of −D − reference", error.pooled_signed),
                ("pooled absolute: mean of |−D − reference|", error.pooled_absolute),
                ("σ_BDE pooled, 1σ", error.sigma_pooled),
                ("σ_BDE pooled, 3σ", 3.0 * error.sigma_pooled),
                ("σ_BDE within types, 1σ", error.sigma_within),
                ("σ_BDE within types, 3σ", 3.0 * error.sigma_within),
            ]
            caption = f"{error.bonds:,} bonds of {error.types} types with a reference."
            cells = [[name, number(value)] for name, value in values]
            section.tables.append(Table([("number", ""), ("value", "eV")], cells, caption))
        if self.folder.has("bonds.csv"):
            section.tables.append(csv_table(self.folder.table("bonds.csv")))
        return section

    def pairs(self) -> Section:
        """Pairs of elements: maps and their table."""
        section = Section("pairs", "Pairs of elements: D–A maps and entropies")
        if self._map is not None and self._map.by_count():
            one = self._map
            self._draw(
                section,
                lambda: plot_maps(one),
                "D to the right, A upwards, on the same axes for all pairs; darker is more. H is the plug-in "
                "entropy H_2D.",
                "D–A maps",
                "png",
            )
        if self.folder.has("pairs.csv"):
            section.tables.append(csv_table(self.folder.table("pairs.csv")))
        return section

    def reactions(self) -> Section:
        """Reactions: change of the entropy by state, and the worst barriers."""
        section = Section("reactions", "Reactions")
        states = [end for end in ENDS if self.folder.has(f"map.{end}.e3d")]
        if len(states) > 1 and ENDS[0] in states:
            self._draw(
                section,
                lambda: bars_figure({"": self.folder}, None),
                "Change of H_2D from the reactants; where the black line is far from its bar, the sample is "
                "too small for the bar.",
                "Bars of the change of the entropy",
            )
        if self.folder.has("roles.csv"):
            section.tables.append(csv_table(self.folder.table("roles.csv"), caption="Entropies by state."))
        if self.folder.has("reactions.csv"):
            columns = self.folder.table("reactions.csv")
            names = ("barrier_eV", "reference_barrier_eV")
            if set(names) <= set(columns):
                model, reference = self.folder.numbers("reactions.csv", *names)
                worst = _worst(model - reference)
                caption = (
                    f"The {len(worst)} of {model.size:,} reactions with the largest error of the barrier."
                )
                if worst:
                    section.tables.append(csv_table(columns, worst, caption))
        return section

    def events(self) -> Section:
        """Bonds that formed and broke."""
        section = Section("events", "Bonds formed and broken")
        if not self.folder.has("bonds.txt"):
            return section
        events = read_events(self.folder.path / "bonds.txt")
        section.notes.append(f"{len(events):,} events, criterion {events.criterion}, cutoff {events.cutoff}.")
        if events.is_cut_off:
            self.warnings.append("The last line of bonds.txt is cut off and left out.")
        if len(events):
            self._draw(
                section,
                lambda: plot_events(events),
                "Bonds formed less bonds broken since the first sample.",
                "Bond events against time",
            )
            section.tables.append(rows_table(event_columns(events.unit), event_table(events)))
        return section

    def species(self) -> Section:
        """Molecules against time."""
        section = Section("species", "Molecules")
        if not self.folder.has("species.txt"):
            return section
        species = read_species(self.folder.path / "species.txt")
        if species.is_cut_off:
            self.warnings.append("The last line of species.txt is cut off and left out.")
        if species.formulas:
            self._draw(
                section, lambda: plot_species(species), "Molecules against time.", "Molecules against time"
            )
            section.tables.append(rows_table(SUMMARY, species_table(species, WORST)))
        return section

    def about(self) -> Section:
        """Where the numbers come from."""
        return provenance_section(self.provenance)

    def missing(self) -> Section:
        """What is not in the folder, and what makes it."""
        section = Section("missing", "What is not here")
        rows = []
        for name, command in MADE_BY.items():
            if not (self.folder.has(name) or (name == "map.e3d" and self.folder.has("insitu.e3d"))):
                rows.append([name, _WHAT[name], command.format(self.folder.path)])
        if rows:
            section.tables.append(Table([("file", ""), ("holds", ""), ("made by", "")], rows))
        return section

    def _draw(
        self, section: Section, make: Callable[[], Any], caption: str, alt: str, kind: str = "svg"
    ) -> None:
        """Add a picture, or a warning that says why there is none."""
        try:
            section.pictures.append(picture(make(), caption, alt, kind))
        except E3DError as error:
            self.warnings.append(f"No picture in '{section.title}': {error}.")


_WHAT = {
    "map.e3d": "D–A maps of all structures",
    "pairs.csv": "table of pairs of elements",
    "bonds.json": "bond types, their energies and references",
    "errors.json": "errors of energies, forces, barriers",
    "structures.csv": "energy of each structure and its reference",
    "reactions.csv": "barrier and reaction energy of each reaction",
    "map.reactant.e3d": "D–A maps of reactants",
    "map.transition_state.e3d": "D–A maps of transition states",
    "map.product.e3d": "D–A maps of products",
    "bonds.txt": "bonds that formed and broke in a run",
    "species.txt": "molecules of a run against time",
}


def provenance_section(provenance: Mapping[str, str]) -> Section:
    """A table of where numbers come from, with the versions that wrote the page."""
    import matplotlib

    section = Section("provenance", "Provenance")
    first = {key: k for k, key in enumerate(_PROVENANCE_FIRST)}
    base = {key: key.split(", ")[0] for key in provenance}  # "model, N = 920" in a series, in the order of N
    order = sorted(provenance, key=lambda key: (first.get(base[key], len(first)), base[key]))
    rows = [[key.replace("_", " "), _readable(provenance[key])] for key in order]
    versions = f"e3d {__version__}, Python {platform.python_version()}, NumPy {np.__version__}, "
    rows.append(["this page written by", versions + f"matplotlib {matplotlib.__version__}"])
    section.tables.append(Table([("what", ""), ("", "")], rows))
    return section


def _readable(text: str) -> str:
    """A request of a store, which is JSON, as words; other text as it is."""
    try:
        whole = json.loads(text)
    except ValueError:
        return text
    if not isinstance(whole, dict):
        return text
    return ", ".join(f"{key}: {_words(value)}" for key, value in whole.items())


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _few(one: EnergyMap) -> list[str]:
    """Warnings about small samples of a map."""
    found = []
    if one.samples < FEW_SAMPLES:
        found.append(f"Only {one.samples} samples: means and entropies may change much with more.")
    few = [name for name in one.by_count() if one.labels[name].count < FEW_PAIRS]
    if few:
        found.append(f"Fewer than {FEW_PAIRS} pairs of {', '.join(few)}.")
    bias = {
        name: (one.labels[name].codes.size - 1) / (2.0 * one.labels[name].count) for name in one.by_count()
    }
    low = [f"{name} ({value:.1f})" for name, value in bias.items() if value > BIAS_NATS and name not in few]
    if low:
        found.append(
            "The plug-in H_2D is too low for samples of this size, by more than about this many nats "
            f"(Miller–Madow): {', '.join(low)}."
        )
    return found


def _worst(error: np.ndarray) -> list[int]:
    """Rows with the largest error in size, the largest first; those without one left out."""
    known = np.flatnonzero(np.isfinite(error))
    return known[np.argsort(-np.abs(error[known]), kind="stable")][:WORST].tolist()


def _error_table(errors: Mapping[str, Any]) -> Table:
    rows = []
    reactions = errors.get("reactions") or {}
    parts = (
        ("energy", errors.get("energy"), "eV/atom", "_eV_per_atom", "structures"),
        (
            "energy, shift per element fitted",
            errors.get("energy_shifted"),
            "eV/atom",
            "_eV_per_atom",
            "structures",
        ),
        ("force", errors.get("force"), "eV/Å", "_eV_per_A", "components"),
        ("barrier", reactions.get("barrier"), "eV", "_eV", ""),
        ("reaction energy", reactions.get("reaction_energy"), "eV", "_eV", ""),
    )
    for name, part, unit, ending, count in parts:
        if not isinstance(part, Mapping):
            continue
        total = part.get(count) if count else reactions.get("count") if ending == "_eV" else None
        values = [_value(part.get(f"{key}{ending}")) for key in ("mae", "rmse", "mean")]
        rows.append([name, "–" if total is None else number(int(total)), unit, *map(number, values)])
    heads = [("quantity", ""), ("count", ""), ("unit", ""), ("MAE", ""), ("RMSE", ""), ("mean error", "")]
    return Table(heads, rows)


def _value(value: Any) -> float:
    return math.nan if value is None else float(value)
