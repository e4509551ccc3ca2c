// Allegro's tensor products, once per centre. x_n = x_0 M_0 ... M_n-1 holds for all edges of a centre alike,
// so that the scalars of layer n are t_n[e,u] = sum_i x_0[e,u,i] q_n[u,i] with q_n = M_0 ... M_n-1 m_n, where
// m_n is the column of scalars of M_n. Rows are channels; M is kept for its entries that are not zero by
// symmetry.
#ifndef E3D_ENGINE_CENTRE_PRODUCT_H
#define E3D_ENGINE_CENTRE_PRODUCT_H

#include "packed_model.h"
#include "products.h"

namespace e3d::engine::E3D_ISA {

// slot[s] = path_weight[path(s)] environment[component(s)] norm
template <typename Real>
E3D_INLINE void weigh_environment(const PackedProduct<Real> &p, int channels, const Real *environment,
                                  Real norm, Real *slots)
{
  for (int s = 0; s < p.slots; s++) {
    const Real *w = p.path_weight + p.slot[s].path * channels,
               *env = environment + p.slot[s].component * channels;
    for (int c = 0; c < channels; c += lanes<Real>)
      store(slots + s * channels + c, load(w + c) * load(env + c) * broadcast(norm));
  }
}

// out = matrix in
template <typename Real>
E3D_INLINE void multiply(const SparseMatrix<Real> &matrix, int channels, const Real *in, Real *out)
{
  for (int row = 0; row < matrix.rows; row++) {
    const SparseFactor<Real> &f = matrix.first[row];
    const Vector<Real> value = broadcast(f.value);
    for (int c = 0; c < channels; c += lanes<Real>)
      store(out + row * channels + c, value * load(in + f.index * channels + c));
  }
  for (int k = 0; k < matrix.more; k++) {
    const SparseFactor<Real> &f = matrix.other[k];
    const Vector<Real> value = broadcast(f.value);
    Real *to = out + f.row * channels;
    for (int c = 0; c < channels; c += lanes<Real>)
      store(to + c, fma(value, load(in + f.index * channels + c), load(to + c)));
  }
}

// Column of scalars: v[i] = M(i, 0), zero where there is no such entry.
template <typename Real>
E3D_INLINE void scalar_column(const PackedProduct<Real> &p, int channels, const Real *M, Real *v)
{
  if (p.scalars < p.in)
    for (int c = 0; c < p.in * channels; c += lanes<Real>) store(v + c, Vector<Real>{});
  for (int t = 0; t < p.scalars; t++)
    for (int c = 0; c < channels; c += lanes<Real>)
      store(v + p.scalar_in[t] * channels + c, load(M + p.scalar_entry[t] * channels + c));
}

// out[i] = sum_k M(i, k) v[k]
template <typename Real>
E3D_INLINE void apply(const PackedProduct<Real> &p, int channels, const Real *M, const Real *v, Real *out)
{
  constexpr int W = lanes<Real>;
  blocks(channels / W, [&](int z, auto width) E3D_LAMBDA {
    constexpr int Z = decltype(width)::value;
    for (int i = 0; i < p.in; i++) {
      Vector<Real> sum[Z] = {};
      for (std::int32_t t = p.first_entry[i]; t < p.first_entry[i + 1]; t++) {
        const Real *m = M + t * channels + z * W, *x = v + p.entry_out[t] * channels + z * W;
#pragma GCC unroll 4
        for (int k = 0; k < Z; k++) sum[k] = fma(load(m + k * W), load(x + k * W), sum[k]);
      }
#pragma GCC unroll 4
      for (int k = 0; k < Z; k++) store(out + i * channels + (z + k) * W, sum[k]);
    }
  });
}

// Cotangents through out = M v: those of M(i, k) are d_out[i] v[k], set or added; d_v[k] is set to sum_i M(i,
// k) d_out[i].
template <bool add, typename Real>
E3D_INLINE void apply_back(const PackedProduct<Real> &p, int channels, const Real *M, const Real *v,
                           const Real *d_out, Real *d_M, Real *d_v)
{
  constexpr int W = lanes<Real>;
  for (int c = 0; c < p.out * channels; c += W) store(d_v + c, Vector<Real>{});
  blocks(channels / W, [&](int z, auto width) E3D_LAMBDA {
    constexpr int Z = decltype(width)::value;
    for (int i = 0; i < p.in; i++) {
      Vector<Real> d[Z];
#pragma GCC unroll 4
      for (int k = 0; k < Z; k++) d[k] = load(d_out + i * channels + (z + k) * W);
      for (std::int32_t t = p.first_entry[i]; t < p.first_entry[i + 1]; t++) {
        const long entry = static_cast<long>(t) * channels + z * W,
                   out = static_cast<long>(p.entry_out[t]) * channels + z * W;
#pragma GCC unroll 4
        for (int k = 0; k < Z; k++) {
          const Vector<Real> x = load(v + out + k * W);
          store(d_M + entry + k * W, add ? fma(d[k], x, load(d_M + entry + k * W)) : d[k] * x);
          store(d_v + out + k * W, fma(d[k], load(M + entry + k * W), load(d_v + out + k * W)));
        }
      }
    }
  });
}

// The cotangents of the column of scalars, set or added to those of M.
template <bool add, typename Real>
E3D_INLINE void scalar_column_back(const PackedProduct<Real> &p, int channels, const Real *d_v, Real *d_M)
{
  for (int t = 0; t < p.scalars; t++)
    for (int c = 0; c < channels; c += lanes<Real>) {
      const Vector<Real> d = load(d_v + p.scalar_in[t] * channels + c);
      Real *to = d_M + p.scalar_entry[t] * channels + c;
      store(to, add ? load(to) + d : d);
    }
}

// d_environment[j] = norm sum over the slots of j of path_weight d_slot
template <typename Real>
E3D_INLINE void weigh_environment_back(const PackedProduct<Real> &p, int components, int channels,
                                       const Real *d_slots, Real norm, Real *d_environment)
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
