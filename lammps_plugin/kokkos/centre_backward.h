/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_CENTRE_BACKWARD_H
#define E3D_CENTRE_BACKWARD_H

#include "centre_forward.h"
#include "two_body_exact.h"

namespace E3D {

/* The backward pass over the edges of a centre, a tile of them at a time: from the cotangents of the readout to dU/dr of its
   edges. */

// cotangents of the first hidden layer of layer n, in place of its derivatives
template <class Work> KOKKOS_INLINE_FUNCTION void hidden_back(const Work &w, int n)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const LayerAt &layer = m.layer(n);
  const NetworkAt &net = layer.hidden;
  const int Z = w.at.Z + layer.column, H = net.last_width;
  const bool has_environment = n + 1 < m.layers;
  const Real *dB = w.centre + w.once.dB;
  int deep = w.at.deep + net.deep;
  for (int k = 0; k + 1 < net.matrices; k++) deep += m.matrix(net.matrix + k).columns;
  const bool direct = net.matrices == 0;

  const typename Work::Factor later[1] = {{w.at.Z + layer.later, layer.from_later}};
  w.product(
      H, later,
      [&](int e, int h) {
        Real sum = 0;
        if (has_environment)
          for (int j = 0; j < m.components; j++) sum += w.row(e)[w.at.Y + j] * dB[j * H + h];
        return sum;
      },
      [&](int e, int h, Real d) {
        Real *row = w.row(e);
        if (direct)
          row[Z + h] *= d;
        else
          row[w.at.way[0] + h] = d * row[deep + h];
      });
  int from = w.at.way[0];
  for (int k = net.matrices - 1; k >= 0; k--) {
    const int to = from == w.at.way[0] ? w.at.way[1] : w.at.way[0];
    if (k > 0) deep -= m.matrix(net.matrix + k - 1).columns;
    w.product(from, m.matrix(net.matrix + net.matrices + k), [&](int e, int h, Real d) {
      Real *row = w.row(e);
      if (k == 0)
        row[Z + h] *= d;
      else
        row[to + h] = d * row[deep + h];
    });
    from = to;
  }
}

// dt_n[e, u], in place of t_n, and the cotangent of q_n: sum_e Y_j(e) tensor[e, l(j), u] dt_n[e, u]
template <class Work> KOKKOS_INLINE_FUNCTION void project_back(const Work &w, int n)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const LayerAt &layer = m.layer(n);
  const int U = m.channels, dt = w.at.dt + n * U;
  w.product(w.at.Z + layer.column, layer.to_tensor, [&](int e, int u, Real d) { w.row(e)[dt + u] = d; });
  Real *dq = w.centre + w.once.cotangent[0];
  w.each_block(m.components, U, [&](const int j, const int u, auto width) {
    constexpr int W = decltype(width)::value;
    const int tensor = w.at.tensor + irrep_of(j) * U + u;
    Real sum[W];
    for (int b = 0; b < W; b++) sum[b] = w.sum_so_far(dq[j * U + u + b]);
    for (int e = 0; e < w.edges; e++) {
      const Real *row = w.row(e), y = row[w.at.Y + j];
      for (int b = 0; b < W; b++) sum[b] += y * row[tensor + b] * row[dt + u + b];
    }
    for (int b = 0; b < W; b++) dq[j * U + u + b] = sum[b];
  });
}

/* Adds to d_slot[s] the sum over its terms of value d_out[i] v[k]; v null: of its terms with k = 0, and v = 1. */

template <class Work, typename Real>
KOKKOS_INLINE_FUNCTION void add_d_slots(const Work &w, const ProductAt &p, const Real *d_out, const Real *v,
                                        Real *d_slots)
{
  const int U = w.m.channels;
  const int *first = w.integer(p.by_slot.first);
  w.each_block(p.slots, U, [&](const int s, const int u, auto width) {
    constexpr int W = decltype(width)::value;
    Real sum[W] = {};
    for (int t = first[s]; t < first[s + 1]; t++) {
      const int *term = w.integer(p.by_slot.term + 2 * t);
      const Real value = *w.number(p.by_slot.value + t);
      if (v)
        for (int b = 0; b < W; b++) sum[b] += value * d_out[term[0] * U + u + b] * v[term[1] * U + u + b];
      else if (term[1] == 0)
        for (int b = 0; b < W; b++) sum[b] += value * d_out[term[0] * U + u + b];
    }
    for (int b = 0; b < W; b++) d_slots[s * U + u + b] += sum[b];
  });
}

