"""`nequip-train` with the exact centre contraction in every model it builds; the process that `e3d train` starts.

    python -m e3d_lmp.training.launch -cp CONFIG_DIR -cn CONFIG_NAME [overrides] [++ckpt_path=FILE]

The contraction changes speed only: the model in the checkpoint is made of nequip's and nequip-allegro's
classes alone and can be opened without this package. Use nequip's own `nequip-train` to train without it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from nequip.scripts.train import main as nequip_train
from nequip.train import NequIPLightningModule

from e3d_lmp.contraction import contract_centres
from e3d_lmp.training.budget import write_if_finished

PARENT = "E3D_TRAIN_PARENT"
"""Environment variable with the process id of `e3d train`."""

RESUME = "++ckpt_path="
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run `nequip-train` on contracted models."""
    _end_with_parent()
    resumed = [Path(word.removeprefix(RESUME).strip("'")) for word in sys.argv if word.startswith(RESUME)]
    if resumed and write_if_finished(resumed[0]):
        return
    stock_build = NequIPLightningModule._build_model

    def build_contracted(self: NequIPLightningModule, config: dict[str, Any]) -> torch.nn.Module:
        return contract_centres(stock_build(self, config))

    NequIPLightningModule._build_model = build_contracted  # this process only
    nequip_train()


def _end_with_parent() -> None:
    """Stop, with a checkpoint, if `e3d train` is killed: two processes must not train in one folder (Linux)."""
    parent = os.environ.pop(PARENT, "")
    if not parent or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
