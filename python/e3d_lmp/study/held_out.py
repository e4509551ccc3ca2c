"""The held-out set of prepared data as a file of structures, for e3d evaluate."""

from __future__ import annotations

from pathlib import Path

from e3d_lmp.files import atomic_path
from e3d_lmp.training.run_config import PreparedData


def write_held_out(data: PreparedData, path: Path) -> None:
    """Write ``test.lmdb`` as extxyz, whole or not at all: energy is E_coh (eV), forces in eV/angstrom, nan
    where a frame has none."""
    import ase.io
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    from e3d_lmp.training.held_out_errors import read_frames

    structures = []
    for frame in read_frames(data.folder / "test.lmdb"):
        symbols = [data.elements[int(one)] for one in frame["atom_types"].reshape(-1)]
        atoms = Atoms(symbols, frame["pos"].numpy())
        if "cell" in frame and "pbc" in frame:
            atoms.set_cell(frame["cell"].reshape(3, 3).numpy())
            atoms.set_pbc(frame["pbc"].reshape(3).numpy())
        atoms.calc = SinglePointCalculator(
            atoms, energy=float(frame["total_energy"].sum()), forces=frame["forces"].numpy()
        )
        structures.append(atoms)
    with atomic_path(path) as partial:
        ase.io.write(partial, structures, format="extxyz")
