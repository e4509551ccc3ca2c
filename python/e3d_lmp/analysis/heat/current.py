"""Heat currents as ``fix ave/time`` wrote them."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_text

TEMPERATURES = ("c_thermo_temp", "v_temperature", "v_temp", "c_temp")
VOLUMES = ("v_volume", "v_vol")
LARGEST_STEP, LARGEST_VALUE = 2.0**53, 1e100
"""Steps are exact, and currents are a simulation's, below these."""
ENTRIES = {"c": ("123", "456", "789"), "f": ("456",)}
"""Which three entries of a compute (e3d/heat, heat/flux) or of a fix (e3d/hnemd) are a current."""

SAME_CURRENT = 1e-3
"""Largest difference, by its rms, of a current that was made twice: rounding that has grown since a
restart.
"""


@dataclass(frozen=True)
class HeatCurrent:
    """The heat current of one run, in the units of that run.

    Attributes
    ----------
    path           file it was read from
    step           (N,) int64, evenly spaced
    current        (N,3) energy times velocity: extensive, not divided by the volume; or (N,M) the M columns
                   that were asked for by name
    temperature    mean over the run
    volume         mean over the run
    """

    path: str
    step: np.ndarray
    current: np.ndarray
    temperature: float
    volume: float

    @property
    def interval(self) -> int:
        """Steps between two rows."""
        return int(self.step[1] - self.step[0])


