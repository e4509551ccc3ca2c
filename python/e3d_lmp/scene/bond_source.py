"""The pairs of any frame of an edge store, a local dump or a record, taken when they are asked for."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from e3d_lmp.edges.cutoffs import BondCutoff, check_elements, parse_cutoff, unknown_elements
from e3d_lmp.edges.frames import AtomRows, BondFrame, Box, EdgeFrame
from e3d_lmp.edges.pairs import PairFrame, Pairing
from e3d_lmp.edges.store.reader import StoreReader, is_store
from e3d_lmp.errors import E3DError


class BondSource:
    """Frames of an edge store, of a local dump or of a record, in any order.

    A dump or a record is turned into an edge store in the folder for temporary files first (about a second
    for 100 MB of text), which goes when this object does: text cannot be read in any order, and a record has
    no atoms. Of a store, opening reads no more than the table of its frames.

    Parameters
    ----------
    path
        Edge store, or text of a ``dump local`` of compute e3d/edge/local or e3d/pair/local (plain, .gz, .zst;
        a name or a glob pattern), or the ``.json`` of a record of fix e3d/record.
    cutoff
        Bond cutoff in the words of `e3d_lmp.edges.cutoffs`.
    elements
        Chemical symbol of each LAMMPS type, where the file does not say them.
    atoms
        ``dump custom`` of the same steps with positions; not for an edge store.
    units
        LAMMPS units of a dump that does not say them, ``metal`` or ``real``.

    Attributes
    ----------
    steps : (F,) int64, time step, or number of the structure, of each frame
    names : names of the structures, or None
    elements : chemical symbol of each LAMMPS type
    has_positions : whether the file has the positions of the atoms

    Raises
    ------
    E3DError
        As the readers do; or the elements of the types are not known.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        cutoff: str | BondCutoff = "covalent",
        *,
        elements: Sequence[str] = (),
        atoms: str | os.PathLike | None = None,
        units: str | None = None,
    ):
        self.path = Path(path)
        cutoff = parse_cutoff(cutoff) if isinstance(cutoff, str) else cutoff
        if self.path.is_dir():
            raise E3DError(f"{path}: a folder; expected an edge store, a local dump or a record")
        if is_store(path):
            if atoms:
                raise E3DError(
                    f"{path}: an edge store has its own atoms; leave the atom dump out, or make the store "
                    "with 'e3d convert ... --atoms'"
                )
            self._store = StoreReader(path)
        else:
            self._store = _store_of_dump(self, path, elements, atoms, units)
        weakref.finalize(self, self._store.close)
        self.steps = self._store.steps
        self.names = self._store.values("name") if self._store.has("name") else None
        self._frame_of = {int(step): k for k, step in enumerate(self.steps[::-1])}
        self.has_positions = len(self) == 0 or self._store.atoms(0).position is not None
        self.elements = self._find_elements(elements)
        bond = None if cutoff.name == "model" else cutoff.matrix(self.elements)
        self._pairing = Pairing(self.elements, bond, None, skip_unpaired=True)
        self.cutoff = cutoff.name

    def __len__(self) -> int:
        return len(self._store)

    def close(self) -> None:
        self._store.close()

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of all pairs of elements, which `PairFrame.label` counts."""
        return self._pairing.labels

    def frame_of(self, step: int) -> int:
        """Number of the frame of a time step (the last one, if there are several).

        Raises
        ------
        E3DError
            There is none.
        """
        k = self._frame_of.get(int(step))
        if k is None:
            some = " ".join(str(each) for each in self.steps[:3])
            raise E3DError(
                f"{self.path}: no edges of step {step}; expected one of its {len(self)} steps, the "
                f"first ones {some}; dump atoms and edges at the same steps"
            )
        return len(self) - 1 - k

    def atoms(self, k: int) -> AtomRows:
        """The atoms of frame k, in the order of their ids."""
        return self._store.atoms(k)

    def pairs(self, k: int) -> tuple[Box, PairFrame]:
        """Box and pairs within the cutoff of frame k; edges without a partner are counted in `unpaired`."""
        frame: EdgeFrame | BondFrame = self._store[k]
        return frame.box, self.pair(frame)

    def pair(self, frame: EdgeFrame | BondFrame) -> PairFrame:
        """The pairs within the cutoff of a frame of any origin."""
        return self._pairing.pair(frame) if isinstance(frame, EdgeFrame) else self._pairing.label(frame)

    def _find_elements(self, given: Sequence[str]) -> tuple[str, ...]:
        """Chemical symbol of each type: as given, as the file says, or from the elements of the atoms."""
        if given:
            return check_elements(given)
        if self._store.elements:
            return self._store.elements
        symbols: dict[int, str] = {}
        if len(self):
            rows = self.atoms(0)
            symbols = {
                int(kind): str(rows.element[rows.type == kind][0])
                for kind in np.unique(rows.type)
                if rows.element[rows.type == kind][0]
            }
        count = max(symbols, default=0)
        found = tuple(symbols.get(kind, "") for kind in range(1, count + 1))
        if not found or unknown_elements(found):
            raise E3DError(
                f"{self.path}: does not say the elements of its LAMMPS types; name the element of each type "
                "in order, with types = 'C H N O' in OVITO, --types C H N O of e3d render"
            )
        return found


def _store_of_dump(
    owner: BondSource,
    path: str | os.PathLike,
    elements: Sequence[str],
    atoms: str | os.PathLike | None,
    units: str | None,
) -> StoreReader:
    """The frames of a dump or a record in a temporary store that goes with its owner."""
    from e3d_lmp.edges.convert import convert
    from e3d_lmp.edges.dumps.reader import AtomReader, DumpReader
    from e3d_lmp.edges.records.reader import RecordReader, is_record
    from e3d_lmp.edges.store.writer import StoreWriter

    reader: DumpReader | RecordReader
    if is_record(path):
        reader = RecordReader(path)
        elements = elements or reader.elements
    else:
        reader = DumpReader(os.fspath(path), allow_truncated=True, units=units)
    atom_reader = AtomReader(os.fspath(atoms), allow_truncated=True) if atoms else None
    folder = tempfile.TemporaryDirectory(prefix="e3d-scene-")
    weakref.finalize(owner, folder.cleanup)
    name = Path(folder.name) / "edges.h5"
    with StoreWriter(
        name,
        request={"command": "scene", "dump": os.path.abspath(path)},
        elements=tuple(elements),
        atom_columns=("position",) if atoms else (),
    ) as store:
        convert(reader, store, atom_reader)
    return StoreReader(name)
