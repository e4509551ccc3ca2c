"""Makes the frames of every group, in an order of which any beginning is a balanced set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import dft_molecules as lists
import numpy as np
from ase import Atoms
from dft_bond import Bond
from dft_geometry import (
    UnfitError,
    acceptable,
    displaced,
    embedded,
    matched,
    parsed,
    path,
    relaxed,
    together,
)
from label_frames import Frame, round_robin

GROUPS = ("molecule", "fragment", "pulled", "path", "dimer")
"""Closed-shell molecules, displaced; open-shell ones, displaced; bonds pulled apart; images between isomers;
molecules in contact."""
TEMPERATURES = (300.0, 1000.0, 2000.0, 3500.0)
"""K, of displaced frames, in turn."""
LONGEST = 5.0
"""angstrom, of a bond that is pulled apart."""
BASIS_FUNCTIONS = {"H": 17, "C": 37, "N": 37, "O": 40, "F": 40, "S": 51, "Cl": 51}
"""Of the large basis, by element."""
LARGEST = 290
"""Basis functions; the time rises with their third power: 16 s for the 176 of ethane, a minute for these."""
IMAGES, BAND_STEPS = 7, 25
IMAGE_ORDER = (3, 1, 5, 2, 4, 0, 6)
"""The middle of a path first."""
NOISE = 0.02
"""angstrom, of the images."""


def plan(frames: int, seed: int = 1, say: Callable[[str], None] = print) -> tuple[list[Frame], Counter[str]]:
    """So many frames, the groups in turn, and how many entries were left out of each group.

    Parameters
    ----------
    say : told what is going on, a line at a time
    """
    per_group = -(-frames // len(GROUPS))
    left_out: Counter[str] = Counter()
    groups = []
    for number, (group, entries) in enumerate(
        (
            ("molecule", _molecules()),
            ("fragment", _fragments()),
            ("pulled", lists.BONDS),
            ("path", _reactions()),
            ("dimer", _pairs(seed)),
        )
    ):
        rows = [
            _ROWS[group](entry, np.random.default_rng([seed, number, k])) for k, entry in enumerate(entries)
        ]
        made: list[Frame] = []
        for frame in _told_apart(_sound(rows, left_out, group, say)):
            made.append(frame)
            if len(made) == per_group:
                break
        say(f"{group}: {len(made)} frames; left out: {left_out[group]} entries")
        groups.append(made)
    return list(round_robin(groups))[:frames], left_out


def _sound(
    rows: list[Iterator[Frame]], left_out: Counter[str], group: str, say: Callable[[str], None]
) -> Iterator[Frame]:
    """The frames of all rows in turn; a row that fails ends there, and is counted if it gave nothing."""
    given = [0] * len(rows)
    alive = list(range(len(rows)))
    while alive:
        for k in list(alive):
            try:
                frame = next(rows[k])
            except StopIteration:
                alive.remove(k)
                continue
            except UnfitError as reason:
                alive.remove(k)
                left_out[group] += given[k] == 0
                say(f"  {reason}")
                continue
            given[k] += 1
            yield frame


def _told_apart(frames: Iterator[Frame]) -> Iterator[Frame]:
    seen = set()
    for frame in frames:
        if frame.key not in seen:
            seen.add(frame.key)
            yield frame


def affordable(symbols: Iterable[str], largest: int = LARGEST) -> bool:
    """Whether a molecule has few enough basis functions."""
    return sum(BASIS_FUNCTIONS[symbol] for symbol in symbols) <= largest


def _frame(group: str, name: str, smiles: str, atoms: Atoms, **spin: Any) -> Frame:
    return Frame(group, name, smiles, tuple(atoms.get_chemical_symbols()), atoms.positions.copy(), **spin)


def _molecules() -> list[tuple[str, int]]:
    return [(smiles, 3 if smiles in lists.TRIPLETS else 1) for smiles in lists.MOLECULES]


def _displaced_rows(entry: tuple[str, int], rng: np.random.Generator, group: str) -> Iterator[Frame]:
    """The minimum, then displaced ones at rising temperatures, over and over."""
    smiles, multiplicity = entry
    # a closed shell that is bent and stretched may want to uncouple a pair
    spin = {"multiplicities": (multiplicity,), "uncoupled": int(multiplicity == 1)}
    yield _frame(group, f"{smiles} minimum", smiles, relaxed(smiles, multiplicity)[0], **spin)
    if len(relaxed(smiles, multiplicity)[0]) == 1:
        return
    turn = int(rng.integers(len(TEMPERATURES)))
    while True:
        temperature = TEMPERATURES[turn % len(TEMPERATURES)]
        atoms = displaced(smiles, multiplicity, temperature, rng)
        yield _frame(group, f"{smiles} {temperature:g} K {turn}", smiles, atoms, **spin)
        turn += 1


def _fragments() -> list[tuple[str, int]]:
    """SMILES and multiplicity of what is left when an acyclic single bond breaks, and of other radicals."""
    from rdkit import Chem

    found: dict[str, int] = {}
    for smiles in lists.PARENTS:
        molecule = parsed(smiles)
        for bond in molecule.GetBonds():
            if bond.IsInRing() or bond.GetBondType() != Chem.BondType.SINGLE:
                continue
            cut = Chem.RWMol(molecule)
            ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            cut.RemoveBond(*ends)
            for end in ends:
                cut.GetAtomWithIdx(end).SetNumRadicalElectrons(1)
                cut.GetAtomWithIdx(end).SetNoImplicit(True)
            Chem.SanitizeMol(cut)
            for part in Chem.GetMolFrags(cut, asMols=True):
                found.setdefault(Chem.MolToSmiles(Chem.RemoveHs(part)), 2)
    for smiles in lists.RADICALS:
        electrons = sum(atom.GetAtomicNum() for atom in parsed(smiles).GetAtoms())
        found.setdefault(Chem.CanonSmiles(smiles), 4 if smiles == "[N]" else 2 if electrons % 2 else 3)
    return sorted(found.items(), key=lambda item: (len(embedded(item[0], 1)[0]), item[0]))


def _pulled_rows(entry: tuple[str, tuple[tuple[int, int], ...]], rng: np.random.Generator) -> Iterator[Frame]:
    """Distances spread over the whole range from the first few on, denser where the bond breaks."""
    smiles, given = entry
    bond = Bond(smiles, given, 3 if smiles in lists.TRIPLET_BONDS else 1)
    shortest = 0.85 * bond.length
    turn, offset = 0, rng.uniform()
    while True:
        share = (offset + turn * 0.6180339887) % 1.0  # golden section: even, whatever the number
        distance = shortest + (LONGEST - shortest) * share**1.6
        start = bond.atoms if turn % 2 == 0 else displaced(smiles, bond.ground, 500.0, rng)
        turn += 1
        yield bond.frame(distance, start, rng)


def _reactions() -> list[tuple[str, int]]:
    return list(
        round_robin(
            (
                [(reaction, 1) for reaction in lists.REACTIONS],
                [(reaction, 2) for reaction in lists.RADICAL_REACTIONS],
            )
        )
    )


def _path_rows(entry: tuple[str, int], rng: np.random.Generator) -> Iterator[Frame]:
    reaction, multiplicity = entry
    ends = [_end(side, multiplicity) for side in reaction.split(">>")]
    if not affordable(ends[0].get_chemical_symbols()):
        raise UnfitError(f"{reaction}: too large")
    band = path(ends[0], matched(ends[0], ends[1], rng), multiplicity, IMAGES, BAND_STEPS)
    while True:
        for k in IMAGE_ORDER:
            atoms = band[k].copy()
            atoms.positions += rng.normal(scale=NOISE, size=(len(atoms), 3))
            if acceptable(atoms, multiplicity):
                yield _frame(
                    "path",
                    f"{reaction} {k + 1}/{IMAGES}",
                    reaction,
                    atoms,
                    multiplicities=(multiplicity,),
                    uncoupled=1,
                )
        if not any(acceptable(image, multiplicity) for image in band):
            raise UnfitError(f"{reaction}: no image is acceptable")


def _end(smiles: str, multiplicity: int) -> Atoms:
    """An end of a path; of two molecules beside each other only the odd one has a spin."""
    if "." not in smiles:
        return relaxed(smiles, multiplicity)[0]
    parts = []
    for part in smiles.split("."):
        electrons = int(embedded(part, 1)[0].numbers.sum())
        parts.append(relaxed(part, 2 if electrons % 2 else 1)[0])
    return together(parts[0], parts[1], 0.9, np.random.default_rng(len(smiles)))


def _pairs(seed: int) -> list[tuple[str, str]]:
    """Every pair of the partners, in an order in which all of them come soon."""
    names = lists.PARTNERS
    pairs = [
        (names[k], names[(k + shift) % len(names)])
        for shift in range(len(names) // 2 + 1)
        for k in range(len(names))
    ]
    atoms = {smiles: embedded(smiles, 1)[0].get_chemical_symbols() for smiles in names}
    unique = list(
        {tuple(sorted(pair)): pair for pair in pairs if affordable(atoms[pair[0]] + atoms[pair[1]])}.values()
    )
    return [unique[k] for k in np.random.default_rng(seed).permutation(len(unique))]


def _dimer_rows(entry: tuple[str, str], rng: np.random.Generator) -> Iterator[Frame]:
    """Close at random; every second one slides towards its minimum for some steps of GFN2-xTB."""
    from ase.optimize import FIRE
    from dft_geometry import calculator

    name = ".".join(entry)
    number = int(rng.integers(2))
    while True:
        parts = [displaced(smiles, 1, 300.0, rng) for smiles in entry]
        contact = float(rng.uniform(0.55, 1.0))
        atoms = together(parts[0], parts[1], contact, rng)
        if number % 2:
            atoms.calc = calculator(1)
            FIRE(atoms, logfile=None, maxstep=0.1).run(fmax=0.05, steps=int(rng.integers(5, 60)))
            atoms.calc = None
        number += 1
        if acceptable(atoms, 1):
            yield _frame("dimer", f"{name} {'slid' if number % 2 == 0 else 'placed'}", name, atoms)


_ROWS: dict[str, Callable[..., Iterator[Frame]]] = {
    "molecule": lambda entry, rng: _displaced_rows(entry, rng, "molecule"),
    "fragment": lambda entry, rng: _displaced_rows(entry, rng, "fragment"),
    "pulled": _pulled_rows,
    "path": _path_rows,
    "dimer": _dimer_rows,
}
