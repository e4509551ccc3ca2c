"""Prepared data of forty structures, a tiny model, its training, and trainings that are killed at a given
step."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import lightning
import pytest
import torch
import yaml

from e3d_lmp.edges.isolated_atoms import SPICE_LEVEL
from e3d_lmp.training import launch
from e3d_lmp.training.data.prepare import prepare
from e3d_lmp.training.data.recipe import parse_recipe
from e3d_lmp.training.finish import package_and_export
from e3d_lmp.training.run import train
from e3d_lmp.training.run_config import Options, compose, read_data
from training_sets import ORGANIC, write_spice

FRAMES, BATCH = 40, 4
TWO_EPOCHS = 2 * FRAMES // BATCH


@functools.cache
def prepared_forty(base: Path) -> Path:
    """The folder `base`/forty with ``data`` of forty-five frames to train with, and ``tiny.yaml``; made
    once."""
    folder = base / "forty"
    folder.mkdir()
    write_spice(folder / "a.hdf5", ORGANIC, frames=5)
    frames = {"small": {"train": 5, "val": 2, "test": 3}}
    recipe = {
        "elements": ["H", "C", "N", "O"],
        "r_max": 4.0,
        "seed": 11,
        "fractions": {"val": 0.1, "test": 0.2},
        "sources": [
            {"file": str(folder / "a.hdf5"), "layout": "spice", "level": SPICE_LEVEL, "frames": frames}
        ],
    }
    prepare(parse_recipe(recipe, folder), folder / "data")
    _write_tiny_config(folder)
    return folder


@functools.cache
def trained_forty(base: Path) -> Path:
    """A run there of two epochs of forty frames, packaged and exported with the name ``tiny``; made once."""
    folder = prepared_forty(base)
    data, run = read_data(folder / "data"), folder / "calm"
    config = compose(str(folder / "tiny.yaml"), data, run, Options(steps=TWO_EPOCHS, frames=FRAMES))
    with forked_trainings():
        train(config, run)
    package_and_export(run, data, "tiny")
    return run


def _write_tiny_config(folder: Path) -> None:
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


@contextlib.contextmanager
def forked_trainings() -> Iterator[None]:
    """Within it trainings are forks of this process, which has imported what they need, and not processes of
    their own; the command is the same."""
    with pytest.MonkeyPatch.context() as patch:
        stand_in = SimpleNamespace(
            Popen=_ForkedTraining, DEVNULL=subprocess.DEVNULL, STDOUT=subprocess.STDOUT
        )
        patch.setattr("e3d_lmp.training.run.subprocess", stand_in)
        yield


class _ForkedTraining:
    """What `e3d_lmp.training.run` needs of a ``subprocess.Popen``."""

    def __init__(self, command: Sequence[str], env: dict[str, str], stdout: TextIO, **_: Any) -> None:
        assert list(command[1:3]) == ["-m", launch.__name__]
        context = multiprocessing.get_context("fork")
        self._process = context.Process(target=_launch, args=(command[2:], env, stdout.fileno()))
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> None:
        self._process.join()

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)


def _launch(words: list[str], environment: dict[str, str], log: int) -> None:
    os.setsid()
    for number in (1, 2):
        os.dup2(log, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(1)  # the threads of the parent are not there
    sys.argv = list(words)
    launch.main()


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
