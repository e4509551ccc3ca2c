"""The whole analysis of a stream of edge frames, as one reducer: maps, bond types, sums of energies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from e3d_lmp.analysis.bonds.energies import BondEnergies
from e3d_lmp.analysis.bonds.types import BondTyping
from e3d_lmp.analysis.label_map import LabelMap
from e3d_lmp.analysis.maps import DEFAULT_BIN, EnergyMap
from e3d_lmp.analysis.novelty import NoveltyReducer, ReferenceMap
from e3d_lmp.analysis.reducers import BlockReducer, BondReducer, MapReducer, OffsetReducer
from e3d_lmp.edges.cutoffs import BondCutoff, check_elements
from e3d_lmp.edges.frames import BondFrame, EdgeFrame
from e3d_lmp.edges.pairs import PairFrame, Pairing, parse_labels
from e3d_lmp.edges.structures import ENDS, TRANSITION_STATE
from e3d_lmp.errors import E3DError
from e3d_lmp.files import plain_text
from e3d_lmp.version import __version__


@dataclass
class EnergySums:
    """What the bonds and all edges of the frames add up to.

    Attributes
    ----------
    bonded    eV, sum of D over the pairs within the bond cutoff
    edges     eV, sum over all edges of the source; E_coh where it holds all edges of the model
    longest   angstrom, longest edge of the source
    """

    bonded: float = 0.0
    edges: float = 0.0
    longest: float = 0.0

    def add(self, frame: EdgeFrame | BondFrame, pairs: PairFrame) -> None:
        """Take in a frame and its pairs."""
        eps = frame.eps if isinstance(frame, EdgeFrame) else frame.D
        self.bonded += float(pairs.D.sum())
        self.edges += float(eps.sum())
        if eps.size:
            self.longest = max(
                self.longest, float(np.sqrt(np.einsum("ij,ij->i", frame.vec, frame.vec).max()))
            )

    def merge(self, other: EnergySums) -> None:
        """Take in the sums of other frames."""
        self.bonded += other.bonded
        self.edges += other.edges
        self.longest = max(self.longest, other.longest)


@dataclass
class EdgeAnalysis:
    """Bond energies of a stream of edge frames.

    Parameters
    ----------
    elements
        Chemical symbol of each LAMMPS type, in the order of types.
    cutoff
        Bond cutoff.
    width
        Width of the map's bins, eV.
    labels
        Pair labels to look at, e.g. ``C-H``; all by default.
    model_cutoffs
        (n, n) angstrom, the model's directed cutoffs by LAMMPS type; needed where they differ for the two
        directions.
    skip_unpaired
        Leave out and count edges without a partner instead of raising.
    provenance
        Where the frames come from, one line of text per key; goes into every file.
    typing
        How pairs get their bond types; None: no bond types.
    reference
        Map whose unvisited bins are counted, with these bins and this cutoff; None: none.

    Attributes
    ----------
    beyond, unpaired
        Pairs with one edge beyond its cutoff, and edges left out, so far.
    frames
        Frames so far.
    sums
        Sums of energies so far.
    """

    elements: Sequence[str]
    cutoff: BondCutoff = field(default_factory=lambda: BondCutoff("covalent"))
    width: float = DEFAULT_BIN
    labels: Sequence[str] | None = None
    model_cutoffs: Any = None
    skip_unpaired: bool = False
    provenance: dict[str, str] = field(default_factory=dict)
    typing: BondTyping | None = None
    reference: ReferenceMap | None = None
    beyond: int = field(init=False, default=0)
    unpaired: int = field(init=False, default=0)
    frames: int = field(init=False, default=0)
    sums: EnergySums = field(init=False, default_factory=EnergySums)

    def __post_init__(self) -> None:
        elements = check_elements(self.elements)
        only = parse_labels(self.labels, elements) if self.labels else None
        bond = None if self.cutoff.name == "model" else self.cutoff.matrix(elements)
        self._pairing = Pairing(elements, bond, self.model_cutoffs, self.skip_unpaired)
        self._settings = (self.cutoff.name, self.width, only)
        self._blocks = BlockReducer(*self._settings)
        self._offsets = OffsetReducer(self.width, only)
        self._bonds = None if self.typing is None else BondReducer(self.typing, only)
        self._roles: dict[str, MapReducer] = {}
        self._novelty = None if self.reference is None else NoveltyReducer(self.reference, only)

    def learn(self, frame: EdgeFrame | BondFrame) -> None:
        """Type molecules by this frame, without adding it, unless they are typed already."""
        if self.typing is not None and not self.typing.is_ready:
            self.typing.learn(self._pairs(frame))

    def add(
        self, frame: EdgeFrame | BondFrame, number: int | None = None, role: str = "", name: str = ""
    ) -> None:
        """Take in the edges or bonds of one time step.

        Parameters
        ----------
        number
            Of the frame in its source, counted from 0, so that parts of a source make the same blocks of
            frames as the whole; the number of frames so far by default.
        role
            ``reactant``, ``transition_state`` or ``product``: gets a map of its own; transition states have
            no bond orders.
        name
            Of the structure.

        Raises
        ------
        E3DError
            As `e3d_lmp.edges.pairs.Pairing` does.
        """
        pairs = self._pairs(frame)
        number = self.frames if number is None else number
        self._blocks.add(pairs, number)
        self._offsets.add(pairs)
        if self._novelty is not None:
            self._novelty.add(pairs, number, name)
        if self._bonds is not None:
            self._bonds.add(pairs, role == TRANSITION_STATE)
        if role:
            self._roles.setdefault(role, MapReducer(*self._settings)).add(pairs)
        self.sums.add(frame, pairs)
        self.frames += 1
        self.beyond += pairs.beyond
        self.unpaired += pairs.unpaired

    def merge(self, other: EdgeAnalysis) -> None:
        """Take in what another analysis with the same settings has gathered of other frames."""
        self._blocks.merge(other._blocks)
        self._offsets.merge(other._offsets)
        if (self._bonds is None) != (other._bonds is None):
            raise E3DError("an analysis with bond types and one without cannot be merged")
        if self._bonds is not None and other._bonds is not None:
            self._bonds.merge(other._bonds)
        for role, maps in other._roles.items():
            self._roles.setdefault(role, MapReducer(*self._settings)).merge(maps)
        if self._novelty is not None and other._novelty is not None:
            self._novelty.merge(other._novelty)
        self.sums.merge(other.sums)
        self.frames += other.frames
        self.beyond += other.beyond
        self.unpaired += other.unpaired

    def result(self) -> EnergyMap:
        """The maps of all frames so far, with their provenance."""
        return replace(self._blocks.whole(), provenance=self.about)

    @property
    def about(self) -> dict[str, str]:
        """Provenance of every file."""
        about = {"e3d": __version__, "types": " ".join(self.elements), **self.provenance}
        if self.unpaired:
            about["unpaired"] = f"{self.unpaired} edges without a partner left out"
        return {key: plain_text(text) for key, text in about.items()}

    def blocks(self) -> list[EnergyMap]:
        """The maps of blocks of frames, for intervals."""
        return self._blocks.result()

    def offsets(self) -> dict[str, LabelMap]:
        """Finer histograms, for the spread over bin offsets."""
        return self._offsets.result()

    def bonds(self) -> BondEnergies | None:
        """D by bond type; None without a typing."""
        return None if self._bonds is None else self._bonds.result()

    def novelty(self) -> NoveltyReducer | None:
        """Share of unvisited bins frame by frame; None without a reference."""
        return self._novelty

    def roles(self) -> dict[str, EnergyMap]:
        """The maps of each role, in the order of a reaction."""
        order = sorted(self._roles, key=lambda role: (ENDS.index(role) if role in ENDS else len(ENDS), role))
        return {role: replace(self._roles[role].result(), provenance=self.about) for role in order}

    def _pairs(self, frame: EdgeFrame | BondFrame) -> PairFrame:
        return self._pairing.pair(frame) if isinstance(frame, EdgeFrame) else self._pairing.label(frame)
