"""Training within a budget of steps or of wall-clock time: learning-rate schedule and checkpoints."""

from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path
from typing import Any

import lightning
import torch

from e3d_lmp.files import write_json
from e3d_lmp.training.paths import CHECKPOINT, TRAINED

PROVENANCE_KEY = "e3d_lmp"
"""Key of a checkpoint (and of the metadata of a package) under which the provenance below is kept."""

_AGREE = 20
"""Steps after which several processes agree on saving and stopping."""


class BudgetSchedule(torch.optim.lr_scheduler.LRScheduler):
    """Learning rate that rises linearly, then falls as a half cosine to zero when the budget is spent.

    A budget of wall-clock time makes fewer steps on a slow or busy machine but still ends with a rate of
    zero; time between an interruption and the restart from a checkpoint does not count. A budget of steps
    gives the same model wherever and whenever it is trained, but for rounding.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
    minutes, steps : budget; one of them, and the other one None
    warmup : share of the budget in which the rate rises
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        minutes: float | None = None,
        warmup: float = 0.01,
        steps: int | None = None,
    ) -> None:
        if (minutes is None) == (steps is None):
            raise ValueError(f"expected a budget of minutes or of steps, got {minutes} and {steps}")
        if (minutes or steps or 0) <= 0 or not 0 <= warmup < 1:
            raise ValueError(
                f"expected minutes > 0 or steps > 0 and 0 <= warmup < 1, got {minutes}, {steps} and {warmup}"
            )
        self.minutes = minutes
        self.steps = steps
        self.warmup = warmup
        self.spent = 0.0
        self._clock = time.monotonic()
        super().__init__(optimizer)

    @property
    def progress(self) -> float:
        """Spent share of the budget, 0 to 1."""
        if self.steps is not None:
            return min(self.last_epoch / self.steps, 1.0)
        assert self.minutes is not None
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


def schedule_of(trainer: lightning.Trainer) -> BudgetSchedule | None:
    """The schedule of a trainer, if it has one of ours."""
    schedules = [config.scheduler for config in trainer.lr_scheduler_configs]
    return next((item for item in schedules if isinstance(item, BudgetSchedule)), None)


def write_if_finished(checkpoint: Path) -> bool:
    """Whether a checkpoint is at the end of its budget; if so, write the file that says it.

    A run that was killed between its last checkpoint and that file must not go on.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    for schedule in state["lr_schedulers"]:
        steps, minutes, spent = schedule.get("steps"), schedule.get("minutes"), schedule.get("spent", 0.0)
        if (steps and state["global_step"] >= steps) or (minutes and spent >= 60.0 * minutes):
            _write_end(checkpoint.with_name(TRAINED), state["global_step"], spent)
            return True
    return False


def _write_end(path: Path, steps: int, seconds: float) -> None:
    write_json(path, {"steps": steps, "minutes": seconds / 60.0}, indent=None)


class BudgetCheckpoints(lightning.Callback):
    """Write `folder/last.ckpt` every few minutes, at the end, and when the process is asked to stop.

    Each checkpoint is written to a temporary name and renamed, and carries `provenance` under the key
    `e3d_lmp`: export reads there that the targets were cohesive energies. SIGTERM and SIGINT end the run
    after the step that is under way, with a checkpoint; the exit code is then 128 plus the number of the
    signal. A run that comes to the end of its budget also leaves `folder/trained.json`.

    Parameters
    ----------
    folder : where to write
    every_minutes : between two checkpoints
    provenance : `target` ('E_coh' for cohesive energies), `training_data` (one line)
    """

    def __init__(self, folder: str, every_minutes: float, provenance: dict[str, str]) -> None:
        self.path = Path(folder) / CHECKPOINT
        self.every = 60.0 * every_minutes
        self.provenance = dict(provenance)
        self._clock = time.monotonic()
        self._signal = 0

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add the provenance to any checkpoint of this run."""
        checkpoint[PROVENANCE_KEY] = dict(self.provenance)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """From now on signals wait for the end of a step."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save when it is time, stop when it is over or when asked to."""
        schedule = schedule_of(trainer)
        over = schedule is not None and schedule.progress >= 1.0
        number, is_time, over = self._agreed(
            trainer, (self._signal, time.monotonic() - self._clock > self.every, over)
        )
        if number or is_time:
            self._save(trainer)
        if number:
            raise SystemExit(128 + number)
        if over:
            trainer.should_stop = True

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save the end of the run."""
        self._save(trainer)
        schedule = schedule_of(trainer)
        if trainer.is_global_zero:
            spent = 0.0 if schedule is None else schedule.spent
            _write_end(self.path.with_name(TRAINED), trainer.global_step, spent)

    def _note(self, number: int, frame: Any) -> None:
        self._signal = number

    @staticmethod
    def _agreed(trainer: lightning.Trainer, wish: tuple[int, bool, bool]) -> tuple[int, bool, bool]:
        """What the first process wishes: saving is done by all together."""
        if trainer.world_size == 1:
            return wish
        if trainer.global_step % _AGREE:
            return 0, False, False
        return tuple(trainer.strategy.broadcast(wish))

    def _save(self, trainer: lightning.Trainer) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            os.replace(temporary, self.path)
        self._clock = time.monotonic()
