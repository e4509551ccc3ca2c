"""Prepared data of forty structures, a tiny model, and training processes that are killed at a given step."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import lightning
import yaml

from e3d_lmp.data.isolated_atoms import SPICE_LEVEL
from e3d_lmp.data.prepare import prepare
from e3d_lmp.data.recipe import parse_recipe
from training_sets import ORGANIC, write_spice

FRAMES, BATCH = 40, 4
TWO_EPOCHS = 2 * FRAMES // BATCH


def prepare_forty(folder: Path) -> Path:
    """Make folder/data with forty frames to train with; returns it."""
    write_spice(folder / "a.hdf5", ORGANIC, frames=5)
    frames = {"small": {"train": 5, "val": 2, "test": 3}}
    recipe = {
        "elements": ["H", "C", "N", "O"],
        "r_max": 4.0,
        "seed": 11,
        "fractions": {"val": 0.1, "test": 0.2},
        "sources": [{"file": "a.hdf5", "layout": "spice", "level": SPICE_LEVEL, "frames": frames}],
    }
    prepare(parse_recipe(recipe, folder), folder / "data")
    return folder / "data"


def write_tiny_config(folder: Path) -> Path:
    """A configuration of a tiny model whose run folders may hold a file ``kill``, see `KillOnce`."""
    path = folder / "tiny.yaml"
    tiny: dict[str, Any] = {
        "defaults": ["e3d", "_self_"],
        "tensor": 4,
        "l_max": 1,
        "num_layers": 1,
        "batch": BATCH,
        "learning_rate": 0.02,
        "checkpoint_minutes": 0.0,  # after every step
        "val_every": 7,
        "trainer": {"callbacks": [
            {"_target_": "e3d_lmp.training.budget.BudgetCheckpoints", "folder": "${folder}",
             "every_minutes": "${checkpoint_minutes}",
             "provenance": {"target": "${target}", "level": "${level}", "training_data": "${training_data}"}},
            {"_target_": "e3d_lmp.training.progress.ProgressFile", "path": "${folder}/progress.json"},
            {"_target_": "training_runs.KillOnce", "folder": "${folder}"},
        ]},
    }  # fmt: skip
    path.write_text(yaml.safe_dump(tiny, sort_keys=False))
    return path


def kill_at(folder: Path, step: int, number: int) -> None:
    """Let the next training in a run folder be killed at a step: by SIGKILL itself, or by another signal to
    the process that started it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kill").write_text(f"{step} {int(number)}")


class KillOnce(lightning.Callback):
    """Does what `kill_at` asked for, once."""

    def __init__(self, folder: str) -> None:
        self.path = Path(folder) / "kill"

    def on_train_batch_end(self, trainer: Any, *others: Any) -> None:
        if not self.path.exists():
            return
        step, number = map(int, self.path.read_text().split())
        if trainer.global_step != step:
            return
        self.path.unlink()
        if number == signal.SIGKILL:
            os.kill(os.getpid(), number)
        os.kill(os.getppid(), number)
        time.sleep(1.0)  # it is passed on to us
