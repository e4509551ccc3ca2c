"""Runs of e3d train: refused, killed, resumed, packaged, exported, and in LAMMPS."""

from __future__ import annotations

import gc
import hashlib
import json
import signal
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from ase.build import molecule

from e3d_lmp.cli import call
from e3d_lmp.errors import E3DError
from e3d_lmp.files import is_locked, locked
from e3d_lmp.model.contract import COHESIVE, read_metadata
from e3d_lmp.model.export import load_model
from e3d_lmp.model.provenance import provenance_of_config, training_provenance
from e3d_lmp.training.budget import BudgetSchedule
from e3d_lmp.training.card import card
from e3d_lmp.training.data.database import check_frames
from e3d_lmp.training.loader import ResumableLoader, SeededBatches
from e3d_lmp.training.model import BUILDER, E3DAllegroModel, allegro_config, check_protocol
from e3d_lmp.training.paths import with_names
from e3d_lmp.training.run import Interrupted, describe, read_progress, train
from e3d_lmp.training.run_config import Options, compose, read_data
from e3d_lmp.training.ship import package
from e3d_lmp.training.start import weights_of
from lammps_runs import run_lammps, script_of, write_data
from systems import reference_edges
from tolerances import LADDER, close
from training_runs import (
    BATCH,
    FRAMES,
    TWO_EPOCHS,
    forked_trainings,
    kill_at,
    prepared_forty,
    trained_forty,
)

ROOT = Path(__file__).resolve().parents[2]
HCNO = ("H", "C", "N", "O")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty frames, see `training_runs`."""
    return prepared_forty(tmp_path_factory.getbasetemp()) / "data"


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody interrupted."""
    return trained_forty(tmp_path_factory.getbasetemp())


