// The sums that couple edges and components: over the edges of a centre, over the components of an edge, and
// both at once in the last step of the backward pass. Components come in whole irreps [first, last] of l, at
// most nine components at a time where a processor has sixteen registers.
#ifndef E3D_ENGINE_EDGE_SUMS_H
#define E3D_ENGINE_EDGE_SUMS_H

#include "packed_model.h"
#include "products.h"

namespace e3d::engine::E3D_ISA {

// Spherical harmonics Y[j * stride + e] of the edges first to last - 1 of a centre.
template <typename Real> struct EdgeRange {
  long first, last;
  const Real *Y;
  long stride;
};

// Calls body(Constant<first l>, Constant<last l>) so that the registers hold all components.
template <int l_max, typename Body> E3D_INLINE void irrep_groups(const Body &body)
{
  if constexpr (l_max == 3 && registers == 16) {
    body(Constant<0>(), Constant<2>());
    body(Constant<3>(), Constant<3>());
  } else {
    body(Constant<0>(), Constant<l_max>());
  }
}

// out[j, u] = sum_e Y_j(e) weight[e, l(j), u] (factor[e, u], unless it is null)
template <int l_max, bool scaled, typename Real>
E3D_INLINE void sum_over_edges(const EdgeRange<Real> &edges, int channels, const Real *weight,
                               long weight_row, const Real *factor, long factor_row, Real *out)
{
  constexpr int W = lanes<Real>;
  irrep_groups<l_max>([&](auto low, auto high) E3D_LAMBDA {
    constexpr int l0 = decltype(low)::value, l1 = decltype(high)::value, j0 = l0 * l0,
                  J = (l1 + 1) * (l1 + 1) - j0;
    for (int c = 0; c < channels; c += W) {
      Vector<Real> sum[J] = {};
      for (long e = edges.first; e < edges.last; e++) {
        const Real *Y = edges.Y + e, *w = weight + e * weight_row + c;
        Vector<Real> scale{};
        if constexpr (scaled) scale = load(factor + e * factor_row + c);
#pragma GCC unroll 4
        for (int l = l0; l <= l1; l++) {
          Vector<Real> x = load(w + l * channels);
          if constexpr (scaled) x *= scale;
#pragma GCC unroll 7
          for (int j = l * l; j < (l + 1) * (l + 1); j++)
            sum[j - j0] = fma(broadcast(Y[j * edges.stride]), x, sum[j - j0]);
        }
      }
#pragma GCC unroll 16
      for (int j = 0; j < J; j++) store(out + (j0 + j) * channels + c, sum[j]);
    }
  });
}

// out[e, u] = sum_j weight[e, l(j), u] Y_j(e) q[j, u]
template <int l_max, typename Real>
E3D_INLINE void project(const EdgeRange<Real> &edges, int channels, const Real *weight, long weight_row,
                        const Real *q, Real *out, long out_row)
{
  constexpr int W = lanes<Real>;
  irrep_groups<l_max>([&](auto low, auto high) E3D_LAMBDA {
    constexpr int l0 = decltype(low)::value, l1 = decltype(high)::value, j0 = l0 * l0,
                  J = (l1 + 1) * (l1 + 1) - j0;
    for (int c = 0; c < channels; c += W) {
      Vector<Real> qj[J];
#pragma GCC unroll 16
      for (int j = 0; j < J; j++) qj[j] = load(q + (j0 + j) * channels + c);
      for (long e = edges.first; e < edges.last; e++) {
        const Real *Y = edges.Y + e, *w = weight + e * weight_row + c;
        Real *o = out + e * out_row + c;
        Vector<Real> total = l0 == 0 ? Vector<Real>{} : load(o);
#pragma GCC unroll 4
        for (int l = l0; l <= l1; l++) {
          Vector<Real> along = broadcast(Y[l * l * edges.stride]) * qj[l * l - j0];
#pragma GCC unroll 7
          for (int j = l * l + 1; j < (l + 1) * (l + 1); j++)
            along = fma(broadcast(Y[j * edges.stride]), qj[j - j0], along);
          total = fma(load(w + l * channels), along, total);
        }
        store(o, total);
      }
    }
  });
}

// The end of the backward pass of an edge, for irrep l: with the cotangents of x_0, c[j,u] = sum_n dt_n[u]
// q_n[j,u], and of the environment of layer 0, those of the weights,
//   d_tensor[l,u] = sum_j Y_j c[j,u],   d_environment[l,u] = sum_j Y_j d_env[j,u],
// and those of the harmonics, still to be summed over lanes,
//   dY[j] = sum_u (tensor[l,u] c[j,u] + environment[l,u] d_env[j,u]) + sum_nh a_n[h] d_B_n[j,h].
template <typename Real> struct WeightBackward {
  struct Layer {
    const Real *q;      // (components, channels)
    const Real *d_B;    // (components, width); null in the last layer
    int activation, width;
  };
  int channels, layers;
  Layer layer[max_layers];
  const Real *d_environment;    // (components, channels)
};

// Of one edge.
template <typename Real> struct WeightRow {
  const Real *tensor, *environment;    // (l, channels)
  const Real *d_scalars;               // (layers, channels): dt_n
  const Real *activations;
  const Real *Y;
  long stride;    // of Y
};

template <int l, typename Real, typename Sink>
E3D_INLINE void weights_backward(const WeightBackward<Real> &in, const WeightRow<Real> &row, Vector<Real> *dY,
                                 const Sink &sink)
{
  constexpr int W = lanes<Real>, m = 2 * l + 1, first = l * l;
  Vector<Real> d[m] = {};
  if constexpr (l > 0)    // Y_0 is a constant
    for (int n = 0; n + 1 < in.layers; n++) {
      const auto &layer = in.layer[n];
      for (int h = 0; h < layer.width; h += W) {
        const Vector<Real> a = load(row.activations + layer.activation + h);
#pragma GCC unroll 7
        for (int j = 0; j < m; j++) d[j] = fma(a, load(layer.d_B + (first + j) * layer.width + h), d[j]);
      }
    }
  for (int u = 0; u < in.channels; u += W) {
    Vector<Real> c[m];
    const Vector<Real> t0 = load(row.d_scalars + u);
#pragma GCC unroll 7
    for (int j = 0; j < m; j++) c[j] = t0 * load(in.layer[0].q + (first + j) * in.channels + u);
    for (int n = 1; n < in.layers; n++) {
      const Vector<Real> t = load(row.d_scalars + n * in.channels + u);
#pragma GCC unroll 7
      for (int j = 0; j < m; j++) c[j] = fma(t, load(in.layer[n].q + (first + j) * in.channels + u), c[j]);
    }
    const Vector<Real> tensor = load(row.tensor + l * in.channels + u),
                       environment = load(row.environment + l * in.channels + u);
    Vector<Real> d_tensor{}, d_environment{};
#pragma GCC unroll 7
    for (int j = 0; j < m; j++) {
      const Vector<Real> y = broadcast(row.Y[(first + j) * row.stride]),
                         env = load(in.d_environment + (first + j) * in.channels + u);
      d_tensor = fma(y, c[j], d_tensor);
      d_environment = fma(y, env, d_environment);
      if constexpr (l > 0) {
        d[j] = fma(tensor, c[j], d[j]);
        d[j] = fma(environment, env, d[j]);
      }
    }
    sink(l * in.channels + u, d_tensor, d_environment);
  }
  if constexpr (l > 0) {
#pragma GCC unroll 7
    for (int j = 0; j < m; j++) dY[j] = d[j];
  }
}

}    // namespace e3d::engine::E3D_ISA

#endif
