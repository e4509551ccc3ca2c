"""The configuration of a training run: a nequip-train configuration, what the data say, and options.

`compose` gives it resolved to the last key, with nequip-allegro's own model builder and checked for the E3D
protocol. It is written to ``RUN/config.yaml``, and a run goes on only with the configuration that it began
with.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from e3d_lmp.edges.cutoffs import unknown_elements
from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, input_file, read_json, read_object, read_yaml, reading, sha256_of
from e3d_lmp.model.contract import ENGINE_BY_ENDING
from e3d_lmp.parsing import json_real, json_whole
from e3d_lmp.training.data.database import DATABASE
from e3d_lmp.training.missing_forces import ignore_missing_forces, without_idle_terms
from e3d_lmp.training.model import resolve_model
from e3d_lmp.training.paths import with_names

CONFIGS = Path(__file__).parent / "configs"
DEFAULT_CONFIG = "tensor32"
LAYERS = ("centre", "edge", "stock")
"""Kinds of layers that a model is trained with on a CPU: see `e3d_lmp.training.layers`."""
MANIFEST = "manifest.json"
COHESIVE_TARGET = "E_coh"

_FROM_DATA = ("type_names", "r_max", "avg_num_neighbors", "target", "level", "training_data")
_MAY_CHANGE = ("trainer.accelerator", "trainer.devices", "trainer.strategy", "layers", "locality")
"""Keys that may differ where a run goes on, or stand elsewhere too."""

_CAN_BE_LOCAL = (
    "nequip.train.EMALightningModule",
    "e3d_lmp.training.heat_flux.HeatFluxModule",
    "e3d_lmp.training.locality.LocalityModule",
)
"""Training modules that the last of them can stand for."""


@dataclass(frozen=True)
class PreparedData:
    """A folder of ``e3d data prepare``.

    Attributes
    ----------
    folder     absolute path
    manifest   what its manifest.json holds
    sha256     of manifest.json
    """

    folder: Path
    manifest: dict[str, Any]
    sha256: str

    @property
    def frames(self) -> int:
        """Frames of the training set."""
        return int(self.manifest["sets"]["train"]["frames"])

    @property
    def lacks_forces(self) -> bool:
        """Whether frames that are trained on or validated with have no forces."""
        sets = self.manifest["sets"]
        # older manifests do not say: all frames had forces
        return any(sets[part].get("frames_without_forces", 0) for part in ("train", "val"))

    def check(self) -> None:
        """Raise, whatever, unless the manifest has what is asked of it, of the kinds that it should be."""
        manifest = self.manifest
        for key in ("sets", "recipe", "avg_num_neighbors", "level"):
            if key not in manifest:
                raise ValueError(f"no '{key}'")
        for part in ("train", "val", "test"):
            json_whole(manifest["sets"][part]["frames"], 1)
        for value in (manifest["recipe"]["r_max"], manifest["avg_num_neighbors"]):
            if not json_real(value) > 0.0:
                raise ValueError(f"expected a number above 0, got {value}")
        if not self.elements or unknown_elements(self.elements):
            raise ValueError(f"expected elements, got {self.elements}")
        _ = self.lacks_forces, self.frames

    @property
    def elements(self) -> list[str]:
        """Chemical symbols in the order of the types."""
        return list(self.manifest["recipe"]["elements"])

    def facts(self, frames: int | None, contacts: bool) -> dict[str, Any]:
        """Values of the configuration's keys that follow from the data."""
        manifest = self.manifest
        if not str(manifest.get("target", "")).startswith(COHESIVE_TARGET):
            raise E3DError(
                f"{self.folder / MANIFEST}: expected the target {COHESIVE_TARGET}, got "
                f"'{manifest.get('target')}'; edge energies are bond energies only if the model learns "
                "cohesive energies: prepare the data again with isolated atoms"
            )
        sources = manifest.get("source") or []
        sources = sources if isinstance(sources, list) else [sources]  # one, in older manifests
        name = " + ".join(source["name"] for source in sources) or "prepared data"
        said = f"{name}, {frames or self.frames} frames" + (", with contacts" if contacts else "")
        return {
            "type_names": self.elements,
            "r_max": manifest["recipe"]["r_max"],
            "avg_num_neighbors": manifest["avg_num_neighbors"],
            "target": COHESIVE_TARGET,
            "level": str(manifest["level"]),
            "training_data": f"{said}; {manifest['level']}; target {COHESIVE_TARGET}",
        }


