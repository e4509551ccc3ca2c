"""SOAP vectors of atoms: of all that is around them, or only of other molecules.

SOAP power spectra: Bartok, Kondor, Csanyi, Phys. Rev. B 87, 184115 (2013), by featomic. The far-sighted
vector of an atom is the power spectrum of the density of the atom itself and of all other molecules (periodic
images of its own molecule included): the neighbour list leaves out pairs within a molecule, and nothing else
changes. Cutoff, radial and angular functions are those of Hooven et al. (2026); the width of the Gaussians
and the smoothing of the cutoff are ours, because what we could read of the paper does not give them.

Needs `pip install featomic` (extra ``polymer``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.study.extrapolation.molecules import MolecularFrame, is_within_molecule, pairs_within


@dataclass(frozen=True)
class SoapSettings:
    """Hyperparameters of SOAP.

    Attributes
    ----------
    cutoff : angstrom
    radial : number of radial functions (Gaussian type orbitals)
    angular : largest angular channel
    width : of the Gaussians on atoms, angstrom
    smoothing : width of the cosine that takes neighbours to 0 at the cutoff, angstrom
    """

    cutoff: float = 7.0
    radial: int = 8
    angular: int = 4
    width: float = 0.3
    smoothing: float = 0.5

    def hypers(self) -> dict[str, Any]:
        """In the words of featomic."""
        return {
            "cutoff": {
                "radius": self.cutoff,
                "smoothing": {"type": "ShiftedCosine", "width": self.smoothing},
            },
            "density": {"type": "Gaussian", "width": self.width},
            "basis": {
                "type": "TensorProduct",
                "max_angular": self.angular,
                # featomic counts from 0
                "radial": {"type": "Gto", "max_radial": self.radial - 1},
            },
        }


def soap_vectors(frames: list[MolecularFrame], settings: SoapSettings, far_sighted: bool) -> list[np.ndarray]:
    """(N, F) float64 for each frame, the SOAP vectors of its atoms in their order.

    The F components are the same in all frames: all pairs of the elements of all frames.

    Raises
    ------
    E3DError
        featomic is not installed.
    """
    try:
        import featomic
        from metatensor import Labels
    except ImportError as error:
        raise E3DError(
            f"SOAP vectors need featomic ({error}); type: pip install 'e3d-lmp[polymer]'"
        ) from None
    elements = sorted({int(z) for frame in frames for z in np.unique(frame.numbers)})
    pairs = [(one, other) for k, one in enumerate(elements) for other in elements[k:]]
    keys = Labels(
        ["center_type", "neighbor_1_type", "neighbor_2_type"],
        np.array([(centre, *pair) for centre in elements for pair in pairs], dtype=np.int32),
    )
    calculator = featomic.SoapPowerSpectrum(**settings.hypers())
    size = settings.radial**2 * (settings.angular + 1)
    result = []
    for frame in frames:
        system = _far_sighted(frame, settings.cutoff) if far_sighted else _atoms(frame)
        # featomic's own neighbour list is faster, but does not know molecules
        blocks = calculator.compute(system, use_native_system=not far_sighted, selected_keys=keys)
        vectors = np.zeros((len(frame.numbers), len(pairs), size))
        for key, block in blocks.items():
            pair = (int(key["neighbor_1_type"]), int(key["neighbor_2_type"]))
            vectors[np.asarray(block.samples["atom"]), pairs.index(pair)] = np.asarray(block.values)
        result.append(vectors.reshape(len(frame.numbers), -1))
    return result


def pairs_between_molecules(
    frame: MolecularFrame, cutoff: float
) -> list[tuple[int, int, float, np.ndarray, np.ndarray]]:
    """Pairs of atoms of different molecules, each once: both atoms, distance, vector, cell shift."""
    i, j, distance, vectors, shifts = pairs_within(frame, cutoff, "ijdDS")
    once = i < j
    # of an atom and its own image, one of two opposite shifts: the first component that is not 0 is positive
    for k in range(3):
        once |= (i == j) & (shifts[:, :k] == 0).all(axis=1) & (shifts[:, k] > 0)
    once &= ~is_within_molecule(frame, frame.unwrapped(), i, j, vectors)
    columns = (i[once].tolist(), j[once].tolist(), distance[once].tolist(), vectors[once], shifts[once])
    return list(zip(*columns, strict=True))


def _atoms(frame: MolecularFrame) -> Any:
    from ase import Atoms

    return Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.is_periodic)


def _far_sighted(frame: MolecularFrame, radius: float) -> Any:
    """A system of featomic whose neighbour list has no pairs within a molecule."""
    import featomic

    pairs = pairs_between_molecules(frame, radius)
    of_atom: list[list[Any]] = [[] for _ in frame.numbers]
    for pair in pairs:  # that of an atom and its own image twice, as featomic's own systems do
        of_atom[pair[0]].append(pair)
        of_atom[pair[1]].append(pair)

    class System(featomic.systems.SystemBase):
        def size(self) -> int:
            return len(frame.numbers)

        def types(self) -> np.ndarray:
            return np.ascontiguousarray(frame.numbers, dtype=np.int32)

        def positions(self) -> np.ndarray:
            return np.ascontiguousarray(frame.positions, dtype=np.float64)

        def cell(self) -> np.ndarray:
            return np.ascontiguousarray(frame.cell, dtype=np.float64)

        def compute_neighbors(self, cutoff: float) -> None:
            if cutoff > radius:
                raise ValueError(f"pairs are known up to {radius} angstrom, not up to {cutoff}")

        def pairs(self) -> list[Any]:
            return pairs

        def pairs_containing(self, atom: int) -> list[Any]:
            return of_atom[atom]

    return System()
