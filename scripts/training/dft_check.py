"""What the labels are worth: atoms against the shipped ones, a gradient against differences, atomization
energies against W4-11."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase.units import Bohr, Hartree
from dft_level import isolated_atom, label_frame
from label_frames import Frame, Label
from label_store import Labelled, cohesive

from e3d_lmp.units import KCAL_MOL_PER_EV

ATOMS = {"H": 2, "C": 3, "N": 4, "O": 3, "F": 2, "S": 3, "Cl": 2}
"""Multiplicities of the ground states."""
W4_11 = {
    "[H][H]": 109.493, "C": 420.420, "C#C": 405.525, "C=C": 564.095, "CC": 713.080, "N#N": 228.485,
    "C#N": 313.418, "[C-]#[O+]": 259.727, "O=C=O": 390.141, "C=O": 374.658, "O": 232.974, "OO": 269.089,
    "N": 298.018, "NN": 438.281, "F": 141.640, "Cl": 107.499, "S": 183.913, "FF": 39.042, "ClCl": 59.750,
    "O=S=O": 260.621, "CO": 513.501, "CN": 582.301, "CF": 422.959, "N=C=O": 434.737, "[N-]=[N+]=O": 270.849,
    "[O][O]": 120.824, "OC=O": 501.899, "OF": 158.653, "OCl": 166.229, "FCl": 62.800, "NCl": 248.059,
    "N=O": 205.890, "N=N": 296.534, "C=N": 439.441, "FC#C": 398.472, "C=CF": 573.892, "FCF": 437.668,
    "O=C=S": 335.747, "S=C=S": 280.778, "C=C=O": 533.462, "CC=C": 861.578, "C=C=C": 704.100,
    "CC#C": 705.605, "C1CO1": 651.526, "CCO": 811.241, "[S][S]": 104.251, "[O][S]": 126.465,
    "ON=O": 312.649, "FOF": 93.780, "ClOCl": 101.457, "N#CCl": 285.447, "FC(F)=O": 420.636, "CCF": 721.502,
    "[CH3]": 307.870, "[CH2]": 190.745, "[CH]": 84.221, "[NH2]": 182.591, "[NH]": 83.096, "[OH]": 107.208,
    "[SH]": 87.731, "[CH]=O": 279.422, "[C]#N": 181.350, "[N]=O": 152.745, "[C]#C": 266.163,
    "[O]O": 175.533, "[N]=N": 224.864, "[O]Cl": 65.447, "[O]F": 53.075, "O=[N]=O": 227.882,
}  # fmt: skip
"""Total atomization energies of the electrons alone, nonrelativistic, kcal/mol: A. Karton, S. Daon,
J. M. L. Martin, B. Ruscic, Chem. Phys. Lett. 510, 165 (2011)."""


def atoms_differences() -> dict[str, float]:
    """Energy of each atom, computed here, less the shipped one; meV."""
    return {
        symbol: 1e3 * Hartree * cohesive(_atom(symbol), isolated_atom(symbol, multiplicity))
        for symbol, multiplicity in ATOMS.items()
    }


def _atom(symbol: str) -> Frame:
    return Frame("atom", symbol, f"[{symbol}]", (symbol,), np.zeros((1, 3)))


def gradient_difference(
    frame: Frame,
    coordinates: Sequence[int],
    step: float = 0.005,
    label: Callable[[Frame], Label] = label_frame,
) -> tuple[float, float]:
    """Largest difference between the gradient and central differences of the energy, and the largest
    component of the gradient, both in eV/angstrom.

    Parameters
    ----------
    coordinates : of the flattened positions
    step : angstrom
    """
    from dataclasses import replace

    gradient = label(frame).gradient.reshape(-1) * Hartree / Bohr
    worst = 0.0
    for k in coordinates:
        energies = []
        for sign in (1.0, -1.0):
            moved = frame.positions.copy()
            moved.reshape(-1)[k] += sign * step
            energies.append(label(replace(frame, positions=moved)).energy * Hartree)
        worst = max(worst, abs((energies[0] - energies[1]) / (2.0 * step) - gradient[k]))
    return worst, float(np.abs(gradient).max())


def atomization(labelled: Sequence[Labelled], atoms: dict[str, float]) -> list[tuple[str, float, float]]:
    """SMILES, atomization energy of the labels' minimum and that of W4-11, eV.

    The minimum is GFN2-xTB's, so a label is somewhat too low in atomization energy.

    Parameters
    ----------
    atoms : energies of the atoms at the level less the shipped ones, meV
    """
    rows = []
    for one in labelled:
        smiles = one.frame.smiles
        if one.frame.name == f"{smiles} minimum" and smiles in W4_11:
            own = sum(atoms[symbol] for symbol in one.frame.symbols) * 1e-3
            rows.append(
                (
                    smiles,
                    own - cohesive(one.frame, one.row["energy"]) * Hartree,
                    W4_11[smiles] / KCAL_MOL_PER_EV,
                )
            )
    return rows
