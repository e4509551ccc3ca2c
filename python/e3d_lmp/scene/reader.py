"""`E3DReader`: OVITO opens edge stores and records, by itself, and local dumps, where it is told to.

::

    from ovito.io import import_file
    pipeline = import_file("edges.h5")
    pipeline = import_file("edges.h5", cutoff="2.2", bond_orders=True)

    pipeline = import_file("edges.json", atoms="atoms.dump")     # a record of fix e3d/record

    from e3d_lmp.scene.reader import E3DReader          # a local dump and the dump of its atoms
    pipeline = import_file("edges.dump", input_format=E3DReader, atoms="atoms.dump", types="C H N O")
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import traits.api
from ovito.data import DataCollection
from ovito.io import FileReaderInterface

from e3d_lmp.edges.hdf5 import open_hdf5
from e3d_lmp.edges.records.reader import is_record
from e3d_lmp.edges.store.reader import FORMAT, StoreReader, is_store
from e3d_lmp.errors import E3DError
from e3d_lmp.files import reading
from e3d_lmp.scene.bond_source import BondSource
from e3d_lmp.scene.contents import set_atoms, set_bonds, set_box


class E3DReader(FileReaderInterface):
    """Reads the frames of an edge store one by one, when they are shown.

    Attributes
    ----------
    cutoff : bond cutoff in the words of `e3d_lmp.edges.cutoffs`
    types : element of each LAMMPS type, blanks between, where the file does not say them
    atoms : dump of the atoms, for a local dump or a record
    bond_orders : whether RDKit perceives the orders of bonds
    """

    cutoff = traits.api.Str("covalent", label="Bond cutoff")
    types = traits.api.Str("", label="Elements of types")
    atoms = traits.api.Str("", label="Dump of atoms")
    bond_orders = traits.api.Bool(False, label="Bond orders (RDKit)")

    _source = traits.api.Any(transient=True)
    _request = traits.api.Any(transient=True)

    @staticmethod
    def detect(filename: str) -> bool:
        """Whether a file is an edge store or a record, of any version; no other HDF5 or JSON file is."""
        if is_record(filename):
            return True
        if not is_store(filename):
            return False
        try:
            StoreReader(filename).close()
            return True
        except E3DError:
            # Damaged, or of a newer version: ours, and `scan` says what is wrong with it.
            try:
                with open_hdf5(filename, "an edge store") as file, reading(filename, "edge store", ""):
                    return str(file.attrs.get("format", "")).startswith(FORMAT.split("/")[0] + "/")
            except E3DError:
                return False

    def scan(self, filename: str, register_frame: Callable[..., None]) -> None:
        """Tell OVITO the frames; reads the table of frames, no edge."""
        source = self.open(filename)
        for k, step in enumerate(source.steps):
            register_frame(frame_info=k, label=int(step) if source.names is None else str(source.names[k]))

    def parse(
        self, data: DataCollection, *, filename: str, frame_index: int, frame_info: Any = None, **_: Any
    ) -> None:
        """Fill a data collection with one frame, as `e3d_lmp.scene.contents` says."""
        source = self.open(filename)
        if not len(source):
            raise E3DError(f"{filename}: has no frame yet; let its writer finish")
        k = frame_index if frame_info is None else int(frame_info)
        atoms = source.atoms(k)
        if atoms.position is None:
            raise E3DError(
                f"{filename}: has no positions; for a dump or a record name the dump of the atoms too "
                "(atoms='atoms.dump'), make a store again with 'e3d convert ... --atoms DUMP', or open the "
                "dump of the atoms and add the modifier E3DBonds with this file as its source"
            )
        box, pairs = source.pairs(k)
        set_box(data, box)
        set_atoms(data, atoms, source.elements)
        set_bonds(data, pairs, self.bond_orders, filename)
        data.attributes["Timestep"] = int(source.steps[k])
        data.attributes["E3D.cutoff"] = source.cutoff
        if source.names is not None:
            data.attributes["Name"] = str(source.names[k])

    def open(self, filename: str) -> BondSource:
        """The source of the file as it is now; raises `E3DError` as `BondSource` does."""
        state = os.stat(filename)
        request = (filename, state.st_mtime_ns, state.st_size, self.cutoff, self.types, self.atoms)
        if self._source is None or self._request != request:
            self._source = BondSource(
                filename, self.cutoff, elements=self.types.split(), atoms=self.atoms or None
            )
            self._request = request
        return self._source
