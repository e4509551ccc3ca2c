// The backward pass: from the cotangents of the readout to the forces of the edges, g = d (sum of the
// energies of a centre) / d r. docs/engine.md has the formulas in the same order.
#ifndef E3D_ENGINE_BACKWARD_H
#define E3D_ENGINE_BACKWARD_H

#include "forward.h"

namespace e3d::engine::E3D_ISA {

// Cotangents of the first hidden layer of layer n, for the edges first to last - 1; `factors` sum up those of
// its activations.
template <typename Real>
static void hidden_back(const Pass<Real> &pass, int n, long first, long last, const Factor<Real> *factors,
                        int count)
{
  const PackedModel<Real> &m = pass.m;
  const Workspace<Real> &w = pass.w;
  const PackedLayer<Real> &layer = m.layer[n];
  const HiddenShape &shape = layer.hidden.shape;
  const int vectors = pass.columns_of(shape);
  const long rows = last - first;
  int deep = 0;    // columns before those of this layer
  for (int k = 0; k < n; k++) deep += m.layer[k].hidden.shape.matrices * m.layer[k].hidden.shape.width;
  Real *from = w.first + first * w.network_width, *to = w.second + first * w.network_width;
  for (int k = shape.matrices; k >= 0; k--) {
    const Real *derivative = k == shape.matrices ? w.da + layer.activation + first * m.activations
                                                 : w.deep + deep + k * shape.width + first * w.deep_columns;
    const long derivative_row = k == shape.matrices ? m.activations : w.deep_columns;
    Real *out = k == 0 ? w.Z + layer.column + first * w.cotangents : to;
    const Scale<Real> scale{derivative, derivative_row, out, k == 0 ? w.cotangents : w.network_width};
    if (k == shape.matrices)
      product(pass.prefetch, rows, vectors, factors, count, scale);
    else
      product(pass.prefetch, rows, vectors, Factor<Real>(from, w.network_width, layer.hidden.backward[k]),
              scale);
    Real *const swap = from;
    from = to;
    to = swap;
  }
}

// From the cotangent of q_n to that of the environment of layer n.
template <typename Real>
static void contract_back(const Pass<Real> &pass, const CentreArrays<Real> &centre, int n, Real norm,
                          Real *d_environment)
{
  const PackedModel<Real> &m = pass.m;
  const Workspace<Real> &w = pass.w;
  const PackedProduct<Real> &p = m.layer[n].product;
  const bool last = n + 1 == m.layers;    // the first to give cotangents to M
  int at = 0;
  for (int k = 0; k < n; k++, at = 1 - at) {
    const PackedProduct<Real> &before = m.layer[k].product;
    const Real *M = centre.M[k], *v = centre.chain[n][k + 1];
    if (last)
      apply_back<false>(before, m.channels, M, v, w.cotangent[at], centre.d_M[k], w.cotangent[1 - at]);
    else
      apply_back<true>(before, m.channels, M, v, w.cotangent[at], centre.d_M[k], w.cotangent[1 - at]);
  }
  if (last)
    scalar_column_back<false>(p, m.channels, w.cotangent[at], centre.d_M[n]);
  else
    scalar_column_back<true>(p, m.channels, w.cotangent[at], centre.d_M[n]);
  multiply(p.slots_of_entries, m.channels, centre.d_M[n], w.slots);
  weigh_environment_back(p, components_of(m.l_max), m.channels, w.slots, norm, d_environment);
}

// From the cotangent of the environment of layer n to those of the activations that it was made of; d_B is
// kept for those of the harmonics.
template <int l_max, typename Real>
static void environment_back(const Pass<Real> &pass, int n, const EdgeRange<Real> &range, Real *d_B)
{
  constexpr int W = lanes<Real>, J = (l_max + 1) * (l_max + 1);
  const PackedModel<Real> &m = pass.m;
  const Workspace<Real> &w = pass.w;
  const PackedLayer<Real> &before = m.layer[n - 1];
  const int width = before.hidden.shape.width;
  for (int l = 0; l <= l_max; l++)
    product(pass.prefetch, 2 * l + 1, width / W,
            Factor<Real>(w.environment + l * l * m.channels, m.channels, before.environment_back[l]),
            Store<Real>{d_B + l * l * width, width});
  const Factor<Real> factors[2] = {
      Factor<Real>(w.Z + range.first * w.cotangents + before.later, w.cotangents, before.from_later),
      Factor<Real>(w.Y + range.first, 1, w.stride, J, d_B, width)};
  hidden_back(pass, n - 1, range.first, range.last, factors, 2);
}

template <int l_max, typename Real> static void layers_back(const Pass<Real> &pass, Clock &clock)
{
  constexpr int W = lanes<Real>;
  const PackedModel<Real> &m = pass.m;
  const Workspace<Real> &w = pass.w;
  const int channels = m.channels;
  const PackedLayer<Real> &last = m.layer[m.layers - 1];
  const Factor<Real> later(w.Z + last.later, w.cotangents, last.from_later);
  hidden_back(pass, m.layers - 1, 0, pass.edges, &later, 1);
  clock(section_hidden_back);
  for (int n = m.layers - 1; n >= 0; n--) {
    const PackedLayer<Real> &layer = m.layer[n];
    Real *d_t = w.d_t + n * channels;
    const long d_t_row = static_cast<long>(m.layers) * channels;
    product(pass.prefetch, pass.edges, channels / W,
            Factor<Real>(w.Z + layer.column, w.cotangents, layer.to_tensor), Store<Real>{d_t, d_t_row});
    clock(section_projection_back);
    for (long c = 0; c < pass.in.centres; c++) {
      const EdgeRange<Real> range = pass.range(c);
      const CentreArrays<Real> centre = w.centre(m, c);
      sum_over_edges<l_max, true>(range, channels, w.f + m.tensor_column, m.columns,
                                  static_cast<const Real *>(d_t), d_t_row, w.cotangent[0]);
      clock(section_projection_back);
      contract_back(pass, centre, n, pass.norm(c), n == 0 ? centre.d_environment : w.environment);
      clock(section_product_back);
      if (n == 0) continue;
      environment_back<l_max>(pass, n, range, centre.d_B[n - 1]);
      clock(section_hidden_back);
    }
  }
}

// Cotangents of the weights of x_0 and of the first environment, and of the harmonics.
template <int l_max, typename Real> static void weights_back(const Pass<Real> &pass)
{
  constexpr int W = lanes<Real>, J = (l_max + 1) * (l_max + 1);
  const PackedModel<Real> &m = pass.m;
  const Workspace<Real> &w = pass.w;
  const bool tables = m.table != nullptr;
  for (long c = 0; c < pass.in.centres; c++) {
    const CentreArrays<Real> centre = w.centre(m, c);
    WeightBackward<Real> in{m.channels, m.layers, {}, centre.d_environment};
    for (int n = 0; n < m.layers; n++)
      in.layer[n] = {centre.chain[n][0], centre.d_B[n], m.layer[n].activation, m.layer[n].hidden.shape.width};
    for (long e = w.begin[c]; e < w.begin[c + 1]; e++) {
      const Real *f = w.f + e * m.columns, *df = w.df + e * m.columns;
      Real *Z = w.Z + e * w.cotangents;
      const WeightRow<Real> row{f + m.tensor_column,
                                f + m.environment_column,
                                w.d_t + e * m.layers * m.channels,
                                w.a + e * m.activations,
                                w.Y + e,
                                w.stride};
      Vector<Real> sums[J] = {};    // of dY_1 to dY_J-1, and of dr
      Vector<Real> dr{}, dr2{};
      const auto sink = [&](int column, Vector<Real> d_tensor, Vector<Real> d_environment) E3D_LAMBDA {
        if (tables) {
          dr = fma(d_tensor, load(df + m.tensor_column + column), dr);
          dr2 = fma(d_environment, load(df + m.environment_column + column), dr2);
        } else {
          store(Z + m.tensor_column + column, d_tensor);
          store(Z + m.environment_column + column, d_environment);
        }
      };
      weights_backward<0>(in, row, sums, sink);
      if constexpr (l_max >= 1) weights_backward<1>(in, row, sums, sink);
      if constexpr (l_max >= 2) weights_backward<2>(in, row, sums + 3, sink);
      if constexpr (l_max >= 3) weights_backward<3>(in, row, sums + 8, sink);
      if (tables)
        for (int k = 0; k < m.environment_column; k += W) dr = fma(load(Z + k), load(df + k), dr);
      sums[J - 1] = dr + dr2;
      Real total[(J + W - 1) / W * W];
#pragma GCC unroll 4
      for (int k = 0; k < J; k += W) {
        constexpr int rest = J % W == 0 ? W : J % W;
        if (k + W <= J)
          store(total + k, sums_of_lanes < Real, J<W ? J : W>(sums + k));
        else
          store(total + k, sums_of_lanes<Real, rest>(sums + k));
      }
      for (int j = 1; j < J; j++) w.dY[j * w.stride + e] = total[j - 1];
      w.dr[e] = total[J - 1];
    }
  }
}

// Energies and forces into the arrays of the caller, in double precision.
template <int l_max, typename Real> static void hand_out(const Pass<Real> &pass)
{
  const PackedModel<Real> &m = pass.m;
  const CentreBatch &in = pass.in;
  const Workspace<Real> &w = pass.w;
  const std::int64_t first = in.first[0];
  for (long c = 0; c < in.centres; c++) {
    double energy = 0.0;
    for (long e = w.begin[c]; e < w.begin[c + 1]; e++) {
      const std::int64_t at = first + w.source[e];
      double own = static_cast<double>(w.energy[e]);
      if (m.zbl_charge) own += w.zbl[e];
      energy += own;
      if (in.edge_energy) in.edge_energy[at] = own;
    }
    in.energy[c] = energy + m.shift[in.centre_type[c]];
  }
  if (!in.edge_force) return;
  for (long e = 0; e < pass.edges; e++) {
    Real g[3];
    harmonics_gradient<l_max>(w.x[e], w.y[e], w.z[e], w.inverse_r[e], w.dY + e, w.stride, g);
    double dr = static_cast<double>(w.dr[e]);
    if (m.zbl_charge) dr += w.d_zbl[e];
    double *out = in.edge_force + 3 * (first + w.source[e]);
    out[0] = static_cast<double>(g[0]) + dr * static_cast<double>(w.x[e]);
    out[1] = static_cast<double>(g[1]) + dr * static_cast<double>(w.y[e]);
    out[2] = static_cast<double>(g[2]) + dr * static_cast<double>(w.z[e]);
  }
}

}    // namespace e3d::engine::E3D_ISA

#endif
