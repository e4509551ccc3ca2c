"""Energies and forces of AIMNet2, from the TorchScript file that its users have.

AIMNet2 (Anstine, Zubatyuk and Isayev, Chem. Sci. 16, 10228 (2025)) is trained on ωB97M-D3/def2-TZVPP: near
DFT, not DFT. Its weights (MIT) are not part of this package. One way to the file of ensemble member 0:

    pip download --no-deps auto3d==2.3.1
    unzip -j Auto3D-2.3.1-py3-none-any.whl 'Auto3D/models/aimnet2_wb97m-d3_0.jpt'
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from e3d_lmp.errors import E3DError
from e3d_lmp.files import sha256_of

HOW_TO_GET = (
    "get it with: pip download --no-deps auto3d==2.3.1; "
    "unzip -j Auto3D-2.3.1-py3-none-any.whl 'Auto3D/models/aimnet2_wb97m-d3_0.jpt'"
)
ELEMENTS = (1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 33, 34, 35, 53)
"""Atomic numbers that AIMNet2 was trained on (H B C N O F Si P S Cl As Se Br I); for many others its file
gives numbers that mean nothing."""


class AIMNet2:
    """A loaded model: called, it gives the energy, eV, and the forces (N, 3), eV/angstrom, of a neutral
    molecule or cluster.

    Parameters
    ----------
    path : TorchScript file
    device : of torch

    Attributes
    ----------
    sha256 : of the file

    Raises
    ------
    E3DError
        The file is absent, or is no AIMNet2.
    """

    def __init__(self, path: str | Path, device: str = "cpu") -> None:
        self.device = device
        if not Path(path).is_file():
            raise E3DError(f"expected AIMNet2's TorchScript file at '{path}', there is none; {HOW_TO_GET}")
        try:
            self.model = torch.jit.load(str(path), map_location=device)
        except RuntimeError as error:
            raise E3DError(
                f"expected a TorchScript file at '{path}', got: {str(error).splitlines()[0]}; {HOW_TO_GET}"
            ) from None
        self.sha256 = sha256_of(Path(path))
        if self.model.original_name != "AIMNet2":
            raise E3DError(
                f"expected AIMNet2's TorchScript file at '{path}', got '{self.model.original_name}'; "
                + HOW_TO_GET
            )

    def __call__(self, atomic_numbers: np.ndarray, positions: np.ndarray) -> tuple[float, np.ndarray]:
        """Energy and forces; positions (N, 3) in angstrom.

        Raises
        ------
        E3DError
            The model does not know an element.
        """
        energies, forces = self.many(np.asarray(atomic_numbers)[None], np.asarray(positions)[None])
        if not (np.isfinite(energies).all() and np.isfinite(forces).all()):
            numbers = " ".join(str(z) for z in sorted({int(z) for z in atomic_numbers}))
            raise E3DError(
                f"expected elements that AIMNet2 knows and atoms apart from each other, got atomic numbers "
                f"{numbers} and an energy that is not finite; leave the frame out"
            )
        return float(energies[0]), forces[0]

    def many(self, atomic_numbers: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energies (K,), eV, and forces (K, N, 3), eV/angstrom, of K structures of N atoms in one call, which
        takes a fifth of the time where they are small; nan where an element is none of `ELEMENTS`.

        Parameters
        ----------
        atomic_numbers : (K, N)
        positions : (K, N, 3), angstrom
        """
        numbers = np.asarray(atomic_numbers, dtype=np.int64)
        known = np.isin(numbers, ELEMENTS).all(axis=1)
        energies, forces = np.full(len(numbers), np.nan), np.full((*numbers.shape, 3), np.nan)
        if known.any():
            energies[known], forces[known] = self._evaluated(numbers[known], np.asarray(positions)[known])
        return energies, forces

    def _evaluated(self, numbers: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        coordinates = torch.as_tensor(positions, dtype=torch.float32, device=self.device)
        coordinates.requires_grad_(True)
        data = {
            "coord": coordinates,
            "numbers": torch.as_tensor(numbers, device=self.device),
            "charge": torch.zeros(len(coordinates), device=self.device),
        }
        energies = self.model(data)["energy"]
        (gradient,) = torch.autograd.grad(energies.sum(), coordinates)
        return energies.detach().double().cpu().numpy(), -gradient.double().cpu().numpy()
