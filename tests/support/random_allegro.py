"""Allegro models of random shapes with random weights: all that the native engine says it can express."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from e3d_lmp.model.contract import NATIVE, RESCALED, ModelMetadata
from e3d_lmp.model.decomposition import decompose
from e3d_lmp.model.weights import write_weights

TYPE_NAMES = ("H", "C", "O")


@dataclass(frozen=True)
class Shape:
    """What was drawn, as arguments of ``allegro.model.AllegroModel``."""

    seed: int
    arguments: dict[str, Any]

    def __str__(self) -> str:
        words = (f"{key}={value}" for key, value in self.arguments.items() if key != "type_names")
        return f"seed {self.seed}: {', '.join(words)}"


def draw_shape(seed: int) -> Shape:
    """The shape of a seed; small models, because a random one is as telling as a large one."""
    rng = np.random.default_rng(seed)

    def pick(*choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    def per_type(low: float, high: float) -> Any:
        if rng.random() < 0.5:
            return float(rng.uniform(low, high))
        return {name: float(rng.uniform(low, high)) for name in TYPE_NAMES}

    r_max = float(rng.uniform(3.0, 5.0))
    width = pick(4, 6, 10, 16, 24)
    embed: dict[str, Any] = {
        "_target_": "allegro.nn.TwoBodyBesselScalarEmbed",
        "num_bessels": int(rng.integers(3, 9)),
        "bessel_trainable": pick(False, True),
        "polynomial_cutoff_p": pick(2, 3, 6),
    }
    if rng.random() < 0.3:
        splines = int(rng.integers(4, 12))
        embed = {
            "_target_": "allegro.nn.TwoBodySplineScalarEmbed",
            "num_splines": splines,
            "spline_span": int(rng.integers(2, splines)),
        }
    arguments: dict[str, Any] = {
        "seed": seed,
        "r_max": r_max,
        "type_names": list(TYPE_NAMES),
        "l_max": int(rng.integers(0, 4)),
        "parity": pick(False, True),
        "radial_chemical_embed": embed,
        "num_layers": int(rng.integers(1, 5)),
        "num_scalar_features": width,
        "num_tensor_features": pick(1, 3, 4, 8, 12, 17),
        "tp_path_channel_coupling": pick(False, True),
        "avg_num_neighbors": per_type(5.0, 30.0),
    }
    for name in ("scalar_embed", "allegro", "readout"):
        arguments[f"{name}_mlp_hidden_layers_depth"] = pick(0, 1, 1, 2, 3)
        arguments[f"{name}_mlp_hidden_layers_width"] = pick(4, 7, 12, 16, 20)
        arguments[f"{name}_mlp_nonlinearity"] = pick("silu", "silu", "silu", None)
    if rng.random() < 0.5:
        arguments["radial_chemical_embed_dim"] = 2 * int(rng.integers(2, 10))
    if rng.random() < 0.5:
        arguments["per_type_energy_scales"] = per_type(0.5, 2.0)
    if rng.random() < 0.5:
        arguments["per_type_energy_shifts"] = per_type(-10.0, 0.0)
    if rng.random() < 0.4:
        arguments["per_edge_type_cutoff"] = {
            a: {b: float(rng.uniform(0.6, 1.0)) * r_max for b in TYPE_NAMES} for a in TYPE_NAMES
        }
    if rng.random() < 0.3:
        arguments["pair_potential"] = {
            "_target_": "nequip.nn.pair_potential.ZBL",
            "units": "metal",
            "chemical_species": list(TYPE_NAMES),
            "polynomial_cutoff_p": pick(4.0, 6.0),
        }
    return Shape(seed, arguments)


def build(shape: Shape, dtype: str) -> torch.nn.Module:
    """The eager model of a shape."""
    from allegro.model import AllegroModel
    from nequip.utils.global_state import set_global_state

    set_global_state(allow_tf32=False)
    model = AllegroModel(model_dtype=dtype, **shape.arguments).eval()
    if shape.arguments["radial_chemical_embed"].get("bessel_trainable"):
        rng = np.random.default_rng(shape.seed + 1)
        for name, parameter in model.named_parameters():
            if name.endswith("bessel_weights"):  # as training leaves them: not whole numbers
                with torch.no_grad():
                    parameter += torch.tensor(rng.uniform(-0.2, 0.2, parameter.shape))
    return model


def write_native(model: torch.nn.Module, path: Path) -> Path:
    """A file of the native engine that has not gone through the gate; elements are the names of the types."""
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
