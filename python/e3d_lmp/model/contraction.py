"""Exact centre contraction of Allegro's tensor product.

Allegro's tensor product combines the features of an edge, ``x1[e,u,i]``, with a feature of the edge's
centre, ``x2[c(e),u,j]``, through fixed weights ``W[u,i,j,k]``.  The second factor does not depend on the
edge, so it can be folded into the weights once per centre:

    M[c,u,i,k] = sum_j x2[c,u,j] W[u,i,j,k]          once per centre
    out[e,u,k] = sum_i x1[e,u,i] M[c(e),u,i,k]       once per edge

This is the same sum in another order.  At l_max = 2 it needs nine times less work per edge than the
contraction of nequip-allegro, which forms the outer product over (i, j, k) for every edge.

Three kernels evaluate the second line.  ``gather`` reads M by edge; it takes edges in any order and no shape
in it depends on data, so it can be traced with dynamic shapes.  ``padded`` lays the edges of each centre
side by side, up to the longest, and multiplies matrices: fastest without a compiler, in eager mode and in
TorchScript.  ``blocked`` is for compiled models whose edges come sorted by centre: it cuts each centre's
edges into blocks of `_BLOCK` rows, of which E edges and N centres fill at most (E + (_BLOCK - 1) N) / _BLOCK,
a number that is known without reading data.

Models compiled for a CPU do not use these kernels but the operators of `layers`, which are three
times faster there; scripted models and those for a GPU do.
"""

from __future__ import annotations

import torch
from torch.fx.experimental.proxy_tensor import get_proxy_mode

from e3d_lmp.errors import E3DError

_GATHER_LIMIT = 16
"""Largest i * k (entries of M per centre and channel) that is always read by edge."""

_BLOCK = 8
"""Edges of one centre that the ``blocked`` kernel multiplies at once."""


