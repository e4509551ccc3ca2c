"""The term of a loss that keeps energy on bonds: number, gradient, key, and a training that goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import molecule
from nequip.data import compute_neighborlist_, from_ase
from nequip.utils.global_state import set_global_state

from e3d_lmp.edges.cutoffs import covalent_radii
from e3d_lmp.edges.evaluator import EdgeEvaluator
from e3d_lmp.errors import E3DError
from e3d_lmp.training.locality import END, START, LocalityModule, switch
from e3d_lmp.training.run import Interrupted, train
from e3d_lmp.training.run_config import Options, compose, read_data
from random_models import R_MAX, TYPE_NAMES
from training_runs import forked_trainings, kill_at, prepared_forty


def module_of(locality: float) -> LocalityModule:
    set_global_state(allow_tf32=False)
    metric = {
        "name": "force",
        "field": "forces",
        "coeff": 1.0,
        "metric": {"_target_": "nequip.train.MeanSquaredError"},
    }
    module = LocalityModule(
        locality=locality,
        model={
            "_target_": "allegro.model.AllegroModel", "seed": 3, "model_dtype": "float64",
            "compile_mode": "eager", "r_max": R_MAX, "type_names": list(TYPE_NAMES), "l_max": 1,
            "num_layers": 1, "num_scalar_features": 8, "num_tensor_features": 4, "avg_num_neighbors": 9.0,
            "radial_chemical_embed": {"_target_": "allegro.nn.TwoBodyBesselScalarEmbed", "num_bessels": 4},
        },
        loss={"_target_": "nequip.train.MetricsManager", "metrics": [metric]},
        optimizer={"_target_": "torch.optim.SGD", "lr": 1e-3},
        num_datasets={"train": 1, "val": 1, "test": 0, "predict": 0},
    ).train()  # fmt: skip
    module.log = module.log_dict = lambda *args, **kwargs: None
    module._trainer = None
    return module


def ethanol() -> dict[str, torch.Tensor]:
    atoms = molecule("CH3CH2OH")
    atoms.rattle(0.05, seed=4)
    data = from_ase(atoms)
    data["atom_types"] = torch.tensor([TYPE_NAMES.index(symbol) for symbol in atoms.symbols])
    data["forces"] = torch.zeros_like(data["pos"])
    return compute_neighborlist_(data, r_max=R_MAX)


def test_switch() -> None:
    """0 up to bonding distance, 1 from `END` on, smooth and rising between."""
    x = torch.linspace(START - 0.1, END + 0.1, 501, dtype=torch.float64, requires_grad=True)
    s = switch(x)
    (slope,) = torch.autograd.grad(s.sum(), x)
    s = s.detach()
    assert float(s[x <= START].max()) == 0.0 and float(s[x >= END].min()) == 1.0
    assert float(slope.min()) >= 0.0 and float((slope[1:] - slope[:-1]).abs().max()) < 0.3


def test_number_and_gradient() -> None:
    """By numpy from the model's own edges; the gradient by finite differences; the loss has it."""
    data = ethanol()
    module = module_of(0.7)
    output = module(dict(data))
    centre, neighbour = data["edge_index"].numpy()
    positions = data["pos"].numpy()
    radii = np.array([covalent_radii()[TYPE_NAMES[int(t)]] for t in data["atom_types"]])
    x = np.linalg.norm(positions[neighbour] - positions[centre], axis=1) / (radii[centre] + radii[neighbour])
    t = np.clip((x - START) / (END - START), 0.0, 1.0)
    s = t * t * (3 - 2 * t)
    assert 0.0 < s.sum() < len(s)
    eps = output["edge_energy"].detach().numpy().reshape(-1) / np.sqrt(2.0 * 9.0)
    want = (s * eps**2).sum() / s.sum()
    term = module.locality_term(output)
    assert abs(float(term.detach()) - want) <= 1e-9 * want  # nequip's factors are float32 numbers, widened

    losses = [float(module_of(k).training_step(dict(data), 0).detach()) for k in (0.0, 0.7)]
    assert abs(losses[1] - losses[0] - 0.7 * want) <= 1e-9 * abs(losses[1])

    weights = [p for p in module.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(term, weights, allow_unused=True)
    generator = torch.Generator().manual_seed(2)
    steps = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in weights]
    slope = sum(float((g * d).sum()) for g, d in zip(gradients, steps, strict=True) if g is not None)
    values = []
    for move in (1e-5, -2e-5):
        with torch.no_grad():
            for p, d in zip(weights, steps, strict=True):
                p += move * d
        values.append(float(module.locality_term(module(dict(data))).detach()))
    assert abs((values[0] - values[1]) / 2e-5 - slope) <= 1e-6 * abs(slope)


