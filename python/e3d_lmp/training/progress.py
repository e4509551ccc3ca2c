"""How far a training run is, in a small file that other processes may read at any time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning

from e3d_lmp.files import write_json
from e3d_lmp.training.budget import schedule_of

EVERY = 2.0
"""Seconds between two writes."""


class ProgressFile(lightning.Callback):
    """Keep a json file of the state of a run.

    Its keys: ``step``, ``steps`` (null for a budget of minutes), ``progress`` (0 to 1), ``loss`` (mean since
    the last write), ``minutes`` (of training, over all restarts), ``minutes_left``, ``validation`` (the
    newest metrics).

    Parameters
    ----------
    path : file, written whole
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._clock = -EVERY
        self._loss: Any = 0.0
        self._batches = 0
        self._start: tuple[float, float] | None = None

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Add the loss of the batch; write when it is time."""
        self._loss = self._loss + outputs["loss"].detach() / trainer.world_size
        self._batches += 1
        if time.monotonic() - self._clock > EVERY:
            self._write(trainer)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write where the run ended."""
        self._write(trainer)

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Write where it stopped."""
        self._write(trainer)

    def _write(self, trainer: lightning.Trainer) -> None:
        schedule = schedule_of(trainer)
        if not trainer.is_global_zero or schedule is None:
            return
        minutes, progress = schedule.spent / 60.0, schedule.progress
        if self._start is None:
            self._start = (minutes, progress)
        # The speed of this process: an earlier one may have had another machine.
        since, done = minutes - self._start[0], progress - self._start[1]
        state = {
            "step": trainer.global_step,
            "steps": schedule.steps,
            "progress": progress,
            "loss": float(self._loss) / self._batches if self._batches else None,
            "minutes": minutes,
            "minutes_left": (1.0 - progress) * since / done if done > 0.0 else None,
            "validation": {
                name: float(value)
                for name, value in trainer.callback_metrics.items()
                if name.startswith("val")
            },
        }
        write_json(self.path, state)
        self._clock, self._loss, self._batches = time.monotonic(), 0.0, 0
