"""Training on frames of which some, or all, have energies and no forces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nequip.train
import numpy as np
import pytest
import torch
import yaml

from e3d_lmp.commands.train import errors_text
from e3d_lmp.edges.isolated_atoms import SPICE_LEVEL
from e3d_lmp.errors import E3DError
from e3d_lmp.files import read_json
from e3d_lmp.training import partial_labels
from e3d_lmp.training.data.prepare import prepare
from e3d_lmp.training.data.recipe import parse_recipe
from e3d_lmp.training.finish import evaluate_and_describe, package_and_export
from e3d_lmp.training.missing_forces import ignore_missing_forces, without_idle_terms
from e3d_lmp.training.run import train
from e3d_lmp.training.run_config import Options, compose, read_data
from training_runs import forked_trainings
from training_sets import ORGANIC, stretched, write_ani, write_spice

STEPS = 8


def _data(folder: Path, forces: str) -> Path:
    """Ethane and propane without forces, and for ``some`` a set of molecules with them."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(3)
    groups = []
    for name in ("C2H6", "C3H8"):
        atoms, positions = stretched(name, 0, np.linspace(1.4, 1.9, 14).tolist())
        positions = positions + rng.normal(0, 0.02, positions.shape)
        groups.append((f"s/{name}", atoms, positions, -3.6 * len(atoms) + 0.1 * rng.normal(size=14)))
    write_ani(folder / "ani.h5", groups, level=SPICE_LEVEL)
    share = {"train": 8, "val": 2, "test": 2, "split": "frames"}
    sources: list[dict[str, Any]] = [
        {"file": "ani.h5", "layout": "ani", "level": SPICE_LEVEL, "forces": "none", "frames": {"s": share}}
    ]
    if forces == "some":
        write_spice(folder / "spice.hdf5", ORGANIC[:3], frames=4)
        taken = {"small": {"train": 2, "val": 1, "test": 1, "split": "frames"}}
        sources.append({"file": "spice.hdf5", "layout": "spice", "level": SPICE_LEVEL, "frames": taken})
    recipe = {
        "elements": ["H", "C"], "r_max": 3.0, "fractions": {"val": 0.2, "test": 0.2}, "sources": sources
    }  # fmt: skip
    prepare(parse_recipe(recipe, folder), folder / "data")
    return folder / "data"


@pytest.fixture(scope="module", params=["none", "some"])
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data without any forces, and with some."""
    return _data(tmp_path_factory.mktemp("data") / request.param, request.param)


def _config(folder: Path, **keys: Any) -> str:
    tiny = {
        "defaults": ["e3d", "_self_"], "tensor": 4, "l_max": 1, "num_layers": 1, "batch": 2, "val_every": 4,
        "learning_rate": 0.02, **keys,
    }  # fmt: skip
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny, sort_keys=False))
    return str(path)


def _log(run: Path) -> list[dict[str, float]]:
    """Rows of the training's log."""
    path = max(run.glob("log/version_*/metrics.csv"))
    head, *rows = [line.split(",") for line in path.read_text().strip().splitlines()]
    return [{key: float(cell) for key, cell in zip(head, row, strict=True) if cell} for row in rows]


def test_means_over_what_is_labelled() -> None:
    rng = np.random.default_rng(0)
    found, want = (torch.tensor(rng.normal(size=(7, 3)), requires_grad=True) for _ in range(2))
    none = torch.zeros(0, requires_grad=True)
    for name, options in (
        ("HuberLoss", {"delta": 0.2}),
        ("MeanSquaredError", {}),
        ("MeanAbsoluteError", {}),
        ("RootMeanSquaredError", {}),
    ):
        ours, theirs = getattr(partial_labels, name)(**options), getattr(nequip.train, name)(**options)
        assert ours(found, want).item() == theirs(found, want).item(), name
        empty = getattr(partial_labels, name)(**options)
        assert empty(none, none.detach()).item() == 0.0, name
        assert empty.compute().item() == 0.0
        assert np.isnan(getattr(nequip.train, name)(**options)(none, none.detach()).item()), (
            "not needed any more"
        )
        empty(found, want)  # a batch without labels does not count in the mean of an epoch
        assert empty.compute().item() == pytest.approx(theirs.compute().item())


def test_a_run(data: Path, tmp_path: Path) -> None:
    """Losses are finite, those of forces are of labelled frames only, and the end of the run says which."""
    prepared = read_data(data)
    assert prepared.lacks_forces
    run = tmp_path / "run"
    overrides = ("trainer.log_every_n_steps=1",)
    config = compose(_config(tmp_path), prepared, run, Options(steps=STEPS, overrides=overrides))
    with forked_trainings():
        train(config, run)
    rows = _log(run)
    losses = [row["train_loss_step/weighted_sum"] for row in rows if "train_loss_step/weighted_sum" in row]
    assert len(losses) == STEPS and np.isfinite(losses).all()
    forces = [row["train_loss_step/forces_huber"] for row in rows if "train_loss_step/forces_huber" in row]
    has_forces = data.parent.name == "some"
    assert (max(forces) > 0.0) == has_forces and min(forces) >= 0.0
    val = [value for row in rows for key, value in row.items() if key.startswith("val") and "weighted" in key]
    assert val and np.isfinite(val).all()
    files = package_and_export(run, prepared, "tiny")
    evaluation = evaluate_and_describe(run, prepared, files, "{{ energy }}, {{ forces }}\n{{ errors }}")
    errors = evaluation["subsets"]
    assert errors["s"]["frames"] == 4 and errors["s"]["forces_mae"] is None
    assert np.isfinite(errors["all"]["energy_mae"])
    text = errors_text(evaluation)
    if has_forces:
        assert errors["small"]["forces_mae"] == errors["all"]["forces_mae"] > 0.0
        assert "force MAE" in text
    else:
        assert errors["all"]["forces_mae"] is None and "no forces to compare" in text
    facts = read_json(files.facts)
    assert "NaN" not in Path(files.facts).read_text()
    assert "| – | – |" in Path(files.card).read_text()
    json.dumps(facts, allow_nan=False)


