"""The weights with which a training begins: those of a model of the same architecture."""

from __future__ import annotations

import torch

from e3d_lmp.errors import E3DError


def weights_of(start: torch.nn.Module, like: torch.nn.Module, name: str) -> dict[str, torch.Tensor]:
    """The weights of an eager nequip model for another one of the same architecture.

    Parameters
    ----------
    start : of `e3d_lmp.model.export.load_model`
    like : the model that is to have them
    name : of the first one, for messages

    Raises
    ------
    E3DError
        The architecture, the types or the cutoff are others.
    """
    weights, wanted = start.state_dict(), like.state_dict()
    other = [key for key in wanted if key not in weights or weights[key].shape != wanted[key].shape]
    if other or len(weights) != len(wanted):
        raise E3DError(
            f"{name} has another architecture ({', '.join(other[:3]) or 'more weights'}); begin with a model "
            "of the same tensor features, l_max, layers and types"
        )
    for key, what in (("type_names", "types"), ("r_max", "cutoff")):
        theirs, ours = _metadata(start)[key], _metadata(like)[key]
        if theirs != ours:
            raise E3DError(
                f"expected a model with the {what} {ours} to begin with, {name} has {theirs}; begin with "
                "another one, or prepare the data as it wants them"
            )
    return weights


def _metadata(model: torch.nn.Module) -> dict[str, str]:
    modules = model["sole_model"] if isinstance(model, torch.nn.ModuleDict) else model
    return modules.metadata
