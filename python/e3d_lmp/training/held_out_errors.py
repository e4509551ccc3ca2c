"""Errors of a model on a held-out set, per subset, and the edge energies that it puts on bonds.

The model is a model file, the folder one of `e3d data prepare`; `e3d train` does it at its end.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase.data import atomic_numbers, covalent_radii

from e3d_lmp.edges.evaluator import EdgeEvaluator, atomic_forces
from e3d_lmp.edges.neighbours import EdgeList, within
from e3d_lmp.files import sha256_of
from e3d_lmp.training.data.database import iter_frames, read_manifest

FORMAT = "e3d-evaluation/1"  # also with `of`, which older files have not
CONTACTS = "Contacts of two molecules"
"""Name of the pairs of e3d_lmp.training.data.contacts among the subsets; `all` is without them."""

_BOND = 1.3
"""Bonds are pairs closer than this times the sum of their covalent radii."""


def evaluate(model: Path, folder: Path, part: str = "test") -> dict[str, Any]:
    """Errors per subset and over all, and sorts of bonds.

    Parameters
    ----------
    model
        Model file, whose types are those of the sets.

    Returns
    -------
    dict with `of`: `evaluated_sets`, `subsets`: {name: frames, energy_mae, energy_rmse (meV/atom),
    forces_mae, forces_rmse (meV/angstrom, per component; None where no frame has forces)}, and `bonds`:
    {label: count, mean_D, std_D, mean_abs_A (eV)} over pairs within covalent reach, of frames that are not
    periodic; labels have elements in alphabetical order and H last.
    """
    manifest = read_manifest(folder)
    sets = evaluated_sets(folder, part)
    names = [entry[0] for entry in manifest["sets"][part]["entries"]]
    frames = read_frames(folder / f"{part}.lmdb")
    if f"contacts_{part}" in sets:
        contacts = read_frames(folder / f"contacts_{part}.lmdb")
        frames += contacts
        names += [CONTACTS] * len(contacts)
    evaluator = EdgeEvaluator(model, "cpu")
    energy: dict[str, list[float]] = defaultdict(list)
    forces: dict[str, list[np.ndarray]] = defaultdict(list)
    bonds: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for frame, subset in zip(frames, names, strict=True):
        types = frame["atom_types"].reshape(-1).numpy()
        edges = within(edges_of(frame), types, evaluator.cutoffs)
        found = evaluator.evaluate(edges, types)
        assert found.edge_forces is not None
        error = float(found.energy.sum() - frame["total_energy"].sum()) / len(types)
        energy[subset].append(1000.0 * error)
        own = frame["forces"].double().numpy()
        miss = (atomic_forces(edges, found.edge_forces, len(types)) - own).ravel()
        forces[subset].append(1000.0 * miss[np.isfinite(miss)])
        if subset != CONTACTS and not _is_periodic(frame):
            _collect_bonds(edges, types, found.edge_energy, manifest["recipe"]["elements"], bonds)
    subsets = {name: _errors(energy[name], forces[name]) for name in sorted(energy)}
    everything = [name for name in energy if name != CONTACTS]
    subsets["all"] = _errors(
        [value for name in everything for value in energy[name]],
        [value for name in everything for value in forces[name]],
    )
    return {
        "format": FORMAT,
        "part": part,
        "of": sets,
        "subsets": subsets,
        "bonds": {label: _bond_row(np.array(bonds[label])) for label in sorted(bonds)},
    }


def evaluated_sets(folder: Path, part: str = "test") -> dict[str, str]:
    """The sets that `evaluate` reads, with what tells one from another: content of the set, and of the facts
    of the contacts."""
    manifest = read_manifest(folder)
    sets = {part: str(manifest["sets"][part].get("content_sha256", ""))}
    contacts = folder / f"contacts_{part}.lmdb"
    if contacts.exists():
        facts = contacts.with_suffix(".json")
        sets[contacts.stem] = sha256_of(facts) if facts.exists() else ""
    return sets


def read_frames(path: Path) -> list[dict[str, torch.Tensor]]:
    """All frames of a database, which is closed again: it may be open once per process only."""
    return list(iter_frames(path))


def edges_of(frame: dict[str, torch.Tensor]) -> EdgeList:
    """The edges of a frame of a database, sorted by centre."""
    centre, neighbour = frame["edge_index"].numpy()
    positions = frame["pos"].double().numpy()
    vectors = positions[neighbour] - positions[centre]
    if "edge_cell_shift" in frame:
        vectors += frame["edge_cell_shift"].double().numpy() @ frame["cell"].double().numpy().reshape(3, 3)
    order = np.argsort(centre, kind="stable")
    return EdgeList(centre[order], neighbour[order], vectors[order])


def _is_periodic(frame: dict[str, torch.Tensor]) -> bool:
    return "pbc" in frame and bool(frame["pbc"].any())


def _errors(energy: list[float], forces: list[np.ndarray]) -> dict[str, float | None]:
    e, f = np.array(energy), np.concatenate(forces)
    return {
        "frames": len(e),
        "energy_mae": float(np.abs(e).mean()),
        "energy_rmse": float(np.sqrt((e**2).mean())),
        "forces_mae": float(np.abs(f).mean()) if f.size else None,
        "forces_rmse": float(np.sqrt((f**2).mean())) if f.size else None,
    }


def _bond_row(values: np.ndarray) -> dict[str, float]:
    return {
        "count": len(values),
        "mean_D": float(values[:, 0].mean()),
        "std_D": float(values[:, 0].std()),
        "mean_abs_A": float(np.abs(values[:, 1]).mean()),
    }


def _collect_bonds(
    edges: EdgeList,
    types: np.ndarray,
    eps: np.ndarray,
    elements: list[str],
    bonds: dict[str, list[tuple[float, float]]],
) -> None:
    """Add (D, A) of every bonded pair of a frame without periodic images to `bonds`."""
    i, j = edges.i, edges.j
    table = np.zeros((len(types), len(types)))
    table[i, j] = eps
    radii = np.array([covalent_radii[atomic_numbers[element]] for element in elements])[types]
    near = (i < j) & (np.linalg.norm(edges.vec, axis=1) < _BOND * (radii[i] + radii[j]))
    for a, b in zip(i[near], j[near], strict=True):
        pair = sorted((a, b), key=lambda atom: _label_order(elements[int(types[atom])]))
        label = "-".join(elements[int(types[atom])] for atom in pair)
        e12, e21 = table[pair[0], pair[1]], table[pair[1], pair[0]]
        bonds[label].append((e12 + e21, e12 - e21))


def _label_order(element: str) -> tuple[bool, str]:
    """Alphabetical, hydrogen last."""
    return element == "H", element
