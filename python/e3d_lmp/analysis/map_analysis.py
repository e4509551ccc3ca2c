"""``e3d analyze`` of map files: what `e3d_lmp.analysis.edge_analysis` gives, as far as maps know it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path

from e3d_lmp.analysis.edge_analysis import EdgeAnalysis, EnergySums
from e3d_lmp.analysis.maps import FORMAT, EnergyMap, read_maps
from e3d_lmp.analysis.novelty import ReferenceMap
from e3d_lmp.edges.pairs import pair_label
from e3d_lmp.files import some_names, starts_with


def is_map(path: str | os.PathLike) -> bool:
    """Whether a file is a map file, by its first bytes."""
    return starts_with(path, FORMAT.encode())


class MapAnalysis(EdgeAnalysis):
    """Maps of parts of a run, or of several runs, taken together; without bond types, which maps do not have.

    Parameters
    ----------
    paths
        Map files of the same bins and cutoff; each is a block of frames for the intervals of H_2D.
    labels
        Pair labels to look at; all by default.
    reference
        Map whose unvisited bins are counted; None: none.

    Raises
    ------
    E3DError
        A file is none of this format or was given twice, or the maps do not fit each other.
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike],
        labels: Sequence[str] | None = None,
        reference: ReferenceMap | None = None,
    ):
        self.labels = labels
        self.reference = reference
        self.sums = EnergySums()
        self.unpaired = 0
        wanted = None if labels is None else {pair_label(*name.split("-")) for name in labels}
        self._parts = []
        for one in read_maps(paths):
            kept = {name: part for name, part in one.labels.items() if wanted is None or name in wanted}
            self._parts.append(replace(one, labels=kept))
        self._whole = reduce(EnergyMap.merge, self._parts)
        names = some_names(" ".join(str(Path(path)) for path in paths), "the folder of the first")
        self.provenance = {**self._whole.provenance, "maps": names}

    @property
    def about(self) -> dict[str, str]:
        """Provenance of every file."""
        return dict(self.provenance)

    def result(self) -> EnergyMap:
        """The sum of the maps."""
        return replace(self._whole, provenance=self.about)

    def blocks(self) -> list[EnergyMap]:
        """The maps one by one."""
        return list(self._parts)

    def offsets(self) -> dict:
        """None: finer bins than those of the files are not known."""
        return {}

    def bonds(self) -> None:
        """None: maps know pairs of elements only."""
        return None

    def novelty(self) -> None:
        """None: maps do not know frames."""
        return None

    def roles(self) -> dict:
        """None: maps do not say which of their structures are reactants or products."""
        return {}
