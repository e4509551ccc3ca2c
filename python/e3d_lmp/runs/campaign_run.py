"""A campaign's members brought to their end: submitted, looked after, submitted again until they are done."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.runs.campaign import Plan
from e3d_lmp.runs.job_folder import MARKS, state_of
from e3d_lmp.runs.progress import last_line, progress_of
from e3d_lmp.runs.workers import Workers, refusal

POLL = 5.0
"""Seconds between two looks at the members."""

REFRESH = 15.0
"""Seconds between two calls of `Runner.refresh`, or more where it takes long."""

ENOUGH = 3
"""Jobs in a row without progress after which a member has failed."""


class CampaignStopped(Exception):
    """The campaign was asked to stop; its members go on when it is run again."""


@dataclass
class Runner:
    """Runs members to their end.

    Attributes
    ----------
    plan      the campaign
    workers   where members run
    say       what to do with a line about a member
    refresh   called every now and then while members run
    """

    plan: Plan
    workers: Workers
    say: Callable[[str], None] = field(default_factory=lambda: print)
    refresh: Callable[[], None] = lambda: None
    _idle: dict[str, int] = field(default_factory=dict)
    _before: dict[str, Any] = field(default_factory=dict)
    _next_look: float = 0.0

    def run(self, names: Sequence[str]) -> None:
        """Run members until all have ended.

        Raises
        ------
        CampaignStopped
            On SIGINT or SIGTERM; members that run have been asked to stop.
        E3DError
            The scheduler takes no job.
        """
        waiting, later = list(names), dict[str, float]()
        running: dict[Future[Any], str] = {}
        with _interruptible():
            try:
                while waiting or running or later:
                    # Never more than there is room for: what waits here can be left out when it is time to
                    # stop.
                    while waiting and len(running) < self.workers.room:
                        name = waiting.pop(0)
                        running[self._start(name)] = name
                    done: set[Future[Any]] = set()
                    if running:
                        done, _ = wait(running, timeout=POLL, return_when=FIRST_COMPLETED)
                    else:
                        time.sleep(POLL / 5)
                    for future in done:
                        name = running.pop(future)
                        if not self._has_ended(name, future):
                            later[name] = time.monotonic() + POLL * 4 ** self._idle.get(name, 0)
                    due = [name for name, at in later.items() if at <= time.monotonic()]
                    waiting += [name for name in due if later.pop(name)]
                    self._look()
            except KeyboardInterrupt:
                for name in {*running.values(), *later}:
                    _ask_to_stop(self.plan.path(name))
                raise CampaignStopped from None

    def _look(self) -> None:
        """Call `refresh`, for a twentieth of the time at most."""
        begin = time.monotonic()
        if begin < self._next_look:
            return
        self.refresh()
        self._next_look = time.monotonic() + max(REFRESH, 20 * (time.monotonic() - begin))

    def _start(self, name: str) -> Future[Any]:
        self._before[name] = progress_of(self.plan.path(name))
        return self.workers.submit(self.plan.path(name))

    def _has_ended(self, name: str, future: Future[Any]) -> bool:
        """Say what became of a member; False if it is to go on."""
        folder = self.plan.path(name)
        state, text = state_of(folder)
        if state in MARKS:
            self.say(f"{name}: {state}: {text}")
            return True
        if state == "running":  # of a campaign that was killed, or by hand: its end is waited for
            return False
        problem = future.exception()
        if text := refusal(problem):
            raise E3DError(f"the scheduler takes no job for {name} and the others: {text}")
        now = progress_of(folder)
        self._idle[name] = 0 if now != self._before[name] else self._idle.get(name, 0) + 1
        if self._idle[name] >= ENOUGH:
            why = f"{ENOUGH} jobs without progress: {problem or last_line(folder)}"
            (folder / "failed").write_text(why + "\n", encoding="utf-8")
            self.say(f"{name}: failed: {why}")
            return True
        self.say(f"{name}: stopped at step {now.step}, goes on" + (f" ({problem})" if problem else ""))
        return False


def _ask_to_stop(folder: Path) -> None:
    if state_of(folder)[0] == "running":
        (folder / "stop").touch()


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM is as good as the keyboard's interrupt in this block."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def cancel_members(plan: Plan, names: Sequence[str]) -> list[str]:
    """Mark members as cancelled; one that runs ends within seconds. Returns what was done, in words.

    Raises
    ------
    E3DError
        A name is none of the members.
    """
    check_names(plan, names)
    said = []
    for name in names or plan.members:
        folder = plan.path(name)
        state, text = state_of(folder)
        if state in MARKS:
            said.append(f"{name}: {state} already: {text}")
            continue
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cancelled").write_text(
            f"by e3d campaign cancel (process {os.getpid()})\n", encoding="utf-8"
        )
        said.append(f"{name}: cancelled" + (", and ends" if state == "running" else ""))
    return said


def check_names(plan: Plan, names: Sequence[str]) -> None:
    """Raise `E3DError` that lists the members if a name is none of them."""
    for name in names:
        if name not in plan.members:
            few = ", ".join(list(plan.members)[:6])
            more = ", ..." if len(plan.members) > 6 else ""
            raise E3DError(f"no member '{name}'; there are {few}{more}")
