"""A model, ready to be asked for the energies of edges of structures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from e3d_lmp.edges.neighbours import EdgeList, edges_of
from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError
from e3d_lmp.model.contract import NATIVE, UNKNOWN, ModelMetadata, read_metadata
from e3d_lmp.model.engine import EdgeEnergies
from e3d_lmp.model.evaluators import as_model_file, open_evaluator

BATCH = {"native": 4096, "cpu": 256, "cuda": 8192, "xpu": 8192}
"""Atoms that are evaluated at a time: by the native engine, by torch on a device."""


class UnknownElement(E3DError):
    """A structure holds an element that the model does not know."""


class NoNumber(E3DError):
    """Something about an atom, which counts from 0, is NaN or infinite."""

    def __init__(self, what: str, atom: int):
        super().__init__(f"atom {atom + 1}: {what}")
        self.what, self.atom = what, atom


class EdgeEvaluator:
    """A model of any kind, ready to be asked for edge energies.

    Parameters
    ----------
    path
        Model file: .safetensors, which needs no torch; .nequip.pt2 or .nequip.pth, which torch runs; or a
        nequip package or checkpoint (.nequip.zip, .ckpt), which is exported for the native engine on the
        spot.
    device
        ``cpu``, ``cuda``, ``cuda:K``, ``xpu``; ``auto``: a GPU where the file and this machine allow it.
    batch
        Atoms at a time; by kind of file and device as a default. Does not change the result beyond rounding.
    threads
        By default OMP_NUM_THREADS, or else all cores.
    precision
        ``float32`` or ``float64``, for the native engine; None: that of the model.

    Attributes
    ----------
    path : Path
    model : ModelMetadata
    cutoffs : (types, types) angstrom, row: type of the centre
    device : str
    batch : int

    Raises
    ------
    E3DError
        The file keeps no contract, or does not run on the device.
    """

    def __init__(
        self,
        path: str | Path,
        device: str = "auto",
        batch: int | None = None,
        threads: int | None = None,
        precision: str | None = None,
    ):
        if batch is not None and batch < 1:
            raise E3DError(f"--batch {batch}: expected a whole number of at least 1")
        self.path = Path(path)
        with as_model_file(self.path) as file:
            self.model: ModelMetadata = read_metadata(file)
            self._evaluator, self.device = open_evaluator(
                file, self.model, device=device, threads=threads, precision=precision, batch=batch
            )
        kind = NATIVE if self.model.engine == NATIVE else self.device.split(":")[0]
        self.batch = batch or BATCH[kind]
        n_types = len(self.model.type_names)
        self.cutoffs = np.array(self.model.cutoffs).reshape(n_types, n_types)
        self._type_of = _types_by_number(self.model)

    @property
    def about(self) -> dict[str, str]:
        """What evaluates: ``engine``, ``device``, and of torch its version."""
        version = getattr(self._evaluator, "version", UNKNOWN)
        torch = {} if version == UNKNOWN else {"torch": version}
        return {"engine": self.model.engine, "device": self.device, **torch}

    def types(self, structure: Structure) -> np.ndarray:
        """(N,) int64 model types; `UnknownElement` where there is none."""
        from ase.data import chemical_symbols

        types = self._type_of.take(structure.numbers)
        if types.size and types.min() < 0:
            symbols = sorted({chemical_symbols[z] for z in structure.numbers[types < 0]})
            raise UnknownElement(
                f"{structure.name}: the model knows {' '.join(self.model.type_elements)}, not "
                f"{' '.join(symbols)}"
            )
        return types

    def edges(self, structures: Sequence[Structure], types: np.ndarray) -> EdgeList:
        """All directed edges of structures within the model's cutoffs; arguments as those of `edges_of`."""
        return edges_of(structures, types, self.cutoffs)

    def evaluate(self, edges: EdgeList, types: np.ndarray, forces: bool = True) -> EdgeEnergies:
        """Energies of all atoms, and energies and gradients of all edges.

        Parameters
        ----------
        edges
            Ordered by centres.
        types
            (N,) model types.
        forces
            Whether gradients are wanted; without them the native engine needs half of the time.

        Raises
        ------
        NoNumber
            Two atoms are at one place, or something that the model returned is not finite.
        """
        apart = edges.vec.any(axis=1)
        if not apart.all():
            raise NoNumber("another atom is at the same place", int(edges.i[np.argmin(apart)]))
        own = types.astype(np.int32)
        found = self._evaluator.evaluate(edges.first(len(own)), own, own.take(edges.j), edges.vec, forces)
        _require_numbers(found, edges)
        return found


def _require_numbers(found: EdgeEnergies, edges: EdgeList) -> None:
    """`NoNumber` unless every output of the model is finite."""
    for what, values, of_edges in (
        ("an energy", found.energy, False),
        ("an energy of an edge", found.edge_energy, True),
        ("a force", found.edge_forces, True),
    ):
        if values is None or np.isfinite(values).all():
            continue
        row = int(np.argmin(np.isfinite(values).reshape(len(values), -1).all(axis=1)))
        atom = int(edges.i[row]) if of_edges else row
        raise NoNumber(f"the model returned {what} that is not a number", atom)


def atomic_forces(edges: EdgeList, gradient: np.ndarray, n_atoms: int) -> np.ndarray:
    """(n_atoms, 3) eV/angstrom, F_i = sum_j (g_ij - g_ji), from the (E, 3) gradients of edges in order."""
    forces = np.zeros((n_atoms, 3))
    if edges.i.size:
        first = edges.first(n_atoms)
        centres = np.flatnonzero(np.diff(first))
        forces[centres] = np.add.reduceat(gradient, first[centres], axis=0)
        for k, column in enumerate(np.ascontiguousarray(gradient.T)):
            forces[:, k] -= np.bincount(edges.j, column, n_atoms)
    return forces


def _types_by_number(model: ModelMetadata) -> np.ndarray:
    """(120,) model type of each atomic number, -1 where there is none."""
    from ase.data import atomic_numbers

    if len(set(model.type_elements)) < len(model.type_elements):
        raise E3DError(
            f"the model has several types of one element ({' '.join(model.type_names)} are "
            f"{' '.join(model.type_elements)}): structures do not say which is meant"
        )
    types = np.full(120, -1, dtype=np.int64)
    for k, symbol in enumerate(model.type_elements):
        types[atomic_numbers[symbol]] = k
    return types
