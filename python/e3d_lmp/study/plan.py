"""What a scaling study is: the rows of its table, and what each is made from.

A configuration is a YAML file; paths in it are relative to it::

    data: data/organic            # folder of e3d data prepare
    sizes: [920, 3000, 10000]     # N: each model learns from the first N frames
    tensors: [32]                 # tensor features
    seeds: [1]
    steps: 8000                   # budget of each model; or minutes
    train:                        # optional
      config: tensor32            # configuration of e3d train; `tensor` is set for each row
      batch: 5                    # any of its keys
      learning_rate: 0.005
    molecules:                    # optional; default: the held-out set of the data
      file: molecules.extxyz
    reactions:                    # optional: reactants, transition states, products (Transition1x layout)
      file: reactions.h5
      energy: wB97x_6-31G(d).energy
      every: 1
    analysis: {cutoff: covalent}  # optional: bond cutoff and other options of e3d analyze

Keys of `molecules` and `reactions` beside `file` are options of e3d evaluate (energy, part, every, limit) and
of e3d analyze (isolated_atoms).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e3d_lmp import files
from e3d_lmp.analysis.bonds.types import PERCEPTIONS
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.structures import PARTS
from e3d_lmp.errors import E3DError
from e3d_lmp.training.run_config import Options, PreparedData, compose, portable, read_data

SETS = ("molecules", "reactions")
sha256_of = functools.cache(files.sha256_of)
"""Data sets are large: each file is read once in a process."""

_EVALUATE = ("energy", "part", "every", "limit", "skip_unknown", "batch")
_ANALYZE = ("isolated_atoms",)
_ANALYSIS = ("cutoff", "bin", "pairs", "bond_orders", "references", "equal_size")
_KEYS = ("data", "sizes", "tensors", "seeds", "steps", "minutes", "train", "molecules", "reactions",
         "analysis")  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One model of a study.

    Attributes
    ----------
    tensor   tensor features
    frames   training structures
    seed     of weights and order
    """

    tensor: int
    frames: int
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"t{self.tensor}_n{self.frames}_s{self.seed}"


@dataclass(frozen=True)
class TestSet:
    """Structures that every model is judged by.

    Attributes
    ----------
    file       path; None: the held-out set of the data
    evaluate   options of e3d evaluate by name
    analyze    options of e3d analyze by name
    """

    file: Path | None
    evaluate: Mapping[str, Any]
    analyze: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """A study.

    Attributes
    ----------
    data       what the models learn
    rows       in the order in which they are computed
    config     configuration of e3d train
    values     keys of it that the study sets
    sets       structures to judge by, by the names of `SETS`
    analysis   options of e3d analyze for all sets
    """

    data: PreparedData
    rows: tuple[Row, ...]
    config: str
    values: Mapping[str, Any]
    sets: Mapping[str, TestSet]
    analysis: Mapping[str, Any] = field(default_factory=dict)

    def training(self, row: Row, folder: Path, device: str = "cpu", devices: int = 1) -> dict[str, Any]:
        """The resolved training configuration of a row in a folder."""
        values = {**self.values, "tensor": row.tensor, "seed": row.seed}
        budget = {key: values.pop(key, None) for key in ("steps", "minutes")}
        options = Options(frames=row.frames, values=values, device=device, devices=devices, **budget)
        return compose(self.config, self.data, folder, options)

    def inputs(self, row: Row) -> dict[str, Any]:
        """All that the numbers of a row depend on, without paths: ``training``, and each test set."""
        judged = {
            name: {"sha256": self.sha256(name), **one.evaluate, **_hashed({**one.analyze, **self.analysis})}
            for name, one in self.sets.items()
        }
        return {"training": portable(self.training(row, Path("RUN"))), **judged}

    def sha256(self, name: str) -> str:
        """Of the structures of a test set."""
        file = self.sets[name].file
        if file is None:
            return f"test set of {self.data.sha256}"
        return sha256_of(file)


def read_plan(path: Path) -> Plan:
    """The plan in a configuration file.

    Raises
    ------
    E3DError
        The file is missing, has a key that is not known, or asks for more frames than there are.
    """
    tree = read_study(path, _KEYS, ("data", "sizes", "tensors"), "docs/train.md")
    data = read_data(path_of(path, tree["data"]))
    sizes = integers(path, tree, "sizes")
    tensors = integers(path, tree, "tensors")
    seeds = integers(path, {"seeds": [1], **tree}, "seeds")
    if max(sizes) > data.frames:
        raise E3DError(
            f"{path}: {data.folder} has {data.frames} frames to train with, {max(sizes)} were asked for; "
            "take fewer, or prepare more"
        )
    config, values = training_keys(path, tree, ("tensor", "seed", "frames"))
    rows = tuple(
        Row(tensor, frames, seed) for seed, tensor, frames in itertools.product(seeds, tensors, sizes)
    )
    sets = {"molecules": _test_set(path, tree.get("molecules") or {}, "molecules")}
    if tree.get("reactions"):
        sets["reactions"] = _test_set(path, tree["reactions"], "reactions")
    analysis = _found(path, _known(path, tree.get("analysis") or {}, _ANALYSIS, "analysis"), "analysis")
    if "cutoff" in analysis:
        parse_cutoff(analysis["cutoff"])  # not after hours of training
    return Plan(data, rows, config, values, sets, analysis)


