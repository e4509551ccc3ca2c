"""The analysis of a whole source of edges: frames in, tables, maps, bond types and errors out.

`analyse` is what ``e3d analyze`` and a scaling study do. `EdgeAnalysis` does the same for edges that never
were in a file: add each `EdgeFrame` or `BondFrame`; `AnalysisTables` makes tables and files of it.

Under an MPI launcher each rank takes its share of the frames, and rank 0 merges.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e3d_lmp.analysis.accuracy import (
    Errors,
    IsolatedAtoms,
    StructureEnergies,
    describe_errors,
    errors_of,
    isolated_atoms,
    join_structures,
    read_structures,
    write_errors,
)
from e3d_lmp.analysis.analysis_tables import AnalysisTables
from e3d_lmp.analysis.bonds.references import ReferenceEnergy
from e3d_lmp.analysis.bonds.types import PERCEPTIONS, BondTyping, read_topology
from e3d_lmp.analysis.edge_analysis import EdgeAnalysis
from e3d_lmp.analysis.maps import DEFAULT_BIN
from e3d_lmp.analysis.novelty import ReferenceMap
from e3d_lmp.edges.cutoffs import BondCutoff
from e3d_lmp.edges.pairs import unpaired_remarks
from e3d_lmp.edges.sources import EdgeSource
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.errors import E3DError
from e3d_lmp.mpi import SerialComm, raise_on_all_ranks, sleeping_barrier


@dataclass(frozen=True)
class AnalysisOptions:
    """How edges become tables and maps.

    Attributes
    ----------
    cutoff          bond cutoff
    width           eV, width of the bins
    labels          pair labels; all by default
    skip_unpaired   leave out edges without a partner
    bond_orders     how bond types get their orders, a name of `PERCEPTIONS`
    references      reference energies of bond types
    equal_size      number of pairs for entropies at equal size; None: none of them
    topology        LAMMPS data file to type molecules by, instead of the first frame
    isolated_atoms  what to take off the reference energies of a store: a level of theory, a .json file, or
                    ``none``; None: by the name of the energy in the source
    reference_map   map file whose unvisited bins are counted; None: none
    """

    cutoff: BondCutoff
    width: float = DEFAULT_BIN
    labels: Sequence[str] | None = None
    skip_unpaired: bool = False
    bond_orders: str = "none"
    references: Mapping[str, ReferenceEnergy] = field(default_factory=dict)
    equal_size: int | None = None
    topology: str | os.PathLike | None = None
    isolated_atoms: str | None = None
    reference_map: str | os.PathLike | None = None


@dataclass(frozen=True)
class Analysis:
    """What `analyse` gives.

    Attributes
    ----------
    tables    of all frames
    errors    of energies, forces and reactions against the source's own; None where it has none
    remarks   what the user must know about frames and edges that were left out
    """

    tables: AnalysisTables
    errors: Errors | None
    remarks: list[str]

    def write(self, folder: str | os.PathLike) -> list[Path]:
        """Write the tables and the errors, each file whole or not at all; returns the files."""
        paths = self.tables.write(folder)
        if self.errors is not None:
            paths += write_errors(self.errors, self.tables.analysis.about, folder)
        return paths

    def text(self) -> str:
        """Tables and errors for a terminal."""
        text = self.tables.text()
        return text if self.errors is None else f"{text}\n\n{describe_errors(self.errors)}"


def analyse(
    source: EdgeSource, options: AnalysisOptions, communicator: Any = None, show_progress: bool = True
) -> Analysis | None:
    """Analyse all frames of a source; called by all ranks, each with its share of the source.

    Parameters
    ----------
    source
        Opened with the rank and the number of ranks of the communicator.
    communicator
        of mpi4py, or `SerialComm` by default.
    show_progress
        Show a bar where standard error is a terminal.

    Returns
    -------
    Analysis or None
        On rank 0; None on the others.

    Raises
    ------
    E3DError
        On every rank, if an option makes no sense for the source, a frame cannot be read, or there is no
        pair.
    """
    communicator = SerialComm() if communicator is None else communicator
    rank, ranks = communicator.Get_rank(), communicator.Get_size()
    with raise_on_all_ranks(communicator):
        reference = None if options.reference_map is None else ReferenceMap.read(options.reference_map)
        analysis = EdgeAnalysis(
            source.elements,
            options.cutoff,
            options.width,
            options.labels,
            source.model_cutoffs,
            options.skip_unpaired,
            {**source.provenance, "bond_orders": options.bond_orders},
            _typing(source, options),
            reference,
        )
        remarks = [] if reference is None else reference.check(analysis.result())
    if ranks > 1:
        _type_molecules(source, analysis, communicator)
    with raise_on_all_ranks(communicator), sleeping_barrier(communicator):
        _add_frames(source, analysis, rank == 0 and show_progress)
        zero, mine = _structures(source, options.isolated_atoms)
    left_out = source.remarks()
    structures = communicator.gather(mine)
    whole = communicator.reduce(analysis, op=_merged)
    with raise_on_all_ranks(communicator), sleeping_barrier(communicator):
        if rank != 0:
            return None
        tables = AnalysisTables(whole, options.references, options.equal_size, source.holds_all_edges)
        if reference is not None:
            remarks += reference.missing(tables.result)
        errors = errors_of(join_structures(structures), zero) if mine is not None else None
        return Analysis(tables, errors, left_out + unpaired_remarks(whole.unpaired) + remarks)


def _type_molecules(source: EdgeSource, analysis: EdgeAnalysis, communicator: Any) -> None:
    """By the first frame of the whole source, on rank 0; all ranks get the types."""
    typing = analysis.typing
    if typing is None or typing.is_ready:
        return
    with raise_on_all_ranks(communicator), sleeping_barrier(communicator):
        first = source.first() if communicator.Get_rank() == 0 else None
        if first is not None:
            analysis.learn(first)
    typing.take(communicator.bcast(typing, root=0))


def _typing(source: EdgeSource, options: AnalysisOptions) -> BondTyping:
    topology = None
    if options.topology:
        if source.is_set:
            raise E3DError(
                "--topology is for a run, whose frames have the same atoms; these are different structures"
            )
        topology = read_topology(options.topology, source.elements)
    return BondTyping(PERCEPTIONS[options.bond_orders], source.is_set, topology)


def _structures(
    source: EdgeSource, isolated: str | None
) -> tuple[IsolatedAtoms | str, StructureEnergies | None]:
    """What to take off reference energies, and the energies of this rank's structures, if it has any."""
    store = source.reader
    if not (isinstance(store, StoreReader) and store.has("reference_energy") and store.has("energy")):
        if isolated is not None:
            raise E3DError("--isolated-atoms is for stores of 'e3d evaluate', which have reference energies")
        return "", None
    zero = isolated_atoms(isolated, store)
    return zero, read_structures(store, source.numbers, zero)


def _add_frames(source: EdgeSource, analysis: EdgeAnalysis, show_progress: bool) -> None:
    """All frames of this rank."""
    from tqdm import tqdm

    unit = {"unit": "frame"} if source.counts_frames else {"unit": "B", "unit_scale": True}
    disable = None if show_progress else True
    bar = tqdm(total=source.size, desc="e3d analyze", disable=disable, leave=False, **unit)
    with bar:
        for number, frame, role in source:
            analysis.add(frame, number, role, source.name(number))
            bar.update(source.done - bar.n)


def _merged(one: EdgeAnalysis, other: EdgeAnalysis) -> EdgeAnalysis:
    one.merge(other)
    return one
