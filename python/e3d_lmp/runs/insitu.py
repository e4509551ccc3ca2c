"""The fixes of the plugin that gather while LAMMPS runs: their commands for ``e3d run``.

The fixes stay from the first ``run`` of an input to its end, so that a ``reset_timestep`` between two runs
is an error of LAMMPS; define the fixes in the input itself where one is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from e3d_lmp.analysis.maps import DEFAULT_BIN
from e3d_lmp.errors import E3DError

FIX_ID = "e3d_run"
MAP_FILE, EVENTS_FILE, SPECIES_FILE = "insitu.e3d", "bonds.txt", "species.txt"
"""Files of fix e3d/map and fix e3d/bonds in the output folder of ``e3d run``."""


def fix_commands(
    output: Path,
    cutoff: str,
    sampling: Sequence[int] | None = None,
    width: float = DEFAULT_BIN,
    labels: Sequence[str] | None = None,
    bonds_every: int | None = None,
    species: bool = False,
    form: Sequence[Sequence[str]] = (),
    break_off: Sequence[Sequence[str]] = (),
) -> list[str]:
    """The fix e3d/map and fix e3d/bonds that write into the folder `output` while LAMMPS runs.

    Parameters
    ----------
    cutoff
        Bond cutoff as LAMMPS takes it.
    sampling
        Nevery, Nrepeat and Nfreq of the map ``insitu.e3d``, which holds all samples of the run; None: no map.
    width, labels
        Width of its bins, in the energy unit of the run, and its pairs (all by default).
    bonds_every
        Steps between two looks at the bonds, whose events go to ``bonds.txt``; None: no look.
    species
        Whether the molecules of each look go to ``species.txt``.
    form, break_off
        Thresholds of bonds in the words of fix e3d/bonds, e.g. ``[["-1.0"]]`` or ``[["C-H", "-2"], ["-1"]]``;
        its own by default.

    Raises
    ------
    E3DError
        If a number is below 1, or species are asked for without bonds.
    """
    numbers = [*(sampling or ()), *([] if bonds_every is None else [bonds_every])]
    if any(number < 1 for number in numbers):
        raise E3DError(f"--map and --bonds: expected whole numbers of steps from 1, got {min(numbers)}")
    if bonds_every is None and (species or form or break_off):
        raise E3DError("--species, --form and --break need --bonds: give it too, e.g. --bonds 100 --species")
    commands = []
    if sampling:
        every = " ".join(map(str, sampling))
        pairs = f" pairs {' '.join(labels)}" if labels else ""
        commands.append(
            f'fix {FIX_ID}_map all e3d/map {every} file "{output / MAP_FILE}" bin {width!r} cutoff {cutoff}'
            f"{pairs} ave running"
        )
    if bonds_every is not None:
        also = f' species "{output / SPECIES_FILE}"' if species else ""
        thresholds = [("form", *words) for words in form] + [("break", *words) for words in break_off]
        more = "".join(" " + " ".join(map(_quoted, words)) for words in thresholds) + also
        file = f'file "{output / EVENTS_FILE}"'
        commands.append(f"fix {FIX_ID}_bonds all e3d/bonds {bonds_every} {file} cutoff {cutoff}{more}")
    return commands


def _quoted(word: str) -> str:
    """A word as LAMMPS reads it as one."""
    return f'"{word}"' if " " in word else word
