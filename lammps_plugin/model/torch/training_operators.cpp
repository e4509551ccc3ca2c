/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// The kernels of training_kernels.h as torch operators e3d::train_*, with first and second derivatives: the
// gradient of a loss that holds forces asks for no more. They are autograd functions of C++, because a step
// of training makes some hundred calls of a few ten microseconds each.
//
// Arguments are made contiguous before a function, never in it: what a function saves must be its arguments
// themselves, or a second derivative would take them for constants.

#include "model/torch/third_derivatives.h"
#include "model/torch/training_kernels.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace {

using at::Tensor;
using E3D::refuse_third_derivatives;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// A sum over all centres must not depend on the number of threads: its parts are those of so many centres.
constexpr int64_t CENTRES_OF_PART = 16;

template <typename Real> const Real *in(const Tensor &tensor)
{
  return tensor.const_data_ptr<Real>();
}

template <typename Real> Real *out(Tensor &tensor)
{
  return tensor.data_ptr<Real>();
}

void check_type(const Tensor &like, const variable_list &all)
{
  for (const auto &tensor : all)
    TORCH_CHECK(tensor.is_cpu() && tensor.scalar_type() == like.scalar_type(),
                "e3d: expected tensors of one type on the CPU");
}

/* Sums over the edges of a centre: of basis (E,I) and weight (E,R,U), irrep r of R at components irreps[r] to
   irreps[r+1] - 1, with first (N+1) the first edge of each centre. */

struct EdgeSums {
  std::vector<int64_t> irreps;
  E3D::EnvironmentShape shape;
  const int64_t *first;
  int64_t centres;

  EdgeSums(const Tensor &basis, const Tensor &weight, const Tensor &first_in,
           std::vector<int64_t> irreps_in) : irreps(std::move(irreps_in))
  {
    TORCH_CHECK(weight.dim() == 3 && basis.dim() == 2 && weight.size(0) == basis.size(0) &&
                    static_cast<int64_t>(irreps.size()) == weight.size(1) + 1 && irreps[0] == 0 &&
                    irreps.back() == basis.size(1) && std::is_sorted(irreps.begin(), irreps.end()),
                "e3d: expected basis (E,I), weight (E,R,U) and R+1 first components");
    TORCH_CHECK(first_in.scalar_type() == at::kLong && first_in.dim() == 1 && first_in.numel() > 0 &&
                    first_in.is_contiguous(),
                "e3d: expected the first edge of each centre as int64 (N+1)");
    first = first_in.const_data_ptr<int64_t>();
    centres = first_in.numel() - 1;
    TORCH_CHECK(first[0] == 0 && first[centres] == basis.size(0) &&
                    std::is_sorted(first, first + centres + 1),
                "e3d: the edges are not sorted by centre");
    shape = {weight.size(2), basis.size(1), weight.size(1), irreps.data()};
  }

  std::vector<int64_t> of_centres() const { return {centres, shape.components, shape.channels}; }
};

// kernel<Real>(c0, c1, scratch) over all centres

template <typename Kernel> void for_centres(const EdgeSums &sums, const Tensor &like, const Kernel &kernel)
{
  AT_DISPATCH_FLOATING_TYPES(like.scalar_type(), "e3d::train", [&] {
    at::parallel_for(0, sums.centres, 1, [&](int64_t c0, int64_t c1) {
      const auto scratch = std::make_unique<scalar_t[]>(5 * sums.shape.channels);
      kernel(c0, c1, scratch.get());
    });
  });
}

/* ---------------------------------------------------------------------- */

