// Allegro's tensor products, once per centre. x_n = x_0 M_0 ... M_n-1 holds for all edges of a centre alike, so that the
// scalars of layer n are t_n[e,u] = sum_i x_0[e,u,i] q_n[u,i] with q_n = M_0 ... M_n-1 m_n, where m_n is the column of
// scalars of M_n. Rows are channels; M is kept for its entries that are not zero by symmetry.
#ifndef E3D_ENGINE_CENTRE_PRODUCT_H
#define E3D_ENGINE_CENTRE_PRODUCT_H

#include "packed_model.h"
#include "products.h"

namespace e3d::engine::E3D_ISA {

// slot[s] = path_weight[path(s)] environment[component(s)] norm
template <typename Real>
E3D_INLINE void weigh_environment(const PackedProduct<Real> &p, int channels, const Real *environment, Real norm, Real *slots)
{
  for (int s = 0; s < p.slots; s++) {
    const Real *w = p.path_weight + p.slot[s].path * channels, *env = environment + p.slot[s].component * channels;
    for (int c = 0; c < channels; c += lanes<Real>)
      store(slots + s * channels + c, load(w + c) * load(env + c) * broadcast(norm));
  }
}

// out[row] = sum over the factors of a row of value in[index]
template <typename Real>
E3D_INLINE void combine(int rows, int channels, const std::int32_t *first, const ProductFactor<Real> *factor, const Real *in,
                        Real *out)
{
  constexpr int W = lanes<Real>;
  blocks(channels / W, [&](int z, auto width) E3D_LAMBDA {
    constexpr int Z = decltype(width)::value;
    for (int row = 0; row < rows; row++) {
      Vector<Real> sum[Z] = {};
      for (std::int32_t f = first[row]; f < first[row + 1]; f++) {
        const Vector<Real> value = broadcast(factor[f].value);
        const Real *x = in + factor[f].index * channels + z * W;
#pragma GCC unroll 4
        for (int k = 0; k < Z; k++) sum[k] = fma(value, load(x + k * W), sum[k]);
      }
#pragma GCC unroll 4
      for (int k = 0; k < Z; k++) store(out + row * channels + (z + k) * W, sum[k]);
    }
  });
}

// Column of scalars: v[i] = M(i, 0), zero where there is no such entry.
template <typename Real>
E3D_INLINE void scalar_column(const PackedProduct<Real> &p, int channels, const Real *M, Real *v)
{
  for (int c = 0; c < p.in * channels; c += lanes<Real>) store(v + c, Vector<Real>{});
  for (int t = 0; t < p.scalars; t++)
    for (int c = 0; c < channels; c += lanes<Real>)
      store(v + p.entry[t].in * channels + c, load(M + t * channels + c));
}

// out[i] = sum_k M(i, k) v[k]
template <typename Real>
E3D_INLINE void apply(const PackedProduct<Real> &p, int channels, const Real *M, const Real *v, Real *out)
{
  for (int c = 0; c < p.in * channels; c += lanes<Real>) store(out + c, Vector<Real>{});
  for (int t = 0; t < p.entries; t++) {
    const Real *x = v + p.entry[t].out * channels;
    Real *y = out + p.entry[t].in * channels;
    for (int c = 0; c < channels; c += lanes<Real>) store(y + c, fma(load(M + t * channels + c), load(x + c), load(y + c)));
  }
}

// Cotangents through out = M v: adds d_out[i] v[k] to d_M(i, k), and sets d_v[k] = sum_i M(i, k) d_out[i].
template <typename Real>
E3D_INLINE void apply_back(const PackedProduct<Real> &p, int channels, const Real *M, const Real *v, const Real *d_out,
                           Real *d_M, Real *d_v)
{
  for (int c = 0; c < p.out * channels; c += lanes<Real>) store(d_v + c, Vector<Real>{});
  for (int t = 0; t < p.entries; t++) {
    const Real *dy = d_out + p.entry[t].in * channels, *x = v + p.entry[t].out * channels;
    Real *dx = d_v + p.entry[t].out * channels, *dm = d_M + t * channels;
    const Real *m = M + t * channels;
    for (int c = 0; c < channels; c += lanes<Real>) {
      const Vector<Real> d = load(dy + c);
      store(dm + c, fma(d, load(x + c), load(dm + c)));
      store(dx + c, fma(d, load(m + c), load(dx + c)));
    }
  }
}

// Adds d_v[i] to the cotangents of the column of scalars.
template <typename Real>
E3D_INLINE void scalar_column_back(const PackedProduct<Real> &p, int channels, const Real *d_v, Real *d_M)
{
  for (int t = 0; t < p.scalars; t++)
    for (int c = 0; c < channels; c += lanes<Real>)
      store(d_M + t * channels + c, load(d_M + t * channels + c) + load(d_v + p.entry[t].in * channels + c));
}

// d_environment[j] = norm sum over the slots of j of path_weight d_slot
template <typename Real>
E3D_INLINE void weigh_environment_back(const PackedProduct<Real> &p, int components, int channels, const Real *d_slots,
                                       Real norm, Real *d_environment)
{
  for (int c = 0; c < components * channels; c += lanes<Real>) store(d_environment + c, Vector<Real>{});
  for (int s = 0; s < p.slots; s++) {
    const Real *w = p.path_weight + p.slot[s].path * channels;
    Real *env = d_environment + p.slot[s].component * channels;
    for (int c = 0; c < channels; c += lanes<Real>)
      store(env + c, fma(load(w + c) * broadcast(norm), load(d_slots + s * channels + c), load(env + c)));
  }
}

}    // namespace e3d::engine::E3D_ISA

#endif
