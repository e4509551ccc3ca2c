"""Campaigns: a matrix of variables times an input, every member a job of its own (`e3d_lmp.runs.job`).

A campaign is a YAML file; paths in it are relative to it::

    input: in.liquid
    variables:
      temp: [300, 600]             # a list: one member for each value
      seed: [1, 2, 3, 4]
      steps: 20000
    replicas: [seed]               # members that differ in these only are samples of the same thing
    machine: mpirun                # and the other options of e3d job, which all members share
    ranks_per_node: 1
    hours: 2
    at_once: 2                     # jobs at the same time; on a cluster: jobs in the queue
    members_per_job: 1             # on a cluster: members side by side in one job of the queue

In the folder of a campaign ``members/`` has a job's folder for each member, ``merged/`` the maps of all
replicas together, and ``campaign.json`` (`FORMAT`) what the members are. A member is known by its variables
without `steps`, so that more steps or more values make no other campaign of those that are there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.files import make_folder, read_if_there, read_yaml, sha256_of, write_json
from e3d_lmp.runs.job import Job, check_needs, parse_hours, shape_for, with_paths
from e3d_lmp.runs.job_folder import read_about as read_job
from e3d_lmp.runs.job_folder import state_of, write_job
from e3d_lmp.runs.machines import Machine, find_machine
from e3d_lmp.runs.restartable import JobInput, read_input

FORMAT = "e3d-campaign/1"
ABOUT, MEMBERS, MERGED = "campaign.json", "members", "merged"


@dataclass(frozen=True)
class Campaign:
    """A campaign as its file says it.

    Attributes
    ----------
    path                       the YAML file
    job_input                  the input of all members
    machine                    where they run
    variables                  values of each variable, in the order of the file; as text
    replicas                   variables whose members are samples of the same thing
    at_once, members_per_job   jobs at the same time; members in one of them
    nodes, ranks_per_node, threads, gpus   of a member, as `shape_for` takes them
    hours                      time limit of a job
    account, queue, filesystems, lmp, kokkos, margin, setup   as in `Job`; lmp None: that of this Python
    """

    path: Path
    job_input: JobInput
    machine: Machine
    variables: Mapping[str, tuple[str, ...]]
    replicas: tuple[str, ...] = ()
    at_once: int = 1
    members_per_job: int = 1
    nodes: int = 1
    ranks_per_node: int | None = None
    threads: int | None = None
    gpus: int | None = None
    hours: float = 1.0
    account: str = ""
    queue: str = ""
    filesystems: str = ""
    lmp: str | None = None
    kokkos: bool | None = None
    margin: float | None = None
    setup: tuple[str, ...] = ()

    @property
    def matrix(self) -> list[str]:
        """Variables with several values."""
        return [name for name, values in self.variables.items() if len(values) > 1]

    def with_setup(self, lines: Sequence[str]) -> Campaign:
        """The same campaign with more lines for its scripts."""
        return replace(self, setup=(*self.setup, *lines))

    def combinations(self) -> list[dict[str, str]]:
        """The variables of each member, the last one of the file changing fastest."""
        names = list(self.variables)
        return [
            dict(zip(names, values, strict=True)) for values in itertools.product(*self.variables.values())
        ]

    def job(self, name: str, variables: Mapping[str, str], folder: Path, lmp: str, kokkos: bool) -> Job:
        """The job of a member."""
        return Job(
            job_input=self.job_input,
            machine=self.machine,
            shape=shape_for(self.machine, self.nodes, self.ranks_per_node, self.threads, self.gpus),
            hours=self.hours,
            folder=folder / MEMBERS / name,
            lmp=lmp,
            kokkos=kokkos,
            variables=with_paths(self.job_input, variables, self.path.parent),
            name=re.sub(r"\W+", "-", name)[:15],
            account=self.account,
            queue=self.queue,
            filesystems=self.filesystems,
            margin=self.margin,
            setup=self.setup,
            shares=self.members_per_job > 1,
        )


_FILE_KEYS = [one.name for one in fields(Campaign) if one.name not in ("path", "job_input")]
_KEYS = ("input", *_FILE_KEYS)


def read_campaign(path: Path) -> Campaign:
    """The campaign in a file.

    Raises
    ------
    E3DError
        The file or the input cannot be read, a key is not known or not as described, the machine is not known
        or has no room for a member, or the input cannot go on from a restart file.
    """
    tree = _read_yaml(path)
    unknown = sorted(map(str, set(tree) - set(_KEYS)))
    if unknown:
        raise E3DError(f"{path}: no key '{unknown[0]}' is known; known are {', '.join(_KEYS)}")
    if "input" not in tree or not isinstance(tree.get("variables", {}), dict):
        raise E3DError(f"{path}: expected 'input: FILE' and 'variables:' with values; see docs/production.md")
    job_input = read_input(path.parent / str(tree.pop("input")))
    job_input.check_restartable("a campaign's members go on where they were stopped")
    values: dict[str, Any] = {"variables": _variables(path, tree.pop("variables", {}))}
    for key, value in tree.items():
        values[key] = _value(path, key, value)
    values["machine"] = find_machine(values.get("machine", "mpirun"))
    campaign = Campaign(path.resolve(), job_input, **values)
    strange = [name for name in campaign.replicas if name not in campaign.variables]
    if strange:
        raise E3DError(f"{path}: replicas: '{strange[0]}' is none of the variables")
    check_needs(campaign.machine, {**values, **tree})
    shape_for(campaign.machine, campaign.nodes, campaign.ranks_per_node, campaign.threads, campaign.gpus)
    if campaign.members_per_job > 1 and not campaign.machine.hosts:
        raise E3DError(
            f"{path}: members_per_job: how a launch line of {campaign.machine.name} names its nodes is not "
            "known (key 'hosts' of the machine); leave it out"
        )
    return campaign


def _read_yaml(path: Path) -> dict[str, Any]:
    tree = read_yaml(path, "a campaign file (docs/production.md)")
    if not isinstance(tree, dict):
        raise E3DError(f"{path}: expected keys with values: input, variables, ...")
    return tree


def _variables(path: Path, tree: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, value in tree.items():
        values = value if isinstance(value, list) else [value]
        if not values or any(isinstance(one, (dict, list)) or one is None for one in values):
            raise E3DError(
                f"{path}: variables, '{name}': expected a value or a list of values, got {value!r}"
            )
        texts = tuple(str(one) for one in values)
        if len(set(texts)) < len(texts):
            raise E3DError(f"{path}: variables, '{name}': a value stands there twice")
        found[str(name)] = texts
    return found


def _value(path: Path, key: str, value: Any) -> Any:
    wrong = E3DError(f"{path}: '{key}': expected {_EXPECTED.get(key, 'a text')}, got {value!r}")
    if key in ("replicas", "setup"):
        if not isinstance(value, list):
            raise wrong
        return tuple(map(str, value))
    if key == "hours":
        return parse_hours(str(value))
    if key == "kokkos":
        if not isinstance(value, bool):
            raise wrong
        return value
    if key in ("at_once", "members_per_job", "nodes", "ranks_per_node", "threads", "gpus"):
        if not isinstance(value, int) or isinstance(value, bool) or value < (key != "gpus"):
            raise wrong
        return value
    if key == "margin":
        if not isinstance(value, (int, float)):
            raise wrong
        return float(value)
    if not isinstance(value, (str, int, float)):
        raise wrong
    return str(value)


_EXPECTED = {"replicas": "a list of variables", "setup": "a list of lines", "kokkos": "true or false"}
_EXPECTED |= {
    key: "a whole number" for key in ("at_once", "members_per_job", "nodes", "ranks_per_node", "threads")
}
_EXPECTED |= {"gpus": "a whole number", "margin": "minutes"}


@dataclass
class Plan:
    """What a campaign's folder holds: its members, and what a changed file makes of them.

    Attributes
    ----------
    folder    of the campaign
    members   variables of each member, by the name of its folder; in the order in which they came
    dropped   names of members that the file no longer has
    replicas  variables whose members are samples of the same thing
    said      what is worth saying about the difference to what was there
    """

    folder: Path
    members: dict[str, dict[str, str]]
    dropped: list[str] = field(default_factory=list)
    replicas: tuple[str, ...] = ()
    said: list[str] = field(default_factory=list)

    def path(self, name: str) -> Path:
        """Folder of a member."""
        return self.folder / MEMBERS / name

    def conditions(self) -> dict[str, list[str]]:
        """Members by what they have in common without `replicas` and steps; each in its own where there are
        none.
        """
        found: dict[str, list[str]] = {}
        varying = _varying(self.members.values())
        for name, variables in self.members.items():
            shown = {key: variables.get(key, "–") for key in varying if key not in (*self.replicas, "steps")}
            found.setdefault(_name(shown), []).append(name)
        return found


def make_plan(campaign: Campaign, folder: Path, again: bool = False) -> Plan:
    """Compare a campaign with what its folder holds, and write that down.

    Parameters
    ----------
    again
        Let members go on with an input that has changed.

    Raises
    ------
    E3DError
        The folder holds a campaign of another input, or members of the same name with other variables.
    """
    old = read_about(folder)
    plan = Plan(folder, {}, replicas=campaign.replicas)
    digest = sha256_of(campaign.job_input.path)
    if old is not None:
        plan.members = {name: dict(variables) for name, variables in old["members"].items()}
        if old["input_sha256"] != digest:
            if not again:
                raise E3DError(
                    f"{folder} holds a campaign with another text of its input; its members would not be "
                    "comparable. Give another -o, or --again to let them go on with the change"
                )
            plan.said.append("the input has changed; members that are not done go on with it")
        plan.said += _changed_settings(old["settings"], _settings(campaign))
    known = {_identity(variables): name for name, variables in plan.members.items()}
    wanted, new = [], []
    for variables in campaign.combinations():
        name = known.get(_identity(variables))
        if name is None:
            name = _name({key: variables[key] for key in campaign.matrix}) or "only"
            if name in plan.members:
                raise E3DError(_same_name(folder, name, plan.members[name], variables))
            new.append(name)
        elif plan.members[name].get("steps") != variables.get("steps"):
            plan.said.append(f"{name}: steps {plan.members[name].get('steps')} -> {variables.get('steps')}")
        plan.members[name] = variables
        wanted.append(name)
    plan.dropped = [name for name in plan.members if name not in wanted]
    if old is not None and new:
        plan.said.append(f"{len(new)} new members: {_few(new)}")
    if plan.dropped:
        plan.said.append(
            f"{len(plan.dropped)} members are no longer in the file, and are left as they are: "
            f"{_few(plan.dropped)}"
        )
    make_folder(folder)
    _write_about(folder, campaign, plan, digest)
    return plan


def _same_name(folder: Path, name: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    keys = [key for key in sorted({*old, *new} - {"steps"}) if old.get(key) != new.get(key)]
    parts = [f"{key} was {old.get(key, 'not given')}, and is {new.get(key, 'not given')}" for key in keys]
    example = f"{keys[0]}: [{old.get(keys[0])}, {new.get(keys[0])}]"
    return (
        f"{folder} has a member {name} with other variables: {'; '.join(parts)}. Give another -o, or make "
        f"both members of one campaign: {example}"
    )


def open_plan(folder: Path) -> Plan:
    """The plan of a campaign's folder; raises `E3DError` if none was run there."""
    old = read_about(folder)
    if old is None:
        raise E3DError(f"{folder}: no campaign there; type: e3d campaign run FILE -o {folder}")
    return Plan(
        folder, {k: dict(v) for k, v in old["members"].items()}, list(old["dropped"]), tuple(old["replicas"])
    )


