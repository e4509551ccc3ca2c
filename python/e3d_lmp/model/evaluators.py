"""Opening whatever holds a model, for evaluation: files of the native engine, of torch, and of nequip."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.extras import needs_train
from e3d_lmp.model.contract import NATIVE, SOURCE_ENDINGS, ModelMetadata
from e3d_lmp.model.engine import EdgeEnergies, EngineModel, Evaluator, default_threads

DEVICES = ("auto", "cpu", "cuda", "xpu")


class AnyEvaluator(Protocol):
    """What `e3d_lmp.model.engine.Evaluator` and `e3d_lmp.model.torch_evaluator.TorchEvaluator` have in
    common."""

    def evaluate(
        self,
        first: np.ndarray,
        centre_types: np.ndarray,
        neighbour_types: np.ndarray,
        vectors: np.ndarray,
        forces: bool = True,
    ) -> EdgeEnergies:
        """As `e3d_lmp.model.engine.Evaluator.evaluate`."""


@contextlib.contextmanager
def as_model_file(path: str | Path) -> Iterator[Path]:
    """The model file itself; of a nequip package or checkpoint one that is exported for the block alone: of
    the native engine, or, where that cannot express the model, of torch, which is said.

    Raises
    ------
    E3DError
        The export fails, or torch is not there.
    """
    path = Path(path)
    if not path.name.endswith(SOURCE_ENDINGS):
        yield path
        return
    with needs_train(f"'{path.name}' is a model of nequip, which torch has to export"):
        from e3d_lmp.model.export import export_model
        from e3d_lmp.model.weights import NotExpressible
    with tempfile.TemporaryDirectory(prefix="e3d-") as folder:
        try:
            file = export_model(path, Path(folder) / "model.safetensors").path
        except NotExpressible as error:
            print(f"e3d: warning: '{path}': {error.what}; torch runs it", file=sys.stderr)
            file = export_model(path, Path(folder) / "model.nequip.pth").path
        yield file


def open_evaluator(
    path: Path,
    metadata: ModelMetadata,
    *,
    device: str = "auto",
    threads: int | None = None,
    precision: str | None = None,
    batch: int | None = None,
) -> tuple[AnyEvaluator, str]:
    """The evaluator of a model file, and the device that it runs on.

    Parameters
    ----------
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:K`` or ``xpu``; only torch knows others than the CPU.
    threads
        By default those of `default_threads`.
    precision
        ``float32`` or ``float64``, for the native engine; None: that of the file.
    batch
        Centres in one call, for torch.

    Raises
    ------
    E3DError
        As `EngineModel` and `TorchEvaluator` do, or torch is not there.
    """
    if device.split(":")[0] not in DEVICES:
        raise E3DError(f"--device {device}: expected auto, cpu, cuda, cuda:K or xpu")
    if threads is not None and threads < 1:
        raise E3DError(f"--threads {threads}: expected a whole number of at least 1")
    if metadata.engine == NATIVE:
        if device not in ("auto", "cpu"):
            raise E3DError(
                f"{path}: the native engine runs on CPUs, not on {device}; leave --device out, or export the "
                f"model to a .nequip.pt2 with --device {device.split(':')[0]}"
            )
        return Evaluator(EngineModel(path, precision), threads or default_threads()), "cpu"
    if precision not in (None, metadata.model_dtype):
        raise E3DError(
            f"{path}: computes in {metadata.model_dtype}, not in {precision}; export the model with --dtype "
            f"{precision}, or to a .safetensors, which does either"
        )
    with needs_train(f"'{path.name}' is run by torch"):
        from e3d_lmp.model.torch_evaluator import TorchEvaluator
    evaluator = TorchEvaluator(path, metadata, device, threads, batch)
    return evaluator, evaluator.device