struct EnvironmentBackward : Function<EnvironmentBackward> {
  static variable_list forward(AutogradContext *ctx, const Tensor &d, const Tensor &basis,
                               const Tensor &weight, const Tensor &first, std::vector<int64_t> irreps)
  {
    ctx->save_for_backward({d, basis, weight, first});
    ctx->saved_data["irreps"] = irreps;
    const EdgeSums sums(basis, weight, first, irreps);
    check_type(d, {basis, weight});
    TORCH_CHECK(d.sizes() == at::IntArrayRef(sums.of_centres()), "e3d::train_environment: wrong shape");
    Tensor g_basis = at::empty_like(basis), g_weight = at::empty_like(weight);
    for_centres(sums, d, [&](int64_t c0, int64_t c1, auto *scratch) {
      using Real = std::remove_reference_t<decltype(*scratch)>;
      E3D::layer_kernels<Real>().environment_backward(sums.shape, c0, c1, sums.first, in<Real>(d),
                                                      in<Real>(basis), in<Real>(weight), out<Real>(g_basis),
                                                      out<Real>(g_weight));
    });
    return {g_basis, g_weight};
  }

  static variable_list backward(AutogradContext *ctx, variable_list a)
  {
    refuse_third_derivatives();
    const auto saved = ctx->get_saved_variables();
    const Tensor &d = saved[0], &basis = saved[1], &weight = saved[2];
    const EdgeSums sums(basis, weight, saved[3], ctx->saved_data["irreps"].toIntVector());
    const Tensor a_basis = a[0].contiguous(), a_weight = a[1].contiguous();
    Tensor g_d = at::empty_like(d), g_basis = at::empty_like(basis), g_weight = at::empty_like(weight);
    for_centres(sums, d, [&](int64_t c0, int64_t c1, auto *scratch) {
      using Real = std::remove_reference_t<decltype(*scratch)>;
      E3D::training_kernels<Real>(sums.shape.channels)
          .environment_twice(sums.shape, c0, c1, sums.first, in<Real>(d), in<Real>(basis), in<Real>(weight),
                             in<Real>(a_basis), in<Real>(a_weight), out<Real>(g_d), out<Real>(g_basis),
                             out<Real>(g_weight));
    });
    return {g_d, g_basis, g_weight, Tensor(), Tensor()};
  }
};

struct Environment : Function<Environment> {
  static Tensor forward(AutogradContext *ctx, const Tensor &basis, const Tensor &weight, const Tensor &first,
                        std::vector<int64_t> irreps)
  {
    ctx->save_for_backward({basis, weight, first});
    ctx->saved_data["irreps"] = irreps;
    const EdgeSums sums(basis, weight, first, irreps);
    check_type(basis, {weight});
    Tensor result = at::empty(sums.of_centres(), basis.options());
    for_centres(sums, basis, [&](int64_t c0, int64_t c1, auto *scratch) {
      using Real = std::remove_reference_t<decltype(*scratch)>;
      E3D::layer_kernels<Real>().environment(sums.shape, c0, c1, sums.first, in<Real>(basis),
                                             in<Real>(weight), out<Real>(result));
    });
    return result;
  }

  static variable_list backward(AutogradContext *ctx, variable_list d)
  {
    const auto saved = ctx->get_saved_variables();
    auto g = EnvironmentBackward::apply(d[0].contiguous(), saved[0], saved[1], saved[2],
                                        ctx->saved_data["irreps"].toIntVector());
    return {g[0], g[1], Tensor(), Tensor()};
  }
};

/* ---------------------------------------------------------------------- */

struct ProjectionBackward : Function<ProjectionBackward> {
  static variable_list forward(AutogradContext *ctx, const Tensor &d, const Tensor &basis,
                               const Tensor &weight, const Tensor &q, const Tensor &first,
                               std::vector<int64_t> irreps)
  {
    ctx->save_for_backward({d, basis, weight, q, first});
    ctx->saved_data["irreps"] = irreps;
    const EdgeSums sums(basis, weight, first, irreps);
    check_type(d, {basis, weight, q});
    TORCH_CHECK(d.dim() == 2 && d.size(0) == basis.size(0) && d.size(1) == sums.shape.channels,
                "e3d::train_projection: wrong shape");
    Tensor g_basis = at::empty_like(basis), g_weight = at::empty_like(weight), g_q = at::empty_like(q);
    for_centres(sums, d, [&](int64_t c0, int64_t c1, auto *scratch) {
      using Real = std::remove_reference_t<decltype(*scratch)>;
      E3D::training_kernels<Real>(sums.shape.channels)
          .projection_backward(sums.shape, c0, c1, sums.first, in<Real>(d), in<Real>(basis), in<Real>(weight),
                               in<Real>(q), scratch, out<Real>(g_basis), out<Real>(g_weight), out<Real>(g_q));
    });
    return {g_basis, g_weight, g_q};
  }

