"""`nequip-train` with the exact centre contraction in every model it builds.

    python -m e3d_lmp.training.launch -cp CONFIG_DIR -cn CONFIG_NAME [overrides]

The contraction changes speed only: the model in the checkpoint is made of nequip's and nequip-allegro's
classes alone and can be opened without this package. Use nequip's own `nequip-train` to train without it.
"""

from __future__ import annotations

from typing import Any

import torch
from nequip.scripts.train import main as nequip_train
from nequip.train import NequIPLightningModule

from e3d_lmp.contraction import contract_centres


def main() -> None:
    """Run `nequip-train` on contracted models."""
    stock_build = NequIPLightningModule._build_model

    def build_contracted(self: NequIPLightningModule, config: dict[str, Any]) -> torch.nn.Module:
        return contract_centres(stock_build(self, config))

    NequIPLightningModule._build_model = build_contracted  # this process only
    nequip_train()


if __name__ == "__main__":
    main()
