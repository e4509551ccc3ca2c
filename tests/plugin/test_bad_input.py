"""Bad input to the plugin: the message says what to do, the exit code is not 0, nothing is left behind."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from e3d_lmp.model.contract import ModelMetadata
from gas_runs import ELEMENTS, gas
from lammps_runs import run_lammps, run_python, write_data
from refusals import refused, with_model

ModelFiles = Callable[..., Path]


def test_good_input(tmp_path: Path, morse: Path) -> None:
    """What follows differs from this in one point only."""
    write_data(tmp_path / "data.lmp", gas(8), ELEMENTS)
    run_lammps(with_model(morse), tmp_path)
    assert (tmp_path / "edges.dump").stat().st_size > 0


# ---------------------------------------------------------------- model files


@pytest.fixture
def morse(model_files: ModelFiles) -> Path:
    """A good model file."""
    return model_files("morse")


@pytest.fixture
def package(model_files: ModelFiles) -> Path:
    """A good AOTInductor file."""
    return model_files("tersoff-sic", "pt2")


def altered_torchscript(model: Path, path: Path, changes: dict[str, str | None]) -> Path:
    """A copy of `model` with other metadata; None leaves a key out."""
    extra = {key: "" for key in _torchscript_keys(model)}
    module = torch.jit.load(str(model), _extra_files=extra)
    strings = {key: value.decode() if isinstance(value, bytes) else value for key, value in extra.items()}
    strings = {k: v for k, v in (strings | changes).items() if v is not None}
    torch.jit.save(module, str(path), _extra_files={k: v.encode() for k, v in strings.items()})
    return path


def _torchscript_keys(model: Path) -> list[str]:
    with zipfile.ZipFile(model) as archive:
        return [name.split("/extra/", 1)[1] for name in archive.namelist() if "/extra/" in name]


def altered_package(model: Path, path: Path, key: str, value: str | None) -> Path:
    """A copy of the AOTInductor file `model` with one metadata entry changed, or left out for None."""
    changed = 0
    with zipfile.ZipFile(model) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for item in old.infolist():
            content = old.read(item)
            if item.filename.endswith("metadata.json"):
                strings = json.loads(content)
                if key in strings:
                    changed += 1
                    if value is None:
                        del strings[key]
                    else:
                        strings[key] = value
                content = json.dumps(strings).encode()
            new.writestr(item.filename, content)
    assert changed, f"no {key} in the metadata of {model}"
    return path


def test_missing_model(tmp_path: Path) -> None:
    """A path that is not there, on two ranks."""
    refused(
        tmp_path,
        with_model("nowhere/gone.nequip.pt2"),
        r"cannot open model file nowhere/gone\.nequip\.pt2: give the path",
        r"e3d export",
        ranks=2,
    )


@pytest.mark.parametrize("failing", [0, 1])
def test_one_rank_cannot_load(failing: int, tmp_path: Path, morse: Path) -> None:
    """All ranks stop with the message of the one that failed: an error of all, not an abort of one."""
    script = with_model("rank${rank}.nequip.pth").replace("units", "variable rank getenv PMI_RANK\nunits", 1)
    shutil.copy(morse, tmp_path / f"rank{1 - failing}.nequip.pth")
    run = refused(tmp_path, script, rf"ERROR: .*cannot open model file rank{failing}\.nequip\.pth", ranks=2)
    assert "on proc" not in run.output


@pytest.mark.parametrize("ending", ["pth", "pt2"])
def test_truncated_model(ending: str, tmp_path: Path, morse: Path, package: Path) -> None:
    """Half of a file."""
    whole = (morse if ending == "pth" else package).read_bytes()
    (tmp_path / f"half.{ending}").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path, with_model(f"half.{ending}"), rf"cannot use model file half\.{ending}: \S+")


def test_foreign_torchscript(tmp_path: Path) -> None:
    """TorchScript without the contract, such as a model for stock pair_allegro."""
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / "foreign.pth"))
    refused(
        tmp_path, with_model("foreign.pth"), "has no e3d contract", "another pair style", "e3d export MODEL"
    )


def test_foreign_package(tmp_path: Path, package: Path) -> None:
    """An AOTInductor package that another program wrote."""
    altered_package(package, tmp_path / "foreign.pt2", "contract", None)
    refused(tmp_path, with_model("foreign.pt2", "Si C"), "has no e3d contract", "e3d export MODEL")


@pytest.mark.parametrize("ending", ["pt2", "pth"])
def test_zip_of_something_else(ending: str, tmp_path: Path) -> None:
    """A zip file of other things, and a text file with the right ending."""
    with zipfile.ZipFile(tmp_path / f"other.{ending}", "w") as archive:
        archive.writestr("other/readme.txt", "not a model")
    refused(tmp_path, with_model(f"other.{ending}"), rf"cannot use model file other\.{ending}: \S+")
    (tmp_path / f"text.{ending}").write_text("not a model\n" * 100)
    refused(tmp_path, with_model(f"text.{ending}"), rf"cannot use model file text\.{ending}: \S+")


def test_wrong_ending(tmp_path: Path, morse: Path) -> None:
    """A file name that says nothing about the engine."""
    shutil.copy(morse, tmp_path / "model.bin")
    refused(tmp_path, with_model("model.bin"), r"ends in neither \.pt2 nor \.pth", "e3d export")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device that should be missing")
def test_model_of_another_device(tmp_path: Path, package: Path) -> None:
    """Compiled for a GPU, run where there is none; and a CPU model asked onto a GPU."""
    altered_package(package, tmp_path / "cuda.pt2", "device", "cuda")
    refused(tmp_path, with_model("cuda.pt2", "Si C"), "needs device cuda", "--device cpu")
    refused(
        tmp_path,
        with_model("cuda.pt2", "Si C", "device cpu"),
        "compiled for device cuda but device cpu was asked for",
        "--device cpu",
    )
    refused(
        tmp_path,
        with_model(package, "Si C", "device cuda"),
        "compiled for device cpu but device cuda was asked for",
    )


def test_portable_model_without_the_device(tmp_path: Path, morse: Path) -> None:
    """A portable file on a device that this torch does not have."""
    if torch.xpu.is_available():
        pytest.skip("this machine has the device that should be missing")
    refused(tmp_path, with_model(morse, options="device xpu:1"), "needs device xpu", "device cpu")


LOAD_EACH = """
from mpi4py import MPI
from lammps import lammps

lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
for command in ("units metal", "region b block 0 8 0 8 0 8", "create_box 2 b", "pair_style e3d"):
    lmp.command(command)
for name in NAMES:
    try:
        lmp.command(f"pair_coeff * * {name}.pth Cu Ag")
        print(name, "is not refused")
    except Exception as error:
        print(name, error)
lmp.close()
"""


def each_refused(folder: Path, messages: dict[str, str]) -> None:
    """Files NAME.pth are refused with these messages (regular expressions), and told to be exported anew."""
    output = run_python(LOAD_EACH.replace("NAMES", repr(list(messages))), folder)
    for name, message in messages.items():
        whole = rf"^{name} .*cannot use model file {name}\.pth: .*{message}.*e3d export"
        assert re.search(whole, output, re.M), f"no '{whole}' in:\n{output}"


def test_missing_metadata(tmp_path: Path, morse: Path) -> None:
    """Whatever key is missing, it is named, and never replaced by a default."""
    messages = {}
    for key in [item.name for item in fields(ModelMetadata)]:
        altered_torchscript(morse, tmp_path / f"{key}.pth", {key: None})
        messages[key] = f"its metadata lacks '{key}'"
    messages["contract"] = "it has no e3d contract in its metadata"
    each_refused(tmp_path, messages)


LENGTHS = "the lengths of type_names, type_elements, shifts and cutoffs"
DOCTORED = [
    ("contract", "e3d/99", r"contract is 'e3d/99', this plugin reads 'e3d/1'"),
    ("cutoffs", "6.0 6.2 6.2", LENGTHS),
    ("shifts", "0.0", LENGTHS),
    ("type_elements", "Cu Ag Ag", LENGTHS),
    ("r_max", "6.5 6.5", LENGTHS),
    ("cutoffs", "6.0 6.2 6.2 six", "'six' in 'cutoffs' where a number belongs"),
    ("cutoffs", "6.0 6.2 6.2 60.0", "cutoff in its metadata is not within 0 and r_max"),
    ("cutoffs", "6.0 6.2 0.0 6.5", "cutoff in its metadata is not within 0 and r_max"),
]


def test_doctored_metadata(tmp_path: Path, morse: Path) -> None:
    """Metadata that cannot be right."""
    messages = {}
    for k, (key, value, message) in enumerate(DOCTORED):
        altered_torchscript(morse, tmp_path / f"odd{k}.pth", {key: value})
        messages[f"odd{k}"] = message
    each_refused(tmp_path, messages)


def test_package_of_another_torch(tmp_path: Path, package: Path) -> None:
    """Compiled code belongs to one torch version; the message names both."""
    altered_package(package, tmp_path / "old.pt2", "torch_version", "1.0.0")
    here = re.escape(torch.__version__.split("+")[0])
    refused(
        tmp_path, with_model("old.pt2", "Si C"), rf"compiled with torch 1\.0\.0, the plugin uses torch {here}"
    )


# ---------------------------------------------------------------- pair_style and pair_coeff


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ("Cu Xx", "model has no type 'Xx'; its types are: Cu Ag"),
        ("Cu", "one model type for each of the 2 atom types .* but 1 words follow"),
        ("Cu Ag Ag", "one model type for each of the 2 atom types .* but 3 words follow"),
        ("NULL NULL", "all atom types are NULL"),
    ],
)
def test_types(types: str, message: str, tmp_path: Path, morse: Path) -> None:
    """Unknown names, and a wrong number of them."""
    refused(tmp_path, with_model(morse, types), message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("chunks 7", r"Unknown .*keyword 'chunks': it takes 'chunk N\|auto'.*'device .*'committee"),
        ("chunk 0", "chunk must be auto or a positive number of atoms, not 0"),
        ("chunk many", "Expected integer .*'many'"),
        ("chunk", "pair_style e3d chunk.*missing argument|Illegal pair_style e3d chunk"),
        ("device gpu", "Unknown pair_style e3d device 'gpu': choose auto, cpu, cuda"),
    ],
)
def test_pair_style_options(options: str, message: str, tmp_path: Path) -> None:
    """Keywords and their values."""
    refused(tmp_path, with_model("unused.pth", options=options), message)


def test_pair_coeff_of_one_pair(tmp_path: Path, morse: Path) -> None:
    """A many-body model is not set pair by pair."""
    script = with_model(morse).replace("pair_coeff * *", "pair_coeff 1 2")
    refused(tmp_path, script, r"must (begin|start) with '?\* \*")


def test_no_pair_coeff(tmp_path: Path) -> None:
    """A run without a model."""
    script = re.sub("pair_coeff.*", "", with_model("unused.pth"))
    refused(tmp_path, script, "All pair coeffs are not set")


# ---------------------------------------------------------------- settings of LAMMPS


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("units metal", "units lj", "use 'units metal' .*not 'units lj'"),
        ("units metal", "units si", "use 'units metal' .*not 'units si'"),
        ("newton on", "newton off", "needs 'newton on'"),
        ("newton on", "atom_modify id no", "needs atom IDs: remove 'atom_modify id no'"),
    ],
)
def test_settings(old: str, new: str, message: str, tmp_path: Path, morse: Path) -> None:
    """Units, newton and ids."""
    script = with_model(morse).replace(old, new)
    if "id no" in new:
        box = "region b block 0 8 0 8 0 8\ncreate_box 2 b\ncreate_atoms 1 single 1 1 1\nmass * 60.0"
        script = script.replace("read_data data.lmp", box)
    refused(tmp_path, script, message)


MOLECULE = """
units metal
atom_style molecular
region b block 0 10 0 10 0 10
create_box 2 b bond/types 1 extra/bond/per/atom 2 extra/special/per/atom 4
create_atoms 1 single 1 1 1
create_atoms 2 single 1 1 3.5
mass * 60.0
bond_style zero
bond_coeff *
SPECIAL
pair_style e3d
pair_coeff * * MODEL Cu Ag
create_bonds single/bond 1 1 2 special yes
compute edges all e3d/edge/local eps
dump edges all local 1 edges.dump c_edges
run 0
"""


def test_special_bonds_of_zero(tmp_path: Path, morse: Path) -> None:
    """LAMMPS would hide bonded neighbours; the message says which line mends it."""
    script = MOLECULE.replace("MODEL", str(morse)).replace("SPECIAL", "")
    refused(tmp_path, script, "special_bonds lj/coul 1.0 1.0 1.0", "1.0e-50", data=False)
    half = MOLECULE.replace("MODEL", str(morse)).replace("SPECIAL", "special_bonds lj/coul 1.0 1.0 0.0")
    refused(tmp_path, half, "special_bonds lj/coul 1.0 1.0 1.0", data=False)


# ---------------------------------------------------------------- computes


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (
            "e3d/edge/local eps cutoff 6.4",
            r"bond cutoff 6\.4 Angstrom for Cu-Cu is longer than the model's cutoff of 6",
        ),
        ("e3d/atom coord cutoff 6.4", r"compute c e3d/atom: bond cutoff 6\.4 .*'cutoff model'"),
        ("e3d/edge/local eps cutoff wide", r"'wide' is none of: model, covalent, paper"),
        ("e3d/edge/local eps cutoff -2", r"'-2' is none of: model, covalent, paper"),
        ("e3d/edge/local eps cutoff file gone.txt", r"cannot open bond cutoff file gone\.txt: .*'El1 El2 R'"),
        ("e3d/edge/local eps cutoff file bad.txt", r"line 2 of bond cutoff file bad\.txt is not 'El1 El2 R'"),
        ("e3d/edge/local eps cutoff", "compute c e3d/edge/local cutoff.*missing"),
        (
            "e3d/edge/local energy",
            "compute c e3d/edge/local: unknown value 'energy'; choose from: .*eps.*tag1",
        ),
        ("e3d/edge/local", "compute c e3d/edge/local: give at least one value of: "),
        ("e3d/atom eps", "compute c e3d/atom: unknown value 'eps'; choose from: .*coord energy"),
        ("pair/local eng", "[Pp]air style does not support compute pair/local"),
    ],
)
def test_compute_arguments(compute: str, message: str, tmp_path: Path, morse: Path) -> None:
    """Values, cutoffs, and the computes of LAMMPS that ask a pair for its energy."""
    (tmp_path / "bad.txt").write_text("Cu Cu 3.0\nCu 3.0\n")
    refused(tmp_path, with_model(morse, commands=f"compute c all {compute}\nrun 0"), message)


@pytest.mark.parametrize("style", ["e3d/edge/local eps", "e3d/atom energy"])
def test_compute_without_the_pair_style(style: str, tmp_path: Path) -> None:
    """The computes name the pair style that they need."""
    script = re.sub("pair_coeff.*", "pair_coeff * * 1.0 2.0", with_model("unused.pth"))
    script = script.replace("pair_style e3d", "pair_style lj/cut 3.0").replace("e3d/edge/local eps", style)
    script = script.replace("dump edges all local 1 edges.dump c_edges", "")
    refused(
        tmp_path, script, f"compute edges {style.split()[0]} needs exactly one pair_style e3d", "pair_coeff"
    )


def test_pair_write(tmp_path: Path, morse: Path) -> None:
    """A many-body model has no energy of one pair to tabulate."""
    commands = "pair_write 1 1 10 r 1.0 3.0 result.json x"
    refused(tmp_path, with_model(morse, commands=commands), "[Pp]air style.*does not support pair_write")


@pytest.mark.parametrize(
    "dump",
    [
        "compute late all e3d/edge/local eps\nrun 0\nDELETE\nwrite_dump all local out.dump c_late",
        "compute late all e3d/atom energy\nrun 0\nDELETE\nwrite_dump all custom out.dump id c_late",
        'compute late all e3d/atom energy\ncompute s all reduce sum c_late\nrun 0\nDELETE\nprint "$(c_s)"',
    ],
)
def test_stale_frame(dump: str, tmp_path: Path, morse: Path) -> None:
    """Atoms deleted since the model ran: never yesterday's edges on today's atoms."""
    commands = "undump edges\n" + dump.replace(
        "DELETE", "group gone id 1 2\ndelete_atoms group gone compress no"
    )
    run = refused(tmp_path, with_model(morse, commands=commands).replace("edges.dump", "first.dump"))
    assert re.search(
        r"there are no edge energies of the atoms as they are now .*type 'run 0' first", run.output
    )


STALE_AFTER_ERROR = """
from mpi4py import MPI
from lammps import LMP_STYLE_LOCAL, LMP_TYPE_VECTOR, lammps

lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
lmp.file("in.lmp")
lmp.command("set atom 8 x 1.0 y 1.0 z 1.0")
lmp.command("set atom 7 x 1.0 y 1.0 z 1.0")
for name, what in {
    "STEP": lambda: lmp.command("run 0"),
    "READ": lambda: print("eps", lmp.numpy.extract_compute("edges", LMP_STYLE_LOCAL, LMP_TYPE_VECTOR)),
}.items():
    try:
        what()
    except Exception as error:
        print(name, error)
"""


def test_failed_step(tmp_path: Path, model_files: ModelFiles) -> None:
    """Atoms on top of each other: an energy that is not a number ends the run, and the edges of that step,
    half new and half old, cannot be read.
    """
    model = model_files("lj")
    script = with_model(model, "Ar Kr", "chunk 1")
    refused(tmp_path, script.replace("run 0", "set group all x 1.0 y 1.0 z 1.0\nrun 0"), "not a number")
    (tmp_path / "in.lmp").write_text(script)
    output = run_python(STALE_AFTER_ERROR, tmp_path)
    assert re.search("STEP .*on step 0: the model returned an energy that is not a number", output), output
    assert re.search("READ .*there are no edge energies of the atoms as they are now", output), output
