/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_CENTRE_WORK_H
#define E3D_CENTRE_WORK_H

#include "device_model.h"
#include "team_scratch.h"

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <type_traits>

namespace E3D {

/* A centre in the hands of a team: the model, its scratch, and how work is spread over the threads. Every sum is made by
   one thread in a fixed order, so that results depend on the order of the edges alone.

   On a GPU a thread takes TILE edges of one column of a product: neighbouring threads read neighbouring weights, and a
   weight that was read serves TILE edges. On a CPU it takes BLOCK columns, which the compiler puts into vectors. */

template <typename Real, class DeviceType> struct CentreWork {
  using Member = typename Kokkos::TeamPolicy<DeviceType>::member_type;
  static constexpr bool ON_HOST =
      Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename DeviceType::memory_space>::accessible;
  static constexpr int BLOCK = ON_HOST ? 16 : 1, TILE = 4;

  const ModelView<Real, DeviceType> &m;
  const EdgeRow &at;
  const CentreRow &once;
  const Member &team;
  int all_edges, type;
  int first_edge = 0, edges = 0;    // the tile at hand, of all_edges
  Real *centre = nullptr;           // scratch
  // of the tile; interval: of the table of the edge's types, coefficients of t^0, t^1, ... of all functions; or the matrix of
  // these types, where there are no tables
  Real *rows = nullptr;
  const Real **interval = nullptr;
  // of all edges, in slow memory, where the fast one holds a tile at a time
  Real *all_rows = nullptr;
  const Real **all_intervals = nullptr;

  /* f() for one tile of edges after the other. Rows come from slow memory before it and go back after it, except where nothing
     is in them yet (`first`) or nothing is read any more (`last`). */
  enum Pass { FIRST, BETWEEN, LAST };
  template <class F> KOKKOS_INLINE_FUNCTION void each_tile(int tile, Pass pass, const F &f)
  {
    for (first_edge = 0; first_edge < all_edges; first_edge += tile) {
      edges = Kokkos::min(tile, all_edges - first_edge);
      Real *slow = all_rows + static_cast<int64_t>(first_edge) * at.size;
      const Real **slow_interval = all_intervals + first_edge;
      if (all_rows && pass != FIRST) {
        each(edges * at.size, [&](const int k) { rows[k] = slow[k]; });
        each(edges, [&](const int e) { interval[e] = slow_interval[e]; });
      }
      f();
      if (all_rows && pass != LAST) {
        each(edges * at.size, [&](const int k) { slow[k] = rows[k]; });
        each(edges, [&](const int e) { slow_interval[e] = interval[e]; });
      }
    }
  }
  // what a sum over the edges of a centre begins with: nothing, or what the tiles before have left
  KOKKOS_INLINE_FUNCTION Real sum_so_far(const Real &sum) const { return first_edge == 0 ? Real(0) : sum; }

  // f(k), k < count, each by one thread; all see the results of all afterwards
  template <class F> KOKKOS_INLINE_FUNCTION void each(int count, const F &f) const
  {
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, count), f);
    team.team_barrier();
  }

  // f(e, i) for every edge and i < count; neighbouring threads take neighbouring edges
  template <class F> KOKKOS_INLINE_FUNCTION void each_edge(int count, const F &f) const
  {
    each(edges * count, [&](const int k) { f(k % edges, k / edges); });
  }

  // f(i, column, Width) for i < count and all columns, BLOCK of them at a time and single ones at the end
  template <class F> KOKKOS_INLINE_FUNCTION void each_block(int count, int columns, const F &f) const
  {
    const int blocks = columns / BLOCK, parts = blocks + columns % BLOCK;
    each(count * parts, [&](const int k) {
      const int part = k % parts, i = k / parts;
      if (part < blocks)
        f(i, part * BLOCK, std::integral_constant<int, BLOCK>());
      else
        f(i, blocks * BLOCK + part - blocks, std::integral_constant<int, 1>());
    });
  }

  KOKKOS_INLINE_FUNCTION Real *row(int e) const { return rows + static_cast<int64_t>(e) * at.size; }
  KOKKOS_INLINE_FUNCTION const Real *number(int place) const { return m.number.data() + place; }
  KOKKOS_INLINE_FUNCTION const int *integer(int place) const { return m.integer.data() + place; }
  KOKKOS_INLINE_FUNCTION Real *environment() const { return centre + once.environment; }
  KOKKOS_INLINE_FUNCTION Real *chain(int n, int k) const
  {
    return centre + once.chains + n * once.chain_size + m.layer(k).first_in * m.channels;
  }
  KOKKOS_INLINE_FUNCTION Real *slots(int n) const
  {
    return centre + once.slots + m.layer(n).first_slot * m.channels;
  }
  KOKKOS_INLINE_FUNCTION Real *d_slots(int n) const
  {
    return centre + once.d_slots + m.layer(n).first_slot * m.channels;
  }

  // ---- products over the edges: columns `in` to in + weight.rows - 1 of a row, times a matrix

  struct Factor {
    int in;
    MatrixAt weight;
  };

  // finish(e, column, start(e, column) + sum of the factors)
  template <int factors, class Start, class Finish>
  KOKKOS_INLINE_FUNCTION void product(int columns, const Factor (&factor)[factors], const Start &start,
                                      const Finish &finish) const
  {
    each_block((edges + TILE - 1) / TILE, columns, [&](const int tile, const int column, auto width) {
      constexpr int W = decltype(width)::value;
      Real sum[TILE][W];
      const Real *x[TILE];
      for (int t = 0; t < TILE; t++) {
        const int e = Kokkos::min(tile * TILE + t, edges - 1);    // the last tile may take an edge twice
        x[t] = row(e);
        for (int b = 0; b < W; b++) sum[t][b] = start(e, column + b);
      }
      for (int k = 0; k < factors; k++) {
        const Real *w = number(factor[k].weight.at) + column;
        for (int i = 0; i < factor[k].weight.rows; i++, w += factor[k].weight.columns)
          for (int t = 0; t < TILE; t++) {
            const Real value = x[t][factor[k].in + i];
            for (int b = 0; b < W; b++) sum[t][b] += value * w[b];
          }
      }
      for (int t = 0; t < TILE; t++)
        if (tile * TILE + t < edges)
          for (int b = 0; b < W; b++) finish(tile * TILE + t, column + b, sum[t][b]);
    });
  }

  // from columns of a row through a matrix
  template <class Finish>
  KOKKOS_INLINE_FUNCTION void product(int in, const MatrixAt &weight, const Finish &finish) const
  {
    const Factor factor[1] = {{in, weight}};
    product(weight.columns, factor, [](int, int) { return Real(0); }, finish);
  }

  // ---- two-body functions: polynomials of degree five in t, or evaluated before

  KOKKOS_INLINE_FUNCTION Real two_body(int e, int column) const
  {
    if (m.exact.on) return row(e)[at.f + column];
    const Real *k = interval[e] + column, t = row(e)[at.t];
    const int n = m.columns;
    return ((((k[5 * n] * t + k[4 * n]) * t + k[3 * n]) * t + k[2 * n]) * t + k[n]) * t + k[0];
  }
  // to a row: what is stored may not lie where the tables do, or else a CPU takes one function at a time
  template <class Width>
  KOKKOS_INLINE_FUNCTION void put_two_body(int e, int column, int out, Width /*width*/) const
  {
    Real f[Width::value];
    for (int b = 0; b < Width::value; b++) f[b] = two_body(e, column + b);
    for (int b = 0; b < Width::value; b++) row(e)[out + b] = f[b];
  }
  KOKKOS_INLINE_FUNCTION Real two_body_dr(int e, int column) const
  {
    const Real *k = interval[e] + column, t = row(e)[at.t];
    const int n = m.columns;
    return ((((5 * k[5 * n] * t + 4 * k[4 * n]) * t + 3 * k[3 * n]) * t + 2 * k[2 * n]) * t + k[n]) *
        row(e)[at.dt_dr];
  }
};

// SiLU, or nothing, and its derivative
template <typename Real> KOKKOS_INLINE_FUNCTION Real activation(bool linear, Real h, Real &derivative)
{
  if (linear) {
    derivative = 1;
    return h;
  }
  const Real s = 1 / (1 + Kokkos::exp(-h)), a = h * s;
  derivative = s + a * (1 - s);
  return a;
}

}    // namespace E3D

#endif
