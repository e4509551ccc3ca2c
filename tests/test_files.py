"""Whole files and locks: what happens when others are at it too."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, is_locked, locked, open_lock, read_json, remove_lock, write_json


def test_a_file_is_whole_or_as_before(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as partial:
        assert partial.suffix == ".txt" and partial.read_bytes() == b""
        partial.write_text("half")
        _ = 1 // 0
    assert path.read_text() == "before"
    with atomic_path(path) as partial:
        partial.write_text("after")
    assert path.read_text() == "after" and os.listdir(tmp_path) == ["table.txt"]


def test_two_writers_have_names_of_their_own(tmp_path: Path) -> None:
    """Also within one process, whose id is the same; the last one to end wins."""
    with atomic_path(tmp_path / "a") as first, atomic_path(tmp_path / "a") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "a").read_text() == "first" and os.listdir(tmp_path) == ["a"]


def test_nobody_is_led_to_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that waits under the temporary name is an error, and its target stays."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    monkeypatch.setattr("e3d_lmp.files.secrets.token_hex", lambda n: "0" * 8)
    (tmp_path / ".out.00000000.txt").symlink_to(victim)
    with pytest.raises(E3DError, match=r"cannot write .*out\.txt: File exists"):
        with atomic_path(tmp_path / "out.txt") as partial:
            partial.write_text("x")
    assert victim.read_text() == "precious"
    assert (tmp_path / ".out.00000000.txt").is_symlink(), "not ours to remove"


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    (tmp_path / "b").write_text("")
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "b").stat().st_mode
    assert read_json(tmp_path / "a.json") == {"a": 1}


def test_no_folder_no_file(tmp_path: Path) -> None:
    with pytest.raises(E3DError, match=r"cannot write .*no/x: No such file"):
        write_json(tmp_path / "no/x", 1)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from e3d_lmp.files import locked\n"
        "with locked(Path(sys.argv[1])) as lock: print(lock is not None, flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None and other.stdout.readline() == "True\n"
        assert is_locked(tmp_path)
        with locked(tmp_path) as descriptor:
            assert descriptor is None
    finally:
        other.kill()  # whatever ends it, the folder is free
        other.wait()
    assert not is_locked(tmp_path)
    with locked(tmp_path, timeout=10.0) as descriptor:
        assert descriptor is not None


def test_a_removed_lock_lets_only_one_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opened the file before its owner removed it must not lock what is no longer there."""
    path = tmp_path / "lock"
    owner = open_lock(path)
    assert owner is not None and open_lock(path) is None
    waiting = os.open(path, os.O_RDWR)
    remove_lock(owner, path)
    opened = iter([waiting])
    real_open = os.open
    monkeypatch.setattr("e3d_lmp.files.os.open", lambda *words: next(opened, None) or real_open(*words))
    late = open_lock(path)  # has the removed file first, then makes a new one
    assert late is not None and os.path.samestat(os.fstat(late), path.stat())
    begin = time.monotonic()
    assert open_lock(path, timeout=0.2) is None and time.monotonic() - begin >= 0.2
    remove_lock(late, path)
    assert not path.exists()


WORKER = """
import fcntl, os, random, sys, time
from pathlib import Path
from e3d_lmp import files

lock, seed, checks = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "checks"
if not checks:
    files._is_file = lambda descriptor, path: True  # a lock that does not look again
# A lock of another kind, which the kernel takes from a killed process before it takes that of open_lock.
inside = os.open(lock.with_name("inside"), os.O_RDWR | os.O_CREAT)
sleep, dice = time.sleep, random.Random(seed)
files.time.sleep = lambda seconds: sleep(1e-5)
times = 0
while True:
    descriptor = files.open_lock(lock, timeout=60.0)
    try:
        fcntl.lockf(inside, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("two", flush=True)
        os._exit(1)
    times += 1
    if times % 50 == 1:
        print("one", flush=True)
    sleep(dice.random() * 1e-4)
    fcntl.lockf(inside, fcntl.LOCK_UN)
    (files.remove_lock(descriptor, lock) if dice.random() < 0.7 else os.close(descriptor))
"""


def _race(folder: Path, seconds: float, checks: bool) -> str:
    """What some processes print that lock, write, unlock and remove the lock all the time, and are killed."""
    dice = random.Random(3)
    running: list[subprocess.Popen] = []
    with open(folder / "said", "w") as said:

        def start() -> subprocess.Popen:
            words = [str(folder / "lock"), str(dice.random())[2:], "checks" if checks else "trusts"]
            return subprocess.Popen([sys.executable, "-c", WORKER, *words], stdout=said, stderr=said)

        try:
            running += [start() for _ in range(6)]
            end = time.monotonic() + seconds
            while time.monotonic() < end and "two" not in (folder / "said").read_text():
                time.sleep(0.1)
                victim = running.pop(dice.randrange(len(running)))
                victim.kill()
                victim.wait()
                running.append(start())
        finally:
            for process in running:
                process.kill()
                process.wait()
    return (folder / "said").read_text()


def test_no_two_writers_whoever_is_killed(tmp_path: Path) -> None:
    """Six processes remove the lock they wait for, and one is killed every 0.1 s, wherever it is."""
    said = _race(tmp_path, 10.0, checks=True)
    assert set(said.split()) == {"one"} and said.count("one") > 20


@pytest.mark.slow
def test_the_race_finds_a_lock_that_does_not_look_again(tmp_path: Path) -> None:
    assert "two" in _race(tmp_path, 60.0, checks=False)
