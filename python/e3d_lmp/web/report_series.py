"""Sections of ``e3d report`` about a scaling series: models that differ in their training structures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from e3d_lmp.analysis.folders import AnalysisFolder, sample_names
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.edges.structures import ENDS
from e3d_lmp.errors import E3DError
from e3d_lmp.figures import plot_bond_scaling, plot_entropy_scaling, plot_error_scaling, plot_map_grid
from e3d_lmp.figures.of_folder import bars_figure
from e3d_lmp.web.report_html import Section, Table, picture
from e3d_lmp.web.report_sections import FolderReport, number, provenance_section

Series = Mapping[str, Mapping[int, AnalysisFolder]]


def series_sections(series: Series) -> tuple[list[Section], list[str]]:
    """The sections of the page, and its warnings; what no folder has is left out and said.

    Raises
    ------
    E3DError
        If no folder has anything to compare, or a file is damaged.
    """
    names = sample_names(series)
    reports = {name: FolderReport(folder) for name, folder in names.items()}
    warnings = _common_warnings(reports)
    sections = [_models(names), _errors(series), _bonds(series)]
    sections += [_entropies(series, warnings), _maps(names, warnings), _states(series, warnings)]
    if all(section.is_empty for section in sections[1:]):
        some = next(iter(names.values())).path
        raise E3DError(f"nothing to compare in {some} and the others; type: e3d analyze SOURCE -o {some}")
    missing = Section("missing", "What is not here")
    rows = [[section.title, _NEEDS[section.anchor]] for section in sections if section.is_empty]
    if rows:
        missing.tables.append(Table([("figure", ""), ("needs, in each folder", "")], rows))
    return [*sections, _provenance(reports), missing], warnings


_NEEDS = {
    "errors": "errors.json: e3d evaluate MODEL STRUCTURES --forces -o edges.h5; e3d analyze edges.h5 -o DIR",
    "bond-types": "bonds.json: e3d analyze SOURCE -o DIR",
    "entropies": "map.e3d in two folders or more: e3d analyze SOURCE -o DIR",
    "maps": "map.e3d: e3d analyze SOURCE -o DIR",
    "states": "map.reactant.e3d and so on: e3d evaluate MODEL REACTIONS.h5 -o edges.h5; e3d analyze edges.h5 "
    "-o DIR",
}


def _common_warnings(reports: Mapping[str, FolderReport]) -> list[str]:
    """The warnings of all models; one that several have is said once, with their names."""
    found: dict[str, list[str]] = {}
    for name, report in reports.items():
        for text in report.check():
            found.setdefault(text, []).append(name)
    return [
        f"{'All models' if len(names) == len(reports) else '; '.join(names)}: {text}"
        for text, names in found.items()
    ]


def _models(names: Mapping[str, AnalysisFolder]) -> Section:
    heads = [("model", ""), ("folder", ""), ("energy MAE", "meV/atom"), ("force MAE", "meV/Å")]
    heads += [("barrier MAE", "eV"), ("ΔE MAE", "eV"), ("Δ_BDE", "eV"), ("3σ_BDE", "eV"), ("pairs", "")]
    rows = []
    for name, folder in names.items():
        values = [math.nan] * 6
        if folder.has("errors.json"):
            one = folder.model_errors()
            values[:4] = [1000.0 * one.energy, 1000.0 * one.force, one.barrier, one.reaction_energy]
        if folder.has("bonds.json"):
            error = folder.bonds().error
            values[4:] = [error.mean_over_types, 3.0 * error.sigma_pooled]
        pairs = "–"
        if folder.has("map.e3d"):
            pairs = number(sum(part.count for part in folder.map().labels.values()))
        cells = [
            number(value, form) for value, form in zip(values, (".1f", ".1f", *[".3f"] * 4), strict=True)
        ]
        rows.append([name, str(folder.path), *cells, pairs])
    return Section("models", "Models", tables=[Table(heads, rows)])


def _having(series: Series, file: str) -> dict[str, dict[int, AnalysisFolder]]:
    """The folders of each series that have a file; series without any left out."""
    found = {
        name: {n: folder for n, folder in models.items() if folder.has(file)}
        for name, models in series.items()
    }
    return {name: models for name, models in found.items() if models}


def _errors(series: Series) -> Section:
    section = Section("errors", "Errors against training structures")
    errors = {
        name: {n: folder.model_errors() for n, folder in models.items()}
        for name, models in _having(series, "errors.json").items()
    }
    if errors:
        caption = "Mean absolute errors; a straight line is a power law."
        _draw(section, lambda: plot_error_scaling(errors), caption, "Errors against training structures")
    return section


def _bonds(series: Series) -> Section:
    section = Section("bond-types", "Bond energies against training structures")
    errors = {
        name: {n: folder.bonds().error for n, folder in models.items()}
        for name, models in _having(series, "bonds.json").items()
    }
    if any(one.bonds for models in errors.values() for one in models.values()):
        caption = (
            "Δ_BDE as the mean over bond types, 3σ_BDE, and the mean error of all bonds with its 3σ band."
        )
        _draw(section, lambda: plot_bond_scaling(errors), caption, "Bond energy errors")
    return section


def _entropies(series: Series, warnings: list[str]) -> Section:
    section = Section("entropies", "Entropies against training structures")
    maps = {
        name: {n: folder.map() for n, folder in models.items()}
        for name, models in _having(series, "map.e3d").items()
    }
    if not maps or max(map(len, maps.values())) < 2:
        return section
    caption = "H_2D less that of the largest model: plug-in, and corrected at an equal number of pairs."
    _draw(section, lambda: plot_entropy_scaling(maps), caption, "Entropies", warnings)
    names = {
        (f"{series_name}, " if series_name else "") + f"N = {n:,}": one
        for series_name, models in maps.items()
        for n, one in models.items()
    }
    section.tables.append(_entropy_table(names))
    return section


def _entropy_table(maps: Mapping[str, EnergyMap]) -> Table:
    total: dict[str, int] = {}
    for one in maps.values():
        for label in one.by_count():
            total[label] = total.get(label, 0) + one.labels[label].count
    order = sorted(total, key=lambda label: (-total[label], label))
    rows = [
        [
            label,
            *(
                number(one.labels[label].entropy_nats) if _counts(one, label) else "–"
                for one in maps.values()
            ),
        ]
        for label in order
    ]
    return Table([("pair", ""), *((name, "nats") for name in maps)], rows, "Plug-in H_2D.")


def _counts(one: EnergyMap, label: str) -> bool:
    return label in one.labels and one.labels[label].count > 0


def _maps(names: Mapping[str, AnalysisFolder], warnings: list[str]) -> Section:
    section = Section("maps", "D–A maps by training structures")
    maps = [(name, folder.map()) for name, folder in names.items() if folder.has("map.e3d")]
    if maps:
        caption = "A row for each pair, a column for each model, on the same axes; H is the plug-in H_2D."
        _draw(section, lambda: plot_map_grid(maps), caption, "Grid of D–A maps", warnings, "png")
    return section


def _states(series: Series, warnings: list[str]) -> Section:
    section = Section("states", "Reactants, transition states and products")
    for name, models in _having(series, f"map.{ENDS[0]}.e3d").items():
        if len(models) < 2:
            continue
        folders = sample_names({name: models})
        reference = models[max(models)]
        caption = (
            f"{name + ': ' if name else ''}change of H_2D from the model of {max(models):,} structures to "
            "those of fewer; black: corrected, at an equal number of pairs."
        )
        draw = _bars(bars_figure, folders, reference)
        _draw(section, draw, caption, "Bars of the change of the entropy", warnings)
    return section


def _bars(
    bars_figure: Callable[..., Any], folders: Mapping[str, AnalysisFolder], reference: AnalysisFolder
) -> Callable[[], Any]:
    return lambda: bars_figure(folders, reference)


def _provenance(reports: Mapping[str, FolderReport]) -> Section:
    """What all models share, and what differs with the model's name in front."""
    shared: dict[str, str] = {}
    keys = list(dict.fromkeys(key for report in reports.values() for key in report.provenance))
    for key in keys:
        values = {name: report.provenance.get(key, "–") for name, report in reports.items()}
        if len(set(values.values())) == 1:
            shared[key] = next(iter(values.values()))
        else:
            shared |= {f"{key}, {name}": text for name, text in values.items()}
    return provenance_section(shared)


def _draw(
    section: Section,
    make: Callable[[], Any],
    caption: str,
    alt: str,
    warnings: list[str] | None = None,
    kind: str = "svg",
) -> None:
    """Add a picture; with a list of warnings, a reason why there is none is added to it instead of raised."""
    try:
        section.pictures.append(picture(make(), caption, alt, kind))
    except E3DError as error:
        if warnings is None:
            raise
        warnings.append(f"No picture in '{section.title}': {error}.")