def read_study(path: Path, known: Sequence[str], needed: Sequence[str], page: str) -> dict[str, Any]:
    """The keys and values of a study's configuration.

    Raises
    ------
    E3DError
        The file is missing or not YAML, has a key that is not known, or lacks one that is needed.
    """
    tree = files.read_yaml(path, f"a study configuration, see {page}")
    if not isinstance(tree, dict):
        raise E3DError(f"{path}: expected keys and values, see {page}")
    unknown = sorted(map(str, set(tree) - set(known)))
    if unknown:
        raise E3DError(f"{path}: no key '{unknown[0]}' is known; known are {', '.join(known)}")
    for key in needed:
        if key not in tree:
            raise E3DError(f"{path}: no key '{key}'; see {page} for an example")
    return tree


def training_keys(path: Path, tree: Mapping[str, Any], own: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Configuration of e3d train and the keys of it that a study sets, budget included.

    Parameters
    ----------
    own : keys that each row sets for itself

    Raises
    ------
    E3DError
        `train` is no mapping, or sets one of `own`.
    """
    train = tree.get("train") or {}
    if not isinstance(train, dict):
        raise E3DError(f"{path}: train: expected keys and values, got {train}")
    train = dict(train)
    if train.get("start"):
        train["start"] = str(path_of(path, train["start"]))
    config = str(train.pop("config", "e3d"))
    if config.endswith((".yaml", ".yml")):
        config = str(path_of(path, config))
    for key in own:
        if key in train:
            raise E3DError(f"{path}: train.{key} is set by the study; leave it out")
    budget = {key: tree[key] for key in ("steps", "minutes") if tree.get(key) is not None}
    return config, {**train, **budget}


def path_of(config: Path, name: Any) -> Path:
    """The path that a configuration names, relative to itself."""
    return (config.resolve().parent / Path(str(name)).expanduser()).resolve()


def integers(path: Path, tree: Mapping[str, Any], key: str) -> list[int]:
    """The different whole numbers above 0 of a key, ascending; raises `E3DError` for anything else."""
    values = tree[key]
    fine = isinstance(values, list) and all(
        isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in values
    )
    if not fine or not values or len(set(values)) != len(values):
        raise E3DError(f"{path}: {key}: expected a list of different whole numbers above 0, got {values}")
    return sorted(values)


_EXPECTED: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(
        ("every", "limit", "batch", "equal_size"),
        ("a whole number above 0", lambda value: type(value) is int and value > 0),
    ),
    "bin": ("a number of eV above 0", lambda value: type(value) in (int, float) and 0 < value < math.inf),
    "skip_unknown": ("true or false", lambda value: isinstance(value, bool)),
    "part": (f"one of {', '.join(PARTS)}", lambda value: value in PARTS),
    "bond_orders": (f"one of {', '.join(PERCEPTIONS)}", lambda value: value in PERCEPTIONS),
}
"""What the value of an option has to be, and a test of it."""


def _known(path: Path, tree: Any, keys: tuple[str, ...], where: str) -> dict[str, Any]:
    """The options, if their names and values are such as the analysis can have after hours of training."""
    if not isinstance(tree, dict):
        raise E3DError(f"{path}: {where}: expected keys and values, got {tree}")
    unknown = sorted(map(str, set(tree) - set(keys)))
    if unknown:
        raise E3DError(f"{path}: {where}.{unknown[0]} is not known; known are {', '.join(keys)}")
    for key, (expected, is_fine) in _EXPECTED.items():
        if tree.get(key) is not None and not is_fine(tree[key]):
            raise E3DError(f"{path}: {where}.{key}: expected {expected}, got {tree[key]!r}")
    return tree


def _test_set(path: Path, tree: Any, where: str) -> TestSet:
    keys = _known(path, tree, ("file", *_EVALUATE, *_ANALYZE), where)
    file = path_of(path, keys["file"]) if keys.get("file") else None
    if where == "reactions" and file is None:
        raise E3DError(f"{path}: reactions.file: expected a file in the Transition1x layout")
    if file is not None and not file.is_file():
        raise E3DError(f"{path}: {where}.file: no such file {file}")
    return TestSet(
        file,
        {key: keys[key] for key in _EVALUATE if key in keys},
        _found(path, {key: keys[key] for key in _ANALYZE if key in keys}, where),
    )


def _files(options: Mapping[str, Any]) -> dict[str, list[str]]:
    """Options of e3d analyze that are files: references, isolated atoms unless they are a level, and the
    table of bond cutoffs."""
    atoms, references = options.get("isolated_atoms"), options.get("references")
    found = {"references": references if isinstance(references, list) else [references]} if references else {}
    if str(atoms).endswith(".json"):
        found["isolated_atoms"] = [atoms]
    cutoff = options.get("cutoff")
    words = cutoff if isinstance(cutoff, list) else str(cutoff).split(maxsplit=1)
    if len(words) == 2 and words[0] == "file":
        found["cutoff"] = [words[1]]
    return {key: [str(one) for one in names] for key, names in found.items()}


def _with_files(options: Mapping[str, Any], files: Mapping[str, list[str]]) -> dict[str, Any]:
    """The options, with other names of their files."""
    return {
        **options,
        **{key: ["file", *names] if key == "cutoff" else names for key, names in files.items()},
    }


def _found(path: Path, options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The options, with the whole paths of their files."""
    whole = {key: [path_of(path, one) for one in found] for key, found in _files(options).items()}
    for key, paths in whole.items():
        missing = [file for file in paths if not file.is_file()]
        if missing:
            raise E3DError(f"{path}: {where}.{key}: no such file {missing[0]}")
    return _with_files(options, {key: list(map(str, paths)) for key, paths in whole.items()})


def _hashed(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, with the hashes of their files in place of the paths."""
    hashes = {key: [sha256_of(Path(file)) for file in found] for key, found in _files(options).items()}
    return _with_files(options, hashes)
