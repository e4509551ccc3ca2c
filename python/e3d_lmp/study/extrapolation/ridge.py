"""Energies between molecules by linear regression on SOAP vectors of frames (SOAP-ridge).

Figures 4 and S5 of Hooven et al. (2026): E_inter per atom is linear in the mean SOAP vector of the atoms of
each element, with total or with far-sighted vectors. Twenty ridge constants, as there; which twenty is ours:
evenly spaced in the logarithm, the best one by generalised cross-validation over the frames of training.

Needs `pip install scikit-learn`, which comes with skmatter (extra ``polymer``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.study.extrapolation.molecules import MolecularFrame

CONSTANTS = np.logspace(-10, 0, 20)
"""Ridge constants, for features whose variances sum to 1 and sums over frames."""


@dataclass(frozen=True)
class RidgeMatrix:
    """Errors of E_inter: rows are what was fitted to, columns what was asked for.

    Attributes
    ----------
    members : names
    error : (n, n) float64, eV per molecule, mean of |E_inter - E_label| / M over held-out frames
    constant : (n,) float64, chosen ridge constant of each row
    """

    members: tuple[str, ...]
    error: np.ndarray
    constant: np.ndarray


def frame_features(frames: Sequence[MolecularFrame], vectors: Sequence[np.ndarray]) -> np.ndarray:
    """(F, elements x features) float64: for each element the sum over its atoms, divided by all atoms.

    Parameters
    ----------
    vectors : (N, features) for each frame, of `soap_vectors`
    """
    elements = sorted({int(z) for frame in frames for z in np.unique(frame.numbers)})
    return np.array(
        [
            np.concatenate([own[frame.numbers == z].sum(axis=0) for z in elements]) / len(frame.numbers)
            for frame, own in zip(frames, vectors, strict=True)
        ]
    )


def ridge_matrix(
    train: Mapping[str, tuple[np.ndarray, np.ndarray]],
    test: Mapping[str, tuple[np.ndarray, np.ndarray]],
    atoms_per_molecule: Mapping[str, float],
) -> RidgeMatrix:
    """Fit each member and ask each fit for all members.

    Parameters
    ----------
    train, test : by member, features (F, P) and E_inter per atom (F,), eV
    atoms_per_molecule : by member

    Raises
    ------
    E3DError
        scikit-learn is not installed, or a member has no labels of its molecules.
    """
    try:
        from sklearn.linear_model import RidgeCV
    except ImportError as error:
        raise E3DError(
            f"SOAP-ridge needs scikit-learn ({error}); type: pip install 'e3d-lmp[polymer]'"
        ) from None
    members = tuple(train)
    error_of = np.full((len(members),) * 2, np.nan)
    constants = np.zeros(len(members))
    for k, one in enumerate(members):
        features, labels = train[one]
        if not np.isfinite(labels).all():
            raise E3DError(
                f"expected energies of the molecules of {one} by themselves, found none for "
                f"{int((~np.isfinite(labels)).sum())} frames; label the molecules too"
            )
        centre = features.mean(axis=0)
        scale = np.sqrt(((features - centre) ** 2).sum(axis=1).mean())
        scale = scale if scale > 0.0 else 1.0
        fit = RidgeCV(alphas=CONSTANTS * len(labels)).fit((features - centre) / scale, labels)
        constants[k] = float(fit.alpha_) / len(labels)
        for m, other in enumerate(members):
            asked, want = test[other]
            found = fit.predict((asked - centre) / scale)
            error_of[k, m] = float(np.abs(found - want).mean()) * atoms_per_molecule[other]
    return RidgeMatrix(members, error_of, constants)
