"""The rooms of the package: who may import whom, and what an import loads.

`ROOMS` is the order of the rooms. Every import counts, also one inside a function and one for type checkers
only: what is imported late makes the same knot.
"""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

import e3d_lmp
from e3d_lmp import cli

PACKAGE = Path(__file__).resolve().parents[1] / "python/e3d_lmp"

ROOMS = (
    # the ground
    (
        *("errors", "extras", "units", "version", "plugin", "files", "mpi", "parsing", "tables", "templates"),
        "terminal",
    ),
    ("model",),
    ("edges",),
    ("analysis",),
    ("figures",),
    ("web",),
    ("runs",),
    ("scene",),
    ("training",),
    ("study",),
    ("commands",),
    ("__init__", "__main__", "cli", "extension"),  # what others call us by
)
"""From the ground up. A file imports from its own row and from those above it in this list."""

FROZEN = (
    "e3d_lmp.cli:main",
    "e3d_lmp.plugin:path",
    "e3d_lmp.extension:register",
    "e3d_lmp.training.budget:BudgetSchedule",
    "e3d_lmp.training.budget:BudgetCheckpoints",
    "e3d_lmp.training.loader:ResumableLoader",
    "e3d_lmp.training.progress:ProgressFile",
    "e3d_lmp.training.model:E3DAllegroModel",
    "e3d_lmp.training.heat_flux:HeatFluxModule",
    "e3d_lmp.training.locality:LocalityModule",
)
"""Names in model files, checkpoints, configurations and entry points that are out in the world."""

Imports = Mapping[str, set[str]]


def module_name(file: Path) -> str:
    """Dotted name within the package: ``edges.pairs``, ``edges.__init__``, ``cli``."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


def imports_of(source: str, modules: Iterable[str]) -> set[str]:
    """The modules of the package that a file imports, wherever in it, by their names within the package."""
    known = set(modules)
    found = set()

    def resolve(name: str) -> None:
        if name in known:
            found.add(name)
        elif f"{name}.__init__" in known:
            found.add(f"{name}.__init__")
        else:
            raise AssertionError(f"no module e3d_lmp.{name}")

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "e3d_lmp":
                    found.add("__init__")
                elif alias.name.startswith("e3d_lmp."):
                    resolve(alias.name.removeprefix("e3d_lmp."))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            if node.module == "e3d_lmp":
                for alias in node.names:
                    known_name = alias.name in known or f"{alias.name}.__init__" in known
                    resolve(alias.name) if known_name else found.add("__init__")
            elif node.module and node.module.startswith("e3d_lmp."):
                folder = node.module.removeprefix("e3d_lmp.")
                for alias in node.names:
                    inner = f"{folder}.{alias.name}"
                    resolve(inner if inner in known or f"{inner}.__init__" in known else folder)
    return found


def all_imports() -> Imports:
    """Module -> modules that it imports, of the whole package."""
    files = sorted(file for file in PACKAGE.rglob("*.py") if "lib" not in file.parts)
    modules = {module_name(file): file for file in files}
    return {name: imports_of(file.read_text(encoding="utf-8"), modules) for name, file in modules.items()}


def height(module: str) -> int:
    """Place of a module's room in `ROOMS`."""
    room = module.split(".")[0]
    places = [k for k, names in enumerate(ROOMS) if room in names]
    assert len(places) == 1, f"e3d_lmp.{module} has no room, or several: add it to ROOMS"
    return places[0]


def upward(imports: Imports) -> list[str]:
    """Imports of a room from one that is built on it."""
    return [
        f"{name} imports {other}"
        for name, others in imports.items()
        for other in sorted(others)
        if height(other) > height(name)
    ]


def circle(imports: Imports) -> list[str]:
    """Modules that import each other in a ring, the first one found; nothing where there is none."""
    state: dict[str, int] = {}
    path: list[str] = []

    def visit(name: str) -> list[str]:
        state[name] = 1
        path.append(name)
        for other in sorted(imports.get(name, ())):
            if state.get(other) == 1:
                return [*path[path.index(other) :], other]
            if other not in state and (found := visit(other)):
                return found
        path.pop()
        state[name] = 2
        return []

    for name in sorted(imports):
        if name not in state and (found := visit(name)):
            return found
    return []


@pytest.fixture(scope="module")
def imports() -> Imports:
    return all_imports()


def test_no_room_imports_from_one_above_it(imports: Imports) -> None:
    assert len(imports) > 100
    assert not upward(imports)


def test_no_circle_of_files(imports: Imports) -> None:
    assert not circle(imports)


def test_no_circle_of_rooms(imports: Imports) -> None:
    between: dict[str, set[str]] = {}
    for name, others in imports.items():
        room = name.split(".")[0]
        between.setdefault(room, set()).update({other.split(".")[0] for other in others} - {room})
    assert not circle(between)


