"""Where directed edges come from: dumps of a run, a record, or an edge store; whole, or a rank's share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from e3d_lmp.edges.cutoffs import check_elements
from e3d_lmp.edges.dumps.reader import DumpReader, expand_paths
from e3d_lmp.edges.frames import BondFrame, EdgeFrame
from e3d_lmp.edges.records.reader import RecordReader, is_record
from e3d_lmp.edges.store.reader import EDGES, PARTIAL, StoreReader, is_store
from e3d_lmp.edges.structures import ENDS, TRANSITION_STATE
from e3d_lmp.errors import E3DError
from e3d_lmp.files import some_names

NOT_PASSED_ON = ("request", "e3d", "cutoff", "every")
"""Provenance of a store or a record that is not that of what is made from it."""


class EdgeSource:
    """Frames of one run, or of a set of structures, with what is known about them.

    Parameters
    ----------
    paths
        Dumps, or one edge store, or one record (its ``.json``).
    types
        Element, or with `model` name, of each LAMMPS type; stores and records may know better.
    model
        Model file of the run, for cutoffs that differ for the two directions.
    every
        Take one frame out of so many.
    share
        (rank, ranks): take the part of this rank.
    columns, allow_truncated, units
        As those of `DumpReader`; for dumps only.

    Attributes
    ----------
    reader : DumpReader, StoreReader or RecordReader
    elements : tuple of str, chemical symbol of each type
    model_cutoffs : (n, n) angstrom, or None
    provenance : dict of str
    is_set : whether the frames are different structures, not those of one run
    holds_all_edges : whether all edges of the model are there; None where that is not known
    has_reactions : whether the structures are reactants, transition states and products

    Raises
    ------
    E3DError
        As the readers do; several stores or records; elements missing; options of the other kind of source.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        types: Sequence[str] | None = None,
        model: str | Path | None = None,
        every: int = 1,
        share: tuple[int, int] = (0, 1),
        columns: Sequence[str] | None = None,
        allow_truncated: bool = False,
        units: str | None = None,
    ):
        self._share = share
        self._numbers: range | None = None
        self._done = 0
        self.reader: DumpReader | StoreReader | RecordReader
        self.is_set = self.has_reactions = False
        self.holds_all_edges: bool | None = None
        self._names: np.ndarray | None = None
        is_one_of_stores = any(is_store(path) or _is_unfinished_store(path) for path in paths)
        if is_one_of_stores or any(map(is_record, paths)):
            article, what = ("an", "edge store") if is_one_of_stores else ("a", "record")
            if len(paths) > 1:
                raise E3DError(f"expected dumps or one {what}, got {len(paths)} files, {what}s among them")
            if columns or units:
                raise E3DError(f"{paths[0]} is {article} {what}: leave --columns and --units out")
            if is_one_of_stores:
                self._open_store(Path(paths[0]), every)
            else:
                self._open_record(Path(paths[0]), every)
        else:
            expand_paths(paths)  # a file that is not there is said before what it would need
            if not types:
                raise E3DError("--types: name the element of each LAMMPS type in order, e.g. --types C H N O")
            self.reader = DumpReader(paths, columns, every, allow_truncated, units=units, share=share)
            dumps = some_names(" ".join(map(str, self.reader.files)), "the folder of the first")
            self.provenance = {"dumps": dumps, "every": str(every)}
        self._set_types(tuple(types) if types else self._known_elements(), model)
        self.provenance["energy_unit"] = "eV"

    def __iter__(self) -> Iterator[tuple[int, EdgeFrame | BondFrame, str]]:
        """Number of each frame in the source (counted from 0, after `every`), the frame, and its role."""
        if isinstance(self.reader, DumpReader):
            for frame in self.reader:
                yield self.reader.number, frame, ""
            return
        assert self._numbers is not None
        numbers = self._numbers
        part = self.reader[numbers.start : numbers.stop]
        for self._done, (number, frame) in enumerate(zip(numbers, part, strict=True), 1):
            yield number, frame, self.role(number)

    def name(self, number: int) -> str:
        """Name of a structure; nothing for the frames of a run."""
        return "" if self._names is None else str(self._names[number])

    def role(self, number: int) -> str:
        """``reactant``, ``transition_state``, ``product``, or nothing."""
        end = self.name(number).rsplit("/", 1)[-1] if self.has_reactions else ""
        return end if end in ENDS else ""

    def remarks(self) -> list[str]:
        """What the user must know about the frames that were left out; the same on all ranks."""
        return self.reader.remarks()

    def first(self) -> EdgeFrame | BondFrame | None:
        """The first frame of the whole source; None where no frame is complete."""
        reader = self.reader
        if not isinstance(reader, DumpReader):
            if not len(reader):
                raise E3DError(f"{reader.path}: has no whole frame")
            return reader[0]
        again = DumpReader(reader.paths, reader.columns, 1, reader.allow_truncated, units=reader.units)
        return next(iter(again), None)

    @property
    def counts_frames(self) -> bool:
        """Whether `done` and `size` are frames, not bytes."""
        return self._numbers is not None

    @property
    def size(self) -> int:
        """Bytes of the dumps, or frames of this share of a store or record."""
        return self.reader.bytes_total if self._numbers is None else len(self._numbers)

    @property
    def done(self) -> int:
        """How much of `size` was read."""
        return min(self.reader.bytes_read, self.size) if self._numbers is None else self._done

    @property
    def numbers(self) -> range:
        """Numbers of the frames of this share of a store or record."""
        assert self._numbers is not None
        return self._numbers

    def _open_store(self, path: Path, every: int) -> None:
        store = StoreReader(path, every)
        self._take_share(store, "store")
        self.is_set = store.has("name")
        if self.is_set:
            self._names = store.values("name")
            self.has_reactions = bool(np.char.endswith(self._names, "/" + TRANSITION_STATE).any())
            self.holds_all_edges = store.kind == EDGES and store.provenance.get("cutoff") == "model"

    def _open_record(self, path: Path, every: int) -> None:
        record = RecordReader(path, every)
        if not len(record):
            raise E3DError(f"{path}: no whole frame is in its shards yet; did the run reach its first step?")
        self._take_share(record, "record")

    def _take_share(self, reader: StoreReader | RecordReader, what: str) -> None:
        """Read the frames of this rank, which follow each other: so it opens few of the files of a record."""
        rank, ranks = self._share
        n = len(reader)
        self.reader = reader
        self._numbers = range(n * rank // ranks, n * (rank + 1) // ranks)
        kept = {
            key: some_names(text, f"the {what}")
            for key, text in reader.provenance.items()
            if key not in NOT_PASSED_ON
        }
        self.provenance = {**kept, what: str(reader.path), "every": str(reader.every)}

    def _known_elements(self) -> tuple[str, ...]:
        """Elements of the types as the store or record, or the atoms of a store, say them."""
        store = self.reader
        assert not isinstance(store, DumpReader)
        if store.elements:
            return store.elements
        found: dict[int, str] = {}
        if isinstance(store, StoreReader) and len(store):
            atoms = store.atoms(0)
            found = dict(zip(atoms.type.tolist(), atoms.element.tolist(), strict=True))
        known = [found.get(k, "") for k in range(1, max(found, default=0) + 1)]
        if not known or not all(known):
            raise E3DError(f"{store.path}: it does not name the elements; add --types, e.g. --types C H N O")
        return tuple(known)

    def _set_types(self, words: tuple[str, ...], model: str | Path | None) -> None:
        self.model_cutoffs: np.ndarray | None = None
        if model:
            from e3d_lmp.model.contract import read_metadata

            self.elements, self.model_cutoffs = model_types(model, words)
            self.provenance.setdefault("model_source", read_metadata(model).source_sha256)
        else:
            self.elements = check_elements(words)
        store = self.reader
        if not isinstance(store, DumpReader) and store.elements and store.elements != self.elements:
            raise E3DError(
                f"{store.path}: the elements of its types are {' '.join(store.elements)}, not "
                f"{' '.join(self.elements)}; leave --types out"
            )


def _is_unfinished_store(path: str | Path) -> bool:
    """Whether the file is not there, but the store that is to become it is; its reader says what to do."""
    return not Path(path).exists() and Path(f"{path}{PARTIAL}").is_file()


def model_types(path: str | Path, words: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Elements and cutoffs of the LAMMPS types of a run, from its model file.

    Parameters
    ----------
    words
        One for each LAMMPS type: its name in the model, as in ``pair_coeff``, or its element.

    Returns
    -------
    elements
        Chemical symbol of each LAMMPS type.
    cutoffs
        (n, n) float64, angstrom, directed cutoffs by LAMMPS type, row: centre.

    Raises
    ------
    E3DError
        A word is neither, or an element is that of several types of the model whose cutoffs differ.
    """
    from e3d_lmp.model.contract import read_metadata

    model = read_metadata(path)
    n_types = len(model.type_names)
    cutoffs = np.array(model.cutoffs).reshape(n_types, n_types)
    kinds = model.type_names if set(words) <= set(model.type_names) else model.type_elements
    fitting = [np.flatnonzero(np.array(kinds) == word) for word in words]
    missing = [word for word, types in zip(words, fitting, strict=True) if types.size == 0]
    if missing:
        names = " ".join(dict.fromkeys((*model.type_elements, *model.type_names)))
        raise E3DError(
            f"{path}: the model has no type or element {', '.join(missing)}, it has {names}; check --types"
        )
    for first in fitting:
        for second in fitting:
            if np.ptp(cutoffs[np.ix_(first, second)]) > 0.0:
                several = first if first.size > 1 else second
                names = " ".join(model.type_names[k] for k in several)
                raise E3DError(
                    f"{path}: {model.type_elements[several[0]]} is the element of its types {names}, whose "
                    f"cutoffs differ; name the types as in pair_coeff, --types {' '.join(model.type_names)}"
                )
    at = [types[0] for types in fitting]
    return tuple(model.type_elements[k] for k in at), cutoffs[np.ix_(at, at)]
