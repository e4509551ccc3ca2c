/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_TWO_BODY_EXACT_H
#define E3D_TWO_BODY_EXACT_H

#include "centre_forward.h"
#include "radial_kokkos.h"

namespace E3D {

/* The two-body functions of a model in float64, without tables: f = outputs(...(basis pair_weight)...) for every edge. */

template <class Work> KOKKOS_INLINE_FUNCTION void evaluate_exactly(const Work &w)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const ExactAt &net = m.exact;
  w.each_edge(net.basis, [&](const int e, const int k) {
    Real *row = w.row(e);
    const double x = static_cast<double>(row[w.at.t]);    // r / cutoff
    ValueAndDerivative f;
    if (net.bessel) {
      const ValueAndDerivative g = bessel(x, *w.number(net.roots + k)),
                               c = polynomial_cutoff(x, net.cutoff_power);
      f = {g.value * c.value, g.derivative * c.value + g.value * c.derivative};
    } else {
      f = spline(x, k, net.basis, net.span);
    }
    row[w.at.basis + k] = static_cast<Real>(f.value);
    row[w.at.d_basis + k] = static_cast<Real>(f.derivative) * row[w.at.dt_dr];
  });
  w.each_block(w.edges, net.width, [&](const int e, const int c, auto width) {
    constexpr int W = decltype(width)::value;
    Real *row = w.row(e), sum[W] = {};
    for (int k = 0; k < net.basis; k++)
      for (int b = 0; b < W; b++) sum[b] += row[w.at.basis + k] * w.interval[e][k * net.width + c + b];
    for (int b = 0; b < W; b++) row[w.at.embedding + c + b] = sum[b];
  });
  int from = w.at.embedding, column = 0;
  for (int k = 0; k < net.matrices; k++) {
    const MatrixAt &weight = m.matrix(net.matrix + k);
    const int out = w.at.exact_a + column, derivative = w.at.exact_d + column;
    w.product(from, weight, [&](int e, int c, Real h) {
      w.row(e)[out + c] = activation(false, h, w.row(e)[derivative + c]);
    });
    from = out;
    column += weight.columns;
  }
  w.product(from, net.outputs, [&](int e, int c, Real f) { w.row(e)[w.at.f + c] = f; });
}

// dU/dr of every edge from the cotangents of its functions, which stand in place of them: in way[0], the rest of it is 0
template <class Work> KOKKOS_INLINE_FUNCTION void derive_exactly(const Work &w)
{
  using Real = std::remove_pointer_t<decltype(w.rows)>;
  const auto &m = w.m;
  const ExactAt &net = m.exact;
  int from = w.at.f, column = 0;
  for (int k = 0; k < net.matrices; k++) column += m.matrix(net.matrix + k).columns;
  MatrixAt back = net.outputs_back;
  for (int k = net.matrices - 1; k >= 0; k--) {
    const int width = m.matrix(net.matrix + k).columns;
    column -= width;
    // the activations have served: their place takes the cotangents
    const int out = w.at.exact_a + column, derivative = w.at.exact_d + column;
    w.product(from, back, [&](int e, int c, Real d) { w.row(e)[out + c] = d * w.row(e)[derivative + c]; });
    from = out;
    back = m.matrix(net.matrix + net.matrices + k);
  }
  w.product(from, back, [&](int e, int c, Real d) { w.row(e)[w.at.embedding + c] = d; });
  w.each_edge(1, [&](const int e, int) {
    Real *row = w.row(e), total = 0;
    for (int k = 0; k < net.basis; k++) {
      Real sum = 0;
      for (int c = 0; c < net.width; c++) sum += w.interval[e][k * net.width + c] * row[w.at.embedding + c];
      total += sum * row[w.at.d_basis + k];
    }
    for (int k = 0; k < EdgeRow::PARTIAL_SUMS; k++) row[w.at.way[0] + k] = k == 0 ? total : 0;
  });
}

}    // namespace E3D

#endif
