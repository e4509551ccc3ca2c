"""A plan of frames, labelled by several processes, each frame on the disk as soon as it is done."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from label_frames import Dropped, Frame, Label, Labeller, plan_text, read_plan

from e3d_lmp.errors import E3DError
from e3d_lmp.files import locked, make_folder, write_json, write_text

PLAN, LABELS = "plan.json", "labels"
NEAR, TOGETHER = 500, 1000
"""Frames that may change their order, and atoms of a call, where frames are labelled together."""
OF_A_FRAME = (RuntimeError, ArithmeticError, ValueError)
"""Errors that one odd frame may make; LinAlgError is a ValueError."""


def write_plan(out: Path, frames: Sequence[Frame]) -> None:
    """Write the plan of a folder; labels that are there stay, and count where their frames are in it."""
    make_folder(out)
    write_text(out / PLAN, plan_text(frames))
    print(f"{len(frames)} frames in {out / PLAN}")


def planned(out: Path) -> list[Frame]:
    """The frames of the plan of a folder.

    Raises
    ------
    E3DError
        There is none, or it cannot be read.
    """
    try:
        return read_plan(out / PLAN)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise E3DError(
            f"expected a plan at '{out / PLAN}', got: {error}; make it first (see --help)"
        ) from None


def label_file(out: Path, frame: Frame) -> Path:
    """Where the label of a frame is, or the reason why it has none."""
    return out / LABELS / f"{frame.key}.json"


def write_label(out: Path, frame: Frame, labeller: Labeller) -> str:
    """Label a frame and put it on the disk, whole; returns the reason if it was dropped, else ''."""
    try:
        made: Label | Dropped = labeller.label(frame)
    except Dropped as reason:
        made = reason
    except OF_A_FRAME as error:
        made = Dropped(f"failed: {type(error).__name__}")
        print(f"{frame.name}: {error}", file=sys.stderr, flush=True)
    return _write(out, frame, labeller, made)


def _write(out: Path, frame: Frame, labeller: Labeller, made: Label | Dropped) -> str:
    row: dict[str, Any] = {"frame": frame.as_dict(), "dropped": "", "made_with": dict(labeller.made_with)}
    if isinstance(made, Dropped):
        row["dropped"] = str(made)
    else:
        row |= {**vars(made), "gradient": made.gradient.tolist()}
    write_json(label_file(out, frame), row, indent=None)
    return row["dropped"]


def run(out: Path, labeller: Labeller, jobs: int) -> Counter[str]:
    """Label what is left of the plan, some frames at a time, in its order.

    Each frame is a file as soon as it is done, so whatever stops this, no more than the frames under way is
    lost. Returns how many were labelled ('') and dropped, by reason.

    Raises
    ------
    E3DError
        There is no plan, another process is at work in the folder, or a worker was killed.
    """
    frames = planned(out)
    with alone_in(out):
        return _run(out, frames, labeller, jobs)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder; `E3DError` where one is at work in it."""
    with locked(folder) as lock:
        if lock is None:
            raise E3DError(
                f"expected '{folder}' for this run alone, another one is at work in it; wait or stop that"
            )
        yield


def _run(out: Path, frames: Sequence[Frame], labeller: Labeller, jobs: int) -> Counter[str]:
    left = [frame for frame in frames if not label_file(out, frame).exists()]
    make_folder(out / LABELS)
    counts: Counter[str] = Counter()
    told = Progress(len(frames), len(left), jobs)
    if labeller.many is not None:
        for members in _alike(left):
            try:
                made = labeller.many(members)
            except OF_A_FRAME:  # of one of them: each by itself
                for frame in members:
                    counts[told(frame, write_label(out, frame, labeller))] += 1
                continue
            for frame, one in zip(members, made, strict=True):
                counts[told(frame, _write(out, frame, labeller, one))] += 1
        return counts
    if jobs == 1:
        for frame in left:
            counts[told(frame, write_label(out, frame, labeller))] += 1
        return counts
    with ProcessPoolExecutor(jobs, initializer=_end_with, initargs=(os.getpid(),)) as pool:
        named = {pool.submit(write_label, out, frame, labeller): frame for frame in left}
        try:
            for future in as_completed(named):
                counts[told(named[future], future.result())] += 1
        except BrokenProcessPool:
            raise E3DError("a worker was killed, perhaps for its memory; the same command goes on") from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return counts


def _alike(frames: Sequence[Frame]) -> Iterator[Sequence[Frame]]:
    """The frames in parts of one number of atoms, nearly in their order."""
    for begin in range(0, len(frames), NEAR):
        sizes: dict[int, list[Frame]] = {}
        for frame in frames[begin : begin + NEAR]:
            sizes.setdefault(len(frame.symbols), []).append(frame)
        for size, members in sizes.items():
            step = max(1, TOGETHER // size)
            yield from (members[k : k + step] for k in range(0, len(members), step))


def _end_with(parent: int) -> None:
    """A worker ends when its parent was killed, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Progress:
    """Lines for frames, at most one a second: how many are done, what one takes, how long the rest will take.
    A dropped frame always has its line, and so has the last.

    Parameters
    ----------
    total, left : frames of the plan, and those without a label
    """

    def __init__(self, total: int, left: int, jobs: int) -> None:
        self.total, self.left = total, left
        self.begun, self.done = time.monotonic(), 0
        self.told = self.begun - 1.0
        print(f"{total - left} of {total} frames are done, {left} are left; {jobs} at a time", flush=True)

    def __call__(self, frame: Frame, reason: str) -> str:
        """Print the line; returns the reason."""
        self.done += 1
        now = time.monotonic()
        if not reason and self.done < self.left and now - self.told < 1.0:
            return reason
        self.told = now
        pace = (now - self.begun) / self.done
        print(
            f"{self.total - self.left + self.done}/{self.total} {frame.group}: {frame.name}"
            + (f" DROPPED: {reason}" if reason else "")
            + f"  [{pace:.3g} s a frame, {pace * (self.left - self.done) / 60.0:.0f} min left]",
            flush=True,
        )
        return reason
