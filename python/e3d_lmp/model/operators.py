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
            "'pip install scikit-build-core cmake ninja', then "
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

    @torch.library.register_fake("e3d::tensor_product_sums")
    def _(
        edge: Any, d: Any, environment: Any, w: Any, term: Any, first: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return environment.new_empty(environment.shape), w.new_empty(w.shape)

    for name, backward, keep in (
        ("environment", _environment_backward, _keep_environment),
        ("environment_backward", _environment_twice, _keep_environment_backward),
        ("tensor_product", _product_backward, _keep_product),
        ("tensor_product_backward", _product_twice, _keep_all),
        ("tensor_product_sums", _sums_backward, _keep_all),
    ):
        torch.library.register_autograd(f"e3d::{name}", backward, setup_context=keep)


# Both operators are linear in each of their arguments, and so are their derivatives: the same few sums, with
# other arguments, give derivatives of any order. Training needs the second (the loss holds forces).


def _keep_environment(ctx: Any, inputs: Any, output: Any) -> None:
    basis, weight, first, ctx.irreps = inputs
    ctx.save_for_backward(basis, weight, first)


def _environment_backward(ctx: Any, d: torch.Tensor) -> tuple:
    return (*torch.ops.e3d.environment_backward(d, *ctx.saved_tensors, ctx.irreps), None, None)


def _keep_environment_backward(ctx: Any, inputs: Any, output: Any) -> None:
    d, basis, weight, first, ctx.irreps = inputs
    ctx.save_for_backward(d, basis, weight, first)


def _environment_twice(ctx: Any, d_basis: torch.Tensor, d_weight: torch.Tensor) -> tuple:
    d, basis, weight, first = ctx.saved_tensors
    operators, irreps = torch.ops.e3d, ctx.irreps
    of_d = operators.environment(d_basis, weight, first, irreps)
    of_d = of_d + operators.environment(basis, d_weight, first, irreps)
    return (of_d, *operators.environment_backward(d, d_basis, d_weight, first, irreps), None, None)


def _keep_product(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs[:5])


def _product_backward(ctx: Any, d: torch.Tensor) -> tuple:
    edge, environment, w, term, first = ctx.saved_tensors
    of_edge, of_environment = torch.ops.e3d.tensor_product_backward(d, edge, environment, w, term, first)
    of_w = None
    if ctx.needs_input_grad[2]:
        of_w = torch.ops.e3d.tensor_product_sums(edge, d, environment, w, term, first)[1]
    return of_edge, of_environment, of_w, None, None, None


def _keep_all(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs)


def _product_twice(ctx: Any, d_edge: torch.Tensor, d_environment: torch.Tensor) -> tuple:
    d, edge, environment, w, term, first = ctx.saved_tensors
    product, sums = torch.ops.e3d.tensor_product, torch.ops.e3d.tensor_product_sums
    back = term.flip(1)  # (k, j, i): from components k to components i
    of_d = product(d_edge, environment, w, term, first, d.shape[1])
    of_d = of_d + product(edge, d_environment, w, term, first, d.shape[1])
    of_edge = product(d, d_environment, w, back, first, edge.shape[1])
    of_environment, of_w = sums(d_edge, d, environment, w, term, first)
    of_w = of_w + sums(edge, d, d_environment, w, term, first)[1]
    return of_d, of_edge, of_environment, of_w, None, None


def _sums_backward(ctx: Any, d_environment: torch.Tensor, d_w: torch.Tensor) -> tuple:
    edge, d, environment, w, term, first = ctx.saved_tensors
    product, sums = torch.ops.e3d.tensor_product, torch.ops.e3d.tensor_product_sums
    back = term.flip(1)
    of_edge = product(d, d_environment, w, back, first, edge.shape[1])
    of_edge = of_edge + product(d, environment, d_w, back, first, edge.shape[1])
    of_d = product(edge, d_environment, w, term, first, d.shape[1])
    of_d = of_d + product(edge, environment, d_w, term, first, d.shape[1])
    return (of_edge, of_d, *sums(edge, d, d_environment, d_w, term, first), None, None)
