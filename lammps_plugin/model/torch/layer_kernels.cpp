/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// CMake compiles this file once for each instruction set, with -DE3D_ISA=NAME and the flags of that set;
// layer_kernels_dispatch.cpp chooses one at run time.

#include "model/torch/layer_kernels.h"

#include <algorithm>

namespace E3D {
namespace E3D_ISA {

  constexpr int64_t VECTOR = 16;    // channels at a time; the rest of them go one by one

  /* sum[u] += a[u] * b[u] over n rows a and b, for all channels: the loop that products are made of.
     rows(k) gives the k-th of both; the sum of some channels stays in a register meanwhile. */

  template <typename Real, typename Rows>
  inline void add_products(int64_t channels, int64_t n, const Rows &rows, Real *sum)
  {
    int64_t u = 0;
    for (; u + VECTOR <= channels; u += VECTOR) {
      Real total[VECTOR];
      for (int64_t v = 0; v < VECTOR; v++) total[v] = sum[u + v];
      for (int64_t k = 0; k < n; k++) {
        const auto [a, b] = rows(k);
        for (int64_t v = 0; v < VECTOR; v++) total[v] += a[u + v] * b[u + v];
      }
      for (int64_t v = 0; v < VECTOR; v++) sum[u + v] = total[v];
    }
    for (; u < channels; u++)
      for (int64_t k = 0; k < n; k++) {
        const auto [a, b] = rows(k);
        sum[u] += a[u] * b[u];
      }
  }

  template <typename Real> struct Two {
    const Real *a, *b;
  };

  /* ---------------------------------------------------------------------- */

  template <typename Real>
  void environment(const EnvironmentShape &shape, int64_t c0, int64_t c1, const int64_t *first,
                   const Real *basis, const Real *weight, Real *environment)
  {
    const int64_t n_u = shape.channels, n_i = shape.components;
    std::fill(environment + c0 * n_i * n_u, environment + c1 * n_i * n_u, Real(0));
    for (int64_t c = c0; c < c1; c++)
      for (int64_t e = first[c]; e < first[c + 1]; e++)
        for (int64_t r = 0; r < shape.irreps; r++) {
          const Real *w = weight + (e * shape.irreps + r) * n_u;
          for (int64_t i = shape.irrep[r]; i < shape.irrep[r + 1]; i++) {
            const Real y = basis[e * n_i + i];
            Real *out = environment + (c * n_i + i) * n_u;
            for (int64_t u = 0; u < n_u; u++) out[u] += y * w[u];
          }
        }
  }

  /* ---------------------------------------------------------------------- */

  template <typename Real> Real dot(int64_t n, const Real *a, const Real *b)
  {
    Real part[VECTOR] = {};
    int64_t u = 0;
    for (; u + VECTOR <= n; u += VECTOR)
      for (int64_t v = 0; v < VECTOR; v++) part[v] += a[u + v] * b[u + v];
    Real sum = 0;
    for (int64_t v = 0; v < VECTOR; v++) sum += part[v];
    for (; u < n; u++) sum += a[u] * b[u];
    return sum;
  }

  template <typename Real>
  void environment_backward(const EnvironmentShape &shape, int64_t c0, int64_t c1, const int64_t *first,
                            const Real *d_environment, const Real *basis, const Real *weight, Real *d_basis,
                            Real *d_weight)
  {
    const int64_t n_u = shape.channels, n_i = shape.components;
    for (int64_t c = c0; c < c1; c++)
      for (int64_t e = first[c]; e < first[c + 1]; e++)
        for (int64_t r = 0; r < shape.irreps; r++) {
          const Real *w = weight + (e * shape.irreps + r) * n_u;
          Real *dw = d_weight + (e * shape.irreps + r) * n_u;
          std::fill(dw, dw + n_u, Real(0));
          for (int64_t i = shape.irrep[r]; i < shape.irrep[r + 1]; i++) {
            const Real y = basis[e * n_i + i];
            const Real *d = d_environment + (c * n_i + i) * n_u;
            for (int64_t u = 0; u < n_u; u++) dw[u] += y * d[u];
            d_basis[e * n_i + i] = dot(n_u, w, d);
          }
        }
  }

  /* M[i,k,u] of one centre */

  template <typename Real>
  void contract(const ProductShape &shape, const Real *environment, const Real *w, Real *m)
  {
    const int64_t n_u = shape.channels;
    std::fill(m, m + shape.in * shape.out * n_u, Real(0));
    for (int64_t t = 0; t < shape.num_terms; t++) {
      const int64_t *ijk = shape.term + 3 * t;
      const Real *x = environment + ijk[1] * n_u, *wt = w + t * n_u;
      Real *out = m + (ijk[0] * shape.out + ijk[2]) * n_u;
      for (int64_t u = 0; u < n_u; u++) out[u] += wt[u] * x[u];
    }
  }

  /* ---------------------------------------------------------------------- */

