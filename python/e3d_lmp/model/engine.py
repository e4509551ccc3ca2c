"""The native engine ``libe3d_engine.so`` (engine/) by ctypes: energies and forces of edges without torch.

Thin: checks what Python could get wrong (shapes, types of arrays), and hands addresses over. Calls run
without Python's lock, so that evaluators of several threads work at the same time.
"""

from __future__ import annotations

import ctypes
import functools
import os
import weakref
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_int64, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp import plugin
from e3d_lmp.errors import E3DError

LIBRARY = "libe3d_engine.so"
VERSION = 1
"""``E3D_ENGINE_VERSION`` of engine/include/e3d_engine.h, whose structs those below repeat."""
PRECISIONS = {None: 0, "float32": 1, "float64": 2, "float64-tables": 3}
"""``None``: what the file asks for; ``float64-tables`` is for tests of the tables."""


class _Info(ctypes.Structure):
    _fields_ = (
        *((name, c_int32) for name in ("types", "l_max", "layers", "channels")),
        ("r_max", c_double),
        *((name, POINTER(c_double)) for name in ("cutoffs", "shifts", "scales")),
        ("precision", c_char_p),
        ("instruction_set", c_char_p),
        ("bytes", c_int64),
    )


class _Edges(ctypes.Structure):
    _fields_ = (
        ("centres", c_int64),
        *((name, c_void_p) for name in ("first", "centre_type", "neighbour_type", "vector")),
    )


class _Energies(ctypes.Structure):
    _fields_ = tuple((name, c_void_p) for name in ("energy", "edge_energy", "edge_force"))


@functools.cache
def library() -> Any:
    """The library, loaded once; `E3DError` if it is missing or of another version of the package."""
    path = os.path.join(plugin.path(), LIBRARY)
    advice = "install the package again: bash scripts/setup.sh, or pip install . in the e3d-lmp sources"
    try:
        found = ctypes.CDLL(path)
    except OSError as error:
        raise E3DError(f"the native engine of e3d-lmp cannot be loaded ({error}); {advice}") from None
    signatures: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "version": (c_int32, ()),
        "error": (c_char_p, ()),
        "instruction_sets": (c_char_p, ()),
        "open": (c_void_p, (c_char_p, c_int32, c_char_p)),
        "close": (None, (c_void_p,)),
        "describe": (None, (c_void_p, POINTER(_Info))),
        "type_name": (c_char_p, (c_void_p, c_int32)),
        "type_element": (c_char_p, (c_void_p, c_int32)),
        "metadata_count": (c_int32, (c_void_p,)),
        "metadata_key": (c_char_p, (c_void_p, c_int32)),
        "metadata_value": (c_char_p, (c_void_p, c_char_p)),
        "prepare": (c_int32, (c_void_p, c_int32, c_void_p)),
        "evaluator_new": (c_void_p, (c_void_p, c_int32)),
        "evaluator_free": (None, (c_void_p,)),
        "evaluate": (c_int32, (c_void_p, POINTER(_Edges), POINTER(_Energies))),
        "evaluator_bytes": (c_int64, (c_void_p,)),
        "section": (c_char_p, (c_int32,)),
        "take_cycles": (None, (c_void_p, POINTER(c_uint64))),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(found, f"e3d_engine_{name}")
        function.restype, function.argtypes = result, arguments
    if found.e3d_engine_version() != VERSION:
        raise E3DError(f"{path}: expected version {VERSION}, got {found.e3d_engine_version()}; {advice}")
    return found


def instruction_sets() -> tuple[str, ...]:
    """Those that run on this processor, the fastest first."""
    return tuple(library().e3d_engine_instruction_sets().decode().split())


def _failure() -> E3DError:
    return E3DError(library().e3d_engine_error().decode(errors="replace"))


