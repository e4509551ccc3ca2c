/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// The kernels of layer_kernels.h as torch operators e3d::*, which exported models call on a CPU.
// python/e3d_lmp/model/operators.py gives them shapes and derivatives.

#include "model/torch/layer_kernels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <algorithm>
#include <memory>
#include <tuple>
#include <vector>

namespace E3D {

void define_training_operators(torch::Library &);    // training_operators.cpp
void define_radial_operator(torch::Library &);       // radial_operator.cpp

}    // namespace E3D

namespace {

using at::Tensor;

// Work is shared out to threads in ranges of at least so many centres.
constexpr int64_t GRAIN = 1;

void check(const Tensor &first, const Tensor &per_edge, const std::vector<Tensor> &all)
{
  TORCH_CHECK(first.scalar_type() == at::kLong && first.dim() == 1 && first.numel() > 0,
              "e3d: expected the first edge of each centre as int64 (N+1)");
  const auto *row = first.const_data_ptr<int64_t>();
  const int64_t n = first.numel() - 1;
  TORCH_CHECK(row[0] == 0 && row[n] == per_edge.size(0) && std::is_sorted(row, row + n + 1),
              "e3d: the edges are not sorted by centre");
  for (const auto &tensor : all)
    TORCH_CHECK(tensor.is_cpu() && tensor.scalar_type() == per_edge.scalar_type(),
                "e3d: expected tensors of one type on the CPU");
}

template <typename Real> Real *data(Tensor &tensor)
{
  return tensor.data_ptr<Real>();
}

E3D::EnvironmentShape environment_shape(const Tensor &basis, const Tensor &weight, at::IntArrayRef irreps)
{
  TORCH_CHECK(weight.dim() == 3 && basis.dim() == 2 && weight.size(0) == basis.size(0) &&
                  static_cast<int64_t>(irreps.size()) == weight.size(1) + 1 && irreps[0] == 0 &&
                  irreps.back() == basis.size(1),
              "e3d::environment: expected basis (E,I), weight (E,R,U) and R+1 first components");
  return {weight.size(2), basis.size(1), weight.size(1), irreps.data()};
}

Tensor environment(const Tensor &basis_in, const Tensor &weight_in, const Tensor &first_in,
                   at::IntArrayRef irreps)
{
  const Tensor basis = basis_in.contiguous(), weight = weight_in.contiguous(), first = first_in.contiguous();
  check(first, basis, {basis, weight});
  const auto shape = environment_shape(basis, weight, irreps);
  const int64_t n = first.numel() - 1;
  Tensor out = at::empty({n, shape.components, shape.channels}, basis.options());
  AT_DISPATCH_FLOATING_TYPES(basis.scalar_type(), "e3d::environment", [&] {
    at::parallel_for(0, n, GRAIN, [&](int64_t c0, int64_t c1) {
      E3D::layer_kernels<scalar_t>().environment(shape, c0, c1, first.const_data_ptr<int64_t>(),
                                                 basis.const_data_ptr<scalar_t>(),
                                                 weight.const_data_ptr<scalar_t>(), data<scalar_t>(out));
    });
  });
  return out;
}

std::tuple<Tensor, Tensor> environment_backward(const Tensor &d_in, const Tensor &basis_in,
                                                const Tensor &weight_in, const Tensor &first_in,
                                                at::IntArrayRef irreps)
{
  const Tensor d = d_in.contiguous(), basis = basis_in.contiguous(), weight = weight_in.contiguous(),
               first = first_in.contiguous();
  check(first, basis, {d, basis, weight});
  const auto shape = environment_shape(basis, weight, irreps);
  const int64_t n = first.numel() - 1;
  TORCH_CHECK(d.numel() == n * shape.components * shape.channels, "e3d::environment_backward: wrong shape");
  Tensor d_basis = at::empty_like(basis), d_weight = at::empty_like(weight);
  AT_DISPATCH_FLOATING_TYPES(basis.scalar_type(), "e3d::environment_backward", [&] {
    at::parallel_for(0, n, GRAIN, [&](int64_t c0, int64_t c1) {
      E3D::layer_kernels<scalar_t>().environment_backward(
          shape, c0, c1, first.const_data_ptr<int64_t>(), d.const_data_ptr<scalar_t>(),
          basis.const_data_ptr<scalar_t>(), weight.const_data_ptr<scalar_t>(), data<scalar_t>(d_basis),
          data<scalar_t>(d_weight));
    });
  });
  return {d_basis, d_weight};
}

E3D::ProductShape product_shape(const Tensor &edge, const Tensor &environment, const Tensor &w,
                                const Tensor &term, const Tensor &first, int64_t out)
{
  TORCH_CHECK(edge.dim() == 3 && environment.dim() == 3 && w.dim() == 2 && term.dim() == 2 &&
                  term.scalar_type() == at::kLong && term.size(1) == 3 && term.size(0) == w.size(0) &&
                  edge.size(2) == environment.size(2) && edge.size(2) == w.size(1) &&
                  environment.size(0) == first.numel() - 1,
              "e3d::tensor_product: expected edge (E,I,U), environment (N,J,U), w (T,U), term (T,3)");
  const E3D::ProductShape shape = {edge.size(2), edge.size(1), environment.size(1),
                                   out,          term.size(0), term.const_data_ptr<int64_t>()};
  for (int64_t t = 0; t < shape.num_terms; t++) {
    const int64_t *ijk = shape.term + 3 * t;
    TORCH_CHECK(ijk[0] >= 0 && ijk[0] < shape.in && ijk[1] >= 0 && ijk[1] < shape.environment &&
                    ijk[2] >= 0 && ijk[2] < shape.out,
                "e3d::tensor_product: a term is out of range");
  }
  return shape;
}

// The same for the derivatives of the product, which have the derivative d of something by it.

E3D::ProductShape derivative_shape(const char *name, const Tensor &d, const Tensor &edge,
                                   const Tensor &environment, const Tensor &w, const Tensor &term,
                                   const Tensor &first)
{
  check(first, edge, {d, edge, environment, w});
  TORCH_CHECK(d.dim() == 3 && d.size(0) == edge.size(0) && d.size(2) == edge.size(2), name, ": wrong shape");
  return product_shape(edge, environment, w, term, first, d.size(1));
}

Tensor tensor_product(const Tensor &edge_in, const Tensor &environment_in, const Tensor &w_in,
                      const Tensor &term_in, const Tensor &first_in, int64_t out_components)
{
  const Tensor edge = edge_in.contiguous(), environment = environment_in.contiguous(), w = w_in.contiguous(),
               term = term_in.contiguous(), first = first_in.contiguous();
  check(first, edge, {edge, environment, w});
  const auto shape = product_shape(edge, environment, w, term, first, out_components);
  Tensor out = at::empty({edge.size(0), shape.out, shape.channels}, edge.options());
  AT_DISPATCH_FLOATING_TYPES(edge.scalar_type(), "e3d::tensor_product", [&] {
    at::parallel_for(0, first.numel() - 1, GRAIN, [&](int64_t c0, int64_t c1) {
      const auto scratch = std::make_unique<scalar_t[]>(shape.in * shape.out * shape.channels);
      E3D::layer_kernels<scalar_t>().product(
          shape, c0, c1, first.const_data_ptr<int64_t>(), edge.const_data_ptr<scalar_t>(),
          environment.const_data_ptr<scalar_t>(), w.const_data_ptr<scalar_t>(), scratch.get(),
          data<scalar_t>(out));
    });
  });
  return out;
}

std::tuple<Tensor, Tensor> tensor_product_backward(const Tensor &d_in, const Tensor &edge_in,
                                                   const Tensor &environment_in, const Tensor &w_in,
                                                   const Tensor &term_in, const Tensor &first_in)
{
  const Tensor d = d_in.contiguous(), edge = edge_in.contiguous(), environment = environment_in.contiguous(),
               w = w_in.contiguous(), term = term_in.contiguous(), first = first_in.contiguous();
  const auto shape = derivative_shape("e3d::tensor_product_backward", d, edge, environment, w, term, first);
  Tensor d_edge = at::empty_like(edge), d_environment = at::empty_like(environment);
  AT_DISPATCH_FLOATING_TYPES(edge.scalar_type(), "e3d::tensor_product_backward", [&] {
    at::parallel_for(0, first.numel() - 1, GRAIN, [&](int64_t c0, int64_t c1) {
      const auto scratch = std::make_unique<scalar_t[]>(2 * shape.in * shape.out * shape.channels);
      E3D::layer_kernels<scalar_t>().product_backward(
          shape, c0, c1, first.const_data_ptr<int64_t>(), d.const_data_ptr<scalar_t>(),
          edge.const_data_ptr<scalar_t>(), environment.const_data_ptr<scalar_t>(),
          w.const_data_ptr<scalar_t>(), scratch.get(), data<scalar_t>(d_edge), data<scalar_t>(d_environment));
    });
  });
  return {d_edge, d_environment};
}

// A sum over all centres must not depend on the number of threads: its parts are those of so many centres.
constexpr int64_t CENTRES_OF_PART = 16;

std::tuple<Tensor, Tensor> tensor_product_sums(const Tensor &edge_in, const Tensor &d_in,
                                               const Tensor &environment_in, const Tensor &w_in,
                                               const Tensor &term_in, const Tensor &first_in)
{
  const Tensor d = d_in.contiguous(), edge = edge_in.contiguous(), environment = environment_in.contiguous(),
               w = w_in.contiguous(), term = term_in.contiguous(), first = first_in.contiguous();
  const auto shape = derivative_shape("e3d::tensor_product_sums", d, edge, environment, w, term, first);
  const int64_t n = first.numel() - 1, parts = (n + CENTRES_OF_PART - 1) / CENTRES_OF_PART;
  Tensor d_environment = at::empty_like(environment);
  Tensor d_w = at::zeros({parts, w.size(0), w.size(1)}, w.options());
  AT_DISPATCH_FLOATING_TYPES(edge.scalar_type(), "e3d::tensor_product_sums", [&] {
    at::parallel_for(0, parts, GRAIN, [&](int64_t begin, int64_t end) {
      const auto scratch = std::make_unique<scalar_t[]>(shape.in * shape.out * shape.channels);
      for (int64_t part = begin; part < end; part++)
        E3D::layer_kernels<scalar_t>().product_sums(
            shape, part * CENTRES_OF_PART, std::min(n, (part + 1) * CENTRES_OF_PART),
            first.const_data_ptr<int64_t>(), edge.const_data_ptr<scalar_t>(), d.const_data_ptr<scalar_t>(),
            environment.const_data_ptr<scalar_t>(), w.const_data_ptr<scalar_t>(), scratch.get(),
            data<scalar_t>(d_environment), data<scalar_t>(d_w) + part * w.numel());
    });
  });
  return {d_environment, d_w.sum(0)};
}

// The library may be loaded from two folders in one process (a build tree and a package): the first one
// registers the operators.

struct Registration {
  std::unique_ptr<torch::Library> definitions;

