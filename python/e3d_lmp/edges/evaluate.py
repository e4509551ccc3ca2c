"""Edge energies of structures, from a model and nothing else: many structures, one after the other.

A model knows edges, not structures: those of many molecules go into one call.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from e3d_lmp.edges.cutoffs import BondCutoff
from e3d_lmp.edges.evaluator import EdgeEvaluator, NoNumber, UnknownElement, atomic_forces
from e3d_lmp.edges.frames import AtomRows, Box, EdgeFrame
from e3d_lmp.edges.store.writer import StoreWriter
from e3d_lmp.edges.structures import Selection, Structure, Structures
from e3d_lmp.errors import E3DError
from e3d_lmp.files import relative_path, sha256_of


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
        except UnknownElement as error:
            if skip_unknown:
                continue
            raise UnknownElement(f"{error}; add --skip-unknown to leave such structures out") from None
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
    all_types = np.concatenate([types for _, _, types in batch])
    edges = evaluator.edges([structure for _, structure, _ in batch], all_types)
    first_atom = np.concatenate([[0], np.cumsum([len(types) for _, _, types in batch])])
    try:
        energies = evaluator.evaluate(edges, all_types, forces)
    except NoNumber as error:
        k = int(np.searchsorted(first_atom, error.atom, "right")) - 1
        atom = error.atom - int(first_atom[k]) + 1
        raise E3DError(f"{batch[k][1].name}: atom {atom}: {error.what}; mend the file") from None
    force = None
    if energies.edge_forces is not None:
        force = atomic_forces(edges, energies.edge_forces, len(all_types))
    i, j, vec, eps = edges.i, edges.j, edges.vec, energies.edge_energy
    if bond is not None:
        near = np.flatnonzero(
            np.einsum("ij,ij->i", vec, vec) < np.square(bond[all_types[edges.i], all_types[edges.j]])
        )
        i, j, vec, eps = i.take(near), j.take(near), vec.take(near, axis=0), eps.take(near)
    first_edge = np.searchsorted(i, first_atom)
    lammps_types = (all_types + 1).astype(np.int32)
    columns = (lammps_types.take(i), lammps_types.take(j), vec, eps)
    symbols = np.array(evaluator.model.type_elements).take(all_types)
    for k, (number, structure, types) in enumerate(batch):
        own, rows = slice(first_atom[k], first_atom[k + 1]), slice(first_edge[k], first_edge[k + 1])
        before = first_atom[k] - 1  # ids count from 1
        box = Box(structure.cell, np.zeros(3), structure.pbc)
        yield Evaluated(
            EdgeFrame(number, box, i[rows] - before, j[rows] - before, *(column[rows] for column in columns)),
            AtomRows(
                np.arange(1, len(types) + 1),
                lammps_types[own],
                symbols[own],
                structure.positions,
                None if force is None else force[own],
                _reference_force(structure) if forces else None,
            ),
            float(energies.energy[own].sum()),
            structure.energy,
            structure.name,
        )


def _reference_force(structure: Structure) -> np.ndarray:
    """(N, 3) eV/angstrom, nan where the source has none."""
    if structure.forces is None:
        return np.full(structure.positions.shape, np.nan)
    return structure.forces


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
    folder = Path(output).parent
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
            "structures": " ".join(relative_path(path, folder) for path in structures.paths),
            **({"every_structure": str(every)} if every > 1 else {}),
            "model": relative_path(evaluator.path, folder),
            "model_sha256": digest,
            "model_source": model.source_sha256,
            "decomposition": model.decomposition,
            "training_data": model.training_data,
            "cutoff": cutoff.name,
            **evaluator.about,
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
