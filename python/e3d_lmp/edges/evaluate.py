"""Edge energies of structures, from a model file and nothing else.

A model of the contract ``e3d/1`` knows edges, not structures: those of many molecules go into one call, and a
structure that is larger than a call is taken some centres at a time, as the plugin does it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from e3d_lmp.edges.cutoffs import BondCutoff
from e3d_lmp.edges.frames import AtomRows, Box, EdgeFrame
from e3d_lmp.edges.store.writer import StoreWriter
from e3d_lmp.edges.structures import Selection, Structure, Structures
from e3d_lmp.errors import E3DError
from e3d_lmp.files import sha256_of
from e3d_lmp.model.contract import AOTINDUCTOR, ModelMetadata, read_metadata
from e3d_lmp.model.file import open_model_file
from e3d_lmp.model.slots import call_inputs

DEFAULT_BATCH = {"cpu": 256, "cuda": 8192, "xpu": 8192}
"""Atoms in one call of the model."""


@dataclass(frozen=True)
class EdgeList:
    """Directed edges of one or several structures, ordered by their centres.

    Attributes
    ----------
    i, j    (E,) int64, centre and neighbour, counted from 0
    vec     (E, 3) float64, angstrom, r_j - r_i, image included
    """

    i: np.ndarray
    j: np.ndarray
    vec: np.ndarray


class UnknownElement(E3DError):
    """A structure holds an element that the model does not know."""


class EdgeEvaluator:
    """A model file, ready to be asked for edge energies.

    Parameters
    ----------
    path
        Model file, .nequip.pth or .nequip.pt2.
    device
        ``cpu``, ``cuda``, ``cuda:K``, ``xpu``; ``auto``: a GPU where the file and this machine allow it.
    batch
        Atoms in one call; by device as a default.

    Raises
    ------
    E3DError
        The file keeps no contract, or does not run on the device.
    """

    def __init__(self, path: str | Path, device: str = "auto", batch: int | None = None):
        self.path = Path(path)
        self.model: ModelMetadata = read_metadata(self.path)
        self.device = _device(self.path, self.model, device)
        if batch is not None and batch < 1:
            raise E3DError(f"--batch {batch}: expected a whole number of at least 1")
        self.batch = batch or DEFAULT_BATCH[torch.device(self.device).type]
        self._call = open_model_file(self.path, self.device)
        n_types = len(self.model.type_names)
        self._cutoffs = np.array(self.model.cutoffs).reshape(n_types, n_types)
        self._type_of = _types_by_number(self.model)

    def types(self, structure: Structure) -> np.ndarray:
        """(N,) int64 model types; `UnknownElement` where there is none."""
        from ase.data import chemical_symbols

        types = self._type_of[structure.numbers]
        if (types < 0).any():
            symbols = sorted({chemical_symbols[z] for z in structure.numbers[types < 0]})
            raise UnknownElement(
                f"{structure.name}: the model knows {' '.join(self.model.type_elements)}, not "
                f"{' '.join(symbols)}; add --skip-unknown to leave such structures out"
            )
        return types

    def edges(self, structure: Structure, types: np.ndarray) -> EdgeList:
        """All directed edges of a structure within the model's cutoffs."""
        from ase.geometry import complete_cell
        from matscipy.neighbours import neighbour_list

        if not np.isfinite(structure.positions).all():
            raise E3DError(f"{structure.name}: positions that are not finite; mend the file")
        if len(types) == 0:
            return EdgeList(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3)))
        if structure.pbc.any():
            if not np.linalg.norm(structure.cell[structure.pbc], axis=1).all():
                raise E3DError(f"{structure.name}: periodic, but without a cell vector; mend the file")
            box = {"cell": complete_cell(structure.cell), "pbc": structure.pbc}
        else:
            low, high = structure.positions.min(axis=0) - 1.0, structure.positions.max(axis=0) + 1.0
            box = {"cell": np.diag(high - low), "cell_origin": low, "pbc": structure.pbc}
        i, j, vec, distance = neighbour_list(
            "ijDd", positions=structure.positions, cutoff=float(self._cutoffs.max()), **box
        )
        near = distance < self._cutoffs[types[i], types[j]]
        return EdgeList(i[near].astype(np.int64), j[near].astype(np.int64), vec[near])

    def evaluate(self, edges: EdgeList, types: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Energies of all atoms, and energies and gradients of all edges.

        Parameters
        ----------
        edges
            Ordered by centres.
        types
            (N,) int64 model types.

        Returns
        -------
        atomic_energy : (N,) float64, eV, mu included
        eps : (E,) float64, eV
        gradient : (E, 3) float64, eV/angstrom, dU_i/dr_ij
        """
        n_atoms = len(types)
        atomic, eps, gradient = np.zeros(n_atoms), np.zeros(edges.i.size), np.zeros((edges.i.size, 3))
        for first in range(0, n_atoms, self.batch):
            last = min(first + self.batch, n_atoms)
            begin, end = np.searchsorted(edges.i, [first, last])
            rows = slice(int(begin), int(end))
            results = self._centres(
                edges.i[rows] - first, types[edges.j[rows]], edges.vec[rows], types[first:last]
            )
            atomic[first:last], eps[rows], gradient[rows] = results
        return atomic, eps, gradient

    def _centres(
        self, centre: np.ndarray, neighbour_type: np.ndarray, vec: np.ndarray, types: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One call."""
        n, n_edges = len(types), len(centre)
        n_types = len(self.model.type_names)
        arrays = call_inputs(centre, neighbour_type, vec, types, n_types, self.model.r_max)
        tensors = [torch.from_numpy(array).to(self.device) for array in arrays]
        try:
            atomic, eps, gradient = (tensor.detach().cpu().numpy() for tensor in self._call(*tensors))
        except RuntimeError as error:
            advice = "choose a smaller --batch" if "memory" in str(error) else "try --device cpu"
            raise E3DError(
                f"{self.path}: the model failed on {n} atoms and {n_edges} edges on {self.device} "
                f"({str(error).strip().splitlines()[-1]}); {advice}"
            ) from error
        return atomic[:n, 0], eps[:n_edges, 0], gradient[:n_edges]


@dataclass(frozen=True)
class Evaluated:
    """What the model says of one structure.

    Attributes
    ----------
    frame : its edges within the bond cutoff; ids from 1, types as in the model, from 1
    atoms : its atoms
    energy : eV, all edges and mu of all atoms
    reference_energy : eV, as the source has it
    name : of the structure
    """

    frame: EdgeFrame
    atoms: AtomRows
    energy: float
    reference_energy: float
    name: str


def evaluate_structures(
    evaluator: EdgeEvaluator,
    structures: Iterable[tuple[int, Structure]],
    cutoff: BondCutoff | None = None,
    forces: bool = False,
    skip_unknown: bool = False,
) -> Iterator[Evaluated]:
    """Each structure's edges and energies, in order; as many at a time as one call takes.

    Parameters
    ----------
    structures
        Number of each, which becomes the step of its frame, and the structure.
    cutoff
        Bond cutoff of the edges to keep; None: the model's.
    forces
        Give the atoms their forces.
    skip_unknown
        Leave out structures with elements that the model does not know; their numbers are left out too.

    Raises
    ------
    E3DError
        A structure cannot be evaluated.
    """
    bond = None
    if cutoff is not None and cutoff.name != "model":
        bond = cutoff.matrix(evaluator.model.type_elements)
    batch: list[tuple[int, Structure, np.ndarray]] = []
    waiting = 0
    for number, structure in structures:
        try:
            types = evaluator.types(structure)
        except UnknownElement:
            if skip_unknown:
                continue
            raise
        batch.append((number, structure, types))
        waiting += len(types)
        if waiting >= evaluator.batch:
            yield from _evaluate_batch(evaluator, batch, bond, forces)
            batch, waiting = [], 0
    yield from _evaluate_batch(evaluator, batch, bond, forces)


def _evaluate_batch(
    evaluator: EdgeEvaluator,
    batch: Sequence[tuple[int, Structure, np.ndarray]],
    bond: np.ndarray | None,
    forces: bool,
) -> Iterator[Evaluated]:
    if not batch:
        return
    lists = [evaluator.edges(structure, types) for _, structure, types in batch]
    sizes = [len(types) for _, _, types in batch]
    first_atom = np.concatenate([[0], np.cumsum(sizes)])
    first_edge = np.concatenate([[0], np.cumsum([edges.i.size for edges in lists])])
    whole = EdgeList(
        np.concatenate([edges.i + at for edges, at in zip(lists, first_atom, strict=False)]),
        np.concatenate([edges.j + at for edges, at in zip(lists, first_atom, strict=False)]),
        np.concatenate([edges.vec for edges in lists]),
    )
    all_types = np.concatenate([types for _, _, types in batch])
    atomic, eps, gradient = evaluator.evaluate(whole, all_types)
    force = None
    if forces:
        # F_i = sum_j (g_ij - g_ji)
        force = np.stack(
            [
                np.bincount(whole.i, gradient[:, k], len(all_types))
                - np.bincount(whole.j, gradient[:, k], len(all_types))
                for k in range(3)
            ],
            axis=1,
        )
    symbols = np.array(evaluator.model.type_elements)
    for k, (number, structure, types) in enumerate(batch):
        edges, own = lists[k], slice(first_atom[k], first_atom[k + 1])
        energies = eps[first_edge[k] : first_edge[k + 1]]
        keep: Any = slice(None)
        if bond is not None:
            keep = np.linalg.norm(edges.vec, axis=1) < bond[types[edges.i], types[edges.j]]
        i, j = edges.i[keep], edges.j[keep]
        lammps_types = (types + 1).astype(np.int32)
        box = Box(structure.cell, np.zeros(3), structure.pbc)
        yield Evaluated(
            EdgeFrame(
                number, box, i + 1, j + 1, lammps_types[i], lammps_types[j], edges.vec[keep], energies[keep]
            ),
            AtomRows(
                np.arange(1, len(types) + 1),
                lammps_types,
                symbols[types],
                structure.positions,
                None if force is None else force[own],
                _reference_force(structure) if forces else None,
            ),
            float(atomic[own].sum()),
            structure.energy,
            structure.name,
        )


def _reference_force(structure: Structure) -> np.ndarray:
    """(N, 3) eV/angstrom, nan where the source has none."""
    if structure.forces is None:
        return np.full(structure.positions.shape, np.nan)
    return structure.forces


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


def _device(path: Path, model: ModelMetadata, wanted: str) -> str:
    """The device to run on; raises if the file or this machine cannot."""
    kind = wanted.split(":")[0]
    if kind not in ("auto", "cpu", "cuda", "xpu"):
        raise E3DError(f"--device {wanted}: expected auto, cpu, cuda, cuda:K or xpu")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "xpu": torch.xpu.is_available()}
    if model.engine == AOTINDUCTOR and kind not in ("auto", model.device):
        raise E3DError(
            f"{path}: compiled for {model.device}, not for {kind}; use the portable .nequip.pth, or export "
            f"the model with --device {kind}"
        )
    if kind == "auto":
        if model.engine == AOTINDUCTOR:
            wanted = kind = model.device
        else:
            wanted = kind = next(name for name in ("cuda", "xpu", "cpu") if there[name])
    if not there[kind]:
        raise E3DError(
            f"{path}: no {kind} device that this torch ({torch.__version__}) can use; try --device cpu"
        )
    return wanted


