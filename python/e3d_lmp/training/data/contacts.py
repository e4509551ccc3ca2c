"""Close contacts between molecules: what single molecules cannot teach and a liquid needs.

``e3d data contacts DATA_FOLDER`` takes random pairs of frames of DATA_FOLDER/<part>.lmdb, turns them at
random, brings them to a random closest contact and writes DATA_FOLDER/contacts_<part>.lmdb. The label of a
pair is

    E_coh(AB) = E_coh(A) + E_coh(B) + E_X(AB) - E_X(A) - E_X(B)

and likewise for the forces: the molecules keep their own labels, and X gives the interaction. X is GFN2-xTB
(Bannwarth, Ehlert and Grimme, J. Chem. Theory Comput. 15, 1652 (2019); needs `pip install tblite`) or AIMNet2
(`e3d_lmp.training.data.aimnet2`), which is then, for molecules with its own labels, the label of the pair.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.units import Bohr, Hartree

from e3d_lmp.errors import E3DError
from e3d_lmp.files import write_json
from e3d_lmp.training.data.database import entry, iter_frames, read_manifest, write_database
from e3d_lmp.training.data.placement import place_pair

EnergyOf = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]]
"""Energy (eV) and forces (N, 3), eV/angstrom, of atomic numbers (N,) and positions (N, 3), angstrom."""

FORMAT = "e3d-contacts/1"
FARTHEST = 1.05
"""Closest contact of the molecules of a pair, at most, in sums of van der Waals radii."""
LARGEST_FORCE, LARGEST_INTERACTION = 25.0, 8.0
"""eV/angstrom and eV, of the pairs that are kept."""


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


def make_contacts(
    folder: Path,
    part: str,
    count: int,
    seed: int = 1,
    minutes: float = 60.0,
    max_atoms: int = 14,
    closest: float = 0.38,
    energy_of: EnergyOf = xtb_energy,
    interaction: str = "GFN2-xTB",
) -> dict[str, Any]:
    """Write the pairs and return what is known of them (also in contacts_<part>.json).

    Parameters
    ----------
    folder : what `e3d data prepare` wrote
    count, minutes : stop at this number of pairs or after this time
    max_atoms : of one molecule
    closest : pairs are placed at contacts from this to `FARTHEST` sums of van der Waals radii, evenly
    energy_of : energy (eV) and forces (eV/angstrom) of atomic numbers and positions (angstrom)
    interaction : its name, for the facts

    Raises
    ------
    E3DError
        A number makes no sense, the set has no molecule that is small enough, or no pair could be made; then
        what was there stays.
    """
    from nequip.utils.global_state import set_global_state

    _check(count, seed, minutes, closest)
    set_global_state()
    manifest = read_manifest(folder)
    recipe = manifest["recipe"]
    rng = np.random.default_rng(seed)
    database = folder / f"{part}.lmdb"
    # the fields of the set itself, so that both go into one batch
    first = next(iter_frames(database))
    with_cell, with_stress, with_current = (name in first for name in ("cell", "stress", "heat_current"))
    small = np.flatnonzero(
        [
            len(frame["pos"]) <= max_atoms and not (with_cell and bool(frame["pbc"].any()))
            for frame in iter_frames(database)
        ]
    )
    if not small.size:
        raise E3DError(
            f"{database}: no molecule of at most {max_atoms} atoms; give --max-atoms a larger number"
        )
    large_force = f"force above {LARGEST_FORCE:g} eV/angstrom"
    large_interaction = f"interaction above {LARGEST_INTERACTION:g} eV"
    refused = {large_force: 0, large_interaction: 0, "not converged": 0}
    counts = {"pairs": 0, "edges": 0}

    def pairs() -> Any:
        stop = time.monotonic() + 60.0 * minutes
        while counts["pairs"] < count and time.monotonic() < stop:
            frames = list(iter_frames(database, [int(rng.choice(small)) for _ in range(2)]))
            numbers = [frame["atomic_numbers"].reshape(-1).numpy() for frame in frames]
            own = [frame["pos"].double().numpy() for frame in frames]
            positions = place_pair(numbers, own, rng.uniform(closest, FARTHEST), rng)
            try:
                cohesive, gain, total = _labels(frames, numbers, own, positions, energy_of)
            except RuntimeError:
                refused["not converged"] += 1
                continue
            if np.abs(total[np.isfinite(total)]).max(initial=0.0) > LARGEST_FORCE:  # nan: not labelled
                refused[large_force] += 1
                continue
            if not abs(gain) <= LARGEST_INTERACTION:
                refused[large_interaction] += 1
                continue
            data = entry(
                np.concatenate(numbers),
                positions,
                cohesive,
                total,
                elements=recipe["elements"],
                r_max=recipe["r_max"],
                with_cell=with_cell,
                with_stress=with_stress,
                with_current=with_current,
            )
            counts["pairs"] += 1
            counts["edges"] += data["edge_index"].shape[1]
            yield data
        if not counts["pairs"]:
            why = ", ".join(f"{number} {reason}" for reason, number in refused.items() if number)
            raise E3DError(f"no pair was made in {minutes:g} minutes ({why or 'none was tried'})")

    write_database(folder / f"contacts_{part}.lmdb", pairs())
    facts = {
        "format": FORMAT,
        "label": f"molecules: as in the set; interaction: {interaction}",
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


def _labels(
    frames: Sequence[Mapping[str, Any]],
    numbers: Sequence[np.ndarray],
    own: Sequence[np.ndarray],
    positions: np.ndarray,
    energy_of: EnergyOf,
) -> tuple[float, float, np.ndarray]:
    """E_coh of a pair and the interaction in it, eV, and its forces (N, 3), eV/angstrom.

    Parameters
    ----------
    frames, numbers, own : entries of the two molecules, their atomic numbers and their positions in the set
    positions : (N, 3) angstrom, of the pair
    """
    first = len(numbers[0])
    energy, forces = energy_of(np.concatenate(numbers), positions)
    parts = (positions[:first], positions[first:])
    monomers = [energy_of(z, part) for z, part in zip(numbers, parts, strict=True)]
    gain = energy - monomers[0][0] - monomers[1][0]
    turned = [
        frame["forces"].double().numpy() @ _fit(before, after) - monomer[1]
        for frame, before, after, monomer in zip(frames, own, parts, monomers, strict=True)
    ]
    cohesive = gain + sum(float(frame["total_energy"].sum()) for frame in frames)
    return cohesive, gain, forces + np.concatenate(turned)


def _check(count: int, seed: int, minutes: float, closest: float) -> None:
    if count < 1 or not minutes > 0.0:
        raise E3DError(f"--count {count}, --minutes {minutes:g}: expected numbers above 0")
    if seed < 0:
        raise E3DError(f"--seed {seed}: expected a whole number of at least 0")
    if not 0.0 < closest < FARTHEST:
        raise E3DError(f"--closest {closest:g}: expected a contact above 0 and below {FARTHEST}")


def _fit(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Rotation R with (before - centre) @ R = after - centre."""
    u, _, vt = np.linalg.svd((before - before.mean(axis=0)).T @ (after - after.mean(axis=0)))
    return u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
