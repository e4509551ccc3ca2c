"""Reader of MatPES JSON (``.json`` or ``.json.gz``).

A list of entries: `structure` (a pymatgen Structure as a dictionary: ``lattice.matrix``, ``sites[].species``,
``abc``, ``xyz``), `energy` eV, `forces` (N, 3) eV/angstrom, `stress` six numbers xx yy zz yz xz xy in kilobar
with the sign of VASP (positive under compression), `cohesive_energy_per_atom` eV, `matpes_id`, `functional`,
and ``provenance.original_mp_id``, the material of the Materials Project that the frame comes from.
Layout: Kaplan et al., arXiv 2503.04070, and https://matpes.ai.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from ase.data import atomic_numbers as _Z_OF
from ase.units import GPa

from e3d_lmp.edges.isolated_atoms import cohesive_energy
from e3d_lmp.errors import E3DError
from e3d_lmp.files import input_file
from e3d_lmp.training.data.records import Molecule, Wanted
from e3d_lmp.training.data.screening import screened
from e3d_lmp.training.data.split import crystal_key

KILOBAR = 0.1 * GPa
"""eV/angstrom^3."""

LONGEST_ENTRY = 1 << 26
"""Characters of an entry at most; a damaged one would be looked for to the end of the file."""

_CHUNK = 1 << 22


def read_matpes(path: str | Path, wanted: Wanted) -> Iterator[Molecule]:
    """Yield the entries of a file with their cohesive energies, forces and stresses, in the order of the
    file.

    The subset of an entry is its functional, its key is the material that it comes from (where that is not
    said, its reduced formula).

    Raises
    ------
    E3DError
        The file cannot be read, is no list of entries, or an entry lacks a label.
    """
    input_file(path, "a list of entries in JSON (MatPES)")
    opener = gzip.open if str(path).endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8") as stream:
            for number, entry in enumerate(_entries(stream)):
                molecule = _entry(path, number, entry, wanted)
                if molecule is not None:
                    yield molecule
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise E3DError(
            f"expected a list of entries in JSON (MatPES) at '{path}', got: {error}; check the path, fetch "
            "it again"
        ) from error


def _entries(stream: TextIO) -> Iterator[Any]:
    """Items of a list, one after the other: the published file as a whole would need tens of gigabytes."""
    decoder = json.JSONDecoder()
    text = stream.read(_CHUNK).lstrip()
    if not text.startswith("["):
        raise json.JSONDecodeError("not a list", text[:20], 0)
    place = 1
    while True:
        while place < len(text) and text[place] in ", \t\r\n":
            place += 1
        if text.startswith("]", place):
            if text[place + 1 :].strip() or stream.read(_CHUNK).strip():
                raise json.JSONDecodeError("more after the end of the list", text[place : place + 20], 0)
            return
        try:
            entry, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError:
            if len(text) - place > LONGEST_ENTRY:
                raise
            more = stream.read(max(_CHUNK, len(text) - place))
            if not more:
                raise
            text, place = text[place:] + more, 0
            continue
        yield entry


def _entry(path: str | Path, number: int, entry: Any, wanted: Wanted) -> Molecule | None:
    """One entry as a molecule of one frame; None where it is not wanted."""
    energy = wanted.energy or ("energy" if wanted.atoms is not None else "cohesive_energy_per_atom")
    needed = ["structure", energy] + ["forces"] * wanted.needs_forces
    missing = [key for key in needed if not isinstance(entry, dict) or key not in entry]
    if missing:
        raise E3DError(
            f"expected {', '.join(needed)} in entry {number} of '{path}', missing: {', '.join(missing)}; "
            "this is not the MatPES layout, or a file without these labels"
        )
    name = str(entry.get("matpes_id") or number)
    if entry[energy] is None or (wanted.needs_forces and entry["forces"] is None):
        wanted.dropped.molecules["no label"] += 1
        return None
    try:
        structure = entry["structure"]
        sites = structure["sites"]
        if any(len(site["species"]) != 1 or site["species"][0].get("occu", 1) != 1 for site in sites):
            wanted.dropped.molecules["partly occupied sites"] += 1
            return None
        # the species may carry an oxidation state, in a key of its own
        numbers = np.array([_Z_OF[site["species"][0]["element"]] for site in sites], dtype=np.int64)
        size = len(numbers)
        cell = np.array(structure["lattice"]["matrix"], dtype=np.float64).reshape(3, 3)
        pbc = np.array(structure["lattice"].get("pbc", (True, True, True)), dtype=bool)
        positions = np.array([site["xyz"] for site in sites], dtype=np.float64).reshape(size, 3)
        fractional = np.array([site["abc"] for site in sites], dtype=np.float64).reshape(-1, 3)
        total = float(entry[energy]) * (size if energy == "cohesive_energy_per_atom" else 1)
        forces = np.full((size, 3), np.nan)
        if wanted.forces and entry.get("forces") is not None:
            forces = np.array(entry["forces"], dtype=np.float64).reshape(size, 3)
        stress = _stress(entry["stress"]) if entry.get("stress") is not None else None
        charge = int(structure.get("charge") or 0)
        parent = (entry.get("provenance") or {}).get("original_mp_id")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise E3DError(
            f"expected a pymatgen Structure with labels of its size in entry '{name}' of '{path}', got "
            f"{type(error).__name__}: {error}; the file is damaged, or not in the MatPES layout"
        ) from error
    if not np.allclose(fractional @ cell, positions, atol=1e-3):
        raise E3DError(
            f"expected xyz = abc . lattice in entry '{name}' of '{path}', they differ; the file is damaged"
        )
    subset = str(entry.get("functional", ""))
    if not wanted.takes(numbers, subset, charge):
        return None
    molecule = Molecule(
        name=name,
        subset=subset,
        smiles="",
        atomic_numbers=numbers,
        positions=positions[None],
        energy=cohesive_energy(np.array([total]), numbers, wanted.atoms),
        forces=forces[None],
        frames=np.zeros(1, dtype=np.int64),
        keys=(f"material {parent}" if parent else crystal_key(numbers),),
        charge=charge,
        cell=cell[None],
        pbc=pbc,
        stress=None if stress is None else stress[None],
    )
    return screened(molecule, wanted)


def _stress(stress: Any) -> np.ndarray:
    """(3, 3) eV/angstrom^3, positive under tension, from six numbers or a matrix in VASP's kilobar."""
    array = np.array(stress, dtype=np.float64)
    if array.shape != (3, 3):
        xx, yy, zz, yz, xz, xy = array
        array = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return -KILOBAR * array
