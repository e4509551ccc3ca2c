/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_CENTRE_FORWARD_H
#define E3D_CENTRE_FORWARD_H

#include "centre_work.h"

namespace E3D {

/* The forward pass over the edges of a centre, a tile of them at a time; sums over edges go on from tile to tile. */

KOKKOS_INLINE_FUNCTION int irrep_of(int component)
{
  return component == 0 ? 0 : component < 4 ? 1 : component < 9 ? 2 : 3;
}

// environment[j, u] = sum_e Y_j(e) f[e, l(j), u], the weights f from the two-body functions
template <class Work> KOKKOS_INLINE_FUNCTION void first_environment(const Work &w)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  w.each_block(m.l_max + 1, m.channels, [&](const int l, const int u, auto width) {
    constexpr int W = decltype(width)::value, MOST = 2 * MAX_IRREPS - 1;
    Real sum[MOST][W] = {};
    Real *environment = w.environment() + l * l * m.channels + u;
    for (int j = 0; j < MOST; j++)
      if (j < 2 * l + 1)
        for (int b = 0; b < W; b++) sum[j][b] = w.sum_so_far(environment[j * m.channels + b]);
    for (int e = 0; e < w.edges; e++) {
      Real f[W];
      for (int b = 0; b < W; b++) f[b] = w.two_body(e, m.environment_column + l * m.channels + u + b);
      for (int j = 0; j < MOST; j++) {
        if (j >= 2 * l + 1) break;
        const Real y = w.row(e)[w.at.Y + l * l + j];
        for (int b = 0; b < W; b++) sum[j][b] += y * f[b];
      }
    }
    for (int j = 0; j < MOST; j++)
      if (j < 2 * l + 1)
        for (int b = 0; b < W; b++) environment[j * m.channels + b] = sum[j][b];
  });
}

// out[i] = sum over the terms of row i of value slot[s] v[k]
template <class Work, typename Real>
KOKKOS_INLINE_FUNCTION void apply(const Work &w, const TermsAt &terms, int rows, const Real *slots,
                                  const Real *v, Real *out)
{
  const int U = w.m.channels;
  const int *first = w.integer(terms.first);
  w.each_block(rows, U, [&](const int i, const int u, auto width) {
    constexpr int W = decltype(width)::value;
    Real sum[W] = {};
    for (int t = first[i]; t < first[i + 1]; t++) {
      const int *term = w.integer(terms.term + 2 * t);
      const Real value = *w.number(terms.value + t);
      for (int b = 0; b < W; b++) sum[b] += value * slots[term[1] * U + u + b] * v[term[0] * U + u + b];
    }
    for (int b = 0; b < W; b++) out[i * U + u + b] = sum[b];
  });
}

// out[i] = sum over the terms of row i with k = 0 of value slot[s]: the column of scalars of M
template <class Work, typename Real>
KOKKOS_INLINE_FUNCTION void scalar_column(const Work &w, const ProductAt &p, const Real *slots, Real *out)
{
  const int U = w.m.channels;
  const int *first = w.integer(p.by_in.first);
  w.each_block(p.in, U, [&](const int i, const int u, auto width) {
    constexpr int W = decltype(width)::value;
    Real sum[W] = {};
    for (int t = first[i]; t < first[i + 1]; t++) {
      const int *term = w.integer(p.by_in.term + 2 * t);
      if (term[0] != 0) continue;
      for (int b = 0; b < W; b++) sum[b] += *w.number(p.by_in.value + t) * slots[term[1] * U + u + b];
    }
    for (int b = 0; b < W; b++) out[i * U + u + b] = sum[b];
  });
}

// from the environment of layer n to its slots and to q_n, of the centre
template <class Work> KOKKOS_INLINE_FUNCTION void contract(const Work &w, int n)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const ProductAt &p = m.layer(n).product;
  const int U = m.channels;
  const Real norm = *w.number(m.layer_norm + w.type);
  w.each_block(p.slots, U, [&](const int s, const int u, auto width) {
    constexpr int W = decltype(width)::value;
    const Real *weight = w.number(p.path_weight) + *w.integer(p.path + s) * U + u;
    const Real *environment = w.environment() + *w.integer(p.component + s) * U + u;
    for (int b = 0; b < W; b++) {
      w.slots(n)[s * U + u + b] = weight[b] * environment[b] * norm;
      w.d_slots(n)[s * U + u + b] = 0;
    }
  });
  scalar_column(w, p, w.slots(n), w.chain(n, n));
  for (int k = n - 1; k >= 0; k--) {
    const ProductAt &before = m.layer(k).product;
    apply(w, before.by_in, before.in, w.slots(k), w.chain(n, k + 1), w.chain(n, k));
  }
}

// t_n[e, u] = sum_j tensor[e, l(j), u] Y_j(e) q_n[j, u]
template <class Work> KOKKOS_INLINE_FUNCTION void project(const Work &w, int n)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const int U = m.channels;
  const Real *q = w.chain(n, 0);
  w.each_block(w.edges, U, [&](const int e, const int u, auto width) {
    constexpr int W = decltype(width)::value;
    Real *row = w.row(e);
    Real total[W] = {};
    for (int l = 0; l <= m.l_max; l++) {
      Real along[W] = {};
      for (int j = l * l; j < (l + 1) * (l + 1); j++)
        for (int b = 0; b < W; b++) along[b] += row[w.at.Y + j] * q[j * U + u + b];
      for (int b = 0; b < W; b++) total[b] += row[w.at.tensor + l * U + u + b] * along[b];
    }
    for (int b = 0; b < W; b++) row[w.at.dt + n * U + u + b] = total[b];
  });
}

