"""One training run in a folder, from its configuration to a trained checkpoint.

The training is a process of its own, nequip-train in `e3d_lmp.training.launch`; this module starts it, shows
how far it is, and passes on what stops it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.files import locked, make_folder, read_json
from e3d_lmp.training.data.database import DATABASE, check_frames
from e3d_lmp.training.paths import CHECKPOINT, TRAINED
from e3d_lmp.training.run_config import changes_of, write_config

PROGRESS = "progress.json"
CONFIG = "config.yaml"
LOG = "train.log"
PARENT = "E3D_TRAIN_PARENT"
"""Environment variable with the process id of `e3d train`, for the training process."""

MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(4 * 1024**3),
    "MALLOC_TRIM_THRESHOLD_": str(8 * 1024**3),
    "MALLOC_TOP_PAD_": str(256 * 1024**2),
}
"""Large tensors come and go at every step: malloc keeps their pages instead of returning them."""

_LOCK_TIMEOUT = 20.0
"""Seconds to wait for a training process whose parent was killed: it writes a checkpoint before it ends."""
_POLL = 0.5
"""Seconds between two looks at the training process."""
_LINE_EVERY = 60.0
"""Seconds between two lines where there is no terminal."""


class Interrupted(BaseException):
    """The training was asked to stop, and has stopped with a checkpoint.

    Parameters
    ----------
    number : of the signal
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that ended by this signal."""
        return 128 + self.number


def train(config: dict[str, Any], folder: Path, label: str = "e3d train") -> Path:
    """Train in `folder`, or go on there; returns the checkpoint. Does nothing where training is done.

    Parameters
    ----------
    config
        Of `run_config.compose`.
    label
        Before the progress bar.

    Raises
    ------
    E3DError
        Another process trains there, the run began with another configuration, or training failed.
    Interrupted
        By SIGINT or SIGTERM, after a checkpoint.
    """
    make_folder(folder)
    with locked(folder, _LOCK_TIMEOUT) as descriptor:
        if descriptor is None:
            raise E3DError(f"another process is training in {folder}; wait for it, or choose another folder")
        if not _has_begun(folder):
            for path in sorted(_databases(config)):
                check_frames(path)
            _forget_first_attempt(config, folder, label)
        write_config(config, folder / CONFIG)
        if not (folder / TRAINED).exists():
            _run(folder, descriptor, label)
    return folder / CHECKPOINT


def _databases(config: Any) -> set[Path]:
    """The databases that a configuration names anywhere: nequip would run what they hold."""
    if isinstance(config, list):
        return set().union(*map(_databases, config))
    if not isinstance(config, dict):
        return set()
    own = {Path(config["file_path"])} if config.get("_target_") == DATABASE else set()
    return own.union(*map(_databases, config.values()))


def has_checkpoint(folder: Path) -> bool:
    """Whether a training in a folder would go on; it would begin anew otherwise."""
    return (folder / CHECKPOINT).exists()


def _has_begun(folder: Path) -> bool:
    """Whether there is something of a run that another configuration must not mix with."""
    made = [folder / TRAINED, *folder.glob("*.nequip.zip")]
    return has_checkpoint(folder) or any(path.exists() for path in made)


def _forget_first_attempt(config: dict[str, Any], folder: Path, label: str) -> None:
    """Let a run begin whose first attempt has left a configuration, perhaps a mistyped one, but no
    checkpoint."""
    changed = changes_of(config, folder / CONFIG)
    if changed:
        said = f"no checkpoint in {folder}: training starts anew with {'; '.join(changed[:3])}"
        print(f"{label}: {said}", file=sys.stderr, flush=True)
        with open(folder / LOG, "a", encoding="utf-8") as log:
            log.write(f"{said}\n")
        (folder / CONFIG).unlink()


def read_progress(folder: Path) -> dict[str, Any]:
    """What the training in a folder last said of itself; {} if nothing yet."""
    try:
        progress = read_json(folder / PROGRESS)
    except (OSError, ValueError):
        return {}
    return progress if isinstance(progress, dict) else {}


def _run(folder: Path, descriptor: int, label: str) -> None:
    run = folder.resolve()
    command = [sys.executable, "-m", "e3d_lmp.training.launch", "-cp", str(run), "-cn", Path(CONFIG).stem]
    command.append(f"hydra.run.dir='{run / 'hydra'}'")
    if has_checkpoint(run):
        command.append(f"++ckpt_path='{run / CHECKPOINT}'")
    else:
        (run / PROGRESS).unlink(missing_ok=True)
    environment = os.environ | MALLOC | {PARENT: str(os.getpid())}
    environment.setdefault("OMP_NUM_THREADS", "1")
    with open(run / LOG, "ab") as log:
        begin = log.tell()
        child = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(descriptor,),
            start_new_session=True,  # a Ctrl-C reaches this process only, which passes it on
        )
        asked = _follow(child, folder, label)
    if (run / TRAINED).exists() and child.returncode == 0:
        return
    if asked:
        raise Interrupted(asked)
    raise E3DError(f"training stopped: {_reason(run / LOG, begin, child.returncode)}; see {run / LOG}")


def _follow(child: subprocess.Popen, folder: Path, label: str) -> int:
    """Wait for the training, show how far it is; returns the signal that this process got, or 0."""
    asked: list[int] = []

    def pass_on(number: int, frame: Any) -> None:
        asked.append(number)
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)

    # Only the main thread may have handlers; elsewhere (a notebook's, say) signals keep their meaning.
    numbers = (signal.SIGINT, signal.SIGTERM)
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, pass_on) for number in numbers} if is_main else {}
    shown = _Progress(folder, label)
    try:
        while child.poll() is None:
            time.sleep(_POLL if asked else _short_sleep(shown))
            shown.update()
    except BaseException:
        child.send_signal(signal.SIGTERM)
        child.wait()
        raise
    finally:
        shown.update()
        shown.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    return asked[0] if asked else 0


def _short_sleep(shown: _Progress) -> float:
    return _POLL if shown.is_begun else 0.1


class _Progress:
    """A bar of steps on a terminal; a line a minute elsewhere."""

    def __init__(self, folder: Path, label: str) -> None:
        from tqdm import tqdm

        self._folder, self._label = folder, label
        self._is_terminal = sys.stderr.isatty()
        self._line_at = time.monotonic()
        self._said: Any = None
        self._bar = tqdm(
            total=100,
            desc=label,
            disable=not self._is_terminal,
            leave=False,
            bar_format="{desc} |{bar}| {percentage:3.0f} % {postfix}",
        )

    @property
    def is_begun(self) -> bool:
        """Whether the training has said anything."""
        return self._said is not None

    def update(self) -> None:
        state = read_progress(self._folder)
        if not state or state == self._said:
            return
        self._said = state
        text = describe(state)
        if self._is_terminal:
            self._bar.n = round(100 * state["progress"], 1)
            self._bar.set_postfix_str(text)
        elif time.monotonic() - self._line_at > _LINE_EVERY:
            print(f"{self._label}: {text}", file=sys.stderr, flush=True)
            self._line_at = time.monotonic()

    def close(self) -> None:
        self._bar.close()


def describe(state: dict[str, Any]) -> str:
    """The state of a run in one line."""
    steps = f"/{state['steps']}" if state.get("steps") else ""
    parts = [f"step {state['step']}{steps}"]
    if state.get("loss") is not None:
        parts.append(f"loss {state['loss']:.4g}")
    left = state.get("minutes_left")
    if left is not None:
        parts.append(f"{_duration(left)} left" if left > 0 else f"{_duration(state['minutes'])} in all")
    return ", ".join(parts)


def _duration(minutes: float) -> str:
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes:.1f} min"


def _reason(log: Path, begin: int, code: int) -> str:
    """The last line that a failed training wrote; or what killed it."""
    if code < 0:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    with open(log, "rb") as stream:
        stream.seek(begin)
        lines = stream.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else f"exit code {code}"