  static variable_list backward(AutogradContext *ctx, variable_list a)
  {
    refuse_third_derivatives();
    const auto saved = ctx->get_saved_variables();
    const Tensor &d = saved[0], &basis = saved[1], &weight = saved[2], &q = saved[3];
    const EdgeSums sums(basis, weight, saved[4], ctx->saved_data["irreps"].toIntVector());
    const Tensor a_basis = a[0].contiguous(), a_weight = a[1].contiguous(), a_q = a[2].contiguous();
    Tensor g_d = at::empty_like(d), g_basis = at::empty_like(basis), g_weight = at::empty_like(weight),
           g_q = at::empty_like(q);
    for_centres(sums, d, [&](int64_t c0, int64_t c1, auto *scratch) {
      using Real = std::remove_reference_t<decltype(*scratch)>;
      E3D::training_kernels<Real>(sums.shape.channels)
          .projection_twice(sums.shape, c0, c1, sums.first, in<Real>(d), in<Real>(basis), in<Real>(weight),
                            in<Real>(q), in<Real>(a_basis), in<Real>(a_weight), in<Real>(a_q), scratch,
                            out<Real>(g_d), out<Real>(g_basis), out<Real>(g_weight), out<Real>(g_q));
    });
    return {g_d, g_basis, g_weight, g_q, Tensor(), Tensor()};
  }
};

struct Projection : Function<Projection> {
  static Tensor forward(AutogradContext *ctx, const Tensor &basis, const Tensor &weight, const Tensor &q,
                        const Tensor &first, std::vector<int64_t> irreps)
  {
    ctx->save_for_backward({basis, weight, q, first});
    ctx->saved_data["irreps"] = irreps;
    const EdgeSums sums(basis, weight, first, irreps);
    check_type(basis, {weight, q});
    TORCH_CHECK(q.sizes() == at::IntArrayRef(sums.of_centres()), "e3d::train_projection: expected q (N,I,U)");
    Tensor result = at::empty({basis.size(0), sums.shape.channels}, basis.options());
    for_centres(sums, basis, [&](int64_t c0, int64_t c1, auto *scratch) {
      using Real = std::remove_reference_t<decltype(*scratch)>;
      E3D::training_kernels<Real>(sums.shape.channels)
          .projection(sums.shape, c0, c1, sums.first, in<Real>(basis), in<Real>(weight), in<Real>(q), scratch,
                      out<Real>(result));
    });
    return result;
  }

  static variable_list backward(AutogradContext *ctx, variable_list d)
  {
    const auto saved = ctx->get_saved_variables();
    auto g = ProjectionBackward::apply(d[0].contiguous(), saved[0], saved[1], saved[2], saved[3],
                                       ctx->saved_data["irreps"].toIntVector());
    return {g[0], g[1], g[2], Tensor(), Tensor()};
  }
};

/* ---------------------------------------------------------------------- */

E3D::TripleShape triple_shape(const Tensor &x, const Tensor &y, const Tensor &w, const Tensor &term,
                              int64_t components)
{
  TORCH_CHECK(x.dim() == 3 && y.dim() == 3 && w.dim() == 2 && x.size(0) == y.size(0) &&
                  x.size(2) == y.size(2) && x.size(2) == w.size(1) && term.dim() == 2 && term.size(1) == 3 &&
                  term.scalar_type() == at::kLong && term.is_contiguous() && term.size(0) == w.size(0),
              "e3d::train_triple: expected x (N,J,U), y (N,K,U), w (T,U), term (T,3)");
  const E3D::TripleShape shape = {x.size(2), components,   x.size(1),
                                  y.size(1), term.size(0), term.const_data_ptr<int64_t>()};
  for (int64_t t = 0; t < shape.num_terms; t++) {
    const int64_t *ijk = shape.term + 3 * t;
    TORCH_CHECK(ijk[0] >= 0 && ijk[0] < shape.out && ijk[1] >= 0 && ijk[1] < shape.x && ijk[2] >= 0 &&
                    ijk[2] < shape.y,
                "e3d::train_triple: a term is out of range");
  }
  return shape;
}

