"""Small nequip models with random weights, one for every feature that the edge energies must survive."""

from __future__ import annotations

import functools
from typing import Any

import torch

TYPE_NAMES = ("H", "C", "O")
R_MAX = 4.0

_SCALED: dict[str, Any] = {
    "avg_num_neighbors": {"H": 5.0, "C": 12.0, "O": 8.0},
    "per_type_energy_scales": {"H": 1.1, "C": 2.0, "O": 0.7},
    "per_type_energy_shifts": {"H": -13.6, "C": -1027.5, "O": -2041.3},
}
_ZBL = {
    "pair_potential": {
        "_target_": "nequip.nn.pair_potential.ZBL",
        "units": "metal",
        "chemical_species": list(TYPE_NAMES),
    }
}
_CUTOFFS = {"per_edge_type_cutoff": {"H": 2.6, "C": {"H": 3.1, "C": 4.0}, "O": {"C": 3.7}}}
_REVERSED = {"per_edge_type_cutoff": {"C": {"H": 2.6, "O": 3.1}, "O": {"H": 2.4}}}

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "scaled": _SCALED,
    "zbl": _ZBL,
    "cutoffs": _CUTOFFS,
    "reversed": _REVERSED,
    "spline": {
        "radial_chemical_embed": {
            "_target_": "allegro.nn.TwoBodySplineScalarEmbed",
            "num_splines": 8,
            "spline_span": 5,
        }
    },
    "everything": _SCALED | _ZBL | _CUTOFFS,
    "metals": {
        "type_names": ["Cu", "Ag"],
        "r_max": 6.5,
        "per_edge_type_cutoff": {"Cu": {"Cu": 6.0, "Ag": 6.2}, "Ag": {"Cu": 6.2}},
    },
}
"""C -> H reaches farther than H -> C in ``cutoffs`` and ``everything``, H -> C in ``reversed``. ``metals``
has the types and cutoffs of `analytic_models.MORSE`."""


@functools.cache
def random_allegro(variant: str = "plain", dtype: str = "float32", seed: int = 17) -> torch.nn.Module:
    """An eager Allegro model of nequip with two layers and l_max 2; not to be changed in place."""
    from allegro.model import AllegroModel
    from nequip.utils.global_state import set_global_state

    set_global_state(allow_tf32=False)
    arguments: dict[str, Any] = {
        "seed": seed,
        "model_dtype": dtype,
        "r_max": R_MAX,
        "type_names": list(TYPE_NAMES),
        "l_max": 2,
        "parity": True,
        "radial_chemical_embed": {"_target_": "allegro.nn.TwoBodyBesselScalarEmbed", "num_bessels": 6},
        "num_layers": 2,
        "num_scalar_features": 8,
        "num_tensor_features": 4,
        "scalar_embed_mlp_hidden_layers_width": 8,
        "allegro_mlp_hidden_layers_width": 8,
        "readout_mlp_hidden_layers_width": 8,
        "avg_num_neighbors": 9.0,
    }
    return AllegroModel(**(arguments | VARIANTS[variant])).eval()


def random_nequip(dtype: str = "float32") -> torch.nn.Module:
    """An eager message-passing model of nequip."""
    from nequip.model import NequIPGNNModel
    from nequip.utils.global_state import set_global_state

    set_global_state(allow_tf32=False)
    return NequIPGNNModel(
        seed=1,
        model_dtype=dtype,
        r_max=R_MAX,
        type_names=list(TYPE_NAMES),
        num_layers=2,
        l_max=1,
        num_features=4,
        avg_num_neighbors=9.0,
    ).eval()