/* A network behind the sums that enter its first hidden layer: activations of the last one to `out`, derivatives of the
   first one to `derivative`, of the others to their deep columns. */

template <class Work, int factors>
KOKKOS_INLINE_FUNCTION void network(const Work &w, const NetworkAt &network, int column,
                                    const typename Work::Factor (&factor)[factors], int out, int derivative)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const bool linear = network.linear;
  int from = network.matrices > 0 ? w.at.way[0] : out;
  w.product(
      network.width, factor, [&](int e, int c) { return w.two_body(e, column + c); },
      [&](int e, int c, Real h) { w.row(e)[from + c] = activation(linear, h, w.row(e)[derivative + c]); });
  int deep = w.at.deep + network.deep;
  for (int k = 0; k < network.matrices; k++) {
    const MatrixAt &weight = w.m.matrix(network.matrix + k);
    const int to = k + 1 == network.matrices ? out : w.at.way[(k + 1) % 2];
    w.product(from, weight,
              [&](int e, int c, Real h) { w.row(e)[to + c] = activation(linear, h, w.row(e)[deep + c]); });
    deep += weight.columns;
    from = to;
  }
}

// a_n of all edges
template <class Work> KOKKOS_INLINE_FUNCTION void hidden(const Work &w, int n)
{
  const LayerAt &layer = w.m.layer(n);
  const typename Work::Factor factors[2] = {{w.at.dt + n * w.m.channels, layer.from_tensor},
                                            {w.at.a, layer.from_hidden}};
  network(w, layer.hidden, layer.column, factors, w.at.a + layer.activation, w.at.Z + layer.column);
}

// B[j, h] = sum_e Y_j(e) a_n[e, h]
template <class Work> KOKKOS_INLINE_FUNCTION void gather_hidden(const Work &w, int n)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const LayerAt &layer = m.layer(n);
  const int H = layer.hidden.last_width;
  Real *B = w.centre + w.once.B;
  w.each_block(m.components, H, [&](const int j, const int h, auto width) {
    constexpr int W = decltype(width)::value;
    Real sum[W];
    for (int b = 0; b < W; b++) sum[b] = w.sum_so_far(B[j * H + h + b]);
    for (int e = 0; e < w.edges; e++) {
      const Real *row = w.row(e);
      for (int b = 0; b < W; b++) sum[b] += row[w.at.Y + j] * row[w.at.a + layer.activation + h + b];
    }
    for (int b = 0; b < W; b++) B[j * H + h + b] = sum[b];
  });
}

// environment of layer n+1, of the centre: environment[j, u] = sum_h B[j, h] weight_l(j)[h, u]
template <class Work> KOKKOS_INLINE_FUNCTION void next_environment(const Work &w, int n)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const LayerAt &layer = m.layer(n);
  const int H = layer.hidden.last_width, U = m.channels;
  const Real *B = w.centre + w.once.B;
  w.each_block(m.components, U, [&](const int j, const int u, auto width) {
    constexpr int W = decltype(width)::value;
    const Real *weight = w.number(layer.environment[irrep_of(j)].at) + u;
    Real sum[W] = {};
    for (int h = 0; h < H; h++)
      for (int b = 0; b < W; b++) sum[b] += B[j * H + h] * weight[h * U + b];
    for (int b = 0; b < W; b++) w.environment()[j * U + u + b] = sum[b];
  });
}

/* Energies of the edges, and the cotangents of the readout's first hidden layer. */

template <class Work> KOKKOS_INLINE_FUNCTION void readout(const Work &w)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const NetworkAt &net = m.readout;
  const int Z = w.at.Z + m.readout_column, last = w.at.way[net.matrices % 2];
  const typename Work::Factor factors[1] = {{w.at.a, m.readout_from_hidden}};
  network(w, net, m.readout_column, factors, last, Z);
  const Real *weight = w.number(m.readout_weight + w.type * net.last_width);
  w.each_edge(1, [&](const int e, int) {
    Real sum = 0;
    for (int k = 0; k < net.last_width; k++) sum += w.row(e)[last + k] * weight[k];
    w.row(e)[w.at.energy] = sum;
  });
  // back to the first hidden layer
  int deep = w.at.deep + net.deep;
  for (int k = 0; k < net.matrices; k++) deep += m.matrix(net.matrix + k).columns;
  int from = last;
  w.each_edge(net.last_width, [&](const int e, const int k) { w.row(e)[from + k] = weight[k]; });
  for (int k = net.matrices - 1; k >= 0; k--) {
    const MatrixAt &back = m.matrix(net.matrix + net.matrices + k);    // transposed
    deep -= back.rows;
    w.each_edge(back.rows, [&](const int e, const int h) { w.row(e)[from + h] *= w.row(e)[deep + h]; });
    const int to = from == w.at.way[0] ? w.at.way[1] : w.at.way[0];
    w.product(from, back, [&](int e, int c, Real d) { w.row(e)[to + c] = d; });
    from = to;
  }
  w.each_edge(net.width, [&](const int e, const int h) { w.row(e)[Z + h] *= w.row(e)[from + h]; });
}

}    // namespace E3D

#endif