// kernel<Real>(c0, c1, d_w) over all centres, where every part has a d_w of its own; returns their sum

template <typename Kernel> Tensor for_parts(int64_t centres, const Tensor &w, const Kernel &kernel)
{
  const int64_t parts = (centres + CENTRES_OF_PART - 1) / CENTRES_OF_PART;
  Tensor g_w = at::zeros({parts, w.size(0), w.size(1)}, w.options());
  AT_DISPATCH_FLOATING_TYPES(w.scalar_type(), "e3d::train", [&] {
    at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; part++)
        kernel(part * CENTRES_OF_PART, std::min(centres, (part + 1) * CENTRES_OF_PART),
               out<scalar_t>(g_w) + part * w.numel());
    });
  });
  return g_w.sum(0);
}

struct TripleBackward : Function<TripleBackward> {
  static variable_list forward(AutogradContext *ctx, const Tensor &d, const Tensor &x, const Tensor &y,
                               const Tensor &w, const Tensor &term)
  {
    ctx->save_for_backward({d, x, y, w, term});
    check_type(d, {x, y, w});
    const auto shape = triple_shape(x, y, w, term, d.size(1));
    Tensor g_x = at::empty_like(x), g_y = at::empty_like(y);
    Tensor g_w = for_parts(x.size(0), w, [&](int64_t c0, int64_t c1, auto *part) {
      using Real = std::remove_reference_t<decltype(*part)>;
      E3D::training_kernels<Real>(shape.channels)
          .triple_backward(shape, c0, c1, in<Real>(d), in<Real>(x), in<Real>(y), in<Real>(w), out<Real>(g_x),
                           out<Real>(g_y), part);
    });
    return {g_x, g_y, g_w};
  }

  static variable_list backward(AutogradContext *ctx, variable_list a)
  {
    refuse_third_derivatives();
    const auto saved = ctx->get_saved_variables();
    const Tensor &d = saved[0], &x = saved[1], &y = saved[2], &w = saved[3];
    const auto shape = triple_shape(x, y, w, saved[4], d.size(1));
    const Tensor a_x = a[0].contiguous(), a_y = a[1].contiguous(), a_w = a[2].contiguous();
    Tensor g_d = at::empty_like(d), g_x = at::empty_like(x), g_y = at::empty_like(y);
    Tensor g_w = for_parts(x.size(0), w, [&](int64_t c0, int64_t c1, auto *part) {
      using Real = std::remove_reference_t<decltype(*part)>;
      E3D::training_kernels<Real>(shape.channels)
          .triple_twice(shape, c0, c1, in<Real>(d), in<Real>(x), in<Real>(y), in<Real>(w), in<Real>(a_x),
                        in<Real>(a_y), in<Real>(a_w), out<Real>(g_d), out<Real>(g_x), out<Real>(g_y), part);
    });
    return {g_d, g_x, g_y, g_w, Tensor()};
  }
};

struct Triple : Function<Triple> {
  static Tensor forward(AutogradContext *ctx, const Tensor &x, const Tensor &y, const Tensor &w,
                        const Tensor &term, int64_t components)
  {
    ctx->save_for_backward({x, y, w, term});
    check_type(x, {y, w});
    const auto shape = triple_shape(x, y, w, term, components);
    Tensor result = at::empty({x.size(0), components, x.size(2)}, x.options());
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "e3d::train_triple", [&] {
      at::parallel_for(0, x.size(0), 1, [&](int64_t c0, int64_t c1) {
        E3D::training_kernels<scalar_t>(shape.channels)
            .triple(shape, c0, c1, in<scalar_t>(x), in<scalar_t>(y), in<scalar_t>(w), out<scalar_t>(result));
      });
    });
    return result;
  }

  static variable_list backward(AutogradContext *ctx, variable_list d)
  {
    const auto saved = ctx->get_saved_variables();
    auto g = TripleBackward::apply(d[0].contiguous(), saved[0], saved[1], saved[2], saved[3]);
    return {g[0], g[1], g[2], Tensor(), Tensor()};
  }
};

