/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// The Bessel functions of a distance with their cutoff as the torch operator e3d::train_radial, with first and
// second derivatives: in doubles, as nequip has them, but with one sine and one cosine for all functions.
//
//   b_k(x) = sin(k pi x) / (pi x) c(x),   c' = -p(p+1)(p+2)/2 x^(p-1) (1 - x)^2,   c(1) = 0,   0 beyond

#include "model/torch/third_derivatives.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>
#include <vector>

namespace {

using at::Tensor;
using E3D::refuse_third_derivatives;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

constexpr double PI = 3.14159265358979323846;

// value(k, b), slope(k, b'), curvature(k, b'') of functions k = 0 to n - 1 at x

struct Row {
  std::vector<double> value, slope, curvature;
  double p;

  Row(int64_t n, double power) : value(n), slope(n), curvature(n), p(power) {}

  void at(double x)
  {
    const auto n = static_cast<int64_t>(value.size());
    if (!(x < 1.0)) {
      for (auto *all : {&value, &slope, &curvature}) all->assign(n, 0.0);
      return;
    }
    const double xp = std::pow(x, p - 2.0), f = -0.5 * p * (p + 1.0) * (p + 2.0), y = 1.0 - x;
    const double x2 = xp * x * x;
    const double c = 1.0 - x2 * (0.5 * (p + 1.0) * (p + 2.0) - x * (p * (p + 2.0) - x * 0.5 * p * (p + 1.0)));
    const double c1 = f * xp * x * y * y, c2 = f * xp * y * ((p - 1.0) * y - 2.0 * x);
    const double sine = std::sin(PI * x), cosine = std::cos(PI * x);
    double s = 0.0, t = 1.0;    // sin and cos of k pi x
    for (int64_t k = 0; k < n; k++) {
      const double next = s * cosine + t * sine;
      t = t * cosine - s * sine;
      s = next;
      const double order = static_cast<double>(k + 1);
      const double b = s / (PI * x), b1 = (order * t - b) / x;
      const double b2 = -order * order * PI * PI * b - 2.0 * b1 / x;
      value[k] = b * c;
      slope[k] = b1 * c + b * c1;
      curvature[k] = b2 * c + 2.0 * b1 * c1 + b * c2;
    }
  }
};

/* ---------------------------------------------------------------------- */

struct RadialBackward : Function<RadialBackward> {
  static Tensor forward(AutogradContext *ctx, const Tensor &d, const Tensor &x, double p)
  {
    ctx->save_for_backward({d, x});
    ctx->saved_data["p"] = p;
    const int64_t n = d.size(1);
    Row row(n, p);
    Tensor g_x = at::empty_like(x);
    const auto *at_x = x.const_data_ptr<double>();
    auto *g = g_x.data_ptr<double>();
    AT_DISPATCH_FLOATING_TYPES(d.scalar_type(), "e3d::train_radial", [&] {
      const auto *of_d = d.const_data_ptr<scalar_t>();
      for (int64_t e = 0; e < x.numel(); e++) {
        row.at(at_x[e]);
        g[e] = 0.0;
        for (int64_t k = 0; k < n; k++) g[e] += of_d[e * n + k] * row.slope[k];
      }
    });
    return g_x;
  }

  static variable_list backward(AutogradContext *ctx, variable_list a_in)
  {
    refuse_third_derivatives();
    const auto saved = ctx->get_saved_variables();
    const Tensor &d = saved[0], &x = saved[1], a = a_in[0].contiguous();
    const int64_t n = d.size(1);
    Row row(n, ctx->saved_data["p"].toDouble());
    Tensor g_d = at::empty_like(d), g_x = at::empty_like(x);
    const auto *at_x = x.const_data_ptr<double>(), *of_a = a.const_data_ptr<double>();
    auto *g = g_x.data_ptr<double>();
    AT_DISPATCH_FLOATING_TYPES(d.scalar_type(), "e3d::train_radial", [&] {
      const auto *of_d = d.const_data_ptr<scalar_t>();
      auto *to_d = g_d.data_ptr<scalar_t>();
      for (int64_t e = 0; e < x.numel(); e++) {
        row.at(at_x[e]);
        g[e] = 0.0;
        for (int64_t k = 0; k < n; k++) {
          to_d[e * n + k] = static_cast<scalar_t>(of_a[e] * row.slope[k]);
          g[e] += of_a[e] * of_d[e * n + k] * row.curvature[k];
        }
      }
    });
    return {g_d, g_x, Tensor()};
  }
};

struct Radial : Function<Radial> {
  static Tensor forward(AutogradContext *ctx, const Tensor &x, int64_t n, double p, at::ScalarType type)
  {
    TORCH_CHECK(x.is_cpu() && x.scalar_type() == at::kDouble && x.dim() == 2 && x.size(1) == 1 && n > 0,
                "e3d::train_radial: expected distances (E,1) in float64 on the CPU");
    ctx->save_for_backward({x});
    ctx->saved_data["p"] = p;
    Row row(n, p);
    Tensor result = at::empty({x.size(0), n}, x.options().dtype(type));
    const auto *at_x = x.const_data_ptr<double>();
    AT_DISPATCH_FLOATING_TYPES(type, "e3d::train_radial", [&] {
      auto *out = result.data_ptr<scalar_t>();
      for (int64_t e = 0; e < x.numel(); e++) {
        row.at(at_x[e]);
        for (int64_t k = 0; k < n; k++) out[e * n + k] = static_cast<scalar_t>(row.value[k]);
      }
    });
    return result;
  }

  static variable_list backward(AutogradContext *ctx, variable_list d)
  {
    const auto saved = ctx->get_saved_variables();
    return {RadialBackward::apply(d[0].contiguous(), saved[0], ctx->saved_data["p"].toDouble()), Tensor(),
            Tensor(), Tensor()};
  }
};

Tensor train_radial(const Tensor &x, int64_t n, double p, at::ScalarType type)
{
  return Radial::apply(x.contiguous(), n, p, type);
}

}    // namespace

namespace E3D {

void define_radial_operator(torch::Library &m)
{
  m.def("train_radial(Tensor x, int functions, float power, ScalarType dtype) -> Tensor",
        TORCH_FN(train_radial));
}

}    // namespace E3D