def read_data(folder: Path) -> PreparedData:
    """A folder of prepared data.

    Raises
    ------
    E3DError
        There is no manifest, or one of the three sets is missing.
    """
    folder = folder.resolve()
    path = folder / MANIFEST
    make = f"type: e3d data prepare RECIPE.yaml -o {folder}"
    input_file(path, f"a folder of prepared data with {MANIFEST}; {make}")
    with reading(path, "manifest", make):
        text = path.read_bytes()
        data = PreparedData(folder, read_json(path), hashlib.sha256(text).hexdigest())
        data.check()
    for part in ("train", "val", "test"):
        if not (folder / f"{part}.lmdb").exists():
            raise E3DError(f"{folder}: no {part}.lmdb there; prepare the data again")
    return data


@dataclass(frozen=True)
class Options:
    """What the command line says; None leaves what the configuration says.

    Attributes
    ----------
    frames           train with the first so many frames
    contacts         add the pairs of molecules of ``contacts_train.lmdb``
    start            package or checkpoint whose weights are the first ones
    steps, minutes   budget, one of the two
    values           other keys of the configuration: batch, learning_rate, seed, tensor, compile
    overrides        ``key=value`` in the grammar of Hydra
    device, devices  ``cpu`` or ``cuda``, and how many
    """

    frames: int | None = None
    contacts: bool | None = None
    start: Path | None = None
    steps: int | None = None
    minutes: float | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[str] = ()
    device: str = "cpu"
    devices: int = 1


