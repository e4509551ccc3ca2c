/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// CMake compiles this file once for each instruction set, with -DE3D_ISA=NAME and the flags of that set;
// layer_kernels_dispatch.cpp chooses one at run time. What is written overlaps nothing that is read, which
// the compiler must be told (__restrict): loops over ten arrays would not become vectors.

#include "model/torch/training_kernels.h"

#include <algorithm>

namespace E3D {
namespace E3D_ISA {

  namespace {

    constexpr int64_t VECTOR = 16;    // partial sums of a dot product, so that it is a vector

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

    // sum[u] = sum_i factor[i] rows[i,u] over components i0 to i1 - 1

    template <typename Real>
    void combine(int64_t n_u, int64_t i0, int64_t i1, const Real *factor, const Real *rows,
                 Real *__restrict sum)
    {
      std::fill(sum, sum + n_u, Real(0));
      for (int64_t i = i0; i < i1; i++) {
        const Real f = factor[i];
        const Real *row = rows + i * n_u;
        for (int64_t u = 0; u < n_u; u++) sum[u] += f * row[u];
      }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real>
    void environment_twice(const EnvironmentShape &shape, int64_t c0, int64_t c1, const int64_t *first,
                           const Real *d, const Real *basis, const Real *weight, const Real *a_basis,
                           const Real *a_weight, Real *g_d, Real *g_basis, Real *g_weight)
    {
      const int64_t n_u = shape.channels, n_i = shape.components;
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
              Real *__restrict g = g_d + (c * n_i + i) * n_u;
              for (int64_t u = 0; u < n_u; u++) g[u] += ay * v[u] + y * av[u];
              g_basis[e * n_i + i] = dot(n_u, av, d + (c * n_i + i) * n_u);
            }
          }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real>
    void projection(const EnvironmentShape &shape, int64_t c0, int64_t c1, const int64_t *first,
                    const Real *basis, const Real *weight, const Real *q, Real *scratch, Real *out)
    {
      const int64_t n_u = shape.channels, n_i = shape.components;
      for (int64_t c = c0; c < c1; c++)
        for (int64_t e = first[c]; e < first[c + 1]; e++) {
          Real *__restrict t = out + e * n_u;
          std::fill(t, t + n_u, Real(0));
          for (int64_t r = 0; r < shape.irreps; r++) {
            const Real *w = weight + (e * shape.irreps + r) * n_u;
            combine(n_u, shape.irrep[r], shape.irrep[r + 1], basis + e * n_i, q + c * n_i * n_u, scratch);
            for (int64_t u = 0; u < n_u; u++) t[u] += w[u] * scratch[u];
          }
        }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real>
    void projection_backward(const EnvironmentShape &shape, int64_t c0, int64_t c1, const int64_t *first,
                             const Real *d, const Real *basis, const Real *weight, const Real *q,
                             Real *scratch, Real *g_basis, Real *g_weight, Real *g_q)
    {
      const int64_t n_u = shape.channels, n_i = shape.components;
      Real *__restrict wd = scratch;
      std::fill(g_q + c0 * n_i * n_u, g_q + c1 * n_i * n_u, Real(0));
      for (int64_t c = c0; c < c1; c++)
        for (int64_t e = first[c]; e < first[c + 1]; e++)
          for (int64_t r = 0; r < shape.irreps; r++) {
            const int64_t row = (e * shape.irreps + r) * n_u;
            const Real *w = weight + row, *de = d + e * n_u;
            Real *__restrict gw = g_weight + row;
            combine(n_u, shape.irrep[r], shape.irrep[r + 1], basis + e * n_i, q + c * n_i * n_u, gw);
            for (int64_t u = 0; u < n_u; u++) {
              gw[u] *= de[u];
              wd[u] = w[u] * de[u];
            }
            for (int64_t i = shape.irrep[r]; i < shape.irrep[r + 1]; i++) {
              const Real y = basis[e * n_i + i];
              Real *__restrict gq = g_q + (c * n_i + i) * n_u;
              for (int64_t u = 0; u < n_u; u++) gq[u] += y * wd[u];
              g_basis[e * n_i + i] = dot(n_u, wd, q + (c * n_i + i) * n_u);
            }
          }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real>
    void projection_twice(const EnvironmentShape &shape, int64_t c0, int64_t c1, const int64_t *first,
                          const Real *d, const Real *basis, const Real *weight, const Real *q,
                          const Real *a_basis, const Real *a_weight, const Real *a_q, Real *scratch,
                          Real *g_d, Real *g_basis, Real *g_weight, Real *g_q)
    {
      const int64_t n_u = shape.channels, n_i = shape.components;
      Real *z = scratch, *z_y = z + n_u, *z_q = z_y + n_u;
      Real *__restrict wd = z_q + n_u, *__restrict awd = wd + n_u;
      std::fill(g_q + c0 * n_i * n_u, g_q + c1 * n_i * n_u, Real(0));
      for (int64_t c = c0; c < c1; c++) {
        const Real *qc = q + c * n_i * n_u, *aqc = a_q + c * n_i * n_u;
        for (int64_t e = first[c]; e < first[c + 1]; e++) {
          const Real *ye = basis + e * n_i, *aye = a_basis + e * n_i, *de = d + e * n_u;
          Real *__restrict gd = g_d + e * n_u;
          std::fill(gd, gd + n_u, Real(0));
          for (int64_t r = 0; r < shape.irreps; r++) {
            const int64_t i0 = shape.irrep[r], i1 = shape.irrep[r + 1], row = (e * shape.irreps + r) * n_u;
            const Real *w = weight + row, *aw = a_weight + row;
            Real *__restrict gw = g_weight + row;
            combine(n_u, i0, i1, ye, qc, z);
            combine(n_u, i0, i1, aye, qc, z_y);
            combine(n_u, i0, i1, ye, aqc, z_q);
            for (int64_t u = 0; u < n_u; u++) {
              gd[u] += w[u] * (z_y[u] + z_q[u]) + aw[u] * z[u];
              gw[u] = de[u] * (z_y[u] + z_q[u]);
              wd[u] = w[u] * de[u];
              awd[u] = aw[u] * de[u];
            }
            for (int64_t i = i0; i < i1; i++) {
              const Real y = ye[i], ay = aye[i];
              Real *__restrict gq = g_q + (c * n_i + i) * n_u;
              for (int64_t u = 0; u < n_u; u++) gq[u] += ay * wd[u] + y * awd[u];
              g_basis[e * n_i + i] = dot(n_u, awd, qc + i * n_u) + dot(n_u, wd, aqc + i * n_u);
            }
          }
        }
      }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real>
    void triple(const TripleShape &shape, int64_t c0, int64_t c1, const Real *x, const Real *y, const Real *w,
                Real *out)
    {
      const int64_t n_u = shape.channels;
      std::fill(out + c0 * shape.out * n_u, out + c1 * shape.out * n_u, Real(0));
      for (int64_t c = c0; c < c1; c++)
        for (int64_t t = 0; t < shape.num_terms; t++) {
          const int64_t *ijk = shape.term + 3 * t;
          const Real *xj = x + (c * shape.x + ijk[1]) * n_u, *yk = y + (c * shape.y + ijk[2]) * n_u;
          const Real *wt = w + t * n_u;
          Real *__restrict o = out + (c * shape.out + ijk[0]) * n_u;
          for (int64_t u = 0; u < n_u; u++) o[u] += wt[u] * xj[u] * yk[u];
        }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real>
    void triple_backward(const TripleShape &shape, int64_t c0, int64_t c1, const Real *d, const Real *x,
                         const Real *y, const Real *w, Real *g_x, Real *g_y, Real *g_w)
    {
      const int64_t n_u = shape.channels;
      std::fill(g_x + c0 * shape.x * n_u, g_x + c1 * shape.x * n_u, Real(0));
      std::fill(g_y + c0 * shape.y * n_u, g_y + c1 * shape.y * n_u, Real(0));
      for (int64_t c = c0; c < c1; c++)
        for (int64_t t = 0; t < shape.num_terms; t++) {
          const int64_t *ijk = shape.term + 3 * t;
          const int64_t j = (c * shape.x + ijk[1]) * n_u, k = (c * shape.y + ijk[2]) * n_u;
          const Real *o = d + (c * shape.out + ijk[0]) * n_u, *xj = x + j, *yk = y + k, *wt = w + t * n_u;
          Real *__restrict gx = g_x + j, *__restrict gy = g_y + k, *__restrict gw = g_w + t * n_u;
          for (int64_t u = 0; u < n_u; u++) {
            gx[u] += o[u] * wt[u] * yk[u];
            gy[u] += o[u] * wt[u] * xj[u];
            gw[u] += o[u] * xj[u] * yk[u];
          }
        }
    }

    /* ---------------------------------------------------------------------- */

    template <typename Real>
    void triple_twice(const TripleShape &shape, int64_t c0, int64_t c1, const Real *d, const Real *x,
                      const Real *y, const Real *w, const Real *a_x, const Real *a_y, const Real *a_w,
                      Real *g_d, Real *g_x, Real *g_y, Real *g_w)
    {
      const int64_t n_u = shape.channels;
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
          Real *__restrict gd = g_d + i, *__restrict gx = g_x + j;
          Real *__restrict gy = g_y + k, *__restrict gw = g_w + row;
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
    void silu_backward(int64_t n, const Real *d, const Real *x, const Real *s, Real *__restrict g_x)
    {
      for (int64_t k = 0; k < n; k++) g_x[k] = d[k] * s[k] * (1 + x[k] * (1 - s[k]));
    }

    template <typename Real>
    void silu_twice(int64_t n, const Real *d, const Real *x, const Real *s, const Real *a,
                    Real *__restrict g_d, Real *__restrict g_x)
    {
      for (int64_t k = 0; k < n; k++) {
        g_d[k] = a[k] * s[k] * (1 + x[k] * (1 - s[k]));
        g_x[k] = a[k] * d[k] * s[k] * (1 - s[k]) * (2 + x[k] * (1 - 2 * s[k]));
      }
    }

    template <typename Real>
    constexpr TrainingKernels<Real> KERNELS = {
        environment_twice<Real>, projection<Real>,    projection_backward<Real>,
        projection_twice<Real>,  triple<Real>,        triple_backward<Real>,
        triple_twice<Real>,      silu_backward<Real>, silu_twice<Real>};

  }    // namespace

  extern const TrainingKernels<float> training_in_float = KERNELS<float>;
  extern const TrainingKernels<double> training_in_double = KERNELS<double>;

}    // namespace E3D_ISA
}    // namespace E3D
