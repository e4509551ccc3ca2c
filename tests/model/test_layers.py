"""Allegro's layers by our own operators give the numbers of nequip-allegro's, whatever the model's shape."""

from __future__ import annotations

import os
import platform
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from allegro.model import AllegroModel
from nequip.data import compute_neighborlist_, from_dict
from nequip.utils.global_state import set_global_state

from e3d_lmp import plugin
from e3d_lmp.model.decomposition import EdgeModelWithForces, decompose
from e3d_lmp.model.layers import EdgeLayers, use_edge_operators
from e3d_lmp.model.operators import LIBRARY, load_operators
from random_models import R_MAX, TYPE_NAMES, random_allegro

RELATIVE = {"float64": 1e-12, "float32": 5e-5}
"""Largest deviation allowed, relative to the largest value of the quantity."""


def random_shape(seed: int) -> dict[str, object]:
    """Arguments of an Allegro model, drawn at random."""
    draw = random.Random(seed)
    return {
        "l_max": draw.choice([1, 2, 3]),
        "parity": draw.random() < 0.5,
        "num_layers": draw.choice([1, 2, 3]),
        "num_tensor_features": draw.choice([1, 3, 16, 19, 32]),  # whole vectors, and what is left of them
        "num_scalar_features": draw.choice([6, 8]),
        "tp_path_channel_coupling": draw.random() < 0.5,
        "weight_individual_irreps": draw.random() < 0.7,
        "avg_num_neighbors": draw.choice([9.0, {"H": 5.0, "C": 12.0, "O": 8.0}]),
    }


def model_of(shape: dict[str, object], dtype: str) -> torch.nn.Module:
    set_global_state(allow_tf32=False)
    return AllegroModel(
        seed=5,
        model_dtype=dtype,
        r_max=R_MAX,
        type_names=list(TYPE_NAMES),
        radial_chemical_embed={"_target_": "allegro.nn.TwoBodyBesselScalarEmbed", "num_bessels": 4},
        scalar_embed_mlp_hidden_layers_width=8,
        allegro_mlp_hidden_layers_width=8,
        readout_mlp_hidden_layers_width=8,
        **shape,
    ).eval()


def chunk(counts: list[int], seed: int = 1) -> list[torch.Tensor]:
    """Inputs of the contract: so many edges of each centre, one padding slot, one slot for each type."""
    generator = torch.Generator().manual_seed(seed)
    n, n_edges = len(counts), sum(counts)
    vectors = torch.randn(n_edges, 3, generator=generator, dtype=torch.float64)
    vectors = vectors / vectors.norm(dim=1, keepdim=True)
    vectors = vectors * (0.9 + 2.9 * torch.rand(n_edges, 1, generator=generator, dtype=torch.float64))
    centre = torch.arange(n).repeat_interleave(torch.tensor(counts))
    kinds = len(TYPE_NAMES)
    neighbour = n + 1 + torch.randint(kinds, (n_edges,), generator=generator)
    types = torch.randint(kinds, (n + 1,), generator=generator)
    return [vectors, torch.stack([centre, neighbour]), torch.cat([types, torch.arange(kinds)])]


def compare(ours: torch.nn.Module, stock: torch.nn.Module, inputs: list[torch.Tensor], dtype: str) -> None:
    got, want = (EdgeModelWithForces(model).eval()(*inputs) for model in (ours, stock))
    for name, a, b in zip(("atomic energy", "edge energy", "edge forces"), got, want, strict=True):
        error, scale = float((a - b).abs().max()), float(b.abs().max())
        assert scale > 0.0 and error <= RELATIVE[dtype] * scale, f"{name}: error {error:.3e} of {scale:.3e}"


COUNTS = [[3, 0, 1, 40, 7], [2], [0, 0, 5, 0]]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(8))
def test_equals_stock_for_random_shapes(seed: int, dtype: str) -> None:
    """Centres without edges, with one and with many; every combination of sizes that the draw gives."""
    shape = random_shape(seed)
    stock, ours = (decompose(model_of(dict(shape), dtype)).edge_model for _ in range(2))
    assert use_edge_operators(ours)
    assert any(isinstance(module, EdgeLayers) for module in ours.modules())
    for counts in COUNTS:
        compare(ours, stock, chunk(counts, seed), dtype)


@pytest.mark.parametrize("variant", ["scaled", "zbl", "cutoffs", "spline"])
def test_equals_stock_for_every_kind_of_model(variant: str) -> None:
    import copy

    model = random_allegro(variant, "float64")
    stock, ours = (decompose(copy.deepcopy(model)).edge_model for _ in range(2))
    assert use_edge_operators(ours)
    compare(ours, stock, chunk([12, 3, 30, 0, 9]), "float64")


def test_operators_give_the_same_bits_with_any_number_of_threads() -> None:
    load_operators()
    generator = torch.Generator().manual_seed(2)
    counts = torch.randint(0, 30, (200,), generator=generator)
    first = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    n_edges, n_terms = int(first[-1]), 40
    basis, weight = (
        torch.randn(n_edges, 4, generator=generator),
        torch.randn(n_edges, 2, 32, generator=generator),
    )
    edge, w = torch.randn(n_edges, 4, 32, generator=generator), torch.randn(n_terms, 32, generator=generator)
    term = random_terms(generator, (4, 4, 4), n_terms)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            environment = torch.ops.e3d.environment(basis, weight, first, [0, 1, 4])
            product = torch.ops.e3d.tensor_product(edge, environment, w, term, first, 4)
            gradients = (
                *torch.ops.e3d.tensor_product_backward(product, edge, environment, w, term, first),
                *torch.ops.e3d.tensor_product_sums(edge, product, environment, w, term, first),
                *torch.ops.e3d.environment_backward(environment, basis, weight, first, [0, 1, 4]),
            )
            results.append((environment, product, *gradients))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def random_terms(generator: torch.Generator, sizes: tuple[int, int, int], n: int) -> torch.Tensor:
    return torch.stack([torch.randint(size, (n,), generator=generator) for size in sizes], dim=1)


