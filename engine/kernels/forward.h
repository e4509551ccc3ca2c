// The forward pass over the edges of a batch of centres: geometry, two-body functions, layers, readout.
// docs/engine.md has the formulas in the same order.
#ifndef E3D_ENGINE_FORWARD_H
#define E3D_ENGINE_FORWARD_H

#include "centre_product.h"
#include "edge_sums.h"
#include "harmonics.h"
#include "kernel.h"
#include "two_body_kernel.h"

namespace e3d::engine {

// zbl.cpp: energy of a directed edge, eV, and its derivative.
void evaluate_zbl(double charge_i, double charge_j, double prefactor, double cutoff_power, double cutoff,
                  double r, double &energy, double &derivative);

}    // namespace e3d::engine

namespace e3d::engine::E3D_ISA {

// Adds the cycles since the last call to a section, where somebody wants to know.
struct Clock {
  std::uint64_t *ticks, last;

  static std::uint64_t now()
  {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
  }
  explicit Clock(std::uint64_t *ticks_) : ticks(ticks_), last(ticks_ ? now() : 0) {}
  E3D_LAMBDA void operator()(Section section)
  {
    if (!ticks) return;
    const std::uint64_t time = now();
    ticks[section] += time - last;
    last = time;
  }
};

template <typename Real> struct Pass {
  const PackedModel<Real> &m;
  const CentreBatch &in;
  const Workspace<Real> &w;
  Prefetch &prefetch;
  const long edges;    // within their cutoff

  E3D_LAMBDA EdgeRange<Real> range(long c) const { return {w.begin[c], w.begin[c + 1], w.Y, w.stride}; }
  E3D_LAMBDA Real norm(long c) const { return m.layer_norm[in.centre_type[c]]; }
  E3D_LAMBDA int columns_of(const HiddenShape &shape) const { return shape.width / lanes<Real>; }
};

// Keeps the edges within their cutoffs, at the front of the arrays; the others have no energy and no force.
template <typename Real>
static KernelReport select_edges(const PackedModel<Real> &m, const CentreBatch &in, const EdgeArrays<Real> &w)
{
  *w.count = 0;
  const std::int64_t first = in.first[0];
  long n = 0;
  for (long c = 0; c < in.centres; c++) {
    w.begin[c] = static_cast<std::int32_t>(n);
    const std::int32_t centre_type = in.centre_type[c];
    if (centre_type < 0 || centre_type >= m.types) return {EdgeFault::centre_type, 0, c};
    for (std::int64_t e = in.first[c]; e < in.first[c + 1]; e++) {
      const double *v = in.vector + 3 * e;
      const std::int32_t neighbour_type = in.neighbour_type[e];
      if (neighbour_type < 0 || neighbour_type >= m.types) return {EdgeFault::neighbour_type, e, c};
      const double square = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
      if (!(square > 0.0 && square < __builtin_inf()))
        return {square == 0.0 ? EdgeFault::zero_length : EdgeFault::not_finite, e, c};
      const std::int32_t pair = centre_type * m.types + neighbour_type;
      const double r = __builtin_sqrt(square);
      if (r >= m.cutoff[pair]) {
        if (in.edge_energy) in.edge_energy[e] = 0.0;
        if (in.edge_force) in.edge_force[3 * e] = in.edge_force[3 * e + 1] = in.edge_force[3 * e + 2] = 0.0;
        continue;
      }
      const Real *numbers = m.table ? m.table[pair] : m.pair_weight[pair];
      if (!numbers) return {EdgeFault::pair_not_prepared, e, c};
      w.interval[n] = numbers;
      w.pair[n] = pair;
      w.source[n] = static_cast<std::int32_t>(e - first);
      w.r[n++] = r;
    }
  }
  w.begin[in.centres] = static_cast<std::int32_t>(n);
  *w.count = n;
  return {};
}

template <int l_max, typename Real>
static void geometry(const PackedModel<Real> &m, const CentreBatch &in, const EdgeArrays<Real> &w,
                     long stride)
{
  const long edges = static_cast<long>(*w.count);
  const double *vector = in.vector + 3 * in.first[0];
  for (long e = 0; e < edges; e++) {
    const double inverse = 1.0 / w.r[e], *v = vector + 3 * static_cast<long>(w.source[e]);
    w.x[e] = static_cast<Real>(v[0] * inverse);
    w.y[e] = static_cast<Real>(v[1] * inverse);
    w.z[e] = static_cast<Real>(v[2] * inverse);
    w.inverse_r[e] = static_cast<Real>(inverse);
  }
  if (m.table)
    for (long e = 0; e < edges; e++) {
      // u = r / (r + a); only the place in an interval is rounded to Real
      const double per_u = m.table_per_u[w.pair[e]], inverse = 1.0 / (w.r[e] + m.table_length);
      const double place = w.r[e] * inverse * per_u;
      long interval = static_cast<long>(place);
      interval = interval < m.table_intervals - 1 ? interval : m.table_intervals - 1;
      w.t[e] = static_cast<Real>(place - static_cast<double>(interval) - 0.5);
      w.dt_dr[e] = static_cast<Real>(m.table_length * inverse * inverse * per_u);
      w.interval[e] += interval * 6 * m.columns;
    }
  harmonics<l_max>(edges, stride, w.x, w.y, w.z, w.Y);
  if (m.zbl_charge)
    for (long e = 0; e < edges; e++) {
      const int pair = w.pair[e];
      evaluate_zbl(m.zbl_charge[pair / m.types], m.zbl_charge[pair % m.types], m.zbl_prefactor,
                   m.zbl_cutoff_power, m.cutoff[pair], w.r[e], w.zbl[e], w.d_zbl[e]);
    }
}

// From the environment of layer n (before its norm) to M_n and q_n.
template <typename Real>
static void contract(const Pass<Real> &pass, const CentreArrays<Real> &centre, int n, Real norm)
{
  const PackedModel<Real> &m = pass.m;
  const PackedProduct<Real> &p = m.layer[n].product;
  const int channels = m.channels;
  weigh_environment(p, channels, pass.w.environment, norm, pass.w.slots);
  multiply(p.entries_of_slots, channels, pass.w.slots, centre.M[n]);
  scalar_column(p, channels, centre.M[n], centre.chain[n][n]);
  for (int k = n - 1; k >= 0; k--)
    apply(m.layer[k].product, channels, centre.M[k], centre.chain[n][k + 1], centre.chain[n][k]);
}

// A network behind the sum that enters its first hidden layer. `deep` advances over the derivatives that are
// kept.
template <typename Real>
static void network_forward(const Pass<Real> &pass, const PackedHidden<Real> &network,
                            const Factor<Real> *factors, int count, const Real *start, Real *&deep, Real *out,
                            long out_row, Real *derivative, long derivative_row)
{
  const Workspace<Real> &w = pass.w;
  const HiddenShape &shape = network.shape;
  const int vectors = pass.columns_of(shape);
  Real *from = w.first, *to = w.second;
  for (int k = 0; k <= shape.matrices; k++) {
    const bool last = k == shape.matrices;
    Activate<Real> activate{k == 0 ? start : nullptr,
                            pass.m.columns,
                            last ? out : to,
                            last ? out_row : w.network_width,
                            last ? derivative : deep,
                            last ? derivative_row : w.deep_columns,
                            shape.linear};
    if (k == 0)
      product(pass.prefetch, pass.edges, vectors, factors, count, activate);
    else
      product(pass.prefetch, pass.edges, vectors, Factor<Real>(from, w.network_width, network.forward[k - 1]),
              activate);
    if (!last) deep += shape.width;
    Real *const swap = from;
    from = to;
    to = swap;
  }
}

template <int l_max, typename Real> static void forward(const Pass<Real> &pass, Clock &clock)
{
  constexpr int W = lanes<Real>, J = (l_max + 1) * (l_max + 1);
  const PackedModel<Real> &m = pass.m;
  const Workspace<Real> &w = pass.w;
  const int channels = m.channels;
  Real *deep = w.deep;
  for (long c = 0; c < pass.in.centres; c++) {
    sum_over_edges<l_max, false>(pass.range(c), channels, w.f + m.environment_column, m.columns,
                                 static_cast<const Real *>(nullptr), 0L, w.environment);
    clock(section_environment);
    contract(pass, w.centre(m, c), 0, pass.norm(c));
    clock(section_product);
  }
  for (int n = 0; n < m.layers; n++) {
    const PackedLayer<Real> &layer = m.layer[n];
    for (long c = 0; c < pass.in.centres; c++)
      project<l_max>(pass.range(c), channels, w.f + m.tensor_column, m.columns, w.centre(m, c).chain[n][0],
                     w.t_n, channels);
    clock(section_projection);
    const Factor<Real> factors[2] = {Factor<Real>(w.t_n, channels, layer.from_tensor),
                                     Factor<Real>(w.a, m.activations, layer.from_hidden)};
    Real *a = w.a + layer.activation, *da = w.da + layer.activation;
    network_forward(pass, layer.hidden, factors, n == 0 ? 1 : 2, w.f + layer.column, deep, a, m.activations,
                    da, m.activations);
    clock(section_hidden);
    if (n + 1 == m.layers) break;
    const int width = layer.hidden.shape.width;
    for (long c = 0; c < pass.in.centres; c++) {
      const EdgeRange<Real> range = pass.range(c);
      const Factor<Real> edges(w.Y + range.first, w.stride, 1, static_cast<int>(range.last - range.first),
                               a + range.first * m.activations, m.activations);
      product(pass.prefetch, J, width / W, edges, Store<Real>{w.B, width});
      for (int l = 0; l <= l_max; l++)
        product(pass.prefetch, 2 * l + 1, channels / W,
                Factor<Real>(w.B + l * l * width, width, layer.environment[l]),
                Store<Real>{w.environment + l * l * channels, channels});
      clock(section_environment);
      contract(pass, w.centre(m, c), n + 1, pass.norm(c));
      clock(section_product);
    }
  }
}

// Energies of the edges, and the cotangents of the readout's first hidden layer.
template <typename Real> static void readout(const Pass<Real> &pass)
{
  constexpr int W = lanes<Real>;
  const PackedModel<Real> &m = pass.m;
  const Workspace<Real> &w = pass.w;
  const HiddenShape &shape = m.readout.shape;
  Real *const derivatives = w.deep + w.deep_columns - shape.matrices * shape.width;    // of its hidden layers
  Real *deep = derivatives, *Z = w.Z + m.readout_column;
  // The hidden layers end in `first` or `second`, whichever the last but one does not hold.
  Real *a = shape.matrices % 2 ? w.first : w.second;
  const Factor<Real> hidden(w.a, m.activations, m.readout_from_hidden);
  network_forward(pass, m.readout, &hidden, 1, w.f + m.readout_column, deep, a, w.network_width, Z,
                  w.cotangents);
  for (long c = 0; c < pass.in.centres; c++) {
    const Real *weight = m.readout_weight + pass.in.centre_type[c] * shape.width;
    for (long e = w.begin[c]; e < w.begin[c + 1]; e++) {
      Real *z = Z + e * w.cotangents;
      const Real *row = a + e * w.network_width;
      Vector<Real> sum{};
      for (int k = 0; k < shape.width; k += W) {
        sum = fma(load(row + k), load(weight + k), sum);
        store(z + k, load(z + k) * load(weight + k));
      }
      w.energy[e] = sums_of_lanes<Real, 1>(&sum)[0];
    }
  }
  // Back to the first hidden layer. A product does not write where it reads, so the last one is copied.
  const Real *from = Z;
  long from_row = w.cotangents;
  for (int k = shape.matrices - 1; k >= 0; k--) {
    Real *to = from == w.first ? w.second : w.first;
    product(pass.prefetch, pass.edges, shape.width / W, Factor<Real>(from, from_row, m.readout.backward[k]),
            Scale<Real>{derivatives + k * shape.width, w.deep_columns, to, w.network_width});
    from = to;
    from_row = w.network_width;
  }
  if (from != Z)
    for (long e = 0; e < pass.edges; e++)
      for (int c = 0; c < shape.width; c += W) store(Z + e * w.cotangents + c, load(from + e * from_row + c));
}

}    // namespace e3d::engine::E3D_ISA

#endif
