"""Messages between ranks, with two of them in one process."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from e3d_lmp.errors import E3DError
from e3d_lmp.mpi import (
    _RANK_VARIABLES,
    SerialComm,
    abort_on_error,
    gather_rows,
    in_turn,
    raise_on_all_ranks,
    sleeping_barrier,
    world,
)


class _TwoRanks:
    """Two ranks in one process: rank 1 sends first, rank 0 receives in the same order."""

    def __init__(self) -> None:
        self.rank = 1
        self.counts: list[int] = []
        self.messages: list[np.ndarray] = []

    def Get_rank(self) -> int:
        return self.rank

    def Get_size(self) -> int:
        return 2

    def gather(self, value: int, root: int) -> list[int] | None:
        self.counts.insert(0, value)
        return self.counts if self.rank == root else None

    def bcast(self, value: bool, root: int) -> bool:
        return value or self.rank != root

    def Send(self, buffer: np.ndarray, dest: int, tag: int) -> None:
        self.messages.append(buffer.copy())

    def Recv(self, buffer: np.ndarray, source: int, tag: int) -> None:
        message = self.messages.pop(0)
        assert buffer.shape == message.shape
        buffer[:] = message


@pytest.mark.parametrize(("first", "second"), [(0, 0), (3, 0), (0, 4), (2, 9)])
def test_gather_rows_in_several_messages(monkeypatch: pytest.MonkeyPatch, first: int, second: int) -> None:
    monkeypatch.setattr("e3d_lmp.mpi._ROWS_PER_MESSAGE", 4)
    ranks = _TwoRanks()
    mine, other = np.random.default_rng(1).random((first, 8)), np.random.default_rng(2).random((second, 8))
    assert gather_rows(other, ranks) is None
    ranks.rank = 0
    assert np.array_equal(gather_rows(mine, ranks), np.concatenate([mine, other]))
    assert not ranks.messages


def test_no_room_on_rank_0_is_an_error_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(shape: tuple[int, int]) -> np.ndarray:
        raise MemoryError

    ranks = _TwoRanks()
    ranks.rank = 0
    ranks.counts = [2]
    monkeypatch.setattr("e3d_lmp.mpi.np.empty", full)
    with pytest.raises(E3DError, match="no memory for the edges"):
        gather_rows(np.zeros((3, 8)), ranks)


class _Others:
    """A communicator whose other rank says `text`."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def allgather(self, value: str | None) -> list[str | None]:
        return [self.text, value]


def test_shared_ends_everywhere_or_nowhere() -> None:
    with raise_on_all_ranks(_Others(None)):
        pass
    with pytest.raises(E3DError, match="of the other"), raise_on_all_ranks(_Others("of the other")):
        pass
    with pytest.raises(E3DError, match="my own"), raise_on_all_ranks(_Others(None)):
        raise E3DError("my own")


def test_a_process_without_a_launcher_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _RANK_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    alone = world()
    assert isinstance(alone, SerialComm) and (alone.Get_rank(), alone.Get_size()) == (0, 1)
    assert alone.allgather(3) == alone.gather(3) == [3] and alone.reduce(3, op=max) == 3
    monkeypatch.setenv("PMI_SIZE", "1")
    assert isinstance(world(), SerialComm)


def test_a_launcher_of_another_mpi_is_found() -> None:
    """Its processes would each take themselves for the only one, and write the same files."""
    code = "from e3d_lmp.mpi import world; world()"
    environment = {**os.environ, "OMPI_COMM_WORLD_SIZE": "2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "started 2 processes, but mpi4py knows of 1" in done.stderr


class _Late(_Others):
    """Another rank that arrives at the third look."""

    looks = 0

    def Get_size(self) -> int:
        return 2

    def Ibarrier(self) -> _Late:
        return self

    def Test(self) -> bool:
        self.looks += 1
        return self.looks == 3


def test_a_patient_rank_waits_for_the_others_unless_it_crashed() -> None:
    late = _Late(None)
    with sleeping_barrier(late):
        pass
    assert late.looks == 3
    late = _Late(None)
    with pytest.raises(E3DError, match="message"), sleeping_barrier(late):
        raise E3DError("message")
    assert late.looks == 3
    late = _Late(None)
    with pytest.raises(ZeroDivisionError), sleeping_barrier(late):
        raise ZeroDivisionError
    assert late.looks == 0
    with sleeping_barrier(SerialComm()):
        pass


class _Aborted(_Others):
    code = 0

    def Get_size(self) -> int:
        return 2

    def Abort(self, code: int) -> None:
        self.code = code


def test_an_error_of_one_rank_that_is_no_message_ends_all(capsys: pytest.CaptureFixture[str]) -> None:
    others = _Aborted(None)
    with pytest.raises(ZeroDivisionError), abort_on_error(others):
        raise ZeroDivisionError("bug")
    assert others.code == 1 and "bug" in capsys.readouterr().err
    others = _Aborted(None)
    with pytest.raises(E3DError), abort_on_error(others):
        raise E3DError("message")
    assert others.code == 0


class _Threads:
    """Ranks that are threads of this process; messages wait in queues."""

    def __init__(self, rank: int, ranks: int, queues: dict[tuple[int, int], queue.Queue[Any]]) -> None:
        self.rank, self.ranks, self.queues = rank, ranks, queues

    def Get_rank(self) -> int:
        return self.rank

    def Get_size(self) -> int:
        return self.ranks

    def send(self, value: Any, dest: int) -> None:
        self.queues[self.rank, dest].put(value)

    def recv(self, source: int) -> Any:
        return self.queues[source, self.rank].get(timeout=20)


def _taken(ranks: int, n_items: int, most: int = 99, bad: int = -1) -> tuple[list[int], str]:
    """Items that rank 0 takes of a sequence dealt out to ranks, and its error; all ranks have ended then."""
    queues = {(a, b): queue.Queue() for a in range(ranks) for b in range(ranks)}  # type: ignore[var-annotated]

    def items(rank: int) -> Iterator[int]:
        for item in range(rank, n_items, ranks):
            if item == bad:
                raise E3DError(f"item {item} is bad")
            yield item

    def other(rank: int) -> None:
        assert list(in_turn(items(rank), _Threads(rank, ranks, queues))) == []

    threads = [threading.Thread(target=other, args=(rank,), daemon=True) for rank in range(1, ranks)]
    for thread in threads:
        thread.start()
    taken, problem = [], ""
    try:
        with contextlib.closing(in_turn(items(0), _Threads(0, ranks, queues))) as found:
            for item in found:
                taken.append(item)
                if len(taken) == most:
                    break
    except E3DError as error:
        problem = str(error)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert all(one.empty() for one in queues.values())
    return taken, problem


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_items_of_all_ranks_in_turn(ranks: int) -> None:
    for n_items in range(8):
        assert _taken(ranks, n_items) == (list(range(n_items)), "")
    assert _taken(ranks, 9, most=4) == ([0, 1, 2, 3], "")
    for bad in (0, 1, 4):
        assert _taken(ranks, 9, bad=bad) == (list(range(bad)), f"item {bad} is bad")