@pytest.mark.parametrize("channels", [1, 5, 16, 21])
def test_operators_equal_their_definition(channels: int) -> None:
    """Both operators against einsum, and their derivatives against finite differences."""
    load_operators()
    generator = torch.Generator().manual_seed(channels)
    counts = torch.tensor([2, 0, 5, 1])
    first = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    centre = torch.arange(4).repeat_interleave(counts)
    n_edges = len(centre)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    irreps, of = [0, 1, 4, 9], torch.tensor([0, 1, 1, 1, 2, 2, 2, 2, 2])
    basis, weight = draw(n_edges, 9), draw(n_edges, 3, channels)
    want = torch.zeros(4, 9, channels, dtype=torch.float64)
    want = want.index_add(0, centre, basis[:, :, None] * weight[:, of])
    torch.testing.assert_close(torch.ops.e3d.environment(basis, weight, first, irreps), want)

    def environments(*x: torch.Tensor) -> torch.Tensor:
        return torch.ops.e3d.environment(*x, first, irreps)

    assert torch.autograd.gradcheck(environments, (basis, weight))
    assert torch.autograd.gradgradcheck(environments, (basis, weight))

    term, w = random_terms(generator, (3, 4, 2), 9), draw(9, channels)
    edge, environment = draw(n_edges, 3, channels), draw(4, 4, channels)
    whole = torch.zeros(3, 4, 2, channels, dtype=torch.float64)
    whole = whole.index_put(tuple(term.t()), w, accumulate=True)
    want = torch.einsum("eiu,eju,ijku->eku", edge, environment[centre], whole)

    def products(*x: torch.Tensor) -> torch.Tensor:
        return torch.ops.e3d.tensor_product(*x, term, first, 2)

    torch.testing.assert_close(products(edge, environment, w), want)
    assert torch.autograd.gradcheck(products, (edge, environment, w))
    assert torch.autograd.gradgradcheck(products, (edge, environment, w))


@pytest.mark.parametrize("seed", range(4))
def test_weights_learn_from_forces_as_in_stock(seed: int) -> None:
    """The gradient of a loss of energies and forces, second derivatives all, in every weight."""
    stock, ours = (model_of(random_shape(seed), "float64").train() for _ in range(2))
    assert use_edge_operators(ours)
    ours.load_state_dict(stock.state_dict())  # the same names
    generator = torch.Generator().manual_seed(seed)
    grid = torch.cartesian_prod(*[torch.arange(3.0, dtype=torch.float64)] * 3)[:20]
    positions = 1.6 * grid + 0.2 * torch.randn(20, 3, generator=generator, dtype=torch.float64)
    data = {"pos": positions, "atom_types": torch.randint(len(TYPE_NAMES), (20,), generator=generator)}
    data = compute_neighborlist_(from_dict(data), r_max=R_MAX)
    for model in (stock, ours):
        out = model(data.copy())
        (out["forces"].square().sum() + out["total_energy"].square().sum()).backward()
    for (name, a), (_, b) in zip(ours.named_parameters(), stock.named_parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None and b.grad is not None:
            error, scale = float((a.grad - b.grad).abs().max()), float(b.grad.abs().max())
            assert error <= RELATIVE["float64"] * scale, f"{name}: error {error:.3e} of {scale:.3e}"


@pytest.mark.parametrize("instructions", ["baseline", "avx2"])
def test_smaller_instruction_sets(instructions: str) -> None:
    """The kernels of smaller processors: the tests above once more, in a process of their own."""
    if platform.machine() != "x86_64":
        pytest.skip("one instruction set only on this kind of processor")
    environment = os.environ | {"E3D_INSTRUCTIONS": instructions}
    library = Path(plugin.path()) / LIBRARY
    name = f"ctypes.CDLL({str(library)!r}).e3d_layer_instructions"
    ask = f"import ctypes, torch; f = {name}; f.restype = ctypes.c_char_p; print(f().decode())"
    found = subprocess.run(
        [sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == instructions
    chosen = "definition or random_shapes"
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", chosen]
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "20 passed" in done.stdout, done.stdout[-3000:]


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ([0, 3, 2, 4], "not sorted by centre"),
        ([0, 1, 2, 9], "not sorted by centre"),
        ([1, 2, 3, 4], "not sorted by centre"),
    ],
)
def test_wrong_offsets_are_refused(first: list[int], message: str) -> None:
    """An offset out of range must be an error, never a read beyond the arrays."""
    load_operators()
    with pytest.raises(RuntimeError, match=message):
        torch.ops.e3d.environment(torch.zeros(4, 1), torch.zeros(4, 1, 2), torch.tensor(first), [0, 1])


def test_terms_out_of_range_are_refused() -> None:
    load_operators()
    tensors = torch.zeros(1, 2, 3), torch.zeros(1, 2, 3), torch.zeros(1, 3), torch.tensor([[0, 2, 0]])
    with pytest.raises(RuntimeError, match="out of range"):
        torch.ops.e3d.tensor_product(*tensors, torch.tensor([0, 1]), 1)


def test_a_model_of_other_layers_is_left_alone() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    assert not use_edge_operators(model) and isinstance(model[0], torch.nn.Linear)
