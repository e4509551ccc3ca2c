"""Folders of ``e3d analyze``: what lies in them, and series of them over the number of training structures.

Files that a folder may have: ``pairs.csv``, ``map.e3d`` (``insitu.e3d`` of ``e3d run``),
``map.reactant.e3d``, ``map.transition_state.e3d``, ``map.product.e3d``, ``novelty.csv``, ``bonds.json``,
``errors.json``, ``structures.csv`` and ``reactions.csv``; of ``e3d run`` also ``bonds.txt`` (events) and
``species.txt``.

A *series* is given by words ``[SERIES:]N=DIR``: N training structures, the folder of that model, and a name
where there are several series: ``t32:920=out/n920``.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.analysis.bonds.files import BondEnergyFile, read_bond_energies
from e3d_lmp.analysis.maps import EnergyMap, read_map
from e3d_lmp.edges.structures import ENDS
from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_json, read_text, reading
from e3d_lmp.parsing import json_real, real_number, shortened

ERRORS_FORMAT = "e3d-errors/1"

MADE_BY = {
    "map.e3d": "e3d analyze SOURCE -o {0}",
    "pairs.csv": "e3d analyze SOURCE -o {0}",
    "bonds.json": "e3d analyze SOURCE -o {0}",
    "errors.json": "e3d evaluate MODEL STRUCTURES --forces -o edges.h5; e3d analyze edges.h5 -o {0}",
    "structures.csv": "e3d evaluate MODEL STRUCTURES -o edges.h5; e3d analyze edges.h5 -o {0}",
    "reactions.csv": "e3d evaluate MODEL REACTIONS.h5 -o edges.h5; e3d analyze edges.h5 -o {0}",
    **{
        f"map.{end}.e3d": "e3d evaluate MODEL REACTIONS.h5 -o edges.h5; e3d analyze edges.h5 -o {0}"
        for end in ENDS
    },
    "bonds.txt": "e3d run INPUT --bonds N -o {0}",
    "species.txt": "e3d run INPUT --bonds N --species -o {0}",
}
"""What to type for each file, where it is missing from a folder."""

WRITTEN_BY_ANALYZE = (
    *("pairs.csv", "pairs.json", "map.e3d", "maps.png", "maps.pdf", "novelty.csv"),
    *("bonds.csv", "bonds.json", "ridgelines.png", "ridgelines.pdf"),
    *(f"map.{end}.e3d" for end in ENDS),
    *("roles.csv", "structures.csv", "errors.json", "reactions.csv", "parity.png", "parity.pdf"),
)
"""Files of ``e3d analyze``, in the order in which it names them; which of them there are depends on its
source and options."""


def left_from_before(folder: Path, written: Sequence[Path]) -> list[Path]:
    """Files of ``e3d analyze`` in a folder that are not among those written now: they belong to another
    analysis, and figures and reports of the folder would mix both."""
    return [
        folder / name
        for name in WRITTEN_BY_ANALYZE
        if (folder / name).exists() and folder / name not in written
    ]


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Files of one folder in the order of `WRITTEN_BY_ANALYZE`, others after them as they come."""
    place = {name: k for k, name in enumerate(WRITTEN_BY_ANALYZE)}
    return sorted(paths, key=lambda path: place.get(path.name, len(place)))


@dataclass(frozen=True)
class ModelErrors:
    """Mean absolute errors of one model; nan where not known.

    Attributes
    ----------
    energy            eV per atom
    force             eV/angstrom
    barrier           eV
    reaction_energy   eV
    """

    energy: float = math.nan
    force: float = math.nan
    barrier: float = math.nan
    reaction_energy: float = math.nan


