"""The extra ``train``: packages that only training and the export of models need."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec

from e3d_lmp.errors import E3DError

TRAIN = ("torch", "nequip", "allegro", "e3nn", "lightning", "hydra", "omegaconf", "lmdb")
"""Modules of the packages of the extra."""
INSTALL_TRAIN = 'pip install "e3d-lmp[train]"'


def is_of_train(error: ModuleNotFoundError) -> bool:
    """Whether the module that is missing is one of them."""
    return (error.name or "").split(".")[0] in TRAIN


@contextlib.contextmanager
def needs_train(what: str) -> Iterator[None]:
    """A block of imports; a missing package of the extra becomes an `E3DError` that says how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not is_of_train(error):
            raise
        name = str(error.name).split(".")[0]
        raise E3DError(f"{what}, and {name} is not installed; type: {INSTALL_TRAIN}") from None


def require_train(what: str) -> None:
    """Before long work: `E3DError`, as `needs_train` has it, if a package of the extra is missing."""
    with needs_train(what):
        for name in TRAIN:
            if find_spec(name) is None:
                raise ModuleNotFoundError(f"No module named '{name}'", name=name)