// from the cotangent of q_n to that of the environment of layer n, of the centre
template <class Work> KOKKOS_INLINE_FUNCTION void contract_back(const Work &w, int n)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const int U = m.channels;
  const ProductAt &p = m.layer(n).product;
  int at = 0;
  for (int k = 0; k < n; k++, at = 1 - at) {
    const ProductAt &before = m.layer(k).product;
    const Real *d_out = w.centre + w.once.cotangent[at];
    add_d_slots(w, before, d_out, w.chain(n, k + 1), w.d_slots(k));
    apply(w, before.by_out, before.out, w.slots(k), d_out, w.centre + w.once.cotangent[1 - at]);
  }
  add_d_slots(w, p, w.centre + w.once.cotangent[at], static_cast<const Real *>(nullptr), w.d_slots(n));
  const Real norm = *w.number(m.layer_norm + w.type);
  const int *first = w.integer(p.first_slot);
  w.each_block(m.components, U, [&](const int j, const int u, auto width) {
    constexpr int W = decltype(width)::value;
    Real sum[W] = {};
    for (int s = first[j]; s < first[j + 1]; s++) {
      const Real *weight = w.number(p.path_weight) + *w.integer(p.path + s) * U + u;
      for (int b = 0; b < W; b++) sum[b] += weight[b] * w.d_slots(n)[s * U + u + b];
    }
    for (int b = 0; b < W; b++) w.environment()[j * U + u + b] = norm * sum[b];
  });
}

// from the cotangent of the environment of layer n to that of B, of the centre
template <class Work> KOKKOS_INLINE_FUNCTION void environment_back(const Work &w, int n)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const LayerAt &before = m.layer(n - 1);
  const int H = before.hidden.last_width, U = m.channels;
  Real *dB = w.centre + w.once.dB;
  w.each_block(m.components, H, [&](const int j, const int h, auto width) {
    constexpr int W = decltype(width)::value;
    const Real *weight = w.number(before.environment_back[irrep_of(j)].at) + h, *d = w.environment() + j * U;
    Real sum[W] = {};
    for (int u = 0; u < U; u++)
      for (int b = 0; b < W; b++) sum[b] += d[u] * weight[u * H + b];
    for (int b = 0; b < W; b++) dB[j * H + h + b] = sum[b];
  });
}

// and of the harmonics of the edges that B was made of
template <class Work> KOKKOS_INLINE_FUNCTION void harmonics_back(const Work &w, int n)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const LayerAt &before = m.layer(n - 1);
  const int H = before.hidden.last_width;
  const Real *dB = w.centre + w.once.dB;
  w.each_edge(m.components, [&](const int e, const int j) {
    Real *row = w.row(e), sum = 0;
    for (int h = 0; h < H; h++) sum += dB[j * H + h] * row[w.at.a + before.activation + h];
    row[w.at.dY + j] += sum;
  });
}

/* With the cotangents of x_0, c[j, u] = sum_n dt_n[u] q_n[j, u], and of the environment of layer 0, d[j, u]:
     dY[j]  += sum_u tensor[l, u] c[j, u] + environment[l, u] d[j, u]
     dU/dr   = sum over the two-body functions of their cotangents times df/dr,
   where those of the weights are sum_j Y_j c[j, u] and sum_j Y_j d[j, u], and the others stand in Z. */

