"""What SOAP vectors say of a family, without any model of it: energies between molecules by ridge regression,
and whether surroundings tell the members apart. Computed once for a study, kept in ``surroundings/``.

Files: ``numbers.json`` (written last, with what it is made from), ``environments.npz``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, locked, make_folder, read_object, write_json
from e3d_lmp.study.extrapolation.environments import (
    EnvironmentMap,
    environment_map,
    environment_names,
    environment_sample,
    separability,
)
from e3d_lmp.study.extrapolation.family import MemberFrames
from e3d_lmp.study.extrapolation.molecules import MolecularFrame
from e3d_lmp.study.extrapolation.plan import ExtrapolationPlan
from e3d_lmp.study.extrapolation.ridge import RidgeMatrix, frame_features, ridge_matrix
from e3d_lmp.study.extrapolation.soap import soap_vectors

FORMAT = "e3d-surroundings/1"
FOLDER = "surroundings"
VECTORS = {"total": False, "far-sighted": True}
"""Kinds of SOAP vectors by name, and whether they are far-sighted."""


@dataclass(frozen=True)
class SurroundingsFound:
    """Results.

    Attributes
    ----------
    ridge : errors of E_inter by kind of vectors; empty where energies between molecules are not judged
    maps : by environment
    separability : by environment, members that have it, and how well they are told apart, (n, n)
    """

    ridge: dict[str, RidgeMatrix]
    maps: dict[str, EnvironmentMap]
    separability: dict[str, tuple[list[str], np.ndarray]]

    def as_dict(self) -> dict[str, Any]:
        """Numbers for JSON, without the maps."""
        return {
            "ridge": {
                name: {"members": list(one.members), "error_eV_per_molecule": one.error.tolist(),
                       "constant": one.constant.tolist()}
                for name, one in self.ridge.items()
            },
            "separability": {
                name: {"members": members, "balanced_accuracy": accuracy.tolist()}
                for name, (members, accuracy) in self.separability.items()
            },
        }  # fmt: skip


def surroundings(plan: ExtrapolationPlan, study: Path) -> SurroundingsFound:
    """The results of a plan, computed unless they are there.

    Raises
    ------
    E3DError
        featomic or skmatter is not installed, or another process is at work.
    """
    if plan.surroundings is None:
        raise E3DError("SOAP vectors are left out, as the study says")
    inputs = {
        "soap": asdict(plan.surroundings),
        "members": [plan.inputs(row)["training"]["sha256"] for row in plan.rows],
        "names": [one.name for one in plan.members],
        "frames": [plan.held_out, plan.most, plan.between],
    }
    folder = study / FOLDER
    make_folder(folder)
    with locked(folder) as lock:
        if lock is None:
            raise E3DError(f"{folder}: another process is at work there")
        if not _is_there(folder, inputs):
            found = _compute(plan)
            with atomic_path(folder / "environments.npz") as partial:
                arrays: dict[str, Any] = _arrays(found.maps)
                np.savez_compressed(partial, **arrays)
            write_json(folder / "numbers.json", {"format": FORMAT, "inputs": inputs, **found.as_dict()})
    return _read(folder)


def _compute(plan: ExtrapolationPlan) -> SurroundingsFound:
    asked = plan.surroundings
    assert asked is not None
    family = {
        one.name: MemberFrames(own.train[: asked.frames], own.held_out[: asked.frames])
        for one in plan.members
        for own in [plan.frames()[one.name]]
    }
    listed = [frame for own in family.values() for frame in (*own.train, *own.held_out)]
    ridge = {}
    vectors: dict[str, list[np.ndarray]] = {}
    for kind, far_sighted in VECTORS.items():
        if far_sighted and not plan.between:
            continue
        print(f"SOAP vectors of {len(listed)} frames, {kind}", file=sys.stderr, flush=True)
        # one call: the components are those of all elements of the family
        every = soap_vectors(listed, asked.soap, far_sighted)
        by_member = _by_member(family, every)
        if plan.between:
            ridge[kind] = _ridge(family, by_member)
        if not far_sighted:
            vectors = by_member
    names = {
        member: [environment_names(f) for f in (*own.train, *own.held_out)] for member, own in family.items()
    }
    kinds = dict.fromkeys(str(kind) for own in names.values() for frame in own for kind in np.unique(frame))
    maps, apart = {}, {}
    for kind in kinds:
        if sum(any((frame == kind).any() for frame in own) for own in names.values()) < 2:
            continue  # as the carbon of methane
        print(f"environments of {kind}", file=sys.stderr, flush=True)
        sample = environment_sample(vectors, names, kind, asked.atoms, seed=1)
        maps[kind] = environment_map(kind, sample)
        apart[kind] = separability(sample)
    return SurroundingsFound(ridge, maps, apart)


def _by_member(family: dict[str, MemberFrames], every: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
    result, first = {}, 0
    for member, own in family.items():
        end = first + len(own.train) + len(own.held_out)
        result[member] = every[first:end]
        first = end
    return result


def _ridge(family: dict[str, MemberFrames], vectors: dict[str, list[np.ndarray]]) -> RidgeMatrix:
    def data(frames: Sequence[MolecularFrame], own: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        labels = [frame.intermolecular_energy / len(frame.numbers) for frame in frames]
        return frame_features(frames, own), np.array(labels)

    train = {name: data(own.train, vectors[name][: len(own.train)]) for name, own in family.items()}
    test = {name: data(own.held_out, vectors[name][len(own.train) :]) for name, own in family.items()}
    return ridge_matrix(train, test, {name: own.atoms_per_molecule for name, own in family.items()})


_COLUMNS = ("member", "frame", "covariates", "principal")


def _arrays(maps: dict[str, EnvironmentMap]) -> dict[str, np.ndarray]:
    return {f"{name}/{column}": getattr(one, column) for name, one in maps.items() for column in _COLUMNS}


def _is_there(folder: Path, inputs: dict[str, Any]) -> bool:
    path = folder / "numbers.json"
    return path.exists() and _numbers(path).get("inputs") == inputs


def _numbers(path: Path) -> dict[str, Any]:
    return read_object(path, "numbers of surroundings", f"remove {path.parent} to compute them again")


def _read(folder: Path) -> SurroundingsFound:
    numbers = _numbers(folder / "numbers.json")
    ridge = {
        name: RidgeMatrix(
            tuple(one["members"]), np.array(one["error_eV_per_molecule"]), np.array(one["constant"])
        )
        for name, one in numbers["ridge"].items()
    }
    apart = {
        name: (one["members"], np.array(one["balanced_accuracy"]))
        for name, one in numbers["separability"].items()
    }
    with np.load(folder / "environments.npz") as arrays:
        maps = {
            name: EnvironmentMap(name, *(arrays[f"{name}/{column}"] for column in _COLUMNS)) for name in apart
        }
    return SurroundingsFound(ridge, maps, apart)
