"""The torch operators ``e3d::*`` of ``libe3d_model.so``, with the shapes and derivatives that tracing needs.

Both work on edges that are sorted by centre; those of centre c are rows ``first[c]`` to ``first[c + 1] - 1``.
The channel u is the last index of every array that has one.

=======================  ====================================================================================
environment              (N, I, U): ``sum_e basis[e,i] weight[e,r(i),u]`` over the edges of a centre, with
                         irrep r at components ``irreps[r]`` to ``irreps[r + 1] - 1``
tensor_product           (E, K, U): ``sum_i edge[e,i,u] M[c(e),i,k,u]`` with
                         ``M[c,i,k,u] = sum_j environment[c,j,u] W[i,j,k,u]``, W given by its non-zero terms
=======================  ====================================================================================
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch

from e3d_lmp.errors import E3DError
from e3d_lmp.plugin import path as plugin_folder

LIBRARY = "libe3d_model.so"


@functools.cache
def load_operators() -> None:
    """Register the operators; done once.

    Raises
    ------
    E3DError
        The library is not there or does not fit this torch.
    """
    path = Path(plugin_folder()) / LIBRARY
    try:
        torch.ops.load_library(path)
    except OSError as error:
        raise E3DError(
            f"{path} cannot be loaded ({str(error).splitlines()[0]}); it is built with the plugin: type "
            "'pip install --no-build-isolation --no-deps --force-reinstall .' in the sources of e3d-lmp"
        ) from None

    @torch.library.register_fake("e3d::environment")
    def _(basis: Any, weight: Any, first: Any, irreps: Any) -> torch.Tensor:
        return basis.new_empty(first.shape[0] - 1, basis.shape[1], weight.shape[2])

    @torch.library.register_fake("e3d::environment_backward")
    def _(d: Any, basis: Any, weight: Any, first: Any, irreps: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return basis.new_empty(basis.shape), weight.new_empty(weight.shape)

    @torch.library.register_fake("e3d::tensor_product")
    def _(edge: Any, environment: Any, w: Any, term: Any, first: Any, components: int) -> torch.Tensor:
        return edge.new_empty(edge.shape[0], components, edge.shape[2])

    @torch.library.register_fake("e3d::tensor_product_backward")
    def _(
        d: Any, edge: Any, environment: Any, w: Any, term: Any, first: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return edge.new_empty(edge.shape), environment.new_empty(environment.shape)

    def keep_environment(ctx: Any, inputs: Any, output: Any) -> None:
        basis, weight, first, ctx.irreps = inputs
        ctx.save_for_backward(basis, weight, first)

    def environment_backward(ctx: Any, d: torch.Tensor) -> tuple:
        return (*torch.ops.e3d.environment_backward(d, *ctx.saved_tensors, ctx.irreps), None, None)

    def keep_product(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs[:5])

    def product_backward(ctx: Any, d: torch.Tensor) -> tuple:
        gradients = torch.ops.e3d.tensor_product_backward(d, *ctx.saved_tensors)
        return (*gradients, None, None, None, None)

    torch.library.register_autograd("e3d::environment", environment_backward, setup_context=keep_environment)
    torch.library.register_autograd("e3d::tensor_product", product_backward, setup_context=keep_product)
