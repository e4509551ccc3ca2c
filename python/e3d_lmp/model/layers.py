"""Allegro's layers with the two sums over the edges of a centre as operators of our own (CPU).

The algebra is that of nequip-allegro's ``Allegro_Module``, in the order of `contraction`: contracted
with the centre first. Two things are different. The features of an edge lie channel last, so that every loop
over channels is a vector; and the operators of `operators` go through the edges centre by centre, so
that the contracted weights of a centre stay in the cache and nothing is gathered, scattered or padded. Edges
must come sorted by centre, as the contract e3d/1 says.

Parameters and buffers stay where they are in the stock modules, with the same names.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

import torch

from e3d_lmp.model.operators import load_operators


def _expanded(weight: torch.Tensor, irreps: list[int]) -> torch.Tensor:
    """(E, R, U) -> (E, I, U): the weight of each component's irrep."""
    rows = [weight[:, r : r + 1].expand(-1, b - a, -1) for r, (a, b) in enumerate(pairwise(irreps))]
    return torch.cat(rows, dim=1)


class WeightedBasis(torch.nn.Module):
    """``allegro.nn._strided.MakeWeightedChannels`` with the channel last: (E, I), (E, U R) -> (E, I, U)."""

    def __init__(self, stock: torch.nn.Module, components: list[int]) -> None:
        super().__init__()
        self.channels = int(stock.multiplicity_out)
        self.alpha = float(stock.alpha)
        weighted = components if stock.weight_individual_irreps else [sum(components)]
        self.irreps = list(accumulate(weighted, initial=0))

    def weights(self, weights: torch.Tensor) -> torch.Tensor:
        """(E, R, U) of the columns (u, r) that a network puts out."""
        weights = weights.reshape(weights.size(0), self.channels, len(self.irreps) - 1).transpose(1, 2)
        return weights if self.alpha == 1.0 else weights * self.alpha

    def forward(self, basis: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return basis.unsqueeze(-1) * _expanded(self.weights(weights), self.irreps)


class TensorProduct(torch.nn.Module):
    """``allegro.nn._strided.Contracter`` by the operator ``e3d::tensor_product``."""

    def __init__(self, stock: torch.nn.Module) -> None:
        super().__init__()
        self.inputs, self.components = int(stock.base_dim1), int(stock.base_dim_out)
        self.channels = int(stock.mul)
        self.weights = stock.weights
        self.register_buffer("w3j", stock.w3j)  # read by nobody: a checkpoint fits the stock module
        w3j = stock.w3j.detach()
        paths = int(stock.num_paths)
        if paths == 1:
            w3j = w3j.unsqueeze(0)
        if stock.w3j_is_ij_diagonal:  # (p, i, k): i = j
            w3j = torch.diag_embed(w3j.transpose(1, 2)).permute(0, 2, 3, 1)
        term = (w3j != 0).any(dim=0).nonzero().contiguous()
        # by output, so that neighbouring terms add to the same row
        self.register_buffer("term", term, persistent=False)
        values = w3j[:, term[:, 0], term[:, 1], term[:, 2]]
        self.register_buffer("values", values, persistent=False)  # (P, T)

    def forward(self, edge: torch.Tensor, environment: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
        w = self.weights_of_terms()
        return torch.ops.e3d.tensor_product(edge, environment, w, self.term, first, self.components)

    def weights_of_terms(self) -> torch.Tensor:
        """(T, U): the factor of each term (i, j, k)."""
        weights = self.weights.reshape(-1, self.values.size(0))  # (U or 1, P)
        return torch.mm(self.values.t(), weights.t()).expand(-1, self.channels)


class EdgeLayers(torch.nn.Module):
    """``allegro.nn.Allegro_Module`` for edges sorted by centre.

    Parameters
    ----------
    stock
        Module to replace; its networks and normalisation are shared.
    """

    def __init__(self, stock: torch.nn.Module) -> None:
        super().__init__()
        self.fields = (
            stock.tensor_basis_in_field,
            stock.tensor_features_in_field,
            stock.scalar_in_field,
            stock.scalar_out_field,
        )
        self.irreps_in, self.irreps_out = stock.irreps_in, stock.irreps_out
        self.num_scalar_features = int(stock.num_scalar_features)
        components = [ir.dim for _, ir in stock.irreps_in[stock.tensor_basis_in_field]]
        self._env_weighter = WeightedBasis(stock._env_weighter, components)
        self.first_layer_env_embed_projection = stock.first_layer_env_embed_projection
        self.avg_num_neighbors_norm = stock.avg_num_neighbors_norm
        self.latents = stock.latents
        self.tps = torch.nn.ModuleList(TensorProduct(tp) for tp in stock.tps)

    def forward(self, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        from nequip.data import AtomicDataDict

        basis_field, features_field, scalar_field, out_field = self.fields
        centre = data[AtomicDataDict.EDGE_INDEX_KEY][0]
        n_slots = AtomicDataDict.num_nodes(data)
        slots = torch.arange(n_slots + 1, device=centre.device)
        first = torch.searchsorted(centre, slots)
        basis, features = data[basis_field], data[features_field]

        outputs = self.first_layer_env_embed_projection(data[scalar_field])
        scalars = [outputs[:, : self.num_scalar_features]]
        for latent, product in zip(self.latents, self.tps, strict=True):
            weights = self._env_weighter.weights(outputs[:, self.num_scalar_features :])
            environment = torch.ops.e3d.environment(basis, weights, first, self._env_weighter.irreps)
            data[AtomicDataDict.NODE_FEATURES_KEY] = environment.reshape(n_slots, -1)
            data = self.avg_num_neighbors_norm(data)
            environment = data[AtomicDataDict.NODE_FEATURES_KEY].reshape(environment.shape)
            features = product(features, environment, first)
            outputs = latent(torch.cat([*scalars, features[:, 0]], dim=-1))
            scalars.append(outputs[:, : self.num_scalar_features])
        data[out_field] = torch.cat(scalars, dim=-1)
        return data


def use_edge_operators(model: torch.nn.Module) -> bool:
    """Replace the layers of an Allegro model, in place; whether it could be done.

    A model of other modules than those of nequip-allegro 0.8 is left as it is.
    """
    modules = {type(module).__name__: (name, module) for name, module in model.named_modules()}
    # By name: a nequip package brings its own copies of the classes.
    if not {"Allegro_Module", "TwoBodySphericalHarmonicTensorEmbed"} <= set(modules):
        return False
    load_operators()
    name, layers = modules["Allegro_Module"]
    _replace(model, name, EdgeLayers(layers))
    name, embed = modules["TwoBodySphericalHarmonicTensorEmbed"]
    components = [ir.dim for _, ir in embed.irreps_out[embed.tensor_basis_out_field]]
    embed._edge_weighter = WeightedBasis(embed._edge_weighter, components)
    return True


def _replace(model: torch.nn.Module, name: str, module: torch.nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)