def test_gradients_of_a_mixed_batch_are_those_of_its_labels(tmp_path: Path) -> None:
    """The loss of a batch of labelled and unlabelled frames, against the formula written here."""
    from hydra.utils import instantiate
    from nequip.data import AtomicDataDict
    from nequip.train import MetricsManager

    prepared = read_data(_data(tmp_path / "some", "some"))
    config = compose(_config(tmp_path), prepared, tmp_path / "run", Options(steps=2))
    manager = instantiate(config["training_module"]["loss"])
    assert isinstance(manager, MetricsManager)
    rng = np.random.default_rng(2)
    numbers = torch.tensor([3, 4])
    energy = torch.tensor(rng.normal(size=(2, 1)), requires_grad=True)
    forces = torch.tensor(rng.normal(size=(7, 3)), requires_grad=True)
    target = {
        "total_energy": torch.tensor(rng.normal(size=(2, 1))),
        "forces": torch.tensor(rng.normal(size=(7, 3))),
    }
    target["forces"][:3] = np.nan
    batch = {AtomicDataDict.NUM_NODES_KEY: numbers}
    found = manager({**batch, "total_energy": energy, "forces": forces}, {**batch, **target})["weighted_sum"]
    found.backward()

    def huber(x: torch.Tensor, delta: float) -> torch.Tensor:
        return torch.where(x.abs() < delta, 0.5 * x**2, delta * (x.abs() - 0.5 * delta)).mean()

    e, f = energy.detach().requires_grad_(), forces.detach().requires_grad_()
    want = 40 / 41 * huber((e - target["total_energy"]) / numbers[:, None], 0.02)
    want = want + 1 / 41 * huber((f - target["forces"])[3:], 0.2)
    want.backward()
    assert found.item() == pytest.approx(want.item(), rel=1e-12)
    torch.testing.assert_close(energy.grad, e.grad)
    torch.testing.assert_close(forces.grad, f.grad)
    assert (forces.grad[:3] == 0).all()


def test_a_weight_of_zero_takes_the_term_out(data: Path, tmp_path: Path) -> None:
    prepared = read_data(data)
    config = compose(_config(tmp_path, force_weight=0), prepared, tmp_path / "run", Options(steps=2))
    names = [term["name"] for term in config["training_module"]["loss"]["metrics"]]
    assert names == ["per_atom_energy_huber"]
    with pytest.raises(E3DError, match="every term of the loss has the weight 0"):
        both = _config(tmp_path, force_weight=0, energy_weight=0)
        compose(both, prepared, tmp_path / "run", Options(steps=2))


def test_data_with_all_forces_keep_their_configuration(tmp_path: Path) -> None:
    """Runs that were begun before go on."""
    write_spice(tmp_path / "a.hdf5", ORGANIC, frames=5)
    recipe = {
        "elements": ["H", "C", "N", "O"], "r_max": 3.0, "fractions": {"val": 0.2, "test": 0.2},
        "sources": [{"file": "a.hdf5", "layout": "spice", "level": SPICE_LEVEL}],
    }  # fmt: skip
    prepare(parse_recipe(recipe, tmp_path), tmp_path / "data")
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    assert manifest["sets"]["train"].pop("frames_without_forces") == 0
    (tmp_path / "data" / "manifest.json").write_text(json.dumps(manifest))  # as older ones are
    config = compose(_config(tmp_path), read_data(tmp_path / "data"), tmp_path / "run", Options(steps=2))
    module = config["training_module"]
    assert [term["metric"]["_target_"] for term in module["loss"]["metrics"]] == 2 * [
        "nequip.train.HuberLoss"
    ]
    assert module["val_metrics"]["_target_"] == "nequip.train.EnergyForceMetrics"
    assert "partial_labels" not in json.dumps(config)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ({"_target_": "nequip.train.EnergyForceLoss"}, "nequip.train.EnergyForceLoss cannot leave out"),
        (
            {"_target_": "nequip.train.MetricsManager",
             "metrics": [{"field": "forces", "metric": {"_target_": "some.Loss"}}]},
            r"some.Loss cannot leave out; expected one of nequip.train.HuberLoss",
        ),
    ],
)  # fmt: skip
def test_losses_that_cannot_are_refused(loss: dict[str, Any], message: str) -> None:
    module = {"loss": loss}
    if "metrics" not in loss:
        without_idle_terms(module)  # leaves losses of another kind alone
    with pytest.raises(E3DError, match=message):
        ignore_missing_forces(module)