@pytest.fixture
def child_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training processes find the package of this process and the callback of the tests."""
    import e3d_lmp

    here = [str(Path(e3d_lmp.__file__).parents[1]), str(ROOT / "tests/support")]
    monkeypatch.setenv("PYTHONPATH", ":".join(here))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


# ---- schedules and batches


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


def test_schedule_of_steps_knows_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = BudgetSchedule(optimizer, steps=100, warmup=0.1)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        clock[0] += 1e4
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(0.0005) and rates[10] == pytest.approx(0.5)
    assert rates[55] == pytest.approx(0.25) and 0 < rates[99] < 0.001
    assert schedule.progress == 1.0 and optimizer.param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-12)
    assert schedule.spent == pytest.approx(1e6)
    for budget in ({}, {"steps": 5, "minutes": 5.0}):
        with pytest.raises(ValueError, match="minutes or of steps"):
            BudgetSchedule(optimizer, **budget)


def test_batches_depend_on_the_seed_alone_and_go_on_anywhere() -> None:
    batches = SeededBatches(frames=10, batch_size=4, seed=3)
    first = [batches.batch(k) for k in range(5)]
    order = [frame for one in first for frame in one]
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))
    assert order[:10] != order[10:]
    assert [SeededBatches(10, 4, 3).batch(k) for k in (4, 0)] == [first[4], first[0]]
    assert SeededBatches(10, 4, 4).batch(0) != first[0]
    # two processes share what one process would take in batches twice as large
    two = [SeededBatches(10, 2, 3).batch(0, rank, 2) for rank in range(2)]
    assert two[0] + two[1] == first[0]

    def loader() -> ResumableLoader:
        return ResumableLoader(list(range(10)), batch_size=4, seed=3, steps=5, collate_fn=list)

    whole = list(loader())
    assert whole == first and len(loader()) == 5
    begun, resumed = loader(), loader()
    iterator = iter(begun)
    assert [next(iterator), next(iterator)] == first[:2]
    resumed.load_state_dict(begun.state_dict())
    assert list(resumed) == first[2:]


def test_a_folder_has_one_process(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    with locked(tmp_path / "a") as mine, locked(tmp_path / "a") as other:
        assert mine is not None and other is None
        assert is_locked(tmp_path / "a")
    assert not is_locked(tmp_path / "a")


# ---- the protocol


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("per_type_energy_scales", {"H": 1.0, "C": 2.0}),
        ("per_type_energy_scales", None),
        ("per_type_energy_shifts", [0.0, -1.0]),
        ("per_type_energy_scales_trainable", True),
        ("per_type_energy_shifts_trainable", True),
        ("pair_potential", {"_target_": "nequip.nn.pair_potential.ZBL"}),
        ("avg_num_neighbors", {"H": 5.0, "C": 9.0}),
        ("avg_num_neighbors", 0.0),
        ("_target_", "nequip.model.NequIPGNNModel"),
    ],
)
def test_what_breaks_the_protocol_is_refused(key: str, value: Any) -> None:
    config = allegro_config(type_names=HCNO, avg_num_neighbors=9.0)
    check_protocol(config)
    with pytest.raises(E3DError, match=r"protocol wants|expected the builder|avg_num_neighbors > 0"):
        check_protocol({**config, key: value})


def test_our_builder_is_allegros() -> None:
    from allegro.model import AllegroModel
    from nequip.utils.global_state import set_global_state

    set_global_state()
    small = {"type_names": HCNO, "avg_num_neighbors": 9.0, "tensor_features": 4, "l_max": 1, "num_layers": 1}
    config = allegro_config(**small)
    assert config.pop("_target_") == BUILDER
    assert (config["num_tensor_features"], config["num_scalar_features"]) == (4, 8)
    one, other = E3DAllegroModel(**small).state_dict(), AllegroModel(**config).state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one if torch.is_tensor(one[key]))


# ---- configurations


@pytest.mark.parametrize("tensor", [32, 64, 128])
def test_shipped_configurations_are_plain_nequip(prepared: Path, tensor: int, tmp_path: Path) -> None:
    config = compose(f"tensor{tensor}", read_data(prepared), tmp_path, Options(steps=10))
    model = config["training_module"]["model"]
    assert model["_target_"] == BUILDER and model["type_names"] == list(HCNO) and model["l_max"] == 2
    assert (model["num_tensor_features"], model["num_scalar_features"]) == (tensor, 2 * tensor)
    assert model["avg_num_neighbors"] == read_data(prepared).manifest["avg_num_neighbors"]
    assert config["trainer"]["accelerator"] == "cpu" and "???" not in json.dumps(config)
    both = compose("tensor32", read_data(prepared), tmp_path, Options(steps=10, device="cuda", devices=2))
    assert (both["trainer"]["accelerator"], both["trainer"]["devices"]) == ("gpu", 2)
    assert both["trainer"]["strategy"] == {"_target_": "nequip.train.SimpleDDPStrategy"}


@pytest.mark.parametrize(("name", "minutes"), [("organic_small", 70), ("organic", 45)])
def test_configurations_of_shipped_models(prepared: Path, tmp_path: Path, name: str, minutes: int) -> None:
    options = Options(contacts=False, overrides=["learning_rate=0.004"])
    config = compose(str(ROOT / f"scripts/training/{name}.yaml"), read_data(prepared), tmp_path, options)
    assert config["learning_rate"] == config["training_module"]["optimizer"]["lr"] == 0.004
    assert config["level"].endswith("not DFT")
    assert config["training_module"]["lr_scheduler"]["scheduler"]["minutes"] == minutes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(steps=5, frames=46), "has 45 frames to train with, 46 were asked"),
        (Options(steps=5, frames=0), "at least 1, got 0"),
        (Options(), "add --steps S or --minutes M"),
        (Options(steps=0), "above zero"),
        (Options(steps=5, contacts=True), "contacts_train.lmdb: no such file"),
        (Options(steps=5, overrides=["r_max=5.0"]), "the neighbour lists of the data have 4.0"),
        (Options(steps=5, overrides=["type_names=[H,C]"]), "those of the data H C N O"),
        (Options(steps=5, overrides=["nosuch=1"]), "nosuch"),
        (
            Options(steps=5, overrides=["+training_module.model.per_type_energy_scales=2.0"]),
            "protocol wants per_type_energy_scales = 1.0, got 2.0",
        ),
        (Options(steps=5, devices=0), "--devices 0"),
        (Options(steps=5, start=Path("nosuch.nequip.zip")), "--start nosuch.nequip.zip: No such file"),
        (Options(overrides=["steps=abc"]), "expected a whole number of steps"),
        (Options(overrides=["steps=1.5"]), "expected a whole number of steps"),
        (Options(steps=5, overrides=["start=nosuch.ckpt"]), "--start nosuch.ckpt: No such file"),
        (Options(steps=5, start=Path("a.safetensors")), "--start a.safetensors: an exported model"),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    prepared: Path, tmp_path: Path, options: Options, message: str
) -> None:
    with pytest.raises(E3DError, match=message):
        compose("tensor32", read_data(prepared), tmp_path, options)


def test_missing_data_and_configurations_are_refused(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(E3DError, match="expected one of tensor128, tensor32, tensor64"):
        compose("tensor33", read_data(prepared), tmp_path, Options(steps=5))
    with pytest.raises(E3DError, match="type: e3d data prepare"):
        read_data(tmp_path)
    data = read_data(prepared)
    data.manifest["target"] = "total energy"
    with pytest.raises(E3DError, match="expected the target E_coh, got 'total energy'"):
        compose("tensor32", data, tmp_path, Options(steps=5))


def test_no_provenance_where_none_was_given() -> None:
    assert provenance_of_config({}) == {}
    assert provenance_of_config({"trainer": {"callbacks": [{"_target_": "lightning.Callback"}]}}) == {}


def test_paths_become_names() -> None:
    found = with_names({"a": ["/x/run/data/f", "/x/run"], "b": 1}, {"/x/run": ".", "/x/run/data": "D"})
    assert found == {"a": ["D/f", "."], "b": 1}


# ---- a run


def test_data_can_be_read_after_packaging(calm: Path, prepared: Path, tmp_path: Path) -> None:
    """As by the next training in this process, whether garbage was collected meanwhile or not."""
    gc.disable()
    try:
        package(calm, read_data(prepared), tmp_path / "model.nequip.zip")
        for part in ("train", "val", "test"):
            check_frames(prepared / f"{part}.lmdb")
    finally:
        gc.enable()


def test_a_killed_run_ends_like_one_that_was_not(
    calm: Path, prepared: Path, tmp_path: Path, child_path: None
) -> None:
    """Two epochs of forty frames: killed and resumed, the weights are the same to the last bit."""
    rough = tmp_path / "rough"

    def config(folder: Path, **more: Any) -> dict[str, Any]:
        return _tiny(prepared, folder, Options(steps=TWO_EPOCHS, frames=FRAMES, **more))

    kill_at(rough, 7, signal.SIGKILL)
    with pytest.raises(E3DError, match=r"killed by signal 9 \(SIGKILL\)"):
        train(config(rough), rough)
    assert (rough / "last.ckpt").exists() and not (rough / "trained.json").exists()
    with pytest.raises(E3DError, match=r"another configuration \(.*batch: 4, now 5"):
        train(config(rough, values={"batch": 5}), rough)
    with forked_trainings():
        train(config(rough), rough)
    states = [torch.load(run / "last.ckpt", weights_only=False) for run in (calm, rough)]
    assert [one["global_step"] for one in states] == [TWO_EPOCHS] * 2
    weights = [one["state_dict"] for one in states]
    assert weights[0].keys() == weights[1].keys()
    for key, value in weights[0].items():
        assert not torch.is_tensor(value) or torch.equal(value, weights[1][key]), key
    progress = read_progress(rough)
    assert (progress["step"], progress["steps"]) == (TWO_EPOCHS, TWO_EPOCHS)
    assert f"step {TWO_EPOCHS}/{TWO_EPOCHS}" in describe(progress)
    when = (calm / "last.ckpt").stat().st_mtime_ns
    train(config(calm), calm)  # nothing is left to do
    assert (calm / "last.ckpt").stat().st_mtime_ns == when


def _tiny(prepared: Path, folder: Path, options: Options) -> dict[str, Any]:
    return compose(str(prepared.parent / "tiny.yaml"), read_data(prepared), folder, options)


def test_a_run_begins_with_the_weights_of_a_model(calm: Path, prepared: Path, tmp_path: Path) -> None:
    """One that learns nothing keeps them; it is also stopped by SIGTERM, after the step under way."""
    started = tmp_path / "started"
    begin = calm / "last.ckpt"
    kill_at(started, 2, signal.SIGTERM)
    still = Options(steps=5, frames=FRAMES, start=begin, values={"learning_rate": 1e-30})
    with forked_trainings(), pytest.raises(Interrupted) as stop:
        train(_tiny(prepared, started, still), started)
    assert stop.value.exit_code == 128 + signal.SIGTERM
    assert torch.load(started / "last.ckpt", weights_only=False)["global_step"] == 3
    package = calm / "tiny.nequip.zip"
    one, *others = (load_model(path).state_dict() for path in (package, begin, started / "last.ckpt"))
    for other in others:
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one if torch.is_tensor(one[key]))
    wider = Options(steps=1, frames=FRAMES, start=package, values={"tensor": 8})
    with forked_trainings(), pytest.raises(E3DError, match=r"another architecture .*; begin with a model"):
        train(_tiny(prepared, tmp_path / "wider", wider), tmp_path / "wider")
    same = load_model(package)
    like: Any = SimpleNamespace(
        state_dict=same.state_dict, metadata={**same.metadata, "type_names": "O N C H"}
    )
    with pytest.raises(E3DError, match=r"with the types O N C H to begin with, a.zip has H C N O"):
        weights_of(same, like, "a.zip")


def test_a_first_attempt_without_a_checkpoint_is_forgotten(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("e3d_lmp.training.run._run", lambda *_: None)
    run = tmp_path / "run"
    for batch in (4, 5):
        train(_tiny(prepared, run, Options(steps=5, values={"batch": batch})), run)
    said = f"no checkpoint in {run}: training starts anew with batch: 4, now 5"
    assert said in capsys.readouterr().err and said in (run / "train.log").read_text()
    assert yaml.safe_load((run / "config.yaml").read_text())["batch"] == 5
    (run / "model.nequip.zip").touch()  # of a run whose checkpoint was removed
    with pytest.raises(E3DError, match="a run with another configuration"):
        train(_tiny(prepared, run, Options(steps=5)), run)


def test_a_stop_before_the_first_checkpoint_names_none(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def stop(*_: Any) -> None:
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr("e3d_lmp.training.run.train", stop)
    words = ["tensor32", str(prepared), "-o", str(tmp_path), "--steps", "5"]
    assert call("train", words) == 128 + signal.SIGINT
    assert "the same command begins anew" in capsys.readouterr().err
    (tmp_path / "last.ckpt").touch()
    assert call("train", words) == 128 + signal.SIGINT
    assert f"goes on from {tmp_path}/last.ckpt" in capsys.readouterr().err


def test_a_template_is_read_before_the_training(prepared: Path, tmp_path: Path) -> None:
    template, run = tmp_path / "card.md", tmp_path / "run"
    words = ["tensor32", str(prepared), "-o", str(run), "--steps", "5", "--card", str(template)]
    with pytest.raises(E3DError, match=r"card.md: no such file; expected the template of a model card"):
        call("train", words)
    for text in ("# {{ name }}\n{{ nosuch }}", "costs {{ 5"):
        template.write_text(text)
        with pytest.raises(E3DError, match=r"expected the words sets, errors.* as {{ word }}, got"):
            call("train", words)
    template.write_text("# $name")
    with pytest.raises(E3DError, match=r"the template has \$name; write {{ name }}, and \$ for"):
        call("train", words)
    assert not run.exists()


def test_the_end_of_a_run(calm: Path, prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """`e3d train` of a run that is trained: package, model, facts, card; the model runs in LAMMPS."""
    run, data = calm, prepared
    words = [str(data.parent / "tiny.yaml"), str(data), "-o", str(run)]
    words += ["--steps", str(TWO_EPOCHS), "--frames", str(FRAMES)]
    assert call("train", [*words, "--name", "tiny"]) == 0
    assert "held-out structures: energy MAE" in capsys.readouterr().out
    packaged, model = run / "tiny.nequip.zip", run / "tiny.safetensors"
    assert training_provenance(run / "last.ckpt") == training_provenance(packaged)
    assert training_provenance(packaged)["target"] == "E_coh"
    whole = packaged.read_bytes()
    assert str(run).encode() not in whole and str(data.parent).encode() not in whole
    with zipfile.ZipFile(packaged) as archive:
        names = archive.namelist()
        config = next(name for name in names if name.endswith("/model/config.yaml"))
        builder = yaml.safe_load(archive.read(config))["training_module"]["model"]["_target_"]
    assert builder == BUILDER and not any("e3d_lmp" in name for name in names)

    assert str(data.parent) not in (run / "tiny.json").read_text()
    facts = json.loads((run / "tiny.json").read_text())
    assert facts["model"]["sha256"] == hashlib.sha256(whole).hexdigest()
    assert (facts["training"]["steps"], facts["training"]["epochs"]) == (TWO_EPOCHS, 2.0)
    assert facts["training"]["batch"] == BATCH and facts["sets"]["train"]["used"] == FRAMES
    assert "entries" not in facts["sets"]["test"] and facts["evaluation"]["subsets"]["all"]["frames"] > 0
    text = (run / "tiny.md").read_text()
    assert text.startswith("# tiny\n") and "| small | " in text and "| C-H | " in text
    assert "$" not in text and "{" not in text
    with pytest.raises(E3DError, match="got template: 'nosuch' is undefined"):
        card(facts, "{{ nosuch }}")
    with pytest.raises(E3DError, match="expected errors on held-out molecules"):
        card(facts | {"evaluation": None}, "")

    assert read_metadata(model).decomposition == COHESIVE
    atoms = molecule("CH3CN")
    atoms.center(vacuum=6.0)
    lammps = tmp_path / "lammps"
    lammps.mkdir()
    write_data(lammps / "data.lmp", atoms, HCNO)
    done = run_lammps(script_of(model, HCNO, boundary="f f f"), lammps)
    want = reference_edges(load_model(packaged), atoms, HCNO)
    close("eps", done.edges()["eps"], want["eps"], LADDER["float32"].edge_energy)
    np.testing.assert_allclose(done.edges()["eps"].sum(), done.json()["pe"], rtol=1e-5)
