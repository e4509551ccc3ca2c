"""Edge-wise emergent energy decomposition (E3D) of strictly local potentials in LAMMPS.

The names below are loaded when they are first used: LAMMPS asks the package for its plugin folder at every
start, through ``e3d_lmp.plugin``, and an import that failed here would end every ``lmp`` of this environment.

====================  ======================================================================================
`Simulation`          a LAMMPS input run from Python, whose edges arrive while it runs
`E3DCalculator`       a model, or a committee, as a calculator of ASE
`EdgeEvaluator`       a model file, ready to be asked for edge energies
`DumpReader`          frames of LAMMPS dumps
`StoreReader`         frames of an edge store
`StoreWriter`         writes one
`EdgeFrame`           the directed edges of one time step
`Pairing`             edges to pairs with D and A
`parse_cutoff`        what a bond is
`EdgeAnalysis`        tables, maps and bond types of frames
`AnalysisTables`      an analysis as text and as files
`AnalysisFolder`      a folder of results
`read_map`            D-A maps from a file
`write_map`           and into one
`read_bond_energies`  bond energies by type, from ``bonds.json``
`read_metadata`       what a model file says about itself
`export_model`        a nequip model as a model file
`E3DError`            the one exception for what a user can mend
====================  ======================================================================================
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for True, and no lmp waits for the module typing
if TYPE_CHECKING:
    from e3d_lmp.analysis.analysis_tables import AnalysisTables
    from e3d_lmp.analysis.bonds.files import read_bond_energies
    from e3d_lmp.analysis.edge_analysis import EdgeAnalysis
    from e3d_lmp.analysis.folders import AnalysisFolder
    from e3d_lmp.analysis.maps import read_map, write_map
    from e3d_lmp.edges.calculator import E3DCalculator
    from e3d_lmp.edges.cutoffs import parse_cutoff
    from e3d_lmp.edges.dumps.reader import DumpReader
    from e3d_lmp.edges.evaluator import EdgeEvaluator
    from e3d_lmp.edges.frames import EdgeFrame
    from e3d_lmp.edges.pairs import Pairing
    from e3d_lmp.edges.store.reader import StoreReader
    from e3d_lmp.edges.store.writer import StoreWriter
    from e3d_lmp.errors import E3DError
    from e3d_lmp.model.contract import read_metadata
    from e3d_lmp.model.export import export_model
    from e3d_lmp.runs.simulate import Simulation
    from e3d_lmp.version import __version__

_MODULES = {
    "Simulation": "runs.simulate",
    "E3DCalculator": "edges.calculator",
    "EdgeEvaluator": "edges.evaluator",
    "DumpReader": "edges.dumps.reader",
    "StoreReader": "edges.store.reader",
    "StoreWriter": "edges.store.writer",
    "EdgeFrame": "edges.frames",
    "Pairing": "edges.pairs",
    "parse_cutoff": "edges.cutoffs",
    "EdgeAnalysis": "analysis.edge_analysis",
    "AnalysisTables": "analysis.analysis_tables",
    "AnalysisFolder": "analysis.folders",
    "read_map": "analysis.maps",
    "write_map": "analysis.maps",
    "read_bond_energies": "analysis.bonds.files",
    "read_metadata": "model.contract",
    "export_model": "model.export",
    "E3DError": "errors",
    "__version__": "version",
}
"""Public name -> module that it is loaded from."""

__all__ = [
    "Simulation",
    "E3DCalculator",
    "EdgeEvaluator",
    "DumpReader",
    "StoreReader",
    "StoreWriter",
    "EdgeFrame",
    "Pairing",
    "parse_cutoff",
    "EdgeAnalysis",
    "AnalysisTables",
    "AnalysisFolder",
    "read_map",
    "write_map",
    "read_bond_energies",
    "read_metadata",
    "export_model",
    "E3DError",
    "__version__",
]


if not TYPE_CHECKING:  # it would let type checkers take any name for one of ours

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

    def __dir__():
        return sorted({*globals(), *__all__})
