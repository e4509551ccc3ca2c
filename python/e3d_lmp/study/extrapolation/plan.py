"""What a study of extrapolation is: a model for each member of a family and seed, judged on all members.

A configuration is a YAML file; paths in it are relative to it::

    file: alkane_liquids.extxyz.gz        # labelled frames, see docs/polymer.md
    level: GFN1-xTB                       # of theory, of all frames
    members: [CH4, C2H6, C3H8, C4H10]     # in the order of growing size: subsets of `file`, or NAME: FILE
    beyond: [C16H34]                      # optional: asked for, all frames of it, never trained on
    excluded: [CH4]                       # optional: the line of shifts is not fitted to these
    between: true                         # false: frames have no molecules with energies of their own
    molecules: false                      # true: learn from the molecules of each frame by themselves too
    held_out: 0.2                         # share of the frames of each member, the last ones of the file
    frames: 200                           # optional: of each member at most
    r_max: 5.0                            # angstrom
    seeds: [1, 2]
    steps: 2000                           # of every model; or minutes
    train: {tensor: 8, batch: 2}          # keys of the configuration of e3d train; config: my.yaml
    cutoff: covalent                      # bond cutoff of the D-A maps
    soap: {cutoff: 7.0, radial: 8, angular: 4, frames: 50, atoms: 500}   # or false
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.errors import E3DError
from e3d_lmp.study.extrapolation.family import (
    NAME,
    Member,
    MemberFrames,
    elements_of,
    prepared,
    read_members,
)
from e3d_lmp.study.extrapolation.molecules import MolecularFrame
from e3d_lmp.study.extrapolation.soap import SoapSettings
from e3d_lmp.study.plan import integers, path_of, read_study, sha256_of, training_keys
from e3d_lmp.training.run_config import Options, PreparedData, compose

PAGE = "docs/polymer.md"
_KEYS = ("file", "level", "members", "beyond", "excluded", "between", "molecules", "held_out", "frames",
         "r_max", "seeds", "steps", "minutes", "train", "cutoff", "soap")  # fmt: skip
_SOAP = ("cutoff", "radial", "angular", "width", "smoothing", "frames", "atoms")


@dataclass(frozen=True)
class MemberRow:
    """One model of a study: what it is trained on, and the seed of its weights and order."""

    member: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.member}_s{self.seed}"


@dataclass(frozen=True)
class Surroundings:
    """What is compared of the surroundings of atoms.

    Attributes
    ----------
    soap : hyperparameters
    frames : of each member at most, of those trained on and of those held out
    atoms : of each kind of environment and member at most
    """

    soap: SoapSettings = field(default_factory=SoapSettings)
    frames: int = 50
    atoms: int = 500


@dataclass(frozen=True)
class ExtrapolationPlan:
    """A study of extrapolation.

    Attributes
    ----------
    members, beyond : what is trained on and asked for, and what is only asked for
    level : of theory
    excluded : members whose pairs the line of shifts is not fitted to
    between : whether energies between molecules are judged
    molecules : whether models learn from the molecules of each frame by themselves too
    held_out, most : see the keys ``held_out`` and ``frames``
    r_max : angstrom
    config, values : configuration of e3d train, and keys of it that the study sets
    cutoff : bond cutoff of maps, in words
    surroundings : None: SOAP vectors are left out
    rows : in the order in which they are computed
    study : folder of the study, for the training sets
    """

    members: tuple[Member, ...]
    beyond: tuple[Member, ...]
    level: str
    excluded: tuple[str, ...]
    between: bool
    molecules: bool
    held_out: float
    most: int | None
    r_max: float
    config: str
    values: Mapping[str, Any]
    cutoff: str
    surroundings: Surroundings | None
    rows: tuple[MemberRow, ...]
    study: Path
    _cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def frames(self) -> dict[str, MemberFrames]:
        """The frames of all members and of those beyond, read once; raises as `read_members` does."""
        if "frames" not in self._cache:
            self._cache["frames"] = read_members(
                self.members, self.level, self.between, self.held_out, self.most, self.beyond
            )
        return self._cache["frames"]

    def learnt(self, member: str) -> list[MolecularFrame]:
        """What a member's models learn from: its frames of training, with `molecules` these apart too."""
        frames = list(self.frames()[member].train)
        return frames + [frame.apart(2.0 * self.r_max) for frame in frames if self.molecules]

    def data(self, member: str) -> PreparedData:
        """The training set of a member, in ``STUDY/data``."""
        elements = elements_of(self.frames())
        about = {**self.member(member), "held_out": self.held_out, "most": self.most, "elements": elements,
                 "r_max": self.r_max, "level": self.level, "molecules": self.molecules}  # fmt: skip
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:8]
        folder = self.study / "data" / f"{member}-{digest}"
        return prepared(member, self.learnt(member), elements, self.r_max, self.level, folder)

    def training(self, row: MemberRow, folder: Path, device: str = "cpu", devices: int = 1) -> dict[str, Any]:
        """The resolved training configuration of a row in a folder."""
        values = {**self.values, "seed": row.seed}
        budget = {key: values.pop(key, None) for key in ("steps", "minutes")}
        options = Options(values=values, device=device, devices=devices, **budget)
        return compose(self.config, self.data(row.member), folder, options)

    def inputs(self, row: MemberRow) -> dict[str, Any]:
        """All that the numbers of a row depend on, without paths: ``training``, and what is asked."""
        values = dict(self.values)
        if values.get("start"):
            values["start"] = sha256_of(Path(values["start"]))
        config = Path(self.config)
        return {
            "training": {
                "config": sha256_of(config) if config.suffix in (".yaml", ".yml") else self.config,
                **values,
                "seed": row.seed,
                **self.member(row.member),
                "held_out": self.held_out,
                "frames": self.most,
                "r_max": self.r_max,
                "level": self.level,
                "molecules": self.molecules,
            },
            "asked": {one.name: self.member(one.name) for one in (*self.members, *self.beyond)},
            "between": self.between,
            "cutoff": self.cutoff,
        }

    def member(self, name: str) -> dict[str, Any]:
        """Name, file and subset of a member, without its path."""
        (one,) = (one for one in (*self.members, *self.beyond) if one.name == name)
        return {"member": name, "sha256": sha256_of(one.file), "subset": one.subset}


