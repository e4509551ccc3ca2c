"""What an analysis gives: its tables as text, and its files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from e3d_lmp.analysis.bonds.delta_bde import bond_energy_error, named_errors
from e3d_lmp.analysis.bonds.energies import BondEnergies, cohesive_share
from e3d_lmp.analysis.bonds.files import (
    bond_columns,
    bond_table,
    describe_error,
    describe_named,
    write_bond_energies,
)
from e3d_lmp.analysis.bonds.references import ReferenceEnergy
from e3d_lmp.analysis.edge_analysis import EdgeAnalysis
from e3d_lmp.analysis.folders import in_order
from e3d_lmp.analysis.maps import EnergyMap, write_map
from e3d_lmp.analysis.novelty import NOVELTY, UNVISITED, Novelty
from e3d_lmp.analysis.pair_table import (
    LEVEL,
    entropy_columns,
    entropy_table,
    pair_columns,
    pair_header,
    pair_table,
)
from e3d_lmp.analysis.reactions import role_columns, role_table
from e3d_lmp.errors import E3DError
from e3d_lmp.files import make_folder, plain_text
from e3d_lmp.tables import Column, format_table, write_csv, write_json_rows


class AnalysisTables:
    """Tables of a finished analysis.

    Parameters
    ----------
    analysis
        All frames.
    references
        Reference energies of bond types.
    equal_size
        Number of pairs for entropies at equal size; None: none of them.
    holds_all_edges
        Whether the frames held all edges of the model; None where that is not known.

    Raises
    ------
    E3DError
        If there is no pair at all.
    """

    def __init__(
        self,
        analysis: EdgeAnalysis,
        references: Mapping[str, ReferenceEnergy] | None = None,
        equal_size: int | None = None,
        holds_all_edges: bool | None = None,
    ):
        self.analysis = analysis
        self.references = references or {}
        self.result: EnergyMap = analysis.result()
        self.pairs = pair_table(self.result)
        if not self.pairs:
            raise E3DError(
                f"no pair within the bond cutoff '{self.result.cutoff}' in {self.result.samples} frames; "
                "choose another --cutoff (and for a dump check the order of --types)"
            )
        blocks = analysis.blocks()
        self._blocks = len(blocks)
        self._equal_size = equal_size
        self.entropies = entropy_table(self.result, blocks, analysis.offsets(), equal_size)
        self.bonds: BondEnergies | None = analysis.bonds()
        self._holds_all_edges = holds_all_edges
        reference = analysis.reference
        self.novelty: Novelty | None = None if reference is None else reference.of_map(self.result)
        self._maps_of_roles = analysis.roles()
        self.roles = role_table(self._maps_of_roles)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Columns of ``pairs.csv``."""
        first = pair_columns(self.result.unit)
        names = {column.name for column in first}
        entropies = (one for one in entropy_columns(self._equal_size) if one.name not in names)
        return (*first, *entropies, *self._novelty_columns())

    def _novelty_columns(self) -> tuple[Column, ...]:
        return () if self.novelty is None else (Column(UNVISITED, "unvisited", "", ".4f"),)

    @cached_property
    def used_references(self) -> dict[str, ReferenceEnergy]:
        """Reference energies of the bond types that there are."""
        types = () if self.bonds is None else self.bonds.types
        return {name: self.references[name] for name in types if name in self.references}

    def rows(self) -> list[dict[str, Any]]:
        """Rows of ``pairs.csv``."""
        rows = [one | two for one, two in zip(self.pairs, self.entropies, strict=True)]
        if self.novelty is not None:
            rows = [row | {UNVISITED: self.novelty.share_of(row["pair"])} for row in rows]
        return rows

    def text(self) -> str:
        """The tables for a terminal."""
        columns = (*pair_columns(self.result.unit), *self._novelty_columns())
        parts = [format_table(columns, self.rows())]
        parts.append(
            "H_2D in nats: plug-in and its interval, corrected for the sample's size, with shifted bins\n"
            + format_table(entropy_columns(self._equal_size), self.entropies)
        )
        if self.bonds is not None:
            parts.append(format_table(bond_columns(), bond_table(self.bonds, self.references)))
            if self.references:
                parts.append(
                    describe_error(bond_energy_error(self.bonds, self.references))
                    + "\n"
                    + describe_named(named_errors(self.bonds))
                )
        if self.roles:
            narrow = [column for column in role_columns() if not column.name.endswith("_std_nats")]
            parts.append(
                "H_2D by role: r reactant, ts transition state, p product\n"
                + format_table(narrow, self.roles)
            )
        parts += [text for text in (self.novelty_text(), self.share_text()) if text]
        return "\n\n".join(parts)

    def novelty_text(self) -> str:
        """The share of bonds in bins that the reference map never visited; nothing without one."""
        if self.novelty is None or self.analysis.reference is None:
            return ""
        return (
            f"unvisited: {self.novelty.share:.2%} of the bonds are in bins of (D, A) that "
            f"{self.analysis.reference.name} never visited"
        )

    def last_line(self, paths: Sequence[Path]) -> str:
        """What was analysed, and the files of it."""
        frames = f"{self.result.samples} frames, bond cutoff {self.result.cutoff}"
        return f"{frames}; wrote {', '.join(map(str, in_order(paths)))}"

    def share_text(self) -> str:
        """The sum of D over bonds as a share of E_coh; nothing where the source holds no more than bonds."""
        sums = self.analysis.sums
        if not sums.edges or sums.longest <= self.analysis.cutoff.matrix(self.analysis.elements).max():
            return ""
        share = cohesive_share(sums.bonded, sums.edges)
        edges = f"the energy of all edges (up to {sums.longest:.2f} angstrom)"
        if self._holds_all_edges is None:
            edges += ", which is E_coh if the source holds all edges of a cohesive model"
        elif self.analysis.provenance.get("decomposition") == "cohesive":
            edges = "E_coh"
        return f"bonds (pairs within the cutoff) hold {share:.2%} of {edges}"

    def write(self, folder: str | os.PathLike) -> list[Path]:
        """Write ``pairs.csv``, ``pairs.json``, ``map.e3d``, with bond types ``bonds.csv`` and ``bonds.json``,
        with a reference map ``novelty.csv``, and a map of each role; each whole or not at all.
        `e3d_lmp.figures.of_folder` draws them.

        Parameters
        ----------
        folder
            Folder to write to; made if it is not there.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        E3DError
            If the folder cannot be written.
        """
        out, result = Path(folder), self.result
        make_folder(out)
        rows = self.rows()
        about = pair_header(result) | {"interval": {"level": LEVEL, "blocks": self._blocks}}
        if self._equal_size is not None:
            about["equal_size"] = self._equal_size
        if self.novelty is not None and self.analysis.reference is not None:
            about["reference_map"] = {
                "path": plain_text(self.analysis.reference.name),
                UNVISITED: self.novelty.share,
            }
        paths = [out / "pairs.csv", out / "pairs.json", out / "map.e3d"]
        write_csv(self.columns, rows, paths[0])
        write_json_rows(about, "pairs", rows, paths[1])
        write_map(result, paths[2])
        frames = self.analysis.novelty()
        if frames is not None:
            paths.append(out / NOVELTY)
            write_csv(frames.columns(), frames.rows(), paths[-1])
        if self.bonds is not None:
            about_bonds = {**self.analysis.about, "cutoff": result.cutoff, "samples": str(result.samples)}
            used = self.used_references
            for name in ("bonds.csv", "bonds.json"):
                paths.append(out / name)
                write_bond_energies(self.bonds, used, about_bonds, paths[-1], self.analysis.sums)
        for role, maps in self._maps_of_roles.items():
            paths.append(out / f"map.{role}.e3d")
            write_map(maps, paths[-1])
        if self.roles:
            paths.append(out / "roles.csv")
            write_csv(role_columns(), self.roles, paths[-1])
        return paths
