"""Atoms and bonds of one frame as OVITO's data objects.

==================  =============================================================================
particles           ``Particle Identifier``, ``Particle Type`` (named by element), ``Position``,
                    ``Force`` where known; ``Half Sum D`` and ``Sum Abs A``, eV, sums over the
                    atom's bonds within the cutoff of D/2 and of \\|A\\|
bonds               ``Topology`` (first atom of the pair, second), ``Periodic Image``, ``Bond
                    Type`` (named by pair label, C-H), ``Length``, ``D``, ``A``, ``e12``, ``e21``
                    (eV); ``Bond Order`` where asked for, 0 where RDKit finds none
attributes          ``Timestep``, ``E3D.unpaired`` (edges left out because their partner is
                    absent), ``E3D.cutoff``
==================  =============================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from e3d_lmp.edges.frames import AtomRows, Box
from e3d_lmp.edges.pairs import PairFrame
from e3d_lmp.errors import E3DError

ATOM_RADIUS = 0.36
"""Radius of the atoms over OVITO's own, so that bonds are seen."""

BOND_WIDTH = 0.36
"""Width of bonds, angstrom."""

MISFIT = 0.1
"""Largest distance, angstrom, between r_ij of an edge and that of the positions, which may be rounded."""


def set_box(data: Any, box: Box) -> None:
    """Give a data collection the box of the frame; none where the box has no volume (in vacuum)."""
    if abs(np.linalg.det(box.cell)) < 1e-9:
        data.cell = None
        return
    data.create_cell(np.column_stack([box.cell.T, box.origin]), pbc=tuple(bool(p) for p in box.pbc))


def set_atoms(data: Any, atoms: AtomRows, elements: Sequence[str]) -> None:
    """Give a data collection the atoms of a frame.

    Parameters
    ----------
    data
        OVITO's DataCollection; visual settings that it has already are kept.
    atoms
        With positions.
    elements
        Chemical symbol of each LAMMPS type.
    """
    is_new = data.particles is None
    particles = data.create_particles(count=len(atoms.id))
    if is_new:
        particles.vis.scaling = ATOM_RADIUS
    particles.create_property("Particle Identifier", data=atoms.id)
    kinds = particles.create_property("Particle Type", data=atoms.type)
    for kind, symbol in enumerate(elements, 1):
        if kinds.type_by_id(kind, require=False) is None:
            kinds.add_type_id(kind, particles, name=symbol)
    particles.create_property("Position", data=atoms.position)
    if atoms.force is not None:
        particles.create_property("Force", data=atoms.force)


def set_bonds(data: Any, pairs: PairFrame, with_orders: bool = False, source: str = "the edges") -> None:
    """Give the particles of a data collection the bonds of a frame, instead of those that they have.

    Pairs of atoms that the collection does not have (some may have been deleted) are left out.

    Parameters
    ----------
    data
        OVITO's DataCollection with ``Particle Identifier`` and ``Position``.
    pairs
        The bonds.
    with_orders
        Perceive bond orders with RDKit; needs particle types that are named by elements.
    source
        What the pairs are from, for messages.

    Raises
    ------
    E3DError
        There are no particles or identifiers; r_ij of a pair is not that of the positions.
    """
    if data.particles is None:
        raise E3DError("there are no atoms to bind; read a dump of atoms, or a store with positions")
    if data.particles.identifiers is None:
        raise E3DError(
            "the atoms have no identifiers, so bonds cannot be told whose they are; dump the atoms with 'id'"
        )
    particles = data.particles_
    ids = np.asarray(particles.identifiers)
    order = np.argsort(ids)
    first, second = (_positions_of(ids, order, end) for end in (pairs.i, pairs.j))
    there = np.flatnonzero((first >= 0) & (second >= 0))
    first, second, vec = first[there], second[there], pairs.vec[there]
    shift = _images(data.cell, np.asarray(particles.positions), first, second, vec, pairs.step, source)

    is_new = particles.bonds is None
    if not is_new:
        particles.bonds_.count = 0
        for name in list(particles.bonds.keys()):
            if name not in ("Topology", "Bond Type"):
                del particles.bonds_[name]
    bonds = particles.create_bonds(count=len(there))
    if is_new:
        bonds.vis.width = BOND_WIDTH
    bonds.create_property("Topology", data=np.stack([first, second], axis=1))
    bonds.create_property("Periodic Image", data=shift)
    kinds = bonds.create_property("Bond Type", data=pairs.label[there] + 1)
    for kind, label in enumerate(pairs.labels, 1):
        if kinds.type_by_id(kind, require=False) is None:
            kinds.add_type_id(kind, bonds, name=label)
    bonds.create_property("Length", data=np.sqrt(np.einsum("ij,ij->i", vec, vec)))
    for name in ("D", "A", "e12", "e21"):
        bonds.create_property(name, data=np.ascontiguousarray(getattr(pairs, name)[there], dtype=np.float64))
    if with_orders:
        bonds.create_property("Bond Order", data=_orders(particles, first, second))
    _set_sums(particles, first, second, pairs.D[there], pairs.A[there])
    data.attributes["E3D.unpaired"] = pairs.unpaired


