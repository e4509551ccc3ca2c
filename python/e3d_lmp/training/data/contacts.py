"""Close contacts between molecules: what single molecules cannot teach and a liquid needs.

``e3d data contacts DATA_FOLDER`` takes random pairs of frames of DATA_FOLDER/<part>.lmdb, turns them at
random, brings them to a random closest contact and writes DATA_FOLDER/contacts_<part>.lmdb. The label of a
pair is

    E_coh(AB) = E_coh(A) + E_coh(B) + E_GFN2(AB) - E_GFN2(A) - E_GFN2(B)

and likewise for the forces: the molecules keep their own labels, and GFN2-xTB (Bannwarth, Ehlert and Grimme,
J. Chem. Theory Comput. 15, 1652 (2019)) gives the interaction. Needs `pip install tblite`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import vdw_radii
from ase.units import Bohr, Hartree

from e3d_lmp.files import read_json, write_json
from e3d_lmp.training.data.database import entry, write_database

FORMAT = "e3d-contacts/1"


def xtb_energy(atomic_numbers: np.ndarray, positions: np.ndarray) -> tuple[float, np.ndarray]:
    """GFN2-xTB energy, eV, and forces (N, 3), eV/angstrom, of a neutral closed-shell system.

    Raises
    ------
    RuntimeError
        The charges did not converge.
    """
    from tblite.interface import Calculator

    calculator = Calculator("GFN2-xTB", atomic_numbers, positions / Bohr)
    calculator.set("verbosity", 0)
    result = calculator.singlepoint()
    return float(result.get("energy")) * Hartree, -result.get("gradient") * Hartree / Bohr


def closest_contact(numbers: list[np.ndarray], positions: list[np.ndarray]) -> float:
    """Smallest distance between two molecules over the sum of van der Waals radii."""
    radii = [vdw_radii[n] for n in numbers]
    distance = np.linalg.norm(positions[0][:, None] - positions[1][None], axis=-1)
    return float((distance / (radii[0][:, None] + radii[1][None])).min())


def place_pair(
    numbers: list[np.ndarray], positions: list[np.ndarray], contact: float, rng: np.random.Generator
) -> np.ndarray:
    """(N, 3) angstrom: both molecules turned at random, the second moved to the wanted `contact`."""
    turned = [(p - p.mean(axis=0)) @ _rotation(rng) for p in positions]
    # off the line of centres, so that edges and corners meet too
    aside = np.append(rng.normal(scale=1.0, size=2), 0.0)
    high = 25.0
    low = high
    while low > -10.0 and closest_contact(numbers, [turned[0], turned[1] + aside + [0, 0, low]]) > contact:
        high, low = low, low - 0.25
    for _ in range(25):
        middle = 0.5 * (low + high)
        if closest_contact(numbers, [turned[0], turned[1] + aside + [0, 0, middle]]) > contact:
            high = middle
        else:
            low = middle
    return np.concatenate([turned[0], turned[1] + aside + [0, 0, high]])


def _rotation(rng: np.random.Generator) -> np.ndarray:
    """Uniform random rotation matrix."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def make_contacts(
    folder: Path,
    part: str,
    count: int,
    seed: int = 1,
    minutes: float = 60.0,
    max_atoms: int = 14,
    closest: float = 0.38,
    energy_of: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]] = xtb_energy,
) -> dict[str, Any]:
    """Write the pairs and return what is known of them (also in contacts_<part>.json).

    Parameters
    ----------
    folder : what `e3d data prepare` wrote
    count, minutes : stop at this number of pairs or after this time
    max_atoms : of one molecule
    closest : pairs are placed at contacts from this to 1.05 sums of van der Waals radii, evenly
    energy_of : energy (eV) and forces (eV/angstrom) of atomic numbers and positions (angstrom)
    """
    from nequip.data.dataset import NequIPLMDBDataset
    from nequip.utils.global_state import set_global_state

    set_global_state()
    manifest = read_json(folder / "manifest.json")
    recipe = manifest["recipe"]
    rng = np.random.default_rng(seed)
    dataset = NequIPLMDBDataset(str(folder / f"{part}.lmdb"))
    sizes = dataset.get_metadata("num_atoms_per_entry")
    small = np.flatnonzero(np.asarray(sizes) <= max_atoms)
    # the fields of the set itself, so that both go into one batch
    with_cell, with_stress = "cell" in dataset[0], "stress" in dataset[0]
    if with_cell:
        small = np.array([k for k in small if not dataset[int(k)]["pbc"].any()], dtype=int)
    refused = {"force above 25 eV/angstrom": 0, "interaction above 8 eV": 0, "not converged": 0}
    counts = {"pairs": 0, "edges": 0}

    def pairs() -> Any:
        stop = time.monotonic() + 60.0 * minutes
        while counts["pairs"] < count and time.monotonic() < stop:
            frames = [dataset[int(rng.choice(small))] for _ in range(2)]
            numbers = [frame["atomic_numbers"].reshape(-1).numpy() for frame in frames]
            own = [frame["pos"].double().numpy() for frame in frames]
            positions = place_pair(numbers, own, rng.uniform(closest, 1.05), rng)
            first = len(numbers[0])
            try:
                energy, forces = energy_of(np.concatenate(numbers), positions)
                alone = [
                    energy_of(numbers[0], positions[:first]),
                    energy_of(numbers[1], positions[first:]),
                ]
            except RuntimeError:
                refused["not converged"] += 1
                continue
            interaction = energy - alone[0][0] - alone[1][0]
            turn = [_fit(own[0], positions[:first]), _fit(own[1], positions[first:])]
            labels = [frame["forces"].double().numpy() @ r for frame, r in zip(frames, turn, strict=True)]
            total = forces + np.concatenate([label - a[1] for label, a in zip(labels, alone, strict=True)])
            if np.abs(total).max() > 25.0:
                refused["force above 25 eV/angstrom"] += 1
                continue
            if abs(interaction) > 8.0:
                refused["interaction above 8 eV"] += 1
                continue
            cohesive = interaction + sum(float(frame["total_energy"].sum()) for frame in frames)
            data = entry(
                np.concatenate(numbers),
                positions,
                cohesive,
                total,
                elements=recipe["elements"],
                r_max=recipe["r_max"],
                with_cell=with_cell,
                with_stress=with_stress,
            )
            counts["pairs"] += 1
            counts["edges"] += data["edge_index"].shape[1]
            yield data

    write_database(folder / f"contacts_{part}.lmdb", pairs())
    facts = {
        "format": FORMAT,
        "label": "molecules: as in the set; interaction: GFN2-xTB",
        "part": part,
        "of_sha256": manifest["sets"][part]["content_sha256"],
        "seed": seed,
        "closest_contact": closest,
        "max_atoms": max_atoms,
        "frames": counts["pairs"],
        "edges": counts["edges"],
        "refused": refused,
    }
    write_json(folder / f"contacts_{part}.json", facts)
    return facts


def _fit(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Rotation R with (before - centre) @ R = after - centre."""
    u, _, vt = np.linalg.svd((before - before.mean(axis=0)).T @ (after - after.mean(axis=0)))
    return u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
