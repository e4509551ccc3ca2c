"""The page that follows a run: what it shows, that it survives half-written files, and the server on the
loopback interface. tests/test_watch_browser.py opens it.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.cli import main
from e3d_lmp.errors import E3DError
from e3d_lmp.runs.progress import last_line, progress_of, read_thermo
from e3d_lmp.runs.watch import HISTORY, PAGE, serve, write_watch_page
from job_runs import e3d, run_script, write_input

LOG = """\
LAMMPS (22 Jul 2025 - Update 4)
Created 1 atoms
   Step          Temp          PotEng
         0   300            -1.5
       100   310.25         -1.25
       200   305            -1.0e+00
Loop time of 1 on 1 procs for 200 steps with 36 atoms
1520 bytes sent to pair the edges of bonds
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, model_files) -> Path:
    """The folder of a job that is done."""
    here = tmp_path_factory.mktemp("watch")
    write_input(here, model_files("morse-cho"))
    words = ("-o", here / "job", "--ranks-per-node", 1, "-v", "steps", 200)
    assert e3d("job", here / "in.hot", *words, folder=here).returncode == 0
    assert run_script(here / "job").returncode == 0
    return here / "job"


def test_page_of_a_job(job: Path) -> None:
    page = write_watch_page(job).read_text()
    for text in (
        "finished: step 200 of 200",
        "Thermo output",
        "Temp",
        "H_2D",
        "O-H",
        "formed",
        "Molecules",
        "D–A maps",
    ):
        assert text in page
    assert 'http-equiv="refresh" content="20"' in page
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page, (
        "nothing from outside"
    )
    assert list(json.loads((job / HISTORY).read_text())) == ["200"]


def test_entropies_are_remembered(job: Path) -> None:
    """A map keeps no history: the page's own notes do, and steps beyond the present one are of a run that was
    killed.
    """
    (job / HISTORY).write_text(json.dumps({"100": {"O-H": 1.0}, "300": {"O-H": 2.0}}))
    assert "at each step at which this page was written" in write_watch_page(job).read_text()
    assert list(json.loads((job / HISTORY).read_text())) == ["100", "200"]
    (job / HISTORY).write_text("{")
    write_watch_page(job)
    assert list(json.loads((job / HISTORY).read_text())) == ["200"]


def test_half_written_files_are_warnings(job: Path, tmp_path: Path) -> None:
    copy = tmp_path / "job"
    copy.mkdir()
    for path in job.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    (copy / "map.e3d").write_bytes((job / "map.e3d").read_bytes()[:300])
    (copy / "bonds.txt").write_text("e3d-bonds/1\nnonsense\n")
    (copy / "job.1.log").write_text(LOG[: LOG.index("305") + 2])
    page = write_watch_page(copy).read_text()
    assert "map.e3d" in page and "bonds.txt, line" in page and "Thermo output" in page


def test_a_folder_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", str(tmp_path), "--once"]) == 2
    assert "no job and no campaign there" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_watch_ends_with_the_run(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", str(job), "--every", "0.1"]) == 0
    assert "nothing runs there any more" in capsys.readouterr().out
    assert main(["watch", str(job), "--every", "0"]) == 2


@pytest.fixture
def address(job: Path) -> Iterator[str]:
    with serve(job, 0, 0.0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_server_gives_the_page_and_nothing_else(job: Path, address: str) -> None:
    before = (job / PAGE).stat().st_mtime_ns
    with urllib.request.urlopen(address + "/") as answer:
        assert answer.headers["Cache-Control"] == "no-store" and b"Thermo output" in answer.read()
    assert (job / PAGE).stat().st_mtime_ns > before, "written again when it is asked for"
    for path in ("/job.json", "/../in.hot", "/watch.json"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address + path)


def test_a_port_that_is_taken(job: Path, address: str) -> None:
    with pytest.raises(E3DError, match="type another --port"):
        serve(job, int(address.rsplit(":", 1)[1]), 1.0)


# ---- logs


def test_thermo_of_several_jobs(tmp_path: Path) -> None:
    """Of a step that two jobs came to the later one counts; a last line without its end is left out."""
    (tmp_path / "job.1.log").write_text(LOG)
    (tmp_path / "job.2.log").write_text(
        LOG.replace("   0   300 ", " 200   299 ").replace(" 100   310", " 300   311")[:-60]
    )
    (tmp_path / "job.10.log").write_text(
        "   Step          Temp          PotEng\n       300   1  2\n       400   5"
    )
    thermo = read_thermo([tmp_path / f"job.{k}.log" for k in (1, 2, 10)])
    assert list(thermo.columns) == ["Step", "Temp", "PotEng"]
    assert np.array_equal(thermo.steps, [0, 100, 200, 300])
    assert np.array_equal(thermo.columns["Temp"], [300, 310.25, 305, 1])
    assert progress_of(tmp_path).step == 300


def test_thermo_of_an_input_with_several_runs(tmp_path: Path) -> None:
    path = tmp_path / "job.1.log"
    path.write_text(LOG + LOG.replace("PotEng", "TotEng"))
    assert list(read_thermo([path]).columns) == ["Step", "Temp", "TotEng"]
    path.write_text("")
    assert read_thermo([path]).steps.size == 0 and progress_of(tmp_path).step == -1


def test_last_line(tmp_path: Path) -> None:
    assert last_line(tmp_path) == "no output"
    (tmp_path / "job.1.out").write_text("bash: lmp: command not found\n")
    assert last_line(tmp_path) == "bash: lmp: command not found"
    (tmp_path / "job.1.log").write_text(LOG)
    assert last_line(tmp_path).startswith("bash")
    (tmp_path / "job.1.log").write_text(
        LOG + "ERROR: Lost atoms: original 36 current 35 (src/thermo.cpp:1)\nLast input line: run\n"
    )
    assert last_line(tmp_path).startswith("ERROR: Lost atoms")
