"""The native engine against nequip: random shapes, a shipped model, threads, and how bad input is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from e3d_lmp.errors import E3DError
from e3d_lmp.model.decomposition import EdgeModelWithForces, as_double, decompose
from e3d_lmp.model.engine import EdgeEnergies, EngineModel, Evaluator, instruction_sets
from e3d_lmp.model.export import load_model
from native_models import write_native
from random_allegro import Shape, build, draw_shape

MODELS = Path(__file__).resolve().parents[2] / "inputs/models"
SEEDS = range(36)
RELATIVE_FLOAT64 = 1e-12
"""Of the largest energy or force."""
TIMES_STOCK = 4.0
"""Float32 errors of the engine in units of those of nequip's own float32 model."""
RELATIVE_FLOAT32 = 1e-6
"""Eight units of rounding, allowed where nequip's own float32 error is smaller by chance: tables, and the
last digits of sums, which differ between processors (up to 5.1e-7 without fused multiply-add)."""


class Edges:
    """Random edges of some centres, beyond the cutoff too; arrays as the engine takes them."""

    def __init__(self, seed: int, n_types: int, r_max: float, counts: list[int]) -> None:
        rng = np.random.default_rng(seed)
        self.first = np.concatenate([[0], np.cumsum(counts)])
        total = int(self.first[-1])
        self.centre_types = rng.integers(0, n_types, len(counts))
        self.neighbour_types = rng.integers(0, n_types, total)
        vectors = rng.normal(size=(total, 3))
        lengths = rng.uniform(0.4, 1.1 * r_max, total)
        self.vectors = vectors * (lengths / np.linalg.norm(vectors, axis=1))[:, None]
        self.n_types = n_types
        self.centres = np.repeat(np.arange(len(counts)), counts)

    def evaluate(self, evaluator: Evaluator) -> EdgeEnergies:
        return evaluator.evaluate(self.first, self.centre_types, self.neighbour_types, self.vectors)

    def reference(self, model: torch.nn.Module) -> EdgeEnergies:
        """nequip's modules and automatic derivatives; a slot for each centre and each type of neighbour."""
        n = len(self.centre_types)
        edge_model = EdgeModelWithForces(decompose(model).edge_model)
        energy, edge, forces = edge_model(
            torch.tensor(self.vectors),
            torch.tensor(np.stack([self.centres, n + self.neighbour_types])),
            torch.tensor(np.concatenate([self.centre_types, np.arange(self.n_types)])),
        )
        return EdgeEnergies(energy.numpy()[:n, 0], edge.numpy()[:, 0], forces.numpy())


def errors(got: EdgeEnergies, want: EdgeEnergies) -> tuple[float, float, float]:
    """Of edge energies, energies and forces, in units of the largest of each."""
    assert got.edge_forces is not None and want.edge_forces is not None
    scale = np.abs(want.edge_energy).max()
    return (
        float(np.abs(got.edge_energy - want.edge_energy).max() / scale),
        float(np.abs(got.energy - want.energy).max() / (scale + np.abs(want.energy).max())),
        float(np.abs(got.edge_forces - want.edge_forces).max() / np.abs(want.edge_forces).max()),
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_random_shapes(seed: int, tmp_path: Path) -> None:
    shape: Shape = draw_shape(seed)
    print(shape)
    model = build(shape, "float32")
    path = write_native(model, tmp_path / "model.safetensors")
    rng = np.random.default_rng(seed)
    edges = Edges(seed, 3, shape.arguments["r_max"], [0, 1, 2, *rng.integers(3, 40, 7).tolist()])
    want = edges.reference(as_double(model))
    stock = errors(edges.reference(model), want)
    for instruction_set in instruction_sets():
        exact = edges.evaluate(Evaluator(EngineModel(path, "float64", instruction_set)))
        for name, error in zip(("edge energy", "energy", "force"), errors(exact, want), strict=True):
            assert error <= RELATIVE_FLOAT64, f"{instruction_set} float64 {name}: {error:.1e}; {shape}"
        single = edges.evaluate(Evaluator(EngineModel(path, "float32", instruction_set)))
        for name, error, own in zip(
            ("edge energy", "energy", "force"), errors(single, want), stock, strict=True
        ):
            allowed = max(TIMES_STOCK * own, RELATIVE_FLOAT32)
            assert error <= allowed, (
                f"{instruction_set} float32 {name}: {error:.1e}, stock {own:.1e}; {shape}"
            )
        beyond = np.linalg.norm(edges.vectors, axis=1) >= decompose(model).cutoffs[0]
        if len(set(decompose(model).cutoffs)) == 1:
            assert beyond.any()
            for result in (exact, single):
                assert result.edge_forces is not None
                assert not result.edge_energy[beyond].any() and not result.edge_forces[beyond].any()


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.nn.Module, Path]:
    """The shipped small model and its file."""
    model = load_model(MODELS / "organic-small.nequip.zip")
    return model, write_native(model, tmp_path_factory.mktemp("engine") / "organic-small.safetensors")


