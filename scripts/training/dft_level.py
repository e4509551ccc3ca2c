"""Energy, gradient and spin of one frame at ωB97M-D3(BJ)/def2-TZVPPD with PySCF.

The lowest solution is looked for in a small basis (def2-SVP), where a guess costs a tenth: restricted,
highest and lowest orbital mixed, and, for bonds that are pulled apart, the fragments' own spins against each
other; an unrestricted winner is followed along its instabilities. It is then projected to the large basis,
converged on a coarse grid and on the final one.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from label_frames import Dropped, Frame, Label, Labeller

LEVEL = "wB97M-D3(BJ)/def2-TZVPPD"
FUNCTIONAL, BASIS, AUXILIARY, GRID = "wb97m-d3bj", "def2-tzvppd", "def2-universal-jkfit", 3
"""In PySCF's words; GRID is `grids.level`: 50 to 80 radial shells of up to 302 or (third row) 434 points."""
SPIN_LIMIT = 0.10
"""How far <S²> may lie above S(S+1) plus one for each pair of electrons that may uncouple."""
SETTINGS = {
    "level": LEVEL,
    "functional": FUNCTIONAL,
    "basis": BASIS,
    "auxiliary_basis": AUXILIARY,
    "grid_level": GRID,
    "gradient": "analytic, with the response of the grid",
    "spin_limit": SPIN_LIMIT,
}
SCOUT_BASIS, SCOUT_GRID, COARSE_GRID = "def2-svp", 0, 1
SAME = 1e-5
"""hartree: two solutions that are closer count as one, and the simpler one is taken."""
NEAR = 0.02
"""hartree: multiplicities that are closer than this in the small basis are compared in the large one too."""
FOLLOW = 3
"""Instabilities that are followed, at most."""


def spin_limit(multiplicity: int, uncoupled: int) -> float:
    """Largest <S²> that is kept.

    A determinant with n electron pairs uncoupled, their spins opposed on two fragments, has
    <S²> = S(S+1) + n: 1 for a single bond that is broken, 3 for N2. What lies above comes from higher
    multiplicities that have no business there.
    """
    spin = 0.5 * (multiplicity - 1)
    return spin * (spin + 1.0) + uncoupled + SPIN_LIMIT


def checked(label: Label, frame: Frame) -> Label:
    """The label, unless it is spin-contaminated or not finite (`Dropped`)."""
    if not (math.isfinite(label.energy) and np.isfinite(label.gradient).all()):
        raise Dropped("not finite")
    limit = spin_limit(label.multiplicity, frame.uncoupled if label.method == "UKS" else 0)
    if label.spin_square > limit:
        raise Dropped(f"<S^2> more than {SPIN_LIMIT:g} above its limit")
    return label


def label_frame(frame: Frame) -> Label:
    """The label of a frame.

    Raises
    ------
    Dropped
        It did not converge, or is spin-contaminated.
    """
    _one_thread()
    start = time.process_time()
    scouts = [_scout(frame, multiplicity) for multiplicity in frame.multiplicities]
    lowest = min(mf.e_tot for mf in scouts)
    near = [_coarse(frame, mf) for mf in scouts if mf.e_tot < lowest + NEAR]
    best = min(near, key=lambda mf: mf.e_tot)
    density = best.make_rdm1()
    final = _method(best.mol, _restricted(best), GRID)
    _converge(final, density, 1e-8)
    gradient = final.nuc_grad_method()
    gradient.grid_response = True
    gradient.verbose = 0
    label = Label(
        energy=float(final.e_tot),
        gradient=np.asarray(gradient.kernel()),
        multiplicity=final.mol.spin + 1,
        spin_square=0.0 if _restricted(final) else float(final.spin_square()[0]),
        method="RKS" if _restricted(final) else "UKS",
        seconds=time.process_time() - start,
    )
    return checked(label, frame)


def _one_thread() -> None:
    """PySCF on one thread, with numpy's matrix product: its wheel brings an OpenBLAS of 2018, which is half
    as fast on today's processors, and nine tenths of the time go there."""
    from pyscf import lib
    from pyscf.lib import numpy_helper

    lib.num_threads(1)
    numpy_helper.ddot = lib.ddot = _product


def _product(
    a: np.ndarray, b: np.ndarray, alpha: float = 1.0, c: np.ndarray | None = None, beta: float = 0.0
) -> np.ndarray:
    """alpha a b + beta c, in c where it is given (PySCF's `lib.ddot`)."""
    product = a @ b
    if alpha != 1.0:
        product *= alpha
    if c is None:
        return product
    if beta == 0.0:  # c may hold anything
        c[...] = product
        return c
    if beta != 1.0:
        c *= beta
    c += product
    return c


def dft_labeller() -> Labeller:
    """This module for `label_run`; needs PySCF."""
    from importlib.metadata import version

    made_with = {name: version(name) for name in ("pyscf", "pyscf-dispersion")}
    return Labeller(label_frame, "DFT", SETTINGS, made_with)


def isolated_atom(symbol: str, multiplicity: int) -> float:
    """Total energy of an atom at the level, hartree."""
    frame = Frame("atom", symbol, f"[{symbol}]", (symbol,), np.zeros((1, 3)), (multiplicity,))
    mf = _method(_molecule(frame, multiplicity, BASIS), False, GRID)
    _converge(mf, None, 1e-9)
    return float(mf.e_tot)