template <class Work> KOKKOS_INLINE_FUNCTION void weights_back(const Work &w)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const int U = m.channels, weights = (m.l_max + 1) * U;
  const Real *d = w.environment();
  // c[j, u] to c[j, u + W - 1] of an edge
  const auto cotangent = [&](const Real *row, int j, int u, auto &sum) {
    for (auto &s : sum) s = 0;
    for (int n = 0; n < m.layers; n++) {
      const Real *dt = row + w.at.dt + n * U + u, *q = w.chain(n, 0) + j * U + u;
      int b = 0;
      for (auto &s : sum) {
        s += dt[b] * q[b];
        b++;
      }
    }
  };
  const auto c = [&](const Real *row, int j, int u) {
    Real sum[1];
    cotangent(row, j, u, sum);
    return sum[0];
  };
  // the activations have served
  w.each_block(w.edges, weights, [&](const int e, const int k, auto width) {
    w.put_two_body(e, m.environment_column + k, w.at.a + k, width);
  });
  w.each_edge(m.components - 1, [&](const int e, const int k) {
    constexpr int W = Work::BLOCK;
    const int j = k + 1, l = irrep_of(j);
    Real *row = w.row(e), sum[W] = {}, cs[W];
    const Real *tensor = row + w.at.tensor + l * U, *environment = row + w.at.a + l * U;
    int u = 0;
    for (; u + W <= U; u += W) {
      cotangent(row, j, u, cs);
      for (int b = 0; b < W; b++) sum[b] += tensor[u + b] * cs[b] + environment[u + b] * d[j * U + u + b];
    }
    for (; u < U; u++) sum[0] += tensor[u] * c(row, j, u) + environment[u] * d[j * U + u];
    Real total = 0;
    for (int b = 0; b < W; b++) total += sum[b];
    row[w.at.dY + j] += total;
  });

  if (m.exact.on) {    // cotangents in place of the functions
    w.each_block(w.edges, m.environment_column, [&](const int e, const int k, auto width) {
      Real *row = w.row(e);
      for (int b = 0; b < decltype(width)::value; b++) row[w.at.f + k + b] = row[w.at.Z + k + b];
    });
    w.each_block(w.edges, weights, [&](const int e, const int k, auto width) {
      Real *row = w.row(e);
      for (int b = 0; b < decltype(width)::value; b++) {
        const int l = (k + b) / U, u = (k + b) % U;
        Real d_tensor = 0, d_environment = 0;
        for (int j = l * l; j < (l + 1) * (l + 1); j++) {
          d_tensor += row[w.at.Y + j] * c(row, j, u);
          d_environment += row[w.at.Y + j] * d[j * U + u];
        }
        row[w.at.f + m.tensor_column + k + b] = d_tensor;
        row[w.at.f + m.environment_column + k + b] = d_environment;
      }
    });
    derive_exactly(w);
    return;
  }

  constexpr int STRIDE = EdgeRow::PARTIAL_SUMS;
  w.each_block(w.edges, STRIDE, [&](const int e, const int part, auto width) {
    constexpr int W = decltype(width)::value;
    Real *row = w.row(e), sum[W] = {};
    int k = part;
    for (; k + W <= m.environment_column; k += STRIDE)
      for (int b = 0; b < W; b++) sum[b] += row[w.at.Z + k + b] * w.two_body_dr(e, k + b);
    for (int b = 0; k + b < m.environment_column; b++)
      sum[b] += row[w.at.Z + k + b] * w.two_body_dr(e, k + b);
    const auto add_weights = [&](int l, int u, auto &some) {
      constexpr int N = sizeof(some) / sizeof(Real);
      Real d_tensor[N] = {}, d_environment[N] = {}, cs[N];
      for (int j = l * l; j < (l + 1) * (l + 1); j++) {
        cotangent(row, j, u, cs);
        const Real y = row[w.at.Y + j];
        for (int b = 0; b < N; b++) {
          d_tensor[b] += y * cs[b];
          d_environment[b] += y * d[j * U + u + b];
        }
      }
      for (int b = 0; b < N; b++)
        some[b] += d_tensor[b] * w.two_body_dr(e, m.tensor_column + l * U + u + b) +
            d_environment[b] * w.two_body_dr(e, m.environment_column + l * U + u + b);
    };
    for (int l = 0; l <= m.l_max; l++) {
      int u = part;
      for (; u + W <= U; u += STRIDE) add_weights(l, u, sum);
      for (int b = 0; u + b < U; b++) {
        Real one[1] = {sum[b]};
        add_weights(l, u + b, one);
        sum[b] = one[0];
      }
    }
    for (int b = 0; b < W; b++) row[w.at.way[0] + part + b] = sum[b];
  });
}

}    // namespace E3D

#endif
