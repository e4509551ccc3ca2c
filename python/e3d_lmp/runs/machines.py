"""Machines as data: what a job script has to know of a supercomputer, with the public page it comes from.

``machines.yaml`` beside this file holds those that are shipped; a user's own are read from
``~/.config/e3d/machines.yaml`` (or ``$XDG_CONFIG_HOME/e3d/machines.yaml``), in the same form. There a machine
may say ``like: NAME`` and name only the keys that differ. Keys of a machine:

====================  ========================================================================================
``title``             for messages
``checked``           month in which the pages were read, YYYY-MM
``scheduler``         ``pbs``, ``slurm`` or ``none``
``needs``             options of ``e3d job`` without which the site refuses a job: some of `NEEDS`
``cores``             of a node; not given: unknown, and not checked
``reserved_cores``    of them, kept for the system
``hardware_threads``  of a core, where the scheduler counts these as CPUs (1)
``gpus``              of a node, as the scheduler counts them
``tiles``             parts of a GPU that a rank can have to itself (1)
``visible_gpus``      GPUs that a rank sees where the launch line gives it its own; else those of the node
``queue_option``      of sbatch, where a queue is named: ``--partition`` or ``--qos``
``select``            PBS: what follows the number of nodes in ``-l select=``
``select_gpu``        the same for jobs with GPUs, where it differs
``directives``        more lines for the head of the script, without ``#PBS`` or ``#SBATCH``
``directives_gpu``    more still for jobs with GPUs
``modules``           to be loaded
``environment``       variables to be exported
``launch_cpu``        what stands before ``lmp`` in jobs without GPUs; `PLACES` are the names in braces
``launch_gpu``        the same in jobs with GPUs
``binding``           ``{binding}`` of a launch line: ``prefix``, ``separator``, the cores or masks of the
                      ``ranks`` of a node in their order, and how many ``cores`` each has
``hosts``             option of the launch line that names the nodes, ``{hosts}``, for jobs that share an
                      allocation (e3d campaign)
``queues``            by name, the shapes that it takes: ``{nodes: [least, most], hours: most}``
``pages``             page that a key was taken from; ``launch`` stands for both launch lines
====================  ========================================================================================
"""

from __future__ import annotations

import difflib
import os
import string
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.files import parse_yaml, read_text

SCHEDULERS = ("pbs", "slurm", "none")
NEEDS = ("account", "queue", "filesystems", "ranks_per_node")
PLACES = (
    "nodes",
    "ranks",
    "ranks_per_node",
    "threads",
    "cpus",
    "cores_per_rank",
    "cpus_per_rank",
    "gpus",
    "binding",
)
"""Names in braces in launch lines and ``select``: nodes; ranks of the job and of a node; threads of a rank;
ranks x threads of a node; cores that a rank of a node can have, and the same in hardware threads; GPUs of a
node; binding."""

_WITH_PLACES = ("launch_cpu", "launch_gpu", "select", "select_gpu", "directives", "directives_gpu")
_INTEGERS = ("cores", "reserved_cores", "hardware_threads", "gpus", "tiles", "visible_gpus")


@dataclass(frozen=True)
class Binding:
    """Cores of each rank of a node, for a launch line."""

    prefix: str
    separator: str
    ranks: tuple[str, ...]
    cores: int

    def text(self, ranks: int) -> str:
        """For the first `ranks` ranks of a node."""
        return self.prefix + self.separator.join(self.ranks[:ranks])


@dataclass(frozen=True)
class Limit:
    """A shape of job that a queue takes: least and most nodes, most hours."""

    least: int
    most: int
    hours: float


@dataclass(frozen=True)
class Machine:
    """A machine; the module's text explains the attributes, which are the keys of the file."""

    name: str
    file: str
    title: str = ""
    checked: str = ""
    scheduler: str = "none"
    needs: tuple[str, ...] = ()
    cores: int | None = None
    reserved_cores: int = 0
    hardware_threads: int = 1
    gpus: int | None = None
    tiles: int = 1
    visible_gpus: int | None = None
    queue_option: str = "--partition"
    select: str = ""
    select_gpu: str | None = None
    directives: tuple[str, ...] = ()
    directives_gpu: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    launch_cpu: str = ""
    launch_gpu: str = ""
    hosts: str = ""
    binding: Binding | None = None
    queues: Mapping[str, tuple[Limit, ...]] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)

    @property
    def usable_cores(self) -> int | None:
        """Cores of a node that a job may use; None: unknown. Those of this computer where there is no
        scheduler.
        """
        if self.cores is None:
            return len(os.sched_getaffinity(0)) if self.scheduler == "none" else None
        return self.cores - self.reserved_cores

    @property
    def devices(self) -> int | None:
        """GPUs of a node, or parts of them, that ranks can have to themselves; None: unknown."""
        return None if self.gpus is None else self.gpus * self.tiles

    def page(self, key: str) -> str:
        """`` (see PAGE)`` for a message, or nothing where no page is known."""
        return f" (see {self.pages[key]})" if key in self.pages else ""


_KEYS = tuple(one.name for one in fields(Machine) if one.name not in ("name", "file"))