def test_no_pair_beyond_bonds_gives_nothing() -> None:
    data = from_ase(molecule("OH"))
    data["atom_types"] = torch.tensor([TYPE_NAMES.index("O"), TYPE_NAMES.index("H")])
    module = module_of(1.0)
    assert float(module.locality_term(module(compute_neighborlist_(data, r_max=R_MAX))).detach()) == 0.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_forty(tmp_path_factory.getbasetemp())


def far_energy(run: Path, folder: Path) -> float:
    """Mean of eps^2, eV^2, over pairs beyond `END` of the held-out frames, by the last weights."""
    from e3d_lmp.training.finish import package_and_export
    from e3d_lmp.training.held_out_errors import edges_of, read_frames

    data = read_data(folder / "data")
    evaluator = EdgeEvaluator(package_and_export(run, data, "tiny").model, "cpu")
    radii = np.array([covalent_radii()[name] for name in data.elements])
    far = []
    for frame in read_frames(folder / "data" / "test.lmdb"):
        types = frame["atom_types"].reshape(-1).numpy()
        edges = edges_of(frame)
        x = np.linalg.norm(edges.vec, axis=1) / (radii[types[edges.i]] + radii[types[edges.j]])
        far.append(evaluator.evaluate(edges, types).edge_energy[x > END])
    return float((np.concatenate(far) ** 2).mean())


def test_training_with_the_term(folder: Path) -> None:
    """It takes energy off far pairs, is in the log, and goes on after a kill to the same weights."""
    data = read_data(folder / "data")
    runs = {}
    with forked_trainings():
        for name, value in (("without", 0.0), ("with", 30.0), ("killed", 30.0)):
            run = folder / f"locality-{name}"
            options = Options(steps=60, frames=40, overrides=[f"locality={value}", "val_every=30"])
            config = compose(str(folder / "tiny.yaml"), data, run, options)
            if name == "killed":
                kill_at(run, 20, 15)
                with pytest.raises(Interrupted):
                    train(config, run)
            train(config, run)
            runs[name] = run
    weights = [
        torch.load(runs[name] / "last.ckpt", weights_only=False)["state_dict"] for name in ("with", "killed")
    ]
    assert all(
        torch.equal(a, b)
        for a, b in zip(weights[0].values(), weights[1].values(), strict=True)
        if isinstance(a, torch.Tensor)
    )
    metrics = next((runs["with"] / "log").rglob("metrics.csv")).read_text()
    assert "train_loss_step/locality" in metrics
    assert far_energy(runs["with"], folder) < 0.5 * far_energy(runs["without"], folder)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["locality=-1"], "expected locality as a number of at least 0"),
        (["locality=much"], "expected locality as a number of at least 0"),
        (["locality=1", "compile=true"], "leave compile out"),
        (
            ["locality=1", "training_module._target_=nequip.train.NequIPLightningModule"],
            "asks for a training_module",
        ),
        (["layers=fast"], "expected layers of a kind in centre, edge, stock"),
    ],
)
def test_wrong_keys_are_refused(folder: Path, words: list[str], message: str) -> None:
    options = Options(steps=5, overrides=words)
    with pytest.raises(E3DError, match=message):
        compose(str(folder / "tiny.yaml"), read_data(folder / "data"), folder / "refused", options)
