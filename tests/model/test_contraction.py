"""The centre contraction gives the numbers of nequip-allegro's own tensor product."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from allegro.model import AllegroModel
from allegro.nn._strided import Contracter
from e3nn import o3
from nequip.data import AtomicDataDict, compute_neighborlist_, from_dict
from nequip.utils.dtype import torch_default_dtype
from nequip.utils.global_state import set_global_state

from e3d_lmp.errors import E3DError
from e3d_lmp.model.contraction import CentreContracter, contract_centres

RELATIVE = {torch.float64: 1e-12, torch.float32: 2e-5}
"""Largest deviation allowed, relative to the largest value of the quantity."""

SH1, SH2 = "0e+1o", "0e+1o+2e"
PRODUCTS = {
    "lmax2": (SH2, SH2, SH2),
    "diagonal": (SH2, SH2, "0e"),
    "diagonal_lmax1": (SH1, SH1, "0e"),
    "one_path": ("0e", "0e", "0e"),
    "one_path_rectangular": ("0e", "1o", "1o"),
    "odd_parity": ("0e+1o+1e+2e+2o", SH2, "0e+0o+1o+1e+2e+2o"),
    "lmax3": (SH2 + "+3o", SH2 + "+3o", SH1),
}


@pytest.fixture(autouse=True)
def _nequip_state() -> None:
    set_global_state()
    torch.manual_seed(20240611)


def _contracter(product: str, coupling: bool, dtype: torch.dtype) -> Contracter:
    irreps = [o3.Irreps(text) for text in PRODUCTS[product]]
    with torch_default_dtype(dtype):
        return Contracter(
            irreps_in1=o3.Irreps([(1, ir) for _, ir in irreps[0]]),
            irreps_in2=o3.Irreps([(1, ir) for _, ir in irreps[1]]),
            irreps_out=o3.Irreps([(1, ir) for _, ir in irreps[2]]),
            mul=4,
            path_channel_coupling=coupling,
        )


def _inputs(
    module: Contracter, dtype: torch.dtype, index: list[int], centres: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x1 = torch.randn(len(index), module.mul, module.base_dim1, dtype=dtype, requires_grad=True)
    x2 = torch.randn(centres, module.mul, module.base_dim2, dtype=dtype, requires_grad=True)
    return x1, x2, torch.tensor(index, dtype=torch.int64)


def _derivatives(
    module: torch.nn.Module, x1: torch.Tensor, x2: torch.Tensor, index: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Output, first derivatives, and derivatives of their squares (as in training on forces)."""
    out = module(x1, x2, index)
    first = torch.autograd.grad(out.sin().sum(), (x1, x2), create_graph=True)
    loss = sum(grad.square().sum() for grad in first)
    second = torch.autograd.grad(loss, (x1, x2, module.weights))
    return {
        "out": out,
        "d x1": first[0],
        "d x2": first[1],
        "dd x1": second[0],
        "dd x2": second[1],
        "dd weights": second[2],
    }


def _compare(got: dict[str, torch.Tensor], want: dict[str, torch.Tensor], dtype: torch.dtype) -> None:
    for name, value in want.items():
        assert got[name].shape == value.shape, name
        error = float((got[name] - value).detach().abs().max()) if value.numel() else 0.0
        scale = float(value.detach().abs().max()) if value.numel() else 1.0
        assert error <= RELATIVE[dtype] * max(scale, 1.0), f"{name}: error {error:.3e} of {scale:.3e}"


SORTED = [0, 0, 0, 1, 3, 3, 4, 4, 4, 4]
SHUFFLED = [4, 0, 3, 4, 0, 1, 4, 3, 0, 4]


@pytest.mark.parametrize("padded", [True, False], ids=["padded", "gather"])
@pytest.mark.parametrize("coupling", [True, False], ids=["coupled", "uncoupled"])
@pytest.mark.parametrize("product", PRODUCTS)
def test_equals_stock_to_second_derivatives(product: str, coupling: bool, padded: bool) -> None:
    stock = _contracter(product, coupling, torch.float64)
    ours = CentreContracter(stock, padded=True)
    ours.padded = padded  # whatever the size of the product, both kernels are tried
    for index in (SORTED, SHUFFLED):
        inputs = _inputs(stock, torch.float64, index, centres=6)
        _compare(_derivatives(ours, *inputs), _derivatives(stock, *inputs), torch.float64)


@pytest.mark.parametrize("coupling", [True, False], ids=["coupled", "uncoupled"])
@pytest.mark.parametrize("product", PRODUCTS)
def test_blocked_equals_stock(product: str, coupling: bool) -> None:
    """Sorted edges in blocks: centres with no edge, one, a full block, one more, several blocks."""
    stock = _contracter(product, coupling, torch.float64)
    new = CentreContracter(stock, padded=False, sorted_by_centre=True)
    for counts in ([0, 1, 8, 9, 0, 24, 3, 0], [2, 0], [0, 5, 17]):
        index = [centre for centre, count in enumerate(counts) for _ in range(count)]
        inputs = _inputs(stock, torch.float64, index, len(counts))
        _compare(_derivatives(new, *inputs), _derivatives(stock, *inputs), torch.float64)


@pytest.mark.parametrize("coupling", [True, False], ids=["coupled", "uncoupled"])
@pytest.mark.parametrize("product", PRODUCTS)
def test_scripted_equals_stock(product: str, coupling: bool) -> None:
    stock = _contracter(product, coupling, torch.float64)
    scripted = torch.jit.script(CentreContracter(stock))
    for index in (SORTED, SHUFFLED, [2, 2], [5]):
        x1, x2, idxs = _inputs(stock, torch.float64, index, centres=6)
        ours, theirs = scripted(x1, x2, idxs), stock(x1, x2, idxs)
        _compare({"out": ours}, {"out": theirs}, torch.float64)
        for got, want in zip(
            torch.autograd.grad(ours.sin().sum(), (x1, x2)),
            torch.autograd.grad(theirs.sin().sum(), (x1, x2)),
            strict=True,
        ):
            _compare({"gradient": got}, {"gradient": want}, torch.float64)


