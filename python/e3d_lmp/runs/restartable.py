"""What an input has to offer so that one job can go on where the one before it stopped.

LAMMPS cannot go on by itself: after ``read_restart`` an input has to leave out what only a beginning needs,
and to name its last step. So an input says these lines, in plain LAMMPS, and `e3d job` sets the variables::

    variable part       index 1              # 1 begins; 2, 3, ... go on from ${restart}
    variable restart    index none
    variable checkpoint index restart        # names of restart files begin with this
    variable steps      index 100000

    if "${part} == 1" then "read_data liquid.data" else "read_restart ${restart}"
    ...                                       pair style, fixes and computes, as always
    if "${part} == 1" then "minimize ..." "velocity ..."
    restart 5000 ${checkpoint}.a ${checkpoint}.b
    run ${steps} upto

The files are written in turn, so that one of them is whole whenever the run is killed. ``restart`` comes
after all that only part 1 does: a file from the middle of a minimisation would be taken for one of the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from e3d_lmp.errors import E3DError
from e3d_lmp.runs.lammps_input import read_commands

CHECKPOINT = "restart"
"""What the names of a job's restart files begin with: ``restart.a``, ``.b``, ``.end`` and ``.start``."""

_HARMLESS: tuple[str, ...] = (
    "print",
    "variable",
    "log",
    "echo",
    "info",
    "thermo",
    "thermo_style",
    "thermo_modify",
    "write_data",
)
_HARMLESS += ("write_dump", "undump", "label", "timer")
_FRESH = re.compile(r"\b(minimize|velocity\s+\S+\s+create|create_atoms|reset_timestep)\b")
_FILE_COMMANDS = ("read_data", "include", "molecule")
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w)")


@dataclass(frozen=True)
class JobInput:
    """A LAMMPS input as a job sees it.

    Attributes
    ----------
    path        absolute
    variables   index variables and their defaults, as they are written; several values joined by spaces
    missing     lines that it lacks to go on from a restart file, as they would be typed
    has_steps   whether the variable ``steps`` says its last step
    changes     the first command after its last ``run`` that may change the state; None: nothing does
    files       file names of its read_data, include, molecule and pair_coeff commands, with their variables
    """

    path: Path
    variables: Mapping[str, str]
    missing: tuple[str, ...]
    has_steps: bool
    changes: str | None
    files: tuple[str, ...]

    @property
    def is_restartable(self) -> bool:
        """Whether a run can go on from a restart file."""
        return not self.missing

    def check_restartable(self, why: str) -> None:
        """Raise `E3DError` that names the missing lines, if there are any; `why` says what needs them."""
        if self.missing:
            raise E3DError(
                f"{why}, and {self.path.name} cannot go on from a restart file: it has no "
                f"{' and no '.join(repr(line) for line in self.missing)}; see 'What an input has to offer' "
                "in docs/production.md"
            )


def read_input(path: Path) -> JobInput:
    """Read an input without running it; what an ``include`` brings in is not looked at.

    Raises
    ------
    E3DError
        The file cannot be read; it has a ``clear`` or a ``quit``, after which nobody can tell how the run
        ended; or its ``restart`` command stands before something that only a beginning does.
    """
    commands = [_without_comment(line) for line in read_commands(path)]
    variables: dict[str, str] = {}
    for words in (line.split() for line in commands):
        if len(words) > 3 and words[0] == "variable" and words[2] == "index":
            variables.setdefault(words[1], " ".join(words[3:]).strip("\"'"))
    for line in commands:
        if re.search(r"(^|\")\s*(clear|quit)\b", line):
            raise E3DError(
                f"{path}: '{line.strip()}': a job cannot tell how a run ends after clear or quit; leave it "
                f"out"
            )
    text = "\n".join(commands)
    missing = tuple(
        line for pattern, line in _needed(variables) if not re.search(pattern, text, re.MULTILINE)
    )
    if not missing:
        _check_order(path, commands)
    return JobInput(
        path.resolve(),
        variables,
        missing,
        "steps" in variables,
        _after_last_run(commands),
        tuple(_files(commands)),
    )


def _without_comment(line: str) -> str:
    """A command without its comment; quotes are kept."""
    quote = ""
    for at, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#":
            return line[:at]
    return line


def _needed(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A pattern and the line that would match it, of everything that a restartable input has."""
    for name, example in (
        ("part", "1"),
        ("restart", "none"),
        ("checkpoint", CHECKPOINT),
        ("steps", "100000"),
    ):
        if name not in variables:
            yield r"(?!)", f"variable {name} index {example}"
    yield r"read_restart\s+\$\{restart\}", "read_restart ${restart}"
    yield (
        r"^\s*restart\s.*\$\{checkpoint\}\.a\s+\$\{checkpoint\}\.b",
        "restart 5000 ${checkpoint}.a ${checkpoint}.b",
    )
    yield r"\brun\s+\$\{steps\}\s+upto\b", "run ${steps} upto"


def _check_order(path: Path, commands: list[str]) -> None:
    seen = False
    for line in commands:
        seen = seen or re.match(r"\s*restart\s", line) is not None
        if seen and (match := _FRESH.search(line)):
            raise E3DError(
                f"{path}: '{match.group(0)}' stands after 'restart': a file written in between would be "
                "taken for one of the run; put the 'restart' line below it"
            )


def _after_last_run(commands: list[str]) -> str | None:
    last = max(
        (k for k, line in enumerate(commands) if re.search(r"(^|\")\s*run\s", line)), default=len(commands)
    )
    for line in commands[last + 1 :]:
        if line.split()[0] not in _HARMLESS:
            return line.strip()
    return None


def _files(commands: list[str]) -> Iterator[str]:
    for line in commands:
        for command in (line, *re.findall(r"\"([^\"]*)\"", line)):
            words = command.split()
            if len(words) > 1 and words[0] in _FILE_COMMANDS:
                yield words[2 if words[0] == "molecule" and len(words) > 2 else 1].strip("\"'")
            elif words and words[0] == "pair_coeff":
                yield from (word for word in words if "/" in word or word in ("${model}", "${potential}"))


def expanded(text: str, variables: Mapping[str, str]) -> str | None:
    """A word with its index variables filled in; None if one of them is not known."""
    for _ in range(10):
        match = _VARIABLE.search(text)
        if match is None:
            return text
        name = match.group(1) or match.group(2)
        if name not in variables:
            return None
        text = text[: match.start()] + variables[name] + text[match.end() :]
    return None


def absolute_paths(values: Mapping[str, str], here: Path) -> dict[str, str]:
    """Variables whose value names a file or folder seen from `here`, with its absolute path; jobs run
    elsewhere.
    """
    found = {}
    for name, value in values.items():
        if value and "$" not in value and not _is_number(value) and (here / value).exists():
            found[name] = str((here / value).resolve())
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_files(job_input: JobInput, variables: Mapping[str, str]) -> None:
    """Raise `E3DError` for a file of the input that a job in another folder would not find."""
    for word in job_input.files:
        path = expanded(word, variables)
        if path is None or "*" in path:
            continue
        if not Path(path).is_absolute():
            raise E3DError(
                f"{job_input.path.name}: '{word}' is '{path}', which the job, in a folder of its own, would "
                f"not find; name it by a variable, e.g. 'variable data index {path}', and give '-v data "
                "FILE' or call from where it is seen"
            )
        if not Path(path).exists():
            raise E3DError(f"{job_input.path.name}: no file '{path}' ('{word}')")
