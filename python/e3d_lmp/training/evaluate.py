"""Errors of a model on a held-out set, per subset, and the edge energies that it puts on bonds.

The model is a checkpoint or a package, the folder one of `e3d data prepare`; `e3d train` does it at its end.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase.data import atomic_numbers, covalent_radii

from e3d_lmp.contraction import contract_centres
from e3d_lmp.decomposition import decompose
from e3d_lmp.errors import E3DError

FORMAT = "e3d-evaluation/1"
CONTACTS = "Contacts of two molecules"
"""Name of the pairs of e3d_lmp.data.contacts among the subsets; `all` is without them."""

_BOND = 1.3
"""Bonds are pairs closer than this times the sum of their covalent radii."""


def load_model(path: Path) -> torch.nn.Module:
    """Eager nequip model of a checkpoint (EMA weights) or a package, with contracted centres."""
    return contract_centres(_stock_model(path)).eval()


def weights_of(path: Path, like: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint or a package, for a model of the same architecture.

    Raises
    ------
    E3DError
        The architecture, the types or the cutoff are others.
    """
    stock = _stock_model(path)
    weights, wanted = stock.state_dict(), like.state_dict()
    other = [name for name in wanted if name not in weights or weights[name].shape != wanted[name].shape]
    if other or len(weights) != len(wanted):
        raise E3DError(
            f"{path} has another architecture ({', '.join(other[:3]) or 'more weights'}); begin with a model "
            "of the same tensor features, l_max, layers and types"
        )
    for key, what in (("type_names", "types"), ("r_max", "cutoff")):
        theirs, ours = _metadata(stock)[key], _metadata(like)[key]
        if theirs != ours:
            raise E3DError(
                f"expected a model with the {what} {ours} to begin with, {path} has {theirs}; begin with "
                "another one, or prepare the data as it wants them"
            )
    return weights


def _metadata(model: torch.nn.Module) -> dict[str, str]:
    modules = model["sole_model"] if isinstance(model, torch.nn.ModuleDict) else model
    return modules.metadata


def _stock_model(path: Path) -> torch.nn.Module:
    from nequip.model import ModelFromCheckpoint, ModelFromPackage
    from nequip.utils.global_state import set_global_state

    set_global_state()
    if path.name.endswith(".nequip.zip"):
        modules = ModelFromPackage(str(path), compile_mode="eager")
    else:
        modules = ModelFromCheckpoint(str(path), compile_mode="eager")
    return modules["sole_model"] if isinstance(modules, torch.nn.ModuleDict) else modules


def evaluate(model: torch.nn.Module, folder: Path, part: str = "test") -> dict[str, Any]:
    """Errors per subset and over all, and sorts of bonds.

    Returns
    -------
    dict with `subsets`: {name: frames, energy_mae, energy_rmse (meV/atom), forces_mae, forces_rmse
    (meV/angstrom, per component)}, and `bonds`: {label: count, mean_D, std_D, mean_abs_A (eV)} over pairs
    within covalent reach, of frames that are not periodic; labels have elements in alphabetical order and H
    last.
    """
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    names = [entry[0] for entry in manifest["sets"][part]["entries"]]
    frames = read_frames(folder / f"{part}.lmdb")
    if (folder / f"contacts_{part}.lmdb").exists():
        contacts = read_frames(folder / f"contacts_{part}.lmdb")
        frames += contacts
        names += [CONTACTS] * len(contacts)
    edge_model = decompose(model).edge_model
    energy: dict[str, list[float]] = defaultdict(list)
    forces: dict[str, list[np.ndarray]] = defaultdict(list)
    bonds: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for frame, subset in zip(frames, names, strict=True):
        out = model(frame.copy())
        n_atoms = frame["pos"].shape[0]
        error = float((out["total_energy"] - frame["total_energy"]).detach().sum()) / n_atoms
        energy[subset].append(1000.0 * error)
        forces[subset].append(1000.0 * (out["forces"] - frame["forces"]).detach().numpy().ravel())
        if subset != CONTACTS and not _is_periodic(frame):
            _collect_bonds(edge_model, frame, manifest["recipe"]["elements"], bonds)
    subsets = {name: _errors(energy[name], forces[name]) for name in sorted(energy)}
    everything = [name for name in energy if name != CONTACTS]
    subsets["all"] = _errors(
        [value for name in everything for value in energy[name]],
        [value for name in everything for value in forces[name]],
    )
    return {
        "format": FORMAT,
        "part": part,
        "subsets": subsets,
        "bonds": {label: _bond_row(np.array(bonds[label])) for label in sorted(bonds)},
    }


def read_frames(path: Path) -> list[dict[str, torch.Tensor]]:
    """All frames of a database, which is closed again: it may be open once per process only."""
    from nequip.data.dataset import NequIPLMDBDataset

    dataset = NequIPLMDBDataset(str(path))
    return [dataset[index] for index in range(len(dataset))]


def _is_periodic(frame: dict[str, torch.Tensor]) -> bool:
    return "pbc" in frame and bool(frame["pbc"].any())


def _errors(energy: list[float], forces: list[np.ndarray]) -> dict[str, float]:
    e, f = np.array(energy), np.concatenate(forces)
    return {
        "frames": len(e),
        "energy_mae": float(np.abs(e).mean()),
        "energy_rmse": float(np.sqrt((e**2).mean())),
        "forces_mae": float(np.abs(f).mean()),
        "forces_rmse": float(np.sqrt((f**2).mean())),
    }


def _bond_row(values: np.ndarray) -> dict[str, float]:
    return {
        "count": len(values),
        "mean_D": float(values[:, 0].mean()),
        "std_D": float(values[:, 0].std()),
        "mean_abs_A": float(np.abs(values[:, 1]).mean()),
    }


def _collect_bonds(
    edge_model: torch.nn.Module,
    frame: dict[str, torch.Tensor],
    elements: list[str],
    bonds: dict[str, list[tuple[float, float]]],
) -> None:
    """Add (D, A) of every bonded pair of a frame without periodic images to `bonds`."""
    first, second = frame["edge_index"]
    vectors = frame["pos"][second] - frame["pos"][first]
    types = frame["atom_types"].reshape(-1)
    with torch.no_grad():
        eps = edge_model(vectors, frame["edge_index"], types)[1].numpy().ravel()
    i, j = first.numpy(), second.numpy()
    table = np.zeros((len(types), len(types)))
    table[i, j] = eps
    radii = np.array([covalent_radii[atomic_numbers[element]] for element in elements])[types.numpy()]
    near = (i < j) & (np.linalg.norm(vectors.numpy(), axis=1) < _BOND * (radii[i] + radii[j]))
    for a, b in zip(i[near], j[near], strict=True):
        pair = sorted((a, b), key=lambda atom: _label_order(elements[int(types[atom])]))
        label = "-".join(elements[int(types[atom])] for atom in pair)
        e12, e21 = table[pair[0], pair[1]], table[pair[1], pair[0]]
        bonds[label].append((e12 + e21, e12 - e21))


def _label_order(element: str) -> tuple[bool, str]:
    """Alphabetical, hydrogen last."""
    return element == "H", element