@pytest.mark.parametrize("product", ["lmax2", "diagonal"])
def test_no_edges(product: str) -> None:
    ours = CentreContracter(_contracter(product, True, torch.float64))
    x1, x2, idxs = _inputs(ours, torch.float64, [], centres=3)
    out = ours(x1, x2, idxs)
    assert out.shape == (0, ours.mul, ours.base_dim_out)
    gradient = torch.autograd.grad(out.sum(), x2)[0]
    assert float(gradient.abs().max()) == 0.0


def test_traced_graph_has_dynamic_shapes() -> None:
    stock = _contracter("lmax2", True, torch.float64)
    ours = CentreContracter(stock)
    edges, centres = torch.export.Dim("edges", min=2), torch.export.Dim("centres", min=2)
    x1, x2, idxs = (x.detach() for x in _inputs(stock, torch.float64, SORTED, centres=6))
    program = torch.export.export(ours, (x1, x2, idxs), dynamic_shapes=({0: edges}, {0: centres}, {0: edges}))
    other = [x.detach() for x in _inputs(stock, torch.float64, [*SHUFFLED, 2, 8, 8], centres=9)]
    _compare({"out": program.module()(*other)}, {"out": stock(*other)}, torch.float64)


def test_make_fx_of_forces_has_dynamic_shapes() -> None:
    from torch.fx.experimental.proxy_tensor import make_fx

    stock = _contracter("lmax2", True, torch.float64)
    ours = CentreContracter(stock)

    def gradient(x1: torch.Tensor, x2: torch.Tensor, idxs: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(ours(x1, x2, idxs).sin().sum(), x1)[0]

    trace = make_fx(gradient, tracing_mode="symbolic", _allow_non_fake_inputs=True)
    graph = trace(*_inputs(stock, torch.float64, SORTED, centres=6))
    inputs = _inputs(stock, torch.float64, [*SHUFFLED, 2, 8, 8], centres=9)
    want = torch.autograd.grad(stock(*inputs).sin().sum(), inputs[0])[0]
    _compare({"gradient": graph(*inputs)}, {"gradient": want}, torch.float64)


MODELS = [
    {"l_max": l_max, "parity": parity, "tp_path_channel_coupling": coupling, "num_layers": layers}
    for (l_max, parity), (coupling, layers) in itertools.zip_longest(
        [(0, True), (1, True), (2, True), (2, False), (3, True), (2, True)],
        [(True, 2), (False, 2), (True, 1), (False, 2), (True, 2), (True, 3)],
    )
]


def _model(dtype: str, **options: object) -> torch.nn.Module:
    return AllegroModel(
        seed=7,
        model_dtype=dtype,
        type_names=["H", "C", "O"],
        r_max=4.0,
        radial_chemical_embed={"_target_": "allegro.nn.TwoBodyBesselScalarEmbed", "num_bessels": 4},
        num_scalar_features=8,
        num_tensor_features=4,
        scalar_embed_mlp_hidden_layers_width=8,
        allegro_mlp_hidden_layers_width=8,
        readout_mlp_hidden_layers_width=8,
        avg_num_neighbors=9.0,
        **options,
    )


def _structures(seed: int = 3) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(seed)
    frames = []
    for atoms in (7, 12):
        frame = {
            "pos": rng.uniform(0.0, 4.5, (atoms, 3)),
            "cell": np.diag([5.0, 5.5, 6.0]) + 0.2,
            "pbc": np.array([True, True, atoms == 7]),
            "atom_types": rng.integers(0, 3, atoms),
        }
        frames.append(compute_neighborlist_(from_dict(frame), r_max=4.0))
    return AtomicDataDict.batched_from_list(frames)


@pytest.mark.parametrize("options", MODELS, ids=[str(tuple(options.values())) for options in MODELS])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_model_equals_stock(options: dict[str, object], dtype: str) -> None:
    stock, ours = _model(dtype, **options), contract_centres(_model(dtype, **options))
    assert any(isinstance(module, CentreContracter) for module in ours.modules())
    assert not any(isinstance(module, Contracter) for module in ours.modules())
    want, got = stock(_structures()), ours(_structures())
    names = ("edge_energy", "atomic_energy", "total_energy", "forces")
    _compare({name: got[name] for name in names}, {name: want[name] for name in names}, getattr(torch, dtype))


def test_training_gradient_equals_stock() -> None:
    stock, ours = _model("float64", l_max=2), contract_centres(_model("float64", l_max=2))
    gradients = []
    for model in (stock, ours):
        out = model(_structures())
        loss = out["forces"].square().mean() + out["total_energy"].square().mean()
        names = [name for name, _ in model.named_parameters()]
        gradients.append(dict(zip(names, torch.autograd.grad(loss, model.parameters()), strict=True)))
    _compare(gradients[1], gradients[0], torch.float64)


def test_state_dict_fits_both() -> None:
    stock, ours = _model("float64", l_max=2), contract_centres(_model("float64", l_max=2))
    assert set(stock.state_dict()) == set(ours.state_dict())
    ours.load_state_dict(stock.state_dict())
    contract_centres(ours)  # a second time: nothing left to do, no error


def test_refuses_a_model_without_allegro() -> None:
    with pytest.raises(E3DError, match=r"found none in Linear.*--no-contraction"):
        contract_centres(torch.nn.Linear(2, 2))
