"""Heat currents as ``fix ave/time`` wrote them."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from e3d_lmp.errors import E3DError

TEMPERATURES = ("c_thermo_temp", "v_temperature", "v_temp", "c_temp")
VOLUMES = ("v_volume", "v_vol")


@dataclass(frozen=True)
class HeatCurrent:
    """The heat current of one run, in the units of that run.

    Attributes
    ----------
    path           file it was read from
    step           (N,) int64, evenly spaced
    current        (N,3) energy times velocity: extensive, not divided by the volume
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
) -> HeatCurrent:
    """Read a file of ``fix ave/time`` in mode scalar.

    The current is the first three columns after the step; temperature and volume are those columns whose
    name in the file's second line is one of `TEMPERATURES` and `VOLUMES`, unless they are given. A last line
    without its end is what a run that was killed had written so far: it is left out.

    Parameters
    ----------
    skip
        Steps after the file's first row to be left out.

    Raises
    ------
    E3DError
        If the file is no such file, holds too few rows, or rows at uneven distances.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        text = text[: text.rfind("\n") + 1]
        head = [line[1:].split() for line in text.split("\n", 2)[:2] if line.startswith("#")]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of an empty file; that is an error below
            table = np.loadtxt(io.StringIO(text), ndmin=2)
    except OSError as error:
        raise E3DError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, IndexError) as error:
        raise E3DError(f"{path}: not a file of fix ave/time in mode scalar: {error}") from None
    names = head[1] if len(head) == 2 else []
    if table.shape[0] < 1 or table.shape[1] < 4 or len(names) != table.shape[1]:
        raise E3DError(
            f"{path}: expected a file of fix ave/time with a line of column names, the step and three "
            "components of the current, as of 'fix j all ave/time 4 1 4 c_heat[1] c_heat[2] c_heat[3] "
            "c_thermo_temp v_volume file F'"
        )
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
    if not np.isfinite(table[:, 1:4]).all():
        raise E3DError(f"{path}: the current is not finite; has the simulation blown up?")
    return HeatCurrent(
        str(path),
        steps,
        table[:, 1:4].copy(),
        _mean(path, table, names, TEMPERATURES, temperature, "temperature"),
        _mean(path, table, names, VOLUMES, volume, "volume"),
    )


def continues(before: HeatCurrent, run: HeatCurrent) -> bool:
    """Whether a run goes on from another one: it begins one interval after the other ended."""
    return bool(run.step[0] - before.step[-1] == before.interval == run.interval)


def join_parts(runs: Sequence[HeatCurrent]) -> list[HeatCurrent]:
    """The runs; one that `continues` the one before it is put together with it."""
    joined: list[HeatCurrent] = []
    for run in runs:
        before = joined[-1] if joined else None
        if before and continues(before, run):
            sizes = [len(before.step), len(run.step)]
            joined[-1] = HeatCurrent(
                f"{before.path} {run.path}",
                np.concatenate([before.step, run.step]),
                np.concatenate([before.current, run.current]),
                float(np.average([before.temperature, run.temperature], weights=sizes)),
                float(np.average([before.volume, run.volume], weights=sizes)),
            )
        else:
            joined.append(run)
    return joined


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
