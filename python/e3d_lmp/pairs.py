"""Pairs of directed edges: the bond energy D = eps_ij + eps_ji and the asymmetry A = eps_ij - eps_ji.

One value stands for each unordered pair of atoms and each of its periodic images. The pair's first atom
decides the sign of A: it is the atom whose element comes first in the pair's label (alphabetical, H last:
C-H, N-H, O-Si); of two like atoms the one with the lower id; for an atom and its own image the edge with
r_z > 0, or r_z = 0 and r_y > 0, or both 0 and r_x > 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from e3d_lmp.cutoffs import check_elements
from e3d_lmp.errors import E3DError
from e3d_lmp.frames import BondFrame, EdgeFrame

TOLERANCE = 1e-3
"""Largest distance, angstrom, between r_ij and -r_ji of one pair."""

# Images of one pair are told apart by their projection on a direction. A second and a third direction settle
# the rare boxes in which two images have the same projection on the first.
_DIRECTIONS = np.array([[0.5377, 0.6142, 0.5776], [0.2873, -0.6911, 0.6632], [-0.7213, 0.1319, 0.6799]])


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
    _rank: np.ndarray = field(init=False, repr=False)
    _label_of: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        elements = check_elements(self.elements)
        order = element_order(elements)
        labels = tuple(f"{a}-{b}" for k, a in enumerate(order) for b in order[k:])
        lookup = np.array(
            [[labels.index(pair_label(a, b)) for b in elements] for a in elements], dtype=np.int32
        )
        object.__setattr__(self, "elements", elements)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "_rank", np.array([order.index(a) for a in elements], dtype=np.int32))
        object.__setattr__(self, "_label_of", lookup)
        for name, matrix in (("bond", self.bond), ("model", self.model)):
            if matrix is not None and np.shape(matrix) != (len(elements), len(elements)):
                raise E3DError(f"{name} cutoffs: expected {len(elements)} x {len(elements)} for {elements}")

    def label(self, frame: BondFrame) -> PairFrame:
        """The pairs of a frame in which both edges of each already are together, as `pair` returns them.

        Raises
        ------
        E3DError
            If a LAMMPS type has no element, a pair occurs twice, or its first atom is not its label's.
        """
        forth = EdgeFrame(
            frame.step, frame.box, frame.i, frame.j, frame.type_i, frame.type_j, frame.vec, frame.e12
        )
        edges = self._orient(forth, frame.e21)
        assert edges.eps_back is not None
        is_like = self._rank[edges.type_first] == self._rank[edges.type_second]
        swapped = np.flatnonzero(~edges.forward & ~is_like)
        if swapped.size:
            k = swapped[0]
            raise E3DError(
                f"step {frame.step}: atom {edges.second[k]} comes before atom {edges.first[k]}, but their "
                f"elements have the other order in the pair's label ({swapped.size} such pairs); name the "
                "elements of the run's own types, in order, with --types"
            )
        row, _ = _match(edges, frame.step)
        row = row[self._distance(edges, row) < self._limit(edges, row)]
        forward, eps, eps_back = edges.forward[row], edges.eps[row], edges.eps_back[row]
        e12, e21 = np.where(forward, eps, eps_back), np.where(forward, eps_back, eps)
        return self._pair_frame(frame.step, edges, row, e12, e21)

    @staticmethod
    def _distance(edges: _Oriented, row: np.ndarray) -> np.ndarray:
        return np.sqrt(np.einsum("ij,ij->i", edges.vec[row], edges.vec[row]))

    def _limit(self, edges: _Oriented, row: np.ndarray) -> np.ndarray:
        """(K,) angstrom, bond cutoffs of these rows."""
        if self.bond is None:
            return np.full(row.size, np.inf)
        return self.bond[edges.type_first[row], edges.type_second[row]]

    def pair(self, frame: EdgeFrame) -> PairFrame:
        """The pairs of one frame within the bond cutoff, ordered by ids.

        Raises
        ------
        E3DError
            If a LAMMPS type has no element, an edge occurs twice, or a partner is absent that should be
            there.
        """
        edges = self._orient(frame)
        row, partner = _match(edges, frame.step)
        distance = self._distance(edges, row)
        keep = distance < self._limit(edges, row)
        legal, absent = self._without_partner(edges, row, partner, distance, keep)
        if absent.size and not self.skip_unpaired:
            raise E3DError(
                _absent_message(frame.step, edges, row[absent], distance[absent], self.model is not None)
            )
        keep[absent] = False
        row, partner = row[keep], partner[keep]

        own = edges.eps[row]
        other = np.where(partner >= 0, edges.eps[partner], 0.0)
        forward = edges.forward[row]
        e12, e21 = np.where(forward, own, other), np.where(forward, other, own)
        return self._pair_frame(frame.step, edges, row, e12, e21, legal, absent.size)

    def _pair_frame(
        self,
        step: int,
        edges: _Oriented,
        row: np.ndarray,
        e12: np.ndarray,
        e21: np.ndarray,
        beyond: int = 0,
        unpaired: int = 0,
    ) -> PairFrame:
        """The pairs whose oriented edges are in these rows, with their two energies."""
        return PairFrame(
            step=step,
            labels=self.labels,
            label=self._label_of[edges.type_first[row], edges.type_second[row]],
            i=edges.first[row],
            j=edges.second[row],
            vec=edges.vec[row],
            e12=e12,
            e21=e21,
            D=e12 + e21,
            A=e12 - e21,
            beyond=beyond,
            unpaired=unpaired,
        )

    def _orient(self, frame: EdgeFrame, eps_back: np.ndarray | None = None) -> _Oriented:
        """The edges that may lie within the bond cutoff, each with its pair's first and second atom."""
        n_types = len(self.elements)
        low, high = (frame.type_i.min(), frame.type_i.max()) if frame.i.size else (1, 1)
        if frame.i.size:
            low, high = min(low, frame.type_j.min()), max(high, frame.type_j.max())
        if low < 1 or high > n_types:
            raise E3DError(
                f"step {frame.step}: LAMMPS types from {low} to {high}, but --types names {n_types} "
                f"({' '.join(self.elements)}); name the element of every type, in order"
            )
        i, j, vec, eps = frame.i, frame.j, frame.vec, frame.eps
        type_i, type_j = frame.type_i - 1, frame.type_j - 1
        near: np.ndarray | slice = slice(None)
        if self.bond is not None:
            limit = self.bond[type_i, type_j] + TOLERANCE
            near = np.flatnonzero(np.einsum("ij,ij->i", vec, vec) <= limit * limit)
            i, j, vec, eps, type_i, type_j = (a[near] for a in (i, j, vec, eps, type_i, type_j))
        rank_i, rank_j = self._rank[type_i], self._rank[type_j]
        forward = (rank_i < rank_j) | ((rank_i == rank_j) & (i < j))
        image = np.flatnonzero(i == j)
        if image.size:
            sign = np.where(np.abs(vec[image]) <= TOLERANCE, 0.0, np.sign(vec[image])) @ [1.0, 2.0, 4.0]
            forward[image] = sign > 0.0
        return _Oriented(
            first=np.where(forward, i, j),
            second=np.where(forward, j, i),
            type_first=np.where(forward, type_i, type_j),
            type_second=np.where(forward, type_j, type_i),
            vec=np.where(forward[:, None], vec, -vec),
            eps=eps,
            forward=forward,
            eps_back=None if eps_back is None else eps_back[near],
        )

    def _without_partner(
        self, edges: _Oriented, row: np.ndarray, partner: np.ndarray, distance: np.ndarray, keep: np.ndarray
    ) -> tuple[int, np.ndarray]:
        """How many kept rows lack their partner legally, and which lack it for no good reason."""
        alone = np.flatnonzero((partner < 0) & keep)
        if alone.size == 0 or self.model is None:
            return 0, alone
        at = row[alone]
        centre = np.where(edges.forward[at], edges.type_second[at], edges.type_first[at])
        neighbour = np.where(edges.forward[at], edges.type_first[at], edges.type_second[at])
        is_legal = distance[alone] > self.model[centre, neighbour] - TOLERANCE
        return int(is_legal.sum()), alone[~is_legal]


