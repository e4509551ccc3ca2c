"""Comparison of dumped edges, and of a whole run, with nequip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from ase import Atoms

from lammps_runs import Frame, Run, forces_of, virial_of
from systems import ELEMENTS, nequip_calculator, reference_edges
from tolerances import LADDER, Ladder, close

GEOMETRY = ("tag1", "tag2", "type1", "type2")


def check_edges(got: Frame, want: Frame, ladder: Ladder) -> None:
    """The same directed edges, then the same energies on them."""
    assert len(got) == len(want) > 0, f"{len(got)} edges, expected {len(want)}"
    for name in GEOMETRY:
        np.testing.assert_array_equal(got[name], want[name], err_msg=name)
    for name in ("dx", "dy", "dz", "dist"):
        close(name, got[name], want[name], ladder.geometry)
    close("eps", got["eps"], want["eps"], ladder.edge_energy)


def check_against_nequip(
    run: Run, model: torch.nn.Module, dtype: str, atoms: Atoms, elements: Sequence[str] = ELEMENTS
) -> None:
    """Edges, energies, forces and virial of a step of LAMMPS against the eager, unmodified `model`."""
    ladder = LADDER[dtype]
    check_edges(run.edges(), reference_edges(model, atoms, elements), ladder)
    atoms = atoms.copy()
    atoms.calc = nequip_calculator(model)
    final = run.dump("atoms.dump")[-1]
    close("atomic energies", final["c_pea"], atoms.get_potential_energies(), ladder.atomic_energy)
    close("energy", run.json()["pe"], atoms.get_potential_energy(), ladder.total_energy)
    close("forces", forces_of(final), atoms.get_forces(), ladder.force)
    assert np.abs(atoms.get_forces()).max() > 0.003, "nothing moves: the comparison is empty"
    if all(atoms.pbc):
        xx, yy, zz, yz, xz, xy = -atoms.get_stress() * atoms.get_volume()
        close("virial", virial_of(run.json()), [xx, yy, zz, xy, xz, yz], ladder.virial)