/* ---------------------------------------------------------------------- */

struct SiluBackward : Function<SiluBackward> {
  static Tensor forward(AutogradContext *ctx, const Tensor &d, const Tensor &x, const Tensor &sigmoid)
  {
    ctx->save_for_backward({d, x, sigmoid});
    check_type(d, {x});
    Tensor g_x = at::empty_like(x);
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "e3d::train_silu", [&] {
      E3D::training_kernels<scalar_t>(0).silu_backward(x.numel(), in<scalar_t>(d), in<scalar_t>(x),
                                                       in<scalar_t>(sigmoid), out<scalar_t>(g_x));
    });
    return g_x;
  }

  static variable_list backward(AutogradContext *ctx, variable_list a_in)
  {
    refuse_third_derivatives();
    const auto saved = ctx->get_saved_variables();
    const Tensor &d = saved[0], &x = saved[1], &sigmoid = saved[2], a = a_in[0].contiguous();
    Tensor g_d = at::empty_like(x), g_x = at::empty_like(x);
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "e3d::train_silu", [&] {
      E3D::training_kernels<scalar_t>(0).silu_twice(x.numel(), in<scalar_t>(d), in<scalar_t>(x),
                                                    in<scalar_t>(sigmoid), in<scalar_t>(a),
                                                    out<scalar_t>(g_d), out<scalar_t>(g_x));
    });
    return {g_d, g_x, Tensor()};
  }
};

struct Silu : Function<Silu> {
  static Tensor forward(AutogradContext *ctx, const Tensor &x)
  {
    const Tensor sigmoid = at::sigmoid(x);
    ctx->save_for_backward({x, sigmoid});
    return x * sigmoid;
  }

  static variable_list backward(AutogradContext *ctx, variable_list d)
  {
    const auto saved = ctx->get_saved_variables();
    return {SiluBackward::apply(d[0].contiguous(), saved[0], saved[1])};
  }
};

/* ---------------------------------------------------------------------- */

Tensor train_environment(const Tensor &basis, const Tensor &weight, const Tensor &first,
                         at::IntArrayRef irreps)
{
  return Environment::apply(basis.contiguous(), weight.contiguous(), first, irreps.vec());
}

Tensor train_projection(const Tensor &basis, const Tensor &weight, const Tensor &q, const Tensor &first,
                        at::IntArrayRef irreps)
{
  return Projection::apply(basis.contiguous(), weight.contiguous(), q.contiguous(), first, irreps.vec());
}

Tensor train_triple(const Tensor &x, const Tensor &y, const Tensor &w, const Tensor &term, int64_t components)
{
  return Triple::apply(x.contiguous(), y.contiguous(), w.contiguous(), term, components);
}

Tensor train_silu(const Tensor &x)
{
  return Silu::apply(x.contiguous());
}

}    // namespace

namespace E3D {

void define_training_operators(torch::Library &m)
{
  m.def("train_environment(Tensor basis, Tensor weight, Tensor first, int[] irreps) -> Tensor",
        TORCH_FN(train_environment));
  m.def("train_projection(Tensor basis, Tensor weight, Tensor q, Tensor first, int[] irreps) -> Tensor",
        TORCH_FN(train_projection));
  m.def("train_triple(Tensor x, Tensor y, Tensor w, Tensor term, int components) -> Tensor",
        TORCH_FN(train_triple));
  m.def("train_silu(Tensor x) -> Tensor", TORCH_FN(train_silu));
}

}    // namespace E3D
