"""How far a run has come, by its files alone: steps and thermo output of LAMMPS logs, and the last line of
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from e3d_lmp.runs.job_folder import job_logs

_TAIL = 65536  # bytes of a log that are looked at for its last lines


@dataclass(frozen=True)
class Progress:
    """The last step in the newest log that has any, -1 for none, and the part that it belongs to."""

    step: int
    part: int


def progress_of(folder: Path) -> Progress:
    """How far a job's folder has come."""
    try:
        part = int((folder / "part").read_text())
    except (OSError, ValueError):
        part = 1
    for path in reversed(job_logs(folder)):
        steps = [words[0] for words in _rows(_tail(path))]
        if steps:
            return Progress(int(steps[-1]), part)
    return Progress(-1, part)


def _tail(path: Path) -> str:
    with open(path, "rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL))
        return stream.read().decode("utf-8", "replace")


def _rows(text: str) -> Iterator[list[str]]:
    """Words of whole lines that look like thermo output: a step and numbers only."""
    for line in text.splitlines(keepends=True):
        words = line.split()
        if line.endswith("\n") and len(words) > 1 and words[0].isdigit() and all(map(_is_number, words)):
            yield words


def _is_number(word: str) -> bool:
    return re.fullmatch(r"[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?|nan|inf)", word) is not None


def last_line(folder: Path) -> str:
    """What the last job said at its end: LAMMPS's error if there is one, else the last line of its screen or
    log.
    """
    for path in reversed(job_logs(folder)):
        texts = [_tail(one) for one in (path, path.with_suffix(".out")) if one.exists()]
        for text in texts:
            errors = [line.strip() for line in text.splitlines() if line.startswith("ERROR")]
            if errors:
                return errors[0]
        lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
        if lines:
            return lines[-1]
    screens = sorted(folder.glob("job.*.out"))
    lines = [line.strip() for line in _tail(screens[-1]).splitlines() if line.strip()] if screens else []
    return lines[-1] if lines else "no output"


@dataclass(frozen=True)
class Thermo:
    """Thermo output of a run over all its jobs: columns by name, (S,) float64 each, ascending in ``Step``."""

    columns: dict[str, np.ndarray]

    @property
    def steps(self) -> np.ndarray:
        """(S,) float64."""
        return self.columns.get("Step", np.zeros(0))


def read_thermo(paths: list[Path]) -> Thermo:
    """Thermo output of LAMMPS logs in the order of the jobs.

    Only rows of the last job's columns are kept, and of a step that two jobs came to, the later one's.
    Columns of an input with several runs: those of its last one. A row that is being written counts only when
    it is whole.
    """
    rows: dict[int, list[float]] = {}
    names: list[str] = []
    for path in paths:
        for k, (head, words) in enumerate(_table(path.read_text(encoding="utf-8", errors="replace"))):
            step = int(words[0])
            if head != names:
                names, rows = head, {}
            elif k == 0:  # what the job before made beyond this restart file is made again
                rows = {before: row for before, row in rows.items() if before < step}
            rows[step] = [float(word) for word in words]
    order = sorted(rows)
    table = np.array([rows[step] for step in order]).reshape(len(order), len(names))
    return Thermo({name: table[:, k] for k, name in enumerate(names)})


def _table(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Head and words of each row of thermo output in a log."""
    head: list[str] = []
    for line in text.splitlines(keepends=True):
        words = line.split()
        if words[:1] == ["Step"] and not any(map(_is_number, words)):
            head = words
        elif line.startswith("Loop time"):
            head = []
        elif head and len(words) == len(head) and line.endswith("\n") and all(map(_is_number, words)):
            if words[0].isdigit():
                yield head, words