def user_file() -> Path:
    """Where users keep machines of their own."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "e3d" / "machines.yaml"


def load_machines(own: Path | None = None) -> dict[str, Machine]:
    """All machines by name, the user's own first in the order of their file; one of the same name replaces a
    shipped one.

    Parameters
    ----------
    own
        File of the user's machines; by default `user_file`, which may be missing.

    Raises
    ------
    E3DError
        A file cannot be read, or a key of a machine is not as described; names file, machine and key.
    """
    text = resources.files("e3d_lmp").joinpath("runs").joinpath("machines.yaml").read_text(encoding="utf-8")
    shipped = _read(text, "machines.yaml", {})
    path = own or user_file()
    if own is None and not path.exists():
        return shipped
    text = read_text(path, "machines as in the machines.yaml that is shipped")
    mine = _read(text, str(path), shipped)
    return {**mine, **{name: one for name, one in shipped.items() if name not in mine}}


def find_machine(name: str, own: Path | None = None) -> Machine:
    """The machine of a name; raises `E3DError` that lists the names there are."""
    machines = load_machines(own)
    if name in machines:
        return machines[name]
    near = difflib.get_close_matches(name.lower(), machines, 1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise E3DError(
        f"no machine '{name}'; {hint}there are {', '.join(machines)}; describe one of your own in "
        f"{own or user_file()}"
    )


def _read(text: str, file: str, known: Mapping[str, Machine]) -> dict[str, Machine]:
    tree = parse_yaml(text, file, "names of machines, each with its keys below it")
    if not isinstance(tree, dict) or not all(isinstance(one, dict) for one in tree.values()):
        raise E3DError(f"{file}: expected names of machines, each with its keys below it")
    machines: dict[str, Machine] = {}
    for name, keys in tree.items():
        machines[str(name)] = _machine(str(name), dict(keys), file, {**known, **machines})
    return machines


def _machine(name: str, keys: dict[str, Any], file: str, known: Mapping[str, Machine]) -> Machine:
    def wrong(key: str, expected: str) -> E3DError:
        return E3DError(f"{file}: machine '{name}', key '{key}': expected {expected}, got {keys.get(key)!r}")

    base = Machine(name, file)
    if "like" in keys:
        if keys["like"] not in known:
            raise wrong("like", f"one of {', '.join(known)}")
        base = replace(known[keys.pop("like")], name=name, file=file)
    values: dict[str, Any] = {}
    for key, value in keys.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, 1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; known are like, {', '.join(_KEYS)}"
            raise E3DError(f"{file}: machine '{name}': no key '{key}' is known{hint}")
        values[key] = _value(key, value, wrong)
    machine = replace(base, **values)
    for key in _WITH_PLACES:
        _check_places(machine, key)
    if not machine.launch_cpu:
        raise E3DError(f"{file}: machine '{name}': no key 'launch_cpu'; give one, or 'like: slurm'")
    if machine.reserved_cores and (machine.cores is None or machine.reserved_cores >= machine.cores):
        raise wrong("reserved_cores", "fewer than 'cores'")
    if machine.binding and machine.devices and len(machine.binding.ranks) < machine.devices:
        raise wrong("binding", f"cores for {machine.devices} ranks, one for each GPU or tile")
    return machine


def _value(key: str, value: Any, wrong: Any) -> Any:
    """A value of the file as `Machine` holds it."""
    if key in _INTEGERS:
        if not _is_count(value) or (value < 1 and key not in ("reserved_cores", "gpus")):
            raise wrong(
                key, "a whole number" if key in ("reserved_cores", "gpus") else "a whole number from 1"
            )
        return value
    if key in ("needs", "directives", "directives_gpu", "modules"):
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise wrong(key, "a list of words, e.g. [a, b]")
        if key == "needs" and set(value) - set(NEEDS):
            raise wrong(key, f"some of {', '.join(NEEDS)}")
        return tuple(value)
    if key in ("environment", "pages"):
        if not isinstance(value, dict):
            raise wrong(key, "names with a text each")
        return {str(name): str(one) for name, one in value.items()}
    if key == "binding":
        return _binding(value, wrong)
    if key == "queues":
        return _queues(value, wrong)
    if key == "scheduler" and value not in SCHEDULERS:
        raise wrong(key, f"one of {', '.join(SCHEDULERS)}")
    if not isinstance(value, str):
        raise wrong(key, "a text")
    return " ".join(value.split())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _binding(value: Any, wrong: Any) -> Binding:
    form = "prefix, separator, cores and a list of ranks"
    if not isinstance(value, dict) or set(value) != {"prefix", "separator", "cores", "ranks"}:
        raise wrong("binding", form)
    if not isinstance(value["ranks"], list) or not value["ranks"] or not _is_count(value["cores"]):
        raise wrong("binding", form)
    return Binding(value["prefix"], value["separator"], tuple(map(str, value["ranks"])), value["cores"])


def _queues(value: Any, wrong: Any) -> dict[str, tuple[Limit, ...]]:
    form = "by name, a list of {nodes: [least, most], hours: most}"
    if not isinstance(value, dict):
        raise wrong("queues", form)
    queues = {}
    for name, limits in value.items():
        try:
            queues[str(name)] = tuple(
                Limit(int(one["nodes"][0]), int(one["nodes"][1]), float(one["hours"])) for one in limits
            )
        except (TypeError, KeyError, IndexError, ValueError):
            raise wrong("queues", form) from None
    return queues


def _check_places(machine: Machine, key: str) -> None:
    value = getattr(machine, key) or ""
    text = value if isinstance(value, str) else " ".join(value)
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise E3DError(
            f"{machine.file}: machine '{machine.name}', key '{key}': {error} in '{text}'"
        ) from None
    for name in names:
        if name not in PLACES:
            raise E3DError(
                f"{machine.file}: machine '{machine.name}', key '{key}': {{{name}}} is not known; "
                f"there are {', '.join(PLACES)}"
            )
    if "binding" in names and machine.binding is None:
        raise E3DError(
            f"{machine.file}: machine '{machine.name}', key '{key}': {{binding}} needs the key 'binding'"
        )