  template <typename Real>
  void product(const ProductShape &shape, int64_t c0, int64_t c1, const int64_t *first, const Real *edge,
               const Real *environment, const Real *w, Real *scratch, Real *product)
  {
    const int64_t n_u = shape.channels, n_i = shape.in, n_k = shape.out;
    for (int64_t c = c0; c < c1; c++) {
      if (first[c] == first[c + 1]) continue;
      contract(shape, environment + c * shape.environment * n_u, w, scratch);
      for (int64_t e = first[c]; e < first[c + 1]; e++) {
        const Real *x = edge + e * n_i * n_u;
        for (int64_t k = 0; k < n_k; k++) {
          Real *out = product + (e * n_k + k) * n_u;
          std::fill(out, out + n_u, Real(0));
          const Real *m = scratch + k * n_u;
          add_products(n_u, n_i, [&](int64_t i) { return Two<Real>{x + i * n_u, m + i * n_k * n_u}; }, out);
        }
      }
    }
  }

  /* dM[i,k,u] = sum_e edge[e,i,u] d_product[e,k,u] over the edges of one centre */

  template <typename Real>
  void outer(const ProductShape &shape, int64_t e0, int64_t e1, const Real *edge, const Real *d_product,
             Real *dm)
  {
    const int64_t n_u = shape.channels, n_i = shape.in, n_k = shape.out;
    std::fill(dm, dm + n_i * n_k * n_u, Real(0));
    for (int64_t i = 0; i < n_i; i++)
      for (int64_t k = 0; k < n_k; k++)
        add_products(
            n_u, e1 - e0,
            [&](int64_t e) {
              return Two<Real>{edge + ((e0 + e) * n_i + i) * n_u, d_product + ((e0 + e) * n_k + k) * n_u};
            },
            dm + (i * n_k + k) * n_u);
  }

  /* ---------------------------------------------------------------------- */

  template <typename Real>
  void product_backward(const ProductShape &shape, int64_t c0, int64_t c1, const int64_t *first,
                        const Real *d_product, const Real *edge, const Real *environment, const Real *w,
                        Real *scratch, Real *d_edge, Real *d_environment)
  {
    const int64_t n_u = shape.channels, n_i = shape.in, n_k = shape.out, n_j = shape.environment;
    Real *m = scratch, *dm = scratch + n_i * n_k * n_u;
    std::fill(d_environment + c0 * n_j * n_u, d_environment + c1 * n_j * n_u, Real(0));
    for (int64_t c = c0; c < c1; c++) {
      const int64_t e0 = first[c], e1 = first[c + 1];
      if (e0 == e1) continue;
      contract(shape, environment + c * n_j * n_u, w, m);
      for (int64_t e = e0; e < e1; e++) {
        const Real *d = d_product + e * n_k * n_u;
        for (int64_t i = 0; i < n_i; i++) {
          Real *out = d_edge + (e * n_i + i) * n_u;
          std::fill(out, out + n_u, Real(0));
          const Real *mi = m + i * n_k * n_u;
          add_products(n_u, n_k, [&](int64_t k) { return Two<Real>{d + k * n_u, mi + k * n_u}; }, out);
        }
      }
      outer(shape, e0, e1, edge, d_product, dm);
      for (int64_t t = 0; t < shape.num_terms; t++) {
        const int64_t *ijk = shape.term + 3 * t;
        const Real *d = dm + (ijk[0] * n_k + ijk[2]) * n_u, *wt = w + t * n_u;
        Real *out = d_environment + (c * n_j + ijk[1]) * n_u;
        for (int64_t u = 0; u < n_u; u++) out[u] += wt[u] * d[u];
      }
    }
  }

  /* ---------------------------------------------------------------------- */

  template <typename Real>
  void product_sums(const ProductShape &shape, int64_t c0, int64_t c1, const int64_t *first, const Real *edge,
                    const Real *d_product, const Real *environment, const Real *w, Real *scratch,
                    Real *d_environment, Real *d_w)
  {
    const int64_t n_u = shape.channels, n_k = shape.out, n_j = shape.environment;
    std::fill(d_environment + c0 * n_j * n_u, d_environment + c1 * n_j * n_u, Real(0));
    for (int64_t c = c0; c < c1; c++) {
      if (first[c] == first[c + 1]) continue;
      outer(shape, first[c], first[c + 1], edge, d_product, scratch);
      for (int64_t t = 0; t < shape.num_terms; t++) {
        const int64_t *ijk = shape.term + 3 * t;
        const Real *d = scratch + (ijk[0] * n_k + ijk[2]) * n_u, *wt = w + t * n_u;
        const Real *x = environment + (c * n_j + ijk[1]) * n_u;
        Real *out = d_environment + (c * n_j + ijk[1]) * n_u, *dw = d_w + t * n_u;
        for (int64_t u = 0; u < n_u; u++) {
          out[u] += wt[u] * d[u];
          dw[u] += x[u] * d[u];
        }
      }
    }
  }

  extern const LayerKernels<float> in_float = {environment<float>, environment_backward<float>,
                                               product<float>, product_backward<float>, product_sums<float>};
  extern const LayerKernels<double> in_double = {environment<double>, environment_backward<double>,
                                                 product<double>, product_backward<double>,
                                                 product_sums<double>};

}    // namespace E3D_ISA
}    // namespace E3D