def _molecule(frame: Frame, multiplicity: int, basis: str, atoms: Any = None) -> Any:
    from pyscf import gto

    kept = range(len(frame.symbols)) if atoms is None else atoms
    return gto.M(
        atom=[(frame.symbols[k], frame.positions[k]) for k in kept],
        basis=basis,
        spin=multiplicity - 1,
        verbose=0,
    )


def _method(molecule: Any, restricted: bool, grid: int) -> Any:
    from pyscf import dft

    mf = (dft.RKS if restricted else dft.UKS)(molecule).density_fit(auxbasis=AUXILIARY)
    mf.xc = FUNCTIONAL
    mf.grids.level = grid
    return mf


def _restricted(mf: Any) -> bool:
    from pyscf import scf

    return not isinstance(mf, scf.uhf.UHF)


def _converge(mf: Any, density: Any, tolerance: float) -> None:
    """SCF with DIIS, then of second order where that fails."""
    mf.conv_tol, mf.conv_check = tolerance, False
    mf.max_cycle = 60
    mf.kernel(dm0=density)
    if mf.converged:
        return
    second = mf.newton()
    second.max_cycle = 40
    second.kernel(mf.mo_coeff, mf.mo_occ)
    if not second.converged:
        raise Dropped("SCF not converged")
    for name in ("mo_coeff", "mo_occ", "mo_energy", "e_tot", "converged"):
        setattr(mf, name, getattr(second, name))


def _scout(frame: Frame, multiplicity: int) -> Any:
    """The lowest solution in the small basis."""
    molecule = _molecule(frame, multiplicity, SCOUT_BASIS)
    found: list[Any] = []
    reasons: list[Dropped] = []

    def attempt(restricted: bool, density: Any) -> None:
        mf = _method(molecule, restricted, SCOUT_GRID)
        try:
            _converge(mf, density, 1e-7)
        except Dropped as reason:
            reasons.append(reason)
            return
        found.append(mf)

    attempt(multiplicity == 1, None)
    if multiplicity == 1 and frame.uncoupled and found:
        attempt(False, _mixed(found[0]))
    for pair in frame.fragment_multiplicities:
        density = _opposed_fragments(frame, pair, molecule)
        if density is not None:
            attempt(False, density)
    if not found:
        raise reasons[0]
    best = found[0]
    for mf in found[1:]:
        if mf.e_tot < best.e_tot - SAME:
            best = mf
    return best if _restricted(best) else _followed(best)


def _mixed(restricted: Any) -> Any:
    """(2, n, n) density of a restricted solution whose highest and lowest orbital are mixed, by opposite
    angles for the two spins."""
    coefficients, occupied = restricted.mo_coeff, round(restricted.mo_occ.sum() / 2)
    high, low = coefficients[:, occupied - 1], coefficients[:, occupied]
    densities = []
    for sign in (1.0, -1.0):
        orbitals = coefficients[:, :occupied].copy()
        orbitals[:, -1] = (high + sign * low) / math.sqrt(2.0)
        densities.append(orbitals @ orbitals.T)
    return np.array(densities)


def _opposed_fragments(frame: Frame, multiplicities: tuple[int, int], molecule: Any) -> Any:
    """(2, n, n) density of the two fragments side by side, with spins that give the molecule's multiplicity;
    None where they cannot, or a fragment does not converge."""
    first, second = (multiplicity - 1 for multiplicity in multiplicities)
    if abs(first - second) == molecule.spin:
        opposed = True
    elif first + second == molecule.spin:
        opposed = False
    else:
        return None
    rest = tuple(k for k in range(len(frame.symbols)) if k not in frame.fragment)
    density = np.zeros((2, molecule.nao, molecule.nao))
    for number, (atoms, multiplicity) in enumerate(zip((frame.fragment, rest), multiplicities, strict=True)):
        part = _molecule(frame, multiplicity, SCOUT_BASIS, atoms)
        mf = _method(part, False, SCOUT_GRID)
        try:
            _converge(mf, None, 1e-6)
        except Dropped:
            return None
        own = np.asarray(mf.make_rdm1())
        if opposed and number == int(first >= second):  # the fragment with fewer spins up is turned
            own = own[::-1]
        slices = molecule.aoslice_by_atom()[:, 2:]
        rows = np.concatenate([np.arange(*slices[k]) for k in atoms])
        for spin in (0, 1):
            density[spin][np.ix_(rows, rows)] = own[spin]
    return density


def _followed(mf: Any) -> Any:
    """The stable solution below an unrestricted one, in its own basis and grid."""
    for _ in range(FOLLOW):
        orbitals, _, stable, _ = mf.stability(return_status=True)
        if stable:
            break
        lower = _method(mf.mol, False, mf.grids.level)
        try:
            _converge(lower, lower.make_rdm1(orbitals, mf.mo_occ), 1e-7)
        except Dropped:
            break
        if lower.e_tot > mf.e_tot - SAME:
            break
        mf = lower
    return mf


def _coarse(frame: Frame, scout: Any) -> Any:
    """The solution in the large basis on the coarse grid, from the small one's."""
    from pyscf.scf.addons import project_dm_nr2nr

    molecule = _molecule(frame, scout.mol.spin + 1, BASIS)
    mf = _method(molecule, _restricted(scout), COARSE_GRID)
    _converge(mf, project_dm_nr2nr(scout.mol, np.asarray(scout.make_rdm1()), molecule), 1e-6)
    return mf