def open_store(
    output: str | os.PathLike,
    evaluator: EdgeEvaluator,
    structures: Structures,
    *,
    cutoff: BondCutoff,
    forces: bool = False,
    every: int = 1,
    single: bool = False,
    long_ids: bool = False,
    overwrite: bool = False,
) -> StoreWriter:
    """The store for what a model says of some structures, or the one that was begun with the same request.

    Parameters
    ----------
    cutoff
        Bond cutoff of the edges to keep.
    forces
        Keep forces on the atoms; `structures` was then opened with them too.
    every
        Each how many-th structure is to be taken.
    single, long_ids, overwrite
        As those of `StoreWriter`.

    Raises
    ------
    E3DError
        As `StoreWriter` does.
    """
    model, digest = evaluator.model, sha256_of(evaluator.path)
    columns: tuple[str, ...] = ("position", "force") if forces else ("position",)
    if forces and structures.have_forces():
        columns += ("reference_force",)
    return StoreWriter(
        output,
        request={
            "command": "evaluate",
            "model": digest,
            **structures.request,
            "cutoff": cutoff.name,
            "forces": forces,
            "every": every,
            "single": single,
        },
        elements=model.type_elements,
        provenance={
            "structures": " ".join(map(str, structures.paths)),
            **({"every_structure": str(every)} if every > 1 else {}),
            "model": str(evaluator.path),
            "model_sha256": digest,
            "decomposition": model.decomposition,
            "training_data": model.training_data,
            "cutoff": cutoff.name,
            "device": evaluator.device,
            "torch": torch.__version__,
            "reference_energy": structures.energy_fields(),
        },
        frame_columns=("energy", "reference_energy", "name"),
        atom_columns=columns,
        single=single,
        long_ids=long_ids,
        overwrite=overwrite,
    )