@pytest.mark.parametrize("instruction_set", instruction_sets())
def test_shipped_model_with_many_neighbours(
    shipped: tuple[torch.nn.Module, Path], instruction_set: str
) -> None:
    model, path = shipped
    edges = Edges(5, 7, 5.2, [500, 0, 47, 1, 65, 64, 63, 130])
    want = edges.reference(as_double(model))
    exact = edges.evaluate(Evaluator(EngineModel(path, "float64", instruction_set)))
    assert max(errors(exact, want)) <= RELATIVE_FLOAT64
    stock = errors(edges.reference(model), want)
    single = edges.evaluate(Evaluator(EngineModel(path, None, instruction_set)))
    assert all(
        error <= max(TIMES_STOCK * own, RELATIVE_FLOAT32)
        for error, own in zip(errors(single, want), stock, strict=True)
    )


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_same_bits_for_any_threads_and_calls(shipped: tuple[torch.nn.Module, Path], precision: str) -> None:
    rng = np.random.default_rng(3)
    edges = Edges(3, 7, 5.2, rng.integers(0, 90, 150).tolist())
    model = EngineModel(shipped[1], precision)
    whole = edges.evaluate(Evaluator(model))
    threaded = edges.evaluate(Evaluator(model, 3))
    parts = Evaluator(model)
    for name in ("energy", "edge_energy", "edge_forces"):
        assert np.array_equal(getattr(whole, name), getattr(threaded, name)), name
    for c in (0, 17, 149):
        begin, end = edges.first[c], edges.first[c + 1]
        alone = parts.evaluate(
            np.array([0, end - begin]),
            edges.centre_types[c : c + 1],
            edges.neighbour_types[begin:end],
            edges.vectors[begin:end],
        )
        assert alone.energy[0] == whole.energy[c]
        assert np.array_equal(alone.edge_energy, whole.edge_energy[begin:end])
        assert whole.edge_forces is not None
        assert np.array_equal(alone.edge_forces, whole.edge_forces[begin:end])
    energies = edges_without_forces(edges, model)
    assert np.array_equal(energies.edge_energy, whole.edge_energy) and energies.edge_forces is None


def edges_without_forces(edges: Edges, model: EngineModel) -> EdgeEnergies:
    return Evaluator(model).evaluate(
        edges.first, edges.centre_types, edges.neighbour_types, edges.vectors, forces=False
    )


@pytest.mark.parametrize("seed", [1, 4, 8])
def test_forces_are_derivatives(seed: int, tmp_path: Path) -> None:
    """Central differences of the energies, float64: without nequip on the other side."""
    shape = draw_shape(seed)
    evaluator = Evaluator(
        EngineModel(write_native(build(shape, "float64"), tmp_path / "m.safetensors"), "float64")
    )
    edges = Edges(seed, 3, 0.9 * shape.arguments["r_max"], [9, 14])
    forces = edges.evaluate(evaluator).edge_forces
    assert forces is not None
    step, numeric = 1e-4, np.zeros_like(forces)
    for e in range(len(forces)):
        for k in range(3):
            for sign in (1.0, -1.0):
                edges.vectors[e, k] += sign * step
                numeric[e, k] += sign * edges.evaluate(evaluator).energy.sum() / (2.0 * step)
                edges.vectors[e, k] -= sign * step
    assert np.abs(numeric - forces).max() <= 1e-6 * max(1.0, np.abs(forces).max()), shape


def test_bad_edges_are_named(shipped: tuple[torch.nn.Module, Path]) -> None:
    model = EngineModel(shipped[1])
    evaluator = Evaluator(model, 2)
    for change, word in (
        (np.zeros(3), "length 0"),
        (np.array([1.0, np.nan, 0.0]), "NaN"),
        (np.array([np.inf, 0.0, 0.0]), "infinite"),
    ):
        edges = Edges(1, 7, 5.2, [20, 30, 40])
        edges.vectors[33] = change
        with pytest.raises(E3DError, match=f"edge 33 of centre 1 .*{word}"):
            edges.evaluate(evaluator)
    good = Edges(1, 7, 5.2, [20, 30, 40]).evaluate(evaluator)  # and it goes on working
    assert np.isfinite(good.energy).all()
    edges = Edges(1, 7, 5.2, [5])
    edges.neighbour_types[2] = 7
    with pytest.raises(E3DError, match="0 to 6"):
        edges.evaluate(evaluator)
    edges = Edges(1, 7, 5.2, [5])
    with pytest.raises(E3DError, match="expected first"):
        evaluator.evaluate(edges.first[:1], edges.centre_types, edges.neighbour_types, edges.vectors)
    with pytest.raises(E3DError, match="rise"):
        evaluator.evaluate(edges.first[::-1].copy(), edges.centre_types, edges.neighbour_types, edges.vectors)


def test_nothing_to_do(shipped: tuple[torch.nn.Module, Path]) -> None:
    evaluator = Evaluator(EngineModel(shipped[1]))
    none = evaluator.evaluate(np.zeros(1), np.zeros(0), np.zeros(0), np.zeros((0, 3)))
    assert none.energy.shape == (0,)
    alone = evaluator.evaluate(np.zeros(2), np.ones(1), np.zeros(0), np.zeros((0, 3)))
    assert alone.energy[0] == 0.0  # mu of a cohesive model


def test_unknown_instruction_set(
    shipped: tuple[torch.nn.Module, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(E3DError, match="'sse9' does not run here"):
        EngineModel(shipped[1], instruction_set="sse9")
    monkeypatch.setenv("E3D_ENGINE_ISA", "baseline")
    assert EngineModel(shipped[1]).instruction_set == "baseline"
