"""Many structures: several processes side by side, one file that grows, and a run that goes on after a kill.

The file holds a line of JSON for each structure, in the order in which they were done; its first line says
what was asked for. A last line without its end is a cut-off write and is written anew. Whoever asks for the
same again gets what is there and does the rest.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Any

from e3d_lmp.analysis.dissociation.smiles import Smiles
from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError
from e3d_lmp.files import locked
from e3d_lmp.parsing import shortened
from e3d_lmp.tables import without_nan

FORMAT = "e3d-bde-rows/1"

Source = Structure | Smiles
Task = Callable[[Structure], dict[str, Any]]
"""What is done with a structure; its result goes into the file."""

_task: Task | E3DError | None = None  # of a worker process; an error where it could not be made


def results(
    file: Path,
    request: Mapping[str, Any],
    structures: Iterable[tuple[int, Source]],
    make_task: Callable[[], Task],
    jobs: int = 1,
    overwrite: bool = False,
    done: Callable[[int], None] = lambda count: None,
) -> list[dict[str, Any]]:
    """What a task gives for each structure, in the order of their numbers, as JSON has it: nan is None.

    An `E3DError` of a structure is its result: ``error`` holds the message. Each result has ``number`` and
    ``name`` too.

    Parameters
    ----------
    file
        Grows; see the head of this module. Its folder is made.
    request
        What was asked for, JSON. A file of another request is not gone on with.
    make_task
        Makes the task, in every process once; a function or object that can be pickled.
    jobs
        Processes; with 1 it is this one.
    done
        Told how many structures are finished each time that some are; first those that were there.

    Raises
    ------
    E3DError
        The file is of another request, another process is at work on it, or the task cannot be made.
    """
    with locked(file.parent) as lock:
        if lock is None:
            raise E3DError(f"{file.parent}: another e3d is at work in it; wait for it, or choose another -o")
        # by JSON, as it comes back from a file: tuples are lists there
        found = [] if overwrite else _begun(file, json.loads(json.dumps(dict(request))))
        if not found:
            file.write_text(_line({"format": FORMAT, "request": dict(request)}), encoding="utf-8")
        done(len(found))
        known = {one["number"] for one in found}
        rest = ((k, structure) for k, structure in structures if k not in known)
        with open(file, "a", encoding="utf-8") as stream:
            for one in _side_by_side(rest, make_task, jobs):
                line = _line(one)
                stream.write(line)
                stream.flush()
                found.append(json.loads(line))  # as it will be read, with None for nan
                done(len(found))
    return sorted(found, key=lambda one: one["number"])


def _begun(file: Path, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The results in a file that was begun with the same request; a cut-off line at its end is removed."""
    if not file.exists():
        return []
    with open(file, "rb") as stream:
        content = stream.read()
    whole = content[: content.rfind(b"\n") + 1]
    advice = "choose another -o, or start afresh with --overwrite"
    try:
        head, *lines = [json.loads(line) for line in whole.decode("utf-8").splitlines()] or [None]
        if head is None:  # killed while it wrote its first line
            return []
        if head["format"] != FORMAT:
            raise ValueError(f"its format is {shortened(str(head['format']))}, not {FORMAT}")
        before, found = head["request"], [{**line, "number": int(line["number"])} for line in lines]
    except (ValueError, KeyError, TypeError) as error:
        raise E3DError(f"{file}: damaged, or no file of 'e3d bde' ({error}); {advice}") from None
    if before != request:
        other = sorted(key for key in {*before, *request} if before.get(key) != request.get(key))
        raise E3DError(f"{file}: begun with other {', '.join(other)}; {advice}")
    if len(whole) < len(content):
        os.truncate(file, len(whole))
    return found


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(without_nan(value), allow_nan=False) + "\n"


def _side_by_side(
    structures: Iterator[tuple[int, Source]], make_task: Callable[[], Task], jobs: int
) -> Iterator[dict[str, Any]]:
    """Results as they come."""
    if jobs <= 1:
        task = make_task()
        for number, structure in structures:
            yield _one(task, number, structure)
        return
    context = multiprocessing.get_context("spawn")  # threads do not survive a fork
    pool = ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(make_task,))
    waiting: set[Future[dict[str, Any]]] = set()
    try:
        for number, structure in structures:
            waiting.add(pool.submit(_work, number, structure))
            if len(waiting) >= 2 * jobs:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (each.result() for each in finished)
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (each.result() for each in finished)
    except BrokenProcessPool:
        raise E3DError(
            "a worker process died (killed, or out of memory); what was done is kept: type the same command "
            "again, perhaps with fewer --jobs"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(make_task: Callable[[], Task]) -> None:
    """A worker starts: it ends when its parent does, by whatever; the keyboard interrupts that alone."""
    global _task
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    try:
        _task = make_task()
    except E3DError as error:  # an exception in here would break the pool, and nobody would know why
        _task = error


def _end_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)


def _work(number: int, source: Source) -> dict[str, Any]:
    if isinstance(_task, E3DError):
        raise _task
    assert _task is not None
    return _one(_task, number, source)


def _one(task: Task, number: int, source: Source) -> dict[str, Any]:
    about = {"number": number, "name": source.name}
    try:
        return about | task(source.structure() if isinstance(source, Smiles) else source)
    except E3DError as error:
        return about | {"error": str(error)}