def read_current(
    path: str | os.PathLike,
    temperature: float | None = None,
    volume: float | None = None,
    skip: int = 0,
    columns: Sequence[str] = (),
) -> HeatCurrent:
    """Read a file of ``fix ave/time`` in mode scalar.

    The current is the first three columns after the step, unless their names say that they are something
    else; temperature and volume are those columns whose name in the file's second line is one of
    `TEMPERATURES` and `VOLUMES`, unless they are given. A last line without its end is what a run that was
    killed had written so far: it is left out.

    Parameters
    ----------
    skip
        Steps after the file's first row to be left out.
    columns
        Names of the columns to read, instead of the first three after the step.

    Raises
    ------
    E3DError
        If the file is no such file, holds too few rows, or rows at uneven distances.
    """
    text = read_text(path, "a file of fix ave/time in mode scalar")
    text = text[: text.rfind("\n") + 1]
    names = _names(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of an empty file; that is an error below
            table = np.loadtxt(io.StringIO(text), ndmin=2)
    except (ValueError, IndexError) as error:
        raise E3DError(f"{path}: not a file of fix ave/time in mode scalar: {error}") from None
    if table.shape[0] < 1 or table.shape[1] < 4 or len(names) != table.shape[1]:
        raise E3DError(
            f"{path}: expected a file of fix ave/time with a line of column names, the step and three "
            "components of the current, as of 'fix j all ave/time 4 1 4 c_heat[1] c_heat[2] c_heat[3] "
            "c_thermo_temp v_volume file F'"
        )
    if not columns:
        _check_names(path, names[1:4])
    missing = [name for name in columns if name not in names]
    if missing:
        raise E3DError(
            f"{path}: no column {' '.join(missing)}, which another file has; give files of one input"
        )
    chosen = [names.index(name) for name in columns or names[1:4]]
    if not (np.abs(table[:, 0]) < LARGEST_STEP).all() or (table[:, 0] % 1.0).any():
        raise E3DError(f"{path}: the first column must hold steps, whole numbers below {LARGEST_STEP:.0e}")
    table = table[table[:, 0] >= table[0, 0] + skip]
    steps = table[:, 0].astype(np.int64)
    if len(steps) < 10:
        raise E3DError(f"{path}: {len(steps)} rows are left, at least 10 are needed")
    if steps[1] <= steps[0]:
        raise E3DError(f"{path}: after step {steps[0]} comes step {steps[1]}; rows must go forward in time")
    uneven = np.flatnonzero(np.diff(steps) != steps[1] - steps[0])
    if uneven.size:
        first = int(steps[uneven[0]])
        raise E3DError(f"{path}: the rows after step {first} are not {steps[1] - steps[0]} steps apart")
    if not (np.abs(table[:, chosen]) < LARGEST_VALUE).all():
        raise E3DError(
            f"{path}: the current is not finite, or beyond all sense; has the simulation blown up?"
        )
    return HeatCurrent(
        str(path),
        steps,
        table[:, chosen],
        _mean(path, table, names, TEMPERATURES, temperature, "temperature"),
        _mean(path, table, names, VOLUMES, volume, "volume"),
    )


def continues(before: HeatCurrent, run: HeatCurrent, gap: int = 0) -> bool:
    """Whether a run goes on from another one: it begins one interval after the other ended, or up to `gap`
    more.
    """
    intervals = (run.step[0] - before.step[-1]) / before.interval
    return bool(before.interval == run.interval and intervals in range(1, gap + 2))


def chains(runs: Sequence[HeatCurrent], gap: int = 0) -> list[list[int]]:
    """Which runs are parts of one: their places, in the order of time.

    Each goes on from the one before it in the list; and where just one ends where just one begins, from any
    (a shell sorts part 10 before part 2).
    """
    found: list[list[int]] = []
    for place, run in enumerate(runs):
        if found and continues(runs[found[-1][-1]], run, gap):
            found[-1].append(place)
        else:
            found.append([place])
    pairs = [(a, b) for a in found for b in found if a is not b and continues(runs[a[-1]], runs[b[0]], gap)]
    unique = [(a, b) for a, b in pairs if sum(x is a for x, _ in pairs) == 1 == sum(y is b for _, y in pairs)]
    following = {a[0]: b for a, b in unique}
    later = {b[0] for _, b in unique}
    whole = []
    for chain in found:
        if chain[0] in later:
            continue
        parts, last = list(chain), chain
        while last[0] in following:
            last = following[last[0]]
            parts += last
        whole.append(parts)
    return whole


def join_parts(runs: Sequence[HeatCurrent], gap: int = 0) -> list[HeatCurrent]:
    """The runs, with the parts of each (`chains`) put together."""
    joined = []
    for places in chains(runs, gap):
        parts = [runs[place] for place in places]
        if len(parts) == 1:
            joined += parts
            continue
        sizes = [len(part.step) for part in parts]
        joined.append(
            HeatCurrent(
                " ".join(part.path for part in parts),
                np.concatenate([part.step for part in parts]),
                np.concatenate([part.current for part in parts]),
                float(np.average([part.temperature for part in parts], weights=sizes)),
                float(np.average([part.volume for part in parts], weights=sizes)),
            )
        )
    return joined


def read_runs(
    paths: Sequence[str | os.PathLike],
    temperature: float | None = None,
    volume: float | None = None,
    skip: int = 0,
    driven: bool = False,
    remark: Callable[[str], None] = lambda text: None,
    columns: Sequence[str] = (),
) -> list[HeatCurrent]:
    """Files as `read_current` reads them, parts put together; `skip` is for the first part of each run.

    Parameters
    ----------
    driven
        Whether a force drives the runs. It depends on velocities, so that a run does not go on from a restart
        file exactly as before; and rows are means, one of which may be missing between two parts.
    remark
        What to do with a line about files that were taken for parts of one run.

    Raises
    ------
    E3DError
        If two files hold the same rows, too.
    """

    def read(skips: Mapping[int, int]) -> list[HeatCurrent]:
        runs = [
            read_current(path, temperature, volume, skips.get(k, 0), columns) for k, path in enumerate(paths)
        ]
        return without_overlaps(runs, driven, remark if not skips else lambda text: None)

    runs = read({})
    check_distinct(runs)
    if skip:
        runs = read({places[0]: skip for places in chains(runs, int(driven))})
    return join_parts(runs, int(driven))


def without_overlaps(
    runs: Sequence[HeatCurrent], driven: bool, remark: Callable[[str], None]
) -> list[HeatCurrent]:
    """The runs without the rows that a later part made again: those of a job that was killed, from where the
    next one went on from a restart file. Temperature and volume stay the means of whole files.

    Such a part begins within the file before it, and its current is that of the other file at this step to
    `SAME_CURRENT` of its rms; where a force drives the run the current may be any.
    """
    kept = list(runs)
    for place, before in enumerate(runs):
        later = [run for run in runs if _is_made_again(before, run, driven)]
        if not later:
            continue
        first = min(later, key=lambda run: run.step[0])
        rows = before.step < first.step[0]
        kept[place] = replace(before, step=before.step[rows], current=before.current[rows])
        remark(
            f"{first.path} begins within {before.path}: taken as its next part, and rows from step "
            f"{first.step[0]} on count once"
        )
    return kept


def _is_made_again(before: HeatCurrent, run: HeatCurrent, driven: bool) -> bool:
    """Whether a run begins within another one, with its current."""
    first = run.step[0]
    if run.interval != before.interval or not before.step[0] < first <= before.step[-1]:
        return False
    at = int(np.searchsorted(before.step, first))
    rms = float(np.sqrt(np.mean(before.current**2)))
    apart = float(np.abs(before.current[at] - run.current[0]).max())
    return bool(before.step[at] == first and (driven or apart <= SAME_CURRENT * rms))


def check_distinct(runs: Sequence[HeatCurrent]) -> None:
    """Raise `E3DError` if two runs have the same current at the steps that they share."""
    for k, run in enumerate(runs):
        for other in runs[:k]:
            last = min(run.step[-1], other.step[-1])
            a, b = (np.searchsorted(one.step, last) for one in (run, other))
            if run.step[a] == other.step[b] == last and (run.current[a] == other.current[b]).all():
                _, here, there = np.intersect1d(run.step, other.step, return_indices=True)
                if np.array_equal(run.current[here], other.current[there]):
                    raise E3DError(
                        f"{other.path} and {run.path} hold the same rows (step {last} and {len(here) - 1} "
                        "others): give each run once, and parts that do not overlap"
                    )


def column_names(path: str | os.PathLike) -> list[str]:
    """Names of the columns of a file of ``fix ave/time`` but the step; none if it is no such file."""
    return _names(read_text(path, "a file of fix ave/time in mode scalar"))[1:]


def _names(text: str) -> list[str]:
    head = [line[1:].split() for line in text.split("\n", 2)[:2] if line.startswith("#")]
    return head[1] if len(head) == 2 else []


def _check_names(path: object, names: Sequence[str]) -> None:
    """Refuse columns of which the name says that they are not the three components of a current."""
    entries = [match for name in names if (match := re.fullmatch(r"([cf])_(\w+)\[(\d+)\]", name))]
    fits = not any(name in TEMPERATURES + VOLUMES for name in names)
    if entries:
        one = len({match[1] + match[2] for match in entries}) == 1
        fits = fits and one and "".join(match[3] for match in entries) in ENTRIES[entries[0][1]]
    if not fits:
        raise E3DError(
            f"{path}: {' '.join(names)} are no current: the columns after the step must be c_ID[1] c_ID[2] "
            "c_ID[3] of compute e3d/heat or heat/flux, or f_ID[4] f_ID[5] f_ID[6] of fix e3d/hnemd"
        )


def _mean(
    path: object, table: np.ndarray, names: list[str], known: tuple[str, ...], given: float | None, what: str
) -> float:
    if given is not None:
        value = given
    else:
        found = [name for name in names[1:] if name in known]
        if not found:
            raise E3DError(
                f"{path}: no column of the {what} ({', '.join(known)}); give it as --{what}, or add it to "
                "fix ave/time"
            )
        value = float(table[:, names.index(found[0])].mean())
    if not 0.0 < value < np.inf:
        raise E3DError(f"{path}: the {what} is {value:g}; it must be positive and finite")
    return value