def read_plan(path: Path, study: Path) -> ExtrapolationPlan:
    """The plan in a configuration file, for a folder of results.

    Raises
    ------
    E3DError
        The file is missing, has a key that is not known or a value that makes no sense, or names fewer than
        three members to fit the shift of energies to.
    """
    tree = read_study(path, _KEYS, ("level", "members"), PAGE)
    members = _members(path, tree, "members")
    beyond = _members(path, tree, "beyond") if tree.get("beyond") else ()
    names = [one.name for one in (*members, *beyond)]
    if len(set(names)) < len(names):
        raise E3DError(f"{path}: expected a name of its own for each member, got {' '.join(names)}")
    excluded = tuple(map(str, tree.get("excluded") or ()))
    unknown = sorted(set(excluded) - {one.name for one in members})
    if unknown:
        raise E3DError(f"{path}: excluded: {unknown[0]} is no member; members are {' '.join(names)}")
    left = [one.name for one in members if one.name not in excluded]
    if len(left) < 3:
        raise E3DError(
            f"{path}: expected three members or more that are not excluded, got {' '.join(left) or 'none'}: "
            "one or two say nothing of how errors grow; add longer or shorter molecules"
        )
    config, values = training_keys(path, tree, ("seed", "frames", "contacts"))
    rows = tuple(
        MemberRow(one.name, seed)
        for seed in integers(path, {"seeds": [1], **tree}, "seeds")
        for one in members
    )
    cutoff = str(tree.get("cutoff", "covalent"))
    parse_cutoff(cutoff)
    between = _yes_or_no(path, tree, "between", True)
    molecules = _yes_or_no(path, tree, "molecules", False)
    if molecules and not between:
        raise E3DError(
            f"{path}: molecules: true needs energies of the molecules by themselves, and between: false says "
            "that there are none; leave out one of the two"
        )
    most = tree.get("frames")
    if most is not None and not _whole(most):
        raise E3DError(f"{path}: frames: expected a whole number above 0, got {most!r}")
    real = {"held_out": 0.2, "r_max": 5.0} | {key: tree[key] for key in ("held_out", "r_max") if key in tree}
    for key, (value, limit) in {"held_out": (real["held_out"], 0.9), "r_max": (real["r_max"], 20.0)}.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value <= limit:
            raise E3DError(f"{path}: {key}: expected a number above 0, at most {limit:g}, got {value!r}")
    return ExtrapolationPlan(
        members, beyond, str(tree["level"]), excluded, between, molecules, real["held_out"], most,
        float(real["r_max"]), config, values, cutoff, _surroundings(path, tree.get("soap", {})), rows, study,
    )  # fmt: skip


def _members(path: Path, tree: Mapping[str, Any], key: str) -> tuple[Member, ...]:
    """Members from a list of subsets of `file`, or from names and files."""
    asked = tree[key]
    if isinstance(asked, list):
        if "file" not in tree:
            raise E3DError(f"{path}: no key 'file', of which {key} are subsets; add it, or write NAME: FILE")
        file = path_of(path, tree["file"])
        members = tuple(Member(str(name), file, str(name)) for name in asked)
    elif isinstance(asked, dict):
        members = tuple(Member(str(name), path_of(path, file), None) for name, file in asked.items())
    else:
        raise E3DError(f"{path}: {key}: expected a list of subsets, or NAME: FILE, got {asked!r}")
    for one in members:
        if not NAME.fullmatch(one.name):
            raise E3DError(f"{path}: {key}: '{one.name}' cannot name a folder; use letters and digits")
        if not one.file.is_file():
            raise E3DError(f"{path}: {one.name}: no such file {one.file}")
    return members


def _surroundings(path: Path, tree: Any) -> Surroundings | None:
    if tree is False:
        return None
    if not isinstance(tree, dict):
        raise E3DError(f"{path}: soap: expected keys and values, or false, got {tree!r}")
    unknown = sorted(map(str, set(tree) - set(_SOAP)))
    if unknown:
        raise E3DError(f"{path}: soap.{unknown[0]} is not known; known are {', '.join(_SOAP)}")
    for key, value in tree.items():
        fine = _whole(value) if key in ("radial", "angular", "frames", "atoms") else _positive(value)
        if not fine:
            raise E3DError(f"{path}: soap.{key}: expected a number above 0, got {value!r}")
    own = {key: tree[key] for key in ("frames", "atoms") if key in tree}
    return Surroundings(SoapSettings(**{key: tree[key] for key in tree if key not in own}), **own)


def _yes_or_no(path: Path, tree: Mapping[str, Any], key: str, usual: bool) -> bool:
    value = tree.get(key, usual)
    if not isinstance(value, bool):
        raise E3DError(f"{path}: {key}: expected true or false, got {value!r}")
    return value


def _whole(value: Any) -> bool:
    return type(value) is int and value > 0


def _positive(value: Any) -> bool:
    return type(value) in (int, float) and value > 0
