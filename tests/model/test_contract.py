"""Metadata of model files: strings and back, files read without running them, errors that name the key."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from analytic_models import LENNARD_JONES, metadata_of
from e3d_lmp.cli import main
from e3d_lmp.errors import E3DError
from e3d_lmp.model.contract import (
    CONTRACT,
    INPUTS,
    OUTPUTS,
    ModelMetadata,
    describe,
    engine_of,
    read_metadata,
    read_strings,
)
from e3d_lmp.model.file import open_model_file
from lammps_runs import ROOT

METADATA = metadata_of(["C", "H"], [3.0, 2.5, 2.75, 2.0], "float32", shifts=[-1027.123456789012, 0.0])
KEYS = [item.name for item in fields(ModelMetadata)]


def test_contract_names() -> None:
    """The C++ side spells these names too: a change is a new contract version."""
    keys = re.search(r"METADATA_KEYS = \{(.*?)\};", _source("model_metadata.h"), re.S)
    assert keys and sorted(re.findall(r'"(\w+)"', keys[1])) == sorted(KEYS)
    contract = re.search(r'CONTRACT = "(.*)";', _source("model_metadata.cpp"))
    assert contract and contract[1] == CONTRACT
    call = _source("edge_model_torch.cpp")
    assert re.findall(r'\.insert\("(\w+)"', call) == list(INPUTS)
    assert re.findall(r'out\.at\("(\w+)"\)', call) == list(OUTPUTS)


def _source(name: str) -> str:
    """A file of the plugin, in whatever folder of it."""
    (file,) = (ROOT / "lammps_plugin").rglob(name)
    return file.read_text(encoding="utf-8")


def test_strings_keep_every_digit() -> None:
    strings = METADATA.to_strings()
    assert ModelMetadata.from_strings(strings) == METADATA
    assert strings["cutoffs"] == "3.0 2.5 2.75 2.0"
    assert strings["shifts"] == "-1027.123456789012 0.0"


@pytest.mark.parametrize("key", KEYS)
def test_missing_key_is_named(key: str) -> None:
    strings = METADATA.to_strings()
    del strings[key]
    with pytest.raises(E3DError, match=f"'{key}'"):
        ModelMetadata.from_strings(strings, origin="'some.nequip.pt2'")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("r_max", "five", "'r_max' is ill-formed"),
        ("cutoffs", "3.0 2.5 2.75", "cutoffs has 3 entries, expected 4"),
        ("cutoffs", "3.0 2.5 2.75 -2.0", "not all positive"),
        ("cutoffs", "3.0 2.5 2.75 9.0", "within r_max"),
        ("shifts", "0.0 x", "'shifts' is ill-formed"),
        ("scales", "1.0", "scales has 1 entries, expected 2"),
        ("type_names", "", "type_names"),
        ("type_names", "C C", "duplicates"),
        ("decomposition", "yes", "cohesive or rescaled"),
        ("model_dtype", "float16", "float32 or float64"),
        ("engine", "onnx", "aotinductor or torchscript"),
        ("contract", "e3d/2", "expected the contract 'e3d/1', got 'e3d/2'"),
        ("training_data", "two\nlines", "one non-empty line"),
    ],
)
def test_ill_formed_value_is_named(key: str, value: str, message: str) -> None:
    with pytest.raises(E3DError, match=message):
        ModelMetadata.from_strings(METADATA.to_strings() | {key: value})


def test_engine_follows_from_the_ending() -> None:
    assert engine_of("a/b.nequip.pt2") == "aotinductor"
    assert engine_of(Path("b.nequip.pth")) == "torchscript"
    for name in ("model.pt2", "model.ckpt", ".nequip.pth", "model.nequip.pth.bak"):
        with pytest.raises(E3DError, match="expected a model file name ending"):
            engine_of(name)


@pytest.mark.parametrize(
    ("name", "ending", "engine"), [("lj", "pth", "torchscript"), ("allegro-everything", "pt2", "aotinductor")]
)
def test_metadata_of_a_file_is_what_was_written(name: str, ending: str, engine: str, model_files) -> None:
    path = model_files(name, ending, "float32")
    metadata = read_metadata(path)
    assert metadata.engine == engine
    assert metadata.torch_version == torch.__version__
    if name == "lj":
        expected = LENNARD_JONES.model("float32")[1]
        assert (
            replace(
                metadata,
                **{
                    k: getattr(expected, k)
                    for k in ("torch_version", "nequip_version", "nequip_allegro_version")
                },
            )
            == expected
        )
    else:
        assert metadata.type_names == ("H", "C", "O")
        # row: centre. H reaches 2.6 everywhere, C -> H only 3.1, O -> C 3.7, the rest r_max
        assert metadata.cutoffs == (2.6, 2.6, 2.6, 3.1, 4.0, 4.0, 4.0, 3.7, 4.0)
        assert metadata.shifts == (-13.6, -1027.5, -2041.3)
        assert metadata.scales == (1.1, 2.0, 0.7)
        assert metadata.decomposition == "rescaled"
        assert metadata.device == "cpu"


def test_reading_metadata_does_not_run_the_model(model_files, tmp_path: Path) -> None:
    """Read from the archive: a file whose code cannot run still tells what it is."""
    path = tmp_path / "copy.nequip.pth"
    with zipfile.ZipFile(model_files("lj", "pth")) as source, zipfile.ZipFile(path, "w") as target:
        for item in source.namelist():
            target.writestr(item, b"broken" if item.endswith(".py") else source.read(item))
    assert read_metadata(path).type_names == ("Ar", "Kr")
    with pytest.raises(E3DError, match="torch cannot load"):
        open_model_file(path)


def test_missing_truncated_and_foreign_files(model_files, tmp_path: Path) -> None:
    with pytest.raises(E3DError, match=r"no model file '.*none.nequip.pt2'"):
        read_metadata(tmp_path / "none.nequip.pt2")
    whole = model_files("lj", "pth").read_bytes()
    for ending in ("pth", "pt2"):
        (tmp_path / f"half.nequip.{ending}").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(E3DError, match="not a complete model file"):
            read_metadata(tmp_path / f"half.nequip.{ending}")
    (tmp_path / "other.nequip.pt2").write_bytes(whole)
    with pytest.raises(E3DError, match="not a complete model file"):
        read_metadata(tmp_path / "other.nequip.pt2")
    torch.jit.save(
        torch.jit.script(torch.nn.Identity()),
        str(tmp_path / "foreign.nequip.pth"),
        _extra_files={"r_max": b"4"},
    )
    assert read_strings(tmp_path / "foreign.nequip.pth")["r_max"] == "4"
    with pytest.raises(E3DError, match="not a file written by e3d"):
        read_metadata(tmp_path / "foreign.nequip.pth")


def test_inspect_prints_the_facts(model_files, capsys: pytest.CaptureFixture[str]) -> None:
    path = model_files("allegro-everything", "pt2", "float32")
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    for fact in ("e3d/1", "aotinductor for cpu", "float32", "rescaled", "-1027.5", "3.1"):
        assert fact in out
    assert main(["inspect", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == read_metadata(path).to_strings()
    assert main(["inspect", str(path) + ".nequip.pth"]) == 2
    assert "e3d: error: no model file" in capsys.readouterr().err
    assert "partition" not in describe(LENNARD_JONES.model()[1])
