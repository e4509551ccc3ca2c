"""Training within a budget of wall-clock time: learning-rate schedule and checkpoints."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import lightning
import torch

PROVENANCE_KEY = "e3d_lmp"
"""Key of a checkpoint (and of the metadata of a package) under which the provenance below is kept."""


class BudgetSchedule(torch.optim.lr_scheduler.LRScheduler):
    """Learning rate that rises linearly, then falls as a half cosine to zero when the budget is spent.

    The budget is wall-clock time, so a slow or busy machine makes fewer steps but still ends with a rate of
    zero. Time between an interruption and the restart from a checkpoint does not count.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    minutes : budget, minutes
    warmup : share of the budget in which the rate rises
    """

    def __init__(self, optimizer: torch.optim.Optimizer, minutes: float, warmup: float = 0.01) -> None:
        if minutes <= 0 or not 0 <= warmup < 1:
            raise ValueError(f"expected minutes > 0 and 0 <= warmup < 1, got {minutes} and {warmup}")
        self.minutes = minutes
        self.warmup = warmup
        self.spent = 0.0
        self._clock = time.monotonic()
        super().__init__(optimizer)

    @property
    def progress(self) -> float:
        """Spent share of the budget, 0 to 1."""
        return min(self.spent / (60.0 * self.minutes), 1.0)

    def get_lr(self) -> list[float]:
        """Rate of each parameter group now."""
        now = time.monotonic()
        self.spent += now - self._clock
        self._clock = now
        if self.progress < self.warmup:
            factor = (self.progress + 1e-3 * self.warmup) / self.warmup
        else:
            factor = 0.5 * (1.0 + math.cos(math.pi * (self.progress - self.warmup) / (1.0 - self.warmup)))
        return [rate * factor for rate in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """State without the clock, which means nothing to another process."""
        return {key: value for key, value in super().state_dict().items() if key != "_clock"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from the time that was spent when `state_dict` was taken."""
        super().load_state_dict(state_dict)
        self._clock = time.monotonic()


class BudgetCheckpoints(lightning.Callback):
    """Write `folder/last.ckpt` every few minutes and at the end, and stop the run when the budget is spent.

    Each checkpoint is written to a temporary name and renamed, and carries `provenance` under the key
    `e3d_lmp`: export reads there that the targets were cohesive energies.

    Parameters
    ----------
    folder : where to write
    every_minutes : between two checkpoints
    provenance : `target` ('E_coh' for cohesive energies), `training_data` (one line)
    """

    def __init__(self, folder: str, every_minutes: float, provenance: dict[str, str]) -> None:
        self.path = Path(folder) / "last.ckpt"
        self.every = 60.0 * every_minutes
        self.provenance = dict(provenance)
        self._clock = time.monotonic()

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the provenance to any checkpoint of this run."""
        checkpoint[PROVENANCE_KEY] = dict(self.provenance)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save when it is time, stop when it is over."""
        if time.monotonic() - self._clock > self.every:
            self._save(trainer)
        schedules = [config.scheduler for config in trainer.lr_scheduler_configs]
        if any(isinstance(item, BudgetSchedule) and item.progress >= 1.0 for item in schedules):
            trainer.should_stop = True

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the end of the run."""
        self._save(trainer)

    def _save(self, trainer: lightning.Trainer) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        trainer.save_checkpoint(temporary)
        os.replace(temporary, self.path)
        self._clock = time.monotonic()
