"""What every reader of training data gives, what it is asked for, and the counts of what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from ase.data import chemical_symbols

NOT_PERIODIC = np.zeros(3, dtype=bool)


@dataclass(frozen=True)
class Molecule:
    """Frames of one molecule, cluster or crystal: the same atoms in the same order.

    Attributes
    ----------
    name : of the group, reaction or entry in its file
    subset, smiles : strings of the file, '' where absent
    atomic_numbers : (N,) int64
    positions : (F, N, 3) float64, angstrom
    energy : (F,) float64, eV, cohesive energy of the frame
    forces : (F, N, 3) float64, eV/angstrom; nan where they were not asked for, or a frame has none
    frames : (F,) int64, index of each frame in its group
    keys : who it is, for the split: molecules and crystals that share a key stay on one side
    charge : total charge in e, None where the file does not say
    cell : (F, 3, 3) float64, angstrom, rows are the vectors; None for a molecule
    pbc : (3,) bool
    stress : (F, 3, 3) float64, eV/angstrom^3, positive under tension (as in ASE); None where absent
    velocities, heat_current : (F, N, 3) float64, angstrom/ps, and (F, 3), eV angstrom/ps: the heat current of
        the cohesive energy at these velocities, without its kinetic part; both, or both None
    """

    name: str
    subset: str
    smiles: str
    atomic_numbers: np.ndarray
    positions: np.ndarray
    energy: np.ndarray
    forces: np.ndarray
    frames: np.ndarray
    keys: tuple[str, ...] = ()
    charge: int | None = None
    cell: np.ndarray | None = None
    pbc: np.ndarray = field(default_factory=NOT_PERIODIC.copy)
    stress: np.ndarray | None = None
    velocities: np.ndarray | None = None
    heat_current: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def take(self, index: np.ndarray) -> Molecule:
        """Only these frames (indices or a mask)."""
        names = ("positions", "energy", "forces", "frames", "cell", "stress", "velocities", "heat_current")
        arrays = {name: getattr(self, name)[index] for name in names if getattr(self, name) is not None}
        return replace(self, **arrays)


@dataclass
class Dropped:
    """Counts of what was left out, by reason; `molecules` counts whole groups, `frames` single frames."""

    molecules: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, dict[str, int]]:
        """Both counts, in alphabetical order of the reasons, zeros left out."""
        return {
            name: {reason: count for reason, count in sorted(counts.items()) if count}
            for name, counts in (("molecules", self.molecules), ("frames", self.frames))
        }


@dataclass(frozen=True)
class Wanted:
    """What a reader is asked for.

    Attributes
    ----------
    elements : atomic numbers that the model knows; molecules with others are left out
    atoms : isolated-atom energies by atomic number, eV; None: the file's own cohesive energies are read
    charges : total charges to keep; None: all. Where a file does not say, the charge counts as 0
    takes_subset : whether a subset is kept
    energy : name of the energy in the file; None: that of the layout
    forces : whether forces are read
    energies_alone : whether frames without forces are kept, with forces of nan
    max_force : frames with a larger force component are left out, eV/angstrom
    min_distance : frames with two atoms closer than this part of the sum of their covalent radii are left out
    dropped : counts what was left out, and why
    """

    elements: Collection[int]
    atoms: Mapping[int, float] | None
    charges: Collection[int] | None = (0,)
    takes_subset: Callable[[str], bool] = lambda subset: True
    energy: str | None = None
    forces: bool = True
    energies_alone: bool = False
    max_force: float = 20.0
    min_distance: float = 0.6
    dropped: Dropped = field(default_factory=Dropped)

    @property
    def needs_forces(self) -> bool:
        """Whether a file without forces is an error."""
        return self.forces and not self.energies_alone

    def takes(self, numbers: np.ndarray, subset: str, charge: int | None) -> bool:
        """Whether a molecule is wanted; counts it, with the reason, where it is not."""
        reason = ""
        strange = sorted({int(z) for z in numbers} - set(self.elements))
        if not self.takes_subset(subset):
            reason = f"subset '{subset}' not asked for"
        elif strange:
            reason = (
                f"element {chemical_symbols[strange[0]]}" if len(strange) == 1 else "several other elements"
            )
        elif self.charges is not None and (charge or 0) not in self.charges:
            reason = f"charge {charge or 0:+d}"
        if reason:
            self.dropped.molecules[reason] += 1
        return not reason
