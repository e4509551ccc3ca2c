"""Files of the native engine, without the gate: that is tested with the export."""

from __future__ import annotations

from pathlib import Path

import torch

from e3d_lmp.model.contract import NATIVE, RESCALED, ModelMetadata
from e3d_lmp.model.decomposition import decompose
from e3d_lmp.model.weights import write_weights


def write_native(model: torch.nn.Module, path: Path) -> Path:
    """The weights of an eager Allegro model whose types are named as elements; `path` is returned."""
    facts = decompose(model)
    metadata = ModelMetadata(
        type_names=facts.type_names,
        type_elements=facts.type_names,
        r_max=max(facts.cutoffs),
        cutoffs=facts.cutoffs,
        shifts=facts.shifts,
        scales=facts.scales,
        decomposition=RESCALED,
        model_dtype=facts.model_dtype,
        device="any",
        engine=NATIVE,
    )
    write_weights(facts, metadata, path)
    return path
