"""Files of reference energies, and the bonds or dimers that their rows mean.

A .csv file with a line of names: ``structure``; an energy, ``energy_eV``, ``energy_kJ_mol`` or
``energy_kcal_mol``; and for bonds either ``i`` and ``j``, the two atoms counted from 0, or ``A`` and ``B``,
files of the two fragments, beside the .csv file: the bond is then the one that leaves fragments with these
atoms and bonds. A structure is called as in the tables of ``e3d bde`` (``water.xyz/0``, or the name of a
SMILES), and where that is clear without its number or the ending of the file (``water``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e3d_lmp.analysis.bonds.orders import bonded_pairs
from e3d_lmp.analysis.dissociation.graph import molecule_key
from e3d_lmp.edges.cutoffs import BondCutoff
from e3d_lmp.edges.structures import Structures
from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_text
from e3d_lmp.parsing import real_number, whole_number
from e3d_lmp.tables import csv_rows
from e3d_lmp.units import KCAL_MOL_PER_EV, KJ_PER_MOL

ENERGIES = {"energy_eV": 1.0, "energy_kJ_mol": KJ_PER_MOL, "energy_kcal_mol": 1.0 / KCAL_MOL_PER_EV}
"""Names of the column of the energy, and its unit in eV."""

EXPECTED = (
    f"a .csv file with the columns structure, one of {', '.join(ENERGIES)}, and for bonds i and j (atoms "
    "counted from 0) or A and B (files of the fragments)"
)


@dataclass(frozen=True)
class Reference:
    """A row of a file.

    Attributes
    ----------
    where      file and line, for messages
    structure  name
    energy     eV
    atoms      the two atoms of the bond, the lower one first; None where fragments say which it is
    fragments  their files; None where atoms say it
    """

    where: str
    structure: str
    energy: float
    atoms: tuple[int, int] | None = None
    fragments: tuple[Path, Path] | None = None


def read_references(path: str | Path, dimers: bool = False) -> list[Reference]:
    """The rows of a file.

    Raises
    ------
    E3DError
        It is missing, lacks a column, or a cell is not what it should be; the message names the line.
    """
    path = Path(path)
    (_, names), *table = csv_rows(read_text(path, EXPECTED), str(path), EXPECTED) or [(0, [])]
    energies = [name for name in ENERGIES if name in names]
    by_atoms, by_fragments = {"i", "j"} <= set(names), {"A", "B"} <= set(names)
    if "structure" not in names or len(energies) != 1 or not (dimers or by_atoms or by_fragments):
        raise E3DError(f"{path}: expected {EXPECTED}; got the columns '{','.join(names)}'")
    rows = []
    for number, cells in table:
        where = f"{path}, line {number}"
        if len(cells) != len(names):
            raise E3DError(f"{where}: expected {len(names)} cells ({','.join(names)}), got {len(cells)}")
        row = dict(zip(names, cells, strict=True))
        try:
            energy = real_number(row[energies[0]]) * ENERGIES[energies[0]]
            atoms = tuple(sorted(whole_number(row[name], 0) for name in "ij")) if by_atoms else None
        except ValueError as error:
            raise E3DError(f"{where}: {error}") from None
        if dimers:
            rows.append(Reference(where, row["structure"], energy))
        elif atoms:
            rows.append(Reference(where, row["structure"], energy, (atoms[0], atoms[1])))
        else:
            files = (path.parent / row["A"], path.parent / row["B"])
            rows.append(Reference(where, row["structure"], energy, fragments=files))
    if not rows:
        raise E3DError(f"{path}: no row in it; expected {EXPECTED}")
    return rows


@dataclass(frozen=True)
class Matched:
    """Whose the rows are.

    Attributes
    ----------
    energies  eV by place of the structure in the results and place of the row in it
    partners  ... of a bond that was named though one that is like it was broken: place of that one
    lost      ``file, line: why`` of the rows without a partner
    """

    energies: dict[tuple[int, int], float]
    partners: dict[tuple[int, int], int]
    lost: list[str]


def match(
    references: Sequence[Reference],
    found: Sequence[Mapping[str, Any]],
    cutoff: BondCutoff,
    dimers: bool = False,
) -> Matched:
    """Give each row its bond or dimer among the results of `work.results`.

    Rows without a partner are not lost in silence: they are in `Matched.lost`. Of two rows for one bond the
    first counts.
    """
    places = _places(found)
    out = Matched({}, {}, [])
    keys: dict[Path, str] = {}
    for reference in references:
        try:
            place = _place(reference.structure, places)
            one = found[place]
            if "error" in one:
                raise E3DError(f"'{reference.structure}' was left out ({one['error']})")
            index = 0 if dimers else _bond(reference, one["rows"], cutoff, keys)
            if (place, index) in out.energies:
                raise E3DError("a row above it is of the same bond or dimer")
            out.energies[place, index] = reference.energy
            if not dimers and one["rows"][index]["same_as"]:
                out.partners[place, index] = _broken(one["rows"], one["rows"][index]["same_as"])
        except E3DError as error:
            out.lost.append(f"{reference.where}: {error}")
    return out


def _places(found: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Places of the structures that a name may mean; a whole name goes before a shortened one."""
    whole: dict[str, list[int]] = defaultdict(list)
    short: dict[str, list[int]] = defaultdict(list)
    for k, one in enumerate(found):
        name = one["name"]
        whole[name].append(k)
        file, slash, number = name.rpartition("/")
        if slash and number.isdecimal():
            short[file].append(k)
            if Path(file).suffix:
                short[str(Path(file).with_suffix(""))].append(k)
    return {**short, **whole}


def _place(name: str, places: Mapping[str, list[int]]) -> int:
    there = places.get(name, [])
    if len(there) != 1:
        raise E3DError(
            f"no structure '{name}'" if not there else f"'{name}' may mean {len(there)} structures"
        )
    return there[0]


def _bond(
    reference: Reference, rows: Sequence[Mapping[str, Any]], cutoff: BondCutoff, keys: dict[Path, str]
) -> int:
    """Place of a row's bond."""
    if reference.atoms is not None:
        for k, row in enumerate(rows):
            if {row["i"], row["j"]} == set(reference.atoms):
                return k
        i, j = reference.atoms
        raise E3DError(f"no bond {i}-{j} in '{reference.structure}' (atoms are counted from 0)")
    assert reference.fragments is not None
    for file in reference.fragments:
        if file not in keys:
            keys[file] = _key_of(file, cutoff)
    wanted = sorted(keys[file] for file in reference.fragments)
    there = [
        k for k, row in enumerate(rows) if row["key_i"] and sorted((row["key_i"], row["key_j"])) == wanted
    ]
    if len(there) != 1:
        raise E3DError(
            f"{len(there) or 'no'} broken bonds of '{reference.structure}' leave fragments such as "
            f"{' and '.join(file.name for file in reference.fragments)}"
        )
    return there[0]


def _key_of(file: Path, cutoff: BondCutoff) -> str:
    from ase.data import chemical_symbols

    structure = next(Structures([file]).since(), None)
    if structure is None:
        raise E3DError(f"{file}: no structure in it")
    symbols = [chemical_symbols[z] for z in structure.numbers]
    return molecule_key(symbols, bonded_pairs(symbols, structure.positions, cutoff))


def _broken(rows: Sequence[Mapping[str, Any]], same_as: str) -> int:
    return next(k for k, row in enumerate(rows) if f"{row['i']}-{row['j']}" == same_as)
