r"""Figures with matplotlib: one function each, which returns the figure; `save_figure` writes it.

================  ==========================================================================================
`maps`            D-A maps, their grid over several models, and what one map has more than another
`ridgelines`      D by bond type, with reference energies
`scaling`         errors and entropies against the number of training structures
`bars`            change of the entropy in reactants, transition states and products
`parity`          energies of the model against those of the reference
`dissociation`    bond energies against dissociation energies, by bond type
`path`            energy, and D of the bonds that form and break, along a reaction
`history`         molecules and bonds against time
`heat`            thermal conductivities: correlations, responses to a force, spectra
`extrapolation`   models of a family of molecules, each asked for all members
`of_folder`       the figures of a folder of results
`ranges`          bounds of bins and axes that outliers do not stretch
`colours`         colours of bonds by D or \|A\|
`style`           what all of them share: colours, fonts, axes, files
================  ==========================================================================================

Figures need no display and are drawn by matplotlib's object interface: nothing here touches pyplot's state.
"""

from __future__ import annotations

from e3d_lmp.figures.bars import plot_entropy_bars
from e3d_lmp.figures.dissociation import EnergyPairs, plot_dissociation
from e3d_lmp.figures.heat import plot_green_kubo, plot_hnemd, plot_power, plot_spectrum
from e3d_lmp.figures.history import plot_events, plot_species
from e3d_lmp.figures.maps import MAX_PANELS, plot_comparison, plot_map_grid, plot_maps
from e3d_lmp.figures.parity import Parity, plot_parity
from e3d_lmp.figures.path import plot_paths
from e3d_lmp.figures.ridgelines import plot_ridgelines
from e3d_lmp.figures.scaling import plot_bond_scaling, plot_entropy_scaling, plot_error_scaling
from e3d_lmp.figures.style import PICTURES, picture_bytes, save_figure

__all__ = [
    "plot_maps",
    "plot_map_grid",
    "plot_comparison",
    "plot_ridgelines",
    "plot_bond_scaling",
    "plot_error_scaling",
    "plot_entropy_scaling",
    "plot_entropy_bars",
    "plot_parity",
    "Parity",
    "plot_dissociation",
    "EnergyPairs",
    "plot_paths",
    "plot_species",
    "plot_events",
    "plot_green_kubo",
    "plot_hnemd",
    "plot_power",
    "plot_spectrum",
    "save_figure",
    "picture_bytes",
    "PICTURES",
    "MAX_PANELS",
]
