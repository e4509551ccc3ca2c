"""Model files that torch runs, by the calls of the native engine's `Evaluator`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from e3d_lmp.errors import E3DError
from e3d_lmp.model.contract import AOTINDUCTOR, ModelMetadata
from e3d_lmp.model.engine import EdgeEnergies
from e3d_lmp.model.file import open_model_file
from e3d_lmp.model.slots import call_inputs

BATCH = {"cpu": 256, "cuda": 8192, "xpu": 8192}
"""Centres in one call of the model."""


class TorchEvaluator:
    """Evaluates a ``.nequip.pt2`` or ``.nequip.pth`` file, some centres at a time.

    Parameters
    ----------
    path, metadata
        The file, and what it says about itself.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:K`` or ``xpu``; ``auto``: a GPU where the file and this machine
        allow it.
    threads
        Of torch, for all that it does in this process; None: those that it has.
    batch
        Centres in one call; by device as a default.

    Raises
    ------
    E3DError
        The file does not run on the device, or torch cannot load it.
    """

    def __init__(
        self,
        path: Path,
        metadata: ModelMetadata,
        device: str = "auto",
        threads: int | None = None,
        batch: int | None = None,
    ) -> None:
        self._path, self._metadata = path, metadata
        self.device = _device(path, metadata, device)
        self.batch = batch or BATCH[torch.device(self.device).type]
        self.version = torch.__version__
        if threads is not None:
            torch.set_num_threads(threads)
        self._call = open_model_file(path, self.device)

    def evaluate(
        self,
        first: np.ndarray,
        centre_types: np.ndarray,
        neighbour_types: np.ndarray,
        vectors: np.ndarray,
        forces: bool = True,
    ) -> EdgeEnergies:
        """As `e3d_lmp.model.engine.Evaluator.evaluate`; forces are there in any case.

        Raises
        ------
        E3DError
            The model fails, for example because memory does not suffice.
        """
        n, n_edges = len(centre_types), len(neighbour_types)
        out = EdgeEnergies(np.zeros(n), np.zeros(n_edges), np.zeros((n_edges, 3)))
        assert out.edge_forces is not None
        for begin in range(0, n, self.batch):
            end = min(begin + self.batch, n)
            rows = slice(int(first[begin]), int(first[end]))
            centre = np.repeat(np.arange(end - begin), np.diff(first[begin : end + 1]))
            results = self._run(centre, neighbour_types[rows], vectors[rows], centre_types[begin:end])
            out.energy[begin:end], out.edge_energy[rows], out.edge_forces[rows] = results
        return out

    def _run(
        self, centre: np.ndarray, neighbour_type: np.ndarray, vec: np.ndarray, types: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One call."""
        n, n_edges = len(types), len(centre)
        n_types = len(self._metadata.type_names)
        arrays = call_inputs(centre, neighbour_type, vec, types, n_types, self._metadata.r_max)
        tensors = [torch.from_numpy(array).to(self.device) for array in arrays]
        try:
            atomic, eps, gradient = (tensor.detach().cpu().numpy() for tensor in self._call(*tensors))
        except RuntimeError as error:
            advice = "choose a smaller --batch" if "memory" in str(error) else "try --device cpu"
            raise E3DError(
                f"{self._path}: the model failed on {n} atoms and {n_edges} edges on {self.device} "
                f"({str(error).strip().splitlines()[-1]}); {advice}"
            ) from error
        return atomic[:n, 0], eps[:n_edges, 0], gradient[:n_edges]


def _device(path: Path, model: ModelMetadata, wanted: str) -> str:
    """The device to run on; raises if the file or this machine cannot."""
    kind = wanted.split(":")[0]
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "xpu": torch.xpu.is_available()}
    if model.engine == AOTINDUCTOR and kind not in ("auto", model.device):
        raise E3DError(
            f"{path}: compiled for {model.device}, not for {kind}; use the portable .nequip.pth, or export "
            f"the model with --device {kind}"
        )
    if kind == "auto":
        if model.engine == AOTINDUCTOR:
            wanted = kind = model.device
        else:
            wanted = kind = next(name for name in ("cuda", "xpu", "cpu") if there[name])
    if not there[kind]:
        raise E3DError(
            f"{path}: no {kind} device that this torch ({torch.__version__}) can use; try --device cpu"
        )
    return wanted
