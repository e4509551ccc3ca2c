"""Pairs of directed edges: the bond energy D = eps_ij + eps_ji and the asymmetry A = eps_ij - eps_ji.

One value stands for each unordered pair of atoms and each of its periodic images. The pair's first atom
decides the sign of A: it is the atom whose element comes first in the pair's label (alphabetical, H last:
C-H, N-H, O-Si); of two like atoms the one with the lower id; for an atom and its own image the edge with
r_z > 0, or r_z = 0 and r_y > 0, or both 0 and r_x > 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from e3d_lmp.edges import kernel
from e3d_lmp.edges.cutoffs import check_elements, unknown_elements
from e3d_lmp.edges.frames import BondFrame, EdgeFrame
from e3d_lmp.errors import E3DError

TOLERANCE = 1e-3
"""Largest distance, angstrom, between r_ij and -r_ji of one pair."""

BAD_TYPE, TWICE, SWAPPED, NO_MEMORY = range(1, 5)
"""``e3d_pair_error`` of edge_kernel.h."""

_PAIR_COLUMNS: dict[str, tuple[np.dtype, int]] = {
    "label": (np.dtype(np.int32), 0),
    **dict.fromkeys(("i", "j"), (np.dtype(np.int64), 0)),
    **dict.fromkeys(("type_i", "type_j"), (np.dtype(np.int32), 0)),
    "vec": (np.dtype(np.float64), 3),
    **dict.fromkeys(("e12", "e21", "D", "A"), (np.dtype(np.float64), 0)),
}
"""Arrays of ``e3d_pairs``: type, and width as `e3d_lmp.edges.kernel.room` has it."""
_PAIR_SHAPES = tuple(_PAIR_COLUMNS.values())


def element_order(elements: Sequence[str]) -> list[str]:
    """The different elements in the order of pair labels: alphabetical, H last."""
    return sorted(set(elements), key=lambda symbol: (symbol == "H", symbol))


def pair_label(first: str, second: str) -> str:
    """Label of a pair of elements, e.g. ``C-H`` for both orders."""
    return "-".join(sorted((first, second), key=lambda symbol: (symbol == "H", symbol)))


def is_like(label: str) -> bool:
    """Whether a label is of two like elements, e.g. ``C-C``."""
    first, second = label.split("-")
    return first == second


def is_label(word: str) -> bool:
    """Whether a word is the label of a pair of chemical elements, in the order of labels."""
    first, hyphen, second = word.partition("-")
    return bool(hyphen) and not unknown_elements([first, second]) and pair_label(first, second) == word


def unpaired_remarks(count: int) -> list[str]:
    """What the user must know where so many edges were left out for want of a partner; nothing for none."""
    return [f"{count} edges without a partner left out"] if count else []


def parse_labels(words: Sequence[str], elements: Sequence[str]) -> tuple[str, ...]:
    """Labels that the words mean (``H-C`` is ``C-H``), in their order.

    Raises
    ------
    E3DError
        If a word is not two of the given elements joined by a hyphen.
    """
    labels = []
    for word in words:
        pair = word.split("-")
        if len(pair) != 2 or not set(pair) <= set(elements):
            raise E3DError(
                f"pair '{word}': expected two of the elements {' '.join(element_order(elements))} "
                "joined by a hyphen, e.g. C-H"
            )
        labels.append(pair_label(*pair))
    return tuple(dict.fromkeys(labels))


@dataclass(frozen=True)
class PairFrame:
    """The pairs of one time step, each once.

    Attributes
    ----------
    step      time step
    labels    (L,) str, labels of all pairs of elements
    label     (P,) int32, index into `labels`
    i, j      (P,) int64, ids of the pair's first and second atom
    vec       (P, 3) float64, angstrom, r_j - r_i, image included
    e12, e21  (P,) float64, eV, energies of the edges first -> second and second -> first
    D, A      (P,) float64, eV, e12 + e21 and e12 - e21
    beyond    pairs whose second edge is beyond its directed cutoff and counts as 0
    unpaired  edges left out because their partner is absent for no good reason
    """

    step: int
    labels: tuple[str, ...]
    label: np.ndarray
    i: np.ndarray
    j: np.ndarray
    vec: np.ndarray
    e12: np.ndarray
    e21: np.ndarray
    D: np.ndarray
    A: np.ndarray
    beyond: int = 0
    unpaired: int = 0


@dataclass(frozen=True)
class Pairing:
    """How directed edges become pairs.

    Parameters
    ----------
    elements
        Chemical symbol of each LAMMPS type, in the order of types.
    bond
        (n, n) angstrom, largest distance of a pair by LAMMPS types, symmetric; None for no limit.
    model
        (n, n) angstrom, the model's directed cutoffs, row: centre, column: neighbour. An edge whose partner
        lies beyond its own cutoff then has a partner of energy 0. None: every edge must have a partner.
    skip_unpaired
        Leave out and count the edges whose partner is absent otherwise, instead of raising.
    """

    elements: tuple[str, ...]
    bond: np.ndarray | None = None
    model: np.ndarray | None = None
    skip_unpaired: bool = False
    labels: tuple[str, ...] = field(init=False)
    _rules: kernel.PairRules = field(init=False, repr=False, compare=False)
    _kept: tuple[np.ndarray | None, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        elements = check_elements(self.elements)
        order = element_order(elements)
        labels = tuple(f"{a}-{b}" for k, a in enumerate(order) for b in order[k:])
        lookup = np.array(
            [[labels.index(pair_label(a, b)) for b in elements] for a in elements], dtype=np.int32
        )
        object.__setattr__(self, "elements", elements)
        object.__setattr__(self, "labels", labels)
        for name, matrix in (("bond", self.bond), ("model", self.model)):
            if matrix is not None and np.shape(matrix) != (len(elements), len(elements)):
                raise E3DError(f"{name} cutoffs: expected {len(elements)} x {len(elements)} for {elements}")
        rank = np.array([order.index(a) for a in elements], dtype=np.int32)
        cutoffs = [
            None if matrix is None else np.ascontiguousarray(matrix, dtype=np.float64)
            for matrix in (self.bond, self.model)
        ]
        kept = (rank, lookup, *cutoffs)
        rules = kernel.PairRules(len(elements), *map(kernel.address, kept), TOLERANCE)
        object.__setattr__(self, "_kept", kept)  # the kernel's rules point into them
        object.__setattr__(self, "_rules", rules)

    def __reduce__(self) -> tuple[Any, ...]:
        return Pairing, (self.elements, self.bond, self.model, self.skip_unpaired)

    def label(self, frame: BondFrame) -> PairFrame:
        """The pairs of a frame in which both edges of each already are together, as `pair` returns them.

        Raises
        ------
        E3DError
            If a LAMMPS type has no element, a pair occurs twice, or its first atom is not its label's.
        """
        found = self._find(frame, frame.e12, frame.e21)
        return self._pair_frame(frame, found)

    def pair(self, frame: EdgeFrame) -> PairFrame:
        """The pairs of one frame within the bond cutoff, ordered by ids.

        Raises
        ------
        E3DError
            If a LAMMPS type has no element, an edge occurs twice, or a partner is absent that should be
            there.
        """
        return self._pair_frame(frame, self._find(frame, frame.eps))

    def bonds(self, frame: EdgeFrame) -> tuple[BondFrame, int, int]:
        """The pairs of one frame with their types, and its `PairFrame.beyond` and `unpaired`; raises as
        `pair` does."""
        found = self._find(frame, frame.eps)
        names = ("i", "j", "type_i", "type_j", "vec", "e12", "e21")
        rows = BondFrame(frame.step, frame.box, *(found.columns[name] for name in names))
        return rows, found.report.beyond, found.report.unpaired

    def _pair_frame(self, frame: EdgeFrame | BondFrame, found: _Found) -> PairFrame:
        names = ("label", "i", "j", "vec", "e12", "e21", "D", "A")
        columns = {name: found.columns[name] for name in names}
        return PairFrame(
            step=frame.step,
            labels=self.labels,
            **columns,
            beyond=found.report.beyond,
            unpaired=found.report.unpaired,
        )

    def _find(
        self, frame: EdgeFrame | BondFrame, eps: np.ndarray, eps_back: np.ndarray | None = None
    ) -> _Found:
        """The pairs of a frame, by the compiled kernel."""
        ends = [np.ascontiguousarray(ids, dtype=np.int64) for ids in (frame.i, frame.j)]
        types = [np.ascontiguousarray(each, dtype=np.int32) for each in (frame.type_i, frame.type_j)]
        energies = [
            None if each is None else np.ascontiguousarray(each, dtype=np.float64) for each in (eps, eps_back)
        ]
        inputs = [*ends, *types, np.ascontiguousarray(frame.vec, dtype=np.float64), *energies]
        edges = kernel.Edges(frame.i.size, *map(kernel.address, inputs))
        report = kernel.PairReport()
        # Every edge has a partner, but for those beyond a cutoff: then there may be more.
        capacity = frame.i.size if eps_back is not None else frame.i.size // 2
        while True:
            columns, addresses = kernel.room(capacity, _PAIR_SHAPES)
            pairs = kernel.Pairs(capacity, *addresses)
            kernel.library().e3d_pair_edges(edges, self._rules, pairs, report)
            if report.error or report.pairs <= capacity:
                break
            capacity = report.pairs
        if report.error or (report.unpaired and not self.skip_unpaired):
            raise E3DError(f"step {frame.step}: {self._problem(report)}")
        if report.pairs < capacity:
            columns = [each[: report.pairs] for each in columns]
        if report.pairs < capacity // 2:  # most of the memory would be held for nothing
            columns = [each.copy() for each in columns]
        return _Found(dict(zip(_PAIR_COLUMNS, columns, strict=True)), report)

    def _problem(self, report: kernel.PairReport) -> str:
        """What is wrong with a frame."""
        if report.error == BAD_TYPE:
            return (
                f"LAMMPS types from {report.low_type} to {report.high_type}, but --types names "
                f"{len(self.elements)} ({' '.join(self.elements)}); name the element of every type, in order"
            )
        if report.error == TWICE:
            return (
                f"the edge between atoms {report.bad_i} and {report.bad_j} occurs more "
                f"than once ({report.bad_count} such edges); are the files two runs, or the same run twice? "
                "Analyse each run by itself, and check that the dump has 'format float %.17g'"
            )
        if report.error == SWAPPED:
            return (
                f"atom {report.bad_j} comes before atom {report.bad_i}, but their "
                f"elements have the other order in the pair's label ({report.bad_count} such pairs); name "
                "the elements of the run's own types, in order, with --types"
            )
        if report.error:
            return "no memory for its pairs; give fewer ranks of this machine, or a smaller --cutoff"
        is_given = self.model is not None
        advice = (
            "" if is_given else "if the model's cutoffs differ for the two directions, add --model FILE; "
        )
        return (
            f"{report.unpaired} edges have no partner, the first one {report.bad_i} -> "
            f"{report.bad_j} at {report.bad_distance:.4f} angstrom; dump the edges of all atoms (compute E "
            f"all e3d/edge/local) and give all files of the run; {advice}or leave such edges out and count "
            "them with --skip-unpaired"
        )


@dataclass(frozen=True)
class _Found:
    """What the kernel wrote: arrays by the names of `_PAIR_COLUMNS`."""

    columns: dict[str, np.ndarray]
    report: kernel.PairReport
