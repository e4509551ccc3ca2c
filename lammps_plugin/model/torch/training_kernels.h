/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_TRAINING_KERNELS_H
#define E3D_TRAINING_KERNELS_H

#include "model/torch/layer_kernels.h"

#include <cstdint>

/* What training does to edges and centres between its matrix products: three sums, each linear in every
   argument, and SiLU; of each the value, the first derivatives, and the derivatives of these.

     environment  sum D[c,i,u] Y[e,i] v[e,r(i),u]
     projection   sum d[e,u] Y[e,i] w[e,r(i),u] q[c,i,u]
     triple       sum o[c,i,u] x[c,j,u] y[c,k,u] w[t,u] over the terms t = (i, j, k)

   An array that a kernel returns is the derivative of the sum by the argument that is left out. "Twice" takes
   a multiplier of each first derivative (a_...) and returns the derivatives of sum a . first derivative by all
   arguments (g_...): the sum with one argument after the other replaced by its multiplier.

   Edges are sorted by centre: those of centre c are first[c] to first[c+1] - 1. Kernels work on centres c0 to
   c1 - 1; the channel u is the last index. Compiled once for each instruction set, as layer_kernels.cpp. */

namespace E3D {

struct TripleShape {
  int64_t channels, out, x, y;    // channels; components i, j, k
  int64_t num_terms;
  const int64_t *term;    // (num_terms, 3): i, j, k
};

template <typename Real> struct TrainingKernels {
  void (*environment_twice)(const EnvironmentShape &, int64_t c0, int64_t c1, const int64_t *first,
                            const Real *d, const Real *basis, const Real *weight, const Real *a_basis,
                            const Real *a_weight, Real *g_d, Real *g_basis, Real *g_weight);

  // scratch: 5 * channels for all of them
  void (*projection)(const EnvironmentShape &, int64_t c0, int64_t c1, const int64_t *first,
                     const Real *basis, const Real *weight, const Real *q, Real *scratch, Real *out);
  void (*projection_backward)(const EnvironmentShape &, int64_t c0, int64_t c1, const int64_t *first,
                              const Real *d, const Real *basis, const Real *weight, const Real *q,
                              Real *scratch, Real *g_basis, Real *g_weight, Real *g_q);
  void (*projection_twice)(const EnvironmentShape &, int64_t c0, int64_t c1, const int64_t *first,
                           const Real *d, const Real *basis, const Real *weight, const Real *q,
                           const Real *a_basis, const Real *a_weight, const Real *a_q, Real *scratch,
                           Real *g_d, Real *g_basis, Real *g_weight, Real *g_q);

  // add to g_w (num_terms, channels)
  void (*triple)(const TripleShape &, int64_t c0, int64_t c1, const Real *x, const Real *y, const Real *w,
                 Real *out);
  void (*triple_backward)(const TripleShape &, int64_t c0, int64_t c1, const Real *d, const Real *x,
                          const Real *y, const Real *w, Real *g_x, Real *g_y, Real *g_w);
  void (*triple_twice)(const TripleShape &, int64_t c0, int64_t c1, const Real *d, const Real *x,
                       const Real *y, const Real *w, const Real *a_x, const Real *a_y, const Real *a_w,
                       Real *g_d, Real *g_x, Real *g_y, Real *g_w);

  // of n numbers x with their sigmoids s
  void (*silu_backward)(int64_t n, const Real *d, const Real *x, const Real *s, Real *g_x);
  void (*silu_twice)(int64_t n, const Real *d, const Real *x, const Real *s, const Real *a, Real *g_d,
                     Real *g_x);
};

/* The kernels for the processor at hand and for so many channels; Real is float or double. */

template <typename Real> const TrainingKernels<Real> &training_kernels(int64_t channels);

}    // namespace E3D

#endif
