"""Small folders of ``e3d analyze``, written by hand, with known numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from e3d_lmp.analysis.bonds.energies import BondEnergies, bond_energies
from e3d_lmp.analysis.bonds.files import write_bond_energies
from e3d_lmp.analysis.bonds.references import ReferenceEnergy
from e3d_lmp.analysis.label_map import LabelMap, label_map
from e3d_lmp.analysis.maps import EnergyMap, write_map
from e3d_lmp.edges.frames import AtomRows, Box, EdgeFrame
from e3d_lmp.edges.store.writer import StoreWriter

CENTRES = {"C-H": -4.3, "C-C": -4.0, "O-H": -4.8}
REFERENCES = {
    "C-C 1": ReferenceEnergy(3.61, 3.58, 3.61),
    "C-C 2": ReferenceEnergy(6.36, 6.24, 6.37),
    "C-H 1": ReferenceEnergy(4.28),
}
ABOUT = {"model": "organic.safetensors", "model_sha256": "ab" * 32, "decomposition": "cohesive"}


def some_map(spread: float = 0.2, n: int = 2000, seed: int = 0, about: dict | None = None) -> EnergyMap:
    """D-A maps of three pairs; the wider the spread, the higher their entropy."""
    rng = np.random.default_rng(seed)
    labels: dict[str, LabelMap] = {}
    for k, (name, centre) in enumerate(CENTRES.items()):
        A = rng.normal(0.0 if name == "C-C" else 0.5, spread, n // (k + 1))
        labels[name] = label_map(rng.normal(centre, spread, A.size), A, 0.1, name == "C-C", name)
    return EnergyMap(0.1, "covalent", 20, (0, 19), labels, ABOUT if about is None else about)


def some_bonds(error: float = 0.0) -> BondEnergies:
    """Four types, one without a reference and one without bonds; the means are `error` too strong."""
    rng = np.random.default_rng(3)
    types = ("C-H 1", "C-C 2", "C-C 1", "N-N 1.5", "O-H 1")
    index = np.repeat([0, 1, 2, 3], [400, 50, 300, 7])
    centre = -np.array([4.28, 6.36, 3.61, 3.0])[index]
    return bond_energies(types, index, centre - error + rng.normal(0.0, 0.1, index.size))


def write_folder(path: Path, spread: float = 0.2, error: float = 0.0, about: dict | None = None) -> Path:
    """A folder with every file that ``e3d analyze`` writes of a store of reactions."""
    path.mkdir(parents=True)
    about = ABOUT if about is None else about
    write_map(some_map(spread, about=about), path / "map.e3d")
    for k, state in enumerate(("reactant", "transition_state", "product")):
        write_map(some_map(spread * (1.0 + 0.3 * k), seed=k + 1), path / f"map.{state}.e3d")
    for name in ("bonds.json", "bonds.csv"):
        write_bond_energies(some_bonds(error), REFERENCES, about, path / name)
    (path / "pairs.csv").write_text("pair,count,mean_D_eV,H_2D_nats\nC-H,2000,-4.3,3.2\nC-C,1000,-4.0,\n")
    mae = {"mae_eV": 0.3 + error, "rmse_eV": 0.4 + error, "mean_eV": -0.1}
    errors = {
        "format": "e3d-errors/1",
        "energy": {"structures": 3, "mae_eV_per_atom": 0.01 + error, "rmse_eV_per_atom": 0.02 + error},
        "force": None,
        "reactions": {"count": 2, "barrier": mae, "reaction_energy": {**mae, "mae_eV": 0.25}},
        "provenance": about,
    }
    (path / "errors.json").write_text(json.dumps(errors))
    (path / "structures.csv").write_text(
        "name,atoms,energy_eV,reference_eV\nA/r/reactant,2,-8.0,-8.2\nA/r/product,4,-10.0,-13.0\nlone,5,-9.0,\n"
    )
    (path / "reactions.csv").write_text(
        "reaction,barrier_eV,reference_barrier_eV,reaction_energy_eV,reference_reaction_energy_eV\n"
        "A/r,1.5,2.0,0.5,0.4\nB/r,3.0,2.75,-0.5,-0.25\n"
    )
    return path


def reaction_store(path: Path, cutoff: str = "model", images: int = 3, reach: float = 3.0) -> Path:
    """Edges of a path O-H ... C -> O ... H-C and of one without images: O is atom 1, H 2, C 3, on a line.

    The edge energies of a pair at distance r are -2 exp(1 - r) and half of that, up to `reach`.
    """
    box = Box(np.zeros((3, 3)), np.zeros(3), np.zeros(3, dtype=bool))
    atoms = AtomRows(
        np.arange(1, 4), np.array([1, 2, 3], dtype=np.int32), np.array(["O", "H", "C"]), np.zeros((3, 3))
    )
    ends = ("reactant", "transition_state", "product")
    with StoreWriter(
        path,
        request={"command": "test"},
        elements=("O", "H", "C"),
        provenance={"cutoff": cutoff},
        frame_columns=("energy", "reference_energy", "name"),
        atom_columns=("position",),
    ) as store:
        for k in range(images):
            x = np.array([0.0, 1.0 + 1.4 * k / (images - 1), 3.5])
            i, j = (a.ravel() for a in np.meshgrid(range(3), range(3), indexing="ij"))
            near = (i != j) & (np.abs(x[j] - x[i]) < reach)
            i, j = i[near], j[near]
            vec = np.stack([x[j] - x[i], 0 * x[i], 0 * x[i]], axis=1)
            eps = np.where(i < j, -2.0, -1.0) * np.exp(1.0 - np.abs(vec[:, 0]))
            types = np.array([1, 2, 3], dtype=np.int32)
            name = f"CHO/rxn1/{ends[k]}" if images == 3 else f"CHO/rxn1/path/{k}"
            frame = EdgeFrame(k, box, i + 1, j + 1, types[i], types[j], vec, eps)
            energies = {"energy": -9.0 + k, "reference_energy": float(-900 + 2 * k)}
            store.append(frame, atoms, name=name, **energies)
        still = EdgeFrame(images, box, i + 1, j + 1, types[i], types[j], vec, eps)
        store.append(still, atoms, name="CHO/rxn2/path", energy=0.0, reference_energy=np.nan)
    return path
