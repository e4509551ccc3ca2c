"""Files of the native engine: every kind of model that it can express, and how the others are refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from analytic_models import LENNARD_JONES
from e3d_lmp.edges.evaluate import evaluate_structures
from e3d_lmp.edges.evaluator import EdgeEvaluator
from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError
from e3d_lmp.model import export
from e3d_lmp.model.contract import NATIVE, read_metadata
from e3d_lmp.model.decomposition import decompose
from e3d_lmp.model.evaluators import as_model_file
from e3d_lmp.model.export import export_model, verify_file, write_edge_model
from e3d_lmp.model.layers import EdgeLayers
from e3d_lmp.model.weights import extract_weights
from lammps_runs import ROOT
from random_models import R_MAX, TYPE_NAMES, VARIANTS, random_allegro, random_nequip
from systems import cluster, nequip_calculator
from tolerances import LADDER, close


@pytest.mark.parametrize(
    ("variant", "dtype"), [*((v, "float32") for v in VARIANTS), ("everything", "float64")]
)
def test_export_passes_the_gate(variant: str, dtype: str, tmp_path: Path) -> None:
    model, path = random_allegro(variant, dtype), tmp_path / "model.safetensors"
    result = export_model(model, path)
    assert [report.subject.split("(")[-1].rstrip(")") for report in result.reports[-2:]][-1] == dtype
    metadata = read_metadata(path)
    assert metadata == result.metadata
    assert (metadata.engine, metadata.device, metadata.model_dtype) == (NATIVE, "any", dtype)
    assert metadata.type_names == decompose(model).type_names
    verify_file(path, model)


def test_widened(tmp_path: Path) -> None:
    """A float32 model exported as float64 keeps its weights and is run in float64."""
    model = random_allegro("plain", "float32")
    narrow = export_model(model, tmp_path / "narrow.safetensors").path
    wide = export_model(model, tmp_path / "wide.safetensors", dtype="float64").path
    assert read_metadata(wide).model_dtype == "float64"
    tensors = load_file(wide)
    assert all(np.array_equal(tensor, tensors[name]) for name, tensor in load_file(narrow).items())
    verify_file(wide, model)


def test_shared_weights_of_irreps(tmp_path: Path) -> None:
    """One weight for all irreps of a channel is written once for each."""
    export_model(_allegro(weight_individual_irreps=False), tmp_path / "model.safetensors")


def test_file_holds_no_more_than_weights(tmp_path: Path) -> None:
    path = export_model(random_allegro(), tmp_path / "model.safetensors").path
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    assert metadata["format"] == "e3d-weights/1"
    assert not {"engine", "device", "torch_version", "contract"} & set(metadata)
    assert path.stat().st_size < 100_000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"allegro_mlp_nonlinearity": "mish"}, "'layers.0.latent' has the nonlinearity Mish"),
        ({"readout_mlp_nonlinearity": "gelu"}, "'readout' has the nonlinearity GELU"),
        ({"l_max": 4, "parity": False}, "l_max is 4, the engine goes up to 3"),
        (
            {
                "pair_potential": {
                    "_target_": "nequip.nn.pair_potential.LennardJones",
                    "lj_sigma": 0.9,
                    "lj_epsilon": 1.0,
                }
            },
            "pair potential LennardJones; the engine knows ZBL",
        ),
    ],
)
def test_what_the_engine_cannot_express(arguments: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(E3DError, match=words) as caught:
        export_model(_allegro(**arguments), path)
    assert "e3d export MODEL OUT.nequip.pt2" in str(caught.value)
    assert not path.exists()


def test_torch_runs_what_the_engine_cannot_express(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package is evaluated all the same, which is said, with the energies of nequip's own model."""
    model = _allegro(readout_mlp_nonlinearity="gelu")
    package = ROOT / "inputs" / "models" / "organic-small.nequip.zip"  # its provenance, with another network
    monkeypatch.setattr(export, "load_model", lambda path: model)
    atoms = cluster()
    structure = Structure(
        "cluster", atoms.numbers, atoms.positions, np.zeros((3, 3)), np.zeros(3, dtype=bool), np.nan
    )
    with as_model_file(package) as file:
        assert file.name == "model.nequip.pth" and read_metadata(file).engine != NATIVE
        (found,) = evaluate_structures(EdgeEvaluator(file, "cpu"), [(0, structure)])
    assert not file.exists()
    assert "'readout' has the nonlinearity GELU; torch runs it" in capsys.readouterr().err
    atoms.calc, atoms.pbc = nequip_calculator(model), False
    close("energy", found.energy, atoms.get_potential_energy(), LADDER["float32"].total_energy)


def test_other_modules_are_named() -> None:
    facts = decompose(copy.deepcopy(random_allegro()))
    layers = next(
        k for k, step in enumerate(facts.edge_model.steps) if type(step).__name__ == "Allegro_Module"
    )
    facts.edge_model.steps[layers] = EdgeLayers(facts.edge_model.steps[layers])
    with pytest.raises(E3DError, match="it has a module EdgeLayers"):
        extract_weights(facts)
    facts = decompose(copy.deepcopy(random_allegro()))
    first = facts.edge_model.steps[-1].mlp_module.mlp[0]
    first.bias = torch.nn.Parameter(torch.zeros(first.weight.shape[1]))
    with pytest.raises(E3DError, match="'readout' has biases"):
        extract_weights(facts)


def test_analytic_models_need_torch(tmp_path: Path) -> None:
    with pytest.raises(E3DError, match="native engine runs Allegro models"):
        write_edge_model(*LENNARD_JONES.model(), tmp_path / "lj.safetensors")


def test_message_passing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(E3DError, match="message-passing"):
        export_model(random_nequip(), tmp_path / "model.safetensors")


def test_gate_sees_a_changed_weight(tmp_path: Path) -> None:
    """A file that is sound and not of this model."""
    model, path = random_allegro(), tmp_path / "model.safetensors"
    export_model(model, path)
    tensors = load_file(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    tensors["layers.0.latent.1.weight"][2, 3] *= 1.001
    save_file(tensors, path, metadata)
    with pytest.raises(E3DError, match="is refused"):
        verify_file(path, model)
    metadata["format"] = "e3d-weights/2"
    save_file(tensors, path, metadata)
    with pytest.raises(E3DError, match="expected the format e3d-weights/1, got 'e3d-weights/2'"):
        read_metadata(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(E3DError, match=r"model.safetensors'.*copy the file again"):
        read_metadata(path)


def _allegro(**arguments: Any) -> torch.nn.Module:
    """A small model with other arguments than those of `random_models`."""
    from allegro.model import AllegroModel
    from nequip.utils.global_state import set_global_state

    set_global_state(allow_tf32=False)
    return AllegroModel(
        **{
            "seed": 5,
            "model_dtype": "float32",
            "r_max": R_MAX,
            "type_names": list(TYPE_NAMES),
            "l_max": 2,
            "radial_chemical_embed": {"_target_": "allegro.nn.TwoBodyBesselScalarEmbed", "num_bessels": 4},
            "num_layers": 2,
            "num_scalar_features": 6,
            "num_tensor_features": 3,
            "scalar_embed_mlp_hidden_layers_width": 6,
            "allegro_mlp_hidden_layers_width": 6,
            "readout_mlp_hidden_layers_width": 6,
            "avg_num_neighbors": 9.0,
        }
        | arguments
    ).eval()
