"""How far a model's energies and forces are from those of the source of an edge store.

A model that was trained on cohesive energies gives E_coh = E - sum E_atom. Sources give total energies as a
rule: the energies of the isolated atoms of their level of theory are then taken off. Which level that is
follows from the name of the energy in the source, which ``e3d evaluate`` notes, or is said with
``--isolated-atoms``. Where it is not known, or where model and source are farther apart than any model would
be (`ABSURD`), energies are left out with a remark, never compared on different zeros. Errors after a fitted
shift per element (`e3d_lmp.analysis.composition_shift`) stand beside them and need no zero.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.analysis.composition_shift import ShiftedErrors, shifted_errors
from e3d_lmp.analysis.folders import ERRORS_FORMAT
from e3d_lmp.analysis.reactions import ReactionErrors
from e3d_lmp.edges.isolated_atoms import SPICE_LEVEL, cohesive_energy, isolated_atom_energies
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.edges.structures import ASE_ENERGY, SPICE_ENERGY, SPICE_FORMATION, TRANSITION1X_ENERGY
from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_json, write_json
from e3d_lmp.parsing import json_real
from e3d_lmp.tables import Column, write_csv

ABSURD = 1.0
"""Mean absolute difference in eV/atom from which on two energies count as energies on different zeros."""

COHESIVE = "none"
"""The word for reference energies that are cohesive energies already."""

TRANSITION1X_LEVEL = "wB97x/6-31G(d)"

LEVELS = {
    SPICE_ENERGY: SPICE_LEVEL,
    SPICE_FORMATION: COHESIVE,
    TRANSITION1X_ENERGY: TRANSITION1X_LEVEL,
    "wB97x_6-31G(d).atomization_energy": COHESIVE,
    "aimnet2_wB97M-D3.energy": SPICE_LEVEL,
}
"""Level of theory of the isolated atoms, or `COHESIVE`, by the name of the energy in the source."""


_EXPECTED_TABLE = 'expected a .json file of eV by element, e.g. {"H": -13.6, "C": -1030.6}'
_OTHER_FORMATS = (".csv", ".txt", ".yaml", ".yml", ".xyz", ".extxyz", ".dat", ".h5", ".hdf5")


@dataclass(frozen=True)
class IsolatedAtoms:
    """What is taken off reference energies.

    Attributes
    ----------
    name      the level of theory, the file, or `COHESIVE`
    energies  eV by atomic number; None: nothing is taken off
    """

    name: str
    energies: Mapping[int, float] | None = None


def isolated_atoms(choice: str | None, store: StoreReader) -> IsolatedAtoms | str:
    """What to take off the reference energies of a store, or the reason why that is not known.

    Parameters
    ----------
    choice
        A level of theory, a .json file of eV by element symbol, or ``none``; None: by the name of the energy.

    Raises
    ------
    E3DError
        As `named_isolated_atoms`.
    """
    if choice is not None:
        return named_isolated_atoms(choice)
    if store.provenance.get("decomposition") == "rescaled":
        return IsolatedAtoms(COHESIVE)  # its energies are on the zero of its training data
    field = store.provenance.get("reference_energy", "")
    if field in LEVELS:
        level = LEVELS[field]
        return IsolatedAtoms(level, None if level == COHESIVE else isolated_atom_energies(level))
    what = f"the energy '{field}'" if field and field != ASE_ENERGY else "the energy of the source"
    return (
        f"energies were not compared: {what} may be a total or a cohesive one; say which isolated atoms to "
        "take off with --isolated-atoms (a level of theory, a .json file, or none)"
    )


def named_isolated_atoms(choice: str) -> IsolatedAtoms:
    """What to take off reference energies: a level of theory, a .json file of eV by element symbol, or
    ``none``.

    Raises
    ------
    E3DError
        If there is no such level or file, or the file is malformed.
    """
    if choice == COHESIVE:
        return IsolatedAtoms(COHESIVE)
    if choice.endswith(".json"):
        return IsolatedAtoms(choice, _read_table(choice))
    if Path(choice).suffix.lower() in _OTHER_FORMATS or Path(choice).is_file():
        raise E3DError(f"--isolated-atoms {choice}: {_EXPECTED_TABLE}, the only format that is read")
    return IsolatedAtoms(choice, isolated_atom_energies(choice))


def _read_table(path: str) -> dict[int, float]:
    from ase.data import atomic_numbers

    try:
        table = read_json(path)
        energies = {atomic_numbers[symbol]: json_real(energy) for symbol, energy in table.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise E3DError(f"--isolated-atoms {path}: {error}; {_EXPECTED_TABLE}") from None
    except KeyError as error:
        what = f"{error} is no chemical element"
        raise E3DError(f"--isolated-atoms {path}: {what}; {_EXPECTED_TABLE}") from None
    if not energies:
        raise E3DError(f"--isolated-atoms {path}: no energy in it; {_EXPECTED_TABLE}")
    return energies


@dataclass(frozen=True)
class StructureEnergies:
    """Energies and force errors of some structures of a store, in their order.

    Attributes
    ----------
    name                (S,) str
    atoms               (S,) int64
    counts              (S, 119) uint16, atoms of each atomic number
    energy              (S,) float64, eV, of the model
    total               (S,) float64, eV, reference as the source has it; nan where it has none
    reference           (S,) float64, eV, reference on the zero of the model; nan where not known
    force_components    (S,) int64, components of forces that are known
    force_absolute      (S,) float64, eV/angstrom, sum of the absolute errors of the components
    force_squares       (S,) float64, (eV/angstrom)^2, sum of their squares
    """

    name: np.ndarray
    atoms: np.ndarray
    counts: np.ndarray
    energy: np.ndarray
    total: np.ndarray
    reference: np.ndarray
    force_components: np.ndarray
    force_absolute: np.ndarray
    force_squares: np.ndarray

    def select(self, rows: np.ndarray) -> StructureEnergies:
        """Some of the structures."""
        return StructureEnergies(*(getattr(self, each.name)[rows] for each in fields(self)))


def join_structures(parts: Sequence[StructureEnergies]) -> StructureEnergies:
    """The structures of all ranks, in their order."""
    return StructureEnergies(
        *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(StructureEnergies))
    )


def read_structures(store: StoreReader, numbers: range, zero: IsolatedAtoms | str) -> StructureEnergies:
    """Energies and force errors of the frames with these numbers; no reference energy where an element has
    no isolated-atom energy.
    """
    from ase.data import atomic_numbers, chemical_symbols

    part = store[numbers.start : numbers.stop]
    total = part.values("reference_energy")
    reference, atoms = np.full(len(numbers), np.nan), np.zeros(len(numbers), dtype=np.int64)
    counts = np.zeros((len(numbers), len(chemical_symbols)), dtype=np.uint16)
    force = np.zeros((len(numbers), 3))
    for k, rows in enumerate(part.iter_atoms()):
        atoms[k] = rows.id.size
        z = np.array([atomic_numbers[symbol] for symbol in rows.element], dtype=np.int64)
        counts[k] = np.bincount(z, minlength=counts.shape[1])
        if isinstance(zero, IsolatedAtoms):
            if zero.energies is None:
                reference[k] = total[k]
            elif set(z.tolist()) <= set(zero.energies):
                reference[k] = cohesive_energy(total[k], z, zero.energies)
        if rows.force is not None and rows.reference_force is not None:
            error = (rows.force - rows.reference_force)[np.isfinite(rows.reference_force)]
            force[k] = error.size, np.abs(error).sum(), error @ error
    return StructureEnergies(
        part.values("name"),
        atoms,
        counts,
        part.values("energy"),
        total,
        reference,
        force[:, 0].astype(np.int64),
        force[:, 1],
        force[:, 2],
    )


@dataclass(frozen=True)
class Errors:
    """Errors of a model on a set of structures.

    Attributes
    ----------
    structures    those that have a reference energy or reference forces
    energy        of the energy per atom: ``structures``, ``mae_eV_per_atom``, ``rmse_eV_per_atom``; None
                  where no energy is comparable
    shifted       the same after a fitted shift per element, of the reference energies that are comparable,
                  or else of those that the source has; None where there are too few
    force         of the components of forces: ``components``, ``mae_eV_per_A``, ``rmse_eV_per_A``; or None
    reactions     of barriers and reaction energies; or None
    zero          what was taken off the reference energies
    remarks       what the user must know
    """

    structures: StructureEnergies
    energy: dict[str, float] | None
    shifted: ShiftedErrors | None
    force: dict[str, float] | None
    reactions: ReactionErrors | None
    zero: str
    remarks: list[str]


def errors_of(all_structures: StructureEnergies, zero: IsolatedAtoms | str) -> Errors | None:
    """Errors of a model; None where the source has neither energies nor forces."""
    from e3d_lmp.analysis.reactions import reaction_errors

    known = np.isfinite(all_structures.total) | (all_structures.force_components > 0)
    if not known.any():
        return None
    structures = all_structures.select(known)
    remarks = [zero] if isinstance(zero, str) else []
    name = zero.name if isinstance(zero, IsolatedAtoms) else ""
    energy = None
    fine = np.isfinite(structures.reference)
    lost = int((np.isfinite(structures.total) & ~fine).sum()) if name else 0
    if lost:
        remarks.append(
            f"the energies of {lost} structures were not compared: '{name}' lacks an element of theirs; give "
            "a table that has all of them with --isolated-atoms FILE.json"
        )
    if fine.any():
        error = (structures.energy - structures.reference)[fine] / structures.atoms[fine]
        mae = float(np.abs(error).mean())
        if mae > ABSURD:
            remarks.append(
                f"energies were not compared: model and source differ by {mae:.3g} eV/atom after taking off "
                f"the isolated atoms '{name}', so they are on different zeros; choose others with "
                "--isolated-atoms (a level of theory, a .json file, or none)"
            )
            structures = StructureEnergies(**{**vars(structures), "reference": np.full(fine.size, np.nan)})
        else:
            energy = {
                "structures": int(fine.sum()),
                "mae_eV_per_atom": mae,
                "rmse_eV_per_atom": float(np.sqrt((error * error).mean())),
            }
    base = structures.total if energy is None else structures.reference
    fitted = np.isfinite(base) & np.isfinite(structures.energy)
    shifted = None
    if fitted.any():
        shifted = shifted_errors((structures.energy - base)[fitted], structures.counts[fitted])
    n = int(structures.force_components.sum())
    force = None
    if n:
        force = {
            "components": n,
            "mae_eV_per_A": float(structures.force_absolute.sum() / n),
            "rmse_eV_per_A": math.sqrt(structures.force_squares.sum() / n),
        }
    reactions = reaction_errors(structures.name, structures.energy, structures.total)
    if reactions is not None and not reactions.name.size:
        remarks.append(
            f"no barrier was compared: all {reactions.incomplete} reactions lack a reactant, transition "
            "state or product; leave --every out, or evaluate whole reactions"
        )
        reactions = None
    return Errors(structures, energy, shifted, force, reactions, name, remarks)


def structure_columns(errors: Errors) -> tuple[Column, ...]:
    """Columns of ``structures.csv``."""
    columns = [
        Column("name", "structure"),
        Column("atoms", "atoms"),
        Column("energy_eV", "energy", "eV", ".4f"),
        Column("reference_eV", "reference", "eV", ".4f"),
    ]
    if errors.force is not None:
        columns.append(Column("force_mae_eV_per_A", "force MAE", "eV/A", ".4f"))
    return tuple(columns)


def structure_table(errors: Errors) -> list[dict[str, Any]]:
    """One row per structure; the reference is on the zero of the model."""
    one = errors.structures
    with np.errstate(invalid="ignore", divide="ignore"):
        force = np.where(one.force_components > 0, one.force_absolute / one.force_components, np.nan)
    columns = (one.name, one.atoms, one.energy, one.reference, force)
    names = ("name", "atoms", "energy_eV", "reference_eV", "force_mae_eV_per_A")
    return [
        dict(zip(names, row, strict=True))
        for row in zip(*(column.tolist() for column in columns), strict=True)
    ]


def write_errors(errors: Errors, provenance: Mapping[str, str], folder: str | os.PathLike) -> list[Path]:
    """Write ``structures.csv``, ``errors.json`` and, where there are any, ``reactions.csv``."""
    out = Path(folder)
    paths = [out / "structures.csv", out / "errors.json"]
    write_csv(structure_columns(errors), structure_table(errors), paths[0])
    about = {
        "format": ERRORS_FORMAT,
        "energy": errors.energy,
        "energy_shifted": None if errors.shifted is None else errors.shifted.summary(),
        "force": errors.force,
        "reactions": None if errors.reactions is None else errors.reactions.summary(),
        "provenance": {**provenance, "isolated_atoms": errors.zero},
    }
    write_json(paths[1], about, indent=2)
    if errors.reactions is not None:
        paths.append(out / "reactions.csv")
        errors.reactions.write(paths[-1])
    return paths


def describe_errors(errors: Errors) -> str:
    """The errors in some lines of text."""
    lines = []
    if errors.energy is not None:
        one = errors.energy
        zero = "" if errors.zero == COHESIVE else f" (reference less isolated atoms, {errors.zero})"
        lines.append(
            f"energy of {one['structures']} structures: MAE {1e3 * one['mae_eV_per_atom']:.2f}, RMSE "
            f"{1e3 * one['rmse_eV_per_atom']:.2f} meV/atom{zero}"
        )
    if errors.shifted is not None:
        lines.append(errors.shifted.describe())
    if errors.force is not None:
        one = errors.force
        lines.append(
            f"force: MAE {1e3 * one['mae_eV_per_A']:.1f}, RMSE {1e3 * one['rmse_eV_per_A']:.1f} meV/angstrom "
            f"({one['components']} components)"
        )
    if errors.reactions is not None:
        lines.append(errors.reactions.describe())
    return "\n".join(lines)
