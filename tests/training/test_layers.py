"""The layers of training give the numbers and gradients of nequip-allegro's, whatever the model's shape."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest
import torch
from nequip.data import compute_neighborlist_, from_dict

from e3d_lmp.model.layers import EdgeLayers
from e3d_lmp.model.operators import load_operators
from e3d_lmp.training.layers import CentreLayers, RadialBasis, use_centre_layers, with_layers
from random_allegro import TYPE_NAMES, build, draw_shape

RELATIVE = 1e-10
"""Largest deviation allowed in float64, relative to the largest value of the quantity."""


def structure(seed: int, r_max: float) -> dict[str, torch.Tensor]:
    """Twenty atoms on a rattled grid, periodic if the seed is odd."""
    generator = torch.Generator().manual_seed(seed)
    grid = torch.cartesian_prod(*[torch.arange(3.0, dtype=torch.float64)] * 3)[:20]
    positions = 1.6 * grid + 0.2 * torch.randn(20, 3, generator=generator, dtype=torch.float64)
    data = {"pos": positions, "atom_types": torch.randint(len(TYPE_NAMES), (20,), generator=generator)}
    if seed % 2:
        data |= {"cell": 6.0 * torch.eye(3, dtype=torch.float64)[None], "pbc": torch.tensor([True] * 3)}
    return compute_neighborlist_(from_dict(data), r_max=r_max)


def close(name: str, got: torch.Tensor, want: torch.Tensor) -> None:
    error, scale = float((got - want).abs().max()), float(want.abs().max())
    assert error <= RELATIVE * scale, f"{name}: error {error:.3e} of {scale:.3e}"


@pytest.mark.parametrize("seed", range(10))
def test_equals_stock_for_random_shapes(seed: int) -> None:
    """Energies, forces, and the gradient of a loss of both, second derivatives all, in every weight."""
    shape = draw_shape(seed)
    stock, ours = (build(shape, "float64").train() for _ in range(2))
    assert use_centre_layers(ours)
    assert list(ours.state_dict()) == list(stock.state_dict())  # checkpoints
    ours.load_state_dict(stock.state_dict())
    data = structure(seed, shape.arguments["r_max"])
    outputs = []
    for model in (stock, ours):
        out = model(data.copy())
        (out["forces"].square().sum() + out["total_energy"].square().sum()).backward()
        outputs.append(out)
    for key in ("edge_energy", "atomic_energy", "total_energy", "forces"):
        close(f"{shape}: {key}", outputs[1][key].detach(), outputs[0][key].detach())
    for (name, a), (other, b) in zip(ours.named_parameters(), stock.named_parameters(), strict=True):
        assert name == other and (a.grad is None) == (b.grad is None), name  # their order: optimiser and mean
        if a.grad is not None and b.grad is not None:
            close(f"{shape}: gradient of {name}", a.grad, b.grad)


FIRST = torch.tensor([0, 2, 2, 7, 8])
IRREPS = [0, 1, 4, 9]


def draw(*shape: int, seed: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("channels", [1, 8, 21])
def test_operators_equal_their_definition(channels: int) -> None:
    """Against einsum; both derivatives against finite differences; arguments that are no plain arrays."""
    load_operators()
    ops = torch.ops.e3d
    centre = torch.arange(4).repeat_interleave(FIRST.diff())
    of = torch.tensor([0, 1, 1, 1, 2, 2, 2, 2, 2])
    basis, weight = draw(9, 8), draw(channels, 3, 8)
    q = draw(4, 9, channels)

    def environment(basis: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return ops.train_environment(basis.t(), weight.permute(2, 1, 0), FIRST, IRREPS)

    def projection(basis: torch.Tensor, weight: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return ops.train_projection(basis.t(), weight.permute(2, 1, 0), q, FIRST, IRREPS)

    edge = basis.t()[:, :, None] * weight.permute(2, 1, 0)[:, of]
    summed = torch.zeros(4, 9, channels, dtype=torch.float64).index_add(0, centre, edge)
    torch.testing.assert_close(environment(basis, weight), summed)
    torch.testing.assert_close(projection(basis, weight, q), (edge * q[centre]).sum(1))

    generator = torch.Generator().manual_seed(1)
    term = torch.stack([torch.randint(n, (9,), generator=generator) for n in (3, 4, 2)], dim=1)
    x, y, w = draw(4, 4, channels), draw(4, 2, channels), draw(9, 1)

    def triple(x: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return ops.train_triple(x, y, w.expand(-1, channels), term, 3)

    want = torch.zeros(4, 3, channels, dtype=torch.float64)
    want = want.index_add(1, term[:, 0], w * x[:, term[:, 1]] * y[:, term[:, 2]])
    torch.testing.assert_close(triple(x, y, w), want)

    numbers = draw(3, channels)
    torch.testing.assert_close(ops.train_silu(numbers), torch.nn.functional.silu(numbers))
    for function, arguments in (
        (environment, (basis, weight)),
        (projection, (basis, weight, q)),
        (triple, (x, y, w)),
        (ops.train_silu, (numbers.t(),)),
    ):
        assert torch.autograd.gradcheck(function, arguments)
        assert torch.autograd.gradgradcheck(function, arguments)


def test_radial_functions_equal_nequips() -> None:
    from nequip.nn.embedding import BesselEdgeLengthEncoding, PolynomialCutoff

    load_operators()
    stock = BesselEdgeLengthEncoding(PolynomialCutoff(5), num_bessels=7)
    stock._output_dtype = torch.float64
    assert RadialBasis.can_replace(stock)
    assert not RadialBasis.can_replace(BesselEdgeLengthEncoding(PolynomialCutoff(5), trainable=True))
    x = torch.tensor([[0.01], [0.3], [0.8], [0.9999], [1.0], [1.2]], dtype=torch.float64, requires_grad=True)
    field = stock.edge_invariant_field
    ours = RadialBasis(stock)({stock.norm_length_field: x})[field]
    torch.testing.assert_close(ours, stock({stock.norm_length_field: x})[field])
    inner = x[:4].detach().requires_grad_(True)  # beyond 1 the third derivative jumps
    assert torch.autograd.gradcheck(lambda x: torch.ops.e3d.train_radial(x, 7, 5.0, torch.float64), inner)
    assert torch.autograd.gradgradcheck(lambda x: torch.ops.e3d.train_radial(x, 7, 5.0, torch.float64), inner)


def test_third_derivatives_are_refused() -> None:
    """They would be taken for 0."""
    load_operators()
    x = draw(4)
    (first,) = torch.autograd.grad(torch.ops.e3d.train_silu(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="third derivatives"):
        torch.autograd.grad(first.sum(), x, create_graph=True)


def test_operators_give_the_same_bits_with_any_number_of_threads() -> None:
    """Values and both derivatives, over enough centres that threads share them."""
    load_operators()
    ops = torch.ops.e3d
    counts = torch.arange(200) % 5
    first = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    n_edges = int(first[-1])
    basis, weight, q, w = draw(n_edges, 9), draw(n_edges, 3, 32), draw(200, 9, 32), draw(5, 32)
    term = torch.tensor([[0, 0, 0], [1, 2, 3], [3, 3, 1], [4, 8, 8], [8, 1, 0]])
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            environment = ops.train_environment(basis, weight, first, IRREPS)
            t = ops.train_projection(
                basis, weight, ops.train_triple(environment, q, w, term, 9), first, IRREPS
            )
            arguments = [basis, weight, q, w]
            gradients = torch.autograd.grad(t.square().sum(), arguments, create_graph=True)
            loss = sum(gradient.square().sum() for gradient in gradients)
            results.append([t, *gradients, *torch.autograd.grad(loss, arguments)])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_kinds_of_layers() -> None:
    """What a configuration asks for, or the next one that fits the model."""

    def kinds(wanted: str, can_use_operators: bool = True, **changes: object) -> set[type]:
        shape = draw_shape(3)
        shape.arguments.update(changes)
        model = with_layers(build(shape, "float64"), wanted, can_use_operators)
        return {type(module) for module in model.modules()}

    assert CentreLayers in kinds("centre") and EdgeLayers in kinds("edge")
    assert not {CentreLayers, EdgeLayers} & (kinds("stock") | kinds("centre", False))
    of_gelu = kinds("centre", allegro_mlp_nonlinearity="gelu", allegro_mlp_hidden_layers_depth=1)
    assert EdgeLayers in of_gelu and CentreLayers not in of_gelu


def test_wrong_arguments_are_refused() -> None:
    """An index out of range must be an error, never a read beyond the arrays."""
    load_operators()
    ops = torch.ops.e3d
    rows = torch.zeros(4, 1), torch.zeros(4, 1, 2)
    for first in ([0, 3, 2, 4], [0, 1, 2, 9], [1, 2, 3, 4]):
        with pytest.raises(RuntimeError, match="not sorted by centre"):
            ops.train_environment(*rows, torch.tensor(first), [0, 1])
    with pytest.raises(RuntimeError, match=r"expected q \(N,I,U\)"):
        ops.train_projection(*rows, torch.zeros(2, 1, 2), torch.tensor([0, 4]), [0, 1])
    three = torch.zeros(1, 2, 3), torch.zeros(1, 2, 3), torch.zeros(1, 3)
    with pytest.raises(RuntimeError, match="out of range"):
        ops.train_triple(*three, torch.tensor([[0, 2, 0]]), 1)


@pytest.mark.parametrize("instructions", ["baseline", "avx2"])
def test_smaller_instruction_sets(instructions: str) -> None:
    """The kernels of smaller processors: their definition once more, in a process of their own."""
    if platform.machine() != "x86_64":
        pytest.skip("one instruction set only on this kind of processor")
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "definition"]
    environment = os.environ | {"E3D_INSTRUCTIONS": instructions}
    done = subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout[-3000:]
