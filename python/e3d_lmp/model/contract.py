"""The model contract ``e3d/1``: what a model file takes, returns and says about itself.

A file that keeps the contract takes, in this order,

==============  ============  ==================================================================
edge_vectors    (E,3) f64     r_ij = r_j - r_i, angstrom, image included
edge_index      (2,E) i64     row 0: slot of the centre, ascending; row 1: slot of the neighbour
atom_types      (N,) i64      model type of each slot
==============  ============  ==================================================================

and returns, in this order,

==============  ============  ==================================================================
atomic_energy   (N,1) f64     U_i = sum_j eps_ij + mu_i, eV
edge_energy     (E,1) f64     eps_ij, eV, physical (all normalisations of the network folded in)
edge_forces     (E,3) f64     g_ij = dU_i/dr_ij, eV/angstrom
==============  ============  ==================================================================

E and N are free from 2 upwards. An edge beyond its directed cutoff contributes exactly nothing, and a slot
without edges has the energy mu of its type. Names and dtypes of the tensors are nequip's
(``nequip.data._keys``).

Nothing here imports torch. Files that torch runs are zip archives, and their metadata is read from the
archive; files of the native engine (``e3d-weights/1``, docs/engine.md) are read by the engine, which keeps
the same contract with arrays in the place of tensors.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from e3d_lmp.errors import E3DError

CONTRACT = "e3d/1"

NOT_WHOLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, KeyError)
"""What Python raises on damaged archives and what is in them; odd versions and ciphers are `RuntimeError`."""

EDGE_VECTORS = "edge_vectors"
EDGE_INDEX = "edge_index"
ATOM_TYPES = "atom_types"
ATOMIC_ENERGY = "atomic_energy"
EDGE_ENERGY = "edge_energy"
EDGE_FORCES = "edge_forces"
INPUTS = (EDGE_VECTORS, EDGE_INDEX, ATOM_TYPES)
OUTPUTS = (ATOMIC_ENERGY, EDGE_ENERGY, EDGE_FORCES)

NATIVE = "native"
AOTINDUCTOR = "aotinductor"
TORCHSCRIPT = "torchscript"
ENGINE_BY_ENDING = {".safetensors": NATIVE, ".nequip.pt2": AOTINDUCTOR, ".nequip.pth": TORCHSCRIPT}
SOURCE_ENDINGS = (".nequip.zip", ".ckpt")
"""Endings of what nequip itself writes and ``e3d export`` reads."""

COHESIVE = "cohesive"
RESCALED = "rescaled"
DTYPES = ("float32", "float64")
UNKNOWN = "unknown"

PADDING_LENGTH = 1.5
"""Length of a padding edge in units of r_max: beyond every cutoff, so that it contributes nothing."""


def engine_of(path: str | Path) -> str:
    """The engine that the ending of a file name asks for; `E3DError` when it asks for none."""
    name = Path(path).name
    for ending, engine in ENGINE_BY_ENDING.items():
        if name.endswith(ending) and name != ending:
            return engine
    raise E3DError(
        f"expected a model file name ending in {' or '.join(ENGINE_BY_ENDING)}, got '{path}'; "
        "use .safetensors for the native engine, .nequip.pt2 for a file that torch compiles for this kind of "
        "machine, .nequip.pth for a portable one of torch"
    )


@dataclass(frozen=True)
class ModelMetadata:
    """What a model file says about itself; lists are in the order of ``type_names``.

    Stored as strings, one per field, lists separated by spaces, floats as Python's ``repr`` gives them.
    """

    type_names: tuple[str, ...]
    type_elements: tuple[str, ...]
    """Chemical symbol of each type."""
    r_max: float
    """Largest entry of `cutoffs`, angstrom."""
    cutoffs: tuple[float, ...]
    """(ntypes * ntypes) angstrom, row-major; row: type of the centre, column: type of the neighbour."""
    shifts: tuple[float, ...]
    """mu of each type, eV: the energy of an atom without neighbours."""
    scales: tuple[float, ...]
    """sigma of each type, already folded into the edge energies."""
    decomposition: str
    """``cohesive`` or ``rescaled``."""
    model_dtype: str
    device: str
    """``cpu``, ``cuda`` or ``xpu``; ``any`` for TorchScript and the native engine."""
    engine: str
    torch_version: str = UNKNOWN
    nequip_version: str = UNKNOWN
    nequip_allegro_version: str = UNKNOWN
    source_sha256: str = UNKNOWN
    training_data: str = UNKNOWN
    contract: str = field(default=CONTRACT)

    def __post_init__(self) -> None:
        n_types = len(self.type_names)
        problems = []
        if n_types == 0:
            problems.append("type_names is empty")
        if len(set(self.type_names)) != n_types:
            problems.append(f"type_names has duplicates: {' '.join(self.type_names)}")
        for name, length in (
            ("type_elements", n_types),
            ("cutoffs", n_types**2),
            ("shifts", n_types),
            ("scales", n_types),
        ):
            if len(getattr(self, name)) != length:
                problems.append(f"{name} has {len(getattr(self, name))} entries, expected {length}")
        for name, allowed in (
            ("contract", (CONTRACT,)),
            ("decomposition", (COHESIVE, RESCALED)),
            ("model_dtype", DTYPES),
            ("engine", (NATIVE, AOTINDUCTOR, TORCHSCRIPT)),
            ("device", ("cpu", "cuda", "xpu", "any")),
        ):
            if getattr(self, name) not in allowed:
                problems.append(f"{name} is '{getattr(self, name)}', expected {' or '.join(allowed)}")
        if not problems and not (0.0 < max(self.cutoffs) <= self.r_max and min(self.cutoffs) > 0.0):
            problems.append(f"cutoffs {self.cutoffs} are not all positive and within r_max {self.r_max}")
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, str) and (not value.strip() or "\n" in value):
                problems.append(f"{item.name} must be one non-empty line, got {value!r}")
            if isinstance(value, tuple) and any(isinstance(v, str) and len(v.split()) != 1 for v in value):
                problems.append(f"{item.name} must hold words without spaces, got {value!r}")
        if problems:
            raise E3DError(f"model metadata does not keep the contract {CONTRACT}: " + "; ".join(problems))

    def to_strings(self) -> dict[str, str]:
        """One string per key, as stored in a model file."""
        out = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, tuple):
                out[item.name] = " ".join(v if isinstance(v, str) else repr(float(v)) for v in value)
            else:
                out[item.name] = value if isinstance(value, str) else repr(float(value))
        return out

    @classmethod
    def from_strings(cls, strings: Mapping[str, str], origin: str = "model metadata") -> ModelMetadata:
        """The metadata in `strings`; foreign keys are ignored.

        Raises
        ------
        E3DError
            A key is missing or ill-formed; the message names it, and `origin` (a file name). Never a default.
        """
        if "contract" not in strings:
            raise E3DError(
                f"{origin}: expected the metadata key 'contract' with the value '{CONTRACT}', but "
                "there is none: this is not a file written by e3d; "
                "make one with 'e3d export CHECKPOINT OUT.safetensors'"
            )
        if strings["contract"].strip() != CONTRACT:
            raise E3DError(
                f"{origin}: expected the contract '{CONTRACT}', got '{strings['contract']}'; "
                "export the model again with this version of e3d"
            )
        values: dict[str, object] = {}
        for item in fields(cls):
            if item.name not in strings:
                raise E3DError(
                    f"{origin}: the metadata key '{item.name}' is missing; export the model again with "
                    "'e3d export'"
                )
            text = strings[item.name]
            try:
                if item.name in ("type_names", "type_elements"):
                    values[item.name] = tuple(text.split())
                elif item.name in ("cutoffs", "shifts", "scales"):
                    values[item.name] = tuple(float(word) for word in text.split())
                elif item.name == "r_max":
                    values[item.name] = float(text)
                else:
                    values[item.name] = text
            except ValueError as error:
                raise E3DError(
                    f"{origin}: the metadata key '{item.name}' is ill-formed ({error}): '{text}'; "
                    "export the model again with 'e3d export'"
                ) from None
        try:
            return cls(**values)  # type: ignore[arg-type]
        except E3DError as error:
            raise E3DError(f"{origin}: {error}; export the model again with 'e3d export'") from None


def read_strings(path: str | Path) -> dict[str, str]:
    """All metadata strings of a model file, read without running the model.

    Raises
    ------
    E3DError
        No such file, not whole, or of another kind than its name says.
    """
    path = Path(path)
    if path.name.endswith(SOURCE_ENDINGS):
        raise E3DError(
            f"'{path}' is a nequip model, not a model file for LAMMPS yet; make one with 'e3d export {path} "
            "OUT.safetensors'"
        )
    engine = engine_of(path)
    if not path.is_file():
        raise E3DError(f"no model file '{path}'; check the path, or make one with 'e3d export'")
    if engine == NATIVE:
        belongs_to_none = {"contract": CONTRACT, "engine": NATIVE, "device": "any", "torch_version": UNKNOWN}
        from e3d_lmp.model.engine import EngineModel  # numpy, which the help does not need

        return EngineModel(path).metadata | belongs_to_none
    try:
        with zipfile.ZipFile(path) as archive:
            return _aotinductor_strings(archive) if engine == AOTINDUCTOR else _torchscript_strings(archive)
    except NOT_WHOLE as error:
        raise E3DError(
            f"'{path}' is not a complete model file ({type(error).__name__}: {error}); "
            "copy it again, or export the model again with 'e3d export'"
        ) from None


def _aotinductor_strings(archive: zipfile.ZipFile) -> dict[str, str]:
    # One for the wrapper and one for the kernels, with the same user keys.
    names = [name for name in archive.namelist() if name.endswith("_metadata.json")]
    if not names or not any(name.endswith(".so") for name in archive.namelist()):
        raise KeyError("no compiled model with its metadata in the archive")
    return {str(key): str(value) for key, value in json.loads(archive.read(names[0])).items()}


def _torchscript_strings(archive: zipfile.ZipFile) -> dict[str, str]:
    out = {}
    for name in archive.namelist():
        parts = name.split("/")
        if len(parts) == 3 and parts[1] == "extra":
            out[parts[2]] = archive.read(name).decode("utf-8")
    if not any(name.split("/")[1:] == ["constants.pkl"] for name in archive.namelist()):
        raise KeyError("no constants.pkl: not a TorchScript archive")
    return out


def read_metadata(path: str | Path) -> ModelMetadata:
    """The metadata of a model file; `E3DError` as `read_strings` and `ModelMetadata.from_strings` say."""
    metadata = ModelMetadata.from_strings(read_strings(path), origin=f"'{path}'")
    if metadata.engine != engine_of(path):
        raise E3DError(
            f"'{path}': its name asks for the engine {engine_of(path)}, its metadata says {metadata.engine}; "
            "give the file back its own ending"
        )
    return metadata


def describe(metadata: ModelMetadata) -> str:
    """The metadata as a table for people, one fact a line."""
    n_types = len(metadata.type_names)
    lines = [
        f"contract       {metadata.contract}",
        f"engine         {metadata.engine} for {metadata.device}",
        f"model dtype    {metadata.model_dtype}",
        f"decomposition  {metadata.decomposition}"
        + (
            ""
            if metadata.decomposition == COHESIVE
            else " (edge energies are a partition, not bond energies)"
        ),
        f"cutoff         {metadata.r_max:g} A",
        "types          name element  mu (eV)           sigma",
    ]
    for name, element, shift, scale in zip(
        metadata.type_names, metadata.type_elements, metadata.shifts, metadata.scales, strict=True
    ):
        lines.append(f"               {name:<4} {element:<7}  {shift:<16.10g}  {scale:.10g}")
    if len(set(metadata.cutoffs)) > 1:
        lines.append("cutoffs (A)    rows: centre, columns: neighbour")
        lines.append("               " + " " * 5 + " ".join(f"{name:>6}" for name in metadata.type_names))
        for row, name in enumerate(metadata.type_names):
            entries = metadata.cutoffs[row * n_types : (row + 1) * n_types]
            lines.append(f"               {name:<4} " + " ".join(f"{entry:6.3g}" for entry in entries))
    if metadata.engine != NATIVE:
        lines.append(f"torch          {metadata.torch_version}")
    lines += [
        f"nequip         {metadata.nequip_version}",
        f"nequip-allegro {metadata.nequip_allegro_version}",
        f"source sha256  {metadata.source_sha256}",
        f"training data  {metadata.training_data}",
    ]
    return "\n".join(lines)
