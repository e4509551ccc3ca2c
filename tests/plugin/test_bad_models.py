"""Models that are damaged, of another kind, or return what is no number: LAMMPS stops with one message."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from e3d_lmp.model.contract import ModelMetadata
from gas_runs import ELEMENTS, gas
from lammps_runs import run_lammps, run_python, write_data
from refusals import refused, with_model

ModelFiles = Callable[..., Path]


# ---------------------------------------------------------------- model files


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
    message = r"ends in neither \.safetensors nor \.pt2 nor \.pth"
    refused(tmp_path, with_model("model.bin"), message, "e3d export MODEL OUT.safetensors")


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


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("AOTI_CPU_ISA", "AVX1024", "it was compiled for processors with avx1024, and this one has none"),
        ("AOTI_CPU_ISA", "INVALID_VEC_ISA AVX1024_VNNI", "processors with avx1024_vnni"),
        ("AOTI_MACHINE", "ppc64le", "it was compiled on ppc64le and this is "),
    ],
)
def test_package_of_another_processor(
    key: str, value: str, message: str, tmp_path: Path, package: Path
) -> None:
    """Instructions that this one lacks would end the run with SIGILL."""
    altered_package(package, tmp_path / "other.pt2", key, value)
    refused(tmp_path, with_model("other.pt2", "Si C"), message, "or use a .safetensors file")


def test_package_without_vectors(tmp_path: Path, package: Path) -> None:
    """What needs less than this processor has is welcome."""
    altered_package(package, tmp_path / "plain.pt2", "AOTI_CPU_ISA", "INVALID_VEC_ISA")
    write_data(tmp_path / "data.lmp", gas(8), ELEMENTS)
    run_lammps(with_model("plain.pt2", "Si C"), tmp_path)


def test_precision_of_a_file_for_torch(tmp_path: Path, morse: Path) -> None:
    """It is in the graph: another one is refused, its own is welcome."""
    message = (
        r"with 'precision single': it computes in float64; export it with '--dtype float32'.*\.safetensors"
    )
    refused(tmp_path, with_model(morse, options="precision single"), message)
    run_lammps(with_model(morse, options="precision double"), tmp_path)


# ---------------------------------------------------------------- files of the native engine


def altered_weights(model: Path, path: Path, strings: dict[str, str | None] | None = None, **changes) -> Path:
    """A copy of `model` with other metadata (None leaves a key out) or tensors (`changes`: name of a tensor,
    with ``__`` for a point -> what becomes of its array).
    """
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(model, "np") as file:
        about = {k: v for k, v in (file.metadata() | (strings or {})).items() if v is not None}
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    for name, change in changes.items():
        tensor = name.replace("__", ".")
        changed = change(tensors.pop(tensor))
        if changed is not None:
            tensors[tensor] = changed
    save_file(tensors, path, metadata=about)
    return path


def spoilt(array: np.ndarray) -> np.ndarray:
    """One number of it is NaN."""
    array = array.copy()
    array.flat[array.size // 2] = np.nan
    return array


WEIGHTS = {
    "missing key": ({"r_max": None}, {}, "the metadata key 'r_max' is missing"),
    "no source": ({"source_sha256": None}, {}, "its metadata lacks 'source_sha256'"),
    "no format": ({"format": None}, {}, "no model of e3d: it has no metadata key 'format'"),
    "future format": (
        {"format": "e3d-weights/2"},
        {},
        "expected the format e3d-weights/1, got 'e3d-weights/2'",
    ),
    "architecture": ({"architecture": "mace/1"}, {}, "expected the architecture allegro/1 .* got 'mace/1'"),
    "lengths": ({"cutoffs": "6.0 6.2 6.2"}, {}, "expected 4 numbers for the metadata key 'cutoffs', got 3"),
    "cutoff": ({"cutoffs": "6.0 6.2 6.2 60.0"}, {}, "positive lengths within r_max"),
    "missing tensor": ({}, {"edge_scale": lambda _: None}, "the tensor 'edge_scale' is missing"),
    "shape": (
        {},
        {"projection__weight": lambda a: a[:-1]},
        "expected the tensor 'projection.weight' with the shape",
    ),
    "dtype": ({}, {"projection__weight": lambda a: a.astype(np.int32)}, "'projection.weight'.* got I32"),
    "NaN": ({}, {"readout__0__weight": spoilt}, "of the tensor 'readout.0.weight' is NaN"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_cannot_be(name: str, tmp_path: Path, metals: Path) -> None:
    """Each is told by name, with what to type."""
    strings, tensors, message = WEIGHTS[name]
    altered_weights(metals, tmp_path / "odd.safetensors", strings, **tensors)
    refused(tmp_path, with_model("odd.safetensors"), rf"odd\.safetensors.*{message}", ranks=2)


def test_damaged_weights(tmp_path: Path, metals: Path) -> None:
    """Half of a file, one with more than itself, an empty one, a text, a folder."""
    whole = metals.read_bytes()
    contents = {
        "half": whole[: len(whole) // 2],
        "long": whole + b"\0" * 8,
        "empty": b"",
        "text": b"not a model\n" * 100,
        "huge": (2**60).to_bytes(8, "little") + whole[8:],
    }
    for name, content in contents.items():
        (tmp_path / f"{name}.safetensors").write_bytes(content)
        refused(tmp_path, with_model(f"{name}.safetensors"), rf"{name}\.safetensors.*e3d export")
    (tmp_path / "folder.safetensors").mkdir()
    refused(tmp_path, with_model("folder.safetensors"), r"folder\.safetensors.*not a file")


def test_weights_on_a_gpu(tmp_path: Path, metals: Path) -> None:
    """The native engine runs on processors."""
    for device in ("cuda", "xpu:1"):
        script = with_model(metals, options=f"device {device}")
        refused(
            tmp_path, script, rf"on device {device}: \.safetensors files run on processors", "--device cuda"
        )


@pytest.mark.parametrize("failing", [0, 1])
def test_one_rank_cannot_read_the_weights(failing: int, tmp_path: Path, metals: Path) -> None:
    """All ranks stop with the message of the one that failed."""
    script = with_model("rank${rank}.safetensors")
    script = script.replace("units", "variable rank getenv PMI_RANK\nunits", 1)
    shutil.copy(metals, tmp_path / f"rank{1 - failing}.safetensors")
    (tmp_path / f"rank{failing}.safetensors").write_bytes(metals.read_bytes()[:1000])
    run = refused(tmp_path, script, rf"ERROR: .*'rank{failing}\.safetensors'", ranks=2)
    assert "on proc" not in run.output


def test_unknown_instruction_set(tmp_path: Path, metals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that asks for what this processor does not have."""
    monkeypatch.setenv("E3D_ENGINE_ISA", "sse9")
    refused(tmp_path, with_model(metals), "'sse9' does not run here")


