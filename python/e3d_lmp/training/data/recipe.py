"""The recipe of a training set: which frames of which files, and who learns from them (docs/data.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ase.data import atomic_numbers as _Z_OF

from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_yaml
from e3d_lmp.parsing import shortened
from e3d_lmp.training.data.alignment import METHODS
from e3d_lmp.training.data.split import PARTS
from e3d_lmp.training.data.transition1x import PARTS as TRANSITION1X_PARTS

LAYOUTS = ("spice", "transition1x", "matpes", "ani", "extxyz")
FORCES = ("all", "some", "none")
USES = ("training", "alignment")
ENERGIES = ("total", "cohesive")
EVERY = "*"
"""Name of all subsets that `frames` does not name."""


@dataclass(frozen=True)
class Share:
    """Frames taken of each molecule of a subset, by part (None: all); whether frames or molecules are split;
    and how often each frame stands in the train set, which gives a small set weight."""

    train: int | None = None
    val: int | None = None
    test: int | None = None
    by_frame: bool = False
    repeat: int = 1


@dataclass(frozen=True)
class Source:
    """A file and what is taken of it.

    Attributes
    ----------
    name : for the manifest; the file's name by default
    file : path
    layout : one of `LAYOUTS`
    level : of theory; names the isolated atoms
    energies : ``total`` (the isolated atoms of `level` are taken off) or ``cohesive`` (those of the file)
    energy : name of the energy in the file; None: that of the layout
    forces : ``all`` frames must have forces, ``some`` may have none and teach energies alone, or ``none`` are
        read
    charges : total charges to keep; None: all
    elements : symbols to keep; None: those of the recipe
    frames : by subset; None: all frames of all subsets
    use : ``training``, or ``alignment`` for a file that only serves to bring two levels together
    part : of a Transition1x file
    """

    name: str
    file: Path
    layout: str
    level: str
    energies: str = "total"
    energy: str | None = None
    forces: str = "all"
    charges: tuple[int, ...] | None = (0,)
    elements: tuple[str, ...] | None = None
    frames: Mapping[str, Share] | None = None
    use: str = "training"
    part: str = "data"

    def share(self, subset: str) -> Share | None:
        """What is taken of a subset; None: nothing."""
        if self.frames is None:
            return Share()
        return self.frames.get(subset, self.frames.get(EVERY))


@dataclass(frozen=True)
class Recipe:
    """All choices. `text` is the recipe as it was written, for the manifest; see `with_short_names`.

    Attributes
    ----------
    elements : symbols in the order of the model's types
    r_max : of the neighbour lists, angstrom
    seed : of the split, the choice of frames and their order
    fractions : share of the molecules for ``val`` and ``test``
    align_to, align_method : level of theory and method, '' where all sources have one level
    max_force, min_distance : see `Wanted`
    """

    elements: tuple[str, ...]
    r_max: float
    seed: int
    fractions: Mapping[str, float]
    sources: tuple[Source, ...]
    align_to: str
    align_method: str
    max_force: float
    min_distance: float
    text: Mapping[str, Any]

    @property
    def level(self) -> str:
        """Level of theory of the set."""
        return self.align_to or self.sources[0].level


def read_recipe(path: Path, sources: Sequence[str] = ()) -> Recipe:
    """The recipe in a YAML file.

    Parameters
    ----------
    sources : ``NAME=FILE`` or ``FILE``, in place of the recipe's own files; the latter in the recipe's order

    Raises
    ------
    E3DError
        The file cannot be read, or a key is unknown, missing, or has no possible value.
    """
    text = read_yaml(path, "a recipe in YAML (docs/data.md)")
    try:
        return parse_recipe(text, path.parent, sources)
    except E3DError as error:
        raise E3DError(f"{path}: {error}") from None


def parse_recipe(text: Any, folder: Path, sources: Sequence[str] = ()) -> Recipe:
    """As `read_recipe`, from a dictionary; file names are relative to `folder`."""
    if not isinstance(text, dict):
        raise E3DError(
            "expected a recipe with the keys elements, r_max, seed, fractions, sources (docs/data.md has an "
            f"example), got {shortened(repr(text))}"
        )
    if "sources" not in text and "frames" in text:
        raise E3DError(
            "expected `sources` in the recipe, got one of the old form (e3d-training-set/1); put `level` and "
            "`frames` into an entry of `sources`, with `file` and `layout: spice` (see docs/data.md)"
        )
    known = ("elements", "r_max", "seed", "fractions", "sources", "alignment", "max_force", "min_distance")
    _check_keys("the recipe", text, known, required=("elements", "r_max", "fractions", "sources"))
    elements = _symbols("elements", text["elements"])
    align = text.get("alignment") or {}
    if align:
        _check_keys("alignment", align, ("to", "method"), required=("to", "method"))
        _check_choice("method of alignment", align["method"], METHODS)
    fractions = text["fractions"]
    _check_keys("fractions", fractions, ("val", "test"), required=("val", "test"))
    shares = {part: _number(f"fractions of {part}", fractions[part]) for part in ("val", "test")}
    if not (all(0 < share < 1 for share in shares.values()) and sum(shares.values()) < 1):
        raise E3DError(f"expected fractions above 0 that sum to less than 1, got {dict(fractions)}")
    if not isinstance(text["sources"], list) or not text["sources"]:
        raise E3DError("expected `sources` to be a list of files with their layouts, got none")
    files = _replaced_files(sources, text["sources"])
    parsed = tuple(
        _source(entry, folder, files.get(index), elements) for index, entry in enumerate(text["sources"])
    )
    doubles = {source.name for source in parsed if sum(other.name == source.name for other in parsed) > 1}
    if doubles:
        raise E3DError(
            f"expected a name of its own for each source, '{min(doubles)}' occurs twice; set `name`"
        )
    if not any(source.use == "training" for source in parsed):
        raise E3DError("expected a source with `use: training`, found none")
    recipe = Recipe(
        elements=elements,
        r_max=_cutoff(text["r_max"]),
        seed=_seed(text.get("seed", 1)),
        fractions=shares,
        sources=parsed,
        align_to=str(align.get("to", "")),
        align_method=str(align.get("method", "")),
        max_force=_number("max_force", text.get("max_force", 20.0)),
        min_distance=_number("min_distance", text.get("min_distance", 0.6)),
        text=with_short_names(text, folder),
    )
    _check_levels(recipe)
    return recipe


def with_short_names(text: Mapping[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """The recipe without folders of this machine: a file that is given by its whole path goes by its path
    from `folder`, or by its name where it does not lie there.
    """

    def shortened(name: str) -> str:
        path = Path(name)
        if not path.is_absolute():
            return name
        if folder is not None and path.is_relative_to(folder.resolve()):
            return path.relative_to(folder.resolve()).as_posix()
        return path.name

    sources = text.get("sources")
    if not isinstance(sources, list):  # format 1
        return dict(text)
    named = [
        {**one, "file": shortened(str(one["file"]))} if one.get("file") is not None else one
        for one in sources
    ]
    return {**text, "sources": named}


def _check_levels(recipe: Recipe) -> None:
    levels = sorted({source.level for source in recipe.sources})
    if len(levels) > 1 and not recipe.align_to:
        raise E3DError(
            f"expected one level of theory, got {' and '.join(levels)}; add `alignment: {{to: LEVEL, method: "
            f"{' | '.join(METHODS)}}}`"
        )
    if recipe.align_to and recipe.align_to not in levels:
        raise E3DError(
            f"expected alignment to a level of a source ({', '.join(levels)}), got '{recipe.align_to}'"
        )


def _replaced_files(words: Sequence[str], entries: Sequence[Any]) -> dict[int, Path]:
    """Files by the number of the source that they replace."""
    names = [str(entry.get("name", "")) if isinstance(entry, dict) else "" for entry in entries]
    files: dict[int, Path] = {}
    for word in words:
        name, equals, file = word.partition("=")
        if equals and name in names and name:
            files[names.index(name)] = Path(file)
            continue
        free = [index for index in range(len(entries)) if index not in files]
        if not free:
            raise E3DError(
                f"expected at most {len(entries)} files, one for each source; '{word}' is one too many"
            )
        files[free[0]] = Path(word)
    return files


def _source(entry: Any, folder: Path, file: Path | None, elements: tuple[str, ...]) -> Source:
    if not isinstance(entry, dict):
        raise E3DError(f"expected a source with the keys file, layout, level, got {entry!r}")
    known = tuple(item.name for item in fields(Source))
    _check_keys(
        "a source", entry, known, required=("layout", "level") if file else ("file", "layout", "level")
    )
    path = file or folder / str(entry["file"])
    source = Source(
        name=str(entry.get("name", path.name)),
        file=path,
        layout=str(entry["layout"]),
        level=str(entry["level"]),
        energies=str(entry.get("energies", "total")),
        energy=None if entry.get("energy") is None else str(entry["energy"]),
        forces=str(entry.get("forces", "all")),
        charges=_charges(entry.get("charges", "neutral")),
        frames=None if entry.get("frames") is None else _frames(entry["frames"]),
        use=str(entry.get("use", "training")),
        part=str(entry.get("part", "data")),
    )
    _check_choice("layout", source.layout, LAYOUTS)
    _check_choice("energies", source.energies, ENERGIES)
    _check_choice("forces", source.forces, FORCES)
    _check_choice("use", source.use, USES)
    _check_choice("part", source.part, TRANSITION1X_PARTS)
    if not path.is_file():
        raise E3DError(
            f"expected the file of source '{source.name}' at '{path}', there is none; mend `file`, or say "
            f"where it is with --source"
        )
    if entry.get("elements") is None:
        return source
    own = _symbols(f"elements of source '{source.name}'", entry["elements"])
    strange = [symbol for symbol in own if symbol not in elements]
    if strange:
        raise E3DError(
            f"expected elements of source '{source.name}' among those of the recipe, got {' '.join(strange)}"
        )
    return replace(source, elements=own)


def _frames(frames: Any) -> dict[str, Share]:
    if not isinstance(frames, dict) or not all(isinstance(share, dict) for share in frames.values()):
        raise E3DError(
            "expected `frames` as {SUBSET: {train: 12, val: 2, test: 6}} (frames of each molecule; '*' for "
            f"all other subsets), got {frames!r}"
        )
    result = {}
    for subset, share in frames.items():
        _check_keys(f"frames of '{subset}'", share, (*PARTS, "split", "repeat"))
        _check_choice("split", share.get("split", "molecules"), ("molecules", "frames"))
        numbers = {part: _count(subset, share.get(part, 0)) for part in PARTS}
        repeat = share.get("repeat", 1)
        if isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 1:
            raise E3DError(f"expected a whole number above 0 for `repeat` of '{subset}', got {repeat!r}")
        result[str(subset)] = Share(**numbers, by_frame=share.get("split") == "frames", repeat=repeat)
    return result


def _count(subset: str, value: Any) -> int | None:
    if value == "all":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise E3DError(f"expected a number of frames per molecule or `all` for '{subset}', got {value!r}")
    return value


def _charges(value: Any) -> tuple[int, ...] | None:
    if value == "any":
        return None
    if value == "neutral":
        return (0,)
    if isinstance(value, list) and value and all(isinstance(charge, int) for charge in value):
        return tuple(value)
    raise E3DError(f"expected charges to be `neutral`, `any` or a list as [0, 1], got {value!r}")


def _symbols(what: str, value: Any) -> tuple[str, ...]:
    # YAML reads a bare N or NO as the word no
    if not isinstance(value, list) or not value or not all(isinstance(symbol, str) for symbol in value):
        raise E3DError(f"expected {what} as a list of chemical symbols, e.g. [H, C, N, O], got {value!r}")
    unknown = [symbol for symbol in value if symbol not in _Z_OF or symbol == "X"]
    if unknown or len(set(value)) < len(value):
        raise E3DError(f"expected {what} to be chemical symbols, each once, got {' '.join(value)}")
    return tuple(value)


def _number(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise E3DError(f"expected a number for {what}, got {value!r}")
    return value


def _cutoff(value: Any) -> float:
    if not 0.0 < _number("r_max", value) < math.inf:
        raise E3DError(f"expected a cutoff above 0 angstrom for r_max, e.g. 5.2, got {value!r}")
    return value


def _seed(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise E3DError(f"expected a whole number for seed, got {value!r}")
    return value


def _check_choice(what: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise E3DError(f"expected {what} to be one of {', '.join(choices)}, got '{value}'")


def _check_keys(what: str, value: Any, known: Sequence[str], required: Sequence[str] = ()) -> None:
    if not isinstance(value, dict):
        raise E3DError(f"expected {what} to have the keys {', '.join(known)}, got {value!r}")
    unknown = [str(key) for key in value if key not in known]
    missing = [key for key in required if value.get(key) is None]
    if unknown or missing:
        raise E3DError(
            f"expected the keys {', '.join(known)} in {what}"
            + (f", got {', '.join(unknown)}" if unknown else "")
            + (f", missing: {', '.join(missing)}" if missing else "")
        )
