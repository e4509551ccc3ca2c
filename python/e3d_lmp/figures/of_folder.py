"""The figures of a folder of results: of ``e3d analyze``, ``e3d run``, and of several of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from e3d_lmp.analysis.accuracy import Errors
from e3d_lmp.analysis.analysis_tables import AnalysisTables
from e3d_lmp.analysis.folders import AnalysisFolder
from e3d_lmp.analysis.species import DEFAULT_SHOWN, Species
from e3d_lmp.errors import E3DError
from e3d_lmp.figures.bars import plot_entropy_bars
from e3d_lmp.figures.history import plot_species
from e3d_lmp.figures.maps import plot_maps
from e3d_lmp.figures.parity import Parity, plot_parity
from e3d_lmp.figures.ridgelines import plot_ridgelines
from e3d_lmp.figures.style import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawn:
    """What came of drawing the figures of a folder. A figure that cannot be drawn stops nothing.

    Attributes
    ----------
    paths     files written
    remarks   what the user must know of those that were not
    """

    paths: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def __add__(self, other: Drawn) -> Drawn:
        return Drawn(self.paths + other.paths, self.remarks + other.remarks)


def draw_tables(tables: AnalysisTables, folder: str | os.PathLike, pdf: bool = False) -> Drawn:
    """Draw ``maps.png`` and, where there are bonds of a type, ``ridgelines.png``.

    Parameters
    ----------
    tables
        What ``tables.write`` has written into the folder.
    pdf
        Write .pdf (vector graphics) as well.
    """
    result = tables.result
    title = f"{result.samples} frames, bond cutoff: {result.cutoff}"
    drawn = _save(lambda: plot_maps(result, tables.analysis.labels, title), Path(folder), "maps", pdf)
    bonds = tables.bonds
    if bonds is not None and bonds.count.any():
        drawn += _save(
            lambda: plot_ridgelines(bonds, tables.used_references), Path(folder), "ridgelines", pdf
        )
    return drawn


def draw_parity(errors: Errors, folder: str | os.PathLike, pdf: bool = False) -> Drawn:
    """Draw ``parity.png``, the model against the reference, from what `write_errors` has written into the
    folder; nothing where nothing is comparable."""
    if errors.energy is None and (errors.reactions is None or not errors.reactions.summary()["count"]):
        return Drawn()
    return _save(lambda: parity_figure(AnalysisFolder(Path(folder))), Path(folder), "parity", pdf)


def draw_species(species: Species, folder: str | os.PathLike) -> Drawn:
    """Draw ``species.png``, the commonest molecules of a run against time."""
    return _save(lambda: plot_species(species, DEFAULT_SHOWN), Path(folder), "species", False)


def _save(make: Callable[[], Figure], folder: Path, name: str, pdf: bool) -> Drawn:
    """Draw one figure; whatever goes wrong with it is a remark, because its tables are written already."""
    paths = [folder / f"{name}{ending}" for ending in (".png", ".pdf")[: 1 + pdf]]
    try:
        figure = make()
        for path in paths:
            save_figure(figure, path)
    except Exception as error:  # matplotlib raises whatever it likes, and may want more memory than there is
        reason = str(error) if isinstance(error, E3DError) else f"{type(error).__name__}: {error}"
        return Drawn([], [f"no picture {paths[0]}: {reason}"])
    return Drawn(paths)


def parity_figure(folder: AnalysisFolder, title: str | None = None) -> Figure:
    """Energies per atom, barriers and reaction energies of a folder, those that it has."""
    panels = []
    if folder.has("structures.csv") or not folder.has("reactions.csv"):
        atoms, energy, reference = folder.numbers("structures.csv", "atoms", "energy_eV", "reference_eV")
        panels.append(
            Parity("energy per atom", reference / atoms, energy / atoms, "eV/atom", "meV/atom", 1000.0)
        )
    if folder.has("reactions.csv"):
        for name, column in (("barrier $E_a$", "barrier_eV"), ("reaction energy Δ$E$", "reaction_energy_eV")):
            model, reference = folder.numbers("reactions.csv", column, f"reference_{column}")
            panels.append(Parity(name, reference, model))
    known = [panel for panel in panels if panel.error.size]
    if not known:
        raise E3DError(f"{folder.path}: no reference energies there; evaluate structures that have some")
    return plot_parity(known, title)


def bars_figure(
    folders: Mapping[str, AnalysisFolder],
    reference: AnalysisFolder | None,
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """The change of H_2D by state in some folders, against those of a reference folder, which is no panel of
    its own; against each folder's own reactants without one."""
    shown = {name: folder for name, folder in folders.items() if reference is None or folder != reference}
    samples = {
        name: {state.replace("_", " "): one for state, one in folder.states().items()}
        for name, folder in (shown or folders).items()
    }
    if reference is not None:
        references = {state.replace("_", " "): one for state, one in reference.states().items()}
        names = [name for name, folder in folders.items() if folder == reference]
        versus = names[0] if names else reference.path.name
        return plot_entropy_bars(samples, references, labels, title, versus)
    ((name, states),) = samples.items()
    if len(states) < 2 or "reactant" not in states:
        path = folders[name].path
        raise E3DError(f"{path}: only {', '.join(states)}: nothing to compare; say --reference DIR")
    own = {state: states["reactant"] for state in states}
    changed = {state: one for state, one in states.items() if state != "reactant"}
    return plot_entropy_bars({"": changed}, own, labels, title, "reactant")
