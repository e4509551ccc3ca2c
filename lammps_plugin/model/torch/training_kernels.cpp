/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// CMake compiles this file once for each instruction set, with -DE3D_ISA=NAME and the flags of that set;
// layer_kernels_dispatch.cpp chooses one at run time. -fopenmp-simd: "omp simd" says that a loop writes nothing that
// it reads elsewhere, which a compiler would not find out of ten arrays, and that a sum may be taken in any order.

#include "model/torch/training_kernels.h"

#include <algorithm>

namespace E3D {
namespace E3D_ISA {

  namespace {

    // sum_u a[u] b[u]

    template <typename Real> inline Real dot(int64_t n, const Real *a, const Real *b)
    {
      Real sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t u = 0; u < n; u++) sum += a[u] * b[u];
      return sum;
    }

    // sum[u] = sum_i factor[i] rows[i,u] over i0 <= i < i1

    template <typename Real>
    inline void combine(int64_t n_u, int64_t i0, int64_t i1, const Real *factor, const Real *rows, Real *sum)
    {
#pragma omp simd
      for (int64_t u = 0; u < n_u; u++) sum[u] = factor[i0] * rows[i0 * n_u + u];
      for (int64_t i = i0 + 1; i < i1; i++)
#pragma omp simd
        for (int64_t u = 0; u < n_u; u++) sum[u] += factor[i] * rows[i * n_u + u];
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real, int64_t FIXED>
    void environment_twice(const EnvironmentShape &shape, int64_t c0, int64_t c1, const int64_t *first,
                           const Real *d, const Real *basis, const Real *weight, const Real *a_basis,
                           const Real *a_weight, Real *g_d, Real *g_basis, Real *g_weight)
    {
      const int64_t n_u = FIXED ? FIXED : shape.channels, n_i = shape.components;
      std::fill(g_d + c0 * n_i * n_u, g_d + c1 * n_i * n_u, Real(0));
      for (int64_t c = c0; c < c1; c++)
        for (int64_t e = first[c]; e < first[c + 1]; e++)
          for (int64_t r = 0; r < shape.irreps; r++) {
            const int64_t row = (e * shape.irreps + r) * n_u;
            const Real *v = weight + row, *av = a_weight + row;
            combine(n_u, shape.irrep[r], shape.irrep[r + 1], a_basis + e * n_i, d + c * n_i * n_u,
                    g_weight + row);
            for (int64_t i = shape.irrep[r]; i < shape.irrep[r + 1]; i++) {
              const Real y = basis[e * n_i + i], ay = a_basis[e * n_i + i];
              Real *g = g_d + (c * n_i + i) * n_u;
#pragma omp simd
              for (int64_t u = 0; u < n_u; u++) g[u] += ay * v[u] + y * av[u];
              g_basis[e * n_i + i] = dot(n_u, av, d + (c * n_i + i) * n_u);
            }
          }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real, int64_t FIXED>
    void projection(const EnvironmentShape &shape, int64_t c0, int64_t c1, const int64_t *first,
                    const Real *basis, const Real *weight, const Real *q, Real *scratch, Real *out)
    {
      const int64_t n_u = FIXED ? FIXED : shape.channels, n_i = shape.components;
      for (int64_t c = c0; c < c1; c++)
        for (int64_t e = first[c]; e < first[c + 1]; e++) {
          Real *t = out + e * n_u;
          std::fill(t, t + n_u, Real(0));
          for (int64_t r = 0; r < shape.irreps; r++) {
            const Real *w = weight + (e * shape.irreps + r) * n_u;
            combine(n_u, shape.irrep[r], shape.irrep[r + 1], basis + e * n_i, q + c * n_i * n_u, scratch);
#pragma omp simd
            for (int64_t u = 0; u < n_u; u++) t[u] += w[u] * scratch[u];
          }
        }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real, int64_t FIXED>
    void projection_backward(const EnvironmentShape &shape, int64_t c0, int64_t c1, const int64_t *first,
                             const Real *d, const Real *basis, const Real *weight, const Real *q,
                             Real *scratch, Real *g_basis, Real *g_weight, Real *g_q)
    {
      const int64_t n_u = FIXED ? FIXED : shape.channels, n_i = shape.components;
      Real *wd = scratch;
      std::fill(g_q + c0 * n_i * n_u, g_q + c1 * n_i * n_u, Real(0));
      for (int64_t c = c0; c < c1; c++)
        for (int64_t e = first[c]; e < first[c + 1]; e++)
          for (int64_t r = 0; r < shape.irreps; r++) {
            const int64_t row = (e * shape.irreps + r) * n_u;
            const Real *w = weight + row, *de = d + e * n_u;
            Real *gw = g_weight + row;
            combine(n_u, shape.irrep[r], shape.irrep[r + 1], basis + e * n_i, q + c * n_i * n_u, gw);
#pragma omp simd
            for (int64_t u = 0; u < n_u; u++) {
              gw[u] *= de[u];
              wd[u] = w[u] * de[u];
            }
            for (int64_t i = shape.irrep[r]; i < shape.irrep[r + 1]; i++) {
              const Real y = basis[e * n_i + i];
              Real *gq = g_q + (c * n_i + i) * n_u;
#pragma omp simd
              for (int64_t u = 0; u < n_u; u++) gq[u] += y * wd[u];
              g_basis[e * n_i + i] = dot(n_u, wd, q + (c * n_i + i) * n_u);
            }
          }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real, int64_t FIXED>
    void projection_twice(const EnvironmentShape &shape, int64_t c0, int64_t c1, const int64_t *first,
                          const Real *d, const Real *basis, const Real *weight, const Real *q,
                          const Real *a_basis, const Real *a_weight, const Real *a_q, Real *scratch,
                          Real *g_d, Real *g_basis, Real *g_weight, Real *g_q)
    {
      const int64_t n_u = FIXED ? FIXED : shape.channels, n_i = shape.components;
      Real *z = scratch, *z_y = z + n_u, *z_q = z_y + n_u;
      Real *wd = z_q + n_u, *awd = wd + n_u;
      std::fill(g_q + c0 * n_i * n_u, g_q + c1 * n_i * n_u, Real(0));
      for (int64_t c = c0; c < c1; c++) {
        const Real *qc = q + c * n_i * n_u, *aqc = a_q + c * n_i * n_u;
        for (int64_t e = first[c]; e < first[c + 1]; e++) {
          const Real *ye = basis + e * n_i, *aye = a_basis + e * n_i, *de = d + e * n_u;
          Real *gd = g_d + e * n_u;
          std::fill(gd, gd + n_u, Real(0));
          for (int64_t r = 0; r < shape.irreps; r++) {
            const int64_t i0 = shape.irrep[r], i1 = shape.irrep[r + 1], row = (e * shape.irreps + r) * n_u;
            const Real *w = weight + row, *aw = a_weight + row;
            Real *gw = g_weight + row;
            combine(n_u, i0, i1, ye, qc, z);
            combine(n_u, i0, i1, aye, qc, z_y);
            combine(n_u, i0, i1, ye, aqc, z_q);
#pragma omp simd
            for (int64_t u = 0; u < n_u; u++) {
              gd[u] += w[u] * (z_y[u] + z_q[u]) + aw[u] * z[u];
              gw[u] = de[u] * (z_y[u] + z_q[u]);
              wd[u] = w[u] * de[u];
              awd[u] = aw[u] * de[u];
            }
            for (int64_t i = i0; i < i1; i++) {
              const Real y = ye[i], ay = aye[i];
              Real *gq = g_q + (c * n_i + i) * n_u;
#pragma omp simd
              for (int64_t u = 0; u < n_u; u++) gq[u] += ay * wd[u] + y * awd[u];
              g_basis[e * n_i + i] = dot(n_u, awd, qc + i * n_u) + dot(n_u, wd, aqc + i * n_u);
            }
          }
        }
      }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real, int64_t FIXED>
    void triple(const TripleShape &shape, int64_t c0, int64_t c1, const Real *x, const Real *y, const Real *w,
                Real *out)
    {
      const int64_t n_u = FIXED ? FIXED : shape.channels;
      std::fill(out + c0 * shape.out * n_u, out + c1 * shape.out * n_u, Real(0));
      for (int64_t c = c0; c < c1; c++)
        for (int64_t t = 0; t < shape.num_terms; t++) {
          const int64_t *ijk = shape.term + 3 * t;
          const Real *xj = x + (c * shape.x + ijk[1]) * n_u, *yk = y + (c * shape.y + ijk[2]) * n_u;
          const Real *wt = w + t * n_u;
          Real *o = out + (c * shape.out + ijk[0]) * n_u;
#pragma omp simd
          for (int64_t u = 0; u < n_u; u++) o[u] += wt[u] * xj[u] * yk[u];
        }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real, int64_t FIXED>
    void triple_backward(const TripleShape &shape, int64_t c0, int64_t c1, const Real *d, const Real *x,
                         const Real *y, const Real *w, Real *g_x, Real *g_y, Real *g_w)
    {
      const int64_t n_u = FIXED ? FIXED : shape.channels;
      std::fill(g_x + c0 * shape.x * n_u, g_x + c1 * shape.x * n_u, Real(0));
      std::fill(g_y + c0 * shape.y * n_u, g_y + c1 * shape.y * n_u, Real(0));
      for (int64_t c = c0; c < c1; c++)
        for (int64_t t = 0; t < shape.num_terms; t++) {
          const int64_t *ijk = shape.term + 3 * t;
          const int64_t j = (c * shape.x + ijk[1]) * n_u, k = (c * shape.y + ijk[2]) * n_u;
          const Real *o = d + (c * shape.out + ijk[0]) * n_u, *xj = x + j, *yk = y + k, *wt = w + t * n_u;
          Real *gx = g_x + j, *gy = g_y + k, *gw = g_w + t * n_u;
#pragma omp simd
          for (int64_t u = 0; u < n_u; u++) {
            gx[u] += o[u] * wt[u] * yk[u];
            gy[u] += o[u] * wt[u] * xj[u];
            gw[u] += o[u] * xj[u] * yk[u];
          }
        }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real, int64_t FIXED>
    void triple_twice(const TripleShape &shape, int64_t c0, int64_t c1, const Real *d, const Real *x,
                      const Real *y, const Real *w, const Real *a_x, const Real *a_y, const Real *a_w,
                      Real *g_d, Real *g_x, Real *g_y, Real *g_w)
    {
      const int64_t n_u = FIXED ? FIXED : shape.channels;
      std::fill(g_d + c0 * shape.out * n_u, g_d + c1 * shape.out * n_u, Real(0));
      std::fill(g_x + c0 * shape.x * n_u, g_x + c1 * shape.x * n_u, Real(0));
      std::fill(g_y + c0 * shape.y * n_u, g_y + c1 * shape.y * n_u, Real(0));
      for (int64_t c = c0; c < c1; c++)
        for (int64_t t = 0; t < shape.num_terms; t++) {
          const int64_t *ijk = shape.term + 3 * t;
          const int64_t i = (c * shape.out + ijk[0]) * n_u, j = (c * shape.x + ijk[1]) * n_u;
          const int64_t k = (c * shape.y + ijk[2]) * n_u, row = t * n_u;
          const Real *o = d + i, *xj = x + j, *yk = y + k, *wt = w + row;
          const Real *ax = a_x + j, *ay = a_y + k, *aw = a_w + row;
          Real *gd = g_d + i, *gx = g_x + j;
          Real *gy = g_y + k, *gw = g_w + row;
#pragma omp simd
          for (int64_t u = 0; u < n_u; u++) {
            gd[u] += aw[u] * xj[u] * yk[u] + wt[u] * (ax[u] * yk[u] + xj[u] * ay[u]);
            gx[u] += o[u] * (wt[u] * ay[u] + aw[u] * yk[u]);
            gy[u] += o[u] * (wt[u] * ax[u] + aw[u] * xj[u]);
            gw[u] += o[u] * (ax[u] * yk[u] + xj[u] * ay[u]);
          }
        }
    }

    /* SiLU, x s with the sigmoid s: its derivatives are s (1 + x (1 - s)) and s (1 - s) (2 + x (1 - 2 s)) */

    template <typename Real>
    void silu_backward(int64_t n, const Real *d, const Real *x, const Real *s, Real *g_x)
    {
#pragma omp simd
      for (int64_t k = 0; k < n; k++) g_x[k] = d[k] * s[k] * (1 + x[k] * (1 - s[k]));
    }

    template <typename Real>
    void silu_twice(int64_t n, const Real *d, const Real *x, const Real *s, const Real *a, Real *g_d,
                    Real *g_x)
    {
#pragma omp simd
      for (int64_t k = 0; k < n; k++) {
        g_d[k] = a[k] * s[k] * (1 + x[k] * (1 - s[k]));
        g_x[k] = a[k] * d[k] * s[k] * (1 - s[k]) * (2 + x[k] * (1 - 2 * s[k]));
      }
    }

    template <typename Real, int64_t FIXED>
    constexpr TrainingKernels<Real> KERNELS = {
        environment_twice<Real, FIXED>, projection<Real, FIXED>, projection_backward<Real, FIXED>,
        projection_twice<Real, FIXED>,  triple<Real, FIXED>,     triple_backward<Real, FIXED>,
        triple_twice<Real, FIXED>,      silu_backward<Real>,     silu_twice<Real>};

    // the numbers of channels that are usual, and any

    template <typename Real> const TrainingKernels<Real> &kernels(int64_t channels)
    {
      switch (channels) {
        case 8: return KERNELS<Real, 8>;
        case 16: return KERNELS<Real, 16>;
        case 32: return KERNELS<Real, 32>;
        case 64: return KERNELS<Real, 64>;
        default: return KERNELS<Real, 0>;
      }
    }

  }    // namespace

  const TrainingKernels<float> &training_in_float(int64_t channels)
  {
    return kernels<float>(channels);
  }

  const TrainingKernels<double> &training_in_double(int64_t channels)
  {
    return kernels<double>(channels);
  }

}    // namespace E3D_ISA
}    // namespace E3D
