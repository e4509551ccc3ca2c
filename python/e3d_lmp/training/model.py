"""Allegro under the E3D protocol: nothing but a plain sum over edges carries energy.

The protocol: per-type scales 1 and shifts 0, one average number of neighbours for all types, no pair
potential. Then the cohesive energy is the sum of the edge energies, whose one constant factor, 1/sqrt(2 n),
is folded at export, and ε_ij are shares of E_coh. Everything else about the model is free.

`allegro_config` gives the model as nequip-allegro's own builder and its arguments. `e3d train` writes these
to the configuration of a run, so that checkpoints and packages can be opened without this package.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from e3d_lmp.errors import E3DError

BUILDER = "allegro.model.AllegroModel"
OUR_BUILDER = "e3d_lmp.training.model.E3DAllegroModel"

_FIXED: dict[str, Any] = {
    "per_type_energy_scales": 1.0,
    "per_type_energy_shifts": 0.0,
    "per_type_energy_scales_trainable": False,
    "per_type_energy_shifts_trainable": False,
    "pair_potential": None,
}
"""Arguments of the builder that the protocol fixes."""


def allegro_config(
    *,
    type_names: Sequence[str],
    avg_num_neighbors: float,
    tensor_features: int = 32,
    l_max: int = 2,
    num_layers: int = 2,
    r_max: float = 5.2,
    seed: int = 1,
    model_dtype: str = "float32",
    compile: bool = False,
    **more: Any,
) -> dict[str, Any]:
    """Builder and arguments of an Allegro model under the protocol, as a nequip configuration has them.

    Parameters
    ----------
    type_names : chemical symbols
    avg_num_neighbors : mean number of edges of an atom of the training set; one number
    tensor_features : channels of the tensors; scalars have twice as many
    l_max : highest order of the spherical harmonics
    r_max : cutoff, angstrom
    compile : train with torch.compile
    more : other arguments of ``allegro.model.AllegroModel``, which replace those of this function

    Raises
    ------
    E3DError
        An argument breaks the protocol.
    """
    scalars = 2 * tensor_features
    config = {
        "_target_": BUILDER,
        "seed": seed,
        "model_dtype": model_dtype,
        "compile_mode": "compile" if compile else "eager",
        "type_names": list(type_names),
        "r_max": r_max,
        "l_max": l_max,
        "parity": True,
        "radial_chemical_embed": {
            "_target_": "allegro.nn.TwoBodyBesselScalarEmbed",
            "num_bessels": 8,
            "bessel_trainable": False,
            "polynomial_cutoff_p": 6,
        },
        "radial_chemical_embed_dim": scalars,
        "scalar_embed_mlp_hidden_layers_depth": 1,
        "scalar_embed_mlp_hidden_layers_width": scalars,
        "scalar_embed_mlp_nonlinearity": "silu",
        "num_layers": num_layers,
        "num_scalar_features": scalars,
        "num_tensor_features": tensor_features,
        "allegro_mlp_hidden_layers_depth": 1,
        "allegro_mlp_hidden_layers_width": scalars,
        "allegro_mlp_nonlinearity": "silu",
        "tp_path_channel_coupling": True,
        "readout_mlp_hidden_layers_depth": 1,
        "readout_mlp_hidden_layers_width": max(tensor_features, 4),
        "readout_mlp_nonlinearity": "silu",
        "avg_num_neighbors": avg_num_neighbors,
        **{key: value for key, value in _FIXED.items() if key.endswith(("scales", "shifts"))},
        **more,
    }
    check_protocol(config)
    return config


def resolve_model(config: Mapping[str, Any]) -> dict[str, Any]:
    """The model of a configuration as nequip-allegro's own builder, checked for the protocol.

    Raises
    ------
    E3DError
        It is another model, or it breaks the protocol.
    """
    if config.get("_target_") != OUR_BUILDER:
        check_protocol(config)
        return dict(config)
    arguments = {key: value for key, value in config.items() if key != "_target_"}
    try:
        return allegro_config(**arguments)
    except TypeError as error:
        raise E3DError(f"training_module.model: {error}; see {OUR_BUILDER}") from None


def check_protocol(config: Mapping[str, Any]) -> None:
    """Check the model of a nequip configuration.

    Raises
    ------
    E3DError
        It is no Allegro model, or its energy would not be a plain sum over edges.
    """
    builder = config.get("_target_")
    if builder != BUILDER:
        raise E3DError(
            f"training_module.model: expected the builder {OUR_BUILDER} or {BUILDER}, got {builder}; edge "
            "energies need a strictly local model"
        )
    for key, wanted in _FIXED.items():
        if key in ("per_type_energy_scales", "per_type_energy_shifts"):
            if all(value == wanted for value in _numbers(config.get(key))):
                continue
        elif config.get(key, wanted) in (wanted, None):
            continue
        raise E3DError(
            f"the E3D protocol wants {key} = {wanted}, got {config.get(key)}: other values put energy on "
            "atoms or scale it by type, so that edge energies are no bond energies; leave it out, or train "
            "with nequip-train itself"
        )
    neighbours = config.get("avg_num_neighbors")
    if isinstance(neighbours, bool) or not isinstance(neighbours, (int, float)):
        raise E3DError(
            f"the E3D protocol wants one avg_num_neighbors for all types, got {neighbours}; take the mean "
            "over all atoms, which 'e3d data prepare' wrote into manifest.json"
        )
    if not (math.isfinite(neighbours) and neighbours > 0):
        raise E3DError(f"expected avg_num_neighbors > 0, got {neighbours}")


def _numbers(value: Any) -> list[Any]:
    """The values of a number, a list or a dictionary; [None] for nothing, which is not what is wanted."""
    if isinstance(value, Mapping):
        return list(value.values()) or [None]
    if isinstance(value, (list, tuple)):
        return list(value) or [None]
    return [value]


def E3DAllegroModel(**arguments: Any) -> Any:
    """The model of `allegro_config`, for configurations that are given to nequip-train itself; named as
    nequip's own builders are.

    Raises
    ------
    E3DError
        An argument breaks the protocol.
    """
    from allegro.model import AllegroModel

    config = allegro_config(**arguments)
    del config["_target_"]
    return AllegroModel(**config)