@dataclass(frozen=True)
class AnalysisFolder:
    """One folder of results, whose files are read when they are asked for.

    Every method that reads raises `E3DError` if the file is missing (the message says what to type) or is not
    of its format.
    """

    path: Path

    def has(self, name: str) -> bool:
        """Whether the folder has this file."""
        return (self.path / name).is_file()

    def file(self, name: str) -> Path:
        """Path of a file that must be there."""
        if not self.path.is_dir():
            raise E3DError(f"{self.path}: no such folder; expected a folder of 'e3d analyze'")
        if not self.has(name):
            made = MADE_BY[name].format(self.path)
            raise E3DError(f"{self.path}: no {name} there; type: {made}")
        return self.path / name

    def map(self, state: str = "") -> EnergyMap:
        """The D-A maps, of all structures or of a state of reactions: ``reactant``, ..."""
        if state:
            return read_map(self.file(f"map.{state}.e3d"))
        if not self.has("map.e3d") and self.has("insitu.e3d"):
            return read_map(self.path / "insitu.e3d")
        return read_map(self.file("map.e3d"))

    def states(self) -> dict[str, EnergyMap]:
        """The maps of reactants, transition states and products, those that are there, by state."""
        there = [end for end in ENDS if self.has(f"map.{end}.e3d")]
        if not there:
            self.file(f"map.{ENDS[0]}.e3d")
        return {end: self.map(end) for end in there}

    def bonds(self) -> BondEnergyFile:
        """Bond energies by type, with their references."""
        return read_bond_energies(self.file("bonds.json"))

    def errors(self) -> dict[str, Any]:
        """What ``errors.json`` says."""
        path = self.file("errors.json")
        with reading(path, f"table of errors ({ERRORS_FORMAT})", "make it again"):
            whole = read_json(path)
            if whole["format"] != ERRORS_FORMAT:
                found = shortened(str(whole["format"]))
                raise E3DError(f"{path}: expected the format {ERRORS_FORMAT}, got '{found}'")
            for key, inner in _SECTIONS.items():
                _check_errors(whole.get(key), inner)
            for key, text in whole["provenance"].items():
                if not isinstance(text, str):
                    raise ValueError(f"expected a text for '{shortened(key)}', got {shortened(repr(text))}")
            return whole

    def model_errors(self) -> ModelErrors:
        """Mean absolute errors of energies, forces, barriers and reaction energies; nan where not there."""
        whole = self.errors()
        return ModelErrors(
            _number(whole, "energy", "mae_eV_per_atom"),
            _number(whole, "force", "mae_eV_per_A"),
            _number(whole, "reactions", "barrier", "mae_eV"),
            _number(whole, "reactions", "reaction_energy", "mae_eV"),
        )

    def table(self, name: str) -> dict[str, list[str]]:
        """Columns of a .csv file, as text."""
        path = self.file(name)
        expected = "a table of 'e3d analyze'"
        try:
            rows = list(csv.reader(io.StringIO(read_text(path, expected), newline="")))
        except csv.Error as error:
            raise E3DError(f"{path}: {error}; expected {expected}") from None
        if not rows or any(len(row) != len(rows[0]) for row in rows):
            raise E3DError(f"{path}: rows of different length, or none; make it again")
        if len(set(rows[0])) < len(rows[0]):
            raise E3DError(f"{path}: two columns of the same name; make it again")
        return {head: [row[k] for row in rows[1:]] for k, head in enumerate(rows[0])}

    def numbers(self, name: str, *columns: str) -> list[np.ndarray]:
        """Columns of a .csv file, float64 each; nan where a cell is empty."""
        table = self.table(name)
        missing = [column for column in columns if column not in table]
        if missing:
            raise E3DError(f"{self.path / name}: no column {missing[0]}; columns there: {', '.join(table)}")
        try:
            return [
                np.array([real_number(cell, may_be_nan=True) if cell else math.nan for cell in table[column]])
                for column in columns
            ]
        except ValueError as error:
            raise E3DError(f"{self.path / name}: {error}; make it again") from None


def _number(whole: Mapping[str, Any], *keys: str) -> float:
    """A number in nested dictionaries, nan where one of them or the number is missing or null."""
    value: Any = whole
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return json_real(value, math.nan)


_SECTIONS: dict[str, tuple[str, ...]] = {
    "energy": (),
    "energy_shifted": ("shift_eV",),
    "force": (),
    "reactions": ("barrier", "reaction_energy"),
}
"""Sections of ``errors.json``, and their own."""


def _check_errors(section: Any, inner: Sequence[str] = ()) -> None:
    """Raise `ValueError` unless a section is null, or a dictionary of numbers, nulls and `inner` sections; no
    number but means and shifts is below 0, and no mean square below the square of a mean."""
    if section is None:
        return
    if not isinstance(section, dict):
        raise ValueError(f"expected a dictionary of numbers, got {shortened(repr(section))}")
    for name, value in section.items():
        if name == "shift_eV" and isinstance(value, dict):
            for shift in value.values():
                json_real(shift)
        elif name in inner:
            _check_errors(value)
        elif json_real(value, 0.0) < 0.0 and not name.startswith("mean"):
            raise ValueError(f"{name} is {value:g}")
    for unit in {name.removeprefix("mae") for name in section if name.startswith("mae")}:
        mae, rmse = section[f"mae{unit}"], section.get(f"rmse{unit}")
        if mae is not None and rmse is not None and mae > rmse * (1.0 + 1e-9):
            raise ValueError(f"a mean absolute error {mae:g} above the root mean square {rmse:g}")


_WORD = re.compile(r"(?:(?P<series>[^:=]*):)?(?P<n>[^:=]+)=(?P<folder>.+)")


def parse_series(words: Sequence[str]) -> dict[str, dict[int, AnalysisFolder]]:
    """Folders by series and number of training structures, from words ``[SERIES:]N=DIR``.

    The name of a series without one is ''.

    Raises
    ------
    E3DError
        If a word is none such, its folder is missing, or a number occurs twice in a series.
    """
    series: dict[str, dict[int, AnalysisFolder]] = {}
    for word in words:
        match = _WORD.fullmatch(word)
        number = match["n"].replace("_", "") if match else ""
        if match is None or not number.isdecimal() or int(number) < 1:
            raise E3DError(
                f"'{word}': expected [SERIES:]N=DIR, a number of training structures and the folder of 'e3d "
                "analyze' with that model, e.g. 920=out/n920 3000=out/n3000, or t32:920=out/t32/n920"
            )
        models = series.setdefault(match["series"] or "", {})
        if int(number) in models:
            raise E3DError(f"'{word}': N = {number} was there before; name the series, e.g. a:{word}")
        folder = AnalysisFolder(Path(match["folder"]))
        if not folder.path.is_dir():
            raise E3DError(f"'{word}': no such folder; make it: e3d analyze SOURCE -o {folder.path}")
        models[int(number)] = folder
    return {name: dict(sorted(models.items())) for name, models in series.items()}


def is_series_word(word: str) -> bool:
    """Whether a word of the command line is meant as ``[SERIES:]N=DIR``, and not as a path."""
    return "=" in word and not Path(word).exists()


def sample_names(series: Mapping[str, Mapping[int, AnalysisFolder]]) -> dict[str, AnalysisFolder]:
    """The folders of all series in order, by a name for a panel: ``N = 920`` or ``t32, N = 920``."""
    return {
        (f"{name}, " if name else "") + f"N = {n:,}": folder
        for name, models in series.items()
        for n, folder in models.items()
    }
