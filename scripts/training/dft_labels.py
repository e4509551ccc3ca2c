"""Real DFT labels of small molecules, radicals, bonds that break, reaction-like images and dimers, with PySCF.

    python scripts/training/dft_labels.py plan OUT --frames 1500    # the geometries; some minutes
    python scripts/training/dft_labels.py run OUT --jobs 2          # hours; goes on where it was stopped
    python scripts/training/dft_labels.py status OUT
    python scripts/training/dft_labels.py collect OUT -o scripts/training/data/dft_bonds.h5
    python scripts/training/dft_labels.py check OUT                 # atoms, and a gradient against differences

Needs ``pip install pyscf pyscf-dispersion rdkit tblite h5py`` (tblite and RDKit only for the plan). See
docs/dft_labels.md.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from dft_frames import Frame, plan_text, read_plan
from dft_level import Dropped, Label, label_frame

from e3d_lmp.atomic import atomic_path, make_folder
from e3d_lmp.errors import E3DError

PLAN, LABELS = "plan.json", "labels"


def label_file(out: Path, frame: Frame) -> Path:
    """Where the label of a frame is, or the reason why it has none."""
    return out / LABELS / f"{frame.key}.json"


def write_label(out: Path, frame: Frame, labeller: Callable[[Frame], Label] = label_frame) -> str:
    """Label a frame and put it on the disk, whole; returns the reason if it was dropped, else ''."""
    try:
        label, reason = labeller(frame), ""
    except Dropped as dropped:
        label, reason = None, str(dropped)
    except (RuntimeError, ArithmeticError, ValueError) as error:  # LinAlgError is one: of one odd frame
        label, reason = None, f"failed: {type(error).__name__}"
        print(f"{frame.name}: {error}", file=sys.stderr, flush=True)
    row: dict[str, Any] = {"frame": frame.as_dict(), "dropped": reason}
    if label is not None:
        row |= {**vars(label), "gradient": label.gradient.tolist()}
    with atomic_path(label_file(out, frame)) as partial:
        partial.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return reason


def run(out: Path, jobs: int, labeller: Callable[[Frame], Label] = label_frame) -> Counter[str]:
    """Label what is left of the plan, some frames at a time, in its order.

    Each frame is a file as soon as it is done, so whatever stops this, no more than the frames under way is
    lost. Returns how many were labelled ('') and dropped, by reason.

    Raises
    ------
    E3DError
        There is no plan, or a worker was killed.
    """
    frames = planned(out)
    left = [frame for frame in frames if not label_file(out, frame).exists()]
    make_folder(out / LABELS)
    counts: Counter[str] = Counter()
    told = Progress(len(frames), len(left), jobs)
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


def _end_with(parent: int) -> None:
    """A worker ends when its parent was killed, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class Progress:
    """A line for each frame: how many are done, what the last one took, how long the rest will take.

    Parameters
    ----------
    total, left : frames of the plan, and those without a label
    """

    def __init__(self, total: int, left: int, jobs: int) -> None:
        self.total, self.left, self.jobs = total, left, jobs
        self.begun, self.done = time.monotonic(), 0
        print(f"{total - left} of {total} frames are done, {left} are left; {jobs} at a time", flush=True)

    def __call__(self, frame: Frame, reason: str) -> str:
        """Print the line; returns the reason."""
        self.done += 1
        passed = time.monotonic() - self.begun
        rest = passed / self.done * (self.left - self.done)
        print(
            f"{self.total - self.left + self.done}/{self.total} {frame.group}: {frame.name}"
            + (f" DROPPED: {reason}" if reason else "")
            + f"  [{passed / self.done:.0f} s a frame, {rest / 3600.0:.1f} h left]",
            flush=True,
        )
        return reason


def planned(out: Path) -> list[Frame]:
    """The frames of the plan of a folder.

    Raises
    ------
    E3DError
        There is none, or it cannot be read.
    """
    try:
        return read_plan(out / PLAN)
    except FileNotFoundError:
        raise E3DError(f"expected a plan at '{out / PLAN}', there is none; make one: dft_labels.py plan {out}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise E3DError(f"expected a plan at '{out / PLAN}', got: {error}; make it again: dft_labels.py plan {out}") from None


def make_plan(out: Path, frames: int, seed: int) -> None:
    """Write the plan; labels that are there stay, and count where their frames are in it."""
    from dft_plan import plan

    make_folder(out)
    made, _ = plan(frames, seed, lambda line: print(line, flush=True))
    with atomic_path(out / PLAN) as partial:
        partial.write_text(plan_text(made), encoding="utf-8")
    print(f"{len(made)} frames in {out / PLAN}")


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("plan", help="make the geometries")
    one.add_argument("out", type=Path)
    one.add_argument("--frames", type=int, default=1500)
    one.add_argument("--seed", type=int, default=1)
    one = verbs.add_parser("run", help="label them")
    one.add_argument("out", type=Path)
    one.add_argument("--jobs", type=int, default=1, help="frames at a time, each on one core")
    args = parser.parse_args(argv)
    try:
        if args.verb == "plan":
            make_plan(args.out, args.frames, args.seed)
        elif args.verb == "run":
            counts = run(args.out, args.jobs)
            print(f"labelled: {counts.pop('', 0)}; dropped: {dict(counts) or 0}")
    except E3DError as error:
        print(f"dft_labels.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