def fill_store(
    store: StoreWriter,
    evaluator: EdgeEvaluator,
    structures: Structures,
    *,
    cutoff: BondCutoff,
    forces: bool = False,
    every: int = 1,
    limit: int | None = None,
    skip_unknown: bool = False,
    show_progress: bool = True,
) -> int:
    """Evaluate structures into a store of `open_store`, after those that it has.

    Parameters
    ----------
    limit
        Take only so many structures, those included that the store has.
    skip_unknown
        Leave out structures with elements that the model does not know.
    show_progress
        Show a bar where standard error is a terminal.

    Returns
    -------
    int
        Number of structures left out.

    Raises
    ------
    E3DError
        As `evaluate_structures` and the store do.
    """
    from tqdm import tqdm

    start = int(store.resumed.steps[-1]) + 1 if store.resumed is not None and store.frames else 0
    chosen = Selection(structures, start, every, limit)
    count = structures.count()
    bar = tqdm(
        total=_least(None if count is None else chosen.taken_before(count), limit),
        initial=chosen.taken,
        unit="structure",
        desc="e3d evaluate",
        disable=None if show_progress else True,
        leave=False,
    )
    with bar:
        for one in evaluate_structures(evaluator, chosen, cutoff, forces, skip_unknown):
            energies = {"energy": one.energy, "reference_energy": one.reference_energy}
            store.append(one.frame, one.atoms, name=one.name, **energies)
            bar.update(chosen.taken_before(one.frame.step + 1) - bar.n)
    return chosen.taken - store.frames


def _least(*numbers: int | None) -> int | None:
    return min((number for number in numbers if number is not None), default=None)
