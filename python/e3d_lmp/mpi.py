"""Collective operations of the ranks of one MPI run."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

import numpy as np

from e3d_lmp.errors import EXIT_USER_ERROR, E3DError

# Rows of one message between ranks; 8 doubles each, so far below MPI's limit of 2^31 bytes.
_ROWS_PER_MESSAGE = 2**22

_LONGEST_PAUSE = 0.01
"""Seconds between two looks of a waiting rank."""

_SIZE_VARIABLES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_Item = TypeVar("_Item")
_RANK_VARIABLES = (*_SIZE_VARIABLES, "PMI_RANK", "PMIX_RANK")
"""What the launchers of MPICH, Intel MPI, MVAPICH, Open MPI and Slurm set for each of their processes."""


class SerialComm:
    """The communicator of a process that no MPI launcher started."""

    def Get_rank(self) -> int:
        return 0

    def Get_size(self) -> int:
        return 1

    def allgather(self, value: Any) -> list[Any]:
        return [value]

    def gather(self, value: Any, root: int = 0) -> list[Any]:
        return [value]

    def bcast(self, value: Any, root: int = 0) -> Any:
        return value

    def reduce(self, value: Any, op: Any = None) -> Any:
        return value


def world() -> Any:
    """All ranks of this MPI run; `SerialComm` where it is none: MPI is not started for a single process.

    Raises
    ------
    E3DError
        If a launcher started this process, but mpi4py is missing or belongs to another MPI.
    """
    if not any(name in os.environ for name in _RANK_VARIABLES):
        return SerialComm()
    sizes = [int(os.environ[name]) for name in _SIZE_VARIABLES if os.environ.get(name, "").isdecimal()]
    if sizes and max(sizes) == 1:
        return SerialComm()
    try:
        from mpi4py import MPI
    except (ImportError, OSError, RuntimeError) as error:
        raise E3DError(
            f"started by an MPI launcher, but mpi4py cannot be used ({error}); type: pip install mpi4py "
            "mpich, or start one process without mpirun"
        ) from None
    size = MPI.COMM_WORLD.Get_size()
    if sizes and size != max(sizes):
        raise E3DError(
            f"the launcher started {max(sizes)} processes, but mpi4py knows of {size}: they belong to "
            "different MPI libraries; type 'e3d doctor', and use the mpirun of mpi4py's MPI"
        )
    return MPI.COMM_WORLD


@contextlib.contextmanager
def abort_on_error(communicator: Any) -> Iterator[None]:
    """A block that all ranks leave, or none: an error that is no `E3DError` ends the whole run."""
    try:
        yield
    except E3DError:
        raise
    except BaseException as error:
        if communicator.Get_size() > 1:
            if not isinstance(error, KeyboardInterrupt):
                traceback.print_exc()
            sys.stderr.flush()
            communicator.Abort(1)
        raise


def on_every_rank(act: Callable[[Any], int]) -> int:
    """The exit code of a command that all ranks of this MPI run do.

    Parameters
    ----------
    act
        Is given the communicator. An `E3DError` of it is the same on every rank (`raise_on_all_ranks`) and
        raised on the first one alone, so that it is said once.
    """
    communicator = world()
    with abort_on_error(communicator):
        try:
            return act(communicator)
        except E3DError:
            if communicator.Get_rank() != 0:
                return EXIT_USER_ERROR
            raise


@contextlib.contextmanager
def raise_on_all_ranks(communicator: Any) -> Iterator[None]:
    """A block that ends on every rank with an `E3DError` where it ends so on one."""
    problem: E3DError | None = None
    try:
        yield
    except E3DError as error:
        problem = error
    failed = [text for text in communicator.allgather(problem and str(problem)) if text]
    if failed:
        raise problem or E3DError(failed[0])


@contextlib.contextmanager
def sleeping_barrier(communicator: Any) -> Iterator[None]:
    """A block after which a rank that has to wait for others sleeps; MPI itself would keep its core busy.

    Only an error that is no `E3DError` goes on at once.
    """
    problem: E3DError | None = None
    try:
        yield
    except E3DError as error:
        problem = error
    if communicator.Get_size() > 1:
        everyone = communicator.Ibarrier()
        pause = 1e-4
        while not everyone.Test():
            time.sleep(pause)
            pause = min(2.0 * pause, _LONGEST_PAUSE)
    if problem is not None:
        raise problem


def gather_rows(rows: np.ndarray, communicator: Any) -> np.ndarray | None:
    """The rows of all ranks, in the order of ranks, on rank 0; None elsewhere.

    Parameters
    ----------
    rows
        (n, k) float64, the same k on every rank. Counts are 64-bit: long arrays go in several messages.

    Raises
    ------
    E3DError
        On every rank, if rank 0 has no room for the rows.
    """
    rank, size = communicator.Get_rank(), communicator.Get_size()
    width = rows.shape[1]
    counts = communicator.gather(int(rows.shape[0]), root=0)
    out = None
    if rank == 0:
        offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        with contextlib.suppress(MemoryError):
            out = np.empty((int(offsets[-1]), width))
    # Before anything is sent: a rank that gives up must not leave the others in Send.
    if not communicator.bcast(out is not None, root=0):
        raise E3DError("no memory for the edges of one step on rank 0; sample a shorter --cutoff")
    if out is None:
        contiguous = np.ascontiguousarray(rows, dtype=np.float64)
        for start in range(0, len(contiguous), _ROWS_PER_MESSAGE):
            communicator.Send(contiguous[start : start + _ROWS_PER_MESSAGE], dest=0, tag=0)
        return None
    out[: counts[0]] = rows
    for source in range(1, size):
        for start in range(offsets[source], offsets[source + 1], _ROWS_PER_MESSAGE):
            stop = min(start + _ROWS_PER_MESSAGE, offsets[source + 1])
            communicator.Recv(out[start:stop], source=source, tag=0)
    return out


def in_turn(mine: Iterator[_Item], communicator: Any) -> Generator[_Item, None, None]:
    """The items of all ranks on rank 0, one of each in turn; nothing on the others, which hand theirs over.

    Each rank makes one item ahead while it waits. The first rank without an item ends all, so items are the
    turns of one sequence. On rank 0 use it in ``contextlib.closing``: the others end when it is closed.

    Raises
    ------
    E3DError
        On rank 0, where an item of another rank raised one.
    """
    rank, ranks = communicator.Get_rank(), communicator.Get_size()
    if rank != 0:
        yield from _hand_over(mine, communicator)
        return
    waiting = set(range(1, ranks))
    try:
        while True:
            for item in mine:
                yield item
                break
            else:
                return
            for other in range(1, ranks):
                communicator.send(True, dest=other)
                item, problem = communicator.recv(source=other)
                if problem is not None or item is None:
                    waiting.discard(other)
                if problem is not None:
                    raise E3DError(problem)
                if item is None:
                    return
                yield item
    finally:
        for other in waiting:
            communicator.send(False, dest=other)


def _hand_over(mine: Iterator[_Item], communicator: Any) -> Iterator[_Item]:
    """Hand items to rank 0 as it asks for them, until there is none, one fails, or it wants no more."""
    while True:
        item, problem = None, None
        try:
            item = next(mine, None)
        except E3DError as error:
            problem = str(error)
        if not communicator.recv(source=0):
            return
        communicator.send((item, problem), dest=0)
        if item is None:
            return
    yield  # a generator, which gives nothing