def filter_bonds(data: Any, keep: np.ndarray) -> None:
    """Delete the bonds that are not kept, (B,) bool."""
    if not keep.all():
        data.particles_.bonds_.delete_elements(~keep)


def _positions_of(ids: np.ndarray, order: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Index of the particle with each wanted id, -1 where there is none."""
    if not ids.size:
        return np.full(len(wanted), -1, dtype=np.int64)
    at = order[np.minimum(np.searchsorted(ids, wanted, sorter=order), ids.size - 1)]
    return np.where(ids[at] == wanted, at, -1)


def _images(
    cell: Any,
    positions: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    vec: np.ndarray,
    step: int,
    source: str,
) -> np.ndarray:
    """(P, 3) int32, whole cell vectors to add to the second atom so that it lies at vec from the first."""
    rest = vec - (positions[second] - positions[first])
    shift = np.zeros(rest.shape, dtype=np.int32)
    if cell is not None:
        vectors = np.asarray(cell)[:, :3]
        exact = rest @ np.linalg.inv(vectors).T
        shift = np.where(cell.pbc, np.rint(exact), 0.0).astype(np.int32)
        rest = rest - shift @ vectors.T
    misfit = np.sqrt(np.einsum("ij,ij->i", rest, rest))
    if misfit.size and misfit.max() > MISFIT:
        k = int(misfit.argmax())
        raise E3DError(
            f"step {step}: a bond of {source} is {misfit[k]:.2f} angstrom off the positions of its atoms; "
            "expected atoms and edges of the same run and step; give the dump that was written with the edges"
        )
    return shift


def _orders(particles: Any, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(B,) float64, bond orders by RDKit, 0 where none was found."""
    from e3d_lmp.analysis.bonds.orders import bond_orders

    kinds = particles.particle_types
    if kinds is None:
        raise E3DError("bond orders need the elements of the atoms; name the particle types by elements")
    symbols = {each.id: each.name for each in kinds.types}
    elements = [symbols.get(int(kind), "") for kind in kinds]
    # An atom bound to several images of one other, or of itself: no molecule.
    ends = np.sort(np.stack([first, second], axis=1), axis=1)
    single, back = np.unique(ends, axis=0, return_inverse=True)
    is_pair = single[:, 0] != single[:, 1]
    orders = np.zeros(len(single))
    orders[is_pair] = np.nan_to_num(bond_orders(elements, single[is_pair]))
    return orders[back.reshape(-1)]


def _set_sums(particles: Any, first: np.ndarray, second: np.ndarray, D: np.ndarray, A: np.ndarray) -> None:
    """Sums over the bonds of each atom; a bond with an image of itself counts at both of its ends."""
    count = particles.count
    ends = np.concatenate([first, second])
    for name, values in (("Half Sum D", 0.5 * D), ("Sum Abs A", np.abs(A))):
        sums = np.bincount(ends, weights=np.tile(values, 2), minlength=count).astype(np.float64)
        particles.create_property(name, data=sums)