def test_no_torch_is_opened(tmp_path: Path, metals: Path, morse: Path) -> None:
    """A run of weights has no library of torch in its memory; one of a TorchScript file has."""
    write_data(tmp_path / "data.lmp", gas(8), ELEMENTS)
    for model, expected in ((metals, False), (morse, True)):
        run_lammps(with_model(model, commands='run 0\nshell "cp /proc/$PPID/maps maps.txt"'), tmp_path)
        maps = (tmp_path / "maps.txt").read_text()
        assert "libe3d_engine.so" in maps and "e3dplugin.so" in maps
        assert ("libtorch" in maps, "libe3d_model.so" in maps) == (expected, expected)


# ---------------------------------------------------------------- what a model returns


class Spoilt(torch.nn.Module):
    """A model of which one output is not finite where two Cu meet within 4 angstrom, the others are."""

    def __init__(self, output: int, value: float) -> None:
        super().__init__()
        self.output, self.value = output, value

    def forward(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        vectors, index, types = inputs["edge_vectors"], inputs["edge_index"], inputs["atom_types"]
        length = (vectors * vectors).sum(dim=1, keepdim=True)
        near = ((length < 16.0).squeeze(1) & (types[index[0]] == 0) & (types[index[1]] == 0)).to(
            torch.float64
        )
        bad = torch.where(near > 0.5, torch.full_like(near, self.value), torch.zeros_like(near)).unsqueeze(1)
        eps = torch.zeros_like(length)
        energy = torch.zeros([types.size(0), 1], dtype=torch.float64)
        forces = torch.zeros_like(vectors)
        if self.output == 0:
            energy = energy.index_add(0, index[0], bad)
        if self.output == 1:
            eps = eps + bad
        if self.output == 2:
            forces = forces + bad
        return {"atomic_energy": energy, "edge_energy": eps, "edge_forces": forces}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("output", "message"),
    [(0, "an energy that is"), (1, "an energy of an edge that is"), (2, "a force that is")],
)
@pytest.mark.parametrize("member", [False, True])
def test_every_output_has_to_be_a_number(
    output: int, message: str, value: float, member: bool, tmp_path: Path, morse: Path
) -> None:
    """Of the model that gives the forces, and of a committee's others; the atom is named."""
    extra = {key: "" for key in _torchscript_keys(morse)}
    torch.jit.load(str(morse), _extra_files=extra)
    module = torch.jit.script(Spoilt(output, value).eval())
    torch.jit.save(module, str(tmp_path / "spoilt.pth"), _extra_files=extra)
    script = with_model(
        f"{morse} spoilt.pth" if member else "spoilt.pth", options="committee 2" if member else ""
    )
    refused(tmp_path, script, rf"on step 0: the model returned {message} not a number \(atom \d\)", ranks=2)
