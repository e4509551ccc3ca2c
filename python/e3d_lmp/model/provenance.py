"""What a model file says about its own training.

`nequip-train` keeps its configuration in the checkpoint, and `nequip-package` copies it into the package as
``model/config.yaml``. Our training configurations carry, as an argument of the callback `BudgetCheckpoints`,
a `provenance` with the keys ``target`` ('E_coh' for cohesive energies), ``level`` and ``training_data``. So a
checkpoint and the package made from it answer alike, and no side file can be lost.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import yaml

COHESIVE_TARGET = "E_coh"
_CALLBACK = "e3d_lmp.training.budget.BudgetCheckpoints"


def training_provenance(path: str | Path) -> dict[str, str]:
    """The `provenance` that was given when the model of a checkpoint or package was trained; {} if none was.

    Parameters
    ----------
    path : ``.ckpt`` of nequip-train or ``.nequip.zip`` of nequip-package
    """
    path = Path(path)
    if path.name.endswith(".nequip.zip"):
        config = _package_config(path)
    else:
        import torch

        checkpoint = torch.load(path, map_location="cpu", weights_only=False)
        config = checkpoint.get("hyper_parameters", {}).get("info_dict", {})
    return provenance_of_config(config)


def provenance_of_config(config: dict[str, Any]) -> dict[str, str]:
    """The `provenance` in the configuration of a nequip-train run; {} if there is none."""
    callbacks = (config.get("trainer") or {}).get("callbacks") or []
    for callback in callbacks:
        if isinstance(callback, dict) and callback.get("_target_") == _CALLBACK:
            return {str(key): str(value).strip() for key, value in (callback.get("provenance") or {}).items()}
    return {}


def _package_config(path: Path) -> dict[str, Any]:
    """``model/config.yaml`` of a package; {} if it has none."""
    with zipfile.ZipFile(path) as package:
        names = [name for name in package.namelist() if name.endswith("/model/config.yaml")]
        return yaml.safe_load(package.read(names[0])) if names else {}
