"""Files of a run; paths of the machine that trained a model, taken out of what is kept of its training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CHECKPOINT = "last.ckpt"
TRAINED = "trained.json"
"""File that says that a run is at its end; written after the last checkpoint."""


def with_names(value: Any, names: Mapping[str, str]) -> Any:
    """`value` with each folder of `names` replaced by its name, in every string of nested lists and
    dictionaries; the longest folder first, because one may lie in the other.
    """
    if isinstance(value, str):
        for folder in sorted(names, key=len, reverse=True):
            value = value.replace(folder, names[folder])
        return value
    if isinstance(value, dict):
        return {key: with_names(item, names) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(with_names(item, names) for item in value)
    return value