def compose(config: str, data: PreparedData, run: Path, options: Options) -> dict[str, Any]:
    """The resolved configuration of a run.

    Parameters
    ----------
    config
        Name of a configuration of this package, or path of one.
    run
        Folder of the run.

    Raises
    ------
    E3DError
        There is no such configuration, a key is not known, the budget is not clear, there are not so many
        frames, or the model breaks the protocol.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    tree = _hydra_compose(config, options.overrides)
    OmegaConf.set_struct(tree, False)
    wanted = {key: value for key, value in options.values.items() if value is not None}
    if options.steps is not None or options.minutes is not None:
        wanted |= {"steps": options.steps, "minutes": options.minutes}
    if options.frames is not None:
        wanted["frames"] = options.frames
    if options.contacts is not None:
        wanted["contacts"] = options.contacts
    if options.start is not None:
        wanted["start"] = str(options.start)
    for key, value in wanted.items():
        if key not in tree:
            raise E3DError(
                f"the configuration {config} has no key '{key}', so that it cannot be set; begin it with "
                "'defaults: [e3d, _self_]', or leave the option out"
            )
        tree[key] = value
    frames, contacts = tree.get("frames"), bool(tree.get("contacts"))
    tree.folder, tree.data_folder = str(run.resolve()), str(data.folder)
    for key, value in data.facts(frames, contacts).items():
        if OmegaConf.is_missing(tree, key):
            tree[key] = value
    try:
        resolved: Any = OmegaConf.to_container(tree, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise E3DError(f"{config}: {str(error).splitlines()[0]}") from None
    _check(config, resolved, data)
    _choose_frames(resolved, data, frames, contacts)
    _choose_device(resolved, options)
    _choose_start(resolved)
    without_idle_terms(resolved["training_module"])
    _add_locality(resolved)
    if data.lacks_forces:
        ignore_missing_forces(resolved["training_module"])
    resolved["training_module"]["model"] = resolve_model(resolved["training_module"]["model"])
    resolved["data_sha256"] = data.sha256
    return resolved


def config_path(config: str) -> Path:
    """The file of a configuration, by name or path."""
    named, path = CONFIGS / f"{config}.yaml", Path(config)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path.resolve()
    elif named.is_file():
        return named
    names = ", ".join(sorted(file.stem for file in CONFIGS.glob("tensor*.yaml")))
    raise E3DError(f"no configuration '{config}'; expected one of {names}, or a file that ends in .yaml")


def _hydra_compose(config: str, overrides: Sequence[str]) -> Any:
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    path = config_path(config)
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(version_base=None, config_dir=str(path.parent)):
            search = f"hydra.searchpath=['file://{CONFIGS}']"
            return hydra.compose(config_name=path.stem, overrides=[search, *overrides])
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise E3DError(f"{path}: {'; '.join(lines[:2])}") from None


def _check(config: str, resolved: dict[str, Any], data: PreparedData) -> None:
    budget = [resolved.get("steps"), resolved.get("minutes")]
    if sum(value is not None for value in budget) != 1:
        raise E3DError(
            f"expected a budget of steps or of minutes, got steps {budget[0]} and minutes {budget[1]}; add "
            "--steps S or --minutes M"
        )
    steps, minutes = budget
    if not (
        (steps is None or (isinstance(steps, int) and not isinstance(steps, bool)))
        and (minutes is None or (isinstance(minutes, int | float) and not isinstance(minutes, bool)))
    ):
        raise E3DError(
            f"expected a whole number of steps or a number of minutes, got steps {steps}, minutes {minutes}"
        )
    if next(value for value in budget if value is not None) <= 0:
        raise E3DError(f"expected a budget above zero, got steps {budget[0]} and minutes {budget[1]}")
    layers = resolved.get("layers", LAYERS[0])
    if layers not in LAYERS:
        raise E3DError(f"expected layers of a kind in {', '.join(LAYERS)}, got '{layers}'")
    if resolved["type_names"] != data.elements:
        raise E3DError(
            f"the types of {config} are {' '.join(resolved['type_names'])}, those of the data "
            f"{' '.join(data.elements)}; leave type_names out of the configuration"
        )
    r_max = data.manifest["recipe"]["r_max"]
    if resolved["r_max"] != r_max:
        raise E3DError(
            f"the cutoff of {config} is {resolved['r_max']} angstrom, the neighbour lists of the data have "
            f"{r_max}; leave r_max out of the configuration, or prepare the data with this cutoff"
        )


def _choose_frames(resolved: dict[str, Any], data: PreparedData, frames: int | None, contacts: bool) -> None:
    """Let the run train with the first `frames` frames, and with contacts, if it is to."""
    section = resolved["data"]
    if frames is not None:
        if isinstance(frames, bool) or not isinstance(frames, int) or frames < 1:
            raise E3DError(f"expected a number of frames of at least 1, got {frames}")
        if frames > data.frames:
            raise E3DError(
                f"{data.folder} has {data.frames} frames to train with, {frames} were asked for; take "
                "fewer, or prepare more"
            )
        section["train_dataset"] = {
            "_target_": "torch.utils.data.Subset",
            "dataset": section["train_dataset"],
            "indices": {"_target_": "builtins.range", "_args_": [frames]},
        }
    if contacts:
        pairs = data.folder / "contacts_train.lmdb"
        if not pairs.exists():
            raise E3DError(f"{pairs}: no such file; make it (see docs/data.md), or train without contacts")
        section["train_dataset"] = {
            "_target_": "torch.utils.data.ConcatDataset",
            "datasets": [
                section["train_dataset"],
                {"_target_": DATABASE, "file_path": str(pairs)},
            ],
        }
        facts = pairs.with_suffix(".json")
        text = facts.read_bytes() if facts.exists() else b"{}"
        resolved["contacts_sha256"] = hashlib.sha256(text).hexdigest()
        told = read_object(facts, "facts of contacts", "make them again") if facts.exists() else {}
        of, now = told.get("of_sha256"), data.manifest["sets"]["train"].get("content_sha256")
        if of is not None and of != now:
            raise E3DError(
                f"{pairs} has pairs of another train set than that of {data.folder}, perhaps of held-out "
                "molecules; make it again (see docs/data.md)"
            )


def _add_locality(resolved: dict[str, Any]) -> None:
    """Give the loss its term of `training.locality`, if the configuration asks for it."""
    value = resolved.get("locality") or 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
        raise E3DError(f"expected locality as a number of at least 0, per eV^2, got {value}")
    if not value:
        return
    module = resolved["training_module"]
    if module.get("_target_") not in _CAN_BE_LOCAL:
        raise E3DError(
            f"locality asks for a training_module of {', '.join(_CAN_BE_LOCAL)}, got {module.get('_target_')}"
        )
    if resolved.get("compile"):
        raise E3DError("locality needs the energies of edges, which torch.compile hides; leave compile out")
    module["_target_"] = _CAN_BE_LOCAL[-1]
    module["locality"] = float(value)


def _choose_start(resolved: dict[str, Any]) -> None:
    """Let the run begin with the weights of a model, which the hash stands for in ``config.yaml``."""
    if not resolved.get("start"):
        return
    model = Path(str(resolved["start"]))
    expected = "expected a package (.nequip.zip) or a checkpoint (.ckpt)"
    if model.name.endswith(tuple(ENGINE_BY_ENDING)):
        raise E3DError(f"--start {model}: an exported model, which has no weights to train; {expected}")
    try:
        digest = sha256_of(model)
    except OSError as error:
        raise E3DError(f"--start {model}: {error.strerror}; {expected}") from None
    resolved["start"] = {"path": str(model.resolve()), "sha256": digest}


def _choose_device(resolved: dict[str, Any], options: Options) -> None:
    if options.device not in ("cpu", "cuda"):
        raise E3DError(f"expected --device cpu or cuda, got '{options.device}'")
    if options.devices < 1:
        raise E3DError(f"--devices {options.devices}: expected a whole number of at least 1")
    trainer = resolved["trainer"]
    trainer["accelerator"] = "gpu" if options.device == "cuda" else "cpu"
    trainer["devices"] = options.devices
    if options.devices > 1:
        trainer["strategy"] = {"_target_": "nequip.train.SimpleDDPStrategy"}
    steps = resolved.get("steps")
    every = trainer.get("val_check_interval")
    if steps is not None and isinstance(every, int):
        trainer["val_check_interval"] = min(every, steps)


def write_config(resolved: dict[str, Any], path: Path) -> None:
    """Write the configuration of a run, or check that it is the one that the run began with.

    Raises
    ------
    E3DError
        The run began with another one; the message says where they differ.
    """
    changed = changes_of(resolved, path)
    if changed:
        raise E3DError(
            f"{path.parent} is a run with another configuration ({'; '.join(changed[:3])}); train in "
            "another folder, or remove this one"
        )
    with atomic_path(path) as partial:
        partial.write_text(yaml.safe_dump(resolved, sort_keys=False), encoding="utf-8")


def changes_of(resolved: dict[str, Any], path: Path) -> list[str]:
    """Where a configuration differs from the one in a file (``key: old, now new``); nowhere if there is no
    file."""
    if not path.exists():
        return []
    before = read_yaml(path, "the configuration of a training run")
    with reading(path, "configuration of a training run", "train in another folder"):
        return differences(portable(before), portable(resolved))


def portable(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration without the paths of this machine and without what may change."""
    named = with_names(config, {config["folder"]: "RUN", config["data_folder"]: "DATA"})
    if named.get("start"):
        named["start"] = named["start"]["sha256"]
    for key in _MAY_CHANGE:
        *path, last = key.split(".")
        section = named
        for name in path:
            section = section[name]
        section.pop(last, None)
    return named


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Where two nested dictionaries differ: ``key: old, now new``."""
    old, new = dict(_flat(before)), dict(_flat(now))
    return [
        f"{key}: {old.get(key, 'not there')}, now {new.get(key, 'not there')}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key, ...) != new.get(key, ...)
    ]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for k, item in enumerate(value):
            yield from _flat(item, f"{name}.{k}")
    else:
        yield name, value
