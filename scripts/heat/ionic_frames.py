"""Errors of a model of silver iodide on frames held out that `e3d train` does not count: stress, J and A."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch


def on_frames(package: Path, data: Path) -> dict[str, float]:
    """Of the test set: errors of stress (eV/A^3) and of J (eV A/ps, by root of the atoms), sizes of J and A.

    J is of the velocities of the frames, without its kinetic part; A of all pairs, meV.
    """
    from e3d_lmp.model.decomposition import EdgeModelWithForces, decompose
    from e3d_lmp.model.export import load_model
    from e3d_lmp.training.data.database import iter_frames
    from e3d_lmp.training.heat_flux import asymmetries

    model = EdgeModelWithForces(decompose(load_model(package)).edge_model)
    stresses, currents, apart, pairs, exact = [], [], [], [], []
    for frame in iter_frames(data / "test.lmdb"):
        (i, j), cell = frame["edge_index"], frame["cell"].reshape(3, 3).double()
        vectors = frame["pos"][j].double() - frame["pos"][i] + frame["edge_cell_shift"].double() @ cell
        types = frame["atom_types"].reshape(-1)
        energy, eps, g = model(vectors, frame["edge_index"], types)
        stress = vectors.T @ g / cell.det()
        stresses.append((stress - frame["stress"][0]).numpy())
        v = frame["velocities"].double()
        current = energy[:, 0].double() @ v - (g * v[j]).sum(1) @ vectors
        root = len(types) ** 0.5
        currents.append(current.numpy() / root)
        exact.append(frame["heat_current"][0].numpy() / root)
        apart.append(currents[-1] - exact[-1])
        ones = torch.ones(2, 1)
        pairs.append(asymmetries(frame | {"edge_energy": eps}, ones).abs().numpy())

    def rms(values: list[np.ndarray]) -> float:
        return float(np.sqrt(np.mean([(value**2).sum() for value in values])))

    return {
        "stress_mae": float(np.abs(np.stack(stresses)).mean()),
        "J_rms": rms(currents),
        "J_exact_rms": rms(exact),
        "J_difference_rms": rms(apart),
        "A_rms": 1000.0 * float(np.sqrt(np.mean(np.concatenate(pairs) ** 2))),
    }