@dataclass(frozen=True)
class _Oriented:
    """Directed edges seen from their pair's first atom: an edge and its partner agree in all but `eps`,
    `forward`."""

    first: np.ndarray
    second: np.ndarray
    type_first: np.ndarray
    type_second: np.ndarray
    vec: np.ndarray
    eps: np.ndarray
    forward: np.ndarray
    eps_back: np.ndarray | None = None
    """Energy of the partner, where it comes along with the edge."""


def _pair_keys(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One int64 per edge, equal for equal ids and sorted by (first, second)."""
    if first.size and max(int(first.max()), int(second.max())) >= 2**31:
        _, number = np.unique(np.concatenate([first, second]), return_inverse=True)
        first, second = number[: first.size], number[first.size :]
    return (first << 32) | second


def _match(edges: _Oriented, step: int) -> tuple[np.ndarray, np.ndarray]:
    """One row per pair and the row of its partner edge, -1 where there is none; ordered by ids."""
    key = _pair_keys(edges.first, edges.second)
    order = np.argsort(key)
    for direction in _DIRECTIONS:
        key_sorted = key[order]
        same_ids = key_sorted[1:] == key_sorted[:-1]
        # Rows whose ids occur more than twice (several images) go in the order of their vectors.
        crowd = np.zeros(order.size, dtype=bool)
        three = np.flatnonzero(same_ids[1:] & same_ids[:-1])
        crowd[three] = crowd[three + 1] = crowd[three + 2] = True
        if three.size:
            rows = order[crowd]
            order[crowd] = rows[np.lexsort((edges.vec[rows] @ direction, key[rows]))]
        vec = edges.vec[order]
        is_near = same_ids.copy()
        at = np.flatnonzero(same_ids)
        gap = vec[at + 1] - vec[at]
        is_near[at] = np.einsum("ij,ij->i", gap, gap) <= TOLERANCE**2
        start = (
            np.flatnonzero(np.concatenate([[True], ~is_near])) if order.size else np.zeros(0, dtype=np.int64)
        )
        size = np.diff(np.append(start, order.size))
        if not _has_split_pair(key_sorted, start, size, edges.forward[order]):
            break
    a = order[start]
    b = order[np.minimum(start + 1, max(order.size - 1, 0))]
    double = size == 2
    twice = np.flatnonzero((size > 2) | (double & (edges.forward[a] == edges.forward[b])))
    if twice.size:
        k = a[twice[0]]
        raise E3DError(
            f"step {step}: the edge between atoms {edges.first[k]} and {edges.second[k]} occurs more "
            f"than once ({twice.size} such edges); are the files two runs, or the same run twice? Analyse "
            "each run by itself, and check that the dump has 'format float %.17g'"
        )
    own = np.where(double & ~edges.forward[a], b, a)
    return own, np.where(double, np.where(own == a, b, a), -1)


def _has_split_pair(key: np.ndarray, start: np.ndarray, size: np.ndarray, forward: np.ndarray) -> bool:
    """Whether some ids have lone edges of both directions: partners that another image may have parted."""
    lone = start[size == 1]
    if lone.size < 2:
        return False
    there = np.intersect1d(key[lone[forward[lone]]], key[lone[~forward[lone]]])
    return there.size > 0


def _absent_message(
    step: int, edges: _Oriented, rows: np.ndarray, distance: np.ndarray, has_model: bool
) -> str:
    k = rows[0]
    ids = (edges.first[k], edges.second[k]) if edges.forward[k] else (edges.second[k], edges.first[k])
    advice = "" if has_model else "if the model's cutoffs differ for the two directions, add --model FILE; "
    return (
        f"step {step}: {rows.size} edges have no partner, the first one {ids[0]} -> {ids[1]} "
        f"at {distance[0]:.4f} angstrom; dump the edges of all atoms (compute E all e3d/edge/local) and give "
        f"all files of the run; {advice}or leave such edges out and count them with --skip-unpaired"
    )
