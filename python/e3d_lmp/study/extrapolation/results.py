"""Numbers of a study of extrapolation, from the rows that are done: matrices of train times test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.analysis.comparison import compare_maps
from e3d_lmp.analysis.maps import EnergyMap, read_map
from e3d_lmp.analysis.novelty import ReferenceMap
from e3d_lmp.errors import E3DError
from e3d_lmp.study.extrapolation.between import BetweenMolecules, joined
from e3d_lmp.study.extrapolation.errors import ErrorMatrices, Judgement
from e3d_lmp.study.extrapolation.plan import MemberRow
from e3d_lmp.study.extrapolation.row import MAPS, TRAINED
from e3d_lmp.study.row import row_folder

Rows = Mapping[MemberRow, Mapping[str, Any]]
"""Numbers of the rows that are done, as ``row.json`` has them."""


def judgements(
    rows: Rows, asked: Sequence[str], inside: bool = False
) -> dict[tuple[str, str], list[Judgement]]:
    """Judgements of each pair (trained on, asked for), one of each seed.

    Parameters
    ----------
    inside : of the molecules by themselves, not of the frames
    """
    found: dict[tuple[str, str], list[Judgement]] = {}
    for row, numbers in rows.items():
        for name in asked:
            own = numbers["asked"][name]
            energies = own["inside"] if inside else own
            force = np.nan if inside or own["force_error"] is None else float(own["force_error"])
            one = Judgement(
                np.array(own["atoms"]),
                np.array(energies["energy"]),
                np.array(energies["reference"]),
                force,
                row.seed,
            )
            found.setdefault((row.member, name), []).append(one)
    return found


def between(rows: Rows, member: str, asked: str) -> BetweenMolecules | None:
    """Energies between molecules, all seeds of a member's models together; None where there are none."""
    parts = [
        BetweenMolecules(**{key: np.array(values) for key, values in own.items()})
        for row, numbers in rows.items()
        if row.member == member and (own := numbers["asked"][asked].get("between")) is not None
    ]
    return joined(parts) if parts else None


def matrix(members: Sequence[str], asked: Sequence[str], value: Callable[[str, str], float]) -> np.ndarray:
    """(n, m) of a function of both names."""
    return np.array([[value(one, other) for other in asked] for one in members])


@dataclass(frozen=True)
class MapMatrices:
    """How D-A maps change with what a model was trained on; (n, m) over models and members, means over seeds.

    Attributes
    ----------
    entropy : by pair label, H_2D in nats
    distance : by pair label, Jensen-Shannon distance of the map of a member's frames to that of the same
        frames by the member's own model of the same seed
    to_last : by pair label, the same to that by the model of the last member
    """

    entropy: dict[str, np.ndarray]
    distance: dict[str, np.ndarray]
    to_last: dict[str, np.ndarray]


def map_matrices(study: Path, rows: Rows, members: Sequence[str]) -> MapMatrices:
    """Compare the maps of all models; nan where one of two is not there.

    Raises
    ------
    E3DError
        A map file is damaged.
    """
    seeds = sorted({row.seed for row in rows})
    maps = {(row.member, row.seed, name): asked_map(study, row, name) for row in rows for name in members}
    labels = list(dict.fromkeys(label for one in maps.values() for label in one.by_count()))

    def mean(value: Callable[[str, int, str, str], float]) -> dict[str, np.ndarray]:
        tables = {}
        for label in labels:
            every = np.array(
                [[[value(label, seed, one, other) for seed in seeds] for other in members] for one in members]
            )
            known = np.isfinite(every).any(axis=2)
            tables[label] = np.full(known.shape, np.nan)
            tables[label][known] = np.nanmean(every[known], axis=1)
        return tables

    def entropy(label: str, seed: int, one: str, other: str) -> float:
        own = maps.get((one, seed, other))
        return own.labels[label].entropy_nats if own and label in own.labels else np.nan

    def distance_to(of: Callable[[str], str]) -> Callable[[str, int, str, str], float]:
        def distance(label: str, seed: int, one: str, other: str) -> float:
            pair = maps.get((one, seed, other)), maps.get((of(other), seed, other))
            if pair[0] is None or pair[1] is None:
                return np.nan
            return next((x.distance for x in compare_maps(pair[0], pair[1]) if x.label == label), np.nan)

        return distance

    return MapMatrices(
        mean(entropy), mean(distance_to(lambda m: m)), mean(distance_to(lambda _: members[-1]))
    )


def asked_map(study: Path, row: MemberRow, name: str = TRAINED) -> EnergyMap:
    """The D-A map of a member's held-out frames by the model of a row, or of those it was trained on."""
    return read_map(row_folder(study, row) / MAPS / f"{name}.e3d")


@dataclass(frozen=True)
class NoveltyMatrix:
    """Whether the share of bonds in (D, A) bins that are new to a model foretells its force error.

    Attributes
    ----------
    share : (n, n) of the bonds of each member's held-out frames, mean over seeds; nan where not judged
    spearman : rank correlation of share and force error over pairs of different members
    composition_spearman : the same of the distance in composition and the force error, which needs no map
    """

    share: np.ndarray
    spearman: float
    composition_spearman: float


def novelty_matrix(study: Path, rows: Rows, errors: ErrorMatrices) -> NoveltyMatrix:
    """Compare the map of each member's frames with that of the frames of training, both by one model.

    Raises
    ------
    E3DError
        A map file is damaged, or fewer than three pairs have a force error.
    """
    from scipy.stats import spearmanr

    members = errors.members
    shares: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        known = ReferenceMap(f"frames of {row.name}", asked_map(study, row))
        for name in members:
            shares.setdefault((row.member, name), []).append(known.of_map(asked_map(study, row, name)).share)
    share = matrix(members, members, lambda one, other: float(np.mean(shares.get((one, other), [np.nan]))))
    pairs = ~np.eye(len(members), dtype=bool) & np.isfinite(share) & np.isfinite(errors.force)
    if pairs.sum() < 3:
        raise E3DError("expected three pairs of members or more with force errors")
    force = errors.force[pairs]
    ranks = [spearmanr(x[pairs], force).statistic for x in (share, np.abs(errors.differences))]
    return NoveltyMatrix(share, *map(float, ranks))