def read_about(folder: Path) -> dict[str, Any] | None:
    """``campaign.json``; None if there is none. Raises `E3DError` for one that is damaged or of another
    format.
    """
    return read_if_there(folder / ABOUT, FORMAT, "e3d campaign")


def _write_about(folder: Path, campaign: Campaign, plan: Plan, digest: str) -> None:
    tree = {
        "format": FORMAT,
        "file": str(campaign.path),
        "input": campaign.job_input.path.name,
        "input_sha256": digest,
        "settings": _settings(campaign),
        "replicas": list(plan.replicas),
        "members": plan.members,
        "dropped": plan.dropped,
    }
    write_json(folder / ABOUT, tree)


def _settings(campaign: Campaign) -> dict[str, Any]:
    """How and where members run; a change of it makes no other member."""
    keys = [key for key in _FILE_KEYS if key not in ("machine", "variables", "replicas", "setup")]
    return {"machine": campaign.machine.name, **{key: getattr(campaign, key) for key in keys}}


def _changed_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [f"{key}: {old.get(key)} -> {new[key]}" for key in new if old.get(key) != new[key]]


def _identity(variables: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What a member is known by."""
    return tuple(sorted((key, value) for key, value in variables.items() if key != "steps"))


def _varying(members: Any) -> list[str]:
    """Variables that differ between members, in their order."""
    values: dict[str, set[str]] = {}
    every = list(members)
    for variables in every:
        for key in variables:
            values.setdefault(key, set()).add(variables[key])
    return [
        key
        for key, found in values.items()
        if len(found) > 1 or sum(key in one for one in every) < len(every)
    ]


def _name(variables: Mapping[str, str]) -> str:
    """``temp=300_seed=1``: a name for a folder; of a path, its last part."""
    plain = {key: re.sub(r"[^\w.+-]", "-", Path(value).name) for key, value in variables.items()}
    return "_".join(f"{key}={value}" for key, value in plain.items())


def _few(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def write_members(
    campaign: Campaign, plan: Plan, lmp: str, kokkos: bool, again: Sequence[str] = (), changed: bool = False
) -> list[str]:
    """Write the jobs of all members that are to run, which are those that have not ended; returns their
    names.

    Parameters
    ----------
    again
        Members that failed or were cancelled, and are to go on all the same.
    changed
        Whether members go on with a changed input.
    """
    open_members = []
    for name, variables in plan.members.items():
        folder, mend = plan.path(name), name in again
        state, _ = state_of(folder)
        old = read_job(folder)
        more = old is not None and old["variables"].get("steps") != variables.get("steps")
        if (
            name in plan.dropped
            or (state == "finished" and not more)
            or (state in ("failed", "cancelled") and not mend)
        ):
            continue
        write_job(campaign.job(name, variables, plan.folder, lmp, kokkos), again=mend or changed)
        open_members.append(name)
    return open_members