def default_threads() -> int:
    """OMP_NUM_THREADS, or else the cores that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class EngineModel:
    """A model file of the format e3d-weights/1, ready to run.

    Parameters
    ----------
    path
        File ending in ``.safetensors``.
    precision
        ``float32``, ``float64``, or None for what the file asks for.
    instruction_set
        One of `instruction_sets`; None for the fastest, or what the environment variable E3D_ENGINE_ISA says.

    Raises
    ------
    E3DError
        The file is not whole, not of this format, or from a later version.
    """

    def __init__(
        self, path: str | Path, precision: str | None = None, instruction_set: str | None = None
    ) -> None:
        if precision not in PRECISIONS:
            raise E3DError(f"expected the precision float32 or float64, got '{precision}'")
        engine = library()
        wanted = None if instruction_set is None else instruction_set.encode()
        self._handle = engine.e3d_engine_open(os.fsencode(path), PRECISIONS[precision], wanted)
        if not self._handle:
            raise _failure()
        self._close = weakref.finalize(self, engine.e3d_engine_close, self._handle)
        info = self._info()
        n = info.types
        self.type_names = tuple(engine.e3d_engine_type_name(self._handle, t).decode() for t in range(n))
        self.type_elements = tuple(engine.e3d_engine_type_element(self._handle, t).decode() for t in range(n))
        self.cutoffs = np.ctypeslib.as_array(info.cutoffs, (n, n)).copy()
        """(types, types) angstrom, row: type of the centre."""
        self.shifts = np.ctypeslib.as_array(info.shifts, (n,)).copy()
        """(types,) eV."""
        self.r_max = float(info.r_max)
        self.precision = info.precision.decode()
        self.instruction_set = info.instruction_set.decode()
        self._prepared: set[int] = set()

    def _info(self) -> _Info:
        info = _Info()
        library().e3d_engine_describe(self._handle, byref(info))
        return info

    @property
    def bytes(self) -> int:
        """Memory of the model, tables included."""
        return int(self._info().bytes)

    @property
    def metadata(self) -> dict[str, str]:
        """All metadata of the file."""
        engine, handle = library(), self._handle
        keys = [
            engine.e3d_engine_metadata_key(handle, k) for k in range(engine.e3d_engine_metadata_count(handle))
        ]
        return {key.decode(): engine.e3d_engine_metadata_value(handle, key).decode() for key in keys}

    def prepare(self, types: Sequence[int] | np.ndarray) -> None:
        """Make tables of all pairs of these model types and those of earlier calls; not while evaluating."""
        wanted = self._prepared | {int(t) for t in types}
        if wanted != self._prepared:
            array = np.array(sorted(wanted), dtype=np.int32)
            if library().e3d_engine_prepare(self._handle, len(array), array.ctypes.data):
                raise _failure()
            self._prepared = wanted


def _different(types: np.ndarray) -> np.ndarray:
    """The values in an array of model types; without sorting it where they are such."""
    if types.size and types.min() >= 0 and types.max() < 1000:
        return np.flatnonzero(np.bincount(types))
    return np.unique(types)


@dataclass(frozen=True)
class EdgeEnergies:
    """What an evaluation gives, all float64."""

    energy: np.ndarray
    """(n,) U_i = sum_j eps_ij + mu_i, eV."""
    edge_energy: np.ndarray
    """(E,) eps_ij, eV."""
    edge_forces: np.ndarray | None
    """(E,3) g_ij = dU_i/dr_ij, eV/angstrom."""


class Evaluator:
    """Evaluates one model with threads of its own; for one caller at a time."""

    def __init__(self, model: EngineModel, threads: int = 1) -> None:
        engine = library()
        self.model, self.threads = model, threads
        self._handle = engine.e3d_engine_evaluator_new(model._handle, threads)
        if not self._handle:
            raise _failure()
        self._free = weakref.finalize(self, engine.e3d_engine_evaluator_free, self._handle)

    def evaluate(
        self,
        first: np.ndarray,
        centre_types: np.ndarray,
        neighbour_types: np.ndarray,
        vectors: np.ndarray,
        forces: bool = True,
    ) -> EdgeEnergies:
        """Energies of edges sorted by centre.

        Parameters
        ----------
        first : (n+1,)
            Edges of centre c are first[c] to first[c+1] - 1; begins at 0.
        centre_types : (n,)
            Model types.
        neighbour_types : (E,)
        vectors : (E,3)
            r_ij, angstrom, from the centre to the neighbour.

        Raises
        ------
        E3DError
            The arrays do not fit together, or an edge cannot be (length 0, NaN); the message names it.
        """
        offsets = np.ascontiguousarray(first, dtype=np.int64)
        centres = np.ascontiguousarray(centre_types, dtype=np.int32)
        neighbours = np.ascontiguousarray(neighbour_types, dtype=np.int32)
        edges = np.ascontiguousarray(vectors, dtype=np.float64)
        n, count = len(centres), len(neighbours)
        if offsets.shape != (n + 1,) or edges.shape != (count, 3):
            raise E3DError(
                f"expected first ({n + 1},) and vectors ({count}, 3) for {n} centres and {count} edges, got "
                f"{offsets.shape} and {edges.shape}"
            )
        if offsets[0] != 0 or offsets[-1] != count or np.any(np.diff(offsets) < 0):
            raise E3DError(f"expected offsets that rise from 0 to {count}, the number of edges")
        if n:
            self.model.prepare([*_different(centres), *_different(neighbours)])
        out = EdgeEnergies(np.empty(n), np.empty(count), np.empty((count, 3)) if forces else None)
        given = _Edges(n, *(a.ctypes.data for a in (offsets, centres, neighbours, edges)))
        wanted = _Energies(
            out.energy.ctypes.data,
            out.edge_energy.ctypes.data,
            None if out.edge_forces is None else out.edge_forces.ctypes.data,
        )
        if library().e3d_engine_evaluate(self._handle, byref(given), byref(wanted)):
            raise _failure()
        return out

    @property
    def bytes(self) -> int:
        """Scratch memory of all threads."""
        return int(library().e3d_engine_evaluator_bytes(self._handle))

    def take_cycles(self) -> dict[str, int]:
        """Processor cycles of each section of the work since the last call; counted from the first on."""
        engine = library()
        names: list[str] = []
        while (name := engine.e3d_engine_section(len(names))) is not None:
            names.append(name.decode())
        cycles = (c_uint64 * len(names))()
        engine.e3d_engine_take_cycles(self._handle, cycles)
        return dict(zip(names, cycles, strict=True))
