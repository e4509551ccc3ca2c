"""Do the surroundings of an atom tell which member of the family it is in?

Figures 3 and S4 of Hooven et al. (2026): SOAP vectors of one kind of environment (H, CH2, CH3) from all
members, mapped by principal covariates classification (PCovC: Jorgensen, Cersonsky et al. (2025), skmatter)
with the member as class, and by PCA. Where the environments of two members cannot be told apart, a model of
one has seen those of the other. `separability` puts a number on it.

Needs `pip install skmatter` (extra ``polymer``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols

from e3d_lmp.errors import E3DError
from e3d_lmp.study.extrapolation.molecules import MolecularFrame

MIXING = 0.5
"""Of PCovC between the variance of the vectors (1) and the classes (0); the default of skmatter."""
COMPONENTS = 20
"""Principal components that `separability` classifies by: so many explain nearly all variance of SOAP
vectors, and few enough that some hundred atoms do not fit noise."""
CHANCE = 0.5
"""`separability` of two members that cannot be told apart."""


def environment_names(frame: MolecularFrame) -> np.ndarray:
    """(N,) str, kind of environment of each atom: ``H``, and of the others element and hydrogens, as
    ``CH2``."""
    i, j, _ = frame.bonds()
    hydrogens = np.bincount(i, frame.numbers[j] == 1, len(frame.numbers)).astype(int)
    names = []
    for z, count in zip(frame.numbers.tolist(), hydrogens.tolist(), strict=True):
        symbol = chemical_symbols[z]
        names.append(symbol if symbol == "H" or not count else f"{symbol}H{count if count > 1 else ''}")
    return np.array(names)


@dataclass(frozen=True)
class EnvironmentMap:
    """Vectors of one kind of environment in two dimensions.

    Attributes
    ----------
    environment : as ``CH3``
    member : (n,) str, which member each vector is of
    frame : (n,) int64, which frame of it
    covariates : (n, 2) float64, PCovC
    principal : (n, 2) float64, PCA
    """

    environment: str
    member: np.ndarray
    frame: np.ndarray
    covariates: np.ndarray
    principal: np.ndarray


@dataclass(frozen=True)
class Sample:
    """Vectors of one kind of environment.

    Attributes
    ----------
    member : (n,) str
    frame : (n,) int64, number of the frame; vectors of one frame are not independent
    vectors : (n, F) float64
    """

    member: np.ndarray
    frame: np.ndarray
    vectors: np.ndarray


def environment_sample(
    vectors: Mapping[str, Sequence[np.ndarray]],
    names: Mapping[str, Sequence[np.ndarray]],
    environment: str,
    per_member: int,
    seed: int,
) -> Sample:
    """As many vectors of an environment from each member, drawn at random.

    Parameters
    ----------
    vectors : by member, (N, F) for each frame
    names : by member, (N,) of `environment_names` for each frame
    environment : members that do not have it are left out
    per_member : at most; fewer of all where one member has fewer, so that classes are balanced

    Raises
    ------
    E3DError
        Fewer than two members have such atoms.
    """
    found = {}
    for member, frames in vectors.items():
        places = [
            (number, atom)
            for number, kinds in enumerate(names[member])
            for atom in np.flatnonzero(kinds == environment).tolist()
        ]
        if places:
            found[member] = (places, frames)
    if len(found) < 2:
        raise E3DError(
            f"expected two members or more with {environment}, got {' '.join(found) or 'none'}; choose "
            "another environment"
        )
    rng = np.random.default_rng(seed)
    size = min(per_member, *(len(places) for places, _ in found.values()))
    members: list[str] = []
    numbers: list[int] = []
    rows = []
    for member, (places, frames) in found.items():
        for index in sorted(rng.permutation(len(places))[:size].tolist()):
            number, atom = places[index]
            members.append(member)
            numbers.append(number)
            rows.append(frames[number][atom])
    return Sample(np.array(members), np.array(numbers), np.array(rows))


def environment_map(environment: str, sample: Sample) -> EnvironmentMap:
    """PCovC and PCA of a sample.

    Raises
    ------
    E3DError
        skmatter is not installed.
    """
    decomposition, preprocessing = _skmatter()
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    scaled = preprocessing.StandardFlexibleScaler(column_wise=False).fit_transform(sample.vectors)
    covariates = decomposition.PCovC(
        mixing=MIXING,
        n_components=2,
        classifier=LogisticRegression(max_iter=5000),
        svd_solver="full",
        scale_z=True,
    )
    covariates.fit(scaled, sample.member)
    return EnvironmentMap(
        environment,
        sample.member,
        sample.frame,
        np.asarray(covariates.transform(scaled)),
        PCA(n_components=2, svd_solver="full").fit_transform(scaled),
    )


def separability(sample: Sample) -> tuple[list[str], np.ndarray]:
    """How well a linear classifier tells the environments of two members apart.

    Returns
    -------
    members : in the order of the sample
    accuracy : (n, n) float64, balanced accuracy in 5-fold cross-validation by frames, 0.5 for members that
        cannot be told apart, 1 for those that always can; the diagonal is 0.5

    Raises
    ------
    E3DError
        skmatter is not installed, or a member has fewer than five frames with such atoms.
    """
    _, preprocessing = _skmatter()
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline

    members = list(dict.fromkeys(sample.member.tolist()))
    few = [name for name in members if len(np.unique(sample.frame[sample.member == name])) < 5]
    if few:
        raise E3DError(
            f"expected atoms from five frames of each member or more, got fewer of {', '.join(few)}; take "
            "more frames"
        )
    accuracy = np.full((len(members),) * 2, CHANCE)
    for k, one in enumerate(members):
        for m in range(k + 1, len(members)):
            take = (sample.member == one) | (sample.member == members[m])
            classes = sample.member[take] == one
            groups = np.where(classes, 1, -1) * (sample.frame[take] + 1)  # frames of two members differ
            size = min(COMPONENTS, take.sum() // 2, sample.vectors.shape[1])
            classify = make_pipeline(
                preprocessing.StandardFlexibleScaler(column_wise=False),
                PCA(n_components=size, svd_solver="full", whiten=True),
                LogisticRegression(max_iter=5000),
            )
            scores = cross_val_score(
                classify,
                sample.vectors[take],
                classes,
                groups=groups,
                cv=StratifiedGroupKFold(5, shuffle=True, random_state=0),
                scoring="balanced_accuracy",
                error_score="raise",
            )
            accuracy[k, m] = accuracy[m, k] = float(scores.mean())
    return members, accuracy


def _skmatter() -> tuple:
    try:
        from skmatter import decomposition, preprocessing
    except ImportError as error:
        raise E3DError(
            f"maps of environments need skmatter ({error}); type: pip install 'e3d-lmp[polymer]'"
        ) from None
    return decomposition, preprocessing