  Registration()
  {
    if (c10::Dispatcher::singleton().findSchema({"e3d::environment", ""}).has_value()) return;
    definitions =
        std::make_unique<torch::Library>(torch::Library::DEF, "e3d", std::nullopt, __FILE__, __LINE__);
    auto &m = *definitions;
    m.def("environment(Tensor basis, Tensor weight, Tensor first, int[] irreps) -> Tensor");
    m.def("environment_backward(Tensor d, Tensor basis, Tensor weight, Tensor first, int[] irreps) -> "
          "(Tensor, Tensor)");
    m.def("tensor_product(Tensor edge, Tensor environment, Tensor w, Tensor term, Tensor first, "
          "int components) -> Tensor");
    m.def("tensor_product_backward(Tensor d, Tensor edge, Tensor environment, Tensor w, Tensor term, "
          "Tensor first) -> (Tensor, Tensor)");
    m.def("tensor_product_sums(Tensor edge, Tensor d, Tensor environment, Tensor w, Tensor term, "
          "Tensor first) -> (Tensor, Tensor)");
    m.impl("environment", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(environment)));
    m.impl("environment_backward", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(environment_backward)));
    m.impl("tensor_product", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(tensor_product)));
    m.impl("tensor_product_backward",
           torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(tensor_product_backward)));
    m.impl("tensor_product_sums", torch::dispatch(c10::DispatchKey::CPU, TORCH_FN(tensor_product_sums)));
    E3D::define_training_operators(m);
    E3D::define_radial_operator(m);
  }
};

const Registration registration;

}    // namespace
