"""A training run from prepared sets to a package."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from e3d_lmp.errors import E3DError
from e3d_lmp.training.budget import BudgetSchedule
from e3d_lmp.training.card import card
from e3d_lmp.training.provenance import provenance_of_config, training_provenance
from training_sets import small_training_set


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder, see `small_training_set`."""
    folder = tmp_path_factory.mktemp("run")
    small_training_set(folder)
    return folder


def test_schedule_follows_the_clock_and_survives_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    def make() -> tuple[torch.optim.Optimizer, BudgetSchedule]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        return optimizer, BudgetSchedule(optimizer, minutes=10.0, warmup=0.1)

    def step(optimizer: torch.optim.Optimizer, schedule: BudgetSchedule, seconds: float) -> float:
        clock[0] += seconds
        optimizer.step()
        schedule.step()
        return optimizer.param_groups[0]["lr"]

    optimizer, schedule = make()
    assert 0 < optimizer.param_groups[0]["lr"] < 0.001
    assert step(optimizer, schedule, 30) == pytest.approx(0.25, rel=0.01)
    assert step(optimizer, schedule, 30) == pytest.approx(0.5)
    assert step(optimizer, schedule, 270) == pytest.approx(0.25)
    state = schedule.state_dict()
    clock[0] += 1e6
    optimizer, schedule = make()
    schedule.load_state_dict(state)
    assert step(optimizer, schedule, 0) == pytest.approx(0.25)
    assert schedule.progress == pytest.approx(0.55)
    assert step(optimizer, schedule, 270) == pytest.approx(0.0, abs=1e-9)
    assert step(optimizer, schedule, 1000) == 0.0
    with pytest.raises(ValueError, match="minutes > 0"):
        BudgetSchedule(optimizer, minutes=0)


def test_no_provenance_where_none_was_given() -> None:
    assert provenance_of_config({}) == {}
    assert provenance_of_config({"trainer": {"callbacks": [{"_target_": "lightning.Callback"}]}}) == {}


TINY = [
    "training_module.model.r_max=4.0",
    "training_module.model.l_max=1",
    "training_module.model.num_layers=1",
    "training_module.model.num_scalar_features=8",
    "training_module.model.num_tensor_features=4",
    "training_module.model.radial_chemical_embed_dim=8",
    "type_names=[H,C,N,O]",
]


def _train(folder: Path, minutes: float, *more: str) -> None:
    root = Path(__file__).resolve().parents[1]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(root / "python"), os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, "-m", "e3d_lmp.training.launch", "-cp", str(root / "scripts/training")]
    options = ["hydra.run.dir=hydra", f"folder={folder}", f"minutes={minutes}", "avg_num_neighbors=5.0"]
    done = subprocess.run(
        [*command, "-cn", "organic_small", *options, *TINY, *more],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def test_train_restart_package_evaluate(prepared: Path) -> None:
    """The shipped configuration on a tiny model, for seconds: it learns, restarts, packages, says E_coh."""
    from e3d_lmp.training.evaluate import evaluate, load_model
    from e3d_lmp.training.ship import package

    _train(prepared, 0.08)
    checkpoint = prepared / "last.ckpt"
    first = torch.load(checkpoint, weights_only=False)
    assert first["e3d_lmp"]["target"] == "E_coh"
    trained = evaluate(load_model(checkpoint), prepared / "data", "train")
    assert trained["subsets"]["all"]["energy_mae"] < 2000.0  # 4,000 meV/atom before training
    os.replace(checkpoint, prepared / "resume.ckpt")
    _train(prepared, 0.08, f"++ckpt_path={prepared / 'resume.ckpt'}")
    second = torch.load(checkpoint, weights_only=False)
    assert second["global_step"] > first["global_step"]

    zipped = prepared / "tiny.nequip.zip"
    package(checkpoint, zipped)
    for path in (checkpoint, zipped):
        assert training_provenance(path)["target"] == "E_coh"
    assert str(prepared).encode() not in zipped.read_bytes()
    facts = json.loads((prepared / "tiny.json").read_text())
    assert facts["model"]["sha256"] == hashlib.sha256(zipped.read_bytes()).hexdigest()
    assert facts["training"]["target"] == "E_coh" and facts["sets"]["test"]["frames"] > 0
    assert facts["sets"]["contacts_train"]["frames"] == 6
    assert "entries" not in facts["sets"]["test"] and facts["evaluation"] is None
    results = [evaluate(load_model(path), prepared / "data", "test") for path in (checkpoint, zipped)]
    text = card(facts | {"evaluation": results[0]}, "$errors|$sets|$bonds|$energy")
    assert "| small | " in text and "| contacts_train | 6 | pairs |" in text and "| C-H | " in text
    with pytest.raises(E3DError, match="expected errors on held-out molecules"):
        card(facts, "")
    with pytest.raises(E3DError, match="got 'nosuch'"):
        card(facts | {"evaluation": results[0]}, "$nosuch")
    assert results[0]["bonds"].keys() == results[1]["bonds"].keys() >= {"C-H"}
    for name, row in results[0]["subsets"].items():
        for key, value in row.items():
            assert results[1]["subsets"][name][key] == pytest.approx(value, rel=1e-4), (name, key)
