// Two-body functions of the edges at hand: from tables, or exactly.
#ifndef E3D_ENGINE_TWO_BODY_KERNEL_H
#define E3D_ENGINE_TWO_BODY_KERNEL_H

#include "products.h"
#include "workspace.h"

namespace e3d::engine {

// radial_basis.h, whose inline code must not come in here
void evaluate_radial(const RadialFunctions &radial, double r, double cutoff, double *value,
                     double *derivative);

}    // namespace e3d::engine

namespace e3d::engine::E3D_ISA {

// ---- tables: polynomials of degree five, the coefficients of all functions side by side

template <typename Real>
E3D_INLINE void interpolate(const PackedModel<Real> &m, const Workspace<Real> &w, long edges)
{
  constexpr int W = lanes<Real>;
  const long n = m.columns;
  for (long e = 0; e < edges; e++) {
    // Tables are larger than the caches: the rows of the next edge are called into the first cache, those of
    // the one after the next into the second.
    const Real *c = w.interval[e], *next = w.interval[e + 1 < edges ? e + 1 : e],
               *later = w.interval[e + 3 < edges ? e + 3 : e];
    Real *f = w.f + e * n, *df = w.df + e * n;
    const Vector<Real> t = broadcast(w.t[e]), dt = broadcast(w.dt_dr[e]);
    for (long k = 0; k < n; k += W) {
#pragma GCC unroll 6
      for (int q = 0; q < 6; q++) {
        __builtin_prefetch(later + 6 * k + q * W, 0, 2);
        __builtin_prefetch(next + 6 * k + q * W, 0, 3);
      }
      Vector<Real> p = load(c + 5 * n + k), d = p;
      p = fma(p, t, load(c + 4 * n + k));
#pragma GCC unroll 4
      for (int q = 3; q >= 0; q--) {
        d = fma(d, t, p);
        p = fma(p, t, load(c + q * n + k));
      }
      store(f + k, p);
      store(df + k, d * dt);
    }
  }
}

// ---- exact

// f = outputs(...(basis pair_weight)...); the derivatives of the hidden layers are kept.
template <typename Real>
E3D_INLINE void evaluate_exactly(const PackedModel<Real> &m, const Workspace<Real> &w, long edges,
                                 Prefetch &prefetch)
{
  constexpr int W = lanes<Real>;
  for (long e = 0; e < edges; e++) {
    Real *b = w.basis + e * m.basis;
    if constexpr (sizeof(Real) == 8)
      evaluate_radial(*m.radial, w.r[e], m.cutoff[w.pair[e]], b, w.d_basis + e * m.basis);
    const Real *weight = m.pair_weight[w.pair[e]];
    Real *y = w.embedding + e * m.radial_width;
    for (int c = 0; c < m.radial_width; c += W) {
      Vector<Real> sum{};
      for (int k = 0; k < m.basis; k++)
        sum = fma(broadcast(b[k]), load(weight + k * m.radial_width + c), sum);
      store(y + c, sum);
    }
  }
  const Real *in = w.embedding;
  long in_row = m.radial_width;
  int column = 0;
  for (int k = 0; k < m.two_body_layers; k++) {
    Real *out = w.hidden + column;
    const Activate<Real> activate{
        nullptr, 0, out, m.two_body_width_sum, w.d_hidden + column, m.two_body_width_sum, false};
    product(prefetch, edges, m.two_body[k].vectors, Factor<Real>(in, in_row, m.two_body[k]), activate);
    in = out;
    in_row = m.two_body_width_sum;
    column += m.two_body_width[k];
  }
  product(prefetch, edges, m.outputs.vectors, Factor<Real>(in, in_row, m.outputs),
          Store<Real>{w.f, m.columns});
}

// dr[e] = sum over the functions of Z df/dr
template <typename Real>
E3D_INLINE void derive_exactly(const PackedModel<Real> &m, const Workspace<Real> &w, long edges,
                               Prefetch &prefetch)
{
  constexpr int W = lanes<Real>;
  Real *d_embedding = w.embedding;
  Factor<Real> factor(w.Z, w.cotangents, m.outputs_back);
  int column = m.two_body_width_sum;
  for (int k = m.two_body_layers - 1; k >= 0; k--) {
    column -= m.two_body_width[k];
    // The activations themselves are not needed any more: their place takes the cotangents.
    const Scale<Real> scale{w.d_hidden + column, m.two_body_width_sum, w.hidden + column,
                            m.two_body_width_sum};
    product(prefetch, edges, m.two_body_width[k] / W, factor, scale);
    factor = Factor<Real>(w.hidden + column, m.two_body_width_sum, m.two_body_back[k]);
  }
  product(prefetch, edges, m.radial_width / W, factor, Store<Real>{d_embedding, m.radial_width});
  for (long e = 0; e < edges; e++) {
    const Real *weight = m.pair_weight[w.pair[e]], *d = d_embedding + e * m.radial_width,
               *db = w.d_basis + e * m.basis;
    Vector<Real> total{};
    for (int c = 0; c < m.radial_width; c += W) {
      Vector<Real> sum{};
      for (int k = 0; k < m.basis; k++)
        sum = fma(broadcast(db[k]), load(weight + k * m.radial_width + c), sum);
      total = fma(sum, load(d + c), total);
    }
    w.dr[e] = sums_of_lanes<Real, 1>(&total)[0];
  }
}

}    // namespace e3d::engine::E3D_ISA

#endif
