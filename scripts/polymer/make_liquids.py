"""Liquids of n-alkanes with GFN1-xTB labels, for the study of extrapolation (docs/polymer.md).

    python scripts/polymer/make_liquids.py FOLDER [--frames 300] [--lengths 1-8] [--jobs 1]
    python scripts/polymer/make_liquids.py FOLDER --collect scripts/polymer/data/alkane_liquids.extxyz.gz
    python scripts/polymer/make_liquids.py NEW --from scripts/polymer/data/alkane_liquids.extxyz.gz

samples every liquid with its force field in LAMMPS at constant volume (``alkanes.yaml``: boxes, densities,
parameters and their sources) and labels each frame at once with GFN1-xTB: the periodic frame, and each of its
molecules by itself. Lengths take turns, so that what is there at any time is a balanced set. Repeat the
command to go on after a kill, which costs the frame under way only, or with more frames; where the folder is
lost, `--from` goes on from a file that was collected. Needs `lmp` and `pip install tblite`.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import labels
import numpy as np
from alkanes import Liquid, liquids, n_alkane
from collect import collect, unpack
from sampling import State, advance, drawn_velocities, equilibrium_density, into_box, prepare

from e3d_lmp.files import atomic_path, locked, make_folder

DECIMALS = 5
"""Positions are rounded to 1e-5 angstrom before they are labelled, so that a text file holds exactly the
geometry that the labels belong to."""

PACE = 32
"""Frames that the time that is left is estimated from; the first ones of a replica take much longer."""

Label = Callable[[Sequence[str], np.ndarray, float], labels.Labels]


def frame_path(folder: Path, liquid: Liquid, index: int) -> Path:
    """File of a frame."""
    return folder / f"n{liquid.carbons:02d}" / f"frame_{index:05d}.npz"


def make_frame(folder: Path, liquid: Liquid, index: int, label: Label = labels.label) -> tuple[float, float]:
    """Sample and label a frame, and write its file; returns the seconds of both.

    A frame goes on from the last one of its replica, which must be there, or from the prepared box.
    """
    begin = time.monotonic()
    replica = index % liquid.replicas
    seed = 1 + replica + 1000 * liquid.carbons + 100000 * (index // liquid.replicas)
    if index < liquid.replicas:
        state = _prepared(folder, liquid, replica, seed)
    else:
        with np.load(frame_path(folder, liquid, index - liquid.replicas)) as last:
            known = "velocities" in last  # not where the frame comes from a collected file
            velocities = last["velocities"] if known else drawn_velocities(liquid, seed)
            state = State(last["positions"], velocities)
        state = advance(liquid, state, liquid.spacing, seed)
    positions = np.round(into_box(state.positions, liquid.box), DECIMALS)
    check_whole(liquid, positions)
    sampled = time.monotonic()
    found = label(n_alkane(liquid.carbons).symbols, positions, liquid.box)
    with atomic_path(frame_path(folder, liquid, index)) as partial:
        np.savez_compressed(
            partial,
            positions=positions,
            velocities=state.velocities,
            box=liquid.box,
            energy=found.energy,
            forces=found.forces,
            molecule_energies=found.molecule_energies,
            molecule_forces=found.molecule_forces,
        )
    return sampled - begin, time.monotonic() - sampled


def _prepared(folder: Path, liquid: Liquid, replica: int, seed: int) -> State:
    """The box of a replica before its first frame; kept, because it takes as long as many frames."""
    path = folder / f"n{liquid.carbons:02d}" / f"start_{replica}.npz"
    if not path.exists():
        state = prepare(liquid, seed)
        with atomic_path(path) as partial:
            np.savez_compressed(partial, positions=state.positions, velocities=state.velocities)
    with np.load(path) as kept:
        return State(kept["positions"], kept["velocities"])


def check_whole(liquid: Liquid, positions: np.ndarray) -> None:
    """Raise if a bond of a frame is 1.3 times as long as at rest, or more.

    Parameters
    ----------
    positions : (M, N, 3) angstrom
    """
    first, second = np.array(n_alkane(liquid.carbons).bonds).T
    rest = np.where(np.array(n_alkane(liquid.carbons).symbols)[second] == "H", 1.09, 1.529)
    stretch = (np.linalg.norm(positions[:, second] - positions[:, first], axis=-1) / rest).max()
    if stretch > 1.3:
        raise RuntimeError(
            f"expected whole molecules of {liquid.formula}, got a bond {stretch:.2f} times its length; "
            "delete the liquid's folder and begin it with another seed"
        )


def make(folder: Path, wanted: dict[int, int], jobs: int = 1, label: Label = labels.label) -> None:
    """Make what is missing of the wanted number of frames of each length, round by round, and print progress.

    Raises
    ------
    SystemExit
        Another process works in the folder.
    """
    table = liquids()
    for carbons in wanted:
        make_folder(folder / f"n{carbons:02d}")
    with locked(folder) as lock:
        if lock is None:
            raise SystemExit(f"another process works in {folder}; stop it first, or take another folder")
        rounds = list(_rounds(folder, wanted, table))
        total = sum(wanted.values())
        progress = _Progress(total, total - sum(map(len, rounds)))
        task = functools.partial(_task, folder, label)
        if jobs == 1:
            for batch in rounds:
                for carbons, index in batch:
                    progress.add(*task((table[carbons], index)))
            return
        with ProcessPoolExecutor(jobs) as pool:
            for batch in rounds:  # frames of one round do not need each other
                for done in pool.map(task, [(table[carbons], index) for carbons, index in batch]):
                    progress.add(*done)


def _rounds(
    folder: Path, wanted: dict[int, int], table: dict[int, Liquid]
) -> Iterator[list[tuple[int, int]]]:
    """(carbons, index) of the missing frames, those of one index together."""
    for index in range(max(wanted.values(), default=0)):
        batch = [
            (carbons, index)
            for carbons, frames in wanted.items()
            if index < frames and not frame_path(folder, table[carbons], index).exists()
        ]
        if batch:
            yield batch


def _task(folder: Path, label: Label, work: tuple[Liquid, int]) -> tuple[Liquid, int, float, float]:
    liquid, index = work
    return (liquid, index, *make_frame(folder, liquid, index, label))


class _Progress:
    """A line for each frame, with the time that is left at the pace of the last `PACE` frames."""

    def __init__(self, total: int, done: int) -> None:
        self.total, self.done = total, done
        self.ends = deque([time.monotonic()], maxlen=PACE + 1)

    def add(self, liquid: Liquid, index: int, sampling: float, labelling: float) -> None:
        self.done += 1
        self.ends.append(time.monotonic())
        pace = (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)
        left = pace * (self.total - self.done) / 3600.0
        print(
            f"{liquid.formula} frame {index}: {sampling:.1f} s sampling, {labelling:.1f} s labels; "
            f"{self.done} of {self.total}, {left:.1f} h left",
            flush=True,
        )


def parse_lengths(word: str) -> list[int]:
    """`1-8,16` as a list; raises `argparse.ArgumentTypeError` for what is no length of ``alkanes.yaml``."""
    lengths: list[int] = []
    for part in word.split(","):
        first, _, last = part.partition("-")
        try:
            lengths += range(int(first), int(last or first) + 1)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected lengths as 1-8 or 1,2,16, got '{word}'") from None
    strange = [n for n in lengths if n not in liquids()]
    if strange or not lengths:
        raise argparse.ArgumentTypeError(
            f"expected lengths of alkanes.yaml ({', '.join(map(str, liquids()))}), got '{word}'"
        )
    return lengths


def main() -> None:
    """Sample and label, or collect."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="frames go there, one file each")
    parser.add_argument("--frames", type=int, default=300, help="of each length (default 300)")
    parser.add_argument(
        "--lengths", type=parse_lengths, default="1-8", help="carbons, as 1-8,16 (default 1-8)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="frames at a time (default 1)")
    parser.add_argument(
        "--from",
        dest="collected",
        type=Path,
        metavar="FILE.extxyz.gz",
        help="go on from the frames of a file of --collect: they are unpacked into the folder first",
    )
    parser.add_argument(
        "--collect",
        type=Path,
        metavar="FILE.extxyz.gz",
        help="write what is there to one file, and label nothing",
    )
    parser.add_argument(
        "--density",
        type=float,
        metavar="MPA",
        help="print the density of the force field at this pressure, and label nothing",
    )
    args = parser.parse_args()
    if args.density is not None:
        for carbons in args.lengths:
            liquid = liquids()[carbons]
            mean, error = equilibrium_density(liquid, args.density, 100.0, 300.0, seed=1)
            print(f"{liquid.formula}: {mean:.4f} +- {error:.4f} g/cm^3 at {args.density} MPa", flush=True)
        return
    if args.collected is not None:
        wanted = [liquids()[carbons] for carbons in args.lengths]
        unpacked = unpack(args.collected, wanted, functools.partial(frame_path, args.folder))
        print(f"{args.collected}: {', '.join(f'{n} of {name}' for name, n in unpacked.items())}", flush=True)
    if args.collect is None:
        make(args.folder, dict.fromkeys(args.lengths, args.frames), args.jobs)
        return
    about = collect(_found(args.folder, args.lengths, args.frames), args.collect)
    counts = ", ".join(f"{one['frames']} of {formula}" for formula, one in about["liquids"].items())
    print(f"{args.collect}: {counts}; {args.collect.stat().st_size / 1e6:.1f} MB")


def _found(folder: Path, lengths: list[int], frames: int) -> dict[Liquid, list[tuple[int, Path]]]:
    """The frames of a folder up to the first that is missing, at most so many of each length.

    Raises
    ------
    SystemExit
        A length has none.
    """
    table = liquids()
    found = {}
    for n in lengths:
        every = ((index, frame_path(folder, table[n], index)) for index in range(frames))
        found[table[n]] = list(itertools.takewhile(lambda one: one[1].exists(), every))
    empty = [liquid.formula for liquid, files in found.items() if not files]
    if empty:
        raise SystemExit(f"expected frames of {', '.join(empty)} in {folder}, found none; make them first")
    return found


if __name__ == "__main__":
    main()