class CentreContracter(torch.nn.Module):
    """The tensor product of ``allegro.nn._strided.Contracter``, contracted with its centre first.

    Parameters and buffers keep the names of the module it replaces (``weights``, ``w3j``), so that state
    dictionaries fit both.

    Parameters
    ----------
    stock : allegro.nn._strided.Contracter
        Module to replace, or a copy of that class from a package; its parameter and buffer are shared.
    padded : bool
        Allow the ``padded`` kernel where neither tracing nor compiling is under way.
    sorted_by_centre : bool
        Promise that edges come sorted by centre, and so allow the ``blocked`` kernel where a graph is traced.
    """

    def __init__(self, stock: torch.nn.Module, padded: bool = True, sorted_by_centre: bool = False) -> None:
        super().__init__()
        if stock.scatter_factor is not None:
            raise E3DError(
                "expected a Contracter without a fused scatter, got scatter_factor="
                f"{stock.scatter_factor}; build the model with nequip-allegro 0.8"
            )
        self.irreps_in1 = stock.irreps_in1
        self.irreps_in2 = stock.irreps_in2
        self.irreps_out = stock.irreps_out
        self.mul = int(stock.mul)
        self.base_dim1 = int(stock.base_dim1)
        self.base_dim2 = int(stock.base_dim2)
        self.base_dim_out = int(stock.base_dim_out)
        self.num_paths = int(stock.num_paths)
        self.w3j_is_ij_diagonal = bool(stock.w3j_is_ij_diagonal)
        self.path_channel_coupling = bool(stock.path_channel_coupling)
        large = self.base_dim1 * self.base_dim_out > _GATHER_LIMIT
        self.padded = padded and large
        self.blocked = sorted_by_centre and large
        self.weights = stock.weights
        self.register_buffer("w3j", stock.w3j)
        self.train(stock.training)

    def extra_repr(self) -> str:
        """Irreps, channels and kernel, for ``print(model)``."""
        kernels = [name for name in ("padded", "blocked") if getattr(self, name)] or ["gather"]
        return (
            f"{self.irreps_in1} x {self.irreps_in2} -> {self.irreps_out} | {self.mul} channels | "
            f"{self.num_paths} paths | {', '.join(kernels)}"
        )

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, idxs: torch.Tensor) -> torch.Tensor:
        """Return the product, (E, mul, base_dim_out), dtype of the inputs.

        Parameters
        ----------
        x1 : (E, mul, base_dim1) edge features
        x2 : (N, mul, base_dim2) features of the centres
        idxs : (E,) int64, centre of each edge, in any order (sorted is faster)
        """
        x1 = x1.reshape(-1, self.mul, self.base_dim1)
        x2 = x2.reshape(-1, self.mul, self.base_dim2)
        per_centre = self._contract_centres(x2)
        # TorchScript compiles one branch of is_scripting() only
        if torch.jit.is_scripting():
            if self.padded:
                return self._padded(x1, per_centre, idxs)
        else:
            if self.padded and not _is_traced(x1):
                return self._padded(x1, per_centre, idxs)
            if self.blocked:
                return self._blocked(x1, per_centre, idxs)
        return torch.sum(x1.unsqueeze(-1) * torch.index_select(per_centre, 0, idxs), 2)

    def _contract_centres(self, x2: torch.Tensor) -> torch.Tensor:
        """M[c,u,i,k], (N, mul, base_dim1, base_dim_out)."""
        weights = self.weights
        w3j = self.w3j
        if self.num_paths == 1:  # the path axis is squeezed out of both in this case
            w3j = w3j.unsqueeze(0)
            weights = weights.unsqueeze(-1)
        n_rest = w3j.numel() // self.num_paths
        flat = w3j.reshape(self.num_paths, n_rest)
        # (mul, p) @ (p, ijk), or (1, p) @ (p, ijk) when all channels share the path weights
        weighted = torch.mm(weights.reshape(-1, self.num_paths), flat)
        if self.w3j_is_ij_diagonal:
            weighted = weighted.reshape(-1, self.base_dim1, self.base_dim_out)
            return x2.unsqueeze(-1) * weighted
        weighted = weighted.reshape(-1, self.base_dim1, self.base_dim2, self.base_dim_out)
        # j in front: (u, j, ik)
        weighted = weighted.permute(0, 2, 1, 3).reshape(
            -1, self.base_dim2, self.base_dim1 * self.base_dim_out
        )
        if self.path_channel_coupling:
            product = torch.bmm(x2.transpose(0, 1), weighted).transpose(0, 1)
        else:
            product = torch.mm(x2.reshape(-1, self.base_dim2), weighted[0])
        return product.reshape(-1, self.mul, self.base_dim1, self.base_dim_out)

    def _blocked(self, x1: torch.Tensor, per_centre: torch.Tensor, idxs: torch.Tensor) -> torch.Tensor:
        """Sum over i with blocks of `_BLOCK` edges of a centre as the rows of a matrix; `idxs` is sorted."""
        num_edges = x1.size(0)
        num_centres = per_centre.size(0)
        # a number of blocks that always suffices; the ones that stay empty are never read
        num_blocks = (num_edges + (_BLOCK - 1) * num_centres) // _BLOCK + 1
        counts = torch.zeros(num_centres, dtype=torch.int64, device=idxs.device)
        counts = counts.index_add(0, idxs, torch.ones_like(idxs))
        blocks = torch.div(counts + (_BLOCK - 1), _BLOCK, rounding_mode="floor")
        end = torch.cumsum(blocks, 0)  # of each centre's blocks
        first_edge = torch.cumsum(counts, 0) - counts
        rank = torch.arange(num_edges, device=idxs.device) - first_edge[idxs]
        block = (end - blocks)[idxs] + torch.div(rank, _BLOCK, rounding_mode="floor")
        row = torch.remainder(rank, _BLOCK)
        numbers = torch.arange(num_blocks, device=idxs.device)
        centre = torch.searchsorted(end, numbers, right=True).clamp(max=num_centres - 1)
        rows = torch.zeros([num_blocks, self.mul, _BLOCK, self.base_dim1], dtype=x1.dtype, device=x1.device)
        rows = torch.ops.aten.index_put(rows, [block, None, row], x1)
        product = torch.matmul(rows, torch.index_select(per_centre, 0, centre))
        return torch.ops.aten.index(product, [block, None, row])

    def _padded(self, x1: torch.Tensor, per_centre: torch.Tensor, idxs: torch.Tensor) -> torch.Tensor:
        """Sum over i with the edges of each centre as the rows of one matrix."""
        num_edges = x1.size(0)
        num_centres = per_centre.size(0)
        if num_edges == 0:
            return (
                torch.zeros([0, self.mul, self.base_dim_out], dtype=x1.dtype, device=x1.device)
                + torch.sum(per_centre) * 0.0
            )
        counts = torch.bincount(idxs, minlength=num_centres)
        width = int(counts.max())
        first = torch.cumsum(counts, 0) - counts
        order = torch.arange(num_edges, device=idxs.device)
        if num_edges > 1 and bool((idxs[1:] < idxs[:-1]).any()):
            by_centre = torch.argsort(idxs, stable=True)
            rank = torch.empty_like(order)
            rank[by_centre] = order - first[idxs[by_centre]]
        else:
            rank = order - first[idxs]
        slot = idxs * width + rank
        rows = torch.zeros(
            [num_centres * width, self.mul * self.base_dim1], dtype=x1.dtype, device=x1.device
        ).index_copy(0, slot, x1.reshape(num_edges, self.mul * self.base_dim1))
        rows = rows.view(num_centres, width, self.mul, self.base_dim1).transpose(1, 2)
        product = torch.matmul(rows, per_centre).transpose(1, 2)
        product = product.reshape(num_centres * width, self.mul, self.base_dim_out)
        return torch.index_select(product, 0, slot)


def _is_traced(x: torch.Tensor) -> bool:
    """Whether `x` is a symbol of make_fx, torch.export, torch.compile or torch.jit.trace, not a number."""
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or type(x) not in (torch.Tensor, torch.nn.Parameter)
        or get_proxy_mode() is not None
    )


def contract_centres(
    model: torch.nn.Module, padded: bool = True, sorted_by_centre: bool = False
) -> torch.nn.Module:
    """Return `model` with every Allegro tensor product contracted centre-first; exact to rounding.

    Parameters
    ----------
    model : torch.nn.Module
        A nequip model that holds nequip-allegro modules; changed in place.
    padded : bool
        Let eager and scripted calls use the padded kernel (module documentation).
    sorted_by_centre : bool
        Promise that edges come sorted by centre, as in the contract e3d/1; lets traced calls use the blocked
        kernel. Wrong numbers follow if the promise is broken.

    Raises
    ------
    E3DError
        The model holds no Allegro tensor product.
    """
    found = False
    for parent in list(model.modules()):
        found = found or isinstance(parent, CentreContracter)
        for name, child in list(parent.named_children()):
            # By name: a nequip package brings its own copy of the class.
            if type(child).__name__ == "Contracter":
                new = CentreContracter(child, padded=padded, sorted_by_centre=sorted_by_centre)
                setattr(parent, name, new)
                found = True
    if not found:
        raise E3DError(
            "expected a model with allegro.nn Contracter modules, found none in "
            f"{type(model).__name__}; only Allegro models can be contracted "
            "(leave it out with --no-contraction)"
        )
    return model