@pytest.mark.parametrize(
    "source",
    [
        "from e3d_lmp.figures.style import save_figure",
        "from e3d_lmp.figures import save_figure",
        "from e3d_lmp import figures",
        "import e3d_lmp.figures.maps",
        "def late():\n    from e3d_lmp.figures import maps",
        "if TYPE_CHECKING:\n    from e3d_lmp.figures.maps import plot_maps",
        "from e3d_lmp import Simulation",
    ],
)
def test_an_upward_import_is_seen(imports: Imports, source: str) -> None:
    found = imports_of(source, imports)
    assert upward({**imports, "edges.pairs": imports["edges.pairs"] | found})


def test_a_circle_is_seen(imports: Imports) -> None:
    assert set(circle({**imports, "edges.frames": {"edges.pairs"}})) == {"edges.frames", "edges.pairs"}


@pytest.mark.parametrize("room", sorted({file.parent for file in PACKAGE.glob("*/**/__init__.py")}), ids=str)
def test_a_room_lists_its_files(room: Path) -> None:
    """In the docstring of its ``__init__.py``, each in backquotes; that of the verbs is ``e3d --help``."""
    if room.name == "commands":
        return
    said = str(ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))))
    listed = set(re.findall(r"^`(\w+)`  ", said, re.M))
    inner = {folder.parent for folder in room.glob("*/__init__.py")}
    assert listed == {path.stem for path in {*room.glob("*.py"), *inner}} - {"__init__"}


def test_only_commands_know_argparse() -> None:
    """Of the rooms; `cli` makes the parsers."""
    using = {
        module_name(file)
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(alias.name == "argparse" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "argparse")
    }
    assert {name.split(".")[0] for name in using} == {"cli", "commands"}


def test_every_verb_is_a_file() -> None:
    files = {file.stem for file in (PACKAGE / "commands").glob("*.py")} - {"__init__", "arguments"}
    assert files == set(cli.COMMANDS)


def _modules_of(code: str) -> set[str]:
    """Modules that a fresh Python loads for some lines, beyond those that it always has."""
    code = (
        f"import sys\nbefore = {{*sys.modules}}\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
        "print('loaded:', *({*sys.modules} - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("loaded:")[2].split())


def _loaded_by(code: str) -> set[str]:
    """Those of ours, by their names within the package."""
    return {name.removeprefix("e3d_lmp.") for name in _modules_of(code) if name.startswith("e3d_lmp.")}


@pytest.mark.parametrize(
    ("words", "packages", "most"),
    [
        (["--help"], set(), 55),
        (["inspect", "--help"], set(), 95),
        (["events", "--help"], {"numpy"}, 225),
        (["analyze", "--help"], {"numpy", "h5py"}, 350),
        (["report", "--help"], {"numpy", "h5py"}, 350),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_help_loads_little(words: list[str], packages: set[str], most: int) -> None:
    """A user waits for what is loaded. The number of modules says it on any machine, a time does not."""
    loaded = _modules_of(f"from e3d_lmp.cli import main; main({words})")
    others = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"e3d_lmp"}
    assert {name for name in others if "cython" not in name} == packages
    assert "e3d_lmp.cli" in loaded and len(loaded) < most


@pytest.mark.parametrize("module", ["edges.evaluate", "model.export", "analysis.analyse"])
def test_a_library_loads_neither_figures_nor_commands(module: str) -> None:
    rooms = {name.split(".")[0] for name in _loaded_by(f"import e3d_lmp.{module}")}
    assert module.split(".")[0] in rooms
    assert not rooms & {"figures", "web", "runs", "scene", "training", "study", "commands", "cli"}


def test_the_package_loads_nothing_until_asked() -> None:
    assert _loaded_by("import e3d_lmp") == set()
    assert _loaded_by("from e3d_lmp import parse_cutoff") >= {"edges.cutoffs"}


def test_public_names_are_there() -> None:
    for name in e3d_lmp.__all__:
        assert getattr(e3d_lmp, name) is not None
        assert name in dir(e3d_lmp)
        if name != "__version__":
            assert f"`{name}`" in str(e3d_lmp.__doc__), f"{name} is not in the table of e3d_lmp"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        e3d_lmp.Nothing  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", FROZEN)
def test_names_that_are_out_in_the_world_stay(name: str) -> None:
    module, attribute = name.split(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_names_in_configurations_stay() -> None:
    """The ``_target_`` of every configuration that is shipped is one of those."""
    files = [*PACKAGE.glob("training/configs/*.yaml"), *PACKAGE.parents[1].glob("scripts/training/*.yaml")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    targets = {line.split("_target_:")[1].strip() for line in lines if "_target_: e3d_lmp" in line}
    assert len(targets) >= 5
    assert targets <= {name.replace(":", ".") for name in FROZEN}
