"""Allegro for training on a CPU: the algebra of the native engine, with the derivatives that forces need.

docs/engine.md derives it. Matrices with no nonlinearity between them are multiplied out, environments of
later layers are summed over edges before they are projected, and no tensor of an edge is ever formed: what
layer n hands on is t_n[e,u] = sum_i Y_i(e) w[e,l(i),u] q_n[c,i,u] with a vector q_n of each centre. Between
the matrix products stand five operators of ``libe3d_model.so``, which have two derivatives:

========================  =====================================================================
``train_environment``     (N,I,U): sum over the edges of a centre of Y[e,i] v[e,r(i),u]
``train_projection``      (E,U): sum_i Y[e,i] w[e,r(i),u] q[c(e),i,u]
``train_triple``          (N,I,U): sum over terms (i,j,k) of x[c,j,u] y[c,k,u] w[t,u]
``train_silu``            x / (1 + exp(-x))
``train_radial``          (E,K): sin(k pi x) / (pi x) times nequip's polynomial cutoff
========================  =====================================================================

Parameters stay where nequip-allegro has them, with their names and in their order: checkpoints, packages and
optimiser states know nothing of this. Edges must come sorted by centre.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import Any

import torch

from e3d_lmp.model.contraction import contract_centres
from e3d_lmp.model.decomposition import kind
from e3d_lmp.model.layers import TensorProduct, WeightedBasis, use_edge_operators
from e3d_lmp.model.operators import load_operators


class Held(torch.nn.Module):
    """A module of nequip-allegro that gives its weights to `CentreLayers` and does nothing itself."""

    def __init__(self, stock: torch.nn.Module) -> None:
        super().__init__()
        for name, parameter in stock.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, buffer in stock.named_buffers(recurse=False):
            is_kept = name not in stock._non_persistent_buffers_set
            self.register_buffer(name, buffer, persistent=is_kept)
        for name, child in stock.named_children():
            self.add_module(name, child)

    def forward(self, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return data


class RadialBasis(torch.nn.Module):
    """``nequip.nn.embedding.BesselEdgeLengthEncoding`` by the operator ``e3d::train_radial``."""

    def __init__(self, stock: torch.nn.Module) -> None:
        super().__init__()
        self.register_buffer("bessel_weights", stock.bessel_weights)  # a checkpoint fits the stock module
        self.functions, self.power = int(stock.num_bessels), float(stock.cutoff.p)
        self.fields = stock.norm_length_field, stock.edge_invariant_field
        self.dtype = stock._output_dtype

    def forward(self, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        length, out = self.fields
        data[out] = torch.ops.e3d.train_radial(data[length], self.functions, self.power, self.dtype)
        return data

    @staticmethod
    def can_replace(stock: torch.nn.Module) -> bool:
        """Whether the functions are those of whole numbers, with the cutoff that the operator knows."""
        if kind(stock) != "BesselEdgeLengthEncoding" or isinstance(stock.bessel_weights, torch.nn.Parameter):
            return False
        whole = torch.arange(1, int(stock.num_bessels) + 1)
        is_whole = torch.equal(stock.bessel_weights.reshape(-1).cpu(), whole.to(stock.bessel_weights.dtype))
        cutoff = getattr(stock.cutoff, "original_name", kind(stock.cutoff))
        return is_whole and cutoff == "PolynomialCutoff"


class Harmonics(torch.nn.Module):
    """(E,3) unit vectors to (E, (l_max + 1)^2) real spherical harmonics of e3nn, "component" normalised.

    Y_l is Y_(l-1) times the vector, contracted by 3j symbols: three small operations for each l.
    """

    def __init__(self, l_max: int) -> None:
        super().__init__()
        from e3nn.o3 import spherical_harmonics, wigner_3j

        trial = torch.nn.functional.normalize(torch.tensor([[0.3, -0.5, 0.8]], dtype=torch.float64))
        below = spherical_harmonics(1, trial, False, "component")
        self.l_max = l_max
        for l in range(2, l_max + 1):  # noqa: E741
            wanted = spherical_harmonics(l, trial, False, "component")
            symbols = wigner_3j(l - 1, 1, l, dtype=torch.float64).reshape(-1, 2 * l + 1)
            made = torch.mm((below.unsqueeze(2) * trial.unsqueeze(1)).flatten(1), symbols)
            symbols = symbols * ((made * wanted).sum() / made.square().sum())
            self.register_buffer(f"symbols_{l}", symbols, persistent=False)
            below = wanted

    def forward(self, unit: torch.Tensor) -> torch.Tensor:
        parts = [torch.ones_like(unit[:, :1]), sqrt(3.0) * unit][: self.l_max + 1]
        for l in range(2, self.l_max + 1):  # noqa: E741
            product = (parts[-1].unsqueeze(2) * unit.unsqueeze(1)).flatten(1)
            parts.append(torch.mm(product, getattr(self, f"symbols_{l}").to(unit.dtype)))
        return torch.cat(parts, dim=1)


class CentreLayers(torch.nn.Module):
    """Everything of an Allegro model between the radial embedding and the raw edge energies.

    Parameters
    ----------
    stock
        ``allegro.nn.Allegro_Module``, whose networks are shared.
    scalar_network, tensor_embedding, readout
        The modules before and behind it; their weights are read, their owner is the model.
    """

    def __init__(
        self,
        stock: torch.nn.Module,
        scalar_network: torch.nn.Module,
        tensor_embedding: torch.nn.Module,
        readout: torch.nn.Module,
    ) -> None:
        super().__init__()
        irreps = [ir for _, ir in stock.irreps_in[stock.tensor_basis_in_field]]
        components = [ir.dim for ir in irreps]
        self._env_weighter = WeightedBasis(stock._env_weighter, components)
        self.first_layer_env_embed_projection = stock.first_layer_env_embed_projection
        self.avg_num_neighbors_norm = stock.avg_num_neighbors_norm
        self.latents = stock.latents
        self.tps = torch.nn.ModuleList(TensorProduct(tp) for tp in stock.tps)
        self.num_scalar_features = int(stock.num_scalar_features)
        self.components = sum(components)
        self.fields = scalar_network.field, readout.out_field
        edge_weighter = WeightedBasis(tensor_embedding._edge_weighter, components)
        self.edge_irreps, self.edge_alpha = edge_weighter.irreps, edge_weighter.alpha
        self.harmonics = Harmonics(irreps[-1].l)
        # a tuple: modules in it belong to another one
        self._held = (scalar_network.mlp_module, tensor_embedding.env_embed_linear, readout.mlp_module)

    def forward(self, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        from nequip.data import AtomicDataDict
        from nequip.nn import with_edge_vectors_

        data = with_edge_vectors_(data, with_lengths=True)
        scalar_field, out_field = self.fields
        centre = data[AtomicDataDict.EDGE_INDEX_KEY][0]
        slots = torch.arange(AtomicDataDict.num_nodes(data) + 1, device=centre.device)
        first = torch.searchsorted(centre, slots)
        unit = data[AtomicDataDict.EDGE_VECTORS_KEY] / data[AtomicDataDict.EDGE_LENGTH_KEY].reshape(-1, 1)
        types = data[AtomicDataDict.ATOM_TYPE_KEY].reshape(-1)
        embedding = data[scalar_field]
        basis = self.harmonics(unit.to(embedding.dtype))
        data[out_field] = self._edge_energies(embedding, basis, first, types)
        return data

    def _edge_energies(
        self, embedding: torch.Tensor, basis: torch.Tensor, first: torch.Tensor, types: torch.Tensor
    ) -> torch.Tensor:
        """(E,1) raw energies of edges with the radial `embedding` (E,S) and harmonics `basis` (E,I); names as
        in docs/engine.md."""
        ops = torch.ops.e3d
        n_scalars = self.num_scalar_features
        scalar_network, env_embed_linear, readout = self._held
        *hidden, last = _matrices(scalar_network)
        a = embedding
        for matrix in hidden:
            a = ops.train_silu(torch.mm(a, matrix))

        norm = self.avg_num_neighbors_norm.norm_const
        is_single = norm.numel() == 1
        factor = norm.reshape(()) if is_single else torch.ones_like(norm[0, 0])
        factor = factor * self._env_weighter.alpha
        projection = _matrices(self.first_layer_env_embed_projection)[0]
        two_body = torch.mm(last, projection[:, :n_scalars])
        env_irreps, all_components = self._env_weighter.irreps, [0, self.components]

        env_columns = _columns(projection[:, n_scalars:] * factor, env_irreps)
        v = torch.mm(a, torch.mm(last, env_columns))
        environment = ops.train_environment(basis, _by_irrep(v, env_irreps), first, env_irreps)
        edge_columns = _columns(_matrices(env_embed_linear)[0] * self.edge_alpha, self.edge_irreps)
        w = _by_irrep(torch.mm(a, torch.mm(last, edge_columns)), self.edge_irreps)

        environments: list[torch.Tensor] = []
        products = [product.weights_of_terms() for product in self.tps]
        hidden_of: list[
            tuple[torch.Tensor, torch.Tensor]
        ] = []  # of each latent network; and the matrix behind it
        for n, latent in enumerate(self.latents):
            if not is_single:
                environment = environment * norm[types].unsqueeze(2)
            environments.append(environment)
            q = self._vectors(environments, products)
            t = ops.train_projection(basis, w, q, first, self.edge_irreps)
            enter, *more, leave = _at_least_two(_matrices(latent))
            h = self._entered(enter, a, two_body, hidden_of)
            h = torch.addmm(h, t, enter[n_scalars * (n + 1) :])
            if latent.is_nonlinear:
                h = ops.train_silu(h)
            for matrix in more:
                h = ops.train_silu(torch.mm(h, matrix))
            hidden_of.append((h, leave))
            if n + 1 < len(self.tps):
                sums = ops.train_environment(basis, h.unsqueeze(1), first, all_components)
                columns = _by_irrep(_columns(leave[:, n_scalars:] * factor, env_irreps), env_irreps)
                ranges = enumerate(pairwise(env_irreps))
                parts = [torch.matmul(sums[:, i:j], columns[:, r]) for r, (i, j) in ranges]
                environment = torch.cat(parts, dim=1)

        enter, *more = _matrices(readout)
        h = self._entered(enter, a, two_body, hidden_of)
        for matrix in more:
            h = torch.mm(ops.train_silu(h), matrix)
        return h

    def _vectors(self, environments: list[torch.Tensor], products: list[torch.Tensor]) -> torch.Tensor:
        """q_n (N,I,U) of the last environment, n: M_0 ... M_(n-1) times the scalar column of M_n."""
        n = len(environments) - 1
        product = self.tps[n]
        to_scalar = product.term[:, 2] == 0
        term, ones = product.term[to_scalar].contiguous(), torch.ones_like(environments[n][:, :1])
        q = torch.ops.e3d.train_triple(environments[n], ones, products[n][to_scalar], term, product.inputs)
        for m in range(n - 1, -1, -1):
            below = self.tps[m]
            q = torch.ops.e3d.train_triple(environments[m], q, products[m], below.term, below.inputs)
        return q

    def _entered(
        self,
        matrix: torch.Tensor,
        a: torch.Tensor,
        two_body: torch.Tensor,
        hidden_of: list[tuple[torch.Tensor, torch.Tensor]],
    ) -> torch.Tensor:
        """The first matrix of a network on the scalars s_0, s_1, ... so far, of which none is formed."""
        count = self.num_scalar_features
        h = torch.mm(a, torch.mm(two_body, matrix[:count]))
        for m, (hidden, behind) in enumerate(hidden_of):
            rows = matrix[count * (m + 1) : count * (m + 2)]
            h = torch.addmm(h, hidden, torch.mm(behind[:, :count], rows))
        return h


def _columns(matrix: torch.Tensor, irreps: list[int]) -> torch.Tensor:
    """Columns (u, r) of a matrix as (r, u)."""
    return matrix.reshape(len(matrix), -1, len(irreps) - 1).transpose(1, 2).reshape(len(matrix), -1)


def _by_irrep(weights: torch.Tensor, irreps: list[int]) -> torch.Tensor:
    return weights.reshape(len(weights), len(irreps) - 1, -1)


def _matrices(network: Any) -> list[torch.Tensor]:
    """The matrices of a ``nequip.nn.ScalarMLPFunction``, gains included; SiLU stands between them."""
    if kind(network.mlp) == "DeepLinearMLP":
        return [torch.linalg.multi_dot(list(network.mlp.weights)) * network.mlp.alpha]
    return [layer.weight * layer.alpha for layer in network.mlp if hasattr(layer, "weight")]


def _at_least_two(matrices: list[torch.Tensor]) -> list[torch.Tensor]:
    if len(matrices) > 1:
        return matrices
    width = matrices[0].shape[1]
    return [*matrices, torch.eye(width, dtype=matrices[0].dtype, device=matrices[0].device)]


def _is_plain(network: Any) -> bool:
    """Whether `_matrices` knows a network."""
    if kind(network.mlp) == "DeepLinearMLP":
        return True
    layers = list(network.mlp)
    linear = [layer for layer in layers if kind(layer) == "ScalarLinearLayer"]
    other = {kind(layer) for layer in layers if kind(layer) != "ScalarLinearLayer"}
    plain = all(layer.bias is None and not hasattr(layer, "parametrizations") for layer in linear)
    return plain and other <= {"SiLU"}


def with_layers(model: torch.nn.Module, wanted: str, can_use_operators: bool) -> torch.nn.Module:
    """A model that is to be trained, with layers of a kind, or of the next one that fits it.

    Parameters
    ----------
    wanted
        ``centre``, these layers; ``edge``, those of `e3d_lmp.model.layers`; ``stock``, nequip-allegro's own.
    can_use_operators
        It is trained on a CPU, without torch.compile.
    """
    if wanted == "stock":
        return model
    if can_use_operators and ((wanted == "centre" and use_centre_layers(model)) or use_edge_operators(model)):
        return model
    return contract_centres(model)


def use_centre_layers(model: torch.nn.Module) -> bool:
    """Replace the layers of an Allegro model by `CentreLayers`, in place; whether it could be done.

    A model of other modules than those of nequip-allegro 0.8 is left as it is.
    """
    steps = _steps(model)
    if steps is None:
        return False
    sequence, (scalar, tensor, layers, readout) = steps
    parts = [getattr(sequence, name) for name in (scalar, tensor, layers, readout)]
    networks = [parts[0].mlp_module, parts[1].env_embed_linear, parts[3].mlp_module]
    networks += [parts[2].first_layer_env_embed_projection, *parts[2].latents]
    harmonics = parts[1].sh
    has_ours = harmonics.normalize and harmonics.normalization == "component"
    if not has_ours or not all(map(_is_plain, networks)):
        return False
    load_operators()
    made = CentreLayers(parts[2], parts[0], parts[1], parts[3])
    for name in (scalar, tensor, readout):
        setattr(sequence, name, Held(getattr(sequence, name)))
    setattr(sequence, layers, made)
    for module in sequence.children():
        for name, child in module.named_children():
            if RadialBasis.can_replace(child):
                setattr(module, name, RadialBasis(child))
    return True


def _steps(model: torch.nn.Module) -> tuple[torch.nn.Module, list[str]] | None:
    """The sequence of an Allegro model, and the names in it of what `CentreLayers` replaces."""
    wanted = ["ScalarMLP", "TwoBodySphericalHarmonicTensorEmbed", "Allegro_Module", "ScalarMLP"]
    for sequence in model.modules():
        kinds = {name: kind(child) for name, child in sequence.named_children()}
        if "Allegro_Module" in kinds.values():
            names = [name for name, what in kinds.items() if what in wanted]
            return (sequence, names) if [kinds[name] for name in names] == wanted else None
    return None
