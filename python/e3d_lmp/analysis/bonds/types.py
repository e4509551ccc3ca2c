"""Bond types of the pairs of a stream of frames: the pair label and the bond order, ``C-N 2``.

In molecular dynamics the molecules are typed once, from the first frame or from a topology: a pair that is no
bond there (one that forms later, or a contact) has the pair label alone as its type. In a set of different
structures each frame is typed by itself. A transition state has no bond orders at all.

Orders are found for the pairs of a frame within the bond cutoff and within the ``covalent`` one, so that a
wide cutoff (``paper``, ``model``) does not turn contacts into bonds. A molecule that is bonded to its own
image (a crystal) has no orders.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from e3d_lmp.analysis.bonds.orders import Perception, bond_orders, bond_type, gaff_orders, rdkit_orders
from e3d_lmp.edges.cutoffs import BondCutoff
from e3d_lmp.edges.molecules import molecule_of_atoms
from e3d_lmp.edges.pairs import PairFrame
from e3d_lmp.errors import E3DError

PERCEPTIONS: dict[str, Perception | None] = {"rdkit": rdkit_orders, "gaff": gaff_orders, "none": None}
"""Ways to find bond orders by their names on the command line."""

MOST_MOLECULES = 100_000
"""Different molecules whose orders are remembered."""

_NO_ORDER = 0


def default_perception() -> str:
    """``rdkit`` where RDKit is installed, else ``none``."""
    return "rdkit" if importlib.util.find_spec("rdkit") else "none"


def chosen_perception(name: str | None) -> tuple[str, list[str]]:
    """A name of `PERCEPTIONS`, the default one for None, and remarks on what it lacks."""
    chosen = name or default_perception()
    if name is None and chosen == "none":
        return chosen, ["no RDKit, so bond types have no orders; type: pip install 'e3d-lmp[bonds]'"]
    return chosen, []


@dataclass(frozen=True)
class Topology:
    """Bonds of a run, by atom ids.

    Attributes
    ----------
    first, second                   (B,) int64, ids of the two atoms
    element_first, element_second   (B,) str, their elements
    """

    first: np.ndarray
    second: np.ndarray
    element_first: np.ndarray
    element_second: np.ndarray


def read_topology(path: str | os.PathLike, elements: Sequence[str]) -> Topology:
    """The bonds of a LAMMPS data file, read by ASE.

    Parameters
    ----------
    elements
        Chemical symbol of each LAMMPS type.

    Raises
    ------
    E3DError
        If ASE cannot read the file, it has no section Bonds, or types beyond `elements`.
    """
    import ase.io

    expected = "expected a LAMMPS data file with the sections Atoms and Bonds"
    try:
        atoms: Any = ase.io.read(os.fspath(path), format="lammps-data")
    except Exception as error:  # ASE's readers raise whatever they like
        raise E3DError(f"{path}: {expected}, but ASE cannot read it ({error})") from None
    if "bonds" not in atoms.arrays:
        raise E3DError(f"{path}: {expected}, but it has no section Bonds; write it with 'write_data'")
    types = np.asarray(atoms.arrays["type"], dtype=np.int64)
    if types.max() > len(elements):
        raise E3DError(
            f"{path}: atoms of type {types.max()}, but there are {len(elements)} elements "
            f"({' '.join(elements)}); is it the data file of this run?"
        )
    rows, others = [], []
    for row, text in enumerate(atoms.arrays["bonds"]):
        if text != "_":
            found = [int(word.split("(")[0]) for word in str(text).split(",")]
            rows += [row] * len(found)
            others += found
    i, j = np.array(rows, dtype=np.int64), np.array(others, dtype=np.int64)
    ids, symbols = np.asarray(atoms.arrays["id"], dtype=np.int64), np.array(elements)[types - 1]
    return Topology(ids[i], ids[j], symbols[i], symbols[j])


class BondTyping:
    """The bond type of each pair of one frame after the other.

    Parameters
    ----------
    perceive
        One of `PERCEPTIONS`; None: pair labels alone.
    each_frame
        Whether the frames are different structures. Otherwise they are typed by the first one.
    topology
        Bonds to type by instead of those of the first frame.

    Attributes
    ----------
    names : names of the types so far; indices into them stay
    is_ready : whether the next frame will not be taken for the first one
    """

    def __init__(
        self, perceive: Perception | None = None, each_frame: bool = False, topology: Topology | None = None
    ):
        self.names: list[str] = []
        self._perceive, self._each_frame = perceive, each_frame and topology is None
        self._index: dict[str, int] = {}
        self._molecules: dict[tuple, np.ndarray] = {}
        self._last: tuple[bytes, np.ndarray] = (b"", np.zeros(0, dtype=np.int64))
        self._atoms = self._bonds = np.zeros(0, dtype=np.int64)
        self._codes = np.zeros(0, dtype=np.int64)
        self._limits: dict[tuple[str, ...], np.ndarray] = {}
        self.is_ready = self._each_frame or perceive is None
        if topology is not None and perceive is not None:
            codes = self._order_codes(
                topology.first, topology.second, topology.element_first, topology.element_second
            )
            self._remember(topology.first, topology.second, codes)

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another rank: not the molecules that are remembered to save time."""
        return {**self.__dict__, "_molecules": {}, "_last": (b"", np.zeros(0, dtype=np.int64))}

    def learn(self, pairs: PairFrame) -> None:
        """Take the bonds of a frame for those of the run, unless that was done."""
        if self.is_ready:
            return
        rows = self._bonded(pairs)
        self._remember(pairs.i[rows], pairs.j[rows], self._codes_of_rows(pairs, rows))

    def take(self, other: BondTyping) -> None:
        """Take over what another one of the same run has learned."""
        self._atoms, self._bonds, self._codes = other._atoms, other._bonds, other._codes
        self.is_ready = other.is_ready

    def types(self, pairs: PairFrame, bare: bool = False) -> np.ndarray:
        """(P,) int64, type of each pair as an index into `names`.

        Parameters
        ----------
        bare
            No bond orders: a transition state.
        """
        codes = np.zeros(pairs.i.size, dtype=np.int64)
        if self._perceive is not None and not bare:
            self.learn(pairs)
            if self._each_frame:
                rows = self._bonded(pairs)
                codes[rows] = self._codes_of_rows(pairs, rows)
            else:
                codes = self._known_codes(pairs)
        both, inverse = np.unique(pairs.label.astype(np.int64) * 16 + codes, return_inverse=True)
        found = [
            self._number(bond_type(pairs.labels[code >> 4], (code & 15) / 2.0 or np.nan))
            for code in both.tolist()
        ]
        return np.array(found, dtype=np.int64)[inverse]

    def _number(self, name: str) -> int:
        if name not in self._index:
            self._index[name] = len(self.names)
            self.names.append(name)
        return self._index[name]

    def _bonded(self, pairs: PairFrame) -> np.ndarray:
        """Rows of the pairs that count as bonds."""
        if pairs.labels not in self._limits:
            cutoff = BondCutoff("covalent")
            self._limits[pairs.labels] = np.array(
                [cutoff.distance(*label.split("-")) for label in pairs.labels], dtype=np.float64
            )
        limit = self._limits[pairs.labels][pairs.label]
        return np.flatnonzero(np.einsum("ij,ij->i", pairs.vec, pairs.vec) < limit * limit)

    def _codes_of_rows(self, pairs: PairFrame, rows: np.ndarray) -> np.ndarray:
        """Codes of the orders of these pairs; those of the last frame where the bonds are the same."""
        i, j, label = pairs.i[rows], pairs.j[rows], pairs.label[rows]
        key = b"".join(array.tobytes() for array in (i, j, label))
        if self._last[0] != key:
            first, second = np.array([name.split("-") for name in pairs.labels]).reshape(-1, 2).T
            self._last = (key, self._order_codes(i, j, first[label], second[label]))
        return self._last[1]

    def _order_codes(
        self, first: np.ndarray, second: np.ndarray, element_first: np.ndarray, element_second: np.ndarray
    ) -> np.ndarray:
        """(B,) int64, twice the order of each bond, `_NO_ORDER` where there is none."""
        ids, place = np.unique(np.concatenate([first, second]), return_index=True)
        elements = np.concatenate([element_first, element_second])[place].tolist()
        ends = np.stack([np.searchsorted(ids, first), np.searchsorted(ids, second)], axis=1)
        ends = np.sort(ends, axis=1).reshape(-1, 2)
        codes = np.full(first.size, _NO_ORDER, dtype=np.int64)
        if not first.size:
            return codes
        _, once, times = np.unique(ends, axis=0, return_index=True, return_counts=True)
        fine = np.zeros(first.size, dtype=bool)
        fine[once[times == 1]] = True
        fine &= ends[:, 0] != ends[:, 1]
        if not fine.all():
            molecule = molecule_of_atoms(ids.size, ends)[ends[:, 0]]
            fine &= ~np.isin(molecule, molecule[~fine])
        if len(self._molecules) > MOST_MOLECULES:
            self._molecules.clear()
        orders = bond_orders(elements, ends[fine], self._perceive, known=self._molecules)
        codes[fine] = np.where(np.isnan(orders), _NO_ORDER, np.rint(2.0 * np.nan_to_num(orders)))
        return codes

    def _remember(self, first: np.ndarray, second: np.ndarray, codes: np.ndarray) -> None:
        self._atoms = np.unique(np.concatenate([first, second]))
        key = self._keys(first, second)
        order = np.argsort(key, kind="stable")
        self._bonds, self._codes = key[order], codes[order]
        self.is_ready = True

    def _keys(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """One number for each pair of known atoms, -1 where one is unknown."""
        n = self._atoms.size
        if not n:
            return np.full(first.size, -1, dtype=np.int64)
        a, b = (np.minimum(np.searchsorted(self._atoms, ids), n - 1) for ids in (first, second))
        known = (self._atoms[a] == first) & (self._atoms[b] == second)
        return np.where(known, np.minimum(a, b) * n + np.maximum(a, b), -1)

    def _known_codes(self, pairs: PairFrame) -> np.ndarray:
        """(P,) int64, codes of the pairs that are bonds of the first frame; `_NO_ORDER` for others."""
        if not self._bonds.size:
            return np.full(pairs.i.size, _NO_ORDER, dtype=np.int64)
        key = self._keys(pairs.i, pairs.j)
        at = np.minimum(np.searchsorted(self._bonds, key), self._bonds.size - 1)
        return np.where(self._bonds[at] == key, self._codes[at], _NO_ORDER)
